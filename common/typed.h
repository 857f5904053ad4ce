/* typed.h - what a terminal sends, as characters: UTF-8 and pasted text between its brackets
 *
 * Pure. The brackets are xterm's: between CSI 200~ and CSI 201~ all is text, and of control characters only the ends of lines (one for CR
 * LF) and tabs are left. What comes in pieces is waited for; a lone ESC, too, which is nothing to an editor before the key after it.
 */
#ifndef TYPED_H
#define TYPED_H

#include "buf.h"
#include "compat.h"

#define TYPED_PASTE_ON "\033[?2004h" /* asks the terminal to bracket what is pasted */
#define TYPED_PASTE_OFF "\033[?2004l"

struct typed {
	struct buf bytes; /* read, not yet taken: the caller appends */
	bool pasting, after_cr;
};

#define TYPED_INIT                                                                                                                         \
	{                                                                                                                                  \
		.bytes = BUF_INIT                                                                                                          \
	}

/* Takes the next character; bytes that are none are U+FFFD. False: none is whole yet. */
bool typed_take(struct typed *typed, uint32_t *ret) USE_RESULT;

void typed_release(struct typed *typed);

#endif
