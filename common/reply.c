/* reply.c - which message of a run has been answered */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "reply.h"
#include "xalloc.h"

struct reply {
	int64_t *pending; /* a ring: unanswered messages, oldest first */
	size_t size;	  /* of the ring: it doubles, as most runs have one message at a time */
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
	if (reply)
		free(reply->pending);
	free(reply);
}

static void
grow(struct reply *reply)
{
	size_t size = reply->size ? reply->size * 2 : 4, i;
	int64_t *ring;

	if (size > REPLY_PENDING_MAX)
		size = REPLY_PENDING_MAX;
	ring = xcalloc(size, sizeof *ring);
	for (i = 0; i < reply->count; i++)
		ring[i] = reply->pending[(reply->first + i) % reply->size];
	free(reply->pending);
	reply->pending = ring;
	reply->size = size;
	reply->first = 0;
}

static void
push(struct reply *reply, int64_t seq)
{
	if (reply->count == REPLY_PENDING_MAX) {
		reply->first = (reply->first + 1) % reply->size;
		reply->count--;
	} else if (reply->count == reply->size)
		grow(reply);
	reply->pending[(reply->first + reply->count++) % reply->size] = seq;
}

static int64_t
pop(struct reply *reply)
{
	int64_t seq;

	if (!reply->count)
		return -1;
	seq = reply->pending[reply->first];
	reply->first = (reply->first + 1) % reply->size;
	reply->count--;
	return seq;
}

/* The run works again: what it said of waiting is past. */
static bool
is_work(const char *kind)
{
	static const char *const kinds[] = { "agent.run_created", "agent.run_started", "agent.step_started", "agent.tool_called",
		"agent.llm_called", "agent.handoff" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
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
	} else if (is_work(kind)) {
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
