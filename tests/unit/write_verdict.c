/* What each answer means; the table is the one of esbulk-write(1). */
#include "tap.h"
#include "verdict.h"

#define CONFLICT "version_conflict_engine_exception"

struct row {
	enum frame_op op;
	int status;
	const char *type, *reason;
	enum verdict want;
};

static const struct row rows[] = {
	{ OP_INDEX, 200, "", "", VERDICT_STORED },
	{ OP_INDEX, 201, "", "", VERDICT_STORED },
	{ OP_CREATE, 201, "", "", VERDICT_STORED },
	{ OP_UPDATE, 200, "", "", VERDICT_STORED },
	{ OP_DELETE, 200, "", "", VERDICT_STORED },
	/* Both a success and an error: no word to build on. */
	{ OP_INDEX, 200, "x", "", VERDICT_LOUD },
	{ OP_DELETE, 201, "x", "", VERDICT_LOUD },
	{ OP_DELETE, 404, "", "", VERDICT_STORED },
	{ OP_DELETE, 404, "index_not_found_exception", "", VERDICT_LOUD },
	{ OP_INDEX, 404, "index_not_found_exception", "no such index", VERDICT_LOUD },
	{ OP_INDEX, 404, "", "", VERDICT_LOUD },
	{ OP_UPDATE, 404, "document_missing_exception", "", VERDICT_STORED },
	{ OP_UPDATE, 404, "index_not_found_exception", "", VERDICT_LOUD },
	{ OP_UPDATE, 404, "", "", VERDICT_LOUD },
	{ OP_INDEX, 404, "document_missing_exception", "", VERDICT_LOUD },
	{ OP_INDEX, 409, CONFLICT, "", VERDICT_STORED },
	{ OP_DELETE, 409, CONFLICT, "", VERDICT_STORED },
	{ OP_CREATE, 409, CONFLICT, "", VERDICT_STORED },
	{ OP_UPDATE, 409, CONFLICT, "", VERDICT_RETRY },
	{ OP_INDEX, 409, "some_other_exception", "", VERDICT_LOUD },
	{ OP_INDEX, 429, "rejected_execution_exception", "", VERDICT_RETRY },
	{ OP_DELETE, 429, "es_rejected_execution_exception", "", VERDICT_RETRY },
	{ OP_INDEX, 429, "circuit_breaking_exception", "[parent] Data too large", VERDICT_RETRY },
	{ OP_INDEX, 429, "cluster_block_exception", "", VERDICT_RETRY },
	{ OP_INDEX, 502, "", "", VERDICT_RETRY },
	{ OP_UPDATE, 503, "unavailable_shards_exception", "", VERDICT_RETRY },
	{ OP_CREATE, 504, "x", "", VERDICT_RETRY },
	{ OP_INDEX, 403, "cluster_block_exception", "", VERDICT_RETRY },
	{ OP_INDEX, 403, "index_create_block_exception", "", VERDICT_RETRY },
	{ OP_INDEX, 400, "resource_already_exists_exception", "", VERDICT_RETRY },
	{ OP_INDEX, 403, "security_exception", "", VERDICT_LOUD },
	{ OP_INDEX, 401, "security_exception", "", VERDICT_LOUD },
	{ OP_INDEX, 403, "", "", VERDICT_LOUD },
	{ OP_INDEX, 400, "index_closed_exception", "closed", VERDICT_LOUD },
	{ OP_INDEX, 400, "illegal_argument_exception", "no write index is defined for alias [a].",
	    VERDICT_LOUD },
	{ OP_DELETE, 400, "illegal_argument_exception",
	    "Alias [a] has more than one indices associated with it [[b, c]]", VERDICT_LOUD },
	{ OP_INDEX, 400, "illegal_argument_exception",
	    "only write ops with an op_type of create are allowed in data streams",
	    VERDICT_LOUD },
	{ OP_INDEX, 400, "illegal_argument_exception", "pipeline with id [p] does not exist",
	    VERDICT_LOUD },
	{ OP_INDEX, 400, "validation_exception",
	    "this action would add [2] shards, but this cluster currently has [1]/[1] maximum "
	    "normal shards open;",
	    VERDICT_LOUD },
	{ OP_UPDATE, 400, "illegal_argument_exception",
	    "failed to execute script; [script] Too many dynamic script compilations within",
	    VERDICT_LOUD },
	{ OP_UPDATE, 500, "general_script_exception",
	    "Failed to compile inline script; [script] Too many dynamic script compilations",
	    VERDICT_LOUD },
	{ OP_INDEX, 400, "mapper_parsing_exception", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "document_parsing_exception", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "strict_dynamic_mapping_exception", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "illegal_argument_exception",
	    "Limit of total fields [1000] has been exceeded", VERDICT_REJECT },
	{ OP_INDEX, 400, "max_bytes_length_exceeded_exception", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "action_request_validation_exception", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "routing_missing_exception", "", VERDICT_REJECT },
	{ OP_UPDATE, 400, "illegal_argument_exception", "failed to execute script; runtime error",
	    VERDICT_REJECT },
	{ OP_INDEX, 400, "", "", VERDICT_REJECT },
	{ OP_INDEX, 400, "of_a_later_version", "", VERDICT_REJECT },
	{ OP_INDEX, 413, "", "", VERDICT_REJECT },
	{ OP_INDEX, 418, "", "", VERDICT_LOUD },
};

static void
test_items(void)
{
	static const char *const names[] = { "stored", "to be tried again",
		"to be tried for a while", "rejected" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		ok(verdict_item(r->op, r->status, r->type, r->reason, 1) == r->want,
		    "%s %d %s (%.30s) is %s", frame_op_names[r->op], r->status, r->type,
		    r->reason, names[r->want]);
	}
}

static void
test_500(void)
{
	unsigned n = 1;

	while (n < 1000 && verdict_item(OP_INDEX, 500, "x", "", n) == VERDICT_RETRY)
		n++;
	ok(n > 2 && n < 20, "a 500 is tried again a few times (%u)", n);
	ok(verdict_item(OP_INDEX, 500, "x", "", n) == VERDICT_REJECT, "then it is a reject");
	ok(verdict_item(OP_INDEX, 429, "x", "", 255) == VERDICT_RETRY, "a 429 is for good");
	ok(verdict_item(OP_INDEX, 500, "node_not_connected_exception", "", 255) == VERDICT_RETRY,
	    "nodes that miss each other are no fault of the document's");
	ok(verdict_item(OP_INDEX, 500, "i_o_exception", "No space left on device", 255) ==
	        VERDICT_RETRY,
	    "nor is a full disk");
}

static void
test_requests(void)
{
	static const struct {
		long status;
		enum request_verdict want;
	} cases[] = { { 200, REQUEST_ANSWERED }, { 429, REQUEST_RETRY }, { 408, REQUEST_RETRY },
		{ 500, REQUEST_ERROR }, { 502, REQUEST_RETRY }, { 503, REQUEST_RETRY },
		{ 504, REQUEST_RETRY }, { 413, REQUEST_TOO_LARGE }, { 401, REQUEST_DENIED },
		{ 403, REQUEST_DENIED }, { 400, REQUEST_REJECTED }, { 422, REQUEST_REJECTED },
		{ 404, REQUEST_MISDIRECTED }, { 405, REQUEST_MISDIRECTED },
		{ 406, REQUEST_MISDIRECTED }, { 301, REQUEST_MISDIRECTED },
		{ 204, REQUEST_MISDIRECTED } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(verdict_request(cases[i].status, "{}") == cases[i].want,
		    "a whole request's %ld", cases[i].status);
	ok(verdict_request(403, "{\"type\":\"cluster_block_exception\"}") == REQUEST_RETRY,
	    "a cluster that is read-only denies nobody access");
}

int
main(void)
{
	test_items();
	test_500();
	test_requests();
	return done_testing();
}
