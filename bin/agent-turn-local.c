/*
 * agent-turn-local - run a turn with a runtime of this machine, in sight of all who watch the thread
 *
 * reads   thread records from standard input, unless the thread is named; the text from its operands, a file, both, or standard input
 *         when the thread is named
 * writes  the turn when it is over, one line for each; with --stream its events as they are posted
 *
 * Gives the turn's outcome as its status.
 */
#include "compat.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "compass.h"
#include "content.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "localturn.h"
#include "opt.h"
#include "out.h"
#include "program.h"
#include "sig.h"
#include "uplink.h"

enum {
	OPT_RUNTIME = OPT_OWN,
	OPT_DIR,
	OPT_STREAM,
	OPT_APPROVE,
	OPT_MODEL,
	OPT_APPROVAL_POLICY,
	OPT_SANDBOX_POLICY,
	OPT_EFFORT,
	OPT_PERSONALITY,
	OPT_OUTCOME
};

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ 'f', "file", "FILE", "take the text from FILE, after the operands; - is standard input" },
	{ OPT_RUNTIME, "runtime", "COMMAND", "the runtime, a command of the shell (default AGENT_RUNTIME_COMMAND, else codex app-server)" },
	{ 'C', "directory", "DIR", "where it works (default: here)" },
	{ 's', "stream", NULL, "print the events as they are posted" },
	{ OPT_APPROVE, "approve", "DECISION",
	    "what it is answered when it asks for leave: decline (default), accept, acceptForSession or cancel" },
	{ OPT_MODEL, "model", "NAME", "the model" },
	{ OPT_APPROVAL_POLICY, "approval-policy", "WORD", "when it asks: untrusted, on-request or never, say" },
	{ OPT_SANDBOX_POLICY, "sandbox-policy", "WORD", "read-only, workspace-write or danger-full-access" },
	{ OPT_EFFORT, "effort", "WORD", "how hard it thinks: low, medium or high, say" },
	{ OPT_PERSONALITY, "personality", "WORD", "how it talks" },
	{ OPT_OUTCOME, "outcome", "USE", "exit (default) with the turn's outcome, or ignore it" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-turn-local",
	.synopsis = "[options] [TEXT ...]",
	.about = "run a turn with a runtime of this machine, in sight of all who watch the thread",
	.example = "  agent-turn-local --thread \"$thread\" --runtime 'codex app-server' 'run the tests'",
	.opts = opts,
	.words_are_text = true,
};

struct running {
	struct client client;
	struct uplink uplink;
	struct localturn_request request;
	struct buf text, turn, record; /* record: of the turn that has ended */
	bool stream, ignore_outcome, interrupted, wait_for_limit;
	int64_t limit; /* the turn met one: wall clock of its end, -1: nobody knows, 0: it met none */
	int sig_fd;
	int64_t started_ms;
	struct err err; /* the first post that failed */
};

/* ---- events */

static bool
post(struct running *running)
{
	struct err err = ERR_INIT;

	if (uplink_send(&running->uplink, &running->client.api, NULL, &err))
		return true;
	if (!running->err.status) {
		warn_err(&err);
		running->err = err;
	}
	return false;
}

static void
print_event(struct running *running, const char *method, struct span payload)
{
	struct buf line = BUF_INIT, text = BUF_INIT;

	buf_addch(&line, '{');
	jtext_add_buf(&line, "threadId", &running->client.subject.thread);
	jtext_add_buf(&line, "turnId", &running->turn);
	jtext_add_text(&line, "method", method);
	jtext_compact(&text, payload);
	jtext_add_raw(&line, "payload", text.s, text.len);
	jtext_add_time(&line, "createdAt", clock_wall_ms());
	buf_addch(&line, '}');
	client_record(&running->client, span_of(&line));
	buf_release(&line);
	buf_release(&text);
}

static void
on_event(const char *method, struct span payload, void *payload_of_ours)
{
	struct running *running = payload_of_ours;

	if (!uplink_room(&running->uplink, payload.n))
		(void)post(running);
	uplink_add(&running->uplink, running->turn.s, method, payload);
	if (running->stream)
		print_event(running, method, payload);
}

static void
tell_start(struct running *running)
{
	struct buf payload = BUF_INIT;

	buf_addch(&payload, '{');
	jtext_add_buf(&payload, "turnId", &running->turn);
	jtext_add_buf(&payload, "text", &running->text);
	buf_addstr(&payload, ",\"executionMode\":\"local\",\"executionHost\":\"desktop_local\"}");
	on_event("turn.started", span_of(&payload), running);
	buf_release(&payload);
}

/* "output":{"text":...}|null,"error":{"message":...}|null */
static void
add_result(const struct localturn *turn, struct buf *to)
{
	struct buf error = BUF_INIT;
	const struct buf *text = localturn_text(turn);

	if (strcmp(localturn_status(turn), "completed"))
		buf_addstr(to, ",\"output\":null");
	else {
		buf_addstr(to, ",\"output\":{");
		jtext_add_buf(to, "text", text);
		buf_addch(to, '}');
	}
	if (*localturn_message(turn))
		localturn_add_error(turn, &error);
	else
		buf_addstr(&error, "null");
	jtext_add_raw(to, "error", error.s, error.len);
	buf_release(&error);
}

/* Gives the turn's outcome. */
static int
tell_end(struct running *running, const struct localturn *turn)
{
	struct buf payload = BUF_INIT;
	struct span ended;
	int outcome;

	buf_addch(&payload, '{');
	jtext_add_buf(&payload, "turnId", &running->turn);
	jtext_add_text(&payload, "status", localturn_status(turn));
	add_result(turn, &payload);
	buf_addch(&payload, '}');
	ended = span_of(&payload);
	on_event("turn.completed", ended, running);
	running->limit = compass_limit(ended);
	outcome = compass_outcome(ended);
	buf_release(&payload);
	return outcome;
}

static void
make_record(struct running *running, const struct localturn *turn)
{
	struct buf *line = &running->record;

	buf_reset(line);
	buf_addch(line, '{');
	jtext_add_buf(line, "turnId", &running->turn);
	jtext_add_buf(line, "threadId", &running->client.subject.thread);
	jtext_add_text(line, "status", localturn_status(turn));
	buf_addstr(line, ",\"executionMode\":\"local\",\"executionHost\":\"desktop_local\",\"input\":{");
	jtext_add_buf(line, "text", &running->text);
	buf_addch(line, '}');
	add_result(turn, line);
	jtext_add_time(line, "startedAt", running->started_ms);
	jtext_add_time(line, "completedAt", clock_wall_ms());
	buf_addch(line, '}');
}

/* ---- the turn */

static void
take_signal(struct running *running, struct localturn *turn)
{
	int signo = sig_take();

	if (!signo)
		return;
	/* whichever it is: nobody else would end the runtime, or tell the thread; a second one waits for nothing */
	if (signo == SIGINT && !running->interrupted)
		info("asked for the end of the turn; interrupt again to end it at once");
	running->interrupted = true;
	localturn_interrupt(turn);
}

static void
wait_for_more(struct running *running, struct localturn *turn)
{
	struct pollfd fds[3];
	int64_t deadline = localturn_deadline(turn);

	if (!running->interrupted && running->client.api.deadline < deadline)
		deadline = running->client.api.deadline;
	localturn_fds(turn, fds);
	fds[2] = (struct pollfd){ .fd = running->sig_fd, .events = POLLIN };
	(void)poll(fds, 3, deadline_poll(deadline));
	if (!running->interrupted && deadline_left(running->client.api.deadline) == 0) {
		running->interrupted = true;
		err_set(&running->err, STATUS_TIMEOUT, "unable to go on with the turn: the deadline of %lld ms passed",
		    (long long)running->client.api.timeout_ms);
		warn_err(&running->err);
		running->client.api.deadline = DEADLINE_NONE; /* its end can still be told */
		localturn_interrupt(turn);
	}
}

static int
finish(struct running *running, struct localturn *turn)
{
	int outcome = tell_end(running, turn);
	const char *hint = localturn_hint(turn);

	(void)post(running);
	make_record(running, turn);
	out_flush();
	if (!strcmp(localturn_status(turn), "error"))
		info("the turn failed: %s%s%s", localturn_message(turn), *hint ? "; " : "", hint);
	if (running->err.status)
		return running->err.status;
	return running->ignore_outcome ? STATUS_OK : outcome;
}

/* False: nothing ran, err says why. */
static bool
run_once(struct running *running, int *ret_status, struct err *err)
{
	struct localturn *turn;

	running->limit = 0;
	buf_reset(&running->turn);
	key_add_uuid(&running->turn);
	running->err.status = STATUS_OK;
	running->uplink.patient = false;
	running->started_ms = clock_wall_ms();
	buf_reset(&running->uplink.thread);
	buf_add(&running->uplink.thread, running->client.subject.thread.s, running->client.subject.thread.len);
	/* a thread that is not there, or not ours, is found out before anything runs */
	tell_start(running);
	if (!uplink_send(&running->uplink, &running->client.api, NULL, err))
		return false;
	running->uplink.patient = true; /* from here on there is something to lose */
	turn = localturn_new(&running->request, err);
	if (!turn) {
		struct buf told = BUF_INIT;

		buf_addf(&told, "{\"turnId\":\"%s\",\"status\":\"error\",\"output\":null,\"error\":{", running->turn.s);
		jtext_add_text(&told, "message", err->text);
		buf_addstr(&told, "}}");
		on_event("turn.completed", span_of(&told), running);
		(void)post(running);
		buf_release(&told);
		return false;
	}
	while (!localturn_step(turn)) {
		/* everything that has come goes in one request; what comes meanwhile, in the next one */
		(void)post(running);
		out_flush();
		take_signal(running, turn);
		if (!localturn_step(turn))
			wait_for_more(running, turn);
	}
	*ret_status = finish(running, turn);
	localturn_free(turn);
	return true;
}

/* With --wait-for-limit a turn that meets a limit is begun anew when that is over. */
static bool
run(void *payload, int *ret_status, struct err *err)
{
	struct running *running = payload;
	int signo;

	if (!running->client.subject.thread.len)
		return subject_lacks(&running->client.subject, "thread", err);
	while (run_once(running, ret_status, err)) {
		bool wait = running->limit && running->wait_for_limit && !running->interrupted && !running->err.status;

		if (wait && api_wait_for_limit(&running->client.api, running->limit))
			continue;
		if (!running->stream)
			client_result(&running->client, span_of(&running->record));
		out_flush();
		signo = wait ? sig_take() : 0; /* it ended the waiting, and no turn is in progress that could be ended */
		if (signo)
			sig_die(signo);
		return true;
	}
	return false;
}

/* ---- options */

static void
read_options(struct running *running, int *argc, char ***argv, const char **ret_file)
{
	struct localturn_request *request = &running->request;
	int key;

	while ((key = opt_next(&cmd, argc, argv)) != -1)
		switch (key) {
		case 'f':
			*ret_file = opt_arg;
			break;
		case 's':
			running->stream = true;
			break;
		case 'C':
			request->dir = opt_arg;
			break;
		case OPT_RUNTIME:
			request->command = opt_arg;
			break;
		case OPT_APPROVE:
			if (strcmp(opt_arg, "decline") && strcmp(opt_arg, "accept") && strcmp(opt_arg, "acceptForSession") &&
			    strcmp(opt_arg, "cancel"))
				die_usage("unable to use --approve '%s': expected decline, accept, acceptForSession or cancel", opt_arg);
			request->decision = opt_arg;
			break;
		case OPT_MODEL:
			request->model = opt_arg;
			break;
		case OPT_APPROVAL_POLICY:
			request->approval_policy = opt_arg;
			break;
		case OPT_SANDBOX_POLICY:
			request->sandbox = opt_arg;
			break;
		case OPT_EFFORT:
			request->effort = opt_arg;
			break;
		case OPT_PERSONALITY:
			request->personality = opt_arg;
			break;
		case OPT_OUTCOME:
			if (strcmp(opt_arg, "exit") && strcmp(opt_arg, "ignore"))
				die_usage("unable to use --outcome '%s': expected exit or ignore", opt_arg);
			running->ignore_outcome = !strcmp(opt_arg, "ignore");
			break;
		default:
			client_option(&running->client, key);
		}
}

/* The one that the gateway would take. */
static const char *
codex_command(struct buf *to)
{
	struct buf codex = BUF_INIT;

	if (!program_codex(&codex))
		buf_addstr(&codex, "codex");
	program_quote(codex.s, to);
	buf_addstr(to, " app-server");
	buf_release(&codex);
	return to->s;
}

int
main(int argc, char *argv[])
{
	struct running running = { .uplink = UPLINK_INIT, .text = BUF_INIT, .turn = BUF_INIT, .record = BUF_INIT };
	struct buf command = BUF_INIT;
	struct err err = ERR_INIT;
	const char *file = NULL;
	int status;

	client_begin(&running.client, &cmd);
	running.request.decision = "decline";
	read_options(&running, &argc, &argv, &file);
	if (!running.request.command)
		running.request.command = getenv("AGENT_RUNTIME_COMMAND");
	if (!running.request.command || !*running.request.command) {
		running.request.command = codex_command(&command);
		running.request.oldest = PROGRAM_CODEX_OLDEST;
	}
	if (!content_take(&running.text, file, argv, subject_named(&running.client.subject), &err))
		err.status == STATUS_USAGE ? die_usage("%s", err.text) : die_err(&err);
	running.request.text = &running.text;
	running.request.event = on_event;
	running.request.payload = &running;
	client_open(&running.client);
	running.wait_for_limit = running.client.api.wait_for_limit;

	(void)signal(SIGPIPE, SIG_IGN); /* a runtime that does not read is no reason to die; out.h sees to standard output */
	running.sig_fd = sig_catch();
	status = client_each(&running.client, run, &running.interrupted, &running);

	buf_release(&command);
	buf_release(&running.text);
	buf_release(&running.turn);
	buf_release(&running.record);
	uplink_release(&running.uplink);
	return client_end(&running.client, status);
}
