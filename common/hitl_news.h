/* hitl_news.h - what changed between two looks at the questions
 *
 * A question is the same one as before when its stem, key, time and file are the same; else the old one is gone and a new one was asked.
 * Who heard of an answer while a look was on its way, which may have passed by before the answer came, says so: a known question that is
 * answered and told stays answered at that look.
 * Pure.
 */
#ifndef HITL_NEWS_H
#define HITL_NEWS_H

#include "hitl.h"

enum hitl_news {
	HITL_NEWS_ASKED,    /* it waits for an answer */
	HITL_NEWS_ANSWERED, /* it is there, and now its answer too */
	HITL_NEWS_GONE	    /* it waited the last time, and is not there any more: answered, cancelled or given up */
};

typedef void hitl_news_cb(enum hitl_news what, struct hitl_question *question, void *payload);

/* Tells the differences: first what is gone or answered, then what came, oldest first. Then known holds what fresh held, and fresh is
 * empty. known begins as an empty list. Both are kept in the order of stems. */
void hitl_news(struct hitl_list *known, struct hitl_list *fresh, hitl_news_cb *cb, void *payload);

/* The question of that stem, in a list that hitl_news() left. NULL: none. */
struct hitl_question *hitl_news_find(const struct hitl_list *known, const char *stem);

/* Another order: of time, for people; and back to that of stems, which a known list must have. */
void hitl_news_by_time(struct hitl_list *list);
void hitl_news_by_stem(struct hitl_list *list);

#endif
