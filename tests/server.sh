# shellcheck shell=sh disable=SC2154
# server.sh -- what the scripts that start test servers share.  Sourced by them
# after they set `me`, the name in their messages.
#
# A server that refuses to run as root is run by root as $server_user, which
# the script sets; an ordinary user runs it as himself.
#
# Exit codes of these scripts: 0 done, 1 failed, 2 usage, 77 cannot be had on
# this machine (a Java or a binary that is not here).

die() {
	echo "$me: $*" >&2
	exit 1
}

unavailable() {
	echo "$me: $*" >&2
	exit 77
}

# cache_dir: prints the folder for what was downloaded, and makes it.  Root's is
# not below its home, where $server_user could not read it.
cache_dir() {
	if [ -n "${PGCDC_TEST_CACHE:-}" ]; then
		cache=$PGCDC_TEST_CACHE
	elif [ "$(id -u)" -eq 0 ]; then
		cache=/var/cache/pgcdc-tests
	else
		cache=${XDG_CACHE_HOME:-$HOME/.cache}/pgcdc-tests
	fi
	mkdir -p "$cache" || die "cannot make the cache $cache"
	(cd "$cache" && pwd)
}

# free_port: prints a TCP port that is free on 127.0.0.1 now; below the ports
# that the kernel gives to clients.  Somebody else may take it before the server
# does, so a server that cannot bind is started again on another one.
free_port() {
	perl -MIO::Socket::INET -e '
		for (1 .. 200) {
			my $port = 15000 + int rand 17000;
			IO::Socket::INET->new(LocalAddr => "127.0.0.1",
			    LocalPort => $port, Listen => 1) or next;
			print "$port\n";
			exit 0;
		}
		exit 1' || die "no free port on 127.0.0.1"
}

# as_server COMMAND...: runs it as the server's user.
as_server() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" \
		    --init-groups "$@"
	else
		"$@"
	fi
}

# server_dir DIR: makes DIR, gives it to the server's user, prints it absolute.
server_dir() {
	mkdir -p "$1" || die "cannot make $1"
	dir=$(cd "$1" && pwd)
	if [ "$(id -u)" -eq 0 ]; then
		chown "$server_user:" "$dir"
	fi
	as_server test -w "$dir" ||
		die "$dir cannot be reached by user $server_user: choose another place"
	echo "$dir"
}

# java_version HOME: prints the major version of the Java in HOME.
java_version() {
	[ -n "$1" ] && [ -x "$1/bin/java" ] || return 1
	if [ -r "$1/release" ]; then
		sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
	else
		"$1/bin/java" -XshowSettings:properties -version 2>&1 |
		    sed -n 's/.*java.specification.version = \([0-9]*\).*/\1/p'
	fi
}

# java_home MIN MAX: prints the home of an installed Java from MIN to MAX, the
# oldest one that will do; fails when there is none.
java_home() {
	java=$(command -v java 2>/dev/null || :)
	[ -z "$java" ] || java=$(readlink -f "$java")
	for home in "${JAVA_HOME:-}" "${java%/bin/java}" /usr/lib/jvm/*; do
		major=$(java_version "$home") || continue
		if [ -n "$major" ] && [ "$major" -ge "$1" ] && [ "$major" -le "$2" ]; then
			echo "$major $home"
		fi
	done | sort -n | head -n 1 | cut -d ' ' -f 2- | grep .
}
