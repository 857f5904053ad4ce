/* fuzz_event.c - event records, one a line, through the view and the folds over answers and turns */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "reply.h"
#include "turns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
feed(struct reply *reply, struct turns *turns, struct event_view *view, const char *line, size_t n)
{
	struct reply_change change;
	struct span record;
	size_t before = reply_pending(reply);

	if (!jtext_check(line, n, false, &record, NULL) || !event_view_read(view, record))
		return;
	if (strlen(view->kind.s) != view->kind.len || strlen(view->run.s) != view->run.len)
		abort();
	reply_event(reply, view->seq, view->kind.s, view->whole, &change);
	if (reply_pending(reply) > before + 1 || reply_pending(reply) > REPLY_PENDING_MAX)
		abort();
	turns_event(turns, view);
	if (turns_approvals(turns) > TURNS_APPROVALS_MAX || (turns_open(turns) && !*turns_open(turns)))
		abort();
	if (reply_waiting(reply) && (reply_pending(reply) || reply_terminal(reply)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply *reply = reply_new();
	struct turns *turns = turns_new(NULL);
	struct event_view view;
	const char *s = (const char *)data, *end = s + size, *stop;

	event_view_init(&view);
	for (; s < end; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop)
			stop = end;
		feed(reply, turns, &view, s, (size_t)(stop - s));
	}
	event_view_release(&view);
	reply_free(reply);
	turns_free(turns);
	return 0;
}
