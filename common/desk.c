/* desk.c - where questions lie: a directory or a broker */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

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
	hitl_trim(&s, &n);
	if (n && strcspn(s, " \t\r\n") < n)
		return err_set(err, STATUS_CONFIG, "unable to use the token of CLARITY_HITL_BROKER_TOKEN: it holds a blank");
	buf_reset(&desk->api.token);
	buf_add(&desk->api.token, s, n);
	return true;
}

bool
desk_open(struct desk *desk, bool use_environment, struct err *err)
{
	const char *url = getenv("CLARITY_HITL_BROKER_URL");

	if (desk->dir && desk->broker)
		return err_set(err, STATUS_USAGE, "--dir and --broker cannot be given together");
	if (!desk->broker && !desk->dir && use_environment && url && url[strspn(url, " \t")])
		desk->broker = url;
	return desk->broker ? open_broker(desk, err) : hitl_open(&desk->hitl, desk->dir, err);
}

void
desk_close(struct desk *desk)
{
	if (desk->remote)
		api_release(&desk->api);
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
	list->questions = xrealloc(list->questions, (list->n + 1) * sizeof *list->questions);
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
		ok = err_set(err, STATUS_PROTOCOL, "unable to list the questions: %s answered with no list", desk->api.given.s);
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
		err_set(err, STATUS_PROTOCOL, "%s is no broker: it answered 404", desk->api.given.s);
}

/* ---- the verbs */

bool
desk_list(struct desk *desk, struct hitl_list *list, struct err *err)
{
	size_t i, kept = 0;

	if (desk->remote) {
		if (remote_list(desk, list, err))
			return true;
		explain(desk, err);
		return false;
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

bool
desk_answer(struct desk *desk, const char *key, const char *text, size_t n, struct err *err)
{
	struct buf body = BUF_INIT;
	struct hitl_question question;
	struct http_answer answer;
	bool ok;

	if (desk->remote) {
		buf_addch(&body, '{');
		jtext_add_string(&body, "key", key, strlen(key));
		jtext_add_string(&body, "response", text, n);
		buf_addch(&body, '}');
		ok = post(desk, "answer", &body, "answer", &answer, err);
		if (!ok)
			explain(desk, err);
		http_answer_release(&answer);
		buf_release(&body);
		return ok;
	}
	hitl_question_init(&question);
	ok = hitl_answer(&desk->hitl, key, strlen(key), text, n, &question, err);
	hitl_question_release(&question);
	return ok;
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
		jtext_add_string(&body, "key", key, strlen(key));
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

/* ---- the asking side */

static enum hitl_state
remote_look(struct desk *desk, const struct hitl_question *question, struct buf *text, struct err *err)
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
		err_set(err, STATUS_PROTOCOL, "unable to look for the answer: %s answered with no status", desk->api.given.s);
	else if (!strcmp(word.s, "pending"))
		state = HITL_PENDING;
	else if (!strcmp(word.s, "missing"))
		state = HITL_CANCELLED;
	else if (!strcmp(word.s, "answered")) {
		state = HITL_ANSWERED;
		buf_reset(&word);
		(void)jtext_get_string(value, "response", &word);
		s = word.s;
		n = word.len;
		hitl_trim(&s, &n);
		buf_add(text, s, n);
	} else
		err_set(err, STATUS_PROTOCOL, "unable to look for the answer: %s answered with a status that has no meaning", desk->api.given.s);
	http_answer_release(&answer);
	buf_release(&url);
	buf_release(&word);
	return state;
}

/* A broker may keep an old answer and so hand it to a new question: it must be gone before. */
static bool
clear_old(struct desk *desk, const struct hitl_question *question, struct err *err)
{
	struct buf old = BUF_INIT;
	bool removed, ok = true;
	enum hitl_state state = remote_look(desk, question, &old, err);

	if (state == HITL_ANSWERED) {
		if (!desk_cancel(desk, question->key.s, &removed, err))
			ok = false;
		else
			state = remote_look(desk, question, &old, err);
		if (ok && state == HITL_ANSWERED)
			ok = err_set(err, STATUS_CONFLICT, "unable to ask '%s': the broker keeps an old answer to it", question->key.s);
	}
	buf_release(&old);
	return ok && state != HITL_BAD;
}

bool
desk_ask(struct desk *desk, const struct hitl_asking *asking, struct hitl_question *question, struct err *err)
{
	struct buf body = BUF_INIT;
	struct http_answer answer;
	const char *key = asking->key;
	size_t n = asking->key_n;
	bool ok;

	if (!desk->remote)
		return hitl_ask(&desk->hitl, asking, question, err);
	hitl_trim(&key, &n);
	if (!n)
		return err_set(err, STATUS_INPUT, "unable to ask: the key is empty");
	buf_reset(&question->key);
	buf_add(&question->key, key, n);
	if (!clear_old(desk, question, err))
		return false;
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
	http_answer_release(&answer);
	buf_release(&body);
	return ok;
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
	bool removed;

	if (!desk->remote)
		hitl_done(&desk->hitl, question);
	else
		(void)!desk_cancel(desk, question->key.s, &removed, &err);
}
