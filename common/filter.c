/* filter.c - records through --jq */
#include "compat.h"

#include <stdlib.h>

#include <jq.h>

#include "buf.h"
#include "err.h"
#include "filter.h"
#include "json.h"
#include "out.h"
#include "status.h"
#include "subject.h"
#include "xalloc.h"

struct filter {
	jq_state *jq; /* NULL: pass through */
	struct buf message;
};

/* What jq has to say about a program goes into our error, not to standard error. */
static void
take_message(void *payload, jv message)
{
	struct filter *filter = payload;

	if (jv_get_kind(message) == JV_KIND_STRING && !filter->message.len) {
		buf_addstr(&filter->message, jv_string_value(message));
		while (filter->message.len && filter->message.s[filter->message.len - 1] == '\n')
			buf_cut(&filter->message, filter->message.len - 1);
	}
	jv_free(message);
}

struct filter *
filter_new(const char *program, struct err *err)
{
	struct filter *filter = xcalloc(1, sizeof *filter);

	buf_init(&filter->message);
	if (!program)
		return filter;
	filter->jq = jq_init();
	if (!filter->jq) {
		err_set(err, STATUS_BUG, "unable to start jq");
		filter_free(filter);
		return NULL;
	}
	jq_set_error_cb(filter->jq, take_message, filter);
	if (!jq_compile(filter->jq, program)) {
		err_set(err, STATUS_USAGE, "unable to use --jq '%s': %s", program, filter->message.s);
		filter_free(filter);
		return NULL;
	}
	return filter;
}

void
filter_free(struct filter *filter)
{
	if (!filter)
		return;
	if (filter->jq)
		jq_teardown(&filter->jq);
	buf_release(&filter->message);
	free(filter);
}

static bool
failed(jv result, struct err *err)
{
	jv message = jv_invalid_get_msg(result);
	struct buf text = BUF_INIT;

	if (jv_get_kind(message) == JV_KIND_STRING)
		buf_addstr(&text, jv_string_value(message));
	else
		json_text(&text, jv_copy(message));
	err_set(err, STATUS_INPUT, "unable to run the filter: %s", text.s);
	buf_release(&text);
	jv_free(message);
	return false;
}

bool
filter_run(struct filter *filter, const char *json, size_t n, filter_line_cb *cb, void *payload, struct err *err)
{
	struct buf line = BUF_INIT;
	jv result;

	if (!filter->jq) {
		cb(json, n, payload);
		return true;
	}
	result = json_parse(json, n, err);
	if (!jv_is_valid(result)) {
		jv_free(result);
		return err_prefix(err, "unable to filter a record");
	}
	jq_start(filter->jq, result, 0);
	for (;;) {
		result = jq_next(filter->jq);
		if (!jv_is_valid(result))
			break;
		buf_reset(&line);
		if (jv_get_kind(result) == JV_KIND_STRING) {
			buf_add(&line, jv_string_value(result), (size_t)jv_string_length_bytes(jv_copy(result)));
			jv_free(result);
		} else
			json_text(&line, result);
		cb(line.s, line.len, payload);
	}
	buf_release(&line);
	if (jv_invalid_has_msg(jv_copy(result)))
		return failed(result, err);
	jv_free(result);
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
	subject_pass(subject, (struct span){ compact.s, compact.len }, &line);
	ok = filter_run(filter, line.s, line.len, filter_print, NULL, err);
	buf_release(&compact);
	buf_release(&line);
	return ok;
}
