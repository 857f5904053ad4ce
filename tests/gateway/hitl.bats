#!/usr/bin/env bats
# The broker: questions for people over HTTP, on the files that other programs use too (contract section 13).
load ../lib/common
load ../lib/hitl

setup() {
	hitl_setup
	unset CLARITY_HITL_DIR
	mkdir "$dir"
}
teardown() { common_teardown; }

post() { code -d "$2" "$url$1"; } # ROUTE BODY
error_is() { [ "$(jq -r .error answer)" = "$1" ]; }
# listen: the events, line by line, in events.out
listen() {
	start events curl -sSN "$url/events" "$@"
	await 10 has_line events.out '^: live'
}
events() { sed -n 's/^data: //p' events.out | jq -c "${1:-.}"; }
events_are() { [ "$(events '[.type, .key]' | tr '\n' ' ')" = "$1" ]; }

@test "a question is asked, seen, answered and taken away" {
	start_gateway --hitl "$dir"
	[ "$(code "$url/questions")" = 200 ]
	[ "$(cat answer)" = '[]' ]
	[ "$(post /questions '{"key":" deploy 1 ","question":" which tag? ","timestamp":1700000000000.9,"pid":7.5}')" = 200 ]
	jq -e --arg path "$dir/deploy_1.question" '.key == "deploy 1" and .safeKey == "deploy_1" and .path == $path' answer
	jq -e '.key == "deploy 1" and .question == "which tag?" and .timestamp == 1700000000000 and .pid == 7' "$dir/deploy_1.question"
	[ "$(code "$url/questions")" = 200 ]
	[ "$(head -c 4 answer)" = $'[\n  ' ] # indented, as all of that wire
	[ -z "$(tail -c 1 answer | tr -d '\n')" ]
	jq -e 'length == 1 and (.[0] | .key == "deploy 1" and .question == "which tag?" and .pid == 7 and .ageSeconds > 1000)' answer
	jq -r '.[0] | keys_unsorted | join(",")' answer | grep -qx 'key,question,timestamp,pid,ageSeconds'
	[ "$(code "$url/questions/deploy%201")" = 200 ]
	[ "$(jq -c '[.key, .safeKey, .status]' answer)" = '["deploy 1","deploy_1","pending"]' ]
	[ "$(post /answer '{"key":"deploy 1","response":" v1.2\n"}')" = 200 ]
	jq -e --arg path "$dir/deploy_1.answer" '.key == "deploy 1" and .safeKey == "deploy_1" and .path == $path' answer
	[ "$(cat "$dir/deploy_1.answer")" = ' v1.2' ]
	[ "$(code "$url/questions/deploy%201")" = 200 ]
	[ "$(jq -c '[.status, .response]' answer)" = '["answered","v1.2"]' ]
	[ "$(code "$url/questions")" = 200 ]
	[ "$(cat answer)" = '[]' ]
	[ "$(post /cancel '{"key":"deploy 1"}')" = 200 ]
	[ "$(jq -c . answer)" = '{"key":"deploy 1","safeKey":"deploy_1","removed":true}' ]
	[ "$(leftovers)" = 0 ]
	[ "$(post /cancel '{"key":"deploy 1"}')" = 200 ]
	jq -e '.removed == false' answer
	[ "$(code "$url/questions/deploy%201")" = 200 ]
	[ "$(jq -c . answer)" = '{"key":"deploy 1","safeKey":"deploy_1","status":"missing"}' ]
}

@test "wrong requests, with the contract's texts" {
	start_gateway --hitl "$dir"
	for body in '' '{}' '{"key":"k"}' '{"question":"q"}' '{"key":" ","question":"q"}' '{"key":"k","question":" "}' '{"key":7,"question":"q"}'; do
		[ "$(post /questions "$body")" = 400 ]
		error_is 'expected { key, question }'
	done
	for body in '{"key":"k"}' '{"response":"r"}' '{"key":"k","response":42}'; do
		[ "$(post /answer "$body")" = 400 ]
		error_is 'expected { key, response }'
	done
	[ "$(post /cancel '{"key":""}')" = 400 ]
	error_is 'expected { key }'
	for body in '[]' '"k"' 7; do
		[ "$(post /questions "$body")" = 400 ]
		error_is 'expected { key, question }'
		[ "$(post /answer "$body")" = 400 ]
		error_is 'expected { key, response }'
	done
	for body in '{' 'null'; do
		for route in /questions /answer /cancel; do
			[ "$(post $route "$body")" = 400 ]
			error_is 'invalid JSON body'
		done
	done
	[ "$(post /answer '{"key":"nobody","response":"r"}')" = 404 ]
	error_is 'question not found: nobody'
	[ "$(code "$url/questions/%zz")" = 400 ]
	[ "$(code -X DELETE "$url/questions")" = 405 ]
	[ "$(code "$url/answer")" = 405 ]
	[ "$(code -X POST "$url/questions/k")" = 405 ]
	[ "$(code "$url/questions/")" = 404 ]
	[ "$(code "$url/questions/a/b")" = 404 ]
	[ "$(code -I "$url/questions")" = 200 ]
	head -c 1048577 /dev/zero | tr '\0' ' ' >large
	[ "$(code --data-binary @large "$url/answer")" = 413 ]
	[ "$(leftovers)" = 0 ]
}

@test "a key of 240 characters is taken, one more is refused" {
	start_gateway --hitl "$dir"
	key=$(printf 'k%.0s' {1..240})
	[ "$(post /questions "{\"key\":\"$key\",\"question\":\"q\"}")" = 200 ]
	[ "$(post /questions "{\"key\":\"${key}k\",\"question\":\"q\"}")" = 400 ]
}

@test "files of all forms are questions, oldest first; what is none is not shown" {
	printf '{"key":"two","question":"second","timestamp":2000}' >"$dir/b.question"
	printf '{\n  "key": " one ",\n  "question": "first",\n  "timestamp": 1000\n}\n' >"$dir/c.question"
	printf 'just text\n' >"$dir/plain.question"
	: >"$dir/empty.question"
	ln -s /etc/passwd "$dir/link.question"
	mkdir "$dir/folder.question"
	printf '{"key":"done","question":"q","timestamp":1}' >"$dir/done.question"
	: >"$dir/done.answer"
	start_gateway --hitl "$dir"
	[ "$(code "$url/questions")" = 200 ]
	[ "$(jq -c 'map([.key, .question])' answer)" = '[["one","first"],["two","second"],["plain","just text"]]' ]
	touch -d '1 minute ago' "$dir/done.answer"
	[ "$(code "$url/questions/done")" = 200 ]
	[ "$(jq -c '[.status, .response]' answer)" = '["answered",""]' ]
}

@test "the directory: an option, the environment, else beside the log" {
	start_gateway
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	[ -s "$BATS_TEST_TMPDIR/state/hitl/k.question" ]
	common_teardown
	CLARITY_HITL_DIR=other start_gateway --state s2
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	[ -s other/k.question ]
	common_teardown
	CLARITY_HITL_DIR=other start_gateway --state s3 --hitl third
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	[ -s third/k.question ]
	common_teardown
	mkdir s4
	start agent-gateway agent-gateway --listen 127.0.0.1:0 --store "sqlite:$PWD/s4/log.db"
	await 20 has_line agent-gateway.out listening
	[ -d s4/hitl ]
	: >file
	run -9 --separate-stderr agent-gateway --listen 127.0.0.1:0 --state s5 --hitl file
	[[ $stderr == *"unable to open the directory 'file'"* ]]
}

@test "a dotted key reaches its asker, whichever rule named its file" {
	start_gateway --hitl "$dir"
	printf '{"key":"a.b","question":"q","timestamp":1}' >"$dir/a_b.question"
	[ "$(post /answer '{"key":"a.b","response":"yes"}')" = 200 ]
	[ "$(jq -c '[.key, .safeKey]' answer)" = '["a.b","a_b"]' ]
	[ "$(cat "$dir/a_b.answer")" = yes ]
	[ "$(code "$url/questions/a.b")" = 200 ]
	[ "$(jq -c '[.status, .response]' answer)" = '["answered","yes"]' ]
	[ "$(code "$url/questions/a_b")" = 200 ]
	jq -e '.status == "answered"' answer
	[ "$(post /cancel '{"key":"a.b"}')" = 200 ]
	jq -e .removed answer
	[ "$(leftovers)" = 0 ]
	printf '{"key":"c.d","question":"q","timestamp":1}' >"$dir/c_d.question"
	[ "$(post /questions '{"key":"c.d","question":"q"}')" = 409 ] # whose would an answer be?
	error_is "unable to ask 'c.d': it is being asked in 'c_d.question'"
	rm "$dir/c_d.question"
	[ "$(post /questions '{"key":"c.d","question":"q"}')" = 200 ]
	[ -e "$dir/c.d.question" ]
}

@test "a question that is asked again has no old answer" {
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"k","question":"first"}')" = 200 ]
	[ "$(post /answer '{"key":"k","response":"old"}')" = 200 ]
	[ "$(post /questions '{"key":"k","question":"second"}')" = 200 ]
	jq -e .fresh answer
	[ "$(code "$url/questions/k")" = 200 ]
	jq -e '.status == "pending"' answer
	printf stale >"$dir/n.answer"
	[ "$(post /questions '{"key":"n","question":"q"}')" = 200 ]
	[ "$(code "$url/questions/n")" = 200 ]
	jq -e '.status == "pending"' answer
}

@test "the first answer counts" {
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	[ "$(post /answer '{"key":"k","response":"no"}')" = 200 ]
	[ "$(post /answer '{"key":"k","response":"no"}')" = 200 ]
	[ "$(post /answer '{"key":"k","response":"yes"}')" = 409 ]
	error_is 'question is answered already: k'
	[ "$(cat "$dir/k.answer")" = no ]
	[ "$(post /questions '{"key":"e","question":"q"}')" = 200 ]
	[ "$(post /answer '{"key":"e","response":""}')" = 200 ] # empty is an answer, when it is given
	[ -e "$dir/e.answer" ]
}

@test "keys that share a file are told apart: the second is refused, nobody gets the other's answer" {
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"a b","question":"q"}')" = 200 ]
	[ "$(post /questions '{"key":"a/b","question":"r"}')" = 409 ]
	jq -r .error answer | grep -q "'a/b'.*'a b'"
	[ "$(post /answer '{"key":"a/b","response":"yes"}')" = 404 ]
	[ "$(code "$url/questions/a%2Fb")" = 200 ]
	[ "$(jq -c . answer)" = '{"key":"a/b","safeKey":"a_b","status":"missing"}' ]
	printf '{"key":"k","question":"q"}' >"$dir/one.question"
	printf '{"key":"k","question":"q"}' >"$dir/two.question"
	[ "$(post /answer '{"key":"k","response":"yes"}')" = 409 ]
	[ "$(post /cancel '{"key":"k"}')" = 409 ]
	[ "$(code "$url/questions/k")" = 409 ]
	[ "$(post /answer '{"key":"one","response":"yes"}')" = 200 ]
	[ ! -e "$dir/two.answer" ]
}

@test "paths and links lead nowhere" {
	mkdir outside
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"../outside/x","question":"q"}')" = 200 ]
	[ "$(ls -A outside)" = '' ]
	[ -e "$dir/.._outside_x.question" ]
	printf secret >outside/file
	[ "$(post /questions '{"key":"l","question":"q"}')" = 200 ]
	ln -s "$PWD/outside/file" "$dir/l.answer"
	[ "$(code "$url/questions/l")" = 400 ]
	! grep -q secret answer
	[ "$(post /answer '{"key":"l","response":"x"}')" = 409 ]
	[ "$(cat outside/file)" = secret ]
}

@test "a timestamp withdraws that question only" {
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"k","question":"q","timestamp":5}')" = 200 ]
	[ "$(code "$url/questions/k")" = 200 ]
	jq -e '.timestamp == 5' answer
	[ "$(post /cancel '{"key":"k","timestamp":4}')" = 200 ]
	jq -e '.removed == false' answer
	[ "$(post /cancel '{"key":"k","timestamp":5}')" = 200 ]
	jq -e .removed answer
}

@test "an answer that is still being written is not given out in part" {
	start_gateway --hitl "$dir"
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	listen
	write_slowly "$dir/k.answer" "do not deploy" "$gateway_pid" &
	writer=$!
	until gone "$writer"; do
		[ "$(code "$url/questions/k")" = 200 ]
		jq -e '.status == "pending" or .response == "do not deploy"' answer
	done
	await 10 has_line events.out answered
	answered() { code "$url/questions/k" >/dev/null && jq -e '.status == "answered"' answer; }
	await 10 answered
	jq -e '.response == "do not deploy"' answer
}

@test "events: what waits, then what happens, by file and by request, with the question's own key" {
	printf '{"key":"old.one","question":"q","timestamp":2000}' >"$dir/old_one.question"
	printf '{"key":"older","question":"q","timestamp":1000}' >"$dir/older.question"
	start_gateway --hitl "$dir"
	listen
	[ "$(events | tr '\n' ' ')" = '{"type":"new_question","key":"older","timestamp":1000} {"type":"new_question","key":"old.one","timestamp":2000} ' ]
	: >seen
	post /questions '{"key":"http","question":"q","timestamp":3000}'
	await 10 events_are '["new_question","older"] ["new_question","old.one"] ["new_question","http"] '
	events | grep -qx '{"type":"new_question","key":"http","timestamp":3000}'
	post /answer '{"key":"http","response":"yes"}'
	await 10 has_line events.out '"answered","key":"http"'
	printf '{"key":"file.d","question":"q","timestamp":4000}' >"$dir/file_d.question"
	await 10 has_line events.out '"new_question","key":"file.d","timestamp":4000'
	printf yes >"$dir/file_d.answer"
	await 10 has_line events.out '"answered","key":"file.d"'
	rm "$dir/older.question"
	await 10 has_line events.out '"removed","key":"older"'
	[ "$(events 'select(.key == "http").type' | tr '\n' ' ')" = '"new_question" "answered" ' ]
	[ "$(events 'select(.key == "file.d").type' | tr '\n' ' ')" = '"new_question" "answered" ' ]
}

# taken_at_once COUNT WORD: so many questions, the answers to which are taken at once; the events say WORD of each
taken_at_once() {
	local n
	for n in $(seq "$1"); do
		start ask agent-ask --dir "$dir" --key "k$n" "q"
		await 10 has_line events.out "new_question\",\"key\":\"k$n\""
		agent-hitl-answer --dir "$dir" "k$n" yes
		wait "$pid"
		await 10 has_line events.out "$2\",\"key\":\"k$n\""
	done
}

@test "events: an asker that takes its answer at once is still told of as answered" {
	start_gateway --hitl "$dir"
	listen
	taken_at_once 5 answered
}

@test "events: the same with looks instead of inotify" {
	CLARITY_HITL_POLL=1 start_gateway --hitl "$dir"
	listen
	printf '{"key":"k","question":"q","timestamp":1}' >"$dir/k.question"
	await 10 has_line events.out 'new_question'
	printf yes >"$dir/k.answer"
	await 10 has_line events.out 'answered'
}

@test "events: the head is that of a stream, and there is a sign of life" {
	start_gateway --hitl "$dir" --ping 500ms
	start events curl -sSNi "$url/events"
	await 10 has_line events.out '^: ping'
	grep -qi '^content-type: text/event-stream; charset=utf-8' events.out
	grep -qi '^cache-control: no-cache' events.out
}

@test "a directory that is removed while the broker runs is made again" {
	start_gateway --hitl "$dir"
	listen
	rm -r "$dir"
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
	[ -e "$dir/k.question" ]
	await 10 has_line events.out '"new_question","key":"k"'
}

@test "a directory that is replaced is watched on, whoever sees that first" {
	start_gateway --hitl "$dir"
	listen
	# nobody is told that an empty directory goes which is held open, so a request is the first to find another one
	rmdir "$dir"
	[ "$(code "$url/questions")" = 200 ]
	[ -d "$dir" ]
	# an answer that is taken at once is seen by those only who are told of each file
	taken_at_once 3 '\(answered\|removed\)'
	[ "$(events 'select(.type != "new_question") | .type' | tr '\n' ' ')" = '"answered" "answered" "answered" ' ]
}

@test "a directory that cannot be written is 503, and the gateway goes on" {
	unprivileged start_gateway --hitl "$dir"
	chmod 500 "$dir"
	[ "$(post /questions '{"key":"k","question":"q"}')" = 503 ]
	chmod 700 "$dir"
	[ "$(post /questions '{"key":"k","question":"q"}')" = 200 ]
}

@test "a token guards all of it; a web page cannot reach it" {
	CLARITYD_AUTH_TOKEN=s3cret start_gateway --hitl "$dir"
	for path in /questions /questions/k /events; do [ "$(code "$url$path")" = 401 ]; done
	for path in /questions /answer /cancel; do [ "$(post "$path" '{}')" = 401 ]; done
	[ "$(code -H 'Authorization: Bearer s3cret' "$url/questions")" = 200 ]
	[ "$(code -H 'x-clarity-token: s3cret' "$url/questions/k")" = 200 ]
	[ "$(code "$url/questions?token=s3cret")" = 401 ]
	curl -sSNi -m 20 "$url/events?token=s3cret" 2>/dev/null | grep -qm 1 '^HTTP/1.1 200 '
	common_teardown
	start_gateway --hitl "$dir"
	[ "$(code -H 'Host: evil.example' "$url/questions")" = 403 ]
	[ "$(code -H 'Origin: http://evil.example' -H 'Content-Type: text/plain' -d '{"key":"k","response":""}' "$url/answer")" = 403 ]
}

@test "a handler asks where the people of the gateway look" {
	mkdir agents
	cat >agents/asker <<'SH'
#!/bin/sh
read -r _
printf '"%s"\n' "$(agent-ask --key from-agent --timeout 20s 'may I?')"
SH
	chmod +x agents/asker
	jq '.metadata.agent += {"agentId": "asker", "name": "asker"} | .metadata.module = "asker" | .metadata.serviceId = "svc_asker" | .spec.origin = {"type": "command", "command": ["./asker"]}' \
		"$AU_SRC/bin/gateway/builtin/shell.json" >agents/asker.json
	start_gateway --agents agents
	start chat agent-send --run r1 --service svc_asker --wait --jq 'select(.kind == "agent.chat.assistant_message").data.message' go
	asked() { agent-hitl-list --broker "$url" | grep -q '"key":"from-agent","question":"may I?"'; }
	await 20 asked
	agent-hitl-answer --broker "$url" from-agent "you may"
	wait "$pid"
	[ "$(cat chat.out)" = 'you may' ]
}

@test "many at once: each question gets its own answer" {
	start_gateway --hitl "$dir"
	for n in {1..40}; do
		[ "$n" = 1 ] || echo next
		printf 'url = "%s/questions"\ndata = "{\\"key\\":\\"k%d\\",\\"question\\":\\"q\\"}"\noutput = "/dev/null"\n' "$url" "$n"
	done >asks
	curl -sS -Z -K asks
	[ "$(code "$url/questions")" = 200 ]
	jq -e 'length == 40' answer
	sed -e 's|/questions|/answer|' -e 's|question\\":\\"q|response\\":\\"yes|' asks >answers
	curl -sS -Z -K answers
	[ "$(find "$dir" -name '*.answer' | wc -l)" = 40 ]
	[ "$(code "$url/questions")" = 200 ]
	[ "$(cat answer)" = '[]' ]
}
