/* jtext.h - JSON as text (RFC 8259): check it, find in it, compact it, write it, without ever changing a value
 *
 * Records that are only passed on go through here and not through jv: a number keeps its digits, a string its escapes.
 * Pure; nothing is allocated but what a struct buf grows. Nesting is limited to JTEXT_DEPTH_MAX. Invalid UTF-8 inside
 * strings is accepted by the scanner (bytes pass through) unless jtext_check() is asked to refuse it.
 */
#ifndef JTEXT_H
#define JTEXT_H

#include <string.h>

#include "buf.h"
#include "compat.h"

struct err;

#define JTEXT_DEPTH_MAX 256

/* A borrowed piece of text. In results: one JSON value, without blanks around it. */
struct span {
	const char *s;
	size_t n;
};

#define SPAN_NONE ((struct span){ NULL, 0 })
#define SPAN_INIT(text)                                                                                                                    \
	{                                                                                                                                  \
		(text), sizeof(text) - 1                                                                                                   \
	} /* of a literal */

/* All that the buffer holds now; it dies with the next call that adds to it. */
static inline struct span
span_of(const struct buf *buf)
{
	return (struct span){ buf->s, buf->len };
}

static inline struct span
span_or_none(const struct buf *buf)
{
	return buf->len ? span_of(buf) : SPAN_NONE;
}

enum jtext_type { JTEXT_NULL, JTEXT_FALSE, JTEXT_TRUE, JTEXT_NUMBER, JTEXT_STRING, JTEXT_ARRAY, JTEXT_OBJECT };

/* The text must be one JSON value with at most blanks around it; that value is returned. On failure err (STATUS_INPUT)
 * says what is wrong and at which byte; the caller prefixes where the text came from. */
bool jtext_check(const char *s, size_t n, bool utf8, struct span *ret_value, struct err *err) USE_RESULT;

/* The functions below take values that jtext_check() or another of them has returned. */

enum jtext_type jtext_type(struct span value);

/* Walks an object or array: start with pos = 0, which the call moves on. ret_key is the quoted key (SPAN_NONE in arrays). */
bool jtext_each(struct span container, size_t *pos, struct span *ret_key, struct span *ret_value);

/* The member's value; with duplicates the last one counts. Keys are compared after decoding escapes. False: no such
 * member, or not an object. */
bool jtext_get(struct span object, const char *key, struct span *ret_value);

/* The same of several members in one pass: values[i] is that of names[i], SPAN_NONE: there is none. */
void jtext_get_all(struct span object, const struct span names[], size_t n, struct span values[]);

/* The decoded text of a string value; a lone surrogate becomes U+FFFD; \u0000 becomes a NUL byte. Appends. False (and
 * nothing appended) when the value is not a string. */
bool jtext_string(struct span value, struct buf *to);

/* jtext_get and jtext_string in one; false when absent or not a string. */
bool jtext_get_string(struct span object, const char *key, struct buf *to);

bool jtext_is_string(struct span value, const char *text); /* a string that decodes to exactly text */

/* An integer value without fraction or exponent that fits; else false. */
bool jtext_i64(struct span value, int64_t *ret);
bool jtext_get_i64(struct span object, const char *key, int64_t *ret);

/* Appends the value without blanks outside strings. The result is one line: JSON strings hold no raw newline. */
void jtext_compact(struct buf *to, struct span value);

/* Appends the value as JSON.stringify(value, null, 2) lays it out; its outermost line is not indented, further lines are
 * indented by `indent` spaces more. Empty containers are [] and {}. */
void jtext_pretty(struct buf *to, struct span value, unsigned indent);

/* Appends text as a JSON string with its quotes, as JSON.stringify does: \" \\ \b \f \n \r \t, \u00xx for other controls;
 * invalid UTF-8 bytes become U+FFFD. */
void jtext_quote(struct buf *to, const char *s, size_t n);

/* Appends `"key":` and the quoted text, with a comma before it unless the buffer's last byte is '{' or '['. */
void jtext_add_string(struct buf *to, const char *key, const char *s, size_t n);
static inline void
jtext_add_text(struct buf *to, const char *key, const char *text)
{
	jtext_add_string(to, key, text, strlen(text));
}
static inline void
jtext_add_buf(struct buf *to, const char *key, const struct buf *text)
{
	jtext_add_string(to, key, text->s, text->len);
}
void jtext_add_time(struct buf *to, const char *key, int64_t wall_ms);	      /* as clock_add_iso() writes it */
void jtext_add_raw(struct buf *to, const char *key, const char *s, size_t n); /* s is JSON text already */
void jtext_add_i64(struct buf *to, const char *key, int64_t n);
void jtext_add_bool(struct buf *to, const char *key, bool b);
void jtext_add_null(struct buf *to, const char *key);

/* The same of what may be missing: nothing for NULL, nothing for an empty buffer. */
static inline void
jtext_add_given(struct buf *to, const char *key, const char *text)
{
	if (text)
		jtext_add_text(to, key, text);
}
static inline void
jtext_add_filled(struct buf *to, const char *key, const struct buf *text)
{
	if (text->len)
		jtext_add_buf(to, key, text);
}

/* null for NULL, for an empty buffer, and for the time 0. */
static inline void
jtext_add_text_or_null(struct buf *to, const char *key, const char *text)
{
	if (text)
		jtext_add_text(to, key, text);
	else
		jtext_add_null(to, key);
}
static inline void
jtext_add_or_null(struct buf *to, const char *key, const struct buf *text)
{
	if (text->len)
		jtext_add_buf(to, key, text);
	else
		jtext_add_null(to, key);
}
static inline void
jtext_add_time_or_null(struct buf *to, const char *key, int64_t wall_ms)
{
	if (wall_ms)
		jtext_add_time(to, key, wall_ms);
	else
		jtext_add_null(to, key);
}

/* Appends the members of an object but those named (NULL-terminated), compacted, with a comma before each unless the buffer's last byte is
 * '{'. */
void jtext_add_others(struct buf *to, struct span object, const char *const but[]);

/* Appends object `a` with the members of object `b` that a has not; each keeps its bytes (compacted). Used to pass a
 * subject's members on beside a result. */
void jtext_merge(struct buf *to, struct span a, struct span b);

#endif
