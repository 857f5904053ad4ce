/* bench-fan.c - one event to many readers: one JSON line
 *
 * bench-fan [-w] [-r READERS] [-e EVENTS] [-p PUBLISHERS] [-P PID,PID...] URL SUBSCRIBE_PATH PUBLISH_PATH BODY
 *
 * Opens READERS streams of server-sent events (-w: WebSockets), publishes one event and waits until all have it; what the processes PID
 * have grown by up to then is the memory of idle streams. Then PUBLISHERS connections post BODY, EVENTS times together, each waiting for
 * its answer; the time runs from the first post to the last reader's last event. An event is a '|' in a stream (BODY has one) and a frame
 * of text in a WebSocket.
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

#define MARK '|'
#define WAIT_MS 20000 /* for readers to be given something */

struct reader {
	int fd;
	bool publisher, open;
	long seen;
	/* of a WebSocket: the head of the frame so far, and what is left of the frame */
	unsigned char head[10];
	size_t n_head;
	uint64_t left;
	struct load_answer *answer; /* of a publisher; of a reader until its stream is open */
};

static bool sockets;
static long n_readers = 1, n_events = 1000, n_publishers = 16;
static const char *url, *subscribe_path, *publish_path, *body;
static struct reader *readers, *publishers;
static long opened, target, reached, published, confirmed, to_publish;
static uint64_t bytes_seen;
static struct buf post = BUF_INIT;
static char input[1 << 18];
static int epoll;

/* ---- what a reader gets */

static void
count_frames(struct reader *reader, const unsigned char *bytes, size_t n)
{
	while (n) {
		size_t need;

		if (reader->left) {
			size_t skip = reader->left < n ? (size_t)reader->left : n;

			reader->left -= skip;
			bytes += skip;
			n -= skip;
			continue;
		}
		reader->head[reader->n_head++] = *bytes++;
		n--;
		if (reader->n_head < 2)
			continue;
		need = reader->head[1] == 126 ? 4 : reader->head[1] == 127 ? 10 : 2;
		if (reader->n_head < need)
			continue;
		if (need == 2)
			reader->left = reader->head[1];
		else {
			size_t i;

			for (i = 2; i < need; i++)
				reader->left = reader->left << 8 | reader->head[i];
		}
		if ((reader->head[0] & 0x0f) == 8)
			die(STATUS_PROTOCOL, "unable to read on: the server closed a WebSocket");
		reader->seen += (reader->head[0] & 0x0f) == 1;
		reader->n_head = 0;
	}
}

static void
count_marks(struct reader *reader, const char *bytes, size_t n)
{
	const char *end = bytes + n;

	while ((bytes = memchr(bytes, MARK, (size_t)(end - bytes)))) {
		reader->seen++;
		bytes++;
	}
}

static void
read_stream(struct reader *reader, const char *bytes, size_t n)
{
	long before = reader->seen;

	if (!reader->open) {
		size_t used = load_head(reader->answer, bytes, n);

		if (!reader->answer->body)
			return;
		if (reader->answer->status != (sockets ? 101 : 200))
			die(STATUS_PROTOCOL, "unable to subscribe: the server answers %d", reader->answer->status);
		free(reader->answer);
		reader->answer = NULL;
		reader->open = true;
		opened++;
		bytes += used;
		n -= used;
	}
	bytes_seen += n;
	if (sockets)
		count_frames(reader, (const unsigned char *)bytes, n);
	else
		count_marks(reader, bytes, n);
	reached += before < target && reader->seen >= target;
}

/* ---- publishing */

static void
publish(struct reader *publisher)
{
	if (published == to_publish)
		return;
	published++;
	load_write(publisher->fd, post.s, post.len);
}

static void
read_answer(struct reader *publisher, const char *bytes, size_t n)
{
	if (!load_feed(publisher->answer, bytes, n))
		return;
	if (publisher->answer->status < 200 || publisher->answer->status > 299)
		die(STATUS_PROTOCOL, "unable to publish: the server answers %d", publisher->answer->status);
	confirmed++;
	publish(publisher);
}

/* ---- the loop */

static void
turn(const char *what)
{
	struct epoll_event events[1024];
	int n = epoll_wait(epoll, events, ARRAY_LEN(events), WAIT_MS), i;

	if (!n)
		die(STATUS_TIMEOUT,
		    "unable to %s: nothing comes any more: %ld of %ld readers open, %ld have all of %ld events, %ld of %ld posts answered",
		    what, opened, n_readers, reached, target, confirmed, to_publish);
	for (i = 0; i < n; i++) {
		struct reader *reader = events[i].data.ptr;
		ssize_t got = read(reader->fd, input, sizeof input);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			die(STATUS_PROTOCOL, "unable to %s: the server closed a connection", what);
		if (reader->publisher)
			read_answer(reader, input, (size_t)got);
		else
			read_stream(reader, input, (size_t)got);
	}
}

static struct reader *
open_all(long n, bool publisher)
{
	struct reader *all = xcalloc((size_t)n, sizeof *all);
	struct buf request = BUF_INIT;
	long i;

	load_request(&request, "GET", subscribe_path,
	    sockets
		? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
		: "Accept: text/event-stream\r\n",
	    NULL, 0);
	for (i = 0; i < n; i++) {
		struct epoll_event wants = { .events = EPOLLIN, .data.ptr = &all[i] };

		all[i].fd = load_connect(url);
		all[i].publisher = publisher;
		all[i].answer = xcalloc(1, sizeof *all[i].answer);
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &wants);
		if (!publisher)
			load_write(all[i].fd, request.s, request.len);
		while (!publisher && opened < i - 100) /* not more at once than a backlog holds */
			turn("subscribe");
	}
	buf_release(&request);
	while (!publisher && opened < n)
		turn("subscribe");
	return all;
}

/* n more events to everybody. */
static void
spread(long n)
{
	long i;

	target += n;
	reached = 0;
	published = confirmed = 0;
	to_publish = n;
	for (i = 0; i < n_publishers; i++)
		publish(&publishers[i]);
	while (reached < n_readers || confirmed < to_publish)
		turn("publish");
}

/* ---- what the server's processes use */

static long
status_of(const char *pid, const char *what)
{
	char name[64], line[256];
	long kib = 0;
	FILE *file;

	snprintf(name, sizeof name, "/proc/%s/status", pid);
	file = fopen(name, "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, what, strlen(what)))
			kib = strtol(line + strlen(what), NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static double
cpu_of(const char *pid)
{
	char name[64], line[1024];
	double ticks = 0;
	FILE *file;

	snprintf(name, sizeof name, "/proc/%s/stat", pid);
	file = fopen(name, "r");
	if (file && fgets(line, sizeof line, file)) {
		unsigned long user = 0, system = 0;
		const char *at = strrchr(line, ')');

		if (at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
			ticks = (double)(user + system);
	}
	if (file)
		fclose(file);
	return ticks / (double)sysconf(_SC_CLK_TCK);
}

static double
sum(const char *pids, bool cpu)
{
	char *copy = xstrdup(pids), *at = copy, *pid;
	double all = 0;

	while ((pid = strsep(&at, ",")))
		all += cpu ? cpu_of(pid) : (double)status_of(pid, "VmRSS:");
	free(copy);
	return all;
}

int
main(int argc, char **argv)
{
	double resident, idle, cpu, seconds;
	const char *pids = "";
	int64_t begin;
	int c;

	die_program = "bench-fan";
	while ((c = getopt(argc, argv, "wr:e:p:P:")) != -1)
		switch (c) {
		case 'w':
			sockets = true;
			break;
		case 'r':
			n_readers = load_number(optarg, "readers");
			break;
		case 'e':
			n_events = load_number(optarg, "events");
			break;
		case 'p':
			n_publishers = load_number(optarg, "publishers");
			break;
		case 'P':
			pids = optarg;
			break;
		default:
			die_usage("unknown option");
		}
	if (argc - optind != 4)
		die_usage("expected URL SUBSCRIBE_PATH PUBLISH_PATH BODY");
	url = argv[optind];
	subscribe_path = argv[optind + 1];
	publish_path = argv[optind + 2];
	body = argv[optind + 3];
	epoll = epoll_create1(0);
	load_request(&post, "POST", publish_path, "", body, strlen(body));
	resident = sum(pids, false);
	readers = open_all(n_readers, false);
	publishers = open_all(n_publishers, true); /* now: a server ends connections that say nothing */
	spread(1);
	idle = sum(pids, false) - resident;
	bytes_seen = 0;
	cpu = sum(pids, true);
	begin = clock_monotonic_us();
	spread(n_events);
	seconds = (double)(clock_monotonic_us() - begin) / 1e6;
	cpu = sum(pids, true) - cpu;
	printf("{\"rate\":%.0f,\"seconds\":%.3f,\"events\":%ld,\"event_bytes\":%.0f,\"idle_kib\":%.2f,\"server_us\":%.2f}\n",
	    (double)(n_readers * n_events) / seconds, seconds, n_events, (double)bytes_seen / (double)(n_readers * n_events),
	    idle / (double)n_readers, cpu * 1e6 / (double)(n_readers * n_events));
	return STATUS_OK;
}
