/* desk.c - approvals among the questions that wait for people: the files of the broker's directory (hitl.h)
 *
 * Each pending approval lies there under its id, and whoever answers the file answers the approval. A thread of its own writes the files
 * and looks at them; the loop never waits for a disk. A file that cannot be written is no trouble for the approval, which can be answered
 * in other ways.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "compass/desk.h"
#include "err.h"
#include "hitl.h"
#include "worker.h"
#include "xalloc.h"

#define LOOK_MS 200 /* between two looks at the files */

/* From the loop to the thread: text "" takes the question back. From the thread to the loop: the answer. */
struct slip {
	struct buf id, text;
	struct slip *next;
};

struct open {
	struct buf id;
	struct hitl_question question;
	struct open *next;
};

struct desk {
	desk_answer_cb *cb;
	void *payload;
	pthread_t thread;
	pthread_mutex_t lock; /* guards asked, answered, quit */
	pthread_cond_t work;
	struct slip *asked, **asked_end, *answered, **answered_end;
	bool quit;
	int wake[2]; /* a byte when answered is not empty */
	struct event *event;
	/* the thread's own */
	struct hitl hitl;
	struct open *open;
};

static struct slip *
slip_new(struct span id, struct span text)
{
	struct slip *slip = xcalloc(1, sizeof *slip);

	buf_init(&slip->id);
	buf_init(&slip->text);
	buf_add(&slip->id, id.s, id.n);
	buf_add(&slip->text, text.s, text.n);
	return slip;
}

static void
slip_free(struct slip *slip)
{
	buf_release(&slip->id);
	buf_release(&slip->text);
	free(slip);
}

/* ---- the thread */

static void
drop(struct open **at)
{
	struct open *open = *at;

	*at = open->next;
	buf_release(&open->id);
	hitl_question_release(&open->question);
	free(open);
}

static void
ask(struct desk *desk, const struct slip *slip)
{
	struct hitl_asking asking = { .key = slip->id.s,
		.key_n = slip->id.len,
		.question = slip->text.s,
		.question_n = slip->text.len,
		.timestamp = clock_wall_ms(),
		.pid = getpid() };
	struct open *open = xcalloc(1, sizeof *open);
	struct err err = ERR_INIT;
	char host[256] = "";
	bool reopened;

	if (gethostname(host, sizeof host - 1) == 0)
		asking.host = host;
	hitl_question_init(&open->question);
	buf_init(&open->id);
	if (!hitl_check(&desk->hitl, &reopened, &err) || !hitl_ask(&desk->hitl, &asking, &open->question, &err)) {
		hitl_question_release(&open->question);
		free(open);
		return;
	}
	buf_add(&open->id, slip->id.s, slip->id.len);
	open->next = desk->open;
	desk->open = open;
}

static void
take_back(struct desk *desk, const struct slip *slip)
{
	struct open **at;

	for (at = &desk->open; *at && strcmp((*at)->id.s, slip->id.s) != 0; at = &(*at)->next)
		;
	if (!*at)
		return;
	hitl_done(&desk->hitl, &(*at)->question);
	drop(at);
}

static void
tell(struct desk *desk, const struct buf *id, const struct buf *answer)
{
	struct slip *slip = slip_new(span_of(id), span_of(answer));
	bool first;

	pthread_mutex_lock(&desk->lock);
	first = !desk->answered;
	*desk->answered_end = slip;
	desk->answered_end = &slip->next;
	pthread_mutex_unlock(&desk->lock);
	if (first && write(desk->wake[1], "", 1) < 0 && errno != EAGAIN)
		abort(); /* the loop could never be told again */
}

static void
look(struct desk *desk)
{
	struct open **at = &desk->open;
	struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;

	while (*at) {
		enum hitl_state state;

		buf_reset(&answer);
		state = hitl_look(&desk->hitl, &(*at)->question, &answer, &err);
		if (state == HITL_PENDING || state == HITL_SETTLING) {
			at = &(*at)->next;
			continue;
		}
		if (state == HITL_ANSWERED)
			tell(desk, &(*at)->id, &answer);
		hitl_done(&desk->hitl, &(*at)->question);
		drop(at);
	}
	buf_release(&answer);
}

/* Until there is something to do; false: no more. */
static bool
await(struct desk *desk, struct slip **ret)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&desk->lock);
	if (!desk->asked && !desk->quit) {
		if (desk->open)
			pthread_cond_timedwait(&desk->work, &desk->lock, &until);
		else
			pthread_cond_wait(&desk->work, &desk->lock);
	}
	*ret = desk->asked;
	desk->asked = NULL;
	desk->asked_end = &desk->asked;
	go_on = !desk->quit;
	pthread_mutex_unlock(&desk->lock);
	return go_on;
}

static void *
work(void *payload)
{
	struct desk *desk = payload;
	struct slip *slips, *next;
	bool go_on = true;

	while (go_on) {
		go_on = await(desk, &slips);
		for (; slips; slips = next) {
			next = slips->next;
			if (go_on && slips->text.len)
				ask(desk, slips);
			else
				take_back(desk, slips);
			slip_free(slips);
		}
		if (go_on)
			look(desk);
	}
	while (desk->open) {
		hitl_done(&desk->hitl, &desk->open->question);
		drop(&desk->open);
	}
	return NULL;
}

/* ---- the loop's side */

static void
on_answers(evutil_socket_t fd, short what, void *payload)
{
	struct desk *desk = payload;
	struct slip *slips, *next;
	char bytes[64];

	(void)what;
	while (read(fd, bytes, sizeof bytes) > 0)
		;
	pthread_mutex_lock(&desk->lock);
	slips = desk->answered;
	desk->answered = NULL;
	desk->answered_end = &desk->answered;
	pthread_mutex_unlock(&desk->lock);
	for (; slips; slips = next) {
		next = slips->next;
		desk->cb(&slips->id, &slips->text, desk->payload);
		slip_free(slips);
	}
}

struct desk *
desk_new(struct event_base *base, const char *dir, desk_answer_cb *cb, void *payload, struct err *err)
{
	struct desk *desk = xcalloc(1, sizeof *desk);

	desk->cb = cb;
	desk->payload = payload;
	desk->asked_end = &desk->asked;
	desk->answered_end = &desk->answered;
	if (!hitl_open(&desk->hitl, dir, true, err)) {
		hitl_close(&desk->hitl);
		free(desk);
		return NULL;
	}
	pthread_mutex_init(&desk->lock, NULL);
	pthread_cond_init(&desk->work, NULL);
	if (pipe2(desk->wake, O_CLOEXEC | O_NONBLOCK) < 0 || worker_start(&desk->thread, work, desk) != 0)
		abort(); /* out of descriptors or threads before the first request */
	desk->event = event_new(base, desk->wake[0], EV_READ | EV_PERSIST, on_answers, desk);
	event_add(desk->event, NULL);
	return desk;
}

static void
hand(struct desk *desk, const struct buf *id, struct span text)
{
	struct slip *slip;

	if (!desk)
		return;
	slip = slip_new(span_of(id), text);
	pthread_mutex_lock(&desk->lock);
	*desk->asked_end = slip;
	desk->asked_end = &slip->next;
	pthread_cond_signal(&desk->work);
	pthread_mutex_unlock(&desk->lock);
}

void
desk_ask(struct desk *desk, const struct buf *id, const struct buf *text)
{
	hand(desk, id, span_of(text));
}

void
desk_take_back(struct desk *desk, const struct buf *id)
{
	hand(desk, id, (struct span){ "", 0 });
}

static void
slips_free(struct slip *slips)
{
	struct slip *next;

	for (; slips; slips = next) {
		next = slips->next;
		slip_free(slips);
	}
}

void
desk_free(struct desk *desk)
{
	if (!desk)
		return;
	pthread_mutex_lock(&desk->lock);
	desk->quit = true;
	pthread_cond_signal(&desk->work);
	pthread_mutex_unlock(&desk->lock);
	pthread_join(desk->thread, NULL);
	event_free(desk->event);
	close(desk->wake[0]);
	close(desk->wake[1]);
	slips_free(desk->asked);
	slips_free(desk->answered);
	hitl_close(&desk->hitl);
	pthread_mutex_destroy(&desk->lock);
	pthread_cond_destroy(&desk->work);
	free(desk);
}
