/* board.h - approvals among the questions that wait for people (hitl.h). Private to compass/. */
#ifndef COMPASS_BOARD_H
#define COMPASS_BOARD_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct board;
struct err;
struct event_base;

/* Somebody answered; on the loop. Its question is taken back by then. */
typedef void board_answer_cb(const struct buf *id, const struct buf *answer, void *payload);

/* Errors: STATUS_CONFIG, the directory. */
struct board *board_new(struct event_base *base, const char *dir, board_answer_cb *cb, void *payload, struct err *err);
/* Both accept NULL. The text is not empty. */
void board_ask(struct board *board, const struct buf *id, const struct buf *text);
void board_take_back(struct board *board, const struct buf *id);
void board_free(struct board *board); /* takes back what is open; accepts NULL */

#endif
