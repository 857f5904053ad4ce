/* clarity.h - the door of clarity/: the routes of the Clarity runtime surface (contract sections 1 to 8)
 *
 * Knows no SQL and no socket: requests and replies come from http/, events from log/, conversations from chat/. Routes are one table.
 */
#ifndef CLARITY_H
#define CLARITY_H

#include "compat.h"

struct agents;
struct auth;
struct chat;
struct clarity;
struct log;
struct request;
struct services;

struct clarity_settings {
	struct log *log;
	struct chat *chat;
	struct services *services;
	const struct agents *agents;
	struct auth *auth;
	struct event_base *base;
	int64_t started_ms; /* wall clock */
	size_t a2a_max;	    /* bytes of one message between agents (contract: 65536) */
	int64_t ping_ms;    /* between two ": ping" of a stream (contract: 15000) */
};

struct clarity *clarity_new(const struct clarity_settings *settings);
void clarity_stop(struct clarity *clarity); /* ends its streams: their clients come back to whoever listens then */
void clarity_free(struct clarity *clarity);

/* Answers it, now or later. False: no such path here (nothing answered). */
bool clarity_handle(struct clarity *clarity, struct request *request) USE_RESULT;

#endif
