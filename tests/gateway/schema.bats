#!/usr/bin/env bats
# What an older version has left, whichever it was and wherever it keeps it: brought up to date once, with all that is in it.
# shellcheck disable=SC2154,SC2034
load ../lib/common
load ../lib/compass
load ../lib/faulty
load ../lib/postgresql

setup() {
	faulty_setup
	AU_STORE='' options=()
}
teardown() {
	common_teardown
	[ -z "${pg_dir:-}" ] || postgresql_end
	nobody_is_left
}

# down_to N: what turns the tables of version N + 1 into those of version N
down_to() {
	case $1 in
	6)
		for which in stream service thread; do
			echo "DROP INDEX events_$which; CREATE INDEX events_$which ON events($which, seq) WHERE $which IS NOT NULL;"
		done
		echo 'ALTER TABLE events DROP COLUMN block;'
		;;
	5) echo "DELETE FROM docs WHERE key IN ('store/redo', 'store/rows');" ;;
	4) echo 'ALTER TABLE threads DROP COLUMN cwd;' ;;
	3) echo 'ALTER TABLE streams DROP COLUMN owner; ALTER TABLE turns DROP COLUMN owner;' ;;
	2)
		echo 'DELETE FROM events WHERE thread IS NOT NULL; DROP INDEX events_thread; ALTER TABLE events DROP COLUMN thread;'
		echo 'DROP TABLE threads; DROP TABLE turns; DROP TABLE approvals;'
		;;
	1) echo 'DROP TABLE docs; DROP INDEX events_service;' ;;
	*) return 1 ;;
	esac
}
# For either store: SQL is run, its rows in lines with | between the values; the version; a copy of what was stored first, as version N had it, whose
# options for the gateway are ${options[@]}
sqlite_sql() {
	python3 -c 'import sqlite3, sys
c = sqlite3.connect("state/agentutils.db")
c.executescript(sys.argv[1]) if ";" in sys.argv[1] else [print(*row, sep="|") for row in c.execute(sys.argv[1])]
c.commit()' "$1"
}
sqlite_version() { sqlite_sql 'PRAGMA user_version'; }
sqlite_copy() {
	[ -e first ] || cp -R state first
	rm -rf state
	cp -R first state
	sqlite_sql "$(all_down_to "$1") PRAGMA user_version=$1;"
}
pg_version() { pg_sql 'SELECT version FROM agentutils_schema'; }
pg_copy() {
	pg_database=postgres pg_sql "CREATE DATABASE version$1 TEMPLATE first"
	pg_database=version$1
	options=(--store "postgresql://agent@/version$1?host=$pg_dir")
	pg_sql "$(all_down_to "$1") UPDATE agentutils_schema SET version = $1;"
}
all_down_to() {
	local n
	for ((n = latest - 1; n >= $1; n--)); do down_to "$n" || { echo "how version $n was is not said here" >&2; return 1; }; done
}
# the tables, so that those that were brought up to date can be held against those that were made new
sqlite_tables() {
	sqlite_sql 'SELECT m.name, c.name, c.type, c."notnull", c.dflt_value FROM sqlite_master m, pragma_table_info(m.name) c ORDER BY 1, 2'
	sqlite_sql "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY 1" | tr -s ' \n' ' '
}
pg_tables() {
	pg_sql "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
	pg_sql "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
}

# told N: what the gateway tells of what is stored, as far as version N has kept it
told() {
	curl -sS "$url/api/agents/events?after=0&limit=2000" "$url/api/agents/runs" "$url/api/agents/runs/r/events"
	[ "$1" -lt 3 ] || curl -sS "$url$path" "$url$path/events?limit=500" "$url$path/turns/$turn"
}
brought_up() { # STORE
	local n
	faulty_gateway "${options[@]}"
	agent-run-create --agent echo --run r | agent-send --wait 'from before' >/dev/null
	agent-emit --run r --kind agent.note --data '{"a":[1,2.50,"ü"]}' >/dev/null
	new_thread
	turn hello
	see '.method=="turn.completed"'
	latest=$("$1_version")
	[ "$latest" -ge 7 ]
	told 1 >told.runs
	told 3 >told.all
	grep -q '2.50' told.runs
	grep -q 'turn.completed' told.all
	stopped
	"$1_tables" >tables
	for ((n = latest - 1; n >= 1; n--)); do
		echo "version $n" >&2
		"$1_copy" "$n"
		run ! diff tables <("$1_tables")
		# to look is not to change
		agent-gateway --check --state "$state" "${options[@]}"
		[ "$("$1_version")" = "$n" ]
		faulty_gateway "${options[@]}"
		[ "$("$1_version")" = "$latest" ]
		"$1_tables" | diff tables -
		told "$n" | cmp - "told.$([ "$n" -lt 3 ] && echo runs || echo all)"
		agent-send --run r --wait "after $n" | grep -q "Echo: after $n"
		ask POST "$path/turns" '{"text":"after"}'
		if [ "$n" -ge 3 ]; then is .turn.status '"completed"'; else [ "$code" = 404 ]; fi
		stopped
	done
}

@test "a file of any older version is brought up to date, with what is in it" {
	brought_up sqlite
}

@test "so is a database that gateways share" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database first
	options=(--store "$pg_url")
	brought_up pg
}

@test "gateways that find an older version at once change it once" {
	postgresql_available || skip "$why"
	postgresql_start
	postgresql_database older
	faulty_gateway --store "$pg_url"
	agent-run-create --agent echo --run r | agent-send --wait before >/dev/null
	stopped
	latest=$(pg_version)
	pg_sql "$(all_down_to 1) UPDATE agentutils_schema SET version = 1;"
	for k in 1 2 3 4; do
		mkdir -m 700 "state$k"
		start "many$k" env AU_WITNESS="$mark" agent-gateway --listen 127.0.0.1:0 --state "state$k" --store "$pg_url"
	done
	for k in 1 2 3 4; do
		await 30 has_line "many$k.out" listening || { cat "many$k.err" >&2; return 1; }
		AGENT_RUNTIME_URL=$(jq -r .url "many$k.out") agent-send --run r --wait "to $k" >/dev/null
	done
	[ "$(agent-events --url "$(jq -r .url many1.out)" r --kind agent.chat.assistant_message | wc -l)" = 5 ]
}

@test "a file that cannot be brought up to date is left as it was" {
	[ -e "$AU_BUILD/tests/faults/shim.so" ] || skip "the shim is for Linux with the GNU C library"
	faulty_gateway
	agent-run-create --agent echo --run r | agent-send --wait before >/dev/null
	agent-events --all >before
	stopped
	latest=$(sqlite_version)
	sqlite_copy 1
	sqlite_tables >tables
	for fault in disk size; do
		if [ $fault = disk ]; then
			with=(shim)
			inject sync=EIO
		else
			limits=(env --ignore-signal=XFSZ prlimit --fsize=16000)
		fi
		run faulty_gateway
		[[ $output == *"unable to use the store"* ]] || { echo "$fault: $output" >&2; return 1; }
		inject sync=0
		with=() limits=()
		sqlite_tables | diff tables -
		[ "$(sqlite_version)" = 1 ]
	done
	faulty_gateway
	agent-events --all | diff before -
	stopped
}
