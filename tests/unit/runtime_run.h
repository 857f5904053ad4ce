/* runtime_run.h - one runtime on a loop, what it is asked and all that it tells: for the tests of the room runtime/
 *
 * Each test has a struct run: run_init(), run_open() with a script for agent-runtime-mock, turn() and so on, run_close().
 */
#ifndef RUNTIME_RUN_H
#define RUNTIME_RUN_H

#include "compat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "runtime/runtime.h"
#include "tap.h"

#define LONG_MS 20000 /* nothing takes that long */
#define TEXT(s)                                                                                                                            \
	{                                                                                                                                  \
		(s), sizeof(s) - 1                                                                                                         \
	}

static struct event_base *base;
static char mock_path[4096], script_path[4096], flag_path[4096];

/* ---- one runtime, and all that it tells */

struct run {
	struct runtime *runtime;
	struct runtime_settings settings;
	struct buf log, account, notices, text, message, thread, answer, info;
	uint64_t turn, approval, generation;
	int ends, deltas, gones, events, resolved, open, kill_after, interrupt_after, again;
	bool interrupted, replied, stopped, auto_accept;
	struct runtime_end end;
	struct runtime_gone gone;
	struct runtime_reply reply;
	enum runtime_decision decision;
	const char *result;
};

static inline void
write_script(const char *text)
{
	FILE *file = fopen(script_path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		exit(1);
}

static inline void
on_event(const struct runtime_event *event, void *payload)
{
	static const char *const outcomes[] = { "completed", "interrupted", "failed" },
				 *const hows[] = { "answered", "timeout", "withdrawn" };
	struct run *run = payload;
	struct runtime_status status;

	if (event->type == RUNTIME_NOTICE && !strcmp(event->method, "thread/status/changed"))
		return;
	run->events++;
	run->generation = event->generation;
	if (run->ends && run->turn == event->turn)
		buf_addstr(&run->log, "AFTER THE END: ");
	switch (event->type) {
	case RUNTIME_THREAD:
		buf_addf(&run->log, "thread%s%s\n", event->started ? " started" : "", event->lost ? " lost" : "");
		buf_reset(&run->thread);
		buf_addstr(&run->thread, event->thread);
		break;
	case RUNTIME_TURN_STARTED:
		buf_addstr(&run->log, "begun\n");
		break;
	case RUNTIME_ITEM_STARTED:
		buf_addf(&run->log, "+%s\n", event->item_type);
		break;
	case RUNTIME_ITEM_COMPLETED:
		buf_addf(&run->log, "-%s\n", event->item_type);
		break;
	case RUNTIME_ITEM_DELTA:
		run->deltas++;
		if (event->delta == RUNTIME_DELTA_MESSAGE)
			buf_add(&run->text, event->text.s, event->text.n);
		else
			buf_addf(&run->log, "delta %d %.*s\n", event->delta, (int)event->text.n, event->text.s);
		break;
	case RUNTIME_USAGE:
		buf_addstr(&run->log, "usage\n");
		break;
	case RUNTIME_APPROVAL:
		run->open++;
		run->approval = event->approval;
		buf_addf(&run->log, "approval %d\n", event->kind);
		if (run->auto_accept) {
			struct runtime_answer answer = { .decision = run->decision, .result = SPAN_NONE };

			if (run->result)
				answer.result = (struct span){ run->result, strlen(run->result) };
			if (!runtime_approval_answer(run->runtime, event->approval, &answer) ||
			    runtime_approval_answer(run->runtime, event->approval, &answer))
				buf_addstr(&run->log, "NOT OPEN\n");
		}
		break;
	case RUNTIME_APPROVAL_RESOLVED:
		run->open--;
		run->resolved++;
		buf_addf(&run->log, "resolved %s\n", hows[event->how]);
		break;
	case RUNTIME_NOTICE:
		buf_addf(&run->log, "notice %s\n", event->method);
		break;
	case RUNTIME_END:
		run->ends++;
		run->end = *event->end;
		buf_reset(&run->message);
		buf_addstr(&run->message, event->end->message);
		buf_reset(&run->info);
		buf_addstr(&run->info, event->end->info);
		buf_reset(&run->answer);
		buf_add(&run->answer, event->end->text.s, event->end->text.n);
		buf_addf(&run->log, "end %s", outcomes[event->end->outcome]);
		if (event->end->fault)
			buf_addf(&run->log, " %s", runtime_fault_word(event->end->fault));
		buf_addch(&run->log, '\n');
		if (run->again) {
			struct runtime_turn_request request = { .thread = { run->thread.s, run->thread.len }, .text = TEXT("again") };

			run->again--;
			run->turn = runtime_turn_start(run->runtime, &request, on_event, run);
		}
		break;
	}
	if (run->interrupt_after && run->events == run->interrupt_after)
		run->interrupted |= runtime_turn_interrupt(run->runtime, event->turn);
	if (run->kill_after && run->events == run->kill_after) {
		runtime_status(run->runtime, &status);
		if (status.pid > 0)
			kill(-status.pid, SIGKILL);
	}
}

static inline void
on_gone(const struct runtime_gone *gone, void *payload)
{
	struct run *run = payload;

	run->gone = *gone;
	run->gones++;
	buf_addf(&run->notices, "gone %s: %s\n", runtime_fault_word(gone->fault), gone->message);
}

static inline void
on_account(const char *method, struct span params, void *payload)
{
	struct run *run = payload;

	buf_addf(&run->account, "%s %.*s\n", method, (int)params.n, params.s);
}

static inline void
on_notice(const char *method, struct span params, void *payload)
{
	struct run *run = payload;

	buf_addf(&run->notices, "%s %.*s\n", method, (int)params.n, params.s);
}

static inline void
on_reply(const struct runtime_reply *reply, void *payload)
{
	struct run *run = payload;

	run->reply = *reply;
	run->replied = true;
	buf_reset(&run->answer);
	buf_reset(&run->message);
	if (reply->result.s)
		buf_add(&run->answer, reply->result.s, reply->result.n);
	if (reply->message)
		buf_addstr(&run->message, reply->message);
}

static inline void
on_stopped(void *payload)
{
	((struct run *)payload)->stopped = true;
}

static const struct runtime_calls calls = { .gone = on_gone, .account = on_account, .notice = on_notice };

static inline void
run_init(struct run *run)
{
	*run = (struct run){ .settings = { .pause_min_ms = 10, .pause_max_ms = 20 } };
	buf_init(&run->log);
	buf_init(&run->account);
	buf_init(&run->notices);
	buf_init(&run->text);
	buf_init(&run->message);
	buf_init(&run->thread);
	buf_init(&run->answer);
	buf_init(&run->info);
}

static inline void
run_open(struct run *run, const char *script, const char *option)
{
	const char *argv[] = { mock_path, script ? "--script" : option, script ? script_path : NULL, script ? option : NULL, NULL };

	if (script)
		write_script(script);
	run->settings.argv = argv;
	run->runtime = runtime_new(base, &run->settings, &calls, run);
}

static inline void
run_close(struct run *run)
{
	runtime_free(run->runtime);
	buf_release(&run->log);
	buf_release(&run->account);
	buf_release(&run->notices);
	buf_release(&run->text);
	buf_release(&run->message);
	buf_release(&run->thread);
	buf_release(&run->answer);
	buf_release(&run->info);
}

static inline void
run_reset(struct run *run)
{
	buf_reset(&run->log);
	buf_reset(&run->text);
	run->ends = run->deltas = run->events = run->resolved = run->open = 0;
	run->interrupted = run->replied = false;
}

static inline void
wake(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	(void)payload;
}

/* Runs the loop until *what is at least `least`; false when that takes too long. */
static inline bool
until(const int *what, int least)
{
	int64_t deadline = deadline_in(LONG_MS);
	struct event *timer = event_new(base, -1, EV_PERSIST, wake, NULL);
	struct timeval each = { 0, 100000 };

	event_add(timer, &each);
	while (*what < least && deadline_left(deadline))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
	return *what >= least;
}

static inline bool
until_true(const bool *what)
{
	int64_t deadline = deadline_in(LONG_MS);
	struct event *timer = event_new(base, -1, EV_PERSIST, wake, NULL);
	struct timeval each = { 0, 100000 };

	event_add(timer, &each);
	while (!*what && deadline_left(deadline))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
	return *what;
}

/* Runs the loop for a while, to see that nothing happens. */
static inline void
pass(int64_t ms)
{
	int64_t deadline = deadline_in(ms);
	struct event *timer = event_new(base, -1, EV_PERSIST, wake, NULL);
	struct timeval each = { 0, 5000 };

	event_add(timer, &each);
	while (deadline_left(deadline))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
}

static inline void
ask(struct run *run, const char *text)
{
	struct runtime_turn_request request = { .thread = { run->thread.s, run->thread.len }, .text = { text, strlen(text) } };

	if (!run->thread.len)
		request.thread = SPAN_NONE;
	run_reset(run);
	run->turn = runtime_turn_start(run->runtime, &request, on_event, run);
}

static inline bool
turn(struct run *run, const char *text)
{
	ask(run, text);
	return until(&run->ends, 1);
}

static inline void
stop(struct run *run)
{
	runtime_stop(run->runtime, 1000, on_stopped, run);
	ok(until_true(&run->stopped), "it stops");
}

/* Ended, and perhaps not yet reaped by whoever inherited it. */
static inline bool
is_zombie(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	file = fopen(path, "r");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state == 'Z';
}

static inline bool
is_dead(pid_t pid)
{
	int64_t deadline = deadline_in(LONG_MS);

	while (deadline_left(deadline)) {
		if ((kill(pid, 0) < 0 && errno == ESRCH) || is_zombie(pid))
			return true;
		pass(10);
	}
	return false;
}

static inline pid_t
read_pid(const char *path)
{
	long pid = 0;
	FILE *file = fopen(path, "r");

	if (file && fscanf(file, "%ld", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return (pid_t)pid;
}

static inline void
has_at(const struct buf *buf, const char *text, int line)
{
	size_t n = strcspn(text, "\n");

	if (!ok(strstr(buf->s, text) != NULL, "%.*s%s", (int)n, text, text[n] ? " ..." : ""))
		printf("# line %d: %.*s\n", line, (int)(buf->len < 2000 ? buf->len : 2000), buf->s);
}
#define has(buf, text) has_at((buf), (text), __LINE__)

/* The first and the last thing of main. */
static inline bool
run_begin(char dir[2048])
{
	const char *build = getenv("AU_BUILD"), *tmp = getenv("TMPDIR");

	signal(SIGPIPE, SIG_IGN);
	snprintf(mock_path, sizeof mock_path, "%s/libexec/agentutils/agent-runtime-mock", build ? build : ".");
	snprintf(dir, 2048, "%s/test-runtime-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return false;
	snprintf(script_path, sizeof script_path, "%s/script", dir);
	snprintf(flag_path, sizeof flag_path, "%s/flag", dir);
	base = event_base_new();
	return true;
}

static inline int
run_end(const char *dir)
{
	event_base_free(base);
	unlink(script_path);
	unlink(flag_path);
	rmdir(dir);
	return done();
}

#define TIMED(test)                                                                                                                        \
	do {                                                                                                                               \
		int64_t began = clock_monotonic_ms();                                                                                      \
		test();                                                                                                                    \
		printf("# " #test ": %lld ms\n", (long long)(clock_monotonic_ms() - began));                                               \
	} while (0)

#endif
