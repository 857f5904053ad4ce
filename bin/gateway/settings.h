/* settings.h - what the options and the environment ask of the gateway, and where it finds its things
 *
 * Part of the front: what cannot be meant ends the program, with a message. Nothing is opened or made here.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "auth/auth.h"
#include "buf.h"
#include "chat/chat.h"
#include "compass/compass.h"
#include "compat.h"
#include "http/server.h"
#include "roots.h"

struct daemon;

#define SETTINGS_RATE 1000     /* requests per second of one principal, see --rate */
#define SETTINGS_PING_MS 15000 /* see --ping */
#define SETTINGS_A2A_MAX 65536 /* bytes of one message between agents */

struct settings {
	struct daemon *daemon; /* takes its own: addresses, hosts, the descriptor of --ready-fd */
	/* borrowed; NULL: not given */
	const char *state, *store, *agents_dir, *hitl_dir;
	const char *secrets_file, *record_file, *access_file, *runtime;
	struct auth_settings auth;
	struct server_settings server;
	struct chat_settings chat;
	struct roots roots;
	int64_t ping_ms, turn_ms, approval_ms;
	size_t a2a_max; /* bytes */
	bool check, apply_commands;
	/* where things are: the state directory, the manifests, the questions for people, the tokens, the audit log */
	struct buf where, agents, questions, tokens, audit;
};

#define SETTINGS_INIT                                                                                                                      \
	{                                                                                                                                  \
		.ping_ms = SETTINGS_PING_MS, .turn_ms = COMPASS_TURN_MS, .approval_ms = COMPASS_APPROVAL_MS,                               \
		.auth = { .rate = SETTINGS_RATE, .burst = 2 * SETTINGS_RATE }, .where = BUF_INIT, .agents = BUF_INIT,                      \
		.questions = BUF_INIT, .tokens = BUF_INIT, .audit = BUF_INIT                                                               \
	}

/* Reads the command line, then the environment. The daemon is set before. */
void settings_read(struct settings *settings, int argc, char *argv[]);

/* The state directory has the log too, unless that is in a database that others share. Borrowed. */
const char *settings_log_place(const struct settings *settings);

void settings_release(struct settings *settings);

#endif
