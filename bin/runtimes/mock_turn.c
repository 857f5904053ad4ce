/* mock_turn.c - playing a block of the script, step by step */
#include "compat.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "err.h"
#include "mock.h"
#include "num.h"
#include "out.h"
#include "utf8.h"
#include "xalloc.h"

struct player *
player_new(struct mock *mock, const struct block *block)
{
	struct player *player = xcalloc(1, sizeof *player), **end = &mock->players;

	player->block = block;
	player->frames[0] = (struct frame){ .steps = block->steps, .n = block->n, .left = 1 };
	player->depth = 1;
	player->ask = -1;
	buf_init(&player->request);
	buf_init(&player->message);
	buf_init(&player->text);
	buf_init(&player->params);
	buf_init(&player->answer);
	buf_init(&player->said);
	buf_init(&player->saying);
	while (*end)
		end = &(*end)->next;
	*end = player;
	player->prev = end;
	return player;
}

void
player_free(struct player *player)
{
	*player->prev = player->next;
	if (player->next)
		player->next->prev = player->prev;
	if (player->thread && player->thread->turn == player)
		player->thread->turn = NULL;
	while (player->depth--)
		if (player->frames[player->depth].owned)
			free(player->frames[player->depth].steps);
	free(player->host);
	buf_release(&player->request);
	buf_release(&player->message);
	buf_release(&player->text);
	buf_release(&player->params);
	buf_release(&player->answer);
	buf_release(&player->said);
	buf_release(&player->saying);
	free(player);
}

/* ---- texts with ${names} in them */

static bool
add_value(const struct player *player, const char *name, size_t n, struct buf *to)
{
	const struct frame *frame = &player->frames[player->depth - 1];
	const struct {
		const char *name, *text;
	} values[] = {
		{ "text", player->text.s },
		{ "answer", player->answer.s },
		{ "params", player->params.s },
		{ "host", player->host ? player->host : "" },
		{ "turn", player->turn },
		{ "thread", player->thread ? player->thread->id : "" },
		{ "cwd", player->thread ? player->thread->cwd : "" },
		{ "approval", player->thread ? player->thread->approval : "" },
		{ "sandbox", player->thread ? player->thread->sandbox.s : "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(values); i++)
		if (strlen(values[i].name) == n && !memcmp(values[i].name, name, n)) {
			buf_addstr(to, values[i].text);
			return true;
		}
	if ((n == 1 && *name == 'i') || (n == 3 && !memcmp(name, "nth", 3))) {
		buf_addf(to, "%lld", (long long)(n == 1 ? frame->round : player->nth));
		return true;
	}
	return false;
}

static void
expand(const struct player *player, const char *s, struct buf *to)
{
	const char *open, *close;

	while ((open = strstr(s, "${")) && (close = strchr(open, '}'))) {
		buf_add(to, s, (size_t)(open - s));
		if (!add_value(player, open + 2, (size_t)(close - open - 2), to))
			buf_add(to, open, (size_t)(close - open + 1));
		s = close + 1;
	}
	buf_addstr(to, s);
}

/* The step's text under key, expanded; false when there is none. */
static bool
get_text(const struct player *player, struct span step, const char *key, struct buf *to)
{
	struct buf raw = BUF_INIT;
	bool found = jtext_get_string(step, key, &raw);

	if (found)
		expand(player, raw.s, to);
	buf_release(&raw);
	return found;
}

/* JSON in which each text may hold ${names}: only ids and the like belong there, so they go in as they are. */
static void
get_json(const struct player *player, struct span value, struct buf *to)
{
	struct buf compact = BUF_INIT;

	jtext_compact(&compact, value);
	expand(player, compact.s, to);
	buf_release(&compact);
}

static bool
get_true(struct span step, const char *key)
{
	struct span value;

	return jtext_get(step, key, &value) && jtext_type(value) == JTEXT_TRUE;
}

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

/* ---- what a turn says */

static void
begin_params(const struct player *player, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_string(to, "threadId", player->thread->id, strlen(player->thread->id));
	jtext_add_string(to, "turnId", player->turn, strlen(player->turn));
}

static void
send_params(struct mock *mock, const char *method, struct buf *params)
{
	buf_addch(params, '}');
	mock_notify(mock, method, params->s);
	buf_release(params);
}

static void
send_status(struct mock *mock, const struct player *player, const char *status)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", player->thread->id, strlen(player->thread->id));
	jtext_add_raw(&params, "status", status, strlen(status));
	send_params(mock, "thread/status/changed", &params);
}

static void
send_item(struct mock *mock, const struct player *player, const char *method, const struct buf *item)
{
	struct buf params = BUF_INIT;

	begin_params(player, &params);
	jtext_add_i64(&params, strcmp(method, "item/started") ? "completedAtMs" : "startedAtMs", mock->counted ? 0 : clock_wall_ms());
	jtext_add_raw(&params, "item", item->s, item->len);
	send_params(mock, method, &params);
}

static void
send_delta(struct mock *mock, const struct player *player, const char *method, const char *item, const char *s, size_t n, const char *more)
{
	struct buf params = BUF_INIT;

	begin_params(player, &params);
	jtext_add_string(&params, "itemId", item, strlen(item));
	jtext_add_string(&params, "delta", s, n);
	if (more)
		jtext_add_raw(&params, more, "0", 1);
	send_params(mock, method, &params);
}

static void
message_item(const struct player *player, struct buf *to)
{
	buf_addstr(to, "{\"type\":\"agentMessage\"");
	jtext_add_string(to, "id", player->item, strlen(player->item));
	jtext_add_string(to, "text", player->said.s, player->said.len);
	buf_addch(to, '}');
}

static void
message_open(struct mock *mock, struct player *player)
{
	struct buf item = BUF_INIT;

	if (*player->item)
		return;
	mock_id(mock, player->item);
	buf_reset(&player->said);
	message_item(player, &item);
	send_item(mock, player, "item/started", &item);
	buf_release(&item);
}

static void
message_close(struct mock *mock, struct player *player)
{
	struct buf item = BUF_INIT;

	if (!*player->item)
		return;
	message_item(player, &item);
	send_item(mock, player, "item/completed", &item);
	player->output += player->said.len;
	*player->item = '\0';
	buf_release(&item);
}

static void
message_add(struct mock *mock, struct player *player, const char *s, size_t n)
{
	message_open(mock, player);
	send_delta(mock, player, "item/agentMessage/delta", player->item, s, n, NULL);
	buf_add(&player->said, s, n);
}

/* An item that begins and ends at once. */
static void
send_whole(struct mock *mock, const struct player *player, const struct buf *item)
{
	send_item(mock, player, "item/started", item);
	send_item(mock, player, "item/completed", item);
}

void
player_turn_begin(struct mock *mock, struct player *player)
{
	struct buf params = BUF_INIT, item = BUF_INIT;
	char id[MOCK_ID];

	send_status(mock, player, "{\"type\":\"active\",\"activeFlags\":[]}");
	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", player->thread->id, strlen(player->thread->id));
	buf_addstr(&params, ",\"turn\":");
	mock_add_turn(&params, player->turn, "inProgress", NULL);
	send_params(mock, "turn/started", &params);
	mock_id(mock, id);
	buf_addstr(&item, "{\"type\":\"userMessage\"");
	jtext_add_string(&item, "id", id, strlen(id));
	buf_addstr(&item, ",\"content\":[{\"type\":\"text\"");
	jtext_add_string(&item, "text", player->text.s, player->text.len);
	buf_addstr(&item, ",\"text_elements\":[]}]}");
	send_whole(mock, player, &item);
	buf_release(&item);
}

static void
send_usage(struct mock *mock, const struct player *player)
{
	struct buf params = BUF_INIT, counts = BUF_INIT;

	buf_addf(&counts,
	    "{\"totalTokens\":%zu,\"inputTokens\":%zu,\"cachedInputTokens\":0,\"outputTokens\":%zu,\"reasoningOutputTokens\":0}",
	    player->text.len + player->output, player->text.len, player->output);
	begin_params(player, &params);
	buf_addf(&params, ",\"tokenUsage\":{\"total\":%s,\"last\":%s,\"modelContextWindow\":null}", counts.s, counts.s);
	send_params(mock, "thread/tokenUsage/updated", &params);
	buf_release(&counts);
}

/* What we asked is asked no more. */
static void
send_resolved(struct mock *mock, struct player *player)
{
	struct buf params = BUF_INIT;

	if (player->ask < 0)
		return;
	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", player->thread->id, strlen(player->thread->id));
	jtext_add_i64(&params, "requestId", player->ask);
	player->ask = -1;
	send_params(mock, "serverRequest/resolved", &params);
}

/* error: a TurnError as JSON, NULL for none. */
void
player_turn_end(struct mock *mock, struct player *player, const char *status, const char *error)
{
	struct buf params = BUF_INIT;

	if (player->over)
		return;
	send_resolved(mock, player);
	if (strcmp(status, "interrupted") != 0) {
		message_close(mock, player);
		send_usage(mock, player);
	}
	send_status(mock, player, error ? "{\"type\":\"systemError\"}" : "{\"type\":\"idle\"}");
	if (error) {
		begin_params(player, &params);
		jtext_add_bool(&params, "willRetry", false);
		jtext_add_raw(&params, "error", error, strlen(error));
		send_params(mock, "error", &params);
	}
	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", player->thread->id, strlen(player->thread->id));
	buf_addstr(&params, ",\"turn\":");
	mock_add_turn(&params, player->turn, status, error);
	player->thread->updated = clock_wall_ms() / 1000;
	player->thread->turn = NULL;
	player->over = true;
	send_params(mock, "turn/completed", &params);
}

/* ---- asking */

static void
command_item(const struct player *player, struct span step, const char *status, struct buf *to)
{
	struct buf command = BUF_INIT, output = BUF_INIT;
	int64_t code = 0;
	bool done = !strcmp(status, "completed") || !strcmp(status, "failed");

	get_text(player, step, "command", &command);
	buf_addstr(to, "{\"type\":\"commandExecution\"");
	jtext_add_string(to, "id", player->asked_item, strlen(player->asked_item));
	jtext_add_string(to, "command", command.s, command.len);
	jtext_add_string(to, "cwd", player->thread->cwd, strlen(player->thread->cwd));
	jtext_add_raw(to, "processId", "null", 4);
	jtext_add_string(to, "status", status, strlen(status));
	jtext_add_raw(to, "commandActions", "[]", 2);
	if (done && get_text(player, step, "output", &output))
		jtext_add_string(to, "aggregatedOutput", output.s, output.len);
	else
		jtext_add_raw(to, "aggregatedOutput", "null", 4);
	if (done && (jtext_get_i64(step, "exit", &code) || !strcmp(status, "completed")))
		jtext_add_i64(to, "exitCode", code);
	else
		jtext_add_raw(to, "exitCode", "null", 4);
	jtext_add_raw(to, "durationMs", done ? "0" : "null", done ? 1 : 4);
	buf_addch(to, '}');
	buf_release(&command);
	buf_release(&output);
}

static void
patch_item(const struct player *player, struct span step, const char *status, struct buf *to)
{
	struct span changes;

	buf_addstr(to, "{\"type\":\"fileChange\"");
	jtext_add_string(to, "id", player->asked_item, strlen(player->asked_item));
	buf_addstr(to, ",\"changes\":");
	if (jtext_get(step, "patch", &changes) && jtext_type(changes) == JTEXT_ARRAY)
		get_json(player, changes, to);
	else
		buf_addstr(to, "[]");
	jtext_add_string(to, "status", status, strlen(status));
	buf_addch(to, '}');
}

static bool
is_patch(struct span step)
{
	struct span changes;

	return jtext_get(step, "patch", &changes);
}

static void
send_work(struct mock *mock, const struct player *player, struct span step, const char *method, const char *status)
{
	struct buf item = BUF_INIT;

	(is_patch(step) ? patch_item : command_item)(player, step, status, &item);
	send_item(mock, player, method, &item);
	buf_release(&item);
}

static void
finish_work(struct mock *mock, const struct player *player, struct span step)
{
	struct buf output = BUF_INIT;
	int64_t code = 0;

	if (!is_patch(step) && get_text(player, step, "output", &output) && output.len)
		send_delta(mock, player, "item/commandExecution/outputDelta", player->asked_item, output.s, output.len, NULL);
	jtext_get_i64(step, "exit", &code);
	send_work(mock, player, step, "item/completed", code ? "failed" : "completed");
	buf_release(&output);
}

static void
begin_ask(struct mock *mock, struct player *player, struct buf *params)
{
	mock_id(mock, player->asked_item);
	begin_params(player, params);
	jtext_add_string(params, "itemId", player->asked_item, strlen(player->asked_item));
	jtext_add_i64(params, "startedAtMs", mock->counted ? 0 : clock_wall_ms());
}

/* Sends a request of ours with the params that begin_ask() began, and waits. */
static void
ask(struct mock *mock, struct player *player, struct span step, const char *method, struct buf *params)
{
	struct buf line = BUF_INIT;

	send_status(mock, player, "{\"type\":\"active\",\"activeFlags\":[\"waitingOnApproval\"]}");
	player->ask = mock->next_ask++;
	player->asked = step;
	player->wait = WAIT_ANSWER;
	buf_addch(params, '}');
	buf_addch(&line, '{');
	jtext_add_i64(&line, "id", player->ask);
	jtext_add_string(&line, "method", method, strlen(method));
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
}

static void
play_work(struct mock *mock, struct player *player, struct span step)
{
	struct buf params = BUF_INIT, text = BUF_INIT;
	bool asks = get_true(step, "ask") && !player->thread->always && strcmp(player->thread->approval, "never") != 0;
	const char *method = is_patch(step) ? "item/fileChange/requestApproval" : "item/commandExecution/requestApproval";

	message_close(mock, player);
	begin_ask(mock, player, &params);
	send_work(mock, player, step, "item/started", "inProgress");
	if (get_text(player, step, "reason", &text))
		jtext_add_string(&params, "reason", text.s, text.len);
	buf_reset(&text);
	if (get_text(player, step, "command", &text)) {
		jtext_add_string(&params, "command", text.s, text.len);
		jtext_add_string(&params, "cwd", player->thread->cwd, strlen(player->thread->cwd));
	}
	if (asks)
		ask(mock, player, step, method, &params);
	else
		finish_work(mock, player, step);
	buf_release(&params);
	buf_release(&text);
}

static void
play_question(struct mock *mock, struct player *player, struct span step)
{
	struct buf params = BUF_INIT, text = BUF_INIT;
	struct span options, option, key;
	size_t pos = 0;

	get_text(player, step, "question", &text);
	begin_ask(mock, player, &params);
	buf_addstr(&params, ",\"isBlocking\":true,\"questions\":[{\"id\":\"q1\",\"header\":\"Question\"");
	jtext_add_string(&params, "question", text.s, text.len);
	buf_addstr(&params, ",\"isOther\":true,\"isSecret\":false,\"options\":[");
	if (jtext_get(step, "options", &options) && jtext_type(options) == JTEXT_ARRAY)
		while (jtext_each(options, &pos, &key, &option)) {
			if (params.s[params.len - 1] != '[')
				buf_addch(&params, ',');
			buf_addstr(&params, "{\"description\":\"\",\"label\":");
			jtext_compact(&params, option);
			buf_addch(&params, '}');
		}
	buf_addstr(&params, "]}]");
	ask(mock, player, step, "item/tool/requestUserInput", &params);
	buf_release(&params);
	buf_release(&text);
}

/* {"request":{"method":M,"params":{...}}}: any request of a server */
static void
play_request(struct mock *mock, struct player *player, struct span request, struct span step)
{
	struct buf method = BUF_INIT, params = BUF_INIT, member = BUF_INIT;
	struct span more, key, value;
	size_t pos = 0;

	if (jtext_get_string(request, "method", &method)) {
		begin_ask(mock, player, &params);
		if (jtext_get(request, "params", &more) && jtext_type(more) == JTEXT_OBJECT)
			while (jtext_each(more, &pos, &key, &value)) {
				buf_reset(&member);
				get_json(player, value, &member);
				buf_addf(&params, ",%.*s:%s", (int)key.n, key.s, member.s);
			}
		ask(mock, player, step, method.s, &params);
	}
	buf_release(&method);
	buf_release(&params);
	buf_release(&member);
}

static void
take_answer(struct player *player, struct span result)
{
	struct span answers, one, list, text, key;
	size_t pos = 0, first = 0;

	buf_reset(&player->answer);
	if (!result.s)
		buf_addstr(&player->answer, "error");
	else if (jtext_get_string(result, "decision", &player->answer))
		;
	else if (jtext_get(result, "answers", &answers) && jtext_each(answers, &pos, &key, &one) && jtext_get(one, "answers", &list) &&
	    jtext_type(list) == JTEXT_ARRAY && jtext_each(list, &first, &key, &text))
		jtext_string(text, &player->answer);
	else
		jtext_compact(&player->answer, result);
}

void
player_answered(struct mock *mock, struct player *player, struct span result)
{
	struct span work;
	const char *answer;

	take_answer(player, result);
	answer = player->answer.s;
	send_resolved(mock, player);
	send_status(mock, player, "{\"type\":\"active\",\"activeFlags\":[]}");
	player->wait = WAIT_NONE;
	if (!jtext_get(player->asked, "command", &work) && !is_patch(player->asked))
		return;
	if (!strcmp(answer, "acceptForSession"))
		player->thread->always = true;
	if (!strcmp(answer, "accept") || !strcmp(answer, "acceptForSession")) {
		finish_work(mock, player, player->asked);
		return;
	}
	send_work(mock, player, player->asked, "item/completed", !strcmp(answer, "decline") || !strcmp(answer, "cancel") ? "declined" : "failed");
	if (!strcmp(answer, "cancel"))
		player_turn_end(mock, player, "interrupted", NULL);
}

/* ---- steps */

static void
fail(struct mock *mock, struct player *player, struct span step, const char *key, bool retry)
{
	struct buf text = BUF_INIT, error = BUF_INIT, params = BUF_INIT;
	struct span info;

	get_text(player, step, key, &text);
	buf_addch(&error, '{');
	jtext_add_string(&error, "message", text.s, text.len);
	buf_addstr(&error, ",\"codexErrorInfo\":");
	if (jtext_get(step, "info", &info))
		jtext_compact(&error, info);
	else
		buf_addstr(&error, "\"other\"");
	buf_addstr(&error, ",\"additionalDetails\":null}");
	if (retry) {
		begin_params(player, &params);
		jtext_add_bool(&params, "willRetry", true);
		jtext_add_raw(&params, "error", error.s, error.len);
		send_params(mock, "error", &params);
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
			get_json(player, value, &params);
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

	get_text(player, step, "raw", &bytes);
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
		frame.steps = xrealloc(frame.steps, (frame.n + 1) * sizeof *frame.steps);
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
		get_text(player, step, word, &text);
		message_add(mock, player, text.s, text.len);
	} else if (!strcmp(word, "say")) {
		message_close(mock, player);
		buf_reset(&player->saying);
		player->said_at = 0;
		get_text(player, step, word, &player->saying);
		player->chunk = jtext_get_i64(step, "chunk", &n) && n > 0 ? n : mock->chunk;
		player->pause = get_ms(step, "pause", mock->pause_ms);
		message_open(mock, player);
	} else if (!strcmp(word, "big")) {
		jtext_i64(value, &n);
		fill(&text, n);
		message_add(mock, player, text.s, text.len);
	} else if (!strcmp(word, "think")) {
		struct buf item = BUF_INIT;

		get_text(player, step, word, &text);
		mock_id(mock, id);
		buf_addf(&item, "{\"type\":\"reasoning\",\"id\":\"%s\",\"summary\":[],\"content\":[]}", id);
		send_item(mock, player, "item/started", &item);
		send_delta(mock, player, "item/reasoning/textDelta", id, text.s, text.len, "contentIndex");
		buf_cut(&item, item.len - 2);
		jtext_quote(&item, text.s, text.len);
		buf_addstr(&item, "]}");
		send_item(mock, player, "item/completed", &item);
		buf_release(&item);
	} else if (!strcmp(word, "plan")) {
		get_text(player, step, word, &text);
		mock_id(mock, id);
		send_delta(mock, player, "item/plan/delta", id, text.s, text.len, NULL);
	} else if (!strcmp(word, "command") || !strcmp(word, "patch"))
		play_work(mock, player, step);
	else if (!strcmp(word, "question"))
		play_question(mock, player, step);
	else if (!strcmp(word, "request"))
		play_request(mock, player, value, step);
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
		get_text(player, step, word, &text);
		jtext_get_i64(step, "code", &code);
		mock_refuse(player->request.s, code, text.s);
	} else if (player->thread && jtext_type(value) == JTEXT_TRUE) {
		buf_addstr(&text, "{\"turn\":");
		mock_add_turn(&text, player->turn, "inProgress", NULL);
		buf_addch(&text, '}');
		mock_answer(player->request.s, text.s);
	} else if (jtext_type(value) != JTEXT_TRUE) {
		get_json(player, value, &text);
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
	get_text(player, step, word, &text);
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
	if (!word.len || (!play_anywhere(mock, player, step, word.s, value) && (!player->thread || !play_in_turn(mock, player, step, word.s, value)))) {
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
	message_add(mock, player, player->saying.s + player->said_at, n);
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
	message = (struct span){ player->message.s, player->message.len };
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
			message_close(mock, player);
		}
		if (!next_step(player, &step))
			finish(mock, player);
		else
			play(mock, player, step);
	}
	return player->wait == WAIT_NONE && !player->over;
}
