/*
 * agent-prompt - show text above a line that is being typed
 *
 * reads   text from standard input; keys from the controlling terminal, with line editing and history
 * writes  the text and the prompt to the terminal; each finished line to standard output or where --lines says
 *
 * The text must be fit for a terminal (agent-show sees to that): it is not changed here.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <histedit.h>

#include "buf.h"
#include "column.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "recall.h"
#include "sig.h"
#include "typed.h"
#include "utf8.h"

#define TEXT_CHUNK 65536 /* bytes of text shown at once, with one redrawing */
#define PIECE_MAX 512	 /* bytes that a pipe takes without waiting once poll() says it is writable (POSIX: PIPE_BUF >= 512) */

enum { OPT_PROMPT = OPT_OWN, OPT_HISTORY, OPT_LINES, OPT_DRAIN };

static const struct opt opts[] = {
	{ OPT_PROMPT, "prompt", "TEXT", "the prompt (default '> ')" },
	{ OPT_HISTORY, "history", "FILE", "remember the lines in FILE" },
	{ OPT_LINES, "lines", "TO", "write the lines to TO: a file, a FIFO, or fd:N for an open descriptor (default standard output)" },
	{ OPT_DRAIN, "drain", NULL, "after the end of the lines go on showing text until it ends" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-prompt",
	.synopsis = "[options]",
	.about = "show text above a line that is being typed",
	.example =
	    "  mkfifo lines\n  agent-watch run_1 | agent-show | agent-prompt --lines lines &\n  while read -r line; do agent-send --run run_1 -- \"$line\"; done <lines",
	.opts = opts,
};

enum end { GOING_ON, TYPED_END, TEXT_END, READER_GONE, TERMINAL_GONE };

struct prompt {
	EditLine *el;
	History *history;
	const char *text, *history_file;
	int tty, lines;
	FILE *in, *out;
	bool dumb; /* the terminal cannot move its cursor */
	enum end end;
	struct typed keys;
	struct buf queue;    /* finished lines, not yet written */
	struct column shown; /* where the text ends */
};

/* ---- the terminal, as it was and as it is while we run */

static struct {
	int fd; /* -1: nothing to restore */
	struct termios before, ours;
	bool brackets;
} terminal = { .fd = -1 };

static void
restore_terminal(void)
{
	if (terminal.fd < 0)
		return;
	if (terminal.brackets && write(terminal.fd, TYPED_PASTE_OFF, sizeof TYPED_PASTE_OFF - 1) < 0)
		errno = 0; /* there is nothing else to do about it */
	tcsetattr(terminal.fd, TCSADRAIN, &terminal.before);
}

static void
leave_terminal(void)
{
	restore_terminal();
	terminal.fd = -1;
}

static void
resume(struct prompt *prompt)
{
	tcsetattr(terminal.fd, TCSADRAIN, &terminal.ours);
	if (terminal.brackets)
		fputs(TYPED_PASTE_ON, prompt->out);
	el_resize(prompt->el);
	el_set(prompt->el, EL_REFRESH);
}

/* Ctrl-Z: the shell gets the terminal as it was. The signal's own action is taken, because only the kernel knows whether there is
 * a shell that could ever continue us. */
static void
suspend(struct prompt *prompt)
{
	struct sigaction act = { .sa_handler = SIG_DFL };

	tcgetattr(terminal.fd, &terminal.ours);
	restore_terminal();
	sigaction(SIGTSTP, &act, NULL);
	raise(SIGTSTP);
	sig_catch_also(SIGTSTP);
	resume(prompt);
}

/* ---- where things stand on the screen */

static size_t
screen_columns(const struct prompt *prompt)
{
	struct winsize size;

	if (ioctl(prompt->tty, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col;
	return 80;
}

static size_t
cursor_row(const struct prompt *prompt)
{
	const LineInfoW *line = el_wline(prompt->el);
	size_t columns = screen_columns(prompt), at = 0, i, len, n = strlen(prompt->text);
	const wchar_t *c;

	for (i = 0; i < n; i += len)
		at = column_after(at, utf8_next(prompt->text + i, n - i, &len), columns);
	for (c = line->buffer; c < line->cursor; c++)
		at = column_after(at, (uint32_t)*c, columns);
	return at / columns;
}

/* ---- text above the prompt */

/* Takes the prompt and what is typed off the screen; the cursor is then where text goes on. */
static void
erase_prompt(struct prompt *prompt, struct buf *to)
{
	size_t row = cursor_row(prompt), columns = screen_columns(prompt);

	if (prompt->dumb) {
		buf_addch(to, '\n');
		return;
	}
	buf_addch(to, '\r');
	if (row)
		buf_addf(to, "\033[%zuA", row);
	buf_addstr(to, "\033[J");
	/* an open line was ended to make room for the prompt; one that filled its row exactly had wrapped by itself */
	if (prompt->shown.open && prompt->shown.at % columns)
		buf_addf(to, "\033[A\033[%zuC", prompt->shown.at % columns);
}

static void
show_text(struct prompt *prompt, const char *s, size_t n)
{
	struct buf bytes = BUF_INIT;
	size_t columns = screen_columns(prompt);
	bool wrapped = prompt->shown.open && prompt->shown.at && prompt->shown.at % columns == 0;

	erase_prompt(prompt, &bytes);
	if (wrapped && *s == '\n') {
		/* the row is full: the cursor is on the next one already */
		column_follow(&prompt->shown, s, 1, columns);
		s++;
		n--;
	}
	if (n) {
		buf_add(&bytes, s, n);
		column_follow(&prompt->shown, s, n, columns);
	}
	if (prompt->shown.open)
		buf_addch(&bytes, '\n');
	fwrite(bytes.s, 1, bytes.len, prompt->out);
	fflush(prompt->out);
	el_set(prompt->el, EL_REFRESH);
	fflush(prompt->out);
	buf_release(&bytes);
}

static void
read_text(struct prompt *prompt)
{
	static char bytes[TEXT_CHUNK];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n > 0)
		show_text(prompt, bytes, (size_t)n);
	else if (n == 0)
		prompt->end = TEXT_END;
	else if (errno != EINTR && errno != EAGAIN)
		die_errno(STATUS_IO, "unable to read standard input");
}

/* ---- keys */

static void
read_keys(struct prompt *prompt)
{
	char bytes[4096];
	ssize_t n = read(prompt->tty, bytes, sizeof bytes);

	if (n > 0)
		buf_add(&prompt->keys.bytes, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		prompt->end = TERMINAL_GONE;
}

/* ---- finished lines */

/* Writes what can be written without waiting; a reader that is slow does not stop the screen. */
static void
write_lines(struct prompt *prompt)
{
	struct pollfd fd = { .fd = prompt->lines, .events = POLLOUT };
	ssize_t n;

	while (prompt->queue.len && poll(&fd, 1, 0) == 1) {
		const char *end = memchr(prompt->queue.s, '\n', prompt->queue.len);
		size_t piece = (size_t)(end - prompt->queue.s) + 1;

		n = write(prompt->lines, prompt->queue.s, piece < PIECE_MAX ? piece : PIECE_MAX);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n < 0 && errno == EPIPE)
			prompt->end = READER_GONE;
		else if (n < 0)
			die_errno(STATUS_IO, "unable to write the line");
		if (n <= 0)
			return;
		buf_consume(&prompt->queue, (size_t)n);
	}
}

static void
take_line(struct prompt *prompt, const wchar_t *line, int n)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	HistEvent event;
	int i;

	for (i = 0; i < n && line[i] != L'\n' && line[i] != L'\r'; i++)
		utf8_add(&text, (uint32_t)line[i]);
	buf_add(&prompt->queue, text.s, text.len);
	buf_addch(&prompt->queue, '\n');
	if (recall_wanted(text.s)) {
		history(prompt->history, &event, H_ENTER, text.s);
		if (prompt->history_file && !recall_add(prompt->history_file, text.s, &err)) {
			warn_err(&err);
			prompt->history_file = NULL;
		}
	}
	buf_release(&text);
	write_lines(prompt);
}

/* ---- waiting */

static void
take_signal(struct prompt *prompt)
{
	int signo = sig_take();

	switch (signo) {
	case 0:
		return;
	case SIGWINCH:
		el_resize(prompt->el);
		el_set(prompt->el, EL_REFRESH);
		return;
	case SIGTSTP:
		suspend(prompt);
		return;
	case SIGCONT:
		resume(prompt);
		return;
	default:
		fputc('\n', prompt->out);
		fflush(prompt->out);
		leave_terminal();
		sig_die(signo);
	}
}

static void
wait_for_something(struct prompt *prompt)
{
	struct pollfd fds[4] = {
		{ .fd = sig_catch(), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = prompt->tty, .events = POLLIN },
		{ .fd = prompt->lines, .events = prompt->queue.len ? POLLOUT : 0 },
	};

	fflush(prompt->out);
	if (poll(fds, 4, -1) < 0) {
		if (errno != EINTR)
			die_errno(STATUS_IO, "unable to wait");
		return;
	}
	if (fds[0].revents)
		take_signal(prompt);
	if (fds[2].revents)
		read_keys(prompt);
	if (fds[3].revents & (POLLERR | POLLNVAL))
		prompt->end = READER_GONE;
	else if (fds[3].revents)
		write_lines(prompt);
	/* the end of the text is the last thing to act on: a line that was typed before it is out by now */
	if (fds[1].revents)
		read_text(prompt);
}

/* libedit asks here for each character. */
static int
next_key(EditLine *el, wchar_t *ret)
{
	struct prompt *prompt;
	uint32_t c;

	el_get(el, EL_CLIENTDATA, &prompt);
	for (;;) {
		if (prompt->end != GOING_ON)
			return 0;
		if (typed_take(&prompt->keys, &c)) {
			*ret = (wchar_t)c;
			return 1;
		}
		wait_for_something(prompt);
	}
}

/* ---- setting up */

static char *
prompt_text(EditLine *el)
{
	struct prompt *prompt;

	el_get(el, EL_CLIENTDATA, &prompt);
	return (char *)(uintptr_t)prompt->text;
}

static void
remember(const char *line, void *payload)
{
	struct prompt *prompt = payload;
	HistEvent event;

	history(prompt->history, &event, H_ENTER, line);
}

static void
open_terminal(struct prompt *prompt)
{
	const char *term = getenv("TERM");

	prompt->dumb = !term || !*term || !strcmp(term, "dumb");
	prompt->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (prompt->tty < 0)
		die_errno(STATUS_IO, "unable to open the terminal '/dev/tty'");
	prompt->in = fdopen(prompt->tty, "r");
	prompt->out = fdopen(fcntl(prompt->tty, F_DUPFD_CLOEXEC, 3), "w");
	if (!prompt->in || !prompt->out || tcgetattr(prompt->tty, &terminal.before) < 0)
		die_errno(STATUS_IO, "unable to use the terminal '/dev/tty'");
	terminal.ours = terminal.before;
	terminal.fd = prompt->tty;
	terminal.brackets = !prompt->dumb;
	atexit(leave_terminal);
}

static void
bind_keys(EditLine *el)
{
	static const char *const keys[][2] = {
		{ "^I", "ed-insert" },
		{ "^R", "em-inc-search-prev" },
		{ "^W", "ed-delete-prev-word" },
		{ "\\e[3~", "ed-delete-next-char" },
		{ "\\e[1~", "ed-move-to-beg" },
		{ "\\e[4~", "ed-move-to-end" },
		{ "\\e[H", "ed-move-to-beg" },
		{ "\\e[F", "ed-move-to-end" },
		{ "\\e[1;5C", "em-next-word" },
		{ "\\e[1;5D", "ed-prev-word" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static void
start_editor(struct prompt *prompt)
{
	struct err err = ERR_INIT;
	HistEvent event;

	prompt->el = el_init("agent-prompt", prompt->in, prompt->out, stderr);
	prompt->history = history_init();
	if (!prompt->el || !prompt->history)
		die(STATUS_IO, "unable to use the terminal '/dev/tty': no line editor");
	history(prompt->history, &event, H_SETSIZE, RECALL_LINES_MAX);
	history(prompt->history, &event, H_SETUNIQUE, 1);
	el_set(prompt->el, EL_CLIENTDATA, prompt);
	el_set(prompt->el, EL_PROMPT, prompt_text);
	el_set(prompt->el, EL_EDITOR, "emacs");
	el_set(prompt->el, EL_HIST, history, prompt->history);
	el_set(prompt->el, EL_GETCFN, next_key);
	/* between two lines too nothing is echoed: what is pasted comes faster than we read */
	el_set(prompt->el, EL_SETTY, "-x", "-echo", "-icanon", NULL);
	bind_keys(prompt->el);
	el_source(prompt->el, NULL);
	if (prompt->history_file && !recall_read(prompt->history_file, remember, prompt, &err)) {
		warn_err(&err);
		prompt->history_file = NULL;
	}
	if (terminal.brackets)
		fputs(TYPED_PASTE_ON, prompt->out);
}

static int
open_lines(const char *to)
{
	uint64_t number;
	int fd;

	if (!to) {
		if (isatty(STDOUT_FILENO))
			die_usage("the lines would go to the terminal: say where with --lines, or redirect standard output");
		return STDOUT_FILENO;
	}
	if (!strncmp(to, "fd:", 3)) {
		if (!num_u64(to + 3, strlen(to + 3), &number) || number > INT32_MAX || fcntl((int)number, F_GETFD) < 0)
			die_usage("unable to use --lines '%s': no such open descriptor", to);
		return (int)number;
	}
	fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
	if (fd < 0)
		die_errno(STATUS_IO, "unable to open '%s'", to);
	return fd;
}

static bool
have_utf8(void)
{
	return MB_CUR_MAX > 1;
}

/* ---- the end */

/* After the last line: what is queued goes out, the text goes on as it comes. */
static void
drain(struct prompt *prompt, bool text)
{
	static char bytes[TEXT_CHUNK];
	ssize_t n;

	while (prompt->queue.len && prompt->end != READER_GONE) {
		struct pollfd fd = { .fd = prompt->lines, .events = POLLOUT };

		(void)poll(&fd, 1, -1);
		write_lines(prompt);
	}
	close(prompt->lines);
	while (text && (n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die_errno(STATUS_IO, "unable to read standard input");
		fwrite(bytes, 1, (size_t)n, prompt->out);
		fflush(prompt->out);
	}
}

static void
end_screen(struct prompt *prompt)
{
	struct buf bytes = BUF_INIT;

	/* at the end of the text the prompt goes; a line of text that was left open stays as it is */
	if (prompt->end == TYPED_END) {
		buf_addch(&bytes, '\n');
	} else {
		erase_prompt(prompt, &bytes);
		if (prompt->shown.open)
			buf_addch(&bytes, '\n');
	}
	fwrite(bytes.s, 1, bytes.len, prompt->out);
	fflush(prompt->out);
	buf_release(&bytes);
}

int
main(int argc, char *argv[])
{
	struct prompt prompt = { .text = "> ", .keys = TYPED_INIT, .queue = BUF_INIT };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	const char *lines = NULL;
	struct buf text = BUF_INIT;
	const wchar_t *line;
	bool draining = false;
	int key, n;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_PROMPT:
			prompt.text = opt_arg;
			break;
		case OPT_HISTORY:
			prompt.history_file = opt_arg;
			break;
		case OPT_LINES:
			lines = opt_arg;
			break;
		case OPT_DRAIN:
			draining = true;
			break;
		default:
			break;
		}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	utf8_safe(&text, prompt.text, strlen(prompt.text), UTF8_SAFE_LINE);
	prompt.text = text.s;
	/* the editor works with characters; without a locale for them it takes one */
	if (!setlocale(LC_CTYPE, "") || !have_utf8())
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	prompt.lines = open_lines(lines);
	open_terminal(&prompt);
	sigaction(SIGPIPE, &ignore, NULL);
	if (sig_catch() < 0)
		die_errno(STATUS_IO, "unable to wait for signals");
	sig_catch_also(SIGWINCH);
	sig_catch_also(SIGTSTP);
	sig_catch_also(SIGCONT);
	start_editor(&prompt);

	while (prompt.end == GOING_ON) {
		line = el_wgets(prompt.el, &n);
		if (line && n > 0)
			take_line(&prompt, line, n);
		else if (prompt.end == GOING_ON)
			prompt.end = TYPED_END;
	}

	end_screen(&prompt);
	el_end(prompt.el);
	history_end(prompt.history);
	leave_terminal();
	sig_release();
	drain(&prompt, draining && prompt.end == TYPED_END);
	fclose(prompt.in);
	fclose(prompt.out);
	typed_release(&prompt.keys);
	buf_release(&prompt.queue);
	buf_release(&text);
	if (prompt.end == READER_GONE)
		sig_die(SIGPIPE);
	return STATUS_OK;
}
