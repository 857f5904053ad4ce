/* lead.h - is the stream ahead of polling, so that polling is not needed?
 *
 * A stream is trusted once a byte has come, as long as bytes keep coming (servers ping every 15 s), and until a poll finds events that
 * the stream should have brought before: a proxy holds it back. Then polling goes on beside it until the stream was first with
 * news twice, with a poll between that found nothing. A poll that was first only by a moment is not held against the stream.
 * Pure: the caller says what time it is (clock.h, monotonic).
 */
#ifndef LEAD_H
#define LEAD_H

#include "compat.h"

#define LEAD_QUIET_MS 20000 /* without a byte for so long a stream is not trusted */
#define LEAD_MOMENT_MS 1000 /* a stream may be so much later than a poll */
#define LEAD_WINS 2

struct lead {
	bool proven;	    /* a byte has come on this connection */
	unsigned wins;	    /* polls that found nothing after the stream had been first */
	bool first;	    /* it was first with news since the last poll */
	int64_t last_byte;  /* time */
	int64_t behind_seq; /* a poll was first with this one... */
	int64_t behind_at;  /* ...at this time */
};

void lead_open(struct lead *lead, int64_t now);
void lead_byte(struct lead *lead, int64_t now);

/* The stream brought the event with this seq; fresh: nothing else had brought it before. */
void lead_stream(struct lead *lead, int64_t seq, bool fresh, int64_t now);

/* A poll has ended, and the newest event known now has this seq; fresh: the poll was first with it. */
void lead_poll(struct lead *lead, int64_t seq, bool fresh, int64_t now);

bool lead_trusted(const struct lead *lead, int64_t now);

#endif
