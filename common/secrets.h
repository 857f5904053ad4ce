/* secrets.h - secrets out of texts and JSON documents, before anybody stores or shows them
 *
 * Caught: what the Clarity contract (section 7) catches, with its texts, "Bearer X", "token=X", "sk-X"; and what it misses: names with something
 * before them (my_token=), JSON-quoted ones, values in quotes with blanks in them, "--password X", "<secret>X</secret>"; bearer values to their real
 * end; the keys of the cloud and code services that can be told by their beginning; JSON web tokens, private keys (PEM), passwords in addresses,
 * Authorization headers; and names and shapes that a file adds. What stands for a secret is [REDACTED]; done twice, nothing more changes.
 *
 * In a JSON document, strings are treated so, and what stands under a secret name goes whole: strings, and numbers too except under "…token";
 * all else keeps its bytes. The members that say what an event belongs to (runId, stepId, serviceId, agent, …) stay as they are.
 *
 * Time is linear in the text; each look ahead has a limit. Pure.
 *
 * The file: one rule a line, '#' begins a comment.
 *   name WORD      a member or variable whose name ends so: letter case, '_' and '-' do not matter
 *   pattern SHAPE  literal characters, '.', [a-z_], [^,;], \d \w \s, each alone or with ? * + {m} {m,} {m,n}. A run takes as much as it can and
 *                  gives nothing back; there are no groups and no alternatives (those are further lines).
 */
#ifndef SECRETS_H
#define SECRETS_H

#include "compat.h"
#include "jtext.h"

struct buf;
struct err;
struct secrets; /* the rules of a file; NULL stands for none besides the built-in ones, everywhere */

#define SECRETS_FILE_MAX 65536 /* bytes of a file */
#define SECRETS_RULES_MAX 256  /* rules of a file */
#define SECRETS_ATOMS_MAX 64   /* pieces of one shape */
#define SECRETS_RUN_MAX 1024   /* characters of one run that is not the last of its shape */

/* NULL: err (STATUS_CONFIG) names the file, the line and what is wrong with it. */
struct secrets *secrets_read(const char *path, struct err *err);
struct secrets *secrets_parse(const char *text, size_t n, struct err *err); /* the same from memory; err has no file name */
void secrets_free(struct secrets *secrets);				    /* accepts NULL */

/* A quick look at a text, or at a JSON document. False: it has no secret. True: look closely. */
bool secrets_look(const struct secrets *secrets, struct span text, bool document);

/* Appends the text without its secrets. True: there were some. */
bool secrets_text(const struct secrets *secrets, const char *s, size_t n, struct buf *to);

/* The same for a JSON value that jtext_check() has accepted; the result is JSON again. */
bool secrets_json(const struct secrets *secrets, struct span value, struct buf *to);

#endif
