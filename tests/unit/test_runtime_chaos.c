/* test_runtime_chaos.c - random runtimes, asked for random things: whatever they do, the promises of runtime.h hold
 *
 * Each round writes a script of random steps and asks for turns, interrupts, answers, calls and holds at random. Then: each turn has ended
 * once and said nothing afterwards, each approval was resolved once and before that end, each call was answered once, and nothing is left.
 * CHAOS_SEED and CHAOS_ROUNDS repeat or lengthen it.
 */
#include "compat.h"

#include "runtime_run.h"

#define ROUNDS 20
#define OPERATIONS 120
#define ITEMS_MAX 512

static uint32_t seed;

struct item {
	uint64_t number;
	int ends, open, replies;
	bool interrupted, wrong;
	char thread[64];
};

static struct item turns[ITEMS_MAX], calls_made[ITEMS_MAX];
static size_t n_turns, n_calls;
static uint64_t open_approvals[ITEMS_MAX];
static size_t n_open;
static struct runtime *runtime;
static bool stopped;
static unsigned outcomes[3], faults_seen[RUNTIME_FAULT_STOPPING + 1], asked_for;

static unsigned
roll(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

/* ---- a script */

static const char *const steps[] = {
	"{\"delta\":\"x\"}",
	"{\"delta\":\"y\"}",
	"{\"say\":\"hello world\",\"chunk\":3}",
	"{\"say\":\"\"}",
	"{\"wait\":3}",
	"{\"wait\":20}",
	"{\"think\":\"t\"}",
	"{\"command\":\"c\",\"ask\":true,\"output\":\"o\"}",
	"{\"command\":\"c\"}",
	"{\"patch\":[],\"ask\":true}",
	"{\"question\":\"q\"}",
	"{\"request\":{\"method\":\"item/tool/call\",\"params\":{}}}",
	"{\"retry\":\"r\"}",
	"{\"raw\":\"garbage\"}",
	"{\"raw\":\"{\\\"id\\\":1,\\\"result\\\":{}}\"}",
	"{\"raw\":\"{\\\"id\\\":0,\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"${turn}\\\"}}\"}",
	"{\"raw\":\"{\\\"id\\\":0,\\\"method\\\":\\\"item/fileChange/requestApproval\\\",\\\"params\\\":{\\\"threadId\\\":\\\"${thread}\\\",\\\"turnId\\\":\\\"u\\\"}}\"}",
	"{\"notify\":{\"method\":\"serverRequest/resolved\",\"params\":{\"threadId\":\"${thread}\",\"requestId\":0}}}",
	"{\"notify\":{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"${thread}\",\"turn\":{\"id\":\"${turn}\",\"status\":\"completed\"}}}}",
	"{\"notify\":{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"${thread}\",\"turn\":{\"id\":\"u\",\"status\":\"failed\"}}}}",
	"{\"notify\":{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"${thread}\"}}}",
	"{\"notify\":{\"method\":\"turn/started\",\"params\":{\"threadId\":\"${thread}\",\"turn\":{\"id\":\"${turn}\"}}}}",
	"{\"notify\":{\"method\":\"item/completed\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"item\":{\"type\":\"agentMessage\",\"id\":\"m\",\"text\":\"z\"}}}}",
	"{\"notify\":{\"method\":\"item/started\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"item\":[]}}}",
	"{\"notify\":{\"method\":\"error\",\"params\":{\"threadId\":\"${thread}\",\"turnId\":\"${turn}\",\"error\":3}}}",
	"{\"notify\":{\"method\":\"account/updated\",\"params\":{}}}",
	"{\"fail\":\"f\"}",
	"{\"complete\":true}",
	"{\"interrupted\":true}",
	"{\"answer\":true}",
	"{\"stderr\":\"e\"}",
	"{\"hang\":true}",
};
static const char *const ends[] = { "{\"exit\":1}", "{\"signal\":9}", "{\"close\":\"output\"}", "{\"close\":\"input\"}",
	"{\"ignore\":\"interrupt\"}", "{\"ignore\":\"input\"}", "{\"repeat\":200,\"steps\":[{\"raw\":\"x\"}]}" };
static const char *const faults[] = { "{\"refuse\":\"thread not found\"}", "{\"refuse\":\"no\"}", "{\"hang\":true}", "{\"answer\":{}}",
	"{\"wait\":\"60ms\"}", "{\"exit\":2}",
	"{\"answer\":{\"turn\":{\"id\":\"u\",\"status\":\"completed\"},\"thread\":{\"id\":\"one\"}}}" };
static const char *const methods[] = { "initialize", "thread/start", "thread/resume", "turn/start", "turn/interrupt", "account/read" };

static void
make_script(struct buf *to)
{
	unsigned i, j, n;

	for (i = roll(4); i > 0; i--)
		buf_addf(to, "{\"on\":\"%s\",\"nth\":%u}\n%s\n", methods[roll(ARRAY_LEN(methods))], 1 + roll(6),
		    faults[roll(ARRAY_LEN(faults))]);
	for (i = 1; i < 30; i++) {
		buf_addf(to, "{\"on\":\"turn\",\"nth\":%u%s}\n", i, roll(8) ? "" : ",\"manual\":true");
		for (j = 0, n = 1 + roll(8); j < n; j++)
			buf_addf(to, "%s\n", steps[roll(ARRAY_LEN(steps))]);
		if (!roll(12))
			buf_addf(to, "%s\n", ends[roll(ARRAY_LEN(ends))]);
	}
}

/* ---- what is told */

static void
chaos_event(const struct runtime_event *event, void *payload)
{
	struct item *item = payload;

	if (item->ends || event->turn != item->number)
		item->wrong = true;
	if (item->interrupted && event->type != RUNTIME_END && event->type != RUNTIME_APPROVAL_RESOLVED && event->type != RUNTIME_USAGE)
		item->wrong = true;
	switch (event->type) {
	case RUNTIME_THREAD:
		snprintf(item->thread, sizeof item->thread, "%s", event->thread);
		break;
	case RUNTIME_APPROVAL:
		item->open++;
		asked_for++;
		if (n_open < ITEMS_MAX)
			open_approvals[n_open++] = event->approval;
		break;
	case RUNTIME_APPROVAL_RESOLVED:
		item->open--;
		break;
	case RUNTIME_END:
		item->ends++;
		outcomes[event->end->outcome]++;
		faults_seen[event->end->fault]++;
		if (item->open || (item->interrupted && event->end->outcome != RUNTIME_INTERRUPTED) ||
		    (event->end->outcome == RUNTIME_FAILED) != (event->end->fault != 0) || (event->end->fault && !*event->end->message))
			item->wrong = true;
		break;
	default:
		break;
	}
	/* from inside a callback everything may be asked for */
	if (!item->ends && !roll(40))
		item->interrupted |= runtime_turn_interrupt(runtime, item->number);
}

static void
chaos_reply(const struct runtime_reply *reply, void *payload)
{
	struct item *item = payload;

	item->replies++;
	if ((reply->fault && !*reply->message) || (!reply->fault && !reply->result.s))
		item->wrong = true;
}

static void
chaos_stopped(void *payload)
{
	(void)payload;
	stopped = true;
}

/* ---- what is asked */

static void
operate(void)
{
	struct runtime_turn_request request = {
		.thread = SPAN_NONE, .text = TEXT("x"), .timeout_ms = roll(3) ? 0 : 30, .new_if_lost = roll(2)
	};
	struct runtime_answer answer = { .decision = (enum runtime_decision)roll(4), .result = SPAN_NONE };
	struct item *item;

	switch (roll(10)) {
	case 0:
	case 1:
	case 2:
		if (n_turns == ITEMS_MAX)
			return;
		item = &turns[n_turns++];
		if (n_turns > 1 && roll(2)) {
			const struct item *other = &turns[roll((unsigned)n_turns - 1)];

			if (*other->thread)
				request.thread = (struct span){ other->thread, strlen(other->thread) };
		}
		item->number = runtime_turn_start(runtime, &request, chaos_event, item);
		return;
	case 3:
		if (n_turns) {
			item = &turns[roll((unsigned)n_turns)];
			item->interrupted |= runtime_turn_interrupt(runtime, item->number);
		}
		return;
	case 4:
	case 5:
		if (n_open)
			runtime_approval_answer(runtime, open_approvals[roll((unsigned)n_open)], &answer);
		return;
	case 6:
	case 7:
		if (n_calls < ITEMS_MAX)
			runtime_account_read(runtime, false, chaos_reply, &calls_made[n_calls++]);
		return;
	case 8:
		runtime_hold(runtime);
		pass(roll(5));
		runtime_release(runtime);
		return;
	default:
		pass(roll(40));
		return;
	}
}

static bool
one_round(unsigned number, bool to_the_end)
{
	const char *argv[] = { mock_path, "--script", script_path, NULL };
	struct runtime_settings settings = { .argv = argv,
		.init_timeout_ms = 2000,
		.call_timeout_ms = 200,
		.interrupt_timeout_ms = 100,
		.pause_min_ms = 1,
		.pause_max_ms = 5,
		.approval_timeout_ms = roll(2) ? 50 : 0,
		.idle_ms = roll(2) ? 20 : 0 };
	struct buf script = BUF_INIT;
	struct runtime_status status;
	bool good = true;
	size_t i;

	make_script(&script);
	write_script(script.s);
	memset(turns, 0, sizeof turns);
	memset(calls_made, 0, sizeof calls_made);
	n_turns = n_calls = n_open = 0;
	stopped = false;
	runtime = runtime_new(base, &settings, NULL, NULL);
	if (roll(4)) {
		runtime_call(runtime, "account/rateLimits/read", SPAN_NONE, settings.init_timeout_ms, chaos_reply, &calls_made[n_calls]);
		until(&calls_made[n_calls++].replies, 1);
	}
	for (i = 0; i < OPERATIONS; i++)
		operate();
	if (to_the_end) {
		runtime_stop(runtime, 300, chaos_stopped, NULL);
		good = until_true(&stopped);
		for (i = 0; i < n_turns; i++)
			good &= turns[i].ends == 1 && !turns[i].open && !turns[i].wrong;
		for (i = 0; i < n_calls; i++)
			good &= calls_made[i].replies == 1 && !calls_made[i].wrong;
	}
	runtime_status(runtime, &status);
	if (!stopped && to_the_end)
		printf("# state %s, pid %ld, %zu turns, %zu calls, last end: %s\n", runtime_state_word(status.state), (long)status.pid,
		    status.turns, status.calls, status.last_error);
	runtime_free(runtime);
	if (!good) {
		printf("# round %u: %zu turns, %zu calls, stopped %d; the script:\n", number, n_turns, n_calls, stopped);
		fputs(script.s, stdout);
		for (i = 0; i < n_turns; i++)
			if (turns[i].ends != 1 || turns[i].open || turns[i].wrong)
				printf("# turn %zu: ends %d, open %d, interrupted %d, wrong %d\n", i, turns[i].ends, turns[i].open,
				    turns[i].interrupted, turns[i].wrong);
		for (i = 0; i < n_calls; i++)
			if (calls_made[i].replies != 1 || calls_made[i].wrong)
				printf("# call %zu: replies %d, wrong %d\n", i, calls_made[i].replies, calls_made[i].wrong);
	}
	buf_release(&script);
	return good;
}

int
main(void)
{
	const char *text = getenv("CHAOS_SEED"), *count = getenv("CHAOS_ROUNDS");
	uint32_t first = text ? (uint32_t)strtoul(text, NULL, 10) : 20261121;
	unsigned rounds = count ? (unsigned)strtoul(count, NULL, 10) : ROUNDS, i;
	char dir[2048];

	if (!run_begin(dir))
		return 1;
	for (i = 0; i < rounds; i++) {
		/* each round has a seed of its own, so that one can be repeated alone */
		seed = (first + i) * 2654435761u | 1;
		ok(one_round(i, i % 5 != 4), "round %u (CHAOS_SEED=%lu CHAOS_ROUNDS=1)", i, (unsigned long)(first + i));
	}
	printf("# %u turns completed, %u interrupted, %u failed; %u approvals; failed by:", outcomes[RUNTIME_COMPLETED],
	    outcomes[RUNTIME_INTERRUPTED], outcomes[RUNTIME_FAILED], asked_for);
	for (i = 1; i < ARRAY_LEN(faults_seen); i++)
		printf(" %s %u", runtime_fault_word((enum runtime_fault)i), faults_seen[i]);
	putchar('\n');
	return run_end(dir);
}
