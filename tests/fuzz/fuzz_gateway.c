/* fuzz_gateway.c - any bytes on a connection to a whole gateway: every route, body, question and message between agents; what comes back is
 * HTTP, JSON where it says so, and no request is the gateway's own fault
 *
 * The gateway is the daemon itself, with an agent that echoes and one that takes messages of others; it has no runtime and runs no
 * commands. Where this process can have a network of its own it reaches nothing outside; elsewhere inputs that could make it call somebody
 * are left out.
 */
#include "compat.h"

#ifdef __linux__
#include <sched.h>
#endif
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/conn.h"
#include "num.h"
#include "xalloc.h"

int gateway_main(int argc, char *argv[]);
#define main gateway_main
#include "../../bin/gateway/main.c"
#undef main

#define WAIT_MS 200	/* for an answer to the last request; a stream is given up then */
#define BYTES_MAX 65536 /* of one input: what a socket takes at once */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct gateway gateway = GATEWAY_INIT;
static char top[] = "/tmp/fuzz_gateway.XXXXXX";
static bool alone; /* a network of our own */

static const char
    agent[] = "{\"apiVersion\":\"clarity.runtime/v1\",\"kind\":\"MCPService\",\"metadata\":{\"sourceFile\":\"f\",\"module\":\"M\","
	      "\"serviceId\":\"svc_%s\",\"displayName\":\"E\",\"serviceType\":\"agent\",\"agent\":{\"agentId\":\"%s\",\"name\":\"E\","
	      "\"role\":\"r\",\"objective\":\"o\",\"triggers\":[\"api\",\"a2a\"],\"chat\":{\"mode\":\"echo\"},\"a2a\":{\"protocol\":"
	      "\"clarity.a2a.v1\",\"acceptedMessageKinds\":[\"handoff.request\"],\"emitsMessageKinds\":[\"handoff.request\"]}}},"
	      "\"spec\":{\"origin\":{\"type\":\"local_wasm\",\"wasmPath\":\"f\",\"entry\":\"main\"},\"enabled\":true,"
	      "\"autostart\":true,\"restartPolicy\":{\"mode\":\"never\",\"maxRestarts\":0,\"windowSeconds\":60},"
	      "\"policyRef\":\"default\"}}\n";

static int
on_file(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static void
clean(void)
{
	(void)nftw(top, on_file, 16, FTW_DEPTH | FTW_PHYS);
}

static void
write_agent(const char *name)
{
	struct buf path = BUF_INIT;
	FILE *file;

	buf_addf(&path, "%s/agents/%s.json", top, name);
	file = fopen(path.s, "w");
	if (!file)
		abort();
	fprintf(file, agent, name, name);
	fclose(file);
	buf_release(&path);
}

static void
begin(void)
{
	static char state[64], agents[64], address[64];
	static char name[] = "agent-gateway", quiet[] = "--quiet", at[] = "--state", with[] = "--agents", on[] = "--listen";
	static char *argv[] = { name, quiet, at, state, with, agents, on, address, NULL };
	int out;

#ifdef __linux__
	alone = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
#endif
	if (!mkdtemp(top))
		abort();
	atexit(clean);
	snprintf(state, sizeof state, "%s/state", top);
	snprintf(agents, sizeof agents, "%s/agents", top);
	snprintf(address, sizeof address, "unix:%s/socket", top);
	if (mkdir(agents, 0700) < 0)
		abort();
	write_agent("one");
	write_agent("two");
	setenv("AGENT_RUNTIME_PROVIDER", "dynamic_sessions", 1);
	setenv("OPENAI_MODEL", "", 1);
	setenv("AGENT_RUNTIME_CODEX", "", 1);
	setenv("CLARITY_HITL_DIR", "", 1);
	out = dup(STDOUT_FILENO); /* its one record would stand among the tests' */
	if (out < 0 || !freopen("/dev/null", "w", stdout))
		abort();
	configure(&gateway, (int)ARRAY_LEN(argv) - 1, argv);
	set_runtime_state(&gateway);
	start(&gateway);
	(void)out_flush();
	fflush(stdout);
	if (dup2(out, STDOUT_FILENO) < 0)
		abort();
	close(out);
}

/* Reads what there is. False: the gateway has closed. */
static bool
take(int fd, struct buf *answer)
{
	char some[16384];
	ssize_t n;

	while ((n = recv(fd, some, sizeof some, MSG_DONTWAIT)) > 0)
		buf_add(answer, some, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

/* The first answer: an HTTP head, not a 500; JSON where it says that it is and how long. */
static void
check(const struct buf *answer)
{
	const char *end, *length, *body;
	struct span json;
	uint64_t n;
	size_t digits;

	if (!answer->len)
		return;
	if (strncmp(answer->s, "HTTP/1.1 ", 9) != 0 || !strncmp(answer->s + 9, "500", 3))
		abort();
	end = strstr(answer->s, "\r\n\r\n");
	if (!end)
		abort();
	length = strstr(answer->s, "content-length: ");
	if (!length || length > end || !strncmp(answer->s + 9, "304", 3))
		return;
	length += strlen("content-length: ");
	digits = strspn(length, "0123456789");
	body = end + 4;
	if (!num_u64(length, digits, &n))
		abort();
	if (n && n <= answer->len - (size_t)(body - answer->s) && strstr(answer->s, "application/json") &&
	    strstr(answer->s, "application/json") < end && !jtext_check(body, n, true, &json, NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf answer = BUF_INIT;
	bool head_asked = n >= 4 && !memcmp(bytes, "HEAD", 4);
	int64_t end;
	int pair[2];

	if (!gateway.server)
		begin();
	if (n > BYTES_MAX || (!alone && (memmem(bytes, n, "mote_mcp", 8) || memmem(bytes, n, "\\u", 2))))
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	evutil_make_socket_nonblocking(pair[0]);
	conn_open(gateway.server, pair[0], PEER_LOOPBACK, xstrdup("127.0.0.1:1"));
	if (send(pair[1], bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
		abort();
	shutdown(pair[1], SHUT_WR);
	for (end = deadline_in(WAIT_MS); take(pair[1], &answer) && deadline_left(end);)
		event_base_loop(gateway.daemon.base, EVLOOP_ONCE); /* its tick ends this in any case */
	close(pair[1]);
	while (gateway.server->n_conns)
		event_base_loop(gateway.daemon.base, EVLOOP_ONCE);
	if (!head_asked)
		check(&answer);
	if (answer.len && strstr(answer.s, "HTTP/1.1 500") && (!n || !memmem(bytes, n, "1.1 500", 7)))
		abort(); /* of a further request */
	buf_release(&answer);
	return 0;
}
