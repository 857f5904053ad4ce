/*
 * agent-watch - print events as they happen
 *
 * reads   run, thread and turn records from standard input, unless one is named; several are followed at once
 * writes  one event a line, as the server gives it, once each and in order
 *
 * Gives the outcome of the run or turn as its status.
 */
#include "compat.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cancel.h"
#include "client.h"
#include "clock.h"
#include "compass.h"
#include "cursor.h"
#include "die.h"
#include "err.h"
#include "event.h"
#include "filter.h"
#include "follow.h"
#include "hook.h"
#include "key.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "sig.h"
#include "turns.h"
#include "until.h"
#include "xalloc.h"

#define WATCHES_MAX 1000 /* runs and threads at once */
#define POLL_MIN_MS 50

enum {
	OPT_ALL = OPT_OWN,
	OPT_RUNTIME,
	OPT_AFTER,
	OPT_UNTIL,
	OPT_CURSOR_FILE,
	OPT_IDLE_TIMEOUT,
	OPT_EXEC,
	OPT_NO_STREAM,
	OPT_NO_DELTAS,
	OPT_POLL,
	OPT_OUTCOME,
	OPT_ON_GAP,
};

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_KEY_TURN, "turn", "ID", "of the thread only this turn" },
	{ OPT_ALL, "all", NULL, "the agent events of all runs" },
	{ OPT_RUNTIME, "runtime", NULL, "the notifications of the runtime: its account and limits" },
	{ OPT_UNTIL, "until", "WHAT",
	    "stop at terminal (default of a run or turn), waiting, never (of a thread), or an event kind; may be given several times" },
	{ OPT_AFTER, "after", "SEQ", "only events after this one (default: all; after a record's own seq when it has one)" },
	{ OPT_CURSOR_FILE, "cursor-file", "FILE", "go on after the cursor in FILE, and keep it there" },
	{ 'n', "count", "N", "stop after N events" },
	{ OPT_IDLE_TIMEOUT, "idle-timeout", "DURATION", "give up, with status 5, when no event comes for so long" },
	{ OPT_EXEC, "exec", "COMMAND", "run COMMAND in a shell for each event, with the event on its standard input" },
	{ OPT_NO_STREAM, "no-stream", NULL, "poll only" },
	{ OPT_NO_DELTAS, "no-deltas", NULL, "of a run only whole messages, not the pieces of one that still grows" },
	{ OPT_POLL, "poll", "DURATION", "time between two polls (default 1200ms)" },
	{ OPT_ON_GAP, "on-gap", "ACTION", "stop (default, status 15) or continue when events are certainly missing" },
	{ OPT_OUTCOME, "outcome", "USE", "exit (default) with the run's outcome, or ignore it" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-watch",
	.synopsis = "[options] [RUN]",
	.about = "print events as they happen, once each and in order, whatever the network does",
	.example = "  agent-watch run_1 | agent-show",
	.opts = opts,
};

/* What all watches share. */
struct common {
	struct client client;
	struct follow_settings follow;
	struct until_set until;
	const char *exec, *cursor_file;
	bool go_on_after_gap, ignore_outcome;
	int64_t idle_ms, last_event;
	int64_t cursor; /* of the last event printed, 0: none since it was written */
	uint64_t left;	/* events to print, UINT64_MAX: no limit */
	int status;	/* the worst so far */
};

/* What is watched: a run (all of them without an id), a thread or one turn of it, or the runtime. */
enum kind { KIND_RUN, KIND_THREAD, KIND_RUNTIME };

struct watch {
	struct common *common;
	enum kind kind;
	struct follow *follow;
	struct until until;
	struct buf id, turn; /* "": all */
};

/* How long, when nothing was said. */
static const struct until_set until_over = { .terminal = true }, until_never = { .terminal = false };

static void
remember(struct common *common, const struct err *err)
{
	out_flush();
	warn_err(err);
	common->status = status_worse(common->status, err->status);
}

/* The lines first: a cursor is written when what it stands for is out. */
static void
flush_all(struct common *common)
{
	struct err err = ERR_INIT;

	out_flush();
	if (common->cursor_file && common->cursor && !cursor_write(common->cursor_file, common->cursor, &err))
		die_err(&err);
	common->cursor = 0;
}

/* ---- events */

static bool
on_event(const struct event_view *view, void *payload)
{
	struct watch *watch = payload;
	struct common *common = watch->common;
	struct err err = ERR_INIT;

	if (watch->until.turns && !turns_about(watch->until.turns, view))
		return true;
	common->last_event = clock_monotonic_ms();
	if (!filter_run(common->client.filter, view->whole.s, view->whole.n, filter_print, NULL, &err))
		remember(common, &err);
	if (view->seq > 0)
		common->cursor = view->seq;
	if (common->exec) {
		flush_all(common);
		if (!hook_run(common->exec, view, &err))
			remember(common, &err);
		common->last_event = clock_monotonic_ms();
	}
	if (common->left != UINT64_MAX)
		common->left--;
	return !until_event(&watch->until, view, follow_behind(watch->follow)) && common->left;
}

static void
on_history(const struct event_view *view, void *payload)
{
	struct watch *watch = payload;

	until_past(&watch->until, view);
}

static bool
on_edge(void *payload)
{
	struct watch *watch = payload;

	return !until_edge(&watch->until);
}

static bool
on_gap(const struct err *err, void *payload)
{
	const struct watch *watch = payload;

	if (!watch->common->go_on_after_gap)
		return false;
	warn("%s", err->text);
	return true;
}

static void
on_notice(const char *text, void *payload)
{
	(void)payload;
	info("%s", text);
}

static const struct follow_events events = {
	.event = on_event, .history = on_history, .edge = on_edge, .gap = on_gap, .notice = on_notice
};

/* ---- watches */

static const struct until_set *
until_of(const struct common *common, bool ends)
{
	return common->until.given ? &common->until : ends ? &until_over : &until_never;
}

/* id NULL: all; turn NULL or "": the whole thread. */
static struct watch *
watch_new(struct common *common, enum kind kind, const char *id, const char *turn, int64_t after)
{
	struct watch *watch = xcalloc(1, sizeof *watch);
	struct follow_settings settings = common->follow;
	bool ends = kind == KIND_RUN ? id != NULL : turn && *turn;
	const struct until_set *set = until_of(common, ends);

	watch->common = common;
	watch->kind = kind;
	buf_init(&watch->id);
	buf_init(&watch->turn);
	if (id)
		buf_addstr(&watch->id, id);
	if (turn)
		buf_addstr(&watch->turn, turn);
	if (kind == KIND_THREAD)
		until_init_thread(&watch->until, set, watch->turn.len ? watch->turn.s : NULL);
	else
		until_init(&watch->until, set, id != NULL);
	/* whether it waits or is over may have been said before the cursor */
	settings.history = id && (set->waiting || set->terminal);
	if (kind == KIND_RUNTIME)
		watch->follow = follow_runtime_new(&common->client.api, &events, watch);
	else if (kind == KIND_THREAD)
		watch->follow = follow_thread_new(&common->client.api, id, after, &settings, &events, watch);
	else
		watch->follow = follow_new(&common->client.api, id, after, &settings, &events, watch);
	return watch;
}

static void
watch_free(struct watch *watch)
{
	follow_free(watch->follow);
	until_release(&watch->until);
	buf_release(&watch->id);
	buf_release(&watch->turn);
	free(watch);
}

static void
watch_ended(struct watch *watch, bool failed, const struct err *err)
{
	struct common *common = watch->common;

	if (failed)
		remember(common, err);
	else if (follow_unreadable(watch->follow))
		common->status = status_worse(common->status, STATUS_PROTOCOL);
	else if (!common->ignore_outcome)
		common->status = status_worse(common->status, watch->until.outcome);
	watch_free(watch);
}

/* One step of each; gives how many go on. */
static size_t
step_all(struct watch **watches, size_t n)
{
	struct err err = ERR_INIT;
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		enum follow_result result = follow_step(watches[i]->follow, &err);

		if (result == FOLLOW_ON)
			watches[kept++] = watches[i];
		else
			watch_ended(watches[i], result == FOLLOW_FAILED, &err);
	}
	return kept;
}

static int64_t
next_deadline(const struct common *common, struct watch **watches, size_t n)
{
	int64_t deadline = common->client.api.deadline;
	size_t i;

	if (common->idle_ms && common->last_event + common->idle_ms < deadline)
		deadline = common->last_event + common->idle_ms;
	for (i = 0; i < n; i++)
		if (follow_deadline(watches[i]->follow) < deadline)
			deadline = follow_deadline(watches[i]->follow);
	return deadline;
}

static void
check_time(const struct common *common)
{
	struct err err = ERR_INIT;

	if (deadline_left(common->client.api.deadline) == 0)
		err_set(&err, STATUS_TIMEOUT, "unable to go on watching: the deadline of %lld ms passed",
		    (long long)common->client.api.timeout_ms);
	else if (common->idle_ms && deadline_left(common->last_event + common->idle_ms) == 0)
		err_set(&err, STATUS_TIMEOUT, "unable to go on watching: no event came for %lld ms", (long long)common->idle_ms);
	if (err.status)
		die_err(&err);
}

/* ---- subjects arrive while others are watched already */

struct input {
	int64_t after; /* --after */
	bool open, taken;
};

static void
take_subject(struct common *common, struct input *input, struct watch **watches, size_t *n)
{
	const struct subject *subject = &common->client.subject;
	enum kind kind = subject->run.len ? KIND_RUN : KIND_THREAD;
	const char *id = subject->run.len ? subject->run.s : subject->thread.s, *word = kind == KIND_RUN ? "run" : "thread";
	struct err err = ERR_INIT;

	if (!*id)
		subject_lacks(subject, "run", &err);
	else if (*n == WATCHES_MAX)
		err_set(&err, STATUS_INPUT, "unable to watch %s '%s': more than %d", word, id, WATCHES_MAX);
	else if (common->cursor_file && input->taken)
		err_set(&err, STATUS_USAGE, "unable to watch %s '%s': one --cursor-file cannot serve two", word, id);
	if (err.status) {
		remember(common, &err);
		return;
	}
	/* what agent-send gave names the message: what comes after it is its answer */
	watches[(*n)++] = watch_new(common, kind, id, kind == KIND_THREAD ? subject->turn.s : NULL,
	    input->after	   ? input->after
		: subject->seq > 0 ? subject->seq
				   : 0);
	input->taken = true;
}

static void
take_subjects(struct common *common, struct input *input, struct watch **watches, size_t *n)
{
	struct err err = ERR_INIT;

	do {
		switch (subject_next(&common->client.subject, &err)) {
		case SUBJECT_OK:
			take_subject(common, input, watches, n);
			break;
		case SUBJECT_BAD:
			remember(common, &err);
			break;
		case SUBJECT_END:
			input->open = false;
			return;
		}
	} while (line_ready(&common->client.subject.in));
}

/* ---- the first interrupt asks for the end of what is watched */

static bool
cancel_watched_run(struct watch *watch, struct err *err)
{
	struct buf key = BUF_INIT;
	struct http_answer answer;
	bool ok;

	key_add(&key);
	ok = cancel_run(&watch->common->client.api, watch->id.s, "interrupted by the operator", key.s, &answer, err);
	http_answer_release(&answer);
	buf_release(&key);
	return ok;
}

static bool
cancel_watched(struct watch *watch)
{
	const char *turn = watch->turn.len ? watch->turn.s : watch->until.turns ? turns_open(watch->until.turns) : NULL;
	struct compass_answer answer;
	struct err err = ERR_INIT;
	bool ok;

	if (!watch->id.len || watch->until.over >= 0)
		return false; /* nothing to end */
	if (watch->kind == KIND_RUN)
		ok = cancel_watched_run(watch, &err);
	else if (turn) {
		ok = compass_interrupt(&watch->common->client.api, watch->id.s, turn, &answer, &err);
		compass_release(&answer);
	} else
		return false;
	watch->until.set = &until_over;
	/* one that is over already: its last event is on its way here */
	if (ok || err.status == STATUS_CONFLICT)
		return true;
	warn("%s; it goes on", err.text);
	return false;
}

/* The runs whose end the server takes on are watched until then; the others are left. Gives how many go on. */
static size_t
interrupt_all(struct input *input, struct watch **watches, size_t n)
{
	size_t i, kept = 0;

	/* from here on a signal leaves at once, also while the server is asked */
	sig_release();
	input->open = false;
	for (i = 0; i < n; i++) {
		if (cancel_watched(watches[i]))
			watches[kept++] = watches[i];
		else
			watch_free(watches[i]);
	}
	if (kept)
		info("asked for the end of %zu %s%s; interrupt again to leave without waiting for it", kept,
		    watches[0]->kind == KIND_RUN ? "run" : "turn", kept == 1 ? "" : "s");
	return kept;
}

static int
watch_all(struct common *common, struct input *input, struct watch **watches, size_t n)
{
	struct pollfd fds[WATCHES_MAX + 2] = { { .fd = sig_catch() } };
	struct err err = ERR_INIT;
	size_t i;
	int signo;

	common->last_event = clock_monotonic_ms();
	for (;;) {
		n = step_all(watches, n);
		flush_all(common);
		signo = sig_take();
		if (signo == SIGINT && n) {
			fds[0].fd = -1;
			n = interrupt_all(input, watches, n);
			if (n)
				continue;
		}
		if (signo)
			sig_die(signo); /* leaving never ends a run */
		if (!common->left || (!n && !input->open))
			break;
		check_time(common);
		fds[1].fd = input->open ? STDIN_FILENO : -1;
		for (i = 0; i < n; i++)
			fds[i + 2].fd = follow_fd(watches[i]->follow);
		if (!http_wait(common->client.api.http, fds, (unsigned)n + 2, next_deadline(common, watches, n), &err))
			die_err(&err);
		if (input->open && fds[1].revents)
			take_subjects(common, input, watches, &n);
	}
	while (n)
		watch_free(watches[--n]);
	return common->status;
}

/* ---- options */

static bool
choice(const char *option, const char *given, const char *yes, const char *no)
{
	if (strcmp(given, yes) && strcmp(given, no))
		die_usage("unable to use %s '%s': expected %s or %s", option, given, yes, no);
	return !strcmp(given, yes);
}

static bool
take_poll(struct common *common, const char *text, struct err *err)
{
	if (!num_duration(text, "--poll", &common->follow.poll_ms, err))
		return false;
	if (common->follow.poll_ms < POLL_MIN_MS)
		return err_set(err, STATUS_USAGE, "unable to use --poll '%s': expected at least %dms", text, POLL_MIN_MS);
	return true;
}

/* What: --all, --runtime, --thread, --run, the operand, or records on standard input. The first watch, NULL when records tell. */
static struct watch *
first_watch(struct common *common, struct input *input, bool all, bool runtime, int argc, char **argv)
{
	struct subject *subject = &common->client.subject;
	struct err err = ERR_INIT;

	if (argc > 0 && !subject->run.len && !subject->thread.len && !all && !runtime) {
		if (!subject_set(&subject->run, "RUN", *argv, &err))
			die_usage("%s", err.text);
		argc--;
		argv++;
	}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (all + runtime + (subject->run.len > 0) + (subject->thread.len > 0) > 1)
		die_usage("of --all, --runtime, a run and a thread only one can be given");
	if (subject->turn.len && !subject->thread.len)
		die_usage("--turn needs --thread");
	if ((all || runtime) && (common->until.waiting || common->until.terminal))
		die_usage("--until waiting and --until terminal are about one run or thread: not with %s", all ? "--all" : "--runtime");
	if (runtime && common->follow.no_stream)
		die_usage("--runtime has nothing but a stream: not with --no-stream");
	input->open = !all && !runtime && !subject_named(subject);
	if (input->open)
		return NULL;
	if (subject->thread.len)
		return watch_new(common, KIND_THREAD, subject->thread.s, subject->turn.s, input->after);
	return watch_new(common, runtime ? KIND_RUNTIME : KIND_RUN, subject->run.len ? subject->run.s : NULL, NULL, input->after);
}

int
main(int argc, char *argv[])
{
	struct common common = { .left = UINT64_MAX };
	struct input input = { .after = 0 };
	struct watch *watches[WATCHES_MAX];
	struct err err = ERR_INIT;
	bool all = false, runtime = false;
	int64_t n_events;
	size_t n = 0;
	int key, status;

	client_begin(&common.client, &cmd);
	common.client.api.prefer = "deltas";
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		bool ok = true;

		switch (key) {
		case OPT_ALL:
			all = true;
			break;
		case OPT_RUNTIME:
			runtime = true;
			break;
		case OPT_UNTIL:
			ok = until_add(&common.until, opt_arg, &err);
			break;
		case OPT_AFTER:
			ok = num_in_range(opt_arg, 0, INT64_MAX, "--after", &input.after, &err);
			break;
		case OPT_CURSOR_FILE:
			common.cursor_file = opt_arg;
			break;
		case 'n':
			ok = num_in_range(opt_arg, 1, INT64_MAX, "--count", &n_events, &err);
			common.left = ok ? (uint64_t)n_events : 0;
			break;
		case OPT_IDLE_TIMEOUT:
			ok = num_duration(opt_arg, "--idle-timeout", &common.idle_ms, &err);
			break;
		case OPT_EXEC:
			common.exec = opt_arg;
			break;
		case OPT_NO_STREAM:
			common.follow.no_stream = true;
			break;
		case OPT_NO_DELTAS:
			common.client.api.prefer = NULL;
			break;
		case OPT_POLL:
			ok = take_poll(&common, opt_arg, &err);
			break;
		case OPT_ON_GAP:
			common.go_on_after_gap = choice("--on-gap", opt_arg, "continue", "stop");
			break;
		case OPT_OUTCOME:
			common.ignore_outcome = choice("--outcome", opt_arg, "ignore", "exit");
			break;
		default:
			client_option(&common.client, key);
		}
		if (!ok)
			die_usage("%s", err.text);
	}
	if (common.cursor_file && !input.after && !cursor_read(common.cursor_file, &input.after, &err))
		die_err(&err);
	watches[0] = first_watch(&common, &input, all, runtime, argc, argv);
	n = watches[0] != NULL;
	client_open(&common.client);

	status = watch_all(&common, &input, watches, n);
	return client_end(&common.client, status);
}
