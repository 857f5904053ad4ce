/* codex.c - where codex is */
#include "compat.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codex.h"

#define SCRIPT "/bin/codex.js"

static bool
is_program(const char *file)
{
	return access(file, X_OK) == 0;
}

/* The program that belongs to the script in that package: beside it or inside of it, in a package for each kind of machine. */
static bool
behind_script(struct buf *to, const char *package)
{
	static const char *const places[] = { "/../codex-*/vendor/*", "/node_modules/@openai/codex-*/vendor/*", "/vendor/*" },
				 *const names[] = { "/bin/codex", "/codex/codex" };
	struct buf pattern = BUF_INIT;
	size_t i, k, n;
	bool found = false;
	glob_t files;

	for (i = 0; i < ARRAY_LEN(places) && !found; i++)
		for (k = 0; k < ARRAY_LEN(names) && !found; k++) {
			buf_reset(&pattern);
			buf_addf(&pattern, "%s%s%s", package, places[i], names[k]);
			if (glob(pattern.s, 0, NULL, &files))
				continue;
			for (n = 0; n < files.gl_pathc && !found; n++)
				if (is_program(files.gl_pathv[n])) {
					buf_addstr(to, files.gl_pathv[n]);
					found = true;
				}
			globfree(&files);
		}
	buf_release(&pattern);
	return found;
}

static bool
take(struct buf *to, const char *file)
{
	char real[PATH_MAX];
	size_t n;

	if (!is_program(file) || !realpath(file, real))
		return false;
	n = strlen(real);
	if (n > strlen(SCRIPT) && !strcmp(real + n - strlen(SCRIPT), SCRIPT)) {
		real[n - strlen(SCRIPT)] = '\0';
		if (behind_script(to, real))
			return true;
	}
	buf_addstr(to, file);
	return true;
}

static bool
on_path(struct buf *to)
{
	const char *path = getenv("PATH"), *end;
	struct buf file = BUF_INIT;
	bool found = false;

	for (; path && *path && !found; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ":");
		buf_reset(&file);
		buf_add(&file, path, (size_t)(end - path));
		buf_addstr(&file, "/codex");
		found = take(to, file.s);
	}
	buf_release(&file);
	return found;
}

bool
codex_find(struct buf *to, const char *self)
{
	const char *named = getenv("AGENT_RUNTIME_CODEX");
	struct buf file = BUF_INIT;
	bool found;

	if (named)
		return *named && take(to, named);
	buf_addf(&file, "%s../libexec/agentutils/codex", self);
	found = take(to, file.s) || take(to, AU_LIBEXECDIR "/codex") || on_path(to);
	buf_release(&file);
	return found;
}
