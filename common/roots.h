/* roots.h - directories below which a caller may name a place */
#ifndef ROOTS_H
#define ROOTS_H

#include "buf.h"
#include "compat.h"
#include "err.h"

#define ROOTS_MAX 64

/* All zero is none. */
struct roots {
	char *dirs[ROOTS_MAX]; /* their real paths */
	size_t n;
};

/* One more; it must be there, and be a directory. */
bool roots_add(struct roots *roots, const char *dir, struct err *err) USE_RESULT;

/* Appends the real path of a directory that is one of them or lies below one, wherever links may lead: what is asked for is where it really
 * is. path must be absolute. False: it is none, or outside; which of the two is nobody's business. */
bool roots_take(const struct roots *roots, const char *path, struct buf *to) USE_RESULT;

void roots_release(struct roots *roots);

#endif
