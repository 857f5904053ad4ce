/*
 * agent-account-login - log the runtime in
 *
 * reads   the key or token from standard input or a file; never from an argument, which others can see
 * writes  the server's answer, one line; for a login in a browser, when it is done
 */
#include "compat.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "blank.h"
#include "client.h"
#include "clock.h"
#include "compass.h"
#include "core.h"
#include "die.h"
#include "err.h"
#include "event.h"
#include "filter.h"
#include "follow.h"
#include "opt.h"
#include "sig.h"

#define SECRET_MAX 65536 /* bytes */
#define WAIT_MS 900000	 /* for the browser, when --timeout says nothing */
#define LOOK_MS 3000	 /* between two looks at the account, where nobody tells */

enum { OPT_NO_WAIT = OPT_OWN, OPT_ACCOUNT, OPT_PLAN };

static const struct opt opts[] = {
	{ 'f', "file", "FILE", "take the key or token from FILE (default: standard input)" },
	{ OPT_ACCOUNT, "account", "ID", "with chatgptAuthTokens: the account of the token" },
	{ OPT_PLAN, "plan", "NAME", "with chatgptAuthTokens: its plan" },
	{ OPT_NO_WAIT, "no-wait", NULL, "do not wait until a login in the browser is done" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-login",
	.synopsis = "[options] apiKey | chatgpt | chatgptDeviceCode | chatgptAuthTokens",
	.about = "log the runtime in",
	.example = "  agent-account-login apiKey <key.txt",
	.opts = opts,
};

struct login {
	struct client client;
	const char *type, *file, *account, *plan;
	bool no_wait;
	struct buf id;	   /* "": nothing to wait for */
	struct buf answer; /* what to print */
	bool was_in;	   /* somebody was logged in with ChatGPT before */
	/* what was heard */
	bool look, done, failed;
	struct buf why;
};

/* ---- the secret */

static void
read_secret(const struct login *login, struct buf *to)
{
	struct err err = ERR_INIT;

	if ((!login->file || !strcmp(login->file, "-")) && isatty(STDIN_FILENO))
		info("reading the secret from the terminal, which shows it; end with Ctrl-D");
	if (!buf_read_file(to, login->file ? login->file : "-", SECRET_MAX, &err))
		die_err(&err);
	blank_trim_buf(to, BLANK_JSON);
	if (!to->len)
		die(STATUS_INPUT, "unable to log in: the secret is empty");
	if (memchr(to->s, '\0', to->len))
		die(STATUS_INPUT, "unable to log in: the secret holds a NUL");
}

static void
make_body(const struct login *login, struct buf *to)
{
	struct buf secret = BUF_INIT;
	bool key = !strcmp(login->type, "apiKey"), tokens = !strcmp(login->type, "chatgptAuthTokens");

	buf_addch(to, '{');
	jtext_add_text(to, "type", login->type);
	if (key || tokens) {
		read_secret(login, &secret);
		jtext_add_buf(to, key ? "apiKey" : "accessToken", &secret);
	}
	if (tokens) {
		jtext_add_text(to, "chatgptAccountId", login->account);
		jtext_add_given(to, "chatgptPlanType", login->plan);
	}
	buf_addch(to, '}');
	buf_release(&secret);
}

/* ---- who is logged in */

static bool
is_in(struct login *login, struct err *err)
{
	struct buf url = BUF_INIT;
	struct compass_answer answer;
	struct span account, type;
	bool in = false;

	COMPASS_PATH(&login->client.api, &url, "runtime", "account", "read");
	if (compass_call(&login->client.api, "POST", url.s, NULL, NULL, "read the account", &answer, err))
		in = jtext_get(answer.object, "account", &account) && jtext_get(account, "type", &type) && jtext_is_string(type, "chatgpt");
	compass_release(&answer);
	buf_release(&url);
	return in;
}

/* ---- the runtime's notifications */

static bool
on_event(const struct event_view *view, void *payload)
{
	struct login *login = payload;
	struct span id, success;

	if (strcmp(view->kind.s, "account/login/completed") || !view->data.s)
		return true;
	/* somebody else's login, or one with a key, is none of ours */
	if (!jtext_get(view->data, "loginId", &id) || !jtext_is_string(id, login->id.s))
		return true;
	login->failed = !jtext_get(view->data, "success", &success) || jtext_type(success) != JTEXT_TRUE;
	buf_reset(&login->why);
	(void)jtext_get_string(view->data, "error", &login->why);
	login->done = true;
	return true;
}

/* It is listened to from now on: what was said before was not heard. */
static bool
on_edge(void *payload)
{
	struct login *login = payload;

	login->look = login->id.len > 0;
	return true;
}

static void
on_notice(const char *text, void *payload)
{
	(void)payload;
	debug("%s", text);
}

static const struct follow_events events = { .event = on_event, .edge = on_edge, .notice = on_notice };

/* ---- login */

static void
ask_login(struct login *login)
{
	struct buf url = BUF_INIT, body = BUF_INIT, where = BUF_INIT, code = BUF_INIT;
	struct compass_answer answer;
	struct err err = ERR_INIT;

	COMPASS_PATH(&login->client.api, &url, "runtime", "account", "login", "start");
	make_body(login, &body);
	if (!compass_call(&login->client.api, "POST", url.s, &body, NULL, "log in", &answer, &err))
		die_err(&err);
	jtext_compact(&login->answer, answer.object);
	(void)jtext_get_string(answer.object, "loginId", &login->id);
	if (!jtext_get_string(answer.object, "authUrl", &where))
		(void)jtext_get_string(answer.object, "verificationUrl", &where);
	(void)jtext_get_string(answer.object, "userCode", &code);
	/* also with --quiet: without it nobody could go on */
	if (where.len && code.len)
		warn("open %s and enter the code %s", where.s, code.s);
	else if (where.len)
		warn("open %s", where.s);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&where);
	buf_release(&code);
}

static void
cancel_login(struct login *login)
{
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct compass_answer answer;
	struct err err = ERR_INIT;

	COMPASS_PATH(&login->client.api, &url, "runtime", "account", "login", "cancel");
	buf_addch(&body, '{');
	jtext_add_buf(&body, "loginId", &login->id);
	buf_addch(&body, '}');
	if (!compass_call(&login->client.api, "POST", url.s, &body, NULL, "cancel the login", &answer, &err))
		warn_err(&err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
}

static void
check_signal(struct login *login)
{
	int signo = sig_take();

	if (!signo)
		return;
	sig_release();
	cancel_login(login);
	sig_die(signo);
}

/* Until the login is done: told by the runtime's notifications, or seen in the account. follow NULL: nobody tells. */
static void
wait_for_browser(struct login *login, struct follow *follow)
{
	struct pollfd fds[2] = { { .fd = sig_catch() } };
	int64_t deadline = login->client.api.deadline != DEADLINE_NONE ? login->client.api.deadline : deadline_in(WAIT_MS),
		look_at = deadline_in(LOOK_MS), next;
	struct err err = ERR_INIT;

	while (!login->done) {
		if (follow && follow_step(follow, &err) != FOLLOW_ON) {
			info("%s; looking at the account instead", err.text);
			follow = NULL;
		}
		if (login->done)
			break;
		check_signal(login);
		if (deadline_left(deadline) == 0) {
			cancel_login(login);
			die(STATUS_TIMEOUT, "unable to log in: nobody did in the browser");
		}
		if (!login->was_in && (login->look || (!follow && deadline_left(look_at) == 0))) {
			login->done = is_in(login, &err);
			login->look = false;
			look_at = deadline_in(LOOK_MS);
			continue;
		}
		next = follow ? follow_deadline(follow) : look_at;
		fds[1].fd = follow ? follow_fd(follow) : -1;
		if (!http_wait(login->client.api.http, fds, 2, next < deadline ? next : deadline, &err))
			die_err(&err);
	}
	if (login->failed)
		die(STATUS_DENIED, "unable to log in: %s", login->why.len ? login->why.s : "the login failed");
}

static void
log_in(struct login *login)
{
	bool browser = !login->no_wait && (!strcmp(login->type, "chatgpt") || !strcmp(login->type, "chatgptDeviceCode"));
	struct follow *follow = NULL;
	struct err err = ERR_INIT;

	if (browser) {
		login->was_in = is_in(login, &err);
		/* listening begins before there is anything to hear */
		follow = follow_runtime_new(&login->client.api, &events, login);
		if (follow_step(follow, &err) != FOLLOW_ON) {
			info("%s; looking at the account instead", err.text);
			follow_free(follow);
			follow = NULL;
		}
	}
	ask_login(login);
	if (browser && login->id.len)
		wait_for_browser(login, follow);
	follow_free(follow);
	if (!filter_run(login->client.filter, login->answer.s, login->answer.len, filter_print, NULL, &err))
		die_err(&err);
}

static void
check_type(const struct login *login)
{
	bool tokens = !strcmp(login->type, "chatgptAuthTokens");

	OPT_ONE_OF("the type", login->type, "apiKey", "chatgpt", "chatgptDeviceCode", "chatgptAuthTokens");
	if (tokens && !login->account)
		die_usage("chatgptAuthTokens needs --account");
	if (!tokens && (login->account || login->plan))
		die_usage("--account and --plan are for chatgptAuthTokens");
	if (login->file && !tokens && strcmp(login->type, "apiKey"))
		die_usage("--file is for apiKey and chatgptAuthTokens");
}

int
main(int argc, char *argv[])
{
	struct login login = { .id = BUF_INIT, .answer = BUF_INIT, .why = BUF_INIT };
	int key;

	client_begin(&login.client, &cmd);
	core_none();
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case 'f':
			login.file = opt_arg;
			break;
		case OPT_ACCOUNT:
			login.account = opt_arg;
			break;
		case OPT_PLAN:
			login.plan = opt_arg;
			break;
		case OPT_NO_WAIT:
			login.no_wait = true;
			break;
		default:
			client_option(&login.client, key);
		}
	if (argc == 0)
		die_usage("no type: give apiKey, chatgpt, chatgptDeviceCode or chatgptAuthTokens");
	if (argc > 1)
		die_usage("unexpected operand; a key is read from standard input or --file");
	login.type = *argv;
	check_type(&login);
	client_open(&login.client);
	log_in(&login);
	buf_release(&login.id);
	buf_release(&login.answer);
	buf_release(&login.why);
	return client_end(&login.client, STATUS_OK);
}
