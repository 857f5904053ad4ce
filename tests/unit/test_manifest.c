/* test_manifest.c - each way in which a manifest can be wrong has its text */
#include "compat.h"

#include <stdlib.h>

#include "agents/agents.h"
#include "err.h"
#include "status.h"
#include "tap.h"

static const char good[] = "{\"apiVersion\":\"clarity.runtime/v1\",\"kind\":\"MCPService\",\"metadata\":{\"sourceFile\":\"/x/echo.clarity\",\"module\":\"EchoAgent\","
			   "\"serviceType\":\"agent\",\"agent\":{\"agentId\":\"echo-agent\",\"name\":\"EchoAgent\",\"role\":\"assistant\",\"objective\":\"test\",\"triggers\":[\"api\"],"
			   "\"chat\":{\"mode\":\"echo\"}}},\"spec\":{\"origin\":{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"},\"enabled\":true,"
			   "\"autostart\":false,\"restartPolicy\":{\"mode\":\"never\",\"maxRestarts\":0,\"windowSeconds\":60},\"policyRef\":\"default\"}}";

/* The good manifest with one piece put in another's place. */
static char *
change(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	struct buf text = BUF_INIT;

	if (!at)
		exit(1);
	buf_add(&text, good, (size_t)(at - good));
	buf_addstr(&text, to);
	buf_addstr(&text, at + strlen(from));
	return buf_detach(&text, NULL);
}

static void
wrong(const char *from, const char *to, const char *why)
{
	char *text = change(from, to);
	struct agent *agent = NULL;
	struct err err = ERR_INIT;
	bool refused = !agent_parse(text, strlen(text), "x.json", &agent, &err);

	ok(refused && err.status == STATUS_CONFIG && !strncmp(err.text, "invalid manifest: ", 18) && !strcmp(err.text + 18, why), "%s", why);
	if (!refused || strcmp(err.text + 18, why))
		printf("# it says: %s\n", refused ? err.text : "nothing");
	agent_free(agent);
	free(text);
}

static void
right(const char *from, const char *to, const char *name)
{
	char *text = change(from, to);
	struct agent *agent = NULL;
	struct err err = ERR_INIT;

	ok(agent_parse(text, strlen(text), "/d/x.json", &agent, &err), "%s", name);
	if (err.status)
		printf("# it says: %s\n", err.text);
	agent_free(agent);
	free(text);
}

int
main(void)
{
	struct agent *agent = NULL;
	struct err err = ERR_INIT;

	ok(agent_parse(good, strlen(good), "x.json", &agent, &err), "the minimal manifest is good");
	if (!agent)
		return done();
	is_int(agent->service.len, 16, "its service id is made");
	ok(!strncmp(agent->service.s, "svc_", 4), "from svc_ and twelve digits");
	agent_free(agent);
	agent = NULL;
	ok(!agent_parse("[]", 2, "x.json", &agent, &err) && !strcmp(err.text, "invalid manifest: expected object"), "expected object");
	ok(!agent_parse("{", 1, "x.json", &agent, &err) && !strncmp(err.text, "invalid manifest: not JSON", 26), "not JSON");
	wrong("clarity.runtime/v1", "v2", "apiVersion must be 'clarity.runtime/v1'");
	wrong("MCPService", "X", "kind must be 'MCPService'");
	wrong("\"metadata\":{", "\"other\":{", "metadata is required");
	wrong("/x/echo.clarity", " ", "metadata.sourceFile must be a non-empty string");
	wrong("\"EchoAgent\",\"serviceType\"", "7,\"serviceType\"", "metadata.module must be a non-empty string");
	wrong("\"serviceType\":\"agent\"", "\"serviceType\":\"x\"", "metadata.serviceType must be 'mcp' or 'agent'");
	wrong("\"serviceType\"", "\"serviceId\":\"\",\"serviceType\"", "metadata.serviceId must be a non-empty string");
	wrong("\"serviceType\"", "\"displayName\":1,\"serviceType\"", "metadata.displayName must be a non-empty string");
	wrong("\"agentId\":\"echo-agent\"", "\"agentId\":\"\"", "metadata.agent.agentId must be a non-empty string");
	wrong("\"role\":\"assistant\"", "\"rolle\":1", "metadata.agent.role must be a non-empty string");
	wrong("[\"api\"]", "[]", "metadata.agent.triggers must be a non-empty array");
	wrong("[\"api\"]", "\"api\"", "metadata.agent.triggers must be a non-empty array");
	wrong("[\"api\"]", "[\"api\",\"cron\"]", "metadata.agent.triggers must only include timer|event|api|a2a");
	wrong("[\"api\"]", "[\"timer\"]", "metadata.agent.timer is required when triggers include timer");
	wrong("[\"api\"]", "[\"a2a\"]", "metadata.agent.a2a is required when triggers include a2a");
	wrong("[\"api\"]", "[\"api\"],\"hitl\":1", "metadata.agent.hitl must be a boolean");
	wrong("[\"api\"]", "[\"api\"],\"timer\":{\"schedules\":[]}", "metadata.agent.timer.schedules must be a non-empty array");
	wrong("[\"api\"]", "[\"api\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"daily\"}]}", "metadata.agent.timer.schedules[].scheduleExpr must look like 'every <n> <unit>'");
	wrong("[\"api\"]", "[\"api\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"every 1 s\"},{\"id\":\"a\",\"expr\":\"every 1 s\"}]}",
	    "metadata.agent.timer.schedules must have unique scheduleId values");
	wrong("[\"api\"]", "[\"api\"],\"a2a\":{\"protocol\":\"p\",\"maxPayloadBytes\":127}", "metadata.agent.a2a.maxPayloadBytes must be an integer between 128 and 10485760");
	wrong("[\"api\"]", "[\"api\"],\"inputs\":[1]", "metadata.agent.inputs must be an array of strings");
	wrong("\"mode\":\"echo\"", "\"mode\":\"loud\"", "metadata.agent.chat.mode must be one of auto|echo|disabled");
	wrong("\"mode\":\"echo\"", "\"provider\":\"me\"", "metadata.agent.chat.provider must be one of openai|anthropic|echo");
	wrong("\"mode\":\"echo\"", "\"timeoutMs\":999", "metadata.agent.chat.timeoutMs must be an integer between 1000 and 120000");
	wrong("\"mode\":\"echo\"", "\"historyMaxTurns\":201", "metadata.agent.chat.historyMaxTurns must be an integer between 1 and 200");
	wrong("\"mode\":\"echo\"", "\"historyMaxChars\":255", "metadata.agent.chat.historyMaxChars must be an integer between 256 and 200000");
	wrong("\"mode\":\"echo\"", "\"apiKeyEnv\":\"1A\"", "metadata.agent.chat.apiKeyEnv must be an environment variable name");
	wrong("\"spec\":{", "\"sp\":{", "spec is required");
	wrong("local_wasm", "zip", "spec.origin.type must be 'local_wasm', 'remote_mcp' or 'command'");
	wrong("\"wasmPath\"", "\"p\"", "spec.origin.wasmPath must be a non-empty string");
	wrong("\"enabled\":true", "\"enabled\":1", "spec.enabled must be a boolean");
	wrong("\"autostart\":false", "\"a\":1", "spec.autostart must be a boolean");
	wrong("\"mode\":\"never\"", "\"mode\":\"x\"", "spec.restartPolicy.mode must be one of never|on-failure|always");
	wrong("\"maxRestarts\":0", "\"maxRestarts\":-1", "spec.restartPolicy.maxRestarts must be >= 0");
	wrong("\"windowSeconds\":60", "\"windowSeconds\":0", "spec.restartPolicy.windowSeconds must be > 0");
	wrong("\"policyRef\":\"default\"", "\"policyRef\":\"\"", "spec.policyRef must be a non-empty string");
	wrong("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}", "{\"type\":\"command\",\"command\":[]}", "spec.origin.command must have 1 to 64 words");
	wrong("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}", "{\"type\":\"remote_mcp\",\"endpoint\":\"http://h\",\"transport\":\"x\"}",
	    "spec.origin.transport must be 'streamable_http' or 'sse_http'");
	right("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}", "{\"type\":\"command\",\"command\":[\"./a\",\"b\"]}", "a command is an origin");
	right("\"module\"", "\"x-unknown\":[1],\"module\"", "unknown members are kept");
	right("[\"api\"]", "[\"timer\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"Every 5 MIN\"}],\"serial\":true}", "aliases and letter case of schedules are taken");
	return done();
}
