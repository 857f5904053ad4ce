/* a2a.c - messages between agents (contract section 11)
 *
 * What the contract's runtime declares and ignores holds here: the kinds that the target accepts and the source emits, and the target's
 * largest payload. A messageId is taken once, for ever: the store remembers each.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "clarity/internal.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "log/log.h"
#include "status.h"
#include "xalloc.h"

#define PROTOCOL "clarity.a2a.v1"
#define INGEST "/api/a2a/messages"
#define DOC_PREFIX "a2a "

static const char *const kinds[] = { "handoff.request", "handoff.accepted", "handoff.rejected", "handoff.completed" };

/* An envelope, read. */
struct envelope {
	struct buf kind, message_id, sent_at, from_agent, from_service, to_agent, to_service, run, parent, reason, correlation, causation;
	struct buf whole; /* compact */
};

struct refusal {
	int status;
	struct buf text; /* "": none */
};

struct handoff {
	struct asked *asked;
	struct envelope envelope;
	struct buf service, agent; /* of the target */
	struct refusal refusal;	   /* for what the services say; a messageId that was taken already goes before it */
};

/* ---- what agents declare */

static struct span
declared_a2a(const struct agent *agent)
{
	struct span metadata, declared, a2a;

	if (jtext_get(span_of(&agent->manifest), "metadata", &metadata) && jtext_get(metadata, "agent", &declared) &&
	    jtext_get(declared, "a2a", &a2a))
		return a2a;
	return (struct span){ "{}", 2 };
}

static bool
takes_part(const struct agent *agent)
{
	return agent->is_agent && (agent->triggers & TRIGGER_A2A);
}

/* The declared kinds, all without a declaration; JSON. */
static void
add_kinds(const struct agent *agent, const char *key, struct buf *to)
{
	struct span list;
	size_t i;

	if (jtext_get(declared_a2a(agent), key, &list)) {
		jtext_compact(to, list);
		return;
	}
	buf_addch(to, '[');
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		buf_addf(to, "%s\"%s\"", i ? "," : "", kinds[i]);
	buf_addch(to, ']');
}

/* Is the kind among the declared ones? If not, they are named in `to`. */
static bool
declares_kind(const struct agent *agent, const char *key, const struct buf *kind, struct buf *to)
{
	struct span list, item;
	size_t pos = 0;

	if (!jtext_get(declared_a2a(agent), key, &list))
		return true;
	while (jtext_each(list, &pos, NULL, &item)) {
		if (jtext_is_string(item, kind->s))
			return true;
		if (to->len)
			buf_addstr(to, ", ");
		jtext_string(item, to);
	}
	return false;
}

/* ---- GET /api/a2a/capabilities */

static void
add_capability(const struct agent *agent, struct buf *to)
{
	struct span a2a = declared_a2a(agent), protocol;
	struct buf list = BUF_INIT;
	int64_t max;
	bool compliant = jtext_get(a2a, "protocol", &protocol) && jtext_is_string(protocol, PROTOCOL);

	buf_addch(to, '{');
	jtext_add_buf(to, "serviceId", &agent->service);
	jtext_add_filled(to, "displayName", &agent->display_name);
	jtext_add_text(to, "lifecycle", lifecycle_text(agent->state.lifecycle));
	jtext_add_text(to, "health", health_text(agent->state.health));
	jtext_add_buf(to, "agentId", &agent->agent_id);
	jtext_add_buf(to, "name", &agent->name);
	jtext_add_buf(to, "role", &agent->role);
	if (jtext_get(a2a, "protocol", &protocol))
		jtext_add_raw(to, "protocol", protocol.s, protocol.n);
	jtext_add_bool(to, "compliant", compliant);
	jtext_add_text(to, "ingestPath", INGEST);
	add_kinds(agent, "acceptedMessageKinds", &list);
	jtext_add_raw(to, "acceptedMessageKinds", list.s, list.len);
	buf_reset(&list);
	add_kinds(agent, "emitsMessageKinds", &list);
	jtext_add_raw(to, "emitsMessageKinds", list.s, list.len);
	if (jtext_get_i64(a2a, "maxPayloadBytes", &max))
		jtext_add_i64(to, "maxPayloadBytes", max);
	buf_addch(to, '}');
	buf_release(&list);
}

void
get_a2a(struct clarity *clarity, struct request *request, const struct buf *run)
{
	const struct agents *agents = clarity->settings.agents;
	struct buf answer = BUF_INIT, items = BUF_INIT;
	int64_t count = 0;
	size_t i;

	(void)run;
	for (i = 0; i < agents_count(agents); i++) {
		if (!takes_part(agents_at(agents, i)))
			continue;
		if (count++)
			buf_addch(&items, ',');
		add_capability(agents_at(agents, i), &items);
	}
	buf_addstr(&answer, "{\"protocol\":\"" PROTOCOL "\",\"ingestPath\":\"" INGEST "\"");
	jtext_add_i64(&answer, "count", count);
	buf_addf(&answer, ",\"items\":[%s]", items.s);
	jtext_add_time(&answer, "lastUpdated", clock_wall_ms());
	buf_addch(&answer, '}');
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
	buf_release(&items);
}

/* ---- reading an envelope */

static struct buf *const *
texts_of(struct envelope *envelope, struct buf *list[14])
{
	size_t n = 0;

	list[n++] = &envelope->kind;
	list[n++] = &envelope->message_id;
	list[n++] = &envelope->sent_at;
	list[n++] = &envelope->from_agent;
	list[n++] = &envelope->from_service;
	list[n++] = &envelope->to_agent;
	list[n++] = &envelope->to_service;
	list[n++] = &envelope->run;
	list[n++] = &envelope->parent;
	list[n++] = &envelope->reason;
	list[n++] = &envelope->correlation;
	list[n++] = &envelope->causation;
	list[n++] = &envelope->whole;
	list[n] = NULL;
	return list;
}

/* A non-empty string under either name, trimmed. */
static bool
get_text(struct span object, const char *name, const char *other, struct buf *to)
{
	struct span value;

	buf_reset(to);
	if ((!jtext_get(object, name, &value) && !jtext_get(object, other, &value)) || !jtext_string(value, to))
		return false;
	while (to->len && to->s[to->len - 1] && strchr(" \t\r\n\f\v", to->s[to->len - 1]))
		buf_cut(to, to->len - 1);
	buf_consume(to, strspn(to->s, " \t\r\n\f\v"));
	return to->len > 0;
}

static bool
is_kind(const struct buf *kind)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i], kind->s))
			return true;
	return false;
}

/* The contract's checks in its order. NULL: good; else what is wrong. */
static const char *
read_envelope(struct span body, struct envelope *envelope)
{
	struct span from, to, context;
	struct buf text = BUF_INIT;
	int64_t at;
	bool ok;

	ok = get_text(body, "protocol", "protocol", &text) && !strcmp(text.s, PROTOCOL);
	buf_release(&text);
	if (!ok)
		return "invalid a2a.protocol: expected 'clarity.a2a.v1'";
	if (!get_text(body, "kind", "kind", &envelope->kind) || !is_kind(&envelope->kind))
		return "invalid a2a.kind: expected handoff.request|handoff.accepted|handoff.rejected|handoff.completed";
	if (!get_text(body, "messageId", "message_id", &envelope->message_id))
		return "invalid a2a.messageId: expected non-empty string";
	if ((!get_text(body, "sentAt", "sent_at", &envelope->sent_at) && !get_text(body, "timestamp", "timestamp", &envelope->sent_at)) ||
	    !clock_parse_iso(envelope->sent_at.s, envelope->sent_at.len, &at))
		return "invalid a2a.sentAt: expected RFC3339 timestamp";
	if (!jtext_get(body, "from", &from) || !get_text(from, "agentId", "agent_id", &envelope->from_agent))
		return "invalid a2a.from: expected non-empty from.agentId";
	if (!jtext_get(body, "to", &to) || !get_text(to, "agentId", "agent_id", &envelope->to_agent))
		return "invalid a2a.to: expected non-empty to.agentId";
	(void)get_text(from, "serviceId", "service_id", &envelope->from_service);
	(void)get_text(to, "serviceId", "service_id", &envelope->to_service);
	if (!jtext_get(body, "context", &context) || !get_text(context, "runId", "run_id", &envelope->run) ||
	    !get_text(context, "parentRunId", "parent_run_id", &envelope->parent) ||
	    !get_text(context, "handoffReason", "handoff_reason", &envelope->reason))
		return "invalid a2a.context: expected non-empty runId, parentRunId, and handoffReason";
	(void)get_text(context, "correlationId", "correlation_id", &envelope->correlation);
	(void)get_text(context, "causationId", "causation_id", &envelope->causation);
	return NULL;
}

/* ---- who it is from and to */

/* side: "target" or "source"; unknown: what an unknown one is. */
static const struct agent *
check_service(const struct agents *agents, const char *side, const char *member, const struct buf *service, const struct buf *agent_id,
    int unknown, struct refusal *refusal)
{
	const struct agent *agent = agents_by_service(agents, span_of(service));

	refusal->status = 400;
	if (!agent) {
		refusal->status = unknown;
		buf_addf(&refusal->text, "%s service not found: %s", side, service->s);
	} else if (!agent->is_agent)
		buf_addf(&refusal->text, "%s service is not an agent: %s", side, service->s);
	else if (!takes_part(agent))
		buf_addf(&refusal->text, "%s service does not declare trigger 'a2a': %s", side, service->s);
	else if (!buf_equal(&agent->agent_id, agent_id))
		buf_addf(&refusal->text, "%s agent mismatch: envelope %s.agentId='%s' does not match service agentId='%s'", side, member,
		    agent_id->s, agent->agent_id.s);
	else
		return agent;
	return NULL;
}

static const struct agent *
find_target(const struct agents *agents, const struct envelope *envelope, struct refusal *refusal)
{
	const struct agent *found = NULL;
	size_t i, n = 0;

	if (envelope->to_service.len)
		return check_service(agents, "target", "to", &envelope->to_service, &envelope->to_agent, 404, refusal);
	for (i = 0; i < agents_count(agents); i++) {
		const struct agent *agent = agents_at(agents, i);

		if (takes_part(agent) && buf_equal(&agent->agent_id, &envelope->to_agent)) {
			found = agent;
			n++;
		}
	}
	if (n == 1)
		return found;
	refusal->status = n ? 409 : 404;
	buf_addf(&refusal->text,
	    n ? "ambiguous target agent id: %s (multiple services registered)" : "target agent not found (or not a2a-enabled): %s",
	    envelope->to_agent.s);
	return NULL;
}

/* What they have declared about such messages. */
static bool
check_declared(const struct agent *target, const struct agent *source, const struct envelope *envelope, struct refusal *refusal)
{
	struct buf declared = BUF_INIT;
	int64_t max;

	refusal->status = 400;
	if (!declares_kind(target, "acceptedMessageKinds", &envelope->kind, &declared))
		buf_addf(&refusal->text, "target agent %s does not accept a2a.kind '%s'; accepted: %s", target->agent_id.s,
		    envelope->kind.s, declared.s);
	else if (source && !declares_kind(source, "emitsMessageKinds", &envelope->kind, &declared))
		buf_addf(&refusal->text, "source agent %s does not emit a2a.kind '%s'; emitted: %s", source->agent_id.s, envelope->kind.s,
		    declared.s);
	else if (jtext_get_i64(declared_a2a(target), "maxPayloadBytes", &max) && (int64_t)envelope->whole.len > max) {
		refusal->status = 413;
		buf_addf(&refusal->text, "a2a payload too large (%zu > %lld bytes)", envelope->whole.len, (long long)max);
	}
	buf_release(&declared);
	return !refusal->text.len;
}

/* ---- recording it */

static void
handoff_free(struct handoff *handoff)
{
	struct buf *list[14], *const *text;

	for (text = texts_of(&handoff->envelope, list); *text; text++)
		buf_release(*text);
	buf_release(&handoff->service);
	buf_release(&handoff->agent);
	buf_release(&handoff->refusal.text);
	asked_free(handoff->asked);
	free(handoff);
}

static void
begin(struct buf *to, const struct handoff *handoff)
{
	const struct envelope *envelope = &handoff->envelope;

	buf_addch(to, '{');
	jtext_add_buf(to, "runId", &envelope->run);
	jtext_add_buf(to, "serviceId", &handoff->service);
	jtext_add_buf(to, "agent", &handoff->agent);
	jtext_add_text(to, "trigger", "a2a");
	jtext_add_buf(to, "parentRunId", &envelope->parent);
	jtext_add_buf(to, "fromAgentId", &envelope->from_agent);
	jtext_add_buf(to, "messageId", &envelope->message_id);
	jtext_add_filled(to, "correlationId", &envelope->correlation);
	jtext_add_filled(to, "causationId", &envelope->causation);
}

static void
emit(struct change_context *context, const struct handoff *handoff, const char *kind, const struct buf *message, struct buf *data,
    struct buf *recorded)
{
	jtext_add_raw(data, "a2a", handoff->envelope.whole.s, handoff->envelope.whole.len);
	buf_addch(data, '}');
	(void)change_emit(context, SPAN_NONE, kind, LEVEL_INFO, SPAN_NONE, span_of(message), span_of(&handoff->service), span_of(data));
	buf_addf(recorded, "%s\"%s\"", recorded->len ? "," : "", kind);
	buf_reset(data);
}

static void
emit_created(struct change_context *context, const struct handoff *handoff, struct buf *recorded)
{
	const struct envelope *envelope = &handoff->envelope;
	struct buf data = BUF_INIT, message = BUF_INIT;

	begin(&data, handoff);
	buf_addstr(&data, ",\"triggerContext\":{");
	jtext_add_buf(&data, "parentRunId", &envelope->parent);
	jtext_add_buf(&data, "fromAgentId", &envelope->from_agent);
	jtext_add_buf(&data, "handoffReason", &envelope->reason);
	jtext_add_text(&data, "protocol", PROTOCOL);
	jtext_add_buf(&data, "messageId", &envelope->message_id);
	jtext_add_buf(&data, "kind", &envelope->kind);
	jtext_add_buf(&data, "sentAt", &envelope->sent_at);
	buf_addch(&data, '}');
	buf_addf(&message, "A2A run created (%s)", envelope->run.s);
	emit(context, handoff, "agent.run_created", &message, &data, recorded);
	buf_release(&data);
	buf_release(&message);
}

static void
emit_handoff(struct change_context *context, const struct handoff *handoff, struct buf *recorded)
{
	const struct envelope *envelope = &handoff->envelope;
	struct buf data = BUF_INIT, message = BUF_INIT;

	begin(&data, handoff);
	jtext_add_buf(&data, "handoffReason", &envelope->reason);
	jtext_add_buf(&data, "from", &envelope->from_agent);
	jtext_add_buf(&data, "to", &envelope->to_agent);
	jtext_add_buf(&data, "messageKind", &envelope->kind);
	buf_addf(&message, "A2A handoff %s -> %s", envelope->from_agent.s, envelope->to_agent.s);
	emit(context, handoff, "agent.handoff", &message, &data, recorded);
	buf_release(&data);
	buf_release(&message);
}

static void
emit_started(struct change_context *context, const struct handoff *handoff, struct buf *recorded)
{
	struct buf data = BUF_INIT, message = BUF_INIT;

	begin(&data, handoff);
	buf_addf(&message, "A2A run started (%s)", handoff->envelope.run.s);
	emit(context, handoff, "agent.run_started", &message, &data, recorded);
	buf_release(&data);
	buf_release(&message);
}

static bool
refuse(struct change *change, int status, const char *text, const struct run *run)
{
	buf_addch(&change->answer, '{');
	jtext_add_text(&change->answer, "error", text);
	if (run) {
		jtext_add_buf(&change->answer, "runId", &run->id);
		jtext_add_text(&change->answer, "status", run_status_text(run->status));
	}
	buf_addch(&change->answer, '}');
	err_set(&change->err, STATUS_CONFLICT, "%s", text);
	change->err.http = status;
	return false;
}

static bool
apply_handoff(struct change *change, const void *row, struct change_context *context)
{
	struct handoff *handoff = change->payload;
	const struct envelope *envelope = &handoff->envelope;
	const struct run *run = row;
	bool start = !strcmp(envelope->kind.s, "handoff.request") && (!run || run->status == RUN_QUEUED), ok = false;
	struct buf text = BUF_INIT, key = BUF_INIT, recorded = BUF_INIT;

	buf_addstr(&key, DOC_PREFIX);
	buf_add(&key, envelope->message_id.s, envelope->message_id.len);
	if (change_has(context, span_of(&key))) {
		buf_addf(&text, "duplicate a2a.messageId: %s", envelope->message_id.s);
		refuse(change, 409, text.s, NULL);
	} else if (handoff->refusal.text.len) {
		refuse(change, handoff->refusal.status, handoff->refusal.text.s, NULL);
	} else if (run && (run_terminal(run) || run->cancel_asked)) {
		buf_addf(&text, "run is terminal and no longer accepts A2A messages: %s", run->id.s);
		refuse(change, 409, text.s, run);
	} else {
		ok = true;
		change_put(context, span_of(&key), (struct span){ "1", 1 });
		if (!run)
			emit_created(context, handoff, &recorded);
		emit_handoff(context, handoff, &recorded);
		if (start)
			emit_started(context, handoff, &recorded);
		buf_addstr(&change->answer, "{\"ok\":true,\"accepted\":true,\"protocol\":\"" PROTOCOL "\"");
		jtext_add_buf(&change->answer, "messageId", &envelope->message_id);
		jtext_add_buf(&change->answer, "kind", &envelope->kind);
		jtext_add_buf(&change->answer, "runId", &envelope->run);
		jtext_add_buf(&change->answer, "serviceId", &handoff->service);
		jtext_add_buf(&change->answer, "agentId", &handoff->agent);
		buf_addf(&change->answer, ",\"recordedKinds\":[%s]}", recorded.s);
	}
	buf_release(&text);
	buf_release(&key);
	buf_release(&recorded);
	return ok;
}

static void
after_handoff(struct change *change)
{
	static const char *const later[] = { "retry-after", "1", NULL };
	struct handoff *handoff = change->payload;
	struct request *request = handoff->asked->request;

	if (change->result == CHANGE_DONE)
		shape_reply(request, 202, NULL, &change->answer);
	else if (change->result == CHANGE_REFUSED && change->err.http)
		shape_reply(request, change->err.http, NULL, &change->answer);
	else
		request_reply_error(request, 503, later, "%s", change->err.text);
	handoff_free(handoff);
	change_free(change);
}

static void
check(const struct agents *agents, struct handoff *handoff)
{
	const struct envelope *envelope = &handoff->envelope;
	struct refusal *refusal = &handoff->refusal;
	const struct agent *source = NULL, *target = find_target(agents, envelope, refusal);

	if (!target)
		return;
	if (envelope->from_service.len)
		source = check_service(agents, "source", "from", &envelope->from_service, &envelope->from_agent, 400, refusal);
	if (!refusal->text.len && check_declared(target, source, envelope, refusal)) {
		buf_add(&handoff->service, target->service.s, target->service.len);
		buf_add(&handoff->agent, target->agent_id.s, target->agent_id.len);
	}
}

void
post_a2a(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct handoff *handoff;
	struct change *change;
	struct buf *list[14], *const *text;
	struct span body;
	const char *wrong;

	if (!shape_body(request, &body))
		return;
	handoff = xcalloc(1, sizeof *handoff);
	handoff->asked = asked_new(clarity, request, run);
	for (text = texts_of(&handoff->envelope, list); *text; text++)
		buf_init(*text);
	buf_init(&handoff->service);
	buf_init(&handoff->agent);
	buf_init(&handoff->refusal.text);
	jtext_compact(&handoff->envelope.whole, body);
	if (handoff->envelope.whole.len > clarity->settings.a2a_max)
		request_reply_error(
		    request, 413, NULL, "a2a payload too large (%zu > %zu bytes)", handoff->envelope.whole.len, clarity->settings.a2a_max);
	else if ((wrong = read_envelope(body, &handoff->envelope)))
		request_reply_error(request, 400, NULL, "%s", wrong);
	else {
		check(clarity->settings.agents, handoff);
		change = change_new(after_handoff, handoff);
		buf_add(&change->stream, handoff->envelope.run.s, handoff->envelope.run.len);
		change->apply = apply_handoff;
		log_change(clarity->settings.log, change);
		return;
	}
	handoff_free(handoff);
}
