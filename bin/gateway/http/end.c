/* end.c - what a request is called, which route it took, and telling how its answer ended */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "http/conn.h"
#include "key.h"
#include "trace.h"

static const char *const id_names[] = { "x-request-id", "x-correlation-id" };

static const char *
given_id(const struct request *request)
{
	const char *value;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(id_names); i++) {
		value = request_header(request, id_names[i]);
		n = value ? strlen(value) : 0;
		if (n && n <= REQUEST_ID_MAX && strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-") == n)
			return value;
	}
	return NULL;
}

const char *
request_id(struct request *request)
{
	const char *given;

	if (!request->id.len) {
		given = given_id(request);
		if (given)
			buf_addstr(&request->id, given);
		else
			key_add_uuid(&request->id);
	}
	return request->id.s;
}

bool
request_is_named(const struct request *request, const char *const *headers)
{
	for (; headers && headers[0]; headers += 2)
		if (!strcmp(headers[0], "x-request-id"))
			return false;
	return request->server->settings.name_answers || given_id(request);
}

void
request_trace(const struct request *request, struct trace *trace)
{
	trace_take(trace, request_header(request, "traceparent"), request_header(request, "tracestate"));
}

void
request_set_route(struct request *request, const char *route)
{
	request->route = route;
}

const char *
request_route(const struct request *request)
{
	return request->route ? request->route : "";
}

void
request_ended(struct request *request, int status, uint64_t bytes)
{
	const struct server *server = request->server;
	struct server_end end = { .status = status,
		.bytes = bytes,
		.us = clock_monotonic_us() - request->began_us,
		.stream = request->status != 0,
		.peer = request->peer_text };

	if (server->settings.ended)
		server->settings.ended(request, &end, server->payload);
}

void
request_refused(struct server *server, const char *peer, int status)
{
	struct server_end end = { .status = status, .peer = peer ? peer : "unix" };

	if (server->settings.ended)
		server->settings.ended(NULL, &end, server->payload);
}

void
request_hold(struct request *request, int status)
{
	struct conn *conn = request->conn;

	if (!request->server->settings.follow_streams) {
		request_free(request);
		return;
	}
	request->status = status;
	request->before = conn->written;
	request->conn = NULL;
	conn->held = request;
}

void
request_let_go(struct conn *conn)
{
	struct request *request = conn->held;

	if (!request)
		return;
	conn->held = NULL;
	request_ended(request, request->status, conn->written - request->before);
	request_free(request);
}
