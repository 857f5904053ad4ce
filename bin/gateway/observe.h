/* observe.h - what is written down about requests: the audit log, the access log, the figures
 *
 * Made before the rooms start; told by http/ of every answer as it begins and as it ends.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "audit.h"
#include "compat.h"
#include "metrics.h"

struct err;
struct event_base;
struct observe;
struct request;
struct secrets;
struct server_end;

struct observe_settings {
	struct event_base *base;
	const char *audit_file;	       /* borrowed */
	const char *access_file;       /* NULL: no access log; "-": standard output */
	const struct secrets *secrets; /* borrowed */
};

/* Errors: STATUS_CONFIG, a file that cannot be opened. */
struct observe *observe_new(const struct observe_settings *settings, struct err *err);
void observe_free(struct observe *observe);	     /* writes what waits; accepts NULL */
void observe_reopen(struct observe *observe);	     /* after the files were moved away */
bool observe_follows(const struct observe *observe); /* is there an access log? */

/* What metrics are made of; audit and access are filled in here. */
void observe_rooms(struct observe *observe, const struct metrics_rooms *rooms);
void observe_metrics(struct observe *observe, struct request *request); /* answers GET /metrics */

void observe_answered(struct observe *observe, const struct request *request, int status);
void observe_ended(struct observe *observe, struct request *request, const struct server_end *end);

#endif
