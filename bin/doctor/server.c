/* server.c - is there a server, is it the right one, does it take the token? */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "api.h"
#include "clock.h"
#include "doctor.h"
#include "err.h"
#include "jtext.h"
#include "status.h"

#define SKEW_WARN_S 5		 /* between two clocks */
#define SKEW_FAIL_S 300		 /* more: tokens end, and begin, at other times than they say */
#define CERTIFICATE_WARN_DAYS 14 /* before its end */
#define TOKEN_WARN_DAYS 7	 /* the same of a token */

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

static void
check_token(struct api *api)
{
	struct http_answer answer;
	struct err err = ERR_INIT;
	struct span list, items;
	struct span each, ignored;
	struct stat st;
	size_t n = 0, pos = 0;

	if (api->token_file && stat(api->token_file, &st) == 0 && (st.st_mode & 077))
		report("token-file", RESULT_WARN, 0, "chmod 600 it", "'%s' can be read by others", api->token_file);
	if (get(api, "/api/agents/registry", &answer, &err)) {
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

void
check_server(struct api *api)
{
	if (!check_address(api))
		return;
	check_proxy(api);
	if (check_connection(api))
		check_token(api);
}
