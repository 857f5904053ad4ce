/* opt.c - options from one table per command */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "opt.h"
#include "out.h"
#include "xalloc.h"

#define HELP_COLUMN 28 /* where the texts of --help begin */

const char *opt_arg;

/* A descriptor that was closed is filled so that no file of ours takes its number, and the wrong way round, so
 * that using it fails as it should. */
static void
fill_descriptor(int fd)
{
	if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
		return;
	if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
		_exit(STATUS_IO);
}

void
cmd_init(const struct cmd *cmd)
{
	const char *errors = getenv("AGENT_ERRORS");
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t set;

	die_program = cmd->name;
	die_json = errors && !strcmp(errors, "json");
	fill_descriptor(STDIN_FILENO);
	fill_descriptor(STDOUT_FILENO);
	fill_descriptor(STDERR_FILENO);
	/* A parent that ignores SIGPIPE would turn a closed reader into an endless loop of write errors. */
	sigaction(SIGPIPE, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
print_key(struct buf *to, const struct opt *opt)
{
	if (opt->key < 256)
		buf_addf(to, "  -%c, --%s", opt->key, opt->name);
	else
		buf_addf(to, "      --%s", opt->name);
	if (opt->arg)
		buf_addf(to, " %s", opt->arg);
}

/* The usage text of --help on standard output. */
static void
help(const struct cmd *cmd)
{
	const struct opt *opt;
	struct buf text = BUF_INIT;

	buf_addf(&text, "usage: %s %s\n\n", cmd->name, cmd->synopsis);
	if (cmd->example)
		buf_addf(&text, "example:\n%s\n\n", cmd->example);
	buf_addf(&text, "%s\n\noptions:\n", cmd->about);
	for (opt = cmd->opts; opt->key; opt++) {
		size_t start = text.len;

		print_key(&text, opt);
		if (text.len - start > HELP_COLUMN - 2) {
			buf_addch(&text, '\n');
			start = text.len;
		}
		while (text.len - start < HELP_COLUMN)
			buf_addch(&text, ' ');
		buf_addf(&text, "%s\n", opt->help);
	}
	buf_addf(&text, "\nmore: man %s\n", cmd->name);
	out_write(text.s, text.len);
	buf_release(&text);
}

/* key TAB name TAB argument TAB help, one option a line; no key or argument is "-" */
static void
print_options(const struct cmd *cmd)
{
	const struct opt *opt;
	struct buf text = BUF_INIT;

	for (opt = cmd->opts; opt->key; opt++) {
		if (opt->key < 256)
			buf_addch(&text, (char)opt->key);
		else
			buf_addch(&text, '-');
		buf_addf(&text, "\t%s\t%s\t%s\n", opt->name, opt->arg ? opt->arg : "-", opt->help);
	}
	out_write(text.s, text.len);
	buf_release(&text);
}

static void
set_errors(const char *form)
{
	if (!strcmp(form, "json"))
		die_json = true;
	else if (!strcmp(form, "text"))
		die_json = false;
	else
		die_usage("unable to use --errors '%s': expected text or json", form);
}

/* The words of getopt, made from the table at the first call. */
static struct option *
make_table(const struct cmd *cmd, char **ret_short)
{
	struct option *longs;
	struct buf shorts = BUF_INIT;
	size_t n = 0, i;

	while (cmd->opts[n].key)
		n++;
	longs = xcalloc(n + 1, sizeof *longs);
	buf_addstr(&shorts, cmd->words_are_text ? "+:" : ":");
	for (i = 0; i < n; i++) {
		longs[i].name = cmd->opts[i].name;
		longs[i].has_arg = cmd->opts[i].arg ? required_argument : no_argument;
		longs[i].val = cmd->opts[i].key;
		if (cmd->opts[i].key >= 256)
			continue;
		buf_addch(&shorts, (char)cmd->opts[i].key);
		if (cmd->opts[i].arg)
			buf_addch(&shorts, ':');
	}
	*ret_short = buf_detach(&shorts, NULL);
	return longs;
}

int
opt_next(const struct cmd *cmd, int *argc, char ***argv)
{
	static struct option *longs;
	static char *shorts;

	if (!longs)
		longs = make_table(cmd, &shorts);
	for (;;) {
		int at = optind, key = getopt_long(*argc, *argv, shorts, longs, NULL);

		opt_arg = optarg;
		switch (key) {
		case -1:
			*argc -= optind;
			*argv += optind;
			free(longs);
			free(shorts);
			longs = NULL;
			shorts = NULL;
			return -1;
		case ':':
			die_usage("option '%s' needs an argument", (*argv)[optind - 1]);
		case '?':
			if (optopt > 0 && optopt < 256)
				die_usage("unknown option '-%c'", optopt);
			die_usage("unknown option '%s'", (*argv)[optind > at ? optind - 1 : at]);
		case 'q':
			die_quiet = true;
			break;
		case 'v':
			die_verbose = true;
			break;
		case OPT_KEY_ERRORS:
			set_errors(optarg);
			break;
		case 'h':
			help(cmd);
			exit(out_close());
		case 'V':
			out_printf("%s (agentutils) %s\n", cmd->name, PACKAGE_VERSION);
			exit(out_close());
		case OPT_KEY_OPTIONS:
			print_options(cmd);
			exit(out_close());
		default:
			return key;
		}
	}
}

void
opt_one_of(const char *what, const char *word, const char *const words[])
{
	struct buf list = BUF_INIT;
	const char *const *at;

	for (at = words; *at && strcmp(word, *at) != 0; at++)
		;
	if (*at)
		return;
	for (at = words; *at; at++) {
		if (at != words)
			buf_addstr(&list, at[1] ? ", " : " or ");
		buf_addstr(&list, *at);
	}
	die_usage("unable to use %s '%s': expected %s", what, word, list.s);
}
