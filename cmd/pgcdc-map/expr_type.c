#include <string.h>

#include "expr_type.h"

/*
 * Type OIDs of PostgreSQL's src/include/catalog/pg_type.dat, which never change: those that
 * are not text here.
 */
static const struct {
	uint32_t oid;
	enum expr_kind kind;
} kinds[] = { { 16, KIND_BOOL }, { 17, KIND_BYTEA }, { 20, KIND_INT8 }, { 21, KIND_INT2 },
	{ 22, KIND_ARRAY }, { 23, KIND_INT4 }, { 26, KIND_OID }, { 30, KIND_ARRAY },
	{ 114, KIND_JSON }, { 700, KIND_FLOAT }, { 701, KIND_FLOAT }, { 1042, KIND_BPCHAR },
	{ 1082, KIND_DATE }, { 1083, KIND_CLOCK }, { 1266, KIND_TIMETZ }, { 1114, KIND_TIMESTAMP }, { 1184, KIND_TIMESTAMPTZ },
	{ 1700, KIND_NUMERIC }, { 2950, KIND_UUID }, { 3802, KIND_JSON }, { 3904, KIND_RANGE },
	{ 3906, KIND_RANGE }, { 3908, KIND_RANGE }, { 3910, KIND_RANGE }, { 3912, KIND_RANGE },
	{ 3926, KIND_RANGE }, { 4451, KIND_RANGE }, { 4532, KIND_RANGE }, { 4533, KIND_RANGE },
	{ 4534, KIND_RANGE }, { 4535, KIND_RANGE }, { 4536, KIND_RANGE } };

/* The arrays of built-in types. */
static const uint16_t arrays[] = { 143, 199, 271, 629, 651, 719, 775, 791, 1000, 1001, 1002,
	1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018,
	1019, 1020, 1021, 1022, 1027, 1028, 1034, 1040, 1041, 1115, 1182, 1183, 1185, 1187, 1231,
	1263, 1270, 1561, 1563, 2201, 2207, 2208, 2209, 2210, 2211, 2949, 2951, 3221, 3643, 3644,
	3645, 3735, 3770, 3807, 3905, 3907, 3909, 3911, 3913, 3927, 4073, 4090, 4097, 4192, 5039,
	6150, 6151, 6152, 6153, 6155, 6157 };

/* The names that a cast knows; SQL allows them all. */
static const struct {
	const char *name;
	enum expr_kind kind;
} names[] = { { "text", KIND_TEXT }, { "varchar", KIND_TEXT },
	{ "character varying", KIND_TEXT }, { "int", KIND_INT4 }, { "integer", KIND_INT4 },
	{ "int4", KIND_INT4 }, { "int2", KIND_INT2 }, { "smallint", KIND_INT2 },
	{ "int8", KIND_INT8 }, { "bigint", KIND_INT8 }, { "numeric", KIND_NUMERIC },
	{ "decimal", KIND_NUMERIC }, { "float8", KIND_FLOAT }, { "float4", KIND_FLOAT },
	{ "float", KIND_FLOAT }, { "real", KIND_FLOAT }, { "double precision", KIND_FLOAT },
	{ "bool", KIND_BOOL }, { "boolean", KIND_BOOL }, { "date", KIND_DATE }, { "time", KIND_CLOCK },
	{ "timestamp", KIND_TIMESTAMP }, { "timestamp without time zone", KIND_TIMESTAMP },
	{ "timestamptz", KIND_TIMESTAMPTZ }, { "timestamp with time zone", KIND_TIMESTAMPTZ } };

enum expr_kind
expr_kind_of(uint32_t oid)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].oid == oid)
			return kinds[i].kind;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		if (arrays[i] == oid)
			return KIND_ARRAY;
	return KIND_TEXT;
}

const char *
expr_kind_name(enum expr_kind kind)
{
	static const char *const is[] = { [KIND_UNKNOWN] = "unknown", [KIND_BOOL] = "boolean",
		[KIND_INT2] = "int2", [KIND_INT4] = "int4", [KIND_INT8] = "int8",
		[KIND_OID] = "oid", [KIND_NUMERIC] = "numeric", [KIND_FLOAT] = "float8",
		[KIND_TEXT] = "text", [KIND_BPCHAR] = "char", [KIND_UUID] = "uuid", [KIND_CLOCK] = "time",
		[KIND_DATE] = "date", [KIND_TIMESTAMP] = "timestamp",
		[KIND_TIMESTAMPTZ] = "timestamptz", [KIND_JSON] = "json", [KIND_BYTEA] = "bytea",
		[KIND_ARRAY] = "an array", [KIND_RANGE] = "a range",
		[KIND_COMPOSITE] = "a composite value", [KIND_TIMETZ] = "time with time zone" };

	return is[kind];
}

bool
expr_kind_named(const char *name, enum expr_kind *kind)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*kind = names[i].kind;
		return true;
	}
	return false;
}
