/* filter.c - records through --jq */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "filter.h"
#include "jtext.h"
#include "libjq.h"
#include "out.h"
#include "status.h"
#include "subject.h"
#include "worker.h"
#include "xalloc.h"

struct filter {
	const char *program;
	const struct libjq *lib;
	jq_state *jq; /* NULL: pass through, or not compiled yet */
	struct buf message;
	pthread_t thread; /* that compiles it, while it is `pending` */
	bool pending, tried;
	struct err err; /* why it cannot be used */
};

/* What jq has to say about a program goes into our error, not to standard error. */
static void
take_message(void *payload, jv message)
{
	struct filter *filter = payload;

	if (filter->lib->jv_get_kind(message) == JV_KIND_STRING && !filter->message.len) {
		buf_addstr(&filter->message, filter->lib->jv_string_value(message));
		while (filter->message.len && filter->message.s[filter->message.len - 1] == '\n')
			buf_cut(&filter->message, filter->message.len - 1);
	}
	filter->lib->jv_free(message);
}

static void *
compile(void *payload)
{
	struct filter *filter = payload;

	filter->lib = libjq_load(&filter->err);
	if (!filter->lib)
		return NULL;
	filter->jq = filter->lib->jq_init();
	if (!filter->jq) {
		err_set(&filter->err, STATUS_BUG, "unable to start jq");
		return NULL;
	}
	filter->lib->jq_set_error_cb(filter->jq, take_message, filter);
	if (!filter->lib->jq_compile(filter->jq, filter->program))
		err_set(&filter->err, STATUS_USAGE, "unable to use --jq '%s': %s", filter->program, filter->message.s);
	return NULL;
}

static struct filter *
make(const char *program)
{
	struct filter *filter = xcalloc(1, sizeof *filter);

	buf_init(&filter->message);
	filter->err = (struct err)ERR_INIT;
	filter->program = program;
	filter->tried = !program;
	return filter;
}

struct filter *
filter_new(const char *program, struct err *err)
{
	struct filter *filter = make(program);

	if (filter_ready(filter, err))
		return filter;
	filter_free(filter);
	return NULL;
}

struct filter *
filter_start(const char *program)
{
	struct filter *filter = make(program);

	filter->pending = program && !worker_start(&filter->thread, compile, filter);
	return filter;
}

bool
filter_ready(struct filter *filter, struct err *err)
{
	if (filter->pending)
		(void)pthread_join(filter->thread, NULL);
	else if (!filter->tried)
		(void)compile(filter);
	filter->pending = false;
	filter->tried = true;
	if (!filter->err.status)
		return true;
	*err = filter->err;
	return false;
}

void
filter_free(struct filter *filter)
{
	if (!filter)
		return;
	if (filter->pending)
		(void)pthread_join(filter->thread, NULL);
	if (filter->jq)
		filter->lib->jq_teardown(&filter->jq);
	buf_release(&filter->message);
	free(filter);
}

static void
add_string(const struct libjq *lib, struct buf *to, jv string)
{
	buf_add(to, lib->jv_string_value(string), (size_t)lib->jv_string_length_bytes(lib->jv_copy(string)));
	lib->jv_free(string);
}

/* Appends a value, a string as its text and all else compact. Eats it, as jq does. */
static void
add_value(const struct libjq *lib, struct buf *to, jv value)
{
	add_string(lib, to, lib->jv_get_kind(value) == JV_KIND_STRING ? value : lib->jv_dump_string(value, 0));
}

static bool
failed(const struct libjq *lib, jv result, struct err *err)
{
	struct buf text = BUF_INIT;

	add_value(lib, &text, lib->jv_invalid_get_msg(result));
	err_set(err, STATUS_INPUT, "unable to run the filter: %s", text.s);
	buf_release(&text);
	return false;
}

static bool
begin(struct filter *filter, const char *json, size_t n, struct err *err)
{
	const struct libjq *lib = filter->lib;
	struct span value;
	jv record;

	/* libjq takes what RFC 8259 does not ("nan", a missing digit); our own check comes first */
	if (!jtext_check(json, n, false, &value, err))
		return err_prefix(err, "unable to filter a record");
	record = lib->jv_parse_sized(value.s, (int)value.n);
	if (lib->jv_get_kind(record) == JV_KIND_INVALID) {
		lib->jv_free(record);
		return err_set(err, STATUS_INPUT, "unable to filter a record: not JSON that can be read");
	}
	lib->jq_start(filter->jq, record, 0);
	return true;
}

bool
filter_run(struct filter *filter, const char *json, size_t n, filter_line_cb *cb, void *payload, struct err *err)
{
	const struct libjq *lib;
	struct buf line = BUF_INIT;
	jv result;

	if (!filter->program) {
		cb(json, n, payload);
		return true;
	}
	if (!filter_ready(filter, err) || !begin(filter, json, n, err))
		return false;
	lib = filter->lib;
	while (lib->jv_get_kind(result = lib->jq_next(filter->jq)) != JV_KIND_INVALID) {
		buf_reset(&line);
		add_value(lib, &line, result);
		cb(line.s, line.len, payload);
	}
	buf_release(&line);
	if (lib->jv_invalid_has_msg(lib->jv_copy(result)))
		return failed(lib, result, err);
	lib->jv_free(result);
	return true;
}

void
filter_print(const char *line, size_t n, void *payload)
{
	(void)payload;
	out_line(line, n);
}

bool
filter_result(struct filter *filter, const struct subject *subject, struct span object, struct err *err)
{
	struct buf compact = BUF_INIT, line = BUF_INIT;
	bool ok;

	jtext_compact(&compact, object);
	subject_pass(subject, span_of(&compact), &line);
	ok = filter_run(filter, line.s, line.len, filter_print, NULL, err);
	buf_release(&compact);
	buf_release(&line);
	return ok;
}
