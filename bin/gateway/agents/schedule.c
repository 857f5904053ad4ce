/* schedule.c - what a manifest says about timers (contract section 10) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/internal.h"
#include "num.h"
#include "xalloc.h"

/* "every 5 min": contract section 10 */
bool
schedule_period(const char *expr, int64_t *ret_ms)
{
	static const struct {
		const char *names;
		int64_t ms;
	} units[] = {
		{ " ms millisecond milliseconds ", 1 },
		{ " s sec secs second seconds ", 1000 },
		{ " m min mins minute minutes ", 60000 },
		{ " h hr hrs hour hours ", 3600000 },
	};
	char word[3][16] = { "", "", "" };
	struct buf name = BUF_INIT;
	uint64_t n;
	size_t i, k;
	bool ok = false;

	for (i = 0; i < 3; i++) {
		expr += strspn(expr, " \t");
		k = strcspn(expr, " \t");
		if (!k || k >= sizeof word[i])
			return false;
		memcpy(word[i], expr, k);
		expr += k;
		for (k = 0; word[i][k]; k++)
			if (word[i][k] >= 'A' && word[i][k] <= 'Z')
				word[i][k] = (char)(word[i][k] + 'a' - 'A');
	}
	if (expr[strspn(expr, " \t")] || strcmp(word[0], "every") || !num_u64(word[1], strlen(word[1]), &n))
		return false;
	buf_addf(&name, " %s ", word[2]);
	for (i = 0; i < ARRAY_LEN(units) && !ok; i++)
		if (strstr(units[i].names, name.s)) {
			*ret_ms = n > (uint64_t)(SCHEDULE_MAX_MS / units[i].ms) ? SCHEDULE_MAX_MS : (int64_t)n * units[i].ms;
			ok = true;
		}
	buf_release(&name);
	return ok;
}

void
schedules_free(struct agent *agent)
{
	size_t i;

	for (i = 0; i < agent->n_schedules; i++) {
		buf_release(&agent->schedules[i].id);
		buf_release(&agent->schedules[i].expr);
		buf_release(&agent->schedules[i].message);
	}
	free(agent->schedules);
	agent->schedules = NULL;
	agent->n_schedules = 0;
}

static void
read_schedule(struct schedule *schedule, struct span item)
{
	struct span value;

	buf_init(&schedule->id);
	buf_init(&schedule->expr);
	buf_init(&schedule->message);
	if (!jtext_get_string(item, "scheduleId", &schedule->id))
		(void)jtext_get_string(item, "id", &schedule->id);
	if (!jtext_get_string(item, "scheduleExpr", &schedule->expr))
		(void)jtext_get_string(item, "expr", &schedule->expr);
	(void)jtext_get_string(item, "message", &schedule->message);
	schedule->enabled = !jtext_get(item, "enabled", &value) || jtext_type(value) != JTEXT_FALSE;
	if (!schedule_period(schedule->expr.s, &schedule->period_ms))
		schedule->enabled = false;
}

void
schedules_read(struct agent *agent, struct span declared)
{
	struct span timer, list, item, value;
	size_t pos = 0;

	agent->timer_serial = true;
	if (!jtext_get(declared, "timer", &timer))
		return;
	if (jtext_get(timer, "serial", &value))
		agent->timer_serial = jtext_type(value) != JTEXT_FALSE;
	(void)jtext_get_string(timer, "handlerTool", &agent->timer_tool);
	if (!jtext_get(timer, "schedules", &list))
		return;
	while (jtext_each(list, &pos, NULL, &item)) {
		agent->schedules = xgrow(agent->schedules, agent->n_schedules, sizeof *agent->schedules);
		read_schedule(&agent->schedules[agent->n_schedules++], item);
	}
}

static bool
has_tool(const struct agent *agent, const char *name)
{
	struct span interface = { agent->state.interface.s, agent->state.interface.len }, tools, tool, value;
	size_t pos = 0;

	if (!interface.n || !jtext_get(interface, "tools", &tools) || jtext_type(tools) != JTEXT_ARRAY)
		return false;
	while (jtext_each(tools, &pos, NULL, &tool))
		if (jtext_is_string(tool, name) || (jtext_get(tool, "name", &value) && jtext_is_string(value, name)))
			return true;
	return false;
}

const char *
agent_timer_tool(const struct agent *agent)
{
	static const char remote[] = "on_timer", local[] = "fn__on_timer";

	if (agent->timer_tool.len)
		return agent->timer_tool.s;
	if (agent->origin == ORIGIN_RUNTIME)
		return "turn";
	/* a command is told what it is run for */
	if (agent->origin == ORIGIN_COMMAND || has_tool(agent, remote))
		return remote;
	return has_tool(agent, local) ? local : NULL;
}
