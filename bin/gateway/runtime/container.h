/* container.h - the container of a session host: found or started through the docker or podman command, health-checked, removed. Private to
 * runtime/.
 *
 * It has one name, made from where its secret lies: so whoever comes after a crash finds it, and uses it again when it is well. Its host
 * listens on loopback only, wants the token of that file, and may do little: no capabilities, no new privileges, a root that cannot be
 * written, limits.
 */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include "compat.h"

struct buf;
struct container;
struct event_base;
struct fetcher;
struct runtime_container;

#define CONTAINER_COMMAND_MS 60000 /* one command of the engine */
#define CONTAINER_HEALTH_MS 30000  /* until the host in it answers */
#define CONTAINER_LOOK_MS 100	   /* between two questions about that */
#define CONTAINER_WORDS_MAX 16	   /* of the engine's command */
#define CONTAINER_PORT 8080	   /* inside */
#define CONTAINER_SAID_MAX 4096	   /* bytes kept of what a command says */

struct container_calls {
	void (*ready)(const char *url, const char *token, void *payload); /* http://127.0.0.1:PORT */
	void (*failed)(const char *code, const char *why, void *payload); /* the next container_need() tries again */
	void (*gone)(void *payload);					  /* after container_remove() */
};

/* settings are borrowed, and the fetcher. */
struct container *container_new(struct event_base *base, struct fetcher *fetcher, const struct runtime_container *settings,
    const struct container_calls *calls, void *payload);
/* ready or failed comes, never from inside this call. */
void container_need(struct container *container);
/* gone comes once, when it has been removed, or could not be. */
void container_remove(struct container *container);
void container_free(struct container *container); /* the container itself stays; accepts NULL */

#endif
