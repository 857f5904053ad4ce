/* desk.c - where questions lie: a directory or a broker */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "clock.h"
#include "desk.h"
#include "err.h"
#include "http.h"
#include "jtext.h"
#include "opt.h"
#include "status.h"
#include "xalloc.h"

bool
desk_opt(struct desk *desk, int key, const char *arg, struct err *err)
{
	err->status = STATUS_OK;
	switch (key) {
	case DESK_KEY_DIR:
		desk->dir = arg;
		return true;
	case DESK_KEY_BROKER:
		desk->broker = arg;
		return true;
	case 'u':
	case 't':
		return false; /* the commands give them other meanings */
	default:
		return api_opt(&desk->api, key, arg, err);
	}
}

static bool
open_broker(struct desk *desk, struct err *err)
{
	const char *token = getenv("CLARITY_HITL_BROKER_TOKEN"), *s = token;
	size_t n = s ? strlen(s) : 0;

	desk->remote = true;
	desk->api.url = desk->broker;
	if (!api_open(&desk->api, err))
		return false;
	if (desk->api.token_file || !token)
		return true;
	blank_trim(&s, &n, BLANK_JS);
	if (n && strcspn(s, " \t\r\n") < n)
		return err_set(err, STATUS_CONFIG, "unable to use the token of CLARITY_HITL_BROKER_TOKEN: it holds a blank");
	buf_reset(&desk->api.token);
	buf_add(&desk->api.token, s, n);
	return true;
}

static bool
open_dir(struct desk *desk, enum desk_use use, struct err *err)
{
	if (!hitl_open(&desk->hitl, desk->dir, use == DESK_ASK || use == DESK_PUT, err))
		return false;
	if (use != DESK_LOOK || !desk->dir || !hitl_is_missing(&desk->hitl))
		return true;
	errno = ENOENT;
	return err_errno(err, STATUS_CONFIG, "unable to open the directory '%s'", desk->hitl.path.s);
}

bool
desk_open(struct desk *desk, enum desk_use use, struct err *err)
{
	const char *url = getenv("CLARITY_HITL_BROKER_URL");

	if (desk->dir && desk->broker)
		return err_set(err, STATUS_USAGE, "--dir and --broker cannot be given together");
	if (!desk->broker && !desk->dir && use == DESK_ASK && url && url[strspn(url, " \t")])
		desk->broker = url;
	return desk->broker ? open_broker(desk, err) : open_dir(desk, use, err);
}

bool
desk_is_missing(const struct desk *desk)
{
	return !desk->remote && hitl_is_missing(&desk->hitl);
}

void
desk_close(struct desk *desk)
{
	http_end(desk->stream);
	desk->stream = NULL;
	if (desk->remote)
		api_release(&desk->api);
	dirwatch_close(&desk->watch);
	hitl_close(&desk->hitl);
}

/* ---- over HTTP */

static bool
post(struct desk *desk, const char *route, const struct buf *body, const char *what, struct http_answer *answer, struct err *err)
{
	struct buf url = BUF_INIT;
	bool ok;

	API_PATH(&desk->api, &url, route);
	ok = api_call(&desk->api, "POST", url.s, body, NULL, what, answer, err);
	buf_release(&url);
	return ok;
}

static bool
add_remote(struct hitl_list *list, struct span item, int64_t now)
{
	struct hitl_question *question;

	if (jtext_type(item) != JTEXT_OBJECT || list->n == HITL_QUESTIONS_MAX)
		return false;
	list->questions = xgrow(list->questions, list->n, sizeof *list->questions);
	question = &list->questions[list->n++];
	hitl_question_init(question);
	hitl_parse(item.s, item.n, "", now, question);
	hitl_stem(&question->stem, question->key.s, question->key.len, HITL_BROKER);
	return true;
}

static bool
remote_list(struct desk *desk, struct hitl_list *list, struct err *err)
{
	struct buf url = BUF_INIT;
	struct http_answer answer;
	struct span items, key, item;
	int64_t now = clock_wall_ms();
	size_t pos = 0;
	bool ok;

	*list = (struct hitl_list){ NULL, 0, false };
	API_PATH(&desk->api, &url, "questions");
	ok = api_call(&desk->api, "GET", url.s, NULL, NULL, "list the questions", &answer, err);
	if (ok && (!jtext_check(answer.body.s, answer.body.len, false, &items, err) || jtext_type(items) != JTEXT_ARRAY))
		ok = err_set(err, STATUS_PROTOCOL, "unable to list the questions: %s answered with no list", desk->api.address.given.s);
	while (ok && jtext_each(items, &pos, &key, &item))
		if (!add_remote(list, item, now))
			list->cut = list->n == HITL_QUESTIONS_MAX;
	http_answer_release(&answer);
	buf_release(&url);
	return ok;
}

/* Brokers answer "question not found" with 404; another 404 is no broker at all. */
static void
explain(struct desk *desk, struct err *err)
{
	if (err->http == 404 && !strstr(err->text, "question not found"))
		err_set(err, STATUS_PROTOCOL, "%s is no broker: it answered 404", desk->api.address.given.s);
}

/* ---- the verbs */

bool
desk_list(struct desk *desk, struct hitl_list *list, struct err *err)
{
	size_t i, kept = 0;
	bool changed;

	if (desk->remote) {
		if (remote_list(desk, list, err))
			return true;
		explain(desk, err);
		return false;
	}
	*list = (struct hitl_list){ NULL, 0, false };
	if (!hitl_check(&desk->hitl, &changed, err))
		return false;
	if (changed) {
		dirwatch_close(&desk->watch);
		desk->watching = false;
	}
	if (!hitl_list(&desk->hitl, list, err))
		return false;
	for (i = 0; i < list->n; i++)
		if (list->questions[i].answered)
			hitl_question_release(&list->questions[i]);
		else
			list->questions[kept++] = list->questions[i];
	list->n = kept;
	return true;
}

/* timestamp -1: any */
static bool
remote_answer(struct desk *desk, const char *key, size_t key_n, int64_t timestamp, const char *text, size_t n, struct err *err)
{
	struct buf body = BUF_INIT;
	struct http_answer answer;
	bool ok;

	buf_addch(&body, '{');
	jtext_add_string(&body, "key", key, key_n);
	jtext_add_string(&body, "response", text, n);
	if (timestamp >= 0)
		jtext_add_i64(&body, "timestamp", timestamp);
	buf_addch(&body, '}');
	ok = post(desk, "answer", &body, "answer", &answer, err);
	if (!ok)
		explain(desk, err);
	http_answer_release(&answer);
	buf_release(&body);
	return ok;
}

bool
desk_answer(struct desk *desk, const char *key, bool ahead, const char *text, size_t n, struct buf *ret_path, struct err *err)
{
	struct hitl_question question;
	bool ok;

	if (desk->remote)
		return remote_answer(desk, key, strlen(key), -1, text, n, err);
	hitl_question_init(&question);
	ok = (ahead ? hitl_answer_ahead : hitl_answer)(&desk->hitl, key, strlen(key), text, n, &question, err);
	if (ok)
		buf_addf(ret_path, "%s/%s.answer", desk->hitl.path.s, question.stem.s);
	hitl_question_release(&question);
	return ok;
}

bool
desk_reply(struct desk *desk, struct hitl_question *question, const char *text, size_t n, struct err *err)
{
	if (desk->remote)
		return remote_answer(desk, question->key.s, question->key.len, question->timestamp, text, n, err);
	return hitl_reply(&desk->hitl, question, text, n, err);
}

bool
desk_cancel(struct desk *desk, const char *key, bool *ret_removed, struct err *err)
{
	struct buf body = BUF_INIT;
	struct hitl_question question;
	struct http_answer answer;
	struct span value, removed;
	bool ok;

	*ret_removed = false;
	if (desk->remote) {
		buf_addch(&body, '{');
		jtext_add_text(&body, "key", key);
		buf_addch(&body, '}');
		ok = post(desk, "cancel", &body, "cancel", &answer, err);
		if (ok && jtext_check(answer.body.s, answer.body.len, false, &value, NULL) && jtext_get(value, "removed", &removed))
			*ret_removed = jtext_type(removed) == JTEXT_TRUE;
		if (!ok)
			explain(desk, err);
		http_answer_release(&answer);
		buf_release(&body);
		return ok;
	}
	hitl_question_init(&question);
	ok = hitl_cancel(&desk->hitl, key, strlen(key), &question, ret_removed, err);
	hitl_question_release(&question);
	return ok;
}

/* ---- waiting */

static bool
on_bytes(const char *bytes, size_t n, void *payload)
{
	static const char live[] = ": live\n";
	struct desk *desk = payload;
	size_t i;

	/* a broker that says when its stream is complete tells of everything at once; others look themselves, and late */
	for (i = 0; !desk->proven && i + sizeof live - 1 <= n; i++)
		desk->proven = !memcmp(bytes + i, live, sizeof live - 1);
	desk->told = true;
	return true;
}

static void
open_stream(struct desk *desk)
{
	struct http_request request = {
		.method = "GET", .deadline = DEADLINE_NONE, .silence_ms = 45000, .body_cb = on_bytes, .payload = desk
	};
	char **headers = api_headers(&desk->api, "text/event-stream", NULL);
	struct buf url = BUF_INIT;

	API_PATH(&desk->api, &url, "events");
	request.url = url.s;
	request.headers = (const char *const *)(uintptr_t)headers;
	desk->stream = http_start(desk->api.http, &request);
	desk->proven = false;
	desk->stream_not_before = deadline_in(DESK_TROUBLE_MS);
	api_headers_free(headers);
	buf_release(&url);
}

static bool
any_ready(const struct pollfd *fds, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (fds[i].revents)
			return true;
	return false;
}

static bool
wait_broker(struct desk *desk, struct pollfd *others, unsigned n, int64_t look, struct err *err)
{
	struct err why = ERR_INIT;
	bool ok;

	if (!desk->stream && deadline_left(desk->stream_not_before) == 0)
		open_stream(desk);
	desk->told = false;
	while (!desk->told && deadline_left(look) > 0 && !any_ready(others, n)) {
		if (!http_wait(desk->api.http, others, n, look, err))
			return false;
		if (desk->stream && http_done(desk->stream, &ok, &why)) {
			/* gone, or never there: looks alone go on, and a new one is opened later */
			http_end(desk->stream);
			desk->stream = NULL;
			desk->told = desk->proven;
			desk->proven = false;
		}
	}
	return true;
}

bool
desk_wait(struct desk *desk, struct pollfd *others, unsigned n, int64_t look_ms, int64_t deadline, struct err *err)
{
	int64_t look = deadline_in(desk->proven ? DESK_TOLD_MS : look_ms ? look_ms : DESK_LOOK_MS);
	unsigned i;

	for (i = 0; i < n; i++)
		others[i].revents = 0;
	if (desk->remote)
		return wait_broker(desk, others, n, look < deadline ? look : deadline, err);
	if (!desk->watching)
		dirwatch_open(&desk->watch, desk->hitl.path.s);
	/* what happened before somebody watched is seen by a look right after */
	if (desk->watching)
		dirwatch_wait(&desk->watch, others, n, deadline);
	desk->watching = true;
	return true;
}

bool
desk_is_trouble(const struct desk *desk, const struct err *err)
{
	return desk->remote && (err->status == STATUS_UNREACHABLE || err->status == STATUS_TIMEOUT || err->status == STATUS_RETRY);
}

/* ---- the asking side */

/* Is what the broker says about this question, and not about another one of that key or file? */
static bool
is_ours(struct span value, const struct hitl_question *question)
{
	struct buf key = BUF_INIT;
	int64_t timestamp;
	bool ours = true;

	if (jtext_get_string(value, "key", &key)) {
		const char *s = key.s;
		size_t n = key.len;

		blank_trim(&s, &n, BLANK_JS);
		ours = n == question->key.len && !memcmp(s, question->key.s, n);
	}
	if (ours && question->timestamp >= 0 && hitl_number(value, "timestamp", &timestamp))
		ours = timestamp == question->timestamp;
	buf_release(&key);
	return ours;
}

/* HITL_BAD with STATUS_CONFLICT: what is there is another question. */
static enum hitl_state
ask_broker(struct desk *desk, const struct hitl_question *question, struct buf *text, struct err *err)
{
	struct buf url = BUF_INIT, word = BUF_INIT;
	struct http_answer answer;
	enum hitl_state state = HITL_BAD;
	struct span value;
	const char *s;
	size_t n;

	API_PATH(&desk->api, &url, "questions", question->key.s);
	if (!api_call(&desk->api, "GET", url.s, NULL, NULL, "look for the answer", &answer, err))
		explain(desk, err);
	else if (!jtext_check(answer.body.s, answer.body.len, false, &value, err) || !jtext_get_string(value, "status", &word))
		err_set(err, STATUS_PROTOCOL, "unable to look for the answer: %s answered with no status", desk->api.address.given.s);
	else if (!strcmp(word.s, "missing"))
		state = HITL_CANCELLED;
	else if (!is_ours(value, question))
		err_set(err, STATUS_CONFLICT, "unable to ask '%s': the broker has another question there", question->key.s);
	else if (!strcmp(word.s, "pending"))
		state = HITL_PENDING;
	else if (!strcmp(word.s, "answered")) {
		state = HITL_ANSWERED;
		buf_reset(&word);
		(void)jtext_get_string(value, "response", &word);
		s = word.s;
		n = word.len;
		blank_trim(&s, &n, BLANK_JS);
		buf_add(text, s, n);
	} else
		err_set(err, STATUS_PROTOCOL, "unable to look for the answer: %s answered with a status that has no meaning",
		    desk->api.address.given.s);
	http_answer_release(&answer);
	buf_release(&url);
	buf_release(&word);
	return state;
}

static enum hitl_state
remote_look(struct desk *desk, const struct hitl_question *question, struct buf *text, struct err *err)
{
	enum hitl_state state = ask_broker(desk, question, text, err);

	/* ours was replaced */
	return state == HITL_BAD && err->status == STATUS_CONFLICT && err->http == 0 ? HITL_CANCELLED : state;
}

/* The question's own file, and no other's; only a broker that knows times looks at the second. */
static bool
remote_withdraw(struct desk *desk, const struct hitl_question *question, struct err *err)
{
	struct buf body = BUF_INIT;
	struct http_answer answer;
	bool ok;

	buf_addch(&body, '{');
	jtext_add_buf(&body, "key", &question->key);
	if (question->timestamp >= 0)
		jtext_add_i64(&body, "timestamp", question->timestamp);
	buf_addch(&body, '}');
	ok = post(desk, "cancel", &body, "cancel", &answer, err);
	http_answer_release(&answer);
	buf_release(&body);
	return ok;
}

/* A broker may keep an old answer and so hand it to a new question: it must be gone before. Another key's question must not be replaced. */
static bool
clear_old(struct desk *desk, struct hitl_question *question, struct err *err)
{
	struct buf old = BUF_INIT;
	enum hitl_state state;
	bool ok;

	question->timestamp = -1;
	state = ask_broker(desk, question, &old, err);
	ok = state != HITL_BAD;
	if (state == HITL_ANSWERED) {
		ok = remote_withdraw(desk, question, err);
		state = ok ? ask_broker(desk, question, &old, err) : HITL_BAD;
		ok = state != HITL_BAD;
		if (state == HITL_ANSWERED)
			ok = err_set(err, STATUS_CONFLICT, "unable to ask '%s': the broker keeps an old answer to it", question->key.s);
	}
	buf_release(&old);
	return ok;
}

/* A broker that does not say that the question is fresh may have given it an answer that it kept. */
static bool
is_fresh(struct desk *desk, const struct hitl_question *question, const struct buf *body, struct err *err)
{
	struct buf old = BUF_INIT;
	struct span value, fresh;
	enum hitl_state state;

	if (jtext_check(body->s, body->len, false, &value, NULL) && jtext_get(value, "fresh", &fresh) && jtext_type(fresh) == JTEXT_TRUE)
		return true;
	state = ask_broker(desk, question, &old, err);
	buf_release(&old);
	if (state == HITL_ANSWERED) {
		struct err ignored = ERR_INIT;

		(void)!remote_withdraw(desk, question, &ignored);
		return err_set(err, STATUS_CONFLICT, "unable to ask '%s': the broker keeps an old answer to it", question->key.s);
	}
	return state != HITL_BAD;
}

static bool
remote_ask(struct desk *desk, const struct hitl_asking *asking, struct hitl_question *question, struct err *err)
{
	struct buf body = BUF_INIT;
	struct http_answer answer;
	const char *key = asking->key;
	size_t n = asking->key_n;
	bool ok;

	blank_trim(&key, &n, BLANK_JS);
	if (!n)
		return err_set(err, STATUS_INPUT, "unable to ask: the key is empty");
	buf_reset(&question->key);
	buf_add(&question->key, key, n);
	if (!clear_old(desk, question, err))
		return false;
	question->timestamp = asking->timestamp;
	buf_addch(&body, '{');
	jtext_add_string(&body, "key", key, n);
	jtext_add_string(&body, "question", asking->question, asking->question_n);
	jtext_add_i64(&body, "timestamp", asking->timestamp);
	if (asking->pid >= 0)
		jtext_add_i64(&body, "pid", asking->pid);
	buf_addch(&body, '}');
	ok = post(desk, "questions", &body, "ask", &answer, err);
	if (!ok)
		explain(desk, err);
	ok = ok && is_fresh(desk, question, &answer.body, err);
	http_answer_release(&answer);
	buf_release(&body);
	return ok;
}

bool
desk_ask(struct desk *desk, const struct hitl_asking *asking, struct hitl_question *question, struct err *err)
{
	return desk->remote ? remote_ask(desk, asking, question, err) : hitl_ask(&desk->hitl, asking, question, err);
}

enum hitl_state
desk_look(struct desk *desk, const struct hitl_question *question, struct buf *answer, struct err *err)
{
	return desk->remote ? remote_look(desk, question, answer, err) : hitl_look(&desk->hitl, question, answer, err);
}

void
desk_done(struct desk *desk, const struct hitl_question *question)
{
	struct err err = ERR_INIT;

	http_end(desk->stream);
	desk->stream = NULL;
	if (!desk->remote)
		hitl_done(&desk->hitl, question);
	else
		(void)!remote_withdraw(desk, question, &err);
}
