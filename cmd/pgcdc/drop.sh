# pgcdc drop -----------------------------------------------------------------------

# show_drop: what would be done, as lines of SQL and requests.
show_drop()
{
	shown pgcdc-read reader --drop=print || end_findings
	printf '%s\n' "$_out"
	shown esbulk-write writer --drop "$PGCDC_SLOT" --print || end_findings
	printf '%s\n' "$_out"
	word "$_state_file"
	[ ! -e "$_state_file" ] || printf 'rm %s\n' "$_word"
}

drop()
{
	errand_options drop "$@"
	_tables='' _no_state=1
	if [ "$_yes" -eq 0 ] && [ ! -t 0 ]; then
		trouble 100 drop 'nobody can be asked, for standard input is no terminal' \
		    'to drop without a question: --yes'
		end_findings
	fi
	if [ -e "$_rundir/lock" ] && ! flock -n -s "$_rundir/lock" true; then
		trouble 111 'run directory' "a pgcdc runs with $_rundir" 'stop it first'
		end_findings
	fi
	if [ "$_yes" -eq 0 ]; then
		show_drop
		printf 'Documents and indexes stay.  Drop all of this? (yes/no) '
		_answer=
		read -r _answer
		if [ "$_answer" != yes ]; then
			trouble 100 drop 'nothing was dropped' ''
			end_findings
		fi
	fi
	_out=$(reader --drop 2>&1)
	_rc=$?
	take_findings pgcdc-read "$_rc" "$_out"
	[ "$_rc" -eq 0 ] || end_findings
	_out=$(writer --drop "$PGCDC_SLOT" 2>&1)
	take_findings esbulk-write $? "$_out"
	if [ ! -e "$_state_file" ]; then
		finding ok state "$_state_file is not there" ''
	elif rm -f -- "$_state_file" 2>/dev/null; then
		finding ok state "removed $_state_file" ''
	else
		word "$_state_file"
		trouble 100 state "$_state_file cannot be removed" "run: rm $_word"
	fi
	end_findings
}

