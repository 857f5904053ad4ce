/* cache.c - derived rows in memory: a chained hash with the least recently used ones at one end */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "store/internal.h"
#include "xalloc.h"

#define BUCKETS 8192

struct cache {
	const struct derived_ops *ops;
	struct cached *buckets[BUCKETS];
	struct cached *newest, *oldest;
	size_t count;
	struct cached **dirty;
	size_t n_dirty;
};

static size_t
bucket(struct span stream)
{
	return (size_t)(hash(stream.s, stream.n) % BUCKETS);
}

struct cache *
cache_new(const struct derived_ops *ops)
{
	struct cache *cache = xcalloc(1, sizeof *cache);

	cache->ops = ops;
	return cache;
}

static void
unlink_age(struct cache *cache, struct cached *c)
{
	*(c->newer ? &c->newer->older : &cache->newest) = c->older;
	*(c->older ? &c->older->newer : &cache->oldest) = c->newer;
}

static void
push_age(struct cache *cache, struct cached *c)
{
	c->newer = NULL;
	c->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = c;
	cache->newest = c;
}

static void
drop_one(struct cache *cache, struct cached *c)
{
	struct cached **at = &cache->buckets[bucket(span_of(&c->stream))];

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	unlink_age(cache, c);
	cache->count--;
	cache->ops->free(c->row);
	buf_release(&c->stream);
	free(c);
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	while (cache->newest)
		drop_one(cache, cache->newest);
	free(cache->dirty);
	free(cache);
}

struct cached *
cache_get(struct cache *cache, struct span stream)
{
	struct cached *c;

	for (c = cache->buckets[bucket(stream)]; c; c = c->chain)
		if (c->stream.len == stream.n && !memcmp(c->stream.s, stream.s, stream.n))
			break;
	if (c && c != cache->newest) {
		unlink_age(cache, c);
		push_age(cache, c);
	}
	return c;
}

struct cached *
cache_put(struct cache *cache, struct span stream, void *row)
{
	struct cached *c = xcalloc(1, sizeof *c), **at = &cache->buckets[bucket(stream)];

	buf_init(&c->stream);
	buf_add(&c->stream, stream.s, stream.n);
	c->row = row;
	c->chain = *at;
	*at = c;
	push_age(cache, c);
	cache->count++;
	return c;
}

void
cache_drop(struct cache *cache, struct span stream)
{
	struct cached *c = cache_get(cache, stream);

	if (c && !c->dirty)
		drop_one(cache, c);
}

void
cache_drop_all(struct cache *cache)
{
	struct cached *c, *older;

	for (c = cache->newest; c; c = older) {
		older = c->older;
		if (!c->dirty)
			drop_one(cache, c);
	}
}

void
cache_trim(struct cache *cache)
{
	struct cached *c, *newer;

	for (c = cache->oldest; c && cache->count > CACHE_ROWS; c = newer) {
		newer = c->newer;
		if (!c->dirty)
			drop_one(cache, c);
	}
}

void
cache_touch(struct cache *cache, struct cached *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	cache->dirty = xgrow(cache->dirty, cache->n_dirty, sizeof *cache->dirty);
	cache->dirty[cache->n_dirty++] = c;
}

void
cache_forget_dirty(struct cache *cache)
{
	while (cache->n_dirty)
		drop_one(cache, cache->dirty[--cache->n_dirty]);
}

bool
cache_each_dirty(struct cache *cache, bool (*cb)(struct cached *, void *), void *payload)
{
	size_t i;

	for (i = 0; i < cache->n_dirty; i++)
		if (!cb(cache->dirty[i], payload))
			return false;
	return true;
}

void
cache_clean(struct cache *cache)
{
	while (cache->n_dirty)
		cache->dirty[--cache->n_dirty]->dirty = false;
}

bool
cache_is_dirty(const struct cache *cache)
{
	return cache->n_dirty > 0;
}
