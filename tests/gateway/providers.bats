#!/usr/bin/env bats
# What each provider can do and what it refuses: the tables of the Compass contract (sections 10.3 and 10.4), row by row, on a running gateway.
# shellcheck disable=SC2154,SC2030,SC2031
load ../lib/common
load ../lib/compass
load ../lib/pool

setup() {
	compass_setup
	unset AGENT_RUNTIME_PROVIDER AGENT_RUNTIME_REQUEST_TIMEOUT_MS DYNAMIC_SESSIONS_REQUEST_TIMEOUT_MS IDENTITY_ENDPOINT IDENTITY_HEADER MSI_ENDPOINT MSI_SECRET
	start_pool --open
}
teardown() { common_teardown; }

# the gateway of a row; a local provider is the same driver on a program, on a host, and on the host in a container
gateway_of() { # NAME
	case $1 in
	mock) AGENT_RUNTIME_PROVIDER=mock start_gateway --state "state.$1" ;;
	dynamic_sessions) AGENT_RUNTIME_PROVIDER=dynamic_sessions DYNAMIC_SESSIONS_BEARER_TOKEN=t DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT=$pool start_gateway --state "state.$1" ;;
	program) AGENT_RUNTIME_PROVIDER=local_process start_gateway --state "state.$1" --runtime "$mock" ;;
	host) AGENT_RUNTIME_PROVIDER=local_process AGENT_RUNTIME_ENDPOINT=$pool start_gateway --state "state.$1" ;;
	local_docker) AGENT_RUNTIME_PROVIDER=local_docker AGENT_RUNTIME_ENDPOINT=$pool start_gateway --state "state.$1" ;;
	esac
}

# operation NAME WANT: no is the contract's refusal; another word the answer's code and member names
operation() {
	local body='{}'
	case $1 in
	login/start) body='{"type":"apiKey","apiKey":"sk-0123456789"}' ;;
	login/cancel) body='{"loginId":"11111111-1111-4111-8111-111111111111"}' ;;
	esac
	ask POST "/v1/agent/runtime/account/$1" "$body"
	case $2 in
	no) refused 400 AGENT_RUNTIME_PROVIDER_UNSUPPORTED "Interactive runtime authentication is unavailable for this runtime provider" ;;
	null) is . '{"rateLimits":null,"rateLimitsByLimitId":null}' ;;
	yes) [ "$code" = 200 ] || { echo "$1: $code $(cat body)" >&2; return 1; } ;;
	# the runtime was asked, and said no itself
	asked) [ "$code" = 503 ] && is .code "\"RUNTIME_RATE_LIMITS_READ_FAILED\"" || { echo "$1: $code $(cat body)" >&2; return 1; } ;;
	esac
}

@test "capabilities, what is refused, what is fixed, and what a turn says of itself" {
	while read -r row name flags account start cancel logout limits text driver; do
		case $row in '' | '#'*) continue ;; esac
		: >asked
		gateway_of "$row"
		ask POST /v1/agent/runtime/account/read '{}'
		[ "$code" = 200 ] || { echo "$row: $code $(cat body)" >&2; return 1; }
		is '[.provider, (.capabilities | [.interactiveAuth, .supportsChatgptManaged, .supportsApiKey, .supportsChatgptAuthTokens, .supportsRateLimits, .supportsRuntimeStream] | unique)]' "[\"$name\",[$flags]]"
		is '.capabilities | length' 6
		[ "$account" = - ] || is '[.authMode, .requiresOpenaiAuth, .account]' "[null,false,${account//_/ }]"
		operation login/start "$start"
		operation login/cancel "$cancel"
		operation rate-limits/read "$limits"
		operation logout "$logout"
		# a provider that has no account is not asked about it
		[ "$flags" = true ] || count_asked '.path | contains("/account/")' 0
		new_thread
		ask POST "$path/turns" '{"text":"hi"}'
		is '[.turn.status, .outputText]' "[\"completed\",\"$(tr "_~" " _" <<<"$text")\"]"
		events | jq -es --arg d "$driver" '[.[] | select(.method == "runtime.metadata")] | length == 1 and (.[0].payload | (.driver // .engine) == $d)' >/dev/null ||
			{ events >&2; return 1; }
		ask POST "$path/turns/$thread/interrupt"
		refused 409 AGENT_TURN_INTERRUPT_CONFLICT "Turn is not interruptible"
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done <<-'END'
		# row name flags account start cancel logout limits text driver
		mock mock false {"type":"mock","label":"Mock_runtime"} no no no null Cloud(dynamic~sessions)_response:_hi mock
		dynamic_sessions dynamic_sessions false {"type":"service","label":"Managed_runtime_identity"} no no no null Host_response:_hi codex
		program local_process true - yes yes yes asked Cloud(dynamic~sessions)_response:_hi local_process
		host local_process true - yes yes yes yes Host_response:_hi codex
		local_docker local_docker true - yes yes yes yes Host_response:_hi codex
	END
}

@test "a selected provider that is not set up: every operation is refused with what is missing" {
	for row in "dynamic_sessions DYNAMIC_SESSIONS_POOL_MANAGEMENT_ENDPOINT" "local_process AGENT_RUNTIME_ENDPOINT"; do
		read -r name missing <<<"$row"
		if [ "$name" = local_process ]; then
			# without an endpoint there is a program here, or none: an endpoint that is none is what is left of that row
			AGENT_RUNTIME_PROVIDER=$name AGENT_RUNTIME_ENDPOINT=nonsense start_gateway --state "state.$name"
		else
			AGENT_RUNTIME_PROVIDER=$name start_gateway --state "state.$name"
		fi
		for request in 'read {}' 'login/start {"type":"chatgpt"}' 'login/cancel {"loginId":"x"}' 'logout {}' 'rate-limits/read {}'; do
			ask POST "/v1/agent/runtime/account/${request% *}" "${request#* }"
			refused 503 AGENT_RUNTIME_UNAVAILABLE
			says "Runtime provider $name is unavailable: $missing "
		done
		ask POST /v1/agent/threads '{"workspaceSlug":"acme"}'
		refused 503 AGENT_RUNTIME_UNAVAILABLE
		kill "$gateway_pid"
		await 20 gone "$gateway_pid"
	done
}
