/*
 * agent-turn-start - start a turn in a thread
 *
 * reads   thread records from standard input, unless the thread is named; the text from its operands, a file, both, or
 *         standard input when the thread is named
 * writes  the turn when it is over, one line for each; with --stream its events as they happen
 *
 * Gives the turn's outcome as its status.
 */
#include "compat.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "compass.h"
#include "content.h"
#include "die.h"
#include "err.h"
#include "event.h"
#include "filter.h"
#include "key.h"
#include "opt.h"
#include "out.h"
#include "post.h"
#include "sig.h"
#include "turnstream.h"

#define AGAIN_MS 500  /* between two questions for a turn whose answer was lost */
#define LOST_MS 30000 /* so long a lost answer is asked for */

enum {
	OPT_WAIT = OPT_OWN,
	OPT_NO_WAIT,
	OPT_STREAM,
	OPT_MODEL,
	OPT_APPROVAL_POLICY,
	OPT_SANDBOX_POLICY,
	OPT_EFFORT,
	OPT_PERSONALITY,
	OPT_MODE,
	OPT_HOST,
	OPT_PARENT,
	OPT_SOURCE,
	OPT_REQUEST_ID,
	OPT_NO_SOCKET,
	OPT_OUTCOME,
};

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ 'f', "file", "FILE", "take the text from FILE, after the operands; - is standard input" },
	{ 'w', "wait", NULL, "wait for its end and print the turn (default)" },
	{ 's', "stream", NULL, "print its events as they happen" },
	{ OPT_NO_WAIT, "no-wait", NULL, "print the turn as soon as it has begun" },
	{ OPT_MODEL, "model", "NAME", "the model" },
	{ OPT_APPROVAL_POLICY, "approval-policy", "WORD", "when people are asked: untrusted, on-request or never, say" },
	{ OPT_SANDBOX_POLICY, "sandbox-policy", "WORD", "read-only, workspace-write or danger-full-access; or a JSON value" },
	{ OPT_EFFORT, "effort", "WORD", "how hard it thinks: low, medium or high, say" },
	{ OPT_PERSONALITY, "personality", "WORD", "how it talks" },
	{ OPT_MODE, "mode", "MODE", "cloud or local, for this turn only (default: the thread's)" },
	{ OPT_HOST, "host", "HOST", "dynamic_sessions or desktop_local, for this turn only" },
	{ OPT_PARENT, "parent-turn", "ID", "the turn that it answers to" },
	{ OPT_SOURCE, "source-turn", "ID", "the turn that it is made from" },
	{ OPT_REQUEST_ID, "request-id", "KEY", "so that asking again starts no second turn (default: a new one)" },
	{ OPT_NO_SOCKET, "no-socket", NULL, "with --stream: poll instead of opening a WebSocket" },
	{ OPT_OUTCOME, "outcome", "USE", "exit (default) with the turn's outcome, or ignore it" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-turn-start",
	.synopsis = "[options] [TEXT ...]",
	.about = "start a turn in a thread",
	.example = "  agent-thread-create --workspace acme | agent-turn-start --stream --file change.diff 'explain this diff' | agent-show",
	.opts = opts,
	.words_are_text = true,
};

enum way { WAY_WAIT, WAY_STREAM, WAY_NO_WAIT };

struct starting {
	struct client client;
	struct buf text, sandbox;
	const char *model, *approval, *effort, *personality, *mode, *host, *parent, *source, *request_id;
	enum way way;
	bool poll, ignore_outcome, interrupted, wait_for_limit;
	int64_t limit; /* the turn met one: wall clock of its end, -1: nobody knows, 0: it met none */
	int sig_fd;
	unsigned count;
	struct buf id; /* of the request that is under way */
};

/* ---- the request */

static void
make_body(const struct starting *starting, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "text", &starting->text);
	jtext_add_given(to, "clientRequestId", starting->id.s);
	jtext_add_given(to, "parentTurnId", starting->parent);
	jtext_add_given(to, "sourceTurnId", starting->source);
	jtext_add_given(to, "executionMode", starting->mode);
	jtext_add_given(to, "executionHost", starting->host);
	jtext_add_given(to, "model", starting->model);
	jtext_add_given(to, "approvalPolicy", starting->approval);
	if (starting->sandbox.len)
		jtext_add_raw(to, "sandboxPolicy", starting->sandbox.s, starting->sandbox.len);
	jtext_add_given(to, "effort", starting->effort);
	jtext_add_given(to, "personality", starting->personality);
	buf_addch(to, '}');
}

/* A word is a text for the server; what looks like JSON must be JSON. */
static void
take_sandbox(struct buf *to, const char *text)
{
	struct err err = ERR_INIT;
	struct span value;

	buf_reset(to);
	if (!strchr("{[\"", *text) || !*text)
		jtext_quote(to, text, strlen(text));
	else if (jtext_check(text, strlen(text), true, &value, &err))
		jtext_compact(to, value);
	else
		die_usage("unable to use --sandbox-policy: %s", err.text);
}

/* ---- the outcome */

static int
status_of(const struct starting *starting, int outcome)
{
	return starting->ignore_outcome || outcome < 0 ? STATUS_OK : outcome;
}

/* Why it failed stands in the record; a person may not see that. */
static void
say_why(struct span turn)
{
	struct buf message = BUF_INIT, hint = BUF_INIT;
	struct span error, status;

	if (jtext_get(turn, "status", &status) && jtext_is_string(status, "error") && jtext_get(turn, "error", &error) &&
	    jtext_get_string(error, "message", &message)) {
		(void)jtext_get_string(error, "hint", &hint);
		info("the turn failed: %s%s%s", message.s, hint.len ? "; " : "", hint.s);
	}
	buf_release(&message);
	buf_release(&hint);
}

static bool
print_turn(struct starting *starting, struct span turn, int *ret_status, struct err *err)
{
	*ret_status = status_of(starting, compass_outcome(turn));
	starting->limit = compass_limit(turn);
	if (starting->limit && starting->wait_for_limit)
		return true; /* it is no result yet */
	if (!filter_result(starting->client.filter, &starting->client.subject, turn, err))
		return false;
	out_flush();
	say_why(turn);
	return true;
}

/* ---- interrupts: the first one ends the turn, the next one us */

/* True: the answer is the turn as it ended. */
static bool
interrupt(struct starting *starting, const char *turn, struct compass_answer *answer, struct err *err)
{
	const char *thread = starting->client.subject.thread.s;
	struct buf open = BUF_INIT;
	bool ok = true;

	sig_release();
	starting->interrupted = true;
	if (!turn) {
		ok = compass_open_turn(&starting->client.api, thread, &open, err);
		if (ok && !open.len)
			ok = err_set(err, STATUS_NO, "unable to interrupt the turn: none is in progress in thread '%s'", thread);
	}
	if (ok)
		ok = compass_interrupt(&starting->client.api, thread, turn ? turn : open.s, answer, err);
	if (ok)
		info("asked for the end of the turn; interrupt again to leave without waiting for it");
	else
		warn("%s; interrupt again to leave", err->text);
	buf_release(&open);
	return ok;
}

/* 0, or SIGINT when it is the first one; others end us: leaving never ends a turn. */
static int
take_signal(const struct starting *starting)
{
	int signo = starting->interrupted ? 0 : sig_take();

	if (signo && signo != SIGINT)
		sig_die(signo);
	return signo;
}

static bool
wait_for_more(struct starting *starting, int fd, int64_t deadline, struct err *err)
{
	struct pollfd fds[2] = { { .fd = starting->interrupted ? -1 : starting->sig_fd }, { .fd = fd } };

	out_flush();
	if (deadline_left(starting->client.api.deadline) == 0) {
		err_set(err, STATUS_TIMEOUT, "unable to wait for the turn in thread '%s': the deadline of %lld ms passed",
		    starting->client.subject.thread.s, (long long)starting->client.api.timeout_ms);
		err_hint(err, "it goes on; see agent-watch --thread");
		return false;
	}
	return http_wait(
	    starting->client.api.http, fds, 2, deadline < starting->client.api.deadline ? deadline : starting->client.api.deadline, err);
}

/* ---- waiting for the answer */

static bool
is_lost(const struct http_call *call)
{
	const struct http_answer *answer = http_call_answer(call);

	return answer->status ? answer->status == 502 || answer->status == 504 : answer->sent;
}

/* The request's answer is the turn; for one that is still in progress *ret_again is set when that was to be waited for. False: err says
 * why, and *ret_again that the turn may have begun all the same. */
static bool
wait_for_answer(struct starting *starting, struct http_call *call, const char *what, bool *ret_again, int *ret_status, struct err *err)
{
	struct compass_answer interrupted;
	struct span whole, turn;
	struct err why = ERR_INIT;
	bool ok, ended;

	while (!http_done(call, &ok, &why)) {
		if (take_signal(starting) == SIGINT) {
			memset(&interrupted, 0, sizeof interrupted);
			ended = interrupt(starting, NULL, &interrupted, err);
			if (ended)
				ended = print_turn(starting, interrupted.object, ret_status, err);
			compass_release(&interrupted);
			if (ended)
				return true; /* a server may keep the request until its runtime is done: the turn is over */
		}
		if (!wait_for_more(starting, -1, DEADLINE_NONE, err))
			return false;
	}
	*err = why;
	if (!compass_result(&starting->client.api, call, ok, "turn", what, &whole, &turn, err)) {
		*ret_again = is_lost(call);
		return false;
	}
	if (starting->way == WAY_WAIT && compass_outcome(turn) < 0) {
		*ret_again = true;
		return true;
	}
	return print_turn(starting, turn, ret_status, err);
}

/* False: the deadline has passed. */
static bool
pause_a_while(struct starting *starting, struct err *err)
{
	int64_t until = deadline_in(AGAIN_MS);

	while (deadline_left(until) > 0)
		if (!wait_for_more(starting, -1, until, err))
			return false;
	return true;
}

static bool
start_and_wait(struct starting *starting, const struct buf *body, int *ret_status, struct err *err)
{
	static const char *const no_wait[] = { "prefer", "respond-async", NULL };
	struct buf url = BUF_INIT, what = BUF_INIT;
	int64_t give_up = 0;
	struct http_call *call;
	bool ok, again;

	COMPASS_PATH(&starting->client.api, &url, "threads", starting->client.subject.thread.s, "turns");
	if (starting->way == WAY_NO_WAIT)
		api_query(&url, "wait", "false");
	buf_addf(&what, "start a turn in thread '%s'", starting->client.subject.thread.s);
	for (;;) {
		again = false;
		call = compass_start(&starting->client.api, "POST", url.s, body, starting->way == WAY_NO_WAIT ? no_wait : NULL);
		ok = wait_for_answer(starting, call, what.s, &again, ret_status, err);
		http_end(call);
		if (!again)
			break;
		/* asked again, a gateway gives the turn that it has: it is known by the id of the request */
		give_up = ok ? 0 : give_up ? give_up : deadline_in(LOST_MS);
		if (!ok && (deadline_left(give_up) == 0 || !post_knows_keys(&starting->client.api))) {
			err_hint(err, "the turn may have begun all the same; see agent-watch --thread, or ask again with --request-id %s",
			    starting->id.s);
			break;
		}
		if (!pause_a_while(starting, err)) {
			ok = false;
			break;
		}
	}
	buf_release(&url);
	buf_release(&what);
	return ok;
}

/* ---- streaming */

static void
on_event(const struct event_view *view, void *payload)
{
	struct starting *starting = payload;

	if (view->data.s && !strcmp(view->kind.s, "turn.completed"))
		starting->limit = compass_limit(view->data);
	client_record(&starting->client, view->whole);
}

static void
on_notice(const char *text, void *payload)
{
	(void)payload;
	info("%s", text);
}

static bool
start_and_stream(struct starting *starting, const struct buf *body, int *ret_status, struct err *err)
{
	const struct turnstream_request request = {
		.thread = starting->client.subject.thread.s,
		.text = starting->text.s,
		.request_id = starting->id.s,
		.body = body,
		.from = starting->client.subject.seq > 0 ? starting->client.subject.seq : 0,
		.follow = { .no_stream = starting->poll },
		.event = on_event,
		.notice = on_notice,
		.payload = starting,
	};
	struct turnstream *stream = turnstream_new(&starting->client.api, &request, err);
	enum follow_result result = FOLLOW_FAILED;
	struct compass_answer interrupted;

	while (stream && (result = turnstream_step(stream, err)) == FOLLOW_ON) {
		if (take_signal(starting) == SIGINT) {
			memset(&interrupted, 0, sizeof interrupted);
			(void)interrupt(starting, turnstream_turn(stream), &interrupted, err);
			compass_release(&interrupted);
		}
		if (!wait_for_more(starting, turnstream_fd(stream), turnstream_deadline(stream), err)) {
			result = FOLLOW_FAILED;
			break;
		}
	}
	if (result == FOLLOW_DONE)
		*ret_status = status_of(starting, turnstream_outcome(stream));
	turnstream_free(stream);
	return result == FOLLOW_DONE;
}

/* ---- limits */

/* False: the deadline has passed, or somebody wants to leave. */
static bool
wait_for_limit(struct starting *starting, int64_t until, struct err *err)
{
	int64_t now = clock_wall_ms(), deadline;

	if (until <= 0)
		until = now + API_LIMIT_MS;
	if (until > now + API_LIMIT_MAX_MS)
		return err_set(
		    err, STATUS_RETRY, "unable to wait for the limit: it is over in more than %d days", (int)(API_LIMIT_MAX_MS / 86400000));
	client_limit_met(until);
	for (deadline = deadline_in(until > now ? until - now : 0); deadline_left(deadline) > 0;) {
		if (take_signal(starting) == SIGINT)
			sig_die(SIGINT); /* no turn is in progress that could be ended */
		if (!wait_for_more(starting, -1, deadline, err))
			return false;
	}
	return true;
}

static bool
start_once(struct starting *starting, int *ret_status, struct err *err)
{
	struct buf body = BUF_INIT;
	bool ok;

	starting->limit = 0;
	buf_reset(&starting->id);
	if (starting->request_id)
		buf_addf(&starting->id, starting->count ? "%s-%u" : "%s", starting->request_id, starting->count);
	else
		key_add(&starting->id);
	starting->count++;
	make_body(starting, &body);
	ok = (starting->way == WAY_STREAM ? start_and_stream : start_and_wait)(starting, &body, ret_status, err);
	buf_release(&body);
	return ok;
}

static bool
start(void *payload, int *ret_status, struct err *err)
{
	struct starting *starting = payload;
	bool ok;

	if (!starting->client.subject.thread.len)
		return subject_lacks(&starting->client.subject, "thread", err);
	for (;;) {
		ok = start_once(starting, ret_status, err);
		if (!ok && err->status == STATUS_RETRY && err->retry_at_ms)
			starting->limit = err->retry_at_ms;
		if (!starting->wait_for_limit || !starting->limit || starting->interrupted)
			return ok;
		*err = (struct err)ERR_INIT;
		if (!wait_for_limit(starting, starting->limit, err))
			return false;
	}
}

/* ---- options */

static bool
take_option(struct starting *starting, int key)
{
	const char **const texts[] = {
		[OPT_MODEL - OPT_OWN] = &starting->model,
		[OPT_APPROVAL_POLICY - OPT_OWN] = &starting->approval,
		[OPT_EFFORT - OPT_OWN] = &starting->effort,
		[OPT_PERSONALITY - OPT_OWN] = &starting->personality,
		[OPT_MODE - OPT_OWN] = &starting->mode,
		[OPT_HOST - OPT_OWN] = &starting->host,
		[OPT_PARENT - OPT_OWN] = &starting->parent,
		[OPT_SOURCE - OPT_OWN] = &starting->source,
	};

	if (key < OPT_OWN || (size_t)(key - OPT_OWN) >= ARRAY_LEN(texts) || !texts[key - OPT_OWN])
		return false;
	*texts[key - OPT_OWN] = opt_arg;
	return true;
}

static void
read_options(struct starting *starting, int *argc, char ***argv, const char **ret_file)
{
	struct err err = ERR_INIT;
	int key;

	while ((key = opt_next(&cmd, argc, argv)) != -1)
		switch (key) {
		case 'f':
			*ret_file = opt_arg;
			break;
		case 'w':
			starting->way = WAY_WAIT;
			break;
		case 's':
			starting->way = WAY_STREAM;
			break;
		case OPT_NO_WAIT:
			starting->way = WAY_NO_WAIT;
			break;
		case OPT_NO_SOCKET:
			starting->poll = true;
			break;
		case OPT_SANDBOX_POLICY:
			take_sandbox(&starting->sandbox, opt_arg);
			break;
		case OPT_REQUEST_ID:
			if (!key_check(opt_arg, &err))
				die_usage("%s", err.text);
			starting->request_id = opt_arg;
			break;
		case OPT_OUTCOME:
			if (strcmp(opt_arg, "exit") && strcmp(opt_arg, "ignore"))
				die_usage("unable to use --outcome '%s': expected exit or ignore", opt_arg);
			starting->ignore_outcome = !strcmp(opt_arg, "ignore");
			break;
		default:
			if (!take_option(starting, key))
				client_option(&starting->client, key);
		}
}

int
main(int argc, char *argv[])
{
	struct starting starting = { .text = BUF_INIT, .sandbox = BUF_INIT, .id = BUF_INIT };
	struct err err = ERR_INIT;
	const char *file = NULL;
	int status;

	client_begin(&starting.client, &cmd);
	read_options(&starting, &argc, &argv, &file);
	if (!content_take(&starting.text, file, argv, subject_named(&starting.client.subject), &err))
		err.status == STATUS_USAGE ? die_usage("%s", err.text) : die_err(&err);
	client_open(&starting.client);
	/* an interrupt must be heard meanwhile: it is waited for here */
	starting.wait_for_limit = starting.client.api.wait_for_limit;
	starting.client.api.wait_for_limit = false;

	starting.sig_fd = sig_catch();
	status = client_each(&starting.client, start, &starting.interrupted, &starting);

	buf_release(&starting.text);
	buf_release(&starting.sandbox);
	buf_release(&starting.id);
	return client_end(&starting.client, status);
}
