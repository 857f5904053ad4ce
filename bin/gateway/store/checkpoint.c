/* checkpoint.c - the thread behind checkpoint.h */
#include "compat.h"

#include <pthread.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "store/checkpoint.h"
#include "worker.h"
#include "xalloc.h"

struct checkpointer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool asked, quit; /* with the lock */
	sqlite3 *handle;
};

static void *
checkpoint_work(void *payload)
{
	struct checkpointer *checkpointer = payload;

	worker_is(WORKER_PATIENT);
	pthread_mutex_lock(&checkpointer->lock);
	while (!checkpointer->quit) {
		if (!checkpointer->asked) {
			pthread_cond_wait(&checkpointer->work, &checkpointer->lock);
			continue;
		}
		checkpointer->asked = false;
		pthread_mutex_unlock(&checkpointer->lock);
		/* what fails is tried again the next time, and by whoever writes */
		(void)sqlite3_wal_checkpoint_v2(checkpointer->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		pthread_mutex_lock(&checkpointer->lock);
	}
	pthread_mutex_unlock(&checkpointer->lock);
	return NULL;
}

struct checkpointer *
checkpointer_new(const char *file)
{
	struct checkpointer *checkpointer = xcalloc(1, sizeof *checkpointer);

	pthread_mutex_init(&checkpointer->lock, NULL);
	pthread_cond_init(&checkpointer->work, NULL);
	/* a connection that has read nothing does not know of the log yet */
	if (sqlite3_open_v2(file, &checkpointer->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
	    sqlite3_exec(checkpointer->handle, "PRAGMA synchronous=FULL; PRAGMA cache_size=0; SELECT 1 FROM events LIMIT 1", NULL, NULL,
		NULL) == SQLITE_OK &&
	    worker_start(&checkpointer->thread, checkpoint_work, checkpointer) == 0)
		return checkpointer;
	sqlite3_close(checkpointer->handle);
	free(checkpointer);
	return NULL;
}

void
checkpointer_wake(struct checkpointer *checkpointer)
{
	if (!checkpointer)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->asked = true;
	pthread_cond_signal(&checkpointer->work);
	pthread_mutex_unlock(&checkpointer->lock);
}

void
checkpointer_free(struct checkpointer *checkpointer)
{
	if (!checkpointer)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->quit = true;
	pthread_cond_signal(&checkpointer->work);
	pthread_mutex_unlock(&checkpointer->lock);
	pthread_join(checkpointer->thread, NULL);
	pthread_mutex_destroy(&checkpointer->lock);
	pthread_cond_destroy(&checkpointer->work);
	sqlite3_close(checkpointer->handle);
	free(checkpointer);
}
