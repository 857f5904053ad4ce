/* fuzz_redo.c - any bytes as what was noted ahead of a database; each byte that a statement is given is looked at */
#include "compat.h"

#include <stdlib.h>

#include "status.h"
#include "store/db.h"
#include "store/redo.h"
#include "xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static volatile unsigned seen;

static struct query *
prepare(struct db *db, const char *text, struct err *err)
{
	struct query *query;

	if (*text == '!') {
		err_set(err, STATUS_CONFIG, "no");
		return NULL;
	}
	query = xcalloc(1, sizeof *query);
	query->db = db;
	return query;
}

static void
drop(struct query *query)
{
	free(query);
}

static void
bind_int(struct query *query, int i, const int64_t *value)
{
	(void)query;
	if (i < 1 || i > REDO_VALUES || !value)
		abort();
}

static void
bind_bytes(struct query *query, int i, struct span value, bool text)
{
	size_t k;

	(void)query;
	(void)text;
	if (i < 1 || i > REDO_VALUES)
		abort();
	for (k = 0; value.s && k < value.n; k++)
		seen += (unsigned char)value.s[k];
}

static bool
run(struct query *query, int *ret_changed, struct err *err)
{
	(void)query;
	(void)ret_changed;
	(void)err;
	return true;
}

static void
reset(struct query *query)
{
	(void)query;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct db_ops ops = {
		.prepare = prepare, .drop = drop, .bind_int = bind_int, .bind_bytes = bind_bytes, .run = run, .reset = reset
	};
	struct db db = { .ops = &ops };
	struct err err = ERR_INIT;

	if (!note_play(&db, (struct span){ (const char *)bytes, n }, &err) && !err.text[0])
		abort();
	return 0;
}
