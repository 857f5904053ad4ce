/* test_runtime_faults.c - the room runtime/ against agent-runtime-mock, on a loop: interrupts, and everything that may go wrong */
#include "compat.h"

#include "runtime_run.h"

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
	ok(until(&other.ends, 1) && other.end.fault == RUNTIME_FAULT_GONE && other.end.forced,
	    "the child is ended, the other turn with it");
	ok(until(&run.gones, 1), "and that is told");
	has(&run.notices, "did not stop a turn within 200 ms");
	other.runtime = NULL;
	run_close(&other);
	run_close(&run);

	/* 0.169.0 says what a turn has cost after it was told to stop */
	run_init(&run);
	run_open(&run,
	    "{\"on\":\"turn\"}\n{\"ignore\":\"interrupt\"}\n{\"delta\":\"x\"}\n{\"wait\":300}\n"
	    "{\"notify\":{\"method\":\"thread/tokenUsage/updated\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"tokenUsage\":{"
	    "\"total\":{\"totalTokens\":16,\"inputTokens\":11,\"cachedInputTokens\":3,\"outputTokens\":5,\"reasoningOutputTokens\":2},"
	    "\"last\":{\"totalTokens\":16,\"inputTokens\":11,\"cachedInputTokens\":3,\"outputTokens\":5,\"reasoningOutputTokens\":2}}}}}\n"
	    "{\"interrupted\":true}\n",
	    NULL);
	run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
	until(&run.deltas, 1);
	ok(runtime_turn_interrupt(run.runtime, run.turn) && until(&run.ends, 1), "a turn that tells its cost while it stops");
	has(&run.log, "usage\nend interrupted\n");
	ok(run.end.counted && run.end.spent.input == 11 && run.end.spent.output == 5, "has cost that");
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
		wrong += run.ends != 1 || run.end.outcome != (run.interrupted ? RUNTIME_INTERRUPTED : RUNTIME_COMPLETED) ||
		    strstr(run.log.s, "AFTER") != NULL;
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

static void
test_kills(void)
{
	struct run run;
	int step, last = 0;

	for (step = 1; step < 40; step++) {
		run_init(&run);
		run_open(&run,
		    "{\"on\":\"turn\",\"text\":\"ok\"}\n{\"say\":\"fine\"}\n{\"on\":\"turn\"}\n{\"delta\":\"a\"}\n{\"wait\":5}\n{\"delta\":\"b\"}\n{\"wait\":5}\n{\"command\":\"ls\",\"ask\":true}\n{\"wait\":5}\n{\"say\":\"c\"}\n{\"wait\":5}\n",
		    NULL);
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
		ok(run.end.fault == RUNTIME_FAULT_GONE && run.end.forced && !run.open && run.end.sent, "killed after event %d: %s", step,
		    run.message.s);
		run.kill_after = 0;
		ok(turn(&run, "ok") && run.end.outcome == RUNTIME_COMPLETED && run.generation == 2,
		    "and the next turn works, in another child");
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
		{ "{\"on\":\"start\"}\n{\"stderr\":\"out of luck\"}\n{\"exit\":3}\n", "the runtime ended with status 3: out of luck",
		    RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"exit\":4}\n", "the runtime ended with status 4", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"refuse\":\"not you\"}\n", "the runtime did not let itself be greeted: not you",
		    RUNTIME_FAULT_START, false },
		{ "{\"on\":\"initialize\"}\n{\"hang\":true}\n", "the runtime was not ready within 3000 ms", RUNTIME_FAULT_START, false },
		{ "{\"on\":\"thread/start\"}\n{\"exit\":0}\n", "the runtime ended with status 0", RUNTIME_FAULT_GONE, false },
		{ "{\"on\":\"thread/start\"}\n{\"refuse\":\"no more threads\"}\n", "no more threads", RUNTIME_FAULT_REFUSED, false },
		{ "{\"on\":\"thread/start\"}\n{\"answer\":{}}\n", "thread/start did not return thread.id", RUNTIME_FAULT_PROTOCOL, false },
		{ "{\"on\":\"thread/start\"}\n{\"hang\":true}\n", "the runtime gave no answer to thread/start within 3000 ms",
		    RUNTIME_FAULT_TIMEOUT, false },
		{ "{\"on\":\"turn/start\"}\n{\"signal\":9}\n", "the runtime was ended by signal 9", RUNTIME_FAULT_GONE, true },
		{ "{\"on\":\"turn/start\"}\n{\"refuse\":\"too tired\"}\n", "too tired", RUNTIME_FAULT_REFUSED, false },
		{ "{\"on\":\"turn/start\"}\n{\"answer\":{}}\n", "turn/start did not return turn.id", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"on\":\"turn/start\"}\n{\"answer\":[1]}\n", "turn/start did not return turn.id", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"on\":\"turn/start\"}\n{\"hang\":true}\n", "the runtime gave no answer to turn/start within 3000 ms",
		    RUNTIME_FAULT_TIMEOUT, true },
		{ "{\"fail\":\"no money\",\"info\":\"usageLimitExceeded\"}\n", "no money", RUNTIME_FAULT_LIMIT, true },
		{ "{\"fail\":\"who?\",\"info\":{\"httpConnectionFailed\":{\"httpStatusCode\":401}}}\n", "who?", RUNTIME_FAULT_AUTH, true },
		{ "{\"retry\":\"Reconnecting\"}\n{\"delta\":\"x\"}\n{\"exit\":1}\n", "the runtime ended with status 1", RUNTIME_FAULT_GONE,
		    true },
		{ "{\"repeat\":101,\"steps\":[{\"raw\":\"garbage\"}]}\n{\"hang\":true}\n",
		    "the runtime wrote more than 100 lines in a row that are no messages", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"close\":\"output\"}\n{\"hang\":true}\n", "the runtime closed its output", RUNTIME_FAULT_PROTOCOL, true },
		{ "{\"fill\":2000001}\n{\"hang\":true}\n", "the runtime wrote a line of more than 2000000 bytes", RUNTIME_FAULT_PROTOCOL,
		    true },
	};
	struct run run;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		run_init(&run);
		run.settings.call_timeout_ms = run.settings.init_timeout_ms = 3000;
		run.settings.interrupt_timeout_ms = 100;
		run.settings.line_max = 2000000;
		run_open(&run, cases[i].script, NULL);
		ok(turn(&run, "x") && run.ends == 1 && run.end.outcome == RUNTIME_FAILED && run.end.fault == cases[i].fault &&
			run.end.sent == cases[i].sent,
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
	run_open(&run,
	    "{\"repeat\":100,\"steps\":[{\"raw\":\"garbage ${i}\"}]}\n{\"delta\":\"\"}\n{\"raw\":\"\"}\n{\"raw\":\"[1]\"}\n{\"raw\":\"{\\\"id\\\":77,\\\"result\\\":{}}\"}\n{\"raw\":\"{\\\"id\\\":\\\"s\\\",\\\"result\\\":{}}\"}\n"
	    "{\"hex\":\"7b226d6574686f64223a22ff227d\"}\n{\"raw\":\"{\\\"method\\\":\\\"x\\\"}\\r\"}\n{\"raw\":\"{\\\"id\\\":5}\"}\n{\"raw\":\"{\\\"method\\\":\\\"warning\\\",\\\"params\\\":\",\"end\":false}\n{\"wait\":20}\n{\"raw\":\"{\\\"message\\\":\\\"cut\\\"}}\"}\n"
	    "{\"big\":10485760}\n{\"say\":\"end\"}\n{\"stderr\":\"a line\"}\n",
	    NULL);
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
		request.text = span_of(&big);
		run.turn = runtime_turn_start(run.runtime, &request, on_event, &run);
		ok(until(&run.ends, 1) && run.end.outcome == RUNTIME_COMPLETED, "a turn with 10 MB of text");
		is_int(run.answer.len, 10000000 + 34, "is answered with as much");
		buf_release(&big);
	}
	run_close(&run);

	run_init(&run);
	run_open(
	    &run, "{\"on\":\"initialize\"}\n{\"answer\":true}\n{\"on\":\"account/read\"}\n{\"ignore\":\"input\"}\n{\"hang\":true}\n", NULL);
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
			runtime_call(run.runtime, "x", span_of(&big), 0, on_reply, &others[i]);
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
	snprintf(script, sizeof script,
	    "{\"ignore\":\"TERM\"}\n{\"ignore\":\"end\"}\n{\"orphan\":\"%s\"}\n{\"delta\":\"x\"}\n{\"hang\":true}\n", flag_path);
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
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_PROTOCOL,
	    "a child that closed its input is ended when it is written to");
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
	const char *missing[] = { "/no/such/runtime", NULL }, *ends[] = { "false", NULL };
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
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_MISSING && !run.end.sent, "a program that is not there");
	has(&run.message, "unable to start '/no/such/runtime': No such file or directory");
	for (i = 0; i < 40 && !paused; i++) {
		run_reset(&run);
		runtime_account_limits(run.runtime, on_reply, &run);
		until_true(&run.replied);
		paused = run.message.s && strstr(run.message.s, "it is tried again in ") ? i + 1 : 0;
		ok(run.reply.fault == RUNTIME_FAULT_MISSING, "it is missing, however often one asks");
	}
	ok(paused > 1, "the pauses grow until it is told at once (%d)", paused);
	stop(&run);
	run_close(&run);

	paused = 0;
	run_init(&run);
	run.settings.pause_min_ms = 0;
	run.settings.pause_max_ms = 0;
	run.settings.argv = ends;
	run.runtime = runtime_new(base, &run.settings, &calls, &run);
	runtime_account_limits(run.runtime, on_reply, &run);
	ok(until_true(&run.replied) && run.reply.fault == RUNTIME_FAULT_START, "one that ends at once");
	for (i = 0; i < 40 && !paused; i++) {
		run_reset(&run);
		runtime_account_limits(run.runtime, on_reply, &run);
		until_true(&run.replied);
		if (run.reply.fault == RUNTIME_FAULT_PAUSED) {
			paused = i + 1;
			pause = run.reply.retry_after_ms;
		}
	}
	ok(paused > 1 && pause > RUNTIME_PATIENCE_MS && pause <= RUNTIME_PAUSE_MAX_MS,
	    "the pauses grow until it is refused at once (%d, %lld ms)", paused, (long long)pause);
	has(&run.message, "it is tried again in ");
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_PAUSED && run.end.retry_after_ms > 0, "turns too");
	stop(&run);
	run_close(&run);

	unlink(flag_path);
	snprintf(
	    script, sizeof script, "{\"on\":\"initialize\",\"unless\":\"%s\"}\n{\"touch\":\"%s\"}\n{\"exit\":1}\n", flag_path, flag_path);
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

	pause = 0;
	run_init(&run);
	run.settings.pause_min_ms = 5;
	run.settings.pause_max_ms = 60000;
	run_open(&run, "{\"say\":\"done\"}\n", NULL);
	for (i = 0; i < 12 && turn(&run, "x") && run.end.outcome == RUNTIME_COMPLETED; i++) {
		runtime_status(run.runtime, &status);
		run.gones = 0;
		kill(-status.pid, SIGKILL);
		if (!until(&run.gones, 1))
			break;
		if (run.gone.pause_ms > pause)
			pause = run.gone.pause_ms;
		buf_reset(&run.thread);
	}
	is_int(i, 12, "killed after each turn, it is there for the next one");
	ok(pause > 0 && pause <= 5, "with a short pause each time, since it had done what it is there for (%lld ms)", (long long)pause);
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
warm_up(struct run *run)
{
	runtime_call(run->runtime, "account/rateLimits/read", SPAN_NONE, LONG_MS, on_reply, run);
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
	ok(until(&run.ends, 1) && run.end.fault == RUNTIME_FAULT_TURN_TIMEOUT && !run.end.forced,
	    "a turn that takes too long is interrupted, and says so");
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
	    "{\"on\":\"turn/start\",\"nth\":1}\n{\"wait\":\"1500ms\"}\n{\"on\":\"turn\",\"nth\":1}\n{\"repeat\":100000,\"steps\":[{\"delta\":\"x\"},{\"wait\":1}]}\n",
	    NULL);
	warm_up(&run);
	ok(turn(&run, "x") && run.end.fault == RUNTIME_FAULT_TIMEOUT && run.end.forced && run.end.sent,
	    "a turn whose start is not answered in time");
	ok(until_late(&run, 1), "is answered after all");
	is_int(run.ends, 1, "but is told once");
	ok(!strstr(run.log.s, "AFTER"), "and nothing of it afterwards");
	for (tries = 0; tries < 1000 && turn(&run, "y") && run.end.fault == RUNTIME_FAULT_BUSY; tries++)
		pass(10);
	ok(run.end.outcome == RUNTIME_COMPLETED, "it is stopped: the thread is free again");
	is_int(run.gones, 0, "without ending the child");
	run_close(&run);
}

int
main(void)
{
	char dir[2048];

	if (!run_begin(dir))
		return 1;
	TIMED(test_interrupts);
	TIMED(test_races);
	TIMED(test_kills);
	TIMED(test_exits);
	TIMED(test_garbage);
	TIMED(test_group);
	TIMED(test_restarts);
	TIMED(test_deadlines);
	return run_end(dir);
}
