#!/usr/bin/env bash
# fan-out.sh - events to many readers, beside nginx with nchan: the same events to as many readers, in turns; and what an idle stream costs
#
# nginx has a worker for each processor, as it is usually set up; our loop is one thread. The reader is the same program for both, and its time is
# in both figures. Ours stores each event before anybody gets it, nchan keeps it in memory.
# shellcheck disable=SC2154,SC1091
. "$(dirname "$0")/lib.bash"

open_files=$(ulimit -Hn)
ulimit -n "$open_files"
# BENCH_NGINX: which one
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v "${BENCH_NGINX:-nginx}") || nginx=''
module=''
for dir in /usr/lib/nginx/modules /usr/lib64/nginx/modules /usr/share/nginx/modules; do
	[ ! -e "$dir/ngx_nchan_module.so" ] || module=$dir/ngx_nchan_module.so
done

# nchan: sets nchan (its address) and nchan_pids; fails when there is none
nchan() {
	local port tries=0
	[ -n "$nginx" ] && [ -n "$module" ] || return 1
	mkdir -p "$state/nginx"
	while [ $((tries += 1)) -le 20 ]; do
		port=$((20000 + RANDOM % 12000))
		cat >"$state/nginx/nginx.conf" <<-END
			load_module $module;
			daemon off;
			worker_processes auto;
			worker_rlimit_nofile $open_files;
			pid $state/nginx/pid;
			error_log $state/nginx/log crit;
			$([ "$(id -u)" != 0 ] || echo "user root;")
			events { worker_connections 12000; }
			http {
				access_log off;
				keepalive_requests 100000000;
				client_body_temp_path $state/nginx/body;
				proxy_temp_path $state/nginx/proxy;
				fastcgi_temp_path $state/nginx/fastcgi;
				uwsgi_temp_path $state/nginx/uwsgi;
				scgi_temp_path $state/nginx/scgi;
				nchan_shared_memory_size 256M;
				nchan_message_buffer_length 20000;
				nchan_message_timeout 600s;
				server {
					listen 127.0.0.1:$port backlog=4096;
					location ~ ^/pub/(\w+)\$ { nchan_publisher; nchan_channel_id \$1; }
					location ~ ^/sub/(\w+)\$ { nchan_subscriber eventsource websocket; nchan_channel_id \$1; nchan_subscriber_first_message newest; }
				}
			}
		END
		"$nginx" -c "$state/nginx/nginx.conf" -p "$state/nginx" 2>"$state/nginx/start" &
		nchan_pid=$!
		nchan=http://127.0.0.1:$port
		while kill -0 "$nchan_pid" 2>/dev/null; do
			if curl -s -o /dev/null "$nchan/sub/" && pgrep -P "$nchan_pid" >/dev/null; then
				pids+=("$nchan_pid")
				nchan_pids=$nchan_pid,$(pgrep -P "$nchan_pid" | paste -sd ,)
				return 0
			fi
		done
		wait "$nchan_pid" || :
	done
	cat "$state/nginx/start" >&2
	return 1
}
nchan_end() { end "$nchan_pid"; }
beside=''
if nchan; then
	beside=1
	nchan_end
else
	loud "nothing is measured beside nchan: there is no nginx with its module (Debian: nginx-light, libnginx-mod-nchan)"
fi

# ours KIND READERS EVENTS: a gateway of its own; sets record
ours() {
	local body path post options=() thread
	gateway
	if [ "$1" = sse ]; then
		body='{"kind":"agent.note","message":"|","data":{"runId":"fan","pad":"................................"}}'
		path=/api/agents/runs/fan/events/stream post=/api/agents/events
	else
		thread=$(agent-thread-create --workspace bench | jq -r .threadId)
		body='{"events":[{"method":"bench.event","payload":{"text":"|","pad":"................................"}}]}'
		path="/v1/agent/threads/$thread/stream?cursor=$(agent-events --thread "$thread" | jq -r .cursor)" post=/v1/agent/threads/$thread/events:batch
		options=(-w)
	fi
	record=$(bench-fan "${options[@]}" -r "$2" -e "$3" -P "$gateway" "$url" "$path" "$post" "$body")
	gateway_end
}
# theirs KIND READERS EVENTS BYTES: with a body that makes a reader get as many bytes
theirs() {
	local options=() body frame=0
	nchan
	if [ "$1" = sse ]; then
		frame=26 # "id: 1700000000:0", "data: " and the ends of lines
	else
		options=(-w)
		frame=4
	fi
	body=$(printf '|%*s' "$(($4 > frame ? $4 - frame - 1 : 1))" '' | tr ' ' .)
	record=$(bench-fan "${options[@]}" -r "$2" -e "$3" -P "$nchan_pids" "$nchan" /sub/fan /pub/fan "$body")
	nchan_end
}
# middle FIELD RECORD...: of several runs
middle() {
	local field=$1
	shift
	printf '%s\n' "$@" | jq -s "map($field) | sort | .[length / 2 | floor]"
}

# contest KIND READERS EVENTS RUNS
contest() {
	local kind=$1 readers=$2 events=$3 runs=$4 mine=() other=() goal='' name bytes
	if [ $((readers + 200)) -gt "$open_files" ]; then
		loud "$readers readers are not measured: a process may have only $open_files open files"
		return
	fi
	name="$([ "$kind" = sse ] && echo "server-sent events" || echo WebSockets)"
	while [ "${#mine[@]}" -lt "$runs" ]; do
		ours "$kind" "$readers" "$events"
		mine+=("$record")
		bytes=$(of '.event_bytes | round' "$record")
		if [ -n "$beside" ]; then
			theirs "$kind" "$readers" "$events" "$bytes"
			other+=("$record")
		fi
	done
	[ "${#other[@]}" -gt 0 ] || other=('{"rate":null,"server_us":null,"idle_kib":null}')
	[ "$readers" != 1000 ] || goal='ratio >= 1'
	measure "$name to $readers readers" 1/s "$(middle .rate "${mine[@]}")" "$(middle .rate "${other[@]}")" "nginx with nchan" "$goal" \
		"{\"bytes\":$bytes,\"theirs_bytes\":$(middle '.event_bytes // null' "${other[@]}")}"
	measure "$name to $readers readers: processor per event and reader" us "$(middle .server_us "${mine[@]}")" "$(middle .server_us "${other[@]}")" "nginx with nchan" ""
	[ "$readers" -lt 1000 ] ||
		measure "$name, $readers idle: memory of each" KiB "$(middle .idle_kib "${mine[@]}")" "$(middle .idle_kib "${other[@]}")" "nginx with nchan" "ours <= 4"
}
# BENCH_READERS: other numbers of readers, in words
read -ra numbers <<<"${BENCH_READERS:-$(size "1 100 1000 10000" "1 20")}"
for kind in sse ws; do
	for readers in "${numbers[@]}"; do
		events=$((1000000 / readers))
		[ "$events" -lt 4000 ] || events=4000
		attempt contest "$kind" "$readers" "$(size "$events" 20)" "$(size "$([ "$readers" -gt 1000 ] && echo 1 || echo 3)" 1)"
	done
done
conclude
