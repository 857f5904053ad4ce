/* request.c - a request's texts, and its answer */
#include "compat.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "clock.h"
#include "http/conn.h"
#include "http/inflate.h"
#include "key.h"
#include "xalloc.h"

/* The text at a span that points into `from`, moved to our copy and ended by NUL (what stood there was a delimiter). */
static char *
own(struct request *request, const char *from, struct span span)
{
	char *s;

	if (!span.s)
		return NULL;
	s = request->bytes.s + (span.s - from);
	s[span.n] = '\0';
	return s;
}

struct request *
request_new(struct conn *conn, const char *bytes, const struct parse_head *head)
{
	struct request *request = xcalloc(1, sizeof *request);
	size_t i;

	request->conn = conn;
	request->server = conn->server;
	request->peer = conn->peer;
	request->peer_text = xstrdup(conn->peer_text ? conn->peer_text : "unix");
	buf_init(&request->bytes);
	buf_init(&request->body);
	buf_add(&request->bytes, bytes, head->size);
	request->method = own(request, bytes, head->method);
	request->path = own(request, bytes, head->path);
	request->query = own(request, bytes, head->query);
	request->n_headers = head->n_headers;
	request->names = xcalloc(2 * head->n_headers, sizeof *request->names);
	request->values = request->names + head->n_headers;
	for (i = 0; i < head->n_headers; i++) {
		request->names[i] = own(request, bytes, head->names[i]);
		request->values[i] = own(request, bytes, head->values[i]);
	}
	request->http10 = head->http10;
	request->keep_alive = head->keep_alive;
	request->chunked = head->chunked;
	request->length = head->length;
	request->expects = head->expect_continue;
	buf_init(&request->id);
	request->began_us = clock_monotonic_us();
	return request;
}

void
request_free(struct request *request)
{
	if (!request)
		return;
	request_set_note(request, NULL, NULL);
	buf_release(&request->bytes);
	buf_release(&request->body);
	buf_release(&request->id);
	free(request->names);
	free(request->peer_text);
	free(request);
}

enum request_problem
request_problem(const struct request *request)
{
	return request->problem;
}

enum request_peer
request_peer(const struct request *request)
{
	return request->peer;
}

const char *
request_peer_text(const struct request *request)
{
	return request->peer_text;
}

const char *
request_method(const struct request *request)
{
	return request->method;
}

const char *
request_path(const struct request *request)
{
	return request->path;
}

bool
request_key(const struct request *request, struct buf *to)
{
	const char *key = request_header(request, "idempotency-key"), *at;

	if (!key)
		return true;
	for (at = key; *at > ' ' && *at < 0x7f; at++)
		;
	if (*at || at == key || at - key > REQUEST_KEY_MAX)
		return false;
	buf_add(to, key, (size_t)(at - key));
	return true;
}

struct span
request_body(const struct request *request)
{
	return span_of(&request->body);
}

enum request_inflated
request_inflate(struct request *request, size_t max)
{
	const char *coding = request_header(request, "content-encoding");
	struct buf text = BUF_INIT;
	enum request_inflated result;

	if (!coding || !*coding || !strcasecmp(coding, "identity"))
		return request->body.len > max ? REQUEST_INFLATED_TOO_LARGE : REQUEST_INFLATED;
	result = inflate_body(coding, request_body(request), max, &text);
	if (result == REQUEST_INFLATED) {
		buf_release(&request->body);
		request->body = text;
	} else
		buf_release(&text);
	return result;
}

const char *
request_header(const struct request *request, const char *name)
{
	size_t i;

	for (i = 0; i < request->n_headers; i++)
		if (!strcasecmp(request->names[i], name))
			return request->values[i];
	return NULL;
}

void
request_set_note(struct request *request, void *note, void (*free_note)(void *note))
{
	if (request->note && request->free_note)
		request->free_note(request->note);
	request->note = note;
	request->free_note = free_note;
}

void *
request_note(const struct request *request)
{
	return request->note;
}

static void
decode_form(const char *s, size_t n, struct buf *to)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s[i] == '+')
			buf_addch(to, ' ');
		else if (s[i] == '%' && n - i >= 3 && server_decode_segment(s + i, 3, to))
			i += 2;
		else
			buf_addch(to, s[i]);
	}
}

/* The first one goes to `to`, unless that is NULL. */
static size_t
look_up(const struct request *request, const char *name, struct buf *to)
{
	const char *s = request->query, *end, *equals;
	struct buf key = BUF_INIT;
	size_t found = 0;

	for (; s && *s && !(found && to); s = *end ? end + 1 : end) {
		end = s + strcspn(s, "&");
		equals = memchr(s, '=', (size_t)(end - s));
		buf_reset(&key);
		decode_form(s, (size_t)((equals ? equals : end) - s), &key);
		if (strcmp(key.s, name) || key.len != strlen(name))
			continue;
		if (equals && to)
			decode_form(equals + 1, (size_t)(end - equals) - 1, to);
		found++;
	}
	buf_release(&key);
	return found;
}

bool
request_query(const struct request *request, const char *name, struct buf *to)
{
	return look_up(request, name, to) > 0;
}

size_t
request_query_count(const struct request *request, const char *name)
{
	return look_up(request, name, NULL);
}

/* ---- answers */

const char *
request_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 202:
		return "Accepted";
	case 204:
		return "No Content";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 410:
		return "Gone";
	case 413:
		return "Payload Too Large";
	case 415:
		return "Unsupported Media Type";
	case 426:
		return "Upgrade Required";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Unknown";
	}
}

void
request_head(struct request *request, int status, const char *content_type, const char *const *headers, int64_t length, bool chunked,
    bool keep_alive)
{
	const char *server = request->server->settings.server_header;
	struct buf head = BUF_INIT;

	buf_reserve(&head, 512);
	buf_addstr(&head, "HTTP/1.1 ");
	buf_addu64(&head, (uint64_t)status);
	buf_addch(&head, ' ');
	buf_addstr(&head, request_reason(status));
	buf_addstr(&head, "\r\n");
	buf_addstr(&head, server_date(request->server));
	if (server) {
		buf_addstr(&head, server);
		buf_addstr(&head, "\r\n");
	}
	if (content_type) {
		buf_addstr(&head, "content-type: ");
		buf_addstr(&head, content_type);
		buf_addstr(&head, "\r\n");
	}
	if (request_is_named(request, headers)) {
		buf_addstr(&head, "x-request-id: ");
		buf_addstr(&head, request_id(request));
		buf_addstr(&head, "\r\n");
	}
	for (; headers && headers[0]; headers += 2) {
		buf_addstr(&head, headers[0]);
		buf_addstr(&head, ": ");
		buf_addstr(&head, headers[1]);
		buf_addstr(&head, "\r\n");
	}
	buf_addstr(&head, keep_alive ? "connection: keep-alive\r\n" : "connection: close\r\n");
	if (keep_alive && !chunked) {
		/* so that a client does not write its next request into the end of the connection */
		buf_addstr(&head, "keep-alive: timeout=");
		buf_addu64(&head, (uint64_t)request->server->settings.idle_ms / 1000);
		buf_addstr(&head, "\r\n");
	}
	if (chunked)
		buf_addstr(&head, "transfer-encoding: chunked\r\n");
	else if (length >= 0) {
		buf_addstr(&head, "content-length: ");
		buf_addu64(&head, (uint64_t)length);
		buf_addstr(&head, "\r\n");
	}
	buf_addstr(&head, "\r\n");
	evbuffer_add(conn_output(request->conn), head.s, head.len);
	buf_release(&head);
}

void
request_tell(const struct request *request, int status)
{
	const struct server *server = request->server;

	if (server->settings.answered)
		server->settings.answered(request, status, server->payload);
}

void
request_reply(struct request *request, int status, const char *content_type, const char *const *headers, const void *body, size_t n)
{
	bool keep_alive = request->keep_alive && !request->server->draining;

	request_tell(request, status);
	if (request->server->settings.said)
		request->server->settings.said(request, status, content_type, body, n, request->server->payload);
	request_ended(request, status, request->conn && strcmp(request->method, "HEAD") ? n : 0);
	if (!request->conn) {
		request_free(request);
		return;
	}
	request_head(request, status, content_type, headers, status == 204 || status == 304 ? -1 : (int64_t)n, false, keep_alive);
	if (strcmp(request->method, "HEAD") && n)
		evbuffer_add(conn_output(request->conn), body, n);
	conn_answered(request->conn, keep_alive);
}

void
request_reply_error(struct request *request, int status, const char *const *headers, const char *fmt, ...)
{
	struct buf text = BUF_INIT, body = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	buf_addstr(&body, "{\n  \"error\": ");
	jtext_quote(&body, text.s, text.len);
	buf_addstr(&body, "\n}\n");
	request_reply(request, status, "application/json; charset=utf-8", headers, body.s, body.len);
	buf_release(&text);
	buf_release(&body);
}
