/*
 * POST and PUT /_bulk, /{index}/_bulk.
 */
#include <strings.h>

#include "count.h"
#include "engine.h"
#include "handler.h"

/* Arguments that a bulk request may have. */
static const char *const known_arguments[] = { "filter_path", "pretty", "human",
	"error_trace", "format", "refresh", "timeout", "wait_for_active_shards", "routing",
	"pipeline", "require_alias", "_source", "_source_includes", "_source_excludes",
	"batch_size", "type", "include_source_on_error", "list_executed_pipelines",
	"require_data_stream" };

static enum MHD_Result
check_argument(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct request *r = cls;

	(void)kind;
	(void)value;
	for (size_t i = 0; i < sizeof(known_arguments) / sizeof(known_arguments[0]); i++)
		if (strcmp(key, known_arguments[i]) == 0)
			return MHD_YES;
	failure_argument(&r->failure, "request [%s] contains unrecognized parameter: [%s]",
	    r->path, key);
	return MHD_NO;
}

/* Bulk bodies come as one of these, with or without parameters behind. */
static bool
type_is_legal(const char *type)
{
	static const char *const legal[] = { "application/json", "application/x-ndjson",
		"application/vnd.elasticsearch+json",
		"application/vnd.elasticsearch+x-ndjson" };

	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
		if (strncasecmp(type, legal[i], strlen(legal[i])) == 0 &&
		    strchr("; ", type[strlen(legal[i])]) != NULL)
			return true;
	return false;
}

static bool
check_request(struct request *r)
{
	const char *type =
	    MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Type");

	if (!request_is(r, "POST") && !request_is(r, "PUT")) {
		buf_printf(&r->out,
		    "{\"error\":\"Incorrect HTTP method for uri [%s] and method [%s], allowed: "
		    "[POST, PUT]\",\"status\":405}",
		    r->path, r->method);
		request_answer(r, 405);
		return false;
	}
	if (r->content.n > 0 && (type == NULL || !type_is_legal(type))) {
		buf_adds(&r->out, "{\"error\":\"Content-Type header ");
		if (type != NULL)
			buf_printf(&r->out, "[%s] is not supported", type);
		else
			buf_adds(&r->out, "is missing");
		buf_adds(&r->out, "\",\"status\":406}");
		request_answer(r, 406);
		return false;
	}
	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, check_argument, r);
	if (r->failure.status == 0 && r->content.n == 0)
		failure_set(
		    &r->failure, 400, "parse_exception", "request body is required");
	if (r->failure.status != 0)
		request_fail(r);
	return r->failure.status == 0;
}

void
bulk_request_parse(struct request *r)
{
	struct standin *si = r->standin;
	struct bulk_defaults d = { 0 };
	const char *routing = request_argument(r, "routing");
	bool elastic = strcmp(si->options.distribution, "opensearch") != 0;

	if (!check_request(r))
		return;
	if (si->options.count && count_bulk(r)) {
		r->bulk.n = 0;
		return;
	}
	if (r->n_segments > 1)
		d.index = (struct slice) { r->segments[0], strlen(r->segments[0]) };
	if (routing != NULL)
		d.routing = (struct slice) { routing, strlen(routing) };
	d.require_alias = request_flag(r, "require_alias");
	d.types = elastic && si->options.number[0] < '8' && si->options.number[1] == '.';
	if (!bulk_parse(&r->bulk, r->content, &d, &r->failure)) {
		r->bulk.n = 0;
		request_fail(r);
		return;
	}
	engine_touch(si, &r->bulk, &r->ids, r->serial);
	fault_bulk(&si->faults, &r->bulk, &r->plan);
}

void
bulk_request_run(struct request *r)
{
	struct standin *si = r->standin;
	const char *refresh = request_argument(r, "refresh");
	size_t n = r->bulk.n;
	uint64_t start = monotonic_us();

	if (r->status != 0)
		return;
	if (r->plan.status != 0 && r->plan.status_when == WHEN_BEFORE)
		return;
	if (r->plan.status != 0 && r->plan.status_when == WHEN_HALF)
		n /= 2;
	filter_set(&si->filter, request_argument(r, "filter_path"));
	answer_begin(&r->answer, &si->filter,
	    refresh != NULL && (*refresh == '\0' || strcmp(refresh, "true") == 0));
	engine_run(si, &r->bulk, n, &r->answer);
	if (r->plan.shorten)
		answer_drop_last(&r->answer);
	answer_end(&r->answer, (int64_t)(monotonic_us() - start) / 1000);
	r->status = 200;
	r->text = (struct slice) { r->answer.out.data + r->answer.start,
		r->answer.out.len - r->answer.start };
}
