/* openai_talk.c - what an endpoint is asked, and what it says: chat/completions and responses, streamed or not */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "http.h"
#include "openai.h"
#include "sse.h"

#define ANSWER_MAX (16u * 1024 * 1024) /* bytes of an answer that is not streamed */
#define STREAM_MAX (64u * 1024 * 1024) /* bytes of one that is, as it comes */

/* ---- what is sent */

static void
add_message(struct buf *to, const char *role, const struct buf *text)
{
	if (to->s[to->len - 1] != '[')
		buf_addch(to, ',');
	buf_addch(to, '{');
	jtext_add_text(to, "role", role);
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

void
talk_make(const struct openai *openai, const struct serve_turn *turn, struct buf *to)
{
	const struct serve_thread *thread = turn->thread;
	const struct buf *system = instructions_of(openai, thread);
	size_t i;

	buf_addch(to, '{');
	jtext_add_buf(to, "model", &thread->model);
	jtext_add_bool(to, "stream", true);
	if (openai->responses) {
		jtext_add_bool(to, "store", false);
		jtext_add_filled(to, "instructions", system);
		if (turn->effort.len) {
			buf_addstr(to, ",\"reasoning\":{");
			jtext_add_buf(to, "effort", &turn->effort);
			buf_addch(to, '}');
		}
		buf_addstr(to, ",\"input\":[");
	} else {
		buf_addstr(to, ",\"stream_options\":{\"include_usage\":true}");
		jtext_add_filled(to, "reasoning_effort", &turn->effort);
		buf_addstr(to, ",\"messages\":[");
		if (system->len)
			add_message(to, "system", system);
	}
	for (i = first_of(openai, thread); i < thread->n_said; i++)
		add_message(to, thread->said[i].role, &thread->said[i].text);
	buf_addstr(to, "]}");
}

/* ---- what comes back */

/* A number of tokens; what is none, or could not be added up, leaves it as it was. */
static void
take_count(struct span from, const char *key, int64_t *to)
{
	int64_t n;

	if (jtext_get_i64(from, key, &n) && n >= 0 && n < INT64_MAX / 4)
		*to = n;
}

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
				take_count(usage, names[i][k], &turn->usage[i]);
			else if (jtext_get(usage, names[i][k], &part))
				take_count(part, names[i][2], &turn->usage[i]);
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

bool
talk_heard(const char *bytes, size_t n, void *payload)
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

bool
talk_take_whole(struct talk *talk)
{
	struct span value;

	if (!jtext_check(talk->whole.s, talk->whole.len, false, &value, NULL))
		return false;
	if (talk->openai->responses)
		take_response(talk, value);
	else
		take_chat(talk, value);
	return true;
}

void
talk_begin(struct talk *talk)
{
	buf_init(&talk->failed);
	buf_init(&talk->whole);
	talk->sse = sse_new(on_event, NULL, talk);
}

void
talk_release(struct talk *talk)
{
	http_end(talk->call);
	sse_free(talk->sse);
	buf_release(&talk->failed);
	buf_release(&talk->whole);
}
