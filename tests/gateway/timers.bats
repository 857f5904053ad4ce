#!/usr/bin/env bats
# Timers: declared schedules fire, one run each; serial, missed firings, restarts.
load ../lib/common
load ../lib/services

setup() { common_setup; }
teardown() { common_teardown; }

# timed NAME COMMAND-JSON TIMER-JSON: an agent with a command and a timer, in ./agents
timed() {
	mkdir -p agents
	jq --arg id "$1" --argjson command "$2" --argjson timer "$3" '.metadata.serviceId = "svc_" + $id | .metadata.agent.agentId = $id
		| .metadata.agent.triggers = ["api", "timer"] | .metadata.agent.timer = $timer | .spec.origin.command = $command' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >"agents/$1.json"
}
each_second='{"schedules":[{"scheduleId":"tick","scheduleExpr":"every 1 s"}]}'
runs() { agent-runs --limit 2000 2>/dev/null --jq "select(.runId | startswith(\"timer_\")) | .runId"; }
fired() { [ "$(runs | wc -l)" -ge "$1" ]; }
# kept WHAT: of what the store keeps about schedules
kept() { stored "$1" 'timer '; }
next_due() { kept doc | jq .next; }
over() { [ "$(agent-runs --quiet --status "$1" --jq .runId | wc -l)" -ge "$2" ]; }

@test "a firing is a run with the contract's events, and its handler gets the contract's arguments" {
	timed t '["sh", "-c", "cat >>args; echo \"{\\\"reply\\\":\\\"did it\\\"}\""]' "$each_second"
	start_gateway --agents agents
	await 15 over completed 1
	r=$(runs | tail -n 1)
	[[ $r =~ ^timer_svc_t_tick_[0-9]{13}$ ]]
	agent-events "$r" --jq 'del(.seq, .at) | del(.data.stepId, .data.step_id, .data.firedAt, .data.triggerContext.firedAt) | tojson' | sed "s/$r/RUN/g" >got
	cat >want <<-'T'
	{"kind":"agent.run_created","serviceId":"svc_t","level":"info","message":"Timer schedule fired: tick","data":{"runId":"RUN","run_id":"RUN","serviceId":"svc_t","service_id":"svc_t","agent":"t","trigger":"timer","triggerContext":{"scheduleId":"tick","scheduleExpr":"every 1 s"},"scheduleId":"tick","scheduleExpr":"every 1 s"}}
	{"kind":"agent.run_started","serviceId":"svc_t","level":"info","message":"Timer run started: RUN","data":{"runId":"RUN","run_id":"RUN","serviceId":"svc_t","service_id":"svc_t","agent":"t","trigger":"timer","triggerContext":{"scheduleId":"tick","scheduleExpr":"every 1 s"}}}
	{"kind":"agent.step_started","serviceId":"svc_t","level":"info","message":"Timer step started: on_timer","data":{"runId":"RUN","run_id":"RUN","serviceId":"svc_t","service_id":"svc_t","agent":"t","trigger":"timer","triggerContext":{"scheduleId":"tick","scheduleExpr":"every 1 s"},"handlerTool":"on_timer"}}
	{"kind":"agent.step_completed","serviceId":"svc_t","level":"info","message":"Timer step completed: on_timer","data":{"runId":"RUN","run_id":"RUN","serviceId":"svc_t","service_id":"svc_t","agent":"t","handlerTool":"on_timer","message":"did it"}}
	{"kind":"agent.run_completed","serviceId":"svc_t","level":"info","message":"Timer run completed: RUN","data":{"runId":"RUN","run_id":"RUN","serviceId":"svc_t","service_id":"svc_t","agent":"t","trigger":"timer","triggerContext":{"scheduleId":"tick","scheduleExpr":"every 1 s"}}}
	T
	diff want got
	agent-events "$r" --jq 'select(.kind=="agent.step_started").data.stepId | test("^timer_step_[0-9]+_[0-9a-z]{6}$")' | grep -qx true
	head -n 1 args >arg
	jq -e --arg r "$r" 'keys_unsorted == ["runId","agent","trigger","triggerContext","scheduleId","scheduleExpr","firedAt"] and .runId == $r and .trigger == "timer" and .triggerContext.firedAt == .firedAt' arg
	[ "$(agent-runs "$r" --jq '[.trigger, .status] | tojson')" = '["timer","completed"]' ]
}

@test "the aliases of the contract work; a disabled schedule does not fire; without a handler the run is over at once" {
	timed a '["true"]' '{"schedules":[{"id":"one","expr":"EVERY 1 Sec"},{"id":"off","expr":"every 1 s","enabled":false}]}'
	jq '.metadata.serviceId = "svc_e" | .metadata.agent.agentId = "e" | .metadata.agent.triggers = ["timer"] | .metadata.agent.timer = {schedules: [{id: "x", expr: "every 1 second"}]}' \
		"$AU_SRC/bin/gateway/builtin/echo.json" >agents/e.json
	start_gateway --agents agents
	await 15 eval 'runs | grep -q ^timer_svc_a_one_ && runs | grep -q ^timer_svc_e_x_'
	! runs | grep -q _off_
	r=$(runs | grep ^timer_svc_e_x_ | tail -n 1)
	[ "$(agent-events "$r" --jq .kind | tr '\n' ' ')" = 'agent.run_created agent.run_started agent.run_completed ' ]
	[ "$(agent-events "$r" --jq .message | tail -n 1)" = "Timer run completed (no handler): $r" ]
	agent-registry --jq 'select(.serviceId=="svc_a").agent.timer.schedules | tojson' | grep -qx '\[{"scheduleId":"one","scheduleExpr":"EVERY 1 Sec"},{"scheduleId":"off","scheduleExpr":"every 1 s","enabled":false}\]'
}

@test "a handler that fails is a run that failed" {
	timed f '["sh", "-c", "echo no disk >&2; exit 4"]' "$each_second"
	timed g '["echo", "{\"error\":\"out of paper\"}"]' "$each_second"
	start_gateway --agents agents
	await 15 eval 'agent-runs --quiet --status failed --agent f | grep -q . && agent-runs --quiet --status failed --agent g | grep -q .'
	[ "$(agent-runs --status failed --agent f --jq .failureReason | head -n 1)" = 'the command ended with status 4: no disk' ]
	[ "$(agent-runs --status failed --agent g --jq .failureReason | head -n 1)" = 'out of paper' ]
	r=$(agent-runs --status failed --agent f --jq .runId | tail -n 1)
	[ "$(agent-events "$r" --jq '[.kind, .level] | tojson' | tail -n 2 | tr '\n' ' ')" = '["agent.step_completed","error"] ["agent.run_failed","error"] ' ]
}

@test "a serial schedule waits for its run; what was missed meanwhile is one firing that says how much" {
	mkfifo gate
	exec 7<>gate
	timed s '["sh", "-c", "echo x >>began; [ -e go ] || read -r x <gate"]' "$each_second"
	start_gateway --agents agents
	await 15 test -s began
	first=$(runs)
	# at least three due times pass while the handler is at work: the gateway's own clock says so
	later() { (($(date +%s%3N) - ${first##*_} > 3400)); }
	await 15 later
	[ "$(wc -l <began)" = 1 ]
	[ "$(runs)" = "$first" ]
	: >go
	echo >&7
	await 15 fired 2
	second=$(runs | grep -v "^$first$" | sort | head -n 1)
	missed=$(agent-events "$second" --kind agent.run_created --jq .data.triggerContext.missed)
	[ "$missed" -ge 2 ]
	[ "$missed" -le 60 ]
	exec 7>&-
}

@test "serial false: a firing does not wait" {
	mkfifo gate
	exec 7<>gate
	timed p '["sh", "-c", "read -r x <gate"]' '{"serial":false,"schedules":[{"id":"tick","expr":"every 1 s"}]}'
	start_gateway --agents agents
	await 15 fired 3
	[ "$(agent-runs --status running | wc -l)" -ge 3 ]
	exec 7>&-
}

@test "a restart: what was at work has failed, what was missed is one firing, and the rhythm goes on" {
	mkfifo gate
	exec 7<>gate
	timed r '["sh", "-c", "echo x >>began; [ -e go ] || read -r x <gate"]' "$each_second"
	start_gateway --agents agents
	await 15 test -s began
	first=$(runs)
	beat=$(next_due)
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	later() { (($(date +%s%3N) - ${first##*_} > 3400)); }
	await 15 later
	: >go
	start_gateway --agents agents
	await 15 fired 2
	[ "$(agent-runs "$first" --jq '[.status, .failureReason] | tojson')" = "[\"failed\",\"the gateway was restarted while the timer's handler was at work\"]" ]
	second=$(runs | sort | sed -n 2p)
	[ "$(agent-events "$second" --kind agent.run_created --jq .data.triggerContext.missed)" -ge 2 ]
	await 15 fired 3
	third=$(runs | sort | sed -n 3p)
	[ "$(agent-events "$third" --kind agent.run_created --jq '.data.triggerContext | has("missed")')" = false ]
	# on the same beat as before
	[ $((($(next_due) - beat) % 1000)) = 0 ]
	exec 7>&-
}

@test "agent-run-cancel stops a timer's handler too" {
	mkfifo gate
	exec 7<>gate
	timed c '["sh", "-c", "echo $$ >leader; read -r x <gate"]' '{"schedules":[{"id":"tick","expr":"every 1 s"}]}'
	start_gateway --agents agents
	await 15 test -s leader
	r=$(runs)
	agent-run-cancel "$r" --reason enough >/dev/null
	await 10 over cancelled 1
	[ "$(agent-events "$r" --jq .kind | tail -n 2 | tr '\n' ' ')" = 'agent.step_completed agent.run_cancelled ' ]
	[ "$(agent-events "$r" --jq 'select(.kind=="agent.run_cancelled") | [.message, .data.reason] | tojson')" = "[\"Timer run cancelled: $r\",\"enough\"]" ]
	exec 7>&-
}

@test "any period is taken: under a second it fires, ten times a second at most, with zero never, and that is said" {
	for expr in 'every s' 'every day' 'every -1 s' 'every 1.5 s' 'every 1 fortnight' 'each 1 s' 'every 1 s or so'; do
		timed bad '["true"]' "{\"schedules\":[{\"id\":\"tick\",\"expr\":\"$expr\"}]}"
		run -9 --separate-stderr agent-gateway --check --state state --agents agents
		[[ $stderr == *"scheduleExpr must look like 'every <n> <unit>'"* ]]
	done
	rm agents/bad.json
	timed quick '["true"]' '{"schedules":[{"id":"half","expr":"every 250 ms"},{"id":"ms","expr":"every 1 millisecond"},{"id":"off","expr":"every 0 s"},
		{"id":"far","expr":"every 99999999999 hours"},{"id":"long","expr":"every 367000 h"}]}'
	run -0 agent-gateway --check --state state --agents agents
	start_gateway --agents agents
	of() { runs | grep "^timer_svc_quick_$1_"; }
	await 30 eval '[ "$(of half | wc -l)" -ge 8 ] && [ "$(of ms | wc -l)" -ge 8 ]'
	of ms | sed 's/.*_//' | sort -n | awk 'NR > 1 && $1 - last < 95 { bad = 1 } { last = $1 } END { exit bad }'
	agent-events "$(of ms | head -n 1)" --jq 'select(.kind == "agent.run_created").data.triggerContext.missed >= 50' | grep -qx true
	run -1 of off
	run -1 of far
	run -1 of long
	[ "$(grep -c "the schedule 'off' of 'svc_quick' has a period of zero: it does not fire" "$gateway_log.err")" = 1 ]
}

@test "a remote service: on_timer once introspection has found it; nothing fires while the service is stopped" {
	start_mcp --tool on_timer
	start_gateway
	apply < <(manifest far "$(remote)" ".metadata.agent.triggers = [\"timer\"] | .metadata.agent.timer = $each_second")
	is "$code" 200
	api POST /api/services/svc_far/start
	api POST /api/services/svc_far/introspect
	is "$code" 200
	called() { asked | jq -e -s 'map(select(.method == "tools/call")) | length > 0' >/dev/null; }
	await 15 called
	asked | jq -c 'select(.method == "tools/call") | .params | [.name, (.arguments | keys_unsorted)]' | head -n 1 >call
	is "$(cat call)" '["on_timer",["runId","agent","trigger","triggerContext","scheduleId","scheduleExpr","firedAt"]]'
	await 15 over completed 1
	api POST /api/services/svc_far/stop
	is_lifecycle svc_far STOPPED
	# two looks of the timers later no schedule is left
	left() { [ "$(kept 'count(*)')" = "$1" ]; }
	await 10 left 0
	before=$(runs | wc -l) stopped=$(date +%s%3N)
	later() { (($(date +%s%3N) - stopped > 2200)); }
	await 10 later
	is "$(runs | wc -l)" "$before"
	api POST /api/services/svc_far/start
	await 15 fired $((before + 1))
	left 1
}

@test "a named tool is called; one that fails, and a service that is gone, make the run failed" {
	start_mcp
	start_gateway
	apply < <(manifest far "$(remote)" '.metadata.agent.triggers = ["timer"] | .metadata.agent.timer = {handlerTool: "sweep", schedules: [{id: "tick", expr: "every 1 s"}]}')
	api POST /api/services/svc_far/start
	await 15 over completed 1
	is "$(asked | jq -r 'select(.method == "tools/call") | .params.name' | head -n 1)" sweep
	kill "$mcp_pid"
	await 15 over failed 1
	[ -n "$(agent-runs --status failed --jq .failureReason | head -n 1)" ]
}
