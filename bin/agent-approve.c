/*
 * agent-approve - answer what a runtime asks people
 *
 * reads   approvals, or events that ask for one, from standard input, unless options name it
 * writes  the approval as it is then, one line for each
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"

#define ANSWERS_MAX 64

enum { OPT_APPROVAL = OPT_OWN, OPT_REASON, OPT_ANSWER };

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_APPROVAL, "approval", "ID", "the approval" },
	{ OPT_REASON, "reason", "TEXT", "why, for people; it is kept" },
	{ OPT_ANSWER, "answer", "ID=TEXT", "the answer to a question; may be given several times" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-approve",
	.synopsis = "[options] [accept | acceptForSession | decline | cancel]",
	.about = "answer what a runtime asks people",
	.example = "  agent-approvals \"$thread\" | jq -c 'select(.params.command | test(\"^make\"))' | agent-approve accept",
	.opts = opts,
};

struct answering {
	struct client client;
	const char *decision, *reason;
	struct buf approval; /* of the options */
	const char *answers[ANSWERS_MAX];
	size_t n_answers;
};

static void
make_body(const struct answering *answering, struct buf *to)
{
	struct buf id = BUF_INIT, answers = BUF_INIT;
	const char *equals;
	size_t i;

	buf_addch(to, '{');
	jtext_add_text(to, "decision", answering->decision);
	jtext_add_given(to, "reason", answering->reason);
	if (answering->n_answers) {
		buf_addch(&answers, '{');
		for (i = 0; i < answering->n_answers; i++) {
			equals = strchr(answering->answers[i], '=');
			buf_reset(&id);
			jtext_quote(&id, answering->answers[i], (size_t)(equals - answering->answers[i]));
			if (i)
				buf_addch(&answers, ',');
			buf_add(&answers, id.s, id.len);
			buf_addstr(&answers, ":[");
			jtext_quote(&answers, equals + 1, strlen(equals + 1));
			buf_addch(&answers, ']');
		}
		buf_addch(&answers, '}');
		jtext_add_raw(to, "answers", answers.s, answers.len);
	}
	buf_addch(to, '}');
	buf_release(&id);
	buf_release(&answers);
}

/* The approval's id: of the options, of an approval, or of an event that has one as its payload. */
static bool
find_id(const struct answering *answering, struct buf *to)
{
	struct span payload;

	if (answering->approval.len)
		buf_add(to, answering->approval.s, answering->approval.len);
	else if (answering->client.subject.record.s && !jtext_get_string(answering->client.subject.record, "approvalId", to) &&
	    jtext_get(answering->client.subject.record, "payload", &payload))
		(void)jtext_get_string(payload, "approvalId", to);
	return to->len && !memchr(to->s, '\0', to->len);
}

static bool
answer_one(void *payload, int *ret_status, struct err *err)
{
	struct answering *answering = payload;
	const char *thread = answering->client.subject.thread.s;
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, id = BUF_INIT;
	struct compass_answer answer;
	bool ok = find_id(answering, &id) && *thread;

	(void)ret_status;
	if (!ok) {
		buf_release(&id);
		return subject_lacks(&answering->client.subject, "approval of a thread", err);
	}
	COMPASS_PATH(&answering->client.api, &url, "threads", thread, "approvals", id.s);
	make_body(answering, &body);
	buf_addf(&what, "answer approval '%s'", id.s);
	ok = compass_call(&answering->client.api, "POST", url.s, &body, "approval", what.s, &answer, err) &&
	    filter_result(answering->client.filter, &answering->client.subject, answer.object, err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&id);
	return ok;
}

static void
check(const struct answering *answering)
{
	OPT_ONE_OF("the decision", answering->decision, "accept", "acceptForSession", "decline", "cancel");
	if (strncmp(answering->decision, "accept", 6) != 0 && answering->n_answers)
		die_usage("--answer goes with accept");
	if (!answering->approval.len != !answering->client.subject.thread.len)
		die_usage("--thread and --approval go together");
}

int
main(int argc, char *argv[])
{
	struct answering answering = { .decision = "accept", .approval = BUF_INIT };
	struct err err = ERR_INIT;
	int key, status;

	client_begin(&answering.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_APPROVAL:
			if (!subject_set(&answering.approval, "--approval", opt_arg, &err))
				die_usage("%s", err.text);
			break;
		case OPT_REASON:
			answering.reason = opt_arg;
			break;
		case OPT_ANSWER:
			if (!strchr(opt_arg, '=') || *opt_arg == '=')
				die_usage("unable to use --answer '%s': expected ID=TEXT", opt_arg);
			if (answering.n_answers == ANSWERS_MAX)
				die_usage("more than %d --answer options", ANSWERS_MAX);
			answering.answers[answering.n_answers++] = opt_arg;
			break;
		default:
			client_option(&answering.client, key);
		}
	if (argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	if (argc == 1)
		answering.decision = *argv;
	check(&answering);
	client_open(&answering.client);
	(void)subject_named(&answering.client.subject);

	status = client_each(&answering.client, answer_one, NULL, &answering);
	buf_release(&answering.approval);
	return client_end(&answering.client, status);
}
