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
 * own.
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
#define CELL 16			   /* bytes: what libevent has for a descriptor */
#define CELLS 65536		   /* descriptors; those above are allocated like everything else */

/* Those that were never used are not in memory. */
static union cell {
	union cell *next;
	unsigned char bytes[CELL];
	max_align_t align;
} cells[CELLS], *spare;
static size_t used;

static bool
is_cell(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)cells && (uintptr_t)p < (uintptr_t)(cells + CELLS);
}

static void *
take(size_t size)
{
	union cell *cell = spare;

	if (size > CELL || (!cell && used == CELLS))
		return xmalloc(size);
	if (!cell)
		return &cells[used++];
	spare = cell->next;
	return cell;
}

static void
give(void *p)
{
	union cell *cell = p;

	if (!is_cell(p)) {
		free(p);
		return;
	}
	cell->next = spare;
	spare = cell;
}

static void *
retake(void *p, size_t size)
{
	void *larger;

	if (!is_cell(p))
		return xrealloc(p, size);
	larger = xmalloc(size);
	memcpy(larger, p, size < CELL ? size : CELL);
	give(p);
	return larger;
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
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
