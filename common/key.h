/* key.h - fresh ids and idempotency keys */
#ifndef KEY_H
#define KEY_H

#include "compat.h"

struct buf;

/* Appends n random bytes as lower-case hexadecimal digits. Dies when the system has no randomness to give. */
void key_add_hex(struct buf *to, size_t n);

/* Appends a new idempotency key: 32 hexadecimal digits. */
void key_add(struct buf *to);

/* Appends a new run id as the Clarity clients make them: run_cli_<Unix ms>_<8 hexadecimal digits>. */
void key_add_run(struct buf *to);

#endif
