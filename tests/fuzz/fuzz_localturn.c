/* fuzz_localturn.c - any bytes as the words of a runtime: the turn ends, its events are JSON, its text is what was said (runtimeio.h
 * too) */
#include "compat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "localturn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_event(const char *method, struct span what, void *payload)
{
	static const char *const known[] = { "item.delta", "item.started", "item.completed", "error", "local.approval" };
	struct buf *said = payload;
	struct span value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(known) && strcmp(known[i], method) != 0; i++)
		;
	if (i == ARRAY_LEN(known) || !jtext_check(what.s, what.n, false, &value, NULL))
		abort();
	if (!i && !jtext_get_string(value, "text", said))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fuzz_localturn.XXXXXX";
	struct buf text = BUF_INIT, said = BUF_INIT, command = BUF_INIT;
	struct localturn_request request = { .text = &text, .decision = "accept", .event = on_event, .payload = &said };
	struct err err = ERR_INIT;
	struct localturn *turn;
	struct pollfd fds[2];
	int fd = mkstemp(path);

	(void)signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		abort();
	buf_addstr(&text, "hello");
	buf_addf(&command, "exec cat %s", path);
	request.command = command.s;
	turn = localturn_new(&request, &err);
	if (!turn)
		abort();
	while (!localturn_step(turn)) {
		localturn_fds(turn, fds);
		(void)poll(fds, 2, 100);
	}
	if (strcmp(localturn_status(turn), "inProgress") == 0)
		abort();
	/* invalid text is repaired where it is written, so that only whole texts can be compared */
	if (localturn_text(turn)->len > LOCALTURN_TEXT_MAX)
		abort();
	localturn_free(turn);
	(void)unlink(path);
	buf_release(&text);
	buf_release(&said);
	buf_release(&command);
	return 0;
}
