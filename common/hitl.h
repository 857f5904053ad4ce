/* hitl.h - questions that wait for a person, as files in a directory (Clarity contract section 13)
 *
 * `<stem>.question` holds a question, `<stem>.answer` its answer; the answer's being there means answered, an empty one too.
 * The stem is made of the key; there are two rules for that in the world, which differ for a dot:
 *   HITL_BROKER   blanks around the key are dropped; what is not [A-Za-z0-9._-] becomes "_"; nothing left is "question"
 *   HITL_ASKER    nothing is dropped; what is not [A-Za-z0-9_-] becomes "_"
 * Both count UTF-16 units, so an emoji becomes "__". Our own questions are written by the first rule, because that is where every broker
 * writes an answer. A key names a question when
 *   1. it is the key written in the question, or else
 *   2. it is the stem itself, or the question has no key of its own and one of the two rules makes its stem of the key.
 * An answer is always written beside the question that was found. Keys that share a stem cannot be asked at the same time: an existing
 * broker would give one the other's answer. The second is refused (STATUS_CONFLICT) with both named.
 *
 * Files come whole (a temporary file, fsync, then link or rename) and are opened without following links; only regular files
 * count. An answer of ours is read-only. A foreign writer may still be at work on one that is not, so such an answer is not read before it
 * is HITL_SETTLE_MS old.
 * Nouns: nothing here waits, prints or exits.
 */
#ifndef HITL_H
#define HITL_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct err;

#define HITL_FILE_MAX (1024u * 1024) /* bytes of a question or an answer */
#define HITL_STEM_MAX 240	     /* bytes; a file name holds 255 and ".question" is one of the ends */
#define HITL_QUESTIONS_MAX 10000     /* in one directory; further ones are not seen */
#define HITL_SETTLE_MS 100	     /* age at which an answer that may still be written is taken to be whole */
#define HITL_DIR ".clarity-hitl"

enum hitl_rule { HITL_BROKER, HITL_ASKER };

/* Appends the stem of a key; no limit is applied. */
void hitl_stem(struct buf *to, const char *key, size_t n, enum hitl_rule rule);

struct hitl_question {
	struct buf stem, key, question; /* valid UTF-8; key: without blanks around it, the stem when it has none */
	int64_t timestamp;		/* Unix ms */
	int64_t pid;			/* -1: not given */
	bool named;			/* it has a key of its own */
	bool answered;
	bool told; /* answered, and hitl_news.h */
	bool gone; /* it was asked on this host by a process that is no more */
	int64_t mtime_ns;
	uint64_t inode;
};

void hitl_question_init(struct hitl_question *question);
void hitl_question_release(struct hitl_question *question);

/* A member that is a number, as a whole one, rounded down; false when it is none, or not below 2^53 in size. */
bool hitl_number(struct span object, const char *name, int64_t *ret);

/* What a question file says. Takes any bytes: what is no JSON object is the question itself. */
void hitl_parse(const char *bytes, size_t n, const char *stem, int64_t now_ms, struct hitl_question *question);

/* Appends what a question is for other programs: {"key","question","timestamp","pid"?,"ageSeconds"}. */
void hitl_record(struct buf *to, const struct hitl_question *question, int64_t now_ms);

struct hitl {
	int fd;		 /* -1: closed, or not there (yet) */
	bool make;	 /* it is made when it is not there */
	struct buf path; /* absolute where it can be found out */
};

struct hitl_list {
	struct hitl_question *questions; /* by time, then by stem */
	size_t n;
	bool cut; /* there were more than HITL_QUESTIONS_MAX */
};

/* dir NULL: CLARITY_HITL_DIR, else .clarity-hitl. When it is not there: make makes it with mode 0700, for those who put something into it; for
 * all others it holds nothing until it comes (hitl_check()), since a name that was mistyped must not become a directory. Errors:
 * STATUS_CONFIG. */
bool hitl_open(struct hitl *hitl, const char *dir, bool make, struct err *err) USE_RESULT;
bool hitl_is_missing(const struct hitl *hitl);
/* The directory may have come, gone or been replaced since: then it is opened, or made, anew. *ret_changed: that is so. */
bool hitl_check(struct hitl *hitl, bool *ret_changed, struct err *err) USE_RESULT;
void hitl_close(struct hitl *hitl); /* also after a failed hitl_open(), and twice */

/* All questions, answered ones too. */
bool hitl_list(const struct hitl *hitl, struct hitl_list *list, struct err *err) USE_RESULT;
void hitl_list_release(struct hitl_list *list);

/* The question that a key names. STATUS_NO: there is none ("question not found: KEY"); STATUS_CONFLICT: several. */
bool hitl_find(const struct hitl *hitl, const char *key, size_t n, struct hitl_question *question, struct err *err) USE_RESULT;

struct hitl_asking {
	const char *key, *question; /* written as they are */
	size_t key_n, question_n;
	int64_t timestamp, pid; /* pid -1: none */
	const char *host;	/* NULL: none */
	bool replace;		/* the same key may be asked again even when its asker may live */
};

/* Removes an old answer, then writes the question. *question then has the stem and inode to wait with. Errors: STATUS_INPUT (no
 * key, too long), STATUS_CONFLICT (the stem belongs to another key; the key is being asked by a process that lives), STATUS_IO. */
bool hitl_ask(const struct hitl *hitl, const struct hitl_asking *asking, struct hitl_question *question, struct err *err) USE_RESULT;

enum hitl_state {
	HITL_PENDING,
	HITL_SETTLING,	/* an answer is there, but may still be written: look again after HITL_SETTLE_MS */
	HITL_ANSWERED,	/* the answer, trimmed, was appended */
	HITL_CANCELLED, /* the question is gone, or another took its place, and there is no answer */
	HITL_BAD	/* err: the answer is no regular file, too large or cannot be read */
};

/* How it stands with a question that hitl_ask() wrote or hitl_find() found. Removes nothing. */
enum hitl_state hitl_look(const struct hitl *hitl, const struct hitl_question *question, struct buf *answer, struct err *err);

/* The asker's end: removes its question, if it is still its own, and the answer. */
void hitl_done(const struct hitl *hitl, const struct hitl_question *question);

/* Writes the answer, as it is. Errors: as hitl_find(); STATUS_CONFLICT when another answer is there (the same one again is good);
 * STATUS_INPUT, STATUS_IO. question is filled. */
bool hitl_answer(const struct hitl *hitl, const char *key, size_t n, const char *answer, size_t answer_n, struct hitl_question *question,
    struct err *err) USE_RESULT;

/* The same, but where there is no such question the answer is left for whoever asks it next, in the place of one that lies there.
 * (hitl_ask() takes none of before; the askers of others do.) question: only its stem is filled then. */
bool hitl_answer_ahead(const struct hitl *hitl, const char *key, size_t n, const char *answer, size_t answer_n,
    struct hitl_question *question, struct err *err) USE_RESULT;

/* The same for the very question that was found or listed: STATUS_NO when it is gone or another one has its place. */
bool hitl_reply(const struct hitl *hitl, struct hitl_question *question, const char *answer, size_t answer_n, struct err *err) USE_RESULT;

/* Removes the question, and an answer that nobody took. *ret_removed false: there was none. STATUS_CONFLICT as hitl_find(). */
bool hitl_cancel(
    const struct hitl *hitl, const char *key, size_t n, struct hitl_question *question, bool *ret_removed, struct err *err) USE_RESULT;

#endif
