#include "failure.h"
#include "quote.h"

static void
add_remedy(const struct plan *plan, struct buf *b)
{
	buf_adds(b, "ALTER TABLE ");
	quote_identifier(b, plan->relation->schema);
	buf_addc(b, '.');
	quote_identifier(b, plan->relation->table);
	buf_adds(b, " REPLICA IDENTITY FULL");
}

static void
describe_absent(const struct plan *plan, const struct failure *why, struct buf *b)
{
	buf_adds(b, why->old ? "is not in the old row that the server sent; "
			     : "is large and unchanged, so the server did not send it; ");
	add_remedy(plan, b);
	buf_adds(b, why->old ? " makes it send all of it" : " makes it do so");
}

static void
describe_result(const struct plan *plan, const struct failure *why,
    const struct buf *fault, struct buf *b)
{
	switch (why->result) {
	case RENDER_NULL: buf_adds(b, "is null"); break;
	case RENDER_ABSENT: describe_absent(plan, why, b); break;
	case RENDER_NAN:
		buf_adds(b, "is NaN, which JSON does not have; "
			    "\"nan: null\" or \"nan: string\" in defaults lets it pass");
		break;
	case RENDER_INFINITY:
		buf_adds(b, "is infinite, which JSON does not have; "
			    "\"infinity: null\" or \"infinity: string\" in defaults lets it pass");
		break;
	case RENDER_BC:
		buf_adds(b,
		    "has a year before 1 or behind 9999; \"bc: iso\", \"bc: string\" or "
		    "\"bc: null\" in defaults lets it pass");
		break;
	case RENDER_UTF8:
		buf_adds(b, "is text that is not UTF-8; \"invalid_utf8: bytes\" or "
			    "\"invalid_utf8: replace\" in defaults lets it pass");
		break;
	case RENDER_FAULT: buf_add(b, fault->data, fault->len); break;
	case RENDER_OK:
	case RENDER_UNKNOWN: buf_adds(b, "has a value of an unknown kind"); break;
	}
}

void
failure_describe(const struct failure *why, const struct plan *plan,
    const struct buf *fault, struct buf *b)
{
	const struct relation *rel = plan->relation;

	buf_printf(b, "table %s: ", rel->name);
	switch (why->kind) {
	case FAIL_EMPTY: buf_printf(b, "%s is empty", why->what); break;
	case FAIL_LONG:
		buf_printf(b,
		    "id is longer than %d bytes; \"long_id: hash\" in defaults lets it pass",
		    FAILURE_ID_MAX);
		break;
	case FAIL_UNSEEN:
		buf_printf(b,
		    "index, id or routing need column \"%s\", and an update does not tell "
		    "whether it changed: it is outside the replica identity; ",
		    rel->column[why->column].name);
		add_remedy(plan, b);
		buf_printf(b, " makes the server tell, or the rule says \"stable: [%s]\"",
		    rel->column[why->column].name);
		break;
	case FAIL_MOVED:
		buf_printf(b,
		    "%s: its large value was not sent, and cannot be taken over where the routing "
		    "alone changed and the rule has no versions; ",
		    why->what);
		add_remedy(plan, b);
		buf_adds(b, " makes the server send it");
		break;
	case FAIL_NONE:
	case FAIL_CONDITION:
	case FAIL_VALUE:
		buf_printf(b, "%s: ", why->what);
		if (why->column != PLAN_NO_COLUMN)
			buf_printf(b, "column \"%s\" ", rel->column[why->column].name);
		describe_result(plan, why, fault, b);
		break;
	}
}
