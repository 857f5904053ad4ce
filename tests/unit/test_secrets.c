/* test_secrets.c - what is a secret in a text and in a document, and what a file adds */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "secrets.h"
#include "tap.h"

static void
text(const struct secrets *secrets, const char *given, const char *want)
{
	struct buf out = BUF_INIT, again = BUF_INIT;
	bool changed = secrets_text(secrets, given, strlen(given), &out);

	is_buf(&out, want, strchr(given, '\n') ? "a private key" : given);
	secrets_text(secrets, out.s, out.len, &again);
	ok(changed == (strcmp(given, want) != 0) && again.len == out.len && !memcmp(again.s, out.s, out.len),
	    "it says whether it did, and done twice it is the same");
	buf_release(&out);
	buf_release(&again);
}

static void
json(const struct secrets *secrets, const char *given, const char *want)
{
	struct buf out = BUF_INIT;
	struct span value = { given, strlen(given) };
	bool changed = secrets_json(secrets, value, &out);

	is_buf(&out, want, given);
	ok(changed == (strcmp(given, want) != 0) && jtext_check(out.s, out.len, true, &value, NULL),
	    "it says whether it did, and it is JSON");
	buf_release(&out);
}

static void
wrong(const char *file, const char *want)
{
	struct err err = ERR_INIT;

	ok(!secrets_parse(file, strlen(file), &err) && !strcmp(err.text, want), "%s", want);
	if (strcmp(err.text, want) != 0)
		printf("# got: %s\n", err.text);
}

/* As many bytes of it as there are; gives milliseconds. */
static int64_t
time_of(const char *piece)
{
	struct buf long_text = BUF_INIT, out = BUF_INIT;
	int64_t start;

	while (long_text.len < 1000000)
		buf_addstr(&long_text, piece);
	start = clock_monotonic_ms();
	secrets_text(NULL, long_text.s, long_text.len, &out);
	start = clock_monotonic_ms() - start;
	buf_release(&long_text);
	buf_release(&out);
	return start;
}

static void
contract(void)
{
	text(NULL, "Bearer abc.DEF-1_2 x", "Bearer [REDACTED] x");
	text(NULL, "API_KEY = foo,bar", "API_KEY=[REDACTED],bar");
	text(NULL, "token: a;b password=p secret:  s", "token=[REDACTED];b password=[REDACTED] secret=[REDACTED]");
	text(NULL, "key sk-abcdefgh1 end", "key sk-[REDACTED] end");
	text(NULL, "sk-abcdefgh1-xyz", "sk-[REDACTED]-xyz");
	text(NULL, "token: bearer abc", "token=[REDACTED] [REDACTED]");
	text(NULL, "the secret: be kind", "the secret=[REDACTED] kind");
}

static void
missed_by_it(void)
{
	text(NULL, "my_token=abc DB_PASSWORD=x accessToken: y", "my_token=[REDACTED] DB_PASSWORD=[REDACTED] accessToken=[REDACTED]");
	text(NULL, "{\"password\":\"x y, z\", \"user\": \"u\"}", "{\"password\":\"[REDACTED]\", \"user\": \"u\"}");
	text(NULL, "{\\\"client_secret\\\": \\\"a\\\"}", "{\\\"client_secret\\\": \\\"[REDACTED]\\\"}");
	text(NULL, "{'api-key' => 'v'}", "{'api-key' => '[REDACTED]'}");
	text(
	    NULL, "\"token\": null, \"token\": \"\", \"password\": 1234", "\"token\": null, \"token\": \"\", \"password\": \"[REDACTED]\"");
	text(NULL, "password=\"two words\" next", "password=[REDACTED] next");
	text(NULL, "password='it' isn't", "password=[REDACTED] isn't");
	text(NULL, "Bearer token=abc", "Bearer [REDACTED]");
	text(NULL, "Bearer token=\"a b\" x", "Bearer [REDACTED] x");
	text(NULL, "Bearer aGVsbG8+/w==", "Bearer [REDACTED]");
	text(NULL, "Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [REDACTED]");
	text(NULL, "Authorization: Bearer abc", "Authorization: Bearer [REDACTED]");
	text(NULL, "sk-proj-abcdefghij_-k sk-ant-api03-abcdefgh", "sk-[REDACTED] sk-[REDACTED]");
	text(NULL, "sk-learn-estimators-by-example", "sk-learn-estimators-by-example");
	text(NULL, "AKIAIOSFODNN7EXAMPLE", "AKIA[REDACTED]");
	text(NULL, "AKIAIOSFODNN7EXAMPLE1 xAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE1 xAKIAIOSFODNN7EXAMPLE");
	text(NULL, "AIzaSyA-1234567890abcdefghijklmnopqrstu", "AIza[REDACTED]");
	text(NULL, "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_[REDACTED]");
	text(NULL, "it is agt_abcdefabcdef_0123456789_-23456789012345678901234567890123456789a.", "it is agt_[REDACTED].");
	text(NULL, "github_pat_11ABCDEFG0abcdefghijkl_mnop", "github_pat_[REDACTED]");
	text(NULL, "xoxb-123456789012-abcdef", "xoxb-[REDACTED]");
	text(NULL, "glpat-abcdefghij0123456789 sk_live_abcdefghij12", "glpat-[REDACTED] sk_live_[REDACTED]");
	text(NULL, "eyJhbGciOiJI.eyJzdWIiOiIx.abc-_9", "eyJ[REDACTED]");
	text(NULL, "postgres://me:p@ss@db/x http://h:80/", "postgres://me:[REDACTED]@db/x http://h:80/");
	text(NULL, "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x",
	    "-----BEGIN RSA PRIVATE KEY-----[REDACTED]-----END RSA PRIVATE KEY----- x");
	text(NULL, "-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----[REDACTED]");
	text(NULL, "login --db-password hunter2 -v", "login --db-password [REDACTED] -v");
	text(NULL, "<password>x</password>", "<password>[REDACTED]</password>");
	text(NULL, "pwd=/home/me pwd=geheim", "pwd=/home/me pwd=[REDACTED]");
	text(NULL, "tokens=1, max_tokens: 5, tokenizer=x, token", "tokens=1, max_tokens: 5, tokenizer=x, token");
	text(NULL, "\xf0\x9f\x98\x80token=\xf0\x9f\x98\x80 \xf0\x9f\x98\x80", "\xf0\x9f\x98\x80token=[REDACTED] \xf0\x9f\x98\x80");
	text(NULL, "", "");
}

static void
documents(void)
{
	json(
	    NULL, "{\"a\":1.50,\"b\":\"\\u0041\",\"n\":12345678901234567890}", "{\"a\":1.50,\"b\":\"\\u0041\",\"n\":12345678901234567890}");
	json(NULL, "{\"password\":\"x\",\"token\":7,\"pin\":1,\"user_password\":1234,\"secret\":null}",
	    "{\"password\":\"[REDACTED]\",\"token\":7,\"pin\":1,\"user_password\":\"[REDACTED]\",\"secret\":null}");
	json(NULL, "{\"env\":[\"A=1\",\"API_KEY=x\"],\"m\":\"Bearer abc\"}",
	    "{\"env\":[\"A=1\",\"API_KEY=[REDACTED]\"],\"m\":\"Bearer [REDACTED]\"}");
	json(NULL, "{\"credentials\":{\"a\":\"x\",\"b\":[\"y\",{\"c\":3}]},\"d\":\"z\"}",
	    "{\"credentials\":{\"a\":\"[REDACTED]\",\"b\":[\"[REDACTED]\",{\"c\":\"[REDACTED]\"}]},\"d\":\"z\"}");
	json(NULL, "{\"text\":\"{\\\"password\\\":\\\"x\\\"}\"}", "{\"text\":\"{\\\"password\\\":\\\"[REDACTED]\\\"}\"}");
	json(NULL, "{\"runId\":\"sk-abcdefgh1\",\"x\":\"sk-abcdefgh1\"}", "{\"runId\":\"sk-abcdefgh1\",\"x\":\"sk-[REDACTED]\"}");
	json(NULL, "[{\"runId\":\"r\"},\"sk-abcdefgh1\"]", "[{\"runId\":\"r\"},\"sk-[REDACTED]\"]");
	json(NULL, "{\"x\" : \"\\ud83d\\ude00 token=a\"}", "{\"x\" : \"\xf0\x9f\x98\x80 token=[REDACTED]\"}");
	json(NULL, "{\"sk-abcdefgh1\":true}", "{\"sk-[REDACTED]\":true}");
	json(NULL, "\"token=a\"", "\"token=[REDACTED]\"");
}

static void
files(void)
{
	static const char file[] =
	    "# ours\n\n name customer_ssn\r\npattern corp-[a-z0-9]{8,}\npattern \\d{3}-\\d\\d-\\d{4}\npattern <[^>]+>!!!\npattern ab.?c\\.x+\n";
	struct err err = ERR_INIT;
	struct secrets *secrets = secrets_parse(file, sizeof file - 1, &err);

	ok(secrets != NULL, "a file of rules is read");
	text(secrets, "customerSSN: 1 CUSTOMER-SSN=2", "customerSSN=[REDACTED] CUSTOMER-SSN=[REDACTED]");
	json(secrets, "{\"customer_ssn\":3,\"customerSsn\":\"4\"}", "{\"customer_ssn\":\"[REDACTED]\",\"customerSsn\":\"[REDACTED]\"}");
	text(secrets, "corp-abcdefg corp-abcdefgh9! 078-05-1120", "corp-abcdefg [REDACTED]! [REDACTED]");
	text(secrets, "<\xc3\xa4>!!! <>!!!", "[REDACTED] <>!!!");
	text(secrets,
	    "ab\xf0\x9f\x98\x80"
	    "c.xxx abc.x",
	    "[REDACTED] abc.x");
	secrets_free(secrets);
	secrets_free(NULL);

	wrong("name x\n", "line 1: a name has 3 to 64 characters");
	wrong("name a b c\n", "line 1: a name is letters, digits, '_' and '-'");
	wrong("\nthing x\n", "line 2: expected 'name WORD' or 'pattern SHAPE'");
	wrong("pattern\n", "line 1: expected 'name WORD' or 'pattern SHAPE'");
	wrong("pattern abc\n", "line 1: a pattern that matches less than 4 characters");
	wrong("pattern (abcd|efgh)\n", "line 1: '(' is not known in a pattern: write '\\(' for the sign itself");
	wrong("pattern abcd[a-\n", "line 1: a '[' that nothing closes");
	wrong("pattern abcd[z-a]\n", "line 1: the range z-a is none");
	wrong("pattern abcd{3,2}\n", "line 1: a count that is none: {m}, {m,} or {m,n}, up to 1024");
	wrong("pattern abcd{1025}\n", "line 1: a count that is none: {m}, {m,} or {m,n}, up to 1024");
	wrong("pattern abcd\\q\n", "line 1: '\\q' means nothing here: \\d, \\w, \\s, or a sign");
	wrong("pattern abcd\xc3\xa4\n", "line 1: a character beyond ASCII in a pattern: '.' and [^...] match those");
	wrong("pattern aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "line 1: a pattern of more than 64 pieces");
}

static void
limits(void)
{
	struct buf file = BUF_INIT;
	struct err err = ERR_INIT;
	struct secrets *secrets;
	int i;

	for (i = 0; i < SECRETS_RULES_MAX; i++)
		buf_addf(&file, "name abc%d\n", i);
	secrets = secrets_parse(file.s, file.len, &err);
	ok(secrets != NULL, "as many rules as there may be");
	secrets_free(secrets);
	buf_addstr(&file, "pattern abcde\n");
	wrong(file.s, "line 257: more than 256 rules");
	buf_release(&file);
}

int
main(void)
{
	static const char *const pieces[] = { "token", "token ", "token=\"", "token='\\\"", "password = ", "bearer ", "sk-", "sk-a", "eyJ-",
		"eyJaaaaaaaaaa.", "://a:", "://a:b@", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "AKIA", "xoxb-",
		"authorization: ", "\"token\":1", "--token", "\xc2\xa0", "token\\\"", "a" };
	size_t i;

	contract();
	missed_by_it();
	documents();
	files();
	limits();
	for (i = 0; i < ARRAY_LEN(pieces); i++)
		ok(time_of(pieces[i]) < 2000, "a megabyte of '%s' takes no two seconds", i == 19 ? "no-break spaces" : pieces[i]);
	return done();
}
