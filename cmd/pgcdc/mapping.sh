# The mapping file ------------------------------------------------------------------

# The pipeline runs on a copy, for a restart must not read a file that is being
# edited.  It is replaced only by what passed the check; the check is on the user's
# own path, so that its messages name it, and on the same bytes.
install_mapping()
{
	[ -z "$PGCDC_MAP_COMMAND" ] || return 0
	command -v pgcdc-map >/dev/null || {
		log error 'pgcdc-map is not found or not executable'
		return 100
	}
	for _try in 1 2 3 4 5; do
		rm -f "$_rundir/mapping.new"
		rm -f "$_own/check.reason"
		cp -- "$PGCDC_MAPPING" "$_rundir/mapping.new" 2>/dev/null
		set -- pgcdc-map -m "$PGCDC_MAPPING" --check
		[ "$_verbose" -eq 0 ] || set -- "$@" -v
		PGCDC_REASON=$_own/check.reason "$@" </dev/null >"$_own/check" 2>&1 4>&-
		_rc=$?
		# What it says of the file are no events.
		if command -v pgcdc-log >/dev/null; then
			PGCDC_REASON=$_own/check.reason pgcdc-log --wrap pgcdc-map <"$_own/check"
		else
			cat "$_own/check" >&2
		fi
		if [ "$_rc" -eq 111 ] || [ "$_rc" -gt 128 ]; then
			return 111
		elif [ "$_rc" -ne 0 ]; then
			return 100
		fi
		if cmp -s -- "$PGCDC_MAPPING" "$_rundir/mapping.new"; then
			mv -f "$_rundir/mapping.new" "$_rundir/mapping" 2>/dev/null && return
			break
		fi
	done
	log error 'cannot copy the mapping file' mapping "$PGCDC_MAPPING" rundir "$_rundir"
	return 111
}

# HUP.  When the pipeline ends meanwhile, the next one takes the new file anyhow; so
# the order is: the file, then which pipeline is the current one.
reload()
{
	exec 6>>"$_own/reload.lock"
	flock 6
	tell --reloading 'STATUS=reloading'
	install_mapping || {
		read_reason "$_own/check.reason"
		set -- mapping "$PGCDC_MAPPING"
		[ -z "$_reason" ] || set -- "$@" reason "$_reason"
		log error 'the new mapping is refused; the old one stays in force' "$@"
		# Else the pipeline will say so when it is.
		[ ! -e "$_own/ready" ] ||
		    tell READY=1 "STATUS=the new mapping is refused, the old one is in force: $_reason"
		return
	}
	# None: the first one is yet to start, or the last one was stopped.
	{ read -r _g <"$_own/current"; } 2>/dev/null || return 0
	log info 'reloading: the pipeline is drained and started again'
	{ echo >"$_g/reload"; } 2>/dev/null
	[ -z "$_nap" ] || kill -s KILL "$_nap" 2>/dev/null
	exec 6>&-
	drain "$_g"
}

