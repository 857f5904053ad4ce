/*
 * agent-runtime-mock - a runtime that says what it is told to
 *
 * reads   requests of the runtime protocol, agent-runtime(7), one JSON object a line
 * writes  answers, notifications and requests of its own, one a line
 *
 * It is for tests and for trying things out: it needs no network, no account and no model, and a script makes it do whatever a runtime
 * might do, good or bad.
 */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "err.h"
#include "mock.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "xalloc.h"

enum { OPT_SCRIPT = OPT_OWN, OPT_CHUNK, OPT_PAUSE, OPT_HOST, OPT_LOGIN, OPT_LOGIN_AFTER, OPT_DRAIN, OPT_COUNTED };

static const struct opt opts[] = {
	{ OPT_SCRIPT, "script", "FILE", "play this script" },
	{ OPT_CHUNK, "chunk", "BYTES", "stream answers in pieces of this size (default: in one)" },
	{ OPT_PAUSE, "pause", "DURATION", "wait this long between two pieces (default 0)" },
	{ OPT_HOST, "host", "NAME", "the execution host that answers name (default dynamic_sessions)" },
	{ OPT_LOGIN, "login-needed", NULL, "turns fail until somebody has logged in" },
	{ OPT_LOGIN_AFTER, "login-after", "DURATION", "a login in the browser is done after this time (default: never)" },
	{ OPT_DRAIN, "drain", NULL, "at the end of the input finish the turns under way first" },
	{ OPT_COUNTED, "counted-ids", NULL, "number the ids, and leave the time out, so that equal input gives equal output" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-runtime-mock",
	.synopsis = "[options] [app-server]",
	.about = "a runtime for tests: speaks the runtime protocol on standard input and output, and says what a script tells it",
	.example = "  agent-runtime-mock --script deny.ndjson",
	.opts = opts,
};

/* What it does when no script says otherwise; the second block is for --login-needed. */
static const char builtin[] = "{\"on\":\"turn\"}\n"
			      "{\"say\":\"Cloud(${host}) response: ${text}\"}\n"
			      "{\"on\":\"turn\"}\n"
			      "{\"fail\":\"authentication required: log in first\",\"info\":\"unauthorized\"}\n";

static void
read_options(struct mock *mock, int *argc, char ***argv)
{
	struct err err = ERR_INIT;
	uint64_t size;
	int key;

	mock->login_ms = -1;
	mock->host = "dynamic_sessions";
	while ((key = opt_next(&cmd, argc, argv)) != -1) {
		bool good = true;

		switch (key) {
		case OPT_SCRIPT:
			script_release(&mock->script);
			good = script_read(&mock->script, opt_arg, &err);
			break;
		case OPT_CHUNK:
			good = num_size(opt_arg, "--chunk", &size, &err);
			if (good)
				mock->chunk = size > MOCK_FILL_MAX ? MOCK_FILL_MAX : (int64_t)size;
			break;
		case OPT_PAUSE:
			good = num_duration(opt_arg, "--pause", &mock->pause_ms, &err);
			break;
		case OPT_HOST:
			mock->host = opt_arg;
			break;
		case OPT_LOGIN:
			mock->login_needed = true;
			break;
		case OPT_LOGIN_AFTER:
			good = num_duration(opt_arg, "--login-after", &mock->login_ms, &err);
			break;
		case OPT_DRAIN:
			mock->drain = true;
			break;
		case OPT_COUNTED:
			mock->counted = true;
			break;
		}
		if (!good)
			die_err(&err);
	}
	/* the real ones are called so: a command line can be the same for all */
	if (*argc == 1 && !strcmp(**argv, "app-server"))
		(*argc)--;
	if (*argc)
		die_usage("there is nothing to do with '%s'", **argv);
}

/* ---- the loop */

/* Plays all that can be played for a while; true when there is more at once. */
static bool
play_all(struct mock *mock)
{
	struct player *player, *next;
	bool more = false;

	for (player = mock->players; player; player = next) {
		next = player->next;
		if (!player->over)
			more |= player_play(mock, player);
	}
	/* a player may have ended another one, so they go afterwards; new ones stand at the end and have not been played */
	for (player = mock->players; player; player = next) {
		next = player->next;
		if (player->over)
			player_free(player);
	}
	return more;
}

static int64_t
next_deadline(const struct mock *mock)
{
	const struct player *player;
	int64_t deadline = *mock->login ? mock->login_at : DEADLINE_NONE;

	for (player = mock->players; player; player = player->next)
		if (player->wait == WAIT_TIME && player->until < deadline)
			deadline = player->until;
	return deadline;
}

static bool
turns_left(const struct mock *mock)
{
	const struct player *player;

	for (player = mock->players; player; player = player->next)
		if (player->wait != WAIT_EVER && player->wait != WAIT_ANSWER)
			return true;
	return false;
}

/* Takes the whole lines that are held. */
static void
take_lines(struct mock *mock, struct buf *held, size_t *scanned)
{
	size_t start = 0;
	char *stop;

	while (!mock->deaf && (stop = memchr(held->s + *scanned, '\n', held->len - *scanned))) {
		size_t n = (size_t)(stop - (held->s + start));

		*stop = '\0';
		mock_line(mock, held->s + start, n);
		start = *scanned = (size_t)(stop + 1 - held->s);
	}
	buf_consume(held, start);
	*scanned = mock->deaf ? 0 : held->len;
	if (held->len > MOCK_LINE_MAX) {
		warn("unable to take a line: it has more than %u bytes", MOCK_LINE_MAX);
		buf_reset(held);
		*scanned = 0;
	}
}

static void
run(struct mock *mock)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct buf held = BUF_INIT;
	size_t scanned = 0;
	bool eof = false, more;
	ssize_t n;

	for (;;) {
		more = play_all(mock);
		if (!more && eof && (mock->drain ? !turns_left(mock) : !mock->stay))
			break;
		if (!more)
			out_flush();
		if (poll(&in, mock->deaf || eof ? 0 : 1, more ? 0 : deadline_poll(next_deadline(mock))) < 0 && errno != EINTR)
			die_errno(STATUS_IO, "unable to wait");
		if (*mock->login && !deadline_left(mock->login_at))
			mock_login_done(mock, true);
		if (mock->deaf || eof || !in.revents)
			continue;
		in.revents = 0;
		buf_reserve(&held, 65536);
		n = read(STDIN_FILENO, held.s + held.len, 65536);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die_errno(STATUS_IO, "unable to read standard input");
		if (n > 0) {
			held.len += (size_t)n;
			held.s[held.len] = '\0';
			take_lines(mock, &held, &scanned);
		} else if (n == 0)
			eof = true;
		if (eof && !mock->drain && !mock->stay)
			break;
	}
	buf_release(&held);
}

int
main(int argc, char *argv[])
{
	struct mock mock = { .next_ask = 0 };
	const struct block *block;

	cmd_init(&cmd);
	buf_init(&mock.script.bytes);
	buf_init(&mock.builtin.bytes);
	buf_init(&mock.seen);
	read_options(&mock, &argc, &argv);
	buf_addstr(&mock.builtin.bytes, builtin);
	if (!script_parse(&mock.builtin, NULL))
		die(STATUS_BUG, "unable to read the built-in script");
	if ((block = script_find(&mock.script, "start", NULL, 1)))
		player_new(&mock, block);
	run(&mock);
	mock_free(&mock);
	return out_close();
}
