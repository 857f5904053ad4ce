/* record.c - what the gateway has said, written down as it says it */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "err.h"
#include "http/server.h"
#include "jtext.h"
#include "record.h"
#include "secrets.h"

static int fd = -1;
static bool told;
static const struct secrets *rules;

bool
record_open(const char *path, const struct secrets *secrets, struct err *err)
{
	rules = secrets;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, STATUS_CONFIG, "unable to open '%s'", path);
	return true;
}

void
record_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

/* A document is cleaned as one, so that it stays one; everything else as text. */
static void
add_clean(struct buf *to, const char *key, const char *s, size_t n)
{
	struct buf clean = BUF_INIT;
	struct span value;

	if (jtext_check(s, n, true, &value, NULL)) {
		(void)secrets_json(rules, value, &clean);
		buf_add(&clean, value.s + value.n, (size_t)(s + n - (value.s + value.n))); /* the newline at its end */
	} else
		(void)secrets_text(rules, s, n, &clean);
	jtext_add_buf(to, key, &clean);
	buf_release(&clean);
}

void
record_said(const struct request *request, int status, const char *content_type, const void *body, size_t n, void *payload)
{
	const char *method = request_method(request), *path = request_path(request);
	struct buf line = BUF_INIT;

	(void)payload;
	if (fd < 0)
		return;
	buf_addch(&line, '{');
	jtext_add_text(&line, "method", method);
	add_clean(&line, "path", path, strlen(path));
	jtext_add_i64(&line, "status", status);
	jtext_add_given(&line, "type", content_type);
	if (n <= RECORD_BODY_MAX && (!content_type || !strncmp(content_type, "text/", 5) || !strncmp(content_type, "application/json", 16)))
		add_clean(&line, "body", body ? body : "", n);
	else
		jtext_add_i64(&line, "bytes", (int64_t)n);
	buf_addstr(&line, "}\n");
	if (write(fd, line.s, line.len) != (ssize_t)line.len && !told) {
		told = true;
		warn("unable to write the record of what is said: %s", strerror(errno));
	}
	buf_release(&line);
}
