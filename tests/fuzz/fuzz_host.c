/* fuzz_host.c - any bytes on a connection to a whole session host: every route and body
 *
 * It is the program itself, with the engine that answers each turn with its own text at once: nothing is run.
 */
#include "compat.h"

#include <stdint.h>

#include "server_client.h"

int host_main(int argc, char *argv[]);
#define main host_main
#include "../../bin/runtimes/agent-session-host.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct serve serve = SERVE_INIT;

static void
begin(void)
{
	static char address[64];
	static char name[] = "agent-session-host", quiet[] = "--quiet", on[] = "--listen", in[] = "--root";
	static char *argv[] = { name, quiet, in, top, on, address, NULL };

	snprintf(address, sizeof address, "unix:%s/socket", top);
	setenv("SESSION_RUNTIME_ENGINE", "mock", 1);
	setenv("MOCK_ENGINE_MAX_SLEEP_MS", "0", 1);
	unsetenv(TOKEN_VARIABLE);
	configure(&serve, (int)ARRAY_LEN(argv) - 1, argv);
	start(&serve);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!serve.server)
		begin_server(begin);
	if (n <= BYTES_MAX)
		server_takes(serve.server, serve.daemon.base, bytes, n);
	return 0;
}
