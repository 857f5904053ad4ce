/* rest.c - a gateway in which nothing happens needs little memory */
#include "compat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "chat/chat.h"
#include "http/server.h"
#include "log/log.h"
#include "rest.h"
#include "xalloc.h"

struct rest {
	struct log *log;
	struct chat *chat;
	struct event *tick;
	int64_t seq;	/* of the newest event at the last look */
	uint64_t asked; /* of the log, by the last rest */
	unsigned quiet; /* looks in a row that found no newer event; REST_S: it rests */
};

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct rest *rest = payload;
	int64_t seq = log_last_seq(rest->log);

	(void)fd;
	(void)what;
	if (seq != rest->seq || (rest->quiet == REST_S && log_asked(rest->log) != rest->asked)) {
		rest->seq = seq;
		rest->quiet = 0;
		return;
	}
	if (rest->quiet == REST_S || ++rest->quiet < REST_S)
		return;
	rest->asked = log_asked(rest->log);
	chat_rest(rest->chat);
	log_rest(rest->log, server_heap_trim);
}

struct rest *
rest_new(struct event_base *base, struct log *log, struct chat *chat)
{
	struct rest *rest = xcalloc(1, sizeof *rest);
	struct timeval second = { 1, 0 };

	rest->log = log;
	rest->chat = chat;
	rest->seq = log_last_seq(log);
	rest->tick = event_new(base, -1, EV_PERSIST, on_tick, rest);
	event_add(rest->tick, &second);
	return rest;
}

void
rest_free(struct rest *rest)
{
	if (!rest)
		return;
	event_free(rest->tick);
	free(rest);
}
