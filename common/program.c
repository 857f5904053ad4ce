/* program.c - where programs are */
#include "compat.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

#define SCRIPT "/bin/codex.js"

static bool
is_program(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;
}

void
program_dir(struct buf *to)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0 || (size_t)n >= sizeof self - 1)
		return;
	self[n] = '\0';
	buf_add(to, self, (size_t)(strrchr(self, '/') + 1 - self));
}

bool
program_find(const char *name, struct buf *to)
{
	const char *path = getenv("PATH"), *end;
	struct buf file = BUF_INIT;
	bool found = false;

	if (strchr(name, '/')) {
		if (is_program(name))
			buf_addstr(to, name);
		return is_program(name);
	}
	/* a place without a name is the present directory */
	for (; path && !found; path = *end ? end + 1 : NULL) {
		end = path + strcspn(path, ":");
		buf_reset(&file);
		buf_addf(&file, "%.*s/%s", end == path ? 1 : (int)(end - path), end == path ? "." : path, name);
		found = is_program(file.s);
	}
	if (found)
		buf_add(to, file.s, file.len);
	buf_release(&file);
	return found;
}

void
program_libexec(const char *name, struct buf *to)
{
	static const char libexec[] = "libexec/agentutils/";
	struct buf file = BUF_INIT;
	size_t n = sizeof libexec - 1;

	program_dir(&file);
	if (file.len < n || strcmp(file.s + file.len - n, libexec) != 0)
		buf_addf(&file, "../%s", libexec);
	buf_addstr(&file, name);
	if (is_program(file.s))
		buf_add(to, file.s, file.len);
	else
		buf_addf(to, "%s/%s", AU_LIBEXECDIR, name);
	buf_release(&file);
}

void
program_path_jq(void)
{
	const char *path = getenv("PATH");
	struct buf jq = BUF_INIT, longer = BUF_INIT;

	program_libexec("jq", &jq);
	/* without a PATH what is looked in is the system's choice */
	if (path && *path && is_program(jq.s)) {
		buf_cut(&jq, jq.len - strlen("/jq"));
		buf_addf(&longer, "%s:%s", path, jq.s);
		(void)setenv("PATH", longer.s, 1);
	}
	buf_release(&jq);
	buf_release(&longer);
}

void
program_quote(const char *text, struct buf *to)
{
	buf_addch(to, '\'');
	for (; *text; text++)
		buf_addstr(to, *text == '\'' ? "'\\''" : (const char[]){ *text, '\0' });
	buf_addch(to, '\'');
}

/* ---- codex */

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

bool
program_codex(struct buf *to)
{
	const char *named = getenv("AGENT_RUNTIME_CODEX");
	struct buf file = BUF_INIT;
	bool found;

	if (named)
		return *named && take(to, named);
	program_libexec("codex", &file);
	found = take(to, file.s);
	buf_reset(&file);
	found = found || (program_find("codex", &file) && take(to, file.s));
	buf_release(&file);
	return found;
}
