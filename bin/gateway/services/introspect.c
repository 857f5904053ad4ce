/* introspect.c - what a service offers: its tools, resources and prompts */
#include "compat.h"

#include <stdlib.h>

#include "clock.h"
#include "mcp/mcp.h"
#include "services/internal.h"
#include "sha256.h"
#include "xalloc.h"

static const struct {
	const char *method, *key;
	bool needed; /* not every server has the others */
} lists[] = { { "tools/list", "tools", true }, { "resources/list", "resources", false }, { "prompts/list", "prompts", false } };

struct introspection {
	struct service *service;
	introspect_cb *done;
	void *payload;
	size_t which; /* of lists */
	unsigned pages;
	struct buf items[ARRAY_LEN(lists)]; /* "a,b", compact */
};

/* The revision names what there is: the same interface has the same one. */
static void
make_snapshot(const struct introspection *introspection, struct buf *to)
{
	unsigned char digest[SHA256_BYTES];
	struct buf body = BUF_INIT, revision = BUF_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lists); i++)
		buf_addf(&body, ",\"%s\":[%s]", lists[i].key, introspection->items[i].s);
	sha256(body.s, body.len, digest);
	buf_addstr(&revision, "iface_");
	for (i = 0; i < 6; i++)
		buf_addf(&revision, "%02x", digest[i]);
	buf_addch(to, '{');
	jtext_add_buf(to, "interfaceRevision", &revision);
	jtext_add_time(to, "introspectedAt", clock_wall_ms());
	buf_add(to, body.s, body.len);
	buf_addch(to, '}');
	buf_release(&body);
	buf_release(&revision);
}

static void
finish(struct introspection *introspection, const char *why)
{
	struct buf snapshot = BUF_INIT;
	size_t i;

	if (!why)
		make_snapshot(introspection, &snapshot);
	introspection->done(why ? NULL : &snapshot, why, introspection->payload);
	for (i = 0; i < ARRAY_LEN(lists); i++)
		buf_release(&introspection->items[i]);
	buf_release(&snapshot);
	free(introspection);
}

static void on_list(const struct mcp_answer *answer, void *payload);

static void
ask(struct introspection *introspection, const struct buf *cursor)
{
	struct mcp_request request = { .method = lists[introspection->which].method };
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_filled(&params, "cursor", cursor);
	buf_addch(&params, '}');
	request.params = span_of(&params);
	mcp_call(service_mcp(introspection->service), &request, on_list, introspection);
	buf_release(&params);
}

/* Objects only, each compact. */
static void
take_items(struct introspection *introspection, struct span result)
{
	struct buf *items = &introspection->items[introspection->which];
	struct span list, item;
	size_t pos = 0;

	if (!jtext_get(result, lists[introspection->which].key, &list) || jtext_type(list) != JTEXT_ARRAY)
		return;
	while (jtext_each(list, &pos, NULL, &item)) {
		if (jtext_type(item) != JTEXT_OBJECT)
			continue;
		if (items->len)
			buf_addch(items, ',');
		jtext_compact(items, item);
	}
}

static void
on_list(const struct mcp_answer *answer, void *payload)
{
	struct introspection *introspection = payload;
	struct buf cursor = BUF_INIT;
	size_t total = 0, i;

	if (answer->outcome == MCP_OK) {
		take_items(introspection, answer->result);
		(void)jtext_get_string(answer->result, "nextCursor", &cursor);
	} else if (lists[introspection->which].needed) {
		finish(introspection, answer->why);
		return;
	}
	for (i = 0; i < ARRAY_LEN(lists); i++)
		total += introspection->items[i].len;
	if (!service_agent(introspection->service)) {
		buf_addf(&cursor, "service not found: %s", introspection->service->id.s);
		finish(introspection, cursor.s);
	} else if (total > SERVICES_INTERFACE_MAX || introspection->pages >= SERVICES_PAGES_MAX)
		finish(introspection, "the interface is too large");
	else if (cursor.len) {
		introspection->pages++;
		ask(introspection, &cursor);
	} else {
		introspection->pages = 0;
		if (++introspection->which < ARRAY_LEN(lists))
			ask(introspection, &cursor);
		else
			finish(introspection, NULL);
	}
	buf_release(&cursor);
}

/* What is here is known without asking. */
static void
describe(struct introspection *introspection, const struct agent *agent)
{
	struct buf *items = &introspection->items[0];

	if (agent->origin != ORIGIN_COMMAND && agent->origin != ORIGIN_RUNTIME)
		return;
	buf_addch(items, '{');
	jtext_add_buf(items, "name", &agent->handler_tool);
	jtext_add_buf(items, "description", &agent->objective);
	buf_addstr(items, ",\"inputSchema\":{\"type\":\"object\"}}");
}

void
introspect(struct service *service, introspect_cb *done, void *payload)
{
	struct introspection *introspection = xcalloc(1, sizeof *introspection);
	const struct agent *agent = service_agent(service);
	struct buf why = BUF_INIT;
	size_t i;

	introspection->service = service;
	introspection->done = done;
	introspection->payload = payload;
	for (i = 0; i < ARRAY_LEN(lists); i++)
		buf_init(&introspection->items[i]);
	if (agent->origin != ORIGIN_REMOTE_MCP) {
		describe(introspection, agent);
		finish(introspection, NULL);
	} else if (!service_may_ask(service, &why))
		finish(introspection, why.s);
	else
		ask(introspection, &why);
	buf_release(&why);
}
