/* sandbox.h - sandbox policies of the runtime protocol: what thread/start names by a word, turn/start gives as an object
 *
 * The words are "read-only", "workspace-write" and "danger-full-access"; their objects {"type":"readOnly"} and so on. Answers show the
 * object.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "jtext.h"

#define SANDBOX_READ_ONLY "{\"type\":\"readOnly\"}" /* of a thread that asks for none */

/* The object, as JSON text, that the word stands for; NULL: the value is none of the words. */
const char *sandbox_of_word(struct span value);

/* Puts the policy of a request in the place of what `to` holds: the word in "sandbox", or the object in "sandboxPolicy", which
 * goes before. `to` keeps what it has when the params have neither. */
void sandbox_take(struct span params, struct buf *to);

#endif
