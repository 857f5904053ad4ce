/* subject.c - what a command acts on */
#include "compat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "opt.h"
#include "status.h"
#include "subject.h"

void
subject_init(struct subject *subject)
{
	memset(subject, 0, sizeof *subject);
	buf_init(&subject->run);
	buf_init(&subject->service);
	buf_init(&subject->agent);
	buf_init(&subject->thread);
	buf_init(&subject->turn);
	subject->seq = -1;
	line_init(&subject->in, STDIN_FILENO, SUBJECT_LINE_MAX);
}

void
subject_release(struct subject *subject)
{
	buf_release(&subject->run);
	buf_release(&subject->service);
	buf_release(&subject->agent);
	buf_release(&subject->thread);
	buf_release(&subject->turn);
	line_release(&subject->in);
}

bool
subject_set(struct buf *field, const char *name, const char *arg, struct err *err)
{
	if (!arg[strspn(arg, " \t\r\n")])
		return err_set(err, STATUS_USAGE, "unable to use %s '%s': it is empty", name, arg);
	buf_reset(field);
	buf_addstr(field, arg);
	return true;
}

bool
subject_opt(struct subject *subject, int key, const char *arg, struct err *err)
{
	err->status = STATUS_OK;
	switch (key) {
	case OPT_KEY_RUN:
		return subject_set(&subject->run, "--run", arg, err);
	case OPT_KEY_SERVICE:
		return subject_set(&subject->service, "--service", arg, err);
	case OPT_KEY_AGENT:
		return subject_set(&subject->agent, "--agent", arg, err);
	case OPT_KEY_THREAD:
		return subject_set(&subject->thread, "--thread", arg, err);
	case OPT_KEY_TURN:
		return subject_set(&subject->turn, "--turn", arg, err);
	default:
		return false;
	}
}

bool
subject_named(struct subject *subject)
{
	subject->from_options = subject->run.len || subject->service.len || subject->agent.len || subject->thread.len || subject->turn.len;
	return subject->from_options;
}

/* The member under either spelling. An id that is not a string names nothing. */
static void
read_id(struct span record, const char *camel, const char *snake, struct buf *to)
{
	buf_reset(to);
	if (!jtext_get_string(record, camel, to))
		(void)jtext_get_string(record, snake, to);
	if (memchr(to->s, '\0', to->len))
		buf_reset(to);
}

static void
read_record(struct subject *subject, struct span record)
{
	struct span agent;

	read_id(record, "runId", "run_id", &subject->run);
	read_id(record, "serviceId", "service_id", &subject->service);
	read_id(record, "threadId", "thread_id", &subject->thread);
	read_id(record, "turnId", "turn_id", &subject->turn);
	buf_reset(&subject->agent);
	if (jtext_get(record, "agent", &agent)) {
		if (jtext_type(agent) == JTEXT_OBJECT)
			read_id(agent, "agentId", "agent_id", &subject->agent);
		else
			jtext_string(agent, &subject->agent);
	} else
		read_id(record, "agentId", "agent_id", &subject->agent);
	if (!jtext_get_i64(record, "seq", &subject->seq) && !jtext_get_i64(record, "cursor", &subject->seq))
		subject->seq = -1;
	/* an event names its run inside its data */
	if (!subject->run.len && jtext_get(record, "data", &agent))
		read_id(agent, "runId", "run_id", &subject->run);
}

enum subject_result
subject_next(struct subject *subject, struct err *err)
{
	struct span record;
	char *s;
	size_t n;

	if (subject->from_options) {
		if (subject->given)
			return SUBJECT_END;
		subject->given = true;
		subject->record = SPAN_NONE;
		return SUBJECT_OK;
	}
	for (;;) {
		switch (line_next(&subject->in, &s, &n)) {
		case LINE_OK:
			if (s[strspn(s, " \t\r")] == '\0' && strlen(s) == n)
				continue;
			if (!jtext_check(s, n, true, &record, err)) {
				err_prefix(err, "unable to read line %llu of standard input", (unsigned long long)subject->in.count);
				return SUBJECT_BAD;
			}
			if (jtext_type(record) != JTEXT_OBJECT) {
				err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: not a JSON object",
				    (unsigned long long)subject->in.count);
				return SUBJECT_BAD;
			}
			subject->record = record;
			read_record(subject, record);
			return SUBJECT_OK;
		case LINE_LONG:
			err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it has %zu bytes, more than %u",
			    (unsigned long long)subject->in.count, n, SUBJECT_LINE_MAX);
			return SUBJECT_BAD;
		case LINE_ERROR:
			err_errno(err, STATUS_IO, "unable to read standard input");
			subject->from_options = subject->given = true; /* the next call says END */
			return SUBJECT_BAD;
		case LINE_AGAIN:
		case LINE_EOF:
			return SUBJECT_END;
		}
	}
}

bool
subject_lacks(const struct subject *subject, const char *what, struct err *err)
{
	return err_set(
	    err, STATUS_INPUT, "unable to read line %llu of standard input: it names no %s", (unsigned long long)subject->in.count, what);
}

void
subject_pass(const struct subject *subject, struct span result, struct buf *to)
{
	struct buf named = BUF_INIT;

	if (subject->record.s) {
		jtext_merge(to, result, subject->record);
		return;
	}
	buf_addch(&named, '{');
	jtext_add_filled(&named, "runId", &subject->run);
	jtext_add_filled(&named, "serviceId", &subject->service);
	jtext_add_filled(&named, "agent", &subject->agent);
	jtext_add_filled(&named, "threadId", &subject->thread);
	jtext_add_filled(&named, "turnId", &subject->turn);
	buf_addch(&named, '}');
	jtext_merge(to, result, span_of(&named));
	buf_release(&named);
}
