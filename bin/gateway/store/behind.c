/* behind.c - the thread behind behind.h */
#include "compat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/behind.h"
#include "worker.h"
#include "xalloc.h"

struct behind {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	behind_run *run;
	void *payload;
	/* with the lock */
	struct lots given, after; /* before and after the commit */
	struct lots done;	  /* empty ones */
	size_t running;		  /* bytes of what is run now */
	bool commit, allowed, committed;
	bool busy, dropped, quit;
	struct err err;
};

/* ---- the thread; all with the lock, which it gives away while it works */

static bool
has_work(const struct behind *behind)
{
	return (behind->given.first || behind->commit) && !behind->err.status;
}

static bool
run(struct behind *behind, const struct lot *lot)
{
	struct err err = ERR_INIT;
	bool ok;

	pthread_mutex_unlock(&behind->lock);
	ok = behind->run(lot, behind->payload, &err);
	pthread_mutex_lock(&behind->lock);
	if (!ok)
		behind->err = err;
	return ok;
}

static void
run_lots(struct behind *behind)
{
	struct lots lots;
	const struct lot *lot;

	lots_init(&lots);
	lots_move(&lots, &behind->given);
	behind->running = lots.bytes;
	for (lot = lots.first; lot && !behind->dropped && run(behind, lot); lot = lot->next)
		;
	behind->running = 0;
	lots_drop(&lots, &behind->done);
}

static void
run_commit(struct behind *behind)
{
	while (!behind->allowed && !behind->dropped && !behind->quit && !behind->err.status)
		pthread_cond_wait(&behind->work, &behind->lock);
	if (behind->dropped || behind->err.status)
		return;
	behind->committed = behind->allowed && run(behind, NULL);
	behind->commit = behind->allowed = false;
	lots_move(&behind->given, &behind->after);
}

static void *
behind_work(void *payload)
{
	struct behind *behind = payload;

	pthread_mutex_lock(&behind->lock);
	for (;;) {
		if (!has_work(behind) || behind->dropped) {
			/* here, and not where it works: what was given may have failed before it began */
			pthread_cond_signal(&behind->idle);
			if (behind->quit)
				break;
			pthread_cond_wait(&behind->work, &behind->lock);
			continue;
		}
		behind->busy = true;
		if (behind->given.first)
			run_lots(behind);
		else
			run_commit(behind);
		behind->busy = false;
	}
	pthread_mutex_unlock(&behind->lock);
	return NULL;
}

/* ---- its giver */

struct behind *
behind_new(behind_run *function, void *payload)
{
	struct behind *behind = xcalloc(1, sizeof *behind);
	int error;

	behind->run = function;
	behind->payload = payload;
	lots_init(&behind->given);
	lots_init(&behind->after);
	lots_init(&behind->done);
	pthread_mutex_init(&behind->lock, NULL);
	pthread_cond_init(&behind->work, NULL);
	pthread_cond_init(&behind->idle, NULL);
	error = worker_start(&behind->thread, behind_work, behind);
	if (!error)
		return behind;
	free(behind);
	errno = error;
	return NULL;
}

void
behind_free(struct behind *behind)
{
	if (!behind)
		return;
	pthread_mutex_lock(&behind->lock);
	behind->quit = true;
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->lock);
	pthread_join(behind->thread, NULL);
	lots_release(&behind->given);
	lots_release(&behind->after);
	lots_release(&behind->done);
	pthread_mutex_destroy(&behind->lock);
	pthread_cond_destroy(&behind->work);
	pthread_cond_destroy(&behind->idle);
	free(behind);
}

/* With the lock. */
static void
wait_until_idle(struct behind *behind)
{
	while (behind->busy || (has_work(behind) && !behind->dropped))
		pthread_cond_wait(&behind->idle, &behind->lock);
}

void
behind_give(struct behind *behind, struct lots *lots, bool commit)
{
	pthread_mutex_lock(&behind->lock);
	if (behind->running + behind->given.bytes + behind->after.bytes > BEHIND_MAX)
		wait_until_idle(behind);
	lots_move(behind->commit ? &behind->after : &behind->given, lots);
	if (commit) {
		behind->commit = true;
		behind->allowed = behind->committed = false;
	}
	lots_spares(lots, &behind->done);
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->lock);
}

void
behind_allow(struct behind *behind, const struct err *why)
{
	pthread_mutex_lock(&behind->lock);
	if (why)
		behind->err = *why;
	else
		behind->allowed = true;
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->lock);
}

bool
behind_look(struct behind *behind, bool *ret_committed, struct err *err)
{
	bool ok;

	pthread_mutex_lock(&behind->lock);
	*ret_committed = behind->committed;
	ok = !behind->err.status;
	if (!ok)
		*err = behind->err;
	pthread_mutex_unlock(&behind->lock);
	return ok;
}

bool
behind_wait(struct behind *behind, struct err *err)
{
	bool committed;

	pthread_mutex_lock(&behind->lock);
	wait_until_idle(behind);
	pthread_mutex_unlock(&behind->lock);
	return behind_look(behind, &committed, err);
}

void
behind_rest(struct behind *behind)
{
	pthread_mutex_lock(&behind->lock);
	lots_trim(&behind->done);
	pthread_mutex_unlock(&behind->lock);
}

void
behind_drop(struct behind *behind)
{
	pthread_mutex_lock(&behind->lock);
	behind->dropped = true;
	pthread_cond_signal(&behind->work);
	wait_until_idle(behind);
	lots_drop(&behind->given, &behind->done);
	lots_drop(&behind->after, &behind->done);
	behind->commit = behind->allowed = behind->dropped = false;
	behind->err = (struct err)ERR_INIT;
	pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->lock);
}
