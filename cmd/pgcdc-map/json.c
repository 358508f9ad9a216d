#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

void
json_scratch_free(struct json_scratch *scratch)
{
	buf_free(&scratch->names);
	free(scratch->place);
	free(scratch->change);
	free(scratch->order);
	*scratch = (struct json_scratch){ 0 };
}

void
json_one_line(struct buf *b, const char *text, size_t len)
{
	size_t start = b->len;
	char *p, *end;

	if (len == 0)
		return;
	buf_add(b, text, len);
	end = b->data + b->len;
	for (p = b->data + start; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		*p = ' ';
	for (p = b->data + start; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++)
		*p = ' ';
}

void
json_name(struct json_scratch *scratch, const struct json_inside *inside,
    const char **name, size_t *len)
{
	*name = inside->s;
	*len = inside->len;
	if (!inside->escaped)
		return;
	scratch->names.len = 0;
	json_unescape(&scratch->names, inside, false);
	*name = scratch->names.data;
	*len = scratch->names.len;
}

bool
json_valid(const char *text, size_t len, struct json_problem *problem)
{
	struct json_scan s = {
		.text = text, .p = text, .end = text + len, .problem = problem
	};

	return json_scan_text(&s) == 0;
}

enum json_kind
json_kind(const char *text, size_t len)
{
	struct json_scan s = { .p = text, .end = text + len };

	json_scan_blanks(&s);
	if (s.p == s.end)
		return JSON_NONE;
	switch (*s.p) {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 't': return JSON_TRUE;
	case 'f': return JSON_FALSE;
	case 'n': return JSON_NULL;
	default:
		return *s.p == '-' || (*s.p >= '0' && *s.p <= '9') ? JSON_NUMBER
								   : JSON_NONE;
	}
}

/*
 * Members
 */

struct json_members
json_members(const char *text, size_t len)
{
	return (struct json_members){ .text = text, .at = text, .end = text + len };
}

/* To the next member: 1, or 0 behind the last. */
static int
find_member(struct json_scan *s, bool begun)
{
	int more;

	if (begun) {
		more = json_scan_comma(s, '}');
	} else {
		json_scan_blanks(s);
		if (s->p == s->end || *s->p != '{')
			return json_scan_fail(s, s->p, "no object");
		s->p++;
		json_scan_blanks(s);
		more = s->p == s->end || *s->p != '}';
		if (more == 0)
			s->p++;
	}
	return more == 0 ? json_scan_end(s) : more;
}

int
json_next(struct json_members *all, struct json_scratch *scratch,
    struct json_member *member, struct json_problem *problem)
{
	/* The object itself is the first level. */
	struct json_scan s = { .text = all->text,
		.p = all->at,
		.end = all->end,
		.depth = 1,
		.problem = problem };
	struct json_inside name;
	int more = find_member(&s, all->at != all->text);

	if (more <= 0)
		return more;
	if (json_scan_name(&s, &name) != 0 || json_scan_colon(&s) != 0)
		return -1;
	member->value = s.p;
	if (json_scan_value(&s) != 0)
		return -1;
	member->value_len = (size_t)(s.p - member->value);
	json_name(scratch, &name, &member->name, &member->name_len);
	all->at = s.p;
	return 1;
}
