/* show_internal.h - the parts of show.c: pieces, and the thread side (show_thread.c) */
#ifndef SHOW_INTERNAL_H
#define SHOW_INTERNAL_H

#include "show.h"

struct event_view;

#define RED "\033[31m"
#define GREEN "\033[32m"
#define CYAN "\033[36m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

/* ---- show.c */

/* The first of the members that is a non-blank string. */
bool show_first_text(struct span object, const char *const *names, struct buf *to);
#define FIRST_TEXT(object, to, ...) show_first_text(object, (const char *const[]){ __VA_ARGS__, NULL }, to)

void show_color(const struct show *show, const char *code, struct buf *to);
void show_text(const struct show *show, const struct buf *text, struct buf *to); /* foreign, several lines */
void show_name(const struct show *show, const struct buf *name, struct buf *to); /* foreign, one line */
void show_stamp(const struct show *show, struct span record, struct buf *to);	 /* the record's time */
void show_who(const struct show *show, struct span data, struct buf *to);
void show_pair(const struct show *show, const char *name, struct span object, const char *key, struct buf *to);

/* ---- show_thread.c */

/* A piece of a text, onto one line with the pieces before it; speaker "": whoever the event names. */
void show_delta(struct show *show, const struct event_view *view, const struct buf *text, const char *speaker, struct buf *to);

void show_thread_event(struct show *show, const struct event_view *view, struct buf *to);

/* A thread, a turn or an approval; false: none of them. */
bool show_thread_record(struct show *show, struct span record, struct buf *to);

#endif
