/* serve_client.h - the client of a runtime that is fuzzed (serve.h): what it asks, on our standard input, and what it is told, which is JSON */
#ifndef SERVE_CLIENT_H
#define SERVE_CLIENT_H

#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/runtimes/serve_internal.h"
#include "out.h"

#define BYTES_MAX 65536 /* of one input: what a pipe takes at once */

static int client = -1; /* its end of our standard input */
static int own_out;	/* where ours goes between two inputs: the tests' lines */
static FILE *told;

static inline void
client_make(void)
{
	int pipe_fds[2];

	told = tmpfile();
	own_out = dup(STDOUT_FILENO);
	if (!told || own_out < 0 || pipe(pipe_fds) < 0 || dup2(pipe_fds[0], STDIN_FILENO) < 0)
		abort();
	close(pipe_fds[0]);
	client = pipe_fds[1];
}

/* What is written from here on goes to a file, or to where it went before. */
static inline void
turn_out_to(int fd)
{
	out_flush();
	fflush(stdout);
	if (dup2(fd, STDOUT_FILENO) < 0)
		abort();
}

static inline void
each_is_json(const char *s, size_t n)
{
	const char *end = s + n, *stop;
	struct span value;

	for (; s < end; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop || !jtext_check(s, (size_t)(stop - s), true, &value, NULL) || jtext_type(value) != JTEXT_OBJECT)
			abort();
	}
}

static inline void
client_asks(struct serve *serve, const char *s, size_t n)
{
	if (write(client, s, n) != (ssize_t)n || write(client, "\n", 1) != 1 || !serve_read(serve))
		abort();
}

/* METHOD of the first thread; more: the other params */
static inline void
client_asks_of_turn(struct serve *serve, const char *method, const char *more)
{
	const struct serve_thread *thread = serve->threads;
	struct buf line = BUF_INIT;

	while (thread->next)
		thread = thread->next;
	buf_addf(&line, "{\"id\":1,\"method\":\"%s\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\"%s}}", method, thread->id,
	    thread->turn ? thread->turn->id : "", more);
	client_asks(serve, line.s, line.len);
	buf_release(&line);
}

/* Greets it, and starts a thread. */
static inline void
client_opens(struct serve *serve)
{
	static const char greeting[] = "{\"id\":0,\"method\":\"initialize\",\"params\":{}}",
			  opening[] = "{\"id\":0,\"method\":\"thread/start\",\"params\":{\"cwd\":\"/nonexistent\"}}";

	client_asks(serve, greeting, sizeof greeting - 1);
	client_asks(serve, opening, sizeof opening - 1);
}

/* Before an input, and after it: all that the client was told is looked at. */
static inline void
client_begin(void)
{
	if (client < 0)
		client_make();
	if (ftruncate(fileno(told), 0) < 0 || lseek(fileno(told), 0, SEEK_SET) < 0)
		abort();
	turn_out_to(fileno(told));
}

static inline void
client_end(void)
{
	char *text;
	off_t n;

	turn_out_to(own_out);
	n = lseek(fileno(told), 0, SEEK_CUR);
	text = malloc((size_t)n + 1);
	if (!text || pread(fileno(told), text, (size_t)n, 0) != n)
		abort();
	each_is_json(text, (size_t)n);
	free(text);
}

#endif
