/* remote_ask.c - what is asked of a session host: each request with its token, its deadlines, and a second try where it cannot have run */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "err.h"
#include "key.h"
#include "num.h"
#include "runtime/bearer.h"
#include "runtime/container.h"
#include "runtime/message.h"
#include "runtime/remote.h"
#include "sse.h"
#include "xalloc.h"

#define RETRY_MS 250  /* before the second try, where nobody names a time; twice that before the third */
#define NOT_YET_MAX 5 /* interrupts of a turn the host does not know (yet) */

/* The path of each; of an approval and an interrupt what stands before the turn. */
static const char *const paths[] = { [ASK_BOOTSTRAP] = "/agent/session/bootstrap",
	[ASK_TURN] = "/agent/turns/start",
	[ASK_APPROVAL] = "/agent/turns/",
	[ASK_INTERRUPT] = "/agent/turns/",
	[ASK_ACCOUNT] = "/agent/account/read",
	[ASK_LOGIN] = "/agent/account/login/start",
	[ASK_CANCEL] = "/agent/account/login/cancel",
	[ASK_LOGOUT] = "/agent/account/logout",
	[ASK_LIMITS] = "/agent/account/rate-limits/read" };
_Static_assert(ARRAY_LEN(paths) == ASK_KINDS, "a path for each");

static void ask_begin(struct ask *ask);

void
ask_free(struct ask *ask)
{
	*ask->prev = ask->next;
	if (ask->next)
		ask->next->prev = ask->prev;
	bearer_forget(ask->waiting);
	fetch_cancel(ask->fetch);
	event_free(ask->timer);
	sse_free(ask->sse);
	if (ask->body.cap)
		explicit_bzero(ask->body.s, ask->body.cap);
	if (ask->token.cap)
		explicit_bzero(ask->token.s, ask->token.cap);
	buf_release(&ask->identifier);
	buf_release(&ask->turn);
	buf_release(&ask->approval);
	buf_release(&ask->body);
	buf_release(&ask->token);
	buf_release(&ask->answer);
	trace_release(&ask->trace);
	free(ask);
}

void
ask_hold(struct remote *remote, bool held)
{
	struct ask *ask;

	for (ask = remote->asks; ask; ask = ask->next)
		if (ask->fetch && ask->sse)
			fetch_hold(ask->fetch, held);
}

struct ask *
ask_turn(const struct remote *remote, const char *turn)
{
	struct ask *ask;

	for (ask = remote->asks; ask; ask = ask->next)
		if (ask->kind == ASK_TURN && !strcmp(ask->turn.s, turn))
			return ask;
	return NULL;
}

/* ---- the answer */

static void
wait_ms(struct ask *ask, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(ask->timer, &after);
}

/* How long to wait before it is asked again; negative: it is not. Only what cannot have run is. */
static int64_t
pause_of(struct ask *ask, const struct fetch_answer *answer)
{
	struct buf text = BUF_INIT;
	int64_t ms = RETRY_MS << (ask->tries - 1), seconds;

	if (ask->stopping)
		return -1;
	if (answer->result == FETCH_DONE && answer->status == 401 && ask->remote->bearer && !ask->renewed) {
		ask->renewed = true;
		return bearer_refused(ask->remote->bearer, &ask->token) ? 0 : -1;
	}
	if (ask->remote->container && answer->result == FETCH_UNREACHABLE && !answer->sent && ask->tries < RUNTIME_HOST_TRIES) {
		ask->remote->ready = false; /* it has ended: another one is started */
		return 0;
	}
	/* that an answer was heard twice changes nothing */
	if (ask->kind == ASK_APPROVAL && answer->result != FETCH_DONE)
		return ask->tries < RUNTIME_HOST_TRIES ? ms : -1;
	if (!ask->remote->host->pool || ask->tries >= RUNTIME_HOST_TRIES)
		return -1;
	if (answer->result == FETCH_UNREACHABLE && !answer->sent)
		return ms;
	if (answer->result != FETCH_DONE || answer->status != 429)
		return -1;
	if (fetch_header(answer, "retry-after", &text) && num_i64(text.s, text.len, &seconds) && seconds >= 0)
		ms = seconds < RUNTIME_HOST_PAUSE_MAX_MS ? seconds * 1000 : RUNTIME_HOST_PAUSE_MAX_MS + 1;
	buf_release(&text);
	return ms <= RUNTIME_HOST_PAUSE_MAX_MS ? ms : -1;
}

static void
on_done(const struct fetch_answer *answer, void *payload)
{
	struct ask *ask = payload;
	int64_t ms;

	ask->fetch = NULL;
	ms = ask->kind == ASK_INTERRUPT ? -1 : pause_of(ask, answer);
	if (ms > 0)
		wait_ms(ask, ms);
	else if (!ms)
		ask_begin(ask);
	else if (ask->stopping)
		answer_stopped(ask);
	else
		answer_done(ask, answer);
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct ask *ask = payload;
	struct buf text = BUF_INIT;
	struct span object, usage;

	if (!jtext_check(event->data, event->data_len, true, &object, NULL))
		return true;
	ask->failed = !strcmp(event->type, "error");
	if (!strcmp(event->type, "usage") && jtext_get(object, "tokenUsage", &usage) && jtext_type(usage) == JTEXT_OBJECT)
		answer_usage(ask, usage);
	if (!ask->stopping && !strcmp(event->type, "notice"))
		answer_notice(ask, object);
	if (!strcmp(event->type, "approval"))
		answer_approval(ask, object);
	if (!strcmp(event->type, "approval-resolved"))
		answer_resolved(ask, object);
	if (!strcmp(event->type, "delta")) {
		if (!ask->stopping && jtext_get_string(object, "delta", &text))
			answer_delta(ask, text.s, text.len);
	} else if (ask->failed || !strcmp(event->type, "result")) {
		buf_reset(&ask->answer);
		buf_add(&ask->answer, object.s, object.n);
		ask->whole = true;
	}
	buf_release(&text);
	return !ask->whole;
}

static bool
on_body(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	struct ask *ask = payload;

	if (strcmp(answer->content_type.s, "text/event-stream") != 0) {
		buf_add(&ask->answer, bytes, n);
		return true;
	}
	if (!ask->sse) {
		ask->sse = sse_new(on_event, NULL, ask);
		fetch_silence(ask->fetch, RUNTIME_HOST_SILENCE_MS);
	}
	return sse_feed(ask->sse, bytes, n, NULL) && !ask->whole;
}

/* ---- the request */

static void
send_ask(struct ask *ask)
{
	struct remote *remote = ask->remote;
	const char *headers[7] = { "content-type: application/json", "accept: application/json" };
	size_t n = 2;
	struct fetch_request request = { .method = "POST",
		.headers = headers,
		.unix_path = remote->socket,
		.body = ask->body.s,
		.body_len = ask->body.len,
		.head_ms = ask->kind == ASK_TURN ? remote->turn_ms : remote->request_ms,
		.silence_ms = remote->request_ms,
		.body_max = RUNTIME_HOST_BODY_MAX,
		.body_cb = ask->kind == ASK_TURN ? on_body : NULL,
		.once = ask->kind == ASK_TURN || ask->kind == ASK_LOGIN };
	struct buf url = BUF_INIT, path = BUF_INIT, header = BUF_INIT, parent = BUF_INIT, state = BUF_INIT;

	buf_addstr(&path, paths[ask->kind]);
	if (ask->kind == ASK_TURN) {
		headers[1] = "accept: text/event-stream, application/json";
		headers[n++] = "prefer: approvals";
	}
	if (ask->kind == ASK_APPROVAL)
		buf_addf(&path, "%s/approvals/%s", ask->turn.s, ask->approval.s);
	if (ask->kind == ASK_INTERRUPT) {
		buf_add(&path, ask->turn.s, ask->turn.len);
		buf_addstr(&path, "/interrupt");
	}
	if (ask->token.len) {
		buf_addf(&header, "authorization: Bearer %s", ask->token.s);
		headers[n++] = header.s;
	}
	if (ask->trace.parent) {
		buf_addf(&parent, "traceparent: %s", ask->trace.parent);
		headers[n++] = parent.s;
	}
	if (ask->trace.parent && ask->trace.state) {
		buf_addf(&state, "tracestate: %s", ask->trace.state);
		headers[n++] = state.s;
	}
	remote_url(remote, path.s, ask->kind <= ASK_INTERRUPT ? &ask->identifier : NULL, &url);
	request.url = url.s;
	ask->tries++;
	buf_reset(&ask->answer);
	ask->fetch = fetch_start(remote->fetcher, &request, on_done, ask);
	if (header.cap)
		explicit_bzero(header.s, header.cap);
	buf_release(&url);
	buf_release(&path);
	buf_release(&header);
	buf_release(&parent);
	buf_release(&state);
}

static void
on_token(const struct buf *token, const char *why, void *payload)
{
	struct ask *ask = payload;

	ask->waiting = NULL;
	if (!token) {
		answer_failed(ask, 503, "AGENT_RUNTIME_TOKEN_UNAVAILABLE", why);
		return;
	}
	buf_reset(&ask->token);
	buf_add(&ask->token, token->s, token->len);
	send_ask(ask);
}

static void
ask_begin(struct ask *ask)
{
	ask->parked = ask->remote->container && !ask->remote->ready;
	if (ask->parked)
		container_need(ask->remote->container);
	else if (ask->remote->token.len) {
		buf_reset(&ask->token);
		buf_add(&ask->token, ask->remote->token.s, ask->remote->token.len);
		send_ask(ask);
	} else if (ask->remote->bearer)
		ask->waiting = bearer_get(ask->remote->bearer, on_token, ask);
	else
		send_ask(ask);
}

void
ask_ready(struct remote *remote)
{
	struct ask *ask, *next;

	for (ask = remote->asks; ask; ask = next) {
		next = ask->next;
		if (ask->parked)
			ask_begin(ask);
	}
}

void
ask_none(struct remote *remote, const char *code, const char *why)
{
	struct ask *ask;

again: /* one that fails may take others with it: an approval the turn that asked for it */
	for (ask = remote->asks; ask; ask = ask->next)
		if (ask->parked) {
			answer_failed(ask, 503, code, why);
			goto again;
		}
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct ask *ask = payload;

	(void)fd;
	(void)what;
	if (ask->stopping)
		answer_stopped(ask);
	else
		ask_begin(ask);
}

static struct ask *
ask_new(struct remote *remote, enum ask_kind kind, int64_t id)
{
	struct ask *ask = xcalloc(1, sizeof *ask);

	ask->remote = remote;
	ask->kind = kind;
	ask->id = id;
	buf_init(&ask->identifier);
	buf_init(&ask->turn);
	buf_init(&ask->body);
	buf_init(&ask->approval);
	buf_init(&ask->token);
	buf_init(&ask->answer);
	ask->timer = event_new(remote->base, -1, 0, on_timer, ask);
	ask->next = remote->asks;
	ask->prev = &remote->asks;
	if (ask->next)
		ask->next->prev = &ask->next;
	remote->asks = ask;
	return ask;
}

/* ---- what a line asks for */

/* The name that the client has for its thread, else what the identifier is made of. */
static void
add_thread(const struct ask *ask, struct span params, struct buf *to)
{
	struct buf name = BUF_INIT;
	size_t skip = !strncmp(ask->identifier.s, "thr-", 4) ? 4 : 0;

	if (jtext_get_string(params, "clientThreadId", &name) && name.len)
		jtext_add_buf(to, "threadId", &name);
	else
		jtext_add_string(to, "threadId", ask->identifier.s + skip, ask->identifier.len - skip);
	buf_release(&name);
}

static void
ask_bootstrap(struct remote *remote, int64_t id, struct span params)
{
	struct ask *ask = ask_new(remote, ASK_BOOTSTRAP, id);

	if (!jtext_get_string(params, "identifier", &ask->identifier))
		(void)jtext_get_string(params, "threadId", &ask->identifier);
	if (!ask->identifier.len) {
		buf_addstr(&ask->identifier, "thr-");
		key_add_uuid(&ask->identifier);
	}
	buf_addch(&ask->body, '{');
	add_thread(ask, params, &ask->body);
	buf_addch(&ask->body, '}');
	ask_begin(ask);
}

/* All texts of the input; what is no text goes nowhere. */
static void
add_input(struct span params, struct buf *to)
{
	struct span input, key, item;
	size_t pos = 0, before = to->len;

	if (!jtext_get(params, "input", &input) || jtext_type(input) != JTEXT_ARRAY)
		return;
	while (jtext_each(input, &pos, &key, &item)) {
		if (to->len > before)
			buf_addch(to, '\n');
		(void)jtext_get_string(item, "text", to);
	}
}

/* The options that were given, by the names they have on the wire; one without them is the contract's to the byte. */
static void
add_options(struct span params, struct buf *to)
{
	static const char *const names[] = { "model", "effort", "personality", "approvalPolicy", "sandboxPolicy", "cwd",
		"developerInstructions" };
	struct buf text = BUF_INIT;
	struct span value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (jtext_get(params, names[i], &value) && jtext_type(value) != JTEXT_NULL) {
			buf_reset(&text);
			jtext_compact(&text, value);
			jtext_add_raw(to, names[i], text.s, text.len);
		}
	buf_release(&text);
}

static void
ask_for_turn(struct remote *remote, int64_t id, struct span params, struct span trace)
{
	struct ask *ask = ask_new(remote, ASK_TURN, id);
	struct buf text = BUF_INIT;

	(void)jtext_get_string(params, "threadId", &ask->identifier);
	if (!jtext_get_string(params, "clientTurnId", &ask->turn) || !ask->turn.len || ask_turn(remote, ask->turn.s) != ask) {
		buf_reset(&ask->turn);
		key_add_uuid(&ask->turn);
	}
	add_input(params, &text);
	buf_addch(&ask->body, '{');
	add_thread(ask, params, &ask->body);
	jtext_add_buf(&ask->body, "turnId", &ask->turn);
	jtext_add_buf(&ask->body, "text", &text);
	add_options(params, &ask->body);
	buf_addch(&ask->body, '}');
	buf_release(&text);
	ask->said_print = HASH_INIT;
	trace_read(&ask->trace, trace);
	answer_begun(ask);
	ask_begin(ask);
}

static void
ask_interrupt(struct remote *remote, int64_t id, struct span params)
{
	struct buf name = BUF_INIT;
	struct ask *turn, *ask;

	(void)jtext_get_string(params, "turnId", &name);
	turn = ask_turn(remote, name.s);
	buf_release(&name);
	if (!turn || !turn->fetch) {
		answer_result(remote, id, (struct span){ "{}", 2 });
		if (turn)
			answer_stopped(turn);
		return;
	}
	if (!turn->stopping)
		wait_ms(turn, RUNTIME_HOST_STOP_MS);
	turn->stopping = true;
	ask = ask_new(remote, ASK_INTERRUPT, id);
	buf_add(&ask->identifier, turn->identifier.s, turn->identifier.len);
	buf_add(&ask->turn, turn->turn.s, turn->turn.len);
	buf_addstr(&ask->body, "{}");
	if (++turn->interrupts > NOT_YET_MAX) {
		/* the room would ask again and again what the host has no answer for */
		answer_result(remote, id, (struct span){ "{}", 2 });
		ask->id = 0;
	}
	ask_begin(ask);
}

void
ask_approval(struct remote *remote, const struct message *message)
{
	struct buf id = BUF_INIT;
	struct ask *turn, *ask;
	char *parted;

	if (jtext_string(message->id, &id) && (parted = strchr(id.s, APPROVAL_ID_PARTED)) && (turn = ask_turn(remote, parted + 1))) {
		ask = ask_new(remote, ASK_APPROVAL, 0);
		buf_add(&ask->identifier, turn->identifier.s, turn->identifier.len);
		buf_add(&ask->turn, turn->turn.s, turn->turn.len);
		buf_add(&ask->approval, id.s, (size_t)(parted - id.s));
		if (message->type == MESSAGE_ERROR)
			buf_addstr(&ask->body, "{\"decision\":\"decline\"}");
		else {
			buf_addstr(&ask->body, "{\"result\":");
			jtext_compact(&ask->body, message->params);
			buf_addch(&ask->body, '}');
		}
		ask_begin(ask);
	}
	buf_release(&id);
}

static void
ask_account(struct remote *remote, enum ask_kind kind, int64_t id, struct span params)
{
	struct ask *ask = ask_new(remote, kind, id);

	jtext_compact(&ask->body, params);
	ask_begin(ask);
}

void
ask_request(struct remote *remote, int64_t id, const char *method, struct span params, struct span trace)
{
	static const struct {
		const char *method;
		enum ask_kind kind;
	} asked[] = {
		{ "thread/start", ASK_BOOTSTRAP },
		{ "thread/resume", ASK_BOOTSTRAP },
		{ "turn/start", ASK_TURN },
		{ "turn/interrupt", ASK_INTERRUPT },
		{ "account/read", ASK_ACCOUNT },
		{ "account/login/start", ASK_LOGIN },
		{ "account/login/cancel", ASK_CANCEL },
		{ "account/logout", ASK_LOGOUT },
		{ "account/rateLimits/read", ASK_LIMITS },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(asked) && strcmp(method, asked[i].method) != 0; i++)
		;
	if (!strcmp(method, "initialize"))
		answer_result(remote, id, (struct span){ "{\"userAgent\":\"session-host\"}", 28 });
	else if (i == ARRAY_LEN(asked))
		answer_error(remote, id, 400, "AGENT_RUNTIME_PROVIDER_UNSUPPORTED", "A session host cannot do that");
	else if (asked[i].kind >= ASK_ACCOUNT && remote->host->pool)
		answer_error(remote, id, 400, "AGENT_RUNTIME_PROVIDER_UNSUPPORTED",
		    "Interactive runtime authentication is unavailable for this runtime provider");
	else if (asked[i].kind == ASK_BOOTSTRAP)
		ask_bootstrap(remote, id, params);
	else if (asked[i].kind == ASK_TURN)
		ask_for_turn(remote, id, params, trace);
	else if (asked[i].kind == ASK_INTERRUPT)
		ask_interrupt(remote, id, params);
	else
		ask_account(remote, asked[i].kind, id, params);
}
