/* test_recall.c - lines that were typed before */
#include "compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "recall.h"
#include "status.h"
#include "tap.h"

static char path[] = "/tmp/test_recall.XXXXXX";
static struct buf seen = BUF_INIT;
static size_t count;

static void
collect(const char *line, void *payload)
{
	(void)payload;
	count++;
	buf_addf(&seen, "%s|", line);
}

static bool
read_back(struct err *err)
{
	buf_reset(&seen);
	count = 0;
	return recall_read(path, collect, NULL, err);
}

static void
put(const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd) < 0)
		exit(1);
}

static void
test_adding(void)
{
	struct err err = ERR_INIT;
	struct stat st;

	unlink(path);
	ok(read_back(&err) && !count, "a file that is not there has no lines");
	ok(recall_add(path, "one", &err) && recall_add(path, "two \xc3\xb6", &err), "lines are added");
	ok(recall_add(path, " secret", &err) && recall_add(path, "", &err) && recall_add(path, "a\nb", &err),
	    "others are left out without a word");
	ok(read_back(&err), "read back");
	is_buf(&seen, "one|two \xc3\xb6|", "oldest first");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "for the owner only");
	chmod(path, 0644);
	ok(recall_add(path, "three", &err) && stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "also when it was not so before");
}

static void
test_odd_files(void)
{
	struct err err = ERR_INIT;

	put("x\0y\nlast", 8);
	ok(read_back(&err), "a file with a NUL and without a last newline");
	is_buf(&seen, "x y|last|", "is read");
	unlink(path);
	mkdir(path, 0700);
	ok(!read_back(&err) && err.status == STATUS_IO, "a directory is an error");
	ok(!recall_add(path, "x", &err) && err.status == STATUS_IO, "for adding too");
	rmdir(path);
}

static void
test_limit(void)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int i;

	for (i = 1; i <= 2 * RECALL_LINES_MAX - 2; i++)
		buf_addf(&text, "%d\n", i);
	put(text.s, text.len);
	ok(recall_add(path, "a", &err), "one line less than twice the limit");
	ok(read_back(&err) && count == RECALL_LINES_MAX, "of which the newest are given");
	ok(strncmp(seen.s, "1000|", 5) == 0, "from the right one on");
	ok(recall_add(path, "b", &err), "at twice the limit");
	buf_reset(&text);
	ok(buf_read_file(&text, path, RECALL_FILE_MAX, &err) && strncmp(text.s, "1001\n", 5) == 0, "the file is cut to its newest lines");
	is_str(text.s + text.len - 4, "a\nb\n", "with the last ones at its end");
	buf_release(&text);
}

int
main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	test_adding();
	test_odd_files();
	test_limit();
	unlink(path);
	buf_release(&seen);
	return done();
}
