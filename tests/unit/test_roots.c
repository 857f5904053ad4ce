/* test_roots.c - places below roots, and the ways around them */
#include "compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "roots.h"
#include "tap.h"

static void
taken(const struct roots *roots, const char *dir, const char *path, const char *want)
{
	struct buf asked = BUF_INIT, got = BUF_INIT, right = BUF_INIT;

	if (*path == '/')
		buf_addstr(&asked, path);
	else
		buf_addf(&asked, "%s/%s", dir, path);
	if (want)
		buf_addf(&right, "%s%s", dir, want);
	ok(roots_take(roots, asked.s, &got) == (want != NULL) && !strcmp(got.s, right.s), "%s: %s", path, want ? "in" : "out");
	buf_release(&asked);
	buf_release(&got);
	buf_release(&right);
}

int
main(void)
{
	char dir[] = "/tmp/agentutils-roots-XXXXXX", *real;
	struct roots roots = { .n = 0 };
	struct err err = ERR_INIT;
	struct buf got = BUF_INIT;
	int i;

	ok(mkdtemp(dir) && !chdir(dir) && !mkdir("a", 0777) && !mkdir("a/b", 0777) && !mkdir("ab", 0777) && !symlink("../ab", "a/out") &&
		!symlink("a", "in") && !close(creat("a/file", 0666)),
	    "a tree");
	real = realpath(dir, NULL);
	ok(!roots_take(&roots, "/", &got), "without a root, nothing is below one");
	ok(roots_add(&roots, "a", &err), "one by a relative name");
	taken(&roots, real, "a", "/a");
	taken(&roots, real, "a/", "/a");
	taken(&roots, real, "a/b", "/a/b");
	taken(&roots, real, "a/../a/b/.", "/a/b");
	taken(&roots, real, "in/b", "/a/b");
	taken(&roots, real, "ab", NULL);
	taken(&roots, real, "a/out", NULL);
	taken(&roots, real, "a/..", NULL);
	taken(&roots, real, "a/file", NULL);
	taken(&roots, real, "a/none", NULL);
	taken(&roots, real, "/", NULL);
	ok(!roots_take(&roots, "a", &got) && !roots_take(&roots, "", &got), "what is not absolute is none");
	ok(!roots_add(&roots, "none", &err) && strstr(err.text, "unable to take 'none' for a root"), "one that is not there: %s", err.text);
	ok(!roots_add(&roots, "a/file", &err) && strstr(err.text, "no directory"), "one that is a file: %s", err.text);
	for (i = 1; i < ROOTS_MAX; i++)
		if (!roots_add(&roots, "a/b", &err))
			break;
	ok(i == ROOTS_MAX && !roots_add(&roots, "a/b", &err), "%d and no more: %s", ROOTS_MAX, err.text);
	roots_release(&roots);
	ok(roots_add(&roots, "/", &err) && roots_take(&roots, real, &got) && !strcmp(got.s, real), "below / is everything");
	roots_release(&roots);
	ok(system("rm -rf a ab in") == 0 && !chdir("/"), "cleared away");
	(void)rmdir(dir);
	buf_release(&got);
	free(real);
	return done();
}
