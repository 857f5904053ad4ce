/* secrets_internal.h - what the files of secrets.h share */
#ifndef SECRETS_INTERNAL_H
#define SECRETS_INTERNAL_H

#include "compat.h"
#include "secrets.h"

/* The first three characters of what may be the beginning of a secret, five bits of each: letter case aside. A text without any of them has
 * none. pairs: whether two characters, as they stand in memory, are the first two or the last two of these, in either case, so that a text is
 * looked at two characters at a time. */
#define BEGINNINGS (1u << 15)
#define PAIRS (1u << 16)
enum { PAIR_FIRST = 1, PAIR_LAST = 2 };
struct beginnings {
	unsigned char bits[BEGINNINGS / 8], pairs[PAIRS];
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

/* A text that is looked at. */
struct text {
	const char *s;
	size_t n;
	const struct secrets *secrets; /* NULL: the built-in rules alone */
};

#define REDACTED "[REDACTED]"

/* ---- secrets_rules.c */

/* Does it match at i? Then the end of the match, and what stands for it is appended. 0: no. */
typedef size_t rule_match(const struct text *t, size_t i, struct buf *to);

#define SECRETS_RULES 6
#define SECRETS_FOR_ANY 16 /* any character may be the first of a match */
struct rule {
	rule_match *match;
	unsigned char bit; /* set in secrets_firsts[] for the characters that a match begins with */
	enum { SECRETS_NEED_NOTHING, SECRETS_NEED_NAMES, SECRETS_NEED_SHAPES } needs; /* of a file; without them it matches nowhere */
};
extern const struct rule secrets_rules[SECRETS_RULES]; /* in the order in which they go over a text */
extern const unsigned char secrets_firsts[256];

bool secrets_may_begin(const struct text *t, size_t i);			    /* the first three characters are right: are the others? */
bool secrets_is_name(const struct secrets *secrets, const struct buf *key); /* what has this name is a secret */

/* ---- secrets.c */

/* False: no rule matches anywhere. In a document an escape may hide a letter: then it is looked at closely. */
bool secrets_may_hold(const struct text *t, bool document);
/* Into `text`, which is empty; false: there is nothing to take out, and it stays so. */
bool secrets_clean(const struct secrets *secrets, const char *s, size_t n, struct buf *text);

/* ---- secrets_file.c */

/* Where the match that begins at i ends; 0: there is none. */
size_t shape_match(const struct shape *shape, const char *s, size_t n, size_t i);

#endif
