/* bench-commands.c - how long commands take and how much memory: one JSON line for each
 *
 * bench-commands ROUNDS COMMAND...
 *
 * Each COMMAND is a line: words at blanks, or for the shell when it has a character that only the shell understands. Every round runs each
 * of them once, so that what else happens on the machine happens to all, and in an order of its own: a small program after a large one finds
 * the caches cold, and one after its like finds them warm. The time is that of the fastest quarter, which is disturbed least.
 * Outputs go to /dev/null. The memory is that of the largest process, the status that of the last round.
 */
#include "compat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "die.h"
#include "jtext.h"
#include "load.h"
#include "xalloc.h"

#define WORDS_MAX 64

struct command {
	const char *text;
	char *words[WORDS_MAX + 1];
	int64_t *took;
	long kib;
	double cpu_ms;
	int status;
};

static void
split(struct command *command)
{
	static char shell[] = "/bin/sh", option[] = "-c";
	char *copy = xstrdup(command->text), *word;
	size_t n = 0;

	if (strpbrk(command->text, "|<>;$'\"*()")) {
		command->words[0] = shell;
		command->words[1] = option;
		command->words[2] = copy;
		return;
	}
	while ((word = strsep(&copy, " ")))
		if (*word && n < WORDS_MAX)
			command->words[n++] = word;
}

static void
run(struct command *command, long round)
{
	int64_t begin = clock_monotonic_us();
	struct rusage used;
	int status;
	pid_t pid = vfork();

	if (pid < 0)
		die_errno(STATUS_IO, "unable to start '%s'", command->text);
	if (!pid) {
		execvp(command->words[0], command->words);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &used) < 0)
		die_errno(STATUS_IO, "unable to wait for '%s'", command->text);
	command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	command->took[round] = clock_monotonic_us() - begin;
	if (used.ru_maxrss > command->kib)
		command->kib = used.ru_maxrss;
	command->cpu_ms += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
	    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

/* The same in every run. */
static void
shuffle(int *order, int n)
{
	static uint64_t state = 1;
	int i, j, other;

	for (i = n - 1; i > 0; i--) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		j = (int)((state >> 33) % (uint64_t)(i + 1));
		other = order[j];
		order[j] = order[i];
		order[i] = other;
	}
}

int
main(int argc, char **argv)
{
	int n = argc - 2, i, *order, out, null = open("/dev/null", O_RDWR);
	struct command *commands;
	struct buf line = BUF_INIT;
	long rounds, r;
	FILE *to;

	die_program = "bench-commands";
	if (n < 1)
		die_usage("expected ROUNDS COMMAND...");
	rounds = load_number(argv[1], "rounds");
	commands = xcalloc((size_t)n, sizeof *commands);
	order = xcalloc((size_t)n, sizeof *order);
	for (i = 0; i < n; i++) {
		order[i] = i;
		commands[i].text = argv[i + 2];
		commands[i].took = xcalloc((size_t)rounds + 1, sizeof *commands[i].took);
		split(&commands[i]);
	}
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	to = out < 0 ? NULL : fdopen(out, "w");
	if (!to || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		die_errno(STATUS_IO, "unable to set the outputs up");
	for (r = rounds > 1 ? -1 : 0; r < rounds; r++) /* one more, that warms the caches, unless there is one only */
		for (shuffle(order, n), i = 0; i < n; i++)
			run(&commands[order[i]], r < 0 ? 0 : r);
	for (i = 0; i < n; i++) {
		struct command *command = &commands[i];

		load_sort(command->took, (size_t)rounds);
		buf_reset(&line);
		buf_addch(&line, '{');
		jtext_add_string(&line, "command", command->text, strlen(command->text));
		fprintf(to, "%s,\"ms\":%.3f,\"min_ms\":%.3f,\"cpu_ms\":%.3f,\"kib\":%ld,\"status\":%d}\n", line.s,
		    load_percentile_ms(command->took, (size_t)rounds, 25), load_percentile_ms(command->took, (size_t)rounds, 0),
		    command->cpu_ms / (double)(rounds + 1), command->kib, command->status);
	}
	return fclose(to) ? STATUS_IO : STATUS_OK;
}
