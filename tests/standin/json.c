#include <stdint.h>
#include <stdio.h>

#include "json.h"

void
json_cursor_init(struct json_cursor *c, struct slice text)
{
	c->start = c->p = text.p;
	c->end = text.p + text.n;
	c->error.kind = JSON_OK;
}

bool
json_fail(struct json_cursor *c, enum json_error_kind kind, const char *text)
{
	c->error.kind = kind;
	c->error.column = (size_t)(c->p - c->start) + 1;
	snprintf(c->error.text, sizeof(c->error.text), "%s", text);
	return false;
}

/* A run of letters and digits that is no literal, named as Jackson names it. */
static bool
unknown_token(struct json_cursor *c)
{
	char text[160];
	int n = 0;

	while (c->p + n < c->end && n < 32 &&
	       ((c->p[n] >= '0' && c->p[n] <= '9') ||
		   ((c->p[n] | 32) >= 'a' && (c->p[n] | 32) <= 'z') || c->p[n] == '_'))
		n++;
	snprintf(text, sizeof(text),
	    n == 3 && memcmp(c->p, "NaN", 3) == 0
		? "Non-standard token '%.*s': enable "
		  "`JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
		: "Unrecognized token '%.*s': was expecting (JSON String, Number, Array, Object or "
		  "token 'null', 'true' or 'false')",
	    n, c->p);
	return json_fail(c, JSON_SYNTAX, text);
}

bool
json_unexpected(struct json_cursor *c, const char *wanted)
{
	char text[160];
	unsigned char ch;

	if (c->p >= c->end)
		return json_fail(c, JSON_EOF, "Unexpected end-of-input");
	ch = (unsigned char)*c->p;
	if (ch >= 0x80)
		return json_fail(c, JSON_UTF8, "Invalid UTF-8 start byte");
	if ((ch == '}' || ch == ']') && strncmp(wanted, "double-quote", 12) != 0) {
		snprintf(text, sizeof(text), "Unexpected close marker '%c'", ch);
		return json_fail(c, JSON_SYNTAX, text);
	}
	snprintf(text, sizeof(text),
	    "Unexpected character ('%c' (code %d)): was expecting %s", ch < 0x20 ? ' ' : ch,
	    ch, wanted);
	return json_fail(c, JSON_SYNTAX, text);
}

/* Length of the UTF-8 sequence at p, 0 when it is none (RFC 3629, table in section 4). */
static size_t
utf8_length(const char *s, const char *end)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t left = (size_t)(end - s);

	if (p[0] >= 0xc2 && p[0] <= 0xdf && left >= 2)
		return (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if ((p[0] & 0xf0) == 0xe0 && left >= 3) {
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
		    (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4 && left >= 4) {
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
		    (p[3] & 0xc0) != 0x80 || (p[0] == 0xf0 && p[1] < 0x90) ||
		    (p[0] == 0xf4 && p[1] >= 0x90))
			return 0;
		return 4;
	}
	return 0;
}

/*
 * The first byte from p on that ends a plain run in a string: a quote, a
 * backslash, a control character or a byte that is not ASCII.  Eight at a time;
 * a borrow can make only bytes behind the first hit look like one, and only the
 * first is used.
 */
static const char *
plain_end(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101U, highs = 0x8080808080808080U;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - p >= 8) {
		uint64_t w, quote, slash, hit;

		memcpy(&w, p, 8);
		quote = w ^ (ones * '"');
		slash = w ^ (ones * '\\');
		hit = w | (((quote - ones) & ~quote) | ((slash - ones) & ~slash)) |
		      ((w - ones * 0x20) & ~w);
		hit &= highs;
		if (hit != 0)
			return p + (__builtin_ctzll(hit) >> 3);
		p += 8;
	}
#else
	(void)ones;
	(void)highs;
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
	       (unsigned char)*p < 0x80)
		p++;
	return p;
}

static int
hex_value(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = (char)(ch | 32);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* The escape at p, which stands on the backslash. */
static bool
skip_escape(struct json_cursor *c)
{
	char text[64];

	if (c->end - c->p < 2)
		return json_fail(
		    c, JSON_EOF, "Unexpected end-of-input in character escape sequence");
	c->p++;
	if (*c->p == 'u') {
		for (int i = 1; i <= 4; i++) {
			if (c->end - c->p <= i)
				return json_fail(c, JSON_EOF,
				    "Unexpected end-of-input in character escape sequence");
			if (hex_value(c->p[i]) < 0)
				return json_unexpected(
				    c, "a hex-digit for character escape sequence");
		}
		c->p += 5;
		return true;
	}
	if (*c->p == '\0' || strchr("\"\\/bfnrt", *c->p) == NULL) {
		snprintf(text, sizeof(text), "Unrecognized character escape '%c' (code %d)",
		    *c->p >= ' ' ? *c->p : ' ', (unsigned char)*c->p);
		return json_fail(c, JSON_SYNTAX, text);
	}
	c->p++;
	return true;
}

bool
json_string(struct json_cursor *c, struct slice *raw, bool *escaped)
{
	const char *start = ++c->p;
	char text[160];
	size_t n;

	*escaped = false;
	for (;;) {
		c->p = plain_end(c->p, c->end);
		if (c->p == c->end)
			return json_fail(c, JSON_EOF,
			    "Unexpected end-of-input: "
			    "was expecting closing quote for a string value");
		if (*c->p == '"') {
			*raw = (struct slice) { start, (size_t)(c->p - start) };
			c->p++;
			return true;
		}
		if (*c->p == '\\') {
			*escaped = true;
			if (!skip_escape(c))
				return false;
		} else if ((unsigned char)*c->p >= 0x80) {
			n = utf8_length(c->p, c->end);
			if (n == 0) {
				snprintf(text, sizeof(text),
				    "Invalid UTF-8 start byte 0x%x", (unsigned char)*c->p);
				return json_fail(c, JSON_UTF8, text);
			}
			c->p += n;
		} else {
			snprintf(text, sizeof(text),
			    "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped "
			    "using backslash to be included in string value",
			    (unsigned char)*c->p);
			return json_fail(c, JSON_SYNTAX, text);
		}
	}
}

static bool
digits(struct json_cursor *c)
{
	const char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	if (c->p == start)
		return json_unexpected(c, "a digit");
	return true;
}

/* May this byte follow a number or a literal? */
static bool
ends_token(const struct json_cursor *c)
{
	return c->p == c->end || memchr(",]} \t\r\n:\"[{", *c->p, 11) != NULL;
}

static bool
skip_number(struct json_cursor *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0') {
		c->p++;
		if (c->p < c->end && *c->p >= '0' && *c->p <= '9')
			return json_fail(c, JSON_SYNTAX,
			    "Invalid numeric value: Leading zeroes not allowed");
	} else if (!digits(c))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if (!digits(c))
			return false;
	}
	return ends_token(c) ? true : json_unexpected(c, "a space or a separator");
}

static bool
skip_literal(struct json_cursor *c, const char *word, size_t n)
{
	struct json_cursor after = *c;

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return unknown_token(c);
	after.p += n;
	if (!ends_token(&after))
		return unknown_token(c);
	c->p = after.p;
	return true;
}

bool
json_scalar(struct json_cursor *c, struct slice *raw)
{
	bool ok;

	if (c->p == c->end)
		return json_fail(c, JSON_EOF, "Unexpected end-of-input");
	raw->p = c->p;
	switch (*c->p) {
	case 't': ok = skip_literal(c, "true", 4); break;
	case 'f': ok = skip_literal(c, "false", 5); break;
	case 'n': ok = skip_literal(c, "null", 4); break;
	default:
		if (*c->p == '-' || (*c->p >= '0' && *c->p <= '9'))
			ok = skip_number(c);
		else if ((*c->p | 32) >= 'a' && (*c->p | 32) <= 'z')
			ok = unknown_token(c);
		else
			ok = json_unexpected(c, "a valid value");
	}
	raw->n = (size_t)(c->p - raw->p);
	return ok;
}

const char *
json_token(const struct json_cursor *at)
{
	struct json_cursor c = *at;
	struct slice raw;

	if (c.p == c.end)
		return NULL;
	switch (*c.p) {
	case '{': return "START_OBJECT";
	case '[': return "START_ARRAY";
	case '"': return "VALUE_STRING";
	default:
		if (!json_scalar(&c, &raw))
			return NULL;
		return *raw.p == 'n'                    ? "VALUE_NULL"
		       : *raw.p == 't' || *raw.p == 'f' ? "VALUE_BOOLEAN"
							: "VALUE_NUMBER";
	}
}
