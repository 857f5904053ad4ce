/* test_mcp_auth.c - where secrets come from, and where not */
#include "compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "mcp/auth.h"
#include "status.h"
#include "tap.h"

static char dir[] = "/tmp/test_mcp_auth.XXXXXX";
static struct buf root = BUF_INIT;

static void
write_file(const char *name, const char *text)
{
	struct buf path = BUF_INIT;
	int fd;

	buf_addf(&path, "%s/%s", dir, name);
	fd = open(path.s, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(1);
	close(fd);
	buf_release(&path);
}

static void
gives(const char *ref, const char *want)
{
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	ok(mcp_auth_header(ref, root.s, &line, &err) && !strcmp(line.s, want), "%s", ref);
	if (strcmp(line.s, want))
		printf("# it gives '%s' (%s)\n", line.s, err.text);
	buf_release(&line);
}

static void
fails(const char *ref, const char *why)
{
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	ok(!mcp_auth_header(ref, root.s, &line, &err) && err.status == STATUS_CONFIG && strstr(err.text, why) &&
		!strstr(err.text, "s3cret"),
	    "%s: %s", ref, err.text);
	buf_release(&line);
}

int
main(void)
{
	struct buf text = BUF_INIT;
	char big[MCP_SECRET_MAX + 2];

	if (!mkdtemp(dir))
		return 1;
	buf_addf(&root, "%s/root", dir);
	mkdir(root.s, 0700);
	write_file("outside", "s3cret");
	write_file("root/one", " s3cret\n");
	write_file("root/bearer", "Bearer s3cret");
	write_file("root/empty", "\n");
	write_file("root/two", "s3cret\r\nx-evil: 1");
	memset(big, 'x', sizeof big);
	big[MCP_SECRET_MAX + 1] = '\0';
	write_file("root/big", big);
	buf_addf(&text, "%s/link", root.s);
	ok(symlink("../outside", text.s) == 0, "a link that leads out");
	buf_reset(&text);
	buf_addf(&text, "%s/fifo", root.s);
	ok(mkfifo(text.s, 0600) == 0, "a pipe");
	setenv("T_KEY", " s3cret ", 1);
	setenv("CLARITY_REMOTE_AUTH_MY_AGENT", "s3cret", 1);
	setenv("T_EMPTY", " ", 1);

	gives("env:T_KEY", "authorization: Bearer s3cret");
	gives(" ENV:T_KEY", "authorization: Bearer s3cret");
	gives("file:one", "authorization: Bearer s3cret");
	gives("file:bearer", "authorization: Bearer s3cret");
	gives("header_env:X-Api-Key:T_KEY", "X-Api-Key: s3cret");
	gives("my-agent", "authorization: Bearer s3cret");
	gives("legacy_env:my-agent", "authorization: Bearer s3cret");
	buf_reset(&text);
	buf_addf(&text, "file:%s/one", root.s);
	gives(text.s, "authorization: Bearer s3cret");

	fails("env:T_NONE", "missing remote auth secret in env 'T_NONE'");
	fails("env:T_EMPTY", "missing remote auth secret in env 'T_EMPTY'");
	fails("nobody", "missing remote auth secret in env 'CLARITY_REMOTE_AUTH_NOBODY'");
	fails("file:none", "unable to read the remote auth file 'none': No such file");
	fails("file:empty", "missing remote auth secret in file 'empty'");
	fails("file:two", "has a control character");
	fails("file:big", "big");
	fails("file:../outside", "it is outside of");
	fails("file:link", "it is outside of");
	fails("file:fifo", "it is no file");
	fails("file:", "outside");
	fails("header_env:X-Api-Key", "expected header_env:HEADER:VARIABLE");
	fails("header_env:X Api:T_KEY", "expected header_env:HEADER:VARIABLE");
	fails("header_env:Content-Type:T_KEY", "this header is the gateway's own");

	setenv("CREDENTIALS_DIRECTORY", "/c", 1);
	ok(!strcmp(mcp_auth_root(), "/c"), "secrets come from the service manager's directory");
	setenv("CLARITY_REMOTE_AUTH_FILE_ROOT", "/r", 1);
	ok(!strcmp(mcp_auth_root(), "/r"), "or from the one that is named");
	buf_reset(&text);
	buf_addf(&text, "rm -rf '%s'", dir);
	ok(system(text.s) == 0, "cleared away");
	buf_release(&text);
	buf_release(&root);
	return done();
}
