/* mock.h - what the files of agent-runtime-mock share: its state, its threads, its players. Private to the program.
 *
 * A player plays a block of the script, or the built-in answer, for one turn or one request. Players take turns on one loop; a player
 * that waits (for a time, for an answer to an approval, for ever) holds up nobody else.
 */
#ifndef MOCK_H
#define MOCK_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "key.h"

struct err;

#define MOCK_LINE_MAX (64u * 1024 * 1024)   /* bytes in one line of ours; longer ones are dropped, and said on standard error */
#define MOCK_SCRIPT_MAX (16u * 1024 * 1024) /* bytes of a script */
#define MOCK_BURST 256			    /* steps of one player before others, and the input, get a turn */
#define MOCK_DEPTH_MAX 16		    /* repeats within repeats */
#define MOCK_FILL_MAX (1024u * 1024 * 1024) /* bytes of a "fill" or "big" step */
#define INVALID (-32600)		    /* the code of every error of the protocol */
#define MOCK_ID KEY_UUID		    /* bytes of an id of ours, with the NUL */

/* ---- script (mock_script.c) */

struct block {
	char *on;	       /* "turn", "start" or a method */
	char *text, *contains; /* NULL: any */
	char *unless;	       /* a file: the block is for when it does not exist */
	int64_t nth;	       /* 0: any */
	bool manual;	       /* the request is answered by an "answer" step, not before the first one */
	struct span *steps;
	size_t n;
};

struct script {
	struct buf bytes;
	struct block *blocks;
	size_t n;
};

/* False: err names the line. The steps themselves are looked at when they are played. */
bool script_read(struct script *script, const char *path, struct err *err) USE_RESULT;
bool script_parse(struct script *script, struct err *err) USE_RESULT; /* what bytes holds already */
void script_release(struct script *script);

/* The first block for this, NULL when there is none. */
const struct block *script_find(const struct script *script, const char *on, const struct buf *text, int64_t nth);

/* ---- state */

enum account { ACCOUNT_NONE, ACCOUNT_API_KEY, ACCOUNT_CHATGPT, ACCOUNT_TOKENS };

struct thread {
	struct thread *next;
	char id[MOCK_ID];
	char *cwd, *host, *approval;
	struct buf sandbox;	  /* JSON */
	int64_t created, updated; /* Unix seconds */
	struct buf preview;
	struct player *turn; /* the one in progress */
	bool always;	     /* an approval was accepted for the session */
};

struct frame {
	struct span *steps; /* owned unless it is the block's */
	size_t n, at;
	int64_t left, round;
	bool owned;
};

enum wait { WAIT_NONE, WAIT_TIME, WAIT_ANSWER, WAIT_EVER };

struct player {
	struct player *next, **prev;
	struct buf request;	   /* id of the request as JSON, "" when there is none or it was answered */
	struct buf message;	   /* the request itself, when the built-in answer is still to be given */
	const struct block *block; /* NULL: the built-in turn */
	struct thread *thread;	   /* NULL: no turn */
	char turn[MOCK_ID];
	struct buf text;   /* what the person said */
	struct buf params; /* of the request, JSON */
	struct buf answer; /* the client's last answer: a decision, or the first text of an answered question */
	char *host;
	int64_t nth;
	struct frame frames[MOCK_DEPTH_MAX];
	size_t depth;
	enum wait wait;
	int64_t until;	    /* WAIT_TIME: clock.h */
	int64_t ask;	    /* WAIT_ANSWER: our request's id */
	struct span asked;  /* the step that asks */
	char item[MOCK_ID]; /* the open agent message, "" when none */
	char asked_item[MOCK_ID];
	struct buf said;   /* its text so far */
	struct buf saying; /* of a "say": what is still to be said, from said_at on */
	size_t said_at;
	int64_t chunk, pause; /* of that "say" */
	size_t output;	      /* bytes of all agent messages */
	bool over;
};

struct mock {
	/* settings */
	const char *host;
	int64_t chunk, pause_ms, login_ms; /* login_ms < 0: a login waits to be cancelled */
	bool drain, login_needed, counted;
	struct script script, builtin;
	/* what happens */
	bool greeted, deaf, stay, ignore_interrupt;
	char **quiet; /* notifications the client does not want */
	size_t n_quiet;
	struct thread *threads;
	struct player *players;
	int64_t next_ask, turns;
	uint64_t ids;
	struct buf seen; /* names of methods, one a line, for nth */
	enum account account;
	char login[MOCK_ID]; /* one that waits, "" when none */
	int64_t login_at;
	struct buf out; /* scratch for one message */
};

/* ---- mock_rpc.c: requests and their built-in answers */

void mock_line(struct mock *mock, const char *s, size_t n);
void mock_builtin(struct mock *mock, struct span message); /* answers it, whatever the script says */
void mock_free(struct mock *mock);

/* Writes one. id, result and params are JSON text. */
void mock_answer(const char *id, const char *result);
void mock_refuse(const char *id, int64_t code, const char *message);
void mock_notify(struct mock *mock, const char *method, const char *params);

void mock_id(struct mock *mock, char ret[MOCK_ID]); /* a fresh one, as UUIDs look */
void mock_add_turn(struct buf *to, const char *id, const char *status, const char *error);

/* ---- mock_account.c */

/* Answers requests about the account; false: it is none. */
bool mock_account_call(struct mock *mock, const char *method, const char *id, struct span params);
void mock_login_done(struct mock *mock, bool success);

/* ---- mock_turn.c: what a turn says and asks */

struct player *player_new(struct mock *mock, const struct block *block);
void player_free(struct player *player);
void player_turn_begin(struct mock *mock, struct player *player);
void player_turn_end(struct mock *mock, struct player *player, const char *status, const char *error);
/* The client's answer to what the player asked: JSON, or SPAN_NONE for an error. */
void player_answered(struct mock *mock, struct player *player, struct span result);

/* A text of a step with its ${names} filled in; JSON likewise, where only ids and the like belong into its texts. */
bool player_text(const struct player *player, struct span step, const char *key, struct buf *to);
void player_json(const struct player *player, struct span value, struct buf *to);

/* Begins the params of a notification, with the ids of thread and turn; ends, sends and releases them. */
void player_params(const struct player *player, struct buf *to);
void player_send(struct mock *mock, const char *method, struct buf *params);
void player_item(struct mock *mock, const struct player *player, const char *method, const struct buf *item);
void player_delta(
    struct mock *mock, const struct player *player, const char *method, const char *item, const char *s, size_t n, const char *more);
void player_message_open(struct mock *mock, struct player *player);
void player_message_add(struct mock *mock, struct player *player, const char *s, size_t n);
void player_message_close(struct mock *mock, struct player *player);

/* Steps that may ask, and then wait. */
void player_work(struct mock *mock, struct player *player, struct span step);
void player_question(struct mock *mock, struct player *player, struct span step);
void player_request(struct mock *mock, struct player *player, struct span request, struct span step);

/* ---- mock_step.c: playing */

bool player_play(struct mock *mock, struct player *player); /* false: it waits, or is over */

#endif
