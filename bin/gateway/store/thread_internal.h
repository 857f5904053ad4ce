/* thread_internal.h - what thread.c, turn.c and approval.c share: the statements, what is bound to them and what is read from their rows
 *
 * What fails on the disk makes the whole batch fail, and answers as if there were nothing.
 */
#ifndef STORE_THREAD_INTERNAL_H
#define STORE_THREAD_INTERNAL_H

#include "compat.h"
#include "store/internal.h"
#include "store/thread.h"

enum thread_statement {
	THREAD_GET,
	THREAD_PUT,
	THREAD_DROP,
	THREAD_DROP_TURNS,
	THREAD_DROP_APPROVALS,
	THREAD_LIST,
	THREAD_ADOPT,
	TURN_GET,
	TURN_BY_REQUEST,
	TURN_OPEN,
	TURN_OPEN_ANY,
	TURN_ADD,
	TURN_END,
	APPROVAL_GET,
	APPROVAL_ADD,
	APPROVAL_END,
	APPROVAL_LIST,
	THREAD_STATEMENTS
};

/* Ready to be bound. NULL: the batch has failed. */
struct query *thread_query(struct change_context *context, enum thread_statement which);

void bind_buf(struct query *query, int i, const struct buf *text);
void bind_some(struct query *query, int i, const struct buf *text); /* "" is null */
void bind_word(struct query *query, int i, const char *word);

void thread_run(struct change_context *context, struct query *query);
bool thread_run_one(struct change_context *context, struct query *query) USE_RESULT; /* has it changed one row? */
bool thread_step(struct change_context *context, struct query *query) USE_RESULT;    /* true: there is a (further) row */

/* The one row of a statement that takes up to two texts (SPAN_NONE: it does not). False: there is none. */
bool thread_one(struct change_context *context, enum thread_statement which, struct span first, struct span second,
    void (*read)(struct query *query, void *ret), void *ret) USE_RESULT;

void column_buf(struct query *query, int i, struct buf *to);
int column_word(struct query *query, int i, const char *const *words, int n); /* its place among the words; another one is the first */
/* The three that are at i, i + 1 and i + 2. */
void column_state(struct query *query, int i, enum thread_status *ret_status, enum thread_mode *ret_mode, enum thread_host *ret_host);

/* The text without its secrets. */
void thread_clean(struct change_context *context, struct buf *text);

#endif
