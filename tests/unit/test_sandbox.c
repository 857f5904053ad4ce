/* test_sandbox.c - the words of sandbox policies, and which of two goes before */
#include "compat.h"

#include "buf.h"
#include "sandbox.h"
#include "tap.h"

static void
take(const char *params, const char *want)
{
	struct buf policy = BUF_INIT;
	struct span value;

	buf_addstr(&policy, "what it had");
	if (jtext_check(params, strlen(params), true, &value, NULL))
		sandbox_take(value, &policy);
	is_buf(&policy, want, params);
	buf_release(&policy);
}

int
main(void)
{
	take("{\"sandbox\":\"read-only\"}", "{\"type\":\"readOnly\"}");
	take("{\"sandbox\":\"workspace-write\"}", "{\"type\":\"workspaceWrite\"}");
	take("{\"sandbox\":\"danger-full-access\"}", "{\"type\":\"dangerFullAccess\"}");
	take("{\"sandboxPolicy\":{\"type\": \"workspaceWrite\", \"networkAccess\": true}}",
	    "{\"type\":\"workspaceWrite\",\"networkAccess\":true}");
	take("{\"sandbox\":\"read-only\",\"sandboxPolicy\":{\"type\":\"dangerFullAccess\"}}", "{\"type\":\"dangerFullAccess\"}");
	take("{}", "what it had");
	take("{\"sandbox\":\"Read-Only\",\"sandboxPolicy\":\"read-only\"}", "what it had");
	take("{\"sandbox\":{\"type\":\"readOnly\"},\"sandboxPolicy\":null}", "what it had");
	return done();
}
