/* test_log.c - subscribers: each event once and in order, whoever joins, pauses or leaves, and whenever */
#include "compat.h"

#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "log/log.h"
#include "tap.h"

#define APPENDS 10000

struct reader {
	struct log *log;
	struct subscription *subscription;
	int64_t last, count, live_at;
	int pause_every, leave_after;
	bool wrong, paused;
};

static int answered;
static struct event_base *base;

static bool
apply(struct change *change, const void *row, struct change_context *context)
{
	(void)change;
	(void)row;
	change_emit(context, SPAN_NONE, "agent.test", LEVEL_INFO, SPAN_NONE, SPAN_NONE, SPAN_NONE, SPAN_NONE);
	return true;
}

static void
on_change(struct change *change)
{
	answered += change->result == CHANGE_DONE;
	change_free(change);
}

static bool
on_event(struct entry *event, void *payload)
{
	struct reader *reader = payload;

	reader->wrong |= event->seq <= reader->last || (reader->count && event->seq != reader->last + 1);
	reader->last = event->seq;
	reader->count++;
	if (reader->leave_after && reader->count == reader->leave_after) {
		log_unsubscribe(reader->subscription);
		reader->subscription = NULL;
		return false;
	}
	if (reader->pause_every && reader->count % reader->pause_every == 0) {
		reader->paused = true;
		return false;
	}
	return true;
}

static void
on_live(void *payload)
{
	struct reader *reader = payload;

	reader->wrong |= reader->live_at >= 0;
	reader->live_at = reader->last;
}

static const struct subscription_events events = { .event = on_event, .live = on_live };

static void
join(struct log *log, struct reader *reader, const char *stream, int64_t after, int last_n)
{
	reader->log = log;
	reader->live_at = -1;
	reader->subscription = log_subscribe(log, (struct span){ stream, strlen(stream) }, NULL, after, last_n, &events, reader);
}

static void
append(struct log *log)
{
	struct change *change = change_new(on_change, NULL);

	buf_addstr(&change->stream, "r");
	change->apply = apply;
	log_change(log, change);
}

/* One turn of the loop; resumes who is paused. */
static void
turn(struct reader *paused)
{
	static const struct timeval deadline = { 30, 0 };

	event_base_loopexit(base, &deadline);
	event_base_loop(base, EVLOOP_ONCE);
	if (paused->paused) {
		paused->paused = false;
		log_resume(paused->subscription);
	}
}

int
main(void)
{
	char dir[] = "/tmp/test_log.XXXXXX";
	struct reader first = { 0 }, middle = { 0 }, slow = { .pause_every = 7 }, leaver = { .leave_after = 1234 }, tail = { 0 },
		      of_run = { 0 }, of_other = { 0 };
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	struct log *log;
	int asked = 0;

	if (!mkdtemp(dir))
		return 1;
	base = event_base_new();
	log = log_open(base, dir, NULL, &err);
	ok(log, "opened %s", err.text);
	if (!log)
		return done();
	join(log, &first, "", 0, 0);
	join(log, &slow, "", 0, 0);
	join(log, &leaver, "", 0, 0);
	ok(first.count == 0 && first.live_at < 0, "nothing is called from inside the subscribing");
	while (answered < APPENDS || log_queued(log) || slow.last < APPENDS) {
		int i;

		for (i = 0; i < 50 && asked < APPENDS; i++, asked++) {
			if (asked == APPENDS / 2) {
				join(log, &middle, "", 0, 0);
				join(log, &of_run, "r", 0, 0);
				join(log, &of_other, "other", 0, 0);
				join(log, &tail, "r", 0, 10);
			}
			append(log);
		}
		turn(&slow);
	}
	is_int(answered, APPENDS, "all were stored");
	ok(!first.wrong && first.count == APPENDS && first.live_at == 0, "one who was there from the beginning got each once, in order");
	ok(!middle.wrong && middle.count == APPENDS && middle.live_at > 0, "and so did one who joined in the middle, live after %lld",
	    (long long)middle.live_at);
	ok(!of_run.wrong && of_run.count == APPENDS, "and one who reads a single run");
	ok(!slow.wrong && slow.count == APPENDS, "and one who paused after every seventh");
	ok(!leaver.wrong && leaver.count == 1234 && !leaver.subscription, "one who left inside its callback got nothing more");
	ok(!tail.wrong && tail.live_at >= 0 && tail.count >= 10 && tail.last == APPENDS, "the newest ten, then what came");
	ok(of_other.count == 0 && of_other.live_at == 0, "nothing of another run");
	is_int(log_last_seq(log), APPENDS, "the last seq");
	log_unsubscribe(middle.subscription);
	log_unsubscribe(NULL);
	log_close(log);
	event_base_free(base);
	buf_addf(&text, "rm -rf '%s'", dir);
	ok(system(text.s) == 0, "cleared away");
	buf_release(&text);
	return done();
}
