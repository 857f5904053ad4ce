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
bool records_get(struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload, struct buf *rest, struct err *err) USE_RESULT;

#endif
