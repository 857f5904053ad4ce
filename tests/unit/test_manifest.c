/* test_manifest.c - each way in which a manifest can be wrong has its text */
#include "compat.h"

#include <stdlib.h>
#include <time.h>

#include "agents/agents.h"
#include "err.h"
#include "status.h"
#include "tap.h"

static const char good[] =
    "{\"apiVersion\":\"clarity.runtime/v1\",\"kind\":\"MCPService\",\"metadata\":{\"sourceFile\":\"/x/echo.clarity\",\"module\":\"EchoAgent\","
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

	ok(refused && err.status == STATUS_CONFIG && !strncmp(err.text, "invalid manifest: ", 18) && !strcmp(err.text + 18, why), "%s",
	    why);
	if (!refused || strcmp(err.text + 18, why))
		printf("# it says: %s\n", refused ? err.text : "nothing");
	agent_unref(agent);
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
	agent_unref(agent);
	free(text);
}

/* A remote origin with these members. */
static void
remote(const char *members, const char *why)
{
	struct buf origin = BUF_INIT;

	buf_addf(&origin, "{\"type\":\"remote_mcp\"%s%s}", *members ? "," : "", members);
	wrong("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}", origin.s, why);
	buf_release(&origin);
}

static void
filled_in(void)
{
	char *text = change("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}",
	    "{\"type\":\"remote_mcp\",\"endpoint\":\"http://Some.Host:8080/mcp\",\"transport\":\"streamable_http\",\"timeoutMs\":7,\"allowedTools\":[\"a\",\"b\"]}");
	struct agent *agent = NULL;
	struct err err = ERR_INIT;

	ok(agent_parse(text, strlen(text), "", &agent, &err), "a remote agent");
	free(text);
	if (!agent)
		return;
	ok(!strcmp(agent->host.s, "some.host") && agent->remote_timeout_ms == 7 && !agent->payload_max, "its host and limits");
	ok(agent_allows_tool(agent, "b") && !agent_allows_tool(agent, "c"), "its tools");
	ok(strstr(agent->manifest.s, "\"toolNamespace\":\"echoagent\"") && strstr(agent->manifest.s, agent->service.s),
	    "id and namespace are filled in");
	agent_unref(agent);
}

/* So many schedules and one more, whose id is new, or one of theirs. */
static struct buf
schedules(int n, bool twice)
{
	struct buf text = BUF_INIT;
	int i;

	buf_addstr(&text, "[\"timer\"],\"timer\":{\"schedules\":[");
	for (i = 0; i < n; i++)
		buf_addf(&text, "{\"id\":\"%05d\",\"expr\":\"every 1 h\"},", i);
	buf_addf(&text, "{\"id\":\"%s\",\"expr\":\"every 1 h\"}]}", twice ? "00001" : "last");
	return text;
}

static clock_t
time_of(int n)
{
	struct buf text = schedules(n, false);
	clock_t begun = clock();

	right("[\"api\"]", text.s, "many schedules");
	buf_release(&text);
	return clock() - begun + 1;
}

/* Ten times as many take ten times as long, and not a hundred times. */
static void
many_schedules(void)
{
	clock_t some = time_of(2800), many = time_of(28000);
	struct buf text = schedules(28000, true);

	ok(many < 30 * some, "28000 schedules are looked at in %ld times the time of 2800", (long)(many / some));
	wrong("[\"api\"]", text.s, "metadata.agent.timer.schedules must have unique scheduleId values");
	buf_release(&text);
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
	agent_unref(agent);
	agent = NULL;
	ok(!agent_parse("[]", 2, "x.json", &agent, &err) && !strcmp(err.text, "invalid manifest: expected object"), "expected object");
	ok(!agent_parse("{", 1, "x.json", &agent, &err) && !strncmp(err.text, "invalid manifest: not JSON", 26), "not JSON");
	many_schedules();
	wrong("clarity.runtime/v1", "v2", "apiVersion must be 'clarity.runtime/v1'");
	wrong("MCPService", "X", "kind must be 'MCPService'");
	wrong("\"metadata\":{", "\"other\":{", "metadata is required");
	wrong("/x/echo.clarity", " ", "metadata.sourceFile must be a non-empty string");
	wrong("\"EchoAgent\",\"serviceType\"", "7,\"serviceType\"", "metadata.module must be a non-empty string");
	wrong("\"serviceType\":\"agent\"", "\"serviceType\":\"x\"", "metadata.serviceType must be 'mcp' or 'agent'");
	wrong("\"serviceType\"", "\"serviceId\":\"\",\"serviceType\"", "metadata.serviceId must be a non-empty string when provided");
	wrong("\"serviceType\"", "\"displayName\":1,\"serviceType\"", "metadata.displayName must be a non-empty string when provided");
	wrong("\"agentId\":\"echo-agent\"", "\"agentId\":\"\"", "metadata.agent.agentId must be a non-empty string");
	wrong("\"role\":\"assistant\"", "\"rolle\":1", "metadata.agent.role must be a non-empty string");
	wrong("[\"api\"]", "[]", "metadata.agent.triggers must be a non-empty array");
	wrong("[\"api\"]", "\"api\"", "metadata.agent.triggers must be a non-empty array");
	wrong("[\"api\"]", "[\"api\",\"cron\"]", "metadata.agent.triggers must only include timer|event|api|a2a");
	wrong("[\"api\"]", "[\"timer\"]", "metadata.agent.timer is required when metadata.agent.triggers includes 'timer'");
	wrong("[\"api\"]", "[\"a2a\"]", "metadata.agent.a2a is required when metadata.agent.triggers includes 'a2a'");
	wrong("[\"api\"]", "[\"api\"],\"hitl\":1", "metadata.agent.hitl must be a boolean when provided");
	wrong("[\"api\"]", "[\"api\"],\"timer\":{\"schedules\":[]}", "metadata.agent.timer.schedules must be a non-empty array");
	wrong("[\"api\"]", "[\"api\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"daily\"}]}",
	    "metadata.agent.timer.schedules[].scheduleExpr must look like 'every <n> <unit>'");
	wrong("[\"api\"]",
	    "[\"api\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"every 1 s\"},{\"id\":\"a\",\"expr\":\"every 1 s\"}]}",
	    "metadata.agent.timer.schedules must have unique scheduleId values");
	wrong("[\"api\"]", "[\"api\"],\"a2a\":{\"protocol\":\"clarity.a2a.v1\",\"maxPayloadBytes\":127}",
	    "metadata.agent.a2a.maxPayloadBytes must be an integer between 128 and 10485760 when provided");
	wrong("[\"api\"]", "[\"api\"],\"inputs\":[1]", "metadata.agent.inputs must be an array of strings when provided");
	wrong("\"mode\":\"echo\"", "\"mode\":\"loud\"", "metadata.agent.chat.mode must be one of auto|echo|disabled");
	wrong("\"mode\":\"echo\"", "\"provider\":\"me\"", "metadata.agent.chat.provider must be one of openai|anthropic|echo");
	wrong("\"mode\":\"echo\"", "\"timeoutMs\":999",
	    "metadata.agent.chat.timeoutMs must be an integer between 1000 and 120000 when provided");
	wrong("\"mode\":\"echo\"", "\"historyMaxTurns\":201",
	    "metadata.agent.chat.historyMaxTurns must be an integer between 1 and 200 when provided");
	wrong("\"mode\":\"echo\"", "\"historyMaxChars\":255",
	    "metadata.agent.chat.historyMaxChars must be an integer between 256 and 200000 when provided");
	wrong("\"mode\":\"echo\"", "\"apiKeyEnv\":\"1A\"", "metadata.agent.chat.apiKeyEnv must be an environment variable name");
	wrong("\"spec\":{", "\"sp\":{", "spec is required");
	wrong("local_wasm", "zip", "spec.origin.type must be 'local_wasm', 'remote_mcp', 'command' or 'runtime'");
	wrong("\"wasmPath\"", "\"p\"", "local_wasm origin requires wasmPath and entry");
	wrong("\"enabled\":true", "\"enabled\":1", "spec.enabled and spec.autostart must be booleans");
	wrong("\"autostart\":false", "\"a\":1", "spec.enabled and spec.autostart must be booleans");
	wrong("\"mode\":\"never\"", "\"mode\":\"x\"", "restartPolicy.mode must be never | on-failure | always");
	wrong("\"maxRestarts\":0", "\"maxRestarts\":-1", "restartPolicy.maxRestarts must be an integer >= 0");
	wrong("\"windowSeconds\":60", "\"windowSeconds\":0", "restartPolicy.windowSeconds must be a positive integer");
	wrong("\"policyRef\":\"default\"", "\"policyRef\":\"\"", "spec.policyRef must be a non-empty string");
	wrong("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}", "{\"type\":\"command\",\"command\":[]}",
	    "spec.origin.command must have 1 to 64 words");
	wrong("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}",
	    "{\"type\":\"remote_mcp\",\"endpoint\":\"http://h\",\"transport\":\"x\"}",
	    "remote_mcp transport must be streamable_http | sse_http");
	wrong("\"serviceType\":\"agent\",", "", "metadata.serviceType must be 'mcp' or 'agent'");
	wrong("\"agent\":{", "\"agnt\":{", "metadata.agent must be an object");
	wrong("[\"api\"]", "[\"api\"],\"inputs\":[\" \"]", "metadata.agent.inputs must be an array of strings when provided");
	wrong("[\"api\"]", "[\"api\"],\"version\":1", "metadata.agent.version must be a non-empty string when provided");
	wrong("[\"api\"]", "[\"api\"],\"a2a\":{\"protocol\":\"p\"}", "metadata.agent.a2a.protocol must be 'clarity.a2a.v1'");
	wrong("[\"api\"]", "[\"api\"],\"a2a\":{\"protocol\":\"clarity.a2a.v1\",\"emitsMessageKinds\":[]}",
	    "metadata.agent.a2a.emitsMessageKinds must be a non-empty array of strings when provided");
	wrong("[\"api\"]", "[\"api\"],\"a2a\":{\"protocol\":\"clarity.a2a.v1\",\"emitsMessageKinds\":[\"x\"]}",
	    "metadata.agent.a2a message kinds must be handoff.request|handoff.accepted|handoff.rejected|handoff.completed");
	wrong("\"policyRef\"", "\"toolNamespace\":\"\",\"policyRef\"", "spec.toolNamespace must be a non-empty string when provided");
	wrong("\"restartPolicy\"", "\"x\"", "spec.restartPolicy is required");
	wrong("\"origin\"", "\"x\"", "spec.origin is required");
	remote("", "remote_mcp origin requires endpoint");
	remote("\"endpoint\":\" \"", "remote_mcp origin requires endpoint");
	remote("\"endpoint\":\"ftp://h/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://u:p@h/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://h:0/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://h:65536/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://h\\\\@evil/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://h/a b\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"http://[::1/\"", "remote_mcp endpoint must be a valid http(s) URL");
	remote("\"endpoint\":\"https://h/\"", "remote_mcp transport must be streamable_http | sse_http");
	remote("\"endpoint\":\"HTTP://[::1]:80/x?y\",\"transport\":\"sse_http\",\"authRef\":\"\"",
	    "remote_mcp authRef must be a non-empty string when provided");
	remote("\"endpoint\":\"http://h\",\"transport\":\"sse_http\",\"timeoutMs\":0",
	    "remote_mcp timeoutMs must be a positive integer when provided");
	remote("\"endpoint\":\"http://h\",\"transport\":\"sse_http\",\"maxPayloadBytes\":1.5",
	    "remote_mcp maxPayloadBytes must be a positive integer when provided");
	remote("\"endpoint\":\"http://h\",\"transport\":\"sse_http\",\"maxConcurrency\":\"8\"",
	    "remote_mcp maxConcurrency must be a positive integer when provided");
	remote("\"endpoint\":\"http://h\",\"transport\":\"sse_http\",\"allowedTools\":[\"\"]",
	    "remote_mcp allowedTools must be an array of strings when provided");
	filled_in();
	right("{\"type\":\"local_wasm\",\"wasmPath\":\"/x/any.wasm\",\"entry\":\"main\"}",
	    "{\"type\":\"command\",\"command\":[\"./a\",\"b\"]}", "a command is an origin");
	right("\"module\"", "\"x-unknown\":[1],\"module\"", "unknown members are kept");
	right("[\"api\"]", "[\"timer\"],\"timer\":{\"schedules\":[{\"id\":\"a\",\"expr\":\"Every 5 MIN\"}],\"serial\":true}",
	    "aliases and letter case of schedules are taken");
	return done();
}
