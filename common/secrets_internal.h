/* secrets_internal.h - what the files of secrets.h share */
#ifndef SECRETS_INTERNAL_H
#define SECRETS_INTERNAL_H

#include "compat.h"
#include "secrets.h"

/* A set of characters that stands `min` to `max` times. Beyond ASCII there is one bit: any character or none. */
struct atom {
	bool set[128], beyond;
	size_t min, max;
};

struct shape {
	struct atom atoms[SECRETS_ATOMS_MAX];
	size_t n;
};

struct secrets {
	char *names[SECRETS_RULES_MAX];
	size_t n_names;
	struct shape *shapes;
	size_t n_shapes;
};

/* Where the match that begins at i ends; 0: there is none. */
size_t shape_match(const struct shape *shape, const char *s, size_t n, size_t i);

#endif
