/* settings.c - what the options and the environment ask of the gateway */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucket.h"
#include "compass/compass.h"
#include "daemon.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "program.h"
#include "settings.h"
#include "statedir.h"
#include "store/store.h"

enum {
	OPT_LISTEN = OPT_OWN,
	OPT_STATE,
	OPT_STORE,
	OPT_AGENTS,
	OPT_APPLY_COMMANDS,
	OPT_HITL,
	OPT_ALLOW_HOST,
	OPT_READY_FD,
	OPT_PING,
	OPT_MAX_CONNECTIONS,
	OPT_SECRETS,
	OPT_RATE,
	OPT_RECORD,
	OPT_ACCESS_LOG,
	OPT_RUNTIME,
	OPT_TURN_TIMEOUT,
	OPT_APPROVAL_TIMEOUT,
	OPT_ROOT
};

static const struct opt opts[] = {
	{ 'l', "listen", "ADDRESS",
	    "HOST:PORT, unix:/path or fd:N (default 127.0.0.1:4707; port 0 picks one); may be given several times" },
	{ OPT_STATE, "state", "DIR", "where the log is kept (default STATE_DIRECTORY, else a directory under XDG_STATE_HOME)" },
	{ OPT_STORE, "store", "URL",
	    "the log's file, sqlite:/path, instead of --state; or postgresql://..., which several gateways share" },
	{ 'a', "agents", "DIR", "directory of manifests (default: the built-in agents)" },
	{ OPT_HITL, "hitl", "DIR", "directory of the questions for people (default CLARITY_HITL_DIR, else hitl in the state directory)" },
	{ OPT_APPLY_COMMANDS, "apply-commands", NULL, "let callers register commands as agents, which is to let them run programs" },
	{ OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the token that callers must bring (default CLARITYD_AUTH_TOKEN)" },
	{ OPT_ALLOW_HOST, "allow-host", "NAME", "a name that browsers may call this gateway by; may be given several times" },
	{ OPT_SECRETS, "secrets", "FILE", "names and patterns of secrets that are never stored, besides the built-in ones" },
	{ OPT_RATE, "rate", "N", "requests per second of one caller with a token, twice as many at once (default 1000, 0: no limit)" },
	{ OPT_RUNTIME, "runtime", "COMMAND",
	    "the runtime of turns, a command of the shell (default AGENT_RUNTIME_COMMAND, else codex app-server, else agent-runtime-mock)" },
	{ OPT_ROOT, "root", "DIR", "threads may be in DIR and below (default: in no directory of their own); may be given several times" },
	{ OPT_TURN_TIMEOUT, "turn-timeout", "DURATION", "time a turn may take, not counting that of its approvals (default 30m)" },
	{ OPT_APPROVAL_TIMEOUT, "approval-timeout", "DURATION",
	    "time after which an approval that nobody answers is declined (default 5m)" },
	{ 'n', "check", NULL, "check the configuration, the manifests and the state, and exit" },
	{ OPT_READY_FD, "ready-fd", "N", "write a newline to descriptor N once ready" },
	{ OPT_PING, "ping", "DURATION", "time between two signs of life on a stream (default 15s)" },
	{ OPT_MAX_CONNECTIONS, "max-connections", "N", "connections at once (default 10000, as far as the limit of open files goes)" },
	{ OPT_ACCESS_LOG, "access-log", "FILE", "append a JSON line for each answer that has ended to FILE (-: standard output)" },
	{ OPT_RECORD, "record", "FILE", "append every answer to FILE, a JSON line each, to find a fault" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-gateway",
	.synopsis = "[options]",
	.about = "the daemon that puts agents on the network",
	.example = "  agent-gateway --agents ./agents --state ./state",
	.opts = opts,
};

/* ---- where things are */

static void
find_state(struct settings *settings)
{
	struct err err = ERR_INIT;
	bool shared = settings->store && store_is_shared(settings->store);

	if (!statedir_find(settings->state, shared ? NULL : settings->store, &settings->where, &err))
		die_err(&err);
	statedir_file(settings->where.s, "tokens", &settings->tokens);
	statedir_file(settings->where.s, "audit.ndjson", &settings->audit);
	settings->auth.tokens_file = settings->tokens.s;
}

/* The built-in agents lie beside the program: ../share/agentutils/agents, installed or not. */
static void
find_agents(struct settings *settings)
{
	if (settings->agents_dir) {
		buf_addstr(&settings->agents, settings->agents_dir);
		return;
	}
	program_dir(&settings->agents);
	if (settings->agents.len) {
		buf_addstr(&settings->agents, "../share/agentutils/agents");
		if (access(settings->agents.s, R_OK) == 0)
			return;
		buf_reset(&settings->agents);
	}
	buf_addstr(&settings->agents, AU_PKGDATADIR "/agents");
}

/* Beside the log, wherever that is. */
static void
find_questions(struct settings *settings)
{
	const char *dir = settings->hitl_dir ? settings->hitl_dir : getenv("CLARITY_HITL_DIR");

	if (settings->hitl_dir || (dir && dir[strspn(dir, " \t")]))
		buf_addstr(&settings->questions, dir);
	else
		statedir_file(settings->where.s, "hitl", &settings->questions);
}

/* ---- the environment */

/* In milliseconds; 0: not given, or nothing that could be meant. */
static int64_t
environment_seconds(const char *name)
{
	const char *text = getenv(name);
	uint64_t n;

	return text && num_u64(text, strlen(text), &n) && n <= NUM_DURATION_MAX_MS / 1000 ? (int64_t)n * 1000 : 0;
}

static void
read_environment(struct settings *settings)
{
	const char *mode = getenv("CLARITY_HITL_CHAT_MODE"), *chars = getenv("CLARITY_HITL_MAX_MESSAGE_CHARS");
	const char *a2a = getenv("CLARITY_A2A_MAX_MESSAGE_BYTES");
	uint64_t n;

	settings->auth.web_origin = getenv("WEB_BASE_URL");
	settings->auth.session_ms = environment_seconds("AUTH_SESSION_TTL_SECONDS");
	settings->auth.session_idle_ms = environment_seconds("AUTH_SESSION_IDLE_TTL_SECONDS");
	settings->a2a_max = SETTINGS_A2A_MAX;
	if (a2a && num_u64(a2a, strlen(a2a), &n) && n > 0 && n <= 1048576)
		settings->a2a_max = (size_t)n;
	settings->chat.default_mode = mode && (!strcmp(mode, "echo") || !strcmp(mode, "disabled")) ? mode : "auto";
	settings->chat.message_chars = CHAT_MESSAGE_CHARS;
	if (chars && num_u64(chars, strlen(chars), &n) && n > 0 && n <= 1048576)
		settings->chat.message_chars = (size_t)n;
}

/* ---- options */

static void
take_option(struct settings *settings, int key)
{
	struct err err = ERR_INIT;
	int64_t n;
	bool ok = true;

	switch (key) {
	case 'l':
		daemon_take_listen(settings->daemon, opt_arg);
		break;
	case OPT_STATE:
		settings->state = opt_arg;
		break;
	case OPT_STORE:
		settings->store = opt_arg;
		break;
	case 'a':
		settings->agents_dir = opt_arg;
		break;
	case OPT_APPLY_COMMANDS:
		settings->apply_commands = true;
		break;
	case OPT_HITL:
		settings->hitl_dir = opt_arg;
		break;
	case OPT_KEY_TOKEN_FILE:
		settings->auth.token_file = opt_arg;
		break;
	case OPT_ALLOW_HOST:
		daemon_take_host(settings->daemon, opt_arg);
		break;
	case 'n':
		settings->check = true;
		break;
	case OPT_READY_FD:
		daemon_take_ready_fd(settings->daemon, opt_arg);
		break;
	case OPT_PING:
		settings->ping_ms = daemon_ping_ms(opt_arg);
		break;
	case OPT_MAX_CONNECTIONS:
		ok = num_in_range(opt_arg, 1, 1000000, "--max-connections", &n, &err);
		settings->server.connections_max = ok ? (unsigned)n : 0;
		break;
	case OPT_RATE:
		ok = num_in_range(opt_arg, 0, BUCKET_RATE_MAX / 2, "--rate", &n, &err);
		settings->auth.rate = ok ? (unsigned)n : 0;
		settings->auth.burst = 2 * settings->auth.rate;
		break;
	case OPT_ACCESS_LOG:
		settings->access_file = opt_arg;
		break;
	case OPT_RECORD:
		settings->record_file = opt_arg;
		break;
	case OPT_SECRETS:
		settings->secrets_file = opt_arg;
		break;
	case OPT_RUNTIME:
		settings->runtime = opt_arg;
		break;
	case OPT_ROOT:
		if (!roots_add(&settings->roots, opt_arg, &err))
			die_err(&err);
		break;
	case OPT_TURN_TIMEOUT:
		ok = num_duration(opt_arg, "--turn-timeout", &settings->turn_ms, &err);
		break;
	case OPT_APPROVAL_TIMEOUT:
		ok = num_duration(opt_arg, "--approval-timeout", &settings->approval_ms, &err);
		break;
	default:
		break;
	}
	if (!ok)
		die_usage("%s", err.text);
}

void
settings_read(struct settings *settings, int argc, char *argv[])
{
	int key;

	cmd_init(&cmd);
	server_settings_init(&settings->server);
	settings->server.server_header = "x-agentutils: " PACKAGE_VERSION;
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(settings, key);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (settings->state && settings->store && !store_is_shared(settings->store))
		die_usage("--state and --store cannot be given together");
	settings->auth.allow_hosts = settings->daemon->hosts;
	read_environment(settings);
	find_state(settings);
	find_agents(settings);
	find_questions(settings);
}

const char *
settings_log_place(const struct settings *settings)
{
	return settings->store && store_is_shared(settings->store) ? settings->store : settings->where.s;
}

void
settings_release(struct settings *settings)
{
	roots_release(&settings->roots);
	buf_release(&settings->where);
	buf_release(&settings->agents);
	buf_release(&settings->questions);
	buf_release(&settings->tokens);
	buf_release(&settings->audit);
}
