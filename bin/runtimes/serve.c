/* serve.c - requests of the client, and what is told it */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "out.h"
#include "serve_internal.h"
#include "utf8.h"
#include "xalloc.h"

/* ---- writing */

void
serve_answer(const char *request, const char *result)
{
	out_printf("{\"id\":%s,\"result\":%s}\n", request, result);
}

void
serve_refuse(const char *request, const char *message)
{
	struct buf line = BUF_INIT;

	buf_addstr(&line, "{\"error\":{\"code\":-32600");
	jtext_add_string(&line, "message", message, strlen(message));
	buf_addf(&line, "},\"id\":%s}", request);
	out_line(line.s, line.len);
	buf_release(&line);
}

void
serve_notify(struct serve *serve, const char *method, const struct buf *params)
{
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < serve->n_quiet; i++)
		if (!strcmp(serve->quiet[i], method))
			return;
	buf_addch(&line, '{');
	jtext_add_string(&line, "method", method, strlen(method));
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
}

static void
add_turn(struct buf *to, const struct serve_turn *turn, const char *status, const char *error)
{
	buf_addch(to, '{');
	jtext_add_string(to, "id", turn->id, strlen(turn->id));
	jtext_add_raw(to, "items", "[]", 2);
	jtext_add_string(to, "status", status, strlen(status));
	jtext_add_raw(to, "error", error ? error : "null", error ? strlen(error) : 4);
	buf_addch(to, '}');
}

/* {"threadId":...,"turnId":... and what follows is the caller's */
static void
begin_params(struct buf *to, const struct serve_turn *turn)
{
	buf_addch(to, '{');
	jtext_add_string(to, "threadId", turn->thread->id, strlen(turn->thread->id));
	jtext_add_string(to, "turnId", turn->id, strlen(turn->id));
}

/* ---- items */

void
serve_item(struct serve_turn *turn, bool completed, const struct buf *item)
{
	struct buf params = BUF_INIT;

	begin_params(&params, turn);
	jtext_add_raw(&params, "item", item->s, item->len);
	jtext_add_i64(&params, completed ? "completedAtMs" : "startedAtMs", clock_wall_ms());
	buf_addch(&params, '}');
	serve_notify(turn->serve, completed ? "item/completed" : "item/started", &params);
	buf_release(&params);
}

static void
message_item(struct serve_turn *turn, bool completed)
{
	struct buf item = BUF_INIT;

	buf_addch(&item, '{');
	jtext_add_string(&item, "type", "agentMessage", 12);
	jtext_add_string(&item, "id", turn->item, strlen(turn->item));
	jtext_add_string(&item, "text", turn->message.s, turn->message.len);
	buf_addch(&item, '}');
	serve_item(turn, completed, &item);
	buf_release(&item);
}

static void
send_delta(struct serve_turn *turn, const char *method, const char *item, const char *s, size_t n, const char *index)
{
	struct buf params = BUF_INIT;

	begin_params(&params, turn);
	jtext_add_string(&params, "itemId", item, strlen(item));
	jtext_add_string(&params, "delta", s, n);
	if (index)
		jtext_add_i64(&params, index, 0);
	buf_addch(&params, '}');
	serve_notify(turn->serve, method, &params);
	buf_release(&params);
}

void
serve_delta(struct serve_turn *turn, const char *s, size_t n)
{
	if (!n || turn->interrupted)
		return;
	if (!*turn->item) {
		key_uuid(turn->item);
		buf_reset(&turn->message);
		if (turn->answer.len)
			buf_addstr(&turn->answer, "\n\n");
		message_item(turn, false);
	}
	buf_add(&turn->message, s, n);
	buf_add(&turn->answer, s, n);
	send_delta(turn, "item/agentMessage/delta", turn->item, s, n, NULL);
}

void
serve_reasoning(struct serve_turn *turn, const char *s, size_t n)
{
	char item[SERVE_ID + 8];

	if (!n || turn->interrupted)
		return;
	snprintf(item, sizeof item, "r-%s", turn->id);
	send_delta(turn, "item/reasoning/textDelta", item, s, n, "contentIndex");
}

void
serve_message_end(struct serve_turn *turn)
{
	if (!*turn->item)
		return;
	message_item(turn, true);
	turn->item[0] = '\0';
}

/* ---- turns */

static void
add_input(struct buf *to, struct span input)
{
	struct span key, item;
	size_t pos = 0;

	while (jtext_each(input, &pos, &key, &item))
		jtext_get_string(item, "text", to);
}

static void
status_changed(struct serve *serve, const struct serve_thread *thread, const char *status)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", thread->id, strlen(thread->id));
	jtext_add_raw(&params, "status", status, strlen(status));
	buf_addch(&params, '}');
	serve_notify(serve, "thread/status/changed", &params);
	buf_release(&params);
}

static void
tell_turn(struct serve_turn *turn, const char *method, const char *status, const char *error)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", turn->thread->id, strlen(turn->thread->id));
	buf_addstr(&params, ",\"turn\":");
	add_turn(&params, turn, status, error);
	buf_addch(&params, '}');
	serve_notify(turn->serve, method, &params);
	buf_release(&params);
}

static void
tell_usage(struct serve_turn *turn)
{
	static const char *const names[] = { "inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens" };
	struct buf params = BUF_INIT, counts = BUF_INIT;
	size_t i;

	if (!turn->usage[0] && !turn->usage[2])
		return;
	buf_addf(&counts, "{\"totalTokens\":%lld", (long long)(turn->usage[0] + turn->usage[2]));
	for (i = 0; i < ARRAY_LEN(names); i++)
		jtext_add_i64(&counts, names[i], turn->usage[i]);
	buf_addch(&counts, '}');
	begin_params(&params, turn);
	buf_addf(&params, ",\"tokenUsage\":{\"total\":%s,\"last\":%s,\"modelContextWindow\":null}}", counts.s, counts.s);
	serve_notify(turn->serve, "thread/tokenUsage/updated", &params);
	buf_release(&params);
	buf_release(&counts);
}

static void
forget_asks(struct serve *serve, struct serve_turn *turn)
{
	struct ask **at = &serve->asks, *ask;

	while ((ask = *at)) {
		if (ask->turn != turn) {
			at = &ask->next;
			continue;
		}
		*at = ask->next;
		if (ask->answered)
			ask->answered(turn, SPAN_NONE, ask->payload);
		free(ask);
	}
}

void
serve_end(struct serve_turn *turn, const char *message, const char *info, const char *details)
{
	struct serve *serve = turn->serve;
	struct serve_thread *thread = turn->thread;
	struct buf error = BUF_INIT;

	forget_asks(serve, turn);
	if (!turn->interrupted)
		serve_message_end(turn);
	if (turn->answer.len)
		thread_say(serve, thread, "assistant", turn->answer.s, turn->answer.len);
	tell_usage(turn);
	if (message && !turn->interrupted) {
		buf_addch(&error, '{');
		jtext_add_string(&error, "message", message, strlen(message));
		jtext_add_raw(&error, "codexErrorInfo", info ? info : "\"other\"", info ? strlen(info) : 7);
		if (details)
			jtext_add_string(&error, "additionalDetails", details, strlen(details));
		else
			jtext_add_raw(&error, "additionalDetails", "null", 4);
		buf_addch(&error, '}');
	}
	status_changed(serve, thread, error.len ? "{\"type\":\"systemError\"}" : "{\"type\":\"idle\"}");
	if (error.len) {
		struct buf params = BUF_INIT;

		begin_params(&params, turn);
		jtext_add_bool(&params, "willRetry", false);
		jtext_add_raw(&params, "error", error.s, error.len);
		buf_addch(&params, '}');
		serve_notify(serve, "error", &params);
		buf_release(&params);
	}
	tell_turn(turn, "turn/completed",
	    turn->interrupted ? "interrupted"
		: error.len   ? "failed"
			      : "completed",
	    error.len ? error.s : NULL);
	thread->turn = NULL;
	buf_release(&error);
	buf_release(&turn->input);
	buf_release(&turn->effort);
	buf_release(&turn->message);
	buf_release(&turn->answer);
	free(turn);
}

static void
answer_turn(const char *request, const struct serve_turn *turn)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"turn\":");
	add_turn(&result, turn, "inProgress", NULL);
	buf_addch(&result, '}');
	serve_answer(request, result.s);
	buf_release(&result);
}

static void
tell_input(struct serve_turn *turn, struct span input)
{
	struct buf item = BUF_INIT;
	char id[SERVE_ID];

	key_uuid(id);
	buf_addch(&item, '{');
	jtext_add_string(&item, "type", "userMessage", 11);
	jtext_add_string(&item, "id", id, strlen(id));
	buf_addstr(&item, ",\"content\":");
	jtext_compact(&item, input);
	buf_addch(&item, '}');
	serve_item(turn, false, &item);
	serve_item(turn, true, &item);
	buf_release(&item);
}

static void
steer(struct serve *serve, const char *request, struct serve_turn *turn, struct span input)
{
	struct buf text = BUF_INIT;

	add_input(&text, input);
	thread_say(serve, turn->thread, "user", text.s, text.len);
	answer_turn(request, turn);
	tell_input(turn, input);
	if (serve->engine->steer)
		serve->engine->steer(turn, (struct span){ text.s, text.len });
	buf_release(&text);
}

static void
turn_start(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct serve_turn *turn;
	struct span input;

	if (!thread)
		return;
	if (!jtext_get(params, "input", &input) || jtext_type(input) != JTEXT_ARRAY) {
		serve_refuse(request, "Invalid request: missing field `input`");
		return;
	}
	if (thread->turn) {
		steer(serve, request, thread->turn, input);
		return;
	}
	thread_take(thread, params);
	turn = xcalloc(1, sizeof *turn);
	turn->serve = serve;
	turn->thread = thread;
	thread->turn = turn;
	key_uuid(turn->id);
	buf_init(&turn->input);
	buf_init(&turn->effort);
	buf_init(&turn->message);
	buf_init(&turn->answer);
	add_input(&turn->input, input);
	jtext_get_string(params, "effort", &turn->effort);
	thread_say(serve, thread, "user", turn->input.s, turn->input.len);
	answer_turn(request, turn);
	status_changed(serve, thread, "{\"type\":\"active\",\"activeFlags\":[]}");
	tell_turn(turn, "turn/started", "inProgress", NULL);
	tell_input(turn, input);
	serve->engine->turn(turn);
}

static void
turn_steer(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct span input, want;

	if (!thread)
		return;
	if (!thread->turn || (jtext_get(params, "expectedTurnId", &want) && !jtext_is_string(want, thread->turn->id)))
		serve_refuse(request, "no active turn to steer");
	else if (!jtext_get(params, "input", &input))
		serve_refuse(request, "Invalid request: missing field `input`");
	else {
		struct buf text = BUF_INIT, result = BUF_INIT;

		add_input(&text, input);
		thread_say(serve, thread, "user", text.s, text.len);
		buf_addch(&result, '{');
		jtext_add_string(&result, "turnId", thread->turn->id, strlen(thread->turn->id));
		buf_addch(&result, '}');
		serve_answer(request, result.s);
		tell_input(thread->turn, input);
		if (serve->engine->steer)
			serve->engine->steer(thread->turn, (struct span){ text.s, text.len });
		buf_release(&text);
		buf_release(&result);
	}
}

static void
turn_interrupt(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct span want;

	if (!thread)
		return;
	if (!thread->turn || !jtext_get(params, "turnId", &want) || !jtext_is_string(want, thread->turn->id)) {
		serve_refuse(request, "no active turn to interrupt");
		return;
	}
	serve_answer(request, "{}");
	if (thread->turn->interrupted)
		return;
	thread->turn->interrupted = true;
	serve->engine->interrupt(thread->turn);
}

/* ---- asking the client */

void
serve_ask(struct serve_turn *turn, const char *method, const struct buf *params, void (*answered)(struct serve_turn *, struct span, void *),
    void *payload)
{
	struct serve *serve = turn->serve;
	struct ask *ask = xcalloc(1, sizeof *ask);
	struct buf line = BUF_INIT;

	ask->turn = turn;
	ask->id = serve->next_ask++;
	ask->answered = answered;
	ask->payload = payload;
	ask->next = serve->asks;
	serve->asks = ask;
	buf_addf(&line, "{\"id\":%lld", (long long)ask->id);
	jtext_add_string(&line, "method", method, strlen(method));
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
	status_changed(serve, turn->thread, "{\"type\":\"active\",\"activeFlags\":[\"waitingOnApproval\"]}");
}

static void
take_reply(struct serve *serve, struct span message, int64_t id)
{
	struct ask **at = &serve->asks, *ask;
	struct span result;

	while ((ask = *at) && ask->id != id)
		at = &ask->next;
	if (!ask)
		return;
	*at = ask->next;
	status_changed(serve, ask->turn->thread, "{\"type\":\"active\",\"activeFlags\":[]}");
	if (!jtext_get(message, "result", &result))
		result = SPAN_NONE;
	ask->answered(ask->turn, result, ask->payload);
	free(ask);
}

/* ---- the account */

static void
tell_account(struct serve *serve)
{
	struct buf params = BUF_INIT;

	buf_addstr(&params,
	    serve->engine->has_key(serve) ? "{\"authMode\":\"apikey\",\"planType\":null}" : "{\"authMode\":null,\"planType\":null}");
	serve_notify(serve, "account/updated", &params);
	buf_release(&params);
}

static void
account(struct serve *serve, const char *request, const char *method, struct span params)
{
	const struct serve_engine *engine = serve->engine;
	struct buf key = BUF_INIT, done = BUF_INIT;
	struct span type;

	if (!strcmp(method, "account/read"))
		serve_answer(request,
		    engine->has_key && engine->has_key(serve) ? "{\"account\":{\"type\":\"apiKey\"},\"requiresOpenaiAuth\":false}"
							      : "{\"account\":null,\"requiresOpenaiAuth\":false}");
	else if (!strcmp(method, "account/rateLimits/read"))
		serve_refuse(request, "this runtime has no rate limits to read");
	else if (!engine->key)
		serve_refuse(request, "this runtime has no account");
	else if (!strcmp(method, "account/logout")) {
		engine->key(serve, "");
		serve_answer(request, "{}");
		tell_account(serve);
	} else if (!strcmp(method, "account/login/start")) {
		if (!jtext_get(params, "type", &type) || !jtext_is_string(type, "apiKey") || !jtext_get_string(params, "apiKey", &key))
			serve_refuse(request, "this runtime only knows logins of type apiKey");
		else {
			engine->key(serve, key.s);
			serve_answer(request, "{\"type\":\"apiKey\"}");
			buf_addstr(&done, "{\"loginId\":null,\"success\":true,\"error\":null}");
			serve_notify(serve, "account/login/completed", &done);
			tell_account(serve);
		}
	} else if (!jtext_get_string(params, "loginId", &key) || !key_is_uuid(key.s)) /* account/login/cancel */
		serve_refuse(request, "Invalid request: loginId is no UUID");
	else
		serve_answer(request, "{\"status\":\"notFound\"}");
	if (key.len)
		memset(key.s, 0, key.len);
	buf_release(&key);
	buf_release(&done);
}

static void
models(struct serve *serve, const char *request)
{
	const char *model = serve->engine->model;
	struct buf result = BUF_INIT;

	if (serve->engine->models) {
		serve->engine->models(serve, request);
		return;
	}
	buf_addstr(&result, "{\"data\":[");
	if (*model) {
		buf_addch(&result, '{');
		jtext_add_string(&result, "id", model, strlen(model));
		jtext_add_string(&result, "model", model, strlen(model));
		jtext_add_string(&result, "displayName", model, strlen(model));
		buf_addstr(&result,
		    ",\"description\":\"\",\"hidden\":false,\"isDefault\":true,\"supportedReasoningEfforts\":[],\"defaultReasoningEffort\":\"medium\"}");
	}
	buf_addstr(&result, "],\"nextCursor\":null}");
	serve_answer(request, result.s);
	buf_release(&result);
}

/* ---- requests */

static void
greet(struct serve *serve, const char *request, struct span params)
{
	struct span capabilities, quiet, key, name;
	struct buf text = BUF_INIT, result = BUF_INIT;
	size_t pos = 0;

	serve->greeted = true;
	if (jtext_get(params, "capabilities", &capabilities) && jtext_get(capabilities, "optOutNotificationMethods", &quiet) &&
	    jtext_type(quiet) == JTEXT_ARRAY)
		while (jtext_each(quiet, &pos, &key, &name)) {
			buf_init(&text);
			if (!jtext_string(name, &text))
				continue;
			serve->quiet = xrealloc(serve->quiet, (serve->n_quiet + 1) * sizeof *serve->quiet);
			serve->quiet[serve->n_quiet++] = buf_detach(&text, NULL);
		}
	buf_addf(&result,
	    "{\"userAgent\":\"agentutils-%s/%s\",\"platformFamily\":\"unix\",\"platformOs\":\"linux\",\"codexHome\":", serve->engine->name,
	    PACKAGE_VERSION);
	jtext_quote(&result, serve->directory ? serve->directory : "", serve->directory ? strlen(serve->directory) : 0);
	buf_addch(&result, '}');
	serve_answer(request, result.s);
	buf_release(&result);
}

static void
take_request(struct serve *serve, const char *request, const char *method, struct span params)
{
	struct buf text = BUF_INIT;

	if (!strcmp(method, "initialize")) {
		if (serve->greeted)
			serve_refuse(request, "Already initialized");
		else
			greet(serve, request, params);
	} else if (!serve->greeted)
		serve_refuse(request, "Not initialized");
	else if (!strcmp(method, "thread/start"))
		thread_start(serve, request, params);
	else if (!strcmp(method, "thread/resume"))
		thread_resume(serve, request, params);
	else if (!strcmp(method, "thread/list"))
		thread_list(serve, request);
	else if (!strcmp(method, "turn/start"))
		turn_start(serve, request, params);
	else if (!strcmp(method, "turn/steer"))
		turn_steer(serve, request, params);
	else if (!strcmp(method, "turn/interrupt"))
		turn_interrupt(serve, request, params);
	else if (!strncmp(method, "account/", 8))
		account(serve, request, method, params);
	else if (!strcmp(method, "model/list"))
		models(serve, request);
	else {
		buf_addf(&text, "Invalid request: unknown method `%.100s`", method);
		serve_refuse(request, text.s);
	}
	buf_release(&text);
}

static bool
good_id(struct span id)
{
	int64_t n;

	return jtext_type(id) == JTEXT_STRING || jtext_i64(id, &n);
}

static void
take_line(struct serve *serve, const char *s, size_t n)
{
	struct span message, id = SPAN_NONE, params;
	struct buf method = BUF_INIT, request = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t number;

	if (!jtext_check(s, n, true, &message, &err) || jtext_type(message) != JTEXT_OBJECT) {
		warn("unable to take a line: it is no message");
		return;
	}
	(void)jtext_get(message, "id", &id);
	if (!jtext_get(message, "params", &params))
		params = (struct span){ "{}", 2 };
	if (jtext_get_string(message, "method", &method)) {
		if (id.n && good_id(id)) {
			buf_add(&request, id.s, id.n);
			take_request(serve, request.s, method.s, params);
		}
	} else if (id.n && jtext_i64(id, &number))
		take_reply(serve, message, number);
	buf_release(&method);
	buf_release(&request);
}

int
serve_fd(void)
{
	return STDIN_FILENO;
}

bool
serve_read(struct serve *serve)
{
	char *line;
	size_t n;

	do {
		switch (line_next(&serve->in, &line, &n)) {
		case LINE_OK:
			take_line(serve, line, n);
			break;
		case LINE_LONG:
			warn("unable to take a line: it has %zu bytes, more than %u", n, SERVE_LINE_MAX);
			break;
		case LINE_AGAIN:
			out_flush();
			return true;
		case LINE_EOF:
			return false;
		case LINE_ERROR:
			die_errno(STATUS_IO, "unable to read standard input");
		}
	} while (line_ready(&serve->in));
	out_flush();
	return true;
}

void *
serve_engine_payload(const struct serve *serve)
{
	return serve->engine->payload;
}
