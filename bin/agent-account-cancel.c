/*
 * agent-account-cancel - give up a login that waits for a browser
 *
 * reads   its operands, else records with a loginId from standard input
 * writes  {"status","loginId"}, one line for each
 */
#include "compat.h"

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"

static const struct opt opts[] = {
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-cancel",
	.synopsis = "[options] [LOGIN ...]",
	.about = "give up a login that waits for a browser",
	.example = "  agent-account-login --no-wait chatgpt | agent-account-cancel",
	.opts = opts,
};

struct cancelling {
	struct client client;
	struct buf login;
};

/* The outcome is STATUS_NO when there was no such login. */
static bool
cancel(void *payload, int *ret_status, struct err *err)
{
	struct cancelling *cancelling = payload;
	const struct subject *subject = &cancelling->client.subject;
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, line = BUF_INIT;
	struct compass_answer answer;
	struct span said;
	bool ok;

	if (subject->record.s) {
		buf_reset(&cancelling->login);
		(void)jtext_get_string(subject->record, "loginId", &cancelling->login);
	}
	if (!cancelling->login.len)
		return subject_lacks(subject, "login", err);
	COMPASS_PATH(&cancelling->client.api, &url, "runtime", "account", "login", "cancel");
	buf_addch(&body, '{');
	jtext_add_buf(&body, "loginId", &cancelling->login);
	buf_addch(&body, '}');
	buf_addf(&what, "cancel login '%s'", cancelling->login.s);
	ok = compass_call(&cancelling->client.api, "POST", url.s, &body, NULL, what.s, &answer, err);
	if (ok) {
		jtext_merge(&line, answer.object, span_of(&body));
		if (jtext_get(answer.object, "status", &said) && jtext_is_string(said, "notFound"))
			*ret_status = STATUS_NO;
		ok = filter_run(cancelling->client.filter, line.s, line.len, filter_print, NULL, err);
	}
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&line);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct cancelling cancelling = { .login = BUF_INIT };
	int key, status;

	client_begin(&cancelling.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		client_option(&cancelling.client, key);
	client_open(&cancelling.client);
	status = client_each_of(&cancelling.client, argv, &cancelling.login, "LOGIN", cancel, &cancelling);
	buf_release(&cancelling.login);
	return client_end(&cancelling.client, status);
}
