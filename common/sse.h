/* sse.h - parse a text/event-stream body
 *
 * A pure parser: it holds no socket and calls no clock. Feed it bytes as they come, cut anywhere. Follows the WHATWG
 * rules (HTML standard, 9.2) for field, comment and end of event, CR, LF and CRLF; ignores a leading BOM.
 * Limits: one event's data SSE_EVENT_MAX bytes and a line as much with SSE_LINE_EXTRA; beyond them sse_feed() fails
 * and the parser must be freed. One parser per stream.
 */
#ifndef SSE_H
#define SSE_H

#include "compat.h"

struct err;
struct sse;

#define SSE_EVENT_MAX (64u * 1024 * 1024) /* bytes */
#define SSE_LINE_EXTRA 1024		  /* bytes: field name and colon */

/* One finished event. Pointers are borrowed and valid only inside the callback. */
struct sse_event {
	const char *id;	  /* last event id, "" when none was ever sent; without NUL */
	const char *type; /* "message" when the stream did not say */
	const char *data; /* NUL-ended; may hold newlines; not checked as UTF-8 or JSON */
	size_t data_len;
	int retry_ms; /* the stream's latest retry, -1 when none was given */
};

/* Returns false to stop: sse_feed() then returns true and ignores what follows. */
typedef bool sse_event_cb(const struct sse_event *event, void *payload);
/* A comment (": ping"), without colon and the blank after it. May be NULL. */
typedef void sse_comment_cb(const char *text, size_t n, void *payload);

struct sse *sse_new(sse_event_cb *event, sse_comment_cb *comment, void *payload);
void sse_free(struct sse *sse); /* accepts NULL */

/* On false, err is filled (STATUS_PROTOCOL) and nothing more may be fed. */
bool sse_feed(struct sse *sse, const char *bytes, size_t n, struct err *err) USE_RESULT;

/* At the end of the stream: true when it ended inside an unfinished event, which is dropped as the standard says. */
bool sse_cut(const struct sse *sse);

#endif
