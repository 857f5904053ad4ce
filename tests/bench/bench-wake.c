/* bench-wake.c - from a post to the line of a program that follows, which is on standard input: one JSON line
 *
 * PROGRAM | bench-wake N URL RUN FILE
 *
 * Posts N notes to a run, one after another, and waits for the line of each. After each note a block is written to FILE and made durable:
 * what a post takes at least on this disk. `over` is what is left of the middle one when that is taken away.
 */
#include "compat.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "die.h"
#include "load.h"
#include "xalloc.h"

#define WARM 20 /* notes that are not counted */

static char input[1 << 16];

static size_t
read_some(int fd, const char *what)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (!poll(&wait, 1, LOAD_WAIT_MS))
		die(STATUS_TIMEOUT, "unable to read %s: nothing comes", what);
	n = read(fd, input, sizeof input);
	if (n <= 0)
		die(STATUS_PROTOCOL, "unable to read %s: it has ended", what);
	return (size_t)n;
}

int
main(int argc, char **argv)
{
	struct buf request = BUF_INIT, body = BUF_INIT, lines = BUF_INIT;
	int64_t *took, *acknowledged, *synced;
	struct load_answer answer = { 0 };
	static char block[4096];
	double whole, disk;
	long n, i;
	int fd, file;

	die_program = "bench-wake";
	if (argc != 5)
		die_usage("expected N URL RUN FILE");
	n = load_number(argv[1], "N");
	took = xcalloc((size_t)n, sizeof *took);
	acknowledged = xcalloc((size_t)n, sizeof *acknowledged);
	synced = xcalloc((size_t)n, sizeof *synced);
	fd = load_connect(argv[2]);
	file = open(argv[4], O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (file < 0)
		die_errno(STATUS_IO, "unable to open '%s'", argv[4]);
	for (i = -WARM; i < n; i++) {
		char mark[32];
		int64_t begin, answered, seen;

		snprintf(mark, sizeof mark, "\"note %ld.\"", i);
		buf_reset(&body);
		buf_reset(&request);
		buf_reset(&lines);
		buf_addf(&body, "{\"kind\":\"agent.note\",\"message\":%s,\"data\":{\"runId\":\"%s\"}}", mark, argv[3]);
		load_request(&request, "POST", "/api/agents/events", "", body.s, body.len);
		begin = clock_monotonic_us();
		load_write(fd, request.s, request.len);
		while (!load_feed(&answer, input, read_some(fd, "the answer")))
			;
		answered = clock_monotonic_us();
		if (answer.status != 200)
			die(STATUS_PROTOCOL, "unable to post: the server answers %d", answer.status);
		while (!strstr(lines.s ? lines.s : "", mark))
			buf_add(&lines, input, read_some(STDIN_FILENO, "the follower's lines"));
		seen = clock_monotonic_us();
		if (write(file, block, sizeof block) != (ssize_t)sizeof block || fdatasync(file))
			die_errno(STATUS_IO, "unable to write to '%s'", argv[4]);
		if (i >= 0) {
			took[i] = seen - begin;
			acknowledged[i] = answered - begin;
			synced[i] = clock_monotonic_us() - seen;
		}
	}
	load_sort(took, (size_t)n);
	load_sort(acknowledged, (size_t)n);
	load_sort(synced, (size_t)n);
	whole = load_percentile_ms(took, (size_t)n, 50);
	disk = load_percentile_ms(synced, (size_t)n, 50);
	printf("{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"acknowledged_p50_ms\":%.3f,\"fsync_p50_ms\":%.3f,\"over_ms\":%.3f}\n", whole,
	    load_percentile_ms(took, (size_t)n, 99), load_percentile_ms(acknowledged, (size_t)n, 50), disk, whole - disk);
	return STATUS_OK;
}
