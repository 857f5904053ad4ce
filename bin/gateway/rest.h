/* rest.h - a gateway in which nothing happens needs little memory
 *
 * What is kept to answer faster (what was said of late, the database's pages, the rows of runs) can be read again. When nothing was stored
 * for REST_S it goes, and what is free goes back to the system; and so does, after as long again, what was read since. The next message
 * costs a read more.
 */
#ifndef REST_H
#define REST_H

#include "compat.h"

struct chat;
struct event_base;
struct log;
struct rest;

#define REST_S 5 /* seconds */

struct rest *rest_new(struct event_base *base, struct log *log, struct chat *chat);
void rest_free(struct rest *rest); /* accepts NULL; before the log and the chat */

#endif
