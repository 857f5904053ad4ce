/* runtime.c - the door of the room: making and stopping a runtime, its timer and its tick */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "runtime/internal.h"
#include "xalloc.h"

extern char **environ;

const char *
runtime_fault_word(enum runtime_fault fault)
{
	static const char *const words[] = { "none", "start", "missing", "version", "config", "paused", "gone", "protocol", "timeout",
		"turn-timeout", "refused", "no-thread", "turn", "auth", "limit", "model", "busy", "input", "stopping" };

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

/* The timer, after deadlines have changed. */
static void
rearm(struct runtime *runtime)
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

void
runtime_set_state(struct runtime *runtime, enum runtime_state state)
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
	sent = runtime->child->kind->write(runtime->child, whole.s, whole.len, secret);
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
void
runtime_tell(struct runtime *runtime)
{
	int n;

	for (n = 0; n < TELL_MAX && (approvals_tell(runtime) || replies_tell(runtime) || turns_tell(runtime)); n++)
		;
	if (n == TELL_MAX)
		runtime_tick(runtime);
}

void
runtime_fail_waiting(struct runtime *runtime, enum runtime_fault fault, const char *message)
{
	turns_gone(runtime, 0, fault, message);
	calls_fail(runtime, 0, fault, message);
}

/* ---- stopping */

static void
stop_step(struct runtime *runtime)
{
	struct turn *turn;
	bool late;

	if (runtime->stopped)
		return;
	runtime_fail_waiting(runtime, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
	for (turn = runtime->turns; turn; turn = turn->next)
		if (!turn->stop && turn->state != TURN_FAILED) {
			buf_reset(&turn->error);
			buf_addstr(&turn->error, "the runtime is being stopped");
			turn->fault = RUNTIME_FAULT_STOPPING;
			turn_stop(turn, STOP_STOPPING);
		}
	runtime_tell(runtime);
	late = !deadline_left(runtime->stop_at);
	if (late) {
		runtime->stop_at = DEADLINE_NONE;
		runtime->holds = 0; /* whoever holds it must not keep it from ending */
		if (runtime->child)
			runtime->child->kind->hold(runtime->child, false);
	}
	if (runtime->child && !runtime->ending && (!runtime->turns || late)) {
		for (turn = runtime->turns; turn; turn = turn->next)
			turn_fail(turn, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
		calls_fail(runtime, runtime->generation, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
		runtime->holds = 0;
		runtime->child->kind->hold(runtime->child, false);
		runtime_end_gently(runtime);
		runtime_tick(runtime);
	}
	if (runtime->child || runtime->turns || runtime->call_list)
		return;
	runtime->stopped = true;
	runtime->stop_at = DEADLINE_NONE;
	runtime_set_state(runtime, RUNTIME_STOPPED);
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
	runtime_tell(runtime);
	runtime_need(runtime);
	if (runtime->state == RUNTIME_READY && !runtime->stopping) {
		calls_ready(runtime);
		turns_ready(runtime);
	}
	if (runtime->stopping)
		stop_step(runtime);
	look_idle(runtime);
	rearm(runtime);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct runtime *runtime = payload;

	if (!runtime->holds) {
		if (runtime->greeting && !deadline_left(runtime->greeting->deadline))
			runtime_break(runtime, RUNTIME_FAULT_START, "the runtime was not ready within %lld ms",
			    (long long)runtime->settings.init_timeout_ms);
		calls_timeout(runtime);
		turns_timeout(runtime);
		if (!deadline_left(runtime->idle_at))
			runtime_end_gently(runtime);
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
		runtime->child->kind->hold(runtime->child, true);
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
		runtime->child->kind->hold(runtime->child, false);
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
	static const char *const kept[] = { "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "CODEX_HOME",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
		"ALL_PROXY", "NO_PROXY" };
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

static int64_t or (int64_t ms, int64_t otherwise)
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
	own->init_timeout_ms = or (own->init_timeout_ms, RUNTIME_INIT_TIMEOUT_MS);
	own->call_timeout_ms = or (own->call_timeout_ms, RUNTIME_CALL_TIMEOUT_MS);
	own->interrupt_timeout_ms = or (own->interrupt_timeout_ms, RUNTIME_INTERRUPT_TIMEOUT_MS);
	own->pause_min_ms = or (own->pause_min_ms, RUNTIME_PAUSE_MIN_MS);
	own->pause_max_ms = or (own->pause_max_ms, RUNTIME_PAUSE_MAX_MS);
	own->line_max = own->line_max ? own->line_max : RUNTIME_LINE_MAX;
	runtime->argv = copy_list(settings->argv);
	runtime->env = make_env(settings);
	runtime->dir = settings->dir ? xstrdup(settings->dir) : NULL;
	runtime->oldest = settings->oldest ? xstrdup(settings->oldest) : NULL;
	runtime->key_file = settings->key_file ? xstrdup(settings->key_file) : NULL;
	runtime->key_variable = settings->key_variable ? xstrdup(settings->key_variable) : NULL;
	own->oldest = own->key_file = own->key_variable = NULL;
	runtime->next_id = 1;
	runtime->pause_until = runtime->idle_at = runtime->stop_at = DEADLINE_NONE;
	backoff_init(&runtime->backoff, own->pause_min_ms, own->pause_max_ms, (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)runtime);
	message_init(&runtime->message);
	buf_init(&runtime->line);
	buf_init(&runtime->agent);
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
	if (runtime->child)
		runtime->child->kind->free(runtime->child);
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
	buf_release(&runtime->last_error);
	buf_release(&runtime->errors);
	buf_release(&runtime->error_line);
	buf_release(&runtime->why);
	free_list(runtime->argv);
	free_list(runtime->env);
	free(runtime->dir);
	free(runtime->oldest);
	free(runtime->key_file);
	free(runtime->key_variable);
	free(runtime);
}

void
runtime_status(const struct runtime *runtime, struct runtime_status *ret)
{
	const struct turn *turn;

	*ret = (struct runtime_status){ .state = runtime->state,
		.pid = runtime->child ? runtime->child->pid : 0,
		.generation = runtime->generation,
		.ends = runtime->ends,
		.ready_ms = runtime->ready_wall,
		.calls = calls_count(runtime, false),
		.garbage = runtime->garbage_all,
		.late = runtime->late,
		.agent = runtime->agent.s,
		.last_error = runtime->last_error.s,
		.errors = runtime->errors.s,
		.errors_len = runtime->errors.len };
	if (runtime->state == RUNTIME_PAUSED)
		ret->pause_ms = deadline_left(runtime->pause_until);
	for (turn = runtime->turns; turn; turn = turn->next)
		ret->turns += turn->cb != NULL;
}
