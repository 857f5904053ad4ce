/* held.h - rows of one INSERT that are held back and go into SQLite several at a time. Private to sqlite.c and behind.c.
 *
 * A statement that inserts one row looks for the table and for each of its indices anew; one that inserts many does so once. Rows are held
 * in lots, which are of one INSERT each, own what was bound, and may be run by another thread than the one that has filled them.
 */
#ifndef STORE_HELD_H
#define STORE_HELD_H

#include "buf.h"
#include "compat.h"
#include "store/redo.h"

struct sqlite3;
struct sqlite3_stmt;
struct held;

#define LOT_ROWS 16

struct lot {
	struct held *held;
	struct redo_value values[LOT_ROWS * REDO_VALUES]; /* number: where a text's or a blob's bytes are */
	struct buf bytes;
	int rows, n; /* n: values of a row */
	struct lot *next;
};

/* Lots in their order, and some that are empty. */
struct lots {
	struct lot *first, **last;
	size_t bytes; /* of memory, those that are not empty */
	struct lot *spare;
	int n_spare;
};
void lots_init(struct lots *lots);
void lots_move(struct lots *to, struct lots *from);   /* to the end; the empty ones stay */
struct lot *lots_take(struct lots *lots);	      /* the first one; NULL: there is none */
void lots_spare(struct lots *lots, struct lot *lot);  /* it is empty; too many are freed */
void lots_drop(struct lots *lots, struct lots *to);   /* what is in them; the lots are empty ones of `to`, which may be the same */
void lots_spares(struct lots *to, struct lots *from); /* moves those that are empty to where there are none */
void lots_trim(struct lots *lots);		      /* those that are empty are freed */
void lots_release(struct lots *lots);

struct held *held_new(struct sqlite3 *handle, const char *text); /* text: as query_gather() has it; static storage */
void held_free(struct held *held);				 /* accepts NULL */
/* The values are copied. A lot that is full goes to `lots`. */
void held_add(struct held *held, const struct redo_value *values, int n, struct lots *lots);
void held_end(struct held *held, struct lots *lots); /* the same, of the lot that is not full yet */
/* Might this statement see rows of it that are held, those in `lots` too? text NULL: any statement. */
bool held_matters(const struct held *held, const struct lots *lots, const char *text);
void held_forget(struct held *held);

/* On the thread that has the handle. False: the rows could not be stored, and the handle knows why. */
bool lot_run(const struct lot *lot) USE_RESULT;

/* To a parameter of a statement; bytes: where those of a text or a blob are until it has run. */
void value_bind(struct sqlite3_stmt *statement, int i, const struct redo_value *value, const char *bytes);

#endif
