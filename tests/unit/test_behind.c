/* test_behind.c - the thread behind: what waits for it is woken, whatever ends its work and whenever */
#include "compat.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "status.h"
#include "store/behind.h"
#include "tap.h"
#include "worker.h"

#define ROUNDS 3000
#define DEADLINE_S 60 /* then the test is ended: something waits for ever */

static struct behind *behind;
static int commits;
static bool fails;

static bool
run(const struct lot *lot, void *payload, struct err *err)
{
	(void)lot;
	(void)payload;
	commits++;
	return !fails || err_set(err, STATUS_RETRY, "no room");
}

static void *
refuse(void *payload)
{
	const struct err why = { .status = STATUS_RETRY, .text = "not written" };

	(void)payload;
	behind_allow(behind, &why);
	return NULL;
}

static void
give_commit(void)
{
	struct lots none;

	lots_init(&none);
	behind_give(behind, &none, true);
	lots_release(&none);
}

/* Before the thread has begun, while it waits for its permission, or when it is asleep again. */
static void
refused_at_any_time(void)
{
	int i, refused = 0, left = 0;

	for (i = 0; i < ROUNDS; i++) {
		struct err err = ERR_INIT;
		pthread_t other;
		bool committed;

		give_commit();
		if (worker_start(&other, refuse, NULL) != 0)
			break;
		refused += !behind_wait(behind, &err) && !strcmp(err.text, "not written");
		pthread_join(other, NULL);
		behind_drop(behind);
		left += !behind_look(behind, &committed, &err) || committed;
	}
	is_int(refused, ROUNDS, "a commit that is refused: whoever waits for it hears why");
	is_int(left, 0, "and nothing of it is left once it was dropped");
	is_int(commits, 0, "none was run");
}

static void
allowed_and_failed(void)
{
	struct err err = ERR_INIT;
	bool committed;

	give_commit();
	behind_allow(behind, NULL);
	ok(behind_wait(behind, &err) && behind_look(behind, &committed, &err) && committed, "a commit that is allowed is run");
	give_commit();
	ok(behind_look(behind, &committed, &err) && !committed, "the next one is not, yet");
	behind_drop(behind);
	behind_allow(behind, NULL);
	give_commit();
	behind_drop(behind);
	is_int(commits, 1, "a permission that came too late is not for the commit after it");
	fails = true;
	give_commit();
	behind_allow(behind, NULL);
	ok(!behind_wait(behind, &err) && !strcmp(err.text, "no room"), "one that fails: the reason");
	ok(!behind_look(behind, &committed, &err) && !committed, "until it is dropped");
	behind_drop(behind);
	ok(behind_look(behind, &committed, &err) && !committed, "then it is forgotten");
}

int
main(void)
{
	alarm(DEADLINE_S);
	behind = behind_new(run, NULL);
	if (!behind)
		return 1;
	refused_at_any_time();
	allowed_and_failed();
	behind_free(behind);
	return done();
}
