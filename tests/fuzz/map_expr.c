/*
 * Parsing, binding and testing conditions.  The input: an expression, and behind a NUL,
 * where there is one, the text that some columns of the row have.
 *
 * What is known of a row with absent values must be so whatever they are, NOT must turn it
 * around, and a plan must give the same again.
 */
#include "support.h"
#include "../unit/map_expr.h"

/* The rows: as the unit tests have it, with the input's text, of nulls, of absent values. */
enum { ROW_FULL, ROW_GIVEN, ROW_NULL, ROW_ABSENT, ROWS };

static msgpack_object rows[ROWS][COLUMNS];

static void
fill_rows(const char *text, size_t len)
{
	static const int given[] = { C_NAME, C_CODE, C_P, C_Q, C_PRICE, C_DAY, C_AT, C_AT_TZ };

	fill(rows[ROW_FULL]);
	fill(rows[ROW_GIVEN]);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		rows[ROW_GIVEN][given[i]] = (msgpack_object) { .type = MSGPACK_OBJECT_STR,
			.via.str = { .size = (uint32_t)len, .ptr = text } };
	rows[ROW_GIVEN][C_DOC] = str("not of its type");
	for (int i = 0; i < COLUMNS; i++) {
		rows[ROW_NULL][i] = nil();
		rows[ROW_ABSENT][i] = absent();
	}
}

static void
check_problem(const struct expr_problem *problem, size_t size)
{
	check(problem->offset <= size);
	check(memchr(problem->message, '\0', sizeof(problem->message)) != NULL);
	check(problem->message[0] != '\0');
}

static enum expr_truth
run(struct expr_plan *plan, const msgpack_object *row, const msgpack_object *old, bool inserted)
{
	const struct expr_row r = { .row = row, .old = old, .inserted = inserted };
	enum expr_truth truth = expr_test(plan, &r);
	bool is_old;

	check(expr_test(plan, &r) == truth);
	if (truth == EXPR_ABSENT)
		check(expr_absent_column(plan, &is_old) < COLUMNS);
	if (truth == EXPR_FAULT)
		check(strlen(expr_fault(plan)) > 0);
	return truth;
}

/* not (text), which must bind where text did. */
static struct expr_plan *
bind_not(const char *text, size_t size)
{
	struct expr_problem problem;
	struct expr_plan *plan = NULL;
	struct buf b = { 0 };
	struct expr *e;

	buf_adds(&b, "not (");
	buf_add(&b, text, size);
	buf_addc(&b, ')');
	e = expr_parse(b.data, b.len, &problem);
	check(e != NULL || strcmp(problem.message, "nested too deeply") == 0);
	if (e != NULL) {
		plan = expr_bind(e, &relation, &problem);
		check(plan != NULL);
	}
	expr_free(e);
	buf_free(&b);
	return plan;
}

static void
test_rows(struct expr_plan *plan, struct expr_plan *opposite)
{
	static const enum expr_truth turned[] = { EXPR_TRUE, EXPR_FALSE, EXPR_NULL, EXPR_ABSENT,
		EXPR_FAULT };
	enum expr_truth unknown = run(plan, rows[ROW_ABSENT], NULL, false);

	for (int i = 0; i < ROWS; i++) {
		enum expr_truth truth = run(plan, rows[i], rows[i], false);

		if (unknown == EXPR_TRUE || unknown == EXPR_FALSE)
			check(truth == unknown);
		if (opposite != NULL)
			check(run(opposite, rows[i], rows[i], false) == turned[truth]);
		run(plan, rows[i], NULL, true);
		run(plan, rows[i], NULL, false);
		for (int j = 0; j < ROWS; j++)
			run(plan, rows[i], rows[j], false);
	}
}

static void
tell(void *ctx, const char *name, bool is_old, size_t offset)
{
	check(offset < *(const size_t *)ctx && strlen(name) > 0);
	(void)is_old;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nul = memchr(text, '\0', size);
	size_t len = nul == NULL ? size : (size_t)(nul - text);
	struct expr_problem problem = { .offset = SIZE_MAX };
	struct expr_plan *plan, *opposite;
	struct expr *e;

	setlocale(LC_CTYPE, "C.UTF-8");
	fill_rows(nul == NULL ? "" : nul + 1, nul == NULL ? 0 : size - len - 1);
	e = expr_parse(text, len, &problem);
	if (e == NULL) {
		check_problem(&problem, len);
		return 0;
	}
	expr_columns(e, tell, &len);
	plan = expr_bind(e, &relation, &problem);
	expr_free(e);
	if (plan == NULL) {
		check_problem(&problem, len);
		return 0;
	}
	opposite = bind_not(text, len);
	test_rows(plan, opposite);
	expr_plan_free(opposite);
	expr_plan_free(plan);
	return 0;
}
