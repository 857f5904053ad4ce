/* board.c - approvals among the questions that wait for people: the files of the broker's directory (hitl.h)
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
#include "compass/board.h"
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

struct board {
	board_answer_cb *cb;
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
ask(struct board *board, const struct slip *slip)
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
	if (!hitl_check(&board->hitl, &reopened, &err) || !hitl_ask(&board->hitl, &asking, &open->question, &err)) {
		hitl_question_release(&open->question);
		free(open);
		return;
	}
	buf_add(&open->id, slip->id.s, slip->id.len);
	open->next = board->open;
	board->open = open;
}

static void
take_back(struct board *board, const struct slip *slip)
{
	struct open **at;

	for (at = &board->open; *at && strcmp((*at)->id.s, slip->id.s) != 0; at = &(*at)->next)
		;
	if (!*at)
		return;
	hitl_done(&board->hitl, &(*at)->question);
	drop(at);
}

static void
tell(struct board *board, const struct buf *id, const struct buf *answer)
{
	struct slip *slip = slip_new(span_of(id), span_of(answer));
	bool first;

	pthread_mutex_lock(&board->lock);
	first = !board->answered;
	*board->answered_end = slip;
	board->answered_end = &slip->next;
	pthread_mutex_unlock(&board->lock);
	if (first && write(board->wake[1], "", 1) < 0 && errno != EAGAIN)
		abort(); /* the loop could never be told again */
}

static void
look(struct board *board)
{
	struct open **at = &board->open;
	struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;

	while (*at) {
		enum hitl_state state;

		buf_reset(&answer);
		state = hitl_look(&board->hitl, &(*at)->question, &answer, &err);
		if (state == HITL_PENDING || state == HITL_SETTLING) {
			at = &(*at)->next;
			continue;
		}
		if (state == HITL_ANSWERED)
			tell(board, &(*at)->id, &answer);
		hitl_done(&board->hitl, &(*at)->question);
		drop(at);
	}
	buf_release(&answer);
}

/* Until there is something to do; false: no more. */
static bool
await(struct board *board, struct slip **ret)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&board->lock);
	if (!board->asked && !board->quit) {
		if (board->open)
			pthread_cond_timedwait(&board->work, &board->lock, &until);
		else
			pthread_cond_wait(&board->work, &board->lock);
	}
	*ret = board->asked;
	board->asked = NULL;
	board->asked_end = &board->asked;
	go_on = !board->quit;
	pthread_mutex_unlock(&board->lock);
	return go_on;
}

static void *
work(void *payload)
{
	struct board *board = payload;
	struct slip *slips, *next;
	bool go_on = true;

	while (go_on) {
		go_on = await(board, &slips);
		for (; slips; slips = next) {
			next = slips->next;
			if (go_on && slips->text.len)
				ask(board, slips);
			else
				take_back(board, slips);
			slip_free(slips);
		}
		if (go_on)
			look(board);
	}
	while (board->open) {
		hitl_done(&board->hitl, &board->open->question);
		drop(&board->open);
	}
	return NULL;
}

/* ---- the loop's side */

static void
on_answers(evutil_socket_t fd, short what, void *payload)
{
	struct board *board = payload;
	struct slip *slips, *next;
	char bytes[64];

	(void)what;
	while (read(fd, bytes, sizeof bytes) > 0)
		;
	pthread_mutex_lock(&board->lock);
	slips = board->answered;
	board->answered = NULL;
	board->answered_end = &board->answered;
	pthread_mutex_unlock(&board->lock);
	for (; slips; slips = next) {
		next = slips->next;
		board->cb(&slips->id, &slips->text, board->payload);
		slip_free(slips);
	}
}

struct board *
board_new(struct event_base *base, const char *dir, board_answer_cb *cb, void *payload, struct err *err)
{
	struct board *board = xcalloc(1, sizeof *board);

	board->cb = cb;
	board->payload = payload;
	board->asked_end = &board->asked;
	board->answered_end = &board->answered;
	if (!hitl_open(&board->hitl, dir, true, err)) {
		hitl_close(&board->hitl);
		free(board);
		return NULL;
	}
	pthread_mutex_init(&board->lock, NULL);
	pthread_cond_init(&board->work, NULL);
	if (pipe2(board->wake, O_CLOEXEC | O_NONBLOCK) < 0 || worker_start(&board->thread, work, board) != 0)
		abort(); /* out of descriptors or threads before the first request */
	board->event = event_new(base, board->wake[0], EV_READ | EV_PERSIST, on_answers, board);
	event_add(board->event, NULL);
	return board;
}

static void
hand(struct board *board, const struct buf *id, struct span text)
{
	struct slip *slip;

	if (!board)
		return;
	slip = slip_new(span_of(id), text);
	pthread_mutex_lock(&board->lock);
	*board->asked_end = slip;
	board->asked_end = &slip->next;
	pthread_cond_signal(&board->work);
	pthread_mutex_unlock(&board->lock);
}

void
board_ask(struct board *board, const struct buf *id, const struct buf *text)
{
	hand(board, id, span_of(text));
}

void
board_take_back(struct board *board, const struct buf *id)
{
	hand(board, id, (struct span){ "", 0 });
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
board_free(struct board *board)
{
	if (!board)
		return;
	pthread_mutex_lock(&board->lock);
	board->quit = true;
	pthread_cond_signal(&board->work);
	pthread_mutex_unlock(&board->lock);
	pthread_join(board->thread, NULL);
	event_free(board->event);
	close(board->wake[0]);
	close(board->wake[1]);
	slips_free(board->asked);
	slips_free(board->answered);
	hitl_close(&board->hitl);
	pthread_mutex_destroy(&board->lock);
	pthread_cond_destroy(&board->work);
	free(board);
}
