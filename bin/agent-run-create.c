/*
 * agent-run-create - start a run on an agent
 *
 * reads   registry items from standard input, unless options name the agent
 * writes  {"runId","serviceId","agent"} and the item's other members, one line for each run
 *
 * The run is opened as every client of the Clarity wire opens one: two events, the second only after the first was taken.
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "opt.h"
#include "out.h"
#include "post.h"
#include "records.h"

enum { OPT_TRIGGER = OPT_OWN, OPT_CONTEXT, OPT_CALLER, OPT_IDEMPOTENCY_KEY };

static const struct opt opts[] = {
	{ OPT_KEY_SERVICE, "service", "ID", "the agent's service" },
	{ OPT_KEY_AGENT, "agent", "ID", "the agent" },
	{ OPT_KEY_RUN, "run", "ID", "the new run's id (default run_cli_<ms>_<random>)" },
	{ OPT_TRIGGER, "trigger", "NAME", "what starts it: api, event, timer or a2a (default api)" },
	{ OPT_CONTEXT, "context", "JSON", "the trigger's context, an object (default: that of a chat from a command line)" },
	{ OPT_CALLER, "caller", "NAME", "caller in the default context (default clarity-agent-cli)" },
	{ OPT_IDEMPOTENCY_KEY, "idempotency-key", "KEY", "so that asking again makes no second run (default: a new one)" },
	{ '0', "null", NULL, "print run ids only, each ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-run-create",
	.synopsis = "[options]",
	.about = "start a run on an agent",
	.example = "  agent-registry --agent echo | agent-run-create | agent-send hello",
	.opts = opts,
};

struct creation {
	struct client client;
	const char *run, *trigger, *context, *caller, *key;
	bool ids;
	unsigned count;
};

/* ---- who: an agent without its service, or a service without its agent, is looked up */

struct lookup {
	const struct subject *subject;
	struct buf service, agent, matches;
	unsigned found;
};

static bool
same(struct span object, const char *key, const struct buf *want)
{
	struct span value;

	return !want->len || (jtext_get(object, key, &value) && jtext_is_string(value, want->s));
}

static bool
look_at(struct span item, void *payload)
{
	struct lookup *lookup = payload;
	struct span agent;

	if (!same(item, "serviceId", &lookup->subject->service) || !jtext_get(item, "agent", &agent) ||
	    !same(agent, "agentId", &lookup->subject->agent))
		return true;
	buf_reset(&lookup->service);
	buf_reset(&lookup->agent);
	jtext_get_string(item, "serviceId", &lookup->service);
	if (!jtext_get_string(agent, "agentId", &lookup->agent))
		jtext_get_string(agent, "name", &lookup->agent);
	if (lookup->found++)
		buf_addstr(&lookup->matches, ", ");
	buf_add(&lookup->matches, lookup->service.s, lookup->service.len);
	return true;
}

static bool
find_agent(struct creation *creation, struct err *err)
{
	struct subject *subject = &creation->client.subject;
	struct lookup lookup = { .subject = subject, .service = BUF_INIT, .agent = BUF_INIT, .matches = BUF_INIT };
	const char *who = subject->agent.len ? subject->agent.s : subject->service.s;
	struct buf url = BUF_INIT;
	bool ok = false;

	API_PATH(&creation->client.api, &url, "api", "agents", "registry");
	if (!records_get(&creation->client.api, url.s, "look the agent up", look_at, &lookup, NULL, err))
		goto out;
	if (!lookup.found)
		err_set(err, STATUS_NO, "unable to start a run: no agent '%s' at %s", who, creation->client.api.address.given.s);
	else if (lookup.found > 1)
		err_set(err, STATUS_CONFLICT, "unable to start a run: '%s' is the agent of several services: %s; choose with --service",
		    who, lookup.matches.s);
	else {
		buf_reset(&subject->service);
		buf_reset(&subject->agent);
		buf_add(&subject->service, lookup.service.s, lookup.service.len);
		buf_add(&subject->agent, lookup.agent.s, lookup.agent.len);
		ok = true;
	}
out:
	buf_release(&lookup.service);
	buf_release(&lookup.agent);
	buf_release(&lookup.matches);
	buf_release(&url);
	return ok;
}

/* ---- the two events (Clarity contract, section 6.2) */

static void
add_context(const struct creation *creation, const char *run, struct buf *to)
{
	if (creation->context) {
		struct span context;

		if (jtext_check(creation->context, strlen(creation->context), true, &context, NULL))
			jtext_compact(to, context);
		return;
	}
	buf_addch(to, '{');
	jtext_add_text(to, "route", "/cli/runtime-chat");
	jtext_add_text(to, "method", "CLI");
	jtext_add_text(to, "requestId", run);
	jtext_add_text(to, "caller", creation->caller);
	buf_addch(to, '}');
}

static void
add_event(const struct creation *creation, const char *kind, const char *run, bool flat, struct buf *to)
{
	const struct subject *subject = &creation->client.subject;
	struct buf context = BUF_INIT, message = BUF_INIT, data = BUF_INIT;

	add_context(creation, run, &context);
	buf_addf(&message, "%s (%s)", kind, run);
	buf_addch(&data, '{');
	jtext_add_text(&data, "runId", run);
	jtext_add_buf(&data, "serviceId", &subject->service);
	jtext_add_buf(&data, "agent", &subject->agent);
	jtext_add_text(&data, "trigger", creation->trigger);
	jtext_add_raw(&data, "triggerContext", context.s, context.len);
	buf_addch(&data, '}');

	buf_addch(to, '{');
	jtext_add_text(to, "kind", kind);
	jtext_add_text(to, "level", "info");
	jtext_add_buf(to, "message", &message);
	jtext_add_buf(to, "service_id", &subject->service);
	jtext_add_text(to, "run_id", run);
	jtext_add_buf(to, "agent", &subject->agent);
	if (flat) {
		buf_addstr(to, ",\"data\":");
		jtext_merge(to, span_of(&data), span_of(&context));
	} else
		jtext_add_raw(to, "data", data.s, data.len);
	buf_addch(to, '}');
	buf_release(&context);
	buf_release(&message);
	buf_release(&data);
}

static bool
post_event(struct creation *creation, const char *kind, const char *run, const char *key, bool flat, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, full = BUF_INIT;
	struct http_answer answer;
	bool ok;

	API_PATH(&creation->client.api, &url, "api", "agents", "events");
	add_event(creation, kind, run, flat, &body);
	buf_addf(&what, "start run '%s'", run);
	buf_addf(&full, "%s-%s", key, flat ? "created" : "started");
	ok = post_json(&creation->client.api, url.s, &body, full.s, false, what.s, &answer, err);
	http_answer_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&full);
	return ok;
}

static void
print_run(struct creation *creation, const char *run)
{
	struct buf result = BUF_INIT;

	if (creation->ids) {
		out_write(run, strlen(run) + 1);
		return;
	}
	buf_addch(&result, '{');
	jtext_add_text(&result, "runId", run);
	jtext_add_buf(&result, "serviceId", &creation->client.subject.service);
	jtext_add_buf(&result, "agent", &creation->client.subject.agent);
	buf_addch(&result, '}');
	client_result(&creation->client, span_of(&result));
	buf_release(&result);
}

static bool
create(void *payload, int *ret_status, struct err *err)
{
	struct creation *creation = payload;
	struct buf run = BUF_INIT, key = BUF_INIT;
	bool ok = false;

	(void)ret_status;
	if (creation->run && creation->count)
		return err_set(err, STATUS_USAGE, "unable to start another run '%s': --run names one run only", creation->run);
	if (!creation->client.subject.service.len && !creation->client.subject.agent.len)
		return err_set(err, STATUS_INPUT, "unable to start a run: the record names no service and no agent");
	if ((!creation->client.subject.service.len || !creation->client.subject.agent.len) && !find_agent(creation, err))
		return false;
	if (creation->run)
		buf_addstr(&run, creation->run);
	else
		key_add_run(&run);
	if (creation->key)
		buf_addf(&key, creation->count ? "%s-%u" : "%s", creation->key, creation->count);
	else
		key_add(&key);
	creation->count++;
	if (post_event(creation, "agent.run_created", run.s, key.s, true, err) &&
	    post_event(creation, "agent.run_started", run.s, key.s, false, err)) {
		print_run(creation, run.s);
		ok = true;
	}
	buf_release(&run);
	buf_release(&key);
	return ok;
}

static void
check_trigger(const char *name)
{
	static const char *const names[] = { "api", "event", "timer", "a2a" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return;
	die_usage("unable to use --trigger '%s': expected api, event, timer or a2a", name);
}

static void
check_context(const char *context)
{
	struct err err = ERR_INIT;
	struct span value;

	if (!jtext_check(context, strlen(context), true, &value, &err))
		die_usage("unable to use --context: %s", err.text);
	if (jtext_type(value) != JTEXT_OBJECT)
		die_usage("unable to use --context: not a JSON object");
}

int
main(int argc, char *argv[])
{
	struct creation creation = { .trigger = "api", .caller = "clarity-agent-cli" };
	struct err err = ERR_INIT;
	int key, status;

	client_begin(&creation.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_KEY_RUN:
			if (!opt_arg[strspn(opt_arg, " \t")])
				die_usage("unable to use --run '%s': it is empty", opt_arg);
			creation.run = opt_arg;
			break;
		case OPT_TRIGGER:
			check_trigger(opt_arg);
			creation.trigger = opt_arg;
			break;
		case OPT_CONTEXT:
			check_context(opt_arg);
			creation.context = opt_arg;
			break;
		case OPT_CALLER:
			creation.caller = opt_arg;
			break;
		case OPT_IDEMPOTENCY_KEY:
			if (!key_check(opt_arg, &err))
				die_usage("%s", err.text);
			creation.key = opt_arg;
			break;
		case '0':
			creation.ids = true;
			break;
		default:
			client_option(&creation.client, key);
		}
	client_no_operand(argv);
	if (strcmp(creation.trigger, "api") && !creation.context)
		die_usage("--trigger '%s' needs its --context", creation.trigger);
	client_open(&creation.client);
	subject_named(&creation.client.subject);
	status = client_each(&creation.client, create, NULL, &creation);
	return client_end(&creation.client, status);
}
