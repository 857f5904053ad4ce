/* openai.h - what the files of agent-runtime-openai share */
#ifndef OPENAI_H
#define OPENAI_H

#include "address.h"
#include "buf.h"
#include "compat.h"
#include "serve.h"

struct http;
struct http_call;
struct sse;

/* One request to the endpoint, for one turn. */
struct talk {
	struct openai *openai;
	struct serve_turn *turn;
	struct http_call *call;
	struct sse *sse;
	bool finished;	   /* the endpoint said so */
	struct buf failed; /* JSON of an error inside the stream, "" without */
	struct buf whole;  /* an answer that is no stream */
	size_t streamed;   /* bytes of one */
	unsigned too_long; /* the limit that it went beyond, 0: none */
	struct talk *next, **prev;
};

struct openai {
	struct serve *serve;
	struct http *http;
	struct address address;
	struct buf system, key;
	const char *model;
	bool responses;
	uint64_t context;
	int64_t turn_ms, silence_ms;
	struct talk *talks;
};

/* ---- openai_talk.c */

void talk_begin(struct talk *talk);   /* of zeroes, with openai and turn */
void talk_release(struct talk *talk); /* ends the call, too */

/* The body of a turn's request, JSON: the system prompt, and of what was said the newest that fits; appended. */
void talk_make(const struct openai *openai, const struct serve_turn *turn, struct buf *to);

/* A piece of the answer (http_body_cb): streamed, it is told to serve at once, else it is kept. False: there is too much of it (too_long is
 * set), or it is no stream of events. */
bool talk_heard(const char *bytes, size_t n, void *talk);

/* An answer that was kept, and is whole: told to serve. False: it is no JSON. */
bool talk_take_whole(struct talk *talk) USE_RESULT;

#endif
