/* held.c - rows of one INSERT that are held back and go into SQLite several at a time */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "buf.h"
#include "store/held.h"
#include "xalloc.h"

#define INSERT "INSERT INTO "
#define SPARES_MAX 64			       /* empty lots ... */
#define SPARE_BYTES 16384		       /* ... and what each of them keeps for texts and blobs */
#define BYTES_MAX 65536			       /* of a lot's texts and blobs: then it is full, however few its rows are */
static const int sizes[] = { LOT_ROWS, 4, 1 }; /* rows of one statement; each a multiple of the next */

struct held {
	sqlite3 *handle;
	const char *text;
	struct buf table; /* as it stands in statements */
	sqlite3_stmt *statements[ARRAY_LEN(sizes)];
	struct lot *lot; /* NULL: there are no rows */
};

/* ---- lots */

void
lots_init(struct lots *lots)
{
	*lots = (struct lots){ .last = &lots->first };
}

static void
lot_free(struct lot *lot)
{
	if (lot)
		buf_release(&lot->bytes);
	free(lot);
}

static size_t
bytes_of(const struct lot *lot)
{
	return sizeof *lot + lot->bytes.len;
}

static void
push(struct lots *lots, struct lot *lot)
{
	lot->next = NULL;
	*lots->last = lot;
	lots->last = &lot->next;
	lots->bytes += bytes_of(lot);
}

void
lots_move(struct lots *to, struct lots *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->bytes += from->bytes;
	from->first = NULL;
	from->last = &from->first;
	from->bytes = 0;
}

struct lot *
lots_take(struct lots *lots)
{
	struct lot *lot = lots->first;

	if (!lot)
		return NULL;
	lots->first = lot->next;
	if (!lots->first)
		lots->last = &lots->first;
	lots->bytes -= bytes_of(lot);
	return lot;
}

void
lots_spare(struct lots *lots, struct lot *lot)
{
	if (lots->n_spare == SPARES_MAX) {
		lot_free(lot);
		return;
	}
	lot->rows = 0;
	if (lot->bytes.cap > SPARE_BYTES)
		buf_release(&lot->bytes);
	else
		buf_reset(&lot->bytes);
	lot->next = lots->spare;
	lots->spare = lot;
	lots->n_spare++;
}

void
lots_drop(struct lots *lots, struct lots *to)
{
	struct lot *lot;

	while ((lot = lots_take(lots)))
		lots_spare(to, lot);
}

void
lots_spares(struct lots *to, struct lots *from)
{
	if (to->spare)
		return;
	to->spare = from->spare;
	to->n_spare = from->n_spare;
	from->spare = NULL;
	from->n_spare = 0;
}

static struct lot *
lot_new(struct lots *lots, struct held *held, int n)
{
	struct lot *lot = lots->spare;

	if (lot) {
		lots->spare = lot->next;
		lots->n_spare--;
	} else {
		lot = xcalloc(1, sizeof *lot);
		buf_init(&lot->bytes);
	}
	lot->held = held;
	lot->n = n;
	return lot;
}

void
lots_trim(struct lots *lots)
{
	struct lot *lot;

	while ((lot = lots->spare)) {
		lots->spare = lot->next;
		lot_free(lot);
	}
	lots->n_spare = 0;
}

void
lots_release(struct lots *lots)
{
	struct lot *lot;

	while ((lot = lots_take(lots)))
		lot_free(lot);
	lots_trim(lots);
}

/* ---- one INSERT */

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
	lot_free(held->lot);
	free(held);
}

void
held_forget(struct held *held)
{
	lot_free(held->lot);
	held->lot = NULL;
}

bool
held_matters(const struct held *held, const struct lots *lots, const char *text)
{
	return (held->lot || lots->first) && (!text || strstr(text, held->table.s));
}

void
held_add(struct held *held, const struct redo_value *values, int n, struct lots *lots)
{
	struct lot *lot = held->lot;
	struct redo_value *row;
	int i;

	if (!lot)
		lot = held->lot = lot_new(lots, held, n);
	row = lot->values + lot->rows * n;
	memcpy(row, values, (size_t)n * sizeof *row);
	for (i = 0; i < n; i++)
		if (row[i].kind == REDO_TEXT || row[i].kind == REDO_BLOB) {
			row[i].number = (int64_t)lot->bytes.len;
			buf_add(&lot->bytes, values[i].bytes.s, values[i].bytes.n);
		}
	if (++lot->rows == LOT_ROWS || lot->bytes.len >= BYTES_MAX)
		held_end(held, lots);
}

void
held_end(struct held *held, struct lots *lots)
{
	if (held->lot)
		push(lots, held->lot);
	held->lot = NULL;
}

/* ---- statements */

/* What fails takes the whole transaction back anyway, so SQLite need not be able to take back this statement alone: for that it would copy
 * each page before it changes it. */
static void
make_text(const struct held *held, int rows, int n, struct buf *to)
{
	const char *into = held->text + sizeof INSERT - 1, *values = strstr(into, " VALUES(");
	int i;

	buf_addstr(to, "INSERT OR ROLLBACK INTO ");
	buf_add(to, into, (size_t)(values - into));
	buf_addstr(to, " VALUES");
	for (i = 0; i < rows * n; i++)
		buf_addf(to, "%s?%d%s", i % n ? "," : i ? ",(" : "(", i + 1, i % n == n - 1 ? ")" : "");
	buf_addstr(to, strchr(values, ')') + 1);
}

static sqlite3_stmt *
statement_of(const struct lot *lot, size_t which)
{
	struct held *held = lot->held;
	struct buf text = BUF_INIT;

	if (!held->statements[which]) {
		make_text(held, sizes[which], lot->n, &text);
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
insert(const struct lot *lot, size_t which, int from)
{
	sqlite3_stmt *statement = statement_of(lot, which);
	const struct redo_value *values = lot->values + from * lot->n;
	int i;

	if (!statement)
		return false;
	for (i = 0; i < sizes[which] * lot->n; i++)
		value_bind(statement, i + 1, &values[i], values[i].kind == REDO_INT ? NULL : lot->bytes.s + values[i].number);
	(void)sqlite3_step(statement);
	return sqlite3_reset(statement) == SQLITE_OK;
}

bool
lot_run(const struct lot *lot)
{
	size_t which;
	int from = 0;
	bool ok = true;

	for (which = 0; ok && which < ARRAY_LEN(sizes); which++)
		for (; ok && lot->rows - from >= sizes[which]; from += sizes[which])
			ok = insert(lot, which, from);
	return ok;
}
