# postgresql.bash - a PostgreSQL server of our own: on a unix socket, in a directory that is gone afterwards
#
# postgresql_available, or why not in $why; postgresql_start sets $pg_dir, postgresql_database NAME $pg_url; postgresql_end ends it all.
# shellcheck disable=SC2034
pg_bin=
for dir in "$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
	if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
		pg_bin=$dir
	fi
done

postgresql_available() {
	if ! agent-gateway --check --state "${TMPDIR:-/tmp}/none.$$" --store postgresql:///x?host=/nonexistent 2>&1 | grep -q /nonexistent; then
		why="this build has no PostgreSQL"
	elif [ -z "$pg_bin" ]; then
		why="no PostgreSQL server is installed (Debian: postgresql)"
	elif [ "$(id -u)" = 0 ] && ! id -u postgres >/dev/null 2>&1; then
		why="the server does not run as root, and there is no user postgres"
	else
		return 0
	fi
	return 1
}

# The server refuses to be root.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && setpriv --reuid postgres --regid postgres --clear-groups env HOME=/nonexistent LC_ALL=C.UTF-8 "$@")
	else
		env LC_ALL=C.UTF-8 "$@"
	fi
}

# Makes a cluster in a directory of its own, which the server's user can reach, and starts it.
postgresql_start() {
	pg_dir=$(mktemp -d /tmp/au-pg.XXXXXX) || return
	chmod 755 "$pg_dir"
	if [ "$(id -u)" = 0 ]; then
		chown postgres "$pg_dir"
	fi
	as_postgres "$pg_bin/initdb" -D "$pg_dir/data" -U agent -A trust --no-sync -E UTF8 --locale=C >"$pg_dir.initdb" 2>&1 || {
		cat "$pg_dir.initdb" >&2
		return 1
	}
	cat >>"$pg_dir/data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$pg_dir'
		unix_socket_permissions = 0777
		max_connections = 200
		shared_buffers = 64MB
		fsync = ${pg_fsync:-off}
	END
	postgresql_up
}
postgresql_up() { as_postgres "$pg_bin/pg_ctl" -D "$pg_dir/data" -l "$pg_dir/log" -w -t 60 start >/dev/null 3>&- || { cat "$pg_dir/log" >&2; return 1; }; }
# postgresql_down [fast|immediate]
postgresql_down() { as_postgres "$pg_bin/pg_ctl" -D "$pg_dir/data" -m "${1:-fast}" -w -t 60 stop >/dev/null 3>&-; }
postgresql_end() {
	postgresql_down immediate
	rm -rf "$pg_dir" "$pg_dir.initdb"
}
pg_sql() { psql -X -q -At -h "$pg_dir" -U agent -d "${pg_database:-postgres}" -c "$1"; }
# postgresql_database NAME: a fresh database; sets $pg_url
postgresql_database() {
	pg_database=postgres pg_sql "CREATE DATABASE $1"
	pg_database=$1
	pg_url="postgresql://agent@/$1?host=$pg_dir"
}
