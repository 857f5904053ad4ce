/*
 * agent-gateway - the daemon that puts agents on the network
 *
 * reads   manifests of agents; requests over HTTP
 * writes  {"event":"listening","url":...} for each address once it is ready, then nothing; log lines on standard error
 *
 * Starts its rooms in a visible order and stops them backwards.
 */
#include "compat.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "auth/auth.h"
#include "browsers.h"
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
#include "observe.h"
#include "own.h"
#include "peers.h"
#include "out.h"
#include "program.h"
#include "provider.h"
#include "record.h"
#include "rest.h"
#include "secrets.h"
#include "services/services.h"
#include "settings.h"
#include "statedir.h"
#include "timers/timers.h"

#define GRACE_MS 10000 /* for requests and handlers in progress when asked to stop */
#define DEFAULT_LISTEN "127.0.0.1:4707"

struct gateway {
	struct settings settings;
	struct daemon daemon;
	struct provider provider;
	struct buf url;	   /* the first that is listened on */
	unsigned problems; /* manifests that were left out */
	/* rooms, in the order in which they start */
	struct secrets *secrets;
	struct auth *auth;
	struct observe *observe;
	struct agents *agents;
	struct log *log;
	struct peers *peers;	   /* NULL: the log is this gateway's alone */
	struct browsers *browsers; /* NULL: the same */
	struct services *services;
	struct chat *chat;
	struct timers *timers;
	struct rest *rest;
	struct clarity *clarity;
	struct compass *compass;
	struct broker *broker;
	struct server *server;
	/* the end */
	bool server_quiet, chat_quiet, compass_quiet;
};

#define GATEWAY_INIT                                                                                                                       \
	{                                                                                                                                  \
		.settings = SETTINGS_INIT, .daemon = DAEMON_INIT,                                                                          \
		.provider = { .command = BUF_INIT, .missing = BUF_INIT, .secret_file = BUF_INIT, .codex = BUF_INIT }, .url = BUF_INIT      \
	}

/* ---- requests: each surface is asked in turn */

static void
take_request(struct request *request, void *payload)
{
	struct gateway *gateway = payload;
	const struct own own = { .auth = gateway->auth, .observe = gateway->observe };

	if (own_handle(&own, request))
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

/* Those whose caller is judged may bring a session that another gateway has opened. */
static void
on_request(struct request *request, void *payload)
{
	struct gateway *gateway = payload;
	const char *path = request_path(request);
	bool is_judged = auth_guards(path) || !strncmp(path, "/v1/", 4) || !strcmp(path, "/metrics");

	if (!is_judged || !browsers_hold(gateway->browsers, request))
		take_request(request, gateway);
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
on_auth_problem(const struct err *err, void *payload)
{
	(void)payload;
	if (err->status)
		warn("%s", err->text);
	else
		info("%s", err->text);
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

	if (gateway->settings.agents_dir || !model || !model[strspn(model, " \t")])
		return;
	buf_addf(&path, "%s/../model.json", gateway->settings.agents.s);
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

	statedir_file(gateway->settings.where.s, "runtime", &dir);
	buf_addf(&file, "%s/thread", dir.s);
	if (!statedir_make_for(file.s, &err))
		die_err(&err);
	(void)setenv("AGENT_RUNTIME_STATE", dir.s, 0);
	buf_release(&dir);
	buf_release(&file);
}

static void
on_timer_problem(const char *text, void *payload)
{
	(void)payload;
	warn("%s", text);
}

static int
check_only(struct gateway *gateway)
{
	struct err err = ERR_INIT;

	if (!store_check(settings_log_place(&gateway->settings), gateway->settings.where.s, &err))
		die_err(&err);
	if (gateway->problems)
		die(STATUS_CONFIG, "%u of the manifests in '%s' cannot be used", gateway->problems, gateway->settings.agents.s);
	info("the configuration is good: %zu agents, the log in %s", agents_count(gateway->agents), settings_log_place(&gateway->settings));
	auth_free(gateway->auth);
	secrets_free(gateway->secrets);
	agents_free(gateway->agents);
	settings_release(&gateway->settings);
	buf_release(&gateway->url);
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
	browsers_heard(gateway->browsers, key);
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
	jtext_add_buf(&record, "url", url);
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
		.default_mode = gateway->settings.chat.default_mode,
		.apply_commands = gateway->settings.apply_commands };
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
		.questions = gateway->settings.questions.s,
		.enabled = provider_flag("AGENT_GATEWAY_ENABLED"),
		.cloud = provider_flag("AGENT_CLOUD_MODE_ENABLED"),
		.local = provider_flag("AGENT_LOCAL_MODE_ENABLED_DESKTOP"),
		.switching = provider_flag("AGENT_MODE_SWITCH_ENABLED"),
		.roots = &gateway->settings.roots,
		.turn_ms = gateway->settings.turn_ms,
		.approval_ms = gateway->settings.approval_ms,
		.say = on_runtime,
	};
	struct chat_turns turns;
	struct err err = ERR_INIT;

	provider_choose(&gateway->provider, gateway->settings.runtime, gateway->settings.where.s);
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
		.audit_file = gateway->settings.audit.s,
		.access_file = gateway->settings.access_file,
		.secrets = gateway->secrets };
	struct err err = ERR_INIT;

	gateway->observe = observe_new(&settings, &err);
	if (!gateway->observe)
		die_err(&err);
	gateway->settings.server.answered = on_answered;
	gateway->settings.server.ended = on_ended;
	gateway->settings.server.follow_streams = gateway->settings.server.name_answers = observe_follows(gateway->observe);
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
	struct clarity_settings clarity = {
		.started_ms = clock_wall_ms(), .ping_ms = gateway->settings.ping_ms, .a2a_max = gateway->settings.a2a_max
	};
	struct broker_settings broker = { .dir = gateway->settings.questions.s, .ping_ms = gateway->settings.ping_ms };
	struct buf sessions = BUF_INIT;
	struct err err = ERR_INIT;

	if (!guard_start(&err))
		die_err(&err);
	daemon_begin(&gateway->daemon);
	gateway->log = log_open(gateway->daemon.base, settings_log_place(&gateway->settings), gateway->settings.where.s, &err);
	if (!gateway->log)
		die_err(&err);
	log_secrets(gateway->log, gateway->secrets);
	log_others(gateway->log, &others, gateway);
	statedir_file(gateway->settings.where.s, "sessions", &sessions);
	if (!log_gateway(gateway->log) && !auth_sessions_keep(gateway->auth, sessions.s, &err))
		die_err(&err);
	buf_release(&sessions);
	if (log_gateway(gateway->log)) {
		gateway->peers = peers_new(gateway->daemon.base, gateway->log, gateway->settings.tokens.s, on_auth_problem, gateway);
		gateway->browsers = browsers_new(gateway->daemon.base, gateway->log, gateway->auth, take_request, gateway);
		log_settle(gateway->log); /* nobody comes in with less than the others ask for */
	}
	start_observing(gateway);
	start_services(gateway);
	if (gateway->settings.record_file && !record_open(gateway->settings.record_file, gateway->secrets, &err))
		die_err(&err);
	gateway->settings.server.said = gateway->settings.record_file ? record_said : NULL;
	gateway->server = server_new(gateway->daemon.base, &gateway->settings.server, on_request, gateway);
	daemon_listen(&gateway->daemon, gateway->server, DEFAULT_LISTEN); /* nothing is accepted before the loop runs */
	broker.base = gateway->daemon.base;
	broker.auth = gateway->auth;
	gateway->broker = broker_new(&broker, &err);
	if (!gateway->broker)
		die_err(&err);
	gateway->settings.chat.url = gateway->url.s;
	gateway->settings.chat.questions = broker_path(gateway->broker);
	gateway->settings.chat.secrets = gateway->secrets;
	gateway->settings.chat.services = gateway->services;
	gateway->chat = chat_new(gateway->daemon.base, gateway->log, gateway->agents, &gateway->settings.chat);
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
	gateway->rest = rest_new(gateway->daemon.base, gateway->log, gateway->chat);
	daemon_ready(&gateway->daemon);
}

static void
finish(struct gateway *gateway)
{
	server_free(gateway->server);
	broker_free(gateway->broker);
	compass_free(gateway->compass);
	provider_release(&gateway->provider);
	clarity_free(gateway->clarity);
	rest_free(gateway->rest);
	timers_free(gateway->timers);
	chat_free(gateway->chat);
	log_close(gateway->log);
	peers_free(gateway->peers);
	browsers_free(gateway->browsers);
	services_free(gateway->services);
	agents_free(gateway->agents);
	auth_free(gateway->auth);
	record_close();
	observe_free(gateway->observe);
	secrets_free(gateway->secrets);
	daemon_end(&gateway->daemon);
	settings_release(&gateway->settings);
	buf_release(&gateway->url);
}

/* What the options, the environment and the manifests say. */
static void
configure(struct gateway *gateway, int argc, char *argv[])
{
	struct err err = ERR_INIT;

	gateway->daemon.grace_ms = GRACE_MS;
	gateway->daemon.stop = stop;
	gateway->daemon.quiet = is_quiet;
	gateway->daemon.reload = reload;
	gateway->daemon.listening = listening;
	gateway->daemon.payload = gateway;
	gateway->settings.daemon = &gateway->daemon;
	settings_read(&gateway->settings, argc, argv);
	gateway->settings.auth.problem = on_auth_problem;
	if (gateway->settings.secrets_file && !(gateway->secrets = secrets_read(gateway->settings.secrets_file, &err)))
		die_err(&err);
	gateway->auth = auth_new(&gateway->settings.auth, &err);
	if (!gateway->auth)
		die_err(&err);
	gateway->agents = agents_load(gateway->settings.agents.s, on_problem, gateway, &err);
	if (!gateway->agents)
		die_err(&err);
	add_model(gateway);
}

int
main(int argc, char *argv[])
{
	struct gateway gateway = GATEWAY_INIT;

	program_path_jq();
	configure(&gateway, argc, argv);
	if (gateway.settings.check)
		return check_only(&gateway);

	set_runtime_state(&gateway);
	start(&gateway);
	daemon_run(&gateway.daemon);
	finish(&gateway);
	return out_close();
}
