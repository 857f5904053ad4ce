/* client.c - a command that asks a server */
#include "compat.h"

#include "client.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"

void
client_limit_met(int64_t until)
{
	struct buf at = BUF_INIT;

	clock_add_iso(&at, until);
	out_flush();
	info("a limit was met: waiting until %s", at.s);
	buf_release(&at);
}

void
client_begin(struct client *client, const struct cmd *cmd)
{
	cmd_init(cmd);
	*client = (struct client){ .api = API_INIT };
	client->api.limit_met = client_limit_met;
	subject_init(&client->subject);
}

void
client_option(struct client *client, int key)
{
	struct err err = ERR_INIT;

	if (key == OPT_KEY_JQ)
		client->program = opt_arg;
	else if (!subject_opt(&client->subject, key, opt_arg, &err) && (err.status || !api_opt(&client->api, key, opt_arg, &err)))
		die_usage("%s", err.text);
}

void
client_no_operand(char *const operands[])
{
	if (*operands)
		die_usage("unexpected operand '%s'", *operands);
}

void
client_open(struct client *client)
{
	struct err err = ERR_INIT;

	client->filter = filter_start(client->program);
	if (!client->asks)
		(void)client_filter(client);
	if (!api_open(&client->api, &err))
		client_die(client, &err);
}

struct filter *
client_filter(struct client *client)
{
	struct err err = ERR_INIT;

	if (!filter_ready(client->filter, &err))
		die_err(&err);
	return client->filter;
}

void
client_die(struct client *client, const struct err *err)
{
	(void)client_filter(client);
	die_err(err);
}

bool
client_print(struct client *client, struct span object, struct err *err)
{
	struct buf line = BUF_INIT;
	bool ok;

	jtext_compact(&line, object);
	ok = filter_run(client_filter(client), line.s, line.len, filter_print, NULL, err);
	buf_release(&line);
	return ok;
}

static void
remember(struct client *client, bool ok, const struct err *err)
{
	if (!ok)
		warn_err(err);
	client->failed |= !ok;
}

void
client_record(struct client *client, struct span record)
{
	struct err err = ERR_INIT;

	remember(client, filter_run(client_filter(client), record.s, record.n, filter_print, NULL, &err), &err);
}

void
client_result(struct client *client, struct span object)
{
	struct err err = ERR_INIT;

	remember(client, filter_result(client_filter(client), &client->subject, object, &err), &err);
}

void
client_item(struct client *client, struct span item, const char *id)
{
	struct buf text = BUF_INIT;

	if (!id)
		client_record(client, item);
	else if (jtext_get_string(item, id, &text))
		out_write(text.s, text.len + 1);
	buf_release(&text);
}

/* Does it for the subject that is set, unless that cannot be used. */
static int
do_one(struct client *client, bool usable, client_act *act, void *payload, struct err *err)
{
	int outcome = STATUS_OK;

	if (!usable || !act(payload, &outcome, err)) {
		(void)client_filter(client);
		out_flush();
		warn_err(err);
		outcome = err->status;
	}
	out_flush();
	return outcome;
}

int
client_each(struct client *client, client_act *act, const bool *stop, void *payload)
{
	struct err err = ERR_INIT;
	enum subject_result next;
	int status = STATUS_OK;

	while ((!stop || !*stop) && (next = subject_next(&client->subject, &err)) != SUBJECT_END)
		status = status_worse(status, do_one(client, next == SUBJECT_OK, act, payload, &err));
	return status;
}

int
client_each_of(struct client *client, char *const operands[], struct buf *field, const char *name, client_act *act, void *payload)
{
	struct err err = ERR_INIT;
	int status = STATUS_OK;

	if (!*operands) {
		(void)subject_named(&client->subject);
		return client_each(client, act, NULL, payload);
	}
	for (; *operands; operands++)
		status = status_worse(status, do_one(client, subject_set(field, name, *operands, &err), act, payload, &err));
	return status;
}

int
client_end(struct client *client, int status)
{
	filter_free(client_filter(client)); /* nothing was printed, maybe: it is wrong all the same */
	subject_release(&client->subject);
	api_release(&client->api);
	return status_worse(status_worse(status, client->failed ? STATUS_INPUT : STATUS_OK), out_close());
}
