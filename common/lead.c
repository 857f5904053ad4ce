/* lead.c - is the stream ahead of polling? */
#include "compat.h"

#include "lead.h"

void
lead_open(struct lead *lead, int64_t now)
{
	*lead = (struct lead){ .wins = LEAD_WINS, .last_byte = now, .behind_seq = -1 };
}

void
lead_byte(struct lead *lead, int64_t now)
{
	lead->proven = true;
	lead->last_byte = now;
}

void
lead_stream(struct lead *lead, int64_t seq, bool fresh, int64_t now)
{
	if (fresh)
		lead->first = true;
	if (lead->behind_seq < 0 || seq < lead->behind_seq)
		return;
	if (now - lead->behind_at <= LEAD_MOMENT_MS)
		lead->wins = LEAD_WINS;
	lead->behind_seq = -1;
}

void
lead_poll(struct lead *lead, int64_t seq, bool fresh, int64_t now)
{
	if (fresh) {
		lead->wins = 0;
		lead->behind_seq = seq;
		lead->behind_at = now;
	} else if (lead->first)
		lead->wins++;
	lead->first = false;
}

bool
lead_trusted(const struct lead *lead, int64_t now)
{
	return lead->proven && lead->wins >= LEAD_WINS && now - lead->last_byte < LEAD_QUIET_MS;
}
