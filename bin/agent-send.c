/*
 * agent-send - send a message to a run
 *
 * reads   run records from standard input, unless the run is named; the message from its operands, a file, or
 *         standard input when the run is named
 * writes  the server's answer with the message's seq and the subject's members, one line for each run;
 *         with --wait also the events of the reply
 */
#include "compat.h"

#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "event.h"
#include "follow.h"
#include "key.h"
#include "opt.h"
#include "out.h"
#include "pages.h"
#include "post.h"
#include "reply.h"
#include "sig.h"
#include "utf8.h"

#include <poll.h>

#define BODY_MAX 1048576 /* bytes of a request body that servers take (contract section 2) */

enum { OPT_ROLE = OPT_OWN, OPT_FILE, OPT_WAIT, OPT_IDEMPOTENCY_KEY };

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_KEY_SERVICE, "service", "ID", "the agent's service (default: the run's)" },
	{ OPT_KEY_AGENT, "agent", "ID", "the agent (default: the run's)" },
	{ 'f', "file", "FILE", "take the message from FILE; - is standard input" },
	{ OPT_ROLE, "role", "ROLE", "user, assistant or system (default user)" },
	{ 'w', "wait", NULL, "wait for the reply to this message and print its events" },
	{ OPT_IDEMPOTENCY_KEY, "idempotency-key", "KEY", "so that asking again sends nothing twice (default: a new one)" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-send",
	.synopsis = "[options] [TEXT ...]",
	.about = "send a message to a run",
	.example =
	    "  agent-registry --agent echo | agent-run-create | agent-send hello\n  agent-send --run run_1 --wait --file question.txt",
	.opts = opts,
	.words_are_text = true,
};

struct sending {
	struct client client;
	struct buf text;
	const char *role, *key;
	bool wait;
	unsigned count;
};

/* ---- the message */

static void
take_words(struct buf *text, char **words)
{
	for (; *words; words++) {
		if (text->len)
			buf_addch(text, ' ');
		buf_addstr(text, *words);
	}
}

static void
check_text(const struct buf *text)
{
	size_t i, len;

	for (i = 0; i < text->len; i += len) {
		if (!text->s[i])
			die(STATUS_INPUT, "unable to send the message: a NUL at byte %zu", i + 1);
		if (utf8_next(text->s + i, text->len - i, &len) == UTF8_INVALID)
			die(STATUS_INPUT, "unable to send the message: not UTF-8 at byte %zu", i + 1);
	}
	if (!text->s[strspn(text->s, " \t\r\n")])
		die(STATUS_INPUT, "unable to send the message: it is empty");
}

static void
take_text(struct sending *sending, const char *file, char **words, bool named)
{
	struct err err = ERR_INIT;

	if (*words) {
		if (file)
			die_usage("--file and a text cannot be given together");
		take_words(&sending->text, words);
	} else {
		if (!file && !named)
			die_usage("no message: give it as operands or with --file, or name the run with --run");
		if (file && !strcmp(file, "-") && !named)
			die_usage("standard input cannot hold the runs and the message: name the run with --run");
		if ((!file || !strcmp(file, "-")) && isatty(STDIN_FILENO))
			info("reading the message from the terminal; end with Ctrl-D");
		if (!buf_read_file(&sending->text, file ? file : "-", BODY_MAX, &err))
			die_err(&err);
		/* the newline that ends a text file is not part of the message */
		if (sending->text.len && sending->text.s[sending->text.len - 1] == '\n')
			buf_cut(&sending->text, sending->text.len - 1);
	}
	check_text(&sending->text);
}

/* ---- sending */

static void
make_body(const struct sending *sending, struct buf *to)
{
	const struct subject *subject = &sending->client.subject;

	buf_addch(to, '{');
	jtext_add_buf(to, "message", &sending->text);
	jtext_add_text(to, "role", sending->role);
	jtext_add_filled(to, "service_id", &subject->service);
	jtext_add_filled(to, "agent", &subject->agent);
	buf_addch(to, '}');
}

struct last_message {
	int64_t seq;
	const char *kind;
};

static bool
look_for_message(struct span event, int64_t seq, void *payload)
{
	struct last_message *last = payload;
	struct span kind;

	if (jtext_get(event, "kind", &kind) && jtext_is_string(kind, last->kind))
		last->seq = seq;
	return true;
}

/* A server that does not say which seq the message got is asked for the run's events: the newest message of that role is
 * ours, or one that came after it, whose reply comes after ours. */
static int64_t
find_seq(struct sending *sending)
{
	struct buf kind = BUF_INIT;
	struct last_message last = { .seq = -1 };
	struct pages pages = { .run = sending->client.subject.run.s };
	struct err err = ERR_INIT;

	buf_addf(&kind, "agent.chat.%s_message", sending->role);
	last.kind = kind.s;
	if (!pages_read(&sending->client.api, &pages, "look for the message", look_for_message, &last, &err))
		debug("%s", err.text);
	buf_release(&kind);
	return last.seq;
}

static void
print_record(struct sending *sending, struct span answer, int64_t *ret_seq)
{
	struct buf full = BUF_INIT;

	jtext_compact(&full, answer);
	if (!jtext_get_i64(answer, "seq", ret_seq) && (*ret_seq = find_seq(sending)) >= 0) {
		buf_cut(&full, full.len - 1);
		jtext_add_i64(&full, "seq", *ret_seq);
		buf_addch(&full, '}');
	}
	client_result(&sending->client, span_of(&full));
	out_flush();
	buf_release(&full);
}

/* ---- waiting for the reply */

struct waiting {
	struct sending *sending;
	struct reply *reply;
	int64_t seq;
	int status;
	int64_t limit; /* the answer met one: wall clock of its end, -1: nobody knows, 0: it met none */
	struct buf why;
};

/* A turn on a runtime that met a limit says so with its code. */
static void
look_for_limit(struct waiting *waiting, struct span event)
{
	struct span data = SPAN_NONE, code;
	struct buf at = BUF_INIT;

	if (!jtext_get(event, "data", &data) || !jtext_get(data, "code", &code) || !jtext_is_string(code, "AGENT_RUNTIME_RATE_LIMITED"))
		return;
	if (!jtext_get_string(data, "retryAt", &at) || !clock_parse_iso(at.s, at.len, &waiting->limit))
		waiting->limit = -1;
	buf_reset(&waiting->why);
	if (!jtext_get_string(data, "reason", &waiting->why))
		buf_addstr(&waiting->why, "a limit was met");
	buf_release(&at);
}

static bool
on_event(const struct event_view *view, void *payload)
{
	struct waiting *waiting = payload;
	struct reply_change change;

	reply_event(waiting->reply, view->seq, view->kind.s, view->whole, &change);
	if (view->seq <= waiting->seq)
		return true;
	client_record(&waiting->sending->client, view->whole);
	if (change.terminal) {
		waiting->status = event_outcome(view->kind.s);
		return false;
	}
	if (change.answered < waiting->seq)
		return true;
	waiting->status = change.failed ? STATUS_FAILED : STATUS_OK;
	if (change.failed)
		look_for_limit(waiting, view->whole);
	return false;
}

/* The message itself is among these, and what was unanswered before it. */
static void
on_history(const struct event_view *view, void *payload)
{
	struct waiting *waiting = payload;
	struct reply_change change;

	reply_event(waiting->reply, view->seq, view->kind.s, view->whole, &change);
}

static bool
on_gap(const struct err *err, void *payload)
{
	(void)err;
	(void)payload;
	return false;
}

static void
on_notice(const char *text, void *payload)
{
	(void)payload;
	info("%s", text);
}

static bool
wait_for_reply(struct sending *sending, int64_t seq, int *ret_status, int64_t *ret_limit, struct err *err)
{
	static const struct follow_events events = { .event = on_event, .history = on_history, .gap = on_gap, .notice = on_notice };
	struct waiting waiting = { .sending = sending, .seq = seq, .why = BUF_INIT };
	struct follow_settings settings = { .history = true };
	struct pollfd fd = { .fd = sig_catch() };
	enum follow_result result;
	struct follow *follow;

	waiting.reply = reply_new();
	follow = follow_new(&sending->client.api, sending->client.subject.run.s, seq > 0 ? seq : 0, &settings, &events, &waiting);
	while ((result = follow_step(follow, err)) == FOLLOW_ON) {
		int signo = sig_take();

		out_flush();
		if (signo)
			sig_die(signo);
		if (deadline_left(sending->client.api.deadline) == 0) {
			err_set(err, STATUS_TIMEOUT, "unable to wait for the reply of run '%s': the deadline passed",
			    sending->client.subject.run.s);
			result = FOLLOW_FAILED;
			break;
		}
		if (!http_wait(sending->client.api.http, &fd, 1,
			follow_deadline(follow) < sending->client.api.deadline ? follow_deadline(follow) : sending->client.api.deadline,
			err)) {
			result = FOLLOW_FAILED;
			break;
		}
	}
	out_flush();
	follow_free(follow);
	reply_free(waiting.reply);
	*ret_status = waiting.status;
	*ret_limit = waiting.limit;
	if (result == FOLLOW_DONE && waiting.limit) {
		err_set(err, STATUS_RETRY, "unable to get an answer of run '%s': %s", sending->client.subject.run.s, waiting.why.s);
		err->retry_at_ms = waiting.limit > 0 ? waiting.limit : 0;
	}
	buf_release(&waiting.why);
	return result == FOLLOW_DONE && !waiting.limit;
}

static bool
send_once(struct sending *sending, int *ret_status, int64_t *ret_limit, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, key = BUF_INIT;
	struct http_answer answer;
	struct span value;
	int64_t seq = -1;
	bool ok;

	if (!sending->client.subject.run.len)
		return err_set(err, STATUS_INPUT, "unable to send the message: the record names no run");
	API_PATH(&sending->client.api, &url, "api", "agents", "runs", sending->client.subject.run.s, "messages");
	make_body(sending, &body);
	if (body.len > BODY_MAX) {
		buf_release(&url);
		err_set(err, STATUS_INPUT, "unable to send the message: it makes a request of %zu bytes, and servers take %d", body.len,
		    BODY_MAX);
		buf_release(&body);
		return false;
	}
	buf_addf(&what, "send to run '%s'", sending->client.subject.run.s);
	if (sending->key)
		buf_addf(&key, sending->count ? "%s-%u" : "%s", sending->key, sending->count);
	else
		key_add(&key);
	sending->count++;
	ok = post_json(&sending->client.api, url.s, &body, key.s, false, what.s, &answer, err);
	if (ok && jtext_check(answer.body.s, answer.body.len, false, &value, err)) {
		if (jtext_type(value) == JTEXT_OBJECT)
			print_record(sending, value, &seq);
		else
			ok = err_set(
			    err, STATUS_PROTOCOL, "unable to send to run '%s': the answer is no object", sending->client.subject.run.s);
	}
	http_answer_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&key);
	if (ok && sending->wait && !strcmp(sending->role, "user"))
		ok = wait_for_reply(sending, seq, ret_status, ret_limit, err);
	return ok;
}

static bool
send_message(void *payload, int *ret_status, struct err *err)
{
	struct sending *sending = payload;
	int64_t limit = 0;

	while (!send_once(sending, ret_status, &limit, err)) {
		if (!limit || !sending->client.api.wait_for_limit || !api_wait_for_limit(&sending->client.api, limit))
			return false;
		limit = 0;
		*err = (struct err)ERR_INIT;
	}
	return true;
}

int
main(int argc, char *argv[])
{
	struct sending sending = { .text = BUF_INIT, .role = "user" };
	struct err err = ERR_INIT;
	const char *file = NULL;
	int key, status;

	client_begin(&sending.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case 'f':
			file = opt_arg;
			break;
		case OPT_ROLE:
			sending.role = opt_arg;
			break;
		case 'w':
			sending.wait = true;
			break;
		case OPT_IDEMPOTENCY_KEY:
			if (!key_check(opt_arg, &err))
				die_usage("%s", err.text);
			sending.key = opt_arg;
			break;
		default:
			client_option(&sending.client, key);
		}
	OPT_ONE_OF("--role", sending.role, "user", "assistant", "system");
	if (!sending.client.subject.run.len && (sending.client.subject.service.len || sending.client.subject.agent.len))
		die_usage("--service and --agent need --run");
	take_text(&sending, file, argv, subject_named(&sending.client.subject));
	client_open(&sending.client);
	status = client_each(&sending.client, send_message, NULL, &sending);
	buf_release(&sending.text);
	return client_end(&sending.client, status);
}
