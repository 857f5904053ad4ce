/* life.c - one supervised child: started when it is needed, greeted, listened to, ended, and started again after a pause
 *
 * States: IDLE -> STARTING -> READY -> (ENDING) -> IDLE or PAUSED -> STARTING ... -> STOPPED. A generation is one start.
 */
#include "compat.h"

#include <string.h>
#include <sys/wait.h>

#include "clock.h"
#include "err.h"
#include "runtime/internal.h"
#include "status.h"
#include "trouble.h"
#include "utf8.h"

#define ERROR_LINE_MAX 4096 /* bytes of one line of standard error that are told */
#define CLIENT_NAME "agent-gateway"

/* ---- its end */

/* It never was ready, and starting it once more changes that only when somebody does something about it. */
static bool
is_lasting(enum runtime_fault fault)
{
	return fault == RUNTIME_FAULT_MISSING || fault == RUNTIME_FAULT_VERSION || fault == RUNTIME_FAULT_AUTH;
}

static void
fail_all(struct runtime *runtime, enum runtime_fault fault, const char *message)
{
	turns_gone(runtime, runtime->generation, fault, message);
	calls_fail(runtime, runtime->generation, fault, message);
	runtime->greeting = NULL;
	if (fault == RUNTIME_FAULT_START || is_lasting(fault))
		runtime_fail_waiting(runtime, fault, message);
}

void
runtime_break(struct runtime *runtime, enum runtime_fault fault, const char *fmt, ...)
{
	va_list args;

	if (!runtime->child || runtime->ending)
		return;
	if (runtime->state == RUNTIME_STARTING && !is_lasting(fault))
		fault = RUNTIME_FAULT_START;
	runtime->ending = true;
	runtime->why_fault = fault;
	buf_reset(&runtime->why);
	va_start(args, fmt);
	buf_vaddf(&runtime->why, fmt, args);
	va_end(args);
	fail_all(runtime, fault, runtime->why.s);
	runtime->child->kind->end(runtime->child, false, RUNTIME_TERM_GRACE_MS);
	runtime_set_state(runtime, RUNTIME_ENDING);
	runtime_tick(runtime);
}

void
runtime_end_gently(struct runtime *runtime)
{
	if (!runtime->child || runtime->ending)
		return;
	runtime->ending = true;
	runtime->why_fault = RUNTIME_FAULT_NONE;
	buf_reset(&runtime->why);
	runtime->child->kind->end(runtime->child, true, RUNTIME_TERM_GRACE_MS);
	runtime_set_state(runtime, RUNTIME_ENDING);
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
	struct runtime_gone told = {
		.generation = runtime->generation, .fault = fault, .exit_status = exit_status, .signal = signo, .message = runtime->why.s
	};

	fail_all(runtime, fault == RUNTIME_FAULT_NONE ? RUNTIME_FAULT_GONE : fault, runtime->why.s);
	runtime->pause_until = DEADLINE_NONE;
	if (fault != RUNTIME_FAULT_NONE) {
		buf_reset(&runtime->last_error);
		buf_add(&runtime->last_error, runtime->why.s, runtime->why.len);
		runtime->last_fault = fault;
		runtime->ends++;
		if (runtime->ready_mono && clock_monotonic_ms() - runtime->ready_mono >= RUNTIME_STEADY_MS)
			backoff_reset(&runtime->backoff);
		told.pause_ms = backoff_next(&runtime->backoff);
		runtime->pause_until = deadline_in(told.pause_ms);
	}
	runtime->ready_mono = runtime->ready_wall = 0;
	runtime->idle_at = DEADLINE_NONE;
	threads_clear(&runtime->loaded);
	runtime_tell(runtime);
	if (runtime->calls.gone)
		runtime->calls.gone(&told, runtime->payload);
	if (!runtime->stopping)
		runtime_set_state(runtime, fault == RUNTIME_FAULT_NONE ? RUNTIME_IDLE : RUNTIME_PAUSED);
	runtime_tick(runtime);
}

static void
on_ended(int wait_status, void *payload)
{
	struct runtime *runtime = payload;
	enum runtime_fault fault = runtime->ending ? runtime->why_fault : runtime->ready_mono ? RUNTIME_FAULT_GONE : RUNTIME_FAULT_START;
	int signo = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0, status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;

	runtime->child->kind->free(runtime->child);
	runtime->child = NULL;
	if (fault == RUNTIME_FAULT_START && !runtime->ending)
		fault = trouble_of_start(status, runtime->errors.s);
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

/* Until when, if a limit is met later that does not say so itself. */
static void
note_limits(struct runtime *runtime, const struct message *message)
{
	struct span limits;

	if (!strcmp(message->method.s, "account/rateLimits/updated") && jtext_get(message->params, "rateLimits", &limits))
		runtime->reset_at = trouble_reset_at(limits);
}

static void
notify(struct runtime *runtime, const struct message *message)
{
	static const char *const accounts[] = { "account/updated", "account/login/completed", "account/rateLimits/updated",
		"mcpServer/oauthLogin/completed" };
	struct buf thread = BUF_INIT, id = BUF_INIT;
	struct span value;
	size_t i;

	if (!strncmp(message->method.s, "codex/event/", 12))
		return; /* an older form of what comes anyway */
	for (i = 0; i < ARRAY_LEN(accounts); i++)
		if (!strcmp(message->method.s, accounts[i])) {
			note_limits(runtime, message);
			if (runtime->calls.account)
				runtime->calls.account(message->method.s, message->params, runtime->payload);
			return;
		}
	if (jtext_get_string(message->params, "threadId", &thread) && thread.len) {
		if (!jtext_get_string(message->params, "turnId", &id) && jtext_get(message->params, "turn", &value))
			jtext_get_string(value, "id", &id);
		if (strcmp(message->method.s, "serverRequest/resolved") != 0)
			turn_notify(runtime, message, span_of(&thread), span_of(&id));
		else if (jtext_get(message->params, "requestId", &value))
			approval_resolved(runtime, span_of(&thread), value);
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
			runtime_break(runtime, RUNTIME_FAULT_PROTOCOL, "the runtime wrote more than %d lines in a row that are no messages",
			    RUNTIME_GARBAGE_MAX);
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
		runtime->calls.notice("stderr", span_of(&text), runtime->payload);
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

void
runtime_is_ready(struct runtime *runtime)
{
	runtime->ready_mono = clock_monotonic_ms();
	runtime->ready_wall = clock_wall_ms();
	runtime_set_state(runtime, RUNTIME_READY);
	runtime_tick(runtime);
}

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
	buf_reset(&runtime->agent);
	jtext_get_string(reply->result, "userAgent", &runtime->agent);
	if (runtime->oldest && trouble_is_older(runtime->agent.s, runtime->oldest)) {
		runtime_break(
		    runtime, RUNTIME_FAULT_VERSION, "the runtime is too old: %s; at least %s is needed", runtime->agent.s, runtime->oldest);
		return;
	}
	buf_addstr(&line, "{\"method\":\"initialized\"}");
	runtime_say(runtime, &line);
	buf_release(&line);
	login_begin(runtime);
}

/* Codex 0.105.0 says each thing a second time under such a name: two of three lines, and nobody reads them. */
static const char *const twins[] = { "agent_message", "agent_message_content_delta", "agent_message_delta", "agent_reasoning",
	"agent_reasoning_delta", "agent_reasoning_raw_content", "agent_reasoning_raw_content_delta", "agent_reasoning_section_break",
	"apply_patch_approval_request", "background_event", "context_compacted", "error", "exec_approval_request", "exec_command_begin",
	"exec_command_end", "exec_command_output_delta", "item_completed", "item_started", "mcp_startup_complete", "mcp_startup_update",
	"mcp_tool_call_begin", "mcp_tool_call_end", "patch_apply_begin", "patch_apply_end", "plan_delta", "plan_update",
	"raw_response_item", "reasoning_content_delta", "reasoning_raw_content_delta", "request_user_input", "session_configured",
	"stream_error", "task_complete", "task_started", "terminal_interaction", "token_count", "turn_aborted", "turn_diff", "user_message",
	"view_image_tool_call", "warning", "web_search_begin", "web_search_end" };

static void
greet(struct runtime *runtime)
{
	struct buf params = BUF_INIT;
	size_t i;

	/* experimentalApi: thread/backgroundTerminals/clean, without which an interrupted command runs on */
	buf_addstr(&params,
	    "{\"clientInfo\":{\"name\":\"" CLIENT_NAME "\",\"title\":\"agentutils\",\"version\":\"" PACKAGE_VERSION "\"},"
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
	static const struct child_calls calls = {
		.line = on_line, .too_long = on_too_long, .turn = on_turn, .errors = on_errors, .closed = on_closed, .ended = on_ended
	};
	struct child_setup setup = { .argv = (const char *const *)(uintptr_t)runtime->argv,
		.env = (const char *const *)(uintptr_t)runtime->env,
		.dir = runtime->dir,
		.line_max = runtime->settings.line_max,
		.unsent_max = RUNTIME_UNSENT_MAX };
	struct err err = ERR_INIT;

	runtime->generation++;
	runtime->garbage = 0;
	runtime->pause_until = DEADLINE_NONE;
	runtime->ending = false;
	buf_reset(&runtime->why);
	buf_reset(&runtime->errors);
	buf_reset(&runtime->error_line);
	buf_reset(&runtime->agent);
	runtime_set_state(runtime, RUNTIME_STARTING);
	runtime->child = runtime->settings.host ? remote_start(runtime->base, runtime->settings.host, &calls, runtime)
						: child_start(runtime->base, &setup, &calls, runtime, &err);
	if (!runtime->child) {
		buf_addstr(&runtime->why, err.text);
		/* its directory may be what is not there */
		gone(runtime, err.status == STATUS_CONFIG && !runtime->dir ? RUNTIME_FAULT_MISSING : RUNTIME_FAULT_START, -1, 0);
		return;
	}
	if (runtime->holds)
		runtime->child->kind->hold(runtime->child, true);
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
		runtime_set_state(runtime, RUNTIME_IDLE);
	} else if (left > RUNTIME_PATIENCE_MS && is_needed(runtime)) {
		buf_addf(&why, "%s; it is tried again in %lld ms", runtime->last_error.s, (long long)left);
		/* what only somebody who installs something gets over is said again */
		runtime_fail_waiting(runtime, is_lasting(runtime->last_fault) ? runtime->last_fault : RUNTIME_FAULT_PAUSED, why.s);
		runtime_tick(runtime);
	}
	buf_release(&why);
}
