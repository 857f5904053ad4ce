/*
 * agent-hitl-answer - answer a question
 *
 * reads   the answer from its operands, from --file, or from standard input when it is "-"
 * writes  {"key","answered":true,"path"}; no path with a broker
 *
 * Nothing is no answer: an empty one must be asked for with --approve.
 */
#include "compat.h"

#include <string.h>
#include <unistd.h>

#include "blank.h"
#include "desk.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "opt.h"
#include "out.h"

enum { OPT_APPROVE = OPT_OWN, OPT_AHEAD };

static const struct opt opts[] = {
	{ OPT_APPROVE, "approve", NULL, "give the empty answer, which approves" },
	{ OPT_AHEAD, "ahead", NULL, "also when nobody has asked yet: whoever asks next may take it" },
	{ 'f', "file", "FILE", "read the answer from FILE; - is standard input" },
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-answer",
	.synopsis = "[options] KEY [ANSWER ...]",
	.about = "answer a question that waits for a person",
	.example = "  agent-hitl-answer deploy-42 yes",
	.opts = opts,
};

static void
take_answer(struct buf *answer, const char *file, bool approve, int argc, char *argv[])
{
	struct err err = ERR_INIT;
	const char *s;
	size_t n;
	int i;

	if (!file && argc == 1 && !strcmp(argv[0], "-")) {
		file = "-";
		argc = 0;
	}
	if ((file != NULL) + approve + (argc > 0) > 1)
		die_usage("the answer is given more than once");
	if (approve)
		return;
	if (!file && !argc)
		die_usage("an answer is missing; --approve gives the empty one");
	if (file && !buf_read_file(answer, file, HITL_FILE_MAX, &err))
		die_err(&err);
	for (i = 0; i < argc; i++)
		buf_addf(answer, "%s%s", i ? " " : "", argv[i]);
	s = answer->s;
	n = answer->len;
	blank_trim(&s, &n, BLANK_JS);
	if (!n && file)
		die(STATUS_INPUT, "unable to answer: '%s' is empty; --approve gives the empty answer", file);
	if (!n)
		die_usage("the answer is empty; --approve gives the empty one");
}

int
main(int argc, char *argv[])
{
	struct desk desk = DESK_INIT;
	struct err err = ERR_INIT;
	struct buf answer = BUF_INIT, record = BUF_INIT, path = BUF_INIT;
	const char *file = NULL;
	bool approve = false, ahead = false;
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		if (key == OPT_APPROVE)
			approve = true;
		else if (key == OPT_AHEAD)
			ahead = true;
		else if (key == 'f')
			file = opt_arg;
		else if (!desk_opt(&desk, key, opt_arg, &err))
			die_usage("%s", err.text);
	}
	if (argc < 1 || !*argv[0])
		die_usage("a key is missing");
	if (ahead && desk.broker)
		die_usage("--ahead is for a directory; a broker takes answers to its questions only");
	take_answer(&answer, file, approve, argc - 1, argv + 1);
	if (!desk_open(&desk, ahead ? DESK_PUT : DESK_LOOK, &err) || !desk_answer(&desk, argv[0], ahead, answer.s, answer.len, &path, &err))
		die_err(&err);
	buf_addch(&record, '{');
	jtext_add_text(&record, "key", argv[0]);
	jtext_add_bool(&record, "answered", true);
	jtext_add_filled(&record, "path", &path);
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	desk_close(&desk);
	buf_release(&answer);
	buf_release(&record);
	buf_release(&path);
	return out_close();
}
