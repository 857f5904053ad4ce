/* json.c - a thin skin over jv */
#include "compat.h"

#include "buf.h"
#include "err.h"
#include "json.h"
#include "jtext.h"
#include "status.h"

jv
json_parse(const char *s, size_t n, struct err *err)
{
	struct span value;
	jv v;

	/* libjq takes what RFC 8259 does not ("nan", a missing digit); our own check comes first */
	if (!jtext_check(s, n, false, &value, err))
		return jv_invalid();
	v = jv_parse_sized(value.s, (int)value.n);
	if (!jv_is_valid(v))
		err_set(err, STATUS_INPUT, "not JSON that can be read");
	return v;
}

void
json_text(struct buf *to, jv v)
{
	jv text = jv_dump_string(v, 0);

	buf_add(to, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
	jv_free(text);
}

bool
json_get_str(jv obj, const char *key, struct buf *ret)
{
	jv v;
	bool is_string;

	if (jv_get_kind(obj) != JV_KIND_OBJECT)
		return false;
	v = jv_object_get(jv_copy(obj), jv_string(key));
	is_string = jv_get_kind(v) == JV_KIND_STRING;
	if (is_string)
		buf_add(ret, jv_string_value(v), (size_t)jv_string_length_bytes(jv_copy(v)));
	jv_free(v);
	return is_string;
}
