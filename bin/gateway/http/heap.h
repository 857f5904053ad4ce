/* heap.h - what is kept of memory that is free, and what goes back to the system; the door to it is in server.h */
#ifndef HEAP_H
#define HEAP_H

#include "compat.h"

struct heap {
	size_t crowd;  /* the most of late */
	unsigned calm; /* so often in a row only few of it were left */
	unsigned looks;
};

/* Told how many connections there are, a few times a second. */
void heap_watch(struct heap *heap, size_t connections);

#endif
