#!/usr/bin/env bats
# Services: manifests that are applied, what is done to them, and what survives.
load ../lib/common
load ../lib/services

setup() { common_setup; }
teardown() {
	common_teardown
	if [ -n "${mounted:-}" ]; then umount "$mounted"; fi
}

# echo_manifest ID: as the contract's minimal one
echo_manifest() { manifest "$1" '{"type":"local_wasm","wasmPath":"/x/any.wasm","entry":"main"}' '.metadata.agent.chat = {mode: "echo"}'; }
kinds() { audit -r '.items[] | select(.kind | startswith("service.")) | .kind' | tr '\n' ' '; }
audit() { curl -s "$url/api/audit?limit=2000" | jq -c "$@"; }

@test "a manifest that is applied is a service: its record, its item, and the registry's" {
	start_gateway
	apply < <(echo_manifest one | jq 'del(.metadata.serviceId) | .metadata.module = "My-Mod.ule" | .x = {unknown: "NUMBER"}' | sed 's/"NUMBER"/9007199254740993/')
	is "$code" 200
	is "$(field '.service.manifest.metadata.serviceId' | grep -cE '^svc_[0-9a-f]{12}$')" 1
	[[ $output == *9007199254740993* ]]
	is "$(field '.service.manifest.spec.toolNamespace')" my_mod_ule
	is "$(jq -c '.service | keys_unsorted' <<<"$output")" '["manifest","runtime"]'
	is "$(jq -c '.service.runtime | del(.uptimeSeconds)' <<<"$output")" '{"lifecycle":"REGISTERED","health":"UNKNOWN","enabled":true,"autostart":false,"restartCount":0}'
	id=$(field .service.manifest.metadata.serviceId)
	api GET "/api/services/$id"
	is "$code" 200
	api GET /api/services
	is "$(jq -c --arg id "$id" '.items[] | select(.serviceId == $id) | keys_unsorted' <<<"$output")" \
		'["serviceId","displayName","sourceFile","module","serviceType","agent","originType","lifecycle","health","uptimeSeconds","restartCount","policy","interface"]'
	is "$(jq -c --arg id "$id" '.items[] | select(.serviceId == $id) | .policy' <<<"$output")" '{"restart":{"mode":"never","maxRestarts":0,"windowSeconds":60},"remote":null}'
	is "$(agent-registry --jq "select(.serviceId==\"$id\") | .lifecycle")" REGISTERED
	# an echo needs no start
	run -0 timeout 20 agent-send --wait hi < <(agent-run-create --agent one --run r)
	[[ $output == *'"message":"Echo: hi"'* ]]
}

@test "the same id again is an update that keeps what the service does, and when it was made" {
	start_gateway
	apply < <(echo_manifest one)
	created=$(field .service.manifest.metadata.createdAt)
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f | .metadata.agent.objective = "second"')
	is "$code" 200
	is "$(field .service.manifest.metadata.createdAt)" "$created"
	api POST /api/services/svc_one/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f | .metadata.agent.objective = "third"')
	is "$(jq -c '[.service.runtime.lifecycle, .service.manifest.metadata.agent.objective]' <<<"$output")" '["RUNNING","third"]'
	api GET /api/services
	is "$(field '[.items[] | select(.serviceId == "svc_one")] | length')" 1
}

@test "an invalid manifest is 400 with the contract's text, and nothing is kept" {
	start_gateway
	while IFS='|' read -r filter want; do
		apply < <(echo_manifest bad | jq "$filter")
		is "$code $(field .error)" "400 invalid manifest: $want"
	done <<-'T'
	[]|expected object
	.apiVersion = "v2"|apiVersion must be 'clarity.runtime/v1'
	.kind = "Pod"|kind must be 'MCPService'
	del(.metadata)|metadata is required
	.metadata.sourceFile = " "|metadata.sourceFile must be a non-empty string
	del(.metadata.module)|metadata.module must be a non-empty string
	.metadata.serviceType = "x"|metadata.serviceType must be 'mcp' or 'agent'
	.metadata.agent.role = ""|metadata.agent.role must be a non-empty string
	.metadata.agent.triggers = []|metadata.agent.triggers must be a non-empty array
	.metadata.agent.triggers = ["cron"]|metadata.agent.triggers must only include timer|event|api|a2a
	.spec.enabled = 1|spec.enabled and spec.autostart must be booleans
	.spec.restartPolicy.maxRestarts = -1|restartPolicy.maxRestarts must be an integer >= 0
	.spec.origin = {type: "remote_mcp", endpoint: "ftp://h"}|remote_mcp endpoint must be a valid http(s) URL
	.spec.origin = {type: "local_wasm"}|local_wasm origin requires wasmPath and entry
	T
	api POST /api/services/apply --data-binary '{}'
	is "$code $(field .error)" '400 expected { manifest }'
	api POST /api/services/apply --data-binary '{'
	is "$code $(field .error)" '400 invalid JSON body'
	is "$(curl -s "$url/api/services" | jq '.items | length')" 2
	is "$(kinds)" ''
}

@test "an unknown service is 404 everywhere" {
	start_gateway
	for path in '' /interface /logs /events /details; do
		api GET "/api/services/svc_x$path"
		is "$path $code $(field .error)" "$path 404 service not found: svc_x"
	done
	for act in start stop restart introspect unquarantine; do
		api POST "/api/services/svc_x/$act"
		is "$act $code $(field .error)" "$act 404 service not found: svc_x"
	done
	api DELETE /api/services/svc_x
	is "$code $(field .error)" "404 service not found: svc_x"
	api PUT /api/services/svc_x
	is "$code" 405
}

@test "start, stop, restart and remove, each with its events" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f')
	api POST /api/services/svc_one/start
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health]' <<<"$output")" '200 ["RUNNING","HEALTHY"]'
	api POST /api/services/svc_one/restart
	is "$code $(jq -c '.service.runtime | [.lifecycle, .restartCount]' <<<"$output")" '200 ["RUNNING",1]'
	api POST /api/services/svc_one/stop
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health]' <<<"$output")" '200 ["STOPPED","UNKNOWN"]'
	api GET /api/services/svc_one/events
	is "$(field '[.items[].message] | join("; ")')" 'Manifest applied for svc_one; Service started: svc_one; Service stopped: svc_one; Service started: svc_one; Service restarted: svc_one; Service stopped: svc_one'
	is "$(jq -c '.items[0].data' <<<"$output")" '{"origin":"local_wasm","module":"one"}'
	api GET '/api/services/svc_one/logs?limit=1'
	[[ $(field '.lines | join(" ")') =~ ^\[20[0-9-]+T[0-9:.]+Z\]\ Service\ stopped:\ svc_one$ ]]
	api GET '/api/services/svc_one/details?log_limit=2&event_limit=3'
	is "$(jq -c '[keys_unsorted, (.logs | length), (.events | length)]' <<<"$output")" '[["serviceId","summary","service","interface","logs","events","recentCalls"],2,3]'
	api DELETE /api/services/svc_one --data-binary '{"cleanup_artifacts":true}'
	is "$code $(jq -c . <<<"$output")" '200 {"removed":true,"artifactRemoved":false,"serviceId":"svc_one"}'
	[ -e module.wasm ]
	api GET /api/services/svc_one
	is "$code" 404
	# what has happened stays known
	api GET /api/services/svc_one/events
	is "$code $(field '.items[-1] | .kind')" '200 service.removed'
	api DELETE /api/services/svc_one
	is "$code" 404
}

@test "a start that fails is 200 with the reason, and after too many of them a quarantine" {
	start_gateway
	apply < <(echo_manifest one | jq '.spec.restartPolicy = {mode: "on-failure", maxRestarts: 1, windowSeconds: 60}')
	api POST /api/services/svc_one/start
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health, .lastError]' <<<"$output")" '200 ["STOPPED","DEGRADED","wasm artifact missing: /x/any.wasm"]'
	is "$(kinds | cut -d ' ' -f 1-3)" 'service.manifest_applied service.start_warning service.start_failed'
	api POST /api/services/svc_one/start
	is "$code $(field .service.runtime.lifecycle)" '200 QUARANTINED'
	api POST /api/services/svc_one/start
	is "$code $(field .error)" '409 service is quarantined: svc_one (use unquarantine first)'
	api POST /api/services/svc_one/stop
	is "$(field .service.runtime.lifecycle)" QUARANTINED
	is "$(curl -s "$url/api/status" | jq -c '.summary | [.quarantined, .degraded]')" '[1,1]'
	api POST /api/services/svc_one/unquarantine
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health, .lastError]' <<<"$output")" '200 ["STOPPED","UNKNOWN",null]'
	audit '.items[] | select(.kind == "service.quarantined") | [.level, .message, .data]' >got
	is "$(cat got)" '["error","Service quarantined: svc_one",{"reason":"wasm artifact missing: /x/any.wasm"}]'
}

@test "restartPolicy: a start that failed is tried again by itself, as often as it says, until it runs" {
	start_gateway
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f | .spec.restartPolicy = {mode: "on-failure", maxRestarts: 30, windowSeconds: 600}')
	api POST /api/services/svc_one/start
	is "$code $(jq -c '.service.runtime | [.lifecycle, .health, .restartCount]' <<<"$output")" '200 ["STOPPED","DEGRADED",0]'
	printf '\0asm\1\0\0\0' >module.wasm
	await 20 is_lifecycle svc_one RUNNING
	is "$(curl -s "$url/api/services/svc_one" | jq -c '.service.runtime | [.health, .lastError, .restartCount >= 1]')" '["HEALTHY",null,true]'
	audit '.items[] | select(.kind == "service.restarted") | .message' >got
	is "$(tail -n 1 got)" '"Service restarted: svc_one"'
	# no more than it says, and none of it is a quarantine
	apply < <(echo_manifest two | jq '.spec.restartPolicy = {mode: "always", maxRestarts: 1, windowSeconds: 600}')
	apply < <(echo_manifest three | jq '.spec.restartPolicy = {mode: "always", maxRestarts: 2, windowSeconds: 600}')
	apply < <(echo_manifest four)
	for i in two three four; do api POST /api/services/svc_$i/start; done
	tries() { audit -r '.items[] | select(.kind == "service.start_failed" and .serviceId == "svc_'"$1"'") | .seq' | grep -c .; }
	await 20 eval '[ "$(tries three)" = 3 ]'
	is "$(tries two) $(tries four)" '2 1'
	is "$(lifecycle svc_two) $(lifecycle svc_three)" 'STOPPED STOPPED'
}

@test "restartPolicy: who is stopped is not started again; a restart of the gateway goes on trying" {
	start_gateway
	for i in one two; do
		apply < <(echo_manifest $i | jq --arg f "$PWD/$i.wasm" '.spec.origin.wasmPath = $f | .spec.restartPolicy = {mode: "always", maxRestarts: 30, windowSeconds: 600}')
		api POST /api/services/svc_$i/start
	done
	api POST /api/services/svc_one/stop
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
	for i in one two; do printf '\0asm\1\0\0\0' >$i.wasm; done
	start_gateway
	await 20 is_lifecycle svc_two RUNNING
	is "$(lifecycle svc_one)" STOPPED
}

@test "local_wasm: echo and disabled answer, the rest says clearly what it does not do" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	printf '#!/bin/sh' >script
	for mode in auto disabled; do
		apply < <(manifest $mode "{\"type\":\"local_wasm\",\"wasmPath\":\"$PWD/module.wasm\",\"entry\":\"main\"}" ".metadata.agent.chat = {mode: \"$mode\"}")
	done
	api POST /api/services/svc_auto/start
	is "$(jq -c '.service.runtime | [.lifecycle, .lastError]' <<<"$output")" '["STOPPED","local_wasm handlers are not run by this gateway: use chat mode echo, or a command or remote_mcp origin"]'
	api POST /api/services/svc_disabled/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	apply < <(echo_manifest text | jq --arg f "$PWD/script" '.spec.origin.wasmPath = $f')
	api POST /api/services/svc_text/start
	is "$(field .service.runtime.lastError)" "wasm artifact is no WebAssembly module: $PWD/script"
	run -10 timeout 20 agent-send --wait hi < <(agent-run-create --agent auto --run r)
	is "$(agent-runs r --jq .waitingReason)" 'local_wasm handlers are not run by this gateway (svc_auto): use chat mode echo, or a command or remote_mcp origin'
	timeout 20 agent-send hi < <(agent-run-create --agent disabled --run d)
	await 10 eval "[ \"\$(agent-runs d --jq .waitingReason)\" = 'runtime chat disabled by agent configuration' ]"
}

@test "twenty at once are twenty services" {
	start_gateway
	for i in $(seq 20); do echo_manifest "p$i" | jq -c '{manifest: .}' >"m$i"; done
	for i in $(seq 20); do curl -s -o "o$i" -w '%{http_code}\n' --data-binary "@m$i" "$url/api/services/apply" >>codes & done
	wait $(jobs -p | grep -vxF "$gateway_pid")
	is "$(sort codes | uniq -c | tr -s ' ')" ' 20 200'
	is "$(curl -s "$url/api/services" | jq '[.items[] | select(.serviceId | startswith("svc_p"))] | length')" 20
	is "$(audit '[.items[] | select(.kind == "service.manifest_applied") | .serviceId] | unique | length')" 20
}

@test "what was answered survives a kill: manifests, states, interfaces, order" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	for name in c a b gone; do apply < <(echo_manifest $name | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f'); done
	api POST /api/services/svc_c/restart
	api POST /api/services/svc_c/introspect
	is "$code" 200
	api POST /api/services/svc_a/start
	api POST /api/services/svc_a/stop
	api DELETE /api/services/svc_gone
	curl -s "$url/api/services/svc_c" | jq 'del(.service.runtime.uptimeSeconds)' >before
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway
	curl -s "$url/api/services/svc_c" | jq 'del(.service.runtime.uptimeSeconds)' >after
	diff before after
	is "$(jq -c '.service.runtime | [.lifecycle, .restartCount]' after)" '["RUNNING",1]'
	is "$(lifecycle svc_a) $(lifecycle svc_b)" 'STOPPED REGISTERED'
	is "$(curl -s "$url/api/services" | jq -c '[.items[].serviceId]')" '["svc_echo","svc_shell","svc_c","svc_a","svc_b"]'
}

@test "a kill while many are applied loses none that was answered" {
	start_gateway
	for i in $(seq 150); do
		manifest "k$i" '{"type":"local_wasm","wasmPath":"/x/any.wasm","entry":"main"}' '.metadata.agent.chat = {mode: "echo"}' | jq -c '{manifest: .}' >"m$i"
	done
	# eight callers, each with its share, note what was answered with 200
	for caller in 0 1 2 3 4 5 6 7; do
		(for i in $(seq $((caller + 1)) 8 150); do
			[ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary "@m$i" "$url/api/services/apply")" != 200 ] || echo "svc_k$i" >>answered
		done) 3>&- &
	done
	await 20 count_lines answered . 20
	kill -9 "$gateway_pid"
	wait $(jobs -p | grep -vxF "$gateway_pid") || :
	n=$(wc -l <answered)
	[ "$n" -lt 150 ] || skip "all were applied before the kill"
	start_gateway
	curl -s "$url/api/services" | jq -r '.items[].serviceId' | sort >there
	is "$(sort answered | comm -23 - there)" ''
	is "$(audit '[.items[] | select(.kind == "service.manifest_applied") | .serviceId] | sort == (unique)')" true
}

@test "a full disk: nothing is changed, and the answer says so" {
	[ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
	mkdir small
	mount -t tmpfs -o size=600k tmpfs small 2>/dev/null || skip "this machine cannot mount a tmpfs"
	AU_STORE= # the disk of a file
	mounted=$BATS_TEST_TMPDIR/small
	start_gateway --state small
	head -c 60000 /dev/zero | tr '\0' x >blob
	for i in $(seq 20); do
		apply < <(echo_manifest "f$i" | jq -c --rawfile b blob '.metadata.x = $b')
		[ "$code" = 200 ] || break
	done
	is "$code" 503
	[[ $(field .error) == 'unable to store: '* ]]
	api GET "/api/services/svc_f$i"
	is "$code" 404
	for _ in $(seq 200); do
		api POST /api/services/svc_shell/restart
		[ "$code" = 200 ] || break
	done
	is "$code" 503
	is "$(lifecycle svc_shell | grep -cE 'RUNNING|STOPPED')" 1
	mount -o remount,size=10m "$mounted"
	api POST /api/services/svc_shell/start
	is "$code $(field .service.runtime.lifecycle)" '200 RUNNING'
	apply < <(echo_manifest "f$i")
	is "$code" 200
	kill "$gateway_pid"
	await 20 gone "$gateway_pid"
}

@test "an agent of the directory belongs to its file; what it does is remembered" {
	start_gateway
	apply < <(manifest echo '{"type":"local_wasm","wasmPath":"/x","entry":"main"}')
	is "$code" 409
	[[ $(field .error) == 'service is declared in the directory of agents: svc_echo'* ]]
	api DELETE /api/services/svc_echo
	is "$code" 409
	api POST /api/services/svc_shell/stop
	is "$(field .service.runtime.lifecycle)" STOPPED
	run -10 timeout 20 agent-send --wait hi < <(agent-run-create --agent shell --run r)
	is "$(agent-runs r --jq .waitingReason)" 'service is not running: svc_shell'
	kill -9 "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway
	is "$(lifecycle svc_shell)" STOPPED
	api POST /api/services/svc_shell/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	api POST /api/services/svc_shell/introspect
	is "$(jq -c '[.interface.tools[].name]' <<<"$output")" '["receive_chat"]'
	api GET /api/services/svc_shell/interface
	is "$(jq -c '[.serviceId, (.tools | length)]' <<<"$output")" '["svc_shell",1]'
	is "$(agent-registry --jq 'select(.serviceId=="svc_shell") | .interface | [.tools, .resources, .prompts] | tojson')" '[1,0,0]'
}

@test "a stored service whose id a file has now gives way, and the gateway says so" {
	start_gateway
	apply < <(echo_manifest one)
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	mkdir agents
	echo_manifest one | jq '.metadata.agent.objective = "of the file"' >agents/one.json
	start_gateway --agents agents
	is "$(curl -s "$url/api/services/svc_one" | jq -r .service.manifest.metadata.agent.objective)" 'of the file'
	grep -q "unable to use the stored service 'svc_one': a file in the directory of agents declares it" "$gateway_log.err"
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway
	is "$(curl -s "$url/api/services/svc_one" | jq -r .service.manifest.metadata.agent.objective)" 'tell the date, the load and the disk space of this machine'
}

@test "callers register commands only where the operator allows it" {
	printf '#!/bin/sh\necho "{\\"reply\\":\\"from a program\\"}"\n' >program
	chmod +x program
	start_gateway
	apply < <(manifest prog "{\"type\":\"command\",\"command\":[\"$PWD/program\"]}")
	is "$code" 403
	[[ $(field .error) == 'command origins come from the directory of agents'* ]]
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	start_gateway --apply-commands
	apply < <(manifest prog "{\"type\":\"command\",\"command\":[\"$PWD/program\"]}")
	is "$code" 200
	api POST /api/services/svc_prog/start
	is "$(field .service.runtime.lifecycle)" RUNNING
	run -0 timeout 20 agent-send --wait hi < <(agent-run-create --agent prog --run r)
	[[ $output == *'"message":"from a program"'* ]]
	apply < <(manifest none '{"type":"command","command":["/no/such/program"]}')
	api POST /api/services/svc_none/start
	is "$(jq -c '.service.runtime | [.lifecycle, .lastError]' <<<"$output")" "[\"STOPPED\",\"unable to run '/no/such/program': No such file or directory\"]"
}

@test "autostart starts, a manifest that is not enabled does not" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(echo_manifest on | jq --arg f "$PWD/module.wasm" '.spec.autostart = true | .spec.origin.wasmPath = $f')
	is "$(field .service.runtime.lifecycle)" REGISTERED
	await 10 is_lifecycle svc_on RUNNING
	apply < <(echo_manifest off | jq --arg f "$PWD/module.wasm" '.spec.autostart = true | .spec.enabled = false | .spec.origin.wasmPath = $f')
	api POST /api/services/svc_off/start
	is "$code $(field .error)" '409 service is not enabled by its manifest: svc_off'
	is "$(lifecycle svc_off)" REGISTERED
}

@test "the status counts services by what they do" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f')
	apply < <(echo_manifest two)
	apply < <(manifest tool '{"type":"remote_mcp","endpoint":"http://127.0.0.1:9/","transport":"sse_http"}' '.metadata.serviceType = "mcp" | del(.metadata.agent)')
	api POST /api/services/svc_one/start
	api POST /api/services/svc_two/start
	api GET /api/status
	is "$(jq -c .summary <<<"$output")" '{"total":5,"mcpServices":1,"agentServices":4,"running":3,"runningMcp":0,"runningAgent":3,"degraded":1,"stopped":2,"quarantined":0,"localMcp":0,"remoteMcp":1,"localAgent":4,"remoteAgent":0,"local":0,"remote":1}'
	is "$(jq -c '[.services[] | .serviceId]' <<<"$output")" '["svc_echo","svc_shell","svc_one","svc_two","svc_tool"]'
	is "$(field '.services[4].agent')" null
	[[ $(agent-registry --jq .serviceId | tr '\n' ' ') == 'svc_echo svc_shell svc_one svc_two ' ]]
}

@test "service events are recorded, unless the operator says no" {
	export CLARITY_AUDIT_INCLUDE_LIFECYCLE=off
	start_gateway
	apply < <(echo_manifest one)
	api POST /api/services/svc_one/start
	is "$(audit '.items | length')" 0
	kill "$gateway_pid"
	await 10 gone "$gateway_pid"
	export CLARITY_AUDIT_INCLUDE_LIFECYCLE=Yes
	start_gateway
	api POST /api/services/svc_one/start
	is "$(audit '[.items[].kind]')" '["service.start_warning","service.start_failed"]'
}

@test "a token changes services only with the scope admin" {
	token[0]=$(agent-gateway-token --state "$BATS_TEST_TMPDIR/state" create --user ann | jq -r .token)
	token[1]=$(agent-gateway-token --state "$BATS_TEST_TMPDIR/state" create --user root --scope read --scope write --scope admin | jq -r .token)
	start_gateway
	echo_manifest one | jq -c '{manifest: .}' >body
	api POST /api/services/apply -H "Authorization: Bearer ${token[0]}" --data-binary @body
	is "$code $(field .error)" "403 forbidden: the token has not the scope 'admin'"
	api POST /api/services/apply -H "Authorization: Bearer ${token[1]}" --data-binary @body
	is "$code" 200
	for act in start stop restart unquarantine; do
		api POST "/api/services/svc_one/$act" -H "Authorization: Bearer ${token[0]}"
		is "$code" 403
	done
	api GET /api/services/svc_one -H "Authorization: Bearer ${token[0]}"
	is "$code" 200
}

@test "ids with blanks, slashes and quotes are ids" {
	start_gateway
	apply < <(echo_manifest one | jq '.metadata.serviceId = "a/b \"c\" é"')
	is "$code" 200
	api GET /api/services/a%2Fb%20%22c%22%20%C3%A9
	is "$code $(field .service.manifest.metadata.serviceId)" '200 a/b "c" é'
	api DELETE /api/services/a%2Fb%20%22c%22%20%C3%A9
	is "$code" 200
}

@test "a thousand requests for one service may wait, one more is 503" {
	start_mcp --hang
	start_gateway
	apply < <(manifest far "$(remote)")
	run -0 timeout 60 python3 - "${url##*:}" <<-'P'
	import select, socket, sys
	def connect():
	    return socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	def ask(s, path, method=b"GET"):
	    s.sendall(method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	    return s
	def probe():  # what was sent before has been looked at
	    ask(connect(), b"/healthz").recv(4096)
	socks = [ask(connect(), b"/api/services/svc_far/start", b"POST")]
	probe()
	socks += [ask(connect(), b"/api/services/svc_far/stop", b"POST") for _ in range(1001)]
	answers = {}
	while len(answers) < 2:
	    for s in select.select(socks, [], [], 20)[0]:
	        answers[s] = s.recv(4096).split(b" ")[1].decode()
	probe()
	for s in select.select(socks, [], [], 0)[0]:
	    answers[s] = s.recv(4096).split(b" ")[1].decode()
	print(len(answers), *sorted(set(answers.values())))
	P
	is "$output" '2 503'
}

@test "fifty changes to one service on one connection come out in the order in which they were asked for" {
	start_gateway
	printf '\0asm\1\0\0\0' >module.wasm
	apply < <(echo_manifest one | jq --arg f "$PWD/module.wasm" '.spec.origin.wasmPath = $f')
	for i in $(seq 50); do printf 'POST /api/services/svc_one/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' "$([ $((i % 2)) -eq 0 ] && echo stop || echo start)"; done >requests
	printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >>requests
	exec 7<>"/dev/tcp/127.0.0.1/${url##*:}"
	cat requests >&7
	timeout 30 cat <&7 >answers
	exec 7>&-
	is "$(grep -c '"lifecycle": "RUNNING"' answers) $(grep -c '"lifecycle": "STOPPED"' answers)" '25 25'
	is "$(grep -o '"lifecycle": "[A-Z]*"' answers | uniq | wc -l)" 50
	is "$(lifecycle svc_one)" STOPPED
}
