/* timers.c - schedules that fire */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "buf.h"
#include "chat/chat.h"
#include "clock.h"
#include "hash.h"
#include "log/log.h"
#include "timers/timers.h"
#include "xalloc.h"

#define LOOK_MS 500 /* how often the agents are looked at: what is applied, started or stopped is noticed then */
#define BUCKETS 1024
#define DOC_PREFIX "timer "

/* One schedule of one service. */
struct timer {
	struct timers *timers;
	struct buf service, id, expr;
	int64_t period_ms, next_ms; /* next_ms: wall clock */
	int64_t fired_at;	    /* clock.h: when it may fire again, TIMERS_SHORTEST_MS after the last time */
	int64_t missed;		    /* that no firing has made up for yet, besides the owed one */
	bool owed;		    /* a firing that waits for the end of the one before */
	bool active;		    /* its service runs; else it is only remembered from the store */
	bool storing;		    /* a firing is on its way into the store */
	bool serial;
	unsigned running;   /* runs whose handlers are at work */
	unsigned long seen; /* the look that saw it last */
	bool dead;	    /* out of the table; lives as long as something is under way */
	struct timer *next;
};

struct timers {
	struct timers_settings settings;
	struct event *event;
	struct timer *table[BUCKETS];
	size_t n;
	unsigned long look;
	bool loaded, stopped, said_full;
	struct timer *dead;
};

/* ---- the table */

static struct timer **
find(struct timers *timers, struct span service, struct span id)
{
	uint64_t h = hash_add(hash(service.s, service.n), id.s, id.n);
	struct timer **at;

	for (at = &timers->table[h % BUCKETS]; *at; at = &(*at)->next)
		if ((*at)->service.len == service.n && (*at)->id.len == id.n && !memcmp((*at)->service.s, service.s, service.n) &&
		    !memcmp((*at)->id.s, id.s, id.n))
			break;
	return at;
}

static void
timer_free(struct timer *timer)
{
	buf_release(&timer->service);
	buf_release(&timer->id);
	buf_release(&timer->expr);
	free(timer);
}

static void
free_if_quiet(struct timer *timer)
{
	struct timer **at;

	if (!timer->dead || timer->storing || timer->running)
		return;
	for (at = &timer->timers->dead; *at != timer; at = &(*at)->next)
		;
	*at = timer->next;
	timer_free(timer);
}

static struct timer *
timer_add(struct timers *timers, struct span service, struct span id, struct span expr)
{
	struct timer **at = find(timers, service, id), *timer;

	if (timers->n == TIMERS_MAX) {
		if (!timers->said_full)
			timers->settings.problem(
			    "unable to fire more than 10000 schedules: the further ones do not fire", timers->settings.payload);
		timers->said_full = true;
		return NULL;
	}
	timer = *at = xcalloc(1, sizeof *timer);
	timer->timers = timers;
	buf_init(&timer->service);
	buf_init(&timer->id);
	buf_init(&timer->expr);
	buf_add(&timer->service, service.s, service.n);
	buf_add(&timer->id, id.s, id.n);
	buf_add(&timer->expr, expr.s, expr.n);
	timers->n++;
	return timer;
}

/* Takes it out; the next one takes its place in *at. */
static void
timer_remove(struct timer **at)
{
	struct timer *timer = *at;

	*at = timer->next;
	timer->timers->n--;
	timer->dead = true;
	timer->next = timer->timers->dead;
	timer->timers->dead = timer;
	free_if_quiet(timer);
}

/* ---- what is kept: the key names service and schedule, the document says when the next one is due */

static void
make_key(const struct timer *timer, struct buf *to)
{
	buf_addstr(to, DOC_PREFIX "[");
	jtext_quote(to, timer->service.s, timer->service.len);
	buf_addch(to, ',');
	jtext_quote(to, timer->id.s, timer->id.len);
	buf_addch(to, ']');
}

static void
make_doc(const struct timer *timer, int64_t next_ms, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "expr", &timer->expr);
	jtext_add_i64(to, "next", next_ms);
	buf_addch(to, '}');
}

struct note {
	struct buf key, doc;
};

static bool
apply_note(struct change *change, const void *row, struct change_context *context)
{
	const struct note *note = change->payload;

	(void)row;
	change_put(context, span_of(&note->key), span_or_none(&note->doc));
	return true;
}

/* When it cannot be stored, a restart begins the schedule anew: no firing comes twice for that. */
static void
after_note(struct change *change)
{
	struct note *note = change->payload;

	buf_release(&note->key);
	buf_release(&note->doc);
	free(note);
	change_free(change);
}

static void
keep(const struct timer *timer, bool remove)
{
	struct note *note = xcalloc(1, sizeof *note);
	struct change *change = change_new(after_note, note);

	buf_init(&note->key);
	buf_init(&note->doc);
	make_key(timer, &note->key);
	if (!remove)
		make_doc(timer, timer->next_ms, &note->doc);
	change->apply = apply_note;
	log_change(timer->timers->settings.log, change);
}

static void
load_one(struct timers *timers, const struct doc *doc)
{
	struct span key = { doc->key.s + sizeof DOC_PREFIX - 1, doc->key.len - (sizeof DOC_PREFIX - 1) }, text, value;
	struct buf service = BUF_INIT, id = BUF_INIT, expr = BUF_INIT;
	struct timer *timer;
	int64_t next;
	size_t pos = 0;

	if (jtext_check(key.s, key.n, false, &key, NULL) && jtext_type(key) == JTEXT_ARRAY && jtext_each(key, &pos, NULL, &value) &&
	    jtext_string(value, &service) && jtext_each(key, &pos, NULL, &value) && jtext_string(value, &id) &&
	    jtext_check(doc->text.s, doc->text.len, false, &text, NULL) && jtext_get_string(text, "expr", &expr) &&
	    jtext_get_i64(text, "next", &next) && !*find(timers, span_of(&service), span_of(&id))) {
		timer = timer_add(timers, span_of(&service), span_of(&id), span_of(&expr));
		if (timer)
			timer->next_ms = next;
	}
	buf_release(&service);
	buf_release(&id);
	buf_release(&expr);
}

/* ---- firing */

static void set_alarm(struct timers *timers);

static void
on_fired(bool ok, int64_t next_ms, void *payload)
{
	struct timer *timer = payload;

	timer->storing = false;
	if (ok) {
		timer->running++;
		timer->missed = 0;
		timer->owed = false;
	} else if (next_ms) {
		timer->next_ms = next_ms;
		timer->missed = 0;
		timer->owed = false;
	}
	/* not stored: the next look tries again */
	if (next_ms && !timer->dead && !timer->timers->stopped)
		set_alarm(timer->timers);
	free_if_quiet(timer);
}

static void
on_ended(void *payload)
{
	struct timer *timer = payload;
	struct timers *timers = timer->timers;

	timer->running--;
	if (timer->dead)
		free_if_quiet(timer);
	else if (!timers->stopped && timer->owed)
		set_alarm(timers);
}

static const struct chat_firing_events firing_events = { .fired = on_fired, .ended = on_ended };

static void
fire(struct timer *timer, const struct agent *agent, int64_t now)
{
	struct chat_firing firing = { .agent = agent,
		.tool = agent_timer_tool(agent),
		.schedule = span_of(&timer->id),
		.expr = span_of(&timer->expr),
		.fired_ms = now,
		.missed = timer->missed };
	struct buf key = BUF_INIT, doc = BUF_INIT;

	make_key(timer, &key);
	make_doc(timer, timer->next_ms, &doc);
	firing.doc_key = span_of(&key);
	firing.doc = span_of(&doc);
	timer->storing = true;
	timer->fired_at = deadline_in(TIMERS_SHORTEST_MS);
	chat_fire(timer->timers->settings.chat, &firing, &firing_events, timer);
	buf_release(&key);
	buf_release(&doc);
}

/* Due times that have passed: one of them is the firing that is owed, the others are missed. */
static void
count_due(struct timer *timer, int64_t now)
{
	int64_t due;

	if (timer->next_ms > now || timer->storing)
		return;
	due = (now - timer->next_ms) / timer->period_ms + 1;
	timer->next_ms += due * timer->period_ms;
	timer->missed += due - (timer->owed ? 0 : 1);
	timer->owed = true;
}

/* A firing is owed, and nothing but the time may be in its way. */
static bool
may_fire(const struct timer *timer)
{
	return timer->owed && !timer->storing && timer->running < (timer->serial ? 1u : TIMERS_OPEN_MAX);
}

static void
look_at_timer(struct timer *timer, const struct agent *agent, int64_t now)
{
	count_due(timer, now);
	if (may_fire(timer) && !deadline_left(timer->fired_at))
		fire(timer, agent, now);
}

/* ---- looking at the agents */

/* The wall clock was set back: a due time that is further away than a period has no meaning any more. */
static bool
is_beyond(const struct timer *timer, int64_t now)
{
	return timer->next_ms > now + timer->period_ms;
}

/* The contract takes such a schedule; that nothing comes of it is said once. */
static void
say_zero(struct timer *timer)
{
	struct buf text = BUF_INIT;

	if (timer->active)
		return;
	timer->active = true;
	buf_addf(&text, "the schedule '%s' of '%s' has a period of zero: it does not fire", timer->id.s, timer->service.s);
	timer->timers->settings.problem(text.s, timer->timers->settings.payload);
	buf_release(&text);
}

static void
look_at_schedule(struct timers *timers, const struct agent *agent, const struct schedule *schedule, int64_t now)
{
	struct timer *timer = *find(timers, span_of(&agent->service), span_of(&schedule->id));
	bool known = timer && buf_equal(&timer->expr, &schedule->expr);

	if (!timer && !(timer = timer_add(timers, span_of(&agent->service), span_of(&schedule->id), span_of(&schedule->expr))))
		return;
	timer->period_ms = schedule->period_ms;
	timer->serial = agent->timer_serial;
	timer->seen = timers->look;
	if (!timer->period_ms) {
		say_zero(timer);
		return;
	}
	if (!known || is_beyond(timer, now)) {
		buf_reset(&timer->expr);
		buf_add(&timer->expr, schedule->expr.s, schedule->expr.len);
		timer->next_ms = now + timer->period_ms;
		timer->missed = 0;
		timer->owed = false;
		keep(timer, false);
	}
	timer->active = true;
	look_at_timer(timer, agent, now);
}

/* Those whose service has stopped, or that are not declared any more. What is remembered of a service that has not started yet stays. */
static void
forget_unseen(struct timers *timers)
{
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		struct timer **at = &timers->table[i];

		while (*at) {
			const struct agent *agent = agents_by_service(timers->settings.agents, span_of(&(*at)->service));
			bool waits = agent && !(*at)->active && agent->state.lifecycle != LIFE_STOPPED;

			if ((*at)->seen == timers->look || waits)
				at = &(*at)->next;
			else {
				keep(*at, true);
				timer_remove(at);
			}
		}
	}
}

static void
look(struct timers *timers)
{
	int64_t now = clock_wall_ms();
	size_t i, k;

	timers->look++;
	for (i = 0; i < agents_count(timers->settings.agents); i++) {
		const struct agent *agent = agents_at(timers->settings.agents, i);

		if (!agent->is_agent || !agent->enabled || !(agent->triggers & TRIGGER_TIMER) || agent->state.lifecycle != LIFE_RUNNING)
			continue;
		for (k = 0; k < agent->n_schedules; k++)
			if (agent->schedules[k].enabled)
				look_at_schedule(timers, agent, &agent->schedules[k], now);
	}
	if (timers->n)
		forget_unseen(timers);
}

static void
set_alarm(struct timers *timers)
{
	int64_t now = clock_wall_ms(), wait = LOOK_MS;
	struct timeval after;
	size_t i;

	for (i = 0; i < BUCKETS && timers->n; i++) {
		const struct timer *timer;

		for (timer = timers->table[i]; timer; timer = timer->next) {
			int64_t due = timer->next_ms - now;

			if (!timer->active || timer->storing || !timer->period_ms)
				continue;
			if (may_fire(timer))
				due = 0;
			if (due < deadline_left(timer->fired_at))
				due = deadline_left(timer->fired_at);
			if (due < wait)
				wait = due > 0 ? due : 0;
		}
	}
	after = (struct timeval){ (time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000) };
	event_add(timers->event, &after);
}

static void
on_alarm(evutil_socket_t fd, short what, void *payload)
{
	struct timers *timers = payload;

	(void)fd;
	(void)what;
	if (timers->stopped)
		return;
	look(timers);
	set_alarm(timers);
}

static void
after_docs(struct docs *docs)
{
	struct timers *timers = docs->payload;
	size_t i;

	if (docs->err.status)
		timers->settings.problem(docs->err.text, timers->settings.payload);
	for (i = 0; i < docs->n; i++)
		load_one(timers, &docs->list[i]);
	docs_free(docs);
	timers->loaded = true;
	if (!timers->stopped)
		event_active(timers->event, EV_TIMEOUT, 1);
}

/* ---- life cycle */

struct timers *
timers_new(const struct timers_settings *settings)
{
	struct timers *timers = xcalloc(1, sizeof *timers);

	timers->settings = *settings;
	timers->event = event_new(settings->base, -1, 0, on_alarm, timers);
	log_docs(settings->log, docs_new(DOC_PREFIX, after_docs, timers));
	return timers;
}

void
timers_stop(struct timers *timers)
{
	timers->stopped = true;
	event_del(timers->event);
}

void
timers_free(struct timers *timers)
{
	struct timer *timer;
	size_t i;

	if (!timers)
		return;
	for (i = 0; i < BUCKETS; i++)
		while ((timer = timers->table[i])) {
			timers->table[i] = timer->next;
			timer_free(timer);
		}
	while ((timer = timers->dead)) {
		timers->dead = timer->next;
		timer_free(timer);
	}
	event_free(timers->event);
	free(timers);
}
