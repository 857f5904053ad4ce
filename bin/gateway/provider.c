/* provider.c - which engine runs cloud turns */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "program.h"
#include "provider.h"
#include "statedir.h"

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[strspn(value, " \t")] ? value : NULL;
}

static bool
is_true(const char *value)
{
	size_t n;

	if (!value)
		return false;
	value += strspn(value, " \t");
	for (n = strlen(value); n && strchr(" \t", value[n - 1]); n--)
		;
	return n == 4 && !strncasecmp(value, "true", 4);
}

bool
provider_flag(const char *name)
{
	const char *value = variable(name);

	return !value || is_true(value);
}

static void
set_shell(struct provider *provider, const char *command)
{
	buf_addf(&provider->command, "exec %s", command);
	provider->argv[0] = "/bin/sh";
	provider->argv[1] = "-c";
	provider->argv[2] = provider->command.s;
}

static void
set_mock(struct provider *provider)
{
	program_libexec("agent-runtime-mock", &provider->command);
	provider->argv[0] = provider->command.s;
}

/* One that was found is started as it stands, one that was named is a command of the shell. */
static void
set_codex(struct provider *provider)
{
	const char *command = variable("CODEX_APP_SERVER_COMMAND"), *args = variable("CODEX_APP_SERVER_ARGS");
	struct buf line = BUF_INIT;

	if (!command)
		provider->oldest = PROGRAM_CODEX_OLDEST;
	if (command || args || !provider->codex.len) {
		if (command)
			buf_addstr(&line, command);
		else
			program_quote(provider->codex.len ? provider->codex.s : "codex", &line);
		buf_addf(&line, " %s", args ? args : "app-server");
		set_shell(provider, line.s);
	} else {
		provider->argv[0] = provider->codex.s;
		provider->argv[1] = "app-server";
	}
	buf_release(&line);
}

/* The first of them that is not empty counts, even where it makes no sense; what is no number above 0 is the usual. */
static int64_t
request_ms(void)
{
	const char *text = getenv("AGENT_RUNTIME_REQUEST_TIMEOUT_MS");
	long long ms;

	if (!text || !*text)
		text = getenv("DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS");
	if (!text || !*text)
		return 0;
	ms = strtoll(text, NULL, 10);
	return ms >= 1 && ms <= INT32_MAX ? ms : 0;
}

static void
set_host(struct provider *provider, const char *name)
{
	const char *endpoint = variable(name), *wrong;

	provider->host.request_ms = request_ms();
	if (!endpoint)
		buf_addf(&provider->missing, "%s is missing", name);
	else if ((wrong = runtime_host_wrong(endpoint)))
		buf_addf(&provider->missing, "%s cannot be used: %s", name, wrong);
	else
		provider->host.endpoint = endpoint;
	provider->host.token = variable("AGENT_RUNTIME_ENDPOINT_TOKEN");
	provider->host.token_file = variable("AGENT_RUNTIME_ENDPOINT_TOKEN_FILE");
}

static const char *
or_usual(const char *name, const char *usual)
{
	const char *value = variable(name);

	return value ? value : usual;
}

static void
set_container(struct provider *provider, const char *where)
{
	struct runtime_container *container = &provider->container;
	struct buf docker = BUF_INIT;

	statedir_file(where, "container.env", &provider->secret_file);
	container->engine = or_usual("AGENT_CONTAINER_ENGINE", program_find("docker", &docker) ? "docker" : "podman");
	container->image = or_usual("AGENT_CONTAINER_IMAGE", "local/agent-session-host");
	container->memory = or_usual("AGENT_CONTAINER_MEMORY", "512m");
	container->cpus = or_usual("AGENT_CONTAINER_CPUS", "1");
	container->pids = or_usual("AGENT_CONTAINER_PIDS", "256");
	container->env_file = variable("AGENT_CONTAINER_ENV_FILE");
	container->secret_file = provider->secret_file.s;
	provider->host.request_ms = request_ms();
	provider->host.container = container;
	buf_release(&docker);
}

static void
set_pool(struct provider *provider)
{
	set_host(provider, "DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT");
	provider->host.pool = true;
	provider->host.token = variable("DYNAMIC_SESSIONS_BEARER_TOKEN");
	provider->host.token_file = variable("DYNAMIC_SESSIONS_BEARER_TOKEN_FILE");
	provider->host.token_resource = variable("DYNAMIC_SESSIONS_TOKEN_RESOURCE");
	provider->host.token_client = variable("DYNAMIC_SESSIONS_EXECUTOR_CLIENT_ID");
}

static bool
choose(struct provider *provider, const char *command)
{
	const char *name = variable("AGENT_RUNTIME_PROVIDER");

	if (name && compass_provider_of(name, &provider->which))
		return true;
	if (is_true(variable("AGENT_CLOUD_DRIVER_MOCK")))
		provider->which = PROVIDER_MOCK;
	else if (command || variable("AGENT_RUNTIME_ENDPOINT"))
		provider->which = PROVIDER_LOCAL_PROCESS;
	else if (variable("DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT"))
		provider->which = PROVIDER_DYNAMIC_SESSIONS;
	else if (variable("CODEX_APP_SERVER_COMMAND") || provider->codex.len)
		provider->which = PROVIDER_LOCAL_PROCESS;
	else {
		provider->which = PROVIDER_MOCK;
		return false;
	}
	return true;
}

void
provider_choose(struct provider *provider, const char *command, const char *where)
{
	memset(provider, 0, sizeof *provider);
	buf_init(&provider->command);
	buf_init(&provider->missing);
	buf_init(&provider->secret_file);
	buf_init(&provider->codex);
	(void)!program_codex(&provider->codex);
	if (!command)
		command = variable("AGENT_RUNTIME_COMMAND");
	provider->fallback = !choose(provider, command);
	switch (provider->which) {
	case PROVIDER_MOCK:
		if (command)
			set_shell(provider, command);
		else
			set_mock(provider);
		break;
	case PROVIDER_LOCAL_PROCESS:
		if (command)
			set_shell(provider, command);
		else if (variable("AGENT_RUNTIME_ENDPOINT"))
			set_host(provider, "AGENT_RUNTIME_ENDPOINT");
		else
			set_codex(provider);
		break;
	case PROVIDER_LOCAL_DOCKER:
		if (command)
			set_shell(provider, command);
		else if (variable("AGENT_RUNTIME_ENDPOINT"))
			set_host(provider, "AGENT_RUNTIME_ENDPOINT");
		else
			set_container(provider, where);
		break;
	case PROVIDER_DYNAMIC_SESSIONS:
		if (command)
			set_shell(provider, command);
		else
			set_pool(provider);
		break;
	case PROVIDER_COUNT:
		break;
	}
}

void
provider_release(struct provider *provider)
{
	buf_release(&provider->command);
	buf_release(&provider->codex);
	buf_release(&provider->missing);
	buf_release(&provider->secret_file);
}
