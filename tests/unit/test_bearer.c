/* test_bearer.c - the answers of identity endpoints, endpoints of hosts, and texts without what must not be told */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "runtime/bearer.h"
#include "runtime/redact.h"
#include "runtime/runtime.h"
#include "tap.h"

#define NOW INT64_C(1000000000000)

static void
gives(const char *answer, bool old, const char *token, int64_t end_ms)
{
	struct buf got = BUF_INIT;
	int64_t end = 0;

	ok(bearer_read(answer, strlen(answer), old, NOW, &got, &end) && !strcmp(got.s, token) && end == end_ms, "%s", answer);
	buf_release(&got);
}

static void
gives_none(const char *answer)
{
	struct buf got = BUF_INIT;
	int64_t end = 0;

	ok(!bearer_read(answer, strlen(answer), false, NOW, &got, &end), "no token: %s", answer);
	buf_release(&got);
}

static void
shows(const char *text, size_t max, const char *want)
{
	static const char *const secrets[] = { "opensesame", "opensesame2", "abc", "", NULL };
	struct buf got = BUF_INIT;

	redact_add(&got, text, strlen(text), max, secrets);
	ok(!strcmp(got.s, want), "%s -> %s", text, want);
	buf_release(&got);
}

static void
test_endpoints(void)
{
	static const char *const good[] = { "http://h", "https://h/a/b", " HTTP://127.0.0.1:8080", "unix:/run/s" };
	static const char *const bad[] = { "", "h:80", "ftp://h", "http://", "http:///x", "http://h/?a", "http://h#a", "unix:run" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		ok(!runtime_host_wrong(good[i]), "good: %s", good[i]);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(runtime_host_wrong(bad[i]) != NULL, "not: %s", bad[i]);
}

struct told {
	struct buf token, why;
	int n;
};

static void
on_token(const struct buf *token, const char *why, void *payload)
{
	struct told *told = payload;

	told->n++;
	buf_addf(&told->token, "[%s]", token ? token->s : "");
	buf_addf(&told->why, "[%s]", why);
}

static void
ask_twice(struct event_base *base, struct bearer *bearer, const char *token, const char *why, const char *what)
{
	struct told told = { BUF_INIT, BUF_INIT, 0 };

	(void)bearer_get(bearer, on_token, &told);
	(void)bearer_get(bearer, on_token, &told);
	is_int(told.n, 0, "nobody is told at once");
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	is_int(told.n, 2, what);
	is_buf(&told.token, token, "the token");
	is_buf(&told.why, why, "the reason, once to each");
	buf_release(&told.token);
	buf_release(&told.why);
}

/* Two that ask within one round of the loop. */
static void
test_asking(void)
{
	static const char *const names[] = { "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET" };
	struct event_base *base = event_base_new();
	struct runtime_host none = { .pool = true }, file = { .pool = true, .token_file = "/nowhere/token" },
			    given = { .pool = true, .token = " t " };
	struct bearer *bearer;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		(void)unsetenv(names[i]);
	bearer = bearer_new(base, NULL, &none);
	ask_twice(base, bearer, "[][]", "[Managed identity endpoint is not configured][Managed identity endpoint is not configured]",
	    "no identity");
	bearer_free(bearer);
	bearer = bearer_new(base, NULL, &file);
	ask_twice(base, bearer, "[][]",
	    "[unable to open '/nowhere/token': No such file or directory][unable to open '/nowhere/token': No such file or directory]",
	    "no file");
	bearer_free(bearer);
	bearer = bearer_new(base, NULL, &given);
	ask_twice(base, bearer, "[t][t]", "[][]", "one that is given");
	bearer_free(bearer);
	event_base_free(base);
}

int
main(void)
{
	test_asking();
	gives("{\"access_token\":\" t\\n\",\"expires_on\":\"2000000000\"}", false, "t", INT64_C(2000000000000));
	gives("{\"access_token\":\"t\",\"expires_on\":2000000000,\"expires_in\":5}", false, "t", INT64_C(2000000000000));
	gives("{\"access_token\":\"t\",\"expires_in\":\"60\"}", false, "t", NOW + 60000);
	gives("{\"access_token\":\"t\",\"expires_on\":null}", false, "t", NOW + BEARER_LIFE_MS);
	gives("{\"access_token\":\"t\",\"expires_on\":\"\"}", false, "t", NOW + BEARER_LIFE_MS);
	gives("{\"access_token\":\"t\",\"expires_on\":\"11/21/2026 10:00:00\"}", true, "t", NOW + BEARER_LIFE_MS);
	gives("{\"access_token\":\"t\",\"expires_in\":60,\"expires_on\":2000000000}", true, "t", NOW + 60000);
	gives("{\"access_token\":\"t\",\"expires_on\":1e300}", false, "t", NOW + BEARER_LIFE_MS);
	gives_none("");
	gives_none("[]");
	gives_none("{}");
	gives_none("{\"access_token\":\" \"}");
	gives_none("{\"access_token\":7}");
	gives_none("{\"access_token\":\"a b\"}");
	gives_none("{\"access_token\":\"a\\r\\nx: y\"}");
	gives_none("{\"access_token\":\"a\\u0000b\"}");
	shows("say opensesame now", 100, "say [REDACTED] now");
	shows("opensesame2opensesame", 100, "[REDACTED][REDACTED]");
	shows("abc is short", 100, "abc is short");
	shows("opensesam", 100, "opensesam");
	shows("opensesame", 4, "[RED");
	shows("\xc3\xa4\xff", 100, "\xc3\xa4\xef\xbf\xbd");
	shows("\xf0\x9f\x98\x80x", 1, "");
	test_endpoints();
	return done();
}
