/*
 * agent-doctor - check a setup, and say what is wrong and what to do
 *
 * writes  a line for each check; with --json {"check","result":"ok"|"warn"|"fail"|"skip","message","advice"?,"status"?}
 *
 * It looks and asks, and changes nothing. The checks of the server come first, in the order in which one needs the one before.
 */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "api.h"
#include "blank.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "opt.h"
#include "out.h"
#include "program.h"
#include "spawn.h"
#include "statedir.h"
#include "utf8.h"

#define PROGRAM_MS 10000			 /* how long a program that is asked for its version may take */
#define PROGRAM_MAX 65536			 /* bytes of what it says */
#define SKEW_WARN_S 5				 /* between two clocks */
#define SKEW_FAIL_S 300				 /* more: tokens end, and begin, at other times than they say */
#define CERTIFICATE_WARN_DAYS 14		 /* before its end */
#define TOKEN_WARN_DAYS 7			 /* the same of a token */
#define DISK_WARN (UINT64_C(1024) * 1024 * 1024) /* bytes that are free */
#define DISK_FAIL (UINT64_C(100) * 1024 * 1024)
#define FILES_WARN 10064 /* descriptors: those of as many connections as a gateway takes, and its own */

enum { OPT_JSON = OPT_OWN, OPT_STATE, OPT_LOCAL };

static const struct opt opts[] = {
	{ OPT_JSON, "json", NULL, "records instead of text" },
	{ OPT_STATE, "state", "DIR", "the gateway's state directory (default as agent-gateway)" },
	{ OPT_LOCAL, "local", NULL, "look at this machine only, ask no server" },
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-doctor",
	.synopsis = "[options]",
	.about = "check a setup, and say what is wrong and what to do",
	.example = "  agent-doctor --json | jq -r '.advice // empty'",
	.opts = opts,
};

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL, RESULT_SKIP };

static bool json;
static int failed; /* status of the first check that failed */
static bool warned;

/* ---- findings */

/* advice NULL: none; what is in order needs none. fmt makes the message, on one line and safe to show. */
static void PRINTF(5, 6) report(const char *check, enum result result, int status, const char *advice, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "warn", "fail", "skip" };
	struct buf message = BUF_INIT, safe = BUF_INIT, line = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&message, fmt, args);
	va_end(args);
	utf8_safe(&safe, message.s, message.len, UTF8_SAFE_LINE);
	if (result == RESULT_FAIL && !failed)
		failed = status;
	warned = warned || result == RESULT_WARN;
	if (result == RESULT_OK || (advice && !*advice))
		advice = NULL;
	if (json) {
		buf_addch(&line, '{');
		jtext_add_text(&line, "check", check);
		jtext_add_text(&line, "result", words[result]);
		jtext_add_text(&line, "message", safe.s);
		jtext_add_given(&line, "advice", advice);
		if (result == RESULT_FAIL)
			jtext_add_i64(&line, "status", status);
		buf_addch(&line, '}');
	} else {
		buf_addf(&line, "%-4s  %-12s  %s", words[result], check, safe.s);
		if (advice)
			buf_addf(&line, "\n%20s%s", "", advice);
	}
	out_line(line.s, line.len);
	out_flush();
	buf_release(&message);
	buf_release(&safe);
	buf_release(&line);
}

static void
report_err(const char *check, const struct err *err, const char *advice)
{
	report(check, RESULT_FAIL, err->status, *err->hint ? err->hint : advice, "%s", err->text);
}

/* ---- the server */

static bool
is_far(const struct api *api)
{
	static const char *const near[] = { "://127.", "://localhost", "://[::1]" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(near); i++)
		if (strstr(api->address.base.s, near[i]))
			return false;
	return !api->address.unix_path.len;
}

static bool
check_address(struct api *api)
{
	const char *from = getenv("AGENT_RUNTIME_URL");
	struct err err = ERR_INIT;

	if (!api_open(api, &err)) {
		report_err("address", &err, "set AGENT_RUNTIME_URL or --url, and the token's file, to what is there");
		return false;
	}
	if (is_far(api) && api->token.len && !strncmp(api->address.base.s, "http:", 5))
		report("address", RESULT_WARN, 0, "use an https address: whoever sees the traffic can use the token",
		    "%s: the token goes there unencrypted", api->address.given.s);
	else
		report("address", RESULT_OK, 0, NULL, "%s (%s)", api->address.given.s,
		    api->url		? "--url"
			: from && *from ? "AGENT_RUNTIME_URL"
					: "the default");
	return true;
}

static bool
get(struct api *api, const char *path, struct http_answer *answer, struct err *err)
{
	struct buf url = BUF_INIT;
	bool ok;

	memset(answer, 0, sizeof *answer);
	buf_addf(&url, "%s%s", api->address.base.s, path);
	ok = api_call(api, "GET", url.s, NULL, NULL, "ask the server", answer, err);
	buf_release(&url);
	return ok;
}

static void
check_version(const struct http_answer *answer)
{
	struct buf version = BUF_INIT;

	if (!http_header(answer, "x-agentutils", &version))
		report("version", RESULT_OK, 0, NULL, "%s here; the server is another one than agent-gateway", PACKAGE_VERSION);
	else if (strcmp(version.s, PACKAGE_VERSION) != 0)
		report(
		    "version", RESULT_WARN, 0, "install the same version on both sides", "%s here, %s there", PACKAGE_VERSION, version.s);
	else
		report("version", RESULT_OK, 0, NULL, "%s on both sides", PACKAGE_VERSION);
	buf_release(&version);
}

static void
check_clock(const struct http_answer *answer)
{
	static const char advice[] = "let both machines take their time from the network (timedatectl set-ntp true)";
	struct buf date = BUF_INIT;
	time_t there = http_header(answer, "date", &date) ? curl_getdate(date.s, NULL) : -1;
	int64_t skew = there == -1 ? 0 : (int64_t)there - clock_wall_ms() / 1000;
	long long off = skew < 0 ? -(long long)skew : (long long)skew;

	if (there == -1)
		report("clock", RESULT_SKIP, 0, NULL, "the server does not tell its time");
	else if (off > SKEW_WARN_S)
		report("clock", off > SKEW_FAIL_S ? RESULT_FAIL : RESULT_WARN, STATUS_CONFIG, advice,
		    "the server's clock is %lld s %s this one", off, skew < 0 ? "behind" : "ahead of");
	else
		report("clock", RESULT_OK, 0, NULL, "the server's clock and this one agree");
	buf_release(&date);
}

/* The certificate's last day. The connection itself has shown that it is good today. */
static void
check_certificate(const struct api *api)
{
	CURL *curl = curl_easy_init();
	struct curl_certinfo *info = NULL;
	struct curl_slist *field;
	time_t end = -1;
	long long days;

	if (!curl)
		return;
	curl_easy_setopt(curl, CURLOPT_URL, api->address.base.s);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)API_REQUEST_TIMEOUT_MS);
	if (api->cacert)
		curl_easy_setopt(curl, CURLOPT_CAINFO, api->cacert);
	if (api->cert)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, api->cert);
	if (api->key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, api->key);
	if (curl_easy_perform(curl) == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) == CURLE_OK && info &&
	    info->num_of_certs > 0)
		for (field = info->certinfo[0]; field; field = field->next)
			if (!strncmp(field->data, "Expire date:", 12))
				end = curl_getdate(field->data + 12, NULL);
	days = end == -1 ? 0 : (long long)((int64_t)end - clock_wall_ms() / 1000) / 86400;
	if (end == -1)
		report("certificate", RESULT_SKIP, 0, NULL, "its end cannot be read");
	else
		report("certificate", days < CERTIFICATE_WARN_DAYS ? RESULT_WARN : RESULT_OK, 0, "renew the server's certificate",
		    "it is trusted, and good for %lld more days", days);
	curl_easy_cleanup(curl);
}

static bool
check_connection(struct api *api)
{
	struct err err = ERR_INIT;
	struct http_answer answer;
	int64_t began = clock_monotonic_ms();
	bool there = get(api, "/healthz", &answer, &err) || err.http == 404 || err.http == 401 || err.http == 403;

	if (there) {
		report("connection", RESULT_OK, 0, NULL, "an answer in %lld ms", (long long)(clock_monotonic_ms() - began));
		if (!strncasecmp(api->address.base.s, "https:", 6))
			check_certificate(api);
		check_version(&answer);
		check_clock(&answer);
	} else
		report_err("connection", &err,
		    err.status == STATUS_PROTOCOL ? "is that the address of an agent runtime?"
						  : "start it (agent-gateway), or correct the address");
	http_answer_release(&answer);
	return there;
}

static const char *
token_from(const struct api *api)
{
	const char *value = getenv("AGENT_RUNTIME_TOKEN");

	return !api->token.len ? "none"
	    : api->token_file  ? api->token_file
	    : value && *value  ? "AGENT_RUNTIME_TOKEN"
			       : "CLARITY_RUNTIME_TOKEN";
}

/* Whose token, and for how long; not every server tells. */
static void
check_caller(struct api *api)
{
	struct http_answer answer;
	struct err err = ERR_INIT;
	struct span me = SPAN_NONE, user, scopes;
	struct buf name = BUF_INIT, until = BUF_INIT;
	int64_t end = 0;
	long long days;

	if (get(api, "/v1/auth/me", &answer, &err) && jtext_check(answer.body.s, answer.body.len, true, &me, NULL) &&
	    jtext_get(me, "user", &user) && jtext_get_string(user, "id", &name)) {
		if (!jtext_get(me, "scopes", &scopes))
			scopes = (struct span){ "[]", 2 };
		if (jtext_get_string(me, "expiresAt", &until) && clock_parse_iso(until.s, until.len, &end)) {
			days = (long long)((end - clock_wall_ms()) / 86400000);
			report("token", days < TOKEN_WARN_DAYS ? RESULT_WARN : RESULT_OK, 0,
			    "make another one with agent-gateway-token create", "the caller is %s, scopes %.*s, for %lld more days", name.s,
			    (int)scopes.n, scopes.s, days);
		} else
			report("token", RESULT_OK, 0, NULL, "the caller is %s, scopes %.*s", name.s, (int)scopes.n, scopes.s);
	} else
		report("token", RESULT_OK, 0, NULL, "the server takes it (%s)", token_from(api));
	http_answer_release(&answer);
	buf_release(&name);
	buf_release(&until);
}

static bool
check_token(struct api *api)
{
	struct http_answer answer;
	struct err err = ERR_INIT;
	struct span list, items;
	struct span each, ignored;
	struct stat st;
	size_t n = 0, pos = 0;
	bool ok;

	if (api->token_file && stat(api->token_file, &st) == 0 && (st.st_mode & 077))
		report("token-file", RESULT_WARN, 0, "chmod 600 it", "'%s' can be read by others", api->token_file);
	ok = get(api, "/api/agents/registry", &answer, &err);
	if (ok) {
		check_caller(api);
		if (jtext_check(answer.body.s, answer.body.len, true, &list, NULL) && jtext_get(list, "items", &items))
			while (jtext_each(items, &pos, &ignored, &each))
				n++;
		report("agents", n ? RESULT_OK : RESULT_WARN, 0, "give the gateway a directory of manifests (agent-gateway --agents DIR)",
		    "%zu agents are offered", n);
	} else if (err.http == 404)
		report("token", RESULT_SKIP, 0, NULL, "the server has no registry of agents; it may be a Compass API");
	else
		report_err("token", &err, "make a token with agent-gateway-token create, and name its file with --token-file");
	http_answer_release(&answer);
	return ok;
}

/* A proxy that is meant for the world swallows a server that is near. */
static void
check_proxy(const struct api *api)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	const char *none = getenv("no_proxy"), *value;
	size_t i;

	if (!none)
		none = getenv("NO_PROXY");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		value = getenv(names[i]);
		if (!value || !*value || api->address.unix_path.len)
			continue;
		if (!is_far(api) && !(none && (strstr(none, "127.0.0.1") || strstr(none, "localhost") || !strcmp(none, "*"))))
			report("proxy", RESULT_WARN, 0, "set no_proxy=localhost,127.0.0.1,::1",
			    "%s is set, and requests to this machine go there too", names[i]);
		else
			report("proxy", RESULT_OK, 0, NULL, "%s is set", names[i]);
		return;
	}
}

/* ---- this machine */

static void
check_disk(const char *dir)
{
	struct statvfs fs;
	uint64_t bytes;

	if (statvfs(dir, &fs) < 0) {
		report("disk", RESULT_FAIL, STATUS_IO, NULL, "unable to look at '%s': %s", dir, strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	report("disk",
	    bytes < DISK_FAIL						  ? RESULT_FAIL
		: bytes < DISK_WARN || (fs.f_files && fs.f_favail < 1000) ? RESULT_WARN
									  : RESULT_OK,
	    STATUS_IO, "make room, or put the state somewhere else (--state)", "%llu MiB are free, %llu files more",
	    (unsigned long long)(bytes >> 20), (unsigned long long)fs.f_favail);
#ifdef __linux__
	{
		static const unsigned long remote[] = { 0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x01021997, 0x47504653, 0x0bd00bd0,
			0x5346414f };
		struct statfs type;
		size_t i;

		for (i = 0; i < ARRAY_LEN(remote) && statfs(dir, &type) == 0; i++)
			if (((unsigned long)type.f_type & 0xffffffffUL) == remote[i])
				report("filesystem", RESULT_WARN, 0,
				    "keep the state on a local disk: locks and syncs of network file systems are not to be trusted",
				    "'%s' is on a network file system", dir);
	}
#endif
}

static void
check_state(const char *given)
{
	struct buf where = BUF_INIT;
	struct err err = ERR_INIT;
	struct stat st;
	char *dir, *slash;

	if (!statedir_find(given, NULL, &where, &err)) {
		report_err("state", &err, "name a directory with --state");
		buf_release(&where);
		return;
	}
	if (stat(where.s, &st) < 0 && errno == ENOENT)
		report("state", RESULT_OK, 0, NULL, "'%s' is not there yet; the first start makes it", where.s);
	else if (stat(where.s, &st) < 0)
		report("state", RESULT_FAIL, STATUS_CONFIG, "name another one with --state", "unable to use '%s': %s", where.s,
		    strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report("state", RESULT_FAIL, STATUS_CONFIG, "name a directory with --state", "'%s' is no directory", where.s);
	else if (access(where.s, W_OK | X_OK) < 0)
		report("state", RESULT_FAIL, STATUS_CONFIG, "give it to the user of the gateway (chown), or name another one",
		    "unable to write to '%s': %s", where.s, strerror(errno));
	else if (st.st_mode & 077)
		report("state", RESULT_WARN, 0, "chmod 700 it: conversations and hashes of tokens are in it", "'%s' is open to others",
		    where.s);
	else
		report("state", RESULT_OK, 0, NULL, "'%s'", where.s);
	/* the nearest directory that is there has the disk */
	dir = buf_detach(&where, NULL);
	while (stat(dir, &st) < 0 && (slash = strrchr(dir, '/')) && slash != dir)
		*slash = '\0';
	check_disk(stat(dir, &st) == 0 ? dir : "/");
	free(dir);
}

static void
check_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_max != RLIM_INFINITY && files.rlim_max < FILES_WARN)
		report("files", RESULT_WARN, 0, "raise it (LimitNOFILE in the unit, ulimit -Hn): each connection needs one",
		    "%llu files may be open at once", (unsigned long long)files.rlim_max);
	else
		report("files", RESULT_OK, 0, NULL, "enough files may be open at once");
}

/* What a program says first, on its first line. False: it is not there, or says nothing in time. */
static bool
ask_program(const char *const *argv, struct buf *to, struct err *err)
{
	struct spawn spawn = { .argv = argv, .in = SPAWN_NULL, .out = SPAWN_PIPE, .errs = SPAWN_NULL, .own_group = true };
	int64_t deadline = deadline_in(PROGRAM_MS);
	struct pollfd wait;
	char bytes[4096];
	ssize_t n = 1;
	int ended = 0;

	if (!spawn_start(&spawn, err))
		return false;
	wait = (struct pollfd){ .fd = spawn.out_fd, .events = POLLIN };
	while (n > 0 && to->len < PROGRAM_MAX && deadline_left(deadline) > 0)
		if (poll(&wait, 1, deadline_poll(deadline)) > 0) {
			n = read(spawn.out_fd, bytes, sizeof bytes);
			buf_add(to, bytes, n > 0 ? (size_t)n : 0);
		}
	close(spawn.out_fd);
	if (n > 0)
		kin_signal(&spawn.kin, SIGKILL);
	while (waitpid(spawn.pid, &ended, 0) < 0 && errno == EINTR)
		;
	if (n > 0)
		return err_set(err, STATUS_TIMEOUT, "unable to ask '%s': no end in %d s", argv[0], PROGRAM_MS / 1000);
	if (!WIFEXITED(ended) || WEXITSTATUS(ended))
		return err_set(err, STATUS_CONFIG, "unable to ask '%s': it failed", argv[0]);
	buf_cut(to, strcspn(to->s, "\r\n"));
	blank_trim_buf(to, BLANK_ASCII);
	return true;
}

static void
check_codex(void)
{
	const char *command = getenv("CODEX_APP_SERVER_COMMAND");
	struct buf said = BUF_INIT, found = BUF_INIT;
	struct err err = ERR_INIT;

	if (!command || !*command)
		command = program_codex(&found) ? found.s : "codex";
	if (!ask_program((const char *const[]){ command, "--version", NULL }, &said, &err)) {
		if (err.status == STATUS_CONFIG && !strcmp(command, "codex"))
			report("codex", RESULT_SKIP, 0, NULL, "%s; turns go to another runtime, or to the one for tests", err.text);
		else
			report_err("codex", &err, "correct CODEX_APP_SERVER_COMMAND");
	} else if (strcmp(said.s, AU_CODEX_VERSION) != 0)
		report("codex", RESULT_WARN, 0, "install the version that this gateway was tried with: npm install -g " AU_CODEX_PACKAGE,
		    "%s, and " AU_CODEX_VERSION " is known to work", said.s);
	else
		report("codex", RESULT_OK, 0, NULL, "%s", said.s);
	buf_release(&said);
	buf_release(&found);
}

/* Runtimes stand beside the commands, installed or not: ../libexec/agentutils. */
static void
check_runtimes(void)
{
	static const char *const names[] = { "agent-runtime-mock", "agent-runtime-openai", "agent-runtime-acp", "agent-session-host" };
	struct buf file = BUF_INIT, there = BUF_INIT, missing = BUF_INIT;
	struct buf *list;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		buf_reset(&file);
		program_libexec(names[i], &file);
		list = access(file.s, X_OK) == 0 ? &there : &missing;
		buf_addf(list, "%s%s", list->len ? ", " : "", names[i]);
	}
	if (!there.len)
		report("runtimes", RESULT_FAIL, STATUS_CONFIG, "install the whole of agentutils", "unable to run '%s'", file.s);
	else if (missing.len)
		report("runtimes", RESULT_WARN, 0, "install the whole of agentutils", "%s; missing: %s", there.s, missing.s);
	else
		report("runtimes", RESULT_OK, 0, NULL, "%s", there.s);
	buf_release(&file);
	buf_release(&there);
	buf_release(&missing);
}

static void
check_containers(void)
{
	static const char *const engines[] = { "docker", "podman" };
	const char *provider = getenv("AGENT_RUNTIME_PROVIDER");
	bool needed = provider && !strcmp(provider, "local_docker");
	struct buf said = BUF_INIT;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(engines); i++) {
		buf_reset(&said);
		if (ask_program((const char *const[]){ engines[i], "version", "--format", "{{.Client.Version}}", NULL }, &said, &err)) {
			report("containers", RESULT_OK, 0, NULL, "%s %s", engines[i], said.s);
			buf_release(&said);
			return;
		}
	}
	report("containers", needed ? RESULT_FAIL : RESULT_SKIP, STATUS_CONFIG,
	    needed ? "install docker or podman, or choose another AGENT_RUNTIME_PROVIDER" : NULL,
	    "neither docker nor podman answers; local_docker cannot be used");
	buf_release(&said);
}

static void
check_tools(void)
{
	struct buf said = BUF_INIT;
	struct err err = ERR_INIT;

	if (ask_program((const char *const[]){ "jq", "--version", NULL }, &said, &err))
		report("tools", RESULT_OK, 0, NULL, "%s", said.s);
	else
		report("tools", RESULT_WARN, 0, "install jq: runtime-agents, runtime-chat and clarity-agent need it", "%s", err.text);
	buf_release(&said);
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	const char *state = NULL;
	bool local = false;
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_JSON)
			json = true;
		else if (key == OPT_STATE)
			state = opt_arg;
		else if (key == OPT_LOCAL)
			local = true;
		else if (!api_opt(&api, key, opt_arg, &err) && err.status)
			die_usage("%s", err.text);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);

	if (!local && check_address(&api)) {
		check_proxy(&api);
		if (check_connection(&api))
			(void)check_token(&api);
	}
	check_state(state);
	check_limits();
	check_runtimes();
	check_codex();
	check_containers();
	check_tools();
	api_release(&api);
	return status_worse(failed ? failed : warned ? STATUS_NO : STATUS_OK, out_close());
}
