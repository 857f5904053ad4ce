/* token.h - the tokens of a gateway: hashed, each with a user, workspaces, scopes and an end, in a file of one record a line
 *
 * A token is "agt_" ID "_" SECRET: 12 hexadecimal digits that say which one it is, and 256 random bits in base64url. The file holds its
 * SHA-256 and never the token:
 *   {"id","hash","user","workspaces":["acme"]|["*"],"scopes":["read","write","admin"],"createdAt","expiresAt":TIME|null,"revokedAt"?}
 * It is written whole under another name and renamed, so a reader sees all of it or the one before. Who changes it holds its lock.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include "compat.h"
#include "jtext.h"
#include "sha256.h"

struct buf;
struct err;
struct stat;

#define TOKEN_PREFIX "agt_"
#define TOKEN_ID_LEN 12
#define TOKEN_SECRET_LEN 43
#define TOKEN_LEN (4 + TOKEN_ID_LEN + 1 + TOKEN_SECRET_LEN)
#define TOKENS_MAX 10000
#define TOKENS_FILE_MAX (16u << 20) /* bytes */
#define TOKEN_NAME_MAX 200	    /* bytes of a user's or a workspace's name */
#define TOKEN_WORKSPACES_MAX 100
#define TOKEN_NEVER INT64_MAX

enum token_scope { TOKEN_READ = 1, TOKEN_WRITE = 2, TOKEN_ADMIN = 4, TOKEN_ALL = 7 };

struct token {
	char id[TOKEN_ID_LEN + 1];
	unsigned char hash[SHA256_BYTES];
	char *user, **workspaces;
	size_t n_workspaces;
	bool everywhere; /* every workspace: "*" */
	unsigned scopes;
	int64_t created_ms; /* wall clock */
	int64_t expires_ms; /* TOKEN_NEVER */
	int64_t revoked_ms; /* TOKEN_NEVER: it is not */
};

struct tokens {
	struct token *items; /* in the order of the file */
	size_t n;
	bool found; /* there is a file, even an empty one */
};

#define TOKENS_INIT                                                                                                                        \
	{                                                                                                                                  \
		NULL, 0, false                                                                                                             \
	}

/* Replaces what is in tokens. No file is no error. Errors: STATUS_CONFIG with file and line. */
bool tokens_read(struct tokens *tokens, const char *file, struct err *err) USE_RESULT;

/* Is it the file as it was then? It is replaced as a whole, so a look at its stat() tells. */
bool tokens_same_file(const struct stat *now, const struct stat *then);
bool tokens_parse(struct tokens *tokens, const char *s, size_t n, struct err *err) USE_RESULT; /* adds; err names the line only */
bool tokens_write(const struct tokens *tokens, const char *file, struct err *err) USE_RESULT;  /* mode 0600, synced */
void tokens_release(struct tokens *tokens);

/* Waits until nobody else changes the file, at most 10 s (STATUS_CONFLICT). Close the descriptor to let go. -1: err is filled. */
int tokens_lock(const char *file, struct err *err);

/* Adds a token whose user, workspaces ("*" for every one; none is "*" too), scopes and end are given; appends the token itself, which
 * is nowhere else. Errors: STATUS_USAGE for a name that cannot be, STATUS_CONFLICT when there are TOKENS_MAX. */
struct token *tokens_add(struct tokens *tokens, const char *user, char *const *workspaces, size_t n_workspaces, unsigned scopes,
    int64_t now_ms, int64_t expires_ms, struct buf *ret_token, struct err *err);

struct token *tokens_find(const struct tokens *tokens, const char *id, size_t n); /* NULL: none */

/* Is this what a token looks like? Then *ret_id is its id. */
bool token_looks(const char *s, size_t n, struct span *ret_id);

/* The token's members as a record's, without braces and without the hash unless asked for. */
void token_add_members(const struct token *token, bool hash, struct buf *to);

/* A hash as 64 lower-case hexadecimal digits, and back. */
void token_add_hash(struct buf *to, const unsigned char hash[SHA256_BYTES]);
bool token_read_hash(const struct buf *hex, unsigned char hash[SHA256_BYTES]) USE_RESULT;

/* "read", "write" or "admin"; 0: none of them. */
unsigned token_scope(const char *s, size_t n);
void token_add_scopes(struct buf *to, unsigned scopes); /* ["read","write"] */

#endif
