/* services.c - services: their records, and what is done to them (contract section 12) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "clarity/internal.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "log/log.h"
#include "services/services.h"
#include "xalloc.h"

static const struct agent *
find(const struct clarity *clarity, const struct buf *id)
{
	return agents_by_service(clarity->settings.agents, span_of(id));
}

static void
not_found(struct request *request, const struct buf *id)
{
	request_reply_error(request, 404, NULL, "service not found: %s", id->s);
}

/* ---- what there is */

void
list_services(struct clarity *clarity, struct request *request, const struct buf *id)
{
	const struct agents *agents = clarity->settings.agents;
	struct buf answer = BUF_INIT;
	size_t i;

	(void)id;
	buf_addstr(&answer, "{\"items\":[");
	for (i = 0; i < agents_count(agents); i++) {
		if (i)
			buf_addch(&answer, ',');
		service_summary(agents_at(agents, i), clock_wall_ms(), &answer);
	}
	buf_addstr(&answer, "]}");
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
}

void
get_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	const struct agent *agent = find(clarity, id);
	struct buf answer = BUF_INIT;

	if (!agent) {
		not_found(request, id);
		return;
	}
	buf_addstr(&answer, "{\"service\":");
	service_record(agent, clock_wall_ms(), &answer);
	buf_addch(&answer, '}');
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
}

void
get_service_interface(struct clarity *clarity, struct request *request, const struct buf *id)
{
	const struct agent *agent = find(clarity, id);
	struct buf answer = BUF_INIT;

	if (!agent) {
		not_found(request, id);
		return;
	}
	buf_addch(&answer, '{');
	jtext_add_buf(&answer, "serviceId", id);
	buf_addch(&answer, ',');
	service_interface(agent, &answer);
	buf_addch(&answer, '}');
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
}

/* ---- what has happened. A service that was removed has its history still. */

enum view { VIEW_LOGS, VIEW_EVENTS, VIEW_DETAILS };

struct history_request {
	struct asked *asked;
	enum view view;
	int events, logs, calls; /* limits */
};

static bool
is_kind(const struct entry *event, const char *prefix)
{
	return event->kind.n >= strlen(prefix) && !memcmp(event->kind.s, prefix, strlen(prefix));
}

/* The newest `limit` events whose kind begins so; each given to one(). */
static void
add_last(const struct page *page, const char *prefix, int limit, void (*one)(const struct entry *event, struct buf *to), struct buf *to)
{
	size_t first = page->n_events, i;
	int n = 0;

	while (first && n < limit)
		n += is_kind(page->events[--first], prefix);
	buf_addch(to, '[');
	for (i = first; i < page->n_events; i++) {
		if (!is_kind(page->events[i], prefix))
			continue;
		if (to->s[to->len - 1] != '[')
			buf_addch(to, ',');
		one(page->events[i], to);
	}
	buf_addch(to, ']');
}

static void
add_line(const struct entry *event, struct buf *to)
{
	struct buf line = BUF_INIT;

	buf_addch(&line, '[');
	clock_add_iso(&line, event->at_ms);
	buf_addstr(&line, "] ");
	buf_add(&line, event->message.s, event->message.n);
	jtext_quote(to, line.s, line.len);
	buf_release(&line);
}

static void
add_call(const struct entry *event, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_time(to, "at", event->at_ms);
	jtext_add_string(to, "message", event->message.s, event->message.n);
	if (event->data.s)
		jtext_add_raw(to, "data", event->data.s, event->data.n);
	buf_addch(to, '}');
}

static void
add_details(const struct history_request *history, const struct agent *agent, const struct page *page, struct buf *to)
{
	int64_t now = clock_wall_ms();

	buf_addstr(to, ",\"summary\":");
	service_summary(agent, now, to);
	buf_addstr(to, ",\"service\":");
	service_record(agent, now, to);
	buf_addstr(to, ",\"interface\":{");
	service_interface(agent, to);
	buf_addstr(to, "},\"logs\":");
	add_last(page, "service.", history->logs, add_line, to);
	buf_addstr(to, ",\"events\":");
	add_last(page, "", history->events, shape_event, to);
	buf_addstr(to, ",\"recentCalls\":");
	add_last(page, "service.tool_called", history->calls, add_call, to);
}

static void
after_history(struct page *page)
{
	static const char *const later[] = { "retry-after", "1", NULL };
	struct history_request *history = page->payload;
	struct asked *asked = history->asked;
	const struct agent *agent = find(asked->clarity, &asked->run);
	struct buf answer = BUF_INIT;

	if (page->err.status)
		request_reply_error(asked->request, 503, later, "%s", page->err.text);
	else if (!agent && (!page->n_events || history->view == VIEW_DETAILS))
		not_found(asked->request, &asked->run);
	else {
		buf_addch(&answer, '{');
		jtext_add_buf(&answer, "serviceId", &asked->run);
		if (history->view == VIEW_DETAILS)
			add_details(history, agent, page, &answer);
		else {
			buf_addstr(&answer, history->view == VIEW_LOGS ? ",\"lines\":" : ",\"items\":");
			add_last(page, history->view == VIEW_LOGS ? "service." : "", page->limit,
			    history->view == VIEW_LOGS ? add_line : shape_event, &answer);
		}
		buf_addch(&answer, '}');
		shape_reply(asked->request, 200, NULL, &answer);
	}
	buf_release(&answer);
	page_free(page);
	asked_free(asked);
	free(history);
}

static int
max(int a, int b)
{
	return a > b ? a : b;
}

static void
ask_history(struct clarity *clarity, struct request *request, const struct buf *id, enum view view)
{
	struct history_request *history = xcalloc(1, sizeof *history);
	struct page *page = page_new(after_history, history);

	history->asked = asked_new(clarity, request, id);
	history->view = view;
	buf_add(&page->service, id->s, id->len);
	page->last = true;
	if (view == VIEW_DETAILS) {
		history->logs = shape_limit_of(request, "log_limit", 50);
		history->events = shape_limit_of(request, "event_limit", 100);
		history->calls = shape_limit_of(request, "call_limit", 20);
		page->limit = max(history->events, max(history->logs, history->calls));
	} else {
		page->limit = shape_limit(request, 200);
		page->prefix = view == VIEW_LOGS ? "service." : NULL;
	}
	log_page(clarity->settings.log, page);
}

void
get_service_logs(struct clarity *clarity, struct request *request, const struct buf *id)
{
	ask_history(clarity, request, id, VIEW_LOGS);
}

void
get_service_events(struct clarity *clarity, struct request *request, const struct buf *id)
{
	ask_history(clarity, request, id, VIEW_EVENTS);
}

void
get_service_details(struct clarity *clarity, struct request *request, const struct buf *id)
{
	ask_history(clarity, request, id, VIEW_DETAILS);
}

/* ---- what is done */

static void
after_act(int http, const struct buf *body, const char *error, void *payload)
{
	static const char *const later[] = { "retry-after", "1", NULL };
	struct asked *asked = payload;

	if (body)
		shape_reply(asked->request, http, NULL, body);
	else
		request_reply_error(asked->request, http, http == 503 ? later : NULL, "%s", error);
	asked_free(asked);
}

void
apply_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	struct span body, manifest;

	if (!shape_body(request, &body))
		return;
	if (jtext_get(body, "manifest", &manifest))
		services_apply(clarity->settings.services, manifest, after_act, asked_new(clarity, request, id));
	else
		request_reply_error(request, 400, NULL, "expected { manifest }");
}

static void
act(struct clarity *clarity, struct request *request, const struct buf *id, enum services_act what, bool cleanup)
{
	services_act(clarity->settings.services, what, span_of(id), cleanup, after_act, asked_new(clarity, request, id));
}

void
start_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	act(clarity, request, id, SERVICES_START, false);
}

void
stop_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	act(clarity, request, id, SERVICES_STOP, false);
}

void
restart_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	act(clarity, request, id, SERVICES_RESTART, false);
}

void
introspect_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	act(clarity, request, id, SERVICES_INTROSPECT, false);
}

void
unquarantine_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	act(clarity, request, id, SERVICES_UNQUARANTINE, false);
}

void
remove_service(struct clarity *clarity, struct request *request, const struct buf *id)
{
	struct span body, value;

	if (shape_body(request, &body))
		act(clarity, request, id, SERVICES_REMOVE, jtext_get(body, "cleanup_artifacts", &value) && jtext_type(value) == JTEXT_TRUE);
}
