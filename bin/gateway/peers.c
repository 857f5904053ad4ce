/* peers.c - two sets of tokens, the file's and the store's, become one */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "err.h"
#include "log/log.h"
#include "peers.h"
#include "status.h"
#include "token.h"
#include "xalloc.h"

#define PREFIX "token/"
#define LOOK_MS 250 /* how often the file is looked at */

struct peers {
	struct log *log;
	const char *file;
	void (*problem)(const struct err *err, void *payload);
	void *payload;
	struct event *look;
	struct stat seen;
	bool reading, again; /* the store is; it is to be, once more */
};

/* ---- from the file into the store */

struct news {
	struct peers *peers;
	struct buf records; /* a line each */
};

static bool
apply_news(struct change *change, const void *row, struct change_context *context)
{
	const struct news *news = change->payload;
	const char *at = news->records.s, *end;
	struct buf key = BUF_INIT;
	struct span id;

	(void)row;
	for (; at && *at; at = end + 1) {
		struct span line = { at, 0 };

		end = strchr(at, '\n');
		line.n = (size_t)(end - at);
		if (!jtext_get(line, "id", &id))
			continue;
		buf_reset(&key);
		buf_addstr(&key, PREFIX);
		buf_add(&key, id.s + 1, id.n - 2);
		change_put(context, span_of(&key), line);
	}
	change_tell(context, (struct span){ PREFIX, strlen(PREFIX) });
	buf_release(&key);
	return true;
}

static void
after_news(struct change *change)
{
	struct news *news = change->payload;

	if (change->result != CHANGE_DONE) {
		news->peers->problem(&change->err, news->peers->payload);
		memset(&news->peers->seen, 0, sizeof news->peers->seen); /* the next look tries again */
	}
	buf_release(&news->records);
	free(news);
	change_free(change);
}

static void
put_record(const struct token *token, struct buf *to)
{
	buf_addch(to, '{');
	token_add_members(token, true, to);
	buf_addstr(to, "}\n");
}

static void
put_news(struct peers *peers, const struct tokens *own, const struct tokens *theirs)
{
	struct news *news = xcalloc(1, sizeof *news);
	struct change *change;
	size_t i;

	buf_init(&news->records);
	news->peers = peers;
	for (i = 0; i < own->n; i++) {
		const struct token *token = &own->items[i], *known = tokens_find(theirs, token->id, TOKEN_ID_LEN);

		if (!known || (known->revoked_ms == TOKEN_NEVER && token->revoked_ms != TOKEN_NEVER))
			put_record(token, &news->records);
	}
	if (!news->records.len) {
		buf_release(&news->records);
		free(news);
		return;
	}
	change = change_new(after_news, news);
	change->apply = apply_news;
	log_change(peers->log, change);
}

/* ---- from the store into the file */

/* Adds what is new to own; true: something was. */
static bool
merge(struct tokens *own, const struct tokens *theirs, struct err *err)
{
	struct buf fresh = BUF_INIT;
	bool changed = false;
	size_t i;

	for (i = 0; i < theirs->n; i++) {
		const struct token *token = &theirs->items[i];
		struct token *known = tokens_find(own, token->id, TOKEN_ID_LEN);

		if (!known) {
			put_record(token, &fresh);
			changed = true;
		} else if (token->revoked_ms != TOKEN_NEVER && known->revoked_ms == TOKEN_NEVER) {
			known->revoked_ms = token->revoked_ms;
			changed = true;
		}
	}
	if (fresh.len && !tokens_parse(own, fresh.s, fresh.len, err))
		changed = false;
	buf_release(&fresh);
	return changed;
}

static bool
unite(struct peers *peers, const struct tokens *theirs, struct err *err)
{
	struct tokens own = TOKENS_INIT;
	int lock = theirs->n ? tokens_lock(peers->file, err) : -1;
	bool ok = (lock >= 0 || !theirs->n) && tokens_read(&own, peers->file, err);

	if (ok && merge(&own, theirs, err))
		ok = tokens_write(&own, peers->file, err);
	ok = ok && err->status == STATUS_OK;
	if (lock >= 0)
		close(lock);
	if (ok)
		put_news(peers, &own, theirs);
	tokens_release(&own);
	return ok;
}

static void look_now(struct peers *peers);

static void
on_docs(struct docs *docs)
{
	struct peers *peers = docs->payload;
	struct tokens theirs = TOKENS_INIT;
	struct err err = docs->err;
	bool ok = err.status == STATUS_OK;
	size_t i;

	for (i = 0; ok && i < docs->n; i++)
		ok = tokens_parse(&theirs, docs->list[i].text.s, docs->list[i].text.len, &err);
	if (!ok || !unite(peers, &theirs, &err))
		peers->problem(&err, peers->payload);
	tokens_release(&theirs);
	docs_free(docs);
	peers->reading = false;
	if (peers->again)
		look_now(peers);
}

/* Both sides are looked at when one of them has changed. */
static void
look_now(struct peers *peers)
{
	peers->again = peers->reading;
	if (peers->reading)
		return;
	peers->reading = true;
	log_docs(peers->log, docs_new(PREFIX, on_docs, peers));
}

static void
on_look(evutil_socket_t fd, short what, void *payload)
{
	struct peers *peers = payload;
	struct stat now;

	(void)fd;
	(void)what;
	memset(&now, 0, sizeof now);
	if (stat(peers->file, &now) < 0 && errno != ENOENT)
		return;
	if (tokens_same_file(&now, &peers->seen))
		return;
	peers->seen = now;
	if (now.st_nlink)
		look_now(peers); /* whoever has removed the file wants it gone */
}

struct peers *
peers_new(struct event_base *base, struct log *log, const char *file, void (*problem)(const struct err *err, void *payload), void *payload)
{
	static const struct timeval every = { 0, LOOK_MS * 1000 };
	struct peers *peers = xcalloc(1, sizeof *peers);

	peers->log = log;
	peers->file = file;
	peers->problem = problem;
	peers->payload = payload;
	peers->look = event_new(base, -1, EV_PERSIST, on_look, peers);
	event_add(peers->look, &every);
	look_now(peers);
	on_look(-1, 0, peers);
	return peers;
}

void
peers_free(struct peers *peers)
{
	if (!peers)
		return;
	event_free(peers->look);
	free(peers);
}

void
peers_heard(struct peers *peers, struct span key)
{
	if (peers && key.n == strlen(PREFIX) && !memcmp(key.s, PREFIX, key.n))
		look_now(peers);
}
