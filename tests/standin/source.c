#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "source.h"

/* A number as Java prints the double it became; integers stay what they are. */
static void
add_number(struct buf *out, struct slice number)
{
	char text[64];
	double d;

	if (memchr(number.p, '.', number.n) == NULL &&
	    memchr(number.p, 'e', number.n) == NULL &&
	    memchr(number.p, 'E', number.n) == NULL) {
		buf_add(out, number.p, number.n);
		return;
	}
	d = strtod(number.p, NULL);
	/* Double.toString: the fewest digits that tell it, plain from 0.001 to 10^7. */
	for (int digits = 1; digits <= 20; digits++) {
		if (d == 0 || (fabs(d) >= 1e-3 && fabs(d) < 1e7))
			snprintf(text, sizeof(text), "%.*f", digits, d);
		else
			snprintf(text, sizeof(text), "%.*e", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_adds(out, text);
}

/* A value as it comes out of a map of Java objects. */
static void
add_value(struct buf *out, struct slice value)
{
	struct json_walk w;
	struct slice name, part;
	size_t before = out->len;

	if (*value.p == '{') {
		w = json_members(value);
		buf_addc(out, '{');
		while (json_member(&w, &name, &part)) {
			if (out->len > before + 1)
				buf_addc(out, ',');
			buf_addc(out, '"');
			buf_add(out, name.p, name.n);
			buf_adds(out, "\":");
			add_value(out, part);
		}
		buf_addc(out, '}');
	} else if (*value.p == '[') {
		w = json_elements(value);
		buf_addc(out, '[');
		while (json_element(&w, &part)) {
			if (out->len > before + 1)
				buf_addc(out, ',');
			add_value(out, part);
		}
		buf_addc(out, ']');
	} else if (*value.p == '-' || (*value.p >= '0' && *value.p <= '9'))
		add_number(out, value);
	else
		buf_add(out, value.p, value.n);
}

/* What is left of an object that stands at path; false when nothing is. */
static bool
add_left(struct buf *out, struct slice object, const char *patterns, const char *path)
{
	struct json_walk w = json_members(object);
	struct slice name, value;
	char deeper[512];
	bool any = false;

	buf_addc(out, '{');
	while (json_member(&w, &name, &value)) {
		size_t before = out->len;
		bool left;

		snprintf(deeper, sizeof(deeper), "%s%s%.*s", path, *path != '\0' ? "." : "",
		    (int)name.n, name.p);
		left = filter_leaves(patterns, deeper);
		if (!left && *value.p != '{')
			continue;
		if (any)
			buf_addc(out, ',');
		buf_addc(out, '"');
		buf_add(out, name.p, name.n);
		buf_adds(out, "\":");
		if (left)
			add_value(out, value);
		else if (!add_left(out, value, patterns, deeper)) {
			out->len = before;
			continue;
		}
		any = true;
	}
	buf_addc(out, '}');
	return any;
}

void
source_filtered(struct buf *out, struct slice source, const char *patterns)
{
	if (*patterns == '\0')
		buf_add(out, source.p, source.n);
	else
		add_left(out, source, patterns, "");
}
