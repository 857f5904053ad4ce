/* jsplit.h - take the items of a long JSON answer apart while it arrives, each as one compact line
 *
 * For answers like {"runId":"r","items":[{...},{...}]} or a bare array: feed bytes cut anywhere; each item of the array is
 * given to the callback, compacted, its bytes otherwise untouched. Memory is bounded by one item. The members beside the
 * array are collected, compact, in jsplit_rest(). Pure.
 */
#ifndef JSPLIT_H
#define JSPLIT_H

#include "compat.h"
#include "jtext.h"

struct err;
struct jsplit;

#define JSPLIT_REST_MAX 65536 /* bytes of all members beside the array */

/* Return false to stop: jsplit_feed() then returns true and ignores what follows. json is borrowed. */
typedef bool jsplit_item_cb(const char *json, size_t n, void *payload);

/* member: name of the array ("items"); an answer that is an array itself is taken too. item_max: bytes of one item. */
struct jsplit *jsplit_new(const char *member, size_t item_max, jsplit_item_cb *cb, void *payload);
void jsplit_free(struct jsplit *split); /* accepts NULL */

/* False: not JSON, not of this shape, or an item too long (STATUS_PROTOCOL, with the byte offset). */
bool jsplit_feed(struct jsplit *split, const char *bytes, size_t n, struct err *err) USE_RESULT;

/* At the end of the answer. False when it was cut off or held no such array (STATUS_PROTOCOL). */
bool jsplit_end(struct jsplit *split, struct err *err) USE_RESULT;

struct span jsplit_rest(const struct jsplit *split); /* an object; borrowed; valid after jsplit_end() */

#endif
