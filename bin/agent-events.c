/*
 * agent-events - print the stored events of a run or thread
 *
 * reads   run, thread and turn records from standard input, unless one is named
 * writes  one event a line, oldest first, as the server gives it
 */
#include "compat.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "cursor.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "pages.h"
#include "xalloc.h"

#define KINDS_MAX 64 /* --kind options */

enum { OPT_ALL = OPT_OWN, OPT_AFTER, OPT_KIND, OPT_CURSOR_FILE, OPT_SHOW_CURSOR };

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_KEY_TURN, "turn", "ID", "of the thread only this turn" },
	{ OPT_ALL, "all", NULL, "the events of all runs" },
	{ OPT_AFTER, "after", "SEQ", "only events after this one (a thread's: its cursor)" },
	{ 'n', "limit", "N", "only the last N events" },
	{ OPT_KIND, "kind", "PATTERN", "only kinds that match, as agent.chat.*; may be given several times" },
	{ OPT_CURSOR_FILE, "cursor-file", "FILE", "go on after the cursor in FILE, and leave the new one there" },
	{ OPT_SHOW_CURSOR, "show-cursor", NULL, "say the last event's seq on standard error" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-events",
	.synopsis = "[options] [RUN]",
	.about = "print the stored events of a run or thread",
	.example = "  agent-events run_1 --kind 'agent.chat.*' | jq -r .data.message",
	.opts = opts,
};

struct printing {
	struct client client;
	int64_t after, last; /* where it begins; the last event that was seen */
	const char *kinds[KINDS_MAX];
	size_t n_kinds;
	const char *turn; /* only this one, NULL: all */
	uint64_t seen;	  /* events that the server gave, whatever their kind */
	/* the last N, as a ring; NULL: all */
	char **ring;
	size_t ring_size, ring_next;
};

static bool
kind_wanted(const struct printing *printing, struct span event)
{
	struct buf kind = BUF_INIT;
	struct span turn;
	bool wanted = !printing->n_kinds;
	size_t i;

	if (printing->turn && (!jtext_get(event, "turnId", &turn) || !jtext_is_string(turn, printing->turn)))
		return false;
	if (wanted)
		return true;
	if (!jtext_get_string(event, "kind", &kind))
		(void)jtext_get_string(event, "method", &kind);
	for (i = 0; i < printing->n_kinds && !wanted; i++)
		wanted = !fnmatch(printing->kinds[i], kind.s, 0);
	buf_release(&kind);
	return wanted;
}

static bool
on_event(struct span event, int64_t seq, void *payload)
{
	struct printing *printing = payload;

	(void)seq;
	printing->seen++;
	if (!kind_wanted(printing, event))
		return true;
	if (!printing->ring) {
		client_record(&printing->client, event);
		return true;
	}
	free(printing->ring[printing->ring_next]);
	printing->ring[printing->ring_next] = xmemdup0(event.s, event.n);
	printing->ring_next = (printing->ring_next + 1) % printing->ring_size;
	return true;
}

static void
print_ring(struct printing *printing)
{
	size_t i;
	char **line;

	for (i = 0; printing->ring && i < printing->ring_size; i++) {
		line = &printing->ring[(printing->ring_next + i) % printing->ring_size];
		if (!*line)
			continue;
		client_record(&printing->client, (struct span){ *line, strlen(*line) });
		free(*line);
		*line = NULL;
	}
}

/* One run or thread (or all runs, both NULL). Gives the status. */
static int
print_run(struct printing *printing, const char *run, const char *thread)
{
	struct api *api = &printing->client.api;
	struct pages pages = { .run = run, .thread = thread, .after = printing->after };
	struct buf what = BUF_INIT;
	struct err err = ERR_INIT;
	int status = STATUS_OK;

	if (thread)
		buf_addf(&what, "read the events of thread '%s'", thread);
	else if (run)
		buf_addf(&what, "read the events of run '%s'", run);
	else
		buf_addstr(&what, "read the events");
	printing->seen = 0;
	if (!pages_read(api, &pages, what.s, on_event, printing, &err)) {
		(void)client_filter(&printing->client);
		warn_err(&err);
		status = err.status;
	} else if (printing->after && !pages.paged && pages.oldest > printing->after && !pages.after_seen) {
		err_set(&err, STATUS_GAP, "events after %lld are missing: the oldest that %s still has is %lld", (long long)printing->after,
		    api->address.given.s, (long long)pages.oldest);
		warn_err(&err);
		status = STATUS_GAP;
	} else if (!printing->seen && !printing->after) {
		if (run)
			info("no events of run '%s' at %s", run, api->address.given.s);
		status = STATUS_NO;
	}
	print_ring(printing);
	if (pages.last > printing->last)
		printing->last = pages.last;
	buf_release(&what);
	return status;
}

/* What the options or a record named. */
static bool
print_subject(void *payload, int *ret_status, struct err *err)
{
	struct printing *printing = payload;
	const struct subject *subject = &printing->client.subject;

	printing->turn = NULL;
	if (subject->run.len)
		*ret_status = print_run(printing, subject->run.s, NULL);
	else if (subject->thread.len) {
		printing->turn = subject->turn.len ? subject->turn.s : NULL;
		*ret_status = print_run(printing, NULL, subject->thread.s);
	} else
		return subject_lacks(subject, "run", err);
	return true;
}

int
main(int argc, char *argv[])
{
	struct printing printing = { .after = 0 };
	struct subject *subject;
	struct err err = ERR_INIT;
	const char *cursor_file = NULL;
	bool all = false, show_cursor = false;
	int64_t n = 0;
	int key, status = STATUS_OK;

	client_begin(&printing.client, &cmd);
	subject = &printing.client.subject;
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_ALL:
			all = true;
			break;
		case OPT_AFTER:
			if (!num_in_range(opt_arg, 0, INT64_MAX, "--after", &printing.after, &err))
				die_usage("%s", err.text);
			break;
		case 'n':
			if (!num_in_range(opt_arg, 1, 1000000, "--limit", &n, &err))
				die_usage("%s", err.text);
			break;
		case OPT_KIND:
			if (printing.n_kinds == KINDS_MAX)
				die_usage("more than %d --kind options", KINDS_MAX);
			printing.kinds[printing.n_kinds++] = opt_arg;
			break;
		case OPT_CURSOR_FILE:
			cursor_file = opt_arg;
			break;
		case OPT_SHOW_CURSOR:
			show_cursor = true;
			break;
		default:
			client_option(&printing.client, key);
		}
	if (argc > 0 && !subject->run.len && !subject->thread.len && !all) {
		if (!subject_set(&subject->run, "RUN", *argv, &err))
			die_usage("%s", err.text);
		argc--;
		argv++;
	}
	client_no_operand(argv);
	if (all + (subject->run.len > 0) + (subject->thread.len > 0) > 1)
		die_usage("of --all, a run and a thread only one can be given");
	if (subject->turn.len && !subject->thread.len)
		die_usage("--turn needs --thread");
	printing.client.asks = true;
	client_open(&printing.client);
	if (cursor_file && !cursor_read(cursor_file, &printing.after, &err))
		client_die(&printing.client, &err);
	if (n) {
		printing.ring_size = (size_t)n;
		printing.ring = xcalloc(printing.ring_size, sizeof *printing.ring);
	}

	printing.last = printing.after;
	if (all)
		status = print_run(&printing, NULL, NULL);
	else {
		(void)subject_named(subject);
		status = client_each(&printing.client, print_subject, NULL, &printing);
	}
	out_flush(); /* the cursor moves only when the lines are out */
	if (cursor_file && printing.last > printing.after && !cursor_write(cursor_file, printing.last, &err))
		die_err(&err);
	if (show_cursor)
		info("cursor: %lld", (long long)printing.last);

	free(printing.ring);
	return client_end(&printing.client, status);
}
