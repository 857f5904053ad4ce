/* engine.c - the runtimes of runs' agents: one for each command and directory, started when it is needed, ended when it is idle */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "compass/internal.h"
#include "compass/run.h"
#include "xalloc.h"

#define ENGINES_MAX 64			     /* different commands; one that has nothing to do makes room */
#define ENGINE_IDLE_MS (INT64_C(600) * 1000) /* its process ends when it had nothing to do for this long */

struct engine {
	struct buf key; /* command and directory */
	struct runtime *runtime;
	struct engine *next;
};

static void
make_key(struct buf *to, const char *const *argv, const char *dir)
{
	for (; *argv; argv++)
		buf_add(to, *argv, strlen(*argv) + 1);
	buf_addstr(to, dir ? dir : "");
}

static bool
is_idle(const struct compass *compass, const struct engine *engine)
{
	struct runtime_status status;

	runtime_status(engine->runtime, &status);
	return !status.turns && !status.calls && !flight_flies(compass, engine->runtime);
}

static void
drop(struct engine **at)
{
	struct engine *engine = *at;

	*at = engine->next;
	runtime_free(engine->runtime);
	buf_release(&engine->key);
	free(engine);
}

bool
engine_find(struct compass *compass, const char *const *argv, const char *dir, struct runtime **ret)
{
	static const struct runtime_calls calls = { .notice = compass_notice, .gone = compass_gone };
	struct runtime_settings settings = { .argv = argv, .dir = dir, .idle_ms = ENGINE_IDLE_MS };
	struct engine **at, **idle = NULL, *engine;
	struct buf key = BUF_INIT;
	size_t n = 0;

	make_key(&key, argv, dir);
	for (at = &compass->engines; *at; at = &(*at)->next, n++) {
		if (buf_equal(&(*at)->key, &key)) {
			*ret = (*at)->runtime;
			buf_release(&key);
			return true;
		}
		if (is_idle(compass, *at))
			idle = at;
	}
	if (n >= ENGINES_MAX && !idle) {
		buf_release(&key);
		return false;
	}
	if (n >= ENGINES_MAX)
		drop(idle);
	settings.env = compass_environment();
	engine = xcalloc(1, sizeof *engine);
	engine->key = key;
	engine->runtime = *ret = runtime_new(compass->settings.base, &settings, &calls, compass);
	engine->next = compass->engines;
	compass->engines = engine;
	free((void *)settings.env);
	return true;
}

size_t
engines_count(const struct compass *compass)
{
	const struct engine *engine;
	size_t n = 0;

	for (engine = compass->engines; engine; engine = engine->next)
		n++;
	return n;
}

void
engines_stop(struct compass *compass, int64_t grace_ms, void (*done)(void *payload), void *payload)
{
	struct engine *engine, *next;

	for (engine = compass->engines; engine; engine = next) {
		next = engine->next;
		runtime_stop(engine->runtime, grace_ms, done, payload);
	}
}

void
engines_free(struct compass *compass)
{
	while (compass->engines)
		drop(&compass->engines);
}
