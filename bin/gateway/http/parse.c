/* parse.c - HTTP/1.1 request heads and chunked bodies */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "buf.h"
#include "http/parse.h"
#include "num.h"

/* RFC 9110 5.6.2: what a method or header name is made of */
static bool
is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
is_name(struct span name, const char *want)
{
	return name.n == strlen(want) && !strncasecmp(name.s, want, name.n);
}

static enum parse_result
bad(struct parse_head *head, const char *wrong)
{
	head->wrong = wrong;
	return PARSE_BAD;
}

/* Does the list value hold this word? ("keep-alive, Upgrade") */
static bool
has_word(struct span list, const char *word)
{
	size_t i = 0, start, end;

	while (i < list.n) {
		while (i < list.n && (list.s[i] == ' ' || list.s[i] == '\t' || list.s[i] == ','))
			i++;
		for (start = i; i < list.n && list.s[i] != ','; i++)
			;
		for (end = i; end > start && (list.s[end - 1] == ' ' || list.s[end - 1] == '\t'); end--)
			;
		if (is_name((struct span){ list.s + start, end - start }, word))
			return true;
	}
	return false;
}

static enum parse_result
parse_target(struct parse_head *head, struct span target)
{
	const char *path = target.s, *end = target.s + target.n, *question;
	size_t i;

	for (i = 0; i < target.n; i++)
		if ((unsigned char)target.s[i] <= ' ' || (unsigned char)target.s[i] >= 0x7f)
			return bad(head, "a blank, control or non-ASCII character in the target");
	/* absolute-form (RFC 9112 3.2.2): the authority is not ours to use */
	if (target.n > 7 && !strncasecmp(path, "http://", 7)) {
		for (path += 7; path < end && *path != '/' && *path != '?'; path++)
			;
		if (path == end || *path == '?')
			return bad(head, "a target without a path");
	}
	if (target.n == 1 && *path == '*')
		; /* OPTIONS * */
	else if (*path != '/')
		return bad(head, "a target that is no path");
	question = memchr(path, '?', (size_t)(end - path));
	head->path = (struct span){ path, (size_t)((question ? question : end) - path) };
	head->query = question ? (struct span){ question + 1, (size_t)(end - question) - 1 } : SPAN_NONE;
	return PARSE_DONE;
}

static enum parse_result
parse_request_line(struct parse_head *head, const char *s, size_t n)
{
	const char *first = memchr(s, ' ', n), *second;
	struct span version;
	size_t i;

	if (!first || first == s)
		return bad(head, "no request line");
	head->method = (struct span){ s, (size_t)(first - s) };
	for (i = 0; i < head->method.n; i++)
		if (!is_token((unsigned char)s[i]))
			return bad(head, "a method that is no word");
	second = memrchr(first, ' ', (size_t)(s + n - first));
	if (second == first)
		return bad(head, "no version in the request line");
	version = (struct span){ second + 1, (size_t)(s + n - second) - 1 };
	if (version.n != 8 || memcmp(version.s, "HTTP/", 5) || version.s[6] != '.' || version.s[5] < '0' || version.s[5] > '9' ||
	    version.s[7] < '0' || version.s[7] > '9')
		return bad(head, "no version in the request line");
	if (version.s[5] != '1')
		return PARSE_VERSION;
	head->http10 = version.s[7] == '0';
	head->keep_alive = !head->http10;
	if (first + 1 == second)
		return bad(head, "no target in the request line");
	return parse_target(head, (struct span){ first + 1, (size_t)(second - first) - 1 });
}

/* What a header means for the message itself. */
static enum parse_result
apply_header(struct parse_head *head, struct span name, struct span value)
{
	if (is_name(name, "content-length")) {
		if (head->has_length)
			return bad(head, "two lengths");
		if (!num_u64(value.s, value.n, &head->length))
			return bad(head, "a length that is no number");
		head->has_length = true;
	} else if (is_name(name, "host")) {
		/* RFC 9112 3.2: the one that was checked must be the only one */
		if (head->has_host)
			return bad(head, "two hosts");
		head->has_host = true;
	} else if (is_name(name, "transfer-encoding")) {
		if (head->chunked || !is_name(value, "chunked"))
			return bad(head, "a transfer coding other than chunked");
		head->chunked = true;
	} else if (is_name(name, "connection")) {
		if (has_word(value, "close"))
			head->keep_alive = false;
		else if (head->http10 && has_word(value, "keep-alive"))
			head->keep_alive = true;
	} else if (is_name(name, "expect")) {
		if (!is_name(value, "100-continue"))
			return bad(head, "an expectation that is not known");
		head->expect_continue = !head->http10;
	}
	return PARSE_DONE;
}

static enum parse_result
parse_header(struct parse_head *head, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n);
	struct span name, value;
	size_t i;

	if (*s == ' ' || *s == '\t')
		return bad(head, "a folded header");
	if (!colon || colon == s)
		return bad(head, "a header without a name");
	name = (struct span){ s, (size_t)(colon - s) };
	for (i = 0; i < name.n; i++)
		if (!is_token((unsigned char)s[i]))
			return bad(head, "a header name that is no word");
	value = (struct span){ colon + 1, (size_t)(s + n - colon) - 1 };
	while (value.n && (*value.s == ' ' || *value.s == '\t')) {
		value.s++;
		value.n--;
	}
	while (value.n && (value.s[value.n - 1] == ' ' || value.s[value.n - 1] == '\t'))
		value.n--;
	for (i = 0; i < value.n; i++)
		if (((unsigned char)value.s[i] < ' ' && value.s[i] != '\t') || value.s[i] == 0x7f)
			return bad(head, "a control character in a header");
	if (head->n_headers == head->max_headers)
		return PARSE_TOO_LARGE;
	head->names[head->n_headers] = name;
	head->values[head->n_headers++] = value;
	return apply_header(head, name, value);
}

/* The end of the head: behind the first empty line. NULL: not there yet. */
static const char *
find_end(const char *bytes, size_t n, size_t start, size_t scanned)
{
	size_t i = scanned > start + 3 ? scanned - 3 : start;
	const char *found = n > i ? memmem(bytes + i, n - i, "\r\n\r\n", 4) : NULL;

	return found ? found + 4 : NULL;
}

enum parse_result
parse_head(const char *bytes, size_t n, size_t scanned, struct parse_head *head)
{
	struct span *names = head->names, *values = head->values;
	size_t max = head->max_headers, start = 0, i;
	const char *end, *line, *eol;
	enum parse_result result;

	memset(head, 0, sizeof *head);
	head->names = names;
	head->values = values;
	head->max_headers = max;
	while (n - start >= 2 && bytes[start] == '\r' && bytes[start + 1] == '\n')
		start += 2;
	/* what can never become a head is refused at once: a TLS hello must not wait for a deadline */
	for (i = start; i < n && i < start + 16; i++) {
		if (bytes[i] == ' ')
			break;
		if (!is_token((unsigned char)bytes[i]) && !(bytes[i] == '\r' && i == start))
			return bad(head, "no request line");
	}
	end = find_end(bytes, n, start, scanned);
	if (!end)
		return PARSE_MORE;
	for (line = bytes + start; line < end - 2; line = eol + 2) {
		eol = memchr(line, '\r', (size_t)(end - line));
		if (!eol || eol[1] != '\n' || memchr(line, '\n', (size_t)(eol - line)))
			return bad(head, "a line that does not end in CR LF");
		result = line == bytes + start ? parse_request_line(head, line, (size_t)(eol - line))
					       : parse_header(head, line, (size_t)(eol - line));
		if (result != PARSE_DONE)
			return result;
	}
	if (head->chunked && head->has_length)
		return bad(head, "a length beside chunks");
	if (head->chunked && head->http10)
		return bad(head, "chunks in HTTP/1.0");
	head->size = (size_t)(end - bytes);
	return PARSE_DONE;
}

/* ---- chunks: size line, data, CR LF, ..., last size line, trailers, empty line */

enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF, CHUNK_TRAILER, CHUNK_TRAILER_LF };

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum parse_result
chunk_byte(struct parse_chunks *chunks, char c)
{
	int digit;

	if (++chunks->line > PARSE_CHUNK_LINE_MAX)
		return PARSE_TOO_LARGE;
	switch (chunks->state) {
	case CHUNK_SIZE:
		digit = hex_digit(c);
		if (digit >= 0) {
			if (chunks->left > UINT64_MAX >> 5)
				return PARSE_BAD;
			chunks->left = chunks->left << 4 | (uint64_t)digit;
			return PARSE_MORE;
		}
		if (chunks->line == 1)
			return PARSE_BAD;
		chunks->state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
		return c == '\r' || c == ';' || c == ' ' || c == '\t' ? PARSE_MORE : PARSE_BAD;
	case CHUNK_EXTENSION:
		if (c == '\n')
			return PARSE_BAD;
		if (c == '\r')
			chunks->state = CHUNK_SIZE_LF;
		return PARSE_MORE;
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return PARSE_BAD;
		chunks->state = chunks->left ? CHUNK_DATA : CHUNK_TRAILER;
		chunks->line = 0;
		chunks->blank_line = true;
		return PARSE_MORE;
	case CHUNK_DATA_CR:
		chunks->state = CHUNK_DATA_LF;
		return c == '\r' ? PARSE_MORE : PARSE_BAD;
	case CHUNK_DATA_LF:
		chunks->state = CHUNK_SIZE;
		chunks->line = 0;
		return c == '\n' ? PARSE_MORE : PARSE_BAD;
	case CHUNK_TRAILER:
		if (c == '\r')
			chunks->state = CHUNK_TRAILER_LF;
		else if (c == '\n')
			return PARSE_BAD;
		else
			chunks->blank_line = false;
		return PARSE_MORE;
	default: /* CHUNK_TRAILER_LF */
		if (c != '\n')
			return PARSE_BAD;
		if (chunks->blank_line)
			return PARSE_DONE;
		chunks->blank_line = true;
		chunks->state = CHUNK_TRAILER;
		return PARSE_MORE;
	}
}

enum parse_result
parse_chunks(struct parse_chunks *chunks, const char *bytes, size_t n, struct buf *out, size_t *ret_used)
{
	size_t i = 0;

	while (i < n) {
		enum parse_result result;

		if (chunks->state == CHUNK_DATA) {
			size_t take = n - i < chunks->left ? n - i : (size_t)chunks->left;

			buf_add(out, bytes + i, take);
			i += take;
			chunks->left -= take;
			if (!chunks->left) {
				chunks->state = CHUNK_DATA_CR;
				chunks->line = 0;
			}
			continue;
		}
		result = chunk_byte(chunks, bytes[i++]);
		if (result != PARSE_MORE) {
			*ret_used = i;
			return result;
		}
	}
	*ret_used = i;
	return PARSE_MORE;
}
