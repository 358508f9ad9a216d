# shellcheck shell=sh disable=SC2034
# front.sh -- what the tests of the way to the cluster share.  Sourced behind write.sh.

# front NAME [OPTION...]: front.py before the stand-in; its port is $FRONT, its record
# $T/NAME.record.
front() {
	_front=$1
	shift
	rm -f "$T/$_front.port"
	: >"$T/$_front.record"
	bg "$_front" "$PYTHON" "$TOP/tests/front.py" "$T/$_front.port" --to "${STANDIN_URL##*:}" \
	    --record "$T/$_front.record" "$@"
	_until 20 test -s "$T/$_front.port" || bail 'front.py did not start'
	FRONT=$(cat "$T/$_front.port")
}

# recorded NAME [FILTER]: of each request that came by, by jq.
recorded() {
	jq -r "${2:-.}" "$T/$1.record"
}

# header NAME HEADER: its values in the bulk requests, each once; "none" where it is missing.
header() {
	recorded "$1" "select(.target | test(\"_bulk\")) |
	    [.headers[] | select((.[0] | ascii_downcase) == \"$2\") | .[1]] | .[0] // \"none\"" |
	    sort -u
}

# Certificates ----------------------------------------------------------------------

# authority NAME: $T/NAME.crt and .key, with which certificate signs.
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
	    -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.crt" 2>/dev/null
}

# certificate NAME AUTHORITY SUBJECT_ALT_NAME [OPTION OF openssl x509...]
certificate() {
	_certificate=$1 _authority=$2 _names=$3
	shift 3
	printf 'subjectAltName=%s\n' "$_names" >"$T/names"
	[ $# -gt 0 ] || set -- -days 30
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$_certificate" \
	    -keyout "$T/$_certificate.key" -out "$T/request" 2>/dev/null &&
		openssl x509 -req -in "$T/request" -CA "$T/$_authority.crt" \
		    -CAkey "$T/$_authority.key" -CAcreateserial -extfile "$T/names" "$@" \
		    -out "$T/$_certificate.crt" 2>/dev/null
	chmod 644 "$T/$_certificate.key"
	cat "$T/$_certificate.crt" "$T/$_authority.crt" >"$T/$_certificate.chain"
}

# fingerprint NAME: as Elasticsearch prints it, without colons.
fingerprint() {
	openssl x509 -in "$T/$1.crt" -noout -fingerprint -sha256 | sed 's/.*=//' | tr -d :
}
