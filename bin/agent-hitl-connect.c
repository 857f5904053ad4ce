/*
 * agent-hitl-connect - let a person answer questions, one after the other
 *
 * reads   answers from standard input, a line each
 * writes  the questions and what became of them, as text
 *
 * An empty line is an answer: it approves. The end of the input is none, and neither is a last line without a newline.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "blank.h"
#include "clock.h"
#include "desk.h"
#include "die.h"
#include "err.h"
#include "hitl_news.h"
#include "jtext.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "utf8.h"
#include "xalloc.h"

enum { OPT_APPROVE = OPT_OWN, OPT_MAX_AGE, OPT_LOG, OPT_POLL };

static const struct opt opts[] = {
	{ OPT_APPROVE, "auto-approve", NULL, "approve everything: give each question the empty answer" },
	{ OPT_MAX_AGE, "max-age", "DURATION", "pass over questions that are older" },
	{ OPT_LOG, "log", "FILE", "append a record of each answer to FILE" },
	{ OPT_POLL, "poll", "DURATION", "between two looks at a broker that does not tell of what happens (default 500ms)" },
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-connect",
	.synopsis = "[options] [URL]",
	.about = "let a person answer questions, one after the other",
	.example = "  agent-hitl-connect http://127.0.0.1:7842",
	.opts = opts,
};

struct input {
	struct buf held;
	bool ended, terminal;
};

struct connect {
	struct desk desk;
	struct input in;
	struct hitl_list known;	       /* in the order of stems; `answered` marks what is dealt with, which is not shown again */
	struct hitl_question *current; /* what the person sees; a copy */
	bool vanished;		       /* it is not there any more */
	bool drop_line;		       /* the next line was typed for a question that vanished */
	bool approve;
	int64_t max_age_ms, poll_ms;
	int log_fd;
	bool trouble, missing;
};

/* ---- what is said */

static void
say_time(struct buf *to)
{
	buf_addch(to, '[');
	clock_add_iso(to, clock_wall_ms());
	buf_addstr(to, "] ");
}

/* "[time] answered KEY" and the like; rest may be NULL. */
static void
say(const char *what, const struct hitl_question *question, const char *rest)
{
	struct buf text = BUF_INIT;

	say_time(&text);
	buf_addf(&text, "%s ", what);
	utf8_safe(&text, question->key.s, question->key.len, UTF8_SAFE_LINE);
	if (rest)
		buf_addstr(&text, rest);
	out_line(text.s, text.len);
	out_flush();
	buf_release(&text);
}

static void
say_error(const char *what, const struct hitl_question *question, const struct err *err)
{
	struct buf text = BUF_INIT, error = BUF_INIT;

	say_time(&text);
	buf_addstr(&text, what);
	if (question) {
		buf_addch(&text, ' ');
		utf8_safe(&text, question->key.s, question->key.len, UTF8_SAFE_LINE);
	}
	utf8_safe(&error, err->text, strlen(err->text), UTF8_SAFE_LINE);
	buf_addf(&text, ": %s", error.s);
	out_flush();
	warn("%s", text.s);
	buf_release(&text);
	buf_release(&error);
}

static int64_t
age_s(const struct hitl_question *question)
{
	int64_t age = (clock_wall_ms() - question->timestamp) / 1000;

	return age > 0 ? age : 0;
}

static void
show(const struct connect *connect, const struct hitl_question *question)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "\n%sHITL request: ", connect->desk.remote ? "Remote " : "");
	utf8_safe(&text, question->key.s, question->key.len, UTF8_SAFE_LINE);
	buf_addch(&text, '\n');
	utf8_safe(&text, question->question.s, question->question.len, UTF8_SAFE_TEXT);
	buf_addf(&text, "\nAge: %llds\n", (long long)age_s(question));
	if (connect->approve)
		buf_addstr(&text, "Auto-approve enabled: submitting empty response.\n");
	else
		buf_addf(&text, "%snswer (Enter to confirm): \n", connect->desk.remote ? "Remote a" : "A");
	out_write(text.s, text.len);
	out_flush();
	buf_release(&text);
}

/* ---- what is typed */

/* Reads once; nothing blocks, because poll() said that there is something. */
static void
input_read(struct input *in)
{
	char bytes[4096];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n > 0)
		buf_add(&in->held, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		in->ended = true;
	if (in->held.len > HITL_FILE_MAX + 1 && !memchr(in->held.s, '\n', in->held.len))
		die(STATUS_INPUT, "unable to use the answer: it has more than %u bytes", HITL_FILE_MAX);
}

/* The next whole line, without its end. False: there is none yet. */
static bool
input_line(struct input *in, struct buf *line)
{
	const char *end = memchr(in->held.s, '\n', in->held.len);
	size_t n;

	if (!end)
		return false;
	n = (size_t)(end - in->held.s);
	buf_reset(line);
	buf_add(line, in->held.s, n);
	if (line->len && line->s[line->len - 1] == '\r')
		buf_cut(line, line->len - 1);
	buf_consume(&in->held, n + 1);
	return true;
}

/* What was typed before a question was seen is no answer to it. Only people type ahead: a pipe's lines are meant in order. */
static void
forget_typed(struct input *in)
{
	if (!in->terminal)
		return;
	tcflush(STDIN_FILENO, TCIFLUSH);
	buf_reset(&in->held);
}

/* ---- answers */

static void
log_answer(const struct connect *connect, const struct hitl_question *question, const char *answer, size_t n)
{
	struct buf record = BUF_INIT, details = BUF_INIT;

	if (connect->log_fd < 0)
		return;
	buf_addch(&details, '{');
	jtext_add_buf(&details, "safeKey", &question->stem);
	jtext_add_i64(&details, "responseLength", (int64_t)utf8_utf16_len(answer, n));
	jtext_add_i64(&details, "ageSeconds", age_s(question));
	buf_addch(&details, '}');
	buf_addch(&record, '{');
	jtext_add_text(&record, "type", "answered");
	jtext_add_buf(&record, "key", &question->key);
	jtext_add_time(&record, "timestamp", clock_wall_ms());
	jtext_add_raw(&record, "details", details.s, details.len);
	buf_addstr(&record, "}\n");
	if (write(connect->log_fd, record.s, record.len) != (ssize_t)record.len)
		warn("unable to write the log: %s", strerror(errno));
	buf_release(&record);
	buf_release(&details);
}

static void look(struct connect *connect);

/* Gives the answer, again and again while the broker is away and the question waits; the same answer twice does no harm. */
static void
give(struct connect *connect, const char *answer, size_t n)
{
	struct hitl_question *question = connect->current;
	struct err err = ERR_INIT;
	bool said = false;

	blank_trim(&answer, &n, BLANK_JS);
	while (!desk_reply(&connect->desk, question, answer, n, &err)) {
		bool trouble = desk_is_trouble(&connect->desk, &err);

		if (!said)
			say_error("answer error", question, &err);
		said = true;
		if (!trouble)
			return; /* it is gone, answered by somebody else, or cannot be answered */
		if (!desk_wait(&connect->desk, NULL, 0, DESK_TROUBLE_MS, deadline_in(DESK_TROUBLE_MS), &err))
			die_err(&err);
		look(connect);
		if (connect->vanished)
			return;
	}
	say("answered", question, NULL);
	log_answer(connect, question, answer, n);
}

/* ---- which question */

static bool
is_same(const struct hitl_question *x, const struct hitl_question *y)
{
	return x->timestamp == y->timestamp && x->inode == y->inode && buf_equal(&x->key, &y->key) && !strcmp(x->stem.s, y->stem.s);
}

/* The same text under the same key: for a broker that gives a question without a time a new one at each look. */
static bool
is_like(const struct hitl_question *x, const struct hitl_question *y)
{
	return !x->inode && !y->inode && buf_equal(&x->key, &y->key) && buf_equal(&x->question, &y->question);
}

/* In a list in the order of stems; several keys may share a stem there. */
static struct hitl_question *
find(const struct hitl_list *list, const struct hitl_question *wanted,
    bool (*is)(const struct hitl_question *, const struct hitl_question *))
{
	struct hitl_question *at = hitl_news_find(list, wanted->stem.s), *end = list->questions + list->n;

	if (!at)
		return NULL;
	while (at > list->questions && !strcmp(at[-1].stem.s, wanted->stem.s))
		at--;
	for (; at < end && !strcmp(at->stem.s, wanted->stem.s); at++)
		if (is(at, wanted))
			return at;
	return NULL;
}

/* The marks of what is dealt with go over to the new list. */
static void
look(struct connect *connect)
{
	struct hitl_question *before;
	struct hitl_list list;
	struct err err = ERR_INIT;
	size_t i;

	if (!desk_list(&connect->desk, &list, &err)) {
		if (!connect->trouble)
			say_error(connect->desk.remote ? "connect error" : "watch error", NULL, &err);
		if (!desk_is_trouble(&connect->desk, &err)) {
			desk_close(&connect->desk);
			exit(err.status); /* it has been said */
		}
		connect->trouble = true;
		return;
	}
	connect->trouble = false;
	if (desk_is_missing(&connect->desk) && !connect->missing)
		info("there is no directory '%s': waiting for it", connect->desk.hitl.path.s);
	connect->missing = desk_is_missing(&connect->desk);
	hitl_news_by_stem(&list);
	for (i = 0; i < list.n; i++) {
		before = find(&connect->known, &list.questions[i], is_same);
		list.questions[i].answered = before && before->answered;
	}
	hitl_list_release(&connect->known);
	connect->known = list;
	connect->vanished = connect->current && !find(&connect->known, connect->current, is_same) &&
	    !find(&connect->known, connect->current, is_like);
}

/* The oldest one that is not dealt with, marked as such. NULL: none. */
static struct hitl_question *
next_question(struct connect *connect)
{
	struct hitl_question *best = NULL;
	size_t i;

	for (i = 0; i < connect->known.n; i++) {
		struct hitl_question *question = &connect->known.questions[i];

		if (!question->answered && (!best || question->timestamp < best->timestamp))
			best = question;
	}
	if (best)
		best->answered = true;
	return best;
}

static void
copy_question(struct connect *connect, const struct hitl_question *from)
{
	struct hitl_question *to = xcalloc(1, sizeof *to);

	*to = *from;
	buf_init(&to->stem);
	buf_init(&to->key);
	buf_init(&to->question);
	buf_add(&to->stem, from->stem.s, from->stem.len);
	buf_add(&to->key, from->key.s, from->key.len);
	buf_add(&to->question, from->question.s, from->question.len);
	connect->current = to;
	connect->vanished = false;
}

static void
drop_question(struct connect *connect)
{
	hitl_question_release(connect->current);
	free(connect->current);
	connect->current = NULL;
}

/* Shows the next question, or deals with it without a person. False: there is none. */
static bool
begin(struct connect *connect)
{
	struct hitl_question *question = next_question(connect);
	struct buf why = BUF_INIT;

	if (!question)
		return false;
	copy_question(connect, question);
	if (connect->max_age_ms >= 0 && age_s(question) * 1000 > connect->max_age_ms) {
		buf_addf(&why, " (age %llds > %llds)", (long long)age_s(question), (long long)(connect->max_age_ms / 1000));
		say("skipped", connect->current, why.s);
		drop_question(connect);
	} else if (connect->approve) {
		show(connect, connect->current);
		give(connect, "", 0);
		drop_question(connect);
	} else {
		forget_typed(&connect->in);
		show(connect, connect->current);
	}
	buf_release(&why);
	return true;
}

/* ---- the loop */

static void
wait_for_something(struct connect *connect)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	struct err err = ERR_INIT;
	/* one line is enough: what more there is waits in its pipe */
	bool listen = !connect->approve && !connect->in.ended && !memchr(connect->in.held.s, '\n', connect->in.held.len);

	if (!desk_wait(&connect->desk, &fd, listen, connect->trouble ? DESK_TROUBLE_MS : connect->poll_ms, DEADLINE_NONE, &err))
		die_err(&err);
	if (listen && fd.revents)
		input_read(&connect->in);
}

/* The person has spoken, or is gone, or the question is. */
static void
go_on(struct connect *connect, struct buf *line)
{
	bool got = (connect->current || connect->in.terminal) && input_line(&connect->in, line);

	if (connect->drop_line && got) {
		connect->drop_line = false;
		return;
	}
	if (!connect->current)
		return; /* typed ahead, for no question */
	if (connect->vanished) {
		say("gone", connect->current, NULL);
		drop_question(connect);
		/* whoever is typing an answer must not give it to the next question */
		if (connect->in.terminal && !got) {
			forget_typed(&connect->in);
			connect->drop_line = true;
			out_printf("Press Enter to go on.\n");
			out_flush();
		}
	} else if (got) {
		give(connect, line->s, line->len);
		drop_question(connect);
	}
}

static int
serve(struct connect *connect)
{
	struct buf line = BUF_INIT;
	int status;

	connect->in.terminal = isatty(STDIN_FILENO);
	for (;;) {
		look(connect);
		go_on(connect, &line);
		while (!connect->current && !connect->drop_line && begin(connect))
			;
		if (connect->current && memchr(connect->in.held.s, '\n', connect->in.held.len))
			continue;
		if (connect->in.ended)
			break;
		wait_for_something(connect);
	}
	status = connect->current ? STATUS_NO : STATUS_OK;
	info("standard input ended: %s", connect->current ? "the question is not answered" : "nobody is here to answer");
	if (connect->in.held.len)
		info("its last line has no newline and is no answer");
	if (connect->current)
		drop_question(connect);
	buf_release(&line);
	return status;
}

int
main(int argc, char *argv[])
{
	struct connect connect = { .desk = DESK_INIT, .in = { .held = BUF_INIT }, .max_age_ms = -1, .log_fd = -1 };
	struct err err = ERR_INIT;
	const char *log = NULL;
	int key, status;
	bool ok = true;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		switch (key) {
		case OPT_APPROVE:
			connect.approve = true;
			break;
		case OPT_MAX_AGE:
			ok = num_duration(opt_arg, "--max-age", &connect.max_age_ms, &err);
			break;
		case OPT_LOG:
			log = opt_arg;
			break;
		case OPT_POLL:
			ok = num_duration(opt_arg, "--poll", &connect.poll_ms, &err);
			if (ok && connect.poll_ms < 100)
				ok = err_set(&err, STATUS_USAGE, "unable to use --poll '%s': expected 100ms or more", opt_arg);
			break;
		default:
			ok = desk_opt(&connect.desk, key, opt_arg, &err);
		}
		if (!ok)
			die_usage("%s", err.text);
	}
	if (argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	if (argc == 1 && connect.desk.broker)
		die_usage("the broker is given twice");
	if (argc == 1)
		connect.desk.broker = argv[0];
	if (!desk_open(&connect.desk, DESK_FOLLOW, &err))
		die_err(&err);
	if (log && (connect.log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
		die_errno(STATUS_CONFIG, "unable to open the log '%s'", log);
	if (connect.desk.remote)
		out_printf("Connecting to broker: %s\n", connect.desk.api.address.given.s);
	else
		out_printf("Watching handshake directory: %s\n", connect.desk.dir ? connect.desk.dir : connect.desk.hitl.path.s);
	out_flush();
	status = serve(&connect);
	hitl_list_release(&connect.known);
	desk_close(&connect.desk);
	buf_release(&connect.in.held);
	if (connect.log_fd >= 0)
		close(connect.log_fd);
	return status_worse(status, out_close());
}
