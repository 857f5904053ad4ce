/* auth.c - where the secret of a remote agent comes from */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "mcp/auth.h"
#include "status.h"

#define DEFAULT_ROOT ".clarity/secrets"

const char *
mcp_auth_root(void)
{
	const char *root = getenv("CLARITY_REMOTE_AUTH_FILE_ROOT");

	if (root && *root)
		return root;
	root = getenv("CREDENTIALS_DIRECTORY");
	return root && *root ? root : DEFAULT_ROOT;
}

/* Trimmed, not empty, and nothing in it that could end a header line. */
static bool
use_secret(const char *s, size_t n, const char *what, const char *name, struct buf *to, struct err *err)
{
	size_t i;

	while (n && strchr(" \t\r\n", s[n - 1]))
		n--;
	while (n && strchr(" \t\r\n", *s)) {
		s++;
		n--;
	}
	if (!n)
		return err_set(err, STATUS_CONFIG, "missing remote auth secret in %s '%s'", what, name);
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return err_set(err, STATUS_CONFIG, "the remote auth secret in %s '%s' has a control character", what, name);
	buf_add(to, s, n);
	return true;
}

static bool
from_variable(const char *name, struct buf *to, struct err *err)
{
	static const char *const ours[] = { "CLARITYD_AUTH_TOKEN", "CLARITY_API_TOKEN", "AGENT_RUNTIME_TOKEN", "CLARITY_RUNTIME_TOKEN" };
	const char *value = getenv(name);
	size_t i;

	/* whoever may apply a manifest must not get at what guards the gateway itself */
	for (i = 0; i < ARRAY_LEN(ours); i++)
		if (!strcmp(name, ours[i]))
			return err_set(
			    err, STATUS_CONFIG, "unable to use the remote auth secret in env '%s': it is the gateway's own", name);
	return use_secret(value ? value : "", value ? strlen(value) : 0, "env", name, to, err);
}

/* The real place of the file must be under the real place of the root: neither .. nor a symbolic link leads out. */
static bool
find_file(const char *root, const char *path, char real[PATH_MAX], struct err *err)
{
	struct buf whole = BUF_INIT;
	char top[PATH_MAX];
	size_t n;
	bool ok = false;

	if (*path == '/')
		buf_addstr(&whole, path);
	else
		buf_addf(&whole, "%s/%s", root, path);
	if (!realpath(root, top))
		err_errno(err, STATUS_CONFIG, "unable to use the directory of secrets '%s'", root);
	else if (!realpath(whole.s, real))
		err_errno(err, STATUS_CONFIG, "unable to read the remote auth file '%s'", path);
	else {
		n = strlen(top);
		ok = !strncmp(real, top, n) && (real[n] == '/' || n == 1);
		if (!ok)
			err_set(err, STATUS_CONFIG, "unable to use the remote auth file '%s': it is outside of '%s'", path, root);
	}
	buf_release(&whole);
	return ok;
}

static bool
from_file(const char *root, const char *path, struct buf *to, struct err *err)
{
	char real[PATH_MAX];
	struct buf text = BUF_INIT;
	struct stat st;
	bool ok = false;
	int fd;

	if (!find_file(root, path, real, err))
		return false;
	fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, STATUS_CONFIG, "unable to read the remote auth file '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		err_set(err, STATUS_CONFIG, "unable to read the remote auth file '%s': it is no file", path);
	else
		ok = buf_read_fd(&text, fd, MCP_SECRET_MAX, path, err) && use_secret(text.s, text.len, "file", path, to, err);
	close(fd);
	if (!ok)
		err->status = STATUS_CONFIG;
	if (text.len)
		explicit_bzero(text.s, text.len);
	buf_release(&text);
	return ok;
}

static bool
is_prefix(const char *ref, const char *word, const char **ret_rest)
{
	size_t n = strlen(word);

	if (strncasecmp(ref, word, n) != 0 || ref[n] != ':')
		return false;
	*ret_rest = ref + n + 1;
	return true;
}

static bool
from_header(const char *rest, struct buf *to, struct err *err)
{
	static const char
	    ours[] = " content-type content-length accept host connection transfer-encoding mcp-session-id mcp-protocol-version ";
	const char *colon = strchr(rest, ':');
	struct buf mark = BUF_INIT;
	size_t n, i;
	bool ok = colon && colon != rest && colon[1];

	n = ok ? (size_t)(colon - rest) : 0;
	for (i = 0; ok && i < n; i++)
		ok = (rest[i] >= 'A' && rest[i] <= 'Z') || (rest[i] >= 'a' && rest[i] <= 'z') || (rest[i] >= '0' && rest[i] <= '9') ||
		    rest[i] == '-';
	if (!ok)
		return err_set(err, STATUS_CONFIG, "unable to use the authRef 'header_env:%s': expected header_env:HEADER:VARIABLE", rest);
	buf_addf(&mark, " %.*s ", (int)n, rest);
	for (i = 0; i < mark.len; i++)
		if (mark.s[i] >= 'A' && mark.s[i] <= 'Z')
			mark.s[i] = (char)(mark.s[i] + 'a' - 'A');
	ok = !strstr(ours, mark.s);
	buf_release(&mark);
	if (!ok)
		return err_set(err, STATUS_CONFIG, "unable to use the authRef 'header_env:%s': this header is the gateway's own", rest);
	buf_addf(to, "%.*s: ", (int)n, rest);
	return from_variable(colon + 1, to, err);
}

static bool
from_name(const char *name, struct buf *to, struct err *err)
{
	struct buf variable = BUF_INIT;
	bool ok;

	buf_addstr(&variable, "CLARITY_REMOTE_AUTH_");
	for (; *name; name++) {
		if (*name >= 'a' && *name <= 'z')
			buf_addch(&variable, (char)(*name + 'A' - 'a'));
		else
			buf_addch(&variable, (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9') ? *name : '_');
	}
	ok = from_variable(variable.s, to, err);
	buf_release(&variable);
	return ok;
}

bool
mcp_auth_header(const char *ref, const char *root, struct buf *to, struct err *err)
{
	struct buf secret = BUF_INIT;
	const char *rest;
	bool ok;

	ref += strspn(ref, " \t");
	if (is_prefix(ref, "header_env", &rest))
		return from_header(rest, to, err);
	if (is_prefix(ref, "env", &rest))
		ok = from_variable(rest, &secret, err);
	else if (is_prefix(ref, "file", &rest))
		ok = from_file(root, rest, &secret, err);
	else
		ok = from_name(is_prefix(ref, "legacy_env", &rest) ? rest : ref, &secret, err);
	if (ok)
		buf_addf(to, "authorization: %s%s", strncasecmp(secret.s, "Bearer ", 7) ? "Bearer " : "", secret.s);
	if (secret.len)
		explicit_bzero(secret.s, secret.len);
	buf_release(&secret);
	return ok;
}
