# pgcdc status ---------------------------------------------------------------------

# scrape NAME LETTER: a stage's metrics, a line each behind the letter, without prefix.
scrape()
{
	[ -S "$_rundir/$1.http" ] || return 0
	curl -sS --max-time 5 --noproxy '*' --unix-socket "$_rundir/$1.http" \
	    http://localhost/metrics 2>/dev/null | sed -n "s/^pgcdc_$1_/$2 /p"
}

# look: all that is known now, a line each: a letter, a name, and what it is.
look()
{
	read -r _up _ </proc/uptime
	printf '%s\n' "i uptime $_up" "i slot $PGCDC_SLOT" "i time $(date -u +%Y-%m-%dT%H:%M:%SZ)" \
	    "i ticks $_ticks" "i page $_page" "i dead_letter $PGCDC_DEAD_LETTER" "i rundir $_rundir"
	[ -e "$_rundir" ] || echo 'i nowhere 1'
	[ ! -r "$_rundir/lock" ] || flock -n -s -- "$_rundir/lock" true || echo 'i running 1'
	[ ! -r "$_rundir/status.last" ] || sed 's/^\([a-z_]*\)=/l \1 /' "$_rundir/status.last"
	# What the reader said last, while it tries again.
	set +f
	for _run in "$_rundir"/run.*/current; do
		_gen=
		{ read -r _gen <"$_run"; } 2>/dev/null
		read_reason "$_gen/read.reason"
		[ -z "$_reason" ] || printf 'i trouble %s\n' "$_reason"
	done
	set -f
	for _name in read map write; do
		_pid=
		{ read -r _pid <"$_rundir/$_name.pid"; } 2>/dev/null
		[ -z "$_pid" ] || ! { read -r _stat <"/proc/$_pid/stat"; } 2>/dev/null ||
		    echo "p $_name $_pid ${_stat##*) }"
	done
	scrape read r
	scrape write w
	[ ! -S "$_rundir/write.http" ] || curl -sS --max-time 5 --noproxy '*' \
	    --unix-socket "$_rundir/write.http" http://localhost/status 2>/dev/null | sed 's/^/s problem /'
}

# show BEFORE NOW: the screen, or the object; the status says whether all is well.
show()
{
	printf '%s\nnext\n%s\n' "$1" "$2" |
	    awk -v json="$_json_out" -v clear="$_clear" "$_status_awk$_status_show"
}

# on_terminal: drawn over what is there.
on_terminal()
{
	[ "$_json_out" -eq 0 ] && [ "$_every" != '' ] && [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]
}

status()
{
	_config='' _every='' _json_out=0 _clear=0
	while [ $# -gt 0 ]; do
		case $1 in
		-c* | --config | --config=* | -h | --help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		--watch) _every=2 ;;
		--watch=*) _every=${1#*=} ;;
		--json) _json_out=1 ;;
		*) misuse "unexpected argument $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'status needs -c FILE'
	case $_every in
	*[!0-9.]* | . | *.*.* | 0 | 0. | .0 | 0.0*) misuse '--watch needs a number of seconds' ;;
	esac
	load_config "$_config"
	check_config
	find_programs
	name_rundir
	for _tool in awk curl flock; do
		command -v "$_tool" >/dev/null || die 100 "$_tool(1) is needed"
	done
	# Else what runs there would be shown as not running.
	if [ -e "$_rundir" ]; then
		if [ ! -r "$_rundir" ] || [ ! -x "$_rundir" ] || { [ -e "$_rundir/lock" ] && [ ! -r "$_rundir/lock" ]; }; then
			die 100 'the run directory cannot be looked into: ask as its user, or as root' \
			    rundir "$_rundir"
		fi
	fi
	_ticks=$(getconf CLK_TCK 2>/dev/null) || _ticks=100
	_page=$(getconf PAGESIZE 2>/dev/null) || _page=4096
	! on_terminal || _clear=1
	trap 'exit 0' INT TERM
	_look=$(look)
	if [ -z "$_every" ]; then
		# What is not running has no rates.
		case $_nl$_look in
		*"${_nl}i running"*) sleep 1 ;;
		esac
		_before=$_look _look=$(look)
		show "$_before" "$_look"
		exit
	fi
	[ "$_clear" -eq 0 ] || printf '\033[H\033[J'
	_before=$_look
	while :; do
		_screen=$(show "$_before" "$_look")
		# Nobody looks any more.
		printf '%s\n' "$_screen" 2>/dev/null || exit 0
		sleep "$_every" &
		wait $!
		_before=$_look _look=$(look)
	done
}

# The looks, taken in: i[], l[], p[], and of the metrics m["r NAME"], the sum over all
# labels, and by[], of some of them.  The earlier look is in was[].
_status_awk='
BEGIN { CONVFMT = "%.15g" }
# label KEY: the value of a label of the line at hand, as it stands there.
function label(key,  at, rest, out, c)
{
	at = index($0, "{" key "=\"")
	if (!at)
		at = index($0, "," key "=\"")
	if (!at)
		return ""
	rest = substr($0, at + length(key) + 3)
	for (out = ""; (c = substr(rest, 1, 1)) != "\"" && c != ""; rest = substr(rest, 2)) {
		if (c == "\\") {
			rest = substr(rest, 2)
			c = substr(rest, 1, 1)
			if (c == "n")
				c = " "
		}
		out = out c
	}
	return out
}
function by_label(key)
{
	by[$1 " " name " " label(key)] += value
}
function take_metric(  oid)
{
	name = $2
	sub(/\{.*/, "", name)
	value = $NF + 0
	m[$1 " " name] += value
	known[$1 " " name] = 1
	if (name == "state" && value == 1)
		state[$1] = label("state")
	else if (name == "cluster_info")
		cluster = label("distribution") " " label("version")
	else if ($1 == "r" && name == "rows_total")
		by_label("operation")
	else if (name == "ignored_total")
		by_label("reason")
	else if (name == "retries_total") {
		if (value > 0 && !(label("cause") in cause))
			causes[++n_causes] = label("cause")
		cause[label("cause")] += value
	} else if (name == "nodes" || name == "snapshot_tables")
		by_label("state")
	else if (name ~ /^snapshot_(blocks|blocks_done|rows_total)$/) {
		oid = label("oid")
		if (!(oid in table)) {
			tables[++n_tables] = oid
			table[oid] = label("schema") "." label("table")
		}
		of[oid " " name] = value
	}
}
function forget(  k)
{
	for (k in m)
		was[k] = m[k]
	for (k in p)
		pid_was[k] = split(p[k], f, " ") ? f[1] : ""
	for (k in cpu)
		cpu_was[k] = cpu[k]
	uptime_was = i["uptime"]
	split("", m); split("", i); split("", l); split("", p); split("", by); split("", known)
	split("", state); split("", cause); split("", table); split("", of); split("", cpu)
	n_causes = n_tables = 0
	cluster = problem = ""
}
# rest N: the line from its Nth word on.
function rest(n,  s)
{
	s = $0
	while (--n > 0)
		sub(/^[^ ]* /, "", s)
	return s
}
# unjson TEXT KEY: the string that a member of an object is, or nothing.
function unjson(text, key,  at, out, c)
{
	at = index(text, "\"" key "\":\"")
	if (!at)
		return ""
	text = substr(text, at + length(key) + 4)
	for (out = ""; (c = substr(text, 1, 1)) != "\"" && c != ""; text = substr(text, 2)) {
		if (c == "\\") {
			text = substr(text, 2)
			c = substr(text, 1, 1)
		}
		out = out c
	}
	return out
}
$0 == "next" { forget(); next }
$1 == "i" { i[$2] = $0 ~ /^i [a-z_]* / ? rest(3) : ""; next }
$1 == "l" { l[$2] = $0 ~ /^l [a-z_]* / ? rest(3) : ""; next }
# Behind the name: utime and stime are fields 14 and 15, starttime 22, rss 24, of which the
# first two are gone here and the pid is back.
$1 == "p" {
	p[$2] = $3
	cpu[$2] = ($15 + $16) / i["ticks"]
	up[$2] = i["uptime"] - $23 / i["ticks"]
	rss[$2] = $25 * i["page"]
	next
}
$1 == "s" { problem = unjson($0, "problem"); next }
$1 == "r" || $1 == "w" { take_metric() }
'

