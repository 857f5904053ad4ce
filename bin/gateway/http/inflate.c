/* inflate.c - zlib and the brotli decoder, loaded when a body needs them */
#include "compat.h"

#include <string.h>
#include <strings.h>

#define ZLIB_CONST
#include <zlib.h>
#ifdef HAVE_BROTLI_DECODE_H
#include <brotli/decode.h>
#endif

#include "buf.h"
#include "err.h"
#include "http/inflate.h"
#include "library.h"

#define STEP 16384 /* bytes of output at once */
#define BITS_ZLIB 15
#define BITS_GZIP (16 + 15) /* zlib.h: a gzip head and nothing else */

/* Room for the next step, and one byte past the limit to see that there is more. */
static size_t
make_room(struct buf *to, size_t start, size_t max)
{
	size_t left = max + 1 - (to->len - start);

	if (left > STEP)
		left = STEP;
	buf_reserve(to, left);
	return left;
}

/* ---- zlib */

struct zlib {
	int (*begin)(z_stream *stream, int bits, const char *version, int size);
	int (*step)(z_stream *stream, int flush);
	int (*again)(z_stream *stream);
	int (*end)(z_stream *stream);
};

static const struct zlib *
zlib_load(void)
{
	static const char *const names[] = { "inflateInit2_", "inflate", "inflateReset", "inflateEnd" };
	static struct zlib lib;
	static struct library library = LIBRARY_INIT(LIBRARY_FILE("z", "1"), names, &lib);
	struct err err = ERR_INIT;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	return library_get(&library, &err);
}

static enum request_inflated
zlib_steps(const struct zlib *zlib, z_stream *stream, bool members, size_t max, struct buf *to)
{
	size_t start = to->len, room;
	int result;

	for (;;) {
		room = make_room(to, start, max);
		stream->next_out = (Bytef *)(to->s + to->len);
		stream->avail_out = (uInt)room;
		result = zlib->step(stream, Z_NO_FLUSH);
		to->len += room - stream->avail_out;
		if (to->len - start > max)
			return REQUEST_INFLATED_TOO_LARGE;
		if (result == Z_STREAM_END) {
			if (!stream->avail_in)
				return REQUEST_INFLATED;
			if (!members || zlib->again(stream) != Z_OK)
				return REQUEST_BROKEN;
		} else if (result != Z_OK)
			return REQUEST_BROKEN; /* Z_BUF_ERROR: it ends too early */
	}
}

static enum request_inflated
inflate_zlib(struct span body, bool gzip, size_t max, struct buf *to)
{
	const struct zlib *zlib = zlib_load();
	z_stream stream = { .next_in = (const Bytef *)body.s, .avail_in = (uInt)body.n };
	enum request_inflated result;

	if (!zlib || zlib->begin(&stream, gzip ? BITS_GZIP : BITS_ZLIB, ZLIB_VERSION, (int)sizeof stream) != Z_OK)
		return REQUEST_UNKNOWN_CODING;
	result = zlib_steps(zlib, &stream, gzip, max, to);
	(void)zlib->end(&stream);
	return result;
}

/* ---- brotli */

#ifdef HAVE_BROTLI_DECODE_H
struct brotli {
	__typeof__(BrotliDecoderCreateInstance) *create;
	__typeof__(BrotliDecoderDecompressStream) *step;
	__typeof__(BrotliDecoderDestroyInstance) *destroy;
};

static const struct brotli *
brotli_load(void)
{
	static const char *const names[] = { "BrotliDecoderCreateInstance", "BrotliDecoderDecompressStream",
		"BrotliDecoderDestroyInstance" };
	static struct brotli lib;
	static struct library library = LIBRARY_INIT(LIBRARY_FILE("brotlidec", "1"), names, &lib);
	struct err err = ERR_INIT;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	return library_get(&library, &err);
}

static enum request_inflated
inflate_brotli(struct span body, size_t max, struct buf *to)
{
	const struct brotli *brotli = brotli_load();
	BrotliDecoderState *state = brotli ? brotli->create(NULL, NULL, NULL) : NULL;
	const uint8_t *in = (const uint8_t *)body.s;
	size_t in_left = body.n, start = to->len, room, out_left;
	BrotliDecoderResult result;
	uint8_t *out;

	if (!state)
		return REQUEST_UNKNOWN_CODING;
	do {
		out_left = room = make_room(to, start, max);
		out = (uint8_t *)(to->s + to->len);
		result = brotli->step(state, &in_left, &in, &out_left, &out, NULL);
		to->len += room - out_left;
	} while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && to->len - start <= max);
	brotli->destroy(state);
	if (to->len - start > max)
		return REQUEST_INFLATED_TOO_LARGE;
	return result == BROTLI_DECODER_RESULT_SUCCESS && !in_left ? REQUEST_INFLATED : REQUEST_BROKEN;
}
#else
static enum request_inflated
inflate_brotli(struct span body, size_t max, struct buf *to)
{
	(void)body;
	(void)max;
	(void)to;
	return REQUEST_UNKNOWN_CODING;
}
#endif

enum request_inflated
inflate_body(const char *coding, struct span body, size_t max, struct buf *to)
{
	size_t start = to->len;
	enum request_inflated result;

	if (!strcasecmp(coding, "gzip") || !strcasecmp(coding, "x-gzip")) /* RFC 9110 8.4.1.3: the same */
		result = inflate_zlib(body, true, max, to);
	else if (!strcasecmp(coding, "deflate"))
		result = inflate_zlib(body, false, max, to);
	else if (!strcasecmp(coding, "br"))
		result = inflate_brotli(body, max, to);
	else
		result = REQUEST_UNKNOWN_CODING;
	if (result != REQUEST_INFLATED)
		to->len = start;
	if (to->cap)
		to->s[to->len] = '\0';
	return result;
}
