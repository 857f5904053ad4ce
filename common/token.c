/* token.c - the tokens of a gateway */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base64.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "key.h"
#include "statedir.h"
#include "status.h"
#include "token.h"
#include "utf8.h"
#include "xalloc.h"

#define LOCK_MS 10000
#define LOCK_LOOK_MS 20

static const struct {
	const char *name;
	unsigned bit;
} scopes[] = { { "read", TOKEN_READ }, { "write", TOKEN_WRITE }, { "admin", TOKEN_ADMIN } };

unsigned
token_scope(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(scopes); i++)
		if (n == strlen(scopes[i].name) && !memcmp(s, scopes[i].name, n))
			return scopes[i].bit;
	return 0;
}

void
token_add_scopes(struct buf *to, unsigned given)
{
	const char *comma = "";
	size_t i;

	buf_addch(to, '[');
	for (i = 0; i < ARRAY_LEN(scopes); i++)
		if (given & scopes[i].bit) {
			buf_addf(to, "%s\"%s\"", comma, scopes[i].name);
			comma = ",";
		}
	buf_addch(to, ']');
}

static bool
is_hex(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
	return true;
}

bool
token_looks(const char *s, size_t n, struct span *ret_id)
{
	if (n != TOKEN_LEN || memcmp(s, TOKEN_PREFIX, 4) || s[4 + TOKEN_ID_LEN] != '_' || !is_hex(s + 4, TOKEN_ID_LEN))
		return false;
	*ret_id = (struct span){ s + 4, TOKEN_ID_LEN };
	return true;
}

/* A name stands in records, logs and answers. */
static bool
good_name(const char *s, size_t n)
{
	size_t i;

	if (!n || n > TOKEN_NAME_MAX || !utf8_valid(s, n))
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

static void
token_release(struct token *token)
{
	size_t i;

	for (i = 0; i < token->n_workspaces; i++)
		free(token->workspaces[i]);
	free(token->workspaces);
	free(token->user);
}

void
tokens_release(struct tokens *tokens)
{
	size_t i;

	for (i = 0; i < tokens->n; i++)
		token_release(&tokens->items[i]);
	free(tokens->items);
	*tokens = (struct tokens)TOKENS_INIT;
}

struct token *
tokens_find(const struct tokens *tokens, const char *id, size_t n)
{
	size_t i;

	for (i = 0; i < tokens->n; i++)
		if (n == TOKEN_ID_LEN && !memcmp(tokens->items[i].id, id, n))
			return &tokens->items[i];
	return NULL;
}

static struct token *
append(struct tokens *tokens)
{
	struct token *token;

	tokens->items = xgrow(tokens->items, tokens->n, sizeof *tokens->items);
	token = &tokens->items[tokens->n++];
	memset(token, 0, sizeof *token);
	token->expires_ms = token->revoked_ms = TOKEN_NEVER;
	return token;
}

static bool
add_workspace(struct token *token, const char *s, size_t n)
{
	if (n == 1 && *s == '*') {
		token->everywhere = true;
		return true;
	}
	if (!good_name(s, n) || token->n_workspaces == TOKEN_WORKSPACES_MAX)
		return false;
	token->workspaces = xgrow(token->workspaces, token->n_workspaces, sizeof *token->workspaces);
	token->workspaces[token->n_workspaces++] = xmemdup0(s, n);
	return true;
}

/* ---- the file */

void
token_add_hash(struct buf *to, const unsigned char hash[SHA256_BYTES])
{
	size_t i;

	for (i = 0; i < SHA256_BYTES; i++)
		buf_addf(to, "%02x", hash[i]);
}

bool
token_read_hash(const struct buf *hex, unsigned char hash[SHA256_BYTES])
{
	size_t i;

	if (hex->len != 2 * SHA256_BYTES || !is_hex(hex->s, hex->len))
		return false;
	for (i = 0; i < hex->len; i++) {
		unsigned digit = (unsigned)(hex->s[i] <= '9' ? hex->s[i] - '0' : hex->s[i] - 'a' + 10);

		hash[i / 2] = (unsigned char)(i % 2 ? hash[i / 2] | digit : digit << 4);
	}
	return true;
}

/* A time, or null or nothing: never. */
static bool
read_time(struct span record, const char *key, int64_t *ret)
{
	struct buf text = BUF_INIT;
	struct span value;
	bool ok = true;

	*ret = TOKEN_NEVER;
	if (jtext_get(record, key, &value) && jtext_type(value) != JTEXT_NULL)
		ok = jtext_string(value, &text) && clock_parse_iso(text.s, text.len, ret);
	buf_release(&text);
	return ok;
}

static bool
read_lists(struct span record, struct token *token)
{
	struct span list, value, key;
	struct buf text = BUF_INIT;
	size_t pos;
	bool ok = jtext_get(record, "workspaces", &list) && jtext_type(list) == JTEXT_ARRAY;

	for (pos = 0; ok && jtext_each(list, &pos, &key, &value); buf_reset(&text))
		ok = jtext_string(value, &text) && add_workspace(token, text.s, text.len);
	ok = ok && jtext_get(record, "scopes", &list) && jtext_type(list) == JTEXT_ARRAY;
	for (pos = 0; ok && jtext_each(list, &pos, &key, &value); buf_reset(&text)) {
		unsigned bit = jtext_string(value, &text) ? token_scope(text.s, text.len) : 0;

		ok = bit != 0;
		token->scopes |= bit;
	}
	buf_release(&text);
	return ok;
}

/* What is wrong with the record; NULL: nothing. */
static const char *
read_record(struct span record, struct tokens *tokens)
{
	struct token *token;
	struct buf id = BUF_INIT, hash = BUF_INIT, user = BUF_INIT;
	const char *wrong = NULL;

	if (tokens->n == TOKENS_MAX)
		return "one token too many";
	if (!jtext_get_string(record, "id", &id) || id.len != TOKEN_ID_LEN || !is_hex(id.s, id.len))
		wrong = "id";
	else if (tokens_find(tokens, id.s, id.len))
		wrong = "an id that was there already";
	token = append(tokens);
	if (!wrong)
		memcpy(token->id, id.s, TOKEN_ID_LEN);
	if (!wrong && (!jtext_get_string(record, "hash", &hash) || !token_read_hash(&hash, token->hash)))
		wrong = "hash";
	if (!wrong && (!jtext_get_string(record, "user", &user) || !good_name(user.s, user.len)))
		wrong = "user";
	if (!wrong)
		token->user = xmemdup0(user.s, user.len);
	if (!wrong && !read_lists(record, token))
		wrong = "workspaces or scopes";
	if (!wrong &&
	    (!read_time(record, "createdAt", &token->created_ms) || token->created_ms == TOKEN_NEVER ||
		!read_time(record, "expiresAt", &token->expires_ms) || !read_time(record, "revokedAt", &token->revoked_ms)))
		wrong = "a time";
	buf_release(&id);
	buf_release(&hash);
	buf_release(&user);
	return wrong;
}

bool
tokens_parse(struct tokens *tokens, const char *s, size_t n, struct err *err)
{
	const char *end = s + n, *eol;
	struct span record;
	const char *wrong;
	size_t line = 0;

	for (; s < end; s = eol + (eol < end)) {
		eol = memchr(s, '\n', (size_t)(end - s));
		if (!eol)
			eol = end;
		line++;
		if (eol == s)
			continue;
		if (!jtext_check(s, (size_t)(eol - s), true, &record, err)) {
			err->status = STATUS_CONFIG;
			return err_prefix(err, "line %zu", line);
		}
		wrong = jtext_type(record) == JTEXT_OBJECT ? read_record(record, tokens) : "no object";
		if (wrong)
			return err_set(err, STATUS_CONFIG, "line %zu: %s", line, wrong);
	}
	return true;
}

bool
tokens_same_file(const struct stat *now, const struct stat *then)
{
	return now->st_ino == then->st_ino && now->st_dev == then->st_dev && now->st_size == then->st_size &&
	    now->st_mtim.tv_sec == then->st_mtim.tv_sec && now->st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

bool
tokens_read(struct tokens *tokens, const char *file, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok;

	tokens_release(tokens);
	if (access(file, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	ok = buf_read_file(&text, file, TOKENS_FILE_MAX, err);
	if (!ok)
		err->status = STATUS_CONFIG;
	else if (!tokens_parse(tokens, text.s, text.len, err))
		ok = err_prefix(err, "unable to use the tokens '%s'", file);
	tokens->found = true;
	if (!ok)
		tokens_release(tokens);
	buf_release(&text);
	return ok;
}

static void
add_time(struct buf *to, const char *key, int64_t ms)
{
	if (ms == TOKEN_NEVER)
		jtext_add_null(to, key);
	else
		jtext_add_time(to, key, ms);
}

void
token_add_members(const struct token *token, bool hash, struct buf *to)
{
	struct buf text = BUF_INIT;
	size_t i;

	jtext_add_string(to, "id", token->id, TOKEN_ID_LEN);
	if (hash)
		token_add_hash(&text, token->hash);
	if (hash)
		jtext_add_buf(to, "hash", &text);
	jtext_add_text(to, "user", token->user);
	buf_reset(&text);
	buf_addch(&text, '[');
	if (token->everywhere)
		buf_addstr(&text, "\"*\"");
	for (i = 0; i < token->n_workspaces; i++) {
		if (text.len > 1)
			buf_addch(&text, ',');
		jtext_quote(&text, token->workspaces[i], strlen(token->workspaces[i]));
	}
	buf_addch(&text, ']');
	jtext_add_raw(to, "workspaces", text.s, text.len);
	buf_reset(&text);
	token_add_scopes(&text, token->scopes);
	jtext_add_raw(to, "scopes", text.s, text.len);
	add_time(to, "createdAt", token->created_ms);
	add_time(to, "expiresAt", token->expires_ms);
	if (token->revoked_ms != TOKEN_NEVER)
		add_time(to, "revokedAt", token->revoked_ms);
	buf_release(&text);
}

bool
tokens_write(const struct tokens *tokens, const char *file, struct err *err)
{
	struct buf text = BUF_INIT, temp = BUF_INIT;
	size_t i;
	int fd;
	bool ok;

	for (i = 0; i < tokens->n; i++) {
		buf_addch(&text, '{');
		token_add_members(&tokens->items[i], true, &text);
		buf_addstr(&text, "}\n");
	}
	buf_addf(&temp, "%s.new", file); /* one writer at a time: the lock */
	fd = open(temp.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		statedir_give(fd, file);
	ok = fd >= 0 && buf_write_fd(&text, fd) == text.len && fsync(fd) == 0; /* on the disk */
	ok = (fd < 0 || close(fd) == 0) && ok && rename(temp.s, file) == 0;
	if (!ok) {
		err_errno(err, STATUS_IO, "unable to write '%s'", file);
		if (fd >= 0)
			unlink(temp.s);
	}
	buf_release(&text);
	buf_release(&temp);
	return ok;
}

int
tokens_lock(const char *file, struct err *err)
{
	int64_t deadline = deadline_in(LOCK_MS);
	struct buf path = BUF_INIT;
	int fd;

	buf_addf(&path, "%s.lock", file);
	fd = open(path.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err_errno(err, STATUS_IO, "unable to create '%s'", path.s);
	else
		statedir_give(fd, path.s);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			err_errno(err, STATUS_IO, "unable to lock '%s'", path.s);
		else if (!deadline_left(deadline))
			err_set(err, STATUS_CONFLICT, "unable to lock '%s': another command holds it", path.s);
		else {
			poll(NULL, 0, LOCK_LOOK_MS);
			continue;
		}
		close(fd);
		fd = -1;
	}
	buf_release(&path);
	return fd;
}

/* ---- a new one */

struct token *
tokens_add(struct tokens *tokens, const char *user, char *const *workspaces, size_t n_workspaces, unsigned given, int64_t now_ms,
    int64_t expires_ms, struct buf *ret_token, struct err *err)
{
	unsigned char secret[32];
	struct buf id = BUF_INIT;
	struct token *token;
	size_t i, start = ret_token->len;

	if (!good_name(user, strlen(user))) {
		err_set(err, STATUS_USAGE, "unable to use this name of a user: expected 1 to %d bytes of UTF-8 without control characters",
		    TOKEN_NAME_MAX);
		return NULL;
	}
	if (tokens->n == TOKENS_MAX) {
		err_set(err, STATUS_CONFLICT, "unable to add a token: there are %d already", TOKENS_MAX);
		return NULL;
	}
	do {
		buf_reset(&id);
		key_add_hex(&id, TOKEN_ID_LEN / 2);
	} while (tokens_find(tokens, id.s, id.len));
	token = append(tokens);
	for (i = 0; i < n_workspaces; i++)
		if (!add_workspace(token, workspaces[i], strlen(workspaces[i]))) {
			err_set(err, STATUS_USAGE,
			    "unable to use this workspace: expected at most %d, each of 1 to %d bytes of UTF-8 without control characters",
			    TOKEN_WORKSPACES_MAX, TOKEN_NAME_MAX);
			token_release(token);
			tokens->n--;
			buf_release(&id);
			return NULL;
		}
	if (!n_workspaces)
		token->everywhere = true;
	memcpy(token->id, id.s, TOKEN_ID_LEN);
	token->user = xstrdup(user);
	token->scopes = given;
	token->created_ms = now_ms;
	token->expires_ms = expires_ms;
	key_random(secret, sizeof secret);
	buf_addf(ret_token, TOKEN_PREFIX "%s_", id.s);
	base64_add_url(ret_token, secret, sizeof secret);
	sha256(ret_token->s + start, ret_token->len - start, token->hash);
	memset(secret, 0, sizeof secret);
	buf_release(&id);
	return token;
}
