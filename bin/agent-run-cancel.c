/*
 * agent-run-cancel - end runs
 *
 * reads   run records from standard input, unless the runs are named
 * writes  the server's answer and the subject's members, one line for each run whose end was taken on
 */
#include "compat.h"

#include "cancel.h"
#include "client.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "opt.h"

enum { OPT_REASON = OPT_OWN, OPT_IDEMPOTENCY_KEY };

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_REASON, "reason", "TEXT", "why, for people; it is kept with the run's last event" },
	{ OPT_IDEMPOTENCY_KEY, "idempotency-key", "KEY", "so that asking again gets the first answer (default: a new one)" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-run-cancel",
	.synopsis = "[options] [RUN ...]",
	.about = "end runs: their handlers are stopped, and what waits gets no answer",
	.example = "  agent-run-cancel --reason 'wrong branch' run_1\n"
		   "  agent-runs --status running | agent-run-cancel",
	.opts = opts,
};

struct cancelling {
	struct client client;
	const char *reason, *key;
	unsigned count;
};

static bool
cancel(void *payload, int *ret_status, struct err *err)
{
	struct cancelling *cancelling = payload;
	struct buf key = BUF_INIT;
	struct http_answer answer;
	struct span value;
	bool ok;

	(void)ret_status;
	if (!cancelling->client.subject.run.len)
		return subject_lacks(&cancelling->client.subject, "run", err);
	if (cancelling->key)
		buf_addf(&key, cancelling->count ? "%s-%u" : "%s", cancelling->key, cancelling->count);
	else
		key_add(&key);
	cancelling->count++;
	ok = cancel_run(&cancelling->client.api, cancelling->client.subject.run.s, cancelling->reason, key.s, &answer, err);
	if (ok && jtext_check(answer.body.s, answer.body.len, false, &value, err))
		client_result(&cancelling->client, value);
	http_answer_release(&answer);
	buf_release(&key);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct cancelling cancelling = { .count = 0 };
	struct err err = ERR_INIT;
	int key, status;

	client_begin(&cancelling.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_REASON:
			cancelling.reason = opt_arg;
			break;
		case OPT_IDEMPOTENCY_KEY:
			if (!key_check(opt_arg, &err))
				die_usage("%s", err.text);
			cancelling.key = opt_arg;
			break;
		default:
			client_option(&cancelling.client, key);
		}
	if (argc && cancelling.client.subject.run.len)
		die_usage("--run and a run as operand cannot be given together");
	client_open(&cancelling.client);
	status = client_each_of(&cancelling.client, argv, &cancelling.client.subject.run, "RUN", cancel, &cancelling);
	return client_end(&cancelling.client, status);
}
