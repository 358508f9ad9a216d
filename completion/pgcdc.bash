# shellcheck shell=bash
# pgcdc.bash -- completion for pgcdc and the programs that it runs.
#
# What there is to complete is what the program says itself, by -h: its options, the
# kind of their values, its subcommands.  So it fits the program that is installed.  It
# needs nothing but bash.  The programs' links to it are loaded on demand where the
# package bash-completion is; else: . /usr/local/share/bash-completion/completions/pgcdc

# _pgcdc_usage SUBCOMMAND: standard input without the usage of other subcommands.
_pgcdc_usage()
{
	awk -v mine="$1" '
	{
		line = $0
		usage = sub(/^(usage:)? +pgcdc +/, "", line) || sub(/^usage: pgcdc +/, "", line)
		if (usage && line ~ /^[a-z]/) {
			split(line, word, /[^a-z-]/)
			other = word[1] != mine
			while (match(line, /--[a-z][a-z0-9-]*/)) {
				option = substr(line, RSTART, RLENGTH)
				line = substr(line, RSTART + RLENGTH)
				if (other)
					elsewhere[option] = 1
				else
					here[option] = 1
			}
			if (other)
				next
		}
		text[++n] = $0
	}
	END {
		for (i = 1; i <= n; i++) {
			if (text[i] ~ /^ *-/ && match(text[i], /--[a-z][a-z0-9-]*/)) {
				option = substr(text[i], RSTART, RLENGTH)
				if (option in elsewhere && !(option in here))
					continue
			}
			print text[i]
		}
	}'
}

# _pgcdc_value OPTION: what standard input says behind it, such as FILE or mark|fetch.
_pgcdc_value()
{
	awk -v option="$1" '
	{
		for (i = 1; i <= NF; i++) {
			name = $i
			value = $(i + 1)
			gsub(/^\[+|[],]+$/, "", name)
			if (name ~ /^--[a-z0-9-]+\[?=/) {
				value = name
				sub(/^[^=]*=/, "", value)
				sub(/\[?=.*/, "", name)
			} else if (name == option && value ~ /^--/ && i < NF)
				value = $(i + 2)
			if (name == option) {
				sub(/\]+$/, "", value)
				print value
				exit
			}
		}
	}'
}

_pgcdc()
{
	local command=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local help value subcommand='' i
	local IFS=$'\n'
	COMPREPLY=()
	help=$(command "${command/#\~/$HOME}" -h 2>/dev/null) || return 0
	# Bash takes --option=value for three words.
	if [[ $word == '=' ]]; then
		word=''
	elif [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ ${command##*/} == pgcdc ]]; then
		for ((i = 1; i < COMP_CWORD; i++)); do
			if [[ ${COMP_WORDS[i]} == [a-z]* ]]; then
				subcommand=${COMP_WORDS[i]}
				break
			fi
		done
		if [[ -z $subcommand && $word != -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(sed -n \
			    's/^\(usage:\)\{0,1\} *pgcdc  *\([a-z][a-z-]*\).*/\2/p' <<<"$help" | sort -u)" -- "$word")
			return 0
		fi
		help=$(_pgcdc_usage "$subcommand" <<<"$help")
	fi
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -e '--[a-z][a-z0-9-]*' <<<"$help" |
		    sort -u)" -- "$word")
		return 0
	fi
	if [[ $before == -* ]]; then
		value=$(_pgcdc_value "$before" <<<"$help")
		case ${command##*/}:$before in
		pgcdc:-c | pgcdc:--config) value=FILE ;;
		esac
		case $value in
		*FILE | *SOCKET | *PATH)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return 0
			;;
		*DIR)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return 0
			;;
		[a-z]*'|'*)
			mapfile -t COMPREPLY < <(compgen -W "${value//|/$IFS}" -- "$word")
			return 0
			;;
		[A-Z]* | '['*) return 0 ;;
		esac
	fi
	case ${command##*/}:$subcommand in
	pgcdc-cat: | pgcdc:replay)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	esac
}
complete -F _pgcdc pgcdc pgcdc-read pgcdc-map esbulk-write pgcdc-cat pgcdc-log
