/* principal.c - who asks: the users of the tokens' file, and the two that need none of it */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/internal.h"
#include "clock.h"
#include "err.h"
#include "status.h"
#include "xalloc.h"

#define UNREAD_MS 1000 /* between two tries to read a file of tokens that could not be read */

struct principal *
principal_new(const char *user, unsigned scopes)
{
	struct principal *principal = xcalloc(1, sizeof *principal);

	principal->refs = 1;
	principal->user = xstrdup(user);
	principal->scopes = scopes;
	principal->everywhere = true;
	principal->expires_ms = TOKEN_NEVER;
	return principal;
}

struct principal *
principal_ref(struct principal *principal)
{
	principal->refs++;
	return principal;
}

void
principal_unref(struct principal *principal)
{
	size_t i;

	if (!principal || --principal->refs)
		return;
	principal_unref(principal->base);
	for (i = 0; i < principal->n_workspaces; i++)
		free(principal->workspaces[i]);
	free(principal->workspaces);
	free(principal->user);
	free(principal);
}

/* ---- what it is */

static const struct principal *
root(const struct principal *principal)
{
	return principal->base ? principal->base : principal;
}

const char *
principal_user(const struct principal *principal)
{
	return root(principal)->user;
}

const char *
principal_token(const struct principal *principal)
{
	return root(principal)->id;
}

bool
principal_may(const struct principal *principal, unsigned scopes)
{
	return (root(principal)->scopes & scopes) == scopes;
}

bool
principal_everywhere(const struct principal *principal)
{
	return root(principal)->everywhere;
}

size_t
principal_workspaces(const struct principal *principal)
{
	return root(principal)->n_workspaces;
}

const char *
principal_workspace(const struct principal *principal, size_t i)
{
	return root(principal)->workspaces[i];
}

bool
principal_member(const struct principal *principal, const char *workspace, size_t n)
{
	const struct principal *p = root(principal);
	size_t i;

	for (i = 0; i < p->n_workspaces; i++)
		if (strlen(p->workspaces[i]) == n && !memcmp(p->workspaces[i], workspace, n))
			return true;
	return p->everywhere;
}

bool
principal_holds(const struct principal *principal, int64_t now_ms)
{
	if (principal->ended || principal->expires_ms <= now_ms)
		return false;
	return !principal->base || principal_holds(principal->base, now_ms);
}

/* ---- the file */

static int
compare(const void *a, const void *b)
{
	return strcmp((*(struct principal *const *)a)->id, (*(struct principal *const *)b)->id);
}

static struct principal *
of_token(struct token *token)
{
	struct principal *principal = principal_new(token->user, token->scopes);

	memcpy(principal->id, token->id, sizeof principal->id);
	memcpy(principal->hash, token->hash, sizeof principal->hash);
	principal->everywhere = token->everywhere;
	principal->expires_ms = token->expires_ms;
	principal->ended = token->revoked_ms != TOKEN_NEVER;
	principal->workspaces = token->workspaces; /* they change hands */
	principal->n_workspaces = token->n_workspaces;
	token->workspaces = NULL;
	token->n_workspaces = 0;
	return principal;
}

static bool
same(const struct principal *a, const struct principal *b)
{
	size_t i;

	if (strcmp(a->user, b->user) || a->scopes != b->scopes || a->everywhere != b->everywhere || a->expires_ms != b->expires_ms ||
	    a->n_workspaces != b->n_workspaces || memcmp(a->hash, b->hash, sizeof a->hash))
		return false;
	for (i = 0; i < a->n_workspaces; i++)
		if (strcmp(a->workspaces[i], b->workspaces[i]))
			return false;
	return true;
}

/* What has not changed stays the same principal, with its rate and its sessions; all others have ended. */
static void
take_over(struct auth *auth, struct tokens *tokens)
{
	struct principal **fresh = xcalloc(tokens->n, sizeof *fresh), **found;
	size_t i;

	for (i = 0; i < tokens->n; i++)
		fresh[i] = of_token(&tokens->items[i]);
	if (tokens->n)
		qsort(fresh, tokens->n, sizeof *fresh, compare);
	for (i = 0; i < auth->n_principals; i++) {
		struct principal *old = auth->principals[i];

		found = tokens->n ? bsearch(&old, fresh, tokens->n, sizeof *fresh, compare) : NULL;
		if (found && same(old, *found)) {
			old->ended = (*found)->ended;
			principal_unref(*found);
			*found = old;
		} else {
			old->ended = true;
			principal_unref(old);
		}
	}
	free(auth->principals);
	auth->principals = fresh;
	auth->n_principals = tokens->n;
}

bool
principals_refresh(struct auth *auth, bool again, struct err *err)
{
	struct tokens tokens = TOKENS_INIT;
	struct stat now;
	bool ok;

	if (!auth->settings.tokens_file)
		return true;
	memset(&now, 0, sizeof now);
	if (stat(auth->settings.tokens_file, &now) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_errno(err, STATUS_CONFIG, "unable to look at '%s'", auth->settings.tokens_file);
	if (tokens_same_file(&now, &auth->seen)) {
		if (!auth->unread.status)
			return true;
		if (!again && deadline_left(auth->read_again)) {
			*err = auth->unread;
			return false;
		}
	}
	auth->seen = now;
	ok = tokens_read(&tokens, auth->settings.tokens_file, err);
	auth->unread = *err;
	auth->read_again = deadline_in(UNREAD_MS);
	if (ok) {
		auth->unread = (struct err)ERR_INIT;
		/* a file that goes takes its tokens along, and opens nothing */
		auth->has_tokens = auth->has_tokens || tokens.found;
		take_over(auth, &tokens);
	}
	tokens_release(&tokens);
	return ok;
}

void
principals_look(struct auth *auth)
{
	struct err err = ERR_INIT, told = ERR_INIT;
	int64_t now = clock_monotonic_ms();

	/* requests that come together need one look */
	if (now == auth->seen_ms)
		return;
	auth->seen_ms = now;
	if (!principals_refresh(auth, false, &err))
		err_set(&told, err.status, "%s; the tokens that were read before stay", err.text);
	else if (auth->told.status)
		err_set(&told, STATUS_OK, "the tokens '%s' can be read again", auth->settings.tokens_file);
	/* a file that stays wrong is so for every request */
	if (told.status == auth->told.status && (!told.status || !strcmp(told.text, auth->told.text)))
		return;
	auth->told = told;
	if (auth->settings.problem)
		auth->settings.problem(&told, auth->settings.problem_payload);
}

struct principal *
principals_by_id(const struct auth *auth, const char *id, size_t n)
{
	struct principal key, *at = &key, **found;

	if (!auth->n_principals || n != TOKEN_ID_LEN)
		return NULL;
	memcpy(key.id, id, TOKEN_ID_LEN);
	key.id[TOKEN_ID_LEN] = '\0';
	found = bsearch(&at, auth->principals, auth->n_principals, sizeof at, compare);
	return found ? *found : NULL;
}

struct principal *
principals_find(const struct auth *auth, const char *token, size_t n)
{
	struct principal *principal;
	unsigned char hash[SHA256_BYTES];
	struct span id;

	if (!token_looks(token, n, &id))
		return NULL;
	principal = principals_by_id(auth, id.s, id.n);
	if (!principal)
		return NULL;
	sha256(token, n, hash);
	return sha256_equal(hash, principal->hash) && principal_holds(principal, clock_wall_ms()) ? principal : NULL;
}

void
principals_free(struct auth *auth)
{
	size_t i;

	for (i = 0; i < auth->n_principals; i++)
		principal_unref(auth->principals[i]);
	free(auth->principals);
	principal_unref(auth->local);
	principal_unref(auth->operator_);
}
