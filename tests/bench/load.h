/* load.h - what the programs of tests/bench share: a connection to a server on this machine, and HTTP answers as they come in
 *
 * For programs that measure: they end at the first thing that goes wrong (die.h), since a number that stands on half a run is none.
 */
#ifndef LOAD_H
#define LOAD_H

#include "compat.h"

struct buf;

#define LOAD_HEAD_MAX 8192 /* bytes of an answer's head */
#define LOAD_WAIT_MS 60000 /* the longest silence */

/* Connects to "http://127.0.0.1:PORT", without blocking and without Nagle's delay; its end resets the connection, so that no port stays
 * taken. */
int load_connect(const char *url);

/* All n bytes, waiting for room where there is none. */
void load_write(int fd, const char *bytes, size_t n);

/* Appends a request with a body of body_n bytes (NULL: none). The Host is "localhost". */
void load_request(struct buf *to, const char *method, const char *path, const char *headers, const char *body, size_t body_n);

/* An answer in the making: zero it before the first byte. */
struct load_answer {
	char head[LOAD_HEAD_MAX];
	size_t n_head; /* bytes of the head so far */
	size_t left;   /* bytes of the body to come */
	int status;    /* once the head is there */
	bool body;     /* the head is there */
};
/* Takes bytes of at most one answer (a body has its length in the head). True once it is complete: it is zeroed for the next one but for
 * the status. */
bool load_feed(struct load_answer *answer, const char *bytes, size_t n) USE_RESULT;
/* Only the head: bytes used up to its end, 0: more is needed. */
size_t load_head(struct load_answer *answer, const char *bytes, size_t n) USE_RESULT;

/* The number at place `percent` of the sorted n numbers, as milliseconds. */
double load_percentile_ms(const int64_t *sorted_us, size_t n, double percent);
void load_sort(int64_t *numbers, size_t n);

/* A number of an option or operand, from 0. */
long load_number(const char *text, const char *what);

#endif
