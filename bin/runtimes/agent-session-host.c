/*
 * agent-session-host - put a runtime on the network, one session for each identifier
 *
 * reads   requests over HTTP
 * writes  codex-session-runtime listening on http://HOST:PORT (engine=codex), for each address once it is ready, then nothing
 *
 * The routes are in host.c, the runtime itself in bin/gateway/runtime.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "buf.h"
#include "daemon.h"
#include "die.h"
#include "err.h"
#include "host.h"
#include "http/server.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "program.h"
#include "roots.h"
#include "xalloc.h"

#define ARGS_MAX 64
#define GRACE_MS 5000 /* for turns in progress when asked to stop */
#define TOKEN_VARIABLE "SESSION_RUNTIME_TOKEN"
#define INT_TOP INT64_C(2147483647)

enum { OPT_ALLOW_HOST = OPT_OWN, OPT_READY_FD, OPT_ROOT };

static const struct opt opts[] = {
	{ 'l', "listen", "ADDRESS",
	    "HOST:PORT, unix:/path or fd:N (default HOST and PORT, else 127.0.0.1:8080; port 0 picks one); may be given several times" },
	{ OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the token that callers must bring (default SESSION_RUNTIME_TOKEN)" },
	{ OPT_ALLOW_HOST, "allow-host", "NAME", "a name that callers may call this host by; may be given several times" },
	{ OPT_ROOT, "root", "DIR", "turns may be in DIR and below (default the current directory); may be given several times" },
	{ OPT_READY_FD, "ready-fd", "N", "write a newline to descriptor N once ready" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-session-host",
	.synopsis = "[options] [COMMAND [ARG ...]]",
	.about = "put a runtime on the network, one session for each identifier",
	.example = "  agent-session-host --listen 127.0.0.1:8080",
	.opts = opts,
	.words_are_text = true,
};

struct serve {
	struct daemon daemon;
	const char *argv[ARGS_MAX + 2];
	struct auth_settings auth_settings;
	struct host_settings host_settings;
	int64_t body_max;
	char *args, *engine; /* ours to free */
	struct buf address, codex;
	struct roots roots;
	/* in the order in which they start */
	struct auth *auth;
	struct host *host;
	struct server *server;
};

#define SERVE_INIT                                                                                                                         \
	{                                                                                                                                  \
		.daemon = DAEMON_INIT, .address = BUF_INIT, .codex = BUF_INIT                                                              \
	}

static void
on_request(struct request *request, void *payload)
{
	struct serve *serve = payload;

	host_handle(serve->host, request);
}

/* ---- the end */

static void
on_stopped(void *payload)
{
	struct serve *serve = payload;

	daemon_drain(&serve->daemon, serve->server);
}

static void
stop(void *payload)
{
	struct serve *serve = payload;

	host_stop(serve->host, GRACE_MS / 2, on_stopped, serve);
}

/* ---- the beginning */

static bool
is_local(const char *url)
{
	static const char *const local[] = { "unix:", "http://127.", "http://[::1]:", "http://localhost:" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(local); i++)
		if (!strncmp(url, local[i], strlen(local[i])))
			return true;
	return false;
}

static void
listening(const char *address, const struct buf *url, void *payload)
{
	struct serve *serve = payload;

	if (!is_local(url->s) && !auth_has_token(serve->auth))
		die(STATUS_CONFIG, "unable to listen on '%s' without a token: give --token-file or " TOKEN_VARIABLE, address);
	out_printf("codex-session-runtime listening on %s (engine=%s)\n", url->s, serve->host_settings.engine);
}

/* A number in the environment, or what is usual. */
static int64_t
number(const char *name, int64_t usual, int64_t min, int64_t max, const char *kind)
{
	const char *text = getenv(name);
	struct err err = ERR_INIT;
	int64_t n = usual;

	if (text && *text && !num_in_range(text, min, max, name, &n, &err))
		die(STATUS_CONFIG, "%s must be %s", name, kind);
	return n;
}

static void
read_engine(struct serve *serve)
{
	const char *engine = getenv("SESSION_RUNTIME_ENGINE");
	char *s;

	serve->engine = xstrdup(engine && *engine ? engine : "codex");
	for (s = serve->engine; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	serve->host_settings.engine = serve->engine;
}

static void
read_environment(struct serve *serve)
{
	static const char positive[] = "a positive integer", second[] = "an integer >= 1000", whole[] = "a non-negative integer";
	const char *host = getenv("HOST");

	serve->body_max = number("MAX_BODY_BYTES", 1048576, 1, INT_TOP, positive);
	serve->host_settings.call_ms = number("CODEX_RUNTIME_REQUEST_TIMEOUT_MS", 30000, 1000, INT_TOP, second);
	serve->host_settings.turn_ms = number("CODEX_RUNTIME_TURN_TIMEOUT_MS", 120000, 1000, INT_TOP, second);
	serve->host_settings.init_ms = number("CODEX_RUNTIME_INIT_TIMEOUT_MS", 30000, 1000, INT_TOP, second);
	serve->host_settings.max_restarts = number("CODEX_RUNTIME_MAX_RESTARTS", 2, 0, INT_TOP, whole);
	serve->host_settings.mock_sleep_ms = number("MOCK_ENGINE_MAX_SLEEP_MS", 5000, 0, INT_TOP, whole);
	buf_addf(&serve->address, "%s:%lld", host && *host ? host : "127.0.0.1",
	    (long long)number("PORT", 8080, 1, 65535, "a valid TCP port number"));
	read_engine(serve);
}

/* The runtime's command: the operands, else the environment's. */
static void
read_command(struct serve *serve, int argc, char *argv[])
{
	const char *command = getenv("CODEX_APP_SERVER_COMMAND"), *args = getenv("CODEX_APP_SERVER_ARGS");
	size_t n = 0;
	char *at;

	if (argc > ARGS_MAX)
		die_usage("more than %d words in the command", ARGS_MAX);
	for (; (int)n < argc; n++)
		serve->argv[n] = argv[n];
	/* a runtime that is named is used, whatever it is called in answers */
	serve->host_settings.mock = !n && strcmp(serve->engine, "codex") != 0;
	if (!n) {
		if (command && *command)
			serve->argv[n++] = command;
		else {
			serve->argv[n++] = program_codex(&serve->codex) ? serve->codex.s : "codex";
			serve->host_settings.oldest = PROGRAM_CODEX_OLDEST;
		}
		serve->args = xstrdup(args ? args : "app-server");
		for (at = serve->args; *(at += strspn(at, " ")) && n <= ARGS_MAX;) {
			serve->argv[n++] = at;
			at += strcspn(at, " ");
			if (*at)
				*at++ = '\0';
		}
	}
	serve->host_settings.argv = serve->argv;
}

static void
start(struct serve *serve)
{
	struct server_settings settings;
	struct err err = ERR_INIT;

	serve->auth = daemon_open(&serve->daemon, &serve->auth_settings, TOKEN_VARIABLE);
	(void)unsetenv(TOKEN_VARIABLE); /* the runtime's programs need not know it */
	if (!serve->roots.n && !roots_add(&serve->roots, ".", &err))
		die_err(&err);
	serve->host_settings.roots = &serve->roots;
	serve->host_settings.base = serve->daemon.base;
	serve->host_settings.auth = serve->auth;
	serve->host = host_new(&serve->host_settings);
	server_settings_init(&settings);
	settings.body_max = (size_t)serve->body_max;
	serve->server = daemon_serve(&serve->daemon, &settings, on_request, serve, serve->address.s);
}

static void
finish(struct serve *serve)
{
	server_free(serve->server);
	host_free(serve->host);
	auth_free(serve->auth);
	daemon_end(&serve->daemon);
	buf_release(&serve->address);
	buf_release(&serve->codex);
	roots_release(&serve->roots);
	free(serve->args);
	free(serve->engine);
}

static void
take_option(struct serve *serve, int key)
{
	struct err err = ERR_INIT;

	switch (key) {
	case 'l':
		daemon_take_listen(&serve->daemon, opt_arg);
		break;
	case OPT_KEY_TOKEN_FILE:
		serve->auth_settings.token_file = opt_arg;
		break;
	case OPT_ALLOW_HOST:
		daemon_take_host(&serve->daemon, opt_arg);
		break;
	case OPT_ROOT:
		if (!roots_add(&serve->roots, opt_arg, &err))
			die_err(&err);
		break;
	case OPT_READY_FD:
		daemon_take_ready_fd(&serve->daemon, opt_arg);
		break;
	default:
		break;
	}
}

/* What the options and the environment say. */
static void
configure(struct serve *serve, int argc, char *argv[])
{
	int key;

	serve->daemon.grace_ms = GRACE_MS;
	serve->daemon.stop = stop;
	serve->daemon.listening = listening;
	serve->daemon.payload = serve;
	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(serve, key);
	read_environment(serve);
	read_command(serve, argc, argv);
}

int
main(int argc, char *argv[])
{
	struct serve serve = SERVE_INIT;

	configure(&serve, argc, argv);
	start(&serve);
	daemon_run(&serve.daemon);
	finish(&serve);
	return out_close();
}
