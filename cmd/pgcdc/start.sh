#!/bin/sh
#
# pgcdc: runs pgcdc-read | pgcdc-map | esbulk-write and keeps them running; pgcdc(1).
#
# How it hangs together:
#
# - The three stages are an anonymous pipeline in the background.  Each stage is the
#   child of a small shell that waits for it and writes "STAGE STATUS" to a third
#   descriptor; collect() reads those lines, and the supervisor waits for collect().
#   dash has no `wait -n`, and runs a trap only between commands or in `wait`: so the
#   supervisor itself waits for background processes only, and a trap does its work at
#   once (or in a process of its own) instead of leaving a flag that could be seen late.
# - Each start of the pipeline has a directory of its own, with the stages' pids and a
#   lock that they inherit and nobody else holds.  "All of them are gone" is "the lock
#   is free": the kernel's word, awaited with a bound and without polling, and
#   nothing late can meet the next pipeline.  The supervisor's own lock is not
#   inherited.  watch() waits for that lock's end: a supervisor killed with -9 leaves
#   no pipeline behind.
# - The configuration's other variables are exported as they are, so all names of
#   this script begin with an underscore, and the file may not set such names.
#
# - A descriptor is closed by `exec` in a subshell, not by a redirection of a function:
#   dash would keep a copy of it until the function ends.
#
# Descriptors: 3 statuses and the reader's states, 4 standard output, 5 standard error,
# 6 that of --ready-fd (a reload's lock in the process that does one), 7 "the supervisor
# lives", 8 the pipeline's lock, 9 the run directory's lock.

set -uf
umask 077

_version='@VERSION@'
_nl='
'
_tab=$(printf '\t')
_cr=$(printf '\r')
_blank=" $_tab"

_verbose=0
_json=0
_stop=0 # TERMs and INTs so far
_nap=   # a background process that a TERM ends at once
_gen=   # the running pipeline's directory
_own=   # this supervisor's directory, which holds it
_rundir=
_file=
_lineno=0
_where= # " KEY:LINE" for every variable of the file
_reason= # what the program that failed said last
_ready_file=
_ready_fd= # given; it is descriptor 6 then
_since=    # for status.last: when the supervisor was started, and
_restarts=0
_last_exit= # which stage broke, with which status, and
_last_time= # when
_why=

usage()
{
	cat <<-'END'
	usage: pgcdc run -c FILE [-v] [--ready-file FILE] [--ready-fd N]
	       pgcdc status -c FILE [--watch[=SECONDS]] [--json]
	       pgcdc replay -c FILE [DEADLETTERS]
	       pgcdc snapshot -c FILE [TABLE...]
	       pgcdc check -c FILE [--json]
	       pgcdc setup -c FILE [-d CONNINFO] [--tables LIST] [--print]
	       pgcdc drop -c FILE [-d CONNINFO] [--yes]
	       pgcdc -h | -V

	run            run the pipeline that FILE configures, until it ends or is stopped
	snapshot       have the pipeline that runs load tables (again); without any, tell how
	               far it is with those that it loads
	status         tell on one screen how the pipeline is
	replay         send dead letters again that were set aside
	check          look for what is missing, wherever, and say how to mend it
	setup          make the publication, the slot and the index templates
	drop           the reverse; asks before
	    --print    show the SQL and the requests instead
	    --tables   publish these, as SQL has their names, not those of the mapping
	    --yes      don't ask
	-d, --dbname   connect so, for instance as a superuser
	--ready-file, --ready-fd
	               the file is there while the pipeline is ready, and the descriptor gets a
	               newline when it is for the first time
	--watch        look again every two seconds, or so many
	--json         as a JSON object a line
	-c, --config   the configuration: lines of KEY=VALUE
	-v, --verbose  log more
	-h, --help     this text
	-V, --version  the version
	END
}

