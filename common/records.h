/* records.h - ask a server for a list and hand its items on while the answer arrives
 *
 * For answers of the shape {"items":[...]}: bounded memory, bytes untouched (jsplit.h).
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "compat.h"
#include "jtext.h"

struct api;
struct buf;
struct err;

#define RECORD_MAX (64u * 1024 * 1024) /* bytes of one item */

/* Return false to stop. */
typedef bool records_item_cb(struct span item, void *payload);

/* GETs url. rest (may be NULL) gets the members beside "items". Errors as api_call(). */
bool records_get(
    struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload, struct buf *rest, struct err *err) USE_RESULT;

/* The same for a list whose member has another name. */
bool records_get_of(struct api *api, const char *url, const char *member, const char *what, records_item_cb *cb, void *payload,
    struct buf *rest, struct err *err) USE_RESULT;

/* ---- the same without waiting: drive it with http_wait() on api->http */

struct records;

/* Starts it; url and what are copied. */
struct records *records_start(struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload) USE_RESULT;

struct records *records_start_of(
    struct api *api, const char *url, const char *member, const char *what, records_item_cb *cb, void *payload) USE_RESULT;

/* Has it ended? Then *ret_ok, rest and err are as records_get() gives them. */
bool records_done(struct records *records, bool *ret_ok, struct buf *rest, struct err *err) USE_RESULT;

/* The header of the answer; false when it has none, or none came yet. Appends. */
bool records_header(const struct records *records, const char *name, struct buf *to);

void records_end(struct records *records); /* ends it when it still runs, and frees it; accepts NULL */

#endif
