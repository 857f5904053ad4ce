#!/usr/bin/env bats
# agent-pick.bats - a person chooses one record
load lib/common

setup() {
	common_setup
	# not in the order of their ids, one without an id, a number that a double cannot hold
	cat >records <<-'END'
		{"serviceId":"svc_b","agent":{"agentId":"bee","name":"Bee","triggers":["api","timer"]},"lifecycle":"RUNNING","health":"HEALTHY","n":12345678901234567890}
		{"agent":{"agentId":"nobody"}}
		{"serviceId":"svc_a","agent":{"agentId":"ant","name":"Ant"}}
	END
}
teardown() { common_teardown; }

@test "the list is sorted by service, a wrong answer is asked again, the record keeps its bytes" {
	agent-pick --answers 3 <records 3< <(printf '%s\n' 0 3 two '' 2) >out 2>list
	run diff out <(head -n 1 records)
	assert_success
	run cat list
	assert_line -n 0 'Select an agent:'
	assert_line -n 1 -p '   1. Ant (ant) service=svc_a'
	assert_line -n 2 '   2. Bee (bee) service=svc_b triggers=api,timer lifecycle=RUNNING health=HEALTHY'
	assert_line -n 3 'agent number [1-2]> '
	for wrong in 0 3 two '(empty)'; do
		assert_line "Invalid selection '$wrong'. Enter 1-2."
	done
}

@test "--index takes a row, a service or an agent, and names the known ones otherwise" {
	for word in 1 01 svc_a ant; do
		run -0 agent-pick --index "$word" <records
		assert_output -p '"svc_a"'
	done
	# not "choose", as if it had not been given
	run -2 agent-pick --index '' <records
	assert_line -n 0 "agent-pick: unable to use --index '': it names nothing"
	run -1 agent-pick --index nobody <records
	assert_output 'agent-pick: fatal: service not found in runtime registry: nobody. Known: svc_a, svc_b'
}

@test "the right one, also without an end of the last line; what is not one record a line is no list" {
	for word in 1 svc_a; do
		run -0 agent-pick --index "$word" < <(printf %s "$(cat records)")
		assert_output '{"serviceId":"svc_a","agent":{"agentId":"ant","name":"Ant"}}'
	done
	(echo && cat records && echo) >blank
	run -0 agent-pick --index bee <blank
	assert_output "$(head -n 1 records)"
	# an id may have any character in it
	jq -nc '{serviceId: "a\u0000b\n\tc"}' >>blank
	run -0 agent-pick --index 1 <blank
	assert_output '{"serviceId":"a\u0000b\n\tc"}'
	run -6 agent-pick --index 1 < <(jq . records)
	assert_output 'agent-pick: fatal: unable to read standard input: not one record a line'
	run -6 agent-pick --index 1 < <(tr -d '\n' <records)
	assert_output 'agent-pick: fatal: unable to read standard input: not one record a line'
}

@test "nothing to choose from, nothing chosen, no list, no terminal" {
	run -1 agent-pick --index 1 </dev/null
	assert_output 'agent-pick: fatal: nothing to choose from'
	run -1 agent-pick --answers 3 <records 3</dev/null
	assert_output -p 'nothing was chosen'
	run -6 agent-pick --index 1 <<<'no json'
	run -9 setsid -w agent-pick <records
	assert_output -p 'there is no terminal'
	run -2 agent-pick operand <records
	run -2 agent-pick --answers x <records
}

@test "names cannot drive the terminal" {
	printf '{"serviceId":"svc_e","agent":{"agentId":"e","name":"\\u001b[31mred\\nline"}}\n' >records
	agent-pick --answers 3 <records 3<<<1 >out 2>list
	run ! grep -q "$(printf '\033')" list
	run grep -c . list
	assert_output 3
}
