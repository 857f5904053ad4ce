/* hitl_internal.h - what the files of hitl.h share */
#ifndef HITL_INTERNAL_H
#define HITL_INTERNAL_H

#include "compat.h"

#include <sys/types.h>

#include "hitl.h"

#define QUESTION_END ".question"
#define ANSWER_END ".answer"

/* ---- hitl_question.c */

bool hitl_equal(const struct buf *buf, const char *s, size_t n);
void hitl_safe(struct buf *to, const char *s, size_t n); /* replaces: a key, as messages may show it */

/* ---- hitl.c */

const char *hitl_file_name(struct buf *to, const char *stem, const char *end); /* replaces */
/* False: there is none (errno). question is initialised. */
bool hitl_read_question(const struct hitl *hitl, const char *stem, struct hitl_question *question) USE_RESULT;

/* ---- hitl_ask.c */

enum put { PUT_DONE, PUT_TAKEN, PUT_FAILED };

/* Writes the whole file. replace: takes the place of what is there; else PUT_TAKEN when something is. PUT_FAILED: errno. */
enum put hitl_put(const struct hitl *hitl, const char *name, const char *bytes, size_t n, mode_t mode, bool replace) USE_RESULT;

#endif
