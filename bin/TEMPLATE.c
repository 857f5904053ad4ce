/*
 * TEMPLATE - print each word as a record
 *
 * reads   its operands, else lines from standard input
 * writes  {"word":...}, one object on one line, for each
 */
#include "compat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "line.h"
#include "opt.h"
#include "out.h"

#define WORD_MAX (64 * 1024) /* bytes */

static const struct opt opts[] = {
	{ 'u', "upper", NULL, "in capital letters" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "TEMPLATE",
	.synopsis = "[options] [WORD ...]",
	.about = "print each word as a record",
	.example = "  TEMPLATE hello | jq -r .word",
	.opts = opts,
};

static void
print_word(char *word, size_t n, bool upper)
{
	struct buf record = BUF_INIT;
	size_t i;

	for (i = 0; upper && i < n; i++)
		if (word[i] >= 'a' && word[i] <= 'z')
			word[i] = (char)(word[i] - 'a' + 'A');
	buf_addch(&record, '{');
	jtext_add_string(&record, "word", word, n);
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	buf_release(&record);
}

static int
print_lines(bool upper)
{
	struct line in;
	char *word;
	size_t n;
	int status = STATUS_OK;

	line_init(&in, STDIN_FILENO, WORD_MAX);
	for (;;) {
		if (!line_ready(&in))
			out_flush();
		switch (line_next(&in, &word, &n)) {
		case LINE_OK:
			print_word(word, n, upper);
			continue;
		case LINE_LONG:
			warn("unable to take line %llu: it has %zu bytes, more than %d", (unsigned long long)in.count, n, WORD_MAX);
			status = status_worse(status, STATUS_INPUT);
			continue;
		case LINE_ERROR:
			die_errno(STATUS_IO, "unable to read standard input");
		case LINE_AGAIN:
		case LINE_EOF:
			break;
		}
		break;
	}
	line_release(&in);
	return status;
}

int
main(int argc, char *argv[])
{
	bool upper = false;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == 'u')
			upper = true;

	if (argc == 0)
		status = print_lines(upper);
	for (; argc > 0; argc--, argv++)
		print_word(*argv, strlen(*argv), upper);
	return status_worse(status, out_close());
}
