/* hitl.h - the door of hitl/: the broker of questions that wait for a person (Clarity contract section 13.2)
 *
 * Routes: GET and POST /questions, GET /questions/:key, POST /answer, POST /cancel, GET /events. What they read and write are the files of
 * a directory (common/hitl.h), which other programs use at the same time. A thread of the room does that; the loop never waits for a disk.
 *
 * More than the contract: the events come at once, have the question's own key and its time always, and tell with {"type":"removed"} that a
 * question went unanswered; ": live" ends the first list. A question that is asked again never has an old answer. Keys that would share a
 * file are refused with 409, as is an answer to an answered question. GET /questions/:key says the question's "timestamp" too; POST /answer
 * and POST /cancel take one, and then mean that question only. POST /questions answers "fresh":true: no old answer is there.
 */
#ifndef GATEWAY_HITL_H
#define GATEWAY_HITL_H

#include "compat.h"

struct auth;
struct broker;
struct err;
struct event_base;
struct request;

#define BROKER_ERRANDS_MAX 1024 /* requests that wait for the directory; further ones get 503 */

struct broker_settings {
	struct event_base *base;
	struct auth *auth; /* streams end with the token that opened them */
	const char *dir;   /* as hitl_open() */
	int64_t ping_ms;   /* between two ": ping" of a stream (contract: 15000) */
	bool compact;	   /* answers on one line and without a newline, instead of indented */
};

/* Errors: STATUS_CONFIG: the directory. */
struct broker *broker_new(const struct broker_settings *settings, struct err *err);
const char *broker_path(const struct broker *broker); /* the directory, absolute */
void broker_stop(struct broker *broker);	      /* ends its streams */
void broker_free(struct broker *broker);	      /* after the server, which holds its requests; accepts NULL */

/* Answers it, now or later. False: no such path here (nothing answered). */
bool broker_handle(struct broker *broker, struct request *request) USE_RESULT;

#endif
