/* rule.h - what the rules of a manifest are made of (Clarity contract section 12). Private to agents/.
 *
 * Each says whether a value is as it must be; with an err also what is wrong, in the contract's words ("invalid manifest: ...",
 * STATUS_CONFIG). `where` is the path of the object, with its dot; "when provided": an absent member is right. Values are borrowed.
 */
#ifndef RULE_H
#define RULE_H

#include "compat.h"
#include "jtext.h"

bool rule_broken(struct err *err, const char *fmt, ...) PRINTF(2, 3); /* false, always */

bool rule_object(struct span object, const char *key, struct span *ret);
bool rule_filled(struct span value); /* a string that is not blank, without a NUL */
bool rule_bool(struct span value);
bool rule_word(struct span value, const char *const *words); /* one of them; NULL ends the list */
#define RULE_WORD(value, ...) rule_word(value, (const char *const[]){ __VA_ARGS__, NULL })

bool rule_need_string(struct span object, const char *where, const char *key, struct err *err);
/* ... when provided */
bool rule_may_string(struct span object, const char *where, const char *key, struct err *err);
bool rule_may_strings(struct span object, const char *where, const char *key, struct err *err);
bool rule_may_bool(struct span object, const char *where, const char *key, struct err *err);
bool rule_may_range(struct span object, const char *where, const char *key, int64_t min, int64_t max, struct err *err);
bool rule_may_positive(struct span object, const char *where, const char *key, struct err *err);

/* rules_agent.c: metadata.agent */
bool rules_agent(struct span agent, struct err *err) USE_RESULT;
/* rules_origin.c: the origin of a spec */
bool rules_origin(struct span spec, struct err *err) USE_RESULT;

#endif
