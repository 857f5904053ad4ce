/* acp.h - what the files of agent-runtime-acp share: the agent, its sessions, turns, tool calls and questions. Private to the program.
 *
 * A talk is a turn of the runtime protocol with what the agent knows of it. It is freed by talk_end(), which is the end of the turn on both
 * sides; what the agent still answers to it then is heard by nobody. Everything runs on the loop of the program.
 */
#ifndef ACP_H
#define ACP_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "line.h"
#include "serve.h"
#include "spawn.h"

struct err;

#define INTERNAL "\"internalServerError\"" /* codexErrorInfo */

/* What a thread's session in the agent was opened with; the engine's own of a thread. */
struct session {
	unsigned agent; /* which process knows it */
	struct buf cwd;
};

struct tool {
	struct buf call; /* the agent's id */
	char item[SERVE_ID];
	struct buf title, output, changes;
	bool patch, done;
};

enum state { WAITS_AGENT, WAITS_SESSION, PROMPTED };

/* One turn. */
struct talk {
	struct acp *acp;
	struct serve_turn *turn;
	enum state state;
	bool fresh; /* the session knows nothing yet */
	int64_t deadline;
	struct buf steered; /* said while it worked; goes along when it is done */
	struct tool *tools;
	size_t n_tools;
	struct asked *asked;
	unsigned n_asked;
	struct talk *next, **prev;
};

/* A question of the agent that a person decides. */
struct asked {
	struct talk *talk;
	struct buf id;	       /* of the agent's request; "" when it is answered */
	struct buf options[4]; /* by kind */
	size_t tool;
	struct asked *next;
};

enum { ALLOW_ONCE, ALLOW_ALWAYS, REJECT_ONCE, REJECT_ALWAYS };
enum call_kind { CALL_INITIALIZE, CALL_AUTHENTICATE, CALL_NEW, CALL_LOAD, CALL_PROMPT };

/* A request of ours. */
struct call {
	int64_t id;
	enum call_kind kind;
	struct talk *talk; /* NULL: of the agent as a whole, or of a turn that is over */
	struct call *next;
};

struct acp {
	struct serve *serve;
	const char *const *argv;
	const char *auth, *key_env;
	bool has_key, stale; /* stale: the key is another one, the agent has to be started anew */
	bool closing;
	int64_t start_ms, turn_ms;

	pid_t pid; /* 0: none runs */
	struct kin kin;
	unsigned agent;
	int in_fd, out_fd;
	struct line line;
	struct buf held; /* not written yet */
	bool ready, loads;
	struct buf dying; /* why it has to end, "" */
	int64_t next_id;
	struct call *calls;
	struct talk *talks;
};

/* ---- acp_agent.c */

/* Starts it and greets it. False: err (STATUS_CONFIG, STATUS_IO). */
bool agent_start(struct acp *acp, struct err *err) USE_RESULT;
/* Ends it and everything it has started in its group; why fails the turns in it. */
void agent_stop(struct acp *acp, const char *why);
/* What there is to read or write; what cannot go on is said in acp->dying. */
void agent_read(struct acp *acp);
void agent_write(struct acp *acp);

/* One message: begun, filled by the caller, sent; sending releases it. An agent that does not read is ended. */
void acp_begin(struct buf *line);
void acp_send(struct acp *acp, struct buf *line);
void acp_request(struct acp *acp, struct talk *talk, enum call_kind kind, const struct buf *params); /* params: JSON */
void acp_respond(struct acp *acp, const char *id, const char *result);				     /* JSON texts */
void acp_respond_error(struct acp *acp, const char *id, int code, const char *message);

/* ---- acp_tool.c */

/* The tool call that is meant, brought up to date; told when it is new or over. NULL: it has no id, or there are too many. It moves with
 * the next one. */
struct tool *tool_take(struct talk *talk, struct span call);
void tool_end(struct talk *talk, struct tool *tool, const char *status);
void tools_free(struct talk *talk);

/* ---- acp_talk.c */

void talk_open(struct talk *talk); /* its session, and then the prompt */
void talk_prompt(struct talk *talk);
void talk_go_on(struct talk *talk); /* with what was said while it worked: the same turn goes on */
void talk_cancel(struct talk *talk);
void talk_end(struct talk *talk, const char *message, const char *info, const char *details); /* as serve_end(); frees it */

/* Turns go to the agent. The key is the caller's affair. */
struct serve_engine acp_engine(struct acp *acp);

/* ---- acp_heard.c */

void acp_take_line(struct acp *acp, const char *s, size_t n);

/* ---- acp_ask.c */

/* The turn at work in the session that the params name; NULL: none. */
struct talk *talk_of(const struct acp *acp, struct span params);
void acp_take_request(struct acp *acp, const char *id, const char *method, struct span params);
/* Tells the agent which of its options was chosen; NULL: that it was cancelled. Once. */
void asked_outcome(struct asked *asked, const char *option);

#endif
