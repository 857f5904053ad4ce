/* roots.c - directories below which a caller may name a place */
#include "compat.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "roots.h"
#include "status.h"
#include "xalloc.h"

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool
roots_add(struct roots *roots, const char *dir, struct err *err)
{
	char real[PATH_MAX];

	if (roots->n == ROOTS_MAX)
		return err_set(err, STATUS_CONFIG, "unable to take '%s' for a root: there are %d already", dir, ROOTS_MAX);
	if (!realpath(dir, real))
		return err_errno(err, STATUS_CONFIG, "unable to take '%s' for a root", dir);
	if (!is_dir(real))
		return err_set(err, STATUS_CONFIG, "unable to take '%s' for a root: it is no directory", dir);
	roots->dirs[roots->n++] = xstrdup(real);
	return true;
}

static bool
is_below(const char *root, const char *real)
{
	size_t n = strlen(root);

	return !strncmp(root, real, n) && (n == 1 || !real[n] || real[n] == '/');
}

bool
roots_take(const struct roots *roots, const char *path, struct buf *to)
{
	char real[PATH_MAX];
	size_t i;

	if (*path != '/' || !realpath(path, real) || !is_dir(real))
		return false;
	for (i = 0; i < roots->n; i++)
		if (is_below(roots->dirs[i], real)) {
			buf_addstr(to, real);
			return true;
		}
	return false;
}

void
roots_release(struct roots *roots)
{
	while (roots->n)
		free(roots->dirs[--roots->n]);
}
