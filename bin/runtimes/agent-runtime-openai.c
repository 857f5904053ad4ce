/*
 * agent-runtime-openai - an agent from any OpenAI-compatible endpoint
 *
 * reads   requests of the runtime protocol, agent-runtime(7), one JSON object a line
 * writes  answers and notifications, one a line
 *
 * Each turn is one request to the endpoint, streamed. What was said before goes along, newest first, as far as --context allows. Nothing is
 * sent twice: a request that failed is a turn that failed, and says why.
 */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "blank.h"
#include "clock.h"
#include "core.h"
#include "die.h"
#include "err.h"
#include "http.h"
#include "num.h"
#include "openai.h"
#include "opt.h"
#include "out.h"
#include "status.h"
#include "xalloc.h"

#define TURN_TIMEOUT_MS 600000
#define SILENCE_MS 120000  /* a model may think for so long without a byte */
#define CONTEXT_MAX 200000 /* bytes of what was said before */
#define KEY_FILE_MAX 65536
#define SYSTEM_MAX (1024 * 1024)

enum {
	OPT_ENDPOINT = OPT_OWN,
	OPT_MODEL,
	OPT_API_KIND,
	OPT_SYSTEM,
	OPT_SYSTEM_FILE,
	OPT_KEY,
	OPT_KEY_ENV,
	OPT_STATE,
	OPT_CONTEXT,
	OPT_TURN,
	OPT_SILENCE,
	OPT_CACERT
};

static const struct opt opts[] = {
	{ OPT_ENDPOINT, "endpoint", "URL", "the endpoint (default OPENAI_BASE_URL, else http://127.0.0.1:11434/v1)" },
	{ 'm', "model", "NAME", "the model (default OPENAI_MODEL)" },
	{ OPT_API_KIND, "api", "KIND", "chat or responses: which of the endpoint's ways is used (default chat)" },
	{ OPT_SYSTEM, "system", "TEXT", "what the model is told before everything else" },
	{ OPT_SYSTEM_FILE, "system-file", "FILE", "the same, from a file" },
	{ OPT_KEY, "key-file", "FILE", "file with the endpoint's key" },
	{ OPT_KEY_ENV, "key-env", "NAME", "variable with the endpoint's key (default OPENAI_API_KEY)" },
	{ OPT_STATE, "state", "DIR", "where threads are kept, so that they can be resumed (default: nowhere)" },
	{ OPT_CONTEXT, "context", "BYTES", "of what was said before, at most so much is sent along (default 200000)" },
	{ OPT_TURN, "turn-timeout", "DURATION", "longest time of a turn (default 10m)" },
	{ OPT_SILENCE, "silence", "DURATION", "longest time without a byte (default 2m)" },
	{ OPT_CACERT, "cacert", "FILE", "trust these certificates (PEM)" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-runtime-openai",
	.synopsis = "[options] [app-server]",
	.about = "a runtime on any OpenAI-compatible endpoint",
	.example = "  agent-gateway --runtime 'agent-runtime-openai --model llama3.2'",
	.opts = opts,
};

/* ---- the end of a turn */

static void
talk_free(struct talk *talk)
{
	*talk->prev = talk->next;
	if (talk->next)
		talk->next->prev = talk->prev;
	talk_release(talk);
	free(talk);
}

static void
end(struct talk *talk, const char *message, const char *info, const char *details)
{
	struct serve_turn *turn = talk->turn;

	talk_free(talk);
	serve_end(turn, message, info, details);
}

/* codexErrorInfo by the endpoint's own word for it, else by the status. */
static void
info_of(int status, const char *code, struct buf *to)
{
	if (!strcmp(code, "context_length_exceeded"))
		buf_addstr(to, "\"contextWindowExceeded\"");
	else if (!strcmp(code, "insufficient_quota") || !strcmp(code, "usage_not_included"))
		buf_addstr(to, "\"usageLimitExceeded\"");
	else if (!strcmp(code, "rate_limit_exceeded") || status == 429)
		buf_addstr(to, "\"rateLimitExceeded\"");
	else if (!strcmp(code, "server_is_overloaded") || status == 503 || status == 529)
		buf_addstr(to, "\"serverOverloaded\"");
	else if (!strcmp(code, "model_not_found") || status == 404)
		buf_addstr(to, "\"modelNotFound\"");
	else if (status == 401 || status == 403 || !strcmp(code, "invalid_api_key"))
		buf_addstr(to, "\"unauthorized\"");
	else if (status == 400 || status == 413 || status == 422)
		buf_addstr(to, "\"badRequest\"");
	else if (status >= 500)
		buf_addstr(to, "\"internalServerError\"");
	else
		buf_addstr(to, "\"other\"");
}

/* error: what the endpoint said, an object with a message or a text; SPAN_NONE: nothing of use */
static void
end_refused(struct talk *talk, int status, struct span error, const char *retry_after)
{
	struct buf code = BUF_INIT, message = BUF_INIT, info = BUF_INIT, details = BUF_INIT;

	if (error.n && !jtext_get_string(error, "message", &message))
		(void)jtext_string(error, &message);
	if (error.n && !jtext_get_string(error, "code", &code))
		(void)jtext_get_string(error, "type", &code);
	if (!message.len)
		buf_addf(&message, "the endpoint answered %d", status);
	info_of(status, code.len ? code.s : "", &info);
	if (*retry_after)
		buf_addf(&details, "Retry-After: %s", retry_after);
	end(talk, message.s, info.s, details.len ? details.s : NULL);
	buf_release(&code);
	buf_release(&message);
	buf_release(&info);
	buf_release(&details);
}

/* A 2xx that is one JSON document and no stream. */
static void
take_whole(struct talk *talk)
{
	if (!talk_take_whole(talk))
		end(talk, "the endpoint's answer is no JSON", NULL, NULL);
	else if (talk->failed.len)
		end_refused(talk, 0, span_of(&talk->failed), "");
	else
		end(talk, NULL, NULL, NULL);
}

static void
end_unreachable(struct talk *talk, const char *why)
{
	struct buf message = BUF_INIT;

	buf_addf(&message, "unable to reach the endpoint %s: %s", talk->openai->address.base.s, why);
	end(talk, message.s, "{\"httpConnectionFailed\":{\"httpStatusCode\":null}}", NULL);
	buf_release(&message);
}

/* why: of a connection that failed; NULL: it did not, and yet the answer is not whole */
static void
end_cut(struct talk *talk, const char *why)
{
	const char *type = http_call_answer(talk->call)->content_type.s;
	struct buf message = BUF_INIT;

	if (talk->too_long)
		buf_addf(&message, "the endpoint's answer has more than %u bytes", talk->too_long);
	else if (why)
		buf_addstr(&message, why);
	else if (*type && strcmp(type, "text/event-stream"))
		buf_addf(&message, "the endpoint's answer is %.100s, not a stream or JSON", type);
	else
		buf_addstr(&message, "the endpoint's answer ended before it was whole");
	end(talk, message.s, "{\"responseStreamDisconnected\":{\"httpStatusCode\":null}}", NULL);
	buf_release(&message);
}

static void
finish(struct talk *talk, bool ok, const struct err *err)
{
	const struct http_answer *answer = http_call_answer(talk->call);
	struct err why = ERR_INIT;
	struct span value, error = SPAN_NONE;

	if (talk->turn->interrupted)
		end(talk, NULL, NULL, NULL);
	else if (ok && answer->status / 100 != 2) {
		if (jtext_check(answer->body.s, answer->body.len, false, &value, &why) && !jtext_get(value, "error", &error))
			error = value;
		talk->turn->retry_at_ms = http_retry_at(answer, clock_wall_ms());
		end_refused(talk, answer->status, error, answer->retry_after.len ? answer->retry_after.s : "");
	} else if (talk->failed.len)
		end_refused(talk, 0, span_of(&talk->failed), "");
	else if (ok && !talk->too_long && !strcmp(answer->content_type.s, "application/json"))
		take_whole(talk);
	else if (talk->finished)
		end(talk, NULL, NULL, NULL);
	else if (!ok && err->status == STATUS_UNREACHABLE)
		end_unreachable(talk, err->text);
	else
		end_cut(talk, ok ? NULL : err->text);
}

/* ---- turns */

static void
on_turn(struct serve_turn *turn)
{
	struct openai *openai = serve_engine_payload(turn->serve);
	struct talk *talk = xcalloc(1, sizeof *talk);
	struct buf url = BUF_INIT, body = BUF_INIT, key = BUF_INIT, parent = BUF_INIT, state = BUF_INIT;
	const char *headers[6] = { "content-type: application/json", "accept: text/event-stream, application/json" };
	size_t n = 2;
	struct http_request request = { .method = "POST", .headers = headers, .body_cb = talk_heard, .payload = talk };

	talk->openai = openai;
	talk->turn = turn;
	turn->engine = talk;
	talk_begin(talk);
	talk->next = openai->talks;
	talk->prev = &openai->talks;
	if (talk->next)
		talk->next->prev = &talk->next;
	openai->talks = talk;
	if (!turn->thread->model.len) {
		end(talk, "no model is chosen: give --model, OPENAI_MODEL, or the model of the thread", "\"modelNotFound\"", NULL);
		return;
	}
	buf_addf(&url, "%s/%s", openai->address.base.s, openai->responses ? "responses" : "chat/completions");
	talk_make(openai, turn, &body);
	if (openai->key.len) {
		buf_addf(&key, "authorization: Bearer %s", openai->key.s);
		headers[n++] = key.s;
	}
	if (turn->trace.parent) {
		buf_addf(&parent, "traceparent: %s", turn->trace.parent);
		headers[n++] = parent.s;
	}
	if (turn->trace.state) {
		buf_addf(&state, "tracestate: %s", turn->trace.state);
		headers[n] = state.s;
	}
	request.url = url.s;
	request.body = body.s;
	request.body_len = body.len;
	request.deadline = deadline_in(openai->turn_ms);
	request.silence_ms = openai->silence_ms;
	talk->call = http_start(openai->http, &request);
	if (key.len)
		memset(key.s, 0, key.len);
	buf_release(&url);
	buf_release(&body);
	buf_release(&key);
	buf_release(&parent);
	buf_release(&state);
}

static void
on_interrupt(struct serve_turn *turn)
{
	end(turn->engine, NULL, NULL, NULL);
}

static void
on_key(struct serve *serve, const char *key)
{
	struct openai *openai = serve_engine_payload(serve);

	buf_reset(&openai->key);
	buf_addstr(&openai->key, key);
}

static bool
has_key(const struct serve *serve)
{
	const struct openai *openai = serve_engine_payload(serve);

	return openai->key.len > 0;
}

/* ---- the loop */

static void
run(struct openai *openai)
{
	struct pollfd in = { .fd = serve_fd(), .events = POLLIN };
	struct talk *talk, *next;
	struct err err = ERR_INIT;
	bool ok;

	for (;;) {
		out_flush();
		if (!http_wait(openai->http, &in, 1, DEADLINE_NONE, &err))
			die_err(&err);
		for (talk = openai->talks; talk; talk = next) {
			struct err why = ERR_INIT;

			next = talk->next;
			if (talk->call && http_done(talk->call, &ok, &why))
				finish(talk, ok, &why);
		}
		if (in.revents && !serve_read(openai->serve))
			return;
	}
}

/* ---- options */

static void
take_key(struct openai *openai, const char *file, const char *variable)
{
	const char *value = getenv(variable);
	struct err err = ERR_INIT;
	size_t i;

	if (file) {
		if (!buf_read_file(&openai->key, file, KEY_FILE_MAX, &err)) {
			err.status = STATUS_CONFIG;
			die_err(&err);
		}
	} else if (value)
		buf_addstr(&openai->key, value);
	blank_trim_buf(&openai->key, BLANK_JSON);
	if (file && !openai->key.len)
		die(STATUS_CONFIG, "unable to take the key: '%s' is empty", file);
	for (i = 0; i < openai->key.len; i++)
		if ((unsigned char)openai->key.s[i] <= ' ' || (unsigned char)openai->key.s[i] >= 0x7f)
			die(STATUS_CONFIG, "unable to use the key of '%s': it holds a blank, a control or a non-ASCII character",
			    file ? file : variable);
	if (!file)
		unsetenv(variable); /* nobody can read it there any more */
}

int
main(int argc, char *argv[])
{
	struct openai openai = { .address = ADDRESS_INIT, .turn_ms = TURN_TIMEOUT_MS, .silence_ms = SILENCE_MS, .context = CONTEXT_MAX };
	struct serve_engine engine = {
		.name = "openai", .turn = on_turn, .interrupt = on_interrupt, .key = on_key, .has_key = has_key, .payload = &openai
	};
	struct http_settings settings = { .user_agent = "agentutils/" PACKAGE_VERSION };
	const char *endpoint = getenv("OPENAI_BASE_URL"), *key_file = getenv("OPENAI_API_KEY_FILE"), *key_env = "OPENAI_API_KEY",
		   *state = getenv("AGENT_RUNTIME_STATE");
	struct err err = ERR_INIT;
	int key;

	if (state && !*state)
		state = NULL;
	cmd_init(&cmd);
	core_none();
	buf_init(&openai.system);
	buf_init(&openai.key);
	openai.model = getenv("OPENAI_MODEL");
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		bool good = true;

		switch (key) {
		case OPT_ENDPOINT:
			endpoint = opt_arg;
			break;
		case 'm':
			openai.model = opt_arg;
			break;
		case OPT_API_KIND:
			openai.responses = !strcmp(opt_arg, "responses");
			if (!openai.responses && strcmp(opt_arg, "chat") != 0)
				die_usage("unable to use --api '%s': expected chat or responses", opt_arg);
			break;
		case OPT_SYSTEM:
			buf_reset(&openai.system);
			buf_addstr(&openai.system, opt_arg);
			break;
		case OPT_SYSTEM_FILE:
			buf_reset(&openai.system);
			good = buf_read_file(&openai.system, opt_arg, SYSTEM_MAX, &err);
			break;
		case OPT_KEY:
			key_file = opt_arg;
			break;
		case OPT_KEY_ENV:
			key_env = opt_arg;
			break;
		case OPT_STATE:
			state = opt_arg;
			break;
		case OPT_CONTEXT:
			good = num_size(opt_arg, "--context", &openai.context, &err);
			break;
		case OPT_TURN:
			good = num_duration(opt_arg, "--turn-timeout", &openai.turn_ms, &err);
			break;
		case OPT_SILENCE:
			good = num_duration(opt_arg, "--silence", &openai.silence_ms, &err);
			break;
		case OPT_CACERT:
			settings.cacert = opt_arg;
			break;
		}
		if (!good)
			die_err(&err);
	}
	/* the real ones are called so: a command line can be the same for all */
	if (argc == 1 && !strcmp(*argv, "app-server"))
		argc--;
	if (argc)
		die_usage("there is nothing to do with '%s'", *argv);
	if (!address_parse(endpoint && *endpoint ? endpoint : "http://127.0.0.1:11434/v1", &openai.address, &err))
		die_err(&err);
	take_key(&openai, key_file && *key_file ? key_file : NULL, key_env);
	engine.model = openai.model ? openai.model : "";
	settings.unix_path = openai.address.unix_path.len ? openai.address.unix_path.s : NULL;
	openai.http = http_new(&settings, !strncasecmp(openai.address.base.s, "https:", 6));
	openai.serve = serve_new(&engine, state, &err);
	if (!openai.serve)
		die_err(&err);
	run(&openai);
	serve_free(openai.serve);
	http_free(openai.http);
	address_release(&openai.address);
	buf_release(&openai.system);
	buf_release(&openai.key);
	return out_close();
}
