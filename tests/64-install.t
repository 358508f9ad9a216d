#!/bin/sh
# What make install puts where, and make uninstall takes away; completion in bash; and the
# Debian package.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP" || exit 1
programs=$(sed -n '/^PROGRAMS/,/[^\\]$/p' Makefile | tr -c 'a-z-' '\n' | sed -n '/^pgcdc/p; /^esbulk/p' |
    sort | xargs)
root=$T/root

# run_make TARGET [VARIABLE=VALUE...]: of what is built.
run_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s B="$BUILD" "$@"
}

# tree FOLDER: its files, by their names in it.
tree() {
	(cd "$1" && find . ! -type d | sed 's/^\.//' | sort)
}

# examples: as they are in the tree.
examples() {
	(cd examples && find . -type f | sed 's/^\.//' | sort)
}

# make install ----------------------------------------------------------------------

like "$programs" '^esbulk-write .*pgcdc pgcdc-cat .*pgcdc-map pgcdc-read' "the programs: $programs"

mkdir -p "$root/usr/local/bin" "$root/usr/local/share/doc"
echo other >"$root/usr/local/bin/other"
ok 'make install' run_make install DESTDIR="$root"
version=$(sed -n 's/^VERSION[[:space:]]*= //p' Makefile)
for program in $programs; do
	is "$("$root/usr/local/bin/$program" -V)" "$program $version" "$program runs"
	ok "$program -h" "$root/usr/local/bin/$program" -h
	ok "$program has its page" [ -s "$root/usr/local/share/man/man1/$program.1" ]
done
is "$(tree "$root/usr/local/share/man" | xargs -n 1 basename | sort)" \
    "$(find man -name '*.[1-8]' -exec basename {} \; | sort)" 'all pages are there, and no others'
if command -v mandoc >"$T/null"; then
	for page in "$root"/usr/local/share/man/man?/*; do
		ok "mandoc: $(basename "$page")" mandoc -Tlint -W warning "$page"
	done
else
	skip mandoc 'NOT CHECKED: mandoc is not installed'
fi
is "$(tree "$root/usr/local/share/doc/pgcdc/examples")" "$(examples)" 'all examples are there'
ok 'the mapper among them works where it is' "$PYTHON" -m py_compile \
    "$root/usr/local/share/doc/pgcdc/examples/mapper.py"
rm -rf "$root/usr/local/share/doc/pgcdc/examples/__pycache__"
ok 'so are README.md and LICENSE' [ -s "$root/usr/local/share/doc/pgcdc/README.md" -a \
    -s "$root/usr/local/share/doc/pgcdc/LICENSE" ]
unit=$root/usr/local/lib/systemd/system/pgcdc@.service
like "$(cat "$unit")" '^ExecStart=/usr/local/bin/pgcdc run -c ' 'the unit starts the program where it is'
ok 'once more over it' run_make install DESTDIR="$root"
tree "$root" >"$T/installed"
ok 'make uninstall' run_make uninstall DESTDIR="$root"
is "$(tree "$root")" /usr/local/bin/other 'leaves what is not its own, and nothing else'
is "$(find "$root" -depth -name '*pgcdc*')" '' 'nor a folder of its own'

ok 'another PREFIX' run_make install DESTDIR="$root" PREFIX=/opt/pg
is "$(tree "$root" | grep -v '^/opt/pg/')" /usr/local/bin/other 'all of it is there'
like "$(cat "$root/opt/pg/lib/systemd/system/pgcdc@.service")" '^ExecStart=/opt/pg/bin/pgcdc run -c ' \
    'also for the unit'
is "$("$root/opt/pg/bin/pgcdc" -V)" "pgcdc $version" 'the supervisor runs there'
run_make uninstall DESTDIR="$root" PREFIX=/opt/pg
is "$(tree "$root")" /usr/local/bin/other 'uninstalled from there'

# Completion ------------------------------------------------------------------------

# offers WORD...: what bash offers for the last word, as it splits them, on one line.
cat >"$T/complete" <<-'EOT'
. completion/pgcdc.bash
[[ $(complete -p "${1##*/}") == *' -F _pgcdc '* ]] || exit
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_pgcdc "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[*]}"
EOT
offers() {
	bash --norc "$T/complete" "$@" 2>&1
}

# options PROGRAM: the long ones of its -h, sorted.
options() {
	"$1" -h | tr -c 'a-z0-9-' '\n' | grep '^--[a-z]' | sort -u | xargs
}
if command -v bash >"$T/null"; then
	for program in $programs; do
		[ "$program" != pgcdc ] || continue
		is "$(offers "$program" --)" "$(options "$program")" "$program: all long options"
	done
	subcommands=$(pgcdc -h | sed -n 's/^.*  *pgcdc \([a-z][a-z]*\) .*/\1/p' | sort -u)
	is "$(offers pgcdc '')" "$(echo "$subcommands" | xargs)" 'pgcdc: its subcommands'
	like "$(offers pgcdc '')" '^(.* )?run (.* )?snapshot( |$)' 'run and snapshot are two of them'
	is "$(offers pgcdc ru)" run 'a subcommand that was begun'
	for subcommand in $subcommands; do
		offered=" $(offers pgcdc "$subcommand" --) "
		missing=''
		for option in $(pgcdc -h | grep "pgcdc $subcommand " | tr -c 'a-z0-9-' '\n' |
		    grep '^--[a-z]') --config --help; do
			case $offered in
			*" $option "*) ;;
			*) missing="$missing $option" ;;
			esac
		done
		is "$missing" '' "pgcdc $subcommand: its options"
		is "$(offers pgcdc "$subcommand" -c LICEN)" LICENSE "pgcdc $subcommand -c: a file"
	done
	is "$(offers pgcdc run --config = LICEN)" LICENSE '--config=: too'
	is "$(offers pgcdc-read --snapshot '')" 'initial never only' 'a value that is one of some'
	is "$(offers pgcdc-read --toast = m)" mark 'one that was begun, behind ='
	is "$(offers pgcdc-read --spool-dir examples/t)" examples/tutorial 'a folder'
	is "$(offers pgcdc-read -s e)" '' 'nothing where nothing is known'
	is "$(offers pgcdc-map -m LICEN)" LICENSE 'a file, behind a short option'
	is "$(offers pgcdc-map --check LICEN)" '' 'no file behind an option without a value'
	is "$(offers esbulk-write --template LICEN)" LICENSE 'a file, which may have a name before it'
	is "$(offers pgcdc-cat LICEN)" LICENSE 'an argument that is a file'
	is "$(offers "$BUILD/bin/pgcdc-cat" LICEN)" LICENSE 'a program by its path'
	is "$(offers ./nowhere/pgcdc-read --)" '' 'one that is not there: nothing'
else
	skip 'completion' 'NOT CHECKED: bash is not installed'
fi
if command -v shellcheck >"$T/null"; then
	ok 'shellcheck' shellcheck completion/pgcdc.bash
fi

# The Debian package ----------------------------------------------------------------

if ! command -v dpkg-buildpackage >"$T/null" || ! command -v dh >"$T/null"; then
	diag 'dpkg-buildpackage OR dh IS NOT INSTALLED: the package is not checked'
	skip 'make deb' 'NOT CHECKED: dpkg-buildpackage or dh is not installed'
	done_testing
	exit
fi
like "$(head -n 1 debian/changelog)" "^pgcdc \\($version\\) " 'its version is the programs'\'''
# Quickly: what is in it does not depend on that.
ok 'make deb' env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS=noopt make -s deb B="$T"
deb=$(echo "$T"/deb/pgcdc_"$version"_*.deb)
ok 'is a package' [ -s "$deb" ]
mkdir "$T/package"
dpkg-deb -x "$deb" "$T/package"
sed -n 's,^/usr/local/,/usr/,p' "$T/installed" | grep -v -e /bin/other -e /LICENSE$ |
    sed 's,\(/man/.*\),\1.gz,; s,/doc/pgcdc/README.md$,&.gz,' >"$T/wanted"
printf '/usr/share/doc/pgcdc/%s\n' changelog.gz copyright >>"$T/wanted"
sort -o "$T/wanted" "$T/wanted"
# A larger text file among the examples is packed, too.
tree "$T/package" | sed 's,\(/examples/.*\)\.gz$,\1,' >"$T/got"
same "$T/got" "$T/wanted" 'with all that make install installs, its pages packed'
ok 'and a folder for configurations' [ -d "$T/package/etc/pgcdc" ]
for program in $programs; do
	is "$("$T/package/usr/bin/$program" -V)" "$program $version" "its $program runs"
done
like "$(cat "$T/package/usr/lib/systemd/system/pgcdc@.service")" '^ExecStart=/usr/bin/pgcdc run -c ' \
    'the unit starts it'
depends=$(dpkg-deb -f "$deb" Depends)
for library in libpq5 libcurl4 libmicrohttpd12 libmsgpackc2 libyaml-0-2 libyajl2 libc6 zlib1g libssl3; do
	like "$depends" "(^|, )$library(t64)?( |,|\$)" "it depends on $library"
done
is "$(dpkg-deb -f "$deb" Package Version)" "$(printf 'Package: pgcdc\nVersion: %s' "$version")" \
    'its name and version'
ok 'nothing is left of its making but the packages' [ ! -e "$T/deb/pgcdc-$version" ]
if command -v lintian >"$T/null"; then
	# -O0, which makes it quick, cannot be fortified; and awk's functions are not bash's.
	lintian --allow-root -I --suppress-tags hardening-no-fortify-functions,bash-term-in-posix-shell \
	    "$T"/deb/*.changes >"$T/lintian" 2>&1
	is "$(grep -v '^running with root' "$T/lintian")" '' 'lintian has nothing to say'
else
	diag 'lintian IS NOT INSTALLED'
	skip lintian 'NOT CHECKED: lintian is not installed'
fi
done_testing
