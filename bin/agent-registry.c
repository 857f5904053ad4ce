/*
 * agent-registry - list the agents that a server offers
 *
 * reads   nothing
 * writes  one registry item a line, as the server gives it
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "die.h"
#include "err.h"
#include "opt.h"
#include "records.h"

static const struct opt opts[] = {
	{ OPT_KEY_SERVICE, "service", "ID", "only the service with this id" },
	{ OPT_KEY_AGENT, "agent", "ID", "only agents with this id" },
	{ '0', "null", NULL, "print service ids only, each ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-registry",
	.synopsis = "[options]",
	.about = "list the agents that a server offers",
	.example = "  agent-registry | jq -r .agent.agentId",
	.opts = opts,
};

struct listing {
	struct client client;
	const char *service, *agent;
	bool ids;
	size_t count;
};

static bool
wanted(const struct listing *listing, struct span item)
{
	struct span value, agent;

	if (listing->service && (!jtext_get(item, "serviceId", &value) || !jtext_is_string(value, listing->service)))
		return false;
	if (listing->agent &&
	    (!jtext_get(item, "agent", &agent) || !jtext_get(agent, "agentId", &value) || !jtext_is_string(value, listing->agent)))
		return false;
	return true;
}

static bool
print_item(struct span item, void *payload)
{
	struct listing *listing = payload;

	if (!wanted(listing, item))
		return true;
	listing->count++;
	client_item(&listing->client, item, listing->ids ? "serviceId" : NULL);
	return true;
}

int
main(int argc, char *argv[])
{
	struct listing listing = { 0 };
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT;
	int key, status = STATUS_OK;

	client_begin(&listing.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_KEY_SERVICE:
			listing.service = opt_arg;
			break;
		case OPT_KEY_AGENT:
			listing.agent = opt_arg;
			break;
		case '0':
			listing.ids = true;
			break;
		default:
			client_option(&listing.client, key);
		}
	client_no_operand(argv);
	listing.client.asks = true;
	client_open(&listing.client);

	API_PATH(&listing.client.api, &url, "api", "agents", "registry");
	if (!records_get(&listing.client.api, url.s, "list the agents", print_item, &listing, NULL, &err))
		client_die(&listing.client, &err);
	if (!listing.count) {
		info(listing.service || listing.agent ? "no such agent at %s" : "no agents are registered at %s",
		    listing.client.api.address.given.s);
		status = STATUS_NO;
	}

	buf_release(&url);
	return client_end(&listing.client, status);
}
