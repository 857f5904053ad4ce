/*
 * agent-approvals - list what runtimes ask people
 *
 * reads   its operands, else records with a threadId from standard input
 * writes  one approval a line, as the server gives it
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "opt.h"
#include "records.h"

enum { OPT_STATUS = OPT_OWN };

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_STATUS, "status", "WORD", "pending (default), resolved or all" },
	{ '0', "null", NULL, "print approval ids only, each ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-approvals",
	.synopsis = "[options] [THREAD ...]",
	.about = "list what runtimes ask people",
	.example = "  agent-threads --workspace acme --status inProgress | agent-approvals | jq -c '[.kind, .params.command]'",
	.opts = opts,
};

struct listing {
	struct client client;
	const char *status;
	bool ids;
	size_t count;
};

/* The server may give all, whatever it was asked for. */
static bool
is_wanted(const struct listing *listing, struct span item)
{
	struct span status;

	return !strcmp(listing->status, "all") || !jtext_get(item, "status", &status) || jtext_is_string(status, listing->status);
}

static bool
print_approval(struct span item, void *payload)
{
	struct listing *listing = payload;

	if (!is_wanted(listing, item))
		return true;
	listing->count++;
	client_item(&listing->client, item, listing->ids ? "approvalId" : NULL);
	return true;
}

static bool
list(void *payload, int *ret_status, struct err *err)
{
	struct listing *listing = payload;
	const char *thread = listing->client.subject.thread.s;
	struct buf url = BUF_INIT, what = BUF_INIT;
	bool ok;

	(void)ret_status;
	if (!*thread)
		return subject_lacks(&listing->client.subject, "thread", err);
	COMPASS_PATH(&listing->client.api, &url, "threads", thread, "approvals");
	api_query(&url, "status", listing->status);
	buf_addf(&what, "list the approvals of thread '%s'", thread);
	ok = records_get_of(&listing->client.api, url.s, "approvals", what.s, print_approval, listing, NULL, err);
	buf_release(&url);
	buf_release(&what);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct listing listing = { .status = "pending" };
	int key, status;

	client_begin(&listing.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_STATUS)
			listing.status = opt_arg;
		else if (key == '0')
			listing.ids = true;
		else
			client_option(&listing.client, key);
	OPT_ONE_OF("--status", listing.status, "pending", "resolved", "all");
	if (listing.client.subject.thread.len)
		client_no_operand(argv);
	listing.client.asks = true;
	client_open(&listing.client);
	status = client_each_of(&listing.client, argv, &listing.client.subject.thread, "THREAD", list, &listing);
	if (status == STATUS_OK && !listing.count)
		status = STATUS_NO;
	return client_end(&listing.client, status);
}
