/* test_hitl_news.c - what changed between two looks at the questions */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "hitl_news.h"
#include "tap.h"
#include "xalloc.h"

static struct buf told = BUF_INIT;

static void
on_news(enum hitl_news what, struct hitl_question *question, void *payload)
{
	static const char letters[] = { [HITL_NEWS_ASKED] = '+', [HITL_NEWS_ANSWERED] = '!', [HITL_NEWS_GONE] = '-' };

	(void)payload;
	buf_addf(&told, "%c%s ", letters[what], question->key.s);
}

/* "a1 b2!": key a with time 1, key b with time 2 and an answer. */
static struct hitl_list
list_of(const char *text)
{
	struct hitl_list list = { NULL, 0, false };

	for (; *text; text += strspn(text, " ")) {
		struct hitl_question *question;

		list.questions = xrealloc(list.questions, (list.n + 1) * sizeof *list.questions);
		question = &list.questions[list.n++];
		hitl_question_init(question);
		buf_add(&question->stem, text, 1);
		buf_add(&question->key, text, 1);
		question->timestamp = text[1] - '0';
		question->answered = text[2] == '!';
		text += question->answered ? 3 : 2;
	}
	return list;
}

static void
step(struct hitl_list *known, const char *fresh, const char *want)
{
	struct hitl_list list = list_of(fresh);

	buf_reset(&told);
	hitl_news(known, &list, on_news, NULL);
	is_str(told.s, want, fresh);
	ok(list.n == 0 && !list.questions, "the fresh list is handed over");
}

int
main(void)
{
	struct hitl_list known = { NULL, 0, false };

	step(&known, "", "");
	step(&known, "c1 a2", "+c +a ");
	step(&known, "a2 c1", "");
	step(&known, "c1 b3 a2", "+b ");
	ok(hitl_news_find(&known, "b") != NULL && hitl_news_find(&known, "d") == NULL, "a stem is found, or not");
	step(&known, "a2! b3 c1", "!a ");
	step(&known, "b3 c1", "");
	step(&known, "c1", "-b ");
	step(&known, "c4", "-c +c ");
	step(&known, "c4 d1!", "+d !d ");
	step(&known, "c4 d2", "+d ");
	hitl_news_by_time(&known);
	ok(!strcmp(known.questions[0].key.s, "d"), "the order of time");
	hitl_news_by_stem(&known);
	ok(!strcmp(known.questions[0].key.s, "c"), "and back");
	hitl_news_find(&known, "d")->answered = hitl_news_find(&known, "d")->told = true;
	step(&known, "c4 d2", "");
	ok(hitl_news_find(&known, "d")->answered, "a look that had begun before an answer does not take it back");
	step(&known, "c4 d2", "");
	ok(!hitl_news_find(&known, "d")->answered, "the next one says how it is");
	step(&known, "c4 d2!", "!d ");
	hitl_news_find(&known, "c")->answered = hitl_news_find(&known, "c")->told = true;
	step(&known, "c5 d2!", "+c ");
	ok(!hitl_news_find(&known, "c")->answered, "nor is another question's answer its own");
	step(&known, "", "-c ");
	hitl_list_release(&known);
	buf_release(&told);
	return done();
}
