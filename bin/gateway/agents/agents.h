/* agents.h - the door of agents/: manifests, and the agents they declare
 *
 * One JSON file per agent in a directory (*.json, in name order), and those that services/ puts. Shape and rules: Clarity contract section
 * 12, with the texts of its validator, plus our origin:
 * {"type":"command","command":["./reply.sh"],"mode"?:"message"|"long-lived","timeoutMs"?, "maxConcurrency"?,"workingDirectory"?} (an
 * executable that gets the handler's arguments as one JSON line and answers with one; started for each message, or once for many), and
 * {"type":"runtime"}: a run is a thread on a stdio runtime (agent-runtime(7)), whose members agent-manifest(5) has. A relative program or
 * directory is meant from the manifest's own directory.
 *
 * What a manifest says never changes in a struct agent: another manifest is another struct, which takes the place of the first in the set.
 * Whoever keeps one longer than a call takes a reference.
 */
#ifndef AGENTS_H
#define AGENTS_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct err;

#define MANIFEST_MAX (1024u * 1024)		    /* bytes of one file */
#define AGENTS_MAX 10000			    /* agents of one gateway */
#define AGENT_ARGV_MAX 64			    /* words of a command */
#define AGENT_PROGRAMS_MAX 16			    /* of a long-lived command at once */
#define AGENT_TIMEOUT_MS 120000			    /* a command's answer, when its manifest says nothing */
#define SCHEDULE_MAX_MS (INT64_C(36525) * 86400000) /* longest period of a timer that is told apart from a longer one: a hundred years */

#define AGENT_SYSTEM_MAX (256u * 1024) /* bytes of a runtime's system prompt */
#define AGENT_THREADS                                                                                                                      \
	"runtime:threads" /* service id of the agent that answers threads which are read as runs: the gateway's own runtime; in no list */
#define AGENT_WORKSPACE "default" /* of the threads of a runtime's runs, when its manifest says nothing */

enum origin { ORIGIN_LOCAL_WASM, ORIGIN_REMOTE_MCP, ORIGIN_COMMAND, ORIGIN_RUNTIME };
enum chat_mode { CHAT_AUTO, CHAT_ECHO, CHAT_DISABLED };
enum trigger { TRIGGER_TIMER = 1, TRIGGER_EVENT = 2, TRIGGER_API = 4, TRIGGER_A2A = 8 };

/* In the contract's order and with its words; agents/ only carries them, services/ decides. */
enum lifecycle { LIFE_REGISTERED, LIFE_STARTING, LIFE_RUNNING, LIFE_STOPPING, LIFE_STOPPED, LIFE_CRASHED, LIFE_QUARANTINED, LIFE_COUNT };
enum health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_COUNT };
const char *lifecycle_text(enum lifecycle lifecycle); /* "RUNNING" */
const char *health_text(enum health health);

struct agent_state {
	enum lifecycle lifecycle;
	enum health health;
	int64_t since_ms;     /* RUNNING: since when, wall clock */
	int64_t heartbeat_ms; /* 0: never */
	int64_t restarts;
	struct buf last_error; /* "": none */
	struct buf interface;  /* what introspection found, compact JSON; "": not introspected */
};

/* One of metadata.agent.timer.schedules. */
struct schedule {
	struct buf id, expr;
	struct buf message; /* what a runtime is told when it fires; "": what has fired */
	int64_t period_ms;
	bool enabled;
};

/* What a runtime is asked for, for each thread; "": not said. */
struct agent_runtime {
	struct buf model, system, cwd, effort, personality, approval_policy;
	struct buf sandbox; /* JSON */
	struct buf rules;   /* JSON: who answers its approvals, as in a thread */
	struct buf workspace;
};

struct agent {
	struct buf service; /* serviceId: given, or svc_ + 12 hex of SHA-256 as the contract makes it */
	struct buf display_name, source_file, module, agent_id, name, role, objective;
	bool is_agent;		  /* serviceType agent (others are kept and not listed) */
	unsigned triggers;	  /* bits of enum trigger */
	struct buf triggers_text; /* "api, timer": declared, in order, for messages */
	enum origin origin;
	enum chat_mode chat_mode;
	bool chat_mode_set;
	struct buf handler_tool; /* chat.handlerTool or the origin's default */
	bool history_enabled;
	int history_max_turns, history_max_chars;
	int64_t timeout_ms; /* of a chat's answer; 0: the origin's default */
	bool enabled, autostart;
	/* timer */
	struct schedule *schedules;
	size_t n_schedules;
	bool timer_serial;     /* a firing waits for the end of the one before; the default */
	struct buf timer_tool; /* timer.handlerTool; "": none named */
	/* command origin; runtime origin: NULL is the gateway's own runtime */
	char **argv;
	struct buf directory;
	bool long_lived;
	struct agent_runtime runtime;
	/* remote_mcp origin */
	bool sse;					     /* transport sse_http */
	struct buf endpoint, host, auth_ref;		     /* host: of the endpoint, lower case */
	int64_t remote_timeout_ms, payload_max, concurrency; /* 0: the default */
	/* local_wasm origin */
	struct buf wasm;
	/* restartPolicy */
	bool restarts; /* mode is not "never" */
	int64_t max_restarts, window_s;
	struct buf manifest; /* the whole manifest, compact, unknown members kept, serviceId and toolNamespace filled in */
	struct buf path;     /* its file; "": it was applied */
	int64_t created_ms, updated_ms;
	struct agent_state state;
	unsigned refs;
};

struct agents; /* the set, in registration order */

/* Checks one manifest. path: its file, "" without. False: err (STATUS_CONFIG) has the contract's text ("invalid manifest: apiVersion must
 * be …"). */
bool agent_parse(const char *json, size_t n, const char *path, struct agent **ret, struct err *err) USE_RESULT;
const struct agent *agent_ref(const struct agent *agent);
void agent_unref(const struct agent *agent); /* accepts NULL */

/* Which tool a timer calls: the one that is named, else on_timer where there is one; NULL: none. */
const char *agent_timer_tool(const struct agent *agent);
bool agent_allows_tool(const struct agent *agent, const char *tool); /* spec.origin.allowedTools: empty or absent allows all */

/* Reads a directory. A manifest that is wrong, or whose serviceId another has, is reported through `problem` (with its file) and left out;
 * false only when the directory itself cannot be read. */
struct agents *agents_load(const char *dir, void (*problem)(const struct err *err, void *payload), void *payload, struct err *err);
void agents_free(struct agents *agents);

/* Takes the place of the one with the same service id, with its state and createdAt, or comes last. The set takes over the reference.
 * False: the set is full (the reference stays the caller's). */
bool agents_put(struct agents *agents, struct agent *agent) USE_RESULT;
void agents_remove(struct agents *agents, struct span service);
struct agent_state *agents_state(struct agents *agents, struct span service); /* to be changed; NULL: none */

size_t agents_count(const struct agents *agents);
const struct agent *agents_at(const struct agents *agents, size_t i);
const struct agent *agents_by_service(const struct agents *agents, struct span service); /* NULL: none; AGENT_THREADS too */
const struct agent *agents_by_name(const struct agents *agents, struct span agent);	 /* agentId, name or module, letter case ignored */

/* The registry item of contract 6.1, compact. */
void agent_item(const struct agent *agent, int64_t now_ms, struct buf *to);
/* Members of items that are the same everywhere: "lifecycle", "health"; "policy":{"restart"}; "interface" as numbers of tools. */
int64_t agent_uptime_s(const struct agent *agent, int64_t now_ms);
const char *agent_origin_text(const struct agent *agent);
void agent_add_interface_counts(const struct agent *agent, struct buf *to);

#endif
