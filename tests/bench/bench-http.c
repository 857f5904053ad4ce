/* bench-http.c - how many requests a server answers, and how long each waits: one JSON line
 *
 * bench-http [-m METHOD] [-b BODY] [-n REQUESTS] [-t SECONDS] CONNECTIONS PATH URL...
 *
 * Each connection asks, waits for the answer and asks again; they are spread evenly over the URLs. In PATH and BODY "%c" is the
 * connection's number and "%n" that of the request. It ends after so many requests or so many seconds, whichever is first. One thread, no
 * parsing beyond the length of an answer: so the client takes a small part of what it measures.
 */
#include "compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "die.h"
#include "load.h"
#include "xalloc.h"

struct asker {
	int fd;
	long number;
	int64_t asked;
	struct load_answer answer;
};

static const char *method = "GET", *body, *path;
static long limit = 1000000000, asked, answered, refused;
static int64_t *took;
static size_t max_took;
static char input[1 << 18];

static void
fill(struct buf *to, const char *pattern, long connection, long request)
{
	for (; *pattern; pattern++)
		if (pattern[0] == '%' && (pattern[1] == 'c' || pattern[1] == 'n'))
			buf_addu64(to, (uint64_t)(*++pattern == 'c' ? connection : request));
		else
			buf_addch(to, *pattern);
}

static void
ask(struct asker *asker)
{
	static struct buf request = BUF_INIT, where = BUF_INIT, what = BUF_INIT;

	if (asked == limit)
		return;
	asked++;
	buf_reset(&request);
	buf_reset(&where);
	buf_reset(&what);
	fill(&where, path, asker->number, asked);
	if (body)
		fill(&what, body, asker->number, asked);
	load_request(&request, method, where.s, "", body ? what.s : NULL, what.len);
	asker->asked = clock_monotonic_us();
	load_write(asker->fd, request.s, request.len);
}

static void
hear(struct asker *asker)
{
	ssize_t n = read(asker->fd, input, sizeof input);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		die(STATUS_PROTOCOL, "unable to read an answer: the server closed the connection");
	if (!load_feed(&asker->answer, input, (size_t)n))
		return;
	if ((size_t)answered == max_took) {
		max_took = max_took ? 2 * max_took : 65536;
		took = xrealloc(took, max_took * sizeof *took);
	}
	took[answered++] = clock_monotonic_us() - asker->asked;
	refused += asker->answer.status < 200 || asker->answer.status > 299;
	ask(asker);
}

int
main(int argc, char **argv)
{
	long seconds = 5, connections, i;
	struct epoll_event events[256];
	struct asker *askers;
	int64_t begin, end;
	int c, poll = epoll_create1(0);

	die_program = "bench-http";
	while ((c = getopt(argc, argv, "m:b:n:t:")) != -1)
		switch (c) {
		case 'm':
			method = optarg;
			break;
		case 'b':
			body = optarg;
			break;
		case 'n':
			limit = load_number(optarg, "requests");
			break;
		case 't':
			seconds = load_number(optarg, "seconds");
			break;
		default:
			die_usage("unknown option");
		}
	argc -= optind;
	argv += optind;
	if (argc < 3)
		die_usage("expected CONNECTIONS PATH URL...");
	connections = load_number(argv[0], "connections");
	path = argv[1];
	askers = xcalloc((size_t)connections, sizeof *askers);
	for (i = 0; i < connections; i++) {
		struct epoll_event wants = { .events = EPOLLIN, .data.ptr = &askers[i] };

		askers[i].number = i;
		askers[i].fd = load_connect(argv[2 + i % (argc - 2)]);
		epoll_ctl(poll, EPOLL_CTL_ADD, askers[i].fd, &wants);
	}
	begin = clock_monotonic_us();
	end = begin + seconds * 1000000;
	for (i = 0; i < connections; i++)
		ask(&askers[i]);
	while (answered < asked && clock_monotonic_us() < end) {
		int n = epoll_wait(poll, events, ARRAY_LEN(events), LOAD_WAIT_MS), k;

		if (!n)
			die(STATUS_TIMEOUT, "unable to read an answer: none comes");
		for (k = 0; k < n; k++)
			hear(events[k].data.ptr);
	}
	end = clock_monotonic_us();
	load_sort(took, (size_t)answered);
	printf("{\"rate\":%.0f,\"n\":%ld,\"refused\":%ld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
	    (double)answered * 1e6 / (double)(end - begin), answered, refused, load_percentile_ms(took, (size_t)answered, 50),
	    load_percentile_ms(took, (size_t)answered, 99), load_percentile_ms(took, (size_t)answered, 100));
	free(askers);
	return refused && refused == answered ? STATUS_NO : STATUS_OK;
}
