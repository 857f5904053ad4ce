/* observe.c - what is written down about requests */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "access.h"
#include "auth/auth.h"
#include "buf.h"
#include "die.h"
#include "err.h"
#include "http/server.h"
#include "observe.h"
#include "secrets.h"
#include "trace.h"
#include "xalloc.h"

struct observe {
	struct observe_settings settings;
	struct audit audit;
	struct event *write;   /* the records of what one turn of the loop has answered: in one go, and before any answer leaves */
	struct access *access; /* NULL: none */
	struct metrics *metrics;
	struct metrics_rooms rooms;
};

static void
write_audit(struct observe *observe)
{
	struct err err = ERR_INIT;

	if (!audit_write(&observe->audit, &err))
		warn("%s; what is done meanwhile is not written down", err.text);
}

static void
on_write(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	write_audit(payload);
}

struct observe *
observe_new(const struct observe_settings *settings, struct err *err)
{
	struct observe *observe = xcalloc(1, sizeof *observe);

	observe->settings = *settings;
	observe->audit = (struct audit)AUDIT_INIT;
	observe->metrics = metrics_new();
	observe->write = event_new(settings->base, -1, 0, on_write, observe);
	if (!audit_open(&observe->audit, settings->audit_file, err) ||
	    (settings->access_file && !(observe->access = access_open(settings->access_file, settings->secrets, err)))) {
		observe_free(observe);
		return NULL;
	}
	return observe;
}

void
observe_free(struct observe *observe)
{
	if (!observe)
		return;
	access_close(observe->access);
	write_audit(observe);
	event_free(observe->write);
	audit_close(&observe->audit);
	metrics_free(observe->metrics);
	free(observe);
}

bool
observe_follows(const struct observe *observe)
{
	return observe->access != NULL;
}

void
observe_reopen(struct observe *observe)
{
	struct err err = ERR_INIT;

	write_audit(observe);
	if (!audit_reopen(&observe->audit, &err))
		warn("%s", err.text);
	if (observe->access)
		access_reopen(observe->access);
}

void
observe_rooms(struct observe *observe, const struct metrics_rooms *rooms)
{
	observe->rooms = *rooms;
	observe->rooms.audit = &observe->audit;
	observe->rooms.access = observe->access;
	metrics_watch(observe->metrics, rooms->log);
}

void
observe_metrics(struct observe *observe, struct request *request)
{
	metrics_reply(observe->metrics, &observe->rooms, request);
}

/* Whatever changes something, and every caller that is refused. */
static void
audit(struct observe *observe, const struct request *request, int status)
{
	const struct principal *caller = auth_caller(request);
	const char *method = request_method(request);
	bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS");
	bool denied = status == 401 || status == 403 || status == 429;
	struct audit_entry entry = {
		.user = caller ? principal_user(caller) : NULL,
		.token = caller ? principal_token(caller) : NULL,
		.peer = request_peer_text(request),
		.action = method,
		.subject = request_path(request),
		.status = status,
		.denied = denied,
	};
	struct buf clean = BUF_INIT;

	if (reads && !denied && status != 101)
		return;
	if (secrets_text(observe->settings.secrets, entry.subject, strlen(entry.subject), &clean))
		entry.subject = clean.s;
	audit_add(&observe->audit, &entry);
	event_active(observe->write, EV_TIMEOUT, 1);
	buf_release(&clean);
}

void
observe_answered(struct observe *observe, const struct request *request, int status)
{
	audit(observe, request, status);
	metrics_answered(observe->metrics, request, status);
}

static void
note_access(struct observe *observe, struct request *request, const struct server_end *end)
{
	const struct principal *caller = request ? auth_caller(request) : NULL;
	const char *trace = request ? request_header(request, "traceparent") : NULL;
	struct access_entry entry = {
		.peer = end->peer,
		.status = end->status,
		.bytes = end->bytes,
		.us = end->us,
		.stream = end->stream,
	};
	struct err err = ERR_INIT;

	if (request) {
		entry.id = request_id(request);
		entry.user = caller ? principal_user(caller) : NULL;
		entry.token = caller ? principal_token(caller) : NULL;
		entry.method = request_method(request);
		entry.path = request_path(request);
		entry.route = request_route(request);
		entry.agent = request_header(request, "user-agent");
		entry.traceparent = trace && trace_parent_good(trace, strlen(trace)) ? trace : NULL;
	}
	access_add(observe->access, &entry);
	if (access_problem(observe->access, &err))
		warn("%s; what cannot be written is skipped", err.text);
}

void
observe_ended(struct observe *observe, struct request *request, const struct server_end *end)
{
	metrics_ended(observe->metrics, request, end);
	if (observe->access)
		note_access(observe, request, end);
}
