/* message.c - one line of a runtime, read; and what is in it */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "runtime/message.h"
#include "sandbox.h"
#include "trouble.h"
#include "utf8.h"

void
message_init(struct message *message)
{
	memset(message, 0, sizeof *message);
	buf_init(&message->method);
	buf_init(&message->text);
	buf_init(&message->word);
	buf_init(&message->repaired);
}

void
message_release(struct message *message)
{
	buf_release(&message->method);
	buf_release(&message->text);
	buf_release(&message->word);
	buf_release(&message->repaired);
}

static bool
is_id(struct span id)
{
	return jtext_type(id) == JTEXT_STRING || jtext_type(id) == JTEXT_NUMBER;
}

static void
read_error(struct message *message, struct span error)
{
	struct span text, data;

	message->type = MESSAGE_ERROR;
	message->code = 0;
	jtext_get_i64(error, "code", &message->code);
	if (jtext_get(error, "message", &text))
		trouble_add_text(&message->text, text);
	if (!message->text.len)
		buf_addstr(&message->text, "it gave no reason");
	message->status = 0;
	if (jtext_get(error, "data", &data)) {
		(void)jtext_get_string(data, "code", &message->word);
		(void)jtext_get_i64(data, "status", &message->status);
	}
}

bool
message_read(struct message *message, const char *s, size_t n)
{
	struct span whole, value;
	bool has_id;

	buf_reset(&message->method);
	buf_reset(&message->text);
	buf_reset(&message->word);
	buf_reset(&message->repaired);
	if (!utf8_valid(s, n)) {
		utf8_repair(&message->repaired, s, n);
		s = message->repaired.s;
		n = message->repaired.len;
	}
	if (!jtext_check(s, n, false, &whole, NULL) || jtext_type(whole) != JTEXT_OBJECT)
		return false;
	message->id = SPAN_NONE;
	message->number = -1;
	message->params = (struct span){ "{}", 2 };
	has_id = jtext_get(whole, "id", &value) && is_id(value);
	if (has_id) {
		message->id = value;
		if (!jtext_i64(value, &message->number))
			message->number = -1;
	}
	if (jtext_get_string(whole, "method", &message->method)) {
		message->type = has_id ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
		if (jtext_get(whole, "params", &value) && jtext_type(value) == JTEXT_OBJECT)
			message->params = value;
		return message->method.len == strlen(message->method.s);
	}
	if (!has_id)
		return false;
	if (jtext_get(whole, "error", &value) && jtext_type(value) == JTEXT_OBJECT) {
		read_error(message, value);
		return true;
	}
	message->type = MESSAGE_RESULT;
	if (!jtext_get(whole, "result", &value))
		return false;
	if (jtext_type(value) == JTEXT_OBJECT)
		message->params = value;
	return true;
}

bool
message_delta(const char *method, enum runtime_delta *ret)
{
	static const struct {
		const char *method;
		enum runtime_delta delta;
	} deltas[] = {
		{ "item/agentMessage/delta", RUNTIME_DELTA_MESSAGE },
		{ "item/plan/delta", RUNTIME_DELTA_PLAN },
		{ "item/reasoning/textDelta", RUNTIME_DELTA_REASONING },
		{ "item/reasoning/summaryTextDelta", RUNTIME_DELTA_SUMMARY },
		{ "item/commandExecution/outputDelta", RUNTIME_DELTA_COMMAND },
		{ "item/fileChange/outputDelta", RUNTIME_DELTA_FILE },
	};
	size_t i, n = strlen(method);

	for (i = 0; i < ARRAY_LEN(deltas); i++)
		if (!strcmp(method, deltas[i].method)) {
			*ret = deltas[i].delta;
			return true;
		}
	/* of kinds that are yet to come */
	*ret = RUNTIME_DELTA_OTHER;
	return n > 5 && !strncmp(method, "item/", 5) && !strcasecmp(method + n - 5, "delta");
}

enum runtime_approval_kind
message_approval(const char *method)
{
	if (!strcmp(method, "item/commandExecution/requestApproval"))
		return RUNTIME_APPROVE_COMMAND;
	if (!strcmp(method, "item/fileChange/requestApproval"))
		return RUNTIME_APPROVE_FILE;
	if (!strcmp(method, "item/permissions/requestApproval"))
		return RUNTIME_APPROVE_PERMISSIONS;
	if (!strcmp(method, "item/tool/requestUserInput"))
		return RUNTIME_APPROVE_QUESTION;
	return RUNTIME_APPROVE_OTHER;
}

bool
message_is_lost(const char *text)
{
	static const char *const words[] = { "not found", "unknown", "not loaded", "does not exist", "invalid" };
	size_t i;

	if (strcasestr(text, "no rollout"))
		return true;
	/* a model that is not found is no lost thread */
	if (!strcasestr(text, "thread") && !strcasestr(text, "session id"))
		return false;
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

bool
message_add_decision(struct buf *to, enum runtime_approval_kind kind, enum runtime_decision decision, struct span params)
{
	static const char *const words[] = { "accept", "acceptForSession", "decline", "cancel" };
	struct span permissions;

	switch (kind) {
	case RUNTIME_APPROVE_COMMAND:
	case RUNTIME_APPROVE_FILE:
		buf_addf(to, "{\"decision\":\"%s\"}", words[decision]);
		return true;
	case RUNTIME_APPROVE_PERMISSIONS:
		if (decision != RUNTIME_ACCEPT && decision != RUNTIME_ACCEPT_SESSION)
			buf_addstr(to, "{\"permissions\":{}}");
		else {
			buf_addstr(to, "{\"permissions\":");
			if (params.s && jtext_get(params, "permissions", &permissions))
				jtext_compact(to, permissions);
			else
				buf_addstr(to, "{}");
			buf_addf(to, ",\"scope\":\"%s\"}", decision == RUNTIME_ACCEPT ? "turn" : "session");
		}
		return true;
	case RUNTIME_APPROVE_QUESTION:
		buf_addstr(to, "{\"answers\":{}}");
		return true;
	case RUNTIME_APPROVE_OTHER:
		break;
	}
	if (decision != RUNTIME_ACCEPT && decision != RUNTIME_ACCEPT_SESSION)
		return false;
	buf_addstr(to, "{}");
	return true;
}

void
message_add_sandbox(struct buf *to, struct span policy)
{
	const char *object = sandbox_of_word(policy);

	if (object)
		buf_addstr(to, object);
	else
		jtext_compact(to, policy);
}
