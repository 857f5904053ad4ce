/* message.h - one line of a runtime, read; and what is in it. Pure. Private to runtime/.
 *
 * JSON-RPC without "jsonrpc" (it is taken when it is there): a request has id and method, a notification a method, an answer an id and
 * result or error. A request of the child counts its ids from 0 in a space of its own, so it is known by its method, never by its id.
 */
#ifndef RUNTIME_MESSAGE_H
#define RUNTIME_MESSAGE_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "runtime/runtime.h"

enum message_type { MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESULT, MESSAGE_ERROR };

struct message {
	enum message_type type;
	struct span id;	     /* JSON, "" for a notification */
	int64_t number;	     /* the id when it is one, else -1 */
	struct buf method;   /* decoded */
	struct span params;  /* JSON; {} when there were none. RESULT: the result */
	int64_t code;	     /* ERROR */
	struct buf text;     /* ERROR: its message, made safe to show */
	struct buf word;     /* ERROR: data.code, "" without one */
	int64_t status;	     /* ERROR: data.status, 0 without one */
	struct buf repaired; /* holds the line when it was not UTF-8 */
};

void message_init(struct message *message);
void message_release(struct message *message);

/* False: it is none. Bytes that are not UTF-8 become U+FFFD. Spans point into the line, or into message. */
bool message_read(struct message *message, const char *s, size_t n) USE_RESULT;

/* What kind of delta a method brings; false: it is none. */
bool message_delta(const char *method, enum runtime_delta *ret);

/* What kind of approval a method asks for; RUNTIME_APPROVE_OTHER for any other. */
enum runtime_approval_kind message_approval(const char *method);

/* Whether an error's text says that there is no such thread. */
bool message_is_lost(const char *text);

/* Appends the result that tells a decision. False: such a request cannot be answered so, refuse it. */
bool message_add_decision(struct buf *to, enum runtime_approval_kind kind, enum runtime_decision decision, struct span params);

/* Appends a sandbox policy as turn/start wants it. */
void message_add_sandbox(struct buf *to, struct span policy);

#endif
