/* audit.c - who did what */
#include "compat.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "jtext.h"
#include "statedir.h"
#include "status.h"

#define AUDIT_KEEP 65536 /* bytes of memory kept between two writes */

static int
open_file(const char *file, struct err *err)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		err_errno(err, STATUS_CONFIG, "unable to open the audit log '%s'", file);
	else
		statedir_give(fd, file);
	return fd;
}

bool
audit_open(struct audit *audit, const char *file, struct err *err)
{
	audit->file = file;
	audit->fd = open_file(file, err);
	return audit->fd >= 0;
}

bool
audit_reopen(struct audit *audit, struct err *err)
{
	int fd = open_file(audit->file, err);

	if (fd < 0)
		return false;
	close(audit->fd);
	audit->fd = fd;
	audit->torn = audit->failed = false;
	return true;
}

void
audit_close(struct audit *audit)
{
	if (audit->fd >= 0)
		close(audit->fd);
	audit->fd = -1;
	buf_release(&audit->waiting);
}

static void
add_subject(struct buf *to, const char *subject)
{
	struct buf text = BUF_INIT;
	size_t n = strlen(subject);

	buf_add(&text, subject, n > AUDIT_SUBJECT_MAX ? AUDIT_SUBJECT_MAX : n);
	if (n > AUDIT_SUBJECT_MAX)
		buf_addstr(&text, "...");
	jtext_add_buf(to, "subject", &text);
	buf_release(&text);
}

void
audit_add(struct audit *audit, const struct audit_entry *entry)
{
	struct buf *line = &audit->waiting;
	int64_t wait;

	if (audit->fd < 0)
		return;
	if (entry->denied && !bucket_take(&audit->denied, AUDIT_DENIED_RATE, AUDIT_DENIED_BURST, clock_monotonic_ms(), &wait)) {
		audit->skipped++;
		return;
	}
	buf_addstr(line, audit->torn && !line->len ? "\n{" : "{");
	jtext_add_time(line, "at", clock_wall_ms());
	jtext_add_text_or_null(line, "user", entry->user);
	jtext_add_text_or_null(line, "token", entry->token && *entry->token ? entry->token : NULL);
	jtext_add_text_or_null(line, "peer", entry->peer);
	jtext_add_text_or_null(line, "action", entry->action);
	add_subject(line, entry->subject);
	jtext_add_i64(line, "status", entry->status);
	if (audit->skipped)
		jtext_add_i64(line, "skipped", (int64_t)audit->skipped);
	audit->skipped = 0;
	buf_addstr(line, "}\n");
}

bool
audit_write(struct audit *audit, struct err *err)
{
	struct buf *lines = &audit->waiting;
	ssize_t n;
	bool good;

	if (audit->fd < 0 || !lines->len)
		return true;
	n = write(audit->fd, lines->s, lines->len);
	good = n == (ssize_t)lines->len || audit->failed;
	if (n < 0 && !good)
		err_errno(err, STATUS_IO, "unable to write to the audit log '%s'", audit->file);
	else if (!good)
		err_set(err, STATUS_IO, "unable to write to the audit log '%s': only a part went in", audit->file);
	if (n > 0)
		audit->torn = n < (ssize_t)lines->len;
	audit->failed = n != (ssize_t)lines->len;
	if (lines->cap > AUDIT_KEEP)
		buf_release(lines);
	else
		buf_reset(lines);
	return good;
}
