/* client.h - a command that asks a server: its options, its beginning and its end
 *
 * Part of the front: what cannot go on ends the program, with a message. In order: client_begin(), client_option() for what the command
 * itself has no use for, client_open(), the work, client_end().
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "api.h"
#include "compat.h"
#include "subject.h"

struct cmd;
struct err;
struct filter;
struct span;

struct client {
	struct api api;
	struct subject subject; /* its options are taken only when the command's table has them */
	struct filter *filter;
	const char *program; /* of --jq */
	bool asks;	     /* set it before client_open(): nothing is changed on the server, so that --jq is compiled while it answers */
	bool failed;	     /* the filter, on a record */
};

void client_begin(struct client *client, const struct cmd *cmd);

/* Takes --jq and the options of a subject and of the server. Another, or a bad value, is a usage error. */
void client_option(struct client *client, int key);

/* The command takes no operand, or no more: one that is there is a usage error. */
void client_no_operand(char *const operands[]);

/* After the options: the filter is compiled, the server's address and token are known. Nothing is sent. */
void client_open(struct client *client);

/* The filter, compiled: what does not compile ends the program. For commands that only ask: before their first record is printed, and
 * before it is said that a request has failed, so that a mistake in the program comes first, whatever the server does. */
struct filter *client_filter(struct client *client);

/* Ends the program with err, unless the filter does not compile: then with that. */
NORETURN void client_die(struct client *client, const struct err *err);

/* Says that a limit was met and until when (wall clock) it is waited; what was printed is out before. */
void client_limit_met(int64_t until);

/* Prints an object, in one line, through the filter. False: as filter_run(). */
bool client_print(struct client *client, struct span object, struct err *err) USE_RESULT;

/* Prints one of several records, a line, through the filter. Where that fails it is said and remembered: client_end() gives STATUS_INPUT then,
 * where nothing else went wrong. */
void client_record(struct client *client, struct span record);

/* The same for what came of the current subject: the object, compact, with the members of the subject that it has not. */
void client_result(struct client *client, struct span object);

/* The same for one record of a list; or with `id` only the text of that member and a NUL, if it has one. */
void client_item(struct client *client, struct span item, const char *id);

/* What is done for one subject. ret_status is that of its outcome; false: err says why there is none. */
typedef bool client_act(void *payload, int *ret_status, struct err *err);

/* Does it for the subject of the options, else for each one that is read. What fails is said, and the next one taken; its lines are out
 * before the next one is read. Ends early once *stop (may be NULL) is true. The worst status. */
int client_each(struct client *client, client_act *act, const bool *stop, void *payload);

/* The same for each operand (NULL-ended): it is put into `field`, which act looks at; name is what a message calls it ("THREAD"). Without any,
 * as client_each(). */
int client_each_of(struct client *client, char *const operands[], struct buf *field, const char *name, client_act *act, void *payload);

/* Releases all; gives the program's status. */
int client_end(struct client *client, int status);

#endif
