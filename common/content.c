/* content.c - the text that a command is given */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "content.h"
#include "err.h"
#include "status.h"
#include "utf8.h"

static bool
check(const struct buf *text, struct err *err)
{
	size_t i, len;

	for (i = 0; i < text->len; i += len) {
		if (!text->s[i])
			return err_set(err, STATUS_INPUT, "unable to take the text: a NUL at byte %zu", i + 1);
		if (utf8_next(text->s + i, text->len - i, &len) == UTF8_INVALID)
			return err_set(err, STATUS_INPUT, "unable to take the text: not UTF-8 at byte %zu", i + 1);
	}
	if (!text->s[strspn(text->s, " \t\r\n")])
		return err_set(err, STATUS_INPUT, "unable to take the text: it is empty");
	return true;
}

bool
content_take(struct buf *text, const char *file, char *const *words, bool named, struct err *err)
{
	for (; *words; words++) {
		if (text->len)
			buf_addch(text, ' ');
		buf_addstr(text, *words);
	}
	if (!text->len && !file && !named)
		return err_set(err, STATUS_USAGE, "no text: give it as operands or with --file, or name the thread with --thread");
	if (file && !strcmp(file, "-") && !named)
		return err_set(err, STATUS_USAGE, "standard input cannot hold the threads and the text: name the thread with --thread");
	if (file || !text->len) {
		if (text->len)
			buf_addstr(text, "\n\n");
		if (!buf_read_file(text, file ? file : "-", CONTENT_MAX, err))
			return false;
		if (text->len && text->s[text->len - 1] == '\n')
			buf_cut(text, text->len - 1);
	}
	return check(text, err);
}
