/* test_sse.c - event streams, cut anywhere */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "sse.h"
#include "status.h"
#include "tap.h"

static bool
on_event(const struct sse_event *event, void *payload)
{
	buf_addf(payload, "<%s|%s|%s|%d>", event->id, event->type, event->data, event->retry_ms);
	return true;
}

static void
on_comment(const char *text, size_t n, void *payload)
{
	buf_addstr(payload, "(");
	buf_add(payload, text, n);
	buf_addstr(payload, ")");
}

static bool
feed(const char *text, size_t n, size_t cut, struct buf *out, bool *cut_off)
{
	struct sse *sse = sse_new(on_event, on_comment, out);
	struct err err = ERR_INIT;
	bool good = sse_feed(sse, text, cut, &err) && sse_feed(sse, text + cut, n - cut, &err);

	if (cut_off)
		*cut_off = sse_cut(sse);
	sse_free(sse);
	return good;
}

static void
stream(const char *text, const char *want, const char *name)
{
	struct buf out = BUF_INIT;
	size_t n = strlen(text), i;
	bool same = true;

	for (i = 0; i <= n && same; i++) {
		buf_reset(&out);
		same = feed(text, n, i, &out, NULL) && !strcmp(out.s, want);
	}
	ok(same, "%s", name);
	if (!same)
		printf("# cut %zu: got %s\n# want %s\n", i - 1, out.s, want);
	buf_release(&out);
}

static bool
count(const struct sse_event *event, void *payload)
{
	*(size_t *)payload += event->data_len;
	return true;
}

int
main(void)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT, big = BUF_INIT;
	size_t total = 0;
	bool cut_off = false;
	struct sse *sse;

	stream("data: a\n\ndata:b\ndata:  c\n\n", "<|message|a|-1><|message|b\n c|-1>",
	    "data lines join, one blank after the colon is dropped");
	stream("\xef\xbb\xbf"
	       "event: x\r\nid: 7\r\ndata: d\r\n\r\ndata: e\r\r",
	    "<7|x|d|-1><7|message|e|-1>", "BOM, CRLF and CR; the id stays, the type does not");
	stream(": ping\n\nretry: 1500\n:live\ndata\n\n", "(ping)(live)<|message||1500>", "comments, retry, a field without a colon");
	stream("retry: soon\nid: a\nnothing: x\n\ndata: 1\n\n", "<a|message|1|-1>",
	    "a bad retry and an unknown field are ignored; no data, no event");
	ok(feed("data: half", 10, 5, &out, &cut_off) && cut_off && !out.len, "an event that was cut off is dropped and told");
	sse = sse_new(count, NULL, &total);
	buf_addstr(&big, "data: ");
	while (big.len < 5u * 1024 * 1024 + 6)
		buf_addstr(&big, "0123456789");
	buf_addstr(&big, "\n\n");
	ok(sse_feed(sse, big.s, big.len, &err) && total >= 5u * 1024 * 1024, "an event of 5 MB passes");
	buf_reset(&big);
	while (big.len < 1024 * 1024)
		buf_addstr(&big, "0123456789");
	{
		size_t i;
		bool good = sse_feed(sse, "data: ", 6, &err);

		for (i = 0; i < 70 && good; i++)
			good = sse_feed(sse, big.s, big.len, &err);
		ok(!good && err.status == STATUS_PROTOCOL, "a line without end is refused at the limit");
	}
	sse_free(sse);
	buf_release(&out);
	buf_release(&big);
	return done();
}
