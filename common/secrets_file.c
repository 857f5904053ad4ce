/* secrets_file.c - the rules that a file adds: names, and shapes with their matcher */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "num.h"
#include "secrets_internal.h"
#include "status.h"
#include "utf8.h"
#include "xalloc.h"

#define NAME_MAX_BYTES 64

/* ---- matching: each atom takes what it can, at most its max */

size_t
shape_match(const struct shape *shape, const char *s, size_t n, size_t i)
{
	size_t k;

	for (k = 0; k < shape->n; k++) {
		const struct atom *atom = &shape->atoms[k];
		size_t count, max = k + 1 < shape->n && atom->max > SECRETS_RUN_MAX ? SECRETS_RUN_MAX : atom->max, len;

		for (count = 0; count < max && i < n; count++) {
			unsigned char c = (unsigned char)s[i];

			if (c < 0x80 ? !atom->set[c] : !atom->beyond)
				break;
			len = 1;
			if (c >= 0x80)
				(void)utf8_next(s + i, n - i, &len);
			i += len;
		}
		if (count < atom->min)
			return 0;
	}
	return i;
}

/* ---- reading a shape */

static void
add_range(struct atom *atom, unsigned char from, unsigned char to)
{
	for (; from <= to && from < 128; from++)
		atom->set[from] = true;
}

static bool
add_escape(struct atom *atom, char c, struct err *err)
{
	switch (c) {
	case 'd':
		add_range(atom, '0', '9');
		return true;
	case 'w':
		add_range(atom, '0', '9');
		add_range(atom, 'A', 'Z');
		add_range(atom, 'a', 'z');
		atom->set['_'] = true;
		return true;
	case 's':
		add_range(atom, '\t', '\r');
		atom->set[' '] = true;
		return true;
	default:
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || !c)
			return err_set(err, STATUS_CONFIG, "'\\%c' means nothing here: \\d, \\w, \\s, or a sign", c ? c : '0');
		if ((unsigned char)c >= 0x80)
			return err_set(err, STATUS_CONFIG, "a backslash before a character beyond ASCII");
		atom->set[(unsigned char)c] = true;
		return true;
	}
}

/* [...]: what comes after the bracket, up to the one that closes it */
static bool
read_class(const char **at, struct atom *atom, struct err *err)
{
	const char *s = *at;
	bool negated = *s == '^', first = true;
	size_t i;

	s += negated;
	for (; *s && (*s != ']' || first); first = false) {
		if ((unsigned char)*s >= 0x80)
			return err_set(err, STATUS_CONFIG, "a class with a character beyond ASCII");
		if (*s == '\\') {
			if (!add_escape(atom, s[1], err))
				return false;
			s += 2;
		} else if (s[1] == '-' && s[2] && s[2] != ']') {
			if ((unsigned char)s[2] < (unsigned char)*s || (unsigned char)s[2] >= 0x80)
				return err_set(
				    err, STATUS_CONFIG, "the range %c-%c is none", s[0], (unsigned char)s[2] < 0x80 ? s[2] : '?');
			add_range(atom, (unsigned char)s[0], (unsigned char)s[2]);
			s += 3;
		} else
			atom->set[(unsigned char)*s++] = true;
	}
	if (!*s)
		return err_set(err, STATUS_CONFIG, "a '[' that nothing closes");
	if (negated) {
		for (i = 0; i < ARRAY_LEN(atom->set); i++)
			atom->set[i] = !atom->set[i];
		atom->beyond = true;
	}
	*at = s + 1;
	return true;
}

static bool
read_count(const char **at, size_t *ret, size_t none)
{
	const char *s = *at;
	uint64_t n;
	size_t len = strspn(s, "0123456789");

	*ret = none;
	if (!len)
		return true;
	if (!num_u64(s, len, &n) || n > SECRETS_RUN_MAX)
		return false;
	*ret = (size_t)n;
	*at = s + len;
	return true;
}

/* ? * + {m} {m,} {m,n} */
static bool
read_times(const char **at, struct atom *atom, struct err *err)
{
	atom->min = atom->max = 1;
	switch (**at) {
	case '?':
		atom->min = 0;
		break;
	case '*':
		atom->min = 0;
		atom->max = SIZE_MAX;
		break;
	case '+':
		atom->max = SIZE_MAX;
		break;
	case '{': {
		const char *s = *at + 1;
		bool ok = *s != ',' && read_count(&s, &atom->min, 0);

		atom->max = atom->min;
		if (ok && *s == ',') {
			s++;
			ok = read_count(&s, &atom->max, SIZE_MAX);
		}
		if (!ok || *s != '}' || atom->max < atom->min || !atom->max)
			return err_set(err, STATUS_CONFIG, "a count that is none: {m}, {m,} or {m,n}, up to %d", SECRETS_RUN_MAX);
		*at = s;
		break;
	}
	default:
		return true;
	}
	(*at)++;
	return true;
}

static bool
read_atom(const char **at, struct atom *atom, struct err *err)
{
	const char *s = *at;

	memset(atom, 0, sizeof *atom);
	if (*s == '[') {
		s++;
		if (!read_class(&s, atom, err))
			return false;
	} else if (*s == '\\') {
		if (!add_escape(atom, s[1], err))
			return false;
		s += 2;
	} else if (*s == '.') {
		add_range(atom, 0, 127);
		atom->set['\n'] = false;
		atom->beyond = true;
		s++;
	} else if (strchr("()|^$*+?{", *s))
		return err_set(err, STATUS_CONFIG, "'%c' is not known in a pattern: write '\\%c' for the sign itself", *s, *s);
	else if ((unsigned char)*s >= 0x80)
		return err_set(err, STATUS_CONFIG, "a character beyond ASCII in a pattern: '.' and [^...] match those");
	else
		atom->set[(unsigned char)*s++] = true;
	*at = s;
	return read_times(at, atom, err);
}

static bool
read_shape(const char *text, struct shape *shape, struct err *err)
{
	size_t i, least = 0;

	shape->n = 0;
	while (*text) {
		if (shape->n == SECRETS_ATOMS_MAX)
			return err_set(err, STATUS_CONFIG, "a pattern of more than %d pieces", SECRETS_ATOMS_MAX);
		if (!read_atom(&text, &shape->atoms[shape->n++], err))
			return false;
	}
	for (i = 0; i < shape->n; i++)
		least += shape->atoms[i].min;
	if (least < 4)
		return err_set(err, STATUS_CONFIG, "a pattern that matches less than 4 characters");
	return true;
}

/* ---- reading the file */

static bool
add_name(struct secrets *secrets, const char *name, struct err *err)
{
	size_t n = strlen(name), letters = 0, i;

	for (i = 0; i < n; i++) {
		bool letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
		    (name[i] >= '0' && name[i] <= '9');

		if (!letter && name[i] != '_' && name[i] != '-')
			return err_set(err, STATUS_CONFIG, "a name is letters, digits, '_' and '-'");
		letters += letter;
	}
	if (letters < 3 || n > NAME_MAX_BYTES)
		return err_set(err, STATUS_CONFIG, "a name has 3 to %d characters", NAME_MAX_BYTES);
	secrets->names[secrets->n_names] = xstrdup(name);
	/* what joins its words may be either, or nothing */
	for (i = 0; i < n; i++)
		if (name[i] == '_' || name[i] == '-')
			secrets->names[secrets->n_names][i] = '~';
	beginnings_add(&secrets->beginnings, secrets->names[secrets->n_names]);
	secrets->n_names++;
	return true;
}

static bool
add_rule(struct secrets *secrets, char *line, struct err *err)
{
	size_t n = strcspn(line, " \t");
	char *rest = line + n + strspn(line + n, " \t");

	if (secrets->n_names + secrets->n_shapes == SECRETS_RULES_MAX)
		return err_set(err, STATUS_CONFIG, "more than %d rules", SECRETS_RULES_MAX);
	if (!*rest || (strncmp(line, "name", n) && strncmp(line, "pattern", n)) || (n != 4 && n != 7))
		return err_set(err, STATUS_CONFIG, "expected 'name WORD' or 'pattern SHAPE'");
	if (n == 4)
		return add_name(secrets, rest, err);
	secrets->shapes = xgrow(secrets->shapes, secrets->n_shapes, sizeof *secrets->shapes);
	return read_shape(rest, &secrets->shapes[secrets->n_shapes], err) && ++secrets->n_shapes;
}

struct secrets *
secrets_parse(const char *text, size_t n, struct err *err)
{
	struct secrets *secrets = xcalloc(1, sizeof *secrets);
	struct buf line = BUF_INIT;
	size_t start, end, number = 0;
	bool ok = true;

	beginnings_know(&secrets->beginnings);
	for (start = 0; ok && start < n; start = end + 1) {
		const char *newline = memchr(text + start, '\n', n - start);

		end = newline ? (size_t)(newline - text) : n;
		number++;
		buf_reset(&line);
		buf_add(&line, text + start, end - start);
		while (line.len && strchr(" \t\r", line.s[line.len - 1]))
			buf_cut(&line, line.len - 1);
		buf_consume(&line, strspn(line.s, " \t"));
		if (strlen(line.s) != line.len)
			ok = err_set(err, STATUS_CONFIG, "a NUL");
		else if (line.len && line.s[0] != '#')
			ok = add_rule(secrets, line.s, err);
	}
	buf_release(&line);
	if (ok)
		return secrets;
	err_prefix(err, "line %zu", number);
	secrets_free(secrets);
	return NULL;
}

struct secrets *
secrets_read(const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	struct secrets *secrets = NULL;

	if (buf_read_file(&text, path, SECRETS_FILE_MAX, err)) {
		secrets = secrets_parse(text.s, text.len, err);
		if (!secrets)
			err_prefix(err, "unable to use '%s'", path);
	} else if (err)
		err->status = STATUS_CONFIG;
	buf_release(&text);
	return secrets;
}

void
secrets_free(struct secrets *secrets)
{
	size_t i;

	if (!secrets)
		return;
	for (i = 0; i < secrets->n_names; i++)
		free(secrets->names[i]);
	free(secrets->shapes);
	free(secrets);
}
