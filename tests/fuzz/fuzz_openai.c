/* fuzz_openai.c - any bytes as a model's answer: whatever it is, the client is told JSON, a line each, numbers that can be added up, and the
 * same text however a stream is cut
 *
 * The first byte says in which dialect it comes, whether it is streamed, and where it is cut.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "../../bin/runtimes/openai.h"
#include "err.h"
#include "http.h"
#include "serve_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* ---- in the place of common/http.c: there is no network */

static struct http_answer answer;

const struct http_answer *
http_call_answer(const struct http_call *call)
{
	(void)call;
	return &answer;
}

void
http_end(struct http_call *call)
{
	(void)call;
}

/* ---- the engine: a turn begins, and waits for what comes */

static struct serve_turn *turn;

static void
on_turn(struct serve_turn *begun)
{
	turn = begun;
}

static void
on_interrupt(struct serve_turn *ended)
{
	serve_end(ended, NULL, NULL, NULL);
}

/* One turn with this answer, in two pieces; its text is appended. */
static void
feed(struct openai *openai, const char *s, size_t n, size_t cut, struct buf *text)
{
	struct talk talk = { .openai = openai };
	struct span value;
	size_t i;

	client_asks_of_turn(openai->serve, "turn/start", ",\"input\":[{\"type\":\"text\",\"text\":\"hello\"}]");
	talk.turn = turn;
	talk_begin(&talk);
	if (talk_heard(s, cut, &talk) && talk_heard(s + cut, n - cut, &talk) && !talk.streamed)
		(void)!talk_take_whole(&talk);
	for (i = 0; i < ARRAY_LEN(turn->usage); i++)
		if (turn->usage[i] < 0 || turn->usage[i] > INT64_MAX / 4)
			abort();
	if (talk.failed.len && !jtext_check(talk.failed.s, talk.failed.len, false, &value, NULL))
		abort();
	talk_release(&talk);
	buf_add(text, turn->answer.s, turn->answer.len);
	serve_end(turn, NULL, NULL, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct openai openai = { .system = BUF_INIT, .key = BUF_INIT, .model = "m" };
	struct serve_engine engine = { .name = "openai", .model = "m", .turn = on_turn, .interrupt = on_interrupt, .payload = &openai };
	const char *s = (const char *)bytes + 1;
	struct buf whole = BUF_INIT, cut = BUF_INIT;
	struct err err = ERR_INIT;

	if (n == 0 || n > BYTES_MAX)
		return 0;
	openai.responses = *bytes & 1;
	buf_init(&answer.content_type);
	buf_addstr(&answer.content_type, *bytes & 2 ? "text/event-stream" : "application/json");
	client_begin();
	openai.serve = serve_new(&engine, NULL, &err);
	if (!openai.serve)
		abort();
	client_opens(openai.serve);
	feed(&openai, s, n - 1, n - 1, &whole);
	feed(&openai, s, n - 1, (n - 1) * (*bytes >> 2) / 64, &cut);
	if (whole.len != cut.len || memcmp(whole.s, cut.s, cut.len) != 0)
		abort();
	serve_free(openai.serve);
	client_end();
	buf_release(&answer.content_type);
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
