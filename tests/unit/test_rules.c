/* test_rules.c - who answers an approval: the rules of a thread, and threads, turns and approvals in the store */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blank.h"
#include "compass/internal.h"
#include "store/store.h"
#include "tap.h"

static struct span
span(const char *s)
{
	return s ? (struct span){ s, strlen(s) } : SPAN_NONE;
}

static void
decides(const char *rules, const char *kind, const char *params, const char *want)
{
	enum runtime_decision decision = RUNTIME_CANCEL;
	bool decided = rules_decide(span(rules), kind, span(params), &decision);

	ok(decided == (want != NULL) && (!want || !strcmp(decision_text(decision), want)), "%s %s: %s", kind, params,
	    want ? want : "nobody");
}

static void
rules(void)
{
	static const char some[] =
	    "{\"rules\":[{\"kind\":\"file\",\"decision\":\"accept\"},{\"command\":\"git push*\",\"decision\":\"decline\"},{\"command\":\"git *\",\"decision\":\"accept\"},"
	    "{\"command\":\"l?\",\"decision\":\"acceptForSession\"},{\"command\":\"*a*b*c\",\"decision\":\"cancel\"}]}";
	int64_t ms;
	enum runtime_decision late;

	decides(some, "file", "{}", "accept");
	decides(some, "command", "{\"command\":\"git push -f\"}", "decline");
	decides(some, "command", "{\"command\":\"git status\"}", "accept");
	decides(some, "command", "{\"command\":[\"git\",\"status\"]}", "accept");
	decides(some, "command", "{\"command\":\"git\"}", NULL);
	decides(some, "command", "{\"command\":\"ls\"}", "acceptForSession");
	decides(some, "command", "{\"command\":\"lsx\"}", NULL);
	decides(some, "command", "{\"command\":\"xaabbcc\"}", "cancel");
	decides(some, "command", "{\"command\":\"xaabbccd\"}", NULL);
	decides(some, "command", "{\"command\":\"git \\u0000; rm\"}", NULL); /* what follows a NUL must not hide */
	decides(some, "command", "{\"command\":1}", NULL);
	decides(some, "command", "{}", NULL);
	decides(some, "question", "{\"command\":\"ls\"}", NULL);
	decides("{\"rules\":[{\"decision\":\"decline\"}]}", "other", "{}", "decline");
	decides("{}", "other", "{}", NULL);
	decides("", "other", "{}", NULL);
	rules_timeout(span("{\"timeoutSeconds\":3,\"default\":\"accept\"}"), 10, &ms, &late);
	ok(ms == 3000 && late == RUNTIME_ACCEPT, "the thread's own time and default");
	rules_timeout(span(""), 10, &ms, &late);
	ok(ms == 10 && late == RUNTIME_DECLINE, "the gateway's time, and decline, without them");
}

static void
trimmed(const char *text, const char *want)
{
	struct buf buf = BUF_INIT;

	buf_addstr(&buf, text);
	blank_trim_buf(&buf, BLANK_JS);
	is_bytes(buf.s, buf.len, want, strlen(want), "trimmed as JavaScript does");
	buf_release(&buf);
}

/* ---- the store's promise */

static int finished;

static void
set(struct buf *buf, const char *text)
{
	buf_reset(buf);
	buf_addstr(buf, text);
}

static bool
apply(struct change *change, const void *row, struct change_context *context)
{
	struct thread thread;
	struct turn one, two, found;

	(void)change;
	(void)row;
	thread_init(&thread);
	turn_init(&one);
	turn_init(&two);
	turn_init(&found);
	ok(!change_thread_get(context, span("t"), &thread), "an unknown thread is none");
	set(&thread.id, "t");
	set(&thread.workspace, "w");
	thread.created_ms = thread.updated_ms = 1;
	change_thread_put(context, &thread);
	set(&one.id, "1");
	set(&one.thread, "t");
	set(&one.input, "x");
	set(&one.request, "r");
	one.started_ms = 1;
	ok(change_turn_add(context, &one), "the first turn is in");
	set(&two.id, "2");
	set(&two.thread, "t");
	set(&two.input, "y");
	two.started_ms = 2;
	ok(!change_turn_add(context, &two), "a second one in progress is refused by the index");
	ok(change_turn_open(context, span("t"), &found) && !strcmp(found.id.s, "1"), "and the first is the one in progress");
	one.status = THREAD_COMPLETED;
	one.completed_ms = 3;
	one.has_output = true;
	set(&one.output, "token=abcdefgh12345678");
	ok(change_turn_end(context, &one), "it ends");
	one.status = THREAD_ERROR;
	ok(!change_turn_end(context, &one), "and ends once");
	turn_release(&found);
	turn_init(&found);
	ok(change_turn_get(context, span("1"), &found) && found.status == THREAD_COMPLETED && found.completed_ms == 3, "as it ended first");
	is_bytes(found.output.s, found.output.len, "token=[REDACTED]", 16, "without the secret");
	ok(change_turn_add(context, &two), "then the second may begin");
	two.status = THREAD_INTERRUPTED;
	two.completed_ms = 4;
	ok(change_turn_end(context, &two), "and end");
	set(&two.id, "3");
	set(&two.request, "r");
	ok(!change_turn_add(context, &two), "a request makes one turn");
	change_thread_drop(context, span("t"));
	ok(!change_turn_get(context, span("1"), &two), "with the thread its turns go");
	thread_release(&thread);
	turn_release(&one);
	turn_release(&two);
	turn_release(&found);
	return true;
}

static void
done_change(struct change *change)
{
	ok(change->result == CHANGE_DONE, "all of it in one transaction");
	finished++;
	change_free(change);
}

static void
store(void)
{
	char dir[] = "/tmp/test_rules.XXXXXX", command[64];
	struct err err = ERR_INIT;
	struct store *store;
	struct change *change;

	if (!mkdtemp(dir) || !(store = store_open(dir, NULL, log_rows_ops(), &err))) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	change = change_new(done_change, NULL);
	change->apply = apply;
	store_change(store, change);
	while (!finished) {
		struct pollfd fd = { .fd = store_fd(store), .events = POLLIN };

		if (poll(&fd, 1, 30000) <= 0) {
			printf("Bail out! no result\n");
			exit(1);
		}
		store_dispatch(store);
	}
	store_close(store);
	snprintf(command, sizeof command, "rm -r %s", dir);
	if (system(command) != 0)
		printf("# %s is left\n", dir);
}

int
main(void)
{
	rules();
	trimmed("", "");
	trimmed(" \t\r\n\v\f ", "");
	trimmed(" a b ", "a b");
	trimmed("\xc2\xa0\xe3\x80\x80x\xef\xbb\xbf\xe2\x80\xa9", "x");
	trimmed("\xe2\x80\x8bx", "\xe2\x80\x8bx"); /* a space without width is none */
	store();
	return done();
}
