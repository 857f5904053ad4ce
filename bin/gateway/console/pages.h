/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef CONSOLE_PAGES_H
#define CONSOLE_PAGES_H

/* PAGE(path, file, type) */
#define CONSOLE_PAGES(PAGE) \
	PAGE("/", "index.html", "text/html; charset=utf-8") \
	PAGE("/status", "index.html", "text/html; charset=utf-8") \
	PAGE("/console.css", "console.css", "text/css; charset=utf-8") \
	PAGE("/console.js", "console.js", "text/javascript; charset=utf-8") \
	PAGE("/favicon.svg", "favicon.svg", "image/svg+xml") \
	PAGE("/favicon.ico", "favicon.ico", "image/x-icon") \
	PAGE("/favicon.png", "favicon.png", "image/png") \
	PAGE("/apple-touch-icon.png", "apple-touch-icon.png", "image/png")

#endif
