/* recent.c - the newest chat events of the runs that are talked to: a chained hash, the least recently used run at one end */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "chat/history.h"
#include "chat/recent.h"
#include "hash.h"
#include "store/store.h"
#include "xalloc.h"

#define BUCKETS 2048
#define SAID_BYTES 128 /* what one takes beside its text, about */

struct talk {
	struct buf run;
	struct said said[RECENT_EVENTS_MAX + 1]; /* and one that is to come */
	size_t n;
	bool all;
	struct talk *newer, *older, *chain;
};

struct recent {
	struct talk *buckets[BUCKETS];
	struct talk *newest, *oldest;
	size_t n, bytes;
	struct said first; /* to come, of a run that is not in */
};

static size_t
weight(const struct said *said)
{
	return SAID_BYTES + said->content.len;
}

static struct talk **
find(struct recent *recent, struct span run)
{
	struct talk **at;

	for (at = &recent->buckets[hash(run.s, run.n) % BUCKETS]; *at; at = &(*at)->chain)
		if ((*at)->run.len == run.n && !memcmp((*at)->run.s, run.s, run.n))
			break;
	return at;
}

static void
unlink_age(struct recent *recent, struct talk *talk)
{
	*(talk->newer ? &talk->newer->older : &recent->newest) = talk->older;
	*(talk->older ? &talk->older->newer : &recent->oldest) = talk->newer;
}

static void
push_age(struct recent *recent, struct talk *talk)
{
	talk->newer = NULL;
	talk->older = recent->newest;
	*(recent->newest ? &recent->newest->newer : &recent->oldest) = talk;
	recent->newest = talk;
}

static void
drop(struct recent *recent, struct talk **at)
{
	struct talk *talk = *at;
	size_t i;

	*at = talk->chain;
	unlink_age(recent, talk);
	for (i = 0; i < talk->n; i++) {
		recent->bytes -= weight(&talk->said[i]);
		said_release(&talk->said[i]);
	}
	buf_release(&talk->run);
	free(talk);
	recent->n--;
}

static void
trim(struct recent *recent)
{
	while (recent->oldest && (recent->n > RECENT_RUNS_MAX || recent->bytes > RECENT_BYTES_MAX))
		drop(recent, find(recent, span_of(&recent->oldest->run)));
}

static void
append(struct recent *recent, struct talk *talk, const struct entry *event)
{
	if (talk->n && event->seq <= talk->said[talk->n - 1].seq)
		return;
	if (talk->n == RECENT_EVENTS_MAX) {
		recent->bytes -= weight(&talk->said[0]);
		said_release(&talk->said[0]);
		memmove(talk->said, talk->said + 1, --talk->n * sizeof *talk->said);
		talk->all = false;
	}
	said_of(event, &talk->said[talk->n]);
	recent->bytes += weight(&talk->said[talk->n++]);
}

struct recent *
recent_new(void)
{
	return xcalloc(1, sizeof(struct recent));
}

void
recent_forget(struct recent *recent)
{
	while (recent->oldest)
		drop(recent, find(recent, span_of(&recent->oldest->run)));
}

void
recent_free(struct recent *recent)
{
	if (recent)
		recent_forget(recent);
	free(recent);
}

void
recent_take(struct recent *recent, struct span run, struct entry *const *events, size_t n, bool all)
{
	struct talk **at = find(recent, run), *talk;
	size_t i;

	if (*at)
		drop(recent, at);
	talk = xcalloc(1, sizeof *talk);
	at = find(recent, run);
	*at = talk;
	buf_init(&talk->run);
	buf_add(&talk->run, run.s, run.n);
	talk->all = all;
	push_age(recent, talk);
	recent->n++;
	for (i = 0; i < n; i++)
		append(recent, talk, events[i]);
	trim(recent);
}

void
recent_add(struct recent *recent, const struct entry *event)
{
	struct talk *talk = *find(recent, event->stream);

	if (!talk)
		return;
	append(recent, talk, event);
	trim(recent);
}

static struct talk *
use(struct recent *recent, struct span run)
{
	struct talk *talk = *find(recent, run);

	if (!talk || !talk->n)
		return NULL;
	unlink_age(recent, talk);
	push_age(recent, talk);
	return talk;
}

const struct said *
recent_of(struct recent *recent, struct span run, int64_t seq, size_t *ret_n, bool *ret_all)
{
	struct talk *talk = use(recent, run);

	if (!talk || talk->said[talk->n - 1].seq < seq)
		return NULL;
	*ret_n = talk->n;
	*ret_all = talk->all;
	return talk->said;
}

const struct said *
recent_before(struct recent *recent, struct span run, const struct said *message, size_t *ret_n, bool *ret_all)
{
	struct talk *talk = use(recent, run);
	struct said *said = talk ? talk->said : &recent->first;

	*ret_n = talk ? talk->n + 1 : 1;
	*ret_all = !talk || talk->all;
	said[*ret_n - 1] = *message;
	return said;
}
