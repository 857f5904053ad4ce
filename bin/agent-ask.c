/*
 * agent-ask - ask a person, and wait for the answer
 *
 * reads   the question from its operands, or from standard input when the operand is "-"
 * writes  the answer; with --confirm nothing: the status is the answer
 *
 * Whatever ends it, its question does not stay behind.
 */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "blank.h"
#include "clock.h"
#include "desk.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "sig.h"
#include "utf8.h"

#define TIMEOUT_MS 600000 /* contract section 13.1 */
#define LEAVE_MS 5000	  /* for a broker to take the question away at the end */

enum { OPT_KEY = OPT_OWN, OPT_CHOICES, OPT_DEFAULT, OPT_JSON };

static const struct opt opts[] = {
	{ 'k', "key", "KEY", "the question's key (default: a new one)" },
	{ OPT_CHOICES, "choices", "A,B,C", "only these answers count; after another one the question is asked again" },
	{ 'c', "confirm", NULL, "a yes or no question: status 0 for yes, 1 for anything else; writes nothing" },
	{ OPT_DEFAULT, "default", "TEXT", "the answer when nobody gives one in time" },
	{ 't', "timeout", "DURATION", "give up after this time (default CLARITY_HITL_TIMEOUT_SECS, else 600s)" },
	{ OPT_JSON, "json", NULL, "write a record instead of the bare answer" },
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-ask",
	.synopsis = "[options] QUESTION ...",
	.about = "ask a person, and wait for the answer",
	.example = "  agent-ask --confirm \"deploy to production?\" && ./deploy",
	.opts = opts,
};

struct ask {
	struct desk desk;
	struct buf key, text, host;
	const char *choices, *fallback;
	bool confirm, json;
	int64_t deadline, timeout_ms, began;
	int signal_fd;
	struct hitl_question question;
};

static void
new_key(struct buf *to)
{
	unsigned char bytes[8] = { 0 };
	size_t i;

	buf_addf(to, "ask-%lld-%ld-", (long long)clock_wall_ms(), (long)getpid());
	if (getentropy(bytes, sizeof bytes) < 0)
		die_errno(STATUS_IO, "unable to make a key");
	for (i = 0; i < sizeof bytes; i++)
		buf_addf(to, "%02x", bytes[i]);
}

/* ---- what counts as an answer */

static bool
confirmed(const char *answer)
{
	static const char *const yes[] = { "yes", "y", "Yes", "Y", "true" }; /* contract section 13.1 */
	size_t i;

	for (i = 0; i < ARRAY_LEN(yes); i++)
		if (!strcmp(answer, yes[i]))
			return true;
	return false;
}

/* The next of "a, b, c", without the blanks around it. *at moves on; NULL: that was the last one. */
static struct span
next_choice(const char **at)
{
	const char *choice = *at;
	size_t n = strcspn(choice, ",");

	*at = choice[n] ? choice + n + 1 : NULL;
	blank_trim(&choice, &n, BLANK_JS);
	return (struct span){ choice, n };
}

/* One of the choices, in whatever case; *answer becomes what the list says. */
static bool
chosen(const char *choices, struct buf *answer)
{
	const char *at = choices;

	while (at) {
		struct span choice = next_choice(&at);

		if (choice.n == answer->len && !strncasecmp(choice.s, answer->s, choice.n)) {
			buf_reset(answer);
			buf_add(answer, choice.s, choice.n);
			return true;
		}
	}
	return false;
}

static bool
counts(const struct ask *ask, struct buf *answer)
{
	if (!ask->choices || chosen(ask->choices, answer))
		return true;
	if (answer->len || !ask->fallback)
		return false;
	buf_addstr(answer, ask->fallback); /* Enter alone */
	return true;
}

static void
check_choices(const struct ask *ask)
{
	const char *at = ask->choices;
	struct buf fallback = BUF_INIT;

	while (at)
		if (!next_choice(&at).n)
			die_usage("unable to use --choices '%s': one of them is empty", ask->choices);
	if (ask->fallback) {
		buf_addstr(&fallback, ask->fallback);
		if (!chosen(ask->choices, &fallback))
			die_usage("unable to use --default '%s': it is none of the choices", ask->fallback);
	}
	buf_release(&fallback);
}

/* ---- asking */

static bool
put_question(struct ask *ask, const struct buf *refused, bool again, struct err *err)
{
	struct buf text = BUF_INIT;
	struct hitl_asking asking = {
		.key = ask->key.s, .key_n = ask->key.len, .pid = (int64_t)getpid(), .host = ask->host.s, .replace = again
	};
	bool ok;

	if (refused) {
		buf_addch(&text, '\'');
		utf8_safe(&text, refused->s, refused->len < 200 ? refused->len : 200, UTF8_SAFE_LINE);
		buf_addstr(&text, "' is none of the choices.\n");
	}
	buf_add(&text, ask->text.s, ask->text.len);
	if (ask->confirm)
		buf_addstr(&text, " (yes/no)");
	if (ask->choices)
		buf_addf(&text, " (%s)", ask->choices);
	asking.question = text.s;
	asking.question_n = text.len;
	asking.timestamp = clock_wall_ms();
	ok = desk_ask(&ask->desk, &asking, &ask->question, err);
	buf_release(&text);
	return ok;
}

static void
leave(struct ask *ask)
{
	ask->desk.api.deadline = deadline_in(LEAVE_MS);
	desk_done(&ask->desk, &ask->question);
}

static void
on_signal(struct ask *ask)
{
	int signo = sig_take();

	if (!signo)
		return;
	leave(ask);
	sig_die(signo);
}

/* ---- waiting */

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* True: *answer is one that counts. False: the deadline passed. Everything else ends here. */
static bool
wait_answer(struct ask *ask, struct buf *answer)
{
	struct err err = ERR_INIT;
	struct pollfd fd = { .fd = ask->signal_fd, .events = POLLIN };
	enum hitl_state state = HITL_PENDING;
	int64_t deadline;
	bool unreachable = false;

	for (;;) {
		buf_reset(answer);
		state = desk_look(&ask->desk, &ask->question, answer, &err);
		if (state == HITL_ANSWERED) {
			if (counts(ask, answer))
				break;
			info("the answer is none of the choices: asking again");
			if (!put_question(ask, answer, true, &err)) {
				leave(ask);
				die_err(&err);
			}
			continue;
		}
		if (state == HITL_CANCELLED) {
			desk_close(&ask->desk);
			die(STATUS_CANCELLED, "the question '%s' was cancelled", ask->question.key.s);
		}
		if (state == HITL_BAD && !desk_is_trouble(&ask->desk, &err)) {
			leave(ask);
			die_err(&err);
		}
		if (state == HITL_BAD && !unreachable)
			warn("%s; trying again", err.text);
		unreachable = state == HITL_BAD;
		if (deadline_left(ask->deadline) == 0)
			break;
		deadline = ask->deadline;
		if (state == HITL_SETTLING)
			deadline = earlier(deadline_in(HITL_SETTLE_MS), deadline);
		if (!desk_wait(&ask->desk, &fd, 1, unreachable ? DESK_TROUBLE_MS : 0, deadline, &err)) {
			leave(ask);
			die_err(&err);
		}
		on_signal(ask);
	}
	return state == HITL_ANSWERED;
}

static void
report(const struct ask *ask, const struct buf *answer, bool defaulted)
{
	struct buf record = BUF_INIT;

	if (ask->json) {
		buf_addch(&record, '{');
		jtext_add_buf(&record, "key", &ask->question.key);
		jtext_add_buf(&record, "response", answer);
		if (ask->confirm)
			jtext_add_bool(&record, "confirmed", confirmed(answer->s));
		jtext_add_bool(&record, "default", defaulted);
		jtext_add_i64(&record, "waitedMs", clock_monotonic_ms() - ask->began);
		buf_addch(&record, '}');
		out_line(record.s, record.len);
	} else if (!ask->confirm)
		out_line(answer->s, answer->len);
	buf_release(&record);
}

static void
take_text(struct ask *ask, int argc, char *argv[])
{
	struct err err = ERR_INIT;
	const char *s;
	size_t n;
	int i;

	if (argc == 1 && !strcmp(argv[0], "-")) {
		if (!buf_read_fd(&ask->text, STDIN_FILENO, HITL_FILE_MAX, "standard input", &err))
			die_err(&err);
	} else
		for (i = 0; i < argc; i++)
			buf_addf(&ask->text, "%s%s", i ? " " : "", argv[i]);
	s = ask->text.s;
	n = ask->text.len;
	blank_trim(&s, &n, BLANK_JS);
	if (!n)
		die_usage("a question is missing");
	buf_cut(&ask->text, (size_t)(s - ask->text.s) + n);
	buf_consume(&ask->text, (size_t)(s - ask->text.s));
}

static void
default_timeout(struct ask *ask)
{
	const char *text = getenv("CLARITY_HITL_TIMEOUT_SECS");
	struct err err = ERR_INIT;

	if (ask->timeout_ms)
		return;
	ask->timeout_ms = TIMEOUT_MS;
	if (text && *text && !num_duration(text, "CLARITY_HITL_TIMEOUT_SECS", &ask->timeout_ms, &err)) {
		err.status = STATUS_CONFIG;
		die_err(&err);
	}
}

int
main(int argc, char *argv[])
{
	struct ask ask = { .desk = DESK_INIT, .key = BUF_INIT, .text = BUF_INIT, .host = BUF_INIT };
	struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;
	char host[256] = "";
	int key, status = STATUS_OK;
	bool answered;

	cmd_init(&cmd);
	hitl_question_init(&ask.question);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case 'k':
			buf_reset(&ask.key);
			buf_addstr(&ask.key, opt_arg);
			if (!opt_arg[strspn(opt_arg, " \t\r\n")])
				die_usage("unable to use --key '%s': it is empty", opt_arg);
			break;
		case OPT_CHOICES:
			ask.choices = opt_arg;
			break;
		case 'c':
			ask.confirm = true;
			break;
		case OPT_DEFAULT:
			ask.fallback = opt_arg;
			break;
		case 't':
			if (!num_duration(opt_arg, "--timeout", &ask.timeout_ms, &err))
				die_usage("%s", err.text);
			break;
		case OPT_JSON:
			ask.json = true;
			break;
		default:
			if (!desk_opt(&ask.desk, key, opt_arg, &err))
				die_usage("%s", err.text);
		}
	if (ask.confirm && ask.choices)
		die_usage("--confirm and --choices cannot be given together");
	if (ask.choices)
		check_choices(&ask);
	take_text(&ask, argc, argv);
	default_timeout(&ask);
	if (!ask.key.len)
		new_key(&ask.key);
	if (gethostname(host, sizeof host - 1) == 0)
		buf_addstr(&ask.host, host);
	if (!desk_open(&ask.desk, DESK_ASK, &err))
		die_err(&err);
	ask.signal_fd = sig_catch();
	if (ask.signal_fd < 0)
		die_errno(STATUS_IO, "unable to catch signals");
	ask.began = clock_monotonic_ms();
	ask.deadline = deadline_in(ask.timeout_ms);
	ask.desk.api.deadline = ask.deadline;
	if (!put_question(&ask, NULL, false, &err))
		die_err(&err);
	debug("asked '%s' in %s", ask.question.key.s, ask.desk.remote ? ask.desk.api.address.given.s : ask.desk.hitl.path.s);

	answered = wait_answer(&ask, &answer);
	leave(&ask);
	if (!answered) {
		if (!ask.fallback)
			die(STATUS_TIMEOUT, "nobody answered '%s' in %lld s", ask.question.key.s, (long long)(ask.timeout_ms / 1000));
		buf_reset(&answer);
		buf_addstr(&answer, ask.fallback);
		info("nobody answered: taking the default");
	}
	report(&ask, &answer, !answered);
	if (ask.confirm && !confirmed(answer.s))
		status = STATUS_NO;
	hitl_question_release(&ask.question);
	desk_close(&ask.desk);
	buf_release(&answer);
	buf_release(&ask.key);
	buf_release(&ask.text);
	buf_release(&ask.host);
	return status_worse(status, out_close());
}
