/*
 * agent-gateway - the daemon that puts agents on the network
 *
 * reads   manifests of agents; requests over HTTP
 * writes  {"event":"listening","url":...} for each address once it is ready, then nothing; log lines on standard error
 *
 * Starts its rooms in a visible order and stops them backwards.
 */
#include "compat.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <event2/event.h>

#include "agents/agents.h"
#include "auth/auth.h"
#include "bucket.h"
#include "buf.h"
#include "chat/chat.h"
#include "clarity/clarity.h"
#include "clock.h"
#include "compass/compass.h"
#include "console/console.h"
#include "daemon.h"
#include "die.h"
#include "err.h"
#include "guard.h"
#include "hitl/hitl.h"
#include "http/server.h"
#include "jtext.h"
#include "log/log.h"
#include "num.h"
#include "observe.h"
#include "peers.h"
#include "openapi.h"
#include "opt.h"
#include "out.h"
#include "program.h"
#include "provider.h"
#include "record.h"
#include "roots.h"
#include "routes.h"
#include "secrets.h"
#include "services/services.h"
#include "statedir.h"
#include "timers/timers.h"

#define RATE 1000      /* requests per second of one principal, see --rate */
#define GRACE_MS 10000 /* for requests and handlers in progress when asked to stop */
#define A2A_MAX 65536  /* bytes of one message between agents */
#define DEFAULT_LISTEN "127.0.0.1:4707"

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
	    "sqlite:/path of the log's file, instead of --state; or postgresql://..., which several gateways share" },
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

struct gateway {
	/* configuration */
	struct daemon daemon;
	const char *state, *store, *agents_dir, *hitl_dir;
	const char *secrets_file, *record_file, *access_file;
	struct auth_settings auth_settings;
	struct server_settings server_settings;
	struct chat_settings chat_settings;
	int64_t ping_ms, turn_ms, approval_ms;
	const char *runtime;
	struct provider provider;
	struct roots roots;
	size_t a2a_max;
	bool check, apply_commands;
	struct buf where, dir, questions, tokens, audit_file, url;
	unsigned problems; /* manifests that were left out */
	/* rooms, in the order in which they start */
	struct secrets *secrets;
	struct auth *auth;
	struct observe *observe;
	struct agents *agents;
	struct log *log;
	struct peers *peers; /* NULL: the log is this gateway's alone */
	struct services *services;
	struct chat *chat;
	struct timers *timers;
	struct clarity *clarity;
	struct compass *compass;
	struct broker *broker;
	struct server *server;
	/* the end */
	bool server_quiet, chat_quiet, compass_quiet;
};

/* ---- requests: each surface is asked in turn */

static void
get_health(struct gateway *gateway, struct request *request)
{
	static const char healthy[] = "{\n  \"status\": \"ok\"\n}\n";

	(void)gateway;
	request_reply(request, 200, "application/json; charset=utf-8", NULL, healthy, sizeof healthy - 1);
}

static void
get_openapi(struct gateway *gateway, struct request *request)
{
	(void)gateway;
	request_reply(request, 200, "application/json; charset=utf-8", NULL, openapi, openapi_len);
}

static void
get_metrics(struct gateway *gateway, struct request *request)
{
	observe_metrics(gateway->observe, request);
}

/* The daemon's own: made from contract/openapi.json; scope 0: open to everybody. False: none of them. */
static bool
handle_own(struct gateway *gateway, struct request *request)
{
#define ROUTE(method, path, handler, scope) { method, path, handler, scope },
	static const struct {
		const char *method, *path;
		void (*handler)(struct gateway *gateway, struct request *request);
		unsigned scope;
	} routes[] = { GATEWAY_ROUTES(ROUTE) };
#undef ROUTE
	const char *method = request_method(request);
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].path, request_path(request)) != 0)
			continue;
		request_set_route(request, routes[i].path);
		if (routes[i].scope && !auth_admit(gateway->auth, request))
			return true;
		if (!strcmp(method, routes[i].method) || !strcmp(method, "HEAD"))
			routes[i].handler(gateway, request);
		else
			request_reply_error(request, 405, (const char *const[]){ "allow", "GET, HEAD", NULL }, "method not allowed");
		return true;
	}
	return false;
}

static void
on_request(struct request *request, void *payload)
{
	struct gateway *gateway = payload;

	if (handle_own(gateway, request))
		return;
	if (auth_handle(gateway->auth, request) || compass_handle(gateway->compass, request))
		return;
	if (auth_guards(request_path(request)) && !auth_admit(gateway->auth, request))
		return;
	if (clarity_handle(gateway->clarity, request) || broker_handle(gateway->broker, request))
		return;
	if (console_handle(request))
		return;
	request_reply(request, 404, "text/plain; charset=utf-8", NULL, "Not found\n", 10);
}

static void
on_answered(const struct request *request, int status, void *payload)
{
	struct gateway *gateway = payload;

	observe_answered(gateway->observe, request, status);
}

static void
on_ended(struct request *request, const struct server_end *end, void *payload)
{
	struct gateway *gateway = payload;

	observe_ended(gateway->observe, request, end);
}

/* ---- configuration */

static void
find_state(struct gateway *gateway)
{
	struct err err = ERR_INIT;
	bool shared = gateway->store && store_is_shared(gateway->store);

	if (!statedir_find(gateway->state, shared ? NULL : gateway->store, &gateway->where, &err))
		die_err(&err);
	statedir_file(gateway->where.s, "tokens", &gateway->tokens);
	statedir_file(gateway->where.s, "audit.ndjson", &gateway->audit_file);
	gateway->auth_settings.tokens_file = gateway->tokens.s;
}

/* The built-in agents lie beside the program: ../share/agentutils/agents, installed or not. */
static void
find_agents(struct gateway *gateway)
{
	if (gateway->agents_dir) {
		buf_addstr(&gateway->dir, gateway->agents_dir);
		return;
	}
	program_dir(&gateway->dir);
	if (gateway->dir.len) {
		buf_addstr(&gateway->dir, "../share/agentutils/agents");
		if (access(gateway->dir.s, R_OK) == 0)
			return;
		buf_reset(&gateway->dir);
	}
	buf_addstr(&gateway->dir, AU_PKGDATADIR "/agents");
}

/* Beside the log, wherever that is. */
static void
find_questions(struct gateway *gateway)
{
	const char *dir = gateway->hitl_dir ? gateway->hitl_dir : getenv("CLARITY_HITL_DIR");

	if (gateway->hitl_dir || (dir && dir[strspn(dir, " \t")]))
		buf_addstr(&gateway->questions, dir);
	else
		statedir_file(gateway->where.s, "hitl", &gateway->questions);
}

static void
on_auth_problem(const struct err *err, void *payload)
{
	(void)payload;
	warn("%s", err->text);
}

static void
on_problem(const struct err *err, void *payload)
{
	struct gateway *gateway = payload;

	warn("%s", err->text);
	gateway->problems++;
}

/* Who has a model has an agent: the built-in agents get one more, whose manifest lies beside their folder. */
static void
add_model(struct gateway *gateway)
{
	const char *model = getenv("OPENAI_MODEL");
	struct buf path = BUF_INIT, json = BUF_INIT;
	struct agent *agent;
	struct err err = ERR_INIT;

	if (gateway->agents_dir || !model || !model[strspn(model, " \t")])
		return;
	buf_addf(&path, "%s/../model.json", gateway->dir.s);
	if (!buf_read_file(&json, path.s, MANIFEST_MAX, &err) || !agent_parse(json.s, json.len, path.s, &agent, &err))
		on_problem(&err, gateway);
	else if (!agents_put(gateway->agents, agent))
		agent_unref(agent);
	buf_release(&path);
	buf_release(&json);
}

/* Where runtimes of ours keep their threads, unless somebody has said so already. */
static void
set_runtime_state(const struct gateway *gateway)
{
	struct buf dir = BUF_INIT, file = BUF_INIT;
	struct err err = ERR_INIT;

	statedir_file(gateway->where.s, "runtime", &dir);
	buf_addf(&file, "%s/thread", dir.s);
	if (!statedir_make_for(file.s, &err))
		die_err(&err);
	(void)setenv("AGENT_RUNTIME_STATE", dir.s, 0);
	buf_release(&dir);
	buf_release(&file);
}

/* In milliseconds; 0: not given, or nothing that could be meant. */
static int64_t
environment_seconds(const char *name)
{
	const char *text = getenv(name);
	uint64_t n;

	return text && num_u64(text, strlen(text), &n) && n <= NUM_DURATION_MAX_MS / 1000 ? (int64_t)n * 1000 : 0;
}

static void
on_timer_problem(const char *text, void *payload)
{
	(void)payload;
	warn("%s", text);
}

static void
read_environment(struct gateway *gateway)
{
	const char *mode = getenv("CLARITY_HITL_CHAT_MODE"), *chars = getenv("CLARITY_HITL_MAX_MESSAGE_CHARS");
	const char *a2a = getenv("CLARITY_A2A_MAX_MESSAGE_BYTES");
	uint64_t n;

	gateway->auth_settings.web_origin = getenv("WEB_BASE_URL");
	gateway->auth_settings.session_ms = environment_seconds("AUTH_SESSION_TTL_SECONDS");
	gateway->auth_settings.session_idle_ms = environment_seconds("AUTH_SESSION_IDLE_TTL_SECONDS");
	gateway->a2a_max = A2A_MAX;
	if (a2a && num_u64(a2a, strlen(a2a), &n) && n > 0 && n <= 1048576)
		gateway->a2a_max = (size_t)n;
	gateway->chat_settings.default_mode = mode && (!strcmp(mode, "echo") || !strcmp(mode, "disabled")) ? mode : "auto";
	gateway->chat_settings.message_chars = CHAT_MESSAGE_CHARS;
	if (chars && num_u64(chars, strlen(chars), &n) && n > 0 && n <= 1048576)
		gateway->chat_settings.message_chars = (size_t)n;
}

static void
take_option(struct gateway *gateway, int key)
{
	struct err err = ERR_INIT;
	int64_t n;
	bool ok = true;

	switch (key) {
	case 'l':
		daemon_take_listen(&gateway->daemon, opt_arg);
		break;
	case OPT_STATE:
		gateway->state = opt_arg;
		break;
	case OPT_STORE:
		gateway->store = opt_arg;
		break;
	case 'a':
		gateway->agents_dir = opt_arg;
		break;
	case OPT_APPLY_COMMANDS:
		gateway->apply_commands = true;
		break;
	case OPT_HITL:
		gateway->hitl_dir = opt_arg;
		break;
	case OPT_KEY_TOKEN_FILE:
		gateway->auth_settings.token_file = opt_arg;
		break;
	case OPT_ALLOW_HOST:
		daemon_take_host(&gateway->daemon, opt_arg);
		break;
	case 'n':
		gateway->check = true;
		break;
	case OPT_READY_FD:
		daemon_take_ready_fd(&gateway->daemon, opt_arg);
		break;
	case OPT_PING:
		gateway->ping_ms = daemon_ping_ms(opt_arg);
		break;
	case OPT_MAX_CONNECTIONS:
		ok = num_in_range(opt_arg, 1, 1000000, "--max-connections", &n, &err);
		gateway->server_settings.connections_max = ok ? (unsigned)n : 0;
		break;
	case OPT_RATE:
		ok = num_in_range(opt_arg, 0, BUCKET_RATE_MAX / 2, "--rate", &n, &err);
		gateway->auth_settings.rate = ok ? (unsigned)n : 0;
		gateway->auth_settings.burst = 2 * gateway->auth_settings.rate;
		break;
	case OPT_ACCESS_LOG:
		gateway->access_file = opt_arg;
		break;
	case OPT_RECORD:
		gateway->record_file = opt_arg;
		break;
	case OPT_SECRETS:
		gateway->secrets_file = opt_arg;
		break;
	case OPT_RUNTIME:
		gateway->runtime = opt_arg;
		break;
	case OPT_ROOT:
		if (!roots_add(&gateway->roots, opt_arg, &err))
			die_err(&err);
		break;
	case OPT_TURN_TIMEOUT:
		ok = num_duration(opt_arg, "--turn-timeout", &gateway->turn_ms, &err);
		break;
	case OPT_APPROVAL_TIMEOUT:
		ok = num_duration(opt_arg, "--approval-timeout", &gateway->approval_ms, &err);
		break;
	default:
		break;
	}
	if (!ok)
		die_usage("%s", err.text);
}

static void
release_texts(struct gateway *gateway)
{
	buf_release(&gateway->where);
	buf_release(&gateway->dir);
	buf_release(&gateway->questions);
	buf_release(&gateway->tokens);
	buf_release(&gateway->audit_file);
	buf_release(&gateway->url);
}

/* The state directory has the log too, unless that is in a database that others share. */
static const char *
log_place(const struct gateway *gateway)
{
	return gateway->store && store_is_shared(gateway->store) ? gateway->store : gateway->where.s;
}

static int
check_only(struct gateway *gateway)
{
	struct err err = ERR_INIT;

	if (!store_check(log_place(gateway), gateway->where.s, &err))
		die_err(&err);
	if (gateway->problems)
		die(STATUS_CONFIG, "%u of the manifests in '%s' cannot be used", gateway->problems, gateway->dir.s);
	info("the configuration is good: %zu agents, the log in %s", agents_count(gateway->agents), log_place(gateway));
	auth_free(gateway->auth);
	secrets_free(gateway->secrets);
	agents_free(gateway->agents);
	release_texts(gateway);
	return out_close();
}

/* ---- the end: what is in progress is finished, then everything is closed backwards */

static bool
is_quiet(void *payload)
{
	const struct gateway *gateway = payload;

	return gateway->server_quiet && gateway->chat_quiet && gateway->compass_quiet && !log_queued(gateway->log);
}

static void
on_server_quiet(void *payload)
{
	struct gateway *gateway = payload;

	gateway->server_quiet = true;
}

static void
on_chat_quiet(void *payload)
{
	struct gateway *gateway = payload;

	gateway->chat_quiet = true;
}

static void
on_compass_quiet(void *payload)
{
	struct gateway *gateway = payload;

	gateway->compass_quiet = true;
}

static void
stop(void *payload)
{
	struct gateway *gateway = payload;

	clarity_stop(gateway->clarity);
	broker_stop(gateway->broker);
	server_drain(gateway->server, on_server_quiet, gateway);
	timers_stop(gateway->timers);
	chat_drain(gateway->chat, GRACE_MS / 2, on_chat_quiet, gateway);
	compass_drain(gateway->compass, GRACE_MS / 2, on_compass_quiet, gateway);
}

static void
reload(void *payload)
{
	struct gateway *gateway = payload;

	if (daemon_reload_token(gateway->auth))
		info("read the token again");
	observe_reopen(gateway->observe);
}

/* ---- other gateways of the same store */

static void
on_news(struct entry *event, void *payload)
{
	struct gateway *gateway = payload;

	if (gateway->chat)
		chat_heard(gateway->chat, event);
	if (gateway->compass)
		compass_heard(gateway->compass, event);
}

static void
on_told(struct span key, void *payload)
{
	struct gateway *gateway = payload;

	services_heard(gateway->services, key);
	peers_heard(gateway->peers, key);
}

static void
on_taken(void *payload)
{
	struct gateway *gateway = payload;

	if (!gateway->compass)
		return; /* it has not begun yet: that is its first look */
	info("another gateway has been silent for too long: what it left behind is taken over");
	compass_recover(gateway->compass);
	chat_recover(gateway->chat);
}

/* What runs here has been ended in our name: nothing that we do counts any more. */
static void
on_fenced(void *payload)
{
	(void)payload;
	die(STATUS_RETRY, "another gateway has taken over: this one was silent for too long, or its database was");
}

static const struct store_others others = { .news = on_news, .told = on_told, .taken = on_taken, .fenced = on_fenced };

/* ---- the beginning */

static void
listening(const char *address, const struct buf *url, void *payload)
{
	struct gateway *gateway = payload;
	struct buf record = BUF_INIT;

	(void)address;
	buf_addstr(&record, "{\"event\":\"listening\"");
	jtext_add_string(&record, "url", url->s, url->len);
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	if (!gateway->url.len)
		buf_add(&gateway->url, url->s, url->len);
	buf_release(&record);
}

static void
start_services(struct gateway *gateway)
{
	struct services_settings settings = { .base = gateway->daemon.base,
		.secrets = gateway->secrets,
		.log = gateway->log,
		.agents = gateway->agents,
		.default_mode = gateway->chat_settings.default_mode,
		.apply_commands = gateway->apply_commands };
	struct err err = ERR_INIT;

	gateway->services = services_new(&settings);
	if (!services_load(gateway->services, on_problem, gateway, &err))
		die_err(&err);
}

static void
on_runtime(const char *text, void *payload)
{
	(void)payload;
	info("%s", text);
}

static void
start_compass(struct gateway *gateway)
{
	struct compass_settings settings = {
		.base = gateway->daemon.base,
		.log = gateway->log,
		.auth = gateway->auth,
		.secrets = gateway->secrets,
		.questions = gateway->questions.s,
		.enabled = provider_flag("AGENT_GATEWAY_ENABLED"),
		.cloud = provider_flag("AGENT_CLOUD_MODE_ENABLED"),
		.local = provider_flag("AGENT_LOCAL_MODE_ENABLED_DESKTOP"),
		.switching = provider_flag("AGENT_MODE_SWITCH_ENABLED"),
		.roots = &gateway->roots,
		.turn_ms = gateway->turn_ms,
		.approval_ms = gateway->approval_ms,
		.say = on_runtime,
	};
	struct chat_turns turns;
	struct err err = ERR_INIT;

	provider_choose(&gateway->provider, gateway->runtime, gateway->where.s);
	settings.provider = gateway->provider.which;
	settings.command = gateway->provider.argv[0] ? gateway->provider.argv : NULL;
	settings.host = gateway->provider.host.endpoint || gateway->provider.host.container ? &gateway->provider.host : NULL;
	settings.missing = gateway->provider.missing.s;
	settings.oldest = gateway->provider.oldest;
	settings.api_key = gateway->provider.which == PROVIDER_LOCAL_PROCESS && settings.command;
	if (gateway->provider.fallback)
		info("turns go to the runtime for tests: no runtime is named, and no codex was found");
	gateway->compass = compass_new(&settings, &err);
	if (!gateway->compass)
		die_err(&err);
	compass_recover(gateway->compass);
	compass_run_turns(gateway->compass, gateway->chat, &turns);
	chat_set_turns(gateway->chat, &turns);
}

static void
start_observing(struct gateway *gateway)
{
	struct observe_settings settings = { .base = gateway->daemon.base,
		.audit_file = gateway->audit_file.s,
		.access_file = gateway->access_file,
		.secrets = gateway->secrets };
	struct err err = ERR_INIT;

	gateway->observe = observe_new(&settings, &err);
	if (!gateway->observe)
		die_err(&err);
	gateway->server_settings.answered = on_answered;
	gateway->server_settings.ended = on_ended;
	gateway->server_settings.follow_streams = gateway->server_settings.name_answers = observe_follows(gateway->observe);
}

static void
show_rooms(struct gateway *gateway)
{
	struct metrics_rooms rooms = { .server = gateway->server,
		.log = gateway->log,
		.chat = gateway->chat,
		.compass = gateway->compass,
		.agents = gateway->agents };

	observe_rooms(gateway->observe, &rooms);
}

static void
start(struct gateway *gateway)
{
	struct timers_settings timers = { .problem = on_timer_problem };
	struct clarity_settings clarity = { .started_ms = clock_wall_ms(), .ping_ms = gateway->ping_ms, .a2a_max = gateway->a2a_max };
	struct broker_settings broker = { .dir = gateway->questions.s, .ping_ms = gateway->ping_ms };
	struct buf sessions = BUF_INIT;
	struct err err = ERR_INIT;

	if (!guard_start(&err))
		die_err(&err);
	daemon_begin(&gateway->daemon);
	gateway->log = log_open(gateway->daemon.base, log_place(gateway), gateway->where.s, &err);
	if (!gateway->log)
		die_err(&err);
	log_secrets(gateway->log, gateway->secrets);
	log_others(gateway->log, &others, gateway);
	statedir_file(gateway->where.s, "sessions", &sessions);
	if (!auth_sessions_keep(gateway->auth, sessions.s, &err))
		die_err(&err);
	buf_release(&sessions);
	if (log_gateway(gateway->log)) {
		gateway->peers = peers_new(gateway->daemon.base, gateway->log, gateway->tokens.s, on_auth_problem, gateway);
		log_settle(gateway->log); /* nobody comes in with less than the others ask for */
	}
	start_observing(gateway);
	start_services(gateway);
	if (gateway->record_file && !record_open(gateway->record_file, gateway->secrets, &err))
		die_err(&err);
	gateway->server_settings.said = gateway->record_file ? record_said : NULL;
	gateway->server = server_new(gateway->daemon.base, &gateway->server_settings, on_request, gateway);
	daemon_listen(&gateway->daemon, gateway->server, DEFAULT_LISTEN); /* nothing is accepted before the loop runs */
	broker.base = gateway->daemon.base;
	broker.auth = gateway->auth;
	gateway->broker = broker_new(&broker, &err);
	if (!gateway->broker)
		die_err(&err);
	gateway->chat_settings.url = gateway->url.s;
	gateway->chat_settings.questions = broker_path(gateway->broker);
	gateway->chat_settings.secrets = gateway->secrets;
	gateway->chat_settings.services = gateway->services;
	gateway->chat = chat_new(gateway->daemon.base, gateway->log, gateway->agents, &gateway->chat_settings);
	clarity.log = gateway->log;
	clarity.chat = gateway->chat;
	clarity.services = gateway->services;
	clarity.agents = gateway->agents;
	clarity.auth = gateway->auth;
	clarity.base = gateway->daemon.base;
	gateway->clarity = clarity_new(&clarity);
	start_compass(gateway);
	chat_recover(gateway->chat);
	show_rooms(gateway);
	timers.base = gateway->daemon.base;
	timers.log = gateway->log;
	timers.chat = gateway->chat;
	timers.agents = gateway->agents;
	gateway->timers = timers_new(&timers);
	daemon_ready(&gateway->daemon);
}

static void
finish(struct gateway *gateway)
{
	server_free(gateway->server);
	broker_free(gateway->broker);
	compass_free(gateway->compass);
	provider_release(&gateway->provider);
	roots_release(&gateway->roots);
	clarity_free(gateway->clarity);
	timers_free(gateway->timers);
	chat_free(gateway->chat);
	log_close(gateway->log);
	peers_free(gateway->peers);
	services_free(gateway->services);
	agents_free(gateway->agents);
	auth_free(gateway->auth);
	record_close();
	observe_free(gateway->observe);
	secrets_free(gateway->secrets);
	daemon_end(&gateway->daemon);
	release_texts(gateway);
}

static const struct gateway beginning = { .daemon = DAEMON_INIT,
	.ping_ms = 15000,
	.turn_ms = COMPASS_TURN_MS,
	.approval_ms = COMPASS_APPROVAL_MS,
	.provider = { .command = BUF_INIT, .missing = BUF_INIT, .secret_file = BUF_INIT, .codex = BUF_INIT },
	.auth_settings = { .rate = RATE, .burst = 2 * RATE },
	.where = BUF_INIT,
	.dir = BUF_INIT,
	.questions = BUF_INIT,
	.tokens = BUF_INIT,
	.audit_file = BUF_INIT,
	.url = BUF_INIT };

/* What the options, the environment and the manifests say. */
static void
configure(struct gateway *gateway, int argc, char *argv[])
{
	struct err err = ERR_INIT;
	int key;

	gateway->daemon.grace_ms = GRACE_MS;
	gateway->daemon.stop = stop;
	gateway->daemon.quiet = is_quiet;
	gateway->daemon.reload = reload;
	gateway->daemon.listening = listening;
	gateway->daemon.payload = gateway;
	cmd_init(&cmd);
	server_settings_init(&gateway->server_settings);
	gateway->server_settings.server_header = "x-agentutils: " PACKAGE_VERSION;
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(gateway, key);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (gateway->state && gateway->store && !store_is_shared(gateway->store))
		die_usage("--state and --store cannot be given together");
	gateway->auth_settings.allow_hosts = gateway->daemon.hosts;
	gateway->auth_settings.problem = on_auth_problem;
	read_environment(gateway);
	find_state(gateway);
	find_agents(gateway);
	find_questions(gateway);
	if (gateway->secrets_file && !(gateway->secrets = secrets_read(gateway->secrets_file, &err)))
		die_err(&err);
	gateway->auth = auth_new(&gateway->auth_settings, &err);
	if (!gateway->auth)
		die_err(&err);
	gateway->agents = agents_load(gateway->dir.s, on_problem, gateway, &err);
	if (!gateway->agents)
		die_err(&err);
	add_model(gateway);
}

/* What is said to thousands of readers is allocated and freed again within a moment: the kernel need not have it back in between. */
static void
keep_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 21);
#endif
}

int
main(int argc, char *argv[])
{
	struct gateway gateway = beginning;

	keep_memory();
	configure(&gateway, argc, argv);
	if (gateway.check)
		return check_only(&gateway);

	set_runtime_state(&gateway);
	start(&gateway);
	daemon_run(&gateway.daemon);
	finish(&gateway);
	return out_close();
}
