#!/usr/bin/env bats
# agent-gateway-token makes, lists and revokes the tokens of a gateway.
load lib/common

setup() {
	common_setup
	state=$BATS_TEST_TMPDIR/state
	file=$state/tokens
}
teardown() { common_teardown; }
token() { agent-gateway-token --state "$state" "$@"; }

@test "a token is told once, and only its hash is kept" {
	run -0 --separate-stderr token create --user ann --workspace acme --workspace beta --scope admin --scope read --expires 2h
	[ -z "$stderr" ]
	secret=$(jq -r .token <<<"$output")
	[[ $secret =~ ^agt_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$ ]]
	jq -e '.user == "ann" and .workspaces == ["acme","beta"] and .scopes == ["read","admin"] and (.id | length == 12)' <<<"$output"
	[[ $secret == "agt_$(jq -r .id <<<"$output")_"* ]]
	from=$(date -d "$(jq -r .createdAt <<<"$output")" +%s) to=$(date -d "$(jq -r .expiresAt <<<"$output")" +%s)
	[ $((to - from)) = 7200 ]
	[ "$(printf %s "$secret" | sha256sum | cut -d' ' -f1)" = "$(jq -r .hash "$file")" ]
	[ "$(stat -c %a "$file")" = 600 ]
	[ "$(stat -c %a "$state")" = 700 ]
	run -1 grep -rF "$secret" "$state"
}

@test "without more, a token reads and writes everywhere for 90 days; it may be good for ever" {
	token create --user bob | jq -e '.workspaces == ["*"] and .scopes == ["read","write"]'
	[ "$(jq -r '((.expiresAt[:19] + "Z" | fromdate) - (.createdAt[:19] + "Z" | fromdate)) / 86400' "$file")" = 90 ]
	token create --user carl --expires never | jq -e '.expiresAt == null'
}

@test "with --output the token goes to a new file of one's own, and nowhere else" {
	run -0 token create --user ann --output ann.token
	jq -e 'has("token") | not' <<<"$output"
	[ "$(stat -c %a ann.token)" = 600 ]
	grep -qE '^agt_[0-9a-f]{12}_.{43}$' ann.token
	cp "$file" before
	run -8 token create --user ann --output ann.token
	[[ $output == *"unable to create 'ann.token': File exists"* ]]
	run -8 token create --user ann --output /no/such/dir/t
	cmp before "$file" # a token that nobody got is none
}

@test "list says what is good, and with --all what no longer is" {
	run -0 token list
	[ -z "$output" ]
	[ ! -e "$state" ]
	one=$(token create --user ann | jq -r .id)
	two=$(token create --user bob --expires 1ms | jq -r .id)
	three=$(token create --user carl | jq -r .id)
	run -0 token revoke "$three"
	[ "$output" = "{\"id\":\"$three\",\"revoked\":true}" ]
	[ "$(token list | jq -r .id)" = "$one" ]
	token list | jq -e 'has("hash") or has("token") | not'
	[ "$(token list --all | jq -r '.id + " " + .state')" = "$one active"$'\n'"$two expired"$'\n'"$three revoked" ]
}

@test "revoke: an id that is not there is status 1, and the others are revoked" {
	one=$(token create --user ann | jq -r .id)
	run -1 --separate-stderr token revoke 000000000000 "$one"
	[ "$output" = "{\"id\":\"$one\",\"revoked\":true}" ]
	[[ $stderr == *"unable to revoke '000000000000': there is no such token" ]]
	at=$(jq -r .revokedAt "$file")
	token revoke "$one"
	[ "$(jq -r .revokedAt "$file")" = "$at" ]
}

@test "what was made and revoked, and by whom, stands in the audit log" {
	one=$(token create --user ann | jq -r .id)
	token revoke "$one"
	token revoke "$one"
	run -1 token revoke 000000000000
	[ "$(jq -r '.action + " " + .subject + " " + .user' "$state/audit.ndjson")" = "token.create $one $(id -un)"$'\n'"token.revoke $one $(id -un)" ]
}

@test "made by root, the files belong to whom the state belongs" {
	[ "$(id -u)" = 0 ] || skip "only for root"
	mkdir "$state"
	chown 1234:1234 "$state"
	token create --user ann
	[ "$(stat -c %u "$file" "$file.lock" "$state/audit.ndjson" | sort -u)" = 1234 ]
}

@test "many at once lose nothing" {
	for i in 1 2 3 4 5 6 7 8; do start "c$i" agent-gateway-token --state "$state" create --user "u$i"; done
	for pid in "${started[@]}"; do wait "$pid"; done
	[ "$(token list | jq -r .user | sort | tr -d '\n')" = u1u2u3u4u5u6u7u8 ]
}

@test "what is wrong is said, and nothing is changed" {
	run -2 token
	run -2 token make
	run -2 token create
	run -2 token create x --user ann
	run -2 token list --user ann
	run -2 token revoke
	run -2 token create --user ann --scope root
	[[ ${lines[0]} == *"unable to use --scope 'root': expected read, write or admin" ]]
	run -2 token create --user ann --expires soon
	run -2 token create --user $'a\nb'
	run -2 token create --user ann --workspace ''
	run -2 agent-gateway-token --state a --store sqlite:b list
	run -9 agent-gateway-token --store postgres://h/d list
	[ ! -s "$file" ]
	echo '{"id":"x"}' >"$file"
	run -9 token list
	[[ $output == *"unable to use the tokens '$file': line 1: id" ]]
	run -9 token create --user ann
	[ "$(cat "$file")" = '{"id":"x"}' ]
}

@test "the file is where the gateway looks: beside a store, under STATE_DIRECTORY or XDG_STATE_HOME" {
	agent-gateway-token --store "sqlite:$BATS_TEST_TMPDIR/s/log.db" create --user ann
	[ -s s/tokens ]
	STATE_DIRECTORY=$BATS_TEST_TMPDIR/d:other agent-gateway-token create --user ann
	[ -s d/tokens ]
	agent-gateway-token create --user ann
	[ -s "$XDG_STATE_HOME/agentutils/gateway/tokens" ]
}
