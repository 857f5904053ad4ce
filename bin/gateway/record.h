/* record.h - what the gateway has said, written down as it says it
 *
 * For those who look for a fault, and for the tests, which hold every answer against the contract. One JSON line for each whole answer:
 * {"method":"GET","path":"/api/agents/runs","status":200,"type":"application/json; charset=utf-8","body":"..."}; the path as it was sent,
 * without its query. The body is text as it went out, also for HEAD; past RECORD_BODY_MAX bytes, and of a type that is neither text nor
 * JSON, it is left out, and "bytes" says how many there were. Of streams only what is said instead of them. Written at once and not synced;
 * a write that fails is told once, and the gateway goes on. Secrets are taken out (secrets.h).
 */
#ifndef RECORD_H
#define RECORD_H

#include "compat.h"

struct err;
struct request;
struct secrets;

#define RECORD_BODY_MAX (1u << 20)

/* Appends to the file, which is made with mode 0600. Errors: STATUS_CONFIG. */
bool record_open(const char *path, const struct secrets *secrets, struct err *err) USE_RESULT;
void record_close(void);

/* For server_settings.said. */
void record_said(const struct request *request, int status, const char *content_type, const void *body, size_t n, void *payload);

#endif
