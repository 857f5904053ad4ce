/* sandbox.c - sandbox policies: words and their objects */
#include "compat.h"

#include "buf.h"
#include "sandbox.h"

const char *
sandbox_of_word(struct span value)
{
	static const char *const words[][2] = {
		{ "read-only", SANDBOX_READ_ONLY },
		{ "workspace-write", "{\"type\":\"workspaceWrite\"}" },
		{ "danger-full-access", "{\"type\":\"dangerFullAccess\"}" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (jtext_is_string(value, words[i][0]))
			return words[i][1];
	return NULL;
}

void
sandbox_take(struct span params, struct buf *to)
{
	const char *object;
	struct span value;

	if (jtext_get(params, "sandbox", &value) && (object = sandbox_of_word(value))) {
		buf_reset(to);
		buf_addstr(to, object);
	}
	if (jtext_get(params, "sandboxPolicy", &value) && jtext_type(value) == JTEXT_OBJECT) {
		buf_reset(to);
		jtext_compact(to, value);
	}
}
