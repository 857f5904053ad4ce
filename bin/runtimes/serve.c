/* serve.c - requests of the client, and the answers that need no turn */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blank.h"
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
	jtext_add_text(&line, "message", message);
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
	jtext_add_text(&line, "method", method);
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
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

/* A key goes into a header, or the environment of a program. */
static void
login(struct serve *serve, const char *request, struct span params)
{
	struct buf key = BUF_INIT, done = BUF_INIT;
	struct span type;
	size_t i = 0;

	if (!jtext_get(params, "type", &type) || !jtext_is_string(type, "apiKey") || !jtext_get_string(params, "apiKey", &key)) {
		serve_refuse(request, "this runtime only knows logins of type apiKey");
		goto out;
	}
	blank_trim_buf(&key, BLANK_JSON);
	while (i < key.len && key.s[i] > ' ' && key.s[i] < 0x7f)
		i++;
	if (!key.len)
		serve_refuse(request, "unable to use the key: it is empty");
	else if (i < key.len)
		serve_refuse(request, "unable to use the key: it holds a blank, a control or a non-ASCII character");
	else {
		serve->engine->key(serve, key.s);
		serve_answer(request, "{\"type\":\"apiKey\"}");
		buf_addstr(&done, "{\"loginId\":null,\"success\":true,\"error\":null}");
		serve_notify(serve, "account/login/completed", &done);
		tell_account(serve);
	}
out:
	if (key.cap)
		memset(key.s, 0, key.cap);
	buf_release(&key);
	buf_release(&done);
}

static void
account(struct serve *serve, const char *request, const char *method, struct span params)
{
	const struct serve_engine *engine = serve->engine;
	struct buf id = BUF_INIT;

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
	} else if (!strcmp(method, "account/login/start"))
		login(serve, request, params);
	else if (!jtext_get_string(params, "loginId", &id) || !key_is_uuid(id.s)) /* account/login/cancel */
		serve_refuse(request, "Invalid request: loginId is no UUID");
	else
		serve_answer(request, "{\"status\":\"notFound\"}");
	buf_release(&id);
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
		jtext_add_text(&result, "id", model);
		jtext_add_text(&result, "model", model);
		jtext_add_text(&result, "displayName", model);
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
			serve->quiet = xgrow(serve->quiet, serve->n_quiet, sizeof *serve->quiet);
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
take_request(struct serve *serve, const char *request, const char *method, struct span params, struct span trace)
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
		turn_start(serve, request, params, trace);
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
	struct span message, id = SPAN_NONE, params, trace;
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
	if (!jtext_get(message, "trace", &trace))
		trace = SPAN_NONE;
	if (jtext_get_string(message, "method", &method)) {
		if (id.n && good_id(id)) {
			buf_add(&request, id.s, id.n);
			take_request(serve, request.s, method.s, params, trace);
		}
	} else if (id.n && jtext_i64(id, &number))
		serve_take_reply(serve, message, number);
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
