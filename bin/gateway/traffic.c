/* traffic.c - requests by route */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "exposition.h"
#include "hash.h"
#include "traffic.h"
#include "xalloc.h"

#define SLOTS 1024 /* of the table; a power of two, and well above TRAFFIC_ROUTES_MAX */

static const char *const methods[] = { "GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "other" };
static const char other[] = "other";

struct counted {
	const char *route, *method; /* method: of the table above */
	struct {
		int code;
		uint64_t n;
	} codes[TRAFFIC_CODES_MAX];
	size_t n_codes;
	struct histogram times;
	bool timed;
};

struct traffic {
	struct counted *list[TRAFFIC_ROUTES_MAX]; /* the first one: all that is too many */
	size_t n;
	uint16_t slots[SLOTS]; /* 1 + index, 0: free */
};

static struct counted *find(struct traffic *traffic, const char *method_text, const char *route);

struct traffic *
traffic_new(void)
{
	struct traffic *traffic = xcalloc(1, sizeof *traffic);

	(void)find(traffic, other, other);
	return traffic;
}

void
traffic_free(struct traffic *traffic)
{
	size_t i;

	if (!traffic)
		return;
	for (i = 0; i < traffic->n; i++)
		free(traffic->list[i]);
	free(traffic);
}

static const char *
known_method(const char *method)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(methods) - 1 && strcmp(methods[i], method); i++)
		;
	return methods[i];
}

static struct counted *
find(struct traffic *traffic, const char *method_text, const char *route)
{
	const char *method = known_method(method_text);
	struct counted *counted;
	size_t slot;

	if (!*route)
		route = other;
	for (slot = (size_t)(hash(route, strlen(route)) % SLOTS); traffic->slots[slot]; slot = (slot + 1) % SLOTS) {
		counted = traffic->list[traffic->slots[slot] - 1];
		if (counted->method == method && (counted->route == route || !strcmp(counted->route, route)))
			return counted;
	}
	if (traffic->n == TRAFFIC_ROUTES_MAX)
		return traffic->list[0];
	counted = traffic->list[traffic->n++] = xcalloc(1, sizeof *counted);
	traffic->slots[slot] = (uint16_t)traffic->n;
	counted->method = method;
	counted->route = route;
	return counted;
}

void
traffic_count(struct traffic *traffic, const char *method, const char *route, int code)
{
	struct counted *counted = find(traffic, method, route);
	size_t i;

	for (i = 0; i < counted->n_codes && counted->codes[i].code != code; i++)
		;
	if (i == TRAFFIC_CODES_MAX) {
		i--;
		counted->codes[i].code = 0;
	} else if (i == counted->n_codes)
		counted->codes[counted->n_codes++].code = code;
	counted->codes[i].n++;
}

void
traffic_time(struct traffic *traffic, const char *method, const char *route, int64_t us)
{
	struct counted *counted = find(traffic, method, route);

	counted->timed = true;
	histogram_add(&counted->times, us);
}

void
traffic_write(const struct traffic *traffic, struct buf *to)
{
	static const char counts[] = "agent_gateway_http_requests_total", times[] = "agent_gateway_http_request_duration_seconds";
	const struct counted *counted;
	size_t i, k;

	exposition_family(to, counts, "counter", "Requests that were answered, by method, route and code.");
	for (i = 0; i < traffic->n; i++)
		for (counted = traffic->list[i], k = 0; k < counted->n_codes; k++) {
			char code[16] = "other";

			if (counted->codes[k].code)
				snprintf(code, sizeof code, "%d", counted->codes[k].code);
			exposition_count(to, counts, "",
			    (const char *const[]){ "method", counted->method, "route", counted->route, "code", code, NULL },
			    counted->codes[k].n);
		}
	exposition_family(to, times, "histogram", "Time from the end of a request's head to the end of its answer; streams are left out.");
	for (i = 0; i < traffic->n; i++)
		if ((counted = traffic->list[i])->timed)
			exposition_histogram(
			    to, times, (const char *const[]){ "method", counted->method, "route", counted->route, NULL }, &counted->times);
}
