/* desk.h - approvals among the questions that wait for people (hitl.h). Private to compass/. */
#ifndef COMPASS_DESK_H
#define COMPASS_DESK_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct desk;
struct err;
struct event_base;

/* Somebody answered; on the loop. Its question is taken back by then. */
typedef void desk_answer_cb(const struct buf *id, const struct buf *answer, void *payload);

/* Errors: STATUS_CONFIG, the directory. */
struct desk *desk_new(struct event_base *base, const char *dir, desk_answer_cb *cb, void *payload, struct err *err);
/* Both accept NULL. The text is not empty. */
void desk_ask(struct desk *desk, const struct buf *id, const struct buf *text);
void desk_take_back(struct desk *desk, const struct buf *id);
void desk_free(struct desk *desk); /* takes back what is open; accepts NULL */

#endif
