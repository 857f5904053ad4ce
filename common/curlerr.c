/* curlerr.c - what went wrong, in libcurl's words made ours */
#include "compat.h"

#include <string.h>

#include <curl/curl.h>

#include "buf.h"
#include "curlerr.h"
#include "err.h"
#include "status.h"

/* libcurl's reason, without its full stop and its capital letter (unless a name begins so). */
static void
plain_reason(CURL *easy, CURLcode code, const char *buffer, struct buf *to)
{
	const char *text = buffer[0] ? buffer : curl_easy_strerror(code);
	size_t n = strlen(text);
	long os_error = 0;

	/* the system's word is shorter and says more */
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error) {
		text = strerror((int)os_error);
		n = strlen(text);
	}
	while (n && (text[n - 1] == '.' || text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	buf_add(to, text, n);
	if (to->len > 1 && to->s[0] >= 'A' && to->s[0] <= 'Z' && to->s[1] >= 'a' && to->s[1] <= 'z')
		to->s[0] = (char)(to->s[0] + 'a' - 'A');
}

static int
class_of(CURLcode code, bool begun)
{
	switch (code) {
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_PARTIAL_FILE:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_CHUNK_FAILED:
	case CURLE_HTTP2:
		return STATUS_PROTOCOL;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		/* cut off in the middle of an answer, or gone before one began */
		return begun ? STATUS_PROTOCOL : STATUS_UNREACHABLE;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return STATUS_CONFIG;
	default:
		return STATUS_UNREACHABLE;
	}
}

bool
curlerr_set(struct err *err, void *easy, int code, const char *text, bool begun)
{
	struct buf reason = BUF_INIT;

	plain_reason(easy, (CURLcode)code, text, &reason);
	err_set(err, class_of((CURLcode)code, begun), "%s", reason.s);
	buf_release(&reason);
	return false;
}
