/* heap.c - the policy of memory, all of it
 *
 * What is said to thousands of readers is allocated and freed again within a moment. So blocks of that size come from the heap, and what is
 * free at its end stays there: the kernel need not take it back in between.
 *
 * After a crowd has gone nothing of it is needed: every page that is free goes back, wherever it is. That is a moment later, since what
 * belonged to a connection is freed after it, and all of ten thousand that end together is still there when the last one has.
 *
 * A few readers that take nothing can have as much kept for them as a crowd, and it is looked at now and then what is free and still in
 * memory.
 *
 * A page goes back only when nothing is left in it, and libevent never frees the little that it has allocated for each descriptor there has
 * been. Among what belongs to connections that held a page each, and with them nearly all that a crowd had used; so it has a place of its
 * own. What a request is read into and an answer is written to has one too: there is one for each of those who are usually talked to at once,
 * and the allocator has few of that size at hand.
 *
 * libevent asks for memory here for another reason too: it goes on without what it could not get, and an answer would lose bytes in
 * silence. Out of memory has one answer in every program of ours (xalloc.h).
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <event2/event.h>

#include "http/heap.h"
#include "http/server.h"
#include "xalloc.h"

#define CROWD 1000 /* connections */
#define FEW 8	   /* it has gone when one of so many is left */
#define CALM 8	   /* looks in a row that find it gone */
#define LOOKS 20   /* from one look at what is free to the next one */
#define KEEP_FREE (32u * 1024 * 1024)
#define KEEP_BLOCK (1024 * 1024)   /* bytes: larger blocks are mapped, and go back by themselves */
#define KEEP_END (2 * 1024 * 1024) /* bytes that are free at the heap's end */
#define SMALL 16		   /* bytes: what libevent has for a descriptor */
#define SMALLS 65536		   /* descriptors; those above are allocated like everything else */
#define LARGE 1024		   /* bytes: the least that libevent has for what is read and written */
#define LARGES 256

/* Cells of one size; those that were never used are not in memory. */
struct pool {
	unsigned char *cells;
	size_t size, n, used;
	void *spare; /* the first of those that were given back, each beginning with the next */
};

static max_align_t small_cells[SMALLS * SMALL / sizeof(max_align_t)], large_cells[LARGES * LARGE / sizeof(max_align_t)];
static struct pool pools[] = {
	{ .cells = (unsigned char *)small_cells, .size = SMALL, .n = SMALLS },
	{ .cells = (unsigned char *)large_cells, .size = LARGE, .n = LARGES },
};

/* The pool of the cell p; NULL: it is none. */
static struct pool *
pool_of(const void *p)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(pools); i++)
		if ((uintptr_t)p - (uintptr_t)pools[i].cells < pools[i].size * pools[i].n)
			return &pools[i];
	return NULL;
}

static void *
take(size_t size)
{
	struct pool *pool = size <= SMALL ? &pools[0] : size == LARGE ? &pools[1] : NULL;
	void *cell;

	if (!pool || (!pool->spare && pool->used == pool->n))
		return xmalloc(size);
	if (!pool->spare)
		return pool->cells + pool->size * pool->used++;
	cell = pool->spare;
	memcpy(&pool->spare, cell, sizeof pool->spare);
	return cell;
}

static void
give(void *p)
{
	struct pool *pool = pool_of(p);

	if (!pool) {
		free(p);
		return;
	}
	memcpy(p, &pool->spare, sizeof pool->spare);
	pool->spare = p;
}

static void *
retake(void *p, size_t size)
{
	struct pool *pool = pool_of(p);
	void *other;

	if (!pool)
		return xrealloc(p, size);
	other = xmalloc(size);
	memcpy(other, p, size < pool->size ? size : pool->size);
	give(p);
	return other;
}

void
server_heap(void)
{
	event_set_mem_functions(take, retake, give);
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, KEEP_BLOCK);
	mallopt(M_TRIM_THRESHOLD, KEEP_END);
#endif
}

/* Is much in memory that nothing is in? */
static bool
keeps_much(void)
{
	bool much = false;
#ifdef HAVE_MALLINFO2
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;
	struct mallinfo2 info;
	size_t here;

	if (!file)
		return false;
	if (fscanf(file, "%*u %lu", &pages) == 1) {
		here = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
		if (here > KEEP_FREE) {
			info = mallinfo2();
			much = here > info.uordblks + info.hblkhd + KEEP_FREE;
		}
	}
	fclose(file);
#endif
	return much;
}

void
server_heap_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void
heap_watch(struct heap *heap, size_t connections)
{
	bool much = ++heap->looks % LOOKS == 0 && keeps_much();

	if (connections > heap->crowd)
		heap->crowd = connections;
	heap->calm = connections > heap->crowd / FEW ? 0 : heap->calm + 1;
	if (!much && (heap->crowd < CROWD || heap->calm < CALM))
		return;
	heap->crowd = connections;
	heap->calm = 0;
	server_heap_trim();
}
