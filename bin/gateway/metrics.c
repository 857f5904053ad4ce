/* metrics.c - what the gateway does, in figures */
#include "compat.h"

#include <stdlib.h>

#include "access.h"
#include "agents/agents.h"
#include "audit.h"
#include "buf.h"
#include "chat/chat.h"
#include "compass/compass.h"
#include "exposition.h"
#include "http/server.h"
#include "log/log.h"
#include "metrics.h"
#include "traffic.h"
#include "xalloc.h"

struct metrics {
	struct traffic *traffic;
	struct histogram changes;
};

struct metrics *
metrics_new(void)
{
	struct metrics *metrics = xcalloc(1, sizeof *metrics);

	metrics->traffic = traffic_new();
	return metrics;
}

void
metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	traffic_free(metrics->traffic);
	free(metrics);
}

static void
on_change(int64_t us, void *payload)
{
	struct metrics *metrics = payload;

	histogram_add(&metrics->changes, us);
}

void
metrics_watch(struct metrics *metrics, struct log *log)
{
	log_watch(log, on_change, metrics);
}

void
metrics_answered(struct metrics *metrics, const struct request *request, int status)
{
	traffic_count(metrics->traffic, request_method(request), request_route(request), status);
}

void
metrics_ended(struct metrics *metrics, const struct request *request, const struct server_end *end)
{
	if (!request)
		traffic_count(metrics->traffic, "", "", end->status);
	else if (!end->stream)
		traffic_time(metrics->traffic, request_method(request), request_route(request), end->us);
}

/* ---- families of one sample, and of one label */

static void
add(struct buf *to, const char *name, const char *type, const char *help, uint64_t value)
{
	exposition_family(to, name, type, help);
	exposition_count(to, name, "", NULL, value);
}

static void
add_each(struct buf *to, const char *name, const char *label, const char *value, uint64_t n)
{
	exposition_count(to, name, "", (const char *const[]){ label, value, NULL }, n);
}

static void
write_http(const struct server *server, struct buf *to)
{
	struct server_stats stats = server_stats(server);

	add(to, "agent_gateway_http_connections", "gauge", "Connections that are open.", stats.connections);
	add(to, "agent_gateway_http_connections_max", "gauge", "Connections that may be open at once.", stats.connections_max);
	add(to, "agent_gateway_http_connections_accepted_total", "counter", "Connections that were taken.", stats.accepted);
	add(to, "agent_gateway_http_connections_refused_total", "counter", "Connections that were refused because there were too many.",
	    stats.refused);
	add(to, "agent_gateway_http_received_bytes_total", "counter", "Bytes of requests and of messages on WebSockets.", stats.received);
	add(to, "agent_gateway_http_sent_bytes_total", "counter", "Bytes of answers that were taken by the network.", stats.sent);
	add(to, "agent_gateway_http_slow_clients_total", "counter", "Connections that were cut because their client read too slowly.",
	    stats.slow);
	exposition_family(to, "agent_gateway_http_streams", "gauge", "Streams that are open, by kind.");
	add_each(to, "agent_gateway_http_streams", "kind", "sse", stats.streams);
	add_each(to, "agent_gateway_http_streams", "kind", "websocket", stats.sockets);
}

static void
write_log(const struct metrics *metrics, const struct log *log, struct buf *to)
{
	static const char changes[] = "agent_gateway_log_changes_total", times[] = "agent_gateway_log_change_duration_seconds";
	static const char *const results[] = {
		[CHANGE_DONE] = "done",
		[CHANGE_REFUSED] = "refused",
		[CHANGE_REPLAYED] = "replayed",
		[CHANGE_KEY_REUSED] = "key_reused",
		[CHANGE_FAILED] = "failed",
	};
	struct log_stats stats = log_stats(log);
	size_t i;

	_Static_assert(ARRAY_LEN(results) == ARRAY_LEN(stats.changes), "one word for each result");
	exposition_family(to, changes, "counter", "Changes of the log, by result; failed: it could not be stored.");
	for (i = 0; i < ARRAY_LEN(results); i++)
		add_each(to, changes, "result", results[i], stats.changes[i]);
	exposition_family(to, times, "histogram", "Time from asking for a change to its being stored and told to all who listen.");
	exposition_histogram(to, times, NULL, &metrics->changes);
	add(to, "agent_gateway_log_events_total", "counter", "Events that were stored.", stats.events);
	add(to, "agent_gateway_log_last_seq", "gauge", "Sequence number of the newest event.", (uint64_t)log_last_seq(log));
	add(to, "agent_gateway_log_queue_length", "gauge", "Operations that wait for the store.", log_queued(log));
	add(to, "agent_gateway_log_queue_length_max", "gauge", "Operations that may wait for the store.", STORE_QUEUE_MAX);
	exposition_family(to, "agent_gateway_log_subscribers", "gauge", "Readers of the log, by what they do.");
	add_each(to, "agent_gateway_log_subscribers", "phase", "live", stats.subscribers - stats.replaying);
	add_each(to, "agent_gateway_log_subscribers", "phase", "replay", stats.replaying);
}

static void
write_agents(const struct agents *agents, struct buf *to)
{
	static const char name[] = "agent_gateway_services";
	uint64_t n[LIFE_COUNT] = { 0 };
	size_t i;

	for (i = 0; i < agents_count(agents); i++)
		n[agents_at(agents, i)->state.lifecycle]++;
	exposition_family(to, name, "gauge", "Services, by their lifecycle.");
	for (i = 0; i < LIFE_COUNT; i++)
		add_each(to, name, "lifecycle", lifecycle_text((enum lifecycle)i), n[i]);
}

static void
write_turns(const struct compass *compass, struct buf *to)
{
	static const char turns[] = "agent_gateway_turns_total";
	struct compass_stats stats = compass_stats(compass);

	exposition_family(to, turns, "counter", "Turns that have ended, by how.");
	add_each(to, turns, "outcome", "completed", stats.completed);
	add_each(to, turns, "outcome", "interrupted", stats.interrupted);
	add_each(to, turns, "outcome", "failed", stats.failed);
	add(to, "agent_gateway_turns", "gauge", "Turns in progress.", stats.turns);
	add(to, "agent_gateway_approvals", "gauge", "Approvals that wait for an answer.", stats.approvals);
	if (!stats.has_runtime)
		return;
	exposition_family(to, "agent_gateway_runtime_state", "gauge", "1 for the state that the runtime is in.");
	add_each(to, "agent_gateway_runtime_state", "state", stats.runtime_state, 1);
	add(to, "agent_gateway_runtime_starts_total", "counter", "How often the runtime was started.", stats.starts);
	add(to, "agent_gateway_runtime_crashes_total", "counter", "How often the runtime ended without being asked to.",
	    stats.unasked_ends);
}

static void
write_logs(const struct metrics_rooms *rooms, struct buf *to)
{
	add(to, "agent_gateway_audit_waiting_skips", "gauge",
	    "Refused callers that the audit log does not have yet, because there were too many.", rooms->audit->skipped);
	if (!rooms->access)
		return;
	add(to, "agent_gateway_access_log_lines_total", "counter", "Lines of the access log that were written.",
	    access_written(rooms->access));
	add(to, "agent_gateway_access_log_skipped_total", "counter", "Lines of the access log that could not be written in time.",
	    access_skipped(rooms->access));
}

void
metrics_reply(const struct metrics *metrics, const struct metrics_rooms *rooms, struct request *request)
{
	struct chat_stats chat = chat_stats(rooms->chat);
	struct buf body = BUF_INIT;

	exposition_family(&body, "agent_gateway_build_info", "gauge", "1, with the version that runs.");
	add_each(&body, "agent_gateway_build_info", "version", PACKAGE_VERSION, 1);
	traffic_write(metrics->traffic, &body);
	write_http(rooms->server, &body);
	write_log(metrics, rooms->log, &body);
	add(&body, "agent_gateway_conversations_busy", "gauge", "Runs with a message that is not answered yet.", chat.busy);
	add(&body, "agent_gateway_handlers", "gauge", "Programs that answer one message each, at work and waiting for their turn.",
	    chat.handlers);
	add(&body, "agent_gateway_handlers_max", "gauge", "Programs of that kind that may work at once.", CHAT_COMMANDS_MAX);
	write_agents(rooms->agents, &body);
	write_turns(rooms->compass, &body);
	write_logs(rooms, &body);
	exposition_process(&body);
	request_reply(request, 200, EXPOSITION_TYPE, (const char *const[]){ "cache-control", "no-store", NULL }, body.s, body.len);
	buf_release(&body);
}
