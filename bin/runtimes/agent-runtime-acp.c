/*
 * agent-runtime-acp - a runtime that drives an agent of the Agent Client Protocol
 *
 * reads   requests of the runtime protocol, agent-runtime(7), one JSON object a line
 * writes  answers and notifications, one a line
 *
 * The agent is one process for all threads, started with the first turn; each thread is a session there. It asks before it does something,
 * and what it asks goes to the client as an approval. Its death fails the turns that are in it; the next turn starts another.
 */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "acp.h"
#include "clock.h"
#include "core.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "sig.h"
#include "status.h"
#include "xalloc.h"

#define START_MS 60000	/* the agent's greeting, and a session */
#define TURN_MS 3600000 /* a turn */
#define WORDS_MAX 64	/* words of --command */

enum { OPT_COMMAND = OPT_OWN, OPT_STATE, OPT_AUTH, OPT_KEY_ENV, OPT_START, OPT_TURN };

static const struct opt opts[] = {
	{ OPT_COMMAND, "command", "WORDS", "the agent's command, split at blanks; or give it after --" },
	{ OPT_STATE, "state", "DIR", "where threads are kept, so that they can be resumed (default: nowhere)" },
	{ OPT_AUTH, "auth", "METHOD", "log in to the agent by this one of its methods" },
	{ OPT_KEY_ENV, "key-env", "NAME", "the agent's variable for a key that a client logs in with" },
	{ OPT_START, "start-timeout", "DURATION", "longest time until the agent is ready (default 1m)" },
	{ OPT_TURN, "turn-timeout", "DURATION", "longest time of a turn (default 1h)" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-runtime-acp",
	.synopsis = "[options] -- COMMAND [ARGUMENT ...]",
	.about = "a runtime on any agent that speaks the Agent Client Protocol",
	.example = "  agent-gateway --runtime 'agent-runtime-acp -- gemini --experimental-acp'",
	.opts = opts,
	.words_are_text = true,
};

/* ---- the loop */

static void
look_at_clock(struct acp *acp)
{
	struct talk *talk, *next;

	for (talk = acp->talks; talk && !acp->dying.len; talk = next) {
		next = talk->next;
		if (deadline_left(talk->deadline))
			continue;
		if (talk->turn->interrupted)
			buf_addstr(&acp->dying, "the agent did not stop when it was told to, and was ended");
		else if (talk->state == WAITS_AGENT)
			buf_addstr(&acp->dying, "the agent was not ready in time; see --start-timeout");
		else if (talk->state == WAITS_SESSION)
			talk_end(talk, "the agent opened no session in time; see --start-timeout", INTERNAL, NULL);
		else
			buf_addstr(&acp->dying, "the turn took too long, and its agent was ended; see --turn-timeout");
	}
}

static int64_t
next_deadline(const struct acp *acp)
{
	int64_t deadline = DEADLINE_NONE;
	const struct talk *talk;

	for (talk = acp->talks; talk; talk = talk->next)
		if (talk->deadline < deadline)
			deadline = talk->deadline;
	return deadline;
}

/* Returns the signal that ends it, 0 at the end of its input. */
static int
run(struct acp *acp, int signals)
{
	struct pollfd fds[4];
	struct buf why = BUF_INIT;

	for (;;) {
		if (acp->dying.len) {
			buf_reset(&why);
			buf_addstr(&why, acp->dying.s);
			agent_stop(acp, why.s);
		}
		out_flush();
		fds[0] = (struct pollfd){ .fd = serve_fd(), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = acp->pid ? acp->out_fd : -1, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = acp->pid && acp->held.len ? acp->in_fd : -1, .events = POLLOUT };
		if (poll(fds, 4, deadline_poll(next_deadline(acp))) < 0 && errno != EINTR)
			die_errno(STATUS_IO, "unable to wait");
		if (fds[1].revents) {
			int signo = sig_take();

			buf_release(&why);
			return signo ? signo : SIGTERM;
		}
		if (fds[3].revents)
			agent_write(acp);
		if (fds[2].revents)
			agent_read(acp);
		look_at_clock(acp);
		if (!acp->dying.len && fds[0].revents && !serve_read(acp->serve))
			break;
	}
	buf_release(&why);
	return 0;
}

/* ---- the key */

static void
on_key(struct serve *serve, const char *key)
{
	struct acp *acp = serve_engine_payload(serve);

	if (*key ? setenv(acp->key_env, key, 1) < 0 : unsetenv(acp->key_env) < 0)
		warn("unable to set '%s' for the agent", acp->key_env);
	acp->has_key = *key != '\0';
	acp->stale = true;
}

static bool
has_key(const struct serve *serve)
{
	return ((const struct acp *)serve_engine_payload(serve))->has_key;
}

/* ---- options */

/* Splits the command at blanks, in place. */
static const char *const *
split(char *text, const char *words[WORDS_MAX + 1])
{
	size_t n = 0;

	for (;;) {
		text += strspn(text, " \t\n");
		if (!*text)
			break;
		if (n == WORDS_MAX)
			die_usage("--command has more than %d words", WORDS_MAX);
		words[n++] = text;
		text += strcspn(text, " \t\n");
		if (*text)
			*text++ = '\0';
	}
	words[n] = NULL;
	return words;
}

int
main(int argc, char *argv[])
{
	struct acp acp = { .start_ms = START_MS, .turn_ms = TURN_MS, .held = BUF_INIT, .dying = BUF_INIT };
	struct serve_engine engine = acp_engine(&acp);
	const char *words[WORDS_MAX + 1], *state = getenv("AGENT_RUNTIME_STATE");
	char *command = NULL;
	struct err err = ERR_INIT;
	int key, signals;

	if (state && !*state)
		state = NULL;
	cmd_init(&cmd);
	core_none();
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		bool good = true;

		switch (key) {
		case OPT_COMMAND:
			free(command);
			command = xstrdup(opt_arg);
			break;
		case OPT_STATE:
			state = opt_arg;
			break;
		case OPT_AUTH:
			acp.auth = opt_arg;
			break;
		case OPT_KEY_ENV:
			acp.key_env = opt_arg;
			if (!*opt_arg || strchr(opt_arg, '='))
				die_usage("unable to use --key-env '%s': it is no name of a variable", opt_arg);
			break;
		case OPT_START:
			good = num_duration(opt_arg, "--start-timeout", &acp.start_ms, &err);
			break;
		case OPT_TURN:
			good = num_duration(opt_arg, "--turn-timeout", &acp.turn_ms, &err);
			break;
		}
		if (!good)
			die_err(&err);
	}
	/* the real ones are called so: a command line can be the same for all */
	if (command && argc == 1 && !strcmp(*argv, "app-server"))
		argc--;
	if (command && argc)
		die_usage("the agent's command is given twice: by --command, and as '%s'", *argv);
	acp.argv = command ? split(command, words) : (const char *const *)argv;
	if (!acp.argv[0])
		die_usage("no agent's command is given");
	if (acp.key_env) {
		engine.key = on_key;
		engine.has_key = has_key;
		acp.has_key = getenv(acp.key_env) && *getenv(acp.key_env);
	}
	signals = sig_catch();
	if (signals < 0)
		die_errno(STATUS_IO, "unable to catch signals");
	signal(SIGPIPE, SIG_IGN);
	acp.serve = serve_new(&engine, state, &err);
	if (!acp.serve)
		die_err(&err);
	key = run(&acp, signals);
	acp.closing = true;
	agent_stop(&acp, "the runtime was ended");
	serve_free(acp.serve);
	buf_release(&acp.held);
	buf_release(&acp.dying);
	free(command);
	if (key) {
		out_flush_quietly();
		sig_die(key);
	}
	return out_close();
}
