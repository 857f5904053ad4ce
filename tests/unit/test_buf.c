/* test_buf.c - the growing byte buffer */
#include "compat.h"

#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "status.h"
#include "tap.h"

static void
test_limit(void)
{
	struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], "12345678", 8) != 8)
		exit(1);
	close(fds[1]);
	ok(!buf_read_fd(&buf, fds[0], 7, "a pipe", &err), "one byte more than the limit is refused");
	is_int(err.status, STATUS_INPUT, "as bad input");
	is_str(err.text, "unable to take 'a pipe': it holds more than 7 bytes", "with the limit in the message");
	close(fds[0]);
	buf_release(&buf);

	if (pipe(fds) < 0 || write(fds[1], "1234567", 7) != 7)
		exit(1);
	close(fds[1]);
	ok(buf_read_fd(&buf, fds[0], 7, "a pipe", &err), "exactly the limit is taken");
	is_buf(&buf, "1234567", "whole");
	close(fds[0]);
	buf_release(&buf);
}

int
main(void)
{
	struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;
	char *s;
	size_t n, i;

	is_str(buf.s, "", "a fresh buffer is an empty string");
	buf_release(&buf);
	buf_add(&buf, "a\0b", 3);
	is_bytes(buf.s, buf.len, "a\0b", 3, "bytes may hold NUL");
	buf_reset(&buf);
	buf_addf(&buf, "%s-%d", "x", 7);
	is_buf(&buf, "x-7", "formatted");
	buf_addu64(&buf, UINT64_MAX);
	is_buf(&buf, "x-718446744073709551615", "the largest number");
	buf_consume(&buf, 3);
	is_buf(&buf, "18446744073709551615", "the front is dropped");
	s = buf_detach(&buf, &n);
	is_int(n, 20, "detached with its length");
	is_str(buf.s, "", "and the buffer is empty again");
	free(s);
	for (i = 0; i < 100000; i++)
		buf_addch(&buf, (char)('a' + i % 26));
	ok(buf.len == 100000 && buf.s[99999] == (char)('a' + 99999 % 26) && !buf.s[100000], "grows and stays NUL-ended");
	buf_release(&buf);
	ok(!buf_read_file(&buf, "/no/such/file", 10, &err) && err.status == STATUS_IO, "a missing file is an I/O error");
	test_limit();
	return done();
}
