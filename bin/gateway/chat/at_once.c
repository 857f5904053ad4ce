/* at_once.c - a message whose answer is known when it comes: both are stored in one change
 *
 * An echo needs nothing but what was said before. The loop has that at hand (recent.h), as of what it has been told; what is stored meanwhile
 * it cannot know. So the change looks whether the run is still as it was seen. If not, the message is stored alone, and answered afterwards
 * like any other.
 */
#include "compat.h"

#include <string.h>

#include "agents/agents.h"
#include "chat/internal.h"
#include "chat/recent.h"
#include "log/run.h"
#include "store/store.h"
#include "utf8.h"

/* The history of what comes after all that was said. False: it is not at hand. */
static bool
look_back(struct job *job)
{
	struct said message = { .turn = job->seq, .seq = job->seq, .role = "user", .content = job->text };
	const struct said *said;
	size_t n;
	bool all;

	message.chars = utf8_utf16_len(job->text.s, job->text.len);
	said = recent_before(job->chat->recent, span_of(&job->run), &message, &n, &all);
	job->said = n > 1 ? said[n - 2].seq : 0;
	return job_set_history(job, said, n, all);
}

struct job *
job_at_once(struct chat *chat, const struct buf *run, const struct buf *service, const struct buf *text)
{
	struct job *job;

	if (!service->len || !chat->news)
		return NULL;
	job = job_new(chat, run, INT64_MAX);
	buf_add(&job->service, service->s, service->len);
	job_find_handler(job);
	if (job_is_echo(job)) {
		buf_add(&job->text, text->s, text->len);
		if (look_back(job) && chat_begin(job)) {
			job_make_echo(job);
			return job;
		}
	}
	job_free(job);
	return NULL;
}

bool
job_fits(const struct job *job, const struct run *run, const struct buf *service)
{
	if (!buf_equal(service, &job->service))
		return false;
	return run ? !run->n_open && run->said && run->said == job->said : !job->said;
}

void
job_answer(struct job *job, struct change_context *context, int64_t seq, const struct buf *agent)
{
	job->seq = seq;
	buf_reset(&job->agent);
	if (strcmp(agent->s, "unknown") != 0)
		buf_add(&job->agent, agent->s, agent->len);
	job_store_echo(context, job);
}

/* The first messages of a run are all there is of it. */
void
job_remember(const struct job *job, const struct change *change)
{
	struct entry *said[2];
	size_t n = 0, i;

	for (i = 0; i < change->n_events && n < ARRAY_LEN(said); i++)
		if (run_is_said(change->events[i]->kind))
			said[n++] = change->events[i];
	if (!job->said)
		recent_take(job->chat->recent, span_of(&job->run), said, n, true);
}
