/* show.h - records as text for people: pure, one record in, text out
 *
 * The chat rendering of the Clarity contract, section 14.3: "[HH:MM:SS] you: T", "[..] WHO: T", "[..] WHO (KIND): T". Foreign text goes
 * through utf8_safe(): nothing in it can drive a terminal. A reply that is shown is not shown a second time by the step that completes it.
 */
#ifndef SHOW_H
#define SHOW_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

enum show_time { SHOW_UTC, SHOW_LOCAL, SHOW_NO_TIME };

struct show {
	/* in */
	const char *agent; /* who speaks when the event does not say; NULL: "agent" */
	enum show_time time;
	bool fold;	 /* runs of white space become one blank (one event, one line) */
	bool plain;	 /* the shorter rendering of section 14.4: no time, no reasons, line breaks as they are */
	bool color, raw; /* raw: nothing is made safe */
	/* private */
	struct buf last_reply;
	bool in_delta; /* a line is open: deltas are being added to it */
	struct buf delta_turn;
	struct buf delta_run, delta_text; /* what the deltas of a run have shown of its next message */
	struct buf last_who;		  /* who spoke last in a run */
};

void show_init(struct show *show);
void show_release(struct show *show);

/* Appends what the record says, newline included (but for a delta, which leaves its line open). */
void show_record(struct show *show, struct span record, struct buf *to);

/* Appends a line that is no record, marked. */
void show_other(struct show *show, const char *s, size_t n, struct buf *to);

/* Ends an open line. */
void show_end(struct show *show, struct buf *to);

/* ---- registry items as a table (contract section 14.1) */

struct show_table;
struct show_table *show_table_new(void);
void show_table_add(struct show_table *table, struct span item);
void show_table_print(struct show_table *table, struct buf *to); /* rows by serviceId; nothing when empty */
void show_table_free(struct show_table *table);

#endif
