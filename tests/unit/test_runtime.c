/* test_runtime.c - the room runtime/ against agent-runtime-mock, on a loop, through everything a runtime may do */
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
#define TEXT(s) { (s), sizeof(s) - 1 }

static struct event_base *base;
static char mock_path[4096], script_path[4096], flag_path[4096];

/* ---- one runtime, and all that it tells */

struct run {
	struct runtime *runtime;
	struct runtime_settings settings;
	struct buf log, account, notices, text, message, thread, answer, info;
	uint64_t turn, approval, generation;
	int ends, deltas, gones, events, resolved, open, kill_after, interrupt_after;
	bool interrupted, replied, stopped, auto_accept;
	struct runtime_end end;
	struct runtime_gone gone;
	struct runtime_reply reply;
	enum runtime_decision decision;
	const char *result;
};

static void
write_script(const char *text)
{
	FILE *file = fopen(script_path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		exit(1);
}

static void
on_event(const struct runtime_event *event, void *payload)
{
	static const char *const outcomes[] = { "completed", "interrupted", "failed" }, *const hows[] = { "answered", "timeout", "withdrawn" };
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
			if (!runtime_approval_answer(run->runtime, event->approval, &answer) || runtime_approval_answer(run->runtime, event->approval, &answer))
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

static void
on_gone(const struct runtime_gone *gone, void *payload)
{
	struct run *run = payload;

	run->gone = *gone;
	run->gones++;
	buf_addf(&run->notices, "gone %s: %s\n", runtime_fault_word(gone->fault), gone->message);
}

static void
on_account(const char *method, struct span params, void *payload)
{
	struct run *run = payload;

	buf_addf(&run->account, "%s %.*s\n", method, (int)params.n, params.s);
}

static void
on_notice(const char *method, struct span params, void *payload)
{
	struct run *run = payload;

	buf_addf(&run->notices, "%s %.*s\n", method, (int)params.n, params.s);
}

static void
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

static void
on_stopped(void *payload)
{
	((struct run *)payload)->stopped = true;
}

static const struct runtime_calls calls = { .gone = on_gone, .account = on_account, .notice = on_notice };

static void
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

static void
run_open(struct run *run, const char *script, const char *option)
{
	const char *argv[] = { mock_path, script ? "--script" : option, script ? script_path : NULL, script ? option : NULL, NULL };

	if (script)
		write_script(script);
	run->settings.argv = argv;
	run->runtime = runtime_new(base, &run->settings, &calls, run);
}

static void
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

static void
run_reset(struct run *run)
{
	buf_reset(&run->log);
	buf_reset(&run->text);
	run->ends = run->deltas = run->events = run->resolved = run->open = 0;
	run->interrupted = run->replied = false;
}

static void
wake(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	(void)payload;
}

/* Runs the loop until *what is at least `least`; false when that takes too long. */
static bool
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

static bool
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
static void
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

static void
ask(struct run *run, const char *text)
{
	struct runtime_turn_request request = { .thread = { run->thread.s, run->thread.len }, .text = { text, strlen(text) } };

	if (!run->thread.len)
		request.thread = SPAN_NONE;
	run_reset(run);
	run->turn = runtime_turn_start(run->runtime, &request, on_event, run);
}

static bool
turn(struct run *run, const char *text)
{
	ask(run, text);
	return until(&run->ends, 1);
}

static void
stop(struct run *run)
{
	runtime_stop(run->runtime, 1000, on_stopped, run);
	ok(until_true(&run->stopped), "it stops");
}

/* Ended, and perhaps not yet reaped by whoever inherited it. */
static bool
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

static bool
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

static pid_t
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

static void
has_at(const struct buf *buf, const char *text, int line)
{
	size_t n = strcspn(text, "\n");

	if (!ok(strstr(buf->s, text) != NULL, "%.*s%s", (int)n, text, text[n] ? " ..." : ""))
		printf("# line %d: %.*s\n", line, (int)(buf->len < 2000 ? buf->len : 2000), buf->s);
}
#define has(buf, text) has_at((buf), (text), __LINE__)

/* ---- what it does when all is well */

static void
test_turns(void)
{
	struct runtime_turn_request request = { .text = TEXT("a\xff\"b"), .cwd = TEXT("/tmp"), .model = TEXT("m1"), .effort = TEXT("low"),
		.personality = TEXT("calm"), .approval_policy = TEXT("never"), .sandbox_policy = TEXT("\"workspace-write\""),
		.turn_params = TEXT(" {\"executionHost\" : \"h\"} "), .thread_params = TEXT("{\"config\":{\"n\":12345678901234567890}}") };
	struct runtime_status status;
	struct run run;

	run_init(&run);
	run_open(&run, "{\"on\":\"turn\",\"text\":\"params\"}\n{\"say\":\"${params}\"}\n{\"on\":\"turn\",\"text\":\"two\"}\n{\"say\":\"one\"}\n{\"think\":\"hm\"}\n{\"say\":\"two\"}\n"
		       "{\"notify\":{\"method\":\"item/completed\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"item\":{\"type\":\"agentMessage\",\"id\":\"z\",\"text\":\"three\"}}}}\n"
		       "{\"command\":\"ls\",\"output\":\"a\"}\n{\"on\":\"turn\",\"text\":\"early\",\"manual\":true}\n{\"say\":\"soon\"}\n{\"answer\":true}\n"
		       "{\"on\":\"turn\",\"text\":\"never\",\"manual\":true}\n{\"say\":\"soon\"}\n{\"complete\":true}\n", NULL);
	runtime_status(run.runtime, &status);
	ok(status.state == RUNTIME_IDLE && !status.pid, "nothing is started before it is needed");
	ok(turn(&run, "hello"), "a turn ends");
	is_buf(&run.log, "thread started\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n", "and these are its events");
	is_buf(&run.answer, "Cloud(dynamic_sessions) response: hello", "with this answer");
	is_buf(&run.text, "Cloud(dynamic_sessions) response: hello", "which its deltas gave");
	ok(run.end.sent && !run.end.forced && !run.end.fault && !*run.message.s, "and no trouble");
	runtime_status(run.runtime, &status);
	ok(status.state == RUNTIME_READY && status.pid > 0 && status.generation == 1 && status.turns == 0, "the child stays");
	ok(!strncmp(status.agent, "agent-runtime-mock/", 19), "and has said who it is");
	ok(turn(&run, "again"), "a second turn on the same thread");
	is_buf(&run.log, "thread\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n", "needs no start and no resuming");
	ok(turn(&run, "two"), "a turn with several messages");
	is_buf(&run.answer, "one\n\ntwo\n\nthree", "parts them by blank lines, and takes the one that came without deltas");
	is_buf(&run.text, "one\n\ntwo\n\nthree", "so do its deltas");
	has(&run.log, "delta 2 hm\n");
	has(&run.log, "+commandExecution\ndelta 4 a\n-commandExecution\n");
	ok(turn(&run, "early") && run.end.outcome == RUNTIME_COMPLETED, "notifications ahead of the answer are taken");
	is_buf(&run.log, "thread\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n", "in their order");
	ok(turn(&run, "never") && run.end.outcome == RUNTIME_COMPLETED, "a turn may end before its start was answered");
	is_buf(&run.answer, "soon", "with all it said");
	ok(turn(&run, "hello") && run.end.outcome == RUNTIME_COMPLETED, "and the next one is not confused by that");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"say\":\"${params}|${cwd}|${approval}|${sandbox}|${host}\"}\n", NULL);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.ends, 1), "a turn with all options");
	has(&run.answer, "\"model\":\"m1\",\"effort\":\"low\",\"personality\":\"calm\",\"approvalPolicy\":\"never\",\"sandboxPolicy\":{\"type\":\"workspaceWrite\"},\"executionHost\":\"h\"");
	has(&run.answer, "|/tmp|never|{\"type\":\"workspaceWrite\"}|h");
	has(&run.answer, "\"text\":\"a\xef\xbf\xbd\\\"b\"");
	request.sandbox_policy = (struct span)TEXT("{");
	run_reset(&run);
	runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(run.ends == 0, "what cannot be sent is not refused from inside");
	ok(until(&run.ends, 1) && run.end.fault == RUNTIME_FAULT_INPUT && !run.end.sent, "but soon");
	stop(&run);
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_STOPPING, "and then takes nothing");
	run_close(&run);

	run_init(&run);
	run_open(&run, NULL, "--chunk=3");
	ok(turn(&run, "h\xc3\xa9llo") && run.deltas > 10, "a streamed answer");
	is_buf(&run.text, "Cloud(dynamic_sessions) response: h\xc3\xa9llo", "is whole");
	run_close(&run);
}

static void
test_many(void)
{
	struct run run;
	struct run each[20];
	size_t i;
	int ends = 0, bad = 0;

	run_init(&run);
	run_open(&run, "{\"repeat\":100,\"steps\":[{\"delta\":\"${i} \"},{\"wait\":\"1ms\"}]}\n", NULL);
	for (i = 0; i < ARRAY_LEN(each); i++) {
		struct runtime_turn_request request = { .thread = SPAN_NONE, .text = TEXT("x") };

		run_init(&each[i]);
		each[i].turn = runtime_turn_start(run.runtime, &request, on_event, &each[i]);
	}
	for (i = 0; i < ARRAY_LEN(each); i++) {
		ends += until(&each[i].ends, 1);
		bad += each[i].ends != 1 || each[i].deltas != 100 || each[i].end.outcome != RUNTIME_COMPLETED || strncmp(each[i].answer.s, "0 1 2 ", 6) != 0;
	}
	is_int(ends, (int)ARRAY_LEN(each), "many turns at once all end");
	is_int(bad, 0, "each with its own answer");
	for (i = 0; i < ARRAY_LEN(each); i++) {
		each[i].runtime = NULL;
		run_close(&each[i]);
	}
	ask(&run, "x");
	until(&run.events, 2);
	{
		struct runtime_turn_request request = { .thread = { run.thread.s, run.thread.len }, .text = TEXT("x") };
		struct run other;

		run_init(&other);
		other.turn = runtime_turn_start(run.runtime, &request, on_event, &other);
		ok(until(&other.ends, 1) && other.end.fault == RUNTIME_FAULT_BUSY && !other.end.sent, "a second turn on a busy thread is refused");
		run_close(&other);
	}
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "and does not disturb the first");
	run_close(&run);
}

static void
test_limits(void)
{
	struct runtime_turn_request request = { .thread = SPAN_NONE, .text = TEXT("x") };
	struct run run, last;
	int i;

	run_init(&run);
	run_init(&last);
	run_open(&run, "{\"on\":\"initialize\"}\n{\"hang\":true}\n", NULL);
	for (i = 0; i < RUNTIME_TURNS_MAX; i++)
		runtime_turn_start(run.runtime, &request, on_event, &run);
	runtime_turn_start(run.runtime, &request, on_event, &last);
	ok(until(&last.ends, 1) && last.end.fault == RUNTIME_FAULT_BUSY && !run.ends, "one turn more than the limit is refused, those before it wait");
	last.runtime = NULL;
	run_close(&last);
	run_init(&last);
	for (i = 0; i < RUNTIME_CALLS_MAX; i++)
		runtime_account_limits(run.runtime, on_reply, &run);
	runtime_account_limits(run.runtime, on_reply, &last);
	ok(until_true(&last.replied) && last.reply.fault == RUNTIME_FAULT_BUSY && !run.replied, "one call more than the limit is refused, those before it wait");
	last.runtime = NULL;
	run_close(&last);
	run_close(&run);
}

static void
test_account(void)
{
	struct run run;
	char login[64] = "";

	run_init(&run);
	run_open(&run, NULL, "--login-needed");
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_AUTH, "a turn without a login fails for that reason");
	is_buf(&run.info, "unauthorized", "and says so");
	run_reset(&run);
	runtime_account_read(run.runtime, false, on_reply, &run);
	ok(until_true(&run.replied) && !run.reply.fault, "the account is read");
	is_buf(&run.answer, "{\"account\":null,\"requiresOpenaiAuth\":true}", "there is none");
	run_reset(&run);
	runtime_account_limits(run.runtime, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_REFUSED && run.reply.rpc_code == -32600, "its limits are refused");
	is_buf(&run.message, "codex account authentication required to read rate limits", "in the runtime's own words");
	run_reset(&run);
	runtime_account_login(run.runtime, (struct span)TEXT("{\"type\":\"apiKey\",\"apiKey\":\"k\"}"), on_reply, &run);
	ok(until_true(&run.replied) && !run.reply.fault, "a login with a key");
	run_reset(&run);
	runtime_account_limits(run.runtime, on_reply, &run);
	until_true(&run.replied);
	has(&run.account, "account/login/completed {\"loginId\":null,\"success\":true,\"error\":null}");
	has(&run.account, "account/updated {\"authMode\":\"apikey\"");
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED, "then turns work");
	run_reset(&run);
	runtime_account_login(run.runtime, (struct span)TEXT("{\"type\":\"chatgpt\"}"), on_reply, &run);
	until_true(&run.replied);
	if (strstr(run.answer.s, "\"loginId\":\""))
		snprintf(login, sizeof login, "%.36s", strstr(run.answer.s, "\"loginId\":\"") + 11);
	run_reset(&run);
	runtime_account_login_cancel(run.runtime, (struct span){ login, strlen(login) }, on_reply, &run);
	until_true(&run.replied);
	is_buf(&run.answer, "{\"status\":\"canceled\"}", "a login in the browser is cancelled");
	run_reset(&run);
	runtime_account_login_cancel(run.runtime, (struct span){ login, strlen(login) }, on_reply, &run);
	until_true(&run.replied);
	is_buf(&run.answer, "{\"status\":\"notFound\"}", "once");
	run_reset(&run);
	runtime_account_logout(run.runtime, on_reply, &run);
	until_true(&run.replied);
	is_buf(&run.answer, "{}", "logout");
	run_reset(&run);
	runtime_call(run.runtime, "no/such", SPAN_NONE, 0, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_REFUSED, "an unknown method is refused");
	run_reset(&run);
	runtime_call(run.runtime, "account/read", (struct span)TEXT("{"), 0, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_INPUT, "params that are no JSON are not sent");
	run_reset(&run);
	ok(runtime_call_forget(run.runtime, runtime_account_read(run.runtime, true, on_reply, &run)), "a call can be forgotten");
	ok(!runtime_call_forget(run.runtime, 12345), "but not one that is none");
	runtime_ready(run.runtime, on_reply, &run);
	ok(until_true(&run.replied) && strstr(run.answer.s, "userAgent"), "readiness is told");
	run_close(&run);
}

/* ---- approvals */

static void
approve(struct run *run, const char *text, enum runtime_decision decision, const char *result)
{
	run->auto_accept = true;
	run->decision = decision;
	run->result = result;
	ok(turn(run, text), "a turn that asks: %s", text);
	ok(!run->open && !strstr(run->log.s, "NOT OPEN"), "all it asked is resolved");
}

static void
test_approvals(void)
{
	struct runtime_answer yes = { .decision = RUNTIME_ACCEPT, .result = SPAN_NONE };
	struct runtime_turn_request request = { .thread = SPAN_NONE, .text = TEXT("command"), .timeout_ms = 1500 };
	struct run run;

	run_init(&run);
	run_open(&run, "{\"on\":\"turn\",\"text\":\"command\"}\n{\"command\":\"rm\",\"ask\":true,\"output\":\"ok\"}\n{\"say\":\"${answer}\"}\n"
		       "{\"on\":\"turn\",\"text\":\"patch\"}\n{\"patch\":[{\"path\":\"a\",\"kind\":{\"type\":\"add\"},\"diff\":\"+\"}],\"ask\":true}\n{\"say\":\"${answer}\"}\n"
		       "{\"on\":\"turn\",\"text\":\"question\"}\n{\"question\":\"which?\",\"options\":[\"a\",\"b\"]}\n{\"say\":\"${answer}\"}\n"
		       "{\"on\":\"turn\",\"text\":\"permissions\"}\n{\"request\":{\"method\":\"item/permissions/requestApproval\",\"params\":{\"permissions\":{\"network\":{\"enabled\":true}}}}}\n{\"say\":\"${answer}\"}\n"
		       "{\"on\":\"turn\",\"text\":\"other\"}\n{\"request\":{\"method\":\"item/tool/call\",\"params\":{\"tool\":\"t\"}}}\n{\"say\":\"${answer}\"}\n"
		       "{\"on\":\"turn\",\"text\":\"withdrawn\"}\n{\"repeat\":1,\"steps\":[{\"notify\":{\"method\":\"x\",\"params\":{}}}]}\n{\"raw\":\"{\\\"id\\\":\\\"own\\\",\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"${turn}\\\",\\\"itemId\\\":\\\"i\\\"}}\"}\n"
		       "{\"notify\":{\"method\":\"serverRequest/resolved\",\"params\":{\"threadId\":\"${thread}\",\"requestId\":\"own\"}}}\n{\"say\":\"done\"}\n", NULL);
	approve(&run, "command", RUNTIME_DECLINE, NULL);
	is_buf(&run.answer, "decline", "a command is declined, and the turn goes on");
	has(&run.log, "+commandExecution\napproval 0\n");
	has(&run.log, "resolved answered\n");
	approve(&run, "command", RUNTIME_CANCEL, NULL);
	ok(run.end.outcome == RUNTIME_INTERRUPTED && !run.end.forced, "a cancel interrupts the turn");
	approve(&run, "command", RUNTIME_ACCEPT, NULL);
	is_buf(&run.answer, "accept", "a command is accepted");
	approve(&run, "patch", RUNTIME_ACCEPT, NULL);
	has(&run.log, "+fileChange\napproval 1\n");
	approve(&run, "question", RUNTIME_ACCEPT, " {\"answers\":{\"q1\":{\"answers\":[\"b\"]}}} ");
	is_buf(&run.answer, "b", "a question is answered");
	has(&run.log, "approval 3\n");
	approve(&run, "permissions", RUNTIME_ACCEPT_SESSION, NULL);
	is_buf(&run.answer, "{\"permissions\":{\"network\":{\"enabled\":true}},\"scope\":\"session\"}", "permissions are given as they were asked for");
	approve(&run, "permissions", RUNTIME_DECLINE, NULL);
	is_buf(&run.answer, "{\"permissions\":{}}", "or not");
	approve(&run, "other", RUNTIME_DECLINE, NULL);
	is_buf(&run.answer, "error", "what we know nothing of is declined by an error");
	approve(&run, "other", RUNTIME_ACCEPT, "{\"x\":1}");
	is_buf(&run.answer, "{\"x\":1}", "or answered with what is given");
	run.auto_accept = false;
	ok(turn(&run, "withdrawn"), "a question that is withdrawn");
	has(&run.log, "approval 1\nresolved withdrawn\n");
	run.auto_accept = true;
	approve(&run, "command", RUNTIME_ACCEPT_SESSION, NULL);
	ok(turn(&run, "command") && !strstr(run.log.s, "approval"), "accepted for the session, it is not asked again");

	run.auto_accept = false;
	buf_reset(&run.thread);
	ask(&run, "command");
	ok(until(&run.open, 1), "an approval waits");
	ok(!runtime_approval_answer(run.runtime, run.approval + 1000, &yes), "another one cannot be answered");
	yes.result = (struct span)TEXT("[");
	ok(!runtime_approval_answer(run.runtime, run.approval, &yes), "nor this one with what is no JSON");
	yes.result = SPAN_NONE;
	ok(runtime_turn_interrupt(run.runtime, run.turn), "its turn is interrupted");
	ok(!runtime_approval_answer(run.runtime, run.approval, &yes), "then it cannot be answered any more");
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && !run.end.forced && run.resolved == 1, "and is resolved before the end");
	has(&run.log, "resolved withdrawn\nend interrupted\n");

	run_reset(&run);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.open, 1), "a turn that may take 1500 ms asks");
	pass(2000);
	ok(!run.ends, "the clock of the turn stands while it waits for an answer");
	ok(runtime_approval_answer(run.runtime, run.approval, &yes) && until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "and it goes on after it");
	run_close(&run);

	run_init(&run);
	run.settings.approval_timeout_ms = 50;
	run_open(&run, "{\"command\":\"rm\",\"ask\":true}\n{\"say\":\"${answer}\"}\n", NULL);
	ok(turn(&run, "x"), "an approval that nobody answers");
	has(&run.log, "resolved timeout\n");
	is_buf(&run.answer, "decline", "is declined");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"repeat\":70,\"steps\":[{\"raw\":\"{\\\"id\\\":\\\"r${i}\\\",\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"${turn}\\\",\\\"itemId\\\":\\\"i\\\"}}\"}]}\n", NULL);
	ok(turn(&run, "x"), "more approvals than the limit");
	is_int(run.resolved, RUNTIME_APPROVALS_MAX, "the first ones are told, the others declined");
	run_close(&run);
}

/* ---- interrupts */

static void
test_interrupts(void)
{
	static const char *const scripts[] = {
		"{\"on\":\"initialize\"}\n{\"hang\":true}\n",
		"{\"on\":\"thread/start\"}\n{\"hang\":true}\n",
		"{\"on\":\"turn\"}\n{\"hang\":true}\n",
		"{\"on\":\"turn\",\"manual\":true}\n{\"hang\":true}\n",
		"{\"on\":\"turn\"}\n{\"repeat\":1000000,\"steps\":[{\"delta\":\"x\"}]}\n",
		"{\"on\":\"turn/interrupt\",\"nth\":1}\n{\"refuse\":\"no active turn to interrupt\"}\n{\"on\":\"turn\"}\n{\"hang\":true}\n",
	};
	struct runtime_turn_request request = { .thread = SPAN_NONE, .text = TEXT("x") };
	struct runtime_status status;
	struct run run, other;
	size_t i;

	for (i = 0; i < ARRAY_LEN(scripts); i++) {
		run_init(&run);
		run_open(&run, scripts[i], NULL);
		run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
		if (i >= 2)
			until(&run.events, 3);
		else
			pass(50);
		ok(runtime_turn_interrupt(run.runtime, run.turn) && runtime_turn_interrupt(run.runtime, run.turn), "interrupt %zu", i);
		run.events = 0;
		ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && !run.end.fault, "the turn ends as interrupted");
		is_int(run.events, 1, "and nothing else is told after it");
		ok(run.end.sent == (i >= 2), "whether it had been sent is known");
		ok(!runtime_turn_interrupt(run.runtime, run.turn), "a turn that has ended cannot be interrupted");
		runtime_status(run.runtime, &status);
		is_int(status.ends, 0, "no child was ended for it");
		run_close(&run);
	}

	run_init(&run);
	run_init(&other);
	run.settings.interrupt_timeout_ms = 200;
	run_open(&run, "{\"on\":\"turn\"}\n{\"ignore\":\"interrupt\"}\n{\"hang\":true}\n", NULL);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	other.turn = runtime_turn_start(run.runtime, &request, on_event, &other);
	until(&run.events, 4);
	until(&other.events, 4);
	ok(runtime_turn_interrupt(run.runtime, run.turn), "a runtime that takes no interrupt");
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && run.end.forced, "the turn ends all the same");
	ok(until(&other.ends, 1) && other.end.fault == RUNTIME_FAULT_GONE && other.end.forced, "the child is ended, the other turn with it");
	ok(until(&run.gones, 1), "and that is told");
	has(&run.notices, "did not stop a turn within 200 ms");
	other.runtime = NULL;
	run_close(&other);
	run_close(&run);
}

static void
on_race(evutil_socket_t fd, short what, void *payload)
{
	struct run *run = payload;

	(void)fd;
	(void)what;
	run->interrupted |= runtime_turn_interrupt(run->runtime, run->turn);
}

/* The turn completes at about the time it is interrupted, 1,000 times: the end comes once, and is the interrupt's if that was taken. */
static void
test_races(void)
{
	struct run run;
	struct event *timer;
	int i, wrong = 0, missing = 0, interrupted = 0, completed = 0;
	unsigned seed = 12345;

	run_init(&run);
	run_open(&run, "{\"delta\":\"a\"}\n{\"wait\":1}\n{\"delta\":\"b\"}\n", NULL);
	timer = event_new(base, -1, 0, on_race, &run);
	turn(&run, "warm up");
	for (i = 0; i < 1000; i++) {
		struct timeval after;

		seed = seed * 1103515245u + 12345u;
		after = (struct timeval){ 0, (suseconds_t)(seed >> 16) % 3000 };
		ask(&run, "x");
		run.interrupt_after = i % 4 == 0 ? 1 + i / 4 % 10 : 0;
		if (i % 4)
			event_add(timer, &after);
		if (!until(&run.ends, 1))
			missing++;
		event_del(timer);
		interrupted += run.end.outcome == RUNTIME_INTERRUPTED;
		completed += run.end.outcome == RUNTIME_COMPLETED;
		wrong += run.ends != 1 || run.end.outcome != (run.interrupted ? RUNTIME_INTERRUPTED : RUNTIME_COMPLETED) || strstr(run.log.s, "AFTER") != NULL;
	}
	event_free(timer);
	is_int(missing, 0, "1,000 races of interrupt and completion: each turn ends");
	is_int(wrong, 0, "once, and as interrupted exactly when the interrupt was taken");
	ok(interrupted > 100 && completed > 50, "both happened: %d interrupted, %d completed", interrupted, completed);
	run.interrupt_after = 0;
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED, "the runtime still works");
	is_int(run.gones, 0, "and was never ended");
	run_close(&run);
}

/* ---- faults */

static void
test_kills(void)
{
	struct run run;
	int step, last = 0;

	for (step = 1; step < 40; step++) {
		run_init(&run);
		run_open(&run, "{\"on\":\"turn\",\"text\":\"ok\"}\n{\"say\":\"fine\"}\n{\"on\":\"turn\"}\n{\"delta\":\"a\"}\n{\"wait\":5}\n{\"delta\":\"b\"}\n{\"wait\":5}\n{\"command\":\"ls\",\"ask\":true}\n{\"wait\":5}\n{\"say\":\"c\"}\n{\"wait\":5}\n", NULL);
		run.kill_after = step;
		run.auto_accept = true;
		if (!turn(&run, "x") || run.ends != 1) {
			ok(false, "killed after event %d: one end", step);
			break;
		}
		if (run.end.outcome == RUNTIME_COMPLETED) {
			last = step;
			run_close(&run);
			break;
		}
		ok(run.end.fault == RUNTIME_FAULT_GONE && run.end.forced && !run.open && run.end.sent, "killed after event %d: %s", step, run.message.s);
		run.kill_after = 0;
		ok(turn(&run, "ok") && run.end.outcome == RUNTIME_COMPLETED && run.generation == 2, "and the next turn works, in another child");
		ok(!strncmp(run.log.s, "thread\nbegun", 12), "on the same thread, resumed");
		run_close(&run);
	}
	ok(last > 8, "up to the turn's own end, which a kill does not change any more (%d events)", last);
}

static void
test_exits(void)
{
	static const struct {
		const char *script, *message;
		enum runtime_fault fault;
		bool sent;
	} cases[] = {
		{ "{\"on\":\"start\"}\n{\"stderr\":\"out of luck\"}\n{\"exit\":3}\n", "the runtime ended with status 3: out of luck", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"exit\":4}\n", "the runtime ended with status 4", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"refuse\":\"not you\"}\n", "the runtime did not let itself be greeted: not you", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"hang\":true}\n", "the runtime was not ready within 3000 ms", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"thread/start\"}\n{\"exit\":0}\n", "the runtime ended with status 0", RUNTIME_FAULT_GONE, false },
		{ "{\"on\":\"thread/start\"}\n{\"refuse\":\"no more threads\"}\n", "no more threads", RUNTIME_FAULT_REFUSED, false },
		{ "{\"on\":\"thread/start\"}\n{\"answer\":{}}\n", "thread/start did not return thread.id", RUNTIME_FAULT_PROTOCOL, false },
		{ "{\"on\":\"thread/start\"}\n{\"hang\":true}\n", "the runtime gave no answer to thread/start within 3000 ms", RUNTIME_FAULT_TIMEOUT, false },
		{ "{\"on\":\"turn/start\"}\n{\"signal\":9}\n", "the runtime was ended by signal 9", RUNTIME_FAULT_GONE, true },
		{ "{\"on\":\"turn/start\"}\n{\"refuse\":\"too tired\"}\n", "too tired", RUNTIME_FAULT_REFUSED, false },
		{ "{\"on\":\"turn/start\"}\n{\"answer\":{}}\n", "turn/start did not return turn.id", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"on\":\"turn/start\"}\n{\"answer\":[1]}\n", "turn/start did not return turn.id", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"on\":\"turn/start\"}\n{\"hang\":true}\n", "the runtime gave no answer to turn/start within 3000 ms", RUNTIME_FAULT_TIMEOUT, true },
		{ "{\"fail\":\"no money\",\"info\":\"usageLimitExceeded\"}\n", "no money", RUNTIME_FAULT_TURN, true },
		{ "{\"fail\":\"who?\",\"info\":{\"httpConnectionFailed\":{\"httpStatusCode\":401}}}\n", "who?", RUNTIME_FAULT_AUTH, true },
		{ "{\"retry\":\"Reconnecting\"}\n{\"delta\":\"x\"}\n{\"exit\":1}\n", "the runtime ended with status 1", RUNTIME_FAULT_GONE, true },
		{ "{\"repeat\":101,\"steps\":[{\"raw\":\"garbage\"}]}\n{\"hang\":true}\n", "the runtime wrote more than 100 lines in a row that are no messages", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"close\":\"output\"}\n{\"hang\":true}\n", "the runtime closed its output", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"fill\":2000001}\n{\"hang\":true}\n", "the runtime wrote a line of more than 2000000 bytes", RUNTIME_FAULT_PROTOCOL, true },
	};
	struct run run;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		run_init(&run);
		run.settings.call_timeout_ms = run.settings.init_timeout_ms = 3000;
		run.settings.interrupt_timeout_ms = 100;
		run.settings.line_max = 2000000;
		run_open(&run, cases[i].script, NULL);
		ok(turn(&run, "x") && run.ends == 1 && run.end.outcome == RUNTIME_FAILED && run.end.fault == cases[i].fault && run.end.sent == cases[i].sent,
		    "%s", cases[i].message);
		is_buf(&run.message, cases[i].message, "and says why");
		run_close(&run);
	}
	run_init(&run);
	run_open(&run, "{\"fail\":\"x\",\"info\":{\"responseTooManyFailedAttempts\":{\"httpStatusCode\":429}}}\n", NULL);
	ok(turn(&run, "x") && run.end.http == 429 && run.end.outcome == RUNTIME_FAILED, "a failure's HTTP status is told");
	run_close(&run);
}

static void
test_garbage(void)
{
	struct runtime_status status;
	struct run run;

	run_init(&run);
	run.settings.line_max = 12u * 1024 * 1024;
	run_open(&run, "{\"repeat\":100,\"steps\":[{\"raw\":\"garbage ${i}\"}]}\n{\"delta\":\"\"}\n{\"raw\":\"\"}\n{\"raw\":\"[1]\"}\n{\"raw\":\"{\\\"id\\\":77,\\\"result\\\":{}}\"}\n{\"raw\":\"{\\\"id\\\":\\\"s\\\",\\\"result\\\":{}}\"}\n"
		       "{\"hex\":\"7b226d6574686f64223a22ff227d\"}\n{\"raw\":\"{\\\"method\\\":\\\"x\\\"}\\r\"}\n{\"raw\":\"{\\\"id\\\":5}\"}\n{\"raw\":\"{\\\"method\\\":\\\"warning\\\",\\\"params\\\":\",\"end\":false}\n{\"wait\":20}\n{\"raw\":\"{\\\"message\\\":\\\"cut\\\"}}\"}\n"
		       "{\"big\":10485760}\n{\"say\":\"end\"}\n{\"stderr\":\"a line\"}\n", NULL);
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED, "a turn amid garbage");
	is_int(run.answer.len, 10485760 + 5, "and lines of 10 MB are taken");
	runtime_status(run.runtime, &status);
	is_int(status.garbage, 102, "each line that is no message is counted");
	is_int(status.late, 2, "and each answer to nothing");
	has(&run.notices, "warning {\"message\":\"cut\"}");
	pass(20);
	has(&run.notices, "stderr \"a line\"");
	run_close(&run);

	run_init(&run);
	run_open(&run, NULL, NULL);
	{
		struct runtime_turn_request request = { .thread = SPAN_NONE };
		struct buf big = BUF_INIT;

		buf_reserve(&big, 10000000);
		memset(big.s, 'y', 10000000);
		big.len = 10000000;
		request.text = (struct span){ big.s, big.len };
		run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
		ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "a turn with 10 MB of text");
		is_int(run.answer.len, 10000000 + 34, "is answered with as much");
		buf_release(&big);
	}
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"on\":\"initialize\"}\n{\"answer\":true}\n{\"on\":\"account/read\"}\n{\"ignore\":\"input\"}\n{\"hang\":true}\n", NULL);
	runtime_account_read(run.runtime, false, on_reply, &run);
	pass(100);
	{
		struct buf big = BUF_INIT;
		struct run others[5];
		int i, busy = 0;

		buf_addch(&big, '"');
		buf_reserve(&big, 9000000);
		memset(big.s + 1, 'y', 9000000);
		big.len = 9000001;
		buf_addch(&big, '"');
		for (i = 0; i < 5; i++) {
			run_init(&others[i]);
			runtime_call(run.runtime, "x", (struct span){ big.s, big.len }, 0, on_reply, &others[i]);
		}
		pass(300);
		for (i = 0; i < 5; i++) {
			busy += others[i].replied && others[i].reply.fault == RUNTIME_FAULT_BUSY;
			run_close(&others[i]);
		}
		is_int(busy, 2, "what a child does not read is bounded: the rest is refused");
		buf_release(&big);
	}
	run_close(&run);
}

static void
test_group(void)
{
	char script[3 * 4096];
	struct runtime_status status;
	pid_t orphan, child;
	struct run run;

	/* a child that takes no SIGTERM and no end of its input, with a process beside it */
	unlink(flag_path);
	snprintf(script, sizeof script, "{\"ignore\":\"TERM\"}\n{\"ignore\":\"end\"}\n{\"orphan\":\"%s\"}\n{\"delta\":\"x\"}\n{\"hang\":true}\n", flag_path);
	run_init(&run);
	run_open(&run, script, NULL);
	ask(&run, "x");
	until(&run.deltas, 1);
	runtime_status(run.runtime, &status);
	child = status.pid;
	orphan = read_pid(flag_path);
	ok(child > 0 && orphan > 0 && !kill(orphan, 0), "a stubborn child with a process beside it");
	stop(&run);
	ok(run.ends == 1 && run.end.fault == RUNTIME_FAULT_STOPPING, "its turn has ended");
	ok(is_dead(child) && is_dead(orphan), "and so has the whole group");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"close\":\"input\"}\n{\"delta\":\"x\"}\n{\"hang\":true}\n", NULL);
	ask(&run, "x");
	until(&run.deltas, 1);
	runtime_account_read(run.runtime, false, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_PROTOCOL, "a child that closed its input is ended when it is written to");
	is_buf(&run.message, "the runtime closed its input", "for that reason");
	run_close(&run);

	/* one that ends and leaves something behind that holds its output open */
	unlink(flag_path);
	snprintf(script, sizeof script, "{\"orphan\":\"%s\"}\n{\"delta\":\"x\"}\n{\"exit\":0}\n", flag_path);
	run_init(&run);
	run_open(&run, script, NULL);
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_GONE, "the end of the child is seen by itself");
	orphan = read_pid(flag_path);
	ok(orphan > 0 && is_dead(orphan), "and what it left behind is ended");
	is_buf(&run.answer, "x", "what it said before its end counts");
	run_close(&run);

	/* freed in the middle of everything */
	unlink(flag_path);
	snprintf(script, sizeof script, "{\"orphan\":\"%s\"}\n{\"command\":\"rm\",\"ask\":true}\n", flag_path);
	run_init(&run);
	run_open(&run, script, NULL);
	ask(&run, "x");
	until(&run.open, 1);
	orphan = read_pid(flag_path);
	runtime_status(run.runtime, &status);
	child = status.pid;
	runtime_account_read(run.runtime, false, on_reply, &run);
	run_close(&run);
	ok(is_dead(child) && is_dead(orphan), "freed in the middle of a turn, it leaves nothing behind");

	run_init(&run);
	run_open(&run, "{\"raw\":\"\"}\n{\"hang\":true}\n", NULL);
	ask(&run, "x");
	until(&run.events, 3);
	runtime_status(run.runtime, &status);
	kill(status.pid, SIGSTOP);
	stop(&run);
	ok(is_dead(status.pid), "a child that is stopped is ended too");
	run_close(&run);
}

static void
test_restarts(void)
{
	const char *missing[] = { "/no/such/runtime", NULL };
	char script[3 * 4096];
	struct runtime_status status;
	struct run run;
	int i, paused = 0;
	int64_t pause = 0;

	run_init(&run);
	run.settings.pause_min_ms = 0;
	run.settings.pause_max_ms = 0;
	run.settings.argv = missing;
	run.runtime = runtime_new(base, &run.settings, &calls, &run);
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_START && !run.end.sent, "a program that is not there");
	has(&run.message, "unable to start '/no/such/runtime': No such file or directory");
	runtime_ready(run.runtime, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_START, "asked again after a short pause, it is tried again");
	for (i = 0; i < 40 && !paused; i++) {
		run_reset(&run);
		runtime_ready(run.runtime, on_reply, &run);
		until_true(&run.replied);
		if (run.reply.fault == RUNTIME_FAULT_PAUSED) {
			paused = i + 1;
			pause = run.reply.retry_after_ms;
		}
	}
	ok(paused > 1 && pause > RUNTIME_PATIENCE_MS && pause <= RUNTIME_PAUSE_MAX_MS, "the pauses grow until it is refused at once (%d, %lld ms)", paused, (long long)pause);
	has(&run.message, "it is tried again in ");
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_PAUSED && run.end.retry_after_ms > 0, "turns too");
	stop(&run);
	run_close(&run);

	unlink(flag_path);
	snprintf(script, sizeof script, "{\"on\":\"initialize\",\"unless\":\"%s\"}\n{\"touch\":\"%s\"}\n{\"exit\":1}\n", flag_path, flag_path);
	run_init(&run);
	run_open(&run, script, NULL);
	ask(&run, "x");
	ok(until(&run.ends, 1) && run.end.fault == RUNTIME_FAULT_START, "a child that ends while it is greeted fails what waits for it");
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED && run.generation == 2, "and the next need starts another");
	run_close(&run);

	unlink(flag_path);
	run_init(&run);
	run.settings.keep = true;
	run_open(&run, script, NULL);
	ok(until(&run.gones, 1) && run.gone.generation == 1, "one that is to be kept is started by itself");
	for (i = 0; i < 200; i++) {
		runtime_status(run.runtime, &status);
		if (status.state == RUNTIME_READY)
			break;
		pass(10);
	}
	ok(status.state == RUNTIME_READY && status.generation == 2 && status.ends == 1, "and again");
	run_close(&run);

	run_init(&run);
	run.settings.idle_ms = 50;
	run_open(&run, NULL, NULL);
	ok(turn(&run, "x"), "one that may be idle for 50 ms");
	ok(until(&run.gones, 1) && run.gone.fault == RUNTIME_FAULT_NONE && run.gone.exit_status == 0, "is ended, gently");
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED && run.generation == 2, "and started when it is needed");
	run_close(&run);
}

static void
test_threads(void)
{
	struct runtime_turn_request request = { .thread = TEXT("gone"), .text = TEXT("x"), .new_if_lost = false };
	struct run run;

	run_init(&run);
	run_open(&run, NULL, NULL);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.ends, 1) && run.end.fault == RUNTIME_FAULT_NO_THREAD && !run.end.sent, "a thread that is lost is an error");
	run_reset(&run);
	request.new_if_lost = true;
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED && !strncmp(run.log.s, "thread started lost\n", 20), "or is replaced by a new one, if that is wanted");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"on\":\"turn/start\",\"nth\":2}\n{\"refuse\":\"thread not found: x\"}\n", NULL);
	ok(turn(&run, "x"), "a turn");
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED, "on a thread that the child has let go of: it is resumed, and asked once more");
	run_close(&run);
}

static void
warm_up(struct run *run)
{
	runtime_ready(run->runtime, on_reply, run);
	until_true(&run->replied);
	run_reset(run);
}

/* Waits for so many answers that nobody waits for any more. */
static bool
until_late(struct run *run, uint64_t least)
{
	int64_t deadline = deadline_in(LONG_MS);
	struct runtime_status status;

	do {
		pass(10);
		runtime_status(run->runtime, &status);
	} while (status.late < least && deadline_left(deadline));
	return status.late == least;
}

static void
test_deadlines(void)
{
	struct runtime_turn_request request = { .thread = SPAN_NONE, .text = TEXT("x"), .timeout_ms = 1000 };
	struct run run;
	int tries;

	run_init(&run);
	run_open(&run, "{\"delta\":\"x\"}\n{\"hang\":true}\n", NULL);
	warm_up(&run);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.ends, 1) && run.end.fault == RUNTIME_FAULT_TURN_TIMEOUT && !run.end.forced, "a turn that takes too long is interrupted, and says so");
	is_buf(&run.message, "the turn took longer than 1000 ms", "in these words");
	is_buf(&run.answer, "x", "with what it had said");
	run_close(&run);

	run_init(&run);
	run.settings.call_timeout_ms = 1000;
	run_open(&run, "{\"on\":\"account/read\",\"nth\":1}\n{\"wait\":\"1500ms\"}\n{\"answer\":{\"late\":true}}\n", NULL);
	warm_up(&run);
	runtime_account_read(run.runtime, false, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_TIMEOUT, "a call that takes too long fails");
	is_buf(&run.message, "the runtime gave no answer to account/read within 1000 ms", "in these words");
	run_reset(&run);
	ok(until_late(&run, 1) && !run.replied, "its late answer is counted, and reaches nobody");
	runtime_account_read(run.runtime, false, on_reply, &run);
	ok(until_true(&run.replied) && !run.reply.fault, "and the next call is not confused by it");
	run_close(&run);

	/* the answer to turn/start comes too late: the turn's end was told, so it is interrupted, and nobody hears of it */
	run_init(&run);
	run.settings.call_timeout_ms = 1000;
	run_open(&run,
	    "{\"on\":\"turn/start\",\"nth\":1}\n{\"wait\":\"1500ms\"}\n{\"on\":\"turn\",\"nth\":1}\n{\"repeat\":100000,\"steps\":[{\"delta\":\"x\"},{\"wait\":1}]}\n", NULL);
	warm_up(&run);
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_TIMEOUT && run.end.forced && run.end.sent, "a turn whose start is not answered in time");
	ok(until_late(&run, 1), "is answered after all");
	is_int(run.ends, 1, "but is told once");
	ok(!strstr(run.log.s, "AFTER"), "and nothing of it afterwards");
	for (tries = 0; tries < 1000 && turn(&run, "y") && run.end.fault == RUNTIME_FAULT_BUSY; tries++)
		pass(10);
	ok(run.end.outcome == RUNTIME_COMPLETED, "it is stopped: the thread is free again");
	is_int(run.gones, 0, "without ending the child");
	run_close(&run);
}

static void
test_hold(void)
{
	struct run run;
	int deltas;

	run_init(&run);
	run_open(&run, "{\"repeat\":2000,\"steps\":[{\"delta\":\"${i} \"}]}\n", NULL);
	ask(&run, "x");
	until(&run.deltas, 10);
	runtime_hold(run.runtime);
	pass(20);
	deltas = run.deltas;
	pass(100);
	ok(run.deltas == deltas && deltas < 2000, "held, nothing is read (%d deltas)", deltas);
	runtime_release(run.runtime);
	ok(until(&run.ends, 1) && run.deltas == 2000, "released, nothing is lost");
	runtime_hold(run.runtime);
	ask(&run, "x");
	pass(50);
	ok(!run.ends, "held before it begins");
	runtime_release(run.runtime);
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "it goes on after that");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"repeat\":200000,\"steps\":[{\"delta\":\"${i} \"}]}\n", NULL);
	ask(&run, "x");
	until(&run.deltas, 10);
	runtime_hold(run.runtime);
	stop(&run);
	ok(run.ends == 1, "stopped while it is held");
	run_close(&run);
}

static void
test_steer(void)
{
	struct run run, other;

	run_init(&run);
	run_init(&other);
	run_open(&run, "{\"delta\":\"x\"}\n{\"wait\":\"100ms\"}\n{\"say\":\"${answer}\"}\n", NULL);
	ask(&run, "x");
	until(&run.deltas, 1);
	runtime_turn_steer(run.runtime, run.turn, (struct span)TEXT("left"), on_reply, &other);
	ok(until_true(&other.replied) && !other.reply.fault, "a turn is steered");
	ok(until(&run.ends, 1) && strstr(run.answer.s, "left"), "and hears it");
	other.replied = false;
	runtime_turn_steer(run.runtime, run.turn, (struct span)TEXT("left"), on_reply, &other);
	ok(until_true(&other.replied) && other.reply.fault == RUNTIME_FAULT_REFUSED, "but not when it has ended");
	run_close(&other);
	run_close(&run);
}

/* RUNTIME, a command without blanks in its words: any runtime that does as tests/runtime.bats says. */
static void
test_other(void)
{
	const char *argv[8] = { NULL };
	char command[4096], *word = command;
	size_t n = 0;
	struct run run;
	bool good;

	snprintf(command, sizeof command, "%s", getenv("RUNTIME"));
	while (*word && n < ARRAY_LEN(argv) - 1) {
		argv[n++] = word;
		word += strcspn(word, " ");
		if (*word)
			*word++ = '\0';
	}
	run_init(&run);
	run.settings.argv = argv;
	run.settings.whole_env = true;
	run.runtime = runtime_new(base, &run.settings, &calls, &run);
	good = turn(&run, "hello") && run.end.outcome == RUNTIME_COMPLETED;
	ok(good, "a turn: %s", run.message.s);
	ok(run.answer.len && !strcmp(run.answer.s, run.text.s), "its deltas are its answer: %s", run.answer.s);
	ask(&run, "SLOW");
	ok(until(&run.deltas, 3) && runtime_turn_interrupt(run.runtime, run.turn), "a turn that does not end is interrupted");
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && !run.end.forced, "and ends");
	ask(&run, "SLOW");
	ok(until(&run.events, 2) && runtime_turn_interrupt(run.runtime, run.turn), "and another one, as soon as it has begun");
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && !run.end.forced, "ends too");
	good = turn(&run, "FAIL") && run.end.fault == RUNTIME_FAULT_TURN;
	ok(good, "a turn that fails: %s (%s)", run.message.s, run.info.s);
	{
		struct runtime_turn_request request = { .thread = { run.thread.s, run.thread.len }, .text = TEXT("ASK"), .approval_policy = TEXT("untrusted") };

		run_reset(&run);
		run.auto_accept = true;
		run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
		good = until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED && run.resolved == 1;
		ok(good, "a turn that asks: %s", run.answer.s);
		run.decision = RUNTIME_CANCEL;
		run_reset(&run);
		run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
		ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && run.resolved == 1, "and is cancelled");
	}
	is_int(run.gones, 0, "all in one process");
	run_reset(&run);
	run.kill_after = 6;
	good = turn(&run, "SLOW") && run.end.fault == RUNTIME_FAULT_GONE;
	ok(good, "killed in a turn: %s", run.message.s);
	run.kill_after = 0;
	good = turn(&run, "hello") && run.end.outcome == RUNTIME_COMPLETED && run.generation == 2;
	ok(good, "the thread goes on in another one: %s", run.message.s);
	ok(!strncmp(run.log.s, "thread\n", 7), "resumed");
	run_reset(&run);
	runtime_account_read(run.runtime, false, on_reply, &run);
	good = until_true(&run.replied) && !run.reply.fault;
	ok(good, "the account: %s", run.answer.s);
	stop(&run);
	run_close(&run);
}

#define TIMED(test) \
	do { \
		int64_t began = clock_monotonic_ms(); \
		test(); \
		printf("# " #test ": %lld ms\n", (long long)(clock_monotonic_ms() - began)); \
	} while (0)

int
main(void)
{
	const char *build = getenv("AU_BUILD"), *tmp = getenv("TMPDIR");
	char dir[2048];

	signal(SIGPIPE, SIG_IGN);
	snprintf(mock_path, sizeof mock_path, "%s/libexec/agentutils/agent-runtime-mock", build ? build : ".");
	snprintf(dir, sizeof dir, "%s/test-runtime-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	snprintf(script_path, sizeof script_path, "%s/script", dir);
	snprintf(flag_path, sizeof flag_path, "%s/flag", dir);
	base = event_base_new();
	if (getenv("RUNTIME")) {
		TIMED(test_other);
		event_base_free(base);
		rmdir(dir);
		return done();
	}
	TIMED(test_turns);
	TIMED(test_many);
	TIMED(test_limits);
	TIMED(test_account);
	TIMED(test_approvals);
	TIMED(test_interrupts);
	TIMED(test_races);
	TIMED(test_kills);
	TIMED(test_exits);
	TIMED(test_garbage);
	TIMED(test_group);
	TIMED(test_restarts);
	TIMED(test_threads);
	TIMED(test_deadlines);
	TIMED(test_hold);
	TIMED(test_steer);
	event_base_free(base);
	unlink(script_path);
	unlink(flag_path);
	rmdir(dir);
	return done();
}
