#include <string.h>

#include "verdict.h"

#define ANY_OP     0xff
#define ANY_STATUS 0
#define OPS(op)    (uint8_t)(1u << (op))

#define NOT_UPDATE (OPS(OP_INDEX) | OPS(OP_DELETE) | OPS(OP_CREATE))

/*
 * Items.  The first row that fits counts.  A type is "error.type" in the bulk API's answer:
 * both projects make it of the exception's class by
 * ElasticsearchException.getExceptionName, MapperParsingException for one, and its status
 * is that class's status(); "" is no error, NULL any or none.  in_reason must be in the
 * error's reason or that of its cause; it parts faults of one type.  Classes are named
 * where another name or place than the type's would have to be searched.
 */
static const struct {
	int status;
	uint8_t ops;
	const char *type;
	const char *in_reason; /* NULL: whatever it is */
	enum verdict verdict;
} rows[] = {
	{ 200, ANY_OP, "", NULL, VERDICT_STORED },
	{ 201, ANY_OP, "", NULL, VERDICT_STORED },
	/* Already gone; with an error it is the index that is missing. */
	{ 404, OPS(OP_DELETE), "", NULL, VERDICT_STORED },
	/* UpdateHelper.prepare: a replay meets rows that were deleted since. */
	{ 404, OPS(OP_UPDATE), "document_missing_exception", NULL, VERDICT_STORED },
	/* InternalEngine: something newer is there; for create: this very document. */
	{ 409, NOT_UPDATE, "version_conflict_engine_exception", NULL, VERDICT_STORED },
	{ 409, OPS(OP_UPDATE), "version_conflict_engine_exception", NULL, VERDICT_RETRY },

	/*
	 * The cluster is busy, or in trouble of its own.
	 */

	/* ClusterBlocks: read-only; full beyond the flood stage (in later versions a 429). */
	{ 403, ANY_OP, "cluster_block_exception", NULL, VERDICT_RETRY },
	/* OpenSearch's ClusterBlocks while cluster.blocks.create_index is set. */
	{ 403, ANY_OP, "index_create_block_exception", NULL, VERDICT_RETRY },
	/*
	 * Full queues and memory: (es_)rejected_execution_exception of a thread pool or of
	 * IndexingPressure, circuit_breaking_exception.
	 */
	{ 429, ANY_OP, NULL, NULL, VERDICT_RETRY },
	{ 502, ANY_OP, NULL, NULL, VERDICT_RETRY },
	/*
	 * unavailable_shards_exception, no_shard_available_action_exception,
	 * process_cluster_event_timeout_exception, cluster_block_exception without a
	 * master; circuit_breaking_exception in 6.
	 */
	{ 503, ANY_OP, NULL, NULL, VERDICT_RETRY },
	{ 504, ANY_OP, NULL, NULL, VERDICT_RETRY },
	/* Two nodes made the index at the same time. */
	{ 400, ANY_OP, "resource_already_exists_exception", NULL, VERDICT_RETRY },
	/* Between nodes: 500 by default, for they have no status() of their own. */
	{ 500, ANY_OP, "node_closed_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "node_disconnected_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "node_not_connected_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "connect_transport_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "receive_timeout_transport_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "already_closed_exception", NULL, VERDICT_RETRY },
	/* The disk: IOException and what the translog makes of it. */
	{ 500, ANY_OP, "i_o_exception", NULL, VERDICT_RETRY },
	{ 500, ANY_OP, "translog_exception", NULL, VERDICT_RETRY },

	/*
	 * Whatever goes there is refused, until somebody mends it.
	 */

	/* TransportBulkAction; also where no index may be made, and with require_alias. */
	{ 404, ANY_OP, "index_not_found_exception", NULL, VERDICT_LOUD },
	{ 400, ANY_OP, "index_closed_exception", NULL, VERDICT_LOUD },
	{ 401, ANY_OP, NULL, NULL, VERDICT_LOUD },
	{ 403, ANY_OP, "security_exception", NULL, VERDICT_LOUD },
	/* IndexNameExpressionResolver. */
	{ 400, ANY_OP, "illegal_argument_exception", "no write index is defined", VERDICT_LOUD },
	{ 400, ANY_OP, "illegal_argument_exception", "has more than one ind", VERDICT_LOUD },
	/* TransportBulkAction: of a data stream. */
	{ 400, ANY_OP, "illegal_argument_exception",
	    "only write ops with an op_type of create are allowed", VERDICT_LOUD },
	/* IngestService. */
	{ 400, ANY_OP, "illegal_argument_exception", "pipeline with id [", VERDICT_LOUD },
	/* ShardLimitValidator; a ValidationException, which 6 has no name for. */
	{ 400, ANY_OP, NULL, "maximum normal shards open", VERDICT_LOUD },
	{ 400, ANY_OP, NULL, "maximum shards open", VERDICT_LOUD },
	/* Index templates: where no index may be made of them, whatever its documents. */
	{ 400, ANY_OP, "invalid_index_template_exception", NULL, VERDICT_LOUD },
	/* MapperService, 6 and 7: the index has another type than _doc. */
	{ 400, ANY_OP, "illegal_argument_exception", "would have more than 1 type",
	    VERDICT_LOUD },
	/* ScriptCache and, before it, ScriptService: passes, but must be seen. */
	{ ANY_STATUS, ANY_OP, NULL, "Too many dynamic script compilations", VERDICT_LOUD },

	/*
	 * The document's fault.  The types are listed to be known; any other 400 is the
	 * same.
	 */

	/* Values that do not fit the mapping: 6 to 8.7 and OpenSearch; and since 8.8. */
	{ 400, ANY_OP, "mapper_parsing_exception", NULL, VERDICT_REJECT },
	{ 400, ANY_OP, "document_parsing_exception", NULL, VERDICT_REJECT },
	{ 400, ANY_OP, "strict_dynamic_mapping_exception", NULL, VERDICT_REJECT },
	/* Also an id that is too long, a limit of fields, and (Lucene's) an immense term. */
	{ 400, ANY_OP, "illegal_argument_exception", NULL, VERDICT_REJECT },
	{ 400, ANY_OP, "max_bytes_length_exceeded_exception", NULL, VERDICT_REJECT },
	{ 400, ANY_OP, "action_request_validation_exception", NULL, VERDICT_REJECT },
	/* The mapper's rule must say a routing: no setting of the index helps. */
	{ 400, ANY_OP, "routing_missing_exception", NULL, VERDICT_REJECT },
	{ 400, ANY_OP, "invalid_index_name_exception", NULL, VERDICT_REJECT },
	/* The script's own error, compiling or running. */
	{ 400, ANY_OP, "script_exception", NULL, VERDICT_REJECT },
	/* IndexingPressure in 8.18 and up: one action beyond its size limit. */
	{ 413, ANY_OP, NULL, NULL, VERDICT_REJECT },
	{ 400, ANY_OP, NULL, NULL, VERDICT_REJECT },
};

enum verdict
verdict_item(enum frame_op op, int status, const char *type, const char *reason, unsigned errors)
{
	/* Nearly all: the first two rows. */
	if ((status == 200 || status == 201) && type[0] == '\0')
		return VERDICT_STORED;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((rows[i].status == ANY_STATUS || rows[i].status == status) &&
		    (rows[i].ops & OPS(op)) != 0 &&
		    (rows[i].type == NULL || strcmp(rows[i].type, type) == 0) &&
		    (rows[i].in_reason == NULL || strstr(reason, rows[i].in_reason) != NULL))
			return rows[i].verdict;
	/* A failing ingest processor or a null pointer as well as a passing fault. */
	if (status >= 500)
		return errors < VERDICT_MAX_500 ? VERDICT_RETRY : VERDICT_REJECT;
	/* Nobody knows what it is: better a stop than a table of dead letters. */
	return VERDICT_LOUD;
}

enum request_verdict
verdict_request(long status, const char *body)
{
	switch (status) {
	case 200: return REQUEST_ANSWERED;
	case 403:
		/* TransportBulkAction: the whole cluster is read-only. */
		if (strstr(body, "cluster_block_exception") != NULL)
			return REQUEST_RETRY;
		return REQUEST_DENIED;
	case 401: return REQUEST_DENIED;
	case 408:
	case 429: return REQUEST_RETRY;
	case 413: return REQUEST_TOO_LARGE;
	/* RestBulkAction: a line that is none of its own.  422: proxies that look inside. */
	case 400:
	case 422: return REQUEST_REJECTED;
	case 500: return REQUEST_ERROR;
	default: return status > 500 ? REQUEST_RETRY : REQUEST_MISDIRECTED;
	}
}
