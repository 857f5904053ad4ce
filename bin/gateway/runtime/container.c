/* container.c - the container of a session host */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "fetch/fetch.h"
#include "hash.h"
#include "jtext.h"
#include "key.h"
#include "runtime/child.h"
#include "runtime/container.h"
#include "runtime/runtime.h"
#include "utf8.h"
#include "xalloc.h"

#define ARGS_MAX 64
#define ENV_NAME "SESSION_RUNTIME_TOKEN="

/* What is being done. LOOK and FOUND: one that may be there already. */
enum step { STEP_NONE, STEP_LOOK, STEP_FOUND, STEP_CLEAR, STEP_IMAGE, STEP_RUN, STEP_PORT, STEP_HEALTH, STEP_READY, STEP_REMOVE };

struct container {
	struct event_base *base;
	struct fetcher *fetcher;
	const struct runtime_container *settings;
	struct container_calls calls;
	void *payload;
	enum step step;
	struct child *command;
	struct fetch *fetch;
	struct event *timer;
	char *engine; /* its words, cut apart */
	const char *words[CONTAINER_WORDS_MAX];
	size_t n_words;
	struct buf name, token, url, said, complaint, why;
	const char *code;
	int64_t deadline;
	bool used; /* there may be one */
	bool late; /* the command took too long, and was ended */
	bool wanted, leaving;
};

static void proceed(struct container *container, enum step step);

static void
soon(struct container *container, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(container->timer, &after);
}

static void fail(struct container *container, const char *code, const char *fmt, ...) PRINTF(3, 4);
static void
fail(struct container *container, const char *code, const char *fmt, ...)
{
	va_list args;

	buf_reset(&container->why);
	va_start(args, fmt);
	buf_vaddf(&container->why, fmt, args);
	va_end(args);
	container->code = code;
	container->step = STEP_NONE;
	soon(container, 0); /* told by the timer */
}

/* ---- its secret */

static bool
read_secret(struct container *container, struct err *err)
{
	struct buf text = BUF_INIT;
	bool good;

	good = access(container->settings->secret_file, F_OK) == 0 &&
	    buf_read_file(&text, container->settings->secret_file, CONTAINER_SAID_MAX, err) && !strncmp(text.s, ENV_NAME, strlen(ENV_NAME));
	if (good) {
		buf_reset(&container->token);
		buf_add(&container->token, text.s + strlen(ENV_NAME), strcspn(text.s + strlen(ENV_NAME), "\r\n"));
	}
	if (text.cap)
		explicit_bzero(text.s, text.cap);
	buf_release(&text);
	return good && container->token.len;
}

static bool
make_secret(struct container *container)
{
	const char *file = container->settings->secret_file;
	struct buf text = BUF_INIT;
	bool good = false;
	int fd;

	buf_reset(&container->token);
	key_add_uuid(&container->token);
	key_add_uuid(&container->token);
	buf_addf(&text, ENV_NAME "%s\n", container->token.s);
	(void)unlink(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		good = buf_write_fd(&text, fd) == text.len;
		good = !close(fd) && good;
	}
	explicit_bzero(text.s, text.len);
	buf_release(&text);
	return good;
}

/* ---- the engine's commands */

static void
add_line(struct buf *to, const char *s, size_t n)
{
	if (to->len + n + 1 <= CONTAINER_SAID_MAX) {
		buf_add(to, s, n);
		buf_addch(to, '\n');
	}
}

static void
on_line(const char *s, size_t n, void *payload)
{
	add_line(&((struct container *)payload)->said, s, n);
}

static void
on_errors(const char *s, size_t n, void *payload)
{
	struct container *container = payload;

	buf_add(&container->complaint, s, n);
	if (container->complaint.len > CONTAINER_SAID_MAX)
		buf_consume(&container->complaint, container->complaint.len - CONTAINER_SAID_MAX);
}

static void
on_nothing(void *payload)
{
	(void)payload;
}

static void
on_closed(bool input, void *payload)
{
	(void)input;
	(void)payload;
}

/* The last line that the command complained with, safe to show. */
static void
add_complaint(const struct container *container, struct buf *to)
{
	const struct buf *text = &container->complaint;
	size_t end = text->len, first;

	while (end && strchr("\r\n", text->s[end - 1]))
		end--;
	for (first = end; first && text->s[first - 1] != '\n'; first--)
		;
	if (end - first > 512)
		end = first + 512;
	if (first < end)
		utf8_safe(to, text->s + first, end - first, UTF8_SAFE_LINE);
	else
		buf_addstr(to, "it did not say why");
}

/* The address that the engine named for the port: 127.0.0.1:PORT. */
static bool
take_port(struct container *container)
{
	const char *at = strstr(container->said.s, "127.0.0.1:");
	size_t n = at ? strspn(at + 10, "0123456789") : 0;

	if (!n || n > 5)
		return false;
	buf_reset(&container->url);
	buf_addf(&container->url, "http://127.0.0.1:%.*s", (int)n, at + 10);
	return true;
}

static void
command_over(struct container *container, bool good)
{
	struct buf why = BUF_INIT;

	if (container->late)
		buf_addf(&why, "it took longer than %d s", CONTAINER_COMMAND_MS / 1000);
	else
		add_complaint(container, &why);
	switch (container->step) {
	case STEP_LOOK:
		if (good && take_port(container))
			proceed(container, STEP_FOUND);
		else
			proceed(container, STEP_CLEAR);
		break;
	case STEP_CLEAR:
		proceed(container, STEP_IMAGE); /* mostly there was none; trouble shows when it is started */
		break;
	case STEP_IMAGE:
		if (good)
			proceed(container, STEP_RUN);
		else if (strstr(why.s, "o such image") || strstr(why.s, "not known") || strstr(why.s, "ailed to find"))
			fail(container, "AGENT_RUNTIME_IMAGE_MISSING",
			    "There is no image '%s': make it with agent-image-build, or set AGENT_CONTAINER_IMAGE",
			    container->settings->image);
		else
			fail(container, "AGENT_RUNTIME_ENGINE_MISSING",
			    "The container engine '%s' does not work: %s; see that it runs ('%s info'), or name another in AGENT_CONTAINER_ENGINE",
			    container->words[0], why.s, container->settings->engine);
		break;
	case STEP_RUN:
		container->used = true;
		if (good)
			proceed(container, STEP_PORT);
		else
			fail(container, "AGENT_RUNTIME_CONTAINER_FAILED",
			    "The container '%s' could not be started: %s; mend that, or see AGENT_CONTAINER_MEMORY, _CPUS, _PIDS and _ENV_FILE in agent-runtime-docker(7)",
			    container->name.s, why.s);
		break;
	case STEP_PORT:
		if (good && take_port(container)) {
			container->deadline = deadline_in(CONTAINER_HEALTH_MS);
			proceed(container, STEP_HEALTH);
		} else
			fail(container, "AGENT_RUNTIME_CONTAINER_FAILED", "The container '%s' ended at once; look at its logs: %s logs %s",
			    container->name.s, container->words[0], container->name.s);
		break;
	case STEP_REMOVE:
		container->step = STEP_NONE;
		container->used = false;
		container->calls.gone(container->payload); /* the last thing: we may be freed by it */
		break;
	case STEP_NONE:
	case STEP_FOUND:
	case STEP_HEALTH:
	case STEP_READY:
		break;
	}
	buf_release(&why);
}

static void
on_ended(int wait_status, void *payload)
{
	struct container *container = payload;

	container->command->kind->free(container->command);
	container->command = NULL;
	event_del(container->timer);
	if (container->leaving && container->step != STEP_REMOVE)
		proceed(container, STEP_REMOVE);
	else
		command_over(container, WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0);
}

static void
run(struct container *container, const char *const *args)
{
	static const struct child_calls calls = {
		.line = on_line, .too_long = on_nothing, .turn = on_nothing, .errors = on_errors, .closed = on_closed, .ended = on_ended
	};
	const char *argv[CONTAINER_WORDS_MAX + ARGS_MAX];
	struct child_setup setup = { .argv = argv, .line_max = CONTAINER_SAID_MAX, .unsent_max = 1 };
	struct err err = ERR_INIT;
	size_t n;

	for (n = 0; n < container->n_words; n++)
		argv[n] = container->words[n];
	while (*args && n < ARRAY_LEN(argv) - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	buf_reset(&container->said);
	buf_reset(&container->complaint);
	container->late = false;
	container->command = child_start(container->base, &setup, &calls, container, &err);
	if (container->command) {
		container->command->kind->end(
		    container->command, true, 2 * CONTAINER_COMMAND_MS); /* its input ends; SIGTERM when it is late */
		soon(container, CONTAINER_COMMAND_MS);
	} else if (container->step == STEP_REMOVE) {
		container->step = STEP_NONE;
		soon(container, 0);
	} else
		fail(container, "AGENT_RUNTIME_ENGINE_MISSING",
		    "%s: install podman or docker, or name the command in AGENT_CONTAINER_ENGINE", err.text);
}

static void
start_it(struct container *container)
{
	const struct runtime_container *settings = container->settings;
	const char *args[ARGS_MAX];
	size_t n = 0, i;
	char port[32];
	static const char *const fixed[] = { "--read-only", "--tmpfs", "/tmp:rw,size=256m,mode=1777", "--cap-drop=ALL",
		"--security-opt=no-new-privileges", "--user", "65534:65534", "--workdir", "/tmp", "--stop-timeout", "2", "--ulimit",
		"nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--env", "HOST=0.0.0.0", "--env", "PORT=8080", "--env", "HOME=/tmp" };

	snprintf(port, sizeof port, "127.0.0.1::%d", CONTAINER_PORT);
	args[n++] = "run";
	args[n++] = "--detach";
	args[n++] = "--name";
	args[n++] = container->name.s;
	args[n++] = "--label";
	args[n++] = "agentutils=session-host";
	for (i = 0; i < ARRAY_LEN(fixed); i++)
		args[n++] = fixed[i];
	args[n++] = "--memory";
	args[n++] = settings->memory;
	args[n++] = "--cpus";
	args[n++] = settings->cpus;
	args[n++] = "--pids-limit";
	args[n++] = settings->pids;
	args[n++] = "--publish";
	args[n++] = port;
	args[n++] = "--env-file";
	args[n++] = settings->secret_file;
	if (settings->env_file) {
		args[n++] = "--env-file";
		args[n++] = settings->env_file;
	}
	args[n++] = settings->image;
	args[n] = NULL;
	run(container, args);
}

/* ---- is it well? */

static void
on_health(const struct fetch_answer *answer, void *payload)
{
	struct container *container = payload;
	struct span object, boot;

	container->fetch = NULL;
	if (answer->result == FETCH_DONE && answer->status == 200 && jtext_check(answer->body.s, answer->body.len, true, &object, NULL) &&
	    jtext_get(object, "bootId", &boot)) {
		container->step = STEP_READY;
		container->used = true;
		container->wanted = false;
		container->calls.ready(container->url.s, container->token.s, container->payload);
	} else if (container->step == STEP_FOUND)
		proceed(container, STEP_CLEAR); /* not ours, or not well */
	else if (deadline_left(container->deadline))
		soon(container, CONTAINER_LOOK_MS);
	else
		fail(container, "AGENT_RUNTIME_CONTAINER_FAILED",
		    "The session host in the container '%s' did not answer within %d s; look at its logs: %s logs %s", container->name.s,
		    CONTAINER_HEALTH_MS / 1000, container->words[0], container->name.s);
}

static void
ask_health(struct container *container)
{
	struct buf url = BUF_INIT, header = BUF_INIT;
	const char *headers[] = { NULL, NULL };
	struct fetch_request request = { .method = "GET", .headers = headers, .timeout_ms = 5000, .body_max = 65536 };

	buf_addf(&url, "%s/health", container->url.s);
	buf_addf(&header, "authorization: Bearer %s", container->token.s);
	headers[0] = header.s;
	request.url = url.s;
	container->fetch = fetch_start(container->fetcher, &request, on_health, container);
	explicit_bzero(header.s, header.len);
	buf_release(&url);
	buf_release(&header);
}

/* ---- one step after another */

static void
proceed(struct container *container, enum step step)
{
	const char *name = container->name.s;

	container->step = step;
	switch (step) {
	case STEP_LOOK:
	case STEP_PORT:
		run(container, (const char *const[]){ "port", name, "8080/tcp", NULL });
		break;
	case STEP_FOUND:
	case STEP_HEALTH:
		ask_health(container);
		break;
	case STEP_CLEAR:
	case STEP_REMOVE:
		run(container, (const char *const[]){ "rm", "--force", name, NULL });
		break;
	case STEP_IMAGE:
		run(container, (const char *const[]){ "image", "inspect", container->settings->image, NULL });
		break;
	case STEP_RUN:
		if (make_secret(container))
			start_it(container);
		else
			fail(container, "AGENT_RUNTIME_CONTAINER_FAILED",
			    "The file '%s' cannot be written: %s; make room, or let the gateway write there",
			    container->settings->secret_file, strerror(errno));
		break;
	case STEP_NONE:
	case STEP_READY:
		break;
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct container *container = payload;
	struct err err = ERR_INIT;

	(void)fd;
	(void)what;
	if (container->command) {
		container->late = true;
		container->command->kind->kill(container->command);
	} else if (container->leaving && container->step == STEP_NONE)
		container->calls.gone(container->payload);
	else if (container->step == STEP_HEALTH)
		ask_health(container);
	else if (container->code) {
		const char *code = container->code;

		container->code = NULL;
		container->wanted = false;
		container->calls.failed(code, container->why.s, container->payload);
	} else if (container->wanted && container->step == STEP_NONE)
		proceed(container, read_secret(container, &err) ? STEP_LOOK : STEP_CLEAR);
}

void
container_need(struct container *container)
{
	if (container->wanted || container->leaving)
		return;
	container->wanted = true;
	container->step = STEP_NONE;
	soon(container, 0);
}

void
container_remove(struct container *container)
{
	if (container->leaving)
		return;
	container->leaving = true;
	fetch_cancel(container->fetch);
	container->fetch = NULL;
	if (container->command)
		return; /* on_ended() goes on */
	if (container->used)
		proceed(container, STEP_REMOVE);
	else {
		container->step = STEP_NONE;
		soon(container, 0);
	}
}

/* ---- its life */

struct container *
container_new(struct event_base *base, struct fetcher *fetcher, const struct runtime_container *settings,
    const struct container_calls *calls, void *payload)
{
	struct container *container = xcalloc(1, sizeof *container);
	char *at;

	container->base = base;
	container->fetcher = fetcher;
	container->settings = settings;
	container->calls = *calls;
	container->payload = payload;
	buf_init(&container->name);
	buf_init(&container->token);
	buf_init(&container->url);
	buf_init(&container->said);
	buf_init(&container->complaint);
	buf_init(&container->why);
	buf_addf(&container->name, "agentutils-%016llx", (unsigned long long)hash(settings->secret_file, strlen(settings->secret_file)));
	container->engine = xstrdup(settings->engine);
	for (at = container->engine; *(at += strspn(at, " \t")) && container->n_words < CONTAINER_WORDS_MAX;) {
		container->words[container->n_words++] = at;
		at += strcspn(at, " \t");
		if (*at)
			*at++ = '\0';
	}
	container->used = access(settings->secret_file, F_OK) == 0;
	container->timer = event_new(base, -1, 0, on_timer, container);
	return container;
}

void
container_free(struct container *container)
{
	if (!container)
		return;
	if (container->command)
		container->command->kind->free(container->command);
	fetch_cancel(container->fetch);
	event_free(container->timer);
	if (container->token.cap)
		explicit_bzero(container->token.s, container->token.cap);
	buf_release(&container->name);
	buf_release(&container->token);
	buf_release(&container->url);
	buf_release(&container->said);
	buf_release(&container->complaint);
	buf_release(&container->why);
	free(container->engine);
	free(container);
}
