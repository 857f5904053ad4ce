/*
 * agent-runs - list runs and their state
 *
 * reads   its operands
 * writes  one run summary a line, as the server gives it, newest change first
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "records.h"

#define LIMIT_MAX 2000 /* what a server gives at most */

enum { OPT_STATUS = OPT_OWN };

static const struct opt opts[] = {
	{ 'n', "limit", "N", "look at the newest N runs (1 to 2000, default 100; 2000 when RUN is given)" },
	{ OPT_STATUS, "status", "WORD", "only runs with this status: queued, running, waiting, completed, failed, cancelled" },
	{ OPT_KEY_AGENT, "agent", "ID", "only runs of this agent" },
	{ OPT_KEY_SERVICE, "service", "ID", "only runs of this service" },
	{ '0', "null", NULL, "print run ids only, each ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-runs",
	.synopsis = "[options] [RUN ...]",
	.about = "list runs and their state",
	.example = "  agent-runs --status waiting | jq -r .runId",
	.opts = opts,
};

struct listing {
	struct client client;
	const char *status, *agent, *service;
	char **runs;
	bool ids;
	size_t count;
};

static bool
is_member(struct span item, const char *key, const char *want)
{
	struct span value;

	return !want || (jtext_get(item, key, &value) && jtext_is_string(value, want));
}

static bool
wanted(const struct listing *listing, struct span item)
{
	char **run;

	if (!is_member(item, "status", listing->status) || !is_member(item, "agent", listing->agent) ||
	    !is_member(item, "serviceId", listing->service))
		return false;
	for (run = listing->runs; *run; run++)
		if (is_member(item, "runId", *run))
			return true;
	return !*listing->runs;
}

static bool
print_run(struct span item, void *payload)
{
	struct listing *listing = payload;

	if (!wanted(listing, item))
		return true;
	listing->count++;
	client_item(&listing->client, item, listing->ids ? "runId" : NULL);
	return true;
}

int
main(int argc, char *argv[])
{
	struct listing listing = { 0 };
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT, limit = BUF_INIT;
	int64_t n = 0;
	int key, status = STATUS_OK;

	client_begin(&listing.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case 'n':
			if (!num_in_range(opt_arg, 1, LIMIT_MAX, "--limit", &n, &err))
				die_usage("%s", err.text);
			break;
		case OPT_STATUS:
			listing.status = opt_arg;
			OPT_ONE_OF("--status", opt_arg, "queued", "running", "waiting", "completed", "failed", "cancelled");
			break;
		case OPT_KEY_AGENT:
			listing.agent = opt_arg;
			break;
		case OPT_KEY_SERVICE:
			listing.service = opt_arg;
			break;
		case '0':
			listing.ids = true;
			break;
		default:
			client_option(&listing.client, key);
		}
	listing.runs = argv;
	listing.client.asks = true;
	client_open(&listing.client);

	API_PATH(&listing.client.api, &url, "api", "agents", "runs");
	buf_addf(&limit, "%lld", (long long)(n ? n : argc ? LIMIT_MAX : 100));
	api_query(&url, "limit", limit.s);
	if (!records_get(&listing.client.api, url.s, "list the runs", print_run, &listing, NULL, &err))
		client_die(&listing.client, &err);
	if (!listing.count) {
		info("no such run at %s", listing.client.api.address.given.s);
		status = STATUS_NO;
	}

	buf_release(&url);
	buf_release(&limit);
	return client_end(&listing.client, status);
}
