/* acp_tool.c - tool calls of the agent, as items of a turn */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "acp.h"
#include "xalloc.h"

#define TOOLS_MAX 1000		     /* tool calls of a turn; more are not shown */
#define TOOL_TEXT_MAX (1024u * 1024) /* bytes of what a tool call gave that are kept */

static void
tool_item(struct talk *talk, const struct tool *tool, const char *status)
{
	const struct serve_thread *thread = talk->turn->thread;
	bool over = strcmp(status, "inProgress") != 0, ran = over && strcmp(status, "declined") != 0;
	struct buf item = BUF_INIT;

	buf_addch(&item, '{');
	jtext_add_text(&item, "type", tool->patch ? "fileChange" : "commandExecution");
	jtext_add_text(&item, "id", tool->item);
	if (tool->patch)
		buf_addf(&item, ",\"changes\":[%s]", tool->changes.s);
	else {
		jtext_add_buf(&item, "command", &tool->title);
		jtext_add_buf(&item, "cwd", &thread->cwd);
		buf_addstr(&item, ",\"processId\":null,\"commandActions\":[],\"exitCode\":null,\"durationMs\":null");
		if (ran)
			jtext_add_buf(&item, "aggregatedOutput", &tool->output);
		else
			jtext_add_null(&item, "aggregatedOutput");
	}
	jtext_add_text(&item, "status", status);
	buf_addch(&item, '}');
	serve_item(talk->turn, over, &item);
	buf_release(&item);
}

void
tool_end(struct talk *talk, struct tool *tool, const char *status)
{
	if (tool->done)
		return;
	tool->done = true;
	tool_item(talk, tool, status);
}

static void
add_change(struct tool *tool, struct span diff)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct span old;
	bool add = !jtext_get(diff, "oldText", &old) || jtext_type(old) == JTEXT_NULL;

	jtext_get_string(diff, "path", &path);
	jtext_get_string(diff, "newText", &text);
	if (tool->changes.len + text.len <= TOOL_TEXT_MAX) {
		if (tool->changes.len)
			buf_addch(&tool->changes, ',');
		buf_addch(&tool->changes, '{');
		jtext_add_buf(&tool->changes, "path", &path);
		buf_addf(&tool->changes, ",\"kind\":{\"type\":\"%s\"}", add ? "add" : "update");
		jtext_add_buf(&tool->changes, "diff", &text);
		buf_addch(&tool->changes, '}');
	}
	buf_release(&path);
	buf_release(&text);
}

/* content replaces what was there */
static void
tool_content(struct tool *tool, struct span contents)
{
	struct span key, entry, block, type;
	struct buf text = BUF_INIT;
	size_t pos = 0;

	buf_reset(&tool->output);
	buf_reset(&tool->changes);
	while (jtext_each(contents, &pos, &key, &entry)) {
		if (!jtext_get(entry, "type", &type))
			continue;
		if (jtext_is_string(type, "diff"))
			add_change(tool, entry);
		else if (jtext_get(entry, "content", &block) && jtext_get_string(block, "text", &text)) {
			if (tool->output.len + text.len <= TOOL_TEXT_MAX)
				buf_add(&tool->output, text.s, text.len);
			buf_reset(&text);
		}
	}
	buf_release(&text);
}

static bool
is_patch(struct span call)
{
	struct span kind, contents, key, entry, type;
	size_t pos = 0;

	if (jtext_get(call, "kind", &kind) &&
	    (jtext_is_string(kind, "edit") || jtext_is_string(kind, "delete") || jtext_is_string(kind, "move")))
		return true;
	if (jtext_get(call, "content", &contents) && jtext_type(contents) == JTEXT_ARRAY)
		while (jtext_each(contents, &pos, &key, &entry))
			if (jtext_get(entry, "type", &type) && jtext_is_string(type, "diff"))
				return true;
	return false;
}

static void
tool_title(struct tool *tool, struct span call)
{
	struct buf text = BUF_INIT;
	struct span input;

	if (!jtext_get(call, "rawInput", &input) || !jtext_get_string(input, "command", &text))
		jtext_get_string(call, "title", &text);
	if (text.len) {
		buf_reset(&tool->title);
		buf_add(&tool->title, text.s, text.len);
	}
	buf_release(&text);
}

/* The tool call that is meant, brought up to date; told when it is new or over. NULL: it has no id, or there are too many. */
struct tool *
tool_take(struct talk *talk, struct span call)
{
	struct buf id = BUF_INIT;
	struct tool *tool = NULL;
	struct span value;
	size_t i;
	bool new = false;

	if (!jtext_get_string(call, "toolCallId", &id))
		return NULL;
	for (i = 0; i < talk->n_tools && !tool; i++)
		if (buf_equal(&talk->tools[i].call, &id))
			tool = &talk->tools[i];
	if (!tool && talk->n_tools < TOOLS_MAX) {
		talk->tools = xgrow(talk->tools, talk->n_tools, sizeof *talk->tools);
		tool = &talk->tools[talk->n_tools++];
		*tool = (struct tool){ .call = BUF_INIT, .title = BUF_INIT, .output = BUF_INIT, .changes = BUF_INIT };
		buf_add(&tool->call, id.s, id.len);
		key_uuid(tool->item);
		tool->patch = is_patch(call);
		new = true;
	}
	buf_release(&id);
	if (!tool || tool->done)
		return tool;
	tool_title(tool, call);
	if (jtext_get(call, "content", &value) && jtext_type(value) == JTEXT_ARRAY)
		tool_content(tool, value);
	if (new) {
		serve_message_end(talk->turn);
		tool_item(talk, tool, "inProgress");
	}
	if (jtext_get(call, "status", &value)) {
		if (jtext_is_string(value, "completed"))
			tool_end(talk, tool, "completed");
		else if (jtext_is_string(value, "failed"))
			tool_end(talk, tool, "failed");
	}
	return tool;
}

void
tools_free(struct talk *talk)
{
	size_t i;

	for (i = 0; i < talk->n_tools; i++) {
		buf_release(&talk->tools[i].call);
		buf_release(&talk->tools[i].title);
		buf_release(&talk->tools[i].output);
		buf_release(&talk->tools[i].changes);
	}
	free(talk->tools);
}
