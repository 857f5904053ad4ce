/* mock_step.c - playing a block of the script, step by step */
#include "compat.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "mock.h"
#include "num.h"
#include "out.h"
#include "utf8.h"
#include "xalloc.h"

static int64_t
get_ms(struct span step, const char *key, int64_t otherwise)
{
	struct buf text = BUF_INIT;
	int64_t ms = otherwise;

	if (jtext_get_string(step, key, &text)) {
		if (!num_duration(text.s, key, &ms, NULL))
			ms = otherwise;
	} else if (jtext_get_i64(step, key, &ms) && ms < 0)
		ms = otherwise;
	buf_release(&text);
	return ms;
}

static void
fail(struct mock *mock, struct player *player, struct span step, const char *key, bool retry)
{
	struct buf text = BUF_INIT, error = BUF_INIT, params = BUF_INIT;
	struct span info;

	player_text(player, step, key, &text);
	buf_addch(&error, '{');
	jtext_add_buf(&error, "message", &text);
	buf_addstr(&error, ",\"codexErrorInfo\":");
	if (jtext_get(step, "info", &info))
		jtext_compact(&error, info);
	else
		buf_addstr(&error, "\"other\"");
	buf_addstr(&error, ",\"additionalDetails\":null}");
	if (retry) {
		player_params(player, &params);
		jtext_add_bool(&params, "willRetry", true);
		jtext_add_raw(&params, "error", error.s, error.len);
		player_send(mock, "error", &params);
	} else
		player_turn_end(mock, player, "failed", error.s);
	buf_release(&text);
	buf_release(&error);
}

static void
play_notify(struct mock *mock, const struct player *player, struct span notify)
{
	struct buf method = BUF_INIT, params = BUF_INIT;
	struct span value;

	if (jtext_get_string(notify, "method", &method)) {
		if (jtext_get(notify, "params", &value))
			player_json(player, value, &params);
		else
			buf_addstr(&params, "{}");
		mock_notify(mock, method.s, params.s);
	}
	buf_release(&method);
	buf_release(&params);
}

static void
fill(struct buf *to, int64_t n)
{
	if (n < 0 || (uint64_t)n > MOCK_FILL_MAX)
		return;
	buf_reserve(to, (size_t)n);
	memset(to->s + to->len, 'x', (size_t)n);
	to->len += (size_t)n;
	to->s[to->len] = '\0';
}

/* {"raw":TEXT} or {"hex":DIGITS}: bytes on standard output as they are; "end":false leaves the newline away. */
static void
play_raw(const struct player *player, struct span step)
{
	struct buf bytes = BUF_INIT, hex = BUF_INIT;
	struct span end;
	size_t i;

	player_text(player, step, "raw", &bytes);
	if (jtext_get_string(step, "hex", &hex))
		for (i = 0; i + 1 < hex.len; i += 2) {
			const char pair[] = { hex.s[i], hex.s[i + 1], '\0' };

			buf_addch(&bytes, (char)strtol(pair, NULL, 16));
		}
	if (!jtext_get(step, "end", &end) || jtext_type(end) != JTEXT_FALSE)
		buf_addch(&bytes, '\n');
	out_write(bytes.s, bytes.len);
	out_flush();
	buf_release(&bytes);
	buf_release(&hex);
}

/* Leaves a process behind in our group that takes no SIGTERM; its pid goes to a file. */
static void
play_orphan(const char *path)
{
	pid_t pid;
	FILE *file;

	out_flush();
	pid = fork();
	if (pid < 0) {
		warn("unable to leave a process behind");
		return;
	}
	if (!pid) {
		signal(SIGTERM, SIG_IGN);
		close(0);
		close(1);
		close(2);
		for (;;)
			pause();
	}
	if (!(file = fopen(path, "w")) || fprintf(file, "%ld\n", (long)pid) < 0 || fclose(file) != 0)
		warn("unable to write '%s'", path);
}

static void
play_touch(const char *path)
{
	FILE *file = fopen(path, "a");

	if (!file || fclose(file) != 0)
		warn("unable to write '%s'", path);
}

static void
play_ignore(struct mock *mock, const char *what)
{
	if (!strcmp(what, "TERM"))
		signal(SIGTERM, SIG_IGN);
	else if (!strcmp(what, "interrupt"))
		mock->ignore_interrupt = true;
	else if (!strcmp(what, "end"))
		mock->stay = true;
	else if (!strcmp(what, "input"))
		mock->deaf = true;
	else
		warn("unable to ignore '%s': it is none of TERM, interrupt, end, input", what);
}

/* Both stay open as descriptors: what is written goes nowhere. */
static void
play_close(struct mock *mock, const char *what)
{
	int null = open("/dev/null", O_RDWR), fd = !strcmp(what, "input") ? STDIN_FILENO : STDOUT_FILENO;

	out_flush();
	if (fd == STDIN_FILENO)
		mock->deaf = true;
	if (null < 0 || dup2(null, fd) < 0)
		warn("unable to close the %s", what);
	if (null >= 0)
		close(null);
}

static NORETURN void
leave(int status, int signo)
{
	out_flush_quietly();
	if (signo) {
		signal(signo, SIG_DFL);
		kill(getpid(), signo);
	}
	_exit(status);
}

static void
push(struct player *player, struct span step, int64_t rounds)
{
	struct frame frame = { .left = rounds, .owned = true };
	struct span list, key, inner;
	size_t pos = 0;

	if (player->depth == MOCK_DEPTH_MAX || rounds < 1 || !jtext_get(step, "steps", &list) || jtext_type(list) != JTEXT_ARRAY)
		return;
	while (jtext_each(list, &pos, &key, &inner)) {
		frame.steps = xgrow(frame.steps, frame.n, sizeof *frame.steps);
		frame.steps[frame.n++] = inner;
	}
	if (frame.n)
		player->frames[player->depth++] = frame;
}

/* Steps that only a turn can play. False: word is none of them. */
static bool
play_in_turn(struct mock *mock, struct player *player, struct span step, const char *word, struct span value)
{
	struct buf text = BUF_INIT;
	int64_t n = 0;
	char id[MOCK_ID];
	bool known = true;

	if (!strcmp(word, "delta")) {
		player_text(player, step, word, &text);
		player_message_add(mock, player, text.s, text.len);
	} else if (!strcmp(word, "say")) {
		player_message_close(mock, player);
		buf_reset(&player->saying);
		player->said_at = 0;
		player_text(player, step, word, &player->saying);
		player->chunk = jtext_get_i64(step, "chunk", &n) && n > 0 ? n : mock->chunk;
		player->pause = get_ms(step, "pause", mock->pause_ms);
		player_message_open(mock, player);
	} else if (!strcmp(word, "big")) {
		jtext_i64(value, &n);
		fill(&text, n);
		player_message_add(mock, player, text.s, text.len);
	} else if (!strcmp(word, "think")) {
		struct buf item = BUF_INIT;

		player_text(player, step, word, &text);
		mock_id(mock, id);
		buf_addf(&item, "{\"type\":\"reasoning\",\"id\":\"%s\",\"summary\":[],\"content\":[]}", id);
		player_item(mock, player, "item/started", &item);
		player_delta(mock, player, "item/reasoning/textDelta", id, text.s, text.len, "contentIndex");
		buf_cut(&item, item.len - 2);
		jtext_quote(&item, text.s, text.len);
		buf_addstr(&item, "]}");
		player_item(mock, player, "item/completed", &item);
		buf_release(&item);
	} else if (!strcmp(word, "plan")) {
		player_text(player, step, word, &text);
		mock_id(mock, id);
		player_delta(mock, player, "item/plan/delta", id, text.s, text.len, NULL);
	} else if (!strcmp(word, "command") || !strcmp(word, "patch"))
		player_work(mock, player, step);
	else if (!strcmp(word, "question"))
		player_question(mock, player, step);
	else if (!strcmp(word, "request"))
		player_request(mock, player, value, step);
	else if (!strcmp(word, "retry"))
		fail(mock, player, step, word, true);
	else if (!strcmp(word, "fail"))
		fail(mock, player, step, word, false);
	else if (!strcmp(word, "complete"))
		player_turn_end(mock, player, "completed", NULL);
	else if (!strcmp(word, "interrupted"))
		player_turn_end(mock, player, "interrupted", NULL);
	else
		known = false;
	buf_release(&text);
	return known;
}

static void
play_answer(struct player *player, struct span step, const char *word)
{
	struct buf text = BUF_INIT;
	struct span value;
	int64_t code = -32600;

	if (!player->request.len)
		return;
	jtext_get(step, word, &value);
	if (!strcmp(word, "refuse")) {
		player_text(player, step, word, &text);
		jtext_get_i64(step, "code", &code);
		mock_refuse(player->request.s, code, text.s);
	} else if (player->thread && jtext_type(value) == JTEXT_TRUE) {
		buf_addstr(&text, "{\"turn\":");
		mock_add_turn(&text, player->turn, "inProgress", NULL);
		buf_addch(&text, '}');
		mock_answer(player->request.s, text.s);
	} else if (jtext_type(value) != JTEXT_TRUE) {
		player_json(player, value, &text);
		mock_answer(player->request.s, text.s);
	} else
		return; /* true: the built-in answer, given when the block is over */
	buf_reset(&player->request);
	buf_release(&text);
}

/* Steps of a request or of the start, and of a turn too. False: word is none of them. */
static bool
play_anywhere(struct mock *mock, struct player *player, struct span step, const char *word, struct span value)
{
	struct buf text = BUF_INIT;
	int64_t n = 0;
	bool known = true;

	jtext_i64(value, &n);
	player_text(player, step, word, &text);
	if (!strcmp(word, "repeat"))
		push(player, step, n);
	else if (!strcmp(word, "wait")) {
		player->until = deadline_in(get_ms(step, "wait", 0));
		player->wait = WAIT_TIME;
	} else if (!strcmp(word, "hang"))
		player->wait = WAIT_EVER;
	else if (!strcmp(word, "answer") || !strcmp(word, "refuse"))
		play_answer(player, step, word);
	else if (!strcmp(word, "notify"))
		play_notify(mock, player, value);
	else if (!strcmp(word, "raw") || !strcmp(word, "hex"))
		play_raw(player, step);
	else if (!strcmp(word, "fill")) {
		buf_reset(&text);
		fill(&text, n);
		out_line(text.s, text.len);
	} else if (!strcmp(word, "stderr")) {
		buf_addch(&text, '\n');
		if (write(STDERR_FILENO, text.s, text.len) < 0)
			warn("unable to write to standard error");
	} else if (!strcmp(word, "touch"))
		play_touch(text.s);
	else if (!strcmp(word, "orphan"))
		play_orphan(text.s);
	else if (!strcmp(word, "ignore"))
		play_ignore(mock, text.s);
	else if (!strcmp(word, "close"))
		play_close(mock, text.s);
	else if (!strcmp(word, "login"))
		mock_login_done(mock, jtext_type(value) == JTEXT_TRUE);
	else if (!strcmp(word, "exit"))
		leave((int)n, 0);
	else if (!strcmp(word, "signal"))
		leave(0, (int)n);
	else
		known = false;
	buf_release(&text);
	return known;
}

/* The first member of a step says what it is; the others are its details. */
static void
play(struct mock *mock, struct player *player, struct span step)
{
	struct buf word = BUF_INIT, text = BUF_INIT;
	struct span key, value;
	size_t pos = 0;

	if (jtext_each(step, &pos, &key, &value))
		jtext_string(key, &word);
	if (!word.len ||
	    (!play_anywhere(mock, player, step, word.s, value) && (!player->thread || !play_in_turn(mock, player, step, word.s, value)))) {
		jtext_compact(&text, step);
		warn("unable to play the step %s", text.s);
	}
	buf_release(&word);
	buf_release(&text);
}

/* The next piece of a "say"; false when all is said. */
static bool
say_on(struct mock *mock, struct player *player)
{
	size_t left = player->saying.len - player->said_at, n = left, len;

	if (!left)
		return false;
	if (player->chunk && (size_t)player->chunk < left) {
		/* no character is split */
		for (n = 0; n < (size_t)player->chunk; n += len)
			utf8_next(player->saying.s + player->said_at + n, left - n, &len);
	}
	player_message_add(mock, player, player->saying.s + player->said_at, n);
	player->said_at += n;
	if (player->said_at < player->saying.len && player->pause) {
		player->until = deadline_in(player->pause);
		player->wait = WAIT_TIME;
	}
	return true;
}

static bool
next_step(struct player *player, struct span *ret)
{
	while (player->depth) {
		struct frame *frame = &player->frames[player->depth - 1];

		if (frame->at < frame->n) {
			*ret = frame->steps[frame->at++];
			return true;
		}
		frame->at = 0;
		frame->round++;
		if (--frame->left > 0)
			continue;
		if (player->depth == 1)
			return false;
		if (frame->owned)
			free(frame->steps);
		player->depth--;
	}
	return false;
}

static void
finish(struct mock *mock, struct player *player)
{
	struct span message;

	if (player->thread) {
		if (player->request.len)
			play_answer(player, (struct span){ "{\"answer\":true}", 15 }, "answer");
		player_turn_end(mock, player, "completed", NULL);
		return;
	}
	player->over = true;
	if (!player->request.len)
		return;
	message = span_of(&player->message);
	mock_builtin(mock, message);
}

bool
player_play(struct mock *mock, struct player *player)
{
	struct span step;
	int i;

	if (player->wait == WAIT_TIME && !deadline_left(player->until))
		player->wait = WAIT_NONE;
	for (i = 0; i < MOCK_BURST && player->wait == WAIT_NONE && !player->over; i++) {
		if (player->saying.len) {
			if (say_on(mock, player))
				continue;
			buf_reset(&player->saying);
			player_message_close(mock, player);
		}
		if (!next_step(player, &step))
			finish(mock, player);
		else
			play(mock, player, step);
	}
	return player->wait == WAIT_NONE && !player->over;
}
