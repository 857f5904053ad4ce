/*
 * agent-prompt - show text above a line that is being typed
 *
 * reads   text from standard input, which it prints above the prompt; keys from the controlling terminal
 * writes  the text and the prompt to the terminal; each line that was typed to --lines
 *
 * Ends when standard input ends, or at Ctrl-D on an empty line.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <editline/readline.h>

#include "buf.h"
#include "die.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "sig.h"

#define HISTORY_MAX 1000 /* lines kept in the history file */

enum { OPT_LINES = OPT_OWN, OPT_HISTORY, OPT_PROMPT };

static const struct opt opts[] = {
	{ OPT_LINES, "lines", "FILE", "where each finished line goes: a file, a FIFO or a descriptor as fd:N (needed)" },
	{ OPT_PROMPT, "prompt", "TEXT", "the prompt (default '> ')" },
	{ OPT_HISTORY, "history", "FILE", "keep what was typed in FILE" },
	OPT_STD,
	OPT_END
};

static const struct cmd cmd = {
	.name = "agent-prompt",
	.synopsis = "[options] --lines FILE",
	.about = "show text above a line that is being typed",
	.example = "  agent-watch run_1 | agent-show | agent-prompt --lines lines.fifo",
	.opts = opts,
};

/* libedit's callback carries no pointer */
static int lines_fd = -1;
static bool ended;
static const char *prompt = "> ";

static int tty_fd = -1;
static struct termios before;

static void
restore_terminal(void)
{
	rl_callback_handler_remove();
	if (tty_fd >= 0)
		tcsetattr(tty_fd, TCSADRAIN, &before);
}

static NORETURN void
end_by(int signo)
{
	restore_terminal();
	if (write(tty_fd, "\n", 1) < 0)
		sig_die(signo);
	sig_die(signo);
}

static void
write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			(void)poll(&p, 1, -1);
			continue;
		}
		if (done < 0) {
			restore_terminal();
			die_errno(STATUS_IO, "unable to write");
		}
		bytes += done;
		n -= (size_t)done;
	}
}

static void
on_line(char *line)
{
	struct buf whole = BUF_INIT;

	if (!line) {
		ended = true;
		rl_callback_handler_remove();
		return;
	}
	if (*line)
		add_history(line);
	buf_addf(&whole, "%s\n", line);
	write_all(lines_fd, whole.s, whole.len);
	buf_release(&whole);
	free(line);
}

/* The prompt's line goes away, the text comes, the prompt and what was typed come back. A piece without a newline at its end waits for
 * the rest, so that the prompt always has a line of its own. */
static void
show_text(struct buf *held, const char *bytes, size_t n)
{
	char *last;
	size_t whole;

	buf_add(held, bytes, n);
	last = memrchr(held->s, '\n', held->len);
	if (!last)
		return;
	whole = (size_t)(last - held->s) + 1;
	write_all(tty_fd, "\r\033[K", 4);
	write_all(tty_fd, held->s, whole);
	buf_consume(held, whole);
	if (!ended)
		rl_forced_update_display();
}

static bool
read_text(struct buf *held)
{
	char bytes[65536];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0)
		show_text(held, bytes, (size_t)n);
	return n > 0;
}

static void
converse(int signals)
{
	struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = tty_fd, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct buf held = BUF_INIT;

	rl_callback_handler_install(prompt, on_line);
	while (!ended) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			break;
		if (fds[2].revents) {
			int signo = sig_take();

			if (signo)
				end_by(signo);
		}
		if (fds[0].revents && !read_text(&held))
			break;
		if (fds[1].revents & (POLLHUP | POLLERR))
			break;
		if (fds[1].revents)
			rl_callback_read_char();
	}
	/* the prompt is not left standing */
	write_all(tty_fd, "\r\033[K", 4);
	if (held.len) {
		write_all(tty_fd, held.s, held.len);
		write_all(tty_fd, "\n", 1);
	}
	buf_release(&held);
}

static int
open_lines(const char *where)
{
	uint64_t n;
	int fd;

	if (!strncmp(where, "fd:", 3)) {
		if (!num_u64(where + 3, strlen(where + 3), &n) || n > 65535)
			die_usage("unable to use --lines '%s': expected fd:N", where);
		return (int)n;
	}
	fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die_errno(STATUS_IO, "unable to open '%s'", where);
	return fd;
}

static void
open_terminal(void)
{
	FILE *in, *out;

	tty_fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (tty_fd < 0 || tcgetattr(tty_fd, &before) < 0)
		die_errno(STATUS_CONFIG, "unable to use the terminal");
	in = fdopen(dup(tty_fd), "r");
	out = fdopen(dup(tty_fd), "w");
	if (!in || !out)
		die_errno(STATUS_IO, "unable to use the terminal");
	setvbuf(in, NULL, _IONBF, 0);
	rl_instream = in;
	rl_outstream = out;
	rl_catch_signals = 0;
	rl_initialize();
}

int
main(int argc, char *argv[])
{
	const char *lines = NULL, *history = NULL;
	int key, signals;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_LINES:
			lines = opt_arg;
			break;
		case OPT_PROMPT:
			prompt = opt_arg;
			break;
		case OPT_HISTORY:
			history = opt_arg;
			break;
		default:
			break;
		}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (!lines)
		die_usage("--lines is missing");
	signals = sig_catch();
	lines_fd = open_lines(lines);
	open_terminal();
	using_history();
	stifle_history(HISTORY_MAX);
	if (history)
		(void)read_history(history); /* there is none at first */

	converse(signals);

	restore_terminal();
	if (history) {
		mode_t old = umask(0077);

		if (write_history(history) != 0 && errno)
			warn("unable to keep the history in '%s': %s", history, strerror(errno));
		umask(old);
	}
	close(lines_fd);
	return out_close();
}
