/* fuzz_acp.c - any lines of an agent of the Agent Client Protocol, and of the client, while turns are at work: whatever comes, the agent and
 * the client are told JSON, a line each, and every turn ends
 *
 * A line that begins with > is the client's, + says more to the turn, ! interrupts it; all others are the agent's. There is a turn before
 * each of them. No line of the client opens a directory or a sandbox: the agent could write there.
 */
#include "compat.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../../bin/runtimes/acp.h"
#include "err.h"
#include "serve_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool
client_may(const char *s, size_t n)
{
	struct span value;

	return jtext_check(s, n, true, &value, NULL) && jtext_type(value) == JTEXT_OBJECT && !memmem(s, n, "cwd", 3) &&
	    !memmem(s, n, "andbox", 6) && !memmem(s, n, "\\u", 2);
}

static void
feed(struct acp *acp, const char *s, size_t n)
{
	static const char hello[] = ",\"input\":[{\"type\":\"text\",\"text\":\"hello\"}]";

	if (!acp->talks)
		client_asks_of_turn(acp->serve, "turn/start", hello);
	if (n && *s == '>') {
		if (client_may(s + 1, n - 1))
			client_asks(acp->serve, s + 1, n - 1);
	} else if (n && *s == '+')
		client_asks_of_turn(acp->serve, "turn/start", hello);
	else if (n && *s == '!')
		client_asks_of_turn(acp->serve, "turn/interrupt", "");
	else
		acp_take_line(acp, s, n);
}

static void
end(struct acp *acp)
{
	const struct serve_thread *thread;
	struct call *call;

	while (acp->talks)
		talk_end(acp->talks, "it is over", INTERNAL, NULL);
	for (thread = acp->serve->threads; thread; thread = thread->next)
		if (thread->turn)
			abort();
	while ((call = acp->calls)) {
		acp->calls = call->next;
		free(call);
	}
	serve_free(acp->serve);
	each_is_json(acp->held.s, acp->held.len);
	buf_release(&acp->held);
	buf_release(&acp->dying);
	client_end();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	/* a process that cannot be: nothing here ends it */
	struct acp acp = { .start_ms = 60000, .turn_ms = 60000, .held = BUF_INIT, .dying = BUF_INIT, .pid = INT_MAX, .agent = 1 };
	struct serve_engine engine = acp_engine(&acp);
	const char *s = (const char *)bytes, *stop_at = s + n, *stop;
	struct buf params = BUF_INIT;
	struct err err = ERR_INIT;

	if (n > BYTES_MAX)
		return 0;
	client_begin();
	acp.serve = serve_new(&engine, NULL, &err);
	if (!acp.serve)
		abort();
	client_opens(acp.serve);
	buf_addstr(&params, "{}");
	acp_request(&acp, NULL, CALL_INITIALIZE, &params);
	buf_release(&params);
	for (; s < stop_at && !acp.dying.len; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(stop_at - s));
		if (!stop)
			stop = stop_at;
		feed(&acp, s, (size_t)(stop - s));
	}
	end(&acp);
	return 0;
}
