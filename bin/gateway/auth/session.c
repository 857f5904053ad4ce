/* session.c - cookie sessions: a browser's stand-in for a token (Compass contract section 3) */
#include "compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/internal.h"
#include "base64.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "key.h"
#include "status.h"
#include "token.h"
#include "xalloc.h"

#define SESSIONS_FILE_MAX (64u << 20) /* bytes: one that has grown so large was written by somebody else */
#define SESSIONS_AGAIN_MS 100	      /* between two tries to write it, when it cannot be written */
#define SESSIONS_ADDED_MAX (4u << 20) /* bytes that are added to the file before it is written anew */
#define HOLDS_LOOK_MS 50
#define COOKIE "__Host-compass_session"
#define COOKIE_LEN 43 /* of a value that can be one of ours */
#define USE_GRAINS 64 /* the others hear of its use so many times in the time that it may sleep */
#define ATTRIBUTES "; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age="

struct session {
	unsigned char hash[SHA256_BYTES]; /* of the cookie's value, which is nowhere */
	struct principal *principal;	  /* its own; base: the token's */
	int64_t used_ms;
	int64_t told_ms; /* what of that the other gateways know */
	struct session *next;
};

/* Where it is, or where its chain ends. */
static struct session **
place_of(struct auth *auth, const unsigned char *hash)
{
	struct session **at = &auth->chains[((unsigned)hash[0] << 8 | hash[1]) & (SESSION_CHAINS - 1)];

	while (*at && !sha256_equal((*at)->hash, hash))
		at = &(*at)->next;
	return at;
}

/* ---- the file: a line for each that opens, and one for each that ends */

static void
add_record(struct buf *to, const struct session *session, bool with_use)
{
	const struct principal *base = session->principal->base;
	struct buf hash = BUF_INIT;

	token_add_hash(&hash, session->hash);
	buf_addch(to, '{');
	jtext_add_buf(to, "opened", &hash);
	jtext_add_text(to, "token", base->id);
	jtext_add_text(to, "user", base->user);
	jtext_add_time(to, "until", session->principal->expires_ms);
	if (with_use)
		jtext_add_time(to, "used", session->used_ms);
	buf_addch(to, '}');
	buf_release(&hash);
}

static void
add_line(struct buf *to, const struct session *session)
{
	add_record(to, session, false);
	buf_addch(to, '\n');
}

/* The file anew, with what is open now. */
static bool
write_all(struct auth *auth, struct err *err)
{
	struct buf text = BUF_INIT, temp = BUF_INIT;
	const struct session *session;
	size_t i;
	int fd;
	bool ok;

	for (i = 0; i < SESSION_CHAINS; i++)
		for (session = auth->chains[i]; session; session = session->next)
			add_line(&text, session);
	buf_addf(&temp, "%s.new", auth->sessions_file);
	fd = open(temp.s, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd >= 0 && buf_write_fd(&text, fd) == text.len && rename(temp.s, auth->sessions_file) == 0;
	if (ok) {
		if (auth->sessions_fd >= 0)
			close(auth->sessions_fd);
		auth->sessions_fd = fd;
		auth->sessions_added = 0;
		auth->sessions_torn = false;
	} else {
		err_errno(err, STATUS_CONFIG, "unable to write '%s'", auth->sessions_file);
		if (fd >= 0)
			close(fd);
	}
	buf_release(&text);
	buf_release(&temp);
	return ok;
}

/* What the line says has been done. A line that was written in part would spoil the next one, and one that is missing would bring back what
 * is closed: then, too, the file is written anew. */
static void
keep(struct auth *auth, const struct buf *line)
{
	struct err err = ERR_INIT;
	int64_t now = clock_monotonic_ms();
	bool ok;

	if (auth->sessions_fd < 0 || (auth->sessions_torn && now < auth->sessions_again))
		return;
	auth->sessions_again = now + SESSIONS_AGAIN_MS;
	if (auth->sessions_torn || auth->sessions_added + line->len > SESSIONS_ADDED_MAX)
		ok = write_all(auth, &err);
	else {
		ok = buf_write_fd(line, auth->sessions_fd) == line->len ||
		    err_errno(&err, STATUS_IO, "unable to write '%s'", auth->sessions_file);
		auth->sessions_added += line->len;
	}
	auth->sessions_torn = !ok;
	if (!ok && auth->settings.problem) {
		err_prefix(&err, "unable to keep a session beyond the next restart");
		auth->settings.problem(&err, auth->settings.problem_payload);
	}
}

static void
end(struct auth *auth, struct session **at)
{
	struct session *session = *at;
	struct buf line = BUF_INIT, hash = BUF_INIT;

	*at = session->next;
	auth->n_sessions--;
	if (auth->sessions_fd >= 0) {
		token_add_hash(&hash, session->hash);
		buf_addf(&line, "{\"ended\":\"%s\"}\n", hash.s);
		keep(auth, &line);
		buf_release(&hash);
		buf_release(&line);
	}
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

static void
drop(struct auth *auth, int64_t now, bool idle_ones)
{
	struct session **at;
	size_t i;

	for (i = 0; i < SESSION_CHAINS; i++)
		for (at = &auth->chains[i]; *at;)
			if (principal_holds((*at)->principal, now) && !(idle_ones && is_idle(auth, *at, now)))
				at = &(*at)->next;
			else
				end(auth, at);
}

/* Those that are over make room. One that was idle too long is told so until its time is over, or until its place is needed. */
static void
make_room(struct auth *auth, int64_t now)
{
	if (auth->n_sessions >= AUTH_SESSIONS_MAX)
		drop(auth, now, false);
	if (auth->n_sessions >= AUTH_SESSIONS_MAX)
		drop(auth, now, true);
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

static bool
hash_of(const struct request *request, unsigned char hash[SHA256_BYTES])
{
	struct buf value = BUF_INIT;
	bool has = read_cookie(request, &value);

	if (has)
		sha256(value.s, value.len, hash);
	buf_release(&value);
	return has;
}

static struct session **
find(struct auth *auth, const struct request *request)
{
	unsigned char hash[SHA256_BYTES];
	struct session **at = hash_of(request, hash) ? place_of(auth, hash) : NULL;

	return at && *at ? at : NULL;
}

bool
auth_has_cookie(const struct request *request)
{
	struct buf value = BUF_INIT;
	bool has = read_cookie(request, &value);

	buf_release(&value);
	return has;
}

static struct session *
add_session(struct auth *auth, struct principal *base, const unsigned char *hash, int64_t expires_ms)
{
	struct session *session = xcalloc(1, sizeof *session), **end_of_chain = place_of(auth, hash);

	session->principal = xcalloc(1, sizeof *session->principal);
	session->principal->refs = 1;
	session->principal->base = principal_ref(base);
	session->principal->session = session;
	session->principal->expires_ms = expires_ms;
	session->used_ms = session->told_ms = clock_wall_ms();
	memcpy(session->hash, hash, sizeof session->hash);
	*end_of_chain = session;
	auth->n_sessions++;
	return session;
}

struct principal *
auth_session_open(struct auth *auth, struct principal *principal, struct buf *ret_set_cookie, struct err *err)
{
	int64_t now = clock_wall_ms(), until = now + auth->settings.session_ms;
	struct session *session;
	struct buf value = BUF_INIT, line = BUF_INIT;
	unsigned char secret[32], hash[SHA256_BYTES];

	make_room(auth, now);
	if (auth->n_sessions >= AUTH_SESSIONS_MAX) {
		err_set(err, STATUS_RETRY, "unable to open a session: %d are open", AUTH_SESSIONS_MAX);
		return NULL;
	}
	key_random(secret, sizeof secret);
	base64_add_url(&value, secret, sizeof secret);
	sha256(value.s, value.len, hash);
	if (until > principal->expires_ms)
		until = principal->expires_ms;
	session = add_session(auth, principal->base ? principal->base : principal, hash, until);
	add_line(&line, session);
	keep(auth, &line);
	buf_addf(ret_set_cookie, COOKIE "=%s" ATTRIBUTES "%lld", value.s, (long long)((until - now) / 1000));
	memset(value.s, 0, value.len);
	memset(secret, 0, sizeof secret);
	buf_release(&value);
	buf_release(&line);
	return session->principal;
}

/* ---- those that several gateways share */

static void
add_key(struct buf *to, const unsigned char *hash)
{
	buf_addstr(to, AUTH_SHELF_PREFIX);
	token_add_hash(to, hash);
}

static int64_t
grain(const struct auth *auth)
{
	return auth->settings.session_idle_ms / USE_GRAINS;
}

static void
put(struct auth *auth, const struct session *session, enum auth_put how, auth_put_cb *done, void *deed)
{
	struct buf key = BUF_INIT, record = BUF_INIT;

	add_key(&key, session->hash);
	add_record(&record, session, true);
	auth->shelf.put(&key, span_of(&record), how, done, deed, auth->shelf.payload);
	buf_release(&key);
	buf_release(&record);
}

void
session_keep(struct auth *auth, struct principal *principal, auth_put_cb *done, void *deed)
{
	if (auth->shelf.put && principal->session)
		put(auth, principal->session, AUTH_PUT, done, deed);
	else
		done(NULL, deed);
}

void
session_drop(struct auth *auth, struct principal *principal)
{
	if (principal->session)
		end(auth, place_of(auth, principal->session->hash));
}

void
session_lose(struct auth *auth, const struct request *request, auth_put_cb *done, void *deed)
{
	unsigned char hash[SHA256_BYTES];
	struct buf key = BUF_INIT;

	if (auth->shelf.put && hash_of(request, hash)) {
		add_key(&key, hash);
		auth->shelf.put(&key, SPAN_NONE, AUTH_PUT, done, deed, auth->shelf.payload);
	} else
		done(NULL, deed);
	buf_release(&key);
}

static void
use(struct auth *auth, struct session *session, int64_t now)
{
	session->used_ms = now;
	if (!auth->shelf.put || now - session->told_ms < grain(auth))
		return;
	session->told_ms = now;
	put(auth, session, AUTH_PUT_IF_THERE, NULL, NULL);
}

void
auth_sessions_share(struct auth *auth, const struct auth_shelf *shelf)
{
	auth->shelf = *shelf;
}

bool
auth_session_asks(struct auth *auth, const struct request *request, struct buf *ret_key)
{
	struct buf value = BUF_INIT;
	unsigned char hash[SHA256_BYTES];
	const struct session *session;
	bool asks = false;

	if (auth->shelf.put && !request_header(request, "authorization") && read_cookie(request, &value) && value.len == COOKIE_LEN) {
		sha256(value.s, value.len, hash);
		session = *place_of(auth, hash);
		asks = !session || is_idle(auth, session, clock_wall_ms());
		if (asks)
			add_key(ret_key, hash);
	}
	buf_release(&value);
	return asks;
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
	use(auth, *at, now);
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

	/* ten thousand streams that ask at once are one look */
	if (now - auth->looked_ms >= HOLDS_LOOK_MS || now < auth->looked_ms) {
		auth->looked_ms = now;
		principals_look(auth);
	}
	if (!principal_holds(principal, now))
		return false;
	/* an open stream is use */
	if (principal->session)
		use(auth, principal->session, now);
	return true;
}

void
sessions_free(struct auth *auth)
{
	size_t i;

	/* they end here, but not in the file */
	if (auth->sessions_fd >= 0)
		close(auth->sessions_fd);
	auth->sessions_fd = -1;
	free(auth->sessions_file);
	auth->sessions_file = NULL;
	for (i = 0; i < SESSION_CHAINS; i++)
		while (auth->chains[i])
			end(auth, &auth->chains[i]);
}

/* ---- what was left by another gateway */

static struct principal *
principal_of(const struct auth *auth, const struct buf *token, const struct buf *user)
{
	struct principal *principal = NULL;

	if (token->len)
		principal = principals_by_id(auth, token->s, token->len);
	else if (!strcmp(user->s, "operator") && auth->has_token)
		principal = auth->operator_;
	else if (!strcmp(user->s, "local") && !auth_needs_token(auth))
		principal = auth->local;
	return principal && !strcmp(principal->user, user->s) ? principal : NULL;
}

/* A record that cannot be read opens nothing. */
static struct session *
take_opened(struct auth *auth, struct span record, int64_t now)
{
	struct buf opened = BUF_INIT, token = BUF_INIT, user = BUF_INIT, until = BUF_INIT;
	unsigned char hash[SHA256_BYTES];
	struct session *session = NULL;
	struct principal *base;
	int64_t expires_ms;

	if (jtext_get_string(record, "opened", &opened) && token_read_hash(&opened, hash) && jtext_get_string(record, "token", &token) &&
	    jtext_get_string(record, "user", &user) && jtext_get_string(record, "until", &until) &&
	    clock_parse_iso(until.s, until.len, &expires_ms) && expires_ms > now && auth->n_sessions < AUTH_SESSIONS_MAX) {
		base = principal_of(auth, &token, &user);
		session = *place_of(auth, hash);
		if (!session && base && principal_holds(base, now))
			session = add_session(auth, base, hash, expires_ms);
	}
	buf_release(&opened);
	buf_release(&token);
	buf_release(&user);
	buf_release(&until);
	return session;
}

/* One that ends a session is looked for first. */
static void
take_line(struct auth *auth, struct span record, int64_t now)
{
	struct buf ended = BUF_INIT;
	unsigned char hash[SHA256_BYTES];
	struct session **at;

	if (!jtext_get_string(record, "ended", &ended))
		(void)take_opened(auth, record, now);
	else if (token_read_hash(&ended, hash)) {
		at = place_of(auth, hash);
		if (*at)
			end(auth, at);
	}
	buf_release(&ended);
}

void
auth_session_take(struct auth *auth, struct span key, struct span record)
{
	int64_t now = clock_wall_ms(), used_ms;
	unsigned char hash[SHA256_BYTES];
	struct buf text = BUF_INIT;
	struct session *session;

	if (key.n > strlen(AUTH_SHELF_PREFIX) && !memcmp(key.s, AUTH_SHELF_PREFIX, strlen(AUTH_SHELF_PREFIX)))
		buf_add(&text, key.s + strlen(AUTH_SHELF_PREFIX), key.n - strlen(AUTH_SHELF_PREFIX));
	principals_look(auth); /* its token may be as new as it is */
	if (!token_read_hash(&text, hash))
		;
	else if (!record.s) {
		if (*place_of(auth, hash))
			end(auth, place_of(auth, hash));
	} else {
		make_room(auth, now);
		session = *place_of(auth, hash);
		if (!session)
			session = take_opened(auth, record, now);
		buf_reset(&text);
		if (session && jtext_get_string(record, "used", &text) && clock_parse_iso(text.s, text.len, &used_ms)) {
			/* it may have been used since then without a word */
			session->told_ms = used_ms;
			session->used_ms = used_ms + grain(auth) < now ? used_ms + grain(auth) : now;
		}
	}
	buf_release(&text);
}

static void
take_lines(struct auth *auth, const struct buf *text)
{
	const char *s = text->s, *eol;
	int64_t now = clock_wall_ms();
	struct span record;

	for (; (eol = strchr(s, '\n')); s = eol + 1)
		if (jtext_check(s, (size_t)(eol - s), true, &record, NULL) && jtext_type(record) == JTEXT_OBJECT)
			take_line(auth, record, now);
}

bool
auth_sessions_keep(struct auth *auth, const char *file, struct err *err)
{
	struct buf text = BUF_INIT;

	if (access(file, F_OK) == 0 && !buf_read_file(&text, file, SESSIONS_FILE_MAX, err)) {
		err->status = STATUS_CONFIG;
		buf_release(&text);
		return err_prefix(err, "unable to take up the sessions");
	}
	take_lines(auth, &text);
	buf_release(&text);
	auth->sessions_file = xstrdup(file);
	return write_all(auth, err);
}
