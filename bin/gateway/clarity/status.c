/* status.c - the registry and the summary (contract sections 6.1 and 6.10) */
#include "compat.h"

#include <unistd.h>

#include "agents/agents.h"
#include "clarity/internal.h"
#include "clock.h"
#include "http/server.h"
#include "log/log.h"
#include "services/services.h"

#define RUNS_LOOKED_AT 500

void
get_registry(struct clarity *clarity, struct request *request, const struct buf *run)
{
	const struct agents *agents = clarity->settings.agents;
	struct buf answer = BUF_INIT, items = BUF_INIT;
	int64_t count = 0;
	size_t i;

	(void)run;
	for (i = 0; i < agents_count(agents); i++) {
		if (!agents_at(agents, i)->is_agent)
			continue;
		if (count++)
			buf_addch(&items, ',');
		agent_item(agents_at(agents, i), clock_wall_ms(), &items);
	}
	buf_addch(&answer, '{');
	jtext_add_i64(&answer, "count", count);
	buf_addf(&answer, ",\"items\":[%s]", items.s);
	jtext_add_time(&answer, "lastUpdated", clock_wall_ms());
	buf_addch(&answer, '}');
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
	buf_release(&items);
}

struct counts {
	int64_t all, mcp, agent, running, running_mcp, running_agent, degraded, stopped, quarantined;
	int64_t local_mcp, remote_mcp, local_agent, remote_agent;
};

static void
count_services(const struct agents *agents, struct counts *counts)
{
	size_t i;

	for (i = 0; i < agents_count(agents); i++) {
		const struct agent *agent = agents_at(agents, i);
		bool remote = agent->origin == ORIGIN_REMOTE_MCP, runs = agent->state.lifecycle == LIFE_RUNNING;

		counts->all++;
		counts->running += runs;
		counts->stopped += agent->state.lifecycle == LIFE_STOPPED || agent->state.lifecycle == LIFE_REGISTERED;
		counts->quarantined += agent->state.lifecycle == LIFE_QUARANTINED;
		counts->degraded += agent->state.health == HEALTH_DEGRADED;
		if (agent->is_agent) {
			counts->agent++;
			counts->running_agent += runs;
			*(remote ? &counts->remote_agent : &counts->local_agent) += 1;
		} else {
			counts->mcp++;
			counts->running_mcp += runs;
			*(remote ? &counts->remote_mcp : &counts->local_mcp) += 1;
		}
	}
}

static void
add_summary(const struct counts *counts, struct buf *to)
{
	const struct {
		const char *name;
		int64_t n;
	} members[] = {
		{ "total", counts->all },
		{ "mcpServices", counts->mcp },
		{ "agentServices", counts->agent },
		{ "running", counts->running },
		{ "runningMcp", counts->running_mcp },
		{ "runningAgent", counts->running_agent },
		{ "degraded", counts->degraded },
		{ "stopped", counts->stopped },
		{ "quarantined", counts->quarantined },
		{ "localMcp", counts->local_mcp },
		{ "remoteMcp", counts->remote_mcp },
		{ "localAgent", counts->local_agent },
		{ "remoteAgent", counts->remote_agent },
		{ "local", counts->local_mcp },
		{ "remote", counts->remote_mcp },
	};
	size_t i;

	buf_addstr(to, ",\"summary\":{");
	for (i = 0; i < ARRAY_LEN(members); i++)
		jtext_add_i64(to, members[i].name, members[i].n);
	buf_addch(to, '}');
}

static void
add_runs(const struct rows *rows, struct buf *to)
{
	static const enum run_status shown[] = { RUN_RUNNING, RUN_WAITING, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED };
	int64_t counts[RUN_STATUS_COUNT] = { 0 };
	size_t i;

	for (i = 0; i < rows->n_rows; i++)
		counts[((const struct run *)rows->rows[i])->status]++;
	buf_addstr(to, ",\"agents\":{");
	jtext_add_i64(to, "totalRuns", (int64_t)rows->n_rows);
	for (i = 0; i < ARRAY_LEN(shown); i++)
		jtext_add_i64(to, run_status_text(shown[i]), counts[shown[i]]);
	buf_addch(to, '}');
}

static void
after_rows(struct rows *rows)
{
	struct asked *asked = rows->payload;
	const struct clarity_settings *settings = &asked->clarity->settings;
	const char *host = request_header(asked->request, "host");
	struct counts counts = { 0 };
	struct buf answer = BUF_INIT;
	size_t i;

	count_services(settings->agents, &counts);
	buf_addstr(&answer, "{\"runtime\":{");
	jtext_add_text(&answer, "version", PACKAGE_VERSION);
	jtext_add_i64(&answer, "pid", getpid());
	jtext_add_i64(&answer, "uptimeSeconds", (clock_wall_ms() - settings->started_ms) / 1000);
	buf_addstr(&answer, "},\"gateway\":{");
	jtext_add_text(&answer, "listen", host ? host : "localhost:4707");
	jtext_add_text(&answer, "mcpPath", "/mcp");
	jtext_add_bool(&answer, "healthy", true);
	buf_addstr(&answer,
	    "},\"systemTools\":{\"count\":0,\"items\":[],\"runtime\":{\"count\":0,\"items\":[]},\"clarity\":{\"count\":0,\"items\":[]}}");
	add_summary(&counts, &answer);
	add_runs(rows, &answer);
	buf_addstr(&answer, ",\"services\":[");
	for (i = 0; i < agents_count(settings->agents); i++) {
		if (i)
			buf_addch(&answer, ',');
		service_summary(agents_at(settings->agents, i), clock_wall_ms(), &answer);
	}
	buf_addch(&answer, ']');
	jtext_add_time(&answer, "lastUpdated", clock_wall_ms());
	buf_addch(&answer, '}');
	shape_reply(asked->request, 200, NULL, &answer);
	buf_release(&answer);
	rows_free(rows, log_rows_ops());
	asked_free(asked);
}

void
get_status(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct rows *rows = rows_new(after_rows, asked_new(clarity, request, run));

	rows->limit = RUNS_LOOKED_AT;
	log_rows(clarity->settings.log, rows);
}
