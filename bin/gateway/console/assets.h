/* assets.h - the files of the page, as embed.sh puts them into the program. Private to console/. */
#ifndef CONSOLE_ASSETS_H
#define CONSOLE_ASSETS_H

#include <stddef.h>

struct asset {
	const char *name, *tag; /* tag: for ETag, with its quotes */
	const unsigned char *bytes;
	size_t n;
};

extern const struct asset assets[];
extern const size_t assets_n;

#endif
