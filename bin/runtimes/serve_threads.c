/* serve_threads.c - threads, and the files they are kept in
 *
 * DIRECTORY/ID.ndjson: {"thread":{...}} first, then {"role":...,"text":...} for what was said and {"session":...} for the engine's name of
 * it. Half a line at the end, of a process that was killed or of a full disk, is ended before the next one, and passed over.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "sandbox.h"
#include "serve_internal.h"
#include "statedir.h"
#include "utf8.h"
#include "xalloc.h"

#define PREVIEW_MAX 200 /* UTF-16 units of the first text */

static struct serve_thread *
find(const struct serve *serve, const char *id)
{
	struct serve_thread *thread;

	for (thread = serve->threads; thread; thread = thread->next)
		if (!strcmp(thread->id, id))
			return thread;
	return NULL;
}

static void
say(struct serve_thread *thread, const char *role, const char *s, size_t n)
{
	struct said_text *said;

	thread->said = xgrow(thread->said, thread->n_said, sizeof *thread->said);
	said = &thread->said[thread->n_said++];
	said->role = role;
	buf_init(&said->text);
	buf_add(&said->text, s, n);
	if (!thread->preview.len && !strcmp(role, "user"))
		buf_add(&thread->preview, s, utf8_utf16_prefix(s, n, PREVIEW_MAX));
}

/* ---- the file */

static void
path_of(const struct serve *serve, const char *id, struct buf *to)
{
	buf_addf(to, "%s/%s.ndjson", serve->directory, id);
}

static void
keep(struct serve *serve, struct serve_thread *thread, struct buf *line)
{
	struct buf path = BUF_INIT;
	size_t done = 0;
	int fd;

	if (!serve->directory || thread->ephemeral)
		return;
	buf_addch(line, '\n');
	path_of(serve, thread->id, &path);
	fd = open(path.s, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && thread->torn && write(fd, "\n", 1) == 1)
		thread->torn = false;
	if (fd >= 0)
		done = buf_write_fd(line, fd);
	thread->torn = thread->torn || (done > 0 && done < line->len);
	if (done < line->len)
		warn("unable to keep the thread in '%s': %s", path.s, strerror(errno));
	else
		thread->on_disk = true;
	if (fd >= 0)
		close(fd);
	buf_release(&path);
}

static void
add_settings(struct buf *to, const struct serve_thread *thread)
{
	jtext_add_buf(to, "cwd", &thread->cwd);
	jtext_add_buf(to, "model", &thread->model);
	jtext_add_buf(to, "approvalPolicy", &thread->approval);
	jtext_add_raw(to, "sandbox", thread->sandbox.s, thread->sandbox.len);
}

static void
keep_thread(struct serve *serve, struct serve_thread *thread)
{
	struct buf line = BUF_INIT;

	buf_addstr(&line, "{\"thread\":{");
	add_settings(&line, thread);
	jtext_add_buf(&line, "instructions", &thread->instructions);
	jtext_add_i64(&line, "createdAt", thread->created);
	buf_addstr(&line, "}}");
	keep(serve, thread, &line);
	buf_release(&line);
}

void
thread_say(struct serve *serve, struct serve_thread *thread, const char *role, const char *s, size_t n)
{
	struct buf line = BUF_INIT;

	if (!thread->on_disk)
		keep_thread(serve, thread);
	say(thread, role, s, n);
	thread->updated = clock_wall_ms() / 1000;
	buf_addch(&line, '{');
	jtext_add_text(&line, "role", role);
	jtext_add_string(&line, "text", s, n);
	buf_addch(&line, '}');
	keep(serve, thread, &line);
	buf_release(&line);
}

void
serve_session(struct serve_thread *thread, const char *s, size_t n)
{
	struct buf line = BUF_INIT;

	buf_reset(&thread->session);
	buf_add(&thread->session, s, n);
	if (!thread->turn)
		return;
	buf_addch(&line, '{');
	jtext_add_string(&line, "session", s, n);
	buf_addch(&line, '}');
	keep(thread->turn->serve, thread, &line);
	buf_release(&line);
}

static void
take(struct span from, const char *key, struct buf *to)
{
	struct buf text = BUF_INIT;

	if (jtext_get_string(from, key, &text)) {
		buf_reset(to);
		buf_add(to, text.s, text.len);
	}
	buf_release(&text);
}

static void
take_kept(struct serve_thread *thread, struct span line)
{
	struct buf text = BUF_INIT;
	struct span value;

	if (jtext_get(line, "thread", &value)) {
		take(value, "cwd", &thread->cwd);
		take(value, "model", &thread->model);
		take(value, "approvalPolicy", &thread->approval);
		take(value, "instructions", &thread->instructions);
		(void)jtext_get_i64(value, "createdAt", &thread->created);
		if (jtext_get(value, "sandbox", &value)) {
			buf_reset(&thread->sandbox);
			jtext_compact(&thread->sandbox, value);
		}
	} else if (jtext_get_string(line, "text", &text))
		say(thread, jtext_get(line, "role", &value) && jtext_is_string(value, "assistant") ? "assistant" : "user", text.s,
		    text.len);
	else
		take(line, "session", &thread->session);
	buf_release(&text);
}

static void
read_kept(struct serve_thread *thread, const struct buf *text)
{
	const char *s = text->s, *end = text->s + text->len, *stop;
	struct err err = ERR_INIT;
	struct span line;

	thread->torn = text->len > 0 && end[-1] != '\n';
	for (; s < end && (stop = memchr(s, '\n', (size_t)(end - s))); s = stop + 1)
		if (jtext_check(s, (size_t)(stop - s), true, &line, &err) && jtext_type(line) == JTEXT_OBJECT)
			take_kept(thread, line);
}

/* ---- threads */

static struct serve_thread *
thread_new(struct serve *serve, const char *id)
{
	struct serve_thread *thread = xcalloc(1, sizeof *thread);
	char dir[4096];

	if (id)
		snprintf(thread->id, sizeof thread->id, "%s", id);
	else
		key_uuid(thread->id);
	buf_init(&thread->cwd);
	buf_init(&thread->model);
	buf_init(&thread->approval);
	buf_init(&thread->sandbox);
	buf_init(&thread->instructions);
	buf_init(&thread->session);
	buf_init(&thread->preview);
	buf_addstr(&thread->cwd, getcwd(dir, sizeof dir) ? dir : "/");
	buf_addstr(&thread->model, serve->engine->model);
	buf_addstr(&thread->approval, "on-request");
	buf_addstr(&thread->sandbox, SANDBOX_READ_ONLY);
	thread->created = thread->updated = clock_wall_ms() / 1000;
	thread->next = serve->threads;
	serve->threads = thread;
	return thread;
}

static void
thread_free(struct serve *serve, struct serve_thread *thread)
{
	size_t i;

	if (serve->engine->forget)
		serve->engine->forget(thread);
	buf_release(&thread->cwd);
	buf_release(&thread->model);
	buf_release(&thread->approval);
	buf_release(&thread->sandbox);
	buf_release(&thread->instructions);
	buf_release(&thread->session);
	buf_release(&thread->preview);
	for (i = 0; i < thread->n_said; i++)
		buf_release(&thread->said[i].text);
	free(thread->said);
	free(thread);
}

void
thread_take(struct serve_thread *thread, struct span params)
{
	take(params, "cwd", &thread->cwd);
	take(params, "model", &thread->model);
	take(params, "approvalPolicy", &thread->approval);
	sandbox_take(params, &thread->sandbox);
}

static void
take_instructions(struct serve_thread *thread, struct span params)
{
	struct buf base = BUF_INIT, developer = BUF_INIT;

	jtext_get_string(params, "baseInstructions", &base);
	jtext_get_string(params, "developerInstructions", &developer);
	if (base.len || developer.len) {
		buf_reset(&thread->instructions);
		buf_addf(&thread->instructions, "%s%s%s", base.len ? base.s : "", base.len && developer.len ? "\n\n" : "",
		    developer.len ? developer.s : "");
	}
	buf_release(&base);
	buf_release(&developer);
}

static void
add_thread(const struct serve *serve, struct buf *to, const struct serve_thread *thread)
{
	struct buf path = BUF_INIT;

	buf_addch(to, '{');
	jtext_add_text(to, "id", thread->id);
	jtext_add_text(to, "sessionId", thread->id);
	jtext_add_buf(to, "preview", &thread->preview);
	jtext_add_bool(to, "ephemeral", thread->ephemeral);
	jtext_add_text(to, "modelProvider", serve->engine->name);
	jtext_add_i64(to, "createdAt", thread->created);
	jtext_add_i64(to, "updatedAt", thread->updated);
	buf_addstr(to, thread->turn ? ",\"status\":{\"type\":\"active\",\"activeFlags\":[]}" : ",\"status\":{\"type\":\"idle\"}");
	if (thread->on_disk) {
		path_of(serve, thread->id, &path);
		jtext_add_buf(to, "path", &path);
	} else
		jtext_add_null(to, "path");
	jtext_add_buf(to, "cwd", &thread->cwd);
	jtext_add_text(to, "cliVersion", PACKAGE_VERSION);
	buf_addstr(to, ",\"source\":\"appServer\",\"gitInfo\":null,\"projectId\":null,\"turns\":[]}");
	buf_release(&path);
}

static void
answer_thread(const struct serve *serve, const char *request, const struct serve_thread *thread)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"thread\":");
	add_thread(serve, &result, thread);
	jtext_add_text(&result, "modelProvider", serve->engine->name);
	add_settings(&result, thread);
	buf_addstr(&result, ",\"approvalsReviewer\":\"user\",\"reasoningEffort\":null}");
	serve_answer(request, result.s);
	buf_release(&result);
}

void
thread_start(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_new(serve, NULL);
	struct buf started = BUF_INIT;
	struct span value;

	thread_take(thread, params);
	take_instructions(thread, params);
	thread->ephemeral = jtext_get(params, "ephemeral", &value) && jtext_type(value) == JTEXT_TRUE;
	answer_thread(serve, request, thread);
	buf_addstr(&started, "{\"thread\":");
	add_thread(serve, &started, thread);
	buf_addch(&started, '}');
	serve_notify(serve, "thread/started", &started);
	buf_release(&started);
}

void
thread_resume(struct serve *serve, const char *request, struct span params)
{
	struct buf name = BUF_INIT, path = BUF_INIT, text = BUF_INIT;
	struct serve_thread *thread = NULL;
	struct err err = ERR_INIT;

	if (!jtext_get_string(params, "threadId", &name))
		serve_refuse(request, "Invalid request: missing field `threadId`");
	else if ((thread = find(serve, name.s)))
		;
	else if (!serve->directory || !key_is_uuid(name.s))
		serve_refuse(request, "no rollout found for this thread id");
	else {
		path_of(serve, name.s, &path);
		if (access(path.s, F_OK) < 0)
			serve_refuse(request, "no rollout found for this thread id");
		else if (!buf_read_file(&text, path.s, SERVE_THREAD_MAX, &err))
			serve_refuse(request, err.text);
		else {
			thread = thread_new(serve, name.s);
			thread->on_disk = true;
			read_kept(thread, &text);
		}
	}
	if (thread) {
		thread_take(thread, params);
		take_instructions(thread, params);
		answer_thread(serve, request, thread);
	}
	buf_release(&name);
	buf_release(&path);
	buf_release(&text);
}

void
thread_list(struct serve *serve, const char *request)
{
	struct buf result = BUF_INIT;
	const struct serve_thread *thread;

	buf_addstr(&result, "{\"data\":[");
	for (thread = serve->threads; thread; thread = thread->next) {
		if (thread != serve->threads)
			buf_addch(&result, ',');
		add_thread(serve, &result, thread);
	}
	buf_addstr(&result, "],\"nextCursor\":null}");
	serve_answer(request, result.s);
	buf_release(&result);
}

struct serve_thread *
thread_of(struct serve *serve, const char *request, struct span params)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	struct serve_thread *thread = NULL;

	if (!jtext_get_string(params, "threadId", &name))
		serve_refuse(request, "Invalid request: missing field `threadId`");
	else if (!(thread = find(serve, name.s))) {
		buf_addf(&text, "thread not found: %.100s", name.s);
		serve_refuse(request, text.s);
	}
	buf_release(&name);
	buf_release(&text);
	return thread;
}

/* ---- the whole */

/* Lines that come in pieces must not stop the engine; a terminal gives whole lines, and belongs to others too. */
static void
never_block(int fd)
{
	struct stat st;
	int flags;

	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && (flags = fcntl(fd, F_GETFL)) >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

struct serve *
serve_new(const struct serve_engine *engine, const char *directory, struct err *err)
{
	struct serve *serve = xcalloc(1, sizeof *serve);
	struct buf inside = BUF_INIT;

	serve->engine = engine;
	if (directory) {
		buf_addf(&inside, "%s/thread", directory);
		if (!statedir_make_for(inside.s, err)) {
			buf_release(&inside);
			free(serve);
			return NULL;
		}
		serve->directory = xstrdup(directory);
	}
	buf_release(&inside);
	line_init(&serve->in, serve_fd(), SERVE_LINE_MAX);
	never_block(serve_fd());
	return serve;
}

void
serve_free(struct serve *serve)
{
	struct serve_thread *thread;
	size_t i;

	if (!serve)
		return;
	while ((thread = serve->threads)) {
		serve->threads = thread->next;
		if (thread->turn) {
			thread->turn->interrupted = true;
			serve->engine->interrupt(thread->turn);
		}
		thread_free(serve, thread);
	}
	for (i = 0; i < serve->n_quiet; i++)
		free(serve->quiet[i]);
	free(serve->quiet);
	free(serve->directory);
	line_release(&serve->in);
	free(serve);
}
