/* key.h - fresh ids and idempotency keys */
#ifndef KEY_H
#define KEY_H

#include "compat.h"

struct buf;
struct err;

#define KEY_GIVEN_MAX 224 /* bytes of a key that is given: servers take 255, and what tells several requests apart is added */

/* Fills n bytes (at most 64) with randomness. Dies when the system has none to give. */
void key_random(void *to, size_t n);

/* Appends n random bytes as lower-case hexadecimal digits. Dies when the system has no randomness to give. */
void key_add_hex(struct buf *to, size_t n);

/* Appends a new idempotency key: 32 hexadecimal digits. */
void key_add(struct buf *to);

/* Is this a key that a header can carry: 1 to KEY_GIVEN_MAX visible ASCII characters? False: err has STATUS_USAGE. */
bool key_check(const char *key, struct err *err) USE_RESULT;

/* A random UUID, version 4, in lower case: as text of KEY_UUID bytes with the NUL, or appended. */
#define KEY_UUID 37
void key_uuid(char ret[KEY_UUID]);
void key_add_uuid(struct buf *to);

/* Appends the UUID that these bytes are once its version and variant are set in them (RFC 9562). */
void key_add_uuid_of(struct buf *to, const unsigned char bytes[16], unsigned version);

/* Has this the form of a UUID, in either case, of any version? */
bool key_is_uuid(const char *s);

/* Appends a new run id as the Clarity clients make them: run_cli_<Unix ms>_<8 hexadecimal digits>. */
void key_add_run(struct buf *to);

#endif
