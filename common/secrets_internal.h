/* secrets_internal.h - what the files of secrets.h share */
#ifndef SECRETS_INTERNAL_H
#define SECRETS_INTERNAL_H

#include "compat.h"
#include "secrets.h"

/* The first three characters of what may be the beginning of a secret, five bits of each: letter case aside. A text without any of them has none. */
#define BEGINNINGS (1u << 15)
struct beginnings {
	unsigned char bits[BEGINNINGS / 8];
};
void beginnings_know(struct beginnings *beginnings);		      /* those of the built-in rules */
void beginnings_add(struct beginnings *beginnings, const char *word); /* '~' in it is '_', '-' or nothing */

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
	struct beginnings beginnings; /* of the names and of the built-in rules */
	struct shape *shapes;
	size_t n_shapes;
};

/* Where the match that begins at i ends; 0: there is none. */
size_t shape_match(const struct shape *shape, const char *s, size_t n, size_t i);

#endif
