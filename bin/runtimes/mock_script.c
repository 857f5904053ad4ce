/* mock_script.c - the script: lines of JSON, cut into blocks */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "mock.h"
#include "status.h"
#include "xalloc.h"

static char *
get_text(struct span step, const char *key)
{
	struct buf text = BUF_INIT;

	if (jtext_get_string(step, key, &text))
		return buf_detach(&text, NULL);
	return NULL;
}

static struct block *
add_block(struct script *script)
{
	script->blocks = xgrow(script->blocks, script->n, sizeof *script->blocks);
	memset(&script->blocks[script->n], 0, sizeof *script->blocks);
	return &script->blocks[script->n++];
}

static bool
begin(struct script *script, struct span step, struct err *err)
{
	struct block *block = add_block(script);
	struct span manual;

	block->on = get_text(step, "on");
	block->text = get_text(step, "text");
	block->contains = get_text(step, "contains");
	block->unless = get_text(step, "unless");
	if (!jtext_get_i64(step, "nth", &block->nth))
		block->nth = 0;
	block->manual = jtext_get(step, "manual", &manual) && jtext_type(manual) == JTEXT_TRUE;
	if (!block->on)
		return err_set(err, STATUS_INPUT, "\"on\" is no text");
	return true;
}

static bool
take(struct script *script, const char *s, size_t n, struct err *err)
{
	struct span step, on;
	struct block *block;

	if (!jtext_check(s, n, true, &step, err))
		return false;
	if (jtext_type(step) != JTEXT_OBJECT)
		return err_set(err, STATUS_INPUT, "it is no object");
	if (jtext_get(step, "on", &on))
		return begin(script, step, err);
	if (!script->n)
		add_block(script)->on = xstrdup("turn");
	block = &script->blocks[script->n - 1];
	block->steps = xgrow(block->steps, block->n, sizeof *block->steps);
	block->steps[block->n++] = step;
	return true;
}

bool
script_parse(struct script *script, struct err *err)
{
	const char *s = script->bytes.s, *end = s + script->bytes.len, *stop;
	unsigned long number = 1;

	for (; s < end; s = stop + 1, number++) {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop)
			stop = end;
		if (strspn(s, " \t\r") >= (size_t)(stop - s) || *s == '#')
			continue;
		if (!take(script, s, (size_t)(stop - s), err))
			return err_prefix(err, "line %lu", number);
	}
	return true;
}

bool
script_read(struct script *script, const char *path, struct err *err)
{
	if (!buf_read_file(&script->bytes, path, MOCK_SCRIPT_MAX, err))
		return false;
	return script_parse(script, err) || err_prefix(err, "unable to use the script '%s'", path);
}

void
script_release(struct script *script)
{
	size_t i;

	for (i = 0; i < script->n; i++) {
		free(script->blocks[i].on);
		free(script->blocks[i].text);
		free(script->blocks[i].contains);
		free(script->blocks[i].unless);
		free(script->blocks[i].steps);
	}
	free(script->blocks);
	buf_release(&script->bytes);
	memset(script, 0, sizeof *script);
	buf_init(&script->bytes);
}

static bool
fits(const struct block *block, const char *on, const struct buf *text, int64_t nth)
{
	return !strcmp(block->on, on) && (!block->nth || block->nth == nth) && (!block->text || (text && !strcmp(block->text, text->s))) &&
	    (!block->contains || (text && strstr(text->s, block->contains))) && (!block->unless || access(block->unless, F_OK) < 0);
}

const struct block *
script_find(const struct script *script, const char *on, const struct buf *text, int64_t nth)
{
	size_t i;

	for (i = 0; i < script->n; i++)
		if (fits(&script->blocks[i], on, text, nth))
			return &script->blocks[i];
	return NULL;
}
