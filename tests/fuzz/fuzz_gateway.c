/* fuzz_gateway.c - any bytes on a connection to a whole gateway: every route, body, question and message between agents
 *
 * The gateway is the daemon itself, with an agent that echoes and one that takes messages of others; it has no runtime and runs no
 * commands. Where this process can have a network of its own it reaches nothing outside; elsewhere inputs that could make it call somebody
 * are left out.
 */
#include "compat.h"

#ifdef __linux__
#include <sched.h>
#endif
#include <stdio.h>
#include <sys/stat.h>

#include "server_client.h"

int gateway_main(int argc, char *argv[]);
#define main gateway_main
#include "../../bin/gateway/main.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct gateway gateway = GATEWAY_INIT;
static bool alone; /* a network of our own */

static const char
    agent[] = "{\"apiVersion\":\"clarity.runtime/v1\",\"kind\":\"MCPService\",\"metadata\":{\"sourceFile\":\"f\",\"module\":\"M\","
	      "\"serviceId\":\"svc_%s\",\"displayName\":\"E\",\"serviceType\":\"agent\",\"agent\":{\"agentId\":\"%s\",\"name\":\"E\","
	      "\"role\":\"r\",\"objective\":\"o\",\"triggers\":[\"api\",\"a2a\"],\"chat\":{\"mode\":\"echo\"},\"a2a\":{\"protocol\":"
	      "\"clarity.a2a.v1\",\"acceptedMessageKinds\":[\"handoff.request\"],\"emitsMessageKinds\":[\"handoff.request\"]}}},"
	      "\"spec\":{\"origin\":{\"type\":\"local_wasm\",\"wasmPath\":\"f\",\"entry\":\"main\"},\"enabled\":true,"
	      "\"autostart\":true,\"restartPolicy\":{\"mode\":\"never\",\"maxRestarts\":0,\"windowSeconds\":60},"
	      "\"policyRef\":\"default\"}}\n";

static void
write_agent(const char *name)
{
	struct buf path = BUF_INIT;
	FILE *file;

	buf_addf(&path, "%s/agents/%s.json", top, name);
	file = fopen(path.s, "w");
	if (!file)
		abort();
	fprintf(file, agent, name, name);
	fclose(file);
	buf_release(&path);
}

static void
begin(void)
{
	static char state[64], agents[64], address[64];
	static char name[] = "agent-gateway", quiet[] = "--quiet", at[] = "--state", with[] = "--agents", on[] = "--listen";
	static char *argv[] = { name, quiet, at, state, with, agents, on, address, NULL };

#ifdef __linux__
	alone = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
#endif
	snprintf(state, sizeof state, "%s/state", top);
	snprintf(agents, sizeof agents, "%s/agents", top);
	snprintf(address, sizeof address, "unix:%s/socket", top);
	if (mkdir(agents, 0700) < 0)
		abort();
	write_agent("one");
	write_agent("two");
	setenv("AGENT_RUNTIME_PROVIDER", "dynamic_sessions", 1);
	setenv("OPENAI_MODEL", "", 1);
	setenv("AGENT_RUNTIME_CODEX", "", 1);
	setenv("CLARITY_HITL_DIR", "", 1);
	configure(&gateway, (int)ARRAY_LEN(argv) - 1, argv);
	set_runtime_state(&gateway);
	start(&gateway);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!gateway.server)
		begin_server(begin);
	if (n <= BYTES_MAX && (alone || (!memmem(bytes, n, "mote_mcp", 8) && !memmem(bytes, n, "\\u", 2))))
		server_takes(gateway.server, gateway.daemon.base, bytes, n);
	return 0;
}
