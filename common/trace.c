/* trace.c - W3C Trace Context */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "trace.h"
#include "xalloc.h"

#define PARENT_SIZE 55 /* 00-<32>-<16>-01 */

/* n lower-case hexadecimal digits, with something else than zeros among them where that is asked for. */
static bool
is_hex(const char *s, size_t n, bool not_zero)
{
	bool zero = true;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
		zero = zero && s[i] == '0';
	}
	return !not_zero || !zero;
}

bool
trace_parent_good(const char *s, size_t n)
{
	size_t i;

	if (n < PARENT_SIZE || n > TRACE_PARENT_MAX || s[2] != '-' || s[35] != '-' || s[52] != '-')
		return false;
	if (!is_hex(s, 2, false) || !is_hex(s + 3, 32, true) || !is_hex(s + 36, 16, true) || !is_hex(s + 53, 2, false))
		return false;
	if (!memcmp(s, "ff", 2) || (!memcmp(s, "00", 2) && n != PARENT_SIZE) || (n > PARENT_SIZE && s[PARENT_SIZE] != '-'))
		return false;
	for (i = PARENT_SIZE; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

bool
trace_state_good(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return n > 0 && n <= TRACE_STATE_MAX;
}

void
trace_take(struct trace *trace, const char *parent, const char *state)
{
	trace_release(trace);
	if (!parent || !trace_parent_good(parent, strlen(parent)))
		return;
	trace->parent = xstrdup(parent);
	if (state && trace_state_good(state, strlen(state)))
		trace->state = xstrdup(state);
}

void
trace_read(struct trace *trace, struct span object)
{
	struct buf parent = BUF_INIT, state = BUF_INIT;
	bool any = object.s && jtext_get_string(object, "traceparent", &parent),
	     more = any && jtext_get_string(object, "tracestate", &state);

	trace_take(trace, any ? parent.s : NULL, more ? state.s : NULL);
	buf_release(&parent);
	buf_release(&state);
}

void
trace_copy(struct trace *to, const struct trace *from)
{
	trace_take(to, from ? from->parent : NULL, from ? from->state : NULL);
}

void
trace_release(struct trace *trace)
{
	free(trace->parent);
	free(trace->state);
	trace->parent = trace->state = NULL;
}
