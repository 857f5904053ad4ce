/* conversation.c - one conversation, two surfaces: what an id is, and who may read it as a run
 *
 * Whoever may read runs may read all of them; a thread's events are for the members of its workspace only, also here. To others, and
 * without such a thread, the id is that of a run with no events.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/auth.h"
#include "clarity/internal.h"
#include "http/server.h"
#include "key.h"
#include "log/log.h"
#include "store/thread.h"
#include "xalloc.h"

struct finding {
	struct clarity *clarity;
	struct request *request;
	struct buf id;
	const struct principal *who;
	conversation_cb *cb;
	struct conversation what;
};

/* Is the word among those of the header (RFC 7240)? */
static bool
prefers(const char *header, const char *word)
{
	size_t n;

	for (; header && *header; header += n + (header[n] == ',')) {
		header += strspn(header, " \t");
		n = strcspn(header, ",");
		if (!strncasecmp(header, word, strlen(word)) && (n == strlen(word) || strchr(" \t;", header[strlen(word)])))
			return true;
	}
	return false;
}

static enum sharing
wanted(const struct request *request)
{
	struct buf value = BUF_INIT;
	bool all = prefers(request_header(request, "prefer"), "deltas");

	if (request_query(request, "deltas", &value))
		all = !strcmp(value.s, "true") || !strcmp(value.s, "1");
	buf_release(&value);
	return all ? SHARED_ALL : SHARED_NEWS;
}

static bool
apply_find(struct change *change, const void *row, struct change_context *context)
{
	struct finding *finding = change->payload;
	struct span id = { finding->id.s, finding->id.len };
	struct thread thread;

	thread_init(&thread);
	finding->what.thread = !row && change_thread_get(context, id, &thread) && finding->who &&
	    principal_member(finding->who, thread.workspace.s, thread.workspace.len) && !change_thread_shared(context, id);
	thread_release(&thread);
	return true;
}

static void
done_find(struct change *change)
{
	struct finding *finding = change->payload;

	finding->cb(finding->clarity, finding->request, &finding->id, &finding->what);
	buf_release(&finding->id);
	free(finding);
	change_free(change);
}

void
conversation_find(struct clarity *clarity, struct request *request, const struct buf *id, conversation_cb *cb)
{
	struct conversation what = { .shared = wanted(request) };
	struct finding *finding;
	struct change *change;

	/* what is no thread's id needs no looking up */
	if (!key_is_uuid(id->s)) {
		cb(clarity, request, id, &what);
		return;
	}
	finding = xcalloc(1, sizeof *finding);
	finding->clarity = clarity;
	finding->request = request;
	finding->who = auth_caller(request);
	finding->cb = cb;
	finding->what = what;
	buf_init(&finding->id);
	buf_add(&finding->id, id->s, id->len);
	change = change_new(done_find, finding);
	buf_add(&change->stream, id->s, id->len);
	change->apply = apply_find;
	log_change(clarity->settings.log, change);
}
