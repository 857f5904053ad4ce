/* hitl_news.c - what changed between two looks at the questions */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "hitl_news.h"
#include "xalloc.h"

static int
compare(const struct hitl_question *x, const struct hitl_question *y)
{
	int by_stem = strcmp(x->stem.s, y->stem.s);
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
	int by_key;

	if (by_stem)
		return by_stem;
	by_key = memcmp(x->key.s, y->key.s, n);
	if (by_key)
		return by_key;
	return x->key.len == y->key.len ? 0 : x->key.len < y->key.len ? -1 : 1;
}

static int
by_name(const void *a, const void *b)
{
	return compare(a, b);
}

static int
by_time(const void *a, const void *b)
{
	const struct hitl_question *x = a, *y = b;

	if (x->timestamp != y->timestamp)
		return x->timestamp < y->timestamp ? -1 : 1;
	return compare(x, y);
}

static void
sort(struct hitl_list *list, int (*order)(const void *, const void *))
{
	if (list->n)
		qsort(list->questions, list->n, sizeof *list->questions, order);
}

static bool
is_same(const struct hitl_question *x, const struct hitl_question *y)
{
	return x->timestamp == y->timestamp && x->inode == y->inode && x->mtime_ns == y->mtime_ns;
}

/* Both lists side by side: what is gone is told, what came is collected. */
static size_t
walk(struct hitl_list *known, struct hitl_list *fresh, struct hitl_question **came, hitl_news_cb *cb, void *payload)
{
	size_t i = 0, k = 0, n = 0;

	while (i < known->n || k < fresh->n) {
		struct hitl_question *old = i < known->n ? &known->questions[i] : NULL, *now = k < fresh->n ? &fresh->questions[k] : NULL;
		int order = !old ? 1 : !now ? -1 : compare(old, now);
		bool same = order == 0 && is_same(old, now);

		if (same && old->told)
			now->answered = true;
		i += order <= 0;
		k += order >= 0;
		if (order <= 0 && !same && !old->answered)
			cb(HITL_NEWS_GONE, old, payload);
		if (order >= 0 && !same)
			came[n++] = now;
		else if (order >= 0 && now->answered && !old->answered)
			cb(HITL_NEWS_ANSWERED, now, payload);
	}
	return n;
}

static int
came_by_time(const void *a, const void *b)
{
	return by_time(*(struct hitl_question *const *)a, *(struct hitl_question *const *)b);
}

void
hitl_news(struct hitl_list *known, struct hitl_list *fresh, hitl_news_cb *cb, void *payload)
{
	struct hitl_question **came = xcalloc(fresh->n + 1, sizeof(struct hitl_question *));
	struct hitl_list old = *known;
	size_t i, n;

	sort(fresh, by_name);
	n = walk(&old, fresh, came, cb, payload);
	qsort(came, n, sizeof *came, came_by_time);
	for (i = 0; i < n; i++) {
		cb(HITL_NEWS_ASKED, came[i], payload);
		if (came[i]->answered) /* asked and answered between two looks: both are told */
			cb(HITL_NEWS_ANSWERED, came[i], payload);
	}
	free(came);
	*known = *fresh;
	*fresh = (struct hitl_list){ NULL, 0, false };
	hitl_list_release(&old);
}

struct hitl_question *
hitl_news_find(const struct hitl_list *known, const char *stem)
{
	size_t low = 0, high = known->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(known->questions[middle].stem.s, stem);

		if (!order)
			return &known->questions[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void
hitl_news_by_time(struct hitl_list *list)
{
	sort(list, by_time);
}

void
hitl_news_by_stem(struct hitl_list *list)
{
	sort(list, by_name);
}
