/* held.h - rows of one INSERT that are held back and go into SQLite several at a time. Private to sqlite.c.
 *
 * A statement that inserts one row looks for the table and for each of its indices anew; one that inserts many does so once.
 */
#ifndef STORE_HELD_H
#define STORE_HELD_H

#include "compat.h"
#include "store/redo.h"

struct held;
struct sqlite3;
struct sqlite3_stmt;

struct held *held_new(struct sqlite3 *handle, const char *text); /* text: as query_gather() has it; static storage */
void held_free(struct held *held);				 /* accepts NULL */
/* The values are copied. False: the rows could not be stored, the handle knows why, and they are forgotten. */
bool held_add(struct held *held, const struct redo_value *values, int n) USE_RESULT;
bool held_send(struct held *held) USE_RESULT;		      /* the same, of all that are still there */
bool held_matters(const struct held *held, const char *text); /* are there rows that this statement might see? */
void held_forget(struct held *held);

/* To a parameter of a statement; bytes: where those of a text or a blob are until it has run. */
void value_bind(struct sqlite3_stmt *statement, int i, const struct redo_value *value, const char *bytes);

#endif
