/* exposition.h - the text format that Prometheus reads, version 0.0.4
 *
 * A family is begun once, then come its samples. Names and labels are the caller's and constant; values of labels may be any bytes and are
 * escaped (backslash, quote, newline), what is not UTF-8 becoming U+FFFD. Pure.
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include "compat.h"

struct buf;

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

void exposition_family(struct buf *to, const char *name, const char *type, const char *help);

/* labels: NULL-ended list of name, value, name, value, … or NULL. suffix: "", "_bucket", "_sum", "_count". */
void exposition_count(struct buf *to, const char *name, const char *suffix, const char *const *labels, uint64_t value);
void exposition_real(struct buf *to, const char *name, const char *suffix, const char *const *labels, double value);

/* A histogram in seconds: how many took at most as long as each bound, and all of them. */
#define EXPOSITION_BOUNDS 15
extern const double exposition_bounds[EXPOSITION_BOUNDS];
struct histogram {
	uint64_t buckets[EXPOSITION_BOUNDS + 1]; /* each alone; the last one: longer than every bound */
	uint64_t sum_us;
};
void histogram_add(struct histogram *histogram, int64_t us);
void exposition_histogram(struct buf *to, const char *name, const char *const *labels, const struct histogram *histogram);

/* The usual process_* families of this process, as far as /proc tells. */
void exposition_process(struct buf *to);

#endif
