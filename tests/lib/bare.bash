# bare.bash - a root file system with what every Debian has and nothing else, made of this one's own files, and programs that run in it
# shellcheck shell=bash

can_be_bare() { [ "$(id -u)" = 0 ] && command -v dpkg-query >/dev/null && unshare --mount --pid --fork true 2>/dev/null; }

# bare_packages: the essential ones, and what those depend on
bare_packages() {
	dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n' | awk -F '\t' '
		$1 == "installed" {
			needs[$2] = $5
			by[$2] = $2
			if ($3 == "yes") todo[n++] = $2
			count = split($4, names, /, */)
			for (i = 1; i <= count; i++) { sub(/ .*/, "", names[i]); by[names[i]] = by[names[i]] ? by[names[i]] : $2 }
		}
		END {
			for (at = 0; at < n; at++) {
				if (seen[todo[at]]++) continue
				print todo[at]
				count = split(needs[todo[at]], names, /[,|] */)
				for (i = 1; i <= count; i++) {
					sub(/[ :(].*/, "", names[i])
					if (by[names[i]]) todo[n++] = by[names[i]]
				}
			}
		}'
}

# bare_root DIRECTORY: makes it
bare_root() {
	local name
	mkdir -p "$1"/{dev,etc,proc,root,run,sys,tmp,usr/{bin,lib,sbin},var/tmp}
	for name in /bin /sbin /lib /lib64; do
		[ ! -L "$name" ] || { mkdir -p "$1/$(readlink "$name")" && ln -s "$(readlink "$name")" "$1$name"; }
	done
	# shellcheck disable=SC2046 # names of packages
	{ dpkg -L $(bare_packages) | grep -vE '^/usr/share/(doc|man|info|locale|lintian|bug)/' | while read -r name; do
		[ -d "$name" ] && [ ! -L "$name" ] || printf '%s\n' "${name#/}"
	done && cd / && find etc/alternatives usr/bin/awk; } | sort -u | tar -C / -cf - --ignore-failed-read --no-recursion -T - 2>/dev/null | tar -C "$1" -xf -
	cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
	cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
	echo '127.0.0.1 localhost' >"$1/etc/hosts"
}

# bare_run DIRECTORY COMMAND...: in it, as process 1 of its own; what it mounts and what it leaves behind end with it
bare_run() {
	local root=$1
	shift
	# shellcheck disable=SC2016 # it is the inner shell that expands
	unshare --mount --propagation private --pid --fork sh -eu -c '
		root=$1
		shift
		mount -t proc proc "$root/proc"
		mount -t tmpfs tmpfs "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		mkdir "$root/dev/pts" "$root/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
		ln -s pts/ptmx "$root/dev/ptmx"
		for device in null zero full random urandom tty; do
			: >"$root/dev/$device"
			mount --bind "/dev/$device" "$root/dev/$device"
		done
		ln -s /proc/self/fd "$root/dev/fd"
		exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LC_ALL=C.UTF-8 "$@"' sh "$root" "$@"
}
