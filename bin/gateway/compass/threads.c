/* threads.c - threads: made, shown, listed, changed, switched, deleted (contract sections 6.3 and 18) */
#include "compat.h"

#include <string.h>

#include "compass/internal.h"
#include "http/server.h"
#include "key.h"
#include "roots.h"

#define TITLE_MAX 200
#define LIST_DEFAULT 40
#define LIST_MAX 200
#define RULES_MAX 100
#define CWD_MAX 4096

static const enum thread_host host_of[] = { [THREAD_CLOUD] = THREAD_DYNAMIC_SESSIONS, [THREAD_LOCAL] = THREAD_DESKTOP_LOCAL };

static bool
mode_disabled(struct call *call, int mode)
{
	const struct compass_settings *settings = &call->compass->settings;

	if (mode == THREAD_CLOUD && !settings->cloud)
		call_refuse(call, PROBLEM_CLOUD_DISABLED);
	else if (mode == THREAD_LOCAL && !settings->local)
		call_refuse(call, PROBLEM_LOCAL_DISABLED);
	else
		return false;
	return true;
}

static void
answer_thread(struct buf *to, const struct thread *thread)
{
	buf_addstr(to, "{\"thread\":");
	form_thread(to, thread);
	buf_addch(to, '}');
}

/* ---- who answers approvals: {"rules":[{"kind"?,"command"?,"decision"}],"timeoutSeconds"?,"default"?} */

static void
check_rules(struct valid *valid, struct call *call)
{
	static const char *const kinds[] = { "command", "file", "permissions", "question", "other" };
	static const char *const decisions[] = { "accept", "acceptForSession", "decline", "cancel" };
	struct span value, rules, key, rule;
	struct valid inner = { .message = valid->message };
	struct buf text = BUF_INIT;
	size_t pos = 0, n = 0;
	int64_t seconds;

	if (valid->message.len || !jtext_get(valid->object, "approvals", &value))
		return;
	call->has_rules = true;
	if (jtext_type(value) == JTEXT_NULL)
		return;
	inner.object = value;
	if (jtext_type(value) != JTEXT_OBJECT) {
		valid_issue(valid, "Expected object, received %s", valid_type(value));
		return;
	}
	if (jtext_get(value, "rules", &rules) && valid_array(&inner, "rules", &rules))
		while (jtext_each(rules, &pos, &key, &rule)) {
			inner.object = rule;
			buf_reset(&text);
			if (++n > RULES_MAX)
				valid_issue(&inner, "Array must contain at most %d element(s)", RULES_MAX);
			else if (valid_body(&inner, rule)) {
				(void)valid_enum(&inner, "kind", 0, kinds, ARRAY_LEN(kinds));
				(void)valid_string(&inner, "command", 0, 1, 1000, &text);
				(void)valid_enum(&inner, "decision", VALID_REQUIRED, decisions, ARRAY_LEN(decisions));
			}
		}
	inner.object = value;
	if (!inner.message.len && jtext_get(value, "timeoutSeconds", &rule) &&
	    (!jtext_i64(rule, &seconds) || seconds < 1 || seconds > 604800))
		valid_issue(&inner, "Number must be an integer from 1 to 604800");
	(void)valid_enum(&inner, "default", 0, decisions, ARRAY_LEN(decisions));
	valid->message = inner.message;
	buf_release(&text);
	if (!valid->message.len)
		jtext_compact(&call->rules, value);
}

/* ---- POST /v1/agent/threads */

/* Where the runtime is a child of ours a directory must be below a root; a session host has roots of its own, where the directory is. */
static void
check_cwd(struct valid *valid, struct call *call)
{
	struct buf cwd = BUF_INIT;

	if (valid_string(valid, "cwd", 0, 1, CWD_MAX, &cwd)) {
		if (cwd.len != strlen(cwd.s) || *cwd.s != '/')
			valid_issue(valid, "cwd must be an absolute path");
		else if (call->compass->settings.host)
			buf_add(&call->cwd, cwd.s, cwd.len);
		else if (!roots_take(call->compass->settings.roots, cwd.s, &call->cwd))
			valid_issue(valid, "cwd is no directory below a root of this gateway");
	}
	buf_release(&cwd);
}

static bool
apply_create(struct change *change, const void *row, struct change_context *context)
{
	struct call *call = change->payload;
	struct buf payload = BUF_INIT;
	struct thread thread;

	(void)row;
	thread_init(&thread);
	buf_add(&thread.id, call->made.s, call->made.len);
	buf_add(&thread.workspace, call->workspace.s, call->workspace.len);
	buf_add(&thread.title, call->title.s, call->title.len);
	buf_add(&thread.rules, call->rules.s, call->rules.len);
	buf_add(&thread.cwd, call->cwd.s, call->cwd.len);
	thread.mode = (enum thread_mode)call->mode;
	thread.host = (enum thread_host)call->host;
	thread.session = thread.mode == THREAD_CLOUD;
	thread.created_ms = thread.updated_ms = change_now_ms(context);
	change_thread_put(context, &thread);
	answer_thread(&change->answer, &thread);
	(void)change_emit_thread(
	    context, span_of(&thread.id), (struct span){ "thread.started", 14 }, SPAN_NONE, SPAN_NONE, span_of(&change->answer));
	buf_release(&payload);
	thread_release(&thread);
	return true;
}

static void
on_bootstrap(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;

	if (!call_runtime_failed(call, reply, 503, "AGENT_RUNTIME_UNAVAILABLE"))
		call_store(call, apply_create, call_done);
}

/* A thread that its session host does not take is not made. */
static void
bootstrap(struct call *call)
{
	struct buf params = BUF_INIT;

	flight_host_thread(&call->made, &params);
	runtime_call(call->compass->runtime, "thread/start", span_of(&params), 0, on_bootstrap, call);
	buf_release(&params);
}

void
threads_create(struct call *call)
{
	struct valid valid = VALID_INIT;

	if (valid_body(&valid, call->body)) {
		(void)valid_string(&valid, "workspaceSlug", VALID_REQUIRED, 1, 0, &call->workspace);
		call->mode = valid_enum(&valid, "executionMode", 0, valid_modes, THREAD_MODE_COUNT);
		call->host = valid_enum(&valid, "executionHost", 0, valid_hosts, THREAD_HOST_COUNT);
		(void)valid_string(&valid, "title", VALID_TRIM, 1, TITLE_MAX, &call->title);
		check_rules(&valid, call);
		check_cwd(&valid, call);
	}
	if (valid_failed(&valid, call))
		return;
	if (call->mode < 0)
		call->mode = THREAD_CLOUD;
	if (call->host < 0)
		call->host = (int)host_of[call->mode];
	if (mode_disabled(call, call->mode))
		return;
	if (!call_member(call, &call->workspace)) {
		call_refuse(call, PROBLEM_WORKSPACE_FORBIDDEN);
		return;
	}
	if (call->mode == THREAD_CLOUD && !call_has_runtime(call))
		return;
	key_add_uuid(&call->made);
	if (call->mode == THREAD_CLOUD && call->compass->settings.host)
		bootstrap(call);
	else
		call_store(call, apply_create, call_done);
}

/* ---- GET /v1/agent/threads/:threadId */

static void
get_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	(void)call;
	(void)context;
	(void)turn;
	answer_thread(answer, thread);
}

void
threads_get(struct call *call)
{
	call_store_in(call, get_in, call_done);
}

/* ---- GET /v1/agent/threads */

static void
add_thread(const struct thread *thread, void *payload)
{
	struct buf *to = payload;

	if (to->s[to->len - 1] != '[')
		buf_addch(to, ',');
	form_thread(to, thread);
}

static bool
apply_list(struct change *change, const void *row, struct change_context *context)
{
	struct call *call = change->payload;

	(void)row;
	buf_addstr(&change->answer, "{\"threads\":[");
	change_thread_list(context, span_of(&call->workspace), (enum thread_state)call->state, call->limit, add_thread, &change->answer);
	buf_addstr(&change->answer, "]}");
	return true;
}

void
threads_list(struct call *call)
{
	static const char *const states[] = { [THREAD_REGULAR] = "regular", [THREAD_ARCHIVED] = "archived", [THREAD_ALL] = "all" };
	struct valid valid = VALID_INIT;
	int64_t limit = LIST_DEFAULT;

	if (request_query_count(call->request, "workspaceSlug") > 1)
		valid_issue(&valid, "Expected string, received array");
	else if (!request_query(call->request, "workspaceSlug", &call->workspace))
		valid_issue(&valid, "Required");
	else if (!call->workspace.len)
		valid_issue(&valid, "String must contain at least 1 character(s)");
	call->state = valid_query_enum(&valid, call->request, "state", states, ARRAY_LEN(states));
	valid_query(&valid, call->request, "limit", 1, LIST_MAX, &limit);
	if (valid_failed(&valid, call))
		return;
	if (call->state < 0)
		call->state = THREAD_REGULAR;
	call->limit = (int)limit;
	if (!call_member(call, &call->workspace))
		call_refuse(call, PROBLEM_WORKSPACE_FORBIDDEN);
	else
		call_store(call, apply_list, call_done);
}

/* ---- PATCH /v1/agent/threads/:threadId */

static void
patch_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	(void)turn;
	if (call->has_title) {
		buf_reset(&thread->title);
		buf_add(&thread->title, call->title.s, call->title.len);
	}
	if (call->has_archived)
		thread->archived = call->archived;
	if (call->has_rules) {
		buf_reset(&thread->rules);
		buf_add(&thread->rules, call->rules.s, call->rules.len);
	}
	thread->updated_ms = change_now_ms(context);
	change_thread_put(context, thread);
	answer_thread(answer, thread);
}

void
threads_patch(struct call *call)
{
	struct valid valid = VALID_INIT;

	if (valid_body(&valid, call->body)) {
		call->has_title = valid_string(&valid, "title", VALID_TRIM, 1, TITLE_MAX, &call->title);
		call->has_archived = valid_bool(&valid, "archived", &call->archived);
		check_rules(&valid, call);
		if (!call->has_title && !call->has_archived && !call->has_rules)
			valid_issue(&valid, "At least one thread field must be provided");
	}
	if (!valid_failed(&valid, call))
		call_store_in(call, patch_in, call_done);
}

/* ---- PATCH /v1/agent/threads/:threadId/mode */

static void
mode_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	struct buf payload = BUF_INIT;

	if (change_turn_open(context, span_of(&thread->id), turn)) {
		call->problem = PROBLEM_SWITCH_BUSY;
		return;
	}
	if (call->mode == THREAD_LOCAL && change_thread_shared(context, span_of(&thread->id))) {
		call->problem = PROBLEM_THREAD_IS_RUN;
		return;
	}
	thread->mode = (enum thread_mode)call->mode;
	thread->host = (enum thread_host)call->host;
	thread->session |= thread->mode == THREAD_CLOUD;
	thread->switched_ms = thread->updated_ms = change_now_ms(context);
	change_thread_put(context, thread);
	buf_addf(&payload, "{\"executionHost\":\"%s\",\"executionMode\":\"%s\"}", thread_host_text(thread->host),
	    thread_mode_text(thread->mode));
	(void)change_emit_thread(
	    context, span_of(&thread->id), (struct span){ "thread.modeSwitched", 19 }, SPAN_NONE, SPAN_NONE, span_of(&payload));
	answer_thread(answer, thread);
	buf_release(&payload);
}

void
threads_mode(struct call *call)
{
	struct valid valid = VALID_INIT;

	if (valid_body(&valid, call->body)) {
		call->mode = valid_enum(&valid, "executionMode", VALID_REQUIRED, valid_modes, THREAD_MODE_COUNT);
		call->host = valid_enum(&valid, "executionHost", 0, valid_hosts, THREAD_HOST_COUNT);
	}
	if (valid_failed(&valid, call))
		return;
	if (call->host < 0)
		call->host = (int)host_of[call->mode];
	if (!call->compass->settings.switching)
		call_refuse(call, PROBLEM_SWITCH_DISABLED);
	else if (!mode_disabled(call, call->mode))
		call_store_in(call, mode_in, call_done);
}

/* ---- DELETE /v1/agent/threads/:threadId */

static void
delete_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	if (change_turn_open(context, span_of(&thread->id), turn))
		call->problem = PROBLEM_DELETE_BUSY;
	else {
		change_thread_drop(context, span_of(&thread->id));
		buf_addstr(answer, "{\"deleted\":true}");
	}
}

static void
done_delete(struct change *change)
{
	struct call *call = change->payload;

	if (change->result == CHANGE_DONE)
		watchers_gone(call->compass, &call->thread);
	call_done(change);
}

void
threads_delete(struct call *call)
{
	call_store_in(call, delete_in, done_delete);
}
