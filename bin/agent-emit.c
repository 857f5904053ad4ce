/*
 * agent-emit - post events, so that a script can itself be an agent
 *
 * reads   event bodies, or run and thread records with --kind, from standard input, unless an option names the run or thread
 * writes  {"ok":true,"kind"} (of a thread: "method") and the subject's members, one line for each event taken
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "die.h"
#include "err.h"
#include "key.h"
#include "opt.h"
#include "post.h"
#include "uplink.h"

enum { OPT_KIND = OPT_OWN, OPT_LEVEL, OPT_DATA, OPT_IDEMPOTENCY_KEY };

static const struct opt opts[] = {
	{ OPT_KEY_RUN, "run", "ID", "the run" },
	{ OPT_KEY_SERVICE, "service", "ID", "the agent's service" },
	{ OPT_KEY_AGENT, "agent", "ID", "the agent" },
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_KEY_TURN, "turn", "ID", "the turn of the thread that it is about" },
	{ OPT_KIND, "kind", "KIND",
	    "what happened, as agent.run_completed or item.delta; without it each line of standard input is an event" },
	{ OPT_LEVEL, "level", "LEVEL", "info, warn or error (default info)" },
	{ 'm', "message", "TEXT", "one line for people (default: made from the kind)" },
	{ 'd', "data", "JSON", "the event's data, an object; of a thread its payload, any value" },
	{ OPT_IDEMPOTENCY_KEY, "idempotency-key", "KEY", "so that asking again posts nothing twice (default: a new one)" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-emit",
	.synopsis = "[options]",
	.about = "post events, so that a script can itself be an agent",
	.example = "  agent-emit --run run_1 --kind agent.run_completed\n"
		   "  echo '{\"kind\":\"agent.waiting\",\"data\":{\"runId\":\"run_1\",\"reason\":\"lunch\"}}' | agent-emit",
	.opts = opts,
};

struct emission {
	struct client client;
	struct subject named; /* named: what the options say; it fills in what records lack */
	const char *kind, *level, *message, *key;
	struct span data;
	unsigned count;
	struct uplink uplink; /* for a thread: what was read and not sent */
	struct buf printed;   /* what to print once it is, one line each */
};

/* ---- the body (contract section 6.2) */

/* Members under the names that the wire has for them. */
static void
add_subject(struct buf *to, const struct subject *subject)
{
	jtext_add_filled(to, "service_id", &subject->service);
	jtext_add_filled(to, "run_id", &subject->run);
	jtext_add_filled(to, "agent", &subject->agent);
}

static void
from_options(const struct emission *emission, struct buf *to)
{
	struct buf ids = BUF_INIT;

	buf_addch(to, '{');
	jtext_add_text(to, "kind", emission->kind);
	jtext_add_text(to, "level", emission->level);
	jtext_add_given(to, "message", emission->message);
	add_subject(to, &emission->client.subject);
	/* the data names the run too: that is where readers look */
	buf_addch(&ids, '{');
	jtext_add_filled(&ids, "runId", &emission->client.subject.run);
	jtext_add_filled(&ids, "serviceId", &emission->client.subject.service);
	jtext_add_filled(&ids, "agent", &emission->client.subject.agent);
	buf_addch(&ids, '}');
	buf_addstr(to, ",\"data\":");
	jtext_merge(to, emission->data, span_of(&ids));
	buf_addch(to, '}');
	buf_release(&ids);
}

/* A line that is an event already keeps its bytes; the options fill in what it does not name. */
static void
from_record(const struct emission *emission, struct buf *to)
{
	struct buf extra = BUF_INIT;

	buf_addch(&extra, '{');
	if (!emission->client.subject.service.len)
		jtext_add_filled(&extra, "service_id", &emission->named.service);
	if (!emission->client.subject.run.len)
		jtext_add_filled(&extra, "run_id", &emission->named.run);
	if (!emission->client.subject.agent.len)
		jtext_add_filled(&extra, "agent", &emission->named.agent);
	buf_addch(&extra, '}');
	jtext_merge(to, emission->client.subject.record, span_of(&extra));
	buf_release(&extra);
}

static bool
is_event(struct span record)
{
	struct span kind;

	return record.s && jtext_get(record, "kind", &kind) && jtext_type(kind) == JTEXT_STRING;
}

/* ---- into a thread: events that have come together go together */

static void
make_key(struct emission *emission, struct buf *to)
{
	if (emission->key)
		buf_addf(to, emission->count ? "%s-%u" : "%s", emission->key, emission->count);
	else
		key_add(to);
	emission->count++;
}

static bool
send_batch(struct emission *emission, struct err *err)
{
	const char *at = emission->printed.s, *end;
	struct buf key = BUF_INIT;
	bool ok;

	if (!emission->uplink.n)
		return true;
	make_key(emission, &key);
	ok = uplink_send(&emission->uplink, &emission->client.api, key.s, err);
	for (; ok && (end = strchr(at, '\n')); at = end + 1)
		client_record(&emission->client, (struct span){ at, (size_t)(end - at) });
	buf_reset(&emission->printed);
	buf_release(&key);
	return ok;
}

static void
note_result(struct emission *emission, const struct buf *method)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"ok\":true");
	jtext_add_buf(&result, "method", method);
	buf_addch(&result, '}');
	subject_pass(&emission->client.subject, span_of(&result), &emission->printed);
	buf_addch(&emission->printed, '\n');
	buf_release(&result);
}

/* The thread comes from the record, else from the options; so does the turn. */
static bool
emit_to_thread(struct emission *emission, struct err *err)
{
	const struct subject *subject = &emission->client.subject;
	const struct buf *thread = subject->thread.len ? &subject->thread : &emission->named.thread;
	const struct buf *turn = subject->turn.len ? &subject->turn : &emission->named.turn;
	struct span payload = SPAN_NONE;
	struct buf method = BUF_INIT;
	bool ok = true;

	if (emission->kind) {
		buf_addstr(&method, emission->kind);
		payload = emission->data;
	} else {
		(void)jtext_get_string(subject->record, "method", &method);
		if (!jtext_get(subject->record, "payload", &payload))
			payload = SPAN_NONE;
	}
	if (!method.len || memchr(method.s, '\0', method.len)) {
		buf_release(&method);
		return err_set(err, STATUS_INPUT, "unable to post line %llu of standard input: it has no method, and no --kind is given",
		    (unsigned long long)subject->in.count);
	}
	if (strcmp(emission->uplink.thread.s, thread->s) != 0 || !uplink_room(&emission->uplink, payload.n))
		ok = send_batch(emission, err);
	buf_reset(&emission->uplink.thread);
	buf_add(&emission->uplink.thread, thread->s, thread->len);
	uplink_add(&emission->uplink, turn->s, method.s, payload);
	note_result(emission, &method);
	buf_release(&method);
	if (!line_ready(&subject->in) && !send_batch(emission, err))
		ok = false;
	return ok;
}

/* A run, where one is named, comes first. */
static bool
is_for_thread(const struct emission *emission)
{
	return !emission->client.subject.run.len && (emission->client.subject.thread.len || emission->named.thread.len);
}

static bool
emit(struct emission *emission, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, key = BUF_INIT, result = BUF_INIT, kind = BUF_INIT;
	struct http_answer answer;
	struct span value;
	bool ok;

	if (emission->kind)
		from_options(emission, &body);
	else if (is_event(emission->client.subject.record))
		from_record(emission, &body);
	else
		return err_set(err, STATUS_INPUT, "unable to post line %llu of standard input: it has no kind, and no --kind is given",
		    (unsigned long long)emission->client.subject.in.count);
	make_key(emission, &key);
	if (!jtext_get_string(span_of(&body), "kind", &kind))
		buf_addstr(&kind, "agent");
	API_PATH(&emission->client.api, &url, "api", "agents", "events");
	ok = post_json(&emission->client.api, url.s, &body, key.s, false, "post the event", &answer, err);
	if (ok && jtext_check(answer.body.s, answer.body.len, false, &value, err) && jtext_type(value) == JTEXT_OBJECT) {
		jtext_compact(&result, value);
		buf_cut(&result, result.len - 1);
		jtext_add_buf(&result, "kind", &kind);
		buf_addch(&result, '}');
		client_result(&emission->client, span_of(&result));
	}
	http_answer_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&key);
	buf_release(&result);
	buf_release(&kind);
	return ok;
}

static struct span
check_data(const char *data)
{
	struct err err = ERR_INIT;
	struct span value;

	if (!jtext_check(data, strlen(data), true, &value, &err))
		die_usage("unable to use --data: %s", err.text);
	return value;
}

static bool
emit_one(void *payload, int *ret_status, struct err *err)
{
	struct emission *emission = payload;

	(void)ret_status;
	return (is_for_thread(emission) ? emit_to_thread : emit)(emission, err);
}

int
main(int argc, char *argv[])
{
	struct emission emission = { .level = "info", .data = { "{}", 2 }, .uplink = UPLINK_INIT, .printed = BUF_INIT };
	struct err err = ERR_INIT;
	int key, status;

	client_begin(&emission.client, &cmd);
	subject_init(&emission.named);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_KIND:
			emission.kind = opt_arg;
			break;
		case OPT_LEVEL:
			if (strcmp(opt_arg, "info") && strcmp(opt_arg, "warn") && strcmp(opt_arg, "error"))
				die_usage("unable to use --level '%s': expected info, warn or error", opt_arg);
			emission.level = opt_arg;
			break;
		case 'm':
			emission.message = opt_arg;
			break;
		case 'd':
			emission.data = check_data(opt_arg);
			break;
		case OPT_IDEMPOTENCY_KEY:
			if (!key_check(opt_arg, &err))
				die_usage("%s", err.text);
			emission.key = opt_arg;
			break;
		default:
			/* what names the subject fills in what records lack */
			if (subject_opt(&emission.named, key, opt_arg, &err))
				break;
			if (err.status)
				die_usage("%s", err.text);
			client_option(&emission.client, key);
		}
	client_no_operand(argv);
	if (!emission.kind && emission.message)
		die_usage("--message needs --kind");
	if (emission.named.run.len && emission.named.thread.len)
		die_usage("a run and a thread cannot be given together");
	if (jtext_type(emission.data) != JTEXT_OBJECT && !emission.named.thread.len)
		die_usage("unable to use --data: not a JSON object");
	client_open(&emission.client);

	/* with a kind and a run everything is said: standard input is not read */
	if (emission.kind && subject_named(&emission.named)) {
		struct subject reader = emission.client.subject;

		emission.client.subject = emission.named;
		emission.named = reader;
	}
	status = client_each(&emission.client, emit_one, NULL, &emission);
	if (!send_batch(&emission, &err)) {
		warn_err(&err);
		status = status_worse(status, err.status);
	}

	uplink_release(&emission.uplink);
	buf_release(&emission.printed);
	subject_release(&emission.named);
	return client_end(&emission.client, status);
}
