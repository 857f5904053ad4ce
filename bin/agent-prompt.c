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
#include <locale.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <histedit.h>

#include "buf.h"
#include "die.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "sig.h"
#include "utf8.h"

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

/* What the terminal, the text and the typed lines share; libedit hands it back as its client data. */
struct screen {
	EditLine *edit;
	int tty, lines, signals;
	const char *prompt;
	struct buf held; /* text whose line is not complete yet */
	bool over;	 /* standard input has ended */
};

static NORETURN void
end_by(struct screen *screen, int signo)
{
	el_end(screen->edit); /* the terminal is as it was */
	if (write(screen->tty, "\n", 1) < 0)
		sig_die(signo);
	sig_die(signo);
}

static void
write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (done < 0 && errno == EAGAIN) {
			(void)poll(&p, 1, -1);
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return; /* nobody is there to be told */
		bytes += done;
		n -= (size_t)done;
	}
}

/* The prompt's line goes away, the text comes, the prompt and what was typed come back. A piece without a newline at its end waits for
 * the rest, so that the prompt always has a line of its own. */
static void
show_text(struct screen *screen, const char *bytes, size_t n)
{
	char *last;
	size_t whole;

	buf_add(&screen->held, bytes, n);
	last = memrchr(screen->held.s, '\n', screen->held.len);
	if (!last)
		return;
	whole = (size_t)(last - screen->held.s) + 1;
	write_all(screen->tty, "\r\033[K", 4);
	write_all(screen->tty, screen->held.s, whole);
	buf_consume(&screen->held, whole);
	el_set(screen->edit, EL_REFRESH);
}

static void
read_text(struct screen *screen)
{
	char bytes[65536];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n > 0)
		show_text(screen, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		screen->over = true;
}

/* One character of UTF-8 from the terminal. False: it is gone. */
static bool
read_key(struct screen *screen, wchar_t *ret)
{
	char bytes[4];
	size_t n = 0, len;
	uint32_t point;

	do {
		ssize_t got = read(screen->tty, bytes + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		n++;
		point = utf8_next(bytes, n, &len);
	} while (point == UTF8_INVALID && n < sizeof bytes && ((unsigned char)bytes[0] & 0xc0) == 0xc0);
	*ret = (wchar_t)(point == UTF8_INVALID ? 0xfffd : point);
	return true;
}

/* libedit asks for a key: until there is one, text is shown. */
static int
get_key(EditLine *edit, wchar_t *ret)
{
	struct screen *screen;
	struct pollfd fds[3] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };

	el_get(edit, EL_CLIENTDATA, &screen);
	fds[1].fd = screen->tty;
	fds[2].fd = screen->signals;
	while (!screen->over) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return -1;
		if (fds[2].revents) {
			int signo = sig_take();

			if (signo)
				end_by(screen, signo);
		}
		if (fds[0].revents)
			read_text(screen);
		else if (fds[1].revents)
			return read_key(screen, ret) ? 1 : 0;
	}
	return 0;
}

static char *
get_prompt(EditLine *edit)
{
	struct screen *screen;

	el_get(edit, EL_CLIENTDATA, &screen);
	return (char *)(uintptr_t)screen->prompt;
}

static void
converse(struct screen *screen, History *past)
{
	HistEvent event;
	const char *line;
	int n;

	while (!screen->over && (line = el_gets(screen->edit, &n)) && n > 0) {
		if (screen->over)
			break; /* half a line: it was not sent off */
		if (*line != '\n')
			history(past, &event, H_ENTER, line);
		write_all(screen->lines, line, (size_t)n);
	}
	/* the prompt is not left standing */
	write_all(screen->tty, "\r\033[K", 4);
	if (screen->held.len) {
		write_all(screen->tty, screen->held.s, screen->held.len);
		write_all(screen->tty, "\n", 1);
	}
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
open_terminal(struct screen *screen, History *past)
{
	FILE *in, *out;

	screen->tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (screen->tty < 0 || !isatty(screen->tty))
		die_errno(STATUS_CONFIG, "unable to use the terminal");
	in = fdopen(dup(screen->tty), "r");
	out = fdopen(dup(screen->tty), "w");
	if (!in || !out)
		die_errno(STATUS_IO, "unable to use the terminal");
	screen->edit = el_init(cmd.name, in, out, stderr);
	if (!screen->edit)
		die(STATUS_CONFIG, "unable to use the terminal");
	el_set(screen->edit, EL_CLIENTDATA, screen);
	el_set(screen->edit, EL_PROMPT, get_prompt);
	el_set(screen->edit, EL_EDITOR, "emacs");
	el_set(screen->edit, EL_SIGNAL, 0);
	el_set(screen->edit, EL_HIST, history, past);
	el_set(screen->edit, EL_GETCFN, get_key);
}

static void
keep_history(History *past, const char *file)
{
	HistEvent event;
	mode_t old = umask(0077);

	if (history(past, &event, H_SAVE, file) < 0)
		warn("unable to keep the history in '%s'", file);
	umask(old);
}

int
main(int argc, char *argv[])
{
	struct screen screen = { .prompt = "> ", .held = BUF_INIT };
	const char *lines = NULL, *file = NULL;
	History *past;
	HistEvent event;
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_LINES:
			lines = opt_arg;
			break;
		case OPT_PROMPT:
			screen.prompt = opt_arg;
			break;
		case OPT_HISTORY:
			file = opt_arg;
			break;
		default:
			break;
		}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (!lines)
		die_usage("--lines is missing");
	/* libedit needs to know that characters are UTF-8, whatever the user's locale says */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");
	screen.signals = sig_catch();
	screen.lines = open_lines(lines);
	past = history_init();
	history(past, &event, H_SETSIZE, HISTORY_MAX);
	if (file)
		history(past, &event, H_LOAD, file); /* there is none at first */
	open_terminal(&screen, past);

	converse(&screen, past);

	el_end(screen.edit);
	if (file)
		keep_history(past, file);
	history_end(past);
	close(screen.lines);
	buf_release(&screen.held);
	return out_close();
}
