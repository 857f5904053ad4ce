/* agents.h - the door of agents/: manifests, and the agents they declare
 *
 * One JSON file per agent in a directory (*.json, in name order). Shape and rules: Clarity contract section 12, with the texts of its
 * validator, plus our origins: {"type":"command","command":["./reply.sh"],"mode"?:"message","timeoutMs"?,"workingDirectory"?}
 * (an executable, started for each message, that gets the handler's arguments as one JSON line and answers with one). A relative program or
 * directory is meant from the manifest's own directory.
 */
#ifndef AGENTS_H
#define AGENTS_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct err;

#define MANIFEST_MAX (1024u * 1024) /* bytes of one file */
#define AGENTS_MAX 10000	    /* agents of one gateway */
#define AGENT_ARGV_MAX 64	    /* words of a command */
#define AGENT_TIMEOUT_MS 120000	    /* a command's answer, when its manifest says nothing */

enum origin { ORIGIN_LOCAL_WASM, ORIGIN_REMOTE_MCP, ORIGIN_COMMAND };
enum chat_mode { CHAT_AUTO, CHAT_ECHO, CHAT_DISABLED };
enum trigger { TRIGGER_TIMER = 1, TRIGGER_EVENT = 2, TRIGGER_API = 4, TRIGGER_A2A = 8 };

struct agent {
	struct buf service;  /* serviceId: given, or svc_ + 12 hex of SHA-256 as the contract makes it */
	struct buf display_name, source_file, module, agent_id, name, role, objective;
	bool is_agent;	     /* serviceType agent (others are kept and not listed) */
	unsigned triggers;   /* bits of enum trigger */
	struct buf triggers_text; /* "api, timer": declared, in order, for messages */
	enum origin origin;
	enum chat_mode chat_mode;
	bool chat_mode_set;
	struct buf handler_tool;  /* chat.handlerTool or the origin's default */
	bool history_enabled;
	int history_max_turns, history_max_chars;
	/* command origin */
	char **argv;
	struct buf directory;
	int64_t timeout_ms;
	struct buf manifest; /* the whole manifest, compact, unknown members kept */
	struct buf path;     /* its file */
	int64_t created_ms, updated_ms;
};

struct agents; /* the set, in registration order */

/* Checks one manifest. False: err (STATUS_CONFIG) has the contract's text ("invalid manifest: apiVersion must be …"). */
bool agent_parse(const char *json, size_t n, const char *path, struct agent **ret, struct err *err) USE_RESULT;
void agent_free(struct agent *agent);

/* Reads a directory. A manifest that is wrong, or whose serviceId another has, is reported through `problem` (with its file) and left out;
 * false only when the directory itself cannot be read. */
struct agents *agents_load(const char *dir, void (*problem)(const struct err *err, void *payload), void *payload, struct err *err);
void agents_free(struct agents *agents);

size_t agents_count(const struct agents *agents);
const struct agent *agents_at(const struct agents *agents, size_t i);
const struct agent *agents_by_service(const struct agents *agents, struct span service); /* NULL: none */
const struct agent *agents_by_name(const struct agents *agents, struct span agent);	 /* agentId, name or module, letter case ignored */

/* The registry item of contract 6.1, compact. */
void agent_item(const struct agent *agent, int64_t started_ms, int64_t now_ms, struct buf *to);

#endif
