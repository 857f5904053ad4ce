/* statedir.c - where the gateway keeps its state */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "statedir.h"
#include "status.h"

bool
statedir_find(const char *state, const char *store, struct buf *to, struct err *err)
{
	const char *base = getenv("STATE_DIRECTORY"), *home = getenv("HOME"), *xdg = getenv("XDG_STATE_HOME");

	if (store && strstr(store, "://"))
		return err_set(err, STATUS_CONFIG, "unable to use the store '%s': expected sqlite:/path", store);
	if (store)
		buf_addstr(to, store);
	else if (state)
		buf_addstr(to, state);
	else if (base && *base)
		buf_add(to, base, strcspn(base, ":"));
	else if (xdg && *xdg == '/')
		buf_addf(to, "%s/agentutils/gateway", xdg);
	else if (home && *home == '/')
		buf_addf(to, "%s/.local/state/agentutils/gateway", home);
	else
		return err_set(
		    err, STATUS_CONFIG, "unable to choose a state directory: neither XDG_STATE_HOME nor HOME is set; use --state");
	return true;
}

void
statedir_file(const char *where, const char *name, struct buf *to)
{
	const char *slash;

	if (!strncmp(where, "sqlite:", 7)) {
		where += 7;
		slash = strrchr(where, '/');
		buf_addf(to, "%.*s%s", slash ? (int)(slash + 1 - where) : 0, where, name);
	} else
		buf_addf(to, "%s/%s", where, name);
}

bool
statedir_make_for(const char *file, struct err *err)
{
	struct buf path = BUF_INIT;
	const char *slash;
	bool ok = true;

	for (slash = strchr(file + 1, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
		buf_reset(&path);
		buf_add(&path, file, (size_t)(slash - file));
		if (mkdir(path.s, 0700) < 0 && errno != EEXIST)
			ok = err_errno(err, STATUS_CONFIG, "unable to create the state directory '%s'", path.s);
	}
	buf_release(&path);
	return ok;
}

void
statedir_give(int fd, const char *file)
{
	const char *slash = strrchr(file, '/');
	struct buf dir = BUF_INIT;
	struct stat st;

	if (geteuid() != 0)
		return;
	if (slash && slash != file)
		buf_add(&dir, file, (size_t)(slash - file));
	else
		buf_addstr(&dir, slash ? "/" : ".");
	/* a file that stays root's is not worse than one that is not there */
	if (stat(dir.s, &st) == 0 && st.st_uid != 0 && fchown(fd, st.st_uid, st.st_gid) < 0)
		errno = 0;
	buf_release(&dir);
}
