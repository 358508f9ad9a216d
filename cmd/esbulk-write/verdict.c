#include <string.h>

#include "verdict.h"

#define ANY_OP 0xff
#define OPS(op) (uint8_t)(1u << (op))

/* A 500 can be a failing ingest processor as well as a passing fault. */
#define MAX_500 8

/*
 * The first row that fits counts.  Status 0 ends the table.  Types are those of
 * "error.type" in the bulk API's answers.
 */
static const struct {
	int status;
	uint8_t ops;
	const char *type; /* NULL: any, also none */
	enum verdict verdict;
} rows[] = {
	{ 200, ANY_OP, "", VERDICT_STORED },
	{ 201, ANY_OP, "", VERDICT_STORED },
	/* Already gone; with an error it is the index that is missing. */
	{ 404, OPS(OP_DELETE), "", VERDICT_STORED },
	/* A replay meets rows that were deleted since. */
	{ 404, OPS(OP_UPDATE), "document_missing_exception", VERDICT_STORED },
	/* Something newer is there; for create: this very document. */
	{ 409, OPS(OP_INDEX) | OPS(OP_DELETE) | OPS(OP_CREATE),
	    "version_conflict_engine_exception", VERDICT_STORED },
	{ 409, OPS(OP_UPDATE), "version_conflict_engine_exception", VERDICT_RETRY },
	{ 403, ANY_OP, "cluster_block_exception", VERDICT_RETRY },
	{ 429, ANY_OP, NULL, VERDICT_RETRY },
	{ 502, ANY_OP, NULL, VERDICT_RETRY },
	{ 503, ANY_OP, NULL, VERDICT_RETRY },
	{ 504, ANY_OP, NULL, VERDICT_RETRY },
	{ 0, 0, NULL, VERDICT_FATAL },
};

enum verdict
verdict_item(enum frame_op op, int status, const char *type, unsigned errors)
{
	if (status == 500)
		return errors < MAX_500 ? VERDICT_RETRY : VERDICT_FATAL;
	for (size_t i = 0; rows[i].status != 0; i++)
		if (rows[i].status == status && (rows[i].ops & OPS(op)) != 0 &&
		    (rows[i].type == NULL || strcmp(rows[i].type, type) == 0))
			return rows[i].verdict;
	return VERDICT_FATAL;
}

enum request_verdict
verdict_request(long status)
{
	switch (status) {
	case 200: return REQUEST_ANSWERED;
	case 401:
	case 403: return REQUEST_DENIED;
	case 408:
	case 429: return REQUEST_RETRY;
	case 413: return REQUEST_TOO_LARGE;
	default: return status >= 500 ? REQUEST_RETRY : REQUEST_FATAL;
	}
}
