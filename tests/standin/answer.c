#include <fnmatch.h>
#include <stdio.h>

#include "answer.h"

enum answer_field {
	F_INDEX = 1 << 0,
	F_ID = 1 << 1,
	F_VERSION = 1 << 2,
	F_RESULT = 1 << 3,
	F_REFRESH = 1 << 4,
	F_SHARDS = 1 << 5,
	F_SEQ_NO = 1 << 6,
	F_TERM = 1 << 7,
	F_STATUS = 1 << 8,
	F_ERROR_TYPE = 1 << 9,
	F_ERROR_REASON = 1 << 10,
	F_ERROR_CAUSE = 1 << 11,
	F_ERROR_INDEX = 1 << 12,
	F_ERROR_SHARD = 1 << 13,
	F_ERROR_UUID = 1 << 14,
	F_ERROR_RESOURCE = 1 << 15,
	F_ERROR = F_ERROR_TYPE | F_ERROR_REASON | F_ERROR_CAUSE | F_ERROR_INDEX |
		  F_ERROR_SHARD | F_ERROR_UUID | F_ERROR_RESOURCE,
	F_OK = F_VERSION | F_RESULT | F_REFRESH | F_SHARDS | F_SEQ_NO | F_TERM,
};

/* Room for the head, which is known only at the end. */
enum { HEAD = 80 };

/* The next segment of a dotted path, moving over it and its dot. */
static struct slice
segment(const char **path)
{
	size_t n = strcspn(*path, ".");
	struct slice s = { *path, n };

	*path += n;
	if (**path == '.')
		(*path)++;
	return s;
}

/* Does the pattern take in the field at path?  It then takes in all below, too. */
static bool
path_match(const char *pattern, const char *path)
{
	char part[128], name[128];
	struct slice s;

	if (*pattern == '\0')
		return true;
	s = segment(&pattern);
	snprintf(part, sizeof(part), "%.*s", (int)s.n, s.p);
	if (strcmp(part, "**") == 0) {
		for (;;) {
			if (path_match(pattern, path))
				return true;
			if (*path == '\0')
				return false;
			segment(&path);
		}
	}
	if (*path == '\0')
		return false;
	s = segment(&path);
	snprintf(name, sizeof(name), "%.*s", (int)s.n, s.p);
	return fnmatch(part, name, 0) == 0 && path_match(pattern, path);
}

bool
filter_leaves(const char *list, const char *path)
{
	char pattern[256];
	bool included = false, any_include = false, excluded = false;

	while (*list != '\0') {
		size_t n = strcspn(list, ",");

		snprintf(pattern, sizeof(pattern), "%.*s", (int)n, list);
		if (*pattern == '-') {
			excluded = excluded || path_match(pattern + 1, path);
		} else if (*pattern != '\0') {
			any_include = true;
			included = included || path_match(pattern, path);
		}
		list += n;
		if (*list == ',')
			list++;
	}
	return (included || !any_include) && !excluded;
}

void
filter_set(struct filter *f, const char *path)
{
	static const struct {
		const char *name;
		unsigned bit;
	} fields[] = { { "_index", F_INDEX }, { "_id", F_ID }, { "_version", F_VERSION },
		{ "result", F_RESULT }, { "forced_refresh", F_REFRESH },
		{ "_shards", F_SHARDS }, { "_seq_no", F_SEQ_NO },
		{ "_primary_term", F_TERM }, { "status", F_STATUS },
		{ "error.type", F_ERROR_TYPE }, { "error.reason", F_ERROR_REASON },
		{ "error.caused_by", F_ERROR_CAUSE }, { "error.index", F_ERROR_INDEX },
		{ "error.shard", F_ERROR_SHARD }, { "error.index_uuid", F_ERROR_UUID },
		{ "error.resource", F_ERROR_RESOURCE } };
	char name[64];

	if (path == NULL)
		path = "";
	if (f->text.data != NULL && strcmp(f->text.data, path) == 0)
		return;
	f->text.len = 0;
	buf_adds(&f->text, path);
	buf_cstr(&f->text);
	f->all = *path == '\0';
	f->took = filter_leaves(path, "took");
	f->errors = filter_leaves(path, "errors");
	for (int op = 0; op < 4; op++) {
		f->fields[op] = 0;
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			snprintf(name, sizeof(name), "items.%s.%s", bulk_op_names[op],
			    fields[i].name);
			if (filter_leaves(path, name))
				f->fields[op] |= fields[i].bit;
		}
	}
}

bool
filter_is_status(const struct filter *f)
{
	bool is = !f->all && !f->took && f->errors;

	for (int op = 0; op < 4; op++)
		is = is && (f->fields[op] & ~(unsigned)F_ERROR) == F_STATUS;
	return is;
}

void
answer_begin(struct answer *a, const struct filter *f, bool forced_refresh)
{
	a->out.len = 0;
	buf_reserve(&a->out, HEAD);
	a->out.len = a->start = HEAD;
	a->filter = f;
	a->forced_refresh = forced_refresh;
	a->any_error = false;
	a->items = 0;
}

static char *
put_int(char *to, int64_t value)
{
	char digits[20];
	uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	if (value < 0)
		*to++ = '-';
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

#define PUT(to, literal) \
	(memcpy((to), (literal), sizeof(literal) - 1), (to) + sizeof(literal) - 1)

static void
add_error(
    struct buf *out, const struct bulk_item *item, const struct outcome *o, unsigned fields)
{
	struct slice reason = { o->reason.data, o->reason.len };
	struct slice cause = { o->cause_reason.data, o->cause_reason.len };
	const char *uuid = item->index != NULL ? item->index->uuid : "_na_";

	buf_adds(out, "\"error\":{");
	if (fields & F_ERROR_TYPE)
		buf_printf(out, "\"type\":\"%s\",", o->type);
	if (fields & F_ERROR_REASON) {
		buf_adds(out, "\"reason\":");
		json_quote(out, reason);
		buf_addc(out, ',');
	}
	if (o->cause_type != NULL && (fields & F_ERROR_CAUSE)) {
		buf_printf(
		    out, "\"caused_by\":{\"type\":\"%s\",\"reason\":", o->cause_type);
		json_quote(out, cause);
		buf_adds(out, "},");
	}
	if (o->place != PLACE_NONE && (fields & F_ERROR_INDEX)) {
		buf_adds(out, "\"index\":");
		json_quote(out, item->index_name);
		buf_addc(out, ',');
	}
	if (o->place == PLACE_SHARD && (fields & F_ERROR_SHARD))
		buf_adds(out, "\"shard\":\"0\",");
	if (o->place == PLACE_MISSING && (fields & F_ERROR_RESOURCE)) {
		buf_adds(out, "\"resource.id\":");
		json_quote(out, item->index_name);
		buf_adds(out, ",\"resource.type\":\"index_expression\",");
	}
	if (o->place != PLACE_NONE && (fields & F_ERROR_UUID))
		buf_printf(
		    out, "\"index_uuid\":\"%s\",", o->place == PLACE_SHARD ? uuid : "_na_");
	if (out->data[out->len - 1] == ',')
		out->len--;
	buf_addc(out, '}');
}

void
answer_item(struct answer *a, const struct bulk_item *item, const struct outcome *o)
{
	static const struct slice heads[4] = { { ",{\"index\":{", 11 },
		{ ",{\"create\":{", 12 }, { ",{\"update\":{", 12 },
		{ ",{\"delete\":{", 12 } };
	unsigned fields = a->filter->fields[item->op];
	struct buf *out = &a->out;
	size_t names = item->index_name.n + item->id.n, before = out->len;
	char *to, *start;

	if (o->result == NULL) {
		a->any_error = true;
		fields &= ~(unsigned)F_OK;
	} else
		fields &= ~(unsigned)F_ERROR;
	if (!a->forced_refresh)
		fields &= ~(unsigned)F_REFRESH;
	if (fields == 0)
		return;
	a->last_item = before;
	a->items++;
	buf_reserve(out, 512 + 6 * names);
	buf_add(out, heads[item->op].p, heads[item->op].n);
	if (fields & F_INDEX) {
		buf_adds(out, "\"_index\":");
		json_quote(out, item->index_name);
		buf_addc(out, ',');
	}
	if (fields & F_ID) {
		buf_adds(out, "\"_id\":");
		if (item->id.p != NULL)
			json_quote(out, item->id);
		else
			buf_adds(out, "null");
		buf_addc(out, ',');
	}
	if (fields & F_ERROR) {
		if (fields & F_STATUS)
			buf_printf(out, "\"status\":%d,", o->status);
		add_error(out, item, o, fields);
		buf_adds(out, "}}");
		return;
	}
	to = start = buf_reserve(out, 400);
	if (fields & F_VERSION) {
		to = put_int(PUT(to, "\"_version\":"), o->version);
		*to++ = ',';
	}
	if (fields & F_RESULT) {
		to = stpcpy(PUT(to, "\"result\":\""), o->result);
		to = PUT(to, "\",");
	}
	if (fields & F_REFRESH)
		to = PUT(to, "\"forced_refresh\":true,");
	if (fields & F_SHARDS)
		to = PUT(to, "\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0},");
	if (fields & F_SEQ_NO) {
		to = put_int(PUT(to, "\"_seq_no\":"), o->seq_no);
		*to++ = ',';
	}
	if (fields & F_TERM)
		to = PUT(to, "\"_primary_term\":1,");
	if (fields & F_STATUS) {
		to = put_int(PUT(to, "\"status\":"), o->status);
		*to++ = ',';
	}
	out->len += (size_t)(to - start);
	if (out->data[out->len - 1] == ',')
		out->len--;
	buf_adds(out, "}}");
}

void
answer_drop_last(struct answer *a)
{
	if (a->items == 0)
		return;
	a->items--;
	a->out.len = a->last_item;
}

void
answer_end(struct answer *a, int64_t took_ms)
{
	char head[HEAD + 32], *to = head;
	size_t n, at = HEAD;

	*to++ = '{';
	if (a->filter->took) {
		to = put_int(PUT(to, "\"took\":"), took_ms);
		*to++ = ',';
	}
	if (a->filter->errors) {
		to = PUT(to, "\"errors\":");
		to = a->any_error ? PUT(to, "true,") : PUT(to, "false,");
	}
	if (a->items > 0 || a->filter->all) {
		to = PUT(to, "\"items\":[");
		buf_adds(&a->out, "]}");
		/* The comma before the first item goes. */
		if (a->items > 0)
			at++;
	} else {
		if (to[-1] == ',')
			to--;
		buf_addc(&a->out, '}');
	}
	n = (size_t)(to - head);
	a->start = at - n;
	memcpy(a->out.data + a->start, head, n);
}
