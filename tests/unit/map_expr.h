#ifndef MAP_EXPR_H
#define MAP_EXPR_H

/*
 * What the tests of expressions share: a relation with a column of each type that
 * expressions tell apart, and rows of it.
 */

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "expr.h"
#include "frame.h"

static int tests, failed;

static inline void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

enum { C_ID, C_NAME, C_FLAG, C_SMALL, C_BIG, C_OID, C_PRICE, C_RATIO, C_CODE, C_UUID, C_DAY,
	C_AT, C_AT_TZ, C_DOC, C_BYTES, C_LIST, C_SPAN, C_MOOD, C_P, C_Q, C_UPPER, COLUMNS };

static char names[COLUMNS][8] = { "id", "name", "flag", "small", "big", "oid", "price", "ratio",
	"code", "uuid", "day", "at", "at_tz", "doc", "bytes", "list", "span", "mood", "p", "q",
	"Upper" };

static struct relation_column columns[COLUMNS] = { [C_ID] = { .base_oid = 23 },
	[C_NAME] = { .base_oid = 25 }, [C_FLAG] = { .base_oid = 16 }, [C_SMALL] = { .base_oid = 21 },
	[C_BIG] = { .base_oid = 20 }, [C_OID] = { .base_oid = 26 }, [C_PRICE] = { .base_oid = 1700 },
	[C_RATIO] = { .base_oid = 701 }, [C_CODE] = { .base_oid = 1042 },
	[C_UUID] = { .base_oid = 2950 }, [C_DAY] = { .base_oid = 1082 },
	[C_AT] = { .base_oid = 1114 }, [C_AT_TZ] = { .base_oid = 1184 },
	[C_DOC] = { .base_oid = 3802 }, [C_BYTES] = { .base_oid = 17 },
	[C_LIST] = { .base_oid = 1007 }, [C_SPAN] = { .base_oid = 3904 },
	[C_MOOD] = { .base_oid = 16400 }, [C_P] = { .base_oid = 25 }, [C_Q] = { .base_oid = 25 },
	[C_UPPER] = { .base_oid = 25 } };

static char table[] = "public.t";
static struct relation relation = { .name = table, .column = columns, .columns = COLUMNS };

static inline msgpack_object
nil(void)
{
	return (msgpack_object) { .type = MSGPACK_OBJECT_NIL };
}

static inline msgpack_object
absent(void)
{
	return (msgpack_object) { .type = MSGPACK_OBJECT_EXT, .via.ext.type = FRAME_EXT_ABSENT };
}

static inline msgpack_object
integer(int64_t i)
{
	return (msgpack_object) { .type = i < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER :
		                                  MSGPACK_OBJECT_POSITIVE_INTEGER,
		.via.i64 = i };
}

static inline msgpack_object
real(double d)
{
	return (msgpack_object) { .type = MSGPACK_OBJECT_FLOAT64, .via.f64 = d };
}

static inline msgpack_object
boolean(bool b)
{
	return (msgpack_object) { .type = MSGPACK_OBJECT_BOOLEAN, .via.boolean = b };
}

static inline msgpack_object
str(const char *s)
{
	return (msgpack_object) { .type = MSGPACK_OBJECT_STR,
		.via.str = { .size = (uint32_t)strlen(s), .ptr = s } };
}

/* One of each, and nothing null but q. */
static inline void
fill(msgpack_object row[static COLUMNS])
{
	row[C_ID] = integer(7);
	row[C_NAME] = str("Änne");
	row[C_FLAG] = boolean(true);
	row[C_SMALL] = integer(-3);
	row[C_BIG] = integer(INT64_MAX);
	row[C_OID] = integer(4000000000);
	row[C_PRICE] = str("12.50");
	row[C_RATIO] = real(0.1);
	row[C_CODE] = str("ab ");
	row[C_UUID] = str("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
	row[C_DAY] = str("2026-11-23");
	row[C_AT] = str("2026-11-23T01:02:03.4");
	row[C_AT_TZ] = str("2026-11-23T01:02:03.4Z");
	row[C_DOC] = (msgpack_object) { .type = MSGPACK_OBJECT_EXT,
		.via.ext = { .type = FRAME_EXT_JSON, .size = 8, .ptr = "{\"a\": 1}" } };
	row[C_BYTES] = (msgpack_object) { .type = MSGPACK_OBJECT_BIN,
		.via.bin = { .size = 2, .ptr = "\0\377" } };
	row[C_LIST] = (msgpack_object) { .type = MSGPACK_OBJECT_ARRAY };
	row[C_SPAN] = (msgpack_object) { .type = MSGPACK_OBJECT_MAP };
	row[C_MOOD] = str("sad");
	row[C_P] = str("true");
	row[C_Q] = nil();
	row[C_UPPER] = str("x");
	for (int i = 0; i < COLUMNS; i++)
		columns[i].name = names[i];
	columns[C_ID].in_identity = true;
}

/* The letter of a result: t, f, n(ull), a(bsent), or ! for a fault. */
static inline char
letter(enum expr_truth truth)
{
	return "tfna!"[truth == EXPR_TRUE ? 0 : truth == EXPR_FALSE ? 1 : truth];
}

/* Parse and bind; NULL: problem says why. */
static inline struct expr_plan *
prepare(const char *text, struct expr_problem *problem)
{
	/* Of exactly its size, so that a step past it shows. */
	char *copy = xmalloc(strlen(text) + 1);
	struct expr_plan *plan = NULL;
	struct expr *e;

	memcpy(copy, text, strlen(text));
	e = expr_parse(copy, strlen(text), problem);
	free(copy);
	if (e != NULL)
		plan = expr_bind(e, &relation, problem);
	expr_free(e);
	return plan;
}

/* ? where it is none. */
static inline char
test(const char *text, const struct expr_row *row)
{
	struct expr_problem problem;
	struct expr_plan *plan = prepare(text, &problem);
	char got;

	if (plan == NULL) {
		printf("# %s: %zu: %s\n", text, problem.offset, problem.message);
		return '?';
	}
	got = letter(expr_test(plan, row));
	if (got == '!')
		printf("# %s: %s\n", text, expr_fault(plan));
	expr_plan_free(plan);
	return got;
}

#endif
