/* traffic.h - how many requests took which route, what they were answered, and how long that took
 *
 * Bounded by construction: methods and routes are a few known words, everything else is "other"; past TRAFFIC_ROUTES_MAX routes and
 * TRAFFIC_CODES_MAX codes of one route, what is new is counted as "other" too. Pure.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "compat.h"

struct buf;
struct traffic;

#define TRAFFIC_ROUTES_MAX 256 /* of a method and a route */
#define TRAFFIC_CODES_MAX 16   /* different codes of one of them */

struct traffic *traffic_new(void);
void traffic_free(struct traffic *traffic); /* accepts NULL */

/* route: static storage, "" when it took none of ours. code 0 counts as "other". */
void traffic_count(struct traffic *traffic, const char *method, const char *route, int code);
/* How long a whole answer took; streams are not timed. */
void traffic_time(struct traffic *traffic, const char *method, const char *route, int64_t us);

/* Appends agent_gateway_http_requests_total and agent_gateway_http_request_duration_seconds. */
void traffic_write(const struct traffic *traffic, struct buf *to);

#endif
