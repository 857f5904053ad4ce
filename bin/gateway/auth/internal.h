/* internal.h - what the files of auth/ share */
#ifndef AUTH_INTERNAL_H
#define AUTH_INTERNAL_H

#include <sys/stat.h>

#include "auth/auth.h"
#include "bucket.h"
#include "buf.h"
#include "err.h"
#include "jtext.h"
#include "sha256.h"
#include "token.h"

struct session;

struct principal {
	unsigned refs;
	struct principal *base;	   /* of a session: the token's principal, which has the rest; else NULL */
	struct session *session;   /* of a session that is open */
	char id[TOKEN_ID_LEN + 1]; /* "" for local and operator */
	unsigned char hash[SHA256_BYTES];
	char *user, **workspaces;
	size_t n_workspaces;
	bool everywhere;
	unsigned scopes;
	int64_t expires_ms; /* wall clock */
	bool ended;	    /* revoked, closed */
	struct bucket bucket;
};

#define SESSION_CHAINS 1024 /* a power of two */

struct auth {
	struct auth_settings settings;
	/* the one token of --token-file or the environment */
	unsigned char digest[SHA256_BYTES];
	bool has_token;
	struct principal *local, *operator_;
	/* those of the tokens' file, by id */
	struct principal **principals;
	size_t n_principals;
	bool has_tokens;    /* there is a file, or was one: nobody comes in without a token any more */
	struct stat seen;   /* of the file that was read, or could not be */
	struct err unread;  /* why not; nothing is wrong: it was */
	int64_t read_again; /* and when that is tried again, though the file is the same */
	struct err told;    /* what settings.problem was told last; nothing is wrong: that, or never anything */
	int64_t seen_ms;    /* when it was last looked at for a request */
	int64_t looked_ms;  /* when a stream last had it looked at */
	struct session *chains[SESSION_CHAINS];
	unsigned n_sessions;
	int sessions_fd; /* where they are kept; -1: nowhere */
	char *sessions_file;
	size_t sessions_added;	 /* bytes, since the file was written anew */
	int64_t sessions_again;	 /* monotonic: when to try again then */
	bool sessions_torn;	 /* its last line may be a part of one, or missing */
	struct auth_shelf shelf; /* or where several gateways keep theirs */
};

bool auth_needs_token(const struct auth *auth);

/* principal.c */
struct principal *principal_new(const char *user, unsigned scopes);
/* Reads the tokens again when their file has changed. False: what was read before stays, and err says why. One that could not be read is
 * tried again now and then, and at once when `again`. */
bool principals_refresh(struct auth *auth, bool again, struct err *err) USE_RESULT;
void principals_look(struct auth *auth); /* the same; what is wrong goes to settings.problem, once, and that it is over */
struct principal *principals_by_id(const struct auth *auth, const char *id, size_t n); /* borrowed; NULL: none */
struct principal *principals_find(
    const struct auth *auth, const char *token, size_t n); /* borrowed; NULL: no such token, or it has ended */
void principals_free(struct auth *auth);
bool principal_holds(const struct principal *principal, int64_t now_ms);

/* session.c */
void sessions_free(struct auth *auth);
/* For the other gateways, too; done at once where there are none. */
void session_keep(struct auth *auth, struct principal *principal, auth_put_cb *done, void *deed);
void session_lose(struct auth *auth, const struct request *request, auth_put_cb *done, void *deed); /* that of its cookie */
void session_drop(struct auth *auth, struct principal *principal);				    /* here only */

/* judge.c: who it is, without a word about what it may do. */
enum caller { CALLER_KNOWN, CALLER_UNKNOWN, CALLER_IDLE };
enum caller caller_find(struct auth *auth, struct request *request, struct principal **ret); /* a new reference */
/* Leaves who it is with the request; takes one of its principal's rate. False: *ret_seconds is when to come back. */
void caller_note(struct request *request, struct principal *principal);
bool caller_rate(struct auth *auth, struct principal *principal, unsigned *ret_seconds);

/* names.c: the names that a browser brings */
bool names_host(const struct auth *auth, const struct request *request);
bool names_origin(const struct auth *auth, const struct request *request, bool by_token); /* none, or an allowed one */
/* For cookies: Origin or Referer must be there. */
enum names_origin { ORIGIN_GOOD, ORIGIN_MISSING, ORIGIN_WRONG };
enum names_origin names_own_origin(const struct auth *auth, const struct request *request);

#endif
