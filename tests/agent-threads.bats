#!/usr/bin/env bats
# Threads: opened, shown, switched and listed, against a Compass API and its cookie.
load lib/common

setup() { common_setup; }
teardown() { common_teardown; }

@test "a thread is opened, and its line is the thread itself" {
	start_compass
	run -0 --separate-stderr agent-thread-create --workspace acme --title ' Release notes ' --mode local
	[ "${#lines[@]}" = 1 ]
	jq -e '.workspaceSlug == "acme" and .title == "Release notes" and .executionMode == "local" and .executionHost == "desktop_local" and .status == "idle"' <<<"$output"
	[ "$(agent-thread-create --jq .workspaceSlug)" = acme ] # AGENT_WORKSPACE
	[ "$(agent-thread-create --host desktop_local --jq '.executionMode + " " + .executionHost')" = "cloud desktop_local" ]
	agent-thread-create -0 >id
	[ "$(tr -d '\0' <id | wc -c)" = 36 ]
}

@test "what is wrong with a thread's making is said, and has its status" {
	start_compass
	AGENT_WORKSPACE='' run -2 agent-thread-create
	run -2 agent-thread-create --mode moon
	run -2 agent-thread-create acme
	run -4 --separate-stderr agent-thread-create --workspace forbidden
	[ "$stderr" = "agent-thread-create: fatal: unable to open a thread in workspace 'forbidden': You are not a member of this workspace (403 WORKSPACE_FORBIDDEN)" ]
	run -6 --separate-stderr agent-thread-create --title ' '
	[[ $stderr == *"String must contain at least 1 character(s) (400 INVALID_REQUEST)"* ]]
	tell '{"status":[503,{"code":"AGENT_CLOUD_MODE_DISABLED","message":"Cloud mode is disabled"}]}'
	run -9 agent-thread-create
	tell '{"status":[503,{"code":"AGENT_RUNTIME_UNAVAILABLE","message":"fetch failed"}]}'
	run -75 agent-thread-create
	tell '{"status":[200,{"threads":[]}]}'
	run -7 --separate-stderr agent-thread-create
	[[ $stderr == *"holds no thread"* ]]
	run -3 agent-thread-create --url http://127.0.0.1:1
}

@test "an answer that was lost is not asked for again, and that is said" {
	start_compass
	tell '{"lose":1}'
	run -3 --separate-stderr agent-thread-create
	[[ $stderr == *"it may have been opened all the same"* ]]
	[ "$(agent-threads | wc -l)" = 1 ]
}

@test "threads are shown by operand, by option and from records" {
	start_compass
	a=$(agent-thread-create --jq .threadId) b=$(agent-thread-create --jq .threadId)
	[ "$(agent-thread-show --jq .threadId "$a" "$b" | tr '\n' ' ')" = "$a $b " ]
	[ "$(agent-thread-show --thread "$a" --jq .status)" = idle ]
	[ "$(printf '{"threadId":"%s"}\n\n{"thread_id":"%s"}\n' "$a" "$b" | agent-thread-show --jq .threadId | tr '\n' ' ')" = "$a $b " ]
	run -1 --separate-stderr agent-thread-show nobody "$a"
	[ "${#lines[@]}" = 1 ]
	[[ $stderr == *"unable to read thread 'nobody': Thread not found (404 AGENT_THREAD_NOT_FOUND)"* ]]
	run -6 agent-thread-show <<<'{"runId":"r"}'
	run -2 agent-thread-show --thread "$a" "$b"
	# an id cannot leave its place in the path
	run -1 agent-thread-show '../threads'
	run -1 agent-thread-show ..
}

@test "the mode is switched, and what the record said is passed on" {
	start_compass
	agent-thread-create >thread
	agent-thread-mode local <thread >switched
	jq -e '.executionMode == "local" and .executionHost == "desktop_local" and .modeSwitchedAt' switched
	jq -c '. + {mine: 12345678901234567890}' thread | sed 's/12345678901234567000/12345678901234567890/' | agent-thread-mode cloud | grep -q '"mine":12345678901234567890'
	id=$(jq -r .threadId thread)
	tell '{"hold":true}'
	curl -s -H 'content-type: application/json' -d '{"text":"x"}' "$url/v1/agent/threads/$id/turns" >/dev/null 3>&- &
	curl_pid=$!
	await 10 told '.cursor == 4'
	run -14 --separate-stderr agent-thread-mode --thread "$id" local
	[[ $stderr == *"Cannot switch mode while a turn is in progress (409 AGENT_THREAD_BUSY)"* ]]
	tell '{"hold":false}'
	wait $curl_pid
	run -2 agent-thread-mode --thread "$id"
	run -2 agent-thread-mode --thread "$id" moon
	run -2 agent-thread-mode --thread "$id" local cloud
	run -1 agent-thread-mode --thread nobody local
}

@test "threads are listed newest change first, and chosen by state and status" {
	start_compass
	run -1 --separate-stderr agent-threads
	[ -z "$output" ]
	a=$(agent-thread-create --jq .threadId) b=$(agent-thread-create --jq .threadId)
	[ "$(agent-threads -0 | tr '\0' ' ')" = "$b $a " ]
	[ "$(agent-threads -n 1 --jq .threadId)" = "$b" ]
	[ "$(agent-threads --status idle | wc -l)" = 2 ]
	run -1 agent-threads --status error
	run -1 agent-threads --state archived
	run -2 agent-threads --state none
	run -2 --separate-stderr agent-threads --status running
	[[ $stderr == *"unable to use --status 'running': expected idle, inProgress, completed, interrupted or error"* ]]
	run -2 agent-threads --limit 201
	AGENT_WORKSPACE='' run -2 agent-threads
}

@test "a Compass API wants a cookie from a file, and an origin that it trusts" {
	start_compass --cookie s3cret-Value_1 --origin http://localhost:3000
	run -4 --separate-stderr agent-threads
	[[ $stderr == *"Authentication required (401 UNAUTHORIZED)"* ]]
	printf 's3cret-Value_1\n' >bare
	printf 'Cookie: a=b; __Host-compass_session=s3cret-Value_1; c=d\r\n' >header
	printf '# Netscape HTTP Cookie File\n#HttpOnly_localhost\tFALSE\t/\tTRUE\t0\t__Host-compass_session\ts3cret-Value_1\n' >jar
	for file in bare header jar; do
		run -1 agent-threads --cookie-file $file
	done
	run -4 --separate-stderr agent-thread-create --cookie-file bare
	[[ $stderr == *"CSRF_ORIGIN_DENIED"* && $stderr == *"--origin"* ]]
	agent-thread-create --cookie-file bare --origin http://localhost:3000
	AGENT_COOKIE_FILE=bare AGENT_ORIGIN=http://localhost:3000 agent-thread-create
	[ "$(AGENT_COOKIE_FILE=jar agent-threads | wc -l)" = 2 ]
	echo other=1 >none
	run -9 --separate-stderr agent-threads --cookie-file none
	[[ $stderr == *"'none' holds no __Host-compass_session"* ]]
	run -9 agent-threads --cookie-file /nowhere
	run -2 agent-threads --cookie-file bare --origin 'a b'
}
