/*
 * One action line of a bulk request, and the body of an update.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"

const char *const bulk_op_names[4] = { "index", "create", "update", "delete" };

/* Fields of an action line; the order is that of names[] below. */
enum field {
	FIELD_ID,
	FIELD_INDEX,
	FIELD_VERSION,
	FIELD_VERSION_TYPE,
	FIELD_ROUTING,
	FIELD_OP_TYPE,
	FIELD_PIPELINE,
	FIELD_REQUIRE_ALIAS,
	FIELD_IF_SEQ_NO,
	FIELD_IF_PRIMARY_TERM,
	FIELD_RETRY,
	FIELD_SOURCE,
	FIELD_TYPE,
	FIELD_UNKNOWN,
};

static enum field
field_of(struct slice name)
{
	static const struct slice names[] = { { "_id", 3 }, { "_index", 6 },
		{ "version", 7 }, { "version_type", 12 }, { "routing", 7 },
		{ "op_type", 7 }, { "pipeline", 8 }, { "require_alias", 13 },
		{ "if_seq_no", 9 }, { "if_primary_term", 15 }, { "retry_on_conflict", 17 },
		{ "_source", 7 }, { "_type", 5 } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_equal(name, names[i]))
			return (enum field)i;
	return FIELD_UNKNOWN;
}

/* The text of a string, without its escapes. */
static struct slice
text_of(struct bulk *b, struct slice raw, bool escaped)
{
	size_t at = b->text.len;

	if (!escaped)
		return raw;
	/* bulk_parse reserved for all of the body: earlier slices stay good. */
	json_unescape(&b->text, raw);
	return (struct slice) { b->text.data + at, b->text.len - at };
}

/* A long out of a number, or a string with one (coerced as Java does it). */
static bool
long_value(struct slice text, bool is_string, int64_t *out, struct failure *f)
{
	struct json_error e = { .kind = JSON_SYNTAX, .column = 1 };
	char copy[64], *end;
	size_t i = 0;

	/* Nearly all are plain numbers that cannot overflow. */
	for (*out = 0; i < text.n && i < 18 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		*out = *out * 10 + (text.p[i] - '0');
	if (i == text.n && i > 0)
		return true;
	if (!is_string && (*text.p == 't' || *text.p == 'f')) {
		snprintf(e.text, sizeof(e.text),
		    "Current token (VALUE_%s) not numeric, can not use numeric value accessors",
		    *text.p == 't' ? "TRUE" : "FALSE");
		return failure_json(f, &e);
	}
	if (text.n < sizeof(copy)) {
		memcpy(copy, text.p, text.n);
		copy[text.n] = '\0';
		errno = 0;
		*out = strtoll(copy, &end, 10);
		if (*end == '\0' && end != copy && errno == 0)
			return true;
		if (*end != '\0' && text.n > 0 && strchr("-0123456789.eE", *copy) != NULL) {
			double d = strtod(copy, &end);

			if (*end == '\0' && d > -0x1p63 && d < 0x1p63) {
				*out = (int64_t)d;
				return true;
			}
		}
		if (is_string)
			return failure_argument(f, "For input string: \"%s\"", copy);
	}
	return failure_set(f, 400, "input_coercion_exception",
	    "Numeric value (%.*s) out of range of long "
	    "(-9223372036854775808 - 9223372036854775807)",
	    (int)text.n, text.p);
}

static bool
bool_value(struct slice text, bool *out, struct failure *f)
{
	if (slice_is(text, "true"))
		*out = true;
	else if (slice_is(text, "false"))
		*out = false;
	else
		return failure_argument(f,
		    "Failed to parse value [%.*s] as only [true] or [false] are allowed.",
		    (int)text.n, text.p);
	return true;
}

static bool
set_version_type(struct bulk_item *item, struct slice text, struct failure *f)
{
	if (slice_is(text, "external_gte"))
		item->version_type = VERSION_EXTERNAL_GTE;
	else if (slice_is(text, "external"))
		item->version_type = VERSION_EXTERNAL;
	else if (slice_is(text, "internal"))
		item->version_type = VERSION_INTERNAL;
	else
		return failure_argument(
		    f, "No version type match [%.*s]", (int)text.n, text.p);
	return true;
}

/* A simple value of the action; text is without escapes. */
static bool
set_field(struct bulk_item *item, enum field field, struct slice text, bool is_string,
    struct failure *f)
{
	int64_t ignored;

	switch (field) {
	case FIELD_ID: item->id = text; break;
	case FIELD_INDEX: item->index_name = text; break;
	case FIELD_ROUTING: item->routing = text; break;
	case FIELD_VERSION: return long_value(text, is_string, &item->version, f);
	case FIELD_VERSION_TYPE: return set_version_type(item, text, f);
	case FIELD_OP_TYPE:
		if (item->op == OP_INDEX && slice_is(text, "create"))
			item->op = OP_CREATE;
		break;
	case FIELD_REQUIRE_ALIAS: return bool_value(text, &item->require_alias, f);
	case FIELD_IF_SEQ_NO: return long_value(text, is_string, &item->if_seq_no, f);
	case FIELD_IF_PRIMARY_TERM:
		return long_value(text, is_string, &item->if_primary_term, f);
	case FIELD_RETRY:
		if (long_value(text, is_string, &ignored, f))
			return true;
		if (is_string)
			f->type = "number_format_exception";
		return false;
	default: break; /* pipeline, _source, _type: taken and ignored */
	}
	return true;
}

/* One "name":value of the action. */
static bool
parse_field(struct bulk *b, struct json_cursor *c, struct bulk_item *item, size_t line,
    const struct bulk_defaults *defaults, struct failure *f)
{
	struct slice name, raw;
	enum field field;
	bool escaped, is_string;

	if (c->p == c->end || *c->p != '"') {
		json_unexpected(c, "double-quote to start field name");
		return failure_json(f, &c->error);
	}
	if (!json_string(c, &raw, &escaped))
		return failure_json(f, &c->error);
	name = text_of(b, raw, escaped);
	field = field_of(name);
	if (field == FIELD_TYPE && !defaults->types)
		field = FIELD_UNKNOWN;
	if (field != FIELD_UNKNOWN && (item->metadata_seen & (1U << field))) {
		char text[64];

		snprintf(text, sizeof(text), "Duplicate field '%.*s'", (int)name.n, name.p);
		json_fail(c, JSON_DUPLICATE, text);
		return failure_json(f, &c->error);
	}
	item->metadata_seen |= 1U << field;
	json_blanks(c);
	if (c->p == c->end || *c->p != ':') {
		json_unexpected(c, "a colon to separate field name and value");
		return failure_json(f, &c->error);
	}
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == '{' && field == FIELD_SOURCE)
		return json_value(c, &raw) ? true : failure_json(f, &c->error);
	if (c->p < c->end && (*c->p == '{' || *c->p == '['))
		return failure_argument(f,
		    "Malformed action/metadata line [%zu], expected a simple value for "
		    "field [%.*s] "
		    "but found [START_%s]",
		    line, (int)name.n, name.p, *c->p == '{' ? "OBJECT" : "ARRAY");
	is_string = c->p < c->end && *c->p == '"';
	escaped = false;
	if (!(is_string ? json_string(c, &raw, &escaped) : json_scalar(c, &raw)))
		return failure_json(f, &c->error);
	if (!is_string && *raw.p == 'n')
		return true;
	if (field == FIELD_UNKNOWN)
		return failure_argument(f,
		    "Action/metadata line [%zu] contains an unknown parameter [%.*s]", line,
		    (int)name.n, name.p);
	return set_field(item, field, text_of(b, raw, escaped), is_string, f);
}

/* The action's own name, up to its colon. */
static bool
parse_op(struct bulk *b, struct json_cursor *c, struct bulk_item *item, size_t line,
    struct failure *f)
{
	const char *token = json_token(c);
	struct slice raw;
	bool escaped;

	if (token == NULL) {
		if (!json_scalar(c, &raw))
			return failure_json(f, &c->error);
	} else if (*c->p != '{')
		return failure_argument(f,
		    "Malformed action/metadata line [%zu], expected START_OBJECT but found [%s]",
		    line, token);
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == '}')
		return failure_argument(f,
		    "Malformed action/metadata line [%zu], expected FIELD_NAME but found "
		    "[END_OBJECT]",
		    line);
	if (c->p == c->end || *c->p != '"') {
		json_unexpected(c, "double-quote to start field name");
		return failure_json(f, &c->error);
	}
	if (!json_string(c, &raw, &escaped))
		return failure_json(f, &c->error);
	raw = text_of(b, raw, escaped);
	json_blanks(c);
	if (c->p == c->end || *c->p != ':') {
		json_unexpected(c, "a colon to separate field name and value");
		return failure_json(f, &c->error);
	}
	c->p++;
	json_blanks(c);
	for (int op = OP_INDEX; op <= OP_DELETE; op++)
		if (slice_is(raw, bulk_op_names[op])) {
			item->op = (uint8_t)op;
			return true;
		}
	return failure_argument(f,
	    "Malformed action/metadata line [%zu], expected one of [create, delete, index, update] "
	    "but found [%.*s]",
	    line, (int)raw.n, raw.p);
}

bool
action_parse(struct bulk *b, struct json_cursor *c, struct bulk_item *item, size_t line,
    const struct bulk_defaults *defaults, struct failure *f)
{
	const char *token;
	struct slice raw;

	*item = (struct bulk_item) { .version = VERSION_ANY,
		.if_seq_no = SEQ_NO_UNSET,
		.detect_noop = true,
		.index_name = defaults->index,
		.routing = defaults->routing,
		.require_alias = defaults->require_alias };
	if (!parse_op(b, c, item, line, f))
		return false;
	if (c->p == c->end || *c->p != '{') {
		token = json_token(c);
		if (token == NULL)
			return json_scalar(c, &raw) ? false : failure_json(f, &c->error);
		return failure_argument(f,
		    "Malformed action/metadata line [%zu], expected START_OBJECT or END_OBJECT but "
		    "found [%s]",
		    line, token);
	}
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == '}')
		return true;
	for (;;) {
		if (!parse_field(b, c, item, line, defaults, f))
			return false;
		json_blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			json_blanks(c);
			continue;
		}
		/* What stands behind this brace is not looked at by the real one either. */
		if (c->p < c->end && *c->p == '}')
			return true;
		json_unexpected(c, "comma to separate Object entries");
		return failure_json(f, &c->error);
	}
}

static bool
update_type(struct failure *f, size_t column, struct slice name, struct slice value)
{
	struct json_cursor c;

	json_cursor_init(&c, value);
	return failure_set(f, 400, "x_content_parse_exception",
	    "[1:%zu] [UpdateRequest] %.*s doesn't support values of type: %s", column,
	    (int)name.n, name.p, json_token(&c));
}

/* A member of an update's body, whose value starts at column. */
static bool
update_field(struct bulk_item *item, struct slice name, struct slice value,
    size_t name_column, size_t column, struct failure *f)
{
	bool is_bool = *value.p == 't' || *value.p == 'f';

	if (slice_is(name, "doc") || slice_is(name, "upsert")) {
		if (*value.p != '{')
			return update_type(f, column, name, value);
		if (name.n == 3)
			item->source = value;
		else
			item->upsert = value;
	} else if (slice_is(name, "doc_as_upsert") || slice_is(name, "detect_noop")) {
		if (!is_bool)
			return update_type(f, column, name, value);
		if (*name.p == 'd' && name.p[1] == 'o')
			item->doc_as_upsert = *value.p == 't';
		else
			item->detect_noop = *value.p == 't';
	} else if (slice_is(name, "script")) {
		item->has_script = true;
	} else if (!slice_is(name, "_source") && !slice_is(name, "scripted_upsert") &&
		   !slice_is(name, "if_seq_no") && !slice_is(name, "if_primary_term")) {
		return failure_set(f, 400, "x_content_parse_exception",
		    "[1:%zu] [UpdateRequest] unknown field [%.*s]", name_column,
		    (int)name.n, name.p);
	}
	return true;
}

/* One member of an update's body at the cursor. */
static bool
update_member(struct json_cursor *c, struct bulk_item *item, struct failure *f)
{
	struct slice name, value;
	size_t name_column = (size_t)(c->p - c->start) + 1, column;
	bool escaped;

	if (c->p == c->end || *c->p != '"') {
		json_unexpected(c, "double-quote to start field name");
		return failure_json(f, &c->error);
	}
	if (!json_string(c, &name, &escaped))
		return failure_json(f, &c->error);
	json_blanks(c);
	if (c->p == c->end || *c->p != ':') {
		json_unexpected(c, "a colon to separate field name and value");
		return failure_json(f, &c->error);
	}
	c->p++;
	json_blanks(c);
	if (c->p == c->end) {
		json_fail(
		    c, JSON_EOF, "Unexpected end-of-input within/between Object entries");
		return failure_json(f, &c->error);
	}
	column = (size_t)(c->p - c->start) + 1;
	if (!json_value(c, &value)) {
		if (*value.p != '{' && *value.p != '[')
			return failure_json(f, &c->error);
		failure_set(f, 400, "x_content_parse_exception",
		    "[1:%zu] [UpdateRequest] failed to parse field [%.*s]", c->error.column,
		    (int)name.n, name.p);
		f->cause_type = failure_json_type(c->error.kind);
		failure_json_reason(&f->cause_reason, &c->error);
		return false;
	}
	return update_field(item, name, value, name_column, column, f);
}

bool
action_parse_update(struct json_cursor *c, struct bulk_item *item, struct failure *f)
{
	const char *token;
	struct slice raw;

	json_blanks(c);
	token = json_token(c);
	if (token == NULL && c->p < c->end)
		return json_scalar(c, &raw) ? false : failure_json(f, &c->error);
	if (token == NULL || *c->p != '{')
		return failure_set(f, 400, "x_content_parse_exception",
		    "[1:%zu] [UpdateRequest] Expected START_OBJECT but was: %s",
		    token == NULL ? 0 : (size_t)(c->p - c->start) + 1,
		    token == NULL ? "null" : token);
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == '}')
		return true;
	for (;;) {
		if (!update_member(c, item, f))
			return false;
		json_blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			json_blanks(c);
			continue;
		}
		if (c->p < c->end && *c->p == '}')
			return true;
		json_unexpected(c, "comma to separate Object entries");
		return failure_json(f, &c->error);
	}
}
