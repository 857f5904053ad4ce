/* test_runtime.c - the room runtime/ against agent-runtime-mock, on a loop: turns, threads, approvals, the account
 *
 * With RUNTIME set: against that command instead.
 */
#include "compat.h"

#include "runtime_run.h"

static void
test_turns(void)
{
	struct runtime_turn_request request = { .text = TEXT("a\xff\"b"),
		.cwd = TEXT("/tmp"),
		.model = TEXT("m1"),
		.effort = TEXT("low"),
		.personality = TEXT("calm"),
		.approval_policy = TEXT("never"),
		.sandbox_policy = TEXT("\"workspace-write\""),
		.turn_params = TEXT(" {\"executionHost\" : \"h\"} "),
		.thread_params = TEXT("{\"config\":{\"n\":12345678901234567890}}") };
	struct runtime_status status;
	struct run run;

	run_init(&run);
	run_open(&run,
	    "{\"on\":\"turn\",\"text\":\"params\"}\n{\"say\":\"${params}\"}\n{\"on\":\"turn\",\"text\":\"two\"}\n{\"say\":\"one\"}\n{\"think\":\"hm\"}\n{\"say\":\"two\"}\n"
	    "{\"notify\":{\"method\":\"item/completed\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"item\":{\"type\":\"agentMessage\",\"id\":\"z\",\"text\":\"three\"}}}}\n"
	    "{\"command\":\"ls\",\"output\":\"a\"}\n{\"on\":\"turn\",\"text\":\"early\",\"manual\":true}\n{\"say\":\"soon\"}\n{\"answer\":true}\n"
	    "{\"on\":\"turn\",\"text\":\"never\",\"manual\":true}\n{\"say\":\"soon\"}\n{\"complete\":true}\n",
	    NULL);
	runtime_status(run.runtime, &status);
	ok(status.state == RUNTIME_IDLE && !status.pid, "nothing is started before it is needed");
	ok(turn(&run, "hello"), "a turn ends");
	is_buf(&run.log, "thread started\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n",
	    "and these are its events");
	is_buf(&run.answer, "Cloud(dynamic_sessions) response: hello", "with this answer");
	is_buf(&run.text, "Cloud(dynamic_sessions) response: hello", "which its deltas gave");
	ok(run.end.sent && !run.end.forced && !run.end.fault && !*run.message.s, "and no trouble");
	runtime_status(run.runtime, &status);
	ok(status.state == RUNTIME_READY && status.pid > 0 && status.generation == 1 && status.turns == 0, "the child stays");
	ok(!strncmp(status.agent, "agent-runtime-mock/", 19), "and has said who it is");
	ok(turn(&run, "again"), "a second turn on the same thread");
	is_buf(&run.log, "thread\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n",
	    "needs no start and no resuming");
	ok(turn(&run, "two"), "a turn with several messages");
	is_buf(&run.answer, "one\n\ntwo\n\nthree", "parts them by blank lines, and takes the one that came without deltas");
	is_buf(&run.text, "one\n\ntwo\n\nthree", "so do its deltas");
	has(&run.log, "delta 2 hm\n");
	has(&run.log, "+commandExecution\ndelta 4 a\n-commandExecution\n");
	ok(turn(&run, "early") && run.end.outcome == RUNTIME_COMPLETED, "notifications ahead of the answer are taken");
	is_buf(
	    &run.log, "thread\nbegun\n+userMessage\n-userMessage\n+agentMessage\n-agentMessage\nusage\nend completed\n", "in their order");
	ok(turn(&run, "never") && run.end.outcome == RUNTIME_COMPLETED, "a turn may end before its start was answered");
	is_buf(&run.answer, "soon", "with all it said");
	ok(turn(&run, "hello") && run.end.outcome == RUNTIME_COMPLETED, "and the next one is not confused by that");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"say\":\"${params}|${cwd}|${approval}|${sandbox}|${host}\"}\n", NULL);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.ends, 1), "a turn with all options");
	has(&run.answer,
	    "\"model\":\"m1\",\"effort\":\"low\",\"personality\":\"calm\",\"approvalPolicy\":\"never\",\"sandboxPolicy\":{\"type\":\"workspaceWrite\"},\"executionHost\":\"h\"");
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
		bad += each[i].ends != 1 || each[i].deltas != 100 || each[i].end.outcome != RUNTIME_COMPLETED ||
		    strncmp(each[i].answer.s, "0 1 2 ", 6) != 0;
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
		ok(until(&other.ends, 1) && other.end.fault == RUNTIME_FAULT_BUSY && !other.end.sent,
		    "a second turn on a busy thread is refused");
		run_close(&other);
	}
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "and does not disturb the first");
	run.again = 20;
	ask(&run, "x");
	ok(until(&run.ends, 21) && run.end.outcome == RUNTIME_COMPLETED, "the next one can be asked for in the end of the one before");
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
	ok(until(&last.ends, 1) && last.end.fault == RUNTIME_FAULT_BUSY && !run.ends,
	    "one turn more than the limit is refused, those before it wait");
	last.runtime = NULL;
	run_close(&last);
	run_init(&last);
	for (i = 0; i < RUNTIME_CALLS_MAX; i++)
		runtime_account_limits(run.runtime, on_reply, &run);
	runtime_account_limits(run.runtime, on_reply, &last);
	ok(until_true(&last.replied) && last.reply.fault == RUNTIME_FAULT_BUSY && !run.replied,
	    "one call more than the limit is refused, those before it wait");
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
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_AUTH && run.reply.rpc_code == -32600, "its limits are refused");
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
	run_close(&run);
}

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
	run_open(&run,
	    "{\"on\":\"turn\",\"text\":\"command\"}\n{\"command\":\"rm\",\"ask\":true,\"output\":\"ok\"}\n{\"say\":\"${answer}\"}\n"
	    "{\"on\":\"turn\",\"text\":\"patch\"}\n{\"patch\":[{\"path\":\"a\",\"kind\":{\"type\":\"add\"},\"diff\":\"+\"}],\"ask\":true}\n{\"say\":\"${answer}\"}\n"
	    "{\"on\":\"turn\",\"text\":\"question\"}\n{\"question\":\"which?\",\"options\":[\"a\",\"b\"]}\n{\"say\":\"${answer}\"}\n"
	    "{\"on\":\"turn\",\"text\":\"permissions\"}\n{\"request\":{\"method\":\"item/permissions/requestApproval\",\"params\":{\"permissions\":{\"network\":{\"enabled\":true}}}}}\n{\"say\":\"${answer}\"}\n"
	    "{\"on\":\"turn\",\"text\":\"other\"}\n{\"request\":{\"method\":\"item/tool/call\",\"params\":{\"tool\":\"t\"}}}\n{\"say\":\"${answer}\"}\n"
	    "{\"on\":\"turn\",\"text\":\"withdrawn\"}\n{\"repeat\":1,\"steps\":[{\"notify\":{\"method\":\"x\",\"params\":{}}}]}\n{\"raw\":\"{\\\"id\\\":\\\"own\\\",\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"${turn}\\\",\\\"itemId\\\":\\\"i\\\"}}\"}\n"
	    "{\"notify\":{\"method\":\"serverRequest/resolved\",\"params\":{\"threadId\":\"${thread}\",\"requestId\":\"own\"}}}\n{\"say\":\"done\"}\n",
	    NULL);
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
	is_buf(&run.answer, "{\"permissions\":{\"network\":{\"enabled\":true}},\"scope\":\"session\"}",
	    "permissions are given as they were asked for");
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
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_INTERRUPTED && !run.end.forced && run.resolved == 1,
	    "and is resolved before the end");
	has(&run.log, "resolved withdrawn\nend interrupted\n");

	run_reset(&run);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	ok(until(&run.open, 1), "a turn that may take 1500 ms asks");
	pass(2000);
	ok(!run.ends, "the clock of the turn stands while it waits for an answer");
	ok(runtime_approval_answer(run.runtime, run.approval, &yes) && until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED,
	    "and it goes on after it");
	run_close(&run);

	run_init(&run);
	run.settings.approval_timeout_ms = 50;
	run_open(&run, "{\"command\":\"rm\",\"ask\":true}\n{\"say\":\"${answer}\"}\n", NULL);
	ok(turn(&run, "x"), "an approval that nobody answers");
	has(&run.log, "resolved timeout\n");
	is_buf(&run.answer, "decline", "is declined");
	run_close(&run);

	run_init(&run);
	run_open(&run,
	    "{\"repeat\":70,\"steps\":[{\"raw\":\"{\\\"id\\\":\\\"r${i}\\\",\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"${turn}\\\",\\\"itemId\\\":\\\"i\\\"}}\"}]}\n",
	    NULL);
	ok(turn(&run, "x"), "more approvals than the limit");
	is_int(run.resolved, RUNTIME_APPROVALS_MAX, "the first ones are told, the others declined");
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
	ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED && !strncmp(run.log.s, "thread started lost\n", 20),
	    "or is replaced by a new one, if that is wanted");
	run_close(&run);

	run_init(&run);
	run_open(&run, "{\"on\":\"turn/start\",\"nth\":2}\n{\"refuse\":\"thread not found: x\"}\n", NULL);
	ok(turn(&run, "x"), "a turn");
	ok(turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED,
	    "on a thread that the child has let go of: it is resumed, and asked once more");
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

	/* its output has ended already when it is held, and it ends while it is */
	run_init(&run);
	run_open(&run, "{\"delta\":\"x\"}\n{\"close\":\"output\"}\n{\"wait\":\"100ms\"}\n{\"exit\":1}\n", NULL);
	ask(&run, "x");
	until(&run.deltas, 1);
	pass(50);
	runtime_hold(run.runtime);
	pass(300);
	ok(!run.gones, "the end of a child that is held is not told");
	runtime_release(run.runtime);
	ok(until(&run.gones, 1) && run.ends == 1, "before it is released");
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
	good = turn(&run, "FAIL") && (run.end.fault == RUNTIME_FAULT_TURN || run.end.fault == RUNTIME_FAULT_MODEL);
	ok(good, "a turn that fails: %s (%s)", run.message.s, run.info.s);
	{
		struct runtime_turn_request request = {
			.thread = { run.thread.s, run.thread.len }, .text = TEXT("ASK"), .approval_policy = TEXT("untrusted")
		};

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

int
main(void)
{
	char dir[2048];

	if (!run_begin(dir))
		return 1;
	if (getenv("RUNTIME")) {
		TIMED(test_other);
		return run_end(dir);
	}
	TIMED(test_turns);
	TIMED(test_many);
	TIMED(test_limits);
	TIMED(test_account);
	TIMED(test_approvals);
	TIMED(test_threads);
	TIMED(test_hold);
	return run_end(dir);
}
