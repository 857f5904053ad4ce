/* threads.c - the set of threads that the child of this generation has loaded */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "runtime/internal.h"
#include "xalloc.h"

void
threads_clear(struct threads *threads)
{
	size_t i;

	for (i = 0; i < threads->cap; i++)
		free(threads->slots[i].id);
	free(threads->slots);
	*threads = (struct threads){ NULL, 0, 0 };
}

/* Its slot, or the empty one where it belongs. cap is a power of two and never full. */
static size_t
slot_of(const struct threads *threads, const char *id)
{
	uint64_t h = hash(id, strlen(id));
	size_t i = (size_t)(h ^ h >> 32) & (threads->cap - 1);

	while (threads->slots[i].id && strcmp(threads->slots[i].id, id) != 0)
		i = (i + 1) & (threads->cap - 1);
	return i;
}

struct loaded *
threads_find(const struct threads *threads, const char *id)
{
	struct loaded *loaded = threads->cap ? &threads->slots[slot_of(threads, id)] : NULL;

	return loaded && loaded->id ? loaded : NULL;
}

static void
grow(struct threads *threads)
{
	struct threads old = *threads;
	size_t i;

	threads->cap = old.cap ? old.cap * 2 : 64;
	threads->slots = xcalloc(threads->cap, sizeof *threads->slots);
	for (i = 0; i < old.cap; i++)
		if (old.slots[i].id)
			threads->slots[slot_of(threads, old.slots[i].id)] = old.slots[i];
	free(old.slots);
}

void
threads_add(struct threads *threads, const char *id, bool fresh)
{
	size_t i;

	if (threads->count == RUNTIME_LOADED_MAX)
		threads_clear(threads);
	if (threads->count * 2 >= threads->cap)
		grow(threads);
	i = slot_of(threads, id);
	if (threads->slots[i].id)
		return;
	threads->slots[i] = (struct loaded){ .id = xstrdup(id), .counted = fresh };
	threads->count++;
}

void
threads_drop(struct threads *threads, const char *id)
{
	size_t i, j;
	struct loaded moved;

	if (!threads_find(threads, id))
		return;
	i = slot_of(threads, id);
	free(threads->slots[i].id);
	threads->slots[i] = (struct loaded){ .id = NULL };
	threads->count--;
	/* those that stand behind it may have been put there because of it */
	for (j = (i + 1) & (threads->cap - 1); threads->slots[j].id; j = (j + 1) & (threads->cap - 1)) {
		moved = threads->slots[j];
		threads->slots[j] = (struct loaded){ .id = NULL };
		threads->slots[slot_of(threads, moved.id)] = moved;
	}
}
