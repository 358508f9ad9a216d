#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "utf8.h"
#include "value.h"

/* pg_type.dat of PostgreSQL 15, by OID; arrays by their element's name. */
static const struct {
	uint16_t oid;
	const char *name;
} types[] = {
	{ 16, "bool" }, { 17, "bytea" }, { 18, "char" }, { 19, "name" },
	{ 20, "int8" }, { 21, "int2" }, { 22, "int2vector" }, { 23, "int4" },
	{ 25, "text" }, { 26, "oid" }, { 27, "tid" }, { 28, "xid" }, { 29, "cid" },
	{ 30, "oidvector" }, { 114, "json" }, { 142, "xml" }, { 143, "xml[]" },
	{ 199, "json[]" }, { 271, "xid8[]" }, { 600, "point" }, { 601, "lseg" },
	{ 602, "path" }, { 603, "box" }, { 604, "polygon" }, { 628, "line" },
	{ 629, "line[]" }, { 650, "cidr" }, { 651, "cidr[]" }, { 700, "float4" },
	{ 701, "float8" }, { 718, "circle" }, { 719, "circle[]" }, { 774, "macaddr8" },
	{ 775, "macaddr8[]" }, { 790, "money" }, { 791, "money[]" },
	{ 829, "macaddr" }, { 869, "inet" }, { 1000, "bool[]" }, { 1001, "bytea[]" },
	{ 1002, "char[]" }, { 1003, "name[]" }, { 1005, "int2[]" },
	{ 1006, "int2vector[]" }, { 1007, "int4[]" }, { 1009, "text[]" },
	{ 1010, "tid[]" }, { 1011, "xid[]" }, { 1012, "cid[]" },
	{ 1013, "oidvector[]" }, { 1014, "bpchar[]" }, { 1015, "varchar[]" },
	{ 1016, "int8[]" }, { 1017, "point[]" }, { 1018, "lseg[]" },
	{ 1019, "path[]" }, { 1020, "box[]" }, { 1021, "float4[]" },
	{ 1022, "float8[]" }, { 1027, "polygon[]" }, { 1028, "oid[]" },
	{ 1040, "macaddr[]" }, { 1041, "inet[]" }, { 1042, "bpchar" },
	{ 1043, "varchar" }, { 1082, "date" }, { 1083, "time" }, { 1114, "timestamp" },
	{ 1115, "timestamp[]" }, { 1182, "date[]" }, { 1183, "time[]" },
	{ 1184, "timestamptz" }, { 1185, "timestamptz[]" }, { 1186, "interval" },
	{ 1187, "interval[]" }, { 1231, "numeric[]" }, { 1263, "cstring[]" },
	{ 1266, "timetz" }, { 1270, "timetz[]" }, { 1560, "bit" }, { 1561, "bit[]" },
	{ 1562, "varbit" }, { 1563, "varbit[]" }, { 1700, "numeric" },
	{ 1790, "refcursor" }, { 2201, "refcursor[]" }, { 2949, "txid_snapshot[]" },
	{ 2950, "uuid" }, { 2951, "uuid[]" }, { 2970, "txid_snapshot" },
	{ 3614, "tsvector" }, { 3615, "tsquery" }, { 3642, "gtsvector" },
	{ 3643, "tsvector[]" }, { 3644, "gtsvector[]" }, { 3645, "tsquery[]" },
	{ 3802, "jsonb" }, { 3807, "jsonb[]" }, { 3904, "int4range" },
	{ 3905, "int4range[]" }, { 3906, "numrange" }, { 3907, "numrange[]" },
	{ 3908, "tsrange" }, { 3909, "tsrange[]" }, { 3910, "tstzrange" },
	{ 3911, "tstzrange[]" }, { 3912, "daterange" }, { 3913, "daterange[]" },
	{ 3926, "int8range" }, { 3927, "int8range[]" }, { 4072, "jsonpath" },
	{ 4073, "jsonpath[]" }, { 4451, "int4multirange" }, { 4532, "nummultirange" },
	{ 4533, "tsmultirange" }, { 4534, "tstzmultirange" },
	{ 4535, "datemultirange" }, { 4536, "int8multirange" }, { 5069, "xid8" },
	{ 6150, "int4multirange[]" }, { 6151, "nummultirange[]" },
	{ 6152, "tsmultirange[]" }, { 6153, "tstzmultirange[]" },
	{ 6155, "datemultirange[]" }, { 6157, "int8multirange[]" },
};

const char *
value_type_name(uint32_t oid)
{
	size_t lo = 0, hi = sizeof(types) / sizeof(types[0]);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (types[mid].oid == oid)
			return types[mid].name;
		if (types[mid].oid < oid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

enum value_kind
value_kind(uint32_t oid)
{
	switch (oid) {
	case 16: return VALUE_BOOL;
	case 17: return VALUE_BYTEA;
	case 20:
	case 21:
	case 23:
	case 26: return VALUE_INT;
	case 114:
	case 3802: return VALUE_JSON;
	case 700:
	case 701: return VALUE_FLOAT;
	case 1114: return VALUE_TIMESTAMP;
	case 1184: return VALUE_TIMESTAMPTZ;
	default: return VALUE_TEXT;
	}
}

static void
put_text(struct buf *b, const char *text, size_t len)
{
	if (utf8_valid(text, len))
		frame_put_str(b, text, len);
	else
		frame_put_bin(b, text, len);
}

static void
put_int(struct buf *b, const char *text, size_t len)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t n = 0;
	size_t i = negative ? 1 : 0;

	if (i == len || len - i > 19) {
		put_text(b, text, len);
		return;
	}
	for (; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			put_text(b, text, len);
			return;
		}
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (negative)
		frame_put_int(b, (int64_t)(0 - n));
	else
		frame_put_uint(b, n);
}

static void
put_float(struct buf *b, const char *text, size_t len)
{
	char tmp[64], *end;
	double d;

	if (len == 0 || len >= sizeof(tmp)) {
		put_text(b, text, len);
		return;
	}
	memcpy(tmp, text, len);
	tmp[len] = '\0';
	/* float4 too: 0.1 shall stay 0.1, not become 0.10000000149011612. */
	d = strtod(tmp, &end);
	if (*end != '\0')
		put_text(b, text, len);
	else
		frame_put_float(b, d);
}

/* "2026-11-23 01:02:03.4+00", "0044-03-15 00:00:00 BC", "infinity". */
static void
put_timestamp(struct buf *b, const char *text, size_t len, bool zone)
{
	const char *space = memchr(text, ' ', len);
	size_t at = space ? (size_t)(space - text) : 0, tail = 0;
	char tmp[64];

	if (space == NULL || len + 1 >= sizeof(tmp)) {
		put_text(b, text, len);
		return;
	}
	memcpy(tmp, text, len);
	tmp[at] = 'T';
	if (len > 3 && memcmp(text + len - 3, " BC", 3) == 0)
		tail = 3;
	if (zone && len - tail > 3 && memcmp(text + len - tail - 3, "+00", 3) == 0) {
		tmp[len - tail - 3] = 'Z';
		memcpy(tmp + len - tail - 2, text + len - tail, tail);
		len -= 2;
	}
	frame_put_str(b, tmp, len);
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
put_bytea(struct buf *b, const char *text, size_t len)
{
	msgpack_packer pk;
	size_t n;
	char *out;

	if (len < 2 || len % 2 != 0 || text[0] != '\\' || text[1] != 'x') {
		put_text(b, text, len);
		return;
	}
	n = (len - 2) / 2;
	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_bin(&pk, n);
	out = buf_reserve(b, n);
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(text[2 + 2 * i]), lo = nibble(text[3 + 2 * i]);

		/* The server writes nothing else: a digit that is none becomes 0. */
		out[i] = (char)((hi < 0 ? 0 : hi) << 4 | (lo < 0 ? 0 : lo));
	}
	b->len += n;
}

void
value_put(struct buf *b, enum value_kind kind, const char *text, size_t len)
{
	switch (kind) {
	case VALUE_TEXT: put_text(b, text, len); return;
	case VALUE_BOOL:
		if (len == 1 && (text[0] == 't' || text[0] == 'f'))
			frame_put_bool(b, text[0] == 't');
		else
			put_text(b, text, len);
		return;
	case VALUE_INT: put_int(b, text, len); return;
	case VALUE_FLOAT: put_float(b, text, len); return;
	case VALUE_TIMESTAMP: put_timestamp(b, text, len, false); return;
	case VALUE_TIMESTAMPTZ: put_timestamp(b, text, len, true); return;
	case VALUE_JSON:
		if (utf8_valid(text, len))
			frame_put_ext(b, FRAME_EXT_JSON, text, len);
		else
			frame_put_bin(b, text, len);
		return;
	case VALUE_BYTEA: put_bytea(b, text, len); return;
	}
}
