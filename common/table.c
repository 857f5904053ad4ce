/* table.c - registry items as a table (show.h; Clarity contract section 14.1) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "utf8.h"
#include "xalloc.h"

#define COLUMNS 6

static const char *const headings[COLUMNS] = { "service_id", "agent_id", "name", "triggers", "lifecycle", "health" };

struct row {
	struct buf cells[COLUMNS];
	size_t widths[COLUMNS]; /* characters */
};

struct show_table {
	struct row *rows;
	size_t n;
};

struct show_table *
show_table_new(void)
{
	return xcalloc(1, sizeof(struct show_table));
}

void
show_table_free(struct show_table *table)
{
	size_t i, c;

	if (!table)
		return;
	for (i = 0; i < table->n; i++)
		for (c = 0; c < COLUMNS; c++)
			buf_release(&table->rows[i].cells[c]);
	free(table->rows);
	free(table);
}

static bool
get(struct span object, const char *key, struct buf *cell)
{
	struct buf text = BUF_INIT;
	bool found = object.s && jtext_get_string(object, key, &text) && text.len;

	if (found)
		utf8_safe(cell, text.s, text.len, UTF8_SAFE_LINE);
	buf_release(&text);
	return found;
}

static void
get_triggers(struct span agent, struct buf *cell)
{
	struct span triggers, item;
	struct buf text = BUF_INIT;
	size_t pos = 0;

	if (!agent.s || !jtext_get(agent, "triggers", &triggers) || jtext_type(triggers) != JTEXT_ARRAY)
		return;
	while (jtext_each(triggers, &pos, NULL, &item)) {
		if (text.len)
			buf_addch(&text, ',');
		jtext_string(item, &text);
	}
	utf8_safe(cell, text.s, text.len, UTF8_SAFE_LINE);
	buf_release(&text);
}

static size_t
count_characters(const struct buf *text)
{
	size_t i, n = 0;

	for (i = 0; i < text->len; i++)
		n += ((unsigned char)text->s[i] & 0xc0) != 0x80;
	return n;
}

void
show_table_add(struct show_table *table, struct span item)
{
	struct span agent = SPAN_NONE;
	struct row *row;
	size_t c;

	table->rows = xgrow(table->rows, table->n, sizeof *table->rows);
	row = &table->rows[table->n++];
	for (c = 0; c < COLUMNS; c++)
		buf_init(&row->cells[c]);
	(void)jtext_get(item, "agent", &agent);
	get(item, "serviceId", &row->cells[0]);
	get(agent, "agentId", &row->cells[1]);
	if (!get(agent, "name", &row->cells[2]))
		get(item, "displayName", &row->cells[2]);
	get_triggers(agent, &row->cells[3]);
	get(item, "lifecycle", &row->cells[4]);
	get(item, "health", &row->cells[5]);
	for (c = 0; c < COLUMNS; c++) {
		if (!row->cells[c].len)
			buf_addch(&row->cells[c], '-');
		row->widths[c] = count_characters(&row->cells[c]);
	}
}

static int
by_service(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->cells[0].s, ((const struct row *)b)->cells[0].s);
}

static void
add_cell(struct buf *to, const char *text, size_t width, size_t column, size_t c, char fill)
{
	if (c)
		buf_addstr(to, "  ");
	buf_addstr(to, text);
	for (; width < column; width++)
		buf_addch(to, fill);
}

void
show_table_print(struct show_table *table, struct buf *to)
{
	size_t columns[COLUMNS], i, c;

	if (!table->n)
		return;
	qsort(table->rows, table->n, sizeof *table->rows, by_service);
	for (c = 0; c < COLUMNS; c++) {
		columns[c] = strlen(headings[c]);
		for (i = 0; i < table->n; i++)
			if (table->rows[i].widths[c] > columns[c])
				columns[c] = table->rows[i].widths[c];
	}
	for (c = 0; c < COLUMNS; c++)
		add_cell(to, headings[c], strlen(headings[c]), columns[c], c, ' ');
	buf_addch(to, '\n');
	for (c = 0; c < COLUMNS; c++)
		add_cell(to, "", 0, columns[c], c, '-');
	buf_addch(to, '\n');
	for (i = 0; i < table->n; i++) {
		for (c = 0; c < COLUMNS; c++)
			add_cell(to, table->rows[i].cells[c].s, table->rows[i].widths[c], columns[c], c, ' ');
		buf_addch(to, '\n');
	}
}
