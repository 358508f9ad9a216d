#!/bin/sh
# Scripts are clean under shellcheck, and manual pages under mandoc -Tlint.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1

# files: what belongs to the tree, whether or not git knows it yet.
files() {
	git ls-files -co --exclude-standard 2>/dev/null ||
		find . -name build -prune -o -name .git -prune -o -type f -print
}

# is_sh FILE: a script for sh, or one to be sourced by such.
is_sh() {
	head -n 1 "$1" 2>/dev/null | grep -Eq '^#! ?/bin/sh|^# shellcheck shell=sh'
}

# have TOOL: says loudly what is not checked when it is not here.
have() {
	command -v "$1" >/dev/null && return
	diag "$1 IS NOT INSTALLED: what it checks is not checked"
	skip "$1" 'not installed'
	return 1
}

if have shellcheck; then
	files | while read -r file; do
		! is_sh "$file" || echo "$file"
	done >"$T/scripts"
	# Its parts are no scripts of their own.
	echo "$BUILD/bin/pgcdc" >>"$T/scripts"
	ok 'there are scripts' test -s "$T/scripts"
	while read -r file; do
		ok "shellcheck: $file" shellcheck "$file"
	done <"$T/scripts"
fi
if have mandoc; then
	set -- man/*.[1-8]
	ok 'there are manual pages' test -f "$1"
	for page; do
		ok "mandoc: $page" mandoc -Tlint -W warning "$page"
	done
fi
done_testing
