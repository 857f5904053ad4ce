/* cursor.c - a cursor kept in a file */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "buf.h"
#include "cursor.h"
#include "err.h"
#include "num.h"
#include "status.h"

#define CURSOR_FILE_MAX 64 /* bytes */

bool
cursor_read(const char *path, int64_t *ret, struct err *err)
{
	struct buf text = BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0 && errno == ENOENT) {
		*ret = 0;
		return true;
	}
	if (fd < 0)
		return err_errno(err, STATUS_IO, "unable to read the cursor file '%s'", path);
	ok = buf_read_fd(&text, fd, CURSOR_FILE_MAX, path, err);
	close(fd);
	while (ok && text.len && (text.s[text.len - 1] == '\n' || text.s[text.len - 1] == ' '))
		buf_cut(&text, text.len - 1);
	if (ok && (!num_i64(text.s, text.len, ret) || *ret < 0))
		ok = err_set(err, STATUS_CONFIG, "unable to use the cursor file '%s': it holds no cursor", path);
	buf_release(&text);
	return ok;
}

bool
cursor_write(const char *path, int64_t cursor, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok;

	buf_addf(&text, "%lld\n", (long long)cursor);
	ok = buf_replace_file(&text, path, 0666, "the cursor file", err);
	buf_release(&text);
	return ok;
}
