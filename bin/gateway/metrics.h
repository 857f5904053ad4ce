/* metrics.h - what the gateway does, in figures: GET /metrics, in the text format of Prometheus
 *
 * Counters begin with the process. Whoever may read may read them, like everything else that tells of more than one workspace: a token
 * needs the scope read and every workspace; without tokens only callers on this machine are served. Names of agents, runs and people are in
 * none of them.
 */
#ifndef METRICS_H
#define METRICS_H

#include "compat.h"

struct access;
struct agents;
struct audit;
struct chat;
struct compass;
struct log;
struct metrics;
struct request;
struct server;
struct server_end;

/* Who is asked; access may be NULL. */
struct metrics_rooms {
	const struct server *server;
	struct log *log;
	const struct chat *chat;
	const struct compass *compass;
	const struct agents *agents;
	const struct audit *audit;
	struct access *access;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* accepts NULL; after the log */
void metrics_watch(struct metrics *metrics, struct log *log);

void metrics_answered(struct metrics *metrics, const struct request *request, int status);
void metrics_ended(struct metrics *metrics, const struct request *request, const struct server_end *end);

void metrics_reply(const struct metrics *metrics, const struct metrics_rooms *rooms, struct request *request);

#endif
