/* test_token.c - tokens in their file's form, and the bucket that limits their rate */
#include "compat.h"

#include "bucket.h"
#include "buf.h"
#include "err.h"
#include "status.h"
#include "tap.h"
#include "token.h"

#define HASH "\"hash\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
#define REST "\"user\":\"ann\",\"workspaces\":[\"acme\"],\"scopes\":[\"read\"],\"createdAt\":\"2026-01-01T00:00:00.000Z\""

static void
refused(const char *text, const char *why)
{
	struct tokens tokens = TOKENS_INIT;
	struct err err = ERR_INIT;

	ok(!tokens_parse(&tokens, text, strlen(text), &err), "refused: %s", why);
	is_str(err.text, why, "why");
	is_int(err.status, STATUS_CONFIG, "as configuration");
	tokens_release(&tokens);
}

static void
test_file(void)
{
	static const char good[] = "{\"id\":\"0123456789ab\"," HASH "," REST ",\"expiresAt\":null,\"more\":1}\n\n"
				   "{\"id\":\"0123456789ac\"," HASH
				   ",\"user\":\"b\",\"workspaces\":[\"*\",\"x\"],\"scopes\":[],\"createdAt\":\"2026-01-01T00:00:00Z\","
				   "\"expiresAt\":\"2026-01-01T00:00:01Z\",\"revokedAt\":\"2026-01-01T00:00:02Z\"}";
	struct tokens tokens = TOKENS_INIT;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct token *token;

	ok(tokens_parse(&tokens, good, strlen(good), &err) && tokens.n == 2, "two records, an empty line, no last newline");
	token = tokens_find(&tokens, "0123456789ab", 12);
	ok(token && !token->everywhere && token->n_workspaces == 1 && token->scopes == TOKEN_READ && token->expires_ms == TOKEN_NEVER &&
		token->revoked_ms == TOKEN_NEVER,
	    "the first one");
	token_add_members(token, true, &text);
	is_buf(&text, "\"id\":\"0123456789ab\"," HASH "," REST ",\"expiresAt\":null", "is written as it was");
	token = tokens_find(&tokens, "0123456789ac", 12);
	ok(token && token->everywhere && token->n_workspaces == 1 && token->scopes == 0 && token->expires_ms < token->revoked_ms,
	    "the second one");
	ok(!tokens_find(&tokens, "0123456789a", 11) && !tokens_find(&tokens, "0123456789ad", 12), "others are not there");
	tokens_release(&tokens);
	buf_release(&text);
	refused("{\"id\":\"0123456789ab\"," HASH "," REST "}\n{\"id\":\"0123456789ab\"," HASH "," REST "}",
	    "line 2: an id that was there already");
	refused("{\"id\":\"0123456789aB\"," HASH "," REST "}", "line 1: id");
	refused("{\"id\":\"0123456789ab\",\"hash\":\"00\"," REST "}", "line 1: hash");
	refused("\n[]", "line 2: no object");
	refused("{\"id\":\"0123456789ab\"," HASH
		",\"user\":\"a\\u0000b\",\"workspaces\":[],\"scopes\":[],\"createdAt\":\"2026-01-01T00:00:00Z\"}",
	    "line 1: user");
	refused("{\"id\":\"0123456789ab\"," HASH
		",\"user\":\"a\",\"workspaces\":[\"\"],\"scopes\":[],\"createdAt\":\"2026-01-01T00:00:00Z\"}",
	    "line 1: workspaces or scopes");
	refused("{\"id\":\"0123456789ab\"," HASH
		",\"user\":\"a\",\"workspaces\":[],\"scopes\":[\"root\"],\"createdAt\":\"2026-01-01T00:00:00Z\"}",
	    "line 1: workspaces or scopes");
	refused("{\"id\":\"0123456789ab\"," HASH "," REST ",\"expiresAt\":5}", "line 1: a time");
	refused("{\"id\":\"0123456789ab\"," HASH ",\"user\":\"a\",\"workspaces\":[],\"scopes\":[]}", "line 1: a time");
}

static void
test_add(void)
{
	char *workspaces[TOKEN_WORKSPACES_MAX + 1], name[TOKEN_NAME_MAX + 2];
	struct tokens tokens = TOKENS_INIT;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	unsigned char hash[SHA256_BYTES];
	struct token *token;
	struct span id;
	size_t i;

	token = tokens_add(&tokens, "ann", NULL, 0, TOKEN_ALL, 1000, TOKEN_NEVER, &text, &err);
	sha256(text.s, text.len, hash);
	ok(token && token->everywhere && text.len == TOKEN_LEN && sha256_equal(hash, token->hash),
	    "a new one is good everywhere, and known by its hash");
	ok(token_looks(text.s, text.len, &id) && tokens_find(&tokens, id.s, id.n) == token, "it says which one it is");
	ok(!token_looks(text.s, text.len - 1, &id) && !token_looks("agt_0123456789aX_", 17, &id), "other texts do not");
	memset(name, 'n', sizeof name);
	name[TOKEN_NAME_MAX] = '\0';
	buf_reset(&text);
	ok(tokens_add(&tokens, name, NULL, 0, 0, 0, TOKEN_NEVER, &text, &err) != NULL, "a name of the greatest length");
	name[TOKEN_NAME_MAX] = 'n';
	name[TOKEN_NAME_MAX + 1] = '\0';
	ok(!tokens_add(&tokens, name, NULL, 0, 0, 0, TOKEN_NEVER, &text, &err) && err.status == STATUS_USAGE, "one byte more");
	for (i = 0; i <= TOKEN_WORKSPACES_MAX; i++)
		workspaces[i] = (char *)(uintptr_t) "w";
	buf_reset(&text);
	ok(tokens_add(&tokens, "a", workspaces, TOKEN_WORKSPACES_MAX, 0, 0, TOKEN_NEVER, &text, &err) != NULL,
	    "as many workspaces as may be");
	ok(!tokens_add(&tokens, "a", workspaces, TOKEN_WORKSPACES_MAX + 1, 0, 0, TOKEN_NEVER, &text, &err) && tokens.n == 3,
	    "one more is too many, and nothing is added");
	tokens_release(&tokens);
	buf_release(&text);
}

static void
test_bucket(void)
{
	struct bucket bucket = { 0 };
	int64_t wait, now = 5000000;
	int i, taken = 0;

	while (bucket_take(&bucket, 10, 5, now, &wait))
		taken++;
	is_int(taken, 5, "a full bucket has its burst");
	is_int(wait, 100, "then one comes every tenth of a second");
	ok(!bucket_take(&bucket, 10, 5, now + 99, &wait) && wait == 1, "not before");
	ok(bucket_take(&bucket, 10, 5, now + 100, &wait), "but then");
	ok(!bucket_take(&bucket, 10, 5, now + 50, &wait) && wait == 100, "a clock that goes back gives nothing");
	for (i = 0, taken = 0; i < 10000; i++)
		taken += bucket_take(&bucket, 10, 5, now + 100 + i, &wait);
	is_int(taken, 99, "in ten seconds a hundred less the last moment, however often one asks");
	for (taken = 0; bucket_take(&bucket, 10, 5, now + INT64_MAX / 2, &wait);)
		taken++;
	is_int(taken, 5, "after ages it is full, not more");
	bucket = (struct bucket){ 0 };
	for (taken = 0; bucket_take(&bucket, BUCKET_RATE_MAX, BUCKET_RATE_MAX, 0, &wait);)
		taken++;
	is_int(taken, BUCKET_RATE_MAX, "the greatest of all");
	bucket = (struct bucket){ 0 };
	ok(bucket_take(&bucket, 1, 1, 1, &wait) && !bucket_take(&bucket, 1, 1, 1, &wait) && wait == 1000, "the smallest");
}

int
main(void)
{
	test_file();
	test_add();
	test_bucket();
	return done();
}
