/*
 * agent-approve - answer what a runtime asks people
 *
 * reads   approvals, or events that ask for one, from standard input, unless options name it
 * writes  the approval as it is then, one line for each
 */
#include "compat.h"

#include <string.h>

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"
#include "subject.h"

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
	struct api api;
	struct subject subject;
	struct filter *filter;
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
	jtext_add_string(to, "decision", answering->decision, strlen(answering->decision));
	if (answering->reason)
		jtext_add_string(to, "reason", answering->reason, strlen(answering->reason));
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
	else if (answering->subject.record.s && !jtext_get_string(answering->subject.record, "approvalId", to) &&
	    jtext_get(answering->subject.record, "payload", &payload))
		(void)jtext_get_string(payload, "approvalId", to);
	return to->len && !memchr(to->s, '\0', to->len);
}

static bool
answer_one(struct answering *answering, struct err *err)
{
	const char *thread = answering->subject.thread.s;
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, id = BUF_INIT;
	struct compass_answer answer;
	bool ok = find_id(answering, &id) && *thread;

	if (!ok) {
		buf_release(&id);
		return err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it names no approval of a thread",
		    (unsigned long long)answering->subject.in.count);
	}
	COMPASS_PATH(&answering->api, &url, "threads", thread, "approvals", id.s);
	make_body(answering, &body);
	buf_addf(&what, "answer approval '%s'", id.s);
	ok = compass_call(&answering->api, "POST", url.s, &body, "approval", what.s, &answer, err) &&
	    filter_result(answering->filter, &answering->subject, answer.object, err);
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
	static const char *const decisions[] = { "accept", "acceptForSession", "decline", "cancel" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(decisions) && strcmp(answering->decision, decisions[i]) != 0; i++)
		;
	if (i == ARRAY_LEN(decisions))
		die_usage("unable to use the decision '%s': expected accept, acceptForSession, decline or cancel", answering->decision);
	if (i > 1 && answering->n_answers)
		die_usage("--answer goes with accept");
	if (!answering->approval.len != !answering->subject.thread.len)
		die_usage("--thread and --approval go together");
}

int
main(int argc, char *argv[])
{
	struct answering answering = { .api = API_INIT, .decision = "accept", .approval = BUF_INIT };
	struct err err = ERR_INIT;
	const char *program = NULL;
	enum subject_result next;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	subject_init(&answering.subject);
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
		case OPT_KEY_JQ:
			program = opt_arg;
			break;
		default:
			if (!subject_opt(&answering.subject, key, opt_arg, &err) &&
			    (err.status || !api_opt(&answering.api, key, opt_arg, &err)))
				die_usage("%s", err.text);
		}
	if (argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	if (argc == 1)
		answering.decision = *argv;
	check(&answering);
	answering.filter = filter_new(program, &err);
	if (!answering.filter || !api_open(&answering.api, &err))
		die_err(&err);
	(void)subject_named(&answering.subject);

	while ((next = subject_next(&answering.subject, &err)) != SUBJECT_END) {
		if (next == SUBJECT_BAD || !answer_one(&answering, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
		out_flush();
	}

	buf_release(&answering.approval);
	filter_free(answering.filter);
	subject_release(&answering.subject);
	api_release(&answering.api);
	return status_worse(status, out_close());
}
