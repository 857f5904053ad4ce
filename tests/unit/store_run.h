/* store_run.h - a store under test: how it is opened and waited for */
#ifndef STORE_RUN_H
#define STORE_RUN_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "log/log.h"
#include "store/store.h"

#define WAIT_MS 30000 /* longest wait for one result */

static struct buf where = BUF_INIT;
static int finished; /* results that have come in */

static struct store *
open_or_die(void)
{
	struct err err = ERR_INIT;
	struct store *store = store_open(where.s, NULL, log_rows_ops(), &err);

	if (!store) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return store;
}

/* Dispatches until n results have come in all. */
static void
await(struct store *store, int n)
{
	while (finished < n) {
		struct pollfd fd = { .fd = store_fd(store), .events = POLLIN };

		if (poll(&fd, 1, WAIT_MS) <= 0) {
			printf("Bail out! no result after %d ms\n", WAIT_MS);
			exit(1);
		}
		store_dispatch(store);
	}
}

static void
on_change(struct change *change)
{
	(void)change;
	finished++;
}

static void
on_page(struct page *page)
{
	(void)page;
	finished++;
}

static void
on_rows(struct rows *rows)
{
	(void)rows;
	finished++;
}

#endif
