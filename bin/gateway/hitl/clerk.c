/* clerk.c - the thread that reads and writes the directory of questions */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "err.h"
#include "hitl/hitl.h"
#include "hitl/internal.h"
#include "jtext.h"
#include "status.h"
#include "worker.h"
#include "xalloc.h"

struct clerk {
	pthread_t thread;
	pthread_mutex_t lock; /* guards the two lists, waiting and quit */
	pthread_cond_t work;
	struct errand *asked, **asked_end, *finished, **finished_end;
	unsigned waiting;
	bool quit;
	int wake[2];
	struct event *event;
	clerk_done_cb *done;
	void *payload;
	struct buf path;  /* never changes */
	struct hitl hitl; /* the thread's own */
};

struct errand *
errand_new(enum errand_kind kind, struct request *request)
{
	struct errand *errand = xcalloc(1, sizeof *errand);

	errand->kind = kind;
	errand->request = request;
	errand->pid = -1;
	buf_init(&errand->key);
	buf_init(&errand->text);
	buf_init(&errand->body);
	hitl_question_init(&errand->question);
	return errand;
}

void
errand_free(struct errand *errand)
{
	if (!errand)
		return;
	buf_release(&errand->key);
	buf_release(&errand->text);
	buf_release(&errand->body);
	hitl_question_release(&errand->question);
	hitl_list_release(&errand->list);
	free(errand);
}

/* ---- on the thread: what each errand does */

static void
fail(struct errand *errand, const struct err *err)
{
	switch (err->status) {
	case STATUS_NO:
		errand->http = 404;
		break;
	case STATUS_CONFLICT:
		errand->http = 409;
		break;
	case STATUS_INPUT:
		errand->http = 400;
		break;
	default:
		errand->http = 503;
	}
	buf_reset(&errand->body);
	buf_addch(&errand->body, '{');
	jtext_add_text(&errand->body, "error", err->text);
	buf_addch(&errand->body, '}');
}

static void
begin(struct errand *errand, const char *key, size_t n, const char *stem)
{
	struct buf safe = BUF_INIT;

	if (!stem) {
		hitl_stem(&safe, key, n, HITL_BROKER);
		stem = safe.s;
	}
	buf_addch(&errand->body, '{');
	jtext_add_string(&errand->body, "key", key, n);
	jtext_add_text(&errand->body, "safeKey", stem);
	buf_release(&safe);
}

static void
add_path(struct errand *errand, const struct hitl *hitl, const char *stem, const char *end)
{
	struct buf path = BUF_INIT;

	buf_addf(&path, "%s/%s%s", hitl->path.s, stem, end);
	jtext_add_buf(&errand->body, "path", &path);
	buf_release(&path);
}

static bool
do_list(const struct hitl *hitl, struct errand *errand, struct err *err)
{
	struct hitl_list list;
	int64_t now = clock_wall_ms();
	size_t i, n = 0;

	if (!hitl_list(hitl, &list, err))
		return false;
	buf_addch(&errand->body, '[');
	for (i = 0; i < list.n; i++) {
		if (list.questions[i].answered)
			continue;
		if (n++)
			buf_addch(&errand->body, ',');
		hitl_record(&errand->body, &list.questions[i], now);
	}
	buf_addch(&errand->body, ']');
	hitl_list_release(&list);
	return true;
}

static bool
do_show(const struct hitl *hitl, struct errand *errand, struct err *err)
{
	struct buf answer = BUF_INIT;
	struct hitl_question *question = &errand->question;
	enum hitl_state state = HITL_CANCELLED;
	const char *word = "missing";
	bool found = hitl_find(hitl, errand->key.s, errand->key.len, question, err);

	if (!found && err->status != STATUS_NO)
		return false;
	if (found)
		state = hitl_look(hitl, question, &answer, err);
	if (state == HITL_BAD) {
		buf_release(&answer);
		return false;
	}
	errand->settling = state == HITL_SETTLING;
	if (state == HITL_PENDING || state == HITL_SETTLING)
		word = "pending";
	else if (state == HITL_ANSWERED)
		word = "answered";
	if (found)
		begin(errand, question->key.s, question->key.len, question->stem.s);
	else
		begin(errand, errand->key.s, errand->key.len, NULL);
	jtext_add_text(&errand->body, "status", word);
	if (state == HITL_ANSWERED)
		jtext_add_buf(&errand->body, "response", &answer);
	if (state != HITL_CANCELLED)
		jtext_add_i64(&errand->body, "timestamp", question->timestamp);
	buf_addch(&errand->body, '}');
	buf_release(&answer);
	return true;
}

static bool
do_ask(const struct hitl *hitl, struct errand *errand, struct err *err)
{
	struct hitl_asking asking = { .key = errand->key.s,
		.key_n = errand->key.len,
		.question = errand->text.s,
		.question_n = errand->text.len,
		.pid = errand->pid,
		.replace = true };

	asking.timestamp = errand->timed ? errand->timestamp : clock_wall_ms();
	if (!hitl_ask(hitl, &asking, &errand->question, err))
		return false;
	begin(errand, errand->key.s, errand->key.len, errand->question.stem.s);
	add_path(errand, hitl, errand->question.stem.s, ".question");
	jtext_add_bool(&errand->body, "fresh", true);
	buf_addch(&errand->body, '}');
	return true;
}

static bool
do_answer(const struct hitl *hitl, struct errand *errand, struct err *err)
{
	if (!hitl_find(hitl, errand->key.s, errand->key.len, &errand->question, err))
		return false;
	if (errand->timed && errand->question.timestamp != errand->timestamp)
		return err_set(err, STATUS_CONFLICT, "another question took its place: %s", errand->question.key.s);
	if (!hitl_reply(hitl, &errand->question, errand->text.s, errand->text.len, err))
		return false;
	begin(errand, errand->question.key.s, errand->question.key.len, errand->question.stem.s);
	add_path(errand, hitl, errand->question.stem.s, ".answer");
	buf_addch(&errand->body, '}');
	return true;
}

static bool
do_cancel(const struct hitl *hitl, struct errand *errand, struct err *err)
{
	bool removed = false, found = hitl_find(hitl, errand->key.s, errand->key.len, &errand->question, err);

	if (!found && err->status != STATUS_NO)
		return false;
	if (found && (!errand->timed || errand->question.timestamp == errand->timestamp) &&
	    !hitl_cancel(hitl, errand->key.s, errand->key.len, &errand->question, &removed, err))
		return false;
	if (found)
		begin(errand, errand->question.key.s, errand->question.key.len, errand->question.stem.s);
	else
		begin(errand, errand->key.s, errand->key.len, NULL);
	jtext_add_bool(&errand->body, "removed", removed);
	buf_addch(&errand->body, '}');
	return true;
}

static void
run(struct clerk *clerk, struct errand *errand)
{
	struct err err = ERR_INIT;
	bool ok = hitl_check(&clerk->hitl, &errand->reopened, &err);

	errand->http = 200;
	errand->settling = false;
	buf_reset(&errand->body);
	if (ok)
		switch (errand->kind) {
		case ERRAND_LIST:
			ok = do_list(&clerk->hitl, errand, &err);
			break;
		case ERRAND_SHOW:
			ok = do_show(&clerk->hitl, errand, &err);
			break;
		case ERRAND_ASK:
			ok = do_ask(&clerk->hitl, errand, &err);
			break;
		case ERRAND_ANSWER:
			ok = do_answer(&clerk->hitl, errand, &err);
			break;
		case ERRAND_CANCEL:
			ok = do_cancel(&clerk->hitl, errand, &err);
			break;
		case ERRAND_SCAN:
			ok = hitl_list(&clerk->hitl, &errand->list, &err);
			break;
		}
	if (!ok)
		fail(errand, &err);
}

static void *
work(void *payload)
{
	struct clerk *clerk = payload;
	struct errand *errand;

	for (;;) {
		pthread_mutex_lock(&clerk->lock);
		while (!clerk->asked && !clerk->quit)
			pthread_cond_wait(&clerk->work, &clerk->lock);
		errand = clerk->quit ? NULL : clerk->asked;
		if (errand && !(clerk->asked = errand->next))
			clerk->asked_end = &clerk->asked;
		pthread_mutex_unlock(&clerk->lock);
		if (!errand)
			return NULL;
		run(clerk, errand);
		errand->next = NULL;
		pthread_mutex_lock(&clerk->lock);
		*clerk->finished_end = errand;
		clerk->finished_end = &errand->next;
		pthread_mutex_unlock(&clerk->lock);
		(void)!write(clerk->wake[1], "", 1); /* full: it is awake already */
	}
}

/* ---- on the loop */

static void
on_wake(evutil_socket_t fd, short what, void *payload)
{
	struct clerk *clerk = payload;
	struct errand *errand, *next;
	char bytes[256];

	(void)what;
	while (read(fd, bytes, sizeof bytes) > 0)
		;
	pthread_mutex_lock(&clerk->lock);
	errand = clerk->finished;
	clerk->finished = NULL;
	clerk->finished_end = &clerk->finished;
	for (next = errand; next; next = next->next)
		clerk->waiting--;
	pthread_mutex_unlock(&clerk->lock);
	for (; errand; errand = next) {
		next = errand->next;
		clerk->done(errand, clerk->payload);
	}
}

bool
clerk_add(struct clerk *clerk, struct errand *errand)
{
	bool fits;

	errand->next = NULL;
	pthread_mutex_lock(&clerk->lock);
	fits = clerk->waiting < BROKER_ERRANDS_MAX;
	if (fits) {
		*clerk->asked_end = errand;
		clerk->asked_end = &errand->next;
		clerk->waiting++;
		pthread_cond_signal(&clerk->work);
	}
	pthread_mutex_unlock(&clerk->lock);
	return fits;
}

const char *
clerk_path(const struct clerk *clerk)
{
	return clerk->path.s;
}

static bool
start(struct clerk *clerk, struct err *err)
{
	int error;

	if (pipe2(clerk->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(err, STATUS_IO, "unable to create a pipe");
	error = worker_start(&clerk->thread, work, clerk);
	if (error) {
		errno = error;
		err_errno(err, STATUS_IO, "unable to start a thread");
		close(clerk->wake[0]);
		close(clerk->wake[1]);
		return false;
	}
	return true;
}

struct clerk *
clerk_new(struct event_base *base, const char *dir, clerk_done_cb *done, void *payload, struct err *err)
{
	struct clerk *clerk = xcalloc(1, sizeof *clerk);

	clerk->done = done;
	clerk->payload = payload;
	clerk->asked_end = &clerk->asked;
	clerk->finished_end = &clerk->finished;
	buf_init(&clerk->path);
	pthread_mutex_init(&clerk->lock, NULL);
	pthread_cond_init(&clerk->work, NULL);
	if (hitl_open(&clerk->hitl, dir, true, err)) {
		buf_add(&clerk->path, clerk->hitl.path.s, clerk->hitl.path.len);
		if (start(clerk, err)) {
			clerk->event = event_new(base, clerk->wake[0], EV_READ | EV_PERSIST, on_wake, clerk);
			event_add(clerk->event, NULL);
			return clerk;
		}
	}
	hitl_close(&clerk->hitl);
	buf_release(&clerk->path);
	pthread_mutex_destroy(&clerk->lock);
	pthread_cond_destroy(&clerk->work);
	free(clerk);
	return NULL;
}

static void
free_errands(struct errand *errand)
{
	struct errand *next;

	for (; errand; errand = next) {
		next = errand->next;
		errand_free(errand);
	}
}

void
clerk_free(struct clerk *clerk)
{
	if (!clerk)
		return;
	pthread_mutex_lock(&clerk->lock);
	clerk->quit = true;
	pthread_cond_signal(&clerk->work);
	pthread_mutex_unlock(&clerk->lock);
	pthread_join(clerk->thread, NULL);
	free_errands(clerk->asked);
	free_errands(clerk->finished);
	event_free(clerk->event);
	close(clerk->wake[0]);
	close(clerk->wake[1]);
	hitl_close(&clerk->hitl);
	buf_release(&clerk->path);
	pthread_mutex_destroy(&clerk->lock);
	pthread_cond_destroy(&clerk->work);
	free(clerk);
}
