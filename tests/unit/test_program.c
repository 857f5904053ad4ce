/* test_program.c - where programs are: on the PATH, beside this one, and codex */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "program.h"
#include "tap.h"

/* A file that can be run, or not, with the folders above it. */
static void
make(const char *path, int mode)
{
	struct buf at = BUF_INIT;
	const char *slash;
	FILE *file;

	for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		buf_reset(&at);
		buf_add(&at, path, (size_t)(slash - path));
		(void)mkdir(at.s, 0755);
	}
	file = fopen(path, "w");
	if (file)
		(void)fclose(file);
	(void)chmod(path, (mode_t)mode);
	buf_release(&at);
}

static void
finds(const char *name, const char *want)
{
	struct buf file = BUF_INIT;
	bool found = program_find(name, &file);

	ok(found == (want != NULL), "%s is %s", name, want ? "found" : "not found");
	is_buf(&file, want ? want : "", "and where it is");
	buf_release(&file);
}

static void
test_path(void)
{
	make("a/one", 0644);
	make("b/one", 0755);
	make("b/two", 0755);
	make("c/two", 0755);
	make("three", 0755);
	setenv("PATH", "a:b:nowhere:c", 1);
	finds("one", "b/one");
	finds("two", "b/two");
	finds("none", NULL);
	finds("a/one", NULL);
	finds("./three", "./three");
	finds("three", NULL);
	make("a/folder/inside", 0755);
	finds("folder", NULL);
	setenv("PATH", "a::b", 1);
	finds("three", "./three");
	setenv("PATH", "a:", 1);
	finds("three", "./three");
	setenv("PATH", "", 1);
	finds("three", "./three");
	finds("two", NULL);
	unsetenv("PATH");
	finds("two", NULL);
}

static void
quotes(const char *text, const char *want)
{
	struct buf word = BUF_INIT;

	program_quote(text, &word);
	is_buf(&word, want, "as a word of the shell");
	buf_release(&word);
}

static void
codex(const char *named, const char *path, const char *want, const char *what)
{
	struct buf file = BUF_INIT;
	bool found;

	if (named)
		setenv("AGENT_RUNTIME_CODEX", named, 1);
	else
		unsetenv("AGENT_RUNTIME_CODEX");
	setenv("PATH", path, 1);
	found = program_codex(&file);
	ok(found == (want != NULL), "%s", what);
	/* the end of it: a path that was followed is a whole one */
	ok(!want || (file.len >= strlen(want) && !strcmp(file.s + file.len - strlen(want), want)), "%s: %s", what, file.s);
	ok(want || !file.len, "nothing is said of what is not found");
	buf_release(&file);
}

/* The two places where npm puts the program, under both of its names, and the script that stands before it. */
static void
test_codex(void)
{
	char *here = getcwd(NULL, 0);

	make("n1/@openai/codex/bin/codex.js", 0755);
	make("n1/@openai/codex-linux-x64/vendor/triple/bin/codex", 0755);
	make("n2/@openai/codex/bin/codex.js", 0755);
	make("n2/@openai/codex/node_modules/@openai/codex-linux-x64/vendor/triple/codex/codex", 0755);
	make("n3/@openai/codex/bin/codex.js", 0755);
	make("n3/@openai/codex/vendor/triple/codex/codex", 0644);
	make("n4/codex", 0755);
	(void)mkdir("bin1", 0755);
	(void)mkdir("bin2", 0755);
	(void)mkdir("bin3", 0755);
	ok(!symlink("../n1/@openai/codex/bin/codex.js", "bin1/codex") && !symlink("../n2/@openai/codex/bin/codex.js", "bin2/codex") &&
		!symlink("../n3/@openai/codex/bin/codex.js", "bin3/codex"),
	    "links as npm makes them");
	codex("n4/codex", "bin1", "n4/codex", "the one that is named, as it is");
	codex("", "bin1", NULL, "none, where that is said");
	codex("n4/nothing", "bin1", NULL, "one that is named and not there is none: no other is taken");
	codex("bin1/codex", "bin2", "@openai/codex/../codex-linux-x64/vendor/triple/bin/codex",
	    "the program behind a script, beside its package");
	codex("bin2/codex", "bin1", "codex/node_modules/@openai/codex-linux-x64/vendor/triple/codex/codex",
	    "the program inside of its package");
	codex("bin3/codex", "bin1", "bin3/codex", "the script itself, where nothing behind it can be run");
	free(here);
}

static void
test_beside(void)
{
	struct buf dir = BUF_INIT, file = BUF_INIT;

	program_dir(&dir);
	ok(dir.len && dir.s[0] == '/' && dir.s[dir.len - 1] == '/', "where this program is: %s", dir.s);
	program_libexec("no-such-program", &file);
	is_buf(&file, AU_LIBEXECDIR "/no-such-program", "what is not beside it is where it would be installed");
	buf_reset(&file);
	buf_addstr(&file, "kept ");
	ok(!program_find("no-such-program", &file) && !strcmp(file.s, "kept "), "what is not found leaves the text as it was");
	buf_release(&dir);
	buf_release(&file);
}

int
main(void)
{
	char dir[] = "/tmp/test_program.XXXXXX";

	if (!mkdtemp(dir) || chdir(dir) < 0) {
		ok(false, "a place to work in");
		return done();
	}
	test_path();
	quotes("", "''");
	quotes("a b$c", "'a b$c'");
	quotes("it's", "'it'\\''s'");
	test_codex();
	test_beside();
	ok(system("/bin/rm -rf a b c three n1 n2 n3 n4 bin1 bin2 bin3") == 0 && chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return done();
}
