/* conn.h - one connection, its request and its stream: what the files of http/ share. Private to http/. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "buf.h"
#include "compat.h"
#include "http/heap.h"
#include "http/parse.h"
#include "http/server.h"

struct bufferevent;
struct ws;
struct evconnlistener;
struct event;
struct evbuffer;

#define CONN_READ_AHEAD 65536 /* bytes of further requests taken while one is worked on */
#define CONN_TURN 16	      /* pipelined requests served before others get a turn */
#define CONN_LINGER_MS 2000   /* how long what a refused client still sends is thrown away */

/* What happens on a connection; each state but WORK, STREAM and WS has a deadline. */
enum conn_state {
	CONN_IDLE, /* between requests, no byte of the next one yet */
	CONN_HEAD, /* a head has begun */
	CONN_BODY,
	CONN_WORK, /* handed over, not answered */
	CONN_STREAM,
	CONN_WS,      /* a WebSocket; a deadline once we have said goodbye */
	CONN_CLOSING, /* answered for the last time: output goes out, then the end */
	CONN_LINGER,  /* nothing more to say; the client's bytes are thrown away so that it can read our answer */
};

struct request {
	struct conn *conn; /* NULL: the client has gone */
	struct server *server;
	struct buf bytes; /* the head as sent; all spans point into it, each ended by NUL */
	char *method, *path, *query, **names, **values;
	size_t n_headers;
	struct buf body;
	enum request_problem problem;
	enum request_peer peer;
	char *peer_text;
	bool http10, keep_alive;
	bool chunked, expects;
	uint64_t length;
	void *note;
	void (*free_note)(void *note);
	const char *route; /* NULL: nobody has said */
	struct buf id;	   /* "": not asked for */
	int64_t began_us;
	int status;	 /* of the stream it became */
	uint64_t before; /* bytes written on the connection ahead of the stream */
};

struct conn {
	struct server *server;
	struct bufferevent *bev;
	struct conn *next, **prev;
	struct conn *next_said, **prev_said; /* of those with new output; prev_said NULL: not one of them */
	struct request *request;	     /* from the head to the answer */
	struct stream *stream;
	struct ws *ws;
	struct parse_chunks chunks;
	int64_t deadline; /* DEADLINE_NONE in WORK */
	int64_t progress; /* when output last moved, or began to wait */
	size_t scanned;	  /* bytes of an incomplete head that were looked at */
	enum conn_state state;
	enum request_peer peer;
	char *peer_text;      /* NULL for unix */
	bool eof;	      /* the client has finished sending */
	bool in_turn;	      /* take_turn() is running: it looks again itself */
	uint64_t written;     /* bytes of output so far */
	struct request *held; /* of the stream or the WebSocket, with settings.follow_streams */
};

struct stream {
	struct conn *conn;
	struct server *server;
	const struct stream_events *events;
	void *payload;
	bool chunked, was_full;
};

struct listener {
	struct server *server;
	struct evconnlistener *ev;
	struct listener *next;
	char *unix_path; /* removed at the end; NULL for others */
	bool is_unix;
};

struct server {
	struct event_base *base;
	struct server_settings settings;
	server_request_cb *cb;
	void *payload;
	struct listener *listeners;
	struct conn *conns;
	unsigned n_conns;
	struct heap heap;
	struct server_stats stats;
	struct conn *said;   /* those with new output, see conns_flush() */
	struct event *flush; /* there are some */
	struct event *tick;
	bool paused; /* out of descriptors: not accepting for a moment */
	bool draining;
	void (*drained)(void *payload);
	void *drained_payload;
	char date[40]; /* "date: ...\r\n" of the present second */
	int64_t date_second;
	struct span *names, *values; /* scratch for the parser */
};

/* conn.c */
void conn_open(struct server *server, int fd, enum request_peer peer, char *peer_text);
void conn_free(struct conn *conn);			/* tells a stream that it is closed */
void conn_answered(struct conn *conn, bool keep_alive); /* the request's answer is written */
void conn_look_again(struct conn *conn);		/* from the loop: there may be something to read that was left */
void conn_part(struct conn *conn, int64_t ms);		/* output goes out within ms, then the end */
void conn_tick(struct conn *conn, int64_t now);
void conns_flush(struct server *server); /* sends what has been said */
struct evbuffer *conn_output(struct conn *conn);

/* request.c */
struct request *request_new(struct conn *conn, const char *bytes, const struct parse_head *head);
void request_free(struct request *request);
void request_head(struct request *request, int status, const char *content_type, const char *const *headers, int64_t length, bool chunked,
    bool keep_alive);
const char *request_reason(int status);
void request_tell(const struct request *request, int status); /* settings.answered */

/* end.c */
bool request_is_named(const struct request *request, const char *const *headers); /* does its answer lack an x-request-id? */
void request_ended(struct request *request, int status, uint64_t bytes);	  /* settings.ended */
void request_refused(struct server *server, const char *peer, int status);	  /* the same of what was none */
void request_hold(struct request *request, int status);				  /* it has become a stream: kept, or freed */
void request_let_go(struct conn *conn);						  /* the stream has ended */

/* stream.c */
void stream_moved(struct stream *stream); /* output was taken */
void stream_closed(struct stream *stream);

/* ws.c */
bool ws_read(struct ws *ws);		/* as the steps of conn.c */
void ws_moved(struct ws *ws);		/* output was taken */
void ws_taken(struct ws *ws, size_t n); /* so many bytes of it */
void ws_tick(struct ws *ws, int64_t now);
void ws_cut(struct ws *ws, int code, const char *reason); /* says goodbye and tells the owner */
void ws_gone(struct ws *ws);				  /* tells the owner, and frees it */

/* server.c */
void server_forget(struct conn *conn); /* a connection is gone */
const char *server_date(struct server *server);

#endif
