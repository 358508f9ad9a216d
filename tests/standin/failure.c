#include <stdarg.h>
#include <stdio.h>

#include "failure.h"

void
failure_free(struct failure *f)
{
	buf_free(&f->reason);
	buf_free(&f->cause_reason);
}

static void __attribute__((format(printf, 4, 0)))
set(struct failure *f, int status, const char *type, const char *fmt, va_list ap)
{
	char text[2048];

	f->status = status;
	f->type = type;
	f->cause_type = NULL;
	f->reason.len = f->cause_reason.len = 0;
	vsnprintf(text, sizeof(text), fmt, ap);
	buf_adds(&f->reason, text);
}

bool
failure_set(struct failure *f, int status, const char *type, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(f, status, type, fmt, ap);
	va_end(ap);
	return false;
}

bool
failure_argument(struct failure *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(f, 400, "illegal_argument_exception", fmt, ap);
	va_end(ap);
	return false;
}

const char *
failure_json_type(enum json_error_kind kind)
{
	switch (kind) {
	case JSON_EOF: return "json_e_o_f_exception";
	case JSON_EMPTY_NAME:
	case JSON_TRAILING: return "illegal_argument_exception";
	case JSON_OBJECT_DEPTH:
	case JSON_ARRAY_DEPTH: return "parse_exception";
	default: return "json_parse_exception";
	}
}

void
failure_json_reason(struct buf *out, const struct json_error *e)
{
	buf_adds(out, e->text);
	if (e->kind == JSON_EOF || e->kind == JSON_SYNTAX || e->kind == JSON_UTF8 ||
	    e->kind == JSON_DUPLICATE)
		buf_printf(out,
		    "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` "
		    "disabled); line: 1, column: %zu]",
		    e->column);
}

bool
failure_json(struct failure *f, const struct json_error *e)
{
	failure_set(f, 400, failure_json_type(e->kind), "%s", "");
	failure_json_reason(&f->reason, e);
	return false;
}

static void
add_exception(struct buf *out, const struct failure *f)
{
	buf_printf(out, "\"type\":\"%s\",\"reason\":", f->type);
	json_quote(out, (struct slice) { f->reason.data, f->reason.len });
}

void
failure_body(struct buf *out, const struct failure *f)
{
	buf_adds(out, "{\"error\":{\"root_cause\":[{");
	add_exception(out, f);
	buf_adds(out, "}],");
	add_exception(out, f);
	if (f->cause_type != NULL) {
		buf_printf(
		    out, ",\"caused_by\":{\"type\":\"%s\",\"reason\":", f->cause_type);
		json_quote(
		    out, (struct slice) { f->cause_reason.data, f->cause_reason.len });
		buf_addc(out, '}');
	}
	buf_printf(out, "},\"status\":%d}", f->status);
}

void
failure_typical(struct buf *out, int status)
{
	static const struct {
		int status;
		const char *type;
		const char *reason;
	} typical[] = {
		{ 400, "illegal_argument_exception", "injected fault" },
		{ 401, "security_exception",
		    "missing authentication credentials for REST request" },
		{ 403, "security_exception",
		    "no permissions for [indices:data/write/bulk] and User [name=u]" },
		{ 404, "index_not_found_exception", "no such index [injected]" },
		{ 429, "rejected_execution_exception",
		    "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, "
		    "replica_bytes=0, all_bytes=0, coordinating_operation_bytes=1, "
		    "max_coordinating_and_primary_bytes=1]" },
		{ 503, "cluster_block_exception",
		    "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];" },
		{ 500, "null_pointer_exception", "injected fault" },
	};
	struct failure f = { 0 };

	/* The HTTP layer and proxies answer these without a body of the engine's. */
	if (status == 413)
		return;
	if (status == 502 || status == 504) {
		buf_printf(out, "<html><body><h1>%d</h1></body></html>\n", status);
		return;
	}
	failure_set(&f, status, "exception", "injected fault");
	for (size_t i = 0; i < sizeof(typical) / sizeof(typical[0]); i++)
		if (typical[i].status == status)
			failure_set(&f, status, typical[i].type, "%s", typical[i].reason);
	failure_body(out, &f);
	failure_free(&f);
}
