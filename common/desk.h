/* desk.h - where questions lie: a directory here (hitl.h), or a broker over HTTP (Clarity contract section 13.2)
 *
 * The same verbs for both. A broker's answers are mapped to the statuses of api.h; an unknown key is STATUS_NO in both.
 */
#ifndef DESK_H
#define DESK_H

#include "api.h"
#include "compat.h"
#include "dirwatch.h"
#include "hitl.h"

struct err;
struct http_call;
struct pollfd;

#define DESK_LOOK_MS 500     /* between two looks at a broker that does not tell of what happens (contract section 13.1) */
#define DESK_TOLD_MS 5000    /* and at one that does */
#define DESK_TROUBLE_MS 2000 /* between two tries when a broker cannot be reached */

enum { DESK_KEY_DIR = 400, DESK_KEY_BROKER };

/* Handled by desk_opt(). */
#define OPT_DESK                                                                                                                           \
	{ DESK_KEY_DIR, "dir", "DIR", "the directory of the questions (default CLARITY_HITL_DIR, else .clarity-hitl)" },                   \
	    { DESK_KEY_BROKER, "broker", "URL", "a broker instead of a directory; unix:/path works" },                                     \
	    { OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the broker's token (default CLARITY_HITL_BROKER_TOKEN)" },              \
	    { OPT_KEY_CONNECT_TIMEOUT, "connect-timeout", "DURATION", "longest wait for a connection (default 10s)" },                     \
	    { OPT_KEY_WAIT_FOR_LIMIT, "wait-for-limit", NULL, "when a limit is met: wait until it is over and ask again" },                \
	    { OPT_KEY_CACERT, "cacert", "FILE", "trust the certificates in FILE" },                                                        \
	    { OPT_KEY_CERT, "cert", "FILE", "client certificate" },                                                                        \
	{                                                                                                                                  \
		OPT_KEY_KEY, "key-file", "FILE", "its private key"                                                                         \
	}

struct desk {
	const char *dir, *broker; /* as given, borrowed */
	bool remote;
	struct hitl hitl;
	struct api api;
	/* who tells that something happened */
	struct dirwatch watch;
	bool watching;
	struct http_call *stream;
	bool proven, told;
	int64_t stream_not_before;
};

#define DESK_INIT                                                                                                                          \
	{                                                                                                                                  \
		.hitl = { .fd = -1, .path = BUF_INIT }, .api = API_INIT, .watch = {.fd = -1 }                                              \
	}

/* As api_opt(). */
bool desk_opt(struct desk *desk, int key, const char *arg, struct err *err) USE_RESULT;
/* What a desk is opened for decides about a directory that is not there. */
enum desk_use {
	DESK_ASK,  /* it is made; and without --broker and --dir, CLARITY_HITL_BROKER_URL is the broker */
	DESK_PUT,  /* it is made */
	DESK_LOOK, /* one that --dir names is an error; the other ones are those of whoever asks first, and there is nothing in them yet */
	DESK_FOLLOW, /* it may come */
};
/* --broker and --dir exclude each other. */
bool desk_open(struct desk *desk, enum desk_use use, struct err *err) USE_RESULT;
/* Is the directory not there (any more)? As desk_open() or the last desk_list() found it. */
bool desk_is_missing(const struct desk *desk);
void desk_close(struct desk *desk);

/* Pending questions only, oldest first. */
bool desk_list(struct desk *desk, struct hitl_list *list, struct err *err) USE_RESULT;
/* ret_path: the answer's file is appended; not with a broker. ahead: hitl_answer_ahead(); of no effect with a broker. */
bool desk_answer(
    struct desk *desk, const char *key, bool ahead, const char *answer, size_t n, struct buf *ret_path, struct err *err) USE_RESULT;
/* The very question that was listed: STATUS_NO or STATUS_CONFLICT when it is gone, answered, or another one has its place. */
bool desk_reply(struct desk *desk, struct hitl_question *question, const char *answer, size_t n, struct err *err) USE_RESULT;
bool desk_cancel(struct desk *desk, const char *key, bool *ret_removed, struct err *err) USE_RESULT;

/* Waits until something may have happened to a question, one of the other descriptors is ready (at most 4; revents is set), or the
 * deadline. Without anybody who tells, look_ms (0: DESK_LOOK_MS) is the time between two looks at a broker. The caller looks for itself. */
bool desk_wait(struct desk *desk, struct pollfd *others, unsigned n, int64_t look_ms, int64_t deadline, struct err *err) USE_RESULT;
/* No answer from a broker, but there may be one later? */
bool desk_is_trouble(const struct desk *desk, const struct err *err);

/* Asks; question is filled for desk_look() and desk_done(). With a broker a key that is being asked already is asked anew, and its earlier
 * asker sees its question as cancelled. */
bool desk_ask(struct desk *desk, const struct hitl_asking *asking, struct hitl_question *question, struct err *err) USE_RESULT;
/* As hitl_look(); HITL_BAD also for a broker that cannot be asked now. */
enum hitl_state desk_look(struct desk *desk, const struct hitl_question *question, struct buf *answer, struct err *err);
/* The asker's end: nothing of its question is left. */
void desk_done(struct desk *desk, const struct hitl_question *question);

#endif
