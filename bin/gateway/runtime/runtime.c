/* runtime.c - one supervised child: started when it is needed, greeted, listened to, ended, and started again after a pause
 *
 * States: IDLE -> STARTING -> READY -> (ENDING) -> IDLE or PAUSED -> STARTING ... -> STOPPED. A generation is one start.
 */
#include "compat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "clock.h"
#include "err.h"
#include "runtime/internal.h"
#include "utf8.h"
#include "xalloc.h"

#define ERROR_LINE_MAX 4096 /* bytes of one line of standard error that are told */
#define CLIENT_NAME "agent-gateway"

extern char **environ;

static void start(struct runtime *runtime);

const char *
runtime_fault_word(enum runtime_fault fault)
{
	static const char *const words[] = { "none", "start", "paused", "gone", "protocol", "timeout", "turn-timeout", "refused", "no-thread", "turn", "auth",
		"busy", "input", "stopping" };

	_Static_assert(ARRAY_LEN(words) == RUNTIME_FAULT_STOPPING + 1, "a word for each fault");
	return (size_t)fault < ARRAY_LEN(words) ? words[fault] : "unknown";
}

const char *
runtime_state_word(enum runtime_state state)
{
	static const char *const words[] = { "idle", "starting", "ready", "ending", "paused", "stopped" };

	_Static_assert(ARRAY_LEN(words) == RUNTIME_STOPPED + 1, "a word for each state");
	return (size_t)state < ARRAY_LEN(words) ? words[state] : "unknown";
}

/* ---- time */

static void
sooner(int64_t *at, int64_t other)
{
	if (other < *at)
		*at = other;
}

void
runtime_rearm(struct runtime *runtime)
{
	int64_t at = runtime->stop_at;
	const struct approval *approval;
	const struct call *call;
	const struct turn *turn;
	struct timeval after;

	sooner(&at, runtime->pause_until);
	if (!runtime->holds) {
		sooner(&at, runtime->idle_at);
		for (call = runtime->call_list; call; call = call->next)
			sooner(&at, call->deadline);
		for (turn = runtime->turns; turn; turn = turn->next) {
			sooner(&at, turn->stop ? turn->stop_at : turn->deadline);
			sooner(&at, turn->again_at);
			for (approval = turn->approvals; approval; approval = approval->next)
				sooner(&at, approval->deadline);
		}
	}
	if (at == DEADLINE_NONE) {
		event_del(runtime->timer);
		return;
	}
	at = deadline_left(at);
	after = (struct timeval){ (time_t)(at / 1000), (suseconds_t)(at % 1000 * 1000) };
	event_add(runtime->timer, &after);
}

void
runtime_tick(struct runtime *runtime)
{
	event_active(runtime->tick, EV_TIMEOUT, 1);
}

/* ---- state */

static void
set_state(struct runtime *runtime, enum runtime_state state)
{
	if (runtime->state == state)
		return;
	runtime->state = state;
	if (runtime->calls.state)
		runtime->calls.state(state, runtime->generation, runtime->payload);
}

void
runtime_over(struct runtime *runtime, const char *turn_id)
{
	char *slot = runtime->over[runtime->over_at++ % RUNTIME_OVER_MAX];

	snprintf(slot, sizeof runtime->over[0], "%s", turn_id);
}

bool
runtime_was_over(const struct runtime *runtime, const char *turn_id)
{
	char cut[sizeof runtime->over[0]];
	size_t i;

	snprintf(cut, sizeof cut, "%s", turn_id);
	for (i = 0; i < RUNTIME_OVER_MAX; i++)
		if (*cut && !strcmp(runtime->over[i], cut))
			return true;
	return false;
}

bool
runtime_send(struct runtime *runtime, const struct buf *line, bool secret)
{
	struct buf whole = BUF_INIT;
	bool sent = true;

	if (!runtime->child)
		return true;
	buf_reserve(&whole, line->len + 1);
	buf_add(&whole, line->s, line->len);
	buf_addch(&whole, '\n');
	sent = child_write(runtime->child, whole.s, whole.len, secret);
	if (secret)
		explicit_bzero(whole.s, whole.len);
	buf_release(&whole);
	return sent;
}

void
runtime_say(struct runtime *runtime, const struct buf *line)
{
	if (runtime_send(runtime, line, false))
		return;
	runtime->unread = true;
	runtime_tick(runtime);
}

/* Tells all that has failed or was resolved; what is more than TELL_MAX waits for the next round of the loop. */
static void
tell_all(struct runtime *runtime)
{
	int n;

	for (n = 0; n < TELL_MAX && (approvals_tell(runtime) || replies_tell(runtime) || turns_tell(runtime)); n++)
		;
	if (n == TELL_MAX)
		runtime_tick(runtime);
}

static void
fail_waiting(struct runtime *runtime, enum runtime_fault fault, const char *message)
{
	turns_gone(runtime, 0, fault, message);
	calls_fail(runtime, 0, fault, message);
}

/* ---- its end */

static void
fail_all(struct runtime *runtime, enum runtime_fault fault, const char *message)
{
	turns_gone(runtime, runtime->generation, fault, message);
	calls_fail(runtime, runtime->generation, fault, message);
	runtime->greeting = NULL;
	if (fault == RUNTIME_FAULT_START)
		fail_waiting(runtime, fault, message);
}

void
runtime_break(struct runtime *runtime, enum runtime_fault fault, const char *fmt, ...)
{
	va_list args;

	if (!runtime->child || runtime->ending)
		return;
	if (runtime->state == RUNTIME_STARTING)
		fault = RUNTIME_FAULT_START;
	runtime->ending = true;
	runtime->why_fault = fault;
	buf_reset(&runtime->why);
	va_start(args, fmt);
	buf_vaddf(&runtime->why, fmt, args);
	va_end(args);
	fail_all(runtime, fault, runtime->why.s);
	child_end(runtime->child, false, RUNTIME_TERM_GRACE_MS);
	set_state(runtime, RUNTIME_ENDING);
	runtime_tick(runtime);
}

static void
end_gently(struct runtime *runtime)
{
	if (!runtime->child || runtime->ending)
		return;
	runtime->ending = true;
	runtime->why_fault = RUNTIME_FAULT_NONE;
	buf_reset(&runtime->why);
	child_end(runtime->child, true, RUNTIME_TERM_GRACE_MS);
	set_state(runtime, RUNTIME_ENDING);
}

/* The last line of its standard error, made safe. */
static void
add_last_error(const struct runtime *runtime, struct buf *to)
{
	size_t end = runtime->errors.len, first;

	while (end && (runtime->errors.s[end - 1] == '\n' || runtime->errors.s[end - 1] == '\r'))
		end--;
	for (first = end; first && runtime->errors.s[first - 1] != '\n'; first--)
		;
	if (end - first > 512)
		end = first + 512;
	if (first == end)
		return;
	buf_addstr(to, ": ");
	utf8_safe(to, runtime->errors.s + first, end - first, UTF8_SAFE_LINE);
}

/* There is no child (any more). */
static void
gone(struct runtime *runtime, enum runtime_fault fault, int exit_status, int signo)
{
	struct runtime_gone told = { .generation = runtime->generation, .fault = fault, .exit_status = exit_status, .signal = signo,
		.message = runtime->why.s };

	fail_all(runtime, fault == RUNTIME_FAULT_NONE ? RUNTIME_FAULT_GONE : fault, runtime->why.s);
	runtime->pause_until = DEADLINE_NONE;
	if (fault != RUNTIME_FAULT_NONE) {
		buf_reset(&runtime->last_error);
		buf_add(&runtime->last_error, runtime->why.s, runtime->why.len);
		runtime->ends++;
		if (runtime->ready_mono && clock_monotonic_ms() - runtime->ready_mono >= RUNTIME_STEADY_MS)
			backoff_reset(&runtime->backoff);
		told.pause_ms = backoff_next(&runtime->backoff);
		runtime->pause_until = deadline_in(told.pause_ms);
	}
	runtime->ready_mono = runtime->ready_wall = 0;
	runtime->idle_at = DEADLINE_NONE;
	threads_clear(&runtime->loaded);
	tell_all(runtime);
	if (runtime->calls.gone)
		runtime->calls.gone(&told, runtime->payload);
	if (!runtime->stopping)
		set_state(runtime, fault == RUNTIME_FAULT_NONE ? RUNTIME_IDLE : RUNTIME_PAUSED);
	runtime_tick(runtime);
}

static void
on_ended(int wait_status, void *payload)
{
	struct runtime *runtime = payload;
	enum runtime_fault fault = runtime->ending ? runtime->why_fault : runtime->ready_mono ? RUNTIME_FAULT_GONE : RUNTIME_FAULT_START;
	int signo = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0, status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;

	child_free(runtime->child);
	runtime->child = NULL;
	if (!runtime->why.len) {
		if (signo)
			buf_addf(&runtime->why, "the runtime was ended by signal %d", signo);
		else
			buf_addf(&runtime->why, "the runtime ended with status %d", status);
		if (fault != RUNTIME_FAULT_NONE)
			add_last_error(runtime, &runtime->why);
	}
	runtime->ending = false;
	gone(runtime, fault, status, signo);
}

/* ---- what it says */

static void
notify(struct runtime *runtime, const struct message *message)
{
	static const char *const accounts[] = { "account/updated", "account/login/completed", "account/rateLimits/updated", "mcpServer/oauthLogin/completed" };
	struct buf thread = BUF_INIT, id = BUF_INIT;
	struct span value;
	size_t i;

	if (!strncmp(message->method.s, "codex/event/", 12))
		return; /* an older form of what comes anyway */
	for (i = 0; i < ARRAY_LEN(accounts); i++)
		if (!strcmp(message->method.s, accounts[i])) {
			if (runtime->calls.account)
				runtime->calls.account(message->method.s, message->params, runtime->payload);
			return;
		}
	if (jtext_get_string(message->params, "threadId", &thread) && thread.len) {
		if (!jtext_get_string(message->params, "turnId", &id) && jtext_get(message->params, "turn", &value))
			jtext_get_string(value, "id", &id);
		if (strcmp(message->method.s, "serverRequest/resolved") != 0)
			turn_notify(runtime, message, (struct span){ thread.s, thread.len }, (struct span){ id.s, id.len });
		else if (jtext_get(message->params, "requestId", &value))
			approval_resolved(runtime, (struct span){ thread.s, thread.len }, value);
	} else if (runtime->calls.notice && strcmp(message->method.s, "thread/started") != 0)
		runtime->calls.notice(message->method.s, message->params, runtime->payload);
	buf_release(&thread);
	buf_release(&id);
}

static void
on_line(const char *s, size_t n, void *payload)
{
	struct runtime *runtime = payload;
	struct message *message = &runtime->message;

	if (runtime->ending)
		return;
	if (!message_read(message, s, n)) {
		runtime->garbage_all++;
		if (++runtime->garbage > RUNTIME_GARBAGE_MAX)
			runtime_break(runtime, RUNTIME_FAULT_PROTOCOL, "the runtime wrote more than %d lines in a row that are no messages", RUNTIME_GARBAGE_MAX);
		return;
	}
	runtime->garbage = 0;
	switch (message->type) {
	case MESSAGE_REQUEST:
		approval_request(runtime, message);
		break;
	case MESSAGE_NOTIFICATION:
		notify(runtime, message);
		break;
	case MESSAGE_RESULT:
	case MESSAGE_ERROR:
		call_answer(runtime, message);
		break;
	}
}

static void
on_too_long(void *payload)
{
	struct runtime *runtime = payload;

	runtime_break(runtime, RUNTIME_FAULT_PROTOCOL, "the runtime wrote a line of more than %zu bytes", runtime->settings.line_max);
}

static void
on_turn(void *payload)
{
	runtime_tick(payload);
}

static void
on_closed(bool input, void *payload)
{
	struct runtime *runtime = payload;

	runtime_break(runtime, RUNTIME_FAULT_PROTOCOL, "the runtime closed its %s", input ? "input" : "output");
}

static void
tell_error_line(struct runtime *runtime)
{
	struct buf text = BUF_INIT;

	jtext_quote(&text, runtime->error_line.s, runtime->error_line.len);
	if (runtime->error_line.len && runtime->calls.notice)
		runtime->calls.notice("stderr", (struct span){ text.s, text.len }, runtime->payload);
	buf_reset(&runtime->error_line);
	buf_release(&text);
}

static void
on_errors(const char *s, size_t n, void *payload)
{
	struct runtime *runtime = payload;
	size_t i;

	buf_add(&runtime->errors, s, n);
	if (runtime->errors.len > 2 * RUNTIME_ERRORS_MAX)
		buf_consume(&runtime->errors, runtime->errors.len - RUNTIME_ERRORS_MAX);
	for (i = 0; i < n; i++)
		if (s[i] == '\n')
			tell_error_line(runtime);
		else if (runtime->error_line.len < ERROR_LINE_MAX)
			buf_addch(&runtime->error_line, s[i]);
}

/* ---- its beginning */

static void
on_greeted(const struct runtime_reply *reply, void *payload)
{
	struct runtime *runtime = payload;
	struct buf line = BUF_INIT;

	if (runtime->ending || !runtime->child)
		return;
	if (reply->fault) {
		runtime_break(runtime, RUNTIME_FAULT_START, "the runtime did not let itself be greeted: %s", reply->message);
		return;
	}
	buf_reset(&runtime->greeted);
	jtext_compact(&runtime->greeted, reply->result);
	buf_reset(&runtime->agent);
	jtext_get_string(reply->result, "userAgent", &runtime->agent);
	buf_addstr(&line, "{\"method\":\"initialized\"}");
	runtime_say(runtime, &line);
	buf_release(&line);
	runtime->ready_mono = clock_monotonic_ms();
	runtime->ready_wall = clock_wall_ms();
	set_state(runtime, RUNTIME_READY);
	runtime_tick(runtime);
}

/* Codex 0.105.0 says each thing a second time under such a name: two of three lines, and nobody reads them. */
static const char *const twins[] = { "agent_message", "agent_message_content_delta", "agent_message_delta", "agent_reasoning", "agent_reasoning_delta",
	"agent_reasoning_raw_content", "agent_reasoning_raw_content_delta", "agent_reasoning_section_break", "apply_patch_approval_request", "background_event",
	"context_compacted", "error", "exec_approval_request", "exec_command_begin", "exec_command_end", "exec_command_output_delta", "item_completed", "item_started",
	"mcp_startup_complete", "mcp_startup_update", "mcp_tool_call_begin", "mcp_tool_call_end", "patch_apply_begin", "patch_apply_end", "plan_delta", "plan_update",
	"raw_response_item", "reasoning_content_delta", "reasoning_raw_content_delta", "request_user_input", "session_configured", "stream_error", "task_complete",
	"task_started", "terminal_interaction", "token_count", "turn_aborted", "turn_diff", "user_message", "view_image_tool_call", "warning", "web_search_begin",
	"web_search_end" };

static void
greet(struct runtime *runtime)
{
	struct buf params = BUF_INIT;
	size_t i;

	/* experimentalApi: thread/backgroundTerminals/clean, without which an interrupted command runs on */
	buf_addstr(&params, "{\"clientInfo\":{\"name\":\"" CLIENT_NAME "\",\"title\":\"agentutils\",\"version\":\"" PACKAGE_VERSION "\"},"
			    "\"capabilities\":{\"experimentalApi\":true,\"optOutNotificationMethods\":[");
	for (i = 0; i < ARRAY_LEN(twins); i++)
		buf_addf(&params, "%s\"codex/event/%s\"", i ? "," : "", twins[i]);
	buf_addstr(&params, "]}}");
	runtime->greeting = call_new(runtime, "initialize", &params, runtime->settings.init_timeout_ms, on_greeted, runtime);
	call_send(runtime, runtime->greeting);
}

static void
start(struct runtime *runtime)
{
	static const struct child_calls calls = { .line = on_line, .too_long = on_too_long, .turn = on_turn, .errors = on_errors, .closed = on_closed,
		.ended = on_ended };
	struct child_setup setup = { .argv = (const char *const *)(uintptr_t)runtime->argv, .env = (const char *const *)(uintptr_t)runtime->env,
		.dir = runtime->dir, .line_max = runtime->settings.line_max, .unsent_max = RUNTIME_UNSENT_MAX };
	struct err err = ERR_INIT;

	runtime->generation++;
	runtime->garbage = 0;
	runtime->pause_until = DEADLINE_NONE;
	runtime->ending = false;
	buf_reset(&runtime->why);
	buf_reset(&runtime->errors);
	buf_reset(&runtime->error_line);
	buf_reset(&runtime->agent);
	set_state(runtime, RUNTIME_STARTING);
	runtime->child = child_start(runtime->base, &setup, &calls, runtime, &err);
	if (!runtime->child) {
		buf_addstr(&runtime->why, err.text);
		gone(runtime, RUNTIME_FAULT_START, -1, 0);
		return;
	}
	if (runtime->holds)
		child_hold(runtime->child, true);
	greet(runtime);
}

static bool
is_needed(const struct runtime *runtime)
{
	const struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		if (turn->state == TURN_WAITING)
			return true;
	return calls_count(runtime, true) > 0;
}

void
runtime_need(struct runtime *runtime)
{
	struct buf why = BUF_INIT;
	int64_t left;

	if (runtime->stopping || (runtime->state != RUNTIME_IDLE && runtime->state != RUNTIME_PAUSED))
		return;
	left = runtime->state == RUNTIME_PAUSED ? deadline_left(runtime->pause_until) : 0;
	if (!left && (runtime->settings.keep || is_needed(runtime)))
		start(runtime);
	else if (!left) {
		runtime->pause_until = DEADLINE_NONE;
		set_state(runtime, RUNTIME_IDLE);
	} else if (left > RUNTIME_PATIENCE_MS && is_needed(runtime)) {
		buf_addf(&why, "%s; it is tried again in %lld ms", runtime->last_error.s, (long long)left);
		fail_waiting(runtime, RUNTIME_FAULT_PAUSED, why.s);
		runtime_tick(runtime);
	}
	buf_release(&why);
}

/* ---- stopping */

static void
stop_step(struct runtime *runtime)
{
	struct turn *turn;
	bool late;

	if (runtime->stopped)
		return;
	fail_waiting(runtime, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
	for (turn = runtime->turns; turn; turn = turn->next)
		if (!turn->stop && turn->state != TURN_FAILED) {
			buf_reset(&turn->error);
			buf_addstr(&turn->error, "the runtime is being stopped");
			turn->fault = RUNTIME_FAULT_STOPPING;
			turn_stop(turn, STOP_STOPPING);
		}
	tell_all(runtime);
	late = !deadline_left(runtime->stop_at);
	if (late) {
		runtime->stop_at = DEADLINE_NONE;
		runtime->holds = 0; /* whoever holds it must not keep it from ending */
		if (runtime->child)
			child_hold(runtime->child, false);
	}
	if (runtime->child && !runtime->ending && (!runtime->turns || late)) {
		for (turn = runtime->turns; turn; turn = turn->next)
			turn_fail(turn, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
		calls_fail(runtime, runtime->generation, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
		runtime->holds = 0;
		child_hold(runtime->child, false);
		end_gently(runtime);
		runtime_tick(runtime);
	}
	if (runtime->child || runtime->turns || runtime->call_list)
		return;
	runtime->stopped = true;
	runtime->stop_at = DEADLINE_NONE;
	set_state(runtime, RUNTIME_STOPPED);
	if (runtime->stop_done)
		runtime->stop_done(runtime->stop_payload);
}

void
runtime_stop(struct runtime *runtime, int64_t grace_ms, void (*done)(void *payload), void *payload)
{
	if (runtime->stopping)
		return;
	runtime->stopping = true;
	runtime->stop_done = done;
	runtime->stop_payload = payload;
	runtime->stop_at = deadline_in(grace_ms);
	runtime_tick(runtime);
}

/* ---- the loop */

static void
look_idle(struct runtime *runtime)
{
	bool idle = runtime->state == RUNTIME_READY && !runtime->turns && !runtime->call_list && runtime->settings.idle_ms > 0;

	if (!idle)
		runtime->idle_at = DEADLINE_NONE;
	else if (runtime->idle_at == DEADLINE_NONE)
		runtime->idle_at = deadline_in(runtime->settings.idle_ms);
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct runtime *runtime = payload;

	(void)fd;
	(void)what;
	if (runtime->unread)
		runtime_break(runtime, RUNTIME_FAULT_PROTOCOL, "the runtime does not read what it is sent");
	runtime->unread = false;
	tell_all(runtime);
	runtime_need(runtime);
	if (runtime->state == RUNTIME_READY && !runtime->stopping) {
		calls_ready(runtime);
		turns_ready(runtime);
	}
	if (runtime->stopping)
		stop_step(runtime);
	look_idle(runtime);
	runtime_rearm(runtime);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct runtime *runtime = payload;

	if (!runtime->holds) {
		if (runtime->greeting && !deadline_left(runtime->greeting->deadline))
			runtime_break(runtime, RUNTIME_FAULT_START, "the runtime was not ready within %lld ms", (long long)runtime->settings.init_timeout_ms);
		calls_timeout(runtime);
		turns_timeout(runtime);
		if (!deadline_left(runtime->idle_at))
			end_gently(runtime);
	}
	on_tick(fd, what, runtime);
}

static void
later(int64_t *at, int64_t ms)
{
	if (*at != DEADLINE_NONE)
		*at += ms;
}

void
runtime_hold(struct runtime *runtime)
{
	if (runtime->holds++)
		return;
	runtime->held_at = clock_monotonic_ms();
	if (runtime->child)
		child_hold(runtime->child, true);
	runtime_tick(runtime);
}

void
runtime_release(struct runtime *runtime)
{
	struct approval *approval;
	struct call *call;
	struct turn *turn;
	int64_t ms;

	if (!runtime->holds || --runtime->holds)
		return;
	ms = clock_monotonic_ms() - runtime->held_at;
	later(&runtime->idle_at, ms);
	for (call = runtime->call_list; call; call = call->next)
		later(&call->deadline, ms);
	for (turn = runtime->turns; turn; turn = turn->next) {
		later(&turn->deadline, ms);
		later(&turn->stop_at, ms);
		later(&turn->again_at, ms);
		for (approval = turn->approvals; approval; approval = approval->next)
			later(&approval->deadline, ms);
	}
	if (runtime->child)
		child_hold(runtime->child, false);
	runtime_tick(runtime);
}

/* ---- the door */

static char **
copy_list(const char *const *list)
{
	size_t n = 0, i;
	char **copy;

	while (list && list[n])
		n++;
	copy = xcalloc(n + 1, sizeof *copy);
	for (i = 0; i < n; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

static void
free_list(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strcspn(b, "=") == n && !memcmp(a, b, n);
}

/* What programs need, unless all is asked for; and what the settings say, which wins. */
static char **
make_env(const struct runtime_settings *settings)
{
	static const char *const kept[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "CODEX_HOME", "SSL_CERT_FILE",
		"SSL_CERT_DIR", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY" };
	size_t n = 0, all = 0, extra = 0, i, j;
	char **env;

	while (environ && environ[all])
		all++;
	while (settings->env && settings->env[extra])
		extra++;
	env = xcalloc(all + extra + 1, sizeof *env);
	for (i = 0; i < all; i++) {
		bool take = settings->whole_env;

		for (j = 0; !take && j < ARRAY_LEN(kept); j++)
			take = strlen(kept[j]) == strcspn(environ[i], "=") && same_name(environ[i], kept[j]);
		for (j = 0; take && j < extra; j++)
			take = !same_name(environ[i], settings->env[j]);
		if (take)
			env[n++] = xstrdup(environ[i]);
	}
	for (i = 0; i < extra; i++)
		env[n++] = xstrdup(settings->env[i]);
	return env;
}

static int64_t
or(int64_t ms, int64_t otherwise)
{
	return ms > 0 ? ms : otherwise;
}

struct runtime *
runtime_new(struct event_base *base, const struct runtime_settings *settings, const struct runtime_calls *calls, void *payload)
{
	struct runtime *runtime = xcalloc(1, sizeof *runtime);
	struct runtime_settings *own = &runtime->settings;

	runtime->base = base;
	runtime->payload = payload;
	if (calls)
		runtime->calls = *calls;
	*own = *settings;
	own->argv = own->env = NULL;
	own->dir = NULL;
	own->init_timeout_ms = or(own->init_timeout_ms, RUNTIME_INIT_TIMEOUT_MS);
	own->call_timeout_ms = or(own->call_timeout_ms, RUNTIME_CALL_TIMEOUT_MS);
	own->interrupt_timeout_ms = or(own->interrupt_timeout_ms, RUNTIME_INTERRUPT_TIMEOUT_MS);
	own->pause_min_ms = or(own->pause_min_ms, RUNTIME_PAUSE_MIN_MS);
	own->pause_max_ms = or(own->pause_max_ms, RUNTIME_PAUSE_MAX_MS);
	own->line_max = own->line_max ? own->line_max : RUNTIME_LINE_MAX;
	runtime->argv = copy_list(settings->argv);
	runtime->env = make_env(settings);
	runtime->dir = settings->dir ? xstrdup(settings->dir) : NULL;
	runtime->next_id = 1;
	runtime->pause_until = runtime->idle_at = runtime->stop_at = DEADLINE_NONE;
	backoff_init(&runtime->backoff, own->pause_min_ms, own->pause_max_ms, (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)runtime);
	message_init(&runtime->message);
	buf_init(&runtime->line);
	buf_init(&runtime->agent);
	buf_init(&runtime->greeted);
	buf_init(&runtime->last_error);
	buf_init(&runtime->errors);
	buf_init(&runtime->error_line);
	buf_init(&runtime->why);
	runtime->tick = event_new(base, -1, 0, on_tick, runtime);
	runtime->timer = event_new(base, -1, 0, on_timer, runtime);
	if (own->keep)
		runtime_tick(runtime);
	return runtime;
}

void
runtime_free(struct runtime *runtime)
{
	if (!runtime)
		return;
	child_free(runtime->child);
	while (runtime->turns)
		turn_free(runtime->turns);
	while (runtime->call_list)
		call_drop(runtime->call_list);
	event_free(runtime->tick);
	event_free(runtime->timer);
	threads_clear(&runtime->loaded);
	message_release(&runtime->message);
	buf_release(&runtime->line);
	buf_release(&runtime->agent);
	buf_release(&runtime->greeted);
	buf_release(&runtime->last_error);
	buf_release(&runtime->errors);
	buf_release(&runtime->error_line);
	buf_release(&runtime->why);
	free_list(runtime->argv);
	free_list(runtime->env);
	free(runtime->dir);
	free(runtime);
}

void
runtime_status(const struct runtime *runtime, struct runtime_status *ret)
{
	const struct turn *turn;

	*ret = (struct runtime_status){ .state = runtime->state, .pid = runtime->child ? child_pid(runtime->child) : 0, .generation = runtime->generation,
		.ends = runtime->ends, .ready_ms = runtime->ready_wall, .calls = calls_count(runtime, false), .garbage = runtime->garbage_all,
		.late = runtime->late, .agent = runtime->agent.s, .last_error = runtime->last_error.s, .errors = runtime->errors.s,
		.errors_len = runtime->errors.len };
	if (runtime->state == RUNTIME_PAUSED)
		ret->pause_ms = deadline_left(runtime->pause_until);
	for (turn = runtime->turns; turn; turn = turn->next)
		ret->turns += turn->cb != NULL;
}
