/* history.c - what was said before */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "chat/history.h"
#include "chat/sanitize.h"
#include "jtext.h"
#include "num.h"
#include "store/store.h"
#include "utf8.h"
#include "xalloc.h"

struct said {
	int64_t turn, seq; /* order: by the message it belongs to, then by time */
	const char *role;
	struct buf content;
	size_t chars;
};

static int
by_turn(const void *a, const void *b)
{
	const struct said *x = a, *y = b;

	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* role from data.role, else from the kind */
static const char *
role_of(const struct entry *event)
{
	struct span role;

	if (event->data.s && jtext_get(event->data, "role", &role)) {
		if (jtext_is_string(role, "assistant"))
			return "assistant";
		if (jtext_is_string(role, "system"))
			return "system";
		if (jtext_is_string(role, "user"))
			return "user";
	}
	if (strstr(event->kind.s, "assistant"))
		return "assistant";
	return strstr(event->kind.s, "system") ? "system" : "user";
}

static bool
content_of(const struct entry *event, struct buf *to)
{
	const char *s;
	size_t n;
	struct buf text = BUF_INIT;

	if (event->data.s && !jtext_get_string(event->data, "message", &text))
		(void)jtext_get_string(event->data, "text", &text);
	s = text.s;
	n = text.len;
	sanitize_trim(&s, &n);
	buf_add(to, s, n);
	buf_release(&text);
	return to->len > 0;
}

/* The message that an event belongs to: a reply stands with its message. */
static int64_t
turn_of(const struct entry *event)
{
	int64_t turn;

	return event->turn.n && num_i64(event->turn.s, event->turn.n, &turn) ? turn : event->seq;
}

/* An event that is not among these is older than the first of them, and so is its turn: what has the first one's seq or a later one as its turn is
 * all here. */
bool
history_reaches(struct entry **events, size_t n, int64_t seq, size_t max_turns)
{
	size_t count = 0, i;
	int64_t turn;

	for (i = 0; i < n; i++) {
		turn = turn_of(events[i]);
		if (turn >= events[0]->seq && (turn < seq || events[i]->seq == seq))
			count++;
	}
	return count >= max_turns;
}

static bool
take(const struct entry *event, int64_t seq, struct said *said)
{
	said->seq = event->seq;
	said->turn = turn_of(event);
	if (said->turn > seq || (said->turn == seq && said->seq != seq))
		return false;
	buf_init(&said->content);
	said->role = role_of(event);
	if (!content_of(event, &said->content))
		return false;
	said->chars = utf8_utf16_len(said->content.s, said->content.len);
	return true;
}

/* The last `units` UTF-16 units of the text. */
static void
keep_tail(struct said *said, size_t units)
{
	size_t cut = utf8_utf16_prefix(said->content.s, said->content.len, said->chars - units);

	/* a pair in the way goes as a whole */
	if (utf8_utf16_len(said->content.s + cut, said->content.len - cut) > units) {
		size_t len;

		utf8_next(said->content.s + cut, said->content.len - cut, &len);
		cut += len;
	}
	buf_consume(&said->content, cut);
	said->chars = utf8_utf16_len(said->content.s, said->content.len);
}

void
history_make(struct entry **events, size_t n, int64_t seq, size_t max_turns, size_t max_chars, struct history *ret)
{
	struct said *all = xcalloc(n, sizeof *all);
	size_t count = 0, first, i;

	memset(ret, 0, sizeof *ret);
	buf_init(&ret->messages);
	for (i = 0; i < n; i++)
		if (take(events[i], seq, &all[count]))
			count++;
	qsort(all, count, sizeof *all, by_turn);
	ret->total = count;
	first = count > max_turns ? count - max_turns : 0;
	for (i = count; i > first; i--) {
		if (ret->chars + all[i - 1].chars > max_chars) {
			if (i == count) {
				keep_tail(&all[i - 1], max_chars);
				ret->chars = all[i - 1].chars;
				i--;
			}
			break;
		}
		ret->chars += all[i - 1].chars;
	}
	first = i > first ? i : first;
	ret->used = count - first;
	ret->truncated = ret->used < ret->total;
	buf_addch(&ret->messages, '[');
	for (i = first; i < count; i++) {
		if (i > first)
			buf_addch(&ret->messages, ',');
		buf_addch(&ret->messages, '{');
		jtext_add_string(&ret->messages, "role", all[i].role, strlen(all[i].role));
		jtext_add_string(&ret->messages, "content", all[i].content.s, all[i].content.len);
		buf_addch(&ret->messages, '}');
	}
	buf_addch(&ret->messages, ']');
	for (i = 0; i < count; i++)
		buf_release(&all[i].content);
	free(all);
}

void
history_release(struct history *history)
{
	if (history->messages.s)
		buf_release(&history->messages);
}
