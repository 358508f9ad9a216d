/* What each answer means; the table is the one of esbulk-write(1). */
#include "tap.h"
#include "verdict.h"

#define CONFLICT "version_conflict_engine_exception"

struct row {
	enum frame_op op;
	int status;
	const char *type;
	enum verdict want;
};

static const struct row rows[] = {
	{ OP_INDEX, 200, "", VERDICT_STORED },
	{ OP_INDEX, 201, "", VERDICT_STORED },
	{ OP_CREATE, 201, "", VERDICT_STORED },
	{ OP_UPDATE, 200, "", VERDICT_STORED },
	{ OP_DELETE, 200, "", VERDICT_STORED },
	/* Both a success and an error: no word to build on. */
	{ OP_INDEX, 200, "x", VERDICT_FATAL },
	{ OP_DELETE, 201, "x", VERDICT_FATAL },
	/* Already gone; but with an error it is the index that is missing. */
	{ OP_DELETE, 404, "", VERDICT_STORED },
	{ OP_DELETE, 404, "index_not_found_exception", VERDICT_FATAL },
	{ OP_INDEX, 404, "index_not_found_exception", VERDICT_FATAL },
	{ OP_INDEX, 404, "", VERDICT_FATAL },
	{ OP_UPDATE, 404, "document_missing_exception", VERDICT_STORED },
	{ OP_UPDATE, 404, "index_not_found_exception", VERDICT_FATAL },
	{ OP_UPDATE, 404, "", VERDICT_FATAL },
	{ OP_INDEX, 404, "document_missing_exception", VERDICT_FATAL },
	{ OP_INDEX, 409, CONFLICT, VERDICT_STORED },
	{ OP_DELETE, 409, CONFLICT, VERDICT_STORED },
	{ OP_CREATE, 409, CONFLICT, VERDICT_STORED },
	{ OP_UPDATE, 409, CONFLICT, VERDICT_RETRY },
	{ OP_INDEX, 409, "some_other_exception", VERDICT_FATAL },
	{ OP_INDEX, 429, "rejected_execution_exception", VERDICT_RETRY },
	{ OP_DELETE, 429, "es_rejected_execution_exception", VERDICT_RETRY },
	{ OP_INDEX, 429, "cluster_block_exception", VERDICT_RETRY },
	{ OP_INDEX, 502, "", VERDICT_RETRY },
	{ OP_UPDATE, 503, "unavailable_shards_exception", VERDICT_RETRY },
	{ OP_CREATE, 504, "x", VERDICT_RETRY },
	{ OP_INDEX, 403, "cluster_block_exception", VERDICT_RETRY },
	{ OP_INDEX, 403, "security_exception", VERDICT_FATAL },
	{ OP_INDEX, 400, "mapper_parsing_exception", VERDICT_FATAL },
	{ OP_INDEX, 400, "", VERDICT_FATAL },
	{ OP_INDEX, 413, "", VERDICT_FATAL },
	{ OP_INDEX, 418, "", VERDICT_FATAL },
};

static void
test_items(void)
{
	static const char *const names[] = { "stored", "to be tried again", "fatal" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		ok(verdict_item(r->op, r->status, r->type, 1) == r->want, "%s %d %s is %s",
		    frame_op_names[r->op], r->status, r->type, names[r->want]);
	}
}

static void
test_500(void)
{
	unsigned n = 1;

	while (n < 1000 && verdict_item(OP_INDEX, 500, "x", n) == VERDICT_RETRY)
		n++;
	ok(n > 2 && n < 20, "a 500 is tried again a few times (%u), then it is fatal", n);
	ok(verdict_item(OP_INDEX, 429, "x", 255) == VERDICT_RETRY, "a 429 is for good");
}

static void
test_requests(void)
{
	static const struct {
		long status;
		enum request_verdict want;
	} cases[] = { { 200, REQUEST_ANSWERED }, { 429, REQUEST_RETRY }, { 408, REQUEST_RETRY },
		{ 500, REQUEST_RETRY }, { 502, REQUEST_RETRY }, { 503, REQUEST_RETRY },
		{ 504, REQUEST_RETRY }, { 413, REQUEST_TOO_LARGE }, { 401, REQUEST_DENIED },
		{ 403, REQUEST_DENIED }, { 400, REQUEST_FATAL }, { 404, REQUEST_FATAL },
		{ 405, REQUEST_FATAL }, { 406, REQUEST_FATAL }, { 301, REQUEST_FATAL },
		{ 204, REQUEST_FATAL } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(verdict_request(cases[i].status) == cases[i].want, "a whole request's %ld",
		    cases[i].status);
}

int
main(void)
{
	test_items();
	test_500();
	test_requests();
	return done_testing();
}
