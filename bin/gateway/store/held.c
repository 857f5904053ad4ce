/* held.c - rows of one INSERT that are held back and go into SQLite several at a time */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "buf.h"
#include "store/held.h"
#include "xalloc.h"

#define INSERT "INSERT INTO "
#define ROWS_MAX 16
#define BYTES_MAX 65536			       /* of texts and blobs: then they go in, however few they are */
static const int sizes[] = { ROWS_MAX, 4, 1 }; /* rows of one statement; each a multiple of the next */

struct held {
	sqlite3 *handle;
	const char *text;
	struct buf table; /* as it stands in statements */
	sqlite3_stmt *statements[ARRAY_LEN(sizes)];
	struct redo_value values[ROWS_MAX * REDO_VALUES]; /* n of each row; number: where its bytes are */
	struct buf bytes;
	int rows, n;
};

struct held *
held_new(sqlite3 *handle, const char *text)
{
	struct held *held = xcalloc(1, sizeof *held);
	const char *table = text + sizeof INSERT - 1;

	held->handle = handle;
	held->text = text;
	buf_init(&held->table);
	buf_addch(&held->table, ' ');
	buf_add(&held->table, table, strcspn(table, "("));
	buf_init(&held->bytes);
	return held;
}

void
held_free(struct held *held)
{
	size_t i;

	if (!held)
		return;
	for (i = 0; i < ARRAY_LEN(sizes); i++)
		sqlite3_finalize(held->statements[i]);
	buf_release(&held->table);
	buf_release(&held->bytes);
	free(held);
}

void
held_forget(struct held *held)
{
	held->rows = 0;
	if (held->bytes.cap > 2 * BYTES_MAX)
		buf_release(&held->bytes);
	else
		buf_reset(&held->bytes);
}

bool
held_matters(const struct held *held, const char *text)
{
	return held->rows && strstr(text, held->table.s);
}

/* ---- statements */

/* What fails takes the whole transaction back anyway, so SQLite need not be able to take back this statement alone: for that it would copy
 * each page before it changes it. */
static void
make_text(const struct held *held, int rows, struct buf *to)
{
	const char *into = held->text + sizeof INSERT - 1, *values = strstr(into, " VALUES(");
	int i;

	buf_addstr(to, "INSERT OR ROLLBACK INTO ");
	buf_add(to, into, (size_t)(values - into));
	buf_addstr(to, " VALUES");
	for (i = 0; i < rows * held->n; i++)
		buf_addf(to, "%s?%d%s", i % held->n ? "," : i ? ",(" : "(", i + 1, i % held->n == held->n - 1 ? ")" : "");
	buf_addstr(to, strchr(values, ')') + 1);
}

static sqlite3_stmt *
statement_of(struct held *held, size_t which)
{
	struct buf text = BUF_INIT;

	if (!held->statements[which]) {
		make_text(held, sizes[which], &text);
		sqlite3_prepare_v3(held->handle, text.s, -1, SQLITE_PREPARE_PERSISTENT, &held->statements[which], NULL);
		buf_release(&text);
	}
	return held->statements[which];
}

void
value_bind(sqlite3_stmt *statement, int i, const struct redo_value *value, const char *bytes)
{
	switch (value->kind) {
	case REDO_NULL:
		sqlite3_bind_null(statement, i);
		break;
	case REDO_INT:
		sqlite3_bind_int64(statement, i, value->number);
		break;
	case REDO_TEXT:
		sqlite3_bind_text64(statement, i, bytes, value->bytes.n, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case REDO_BLOB:
		sqlite3_bind_blob64(statement, i, bytes, value->bytes.n, SQLITE_STATIC);
		break;
	}
}

/* So many rows as the statement has, from this one. */
static bool
insert(struct held *held, size_t which, int from)
{
	sqlite3_stmt *statement = statement_of(held, which);
	const struct redo_value *values = held->values + from * held->n;
	int i;

	if (!statement)
		return false;
	for (i = 0; i < sizes[which] * held->n; i++)
		value_bind(statement, i + 1, &values[i], values[i].kind == REDO_INT ? NULL : held->bytes.s + values[i].number);
	(void)sqlite3_step(statement);
	return sqlite3_reset(statement) == SQLITE_OK;
}

/* ---- rows */

bool
held_send(struct held *held)
{
	int rows = held->rows, from = 0;
	size_t which;
	bool ok = true;

	for (which = 0; ok && which < ARRAY_LEN(sizes); which++)
		for (; ok && rows - from >= sizes[which]; from += sizes[which])
			ok = insert(held, which, from);
	held_forget(held);
	return ok;
}

bool
held_add(struct held *held, const struct redo_value *values, int n)
{
	struct redo_value *row = held->values + held->rows * n;
	int i;

	held->n = n;
	memcpy(row, values, (size_t)n * sizeof *row);
	for (i = 0; i < n; i++)
		if (row[i].kind == REDO_TEXT || row[i].kind == REDO_BLOB) {
			row[i].number = (int64_t)held->bytes.len;
			buf_add(&held->bytes, values[i].bytes.s, values[i].bytes.n);
		}
	return (++held->rows < ROWS_MAX && held->bytes.len < BYTES_MAX) || held_send(held);
}
