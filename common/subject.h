/* subject.h - what a command acts on: named by options, or one NDJSON record after the other on standard input
 *
 * A registry item names serviceId and agent.agentId; a run record runId, serviceId, agent; a thread record threadId; a
 * turn record threadId, turnId. snake_case names are read too. A subject given by options is the only one.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "line.h"

struct err;

#define SUBJECT_LINE_MAX (16u * 1024 * 1024) /* bytes of one record */

struct subject {
	/* the current one; each "" when it is not named. The text may not hold NUL. */
	struct buf run, service, agent, thread, turn;
	int64_t seq;	    /* the record's seq or cursor, -1 without */
	struct span record; /* the record's text, SPAN_NONE when options named it; borrowed until the next one */
	/* private */
	struct line in;
	bool from_options, given;
};

void subject_init(struct subject *subject);
void subject_release(struct subject *subject);

/* Takes --run, --service, --agent, --thread, --turn (keys of opt.h). False: not one of them, or an empty or unusable value
 * (err filled: STATUS_USAGE). */
bool subject_opt(struct subject *subject, int key, const char *arg, struct err *err) USE_RESULT;

/* Names it by an operand, as an option would. */
bool subject_set(struct buf *field, const char *name, const char *arg, struct err *err) USE_RESULT;

/* Is it named by options? Call once after them; else records are read from standard input. */
bool subject_named(struct subject *subject);

enum subject_result { SUBJECT_OK, SUBJECT_END, SUBJECT_BAD };

/* The next one. Blank lines are skipped. SUBJECT_BAD: a line that is no JSON object or too long (STATUS_INPUT, with its
 * number); reading can go on. A read error ends with SUBJECT_BAD and then SUBJECT_END. */
enum subject_result subject_next(struct subject *subject, struct err *err) USE_RESULT;

/* The current one names no `what` ("thread"), which is needed: err (STATUS_INPUT) says so, with its line. False. */
bool subject_lacks(const struct subject *subject, const char *what, struct err *err);

/* Appends `result` (an object) and the members of the subject that it has not: those of its record, or those that the options
 * named. One line, no newline. */
void subject_pass(const struct subject *subject, struct span result, struct buf *to);

#endif
