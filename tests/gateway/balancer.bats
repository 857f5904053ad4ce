#!/usr/bin/env bats
# Two gateways on one database behind nginx, as agent-gateway-scale(7) sets it up: one of them is killed, and nobody misses anything.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/faulty
load ../lib/postgresql

setup() {
	faulty_setup
	nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || skip "there is no nginx (Debian: nginx-light)"
	postgresql_available || skip "$why"
}
teardown() {
	common_teardown
	[ -z "${pg_dir:-}" ] || postgresql_end
	nobody_is_left
}

# gateway NAME: on a socket that stays the same; its process in ${pid_of[NAME]}, its own address in ${url_of[NAME]}
declare -gA url_of pid_of
gateway() {
	state=$BATS_TEST_TMPDIR/state.$1
	mkdir -p -m 700 "$state"
	faulty_gateway --store "$pg_url" --listen "unix:$BATS_TEST_TMPDIR/$1"
	url_of[$1]=$url pid_of[$1]=$gateway_pid
}
# The page's server, where we can have it: on a socket and without TLS.
balancer() {
	sed -n '/^upstream /,/^}/p; /^map /,/^}/p; /^server /,/^}/p' "$AU_SRC/man/agent-gateway-scale.7" |
		sed "s|10.0.0.5:4707|unix:$PWD/a|; s|10.0.0.6:4707|unix:$PWD/b|; s|listen 443 ssl|listen unix:$PWD/balancer|; /ssl_certificate/d" >site
	[ "$(grep -c "unix:$PWD" site)" = 3 ]
	cat >nginx.conf <<-END
		daemon off;
		pid $PWD/nginx.pid;
		error_log $PWD/nginx.log;
		$([ "$(id -u)" != 0 ] || echo "user root;")
		events {}
		http {
			access_log off;
			client_body_temp_path $PWD/nginx.1;
			proxy_temp_path $PWD/nginx.2;
			fastcgi_temp_path $PWD/nginx.3;
			uwsgi_temp_path $PWD/nginx.4;
			scgi_temp_path $PWD/nginx.5;
			include $PWD/site;
		}
	END
	start nginx "$nginx" -c "$PWD/nginx.conf" -p "$PWD"
	url=unix:$PWD/balancer
	export AGENT_RUNTIME_URL=$url
	echo "$url" >address
	answers() { [ "$(curl -sS --unix-socket balancer -o /dev/null -w '%{http_code}' http://localhost/healthz 2>/dev/null)" = 200 ]; }
	await 20 answers || { cat nginx.err nginx.log >&2; return 1; }
}
# streams KIND NAME...: how many are open there, for have
streams() {
	local kind=$1 name
	shift
	for name in "$@"; do curl -sS "${url_of[$name]}/metrics"; done | awk -v name="agent_gateway_http_streams{kind=\"$kind\"}" '$1 == name { n += $2 } END { print n + 0 }'
}
have() { [ "$(streams "${@:2}")" = "$1" ]; } # N KIND NAME...: for await
watched() { agent-events --all --jq .seq >all && jq .seq "$1.out" | cmp -s - all; }
watched_thread() { agent-events --thread "$thread" | jq .cursor >of-thread && jq .cursor socket.out | cmp -s - of-thread; }

@test "streams, WebSockets and messages through nginx: one gateway is killed and comes back, everything is there once and in order" {
	postgresql_start
	postgresql_database balanced
	gateway a
	gateway b
	balancer
	for i in 1 2; do start "watch$i" agent-watch --all; done
	await 20 have 2 sse a b
	thread=$(agent-thread-create --workspace w | jq -r .threadId)
	start socket agent-watch --thread "$thread"
	await 20 have 1 websocket a b
	posting --runs 4
	more 40
	for i in 1 2 3; do agent-emit --thread "$thread" --kind n.x --data "{\"i\":$i}" >/dev/null; done

	# one that has readers
	dies=a lives=b
	! have 0 sse a || dies=b lives=a
	kill -9 "${pid_of[$dies]}"
	await 20 gone "${pid_of[$dies]}"
	more 40
	await 30 have 2 sse $lives
	await 30 have 1 websocket $lives
	for i in 4 5 6; do agent-emit --thread "$thread" --kind n.x --data "{\"i\":$i}" >/dev/null; done
	gateway $dies
	export AGENT_RUNTIME_URL=unix:$PWD/balancer
	echo "$AGENT_RUNTIME_URL" >address
	more 40
	posted
	await 60 watched watch1
	await 60 watched watch2
	await 60 watched_thread
	[ "$(jq -c 'select(.method == "n.x").payload.i' socket.out | paste -sd ' ')" = '1 2 3 4 5 6' ]
	holds
	# a page of its own may ask, another one may not; a large message comes through
	say() { curl -sS --unix-socket balancer -o answer -w '%{http_code}' -H 'Host: localhost:8443' -H "Origin: $1" -H 'Content-Type: application/json' --data-binary @- http://localhost/api/agents/events; }
	[ "$(echo '{"kind":"agent.n"}' | say https://localhost:8443)" = 200 ]
	[ "$(echo '{"kind":"agent.n"}' | say https://evil.example)" = 403 ]
	{ printf '{"kind":"agent.n","message":"'; head -c 1048000 /dev/zero | tr '\0' a; printf '"}'; } >large
	[ "$(say https://localhost:8443 <large)" = 200 ] || { cat answer; return 1; }
	kill "${pid_of[a]}"
	gateway_pid=${pid_of[b]} stopped
	await 20 gone "${pid_of[a]}"
}
