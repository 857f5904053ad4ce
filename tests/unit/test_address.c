/* test_address.c - addresses as people give them */
#include "compat.h"

#include <stdlib.h>

#include "address.h"
#include "err.h"
#include "status.h"
#include "tap.h"

static void
good(const char *text, const char *base, const char *given, const char *path)
{
	struct address address = ADDRESS_INIT;
	struct err err = ERR_INIT;

	ok(address_parse(text, &address, &err), "'%s' is an address", text);
	is_buf(&address.base, base, "its base");
	is_buf(&address.given, given, "how it is called");
	is_buf(&address.unix_path, path, "its socket");
	address_release(&address);
}

static void
bad(const char *text, const char *why)
{
	struct address address = ADDRESS_INIT;
	struct err err = ERR_INIT;

	ok(!address_parse(text, &address, &err) && err.status == STATUS_USAGE, "'%s' is none", text);
	ok(strstr(err.text, why) && !strstr(err.text, "secret"), "and the message says why: %s", err.text);
	address_release(&address);
}

int
main(void)
{
	good("http://127.0.0.1:4707", "http://127.0.0.1:4707", "http://127.0.0.1:4707", "");
	good(" HTTPS://api.example/v2/ \n", "HTTPS://api.example/v2", "HTTPS://api.example/v2", "");
	good("localhost:1", "http://localhost:1", "http://localhost:1", "");
	good("host", "http://host", "http://host", "");
	good("[::1]:65535", "http://[::1]:65535", "http://[::1]:65535", "");
	good("http://[::1]", "http://[::1]", "http://[::1]", "");
	good("unix:/run/x", "http://localhost", "unix:/run/x", "/run/x");
	good("unix:///run/x", "http://localhost", "unix:///run/x", "/run/x");
	bad("", "it is empty");
	bad(" \t", "it is empty");
	bad("ftp://host", "expected http, https or unix");
	bad("http://", "it names no host");
	bad("http:///path", "it names no host");
	bad(":80", "it names no host");
	bad("http://host:0", "its port is no number from 1 to 65535");
	bad("host:65536", "its port is no number from 1 to 65535");
	bad("host:", "its port is no number from 1 to 65535");
	bad("host:80x", "its port is no number from 1 to 65535");
	bad("http://me:secret@host", "a name and password do not belong there");
	bad("me:secret@host", "a name and password do not belong there");
	bad("me:secret@ho st", "it holds a blank or a control character");
	bad("http://host/\x1b[31m", "it holds a blank or a control character");
	bad("http://host?x=1", "a query or fragment does not belong there");
	bad("http://host/#x", "a query or fragment does not belong there");
	bad("unix:run/x", "a socket's path begins with '/'");
	bad("unix:", "a socket's path begins with '/'");
	return done();
}
