/* console.c - the status page: which file answers which path */
#include "compat.h"

#include <string.h>

#include "console/assets.h"
#include "console/console.h"
#include "console/pages.h"
#include "http/server.h"

#define PAGE(path, file, type) { path, file, type },
static const struct page {
	const char *path, *file, *type;
} pages[] = { CONSOLE_PAGES(PAGE) };
#undef PAGE

static const struct asset *
find_asset(const char *name)
{
	size_t i;

	for (i = 0; i < assets_n; i++)
		if (!strcmp(assets[i].name, name))
			return &assets[i];
	return NULL;
}

static const struct page *
find_page(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(pages); i++)
		if (!strcmp(pages[i].path, path))
			return &pages[i];
	return NULL;
}

bool
console_handle(struct request *request)
{
	const struct page *page = find_page(request_path(request));
	const struct asset *asset = page ? find_asset(page->file) : NULL;
	const char *method = request_method(request), *known;
	const char *headers[] = { "content-security-policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'; require-trusted-types-for 'script'",
		"x-content-type-options", "nosniff", "x-frame-options", "DENY", "referrer-policy", "no-referrer",
		"cross-origin-opener-policy", "same-origin", "cache-control", "no-cache", "etag", asset ? asset->tag : NULL, NULL };

	if (!asset)
		return false;
	request_set_route(request, page->path);
	if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
		request_reply_error(request, 405, (const char *const[]){ "allow", "GET, HEAD", NULL }, "method not allowed");
		return true;
	}
	known = request_header(request, "if-none-match");
	if (known && strstr(known, asset->tag))
		request_reply(request, 304, NULL, headers, NULL, 0);
	else
		request_reply(request, 200, page->type, headers, asset->bytes, asset->n);
	return true;
}
