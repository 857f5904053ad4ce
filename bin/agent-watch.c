/*
 * agent-watch - print events as they happen
 *
 * reads   run records from standard input, unless the run is named; several runs are followed at once
 * writes  one event a line, as the server gives it, once each and in order
 *
 * Gives the run's outcome as its status.
 */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"
#include "clock.h"
#include "cursor.h"
#include "die.h"
#include "err.h"
#include "event.h"
#include "filter.h"
#include "follow.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "reply.h"
#include "sig.h"
#include "spawn.h"
#include "subject.h"
#include "xalloc.h"

#define WATCHES_MAX 1000    /* runs at once */
#define UNTIL_MAX 64	    /* --until options */
#define LOOK_BACK 20000	    /* events before a cursor that are read (not shown) to know which messages are unanswered */
#define EXEC_TIMEOUT_MS 600000 /* one --exec command */

enum {
	OPT_ALL = OPT_OWN,
	OPT_AFTER,
	OPT_UNTIL,
	OPT_CURSOR_FILE,
	OPT_IDLE_TIMEOUT,
	OPT_EXEC,
	OPT_NO_STREAM,
	OPT_POLL,
	OPT_OUTCOME,
	OPT_ON_GAP,
};

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_ALL, "all", NULL, "the agent events of all runs" },
	{ OPT_UNTIL, "until", "WHAT", "stop at terminal (default), waiting, never, or an event kind; may be given several times" },
	{ OPT_AFTER, "after", "SEQ", "only events after this one (default: all; after a record's own seq when it has one)" },
	{ OPT_CURSOR_FILE, "cursor-file", "FILE", "go on after the cursor in FILE, and keep it there" },
	{ 'n', "count", "N", "stop after N events" },
	{ OPT_IDLE_TIMEOUT, "idle-timeout", "DURATION", "give up, with status 5, when no event comes for so long" },
	{ OPT_EXEC, "exec", "COMMAND", "run COMMAND in a shell for each event, with the event on its standard input" },
	{ OPT_NO_STREAM, "no-stream", NULL, "poll only" },
	{ OPT_POLL, "poll", "DURATION", "time between two polls (default 1200ms)" },
	{ OPT_ON_GAP, "on-gap", "ACTION", "stop (default, status 15) or continue when events are certainly missing" },
	{ OPT_OUTCOME, "outcome", "USE", "exit (default) with the run's outcome, or ignore it" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END
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
	struct api api;
	struct filter *filter;
	struct follow_settings follow;
	const char *until[UNTIL_MAX];
	size_t n_until;
	bool until_terminal, until_waiting;
	const char *exec, *cursor_file;
	bool go_on_after_gap, ignore_outcome;
	int64_t idle_ms, last_event;
	uint64_t left; /* events to print, UINT64_MAX: no limit */
	int status;    /* the worst so far */
};

/* One run (or all of them). */
struct watch {
	struct common *common;
	struct follow *follow;
	struct reply *reply;
	char *run;
	int64_t shown_after; /* older events only tell which messages are unanswered */
	bool live;	     /* the replay is over */
	int outcome;	     /* what it ended with */
};

/* ---- events */

static void
run_command(const struct common *common, const struct event_view *view)
{
	const char *argv[] = { "/bin/sh", "-c", common->exec, NULL };
	struct err err = ERR_INIT;
	struct buf line = BUF_INIT, seq = BUF_INIT;
	int ended = 0;

	buf_addf(&seq, "%lld", (long long)view->seq);
	setenv("AGENT_EVENT_KIND", view->kind.s, 1);
	setenv("AGENT_EVENT_SEQ", seq.s, 1);
	setenv("AGENT_RUN_ID", view->run.s, 1);
	buf_add(&line, view->whole.s, view->whole.n);
	buf_addch(&line, '\n');
	if (!spawn_run(argv, NULL, line.s, line.len, deadline_in(EXEC_TIMEOUT_MS), &ended, &err))
		warn("%s", err.text);
	else if (WIFSIGNALED(ended))
		warn("the command for event %s was ended by signal %d", seq.s, WTERMSIG(ended));
	else if (WEXITSTATUS(ended))
		warn("the command for event %s ended with status %d", seq.s, WEXITSTATUS(ended));
	buf_release(&line);
	buf_release(&seq);
}

static void
print_event(struct common *common, const struct event_view *view)
{
	struct err err = ERR_INIT;

	common->last_event = clock_monotonic_ms();
	if (!filter_run(common->filter, view->whole.s, view->whole.n, filter_print, NULL, &err)) {
		warn_err(&err);
		common->status = status_worse(common->status, err.status);
	}
	if (common->left != UINT64_MAX)
		common->left--;
	if (common->exec || common->cursor_file)
		out_flush(); /* the line first, then what follows from it */
	if (common->exec)
		run_command(common, view);
	if (common->cursor_file && view->seq >= 0 && !cursor_write(common->cursor_file, view->seq, &err))
		die_err(&err);
}

/* Does this event end the watch? Sets the outcome. */
static bool
ends(struct watch *watch, const struct event_view *view, const struct reply_change *change)
{
	const struct common *common = watch->common;
	size_t i;

	for (i = 0; i < common->n_until; i++)
		if (!strcmp(view->kind.s, common->until[i]))
			return true;
	if (watch->run && change->terminal && (common->until_terminal || common->until_waiting)) {
		watch->outcome = event_outcome(view->kind.s);
		return true;
	}
	if (watch->live && watch->run && common->until_waiting && reply_waiting(watch->reply)) {
		watch->outcome = STATUS_WAITING;
		return true;
	}
	return common->left == 0;
}

static bool
on_event(const struct event_view *view, void *payload)
{
	struct watch *watch = payload;
	struct reply_change change;

	reply_event(watch->reply, view->seq, view->kind.s, view->whole, &change);
	if (view->seq >= 0 && view->seq <= watch->shown_after) {
		if (change.terminal)
			watch->outcome = event_outcome(view->kind.s); /* an old end counts as well */
		return true;
	}
	print_event(watch->common, view);
	return !ends(watch, view, &change);
}

static bool
on_edge(void *payload)
{
	struct watch *watch = payload;

	watch->live = true;
	/* an old end counts as well: nothing more will come */
	if (!watch->run)
		return true;
	if (watch->common->until_waiting && reply_waiting(watch->reply)) {
		watch->outcome = STATUS_WAITING;
		return false;
	}
	return !(reply_terminal(watch->reply) && (watch->common->until_terminal || watch->common->until_waiting));
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

static const struct follow_events events = { .event = on_event, .edge = on_edge, .gap = on_gap, .notice = on_notice };

/* ---- watches */

static struct watch *
watch_new(struct common *common, const char *run, int64_t after)
{
	struct watch *watch = xcalloc(1, sizeof *watch);
	/* which messages are unanswered at the cursor is told by the events before it */
	int64_t from = after && common->until_waiting && run ? (after > LOOK_BACK ? after - LOOK_BACK : 0) : after;

	watch->common = common;
	watch->run = run ? xstrdup(run) : NULL;
	watch->reply = reply_new();
	watch->shown_after = after;
	watch->follow = follow_new(&common->api, run, from, &common->follow, &events, watch);
	return watch;
}

static void
watch_free(struct watch *watch)
{
	follow_free(watch->follow);
	reply_free(watch->reply);
	free(watch->run);
	free(watch);
}

/* One step of each; those that ended are freed. False when none is left. */
static size_t
step_all(struct common *common, struct watch **watches, size_t n)
{
	struct err err = ERR_INIT;
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		enum follow_result result = follow_step(watches[i]->follow, &err);

		if (result == FOLLOW_ON) {
			watches[kept++] = watches[i];
			continue;
		}
		if (result == FOLLOW_FAILED) {
			out_flush();
			warn_err(&err);
			common->status = status_worse(common->status, err.status);
		} else if (!common->ignore_outcome)
			common->status = status_worse(common->status, watches[i]->outcome);
		watch_free(watches[i]);
	}
	return kept;
}

static int64_t
next_deadline(const struct common *common, struct watch **watches, size_t n)
{
	int64_t deadline = common->api.deadline;
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

	if (deadline_left(common->api.deadline) == 0)
		err_set(&err, STATUS_TIMEOUT, "unable to go on watching: the deadline of %lld ms passed", (long long)common->api.timeout_ms);
	else if (common->idle_ms && deadline_left(common->last_event + common->idle_ms) == 0)
		err_set(&err, STATUS_TIMEOUT, "unable to go on watching: no event came for %lld ms", (long long)common->idle_ms);
	if (err.status)
		die_err(&err);
}

/* ---- subjects arrive while others are watched already */

struct input {
	struct subject subject;
	bool open;
};

static void
take_subjects(struct common *common, struct input *input, int64_t after, struct watch **watches, size_t *n)
{
	struct err err = ERR_INIT;

	do {
		switch (subject_next(&input->subject, &err)) {
		case SUBJECT_OK:
			if (input->subject.run.len && *n < WATCHES_MAX) {
				int64_t seq = input->subject.record.s && input->subject.seq > 0 ? input->subject.seq : 0;

				watches[(*n)++] = watch_new(common, input->subject.run.s, after ? after : seq);
				break;
			}
			if (input->subject.run.len)
				err_set(&err, STATUS_INPUT, "unable to watch run '%s': more than %d runs", input->subject.run.s, WATCHES_MAX);
			else
				err_set(&err, STATUS_INPUT, "unable to read line %llu of standard input: it names no run", (unsigned long long)input->subject.in.count);
			__attribute__((fallthrough));
		case SUBJECT_BAD:
			warn_err(&err);
			common->status = status_worse(common->status, err.status);
			break;
		case SUBJECT_END:
			input->open = false;
			return;
		}
	} while (line_ready(&input->subject.in));
}

static int
watch_all(struct common *common, struct input *input, int64_t after, struct watch **watches, size_t n)
{
	struct pollfd fds[2] = { { .fd = sig_catch() }, { .fd = STDIN_FILENO } };
	struct err err = ERR_INIT;
	int signo;

	common->last_event = clock_monotonic_ms();
	for (;;) {
		n = step_all(common, watches, n);
		out_flush();
		signo = sig_take();
		if (signo)
			sig_die(signo); /* leaving never ends a run */
		if (!common->left)
			break;
		if (!n && !input->open)
			break;
		check_time(common);
		if (!http_wait(common->api.http, fds, input->open ? 2 : 1, next_deadline(common, watches, n), &err))
			die_err(&err);
		if (input->open && fds[1].revents)
			take_subjects(common, input, after, watches, &n);
	}
	while (n)
		watch_free(watches[--n]);
	return common->status;
}

/* ---- options */

static void
add_until(struct common *common, const char *what)
{
	if (!strcmp(what, "terminal"))
		common->until_terminal = true;
	else if (!strcmp(what, "waiting"))
		common->until_waiting = true;
	else if (strcmp(what, "never") != 0) {
		if (common->n_until == UNTIL_MAX)
			die_usage("more than %d --until options", UNTIL_MAX);
		if (!strchr(what, '.') && !strchr(what, '/'))
			die_usage("unable to use --until '%s': expected terminal, waiting, never or an event kind as agent.waiting", what);
		common->until[common->n_until++] = what;
	}
}

static bool
choice(const char *option, const char *given, const char *yes, const char *no)
{
	if (strcmp(given, yes) && strcmp(given, no))
		die_usage("unable to use %s '%s': expected %s or %s", option, given, yes, no);
	return !strcmp(given, yes);
}

int
main(int argc, char *argv[])
{
	struct common common = { .api = API_INIT, .left = UINT64_MAX };
	struct input input = { .open = false };
	struct watch *watches[WATCHES_MAX];
	struct err err = ERR_INIT;
	const char *program = NULL;
	bool all = false, until_given = false;
	int64_t after = 0, n_events;
	size_t n = 0;
	int key, status;

	cmd_init(&cmd);
	subject_init(&input.subject);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		bool ok = true;

		switch (key) {
		case OPT_ALL:
			all = true;
			break;
		case OPT_UNTIL:
			until_given = true;
			add_until(&common, opt_arg);
			break;
		case OPT_AFTER:
			ok = num_in_range(opt_arg, 0, INT64_MAX, "--after", &after, &err);
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
		case OPT_POLL:
			ok = num_duration(opt_arg, "--poll", &common.follow.poll_ms, &err);
			break;
		case OPT_ON_GAP:
			common.go_on_after_gap = choice("--on-gap", opt_arg, "continue", "stop");
			break;
		case OPT_OUTCOME:
			common.ignore_outcome = choice("--outcome", opt_arg, "ignore", "exit");
			break;
		case OPT_KEY_JQ:
			program = opt_arg;
			break;
		default:
			ok = subject_opt(&input.subject, key, opt_arg, &err) || (!err.status && api_opt(&common.api, key, opt_arg, &err));
		}
		if (!ok)
			die_usage("%s", err.text);
	}
	if (argc > 0 && !input.subject.run.len && !all) {
		if (!subject_set(&input.subject.run, "RUN", *argv, &err))
			die_usage("%s", err.text);
		argc--;
		argv++;
	}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (all && input.subject.run.len)
		die_usage("--all and a run cannot be given together");
	if (!until_given)
		common.until_terminal = true;
	common.filter = filter_new(program, &err);
	if (!common.filter || !api_open(&common.api, &err) || (common.cursor_file && !after && !cursor_read(common.cursor_file, &after, &err)))
		die_err(&err);

	if (all)
		watches[n++] = watch_new(&common, NULL, after);
	else if (subject_named(&input.subject))
		watches[n++] = watch_new(&common, input.subject.run.s, after);
	else
		input.open = true;
	status = watch_all(&common, &input, after, watches, n);

	filter_free(common.filter);
	subject_release(&input.subject);
	api_release(&common.api);
	return status_worse(status, out_close());
}
