#include <string.h>

#include "json_scan.h"
#include "hex.h"
#include "number.h"

/*
 * Tokens
 */

int
json_scan_fail(struct json_scan *s, const char *at, const char *what)
{
	*s->problem =
	    (struct json_problem){ .what = what, .offset = (size_t)(at - s->text) };
	return -1;
}

void
json_scan_blanks(struct json_scan *s)
{
	while (s->p < s->end &&
	       (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

/* The bytes of the escape at a backslash; 0 when JSON has none such. */
static size_t
escape_len(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't': return 2;
	case 'u': break;
	default: return 0;
	}
	if (end - p < 6)
		return 0;
	for (int i = 2; i < 6; i++)
		if (hex_digit(p[i]) < 0)
			return 0;
	return 6;
}

int
json_scan_string(struct json_scan *s, struct json_inside *inside)
{
	const char *p = s->p + 1;

	*inside = (struct json_inside){ .s = p };
	for (;;) {
		size_t n;

		while (p < s->end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
			p++;
		if (p == s->end)
			return json_scan_fail(s, s->p, "a string that does not end");
		if (*p == '"')
			break;
		if (*p != '\\')
			return json_scan_fail(s, p, "a control character in a string");
		n = escape_len(p, s->end);
		if (n == 0)
			return json_scan_fail(s, p, "an escape that JSON does not have");
		inside->escaped = true;
		p += n;
	}
	inside->len = (size_t)(p - inside->s);
	s->p = p + 1;
	return 0;
}

static int
scan_number(struct json_scan *s)
{
	const char *p = s->p;

	while (p < s->end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' ||
				 *p == '.' || *p == 'e' || *p == 'E'))
		p++;
	if (p == s->p)
		return json_scan_fail(s, p, "no value begins like this");
	if (!number_is_json(s->p, (size_t)(p - s->p)))
		return json_scan_fail(
		    s, s->p, "a number in a form that JSON does not have");
	s->p = p;
	return 0;
}

static int
scan_word(struct json_scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return json_scan_fail(s, s->p, "no value begins like this");
	s->p += n;
	return 0;
}

/* The four digits of a \u escape. */
static uint32_t
utf16_unit(const char *digits)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)hex_digit(digits[i]);
	return v;
}

static char *
put_utf8(char *o, uint32_t c)
{
	if (c < 0x80) {
		*o++ = (char)c;
		return o;
	}
	if (c < 0x800) {
		*o++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*o++ = (char)(0xe0 | c >> 12);
		} else {
			*o++ = (char)(0xf0 | c >> 18);
			*o++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*o++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*o++ = (char)(0x80 | (c & 0x3f));
	return o;
}

void
json_unescape(struct buf *b, const struct json_inside *inside, bool different)
{
	static const char letters[] = "b\bf\fn\nr\rt\t";
	const char *p = inside->s, *end = p + inside->len;
	/* No escape is shorter than its character. */
	char *o = buf_reserve(b, inside->len);

	while (p < end) {
		uint32_t c;

		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		if (p[1] != 'u') {
			const char *letter = strchr(letters, p[1]);

			*o++ = letter != NULL ? letter[1] : p[1];
			p += 2;
			continue;
		}
		c = utf16_unit(p + 2);
		p += 6;
		if (c >= 0xd800 && c < 0xe000) {
			uint32_t low = 0;

			if (c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u')
				low = utf16_unit(p + 2);
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
				p += 6;
			} else if (!different) {
				c = 0xfffd;
			}
		}
		o = put_utf8(o, c);
	}
	b->len = (size_t)(o - b->data);
}

/*
 * Values
 */

int
json_scan_name(struct json_scan *s, struct json_inside *name)
{
	if (s->p == s->end || *s->p != '"')
		return json_scan_fail(s, s->p, "no name where a member should be");
	return json_scan_string(s, name);
}

int
json_scan_colon(struct json_scan *s)
{
	json_scan_blanks(s);
	if (s->p == s->end || *s->p != ':')
		return json_scan_fail(s, s->p, "no colon behind a name");
	s->p++;
	json_scan_blanks(s);
	return 0;
}

static int
scan_member(struct json_scan *s)
{
	struct json_inside name;
	size_t place;

	if (json_scan_name(s, &name) != 0 || json_clean_name(s, &name, &place) != 0)
		return -1;
	if (json_scan_colon(s) != 0 || json_scan_value(s) != 0)
		return -1;
	json_clean_member(s, place);
	return 0;
}

int
json_scan_comma(struct json_scan *s, char close)
{
	json_scan_blanks(s);
	if (s->p == s->end)
		return json_scan_fail(s, s->p, "it ends too early");
	if (*s->p == close) {
		s->p++;
		return 0;
	}
	if (*s->p != ',')
		return json_scan_fail(s, s->p, "no comma where one should be");
	s->p++;
	json_scan_blanks(s);
	return 1;
}

/* At its bracket: an array or object whose parts scan_part reads. */
static int
scan_parts(struct json_scan *s, char close, int (*scan_part)(struct json_scan *))
{
	int more = 1;

	if (s->depth == JSON_DEPTH)
		return json_scan_fail(
		    s, s->p, "more than 1000 arrays and objects in one another");
	s->depth++;
	s->p++;
	json_scan_blanks(s);
	if (s->p < s->end && *s->p == close) {
		s->p++;
		more = 0;
	}
	while (more > 0) {
		if (scan_part(s) != 0)
			return -1;
		more = json_scan_comma(s, close);
	}
	s->depth--;
	return more;
}

static int
scan_object(struct json_scan *s)
{
	struct json_level level = json_clean_level(s);

	if (scan_parts(s, '}', scan_member) != 0)
		return -1;
	return json_clean_object(s, level);
}

/* Recursive, but no deeper than JSON_DEPTH. */
int
json_scan_value(struct json_scan *s)
{
	struct json_inside string;

	if (s->p == s->end)
		return json_scan_fail(s, s->p, "it ends too early");
	switch (*s->p) {
	case '{': return scan_object(s);
	case '[': return scan_parts(s, ']', json_scan_value);
	case '"': return json_scan_string(s, &string);
	case 't': return scan_word(s, "true");
	case 'f': return scan_word(s, "false");
	case 'n': return scan_word(s, "null");
	default: return scan_number(s);
	}
}

int
json_scan_end(struct json_scan *s)
{
	json_scan_blanks(s);
	if (s->p != s->end)
		return json_scan_fail(s, s->p, "more text behind the value");
	return 0;
}

int
json_scan_text(struct json_scan *s)
{
	json_scan_blanks(s);
	if (json_scan_value(s) != 0)
		return -1;
	return json_scan_end(s);
}
