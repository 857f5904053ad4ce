/* held.c - how much of a text that still grows can be given on without giving away a part of a secret: pure */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "compass/internal.h"
#include "secrets.h"

#define HELD_MAX 1024	   /* bytes of such text */
#define HELD_KEY_MAX 16384 /* the same inside a private key */
#define HELD_TRIES 8	   /* places that are looked at */

/* A secret that a runtime says in pieces must not get through in pieces: text is given in words, and never up to the last two of them, nor
 * to a place where what comes before and what comes after would hide less than both together. What nothing follows for a while is given as
 * it is. */
static bool
may_part(const struct secrets *secrets, const struct buf *held, size_t at)
{
	struct buf whole = BUF_INIT, parts = BUF_INIT;
	bool same;

	(void)secrets_text(secrets, held->s, held->len, &whole);
	(void)secrets_text(secrets, held->s, at, &parts);
	(void)secrets_text(secrets, held->s + at, held->len - at, &parts);
	same = buf_equal(&whole, &parts);
	buf_release(&whole);
	buf_release(&parts);
	return same;
}

/* Where the word begins that ends before `at`. */
static size_t
word_before(const struct buf *text, size_t at)
{
	while (at && blank_json(text->s[at - 1]))
		at--;
	while (at && !blank_json(text->s[at - 1]))
		at--;
	return at;
}

size_t
held_safe(const struct secrets *secrets, const struct buf *held)
{
	const char *begin = strstr(held->s, "-----BEGIN ");
	size_t at = word_before(held, held->len), tries;

	if (begin && !strstr(begin, "-----END ") && held->len <= HELD_KEY_MAX)
		return 0;
	if (held->len > HELD_MAX && !(begin && held->len <= HELD_KEY_MAX))
		return held->len;
	at = word_before(held, at);
	for (tries = 0; at && tries < HELD_TRIES; tries++) {
		if (may_part(secrets, held, at))
			return at;
		at = word_before(held, at);
	}
	return 0;
}
