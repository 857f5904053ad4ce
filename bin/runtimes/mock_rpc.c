/* mock_rpc.c - requests, and what the mock answers when no script says otherwise
 *
 * The manner is that of the Codex app-server: errors are -32600 whatever they are, what is no message gets no answer at all.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "mock.h"
#include "out.h"
#include "sandbox.h"
#include "xalloc.h"

/* ---- writing */

void
mock_answer(const char *id, const char *result)
{
	out_printf("{\"id\":%s,\"result\":%s}\n", id, result);
}

void
mock_refuse(const char *id, int64_t code, const char *message)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "{\"error\":{\"code\":%lld", (long long)code);
	jtext_add_text(&line, "message", message);
	buf_addf(&line, "},\"id\":%s}", id);
	out_line(line.s, line.len);
	buf_release(&line);
}

void
mock_notify(struct mock *mock, const char *method, const char *params)
{
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < mock->n_quiet; i++)
		if (!strcmp(mock->quiet[i], method))
			return;
	buf_addstr(&line, "{\"method\":");
	jtext_quote(&line, method, strlen(method));
	jtext_add_raw(&line, "params", params, strlen(params));
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
}

void
mock_id(struct mock *mock, char ret[MOCK_ID])
{
	if (mock->counted)
		snprintf(ret, MOCK_ID, "00000000-0000-4000-8000-%012llx", (unsigned long long)++mock->ids & 0xffffffffffffULL);
	else
		key_uuid(ret);
}

void
mock_add_turn(struct buf *to, const char *id, const char *status, const char *error)
{
	buf_addch(to, '{');
	jtext_add_text(to, "id", id);
	jtext_add_raw(to, "items", "[]", 2);
	jtext_add_text(to, "status", status);
	jtext_add_raw(to, "error", error ? error : "null", error ? strlen(error) : 4);
	buf_addch(to, '}');
}

/* ---- threads */

static struct thread *
thread_find(const struct mock *mock, const char *id)
{
	struct thread *thread;

	for (thread = mock->threads; thread; thread = thread->next)
		if (!strcmp(thread->id, id))
			return thread;
	return NULL;
}

static void
take_text(struct span params, const char *key, char **to)
{
	struct buf text = BUF_INIT;

	if (!jtext_get_string(params, key, &text))
		return;
	free(*to);
	*to = buf_detach(&text, NULL);
}

static void
take_options(struct thread *thread, struct span params)
{
	struct span config;

	take_text(params, "cwd", &thread->cwd);
	take_text(params, "approvalPolicy", &thread->approval);
	take_text(params, "executionHost", &thread->host);
	if (jtext_get(params, "config", &config))
		take_text(config, "executionHost", &thread->host);
	sandbox_take(params, &thread->sandbox);
}

static struct thread *
thread_new(struct mock *mock, const char *id)
{
	struct thread *thread = xcalloc(1, sizeof *thread);
	char dir[4096];

	if (id)
		snprintf(thread->id, sizeof thread->id, "%s", id);
	else
		mock_id(mock, thread->id);
	thread->cwd = xstrdup(getcwd(dir, sizeof dir) ? dir : "/");
	thread->host = xstrdup(mock->host);
	thread->approval = xstrdup("on-request");
	thread->created = thread->updated = mock->counted ? 0 : clock_wall_ms() / 1000;
	buf_init(&thread->preview);
	buf_init(&thread->sandbox);
	buf_addstr(&thread->sandbox, SANDBOX_READ_ONLY);
	thread->next = mock->threads;
	mock->threads = thread;
	return thread;
}

static void
add_thread(struct buf *to, const struct thread *thread)
{
	buf_addch(to, '{');
	jtext_add_text(to, "id", thread->id);
	jtext_add_text(to, "sessionId", thread->id);
	jtext_add_buf(to, "preview", &thread->preview);
	jtext_add_bool(to, "ephemeral", false);
	jtext_add_text(to, "modelProvider", "mock");
	jtext_add_i64(to, "createdAt", thread->created);
	jtext_add_i64(to, "updatedAt", thread->updated);
	buf_addstr(to, thread->turn ? ",\"status\":{\"type\":\"active\",\"activeFlags\":[]}" : ",\"status\":{\"type\":\"idle\"}");
	buf_addstr(to, ",\"path\":null");
	jtext_add_text(to, "cwd", thread->cwd);
	jtext_add_text(to, "cliVersion", PACKAGE_VERSION);
	buf_addstr(to, ",\"source\":\"appServer\",\"gitInfo\":null,\"projectId\":null,\"turns\":[]}");
}

static void
answer_thread(const char *id, const struct thread *thread)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"thread\":");
	add_thread(&result, thread);
	buf_addstr(&result, ",\"model\":\"mock\",\"modelProvider\":\"mock\"");
	jtext_add_text(&result, "cwd", thread->cwd);
	jtext_add_text(&result, "approvalPolicy", thread->approval);
	jtext_add_raw(&result, "sandbox", thread->sandbox.s, thread->sandbox.len);
	buf_addstr(&result, ",\"approvalsReviewer\":\"user\",\"reasoningEffort\":null}");
	mock_answer(id, result.s);
	buf_release(&result);
}

static void
thread_start(struct mock *mock, const char *id, struct span params)
{
	struct thread *thread = thread_new(mock, NULL);
	struct buf started = BUF_INIT;

	take_options(thread, params);
	answer_thread(id, thread);
	buf_addstr(&started, "{\"thread\":");
	add_thread(&started, thread);
	buf_addch(&started, '}');
	mock_notify(mock, "thread/started", started.s);
	buf_release(&started);
}

/* The mock keeps nothing on disk: whatever looks like an id of its own is a thread it knows. */
static void
thread_resume(struct mock *mock, const char *id, struct span params)
{
	struct buf name = BUF_INIT;
	struct thread *thread;

	if (!jtext_get_string(params, "threadId", &name))
		mock_refuse(id, INVALID, "Invalid request: missing field `threadId`");
	else if (!key_is_uuid(name.s))
		mock_refuse(id, INVALID, "no rollout found for this thread id");
	else {
		thread = thread_find(mock, name.s);
		if (!thread)
			thread = thread_new(mock, name.s);
		take_options(thread, params);
		answer_thread(id, thread);
	}
	buf_release(&name);
}

static void
thread_list(const struct mock *mock, const char *id)
{
	struct buf result = BUF_INIT;
	const struct thread *thread;

	buf_addstr(&result, "{\"data\":[");
	for (thread = mock->threads; thread; thread = thread->next) {
		if (thread != mock->threads)
			buf_addch(&result, ',');
		add_thread(&result, thread);
	}
	buf_addstr(&result, "],\"nextCursor\":null}");
	mock_answer(id, result.s);
	buf_release(&result);
}

/* The thread the params name; without one the request is refused, and NULL. */
static struct thread *
get_thread(const struct mock *mock, const char *id, struct span params)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	struct thread *thread = NULL;

	if (!jtext_get_string(params, "threadId", &name))
		mock_refuse(id, INVALID, "Invalid request: missing field `threadId`");
	else if (!(thread = thread_find(mock, name.s))) {
		buf_addf(&text, "thread not found: %.100s", name.s);
		mock_refuse(id, INVALID, text.s);
	}
	buf_release(&name);
	buf_release(&text);
	return thread;
}

/* ---- turns */

/* All texts of the input, one after another. */
static bool
get_input(struct span params, struct buf *to)
{
	struct span input, item, key;
	size_t pos = 0;

	if (!jtext_get(params, "input", &input) || jtext_type(input) != JTEXT_ARRAY)
		return false;
	while (jtext_each(input, &pos, &key, &item))
		jtext_get_string(item, "text", to);
	return true;
}

static void
answer_turn(const char *id, const char *turn)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"turn\":");
	mock_add_turn(&result, turn, "inProgress", NULL);
	buf_addch(&result, '}');
	mock_answer(id, result.s);
	buf_release(&result);
}

static void
turn_start(struct mock *mock, const char *id, struct span params)
{
	struct thread *thread = get_thread(mock, id, params);
	const struct block *block;
	struct player *player;
	struct buf text = BUF_INIT;

	if (!thread)
		return;
	if (!get_input(params, &text)) {
		mock_refuse(id, INVALID, "Invalid request: missing field `input`");
		buf_release(&text);
		return;
	}
	if (thread->turn) {
		answer_turn(id, thread->turn->turn); /* it steers the turn in progress */
		buf_release(&text);
		return;
	}
	take_options(thread, params);
	mock->turns++;
	block = script_find(&mock->script, "turn", &text, mock->turns);
	player = player_new(mock, block ? block : &mock->builtin.blocks[mock->login_needed && mock->account == ACCOUNT_NONE ? 1 : 0]);
	player->nth = mock->turns;
	player->thread = thread;
	player->host = xstrdup(thread->host);
	thread->turn = player;
	mock_id(mock, player->turn);
	buf_add(&player->text, text.s, text.len);
	jtext_compact(&player->params, params);
	if (!thread->preview.len)
		buf_add(&thread->preview, text.s, text.len);
	if (player->block->manual)
		buf_addstr(&player->request, id);
	else
		answer_turn(id, player->turn);
	player_turn_begin(mock, player);
	buf_release(&text);
}

static void
turn_interrupt(struct mock *mock, const char *id, struct span params)
{
	struct thread *thread = get_thread(mock, id, params);
	struct buf turn = BUF_INIT;

	if (!thread)
		return;
	if (!jtext_get_string(params, "turnId", &turn))
		mock_refuse(id, INVALID, "Invalid request: missing field `turnId`");
	else if (!thread->turn)
		mock_refuse(id, INVALID, "no active turn to interrupt");
	else if (strcmp(turn.s, thread->turn->turn) != 0)
		mock_refuse(id, INVALID, "the active turn is another one");
	else {
		mock_answer(id, "{}");
		if (!mock->ignore_interrupt)
			player_turn_end(mock, thread->turn, "interrupted", NULL);
	}
	buf_release(&turn);
}

static void
turn_steer(struct mock *mock, const char *id, struct span params)
{
	struct thread *thread = get_thread(mock, id, params);
	struct buf turn = BUF_INIT, result = BUF_INIT;

	if (!thread)
		return;
	if (!thread->turn || !jtext_get_string(params, "expectedTurnId", &turn) || strcmp(turn.s, thread->turn->turn) != 0)
		mock_refuse(id, INVALID, "no active turn to steer");
	else {
		get_input(params, &thread->turn->answer);
		buf_addch(&result, '{');
		jtext_add_buf(&result, "turnId", &turn);
		buf_addch(&result, '}');
		mock_answer(id, result.s);
	}
	buf_release(&turn);
	buf_release(&result);
}

/* ---- requests */

static void
initialize(struct mock *mock, const char *id, struct span params)
{
	struct span capabilities, names, name, key;
	struct buf text = BUF_INIT;
	size_t pos = 0;

	if (mock->greeted) {
		mock_refuse(id, INVALID, "Already initialized");
		return;
	}
	if (!jtext_get(params, "clientInfo", &name)) {
		mock_refuse(id, INVALID, "Invalid request: missing field `clientInfo`");
		return;
	}
	mock->greeted = true;
	if (jtext_get(params, "capabilities", &capabilities) && jtext_get(capabilities, "optOutNotificationMethods", &names) &&
	    jtext_type(names) == JTEXT_ARRAY)
		while (jtext_each(names, &pos, &key, &name)) {
			buf_reset(&text);
			if (!jtext_string(name, &text))
				continue;
			mock->quiet = xgrow(mock->quiet, mock->n_quiet, sizeof *mock->quiet);
			mock->quiet[mock->n_quiet++] = xstrdup(text.s);
		}
	buf_release(&text);
	mock_answer(id, "{\"userAgent\":\"agent-runtime-mock/" PACKAGE_VERSION "\"}");
}

/* message: a whole request, checked. */
void
mock_builtin(struct mock *mock, struct span message)
{
	struct buf id = BUF_INIT, method = BUF_INIT, text = BUF_INIT;
	struct span value, params;
	struct thread *thread;

	if (!jtext_get(message, "id", &value) || !jtext_get_string(message, "method", &method)) {
		buf_release(&method);
		return;
	}
	jtext_compact(&id, value);
	if (!jtext_get(message, "params", &params))
		params = (struct span){ "{}", 2 };
	if (!strcmp(method.s, "initialize"))
		initialize(mock, id.s, params);
	else if (!mock->greeted)
		mock_refuse(id.s, INVALID, "Not initialized");
	else if (!strcmp(method.s, "thread/start"))
		thread_start(mock, id.s, params);
	else if (!strcmp(method.s, "thread/resume"))
		thread_resume(mock, id.s, params);
	else if (!strcmp(method.s, "thread/list"))
		thread_list(mock, id.s);
	else if (!strcmp(method.s, "thread/read")) {
		if ((thread = get_thread(mock, id.s, params)))
			answer_thread(id.s, thread);
	} else if (!strcmp(method.s, "turn/start"))
		turn_start(mock, id.s, params);
	else if (!strcmp(method.s, "turn/interrupt"))
		turn_interrupt(mock, id.s, params);
	else if (!strcmp(method.s, "turn/steer"))
		turn_steer(mock, id.s, params);
	else if (mock_account_call(mock, method.s, id.s, params))
		;
	else if (!strcmp(method.s, "model/list"))
		mock_answer(id.s,
		    "{\"data\":[{\"id\":\"mock\",\"model\":\"mock\",\"displayName\":\"Mock\",\"description\":\"says what it is told to\",\"hidden\":false,"
		    "\"isDefault\":true,\"supportedReasoningEfforts\":[],\"defaultReasoningEffort\":\"none\"}],\"nextCursor\":null}");
	else {
		buf_addf(&text, "Invalid request: unknown method `%.100s`", method.s);
		mock_refuse(id.s, INVALID, text.s);
	}
	buf_release(&id);
	buf_release(&method);
	buf_release(&text);
}

/* How often this method came, this time included. */
static int64_t
count(struct mock *mock, const char *method)
{
	const char *s = mock->seen.s;
	size_t n = strlen(method);
	int64_t times = 1;

	for (; (s = strstr(s, method)); s += n)
		if ((s == mock->seen.s || s[-1] == '\n') && s[n] == '\n')
			times++;
	buf_add(&mock->seen, method, n);
	buf_addch(&mock->seen, '\n');
	return times;
}

static void
take_request(struct mock *mock, struct span message, struct span id, const char *method)
{
	const struct block *block = NULL;
	struct player *player;

	if (mock->script.n)
		block = script_find(&mock->script, method, NULL, count(mock, method));
	if (!block || !strcmp(method, "turn")) {
		mock_builtin(mock, message);
		return;
	}
	player = player_new(mock, block);
	jtext_compact(&player->request, id);
	jtext_compact(&player->message, message);
}

static void
take_reply(struct mock *mock, struct span message, struct span id)
{
	struct player *player;
	struct span result;
	int64_t number;

	if (!jtext_i64(id, &number))
		return;
	for (player = mock->players; player; player = player->next)
		if (player->wait == WAIT_ANSWER && player->ask == number && !player->over) {
			player_answered(mock, player, jtext_get(message, "result", &result) ? result : SPAN_NONE);
			return;
		}
}

void
mock_line(struct mock *mock, const char *s, size_t n)
{
	struct buf method = BUF_INIT;
	struct span message, id = SPAN_NONE;
	struct err err = ERR_INIT;
	bool has_id;

	if (!jtext_check(s, n, true, &message, &err) || jtext_type(message) != JTEXT_OBJECT) {
		if (n)
			warn("unable to take a line: %s", err.text[0] ? err.text : "it is no object");
		return;
	}
	has_id = jtext_get(message, "id", &id) && (jtext_type(id) == JTEXT_STRING || jtext_type(id) == JTEXT_NUMBER);
	if (!jtext_get_string(message, "method", &method)) {
		if (has_id)
			take_reply(mock, message, id);
	} else if (has_id)
		take_request(mock, message, id, method.s);
	buf_release(&method);
}

void
mock_free(struct mock *mock)
{
	struct thread *thread;

	while (mock->players)
		player_free(mock->players);
	while ((thread = mock->threads)) {
		mock->threads = thread->next;
		free(thread->cwd);
		free(thread->host);
		free(thread->approval);
		buf_release(&thread->sandbox);
		buf_release(&thread->preview);
		free(thread);
	}
	while (mock->n_quiet)
		free(mock->quiet[--mock->n_quiet]);
	free(mock->quiet);
	script_release(&mock->script);
	script_release(&mock->builtin);
	buf_release(&mock->seen);
}
