/* form.c - what things look like on the Compass wire (contract section 6.1, 7) */
#include "compat.h"

#include "compass/internal.h"
#include "key.h"
#include "sha1.h"

/* Workspaces are known by their slugs alone; the id follows from it, so it is the same everywhere and always (RFC 9562, version 5). */
static void
add_workspace_id(struct buf *to, const struct buf *slug)
{
	unsigned char digest[SHA1_BYTES];
	struct buf name = BUF_INIT;

	buf_addstr(&name, "agentutils:workspace:");
	buf_add(&name, slug->s, slug->len);
	sha1(name.s, name.len, digest);
	key_add_uuid_of(to, digest, 5);
	buf_release(&name);
}

void
form_thread(struct buf *to, const struct thread *thread)
{
	struct buf text = BUF_INIT;

	buf_addch(to, '{');
	jtext_add_buf(to, "threadId", &thread->id);
	add_workspace_id(&text, &thread->workspace);
	jtext_add_buf(to, "workspaceId", &text);
	jtext_add_buf(to, "workspaceSlug", &thread->workspace);
	jtext_add_text(to, "executionMode", thread_mode_text(thread->mode));
	jtext_add_text(to, "executionHost", thread_host_text(thread->host));
	jtext_add_text(to, "status", thread_status_text(thread->status));
	buf_reset(&text);
	if (thread->session)
		buf_addf(&text, "thr-%s", thread->id.s);
	jtext_add_or_null(to, "cloudSessionIdentifier", &text);
	jtext_add_or_null(to, "title", &thread->title);
	jtext_add_bool(to, "archived", thread->archived);
	if (thread->rules.len)
		jtext_add_raw(to, "approvals", thread->rules.s, thread->rules.len);
	jtext_add_filled(to, "cwd", &thread->cwd);
	jtext_add_time_or_null(to, "createdAt", thread->created_ms);
	jtext_add_time_or_null(to, "updatedAt", thread->updated_ms);
	jtext_add_time_or_null(to, "modeSwitchedAt", thread->switched_ms);
	buf_addch(to, '}');
	buf_release(&text);
}

static void
add_text_object(struct buf *to, const char *key, const struct buf *text)
{
	struct buf object = BUF_INIT;

	buf_addch(&object, '{');
	jtext_add_buf(&object, "text", text);
	buf_addch(&object, '}');
	jtext_add_raw(to, key, object.s, object.len);
	buf_release(&object);
}

void
form_turn(struct buf *to, const struct turn *turn)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "turnId", &turn->id);
	jtext_add_buf(to, "threadId", &turn->thread);
	jtext_add_or_null(to, "parentTurnId", &turn->parent);
	jtext_add_or_null(to, "sourceTurnId", &turn->source);
	jtext_add_or_null(to, "clientRequestId", &turn->request);
	jtext_add_text(to, "status", thread_status_text(turn->status));
	jtext_add_text(to, "executionMode", thread_mode_text(turn->mode));
	jtext_add_text(to, "executionHost", thread_host_text(turn->host));
	add_text_object(to, "input", &turn->input);
	if (turn->has_output)
		add_text_object(to, "output", &turn->output);
	else
		jtext_add_null(to, "output");
	if (turn->error.len)
		jtext_add_raw(to, "error", turn->error.s, turn->error.len);
	else
		jtext_add_null(to, "error");
	jtext_add_time_or_null(to, "startedAt", turn->started_ms);
	jtext_add_time_or_null(to, "completedAt", turn->completed_ms);
	buf_addch(to, '}');
}

void
form_turn_answer(struct buf *to, const struct turn *turn)
{
	buf_addstr(to, "{\"turn\":");
	form_turn(to, turn);
	if (turn->has_output)
		jtext_add_buf(to, "outputText", &turn->output);
	else
		jtext_add_null(to, "outputText");
	buf_addch(to, '}');
}

static void
add_turn_id(struct buf *to, const struct entry *event)
{
	if (event->turn.s)
		jtext_add_string(to, "turnId", event->turn.s, event->turn.n);
	else
		jtext_add_null(to, "turnId");
}

/* Who sent it, when it is not the gateway's own word. */
static void
add_sender(struct buf *to, const struct entry *event)
{
	if (event->service.s)
		jtext_add_string(to, "uploadedBy", event->service.s, event->service.n);
}

void
form_event(struct buf *to, const struct entry *event)
{
	buf_reserve(to, event->data.n + 256);
	buf_addch(to, '{');
	jtext_add_i64(to, "cursor", event->seq);
	jtext_add_string(to, "threadId", event->stream.s, event->stream.n);
	add_turn_id(to, event);
	jtext_add_string(to, "method", event->kind.s, event->kind.n);
	jtext_add_raw(to, "payload", event->data.s ? event->data.s : "{}", event->data.s ? event->data.n : 2);
	jtext_add_time(to, "createdAt", event->at_ms);
	add_sender(to, event);
	buf_addch(to, '}');
}

void
form_frame(struct buf *to, const struct entry *event)
{
	buf_reserve(to, event->data.n + 256);
	buf_addch(to, '{');
	jtext_add_string(to, "type", event->kind.s, event->kind.n);
	jtext_add_string(to, "method", event->kind.s, event->kind.n);
	jtext_add_i64(to, "cursor", event->seq);
	jtext_add_raw(to, "payload", event->data.s ? event->data.s : "{}", event->data.s ? event->data.n : 2);
	jtext_add_string(to, "threadId", event->stream.s, event->stream.n);
	add_turn_id(to, event);
	jtext_add_time(to, "createdAt", event->at_ms);
	add_sender(to, event);
	buf_addch(to, '}');
}
