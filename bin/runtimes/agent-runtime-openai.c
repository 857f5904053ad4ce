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

#include "address.h"
#include "blank.h"
#include "clock.h"
#include "core.h"
#include "die.h"
#include "err.h"
#include "http.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "serve.h"
#include "sse.h"
#include "status.h"
#include "xalloc.h"

#define TURN_TIMEOUT_MS 600000
#define SILENCE_MS 120000  /* a model may think for so long without a byte */
#define CONTEXT_MAX 200000 /* bytes of what was said before */
#define KEY_FILE_MAX 65536
#define SYSTEM_MAX (1024 * 1024)
#define ANSWER_MAX (16u * 1024 * 1024) /* bytes of an answer that is not streamed */
#define STREAM_MAX (64u * 1024 * 1024) /* bytes of one that is, as it comes */

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

/* One request to the endpoint, for one turn. */
struct talk {
	struct openai *openai;
	struct serve_turn *turn;
	struct http_call *call;
	struct sse *sse;
	bool finished;	   /* the endpoint said so */
	struct buf failed; /* JSON of an error inside the stream, "" without */
	struct buf whole;  /* an answer that is no stream */
	size_t streamed;   /* bytes of one */
	unsigned too_long; /* the limit that it went beyond, 0: none */
	struct talk *next, **prev;
};

struct openai {
	struct serve *serve;
	struct http *http;
	struct address address;
	struct buf system, key;
	const char *model;
	bool responses;
	uint64_t context;
	int64_t turn_ms, silence_ms;
	struct talk *talks;
};

/* ---- what is sent */

static void
add_message(struct buf *to, const char *role, const struct buf *text)
{
	if (to->s[to->len - 1] != '[')
		buf_addch(to, ',');
	buf_addch(to, '{');
	jtext_add_string(to, "role", role, strlen(role));
	jtext_add_buf(to, "content", text);
	buf_addch(to, '}');
}

/* From which of the said texts on they fit; the newest always goes. */
static size_t
first_of(const struct openai *openai, const struct serve_thread *thread)
{
	uint64_t left = openai->context;
	size_t i = thread->n_said;

	while (i > 0 && (i == thread->n_said || thread->said[i - 1].text.len <= left)) {
		i--;
		left -= thread->said[i].text.len < left ? thread->said[i].text.len : left;
	}
	return i;
}

static const struct buf *
instructions_of(const struct openai *openai, const struct serve_thread *thread)
{
	return thread->instructions.len ? &thread->instructions : &openai->system;
}

static void
make_request(const struct openai *openai, const struct serve_turn *turn, struct buf *to)
{
	const struct serve_thread *thread = turn->thread;
	const struct buf *system = instructions_of(openai, thread);
	size_t i;

	buf_addch(to, '{');
	jtext_add_buf(to, "model", &thread->model);
	jtext_add_bool(to, "stream", true);
	if (openai->responses) {
		jtext_add_bool(to, "store", false);
		if (system->len)
			jtext_add_buf(to, "instructions", system);
		if (turn->effort.len) {
			buf_addstr(to, ",\"reasoning\":{");
			jtext_add_buf(to, "effort", &turn->effort);
			buf_addch(to, '}');
		}
		buf_addstr(to, ",\"input\":[");
	} else {
		buf_addstr(to, ",\"stream_options\":{\"include_usage\":true}");
		if (turn->effort.len)
			jtext_add_buf(to, "reasoning_effort", &turn->effort);
		buf_addstr(to, ",\"messages\":[");
		if (system->len)
			add_message(to, "system", system);
	}
	for (i = first_of(openai, thread); i < thread->n_said; i++)
		add_message(to, thread->said[i].role, &thread->said[i].text);
	buf_addstr(to, "]}");
}

/* ---- what comes back */

static void
take_usage(struct serve_turn *turn, struct span usage)
{
	static const char *const names[4][3] = { { "prompt_tokens", "input_tokens", NULL },
		{ "prompt_tokens_details", "input_tokens_details", "cached_tokens" }, { "completion_tokens", "output_tokens", NULL },
		{ "completion_tokens_details", "output_tokens_details", "reasoning_tokens" } };
	struct span part;
	size_t i, k;

	for (i = 0; i < 4; i++)
		for (k = 0; k < 2; k++)
			if (!names[i][2])
				(void)jtext_get_i64(usage, names[i][k], &turn->usage[i]);
			else if (jtext_get(usage, names[i][k], &part))
				(void)jtext_get_i64(part, names[i][2], &turn->usage[i]);
}

static void
take_text(struct talk *talk, struct span from, const char *key, void (*give)(struct serve_turn *, const char *, size_t))
{
	struct buf text = BUF_INIT;

	if (jtext_get_string(from, key, &text))
		give(talk->turn, text.s, text.len);
	buf_release(&text);
}

static void
take_failure(struct talk *talk, struct span error)
{
	buf_reset(&talk->failed);
	jtext_compact(&talk->failed, error);
}

/* chat/completions: a chunk, or the whole of an answer that was not streamed */
static void
take_chat(struct talk *talk, struct span value)
{
	struct span part, choice, key, delta;
	size_t pos = 0;

	if (jtext_get(value, "error", &part) && jtext_type(part) != JTEXT_NULL)
		take_failure(talk, part);
	if (jtext_get(value, "usage", &part))
		take_usage(talk->turn, part);
	if (!jtext_get(value, "choices", &part) || jtext_type(part) != JTEXT_ARRAY || !jtext_each(part, &pos, &key, &choice))
		return;
	if (jtext_get(choice, "delta", &delta) || jtext_get(choice, "message", &delta)) {
		take_text(talk, delta, "reasoning_content", serve_reasoning);
		take_text(talk, delta, "content", serve_delta);
	}
	if (jtext_get(choice, "finish_reason", &part) && jtext_type(part) == JTEXT_STRING)
		talk->finished = true;
}

/* responses: one event */
static void
take_event(struct talk *talk, struct span value)
{
	struct buf type = BUF_INIT;
	struct span response, part;

	jtext_get_string(value, "type", &type);
	if (!strcmp(type.s, "response.output_text.delta") || !strcmp(type.s, "response.refusal.delta"))
		take_text(talk, value, "delta", serve_delta);
	else if (!strcmp(type.s, "response.reasoning_summary_text.delta") || !strcmp(type.s, "response.reasoning_text.delta"))
		take_text(talk, value, "delta", serve_reasoning);
	else if (!strcmp(type.s, "response.completed") || !strcmp(type.s, "response.incomplete"))
		talk->finished = true;
	else if (!strcmp(type.s, "error"))
		take_failure(talk, value);
	if (jtext_get(value, "response", &response)) {
		if (jtext_get(response, "usage", &part))
			take_usage(talk->turn, part);
		if (!strcmp(type.s, "response.failed") && jtext_get(response, "error", &part) && jtext_type(part) != JTEXT_NULL)
			take_failure(talk, part);
	}
	buf_release(&type);
}

/* responses, not streamed: the texts of the output */
static void
take_response(struct talk *talk, struct span value)
{
	struct span output, key, item, contents, content, part;
	size_t pos = 0, at;

	if (jtext_get(value, "error", &part) && jtext_type(part) != JTEXT_NULL)
		take_failure(talk, part);
	if (jtext_get(value, "usage", &part))
		take_usage(talk->turn, part);
	if (!jtext_get(value, "output", &output) || jtext_type(output) != JTEXT_ARRAY)
		return;
	talk->finished = true;
	while (jtext_each(output, &pos, &key, &item))
		if (jtext_get(item, "content", &contents) && jtext_type(contents) == JTEXT_ARRAY)
			for (at = 0; jtext_each(contents, &at, &key, &content);)
				take_text(talk, content, "text", serve_delta);
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct talk *talk = payload;
	struct err err = ERR_INIT;
	struct span value;

	if (event->data_len == 6 && !memcmp(event->data, "[DONE]", 6)) {
		talk->finished = true;
		return true;
	}
	if (!jtext_check(event->data, event->data_len, false, &value, &err))
		return true; /* a keep-alive of some kind */
	if (talk->openai->responses)
		take_event(talk, value);
	else
		take_chat(talk, value);
	return true;
}

static bool
on_bytes(const char *bytes, size_t n, void *payload)
{
	struct talk *talk = payload;
	struct err err = ERR_INIT;
	bool is_stream = !strcmp(http_call_answer(talk->call)->content_type.s, "text/event-stream");
	size_t max = is_stream ? STREAM_MAX : ANSWER_MAX, *so_far = is_stream ? &talk->streamed : &talk->whole.len;

	if (n > max - *so_far) {
		talk->too_long = (unsigned)max;
		return false;
	}
	if (is_stream) {
		talk->streamed += n;
		return sse_feed(talk->sse, bytes, n, &err);
	}
	buf_add(&talk->whole, bytes, n);
	return true;
}

/* ---- the end of a turn */

static void
talk_free(struct talk *talk)
{
	*talk->prev = talk->next;
	if (talk->next)
		talk->next->prev = talk->prev;
	http_end(talk->call);
	sse_free(talk->sse);
	buf_release(&talk->failed);
	buf_release(&talk->whole);
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
	struct err err = ERR_INIT;
	struct span value;

	if (!jtext_check(talk->whole.s, talk->whole.len, false, &value, &err))
		end(talk, "the endpoint's answer is no JSON", NULL, NULL);
	else {
		if (talk->openai->responses)
			take_response(talk, value);
		else
			take_chat(talk, value);
		if (talk->failed.len)
			end_refused(talk, 0, span_of(&talk->failed), "");
		else
			end(talk, NULL, NULL, NULL);
	}
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
	struct http_request request = { .method = "POST", .headers = headers, .body_cb = on_bytes, .payload = talk };

	talk->openai = openai;
	talk->turn = turn;
	turn->engine = talk;
	buf_init(&talk->failed);
	buf_init(&talk->whole);
	talk->next = openai->talks;
	talk->prev = &openai->talks;
	if (talk->next)
		talk->next->prev = &talk->next;
	openai->talks = talk;
	if (!turn->thread->model.len) {
		end(talk, "no model is chosen: give --model, OPENAI_MODEL, or the model of the thread", "\"modelNotFound\"", NULL);
		return;
	}
	talk->sse = sse_new(on_event, NULL, talk);
	buf_addf(&url, "%s/%s", openai->address.base.s, openai->responses ? "responses" : "chat/completions");
	make_request(openai, turn, &body);
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
