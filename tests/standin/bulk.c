#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"

enum { MAX_ID = 512 };

void
bulk_free(struct bulk *b)
{
	free(b->items);
	buf_free(&b->text);
	buf_free(&b->problems);
}

static void __attribute__((format(printf, 2, 3)))
problem(struct bulk *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&b->problems, "%u: %s;", ++b->n_problems, text);
}

/* DocWriteRequest.validateSeqNoBasedCASParams. */
static void
check_version(struct bulk *b, const struct bulk_item *item)
{
	bool internal = item->version_type == VERSION_INTERNAL;

	if (!internal && item->version < 0)
		problem(b, "illegal version value [%lld] for version type [%s]",
		    (long long)item->version,
		    item->version_type == VERSION_EXTERNAL ? "EXTERNAL" : "EXTERNAL_GTE");
	if (internal && item->version != VERSION_ANY)
		problem(b,
		    "internal versioning can not be used for optimistic concurrency control. "
		    "Please use `if_seq_no` and `if_primary_term` instead");
	if (item->if_seq_no == SEQ_NO_UNSET)
		return;
	if (!internal || item->version != VERSION_ANY)
		problem(b, "compare and write operations can not use versioning");
	if (item->if_primary_term == 0)
		problem(b, "ifSeqNo is set, but primary term is [0]");
}

/* IndexRequest.validate, DeleteRequest.validate, UpdateRequest.validate. */
static void
check_item(struct bulk *b, const struct bulk_item *item)
{
	if (item->index_name.p == NULL)
		problem(b, "index is missing");
	if (item->op == OP_CREATE) {
		if (item->version_type != VERSION_INTERNAL) {
			problem(b, "create operations only support internal versioning. "
				   "use index instead");
			return;
		}
		if (item->version != VERSION_ANY) {
			problem(b, "create operations do not support explicit versions. "
				   "use index instead");
			return;
		}
	}
	if (item->op == OP_UPDATE || item->op == OP_DELETE) {
		if (item->id.n == 0)
			problem(b, "id is missing");
	} else if (item->id.p == NULL && (item->version_type != VERSION_INTERNAL ||
					     item->version != VERSION_ANY)) {
		problem(b, "an id must be provided if version type or value are set");
	}
	if (item->op == OP_UPDATE) {
		if (!item->has_script && item->source.p == NULL)
			problem(b, "script or doc is missing");
		if (item->doc_as_upsert && item->source.p == NULL)
			problem(b, "doc must be specified if doc_as_upsert is enabled");
		return;
	}
	check_version(b, item);
	if (item->op != OP_DELETE && item->id.n > MAX_ID)
		problem(b,
		    "id [%.*s] is too long, must be no longer than 512 bytes but was: %zu",
		    item->id.n < 800 ? (int)item->id.n : 800, item->id.p, item->id.n);
}

/* The line from *from on, and move on; false at the end or when none is ended. */
static bool
next_line(struct slice body, size_t *from, struct slice *line)
{
	const char *start = body.p + *from, *end;

	if (*from == body.n)
		return false;
	end = memchr(start, '\n', body.n - *from);
	if (end == NULL)
		return false;
	*line = (struct slice) { start, (size_t)(end - start) };
	*from += line->n + 1;
	return true;
}

/* Take the line that follows the action in. */
static bool
parse_source(struct bulk_item *item, struct slice line, struct failure *f)
{
	struct json_cursor c;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (item->op != OP_UPDATE) {
		item->source = line;
		return true;
	}
	if (item->version != VERSION_ANY || item->version_type != VERSION_INTERNAL)
		return failure_argument(f,
		    "Update requests do not support versioning. Please use `if_seq_no` and "
		    "`if_primary_term` instead");
	json_cursor_init(&c, line);
	return action_parse_update(&c, item, f);
}

bool
bulk_parse(struct bulk *b, struct slice body, const struct bulk_defaults *defaults,
    struct failure *f)
{
	struct json_cursor c;
	struct bulk_item *item;
	struct slice text;
	size_t from = 0, line = 0;

	b->n = b->n_problems = 0;
	b->text.len = b->problems.len = 0;
	if (memchr(body.p, '\\', body.n) != NULL)
		buf_reserve(&b->text, body.n);
	while (next_line(body, &from, &text)) {
		line++;
		if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
			text = (struct slice) { text.p + 3, text.n - 3 };
		json_cursor_init(&c, text);
		json_blanks(&c);
		if (c.p == c.end)
			continue;
		if (b->n == b->room) {
			b->room = b->room ? b->room * 2 : 64;
			b->items = xrealloc(b->items, b->room * sizeof(*b->items));
		}
		item = &b->items[b->n];
		if (!action_parse(b, &c, item, line, defaults, f))
			return false;
		if (item->op != OP_DELETE) {
			if (!next_line(body, &from, &text))
				break;
			line++;
			if (!parse_source(item, text, f))
				return false;
		}
		b->n++;
		check_item(b, item);
	}
	if (from != body.n)
		return failure_argument(
		    f, "The bulk request must be terminated by a newline [\\n]");
	if (b->n == 0)
		problem(b, "no requests added");
	if (b->n_problems > 0) {
		failure_set(
		    f, 400, "action_request_validation_exception", "Validation Failed: ");
		buf_add(&f->reason, b->problems.data, b->problems.len);
		return false;
	}
	return true;
}
