/* reply.c - which message of a run has been answered */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "reply.h"
#include "xalloc.h"

struct reply {
	int64_t pending[REPLY_PENDING_MAX]; /* a ring: unanswered messages, oldest first */
	size_t first, count;
	bool waiting; /* the last status that the run gave is that it waits */
	bool terminal;
};

struct reply *
reply_new(void)
{
	return xcalloc(1, sizeof(struct reply));
}

void
reply_free(struct reply *reply)
{
	free(reply);
}

static void
push(struct reply *reply, int64_t seq)
{
	if (reply->count == REPLY_PENDING_MAX) {
		reply->first = (reply->first + 1) % REPLY_PENDING_MAX;
		reply->count--;
	}
	reply->pending[(reply->first + reply->count++) % REPLY_PENDING_MAX] = seq;
}

static int64_t
pop(struct reply *reply)
{
	int64_t seq;

	if (!reply->count)
		return -1;
	seq = reply->pending[reply->first];
	reply->first = (reply->first + 1) % REPLY_PENDING_MAX;
	reply->count--;
	return seq;
}

/* agent.waiting at level warn ends an answer that failed or is disabled (contract section 8). */
static bool
is_warning(struct span event)
{
	struct span level;

	return jtext_get(event, "level", &level) && (jtext_is_string(level, "warn") || jtext_is_string(level, "error"));
}

void
reply_event(struct reply *reply, int64_t seq, const char *kind, struct span event, struct reply_change *ret)
{
	*ret = (struct reply_change){ .answered = -1, .text_for = -1 };
	if (!strcmp(kind, "agent.chat.user_message") || !strcmp(kind, "agent.hitl_input")) {
		push(reply, seq);
		reply->waiting = false;
	} else if (!strcmp(kind, "agent.step_started")) {
		reply->waiting = false;
	} else if (!strcmp(kind, "agent.run_started")) {
		reply->waiting = false;
	} else if (!strcmp(kind, "agent.chat.assistant_message")) {
		/* an agent that keeps no steps answers the oldest message all the same */
		if (reply->count)
			ret->text_for = reply->pending[reply->first];
	} else if (!strcmp(kind, "agent.waiting")) {
		ret->answered = pop(reply);
		ret->failed = ret->answered >= 0 && is_warning(event);
		reply->waiting = true;
	} else if (event_is_terminal(kind)) {
		reply->terminal = ret->terminal = true;
		reply->count = 0;
		reply->waiting = false;
	}
}

bool
reply_waiting(const struct reply *reply)
{
	return reply->waiting && !reply->count && !reply->terminal;
}

bool
reply_terminal(const struct reply *reply)
{
	return reply->terminal;
}

size_t
reply_pending(const struct reply *reply)
{
	return reply->count;
}
