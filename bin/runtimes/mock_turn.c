/* mock_turn.c - what a turn says and asks */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mock.h"
#include "out.h"
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
bool
player_text(const struct player *player, struct span step, const char *key, struct buf *to)
{
	struct buf raw = BUF_INIT;
	bool found = jtext_get_string(step, key, &raw);

	if (found)
		expand(player, raw.s, to);
	buf_release(&raw);
	return found;
}

/* JSON in which each text may hold ${names}: only ids and the like belong there, so they go in as they are. */
void
player_json(const struct player *player, struct span value, struct buf *to)
{
	struct buf compact = BUF_INIT;

	jtext_compact(&compact, value);
	expand(player, compact.s, to);
	buf_release(&compact);
}

static bool
is_true(struct span step, const char *key)
{
	struct span value;

	return jtext_get(step, key, &value) && jtext_type(value) == JTEXT_TRUE;
}

/* ---- what a turn says */

void
player_params(const struct player *player, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_text(to, "threadId", player->thread->id);
	jtext_add_text(to, "turnId", player->turn);
}

void
player_send(struct mock *mock, const char *method, struct buf *params)
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
	jtext_add_text(&params, "threadId", player->thread->id);
	jtext_add_raw(&params, "status", status, strlen(status));
	player_send(mock, "thread/status/changed", &params);
}

void
player_item(struct mock *mock, const struct player *player, const char *method, const struct buf *item)
{
	struct buf params = BUF_INIT;

	player_params(player, &params);
	jtext_add_i64(&params, strcmp(method, "item/started") ? "completedAtMs" : "startedAtMs", mock->counted ? 0 : clock_wall_ms());
	jtext_add_raw(&params, "item", item->s, item->len);
	player_send(mock, method, &params);
}

void
player_delta(
    struct mock *mock, const struct player *player, const char *method, const char *item, const char *s, size_t n, const char *more)
{
	struct buf params = BUF_INIT;

	player_params(player, &params);
	jtext_add_text(&params, "itemId", item);
	jtext_add_string(&params, "delta", s, n);
	if (more)
		jtext_add_raw(&params, more, "0", 1);
	player_send(mock, method, &params);
}

static void
message_item(const struct player *player, struct buf *to)
{
	buf_addstr(to, "{\"type\":\"agentMessage\"");
	jtext_add_text(to, "id", player->item);
	jtext_add_buf(to, "text", &player->said);
	buf_addch(to, '}');
}

void
player_message_open(struct mock *mock, struct player *player)
{
	struct buf item = BUF_INIT;

	if (*player->item)
		return;
	mock_id(mock, player->item);
	buf_reset(&player->said);
	message_item(player, &item);
	player_item(mock, player, "item/started", &item);
	buf_release(&item);
}

void
player_message_close(struct mock *mock, struct player *player)
{
	struct buf item = BUF_INIT;

	if (!*player->item)
		return;
	message_item(player, &item);
	player_item(mock, player, "item/completed", &item);
	player->output += player->said.len;
	*player->item = '\0';
	buf_release(&item);
}

void
player_message_add(struct mock *mock, struct player *player, const char *s, size_t n)
{
	player_message_open(mock, player);
	player_delta(mock, player, "item/agentMessage/delta", player->item, s, n, NULL);
	buf_add(&player->said, s, n);
}

/* An item that begins and ends at once. */
static void
send_whole(struct mock *mock, const struct player *player, const struct buf *item)
{
	player_item(mock, player, "item/started", item);
	player_item(mock, player, "item/completed", item);
}

void
player_turn_begin(struct mock *mock, struct player *player)
{
	struct buf params = BUF_INIT, item = BUF_INIT;
	char id[MOCK_ID];

	send_status(mock, player, "{\"type\":\"active\",\"activeFlags\":[]}");
	buf_addch(&params, '{');
	jtext_add_text(&params, "threadId", player->thread->id);
	buf_addstr(&params, ",\"turn\":");
	mock_add_turn(&params, player->turn, "inProgress", NULL);
	player_send(mock, "turn/started", &params);
	mock_id(mock, id);
	buf_addstr(&item, "{\"type\":\"userMessage\"");
	jtext_add_text(&item, "id", id);
	buf_addstr(&item, ",\"content\":[{\"type\":\"text\"");
	jtext_add_buf(&item, "text", &player->text);
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
	player_params(player, &params);
	buf_addf(&params, ",\"tokenUsage\":{\"total\":%s,\"last\":%s,\"modelContextWindow\":null}", counts.s, counts.s);
	player_send(mock, "thread/tokenUsage/updated", &params);
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
	jtext_add_text(&params, "threadId", player->thread->id);
	jtext_add_i64(&params, "requestId", player->ask);
	player->ask = -1;
	player_send(mock, "serverRequest/resolved", &params);
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
		player_message_close(mock, player);
		send_usage(mock, player);
	}
	send_status(mock, player, error ? "{\"type\":\"systemError\"}" : "{\"type\":\"idle\"}");
	if (error) {
		player_params(player, &params);
		jtext_add_bool(&params, "willRetry", false);
		jtext_add_raw(&params, "error", error, strlen(error));
		player_send(mock, "error", &params);
	}
	buf_addch(&params, '{');
	jtext_add_text(&params, "threadId", player->thread->id);
	buf_addstr(&params, ",\"turn\":");
	mock_add_turn(&params, player->turn, status, error);
	player->thread->updated = clock_wall_ms() / 1000;
	player->thread->turn = NULL;
	player->over = true;
	player_send(mock, "turn/completed", &params);
}

/* ---- asking */

static void
command_item(const struct player *player, struct span step, const char *status, struct buf *to)
{
	struct buf command = BUF_INIT, output = BUF_INIT;
	int64_t code = 0;
	bool done = !strcmp(status, "completed") || !strcmp(status, "failed");

	player_text(player, step, "command", &command);
	buf_addstr(to, "{\"type\":\"commandExecution\"");
	jtext_add_text(to, "id", player->asked_item);
	jtext_add_buf(to, "command", &command);
	jtext_add_text(to, "cwd", player->thread->cwd);
	jtext_add_null(to, "processId");
	jtext_add_text(to, "status", status);
	jtext_add_raw(to, "commandActions", "[]", 2);
	if (done && player_text(player, step, "output", &output))
		jtext_add_buf(to, "aggregatedOutput", &output);
	else
		jtext_add_null(to, "aggregatedOutput");
	if (done && (jtext_get_i64(step, "exit", &code) || !strcmp(status, "completed")))
		jtext_add_i64(to, "exitCode", code);
	else
		jtext_add_null(to, "exitCode");
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
	jtext_add_text(to, "id", player->asked_item);
	buf_addstr(to, ",\"changes\":");
	if (jtext_get(step, "patch", &changes) && jtext_type(changes) == JTEXT_ARRAY)
		player_json(player, changes, to);
	else
		buf_addstr(to, "[]");
	jtext_add_text(to, "status", status);
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
	player_item(mock, player, method, &item);
	buf_release(&item);
}

static void
finish_work(struct mock *mock, const struct player *player, struct span step)
{
	struct buf output = BUF_INIT;
	int64_t code = 0;

	if (!is_patch(step) && player_text(player, step, "output", &output) && output.len)
		player_delta(mock, player, "item/commandExecution/outputDelta", player->asked_item, output.s, output.len, NULL);
	jtext_get_i64(step, "exit", &code);
	send_work(mock, player, step, "item/completed", code ? "failed" : "completed");
	buf_release(&output);
}

static void
begin_ask(struct mock *mock, struct player *player, struct buf *params)
{
	mock_id(mock, player->asked_item);
	player_params(player, params);
	jtext_add_text(params, "itemId", player->asked_item);
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
	jtext_add_text(&line, "method", method);
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
}

void
player_work(struct mock *mock, struct player *player, struct span step)
{
	struct buf params = BUF_INIT, text = BUF_INIT;
	bool asks = is_true(step, "ask") && !player->thread->always && strcmp(player->thread->approval, "never") != 0;
	const char *method = is_patch(step) ? "item/fileChange/requestApproval" : "item/commandExecution/requestApproval";

	player_message_close(mock, player);
	begin_ask(mock, player, &params);
	send_work(mock, player, step, "item/started", "inProgress");
	if (player_text(player, step, "reason", &text))
		jtext_add_buf(&params, "reason", &text);
	buf_reset(&text);
	if (player_text(player, step, "command", &text)) {
		jtext_add_buf(&params, "command", &text);
		jtext_add_text(&params, "cwd", player->thread->cwd);
	}
	if (asks)
		ask(mock, player, step, method, &params);
	else
		finish_work(mock, player, step);
	buf_release(&params);
	buf_release(&text);
}

void
player_question(struct mock *mock, struct player *player, struct span step)
{
	struct buf params = BUF_INIT, text = BUF_INIT;
	struct span options, option, key;
	size_t pos = 0;

	player_text(player, step, "question", &text);
	begin_ask(mock, player, &params);
	buf_addstr(&params, ",\"isBlocking\":true,\"questions\":[{\"id\":\"q1\",\"header\":\"Question\"");
	jtext_add_buf(&params, "question", &text);
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
void
player_request(struct mock *mock, struct player *player, struct span request, struct span step)
{
	struct buf method = BUF_INIT, params = BUF_INIT, member = BUF_INIT;
	struct span more, key, value;
	size_t pos = 0;

	if (jtext_get_string(request, "method", &method)) {
		begin_ask(mock, player, &params);
		if (jtext_get(request, "params", &more) && jtext_type(more) == JTEXT_OBJECT)
			while (jtext_each(more, &pos, &key, &value)) {
				buf_reset(&member);
				player_json(player, value, &member);
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
	send_work(
	    mock, player, player->asked, "item/completed", !strcmp(answer, "decline") || !strcmp(answer, "cancel") ? "declined" : "failed");
	if (!strcmp(answer, "cancel"))
		player_turn_end(mock, player, "interrupted", NULL);
}
