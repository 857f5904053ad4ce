/* remote_answer.c - what a session host says, as the room hears it: results, pieces of text, ends, and errors in the contract's words
 * (section 10.5) */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "runtime/redact.h"
#include "runtime/remote.h"

#define SHOWN_MAX 512 /* characters of a refusal that are told */
#define CODE_MAX 64
#define MESSAGE_ITEM "message" /* id of the one message that a turn has */

/* ---- lines */

void
answer_result(struct remote *remote, int64_t id, struct span result)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "{\"id\":%lld,\"result\":", (long long)id);
	jtext_compact(&line, result);
	buf_addch(&line, '}');
	remote_give(remote, &line);
}

void
answer_error(struct remote *remote, int64_t id, int status, const char *code, const char *message)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "{\"id\":%lld,\"error\":{\"code\":-32000", (long long)id);
	jtext_add_text(&line, "message", message);
	buf_addstr(&line, ",\"data\":{");
	jtext_add_text(&line, "code", code);
	jtext_add_i64(&line, "status", status);
	buf_addstr(&line, "}}}");
	remote_give(remote, &line);
}

/* A notification about the turn, up to where the rest of its params goes. */
static void
begin_notice(const struct ask *ask, const char *method, struct buf *line)
{
	buf_addf(line, "{\"method\":\"%s\",\"params\":{", method);
	jtext_add_buf(line, "threadId", &ask->identifier);
}

static void
add_turn(const struct ask *ask, const char *status, struct buf *line)
{
	buf_addstr(line, ",\"turn\":{");
	jtext_add_buf(line, "id", &ask->turn);
	jtext_add_text(line, "status", status);
}

static void
end_notice(struct ask *ask, struct buf *line)
{
	buf_addstr(line, "}}");
	remote_give(ask->remote, line);
}

void
answer_begun(struct ask *ask)
{
	struct buf line = BUF_INIT, result = BUF_INIT;

	buf_addstr(&result, "{\"turn\":{");
	jtext_add_buf(&result, "id", &ask->turn);
	buf_addstr(&result, ",\"status\":\"inProgress\"}}");
	answer_result(ask->remote, ask->id, span_of(&result));
	ask->id = 0;
	begin_notice(ask, "turn/started", &line);
	add_turn(ask, "inProgress", &line);
	buf_addch(&line, '}');
	end_notice(ask, &line);
	buf_release(&result);
}

void
answer_delta(struct ask *ask, const char *text, size_t n)
{
	struct buf line = BUF_INIT;

	if (!n)
		return;
	ask->said += n;
	ask->said_print = hash_add(ask->said_print, text, n);
	begin_notice(ask, "item/agentMessage/delta", &line);
	jtext_add_buf(&line, "turnId", &ask->turn);
	jtext_add_text(&line, "itemId", MESSAGE_ITEM);
	jtext_add_string(&line, "delta", text, n);
	end_notice(ask, &line);
}

void
answer_usage(struct ask *ask, struct span usage)
{
	struct buf line = BUF_INIT;

	begin_notice(ask, "thread/tokenUsage/updated", &line);
	jtext_add_buf(&line, "turnId", &ask->turn);
	jtext_add_raw(&line, "tokenUsage", usage.s, usage.n);
	end_notice(ask, &line);
}

/* ---- what else the runtime there says of the turn */

/* The params, with our names of the thread and the turn; of a pool's, nothing that opens it. */
static void
add_params(const struct ask *ask, struct span params, struct buf *to)
{
	const char *const secrets[] = { ask->remote->host->pool ? ask->identifier.s : ask->token.s, ask->token.s, NULL };
	struct buf text = BUF_INIT;

	buf_addch(&text, '{');
	jtext_add_others(&text, params, (const char *const[]){ "threadId", "turnId", NULL });
	buf_addch(&text, '}');
	buf_addstr(to, ",\"params\":{");
	jtext_add_buf(to, "threadId", &ask->identifier);
	jtext_add_buf(to, "turnId", &ask->turn);
	if (text.len > 2) {
		buf_addch(to, ',');
		redact_add(to, text.s + 1, text.len - 2, SIZE_MAX, secrets);
	}
	buf_addch(to, '}');
	buf_release(&text);
}

static bool
read_said(struct span object, struct buf *method, struct span *params)
{
	return jtext_get_string(object, "method", method) && method->len == strlen(method->s) && jtext_get(object, "params", params) &&
	    jtext_type(*params) == JTEXT_OBJECT;
}

/* Of messages there are the deltas, and of the turn's life the end. */
static bool
is_notice(const char *method)
{
	return (!strncmp(method, "item/", 5) && strncmp(method, "item/agentMessage/", 18) != 0) || !strcmp(method, "turn/plan/updated") ||
	    !strcmp(method, "turn/diff/updated") || !strcmp(method, "error");
}

void
answer_notice(struct ask *ask, struct span notice)
{
	struct buf method = BUF_INIT, line = BUF_INIT;
	struct span params;

	if (read_said(notice, &method, &params) && is_notice(method.s)) {
		buf_addch(&line, '{');
		jtext_add_buf(&line, "method", &method);
		add_params(ask, params, &line);
		buf_addch(&line, '}');
		remote_give(ask->remote, &line);
	}
	buf_release(&method);
}

/* The id that it has in lines. False: the host's name for it is none. */
static bool
add_approval(const struct ask *ask, struct span approval, struct buf *to)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789abcdefghijklmnopqrstuvwxyz-";
	struct buf name = BUF_INIT;
	bool good = jtext_get_string(approval, "approvalId", &name) && name.len && name.len <= APPROVAL_NAME_MAX &&
	    strspn(name.s, plain) == name.len;

	buf_addch(&name, APPROVAL_ID_PARTED);
	buf_add(&name, ask->turn.s, ask->turn.len);
	if (good)
		jtext_quote(to, name.s, name.len);
	buf_release(&name);
	return good;
}

void
answer_approval(struct ask *ask, struct span approval)
{
	struct buf method = BUF_INIT, line = BUF_INIT;
	struct span params;

	buf_addstr(&line, "{\"id\":");
	if (read_said(approval, &method, &params) && add_approval(ask, approval, &line)) {
		jtext_add_buf(&line, "method", &method);
		add_params(ask, params, &line);
		buf_addch(&line, '}');
		remote_give(ask->remote, &line);
	}
	buf_release(&method);
	buf_release(&line);
}

void
answer_resolved(struct ask *ask, struct span approval)
{
	struct buf line = BUF_INIT, id = BUF_INIT;

	if (add_approval(ask, approval, &id)) {
		begin_notice(ask, "serverRequest/resolved", &line);
		jtext_add_raw(&line, "requestId", id.s, id.len);
		end_notice(ask, &line);
	}
	buf_release(&id);
}

/* ---- the end of a turn */

/* What a host says of a failure beyond its code and its message. */
struct more {
	struct buf info;	  /* codexErrorInfo, JSON; "": none */
	struct buf retry_at;	  /* a time; "": none */
	enum runtime_fault fault; /* NONE: it does not say */
};

static void
end_turn(struct ask *ask, const char *status, const char *code, const char *message, const struct buf *metadata, const struct more *more)
{
	struct buf line = BUF_INIT;

	begin_notice(ask, "turn/completed", &line);
	add_turn(ask, status, &line);
	if (message) {
		buf_addstr(&line, ",\"error\":{");
		jtext_add_text(&line, "message", message);
		jtext_add_text(&line, "code", code);
		if (more && more->info.len)
			jtext_add_raw(&line, "codexErrorInfo", more->info.s, more->info.len);
		if (more && more->retry_at.len)
			jtext_add_buf(&line, "retryAt", &more->retry_at);
		buf_addch(&line, '}');
	}
	buf_addch(&line, '}');
	if (metadata && metadata->len)
		jtext_add_raw(&line, "runtimeMetadata", metadata->s, metadata->len);
	end_notice(ask, &line);
	ask_free(ask);
}

void
answer_stopped(struct ask *ask)
{
	end_turn(ask, "interrupted", NULL, NULL, NULL, NULL);
}

void
answer_failed(struct ask *ask, int status, const char *code, const char *message)
{
	struct ask *turn = ask->kind == ASK_APPROVAL ? ask_turn(ask->remote, ask->turn.s) : NULL;

	if (ask->kind == ASK_TURN) {
		end_turn(ask, "failed", code, message, NULL, NULL);
		return;
	}
	/* it would wait for ever for the answer that could not be given */
	if (turn)
		end_turn(turn, "failed", code, message, NULL, NULL);
	if (ask->id)
		answer_error(ask->remote, ask->id, status, code, message);
	ask_free(ask);
}

/* The whole answer; what of it was not given yet is. */
static void
say_rest(struct ask *ask, const struct buf *text)
{
	struct buf line = BUF_INIT;

	if (ask->said && ask->said < text->len && hash(text->s, ask->said) == ask->said_print)
		answer_delta(ask, text->s + ask->said, text->len - ask->said);
	if (!text->len)
		return;
	begin_notice(ask, "item/completed", &line);
	jtext_add_buf(&line, "turnId", &ask->turn);
	buf_addstr(&line, ",\"item\":{\"type\":\"agentMessage\"");
	jtext_add_text(&line, "id", MESSAGE_ITEM);
	jtext_add_buf(&line, "text", text);
	buf_addch(&line, '}');
	end_notice(ask, &line);
}

/* Of a pool's, the identifier is nobody's business: it opens the session. */
static void
add_metadata(const struct ask *ask, struct span metadata, struct buf *to)
{
	const char *const secrets[] = { ask->identifier.s, ask->token.s, NULL };
	struct buf text = BUF_INIT;

	if (!ask->remote->host->pool) {
		jtext_compact(to, metadata);
		return;
	}
	buf_addch(&text, '{');
	jtext_add_others(&text, metadata, (const char *const[]){ "identifier", NULL });
	buf_addch(&text, '}');
	redact_add(to, text.s, text.len, SIZE_MAX, secrets);
	buf_release(&text);
}

static void
turn_done(struct ask *ask, struct span object)
{
	struct buf text = BUF_INIT, metadata = BUF_INIT;
	struct span value;
	bool stopped = false;

	if (jtext_get(object, "runtimeMetadata", &value) && jtext_type(value) == JTEXT_OBJECT) {
		add_metadata(ask, value, &metadata);
		stopped = jtext_get(value, "status", &value) && jtext_is_string(value, "interrupted");
	}
	(void)jtext_get_string(object, "outputText", &text);
	say_rest(ask, &text);
	end_turn(ask, stopped ? "interrupted" : "completed", NULL, NULL, &metadata, NULL);
	buf_release(&text);
	buf_release(&metadata);
}

/* ---- trouble */

/* The runtime there, with its own word for it if it has one. */
static void
fail_runtime(struct ask *ask, int status, const char *code, const char *message, const struct more *more)
{
	struct buf text = BUF_INIT;

	if (more->fault) {
		status = more->fault == RUNTIME_FAULT_AUTH ? 401 : 503;
		code = fault_code(more->fault);
	}
	if (ask->kind == ASK_TURN)
		end_turn(ask, "failed", code, message, NULL, more);
	else {
		buf_addstr(&text, message);
		if (more->fault)
			buf_addf(&text, "; %s", fault_hint(more->fault));
		answer_failed(ask, status, code, text.s);
	}
	buf_release(&text);
}

/* What a pool's status means, and what can be done about it. */
static void
fail_pool(struct ask *ask, int status, struct span body, const struct buf *own, const struct more *more)
{
	const char *const secrets[] = { ask->identifier.s, ask->token.s, NULL };
	const char *code = "AGENT_RUNTIME_UNAVAILABLE", *advice = "";
	struct buf message = BUF_INIT;

	buf_addf(&message, "%s request failed (%d): ", ask->remote->name, status);
	redact_add(&message, body.s, body.n, SHOWN_MAX, secrets);
	if (status == 401 || status == 403) {
		code = "AGENT_RUNTIME_TOKEN_REFUSED";
		advice = "; the gateway's identity needs the role Azure ContainerApps Session Executor on the pool";
	} else if (status == 429) {
		code = "AGENT_RUNTIME_POOL_BUSY";
		advice = "; try again later, or give the pool more sessions";
	} else if (status == 404 && strncmp(own->s, "TURN_", 5) != 0) {
		code = "AGENT_RUNTIME_POOL_NOT_FOUND";
		advice = "; look at DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT";
	} else if (!strncmp(own->s, "RUNTIME_EXECUTION_FAILED", own->len + 1))
		code = "RUNTIME_EXECUTION_FAILED";
	buf_addstr(&message, advice);
	fail_runtime(ask, 503, code, message.s, more);
	buf_release(&message);
}

static bool
is_about_account(const char *message)
{
	return strcasestr(message, "auth") || strcasestr(message, "login") || strcasestr(message, "api key") ||
	    strcasestr(message, "account");
}

static void
fail_local(struct ask *ask, int status, struct buf *own, struct buf *message, const struct more *more)
{
	const char *const secrets[] = { ask->token.s, NULL };
	struct buf safe = BUF_INIT, said = BUF_INIT;

	if (!message->len)
		buf_addf(message, "%s request failed (%d)", ask->remote->name, status);
	redact_add(&safe, message->s, message->len, SIZE_MAX, secrets);
	if (!own->len || own->len > CODE_MAX ||
	    own->len != strspn(own->s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789abcdefghijklmnopqrstuvwxyz-")) {
		buf_reset(own);
		buf_addstr(own, "AGENT_RUNTIME_UNAVAILABLE");
	}
	if (status == 401 && !strcmp(own->s, "UNAUTHORIZED")) {
		/* it is the gateway that was turned away, not whoever asks it */
		buf_addf(&said,
		    "%s does not take the gateway's token (401: %s); name the file with the right one in "
		    "AGENT_RUNTIME_ENDPOINT_TOKEN_FILE",
		    ask->remote->name, safe.s);
		answer_failed(ask, 503, "AGENT_RUNTIME_TOKEN_REFUSED", said.s);
	} else if (!more->fault && !strcmp(own->s, "RUNTIME_EXECUTION_FAILED") && is_about_account(message->s))
		answer_failed(ask, 401, "AGENT_RUNTIME_AUTH_REQUIRED", safe.s);
	else if (!strcmp(own->s, "RUNTIME_AUTH_UNSUPPORTED"))
		answer_failed(ask, 400, "AGENT_RUNTIME_PROVIDER_UNSUPPORTED", safe.s);
	else
		fail_runtime(ask, status >= 500 ? 503 : status < 400 ? 400 : status, own->s, safe.s, more);
	buf_release(&safe);
	buf_release(&said);
}

/* The host said no: body has its reason. */
static void
refused(struct ask *ask, int status, struct span body)
{
	struct buf code = BUF_INIT, message = BUF_INIT, fault = BUF_INIT;
	struct more more = { BUF_INIT, BUF_INIT, RUNTIME_FAULT_NONE };
	struct span object, value;

	if (jtext_check(body.s, body.n, true, &object, NULL)) {
		(void)jtext_get_string(object, "code", &code);
		(void)jtext_get_string(object, "message", &message);
		if (jtext_get(object, "codexErrorInfo", &value))
			jtext_compact(&more.info, value);
		(void)jtext_get_string(object, "retryAt", &more.retry_at);
		(void)jtext_get_string(object, "fault", &fault);
		more.fault = fault_of_code(fault.s);
	}
	if (ask->kind == ASK_APPROVAL && (!strcmp(code.s, "APPROVAL_NOT_FOUND") || !strcmp(code.s, "TURN_NOT_FOUND")))
		ask_free(ask); /* it is asked no more */
	else if (ask->kind == ASK_INTERRUPT && status != 404 && ask->id) {
		/* asking again would not help */
		answer_result(ask->remote, ask->id, (struct span){ "{}", 2 });
		ask_free(ask);
	} else if (ask->remote->host->pool)
		fail_pool(ask, status, body, &code, &more);
	else
		fail_local(ask, status, &code, &message, &more);
	buf_release(&more.info);
	buf_release(&more.retry_at);
	buf_release(&fault);
	buf_release(&code);
	buf_release(&message);
}

static void
unreachable(struct ask *ask, const struct fetch_answer *answer)
{
	struct remote *remote = ask->remote;
	bool pool = remote->host->pool;
	const char *code = pool ? "AGENT_RUNTIME_POOL_UNREACHABLE" : "AGENT_RUNTIME_UNAVAILABLE";
	struct buf message = BUF_INIT;

	if (answer->result == FETCH_TIMEOUT) {
		code = "AGENT_RUNTIME_UNAVAILABLE";
		buf_addf(&message, "%s request timed out after %lldms", remote->name,
		    (long long)(ask->sse	    ? RUNTIME_HOST_SILENCE_MS
			    : ask->kind == ASK_TURN ? remote->turn_ms
						    : remote->request_ms));
	} else if (answer->result == FETCH_UNREACHABLE)
		buf_addf(&message, "%s cannot be reached: %s; look at %s", remote->name, answer->why.s,
		    pool ? "DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT" : "AGENT_RUNTIME_ENDPOINT");
	else
		buf_addf(&message, "%s broke off its answer: %s", remote->name, answer->why.s);
	answer_failed(ask, 503, code, message.s);
	buf_release(&message);
}

static void
no_answer(struct ask *ask, const char *what)
{
	struct buf message = BUF_INIT;

	buf_addf(&message, "%s %s", ask->remote->name, what);
	answer_failed(ask, 503, "AGENT_RUNTIME_UNAVAILABLE", message.s);
	buf_release(&message);
}

static void
taken(struct ask *ask, struct span object)
{
	struct buf text = BUF_INIT;

	if (ask->kind == ASK_TURN) {
		turn_done(ask, object);
		return;
	}
	if (ask->kind == ASK_BOOTSTRAP) {
		buf_addstr(&text, "{\"thread\":{");
		jtext_add_buf(&text, "id", &ask->identifier);
		buf_addstr(&text, "}}");
		object = span_of(&text);
	}
	if (ask->id)
		answer_result(ask->remote, ask->id, object);
	ask_free(ask);
	buf_release(&text);
}

void
answer_done(struct ask *ask, const struct fetch_answer *answer)
{
	const struct buf *body = ask->kind == ASK_TURN && answer->status >= 200 && answer->status <= 299 ? &ask->answer : &answer->body;
	struct span object;

	if (answer->result != FETCH_DONE && !ask->whole)
		unreachable(ask, answer);
	else if (answer->status < 200 || answer->status > 299)
		refused(ask, answer->status, span_of(body));
	else if (ask->sse && !ask->whole)
		no_answer(ask, "ended its answer before its end");
	else if (ask->failed)
		refused(ask, 502, span_of(body));
	else if (!jtext_check(body->s, body->len, true, &object, NULL) || jtext_type(object) != JTEXT_OBJECT)
		no_answer(ask, "gave an answer that is no JSON object");
	else
		taken(ask, object);
}
