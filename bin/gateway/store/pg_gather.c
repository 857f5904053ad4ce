/* pg_gather.c - inserts of one row that are held back and go out as one insert of many
 *
 * The rows of a column are a binary array, which unnest() takes apart again: the server plans and runs one statement for all of them.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "store/pg.h"
#include "xalloc.h"

#define ARRAY_HEADER 20 /* dimensions, nulls?, type of the elements; elements, index of the first */

struct gather {
	struct pg *pg;
	struct buf table, head, tail; /* of the statement: its table, what stands before VALUES and behind it */
	struct pg_query bulk;	      /* made with the first row */
	struct buf columns[PARAMS_MAX];
	bool nulls[PARAMS_MAX];
	unsigned rows;
	size_t bytes;
	struct gather *next;
};

static void
put32(char *at, uint32_t value)
{
	at[0] = (char)(value >> 24);
	at[1] = (char)(value >> 16);
	at[2] = (char)(value >> 8);
	at[3] = (char)value;
}

static void
add32(struct buf *to, uint32_t value)
{
	char bytes[4];

	put32(bytes, value);
	buf_add(to, bytes, sizeof bytes);
}

static void
empty(struct gather *gather)
{
	static const char header[ARRAY_HEADER];
	int i;

	for (i = 0; i < PARAMS_MAX; i++) {
		buf_reset(&gather->columns[i]);
		buf_add(&gather->columns[i], header, sizeof header);
		gather->nulls[i] = false;
	}
	gather->rows = 0;
	gather->bytes = 0;
}

struct gather *
gather_new(struct pg *pg, const char *text)
{
	static const char insert[] = "INSERT INTO ";
	const char *table = text + sizeof insert - 1, *values = strstr(text, " VALUES(");
	struct gather *gather = xcalloc(1, sizeof *gather);
	int i;

	gather->pg = pg;
	buf_init(&gather->table);
	buf_init(&gather->head);
	buf_init(&gather->tail);
	for (i = 0; i < PARAMS_MAX; i++)
		buf_init(&gather->columns[i]);
	empty(gather);
	buf_addch(&gather->table, ' ');
	buf_add(&gather->table, table, strcspn(table, "("));
	buf_add(&gather->head, text, (size_t)(values - text));
	buf_addstr(&gather->tail, strchr(values, ')') + 1);
	gather->bulk.query.db = &pg->db;
	snprintf(gather->bulk.name, sizeof gather->bulk.name, "s%u", ++pg->names);
	gather->next = pg->gathers;
	pg->gathers = gather;
	return gather;
}

void
gather_free(struct gather *gather)
{
	struct gather **at;
	int i;

	if (!gather)
		return;
	for (at = &gather->pg->gathers; *at != gather; at = &(*at)->next)
		;
	*at = gather->next;
	for (i = 0; i < PARAMS_MAX; i++)
		buf_release(&gather->columns[i]);
	buf_release(&gather->table);
	buf_release(&gather->head);
	buf_release(&gather->tail);
	free(gather->bulk.text);
	free(gather);
}

static void
make_bulk(struct gather *gather, const struct pg_query *row)
{
	struct buf text = BUF_INIT;
	int i;

	buf_addf(&text, "%s SELECT * FROM unnest(", gather->head.s);
	for (i = 0; i < row->n; i++) {
		gather->bulk.types[i] = row->types[i] == OID_INT8 ? OID_INT8_ARRAY : OID_BYTEA_ARRAY;
		buf_addf(&text, "%s$%d", i ? "," : "", i + 1);
	}
	buf_addf(&text, ")%s", gather->tail.s);
	gather->bulk.n = row->n;
	gather->bulk.text = buf_detach(&text, NULL);
}

static bool
send(struct gather *gather, struct err *err)
{
	struct pg_query *bulk = &gather->bulk;
	bool ok;
	int i;

	for (i = 0; i < bulk->n; i++) {
		struct buf *column = &gather->columns[i];

		put32(column->s, 1);
		put32(column->s + 4, gather->nulls[i]);
		put32(column->s + 8, bulk->types[i] == OID_INT8_ARRAY ? OID_INT8 : OID_BYTEA);
		put32(column->s + 12, gather->rows);
		put32(column->s + 16, 1);
		bulk->values[i] = column->s;
		bulk->lengths[i] = (int)column->len;
	}
	ok = pg_defer(gather->pg, bulk, err);
	empty(gather);
	return ok;
}

bool
gather_add(struct gather *gather, const struct pg_query *row, struct err *err)
{
	int i;

	if (!gather->bulk.text)
		make_bulk(gather, row);
	for (i = 0; i < row->n; i++) {
		struct buf *column = &gather->columns[i];

		if (!row->values[i]) {
			add32(column, UINT32_MAX);
			gather->nulls[i] = true;
			continue;
		}
		add32(column, (uint32_t)row->lengths[i]);
		buf_add(column, row->values[i], (size_t)row->lengths[i]);
		gather->bytes += (size_t)row->lengths[i];
	}
	gather->rows++;
	return (gather->rows < GATHERED_MAX && gather->bytes < GATHERED_BYTES) || send(gather, err);
}

bool
gather_flush(struct pg *pg, const char *text, struct err *err)
{
	struct gather *gather;
	bool ok = true;

	for (gather = pg->gathers; ok && gather; gather = gather->next)
		if (gather->rows && (!text || strstr(text, gather->table.s)))
			ok = send(gather, err);
	return ok;
}

void
gather_forget(struct pg *pg)
{
	struct gather *gather;

	for (gather = pg->gathers; gather; gather = gather->next)
		if (gather->rows)
			empty(gather);
}
