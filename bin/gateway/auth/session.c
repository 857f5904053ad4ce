/* session.c - cookie sessions: a browser's stand-in for a token (Compass contract section 3) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "auth/internal.h"
#include "base64.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "key.h"
#include "status.h"
#include "xalloc.h"

#define COOKIE "__Host-compass_session"
#define ATTRIBUTES "; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age="

struct session {
	unsigned char hash[SHA256_BYTES]; /* of the cookie's value, which is nowhere */
	struct principal *principal;	  /* its own; base: the token's */
	int64_t used_ms;
	struct session *next;
};

static struct session **
chain_of(struct auth *auth, const unsigned char *hash)
{
	return &auth->chains[((unsigned)hash[0] << 8 | hash[1]) & (SESSION_CHAINS - 1)];
}

static void
end(struct auth *auth, struct session **at)
{
	struct session *session = *at;

	*at = session->next;
	auth->n_sessions--;
	session->principal->ended = true;
	session->principal->session = NULL;
	principal_unref(session->principal);
	free(session);
}

static bool
is_idle(const struct auth *auth, const struct session *session, int64_t now)
{
	return now - session->used_ms > auth->settings.session_idle_ms;
}

/* Those that are over make room. One that was idle too long is told so until its time is over. */
static void
sweep(struct auth *auth, int64_t now)
{
	struct session **at;
	size_t i;

	for (i = 0; i < SESSION_CHAINS; i++)
		for (at = &auth->chains[i]; *at;)
			if (principal_holds((*at)->principal, now))
				at = &(*at)->next;
			else
				end(auth, at);
}

/* The cookie's value, decoded. False: there is none, or nothing in it. */
static bool
read_cookie(const struct request *request, struct buf *to)
{
	const char *s = request_header(request, "cookie"), *stop;
	size_t name = strlen(COOKIE);

	for (; s && *s; s = *stop ? stop + 1 : stop) {
		s += strspn(s, " \t");
		stop = s + strcspn(s, ";");
		if ((size_t)(stop - s) <= name || memcmp(s, COOKIE, name) || s[name] != '=')
			continue;
		s += name + 1;
		while (stop > s && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		if (!server_decode_segment(s, (size_t)(stop - s), to))
			buf_addstr(to, "?"); /* it cannot be one of ours, but it is there */
		return to->len > 0;
	}
	return false;
}

static struct session **
find(struct auth *auth, const struct request *request)
{
	struct buf value = BUF_INIT;
	unsigned char hash[SHA256_BYTES];
	struct session **at = NULL;

	if (read_cookie(request, &value)) {
		sha256(value.s, value.len, hash);
		for (at = chain_of(auth, hash); *at && !sha256_equal((*at)->hash, hash); at = &(*at)->next)
			;
	}
	buf_release(&value);
	return at && *at ? at : NULL;
}

bool
caller_has_cookie(const struct auth *auth, const struct request *request)
{
	struct buf value = BUF_INIT;
	bool has = read_cookie(request, &value);

	(void)auth;
	buf_release(&value);
	return has;
}

bool
auth_session_open(struct auth *auth, struct principal *principal, struct buf *ret_set_cookie, struct err *err)
{
	struct principal *base = principal->base ? principal->base : principal;
	int64_t now = clock_wall_ms();
	struct session *session, **chain;
	struct buf value = BUF_INIT;
	unsigned char secret[32];

	if (auth->n_sessions >= AUTH_SESSIONS_MAX)
		sweep(auth, now);
	if (auth->n_sessions >= AUTH_SESSIONS_MAX)
		return err_set(err, STATUS_RETRY, "unable to open a session: %d are open", AUTH_SESSIONS_MAX);
	session = xcalloc(1, sizeof *session);
	session->principal = xcalloc(1, sizeof *session->principal);
	session->principal->refs = 1;
	session->principal->base = principal_ref(base);
	session->principal->session = session;
	session->principal->expires_ms = now + auth->settings.session_ms;
	session->used_ms = now;
	key_random(secret, sizeof secret);
	base64_add_url(&value, secret, sizeof secret);
	sha256(value.s, value.len, session->hash);
	chain = chain_of(auth, session->hash);
	session->next = *chain;
	*chain = session;
	auth->n_sessions++;
	buf_addf(ret_set_cookie, COOKIE "=%s" ATTRIBUTES "%lld", value.s, (long long)(auth->settings.session_ms / 1000));
	memset(value.s, 0, value.len);
	memset(secret, 0, sizeof secret);
	buf_release(&value);
	return true;
}

struct principal *
auth_session_find(struct auth *auth, const struct request *request, bool *ret_idle)
{
	struct session **at = find(auth, request);
	int64_t now = clock_wall_ms();

	*ret_idle = false;
	if (!at)
		return NULL;
	if (!principal_holds((*at)->principal, now)) {
		end(auth, at);
		return NULL;
	}
	if (is_idle(auth, *at, now)) {
		*ret_idle = true;
		return NULL;
	}
	(*at)->used_ms = now;
	return principal_ref((*at)->principal);
}

void
auth_session_close(struct auth *auth, const struct request *request, struct buf *ret_set_cookie)
{
	struct session **at = find(auth, request);

	if (at)
		end(auth, at);
	buf_addstr(ret_set_cookie, COOKIE "=" ATTRIBUTES "0");
}

bool
auth_holds(struct auth *auth, const struct principal *principal)
{
	int64_t now = clock_wall_ms();

	principals_look(auth);
	if (!principal_holds(principal, now))
		return false;
	/* an open stream is use */
	if (principal->session)
		principal->session->used_ms = now;
	return true;
}

void
sessions_free(struct auth *auth)
{
	size_t i;

	for (i = 0; i < SESSION_CHAINS; i++)
		while (auth->chains[i])
			end(auth, &auth->chains[i]);
}
