/* test_auth.c - who asks, and may they: verdicts in their order, cookie sessions, Origin, and what ends them */
#include "compat.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/internal.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "http/conn.h"
#include "tap.h"
#include "token.h"
#include "xalloc.h"

static struct buf directory = BUF_INIT, tokens_file = BUF_INIT;
static struct server server;
static struct conn conn = { .server = &server, .peer = PEER_LOOPBACK };

/* A request that nobody will answer. */
static struct request *
ask(const char *method, const char *headers)
{
	struct span names[20], values[20];
	struct parse_head head = { .names = names, .values = values, .max_headers = 20 };
	struct buf text = BUF_INIT;
	struct request *request;

	buf_addf(&text, "%s /v1/agent/threads HTTP/1.1\r\nHost: localhost:80\r\n%s\r\n", method, headers);
	if (parse_head(text.s, text.len, 0, &head) != PARSE_DONE)
		abort();
	request = request_new(&conn, text.s, &head);
	buf_release(&text);
	return request;
}

/* The verdict's code, or the user's name. */
static void
judged(struct auth *auth, const char *method, const char *headers, unsigned scopes, const char *want, const char *name)
{
	struct request *request = ask(method, headers);
	struct auth_verdict verdict;
	struct principal *principal = auth_judge(auth, request, scopes, &verdict);

	is_str(principal ? principal_user(principal) : verdict.code, want, name);
	ok(!principal == (verdict.status >= 400), "with a status when it is no");
	if (principal)
		ok(auth_caller(request) == principal, "known from the request");
	principal_unref(principal);
	request_free(request);
}

/* The file of tokens is looked at once for the requests of a millisecond: what is asked from here on is of another one. */
static void
end_millisecond(void)
{
	int64_t now = clock_monotonic_ms();

	while (clock_monotonic_ms() == now)
		;
}

static void
add_token(const char *user, const char *workspace, unsigned scopes, struct buf *ret)
{
	struct tokens tokens = TOKENS_INIT;
	char *workspaces[] = { (char *)(uintptr_t)workspace };
	struct err err = ERR_INIT;

	if (!tokens_read(&tokens, tokens_file.s, &err) ||
	    !tokens_add(&tokens, user, workspaces, workspace ? 1 : 0, scopes, clock_wall_ms(), TOKEN_NEVER, ret, &err) ||
	    !tokens_write(&tokens, tokens_file.s, &err))
		abort();
	tokens_release(&tokens);
	end_millisecond();
}

static void
revoke_token(const struct buf *token)
{
	struct tokens tokens = TOKENS_INIT;
	struct err err = ERR_INIT;

	if (!tokens_read(&tokens, tokens_file.s, &err))
		abort();
	tokens_find(&tokens, token->s + 4, TOKEN_ID_LEN)->revoked_ms = clock_wall_ms();
	if (!tokens_write(&tokens, tokens_file.s, &err))
		abort();
	tokens_release(&tokens);
	end_millisecond();
}

static struct principal *
caller(struct auth *auth, const char *headers)
{
	struct request *request = ask("GET", headers);
	struct auth_verdict verdict;
	struct principal *principal = auth_judge(auth, request, 0, &verdict);

	request_free(request);
	return principal;
}

static struct buf
header(const char *name, const struct buf *value)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "%s%s\r\n", name, value->s);
	return line;
}

/* "Cookie: a=b; __Host-compass_session=...; c=d" of a Set-Cookie value */
static struct buf
cookie(const struct buf *set_cookie)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "Cookie: a=\"b\"; %.*s; c=d\r\n", (int)strcspn(set_cookie->s, ";"), set_cookie->s);
	return line;
}

static void
with(struct auth *auth, const char *method, const struct buf *first, const char *more, unsigned scopes, const char *want, const char *name)
{
	struct buf all = BUF_INIT;

	buf_addf(&all, "%s%s", first->s, more);
	judged(auth, method, all.s, scopes, want, name);
	buf_release(&all);
}

static void
test_open_door(struct auth *auth)
{
	judged(auth, "POST", "", AUTH_ADMIN, "local", "without tokens a caller of this machine may do everything");
	judged(auth, "POST", "Authorization: Bearer x\r\n", 0, "local", "whatever it brings");
	judged(auth, "GET", "Origin: http://evil.example\r\n", 0, "CSRF_ORIGIN_DENIED", "but no foreign page");
	judged(auth, "GET", "Origin: http://localhost:3000\r\n", 0, "CSRF_ORIGIN_DENIED",
	    "the web's origin is foreign too, unless it was named");
	judged(auth, "POST", "Origin: http://localhost:80\r\n", 0, "local", "the gateway's own page is not");
	conn.peer = PEER_REMOTE;
	judged(auth, "GET", "", 0, "FORBIDDEN", "nor another machine");
	conn.peer = PEER_LOOPBACK;
}

static void
test_tokens(struct auth *auth, const struct buf *ann)
{
	struct buf bearer = header("Authorization: Bearer ", ann);
	struct principal *principal;

	judged(auth, "GET", "", 0, "UNAUTHORIZED", "with tokens one is needed");
	judged(auth, "GET", "Authorization: Bearer x\r\n", 0, "UNAUTHORIZED", "a real one");
	with(auth, "POST", &bearer, "", AUTH_READ | AUTH_WRITE, "ann", "then its user is known");
	with(auth, "POST", &bearer, "", AUTH_ADMIN, "FORBIDDEN", "and its scopes count");
	with(auth, "GET", &bearer, "Origin: http://evil.example\r\n", 0, "CSRF_ORIGIN_DENIED", "a foreign page may not use it");
	conn.peer = PEER_REMOTE;
	with(auth, "GET", &bearer, "", 0, "ann", "another machine may");
	conn.peer = PEER_LOOPBACK;
	principal = caller(auth, bearer.s);
	ok(principal_member(principal, "acme", 4) && !principal_member(principal, "acm", 3) && !principal_member(principal, "acme2", 5) &&
		!principal_everywhere(principal),
	    "it belongs to its workspaces only");
	ok(principal_workspaces(principal) == 1 && !strcmp(principal_workspace(principal, 0), "acme") &&
		!strncmp(principal_token(principal), ann->s + 4, 12),
	    "which can be listed");
	principal_unref(principal);
	buf_release(&bearer);
}

static void
test_sessions(struct auth *auth, const struct buf *ann)
{
	struct buf bearer = header("Authorization: Bearer ", ann), set = BUF_INIT, line, bad = BUF_INIT;
	struct principal *principal = caller(auth, bearer.s), *session, *other;
	struct request *request;
	struct err err = ERR_INIT;
	bool idle;

	ok(auth_session_open(auth, principal, &set, &err), "a session opens");
	ok(!strncmp(set.s, "__Host-compass_session=", 23) &&
		!strcmp(strchr(set.s, ';'), "; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=28800") && strcspn(set.s, ";") == 23 + 43,
	    "its cookie is as the contract says");
	line = cookie(&set);
	with(auth, "GET", &line, "", AUTH_READ, "ann", "it is its token's user");
	with(auth, "GET", &line, "", AUTH_ADMIN, "FORBIDDEN", "with its token's scopes");
	with(auth, "POST", &line, "", 0, "CSRF_ORIGIN_REQUIRED", "to change something it needs an Origin");
	with(auth, "POST", &line, "Origin: null\r\n", 0, "CSRF_ORIGIN_REQUIRED", "one that can be read");
	with(auth, "POST", &line, "Origin: http://evil.example\r\n", 0, "CSRF_ORIGIN_DENIED", "and that is allowed");
	with(auth, "POST", &line, "Origin: http://localhost:3000.evil.example\r\n", 0, "CSRF_ORIGIN_DENIED", "not one that only begins so");
	with(auth, "POST", &line, "Origin: https://localhost:3000\r\n", 0, "CSRF_ORIGIN_DENIED", "nor of another scheme");
	with(auth, "POST", &line, "Origin:  http://LOCALHOST:3000 \r\n", 0, "ann", "that of the web");
	with(auth, "POST", &line, "Referer: http://localhost:3000/chat?x\r\n", 0, "ann", "or a Referer from there");
	with(auth, "POST", &line, "Referer: http://localhost:80/console\r\n", 0, "ann", "or the gateway's own");
	with(auth, "GET", &line, "Upgrade: websocket\r\n", 0, "CSRF_ORIGIN_REQUIRED", "a WebSocket needs one too");
	with(auth, "GET", &line, "Upgrade: websocket\r\nOrigin: http://evil.example\r\n", 0, "CSRF_ORIGIN_DENIED", "an allowed one");
	with(auth, "GET", &line, "Upgrade: websocket\r\nOrigin: http://localhost:3000\r\n", 0, "ann", "then it is granted");
	with(auth, "GET", &line, "Authorization: Bearer x\r\n", 0, "UNAUTHORIZED", "a token that is given counts more, right or wrong");
	judged(auth, "POST", "Cookie: __Host-compass_session=unknown\r\n", 0, "CSRF_ORIGIN_REQUIRED", "Origin comes before everything");
	judged(auth, "POST", "Cookie: __Host-compass_session=unknown\r\nOrigin: http://localhost:3000\r\n", 0, "UNAUTHORIZED",
	    "then who it is");
	judged(auth, "GET", "Cookie: __Host-compass_session=%E0%\r\n", 0, "UNAUTHORIZED", "a cookie that cannot be read is unknown");
	judged(auth, "GET", "Cookie: __Host-compass_session=\r\n", 0, "UNAUTHORIZED", "an empty one is none");
	buf_addf(&bad, "Cookie: x%.*s\r\n", (int)strcspn(set.s, ";"), set.s);
	judged(auth, "GET", bad.s, 0, "UNAUTHORIZED", "one of another name too");

	session = caller(auth, line.s);
	ok(session && auth_holds(auth, session), "a session holds");
	session->expires_ms -= 1000500;
	buf_reset(&set);
	other = auth_session_open(auth, session, &set, &err);
	ok(other && other->base == principal && other->expires_ms == session->expires_ms && strstr(set.s, "Max-Age=277"),
	    "another one that it opens ends when it does: %s", set.s);
	request = ask("POST", line.s);
	buf_reset(&set);
	auth_session_close(auth, request, &set);
	is_buf(&set, "__Host-compass_session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0", "closed: the cookie is taken away");
	ok(!auth_session_find(auth, request, &idle) && !idle, "the session is gone");
	request_free(request);
	ok(!auth_holds(auth, session) && auth_holds(auth, principal), "its streams end, the token's do not");
	is_str(principal_user(session), "ann", "and who it was can still be said");
	with(auth, "GET", &line, "", 0, "UNAUTHORIZED", "who comes back is unknown");
	principal_unref(session);
	principal_unref(principal);
	buf_release(&line);
	buf_release(&bad);
	buf_release(&set);
	buf_release(&bearer);
}

static void
test_ends(struct auth *auth, struct buf *ann)
{
	struct buf bearer = header("Authorization: Bearer ", ann), set = BUF_INIT, line, other = BUF_INIT, other_bearer;
	struct principal *principal = caller(auth, bearer.s), *session, *kept;
	struct err err = ERR_INIT;
	int64_t deadline;

	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	line = cookie(&set);
	session = caller(auth, line.s);
	add_token("bob", NULL, TOKEN_ALL, &other);
	other_bearer = header("X-Clarity-Token: ", &other);
	with(auth, "GET", &other_bearer, "", AUTH_ADMIN, "bob", "a new token is good with the next request");
	kept = caller(auth, other_bearer.s);
	ok(auth_holds(auth, session), "what did not change stays");
	revoke_token(ann);
	for (deadline = deadline_in(5000); auth_holds(auth, principal) && deadline_left(deadline);)
		poll(NULL, 0, 5);
	ok(auth_holds(auth, kept) && !auth_holds(auth, principal) && !auth_holds(auth, session),
	    "a revoked token ends with its sessions, and no other");
	with(auth, "GET", &line, "", 0, "UNAUTHORIZED", "its cookie is unknown");
	with(auth, "GET", &bearer, "", 0, "UNAUTHORIZED", "and so is it");
	principal_unref(principal);
	principal_unref(session);
	principal_unref(kept);
	buf_release(&set);
	buf_release(&line);
	buf_release(&other);
	buf_release(&other_bearer);
	buf_release(&bearer);
}

/* Kept in a file: what was open is open for the next gateway, what was closed is not. */
static void
test_restart(void)
{
	struct auth_settings settings = { .tokens_file = tokens_file.s };
	struct buf ann = BUF_INIT, bob = BUF_INIT, bearer, other, set = BUF_INIT, kept, closed, revoked, file = BUF_INIT, gone = BUF_INIT,
		   text = BUF_INIT;
	struct err err = ERR_INIT;
	struct auth *auth;
	struct principal *principal;
	struct request *request;

	add_token("ann", NULL, TOKEN_ALL, &ann);
	add_token("bob", NULL, TOKEN_ALL, &bob);
	buf_addf(&file, "%s/sessions", directory.s);
	auth = auth_new(&settings, &err);
	ok(auth_sessions_keep(auth, file.s, &err), "sessions are kept %s", err.text);
	bearer = header("Authorization: Bearer ", &ann);
	other = header("Authorization: Bearer ", &bob);
	principal = caller(auth, bearer.s);
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	kept = cookie(&set);
	buf_reset(&set);
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	closed = cookie(&set);
	request = ask("GET", closed.s);
	auth_session_close(auth, request, &gone);
	request_free(request);
	principal_unref(principal);
	principal = caller(auth, other.s);
	buf_reset(&set);
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	revoked = cookie(&set);
	principal_unref(principal);
	auth_free(auth);
	revoke_token(&bob);
	ok(buf_read_file(&text, file.s, 100000, &err) && !strstr(text.s, strstr(kept.s, "session=") + 8), "the file has no cookie");
	auth = auth_new(&settings, &err);
	with(auth, "GET", &kept, "", 0, "UNAUTHORIZED", "another gateway does not know them by itself");
	ok(auth_sessions_keep(auth, file.s, &err), "it takes them up");
	with(auth, "GET", &kept, "", 0, "ann", "what was open is open");
	with(auth, "GET", &closed, "", 0, "UNAUTHORIZED", "what was closed is not");
	with(auth, "GET", &revoked, "", 0, "UNAUTHORIZED", "nor what belongs to a token that has ended");
	buf_reset(&text);
	ok(buf_read_file(&text, file.s, 100000, &err) && strchr(text.s, '\n') == text.s + text.len - 1,
	    "and what is over is gone from the file");
	auth_free(auth);
	unlink(file.s);
	buf_release(&ann);
	buf_release(&bob);
	buf_release(&bearer);
	buf_release(&other);
	buf_release(&set);
	buf_release(&kept);
	buf_release(&closed);
	buf_release(&revoked);
	buf_release(&file);
	buf_release(&gone);
	buf_release(&text);
}

static size_t
size_of(const struct buf *file)
{
	struct stat now;

	return stat(file->s, &now) == 0 ? (size_t)now.st_size : 0;
}

static unsigned problems;

static void
on_problem(const struct err *err, void *payload)
{
	(void)payload;
	problems++;
	ok(strstr(err->text, "unable to keep a session beyond the next restart: unable to write '"), "it is told: %s", err->text);
}

static struct buf last_told = BUF_INIT;
static unsigned tellings;

static void
on_trouble(const struct err *err, void *payload)
{
	(void)payload;
	tellings++;
	buf_reset(&last_told);
	buf_addf(&last_told, "%s: %s", err->status ? "wrong" : "right", err->text);
}

/* A file of tokens that cannot be looked at, or not be read, is told of once, and so is its end; nobody loses or gains a token by it. */
static void
test_trouble(void)
{
	struct auth_settings settings = { .problem = on_trouble };
	struct buf ann = BUF_INIT, bob = BUF_INIT, bearer, other, dir = BUF_INIT, away = BUF_INIT, kept = tokens_file;
	struct rlimit limit, all;
	struct principal *principal = NULL;
	struct err err = ERR_INIT;
	struct auth *auth;
	int64_t deadline;
	int i;

	buf_addf(&dir, "%s/dir", directory.s);
	buf_addf(&away, "%s/away", directory.s);
	tokens_file = (struct buf)BUF_INIT;
	buf_addf(&tokens_file, "%s/tokens", dir.s);
	settings.tokens_file = tokens_file.s;
	if (mkdir(dir.s, 0700) < 0)
		abort();
	add_token("ann", NULL, TOKEN_ALL, &ann);
	bearer = header("Authorization: Bearer ", &ann);
	auth = auth_new(&settings, &err);
	with(auth, "GET", &bearer, "", 0, "ann", "a file that is as it should be");
	is_int(tellings, 0, "is not talked about");

	if (rename(dir.s, away.s) < 0 || symlink("dir", dir.s) < 0)
		abort();
	for (i = 0; i < 3; i++) {
		end_millisecond();
		with(auth, "GET", &bearer, "", 0, "ann", "its way goes around in a circle: what was read stays");
	}
	ok(tellings == 1, "and that is told once: %s", last_told.s);
	ok(strstr(last_told.s, "wrong: unable to look at '") && strstr(last_told.s, "the tokens that were read before stay"),
	    "in these words");
	if (unlink(dir.s) < 0 || rename(away.s, dir.s) < 0)
		abort();
	for (i = 0; i < 3; i++) {
		end_millisecond();
		with(auth, "GET", &bearer, "", 0, "ann", "it is there again");
	}
	ok(tellings == 2, "which is told once, too: %s", last_told.s);
	ok(strstr(last_told.s, "right: the tokens '") != NULL, "as what it is");

	add_token("bob", NULL, TOKEN_ALL, &bob);
	other = header("Authorization: Bearer ", &bob);
	if (getrlimit(RLIMIT_NOFILE, &all) < 0)
		abort();
	limit = all;
	limit.rlim_cur = 0;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort();
	for (i = 0; i < 3; i++) {
		end_millisecond();
		with(auth, "GET", &other, "", 0, "UNAUTHORIZED", "a new token cannot be read for want of a descriptor");
	}
	with(auth, "GET", &bearer, "", 0, "ann", "those of before stay");
	if (setrlimit(RLIMIT_NOFILE, &all) < 0)
		abort();
	ok(tellings == 3, "told once: %s", last_told.s);
	for (deadline = deadline_in(20000); !principal && deadline_left(deadline); end_millisecond())
		principal = caller(auth, other.s);
	ok(principal != NULL, "the same file is tried again, and then it is");
	ok(tellings == 4, "told, too: %s", last_told.s);

	principal_unref(principal);
	auth_free(auth);
	unlink(tokens_file.s);
	rmdir(dir.s);
	buf_release(&tokens_file);
	tokens_file = kept;
	buf_release(&last_told);
	buf_release(&ann);
	buf_release(&bob);
	buf_release(&bearer);
	buf_release(&other);
	buf_release(&dir);
	buf_release(&away);
}

/* A file that is written into for long stays short, and what could not be written is written once it can. */
static void
test_file(void)
{
	struct auth_settings settings = { .variable = "TEST_AUTH_TOKEN", .problem = on_problem };
	struct buf set = BUF_INIT, first, closed, file = BUF_INIT;
	struct err err = ERR_INIT;
	struct rlimit limit, all;
	struct principal *principal;
	struct request *request;
	struct auth *auth;
	size_t i, most = 0;

	setenv("TEST_AUTH_TOKEN", "s3cret", 1);
	buf_addf(&file, "%s/sessions", directory.s);
	auth = auth_new(&settings, &err);
	if (!auth_sessions_keep(auth, file.s, &err))
		abort();
	principal = caller(auth, "Authorization: bearer s3cret\r\n");
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	first = cookie(&set);
	for (i = 0; i < 20000; i++) {
		struct principal *session = auth_session_open(auth, principal, &set, &err);

		session_drop(auth, session);
		if (size_of(&file) > most)
			most = size_of(&file);
	}
	ok(most > (4u << 20) / 2 && most <= (4u << 20) + 1000, "20000 sessions one after another: never more than 4 MiB (%zu bytes)", most);

	buf_reset(&set);
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	closed = cookie(&set);
	(void)signal(SIGXFSZ, SIG_IGN);
	if (getrlimit(RLIMIT_FSIZE, &all) < 0)
		abort();
	limit = all;
	limit.rlim_cur = size_of(&file) + 10;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		abort();
	request = ask("DELETE", closed.s);
	auth_session_close(auth, request, &set);
	ok(problems == 1, "a disk that is full is a problem");
	if (setrlimit(RLIMIT_FSIZE, &all) < 0)
		abort();
	(void)poll(NULL, 0, 150);
	ok(auth_session_open(auth, principal, &set, &err) != NULL, "then there is room again");
	request_free(request);
	principal_unref(principal);
	auth_free(auth);
	auth = auth_new(&settings, &err);
	ok(auth_sessions_keep(auth, file.s, &err) && auth->n_sessions == 2, "the next gateway takes up what is open");
	with(auth, "GET", &first, "", 0, "operator", "what had been open all the time");
	with(auth, "GET", &closed, "", 0, "UNAUTHORIZED", "and not what was closed meanwhile");
	auth_free(auth);
	unlink(file.s);
	buf_release(&set);
	buf_release(&first);
	buf_release(&closed);
	buf_release(&file);
}

/* ---- sessions that several gateways share: a shelf with one place */

static struct buf shelf_key = BUF_INIT, shelf_record = BUF_INIT;
static unsigned noted;

static void
shelve(const struct buf *key, struct span record, enum auth_put how, auth_put_cb *told, void *deed, void *payload)
{
	(void)payload;
	noted++;
	if (how == AUTH_PUT || !strcmp(shelf_key.s, key->s)) {
		buf_reset(&shelf_key);
		buf_reset(&shelf_record);
		buf_add(&shelf_key, key->s, key->len);
		buf_add(&shelf_record, record.s, record.n);
	}
	if (told)
		told(NULL, deed);
}

static bool
asks(struct auth *auth, const char *headers)
{
	struct request *request = ask("GET", headers);
	struct buf key = BUF_INIT;
	bool yes = auth_session_asks(auth, request, &key);

	ok(!yes || !shelf_key.len || !strcmp(key.s, shelf_key.s), "for the right one");
	buf_release(&key);
	request_free(request);
	return yes;
}

static void
take(struct auth *auth, bool there)
{
	auth_session_take(auth, span_of(&shelf_key), there ? span_of(&shelf_record) : SPAN_NONE);
}

static void
no_deed(const struct err *err, void *deed)
{
	(void)err;
	*(bool *)deed = true;
}

static void
test_shared(void)
{
	static const struct auth_shelf shelf = { .put = shelve };
	struct auth_settings settings = { .tokens_file = tokens_file.s, .session_idle_ms = 1280 };
	struct buf ann = BUF_INIT, bearer, set = BUF_INIT, line, both = BUF_INIT;
	struct err err = ERR_INIT;
	struct auth *one, *two;
	struct principal *principal, *session;
	struct request *request;
	bool put = false;
	int64_t end;

	add_token("ann", NULL, TOKEN_ALL, &ann);
	bearer = header("Authorization: Bearer ", &ann);
	one = auth_new(&settings, &err);
	two = auth_new(&settings, &err);
	auth_sessions_share(one, &shelf);
	auth_sessions_share(two, &shelf);
	principal = caller(one, bearer.s);
	session = auth_session_open(one, principal, &set, &err);
	session_keep(one, session, no_deed, &put);
	line = cookie(&set);
	ok(put && !strstr(shelf_record.s, strstr(line.s, "session=") + 8) && !strncmp(shelf_key.s, "session/", 8),
	    "a session is shared, not its cookie");
	ok(!asks(one, line.s), "who knows it does not ask");
	ok(asks(two, line.s), "who does not, does");
	buf_addf(&both, "%s%s", line.s, bearer.s);
	ok(!asks(two, both.s) && !asks(two, "Cookie: __Host-compass_session=short\r\n") && !asks(two, ""),
	    "not for a token, nor for a cookie that nobody made");
	take(two, true);
	with(two, "GET", &line, "", 0, "ann", "then it knows it");
	ok(!asks(two, line.s), "and asks no more");

	noted = 0;
	for (end = deadline_in(1400); deadline_left(end);) {
		(void)poll(NULL, 0, 5);
		principal_unref(caller(two, line.s));
	}
	ok(noted >= 5 && noted <= 71, "which is noted now and then (%u)", noted);
	with(one, "GET", &line, "", 0, "SESSION_IDLE_TIMEOUT", "here it has slept");
	ok(asks(one, line.s), "so it is asked for");
	take(one, true);
	with(one, "GET", &line, "", 0, "ann", "and was awake");

	session = caller(one, line.s);
	request = ask("DELETE", line.s);
	buf_reset(&set);
	auth_session_close(two, request, &set);
	session_lose(two, request, no_deed, &put);
	ok(!shelf_record.len, "closed, it is taken from the shelf");
	ok(auth_holds(one, session), "the other one has not heard of it");
	take(one, false);
	ok(!auth_holds(one, session), "and then it has");
	with(one, "GET", &line, "", 0, "UNAUTHORIZED", "for good");
	auth_session_take(one, SPAN_NONE, SPAN_NONE);
	auth_session_take(one, span_of(&shelf_key), (struct span){ "{}", 2 });
	with(one, "GET", &line, "", 0, "UNAUTHORIZED", "a record that is none opens nothing");
	principal_unref(session);
	principal_unref(principal);
	request_free(request);
	auth_free(one);
	auth_free(two);
	buf_release(&ann);
	buf_release(&bearer);
	buf_release(&set);
	buf_release(&line);
	buf_release(&both);
	buf_release(&shelf_key);
	buf_release(&shelf_record);
}

/* With times of no length: idle is told, and over is over. */
static void
test_times(void)
{
	struct auth_settings settings = { .session_idle_ms = -1, .session_ms = 1000, .rate = 1, .burst = 2 };
	struct buf set = BUF_INIT, line;
	struct err err = ERR_INIT;
	struct auth *auth;
	struct principal *principal;
	struct request *request;
	struct auth_verdict verdict;
	unsigned n;

	setenv("TEST_AUTH_TOKEN", "s3cret", 1);
	settings.variable = "TEST_AUTH_TOKEN";
	settings.web_origin = "https://web.example:443/base";
	auth = auth_new(&settings, &err);
	principal = caller(auth, "Authorization: bearer s3cret\r\n");
	is_str(principal_user(principal), "operator", "the one token");
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	line = cookie(&set);
	with(auth, "GET", &line, "", 0, "SESSION_IDLE_TIMEOUT", "a session that slept too long is told so");
	judged(auth, "GET", "x-clarity-token: s3cret\r\nOrigin: https://WEB.example\r\n", AUTH_ADMIN, "operator",
	    "a web that was named may come with a token");
	request = ask("GET", "x-clarity-token: s3cret\r\n");
	principal_unref(principal);
	principal = auth_judge(auth, request, 0, &verdict);
	ok(!principal && verdict.status == 429 && !strcmp(verdict.code, "RATE_LIMITED") && verdict.retry_after == 1,
	    "too often: 429, and when to come back");
	request_free(request);
	auth_free(auth);
	settings.rate = 0;
	settings.session_ms = -1;
	auth = auth_new(&settings, &err);
	principal = caller(auth, "Authorization: bearer s3cret\r\n");
	buf_reset(&set);
	buf_release(&line);
	if (!auth_session_open(auth, principal, &set, &err))
		abort();
	line = cookie(&set);
	with(auth, "GET", &line, "", 0, "UNAUTHORIZED", "one whose time is over is unknown");
	for (n = 0; n < AUTH_SESSIONS_MAX && auth_session_open(auth, principal, &set, &err); n++)
		;
	ok(n == AUTH_SESSIONS_MAX && auth_session_open(auth, principal, &set, &err), "sessions that are over make room");
	auth_free(auth);
	settings.session_ms = 100000;
	principal_unref(principal);
	auth = auth_new(&settings, &err);
	principal = caller(auth, "Authorization: bearer s3cret\r\n");
	for (n = 0; n < AUTH_SESSIONS_MAX && auth_session_open(auth, principal, &set, &err); n++)
		;
	ok(n == AUTH_SESSIONS_MAX && auth_session_open(auth, principal, &set, &err), "and so do those that slept too long");
	auth_free(auth);
	settings.session_idle_ms = 100000;
	principal_unref(principal);
	auth = auth_new(&settings, &err);
	principal = caller(auth, "Authorization: bearer s3cret\r\n");
	for (n = 0; n < AUTH_SESSIONS_MAX && auth_session_open(auth, principal, &set, &err); n++)
		;
	ok(n == AUTH_SESSIONS_MAX && !auth_session_open(auth, principal, &set, &err), "as many sessions as may be, and no more");
	auth_free(auth);
	principal_unref(principal);
	buf_release(&set);
	buf_release(&line);
}

int
main(void)
{
	struct auth_settings settings = { 0 };
	struct buf ann = BUF_INIT;
	struct err err = ERR_INIT;
	struct auth *auth;

	buf_addf(&directory, "%s/test_auth.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(directory.s))
		abort();
	buf_addf(&tokens_file, "%s/tokens", directory.s);
	unsetenv("CLARITYD_AUTH_TOKEN");
	unsetenv("CLARITY_API_TOKEN");
	settings.tokens_file = tokens_file.s;
	auth = auth_new(&settings, &err);
	ok(auth && !auth_has_token(auth), "without a file there are no tokens");
	test_open_door(auth);
	add_token("ann", "acme", TOKEN_READ | TOKEN_WRITE, &ann);
	test_tokens(auth, &ann);
	test_sessions(auth, &ann);
	test_ends(auth, &ann);
	unlink(tokens_file.s);
	judged(auth, "GET", "", 0, "UNAUTHORIZED", "a file that goes opens nothing");
	auth_free(auth);
	test_restart();
	test_file();
	test_trouble();
	unlink(tokens_file.s);
	test_shared();
	unlink(tokens_file.s);
	test_times();
	rmdir(directory.s);
	buf_release(&directory);
	buf_release(&ann);
	buf_release(&tokens_file);
	return done();
}
