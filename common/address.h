/* address.h - a server's address as people give it. Pure.
 *
 * "http://host:port/prefix", "https://…", "host:port" (http is meant), "unix:/path" or "unix:///path" (a socket). Blanks around it and
 * slashes at its end do not count. Refused, with a message that shows no password: other schemes, blanks and control characters, a name
 * before '@', a query or a fragment, a port that is none, no host.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "buf.h"
#include "compat.h"

struct err;

struct address {
	struct buf base;      /* what paths are put after: "http://127.0.0.1:4707"; "http://localhost" with a socket */
	struct buf given;     /* for messages */
	struct buf unix_path; /* "" without */
};

#define ADDRESS_INIT                                                                                                                       \
	{                                                                                                                                  \
		.base = BUF_INIT, .given = BUF_INIT, .unix_path = BUF_INIT                                                                 \
	}

/* False: STATUS_USAGE. The texts that were in ret before are forgotten either way. */
bool address_parse(const char *text, struct address *ret, struct err *err) USE_RESULT;
void address_release(struct address *address);

#endif
