/* fuzz_mcp.c - answers of remote agents: whole and in pieces they are understood alike
 *
 * The first byte chooses plain JSON or an event stream, the second how long the pieces are.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum mcp_read
read_all(struct mcp_reader *reader, const char *type, const char *s, size_t n, size_t step)
{
	mcp_reader_init(reader, type, (struct span){ "svc_1-7", 7 }, 65536);
	while (n) {
		size_t piece = n < step ? n : step;

		if (mcp_reader_feed(reader, s, piece) != MCP_READ_MORE)
			break;
		s += piece;
		n -= piece;
	}
	return mcp_reader_end(reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mcp_reader whole, pieces;
	const char *type;
	size_t step;
	enum mcp_read a, b;
	struct span value;

	if (size < 2)
		return 0;
	type = data[0] & 1 ? "text/event-stream" : "application/json";
	step = (size_t)data[1] + 1;
	a = read_all(&whole, type, (const char *)data + 2, size - 2, size);
	b = read_all(&pieces, type, (const char *)data + 2, size - 2, step);
	if (a == MCP_READ_MORE || a != b || whole.text.len != pieces.text.len || memcmp(whole.text.s, pieces.text.s, whole.text.len) != 0)
		abort();
	if (a == MCP_READ_RESULT && !jtext_check(whole.text.s, whole.text.len, true, &value, NULL))
		abort();
	mcp_reader_release(&whole);
	mcp_reader_release(&pieces);
	return 0;
}
