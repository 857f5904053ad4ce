/* desk.h - where questions lie: a directory here (hitl.h), or a broker over HTTP (Clarity contract section 13.2)
 *
 * The same verbs for both. A broker's answers are mapped to the statuses of api.h; an unknown key is STATUS_NO in both.
 */
#ifndef DESK_H
#define DESK_H

#include "api.h"
#include "compat.h"
#include "hitl.h"

struct err;

enum { DESK_KEY_DIR = 400, DESK_KEY_BROKER };

/* Handled by desk_opt(). */
#define OPT_DESK \
	{ DESK_KEY_DIR, "dir", "DIR", "the directory of the questions (default CLARITY_HITL_DIR, else .clarity-hitl)" }, \
		{ DESK_KEY_BROKER, "broker", "URL", "a broker instead of a directory; unix:/path works" }, \
		{ OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the broker's token (default CLARITY_HITL_BROKER_TOKEN)" }, \
		{ OPT_KEY_CONNECT_TIMEOUT, "connect-timeout", "DURATION", "longest wait for a connection (default 10s)" }, \
		{ OPT_KEY_CACERT, "cacert", "FILE", "trust the certificates in FILE" }, \
		{ OPT_KEY_CERT, "cert", "FILE", "client certificate" }, { OPT_KEY_KEY, "key-file", "FILE", "its private key" }

struct desk {
	const char *dir, *broker; /* as given, borrowed */
	bool remote;
	struct hitl hitl;
	struct api api;
};

#define DESK_INIT { .hitl = { .fd = -1, .path = BUF_INIT }, .api = API_INIT }

/* As api_opt(). */
bool desk_opt(struct desk *desk, int key, const char *arg, struct err *err) USE_RESULT;
/* --broker and --dir exclude each other. use_environment: without both, CLARITY_HITL_BROKER_URL is the broker (the asking side). */
bool desk_open(struct desk *desk, bool use_environment, struct err *err) USE_RESULT;
void desk_close(struct desk *desk);

/* Pending questions only, oldest first. */
bool desk_list(struct desk *desk, struct hitl_list *list, struct err *err) USE_RESULT;
bool desk_answer(struct desk *desk, const char *key, const char *answer, size_t n, struct err *err) USE_RESULT;
bool desk_cancel(struct desk *desk, const char *key, bool *ret_removed, struct err *err) USE_RESULT;

/* Asks; question is filled for desk_look() and desk_done(). */
bool desk_ask(struct desk *desk, const struct hitl_asking *asking, struct hitl_question *question, struct err *err) USE_RESULT;
/* As hitl_look(); HITL_BAD also for a broker that cannot be asked now. */
enum hitl_state desk_look(struct desk *desk, const struct hitl_question *question, struct buf *answer, struct err *err);
/* The asker's end: nothing of its question is left. */
void desk_done(struct desk *desk, const struct hitl_question *question);

#endif
