/* fuzz_auth.c - any head as a caller's: a verdict each time, nobody gets in without a credential, no foreign page changes anything */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "buf.h"
#include "err.h"
#include "http/conn.h"

#define HEADERS 20

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct auth *auth;
	static struct server server;
	static struct conn conn = { .server = &server, .peer = PEER_REMOTE };
	struct span names[HEADERS], values[HEADERS];
	struct parse_head head = { .names = names, .values = values, .max_headers = HEADERS };
	struct auth_settings settings = { .variable = "FUZZ_AUTH_TOKEN" };
	struct auth_verdict verdict;
	struct principal *principal;
	struct request *request;
	struct err err = ERR_INIT;
	struct buf cookie = BUF_INIT;
	const char *token;

	if (!auth) {
		setenv("FUZZ_AUTH_TOKEN", "right", 1);
		auth = auth_new(&settings, &err);
	}
	if (parse_head((const char *)bytes, n, 0, &head) != PARSE_DONE)
		return 0;
	request = request_new(&conn, (const char *)bytes, &head);
	principal = auth_judge(auth, request, AUTH_READ, &verdict);
	token = request_header(request, "authorization");
	if (!token)
		token = request_header(request, "x-clarity-token");
	if (principal && (!token || !strstr(token, "right")))
		abort();
	if (!principal && (verdict.status < 400 || !verdict.code || !verdict.message))
		abort();
	auth_session_close(auth, request, &cookie);
	buf_release(&cookie);
	principal_unref(principal);
	request_free(request);
	return 0;
}
