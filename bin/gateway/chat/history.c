/* history.c - what was said before */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "chat/history.h"
#include "chat/sanitize.h"
#include "jtext.h"
#include "num.h"
#include "store/store.h"
#include "utf8.h"
#include "xalloc.h"

/* The members that matter. */
enum { ROLE, MESSAGE, TEXT, MEMBERS };
static const struct span members[MEMBERS] = { [ROLE] = SPAN_INIT("role"), [MESSAGE] = SPAN_INIT("message"), [TEXT] = SPAN_INIT("text") };

/* role from data.role, else from the kind */
static const char *
role_of(const struct entry *event, struct span role)
{
	static const char *const roles[] = { "assistant", "system", "user" };
	size_t i;

	for (i = 0; role.s && i < ARRAY_LEN(roles); i++)
		if (jtext_is_string(role, roles[i]))
			return roles[i];
	if (strstr(event->kind.s, "assistant"))
		return "assistant";
	return strstr(event->kind.s, "system") ? "system" : "user";
}

static void
content_of(const struct span found[MEMBERS], struct buf *to)
{
	if (!jtext_string(found[MESSAGE], to))
		(void)jtext_string(found[TEXT], to);
	blank_trim_buf(to, BLANK_JS);
}

/* The message that an event belongs to: a reply stands with its message. */
static int64_t
turn_of(const struct entry *event)
{
	int64_t turn;

	return event->turn.n && num_i64(event->turn.s, event->turn.n, &turn) ? turn : event->seq;
}

void
said_of(const struct entry *event, struct said *ret)
{
	struct span found[MEMBERS];

	jtext_get_all(event->data, members, MEMBERS, found);
	ret->seq = event->seq;
	ret->turn = turn_of(event);
	ret->role = role_of(event, found[ROLE]);
	buf_init(&ret->content);
	content_of(found, &ret->content);
	ret->chars = utf8_utf16_len(ret->content.s, ret->content.len);
}

void
said_release(struct said *said)
{
	buf_release(&said->content);
}

/* An event that is not among these is older than the first of them, and so is its turn: what has the first one's seq or a later one as its
 * turn is all here. */
bool
history_reaches(const struct said *said, size_t n, int64_t seq, size_t max_turns)
{
	size_t count = 0, i;

	for (i = n; i > 0 && count < max_turns; i--)
		if (said[i - 1].turn >= said[0].seq && (said[i - 1].turn < seq || said[i - 1].seq == seq))
			count++;
	return count >= max_turns;
}

static bool
comes_before(const struct said *a, const struct said *b)
{
	return a->turn != b->turn ? a->turn < b->turn : a->seq < b->seq;
}

/* Those that belong to the history of seq, in order; nearly in order they come. */
static size_t
choose(const struct said *said, size_t n, int64_t seq, const struct said **chosen)
{
	size_t count = 0, i, k;

	for (i = 0; i < n; i++) {
		if (said[i].turn > seq || (said[i].turn == seq && said[i].seq != seq) || !said[i].content.len)
			continue;
		for (k = count++; k > 0 && comes_before(&said[i], chosen[k - 1]); k--)
			chosen[k] = chosen[k - 1];
		chosen[k] = &said[i];
	}
	return count;
}

/* Where the last `units` UTF-16 units of the text begin. */
static size_t
tail_of(const struct said *said, size_t units)
{
	size_t cut = utf8_utf16_prefix(said->content.s, said->content.len, said->chars - units);

	/* a pair in the way goes as a whole */
	if (utf8_utf16_len(said->content.s + cut, said->content.len - cut) > units) {
		size_t len;

		utf8_next(said->content.s + cut, said->content.len - cut, &len);
		cut += len;
	}
	return cut;
}

void
history_make(const struct said *said, size_t n, int64_t seq, size_t max_turns, size_t max_chars, bool texts, struct history *ret)
{
	const struct said **chosen = xcalloc(n, sizeof *chosen);
	size_t count, first, cut = 0, i;

	memset(ret, 0, sizeof *ret);
	buf_init(&ret->messages);
	count = choose(said, n, seq, chosen);
	ret->total = count;
	first = count > max_turns ? count - max_turns : 0;
	for (i = count; i > first; i--) {
		if (ret->chars + chosen[i - 1]->chars > max_chars) {
			if (i == count) {
				i--;
				cut = tail_of(chosen[i], max_chars);
				ret->chars = utf8_utf16_len(chosen[i]->content.s + cut, chosen[i]->content.len - cut);
			}
			break;
		}
		ret->chars += chosen[i - 1]->chars;
	}
	first = i > first ? i : first;
	ret->used = count - first;
	ret->truncated = ret->used < ret->total;
	if (texts) {
		buf_addch(&ret->messages, '[');
		for (i = first; i < count; i++) {
			if (i > first)
				buf_addch(&ret->messages, ',');
			buf_addch(&ret->messages, '{');
			jtext_add_text(&ret->messages, "role", chosen[i]->role);
			jtext_add_string(&ret->messages, "content", chosen[i]->content.s + cut, chosen[i]->content.len - cut);
			buf_addch(&ret->messages, '}');
		}
		buf_addch(&ret->messages, ']');
	}
	free(chosen);
}

void
history_release(struct history *history)
{
	if (history->messages.s)
		buf_release(&history->messages);
}
