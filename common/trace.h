/* trace.h - what belongs together across programs: W3C Trace Context (https://www.w3.org/TR/trace-context/)
 *
 * We record no spans of our own, so the context is passed on as it came: the one who made it finds what we asked of others under its own
 * span. Pure.
 */
#ifndef TRACE_H
#define TRACE_H

#include "compat.h"
#include "jtext.h"

#define TRACE_PARENT_MAX 128 /* bytes; version 00 has 55, a later one may have more */
#define TRACE_STATE_MAX 512  /* bytes; the specification's lower limit of what is passed on */

/* Is this a traceparent: version-traceid-parentid-flags, lower-case hexadecimal digits, neither id all zeros, version not ff? What a later
 * version adds behind the flags is accepted, visible ASCII. */
bool trace_parent_good(const char *s, size_t n);

/* Is this a tracestate that may be passed on: printable ASCII, not empty, at most TRACE_STATE_MAX? */
bool trace_state_good(const char *s, size_t n);

/* A context to pass on; empty ({ NULL, NULL }): none. */
struct trace {
	char *parent, *state; /* state NULL: none */
};
#define TRACE_NONE                                                                                                                         \
	{                                                                                                                                  \
		NULL, NULL                                                                                                                 \
	}

/* Takes what is good of a request's headers, each NULL when it has none; a state without a parent means nothing. Replaces what was
 * there. */
void trace_take(struct trace *trace, const char *parent, const char *state);
void trace_read(struct trace *trace, struct span object);    /* the same of {"traceparent","tracestate"}; SPAN_NONE: none */
void trace_copy(struct trace *to, const struct trace *from); /* from NULL: none */
void trace_release(struct trace *trace);

#endif
