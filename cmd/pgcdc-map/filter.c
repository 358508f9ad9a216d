#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include <sha2.h>

#include "datetime.h"
#include "filter.h"

/*
 * Parsing
 */

static const char *
set_argument(struct filter *f, const char *arg, size_t len)
{
	f->arg = xstrndup(arg, len);
	f->len = len;
	return NULL;
}

static const char *
set_count(struct filter *f, const char *arg, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (arg[i] < '0' || arg[i] > '9' || f->count > 1000000)
			return "left needs a number of characters, as in {name|left:20}";
		f->count = f->count * 10 + (size_t)(arg[i] - '0');
	}
	return f->count > 0 ? NULL : "left needs a number of characters, as in {name|left:20}";
}

const char *
filter_parse_format(struct filter *f, const char *text, size_t len)
{
	const char *why = datetime_format_problem(text, len);

	*f = (struct filter) { .kind = FILTER_FORMAT };
	if (len == 0)
		return "a colon without a format; one is written {created_on:%Y.%m}";
	return why != NULL ? why : set_argument(f, text, len);
}

const char *
filter_parse(struct filter *f, const char *text, size_t len)
{
	static const struct {
		const char *name;
		enum filter_kind kind;
		bool argument;
	} known[] = { { "lower", FILTER_LOWER, false }, { "upper", FILTER_UPPER, false },
		{ "trim", FILTER_TRIM, false }, { "string", FILTER_STRING, false },
		{ "default", FILTER_DEFAULT, true }, { "left", FILTER_LEFT, true },
		{ "hash", FILTER_HASH, false }, { "slug", FILTER_SLUG, false } };
	static char problem[160];
	const char *colon = memchr(text, ':', len);
	size_t n = colon != NULL ? (size_t)(colon - text) : len;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != n || memcmp(known[i].name, text, n) != 0)
			continue;
		*f = (struct filter) { .kind = known[i].kind };
		if (known[i].argument != (colon != NULL)) {
			snprintf(problem, sizeof(problem), "the filter %s %s", known[i].name,
			    colon != NULL ? "takes nothing behind a colon"
			                  : "needs something behind a colon");
			return problem;
		}
		if (colon == NULL)
			return NULL;
		return known[i].kind == FILTER_LEFT
		    ? set_count(f, colon + 1, len - n - 1)
		    : set_argument(f, colon + 1, len - n - 1);
	}
	snprintf(problem, sizeof(problem),
	    "unknown filter \"%.*s\"; known: lower, upper, trim, string, default:TEXT, left:N, "
	    "hash, slug, and {column:FORMAT} for dates",
	    n < 40 ? (int)n : 40, text);
	return problem;
}

void
filter_put(struct buf *b, const struct filter *f)
{
	static const char *const names[] = { [FILTER_FORMAT] = ":", [FILTER_LOWER] = "|lower",
		[FILTER_UPPER] = "|upper", [FILTER_TRIM] = "|trim", [FILTER_STRING] = "|string",
		[FILTER_DEFAULT] = "|default:", [FILTER_LEFT] = "|left:", [FILTER_HASH] = "|hash",
		[FILTER_SLUG] = "|slug" };

	buf_adds(b, names[f->kind]);
	if (f->kind == FILTER_LEFT)
		buf_printf(b, "%zu", f->count);
	else
		buf_add(b, f->arg, f->len);
}

void
filter_free(struct filter *f)
{
	free(f->arg);
	f->arg = NULL;
}

/*
 * Applying
 */

static bool
is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

static char
ascii_case(char c, bool upper)
{
	if (upper)
		return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The letters' case by the locale, which has UTF-8; bytes that are none stay. */
static void
change_case(struct buf *b, size_t start, struct buf *scratch, bool upper)
{
	size_t n = b->len - start, at = 0;
	const char *s;

	if (is_ascii(b->data + start, n)) {
		for (size_t i = start; i < b->len; i++)
			b->data[i] = ascii_case(b->data[i], upper);
		return;
	}
	scratch->len = 0;
	buf_add(scratch, b->data + start, n);
	s = scratch->data;
	b->len = start;
	while (at < n) {
		mbstate_t in = { 0 }, out = { 0 };
		char bytes[16];
		wchar_t wide;
		size_t took = mbrtowc(&wide, s + at, n - at, &in), put;

		if (took == 0 || took > n - at) {
			buf_addc(b, s[at++]);
			continue;
		}
		wide = (wchar_t)(upper ? towupper((wint_t)wide) : towlower((wint_t)wide));
		put = wcrtomb(bytes, wide, &out);
		if (put == (size_t)-1)
			buf_add(b, s + at, took);
		else
			buf_add(b, bytes, put);
		at += took;
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
trim(struct buf *b, size_t start)
{
	size_t from = start;

	while (b->len > start && is_blank(b->data[b->len - 1]))
		b->len--;
	while (from < b->len && is_blank(b->data[from]))
		from++;
	memmove(b->data + start, b->data + from, b->len - from);
	b->len -= from - start;
}

/* So many characters: bytes that continue one don't count. */
static void
left(struct buf *b, size_t start, size_t count)
{
	for (size_t i = start; i < b->len; i++)
		if (((unsigned char)b->data[i] & 0xc0) != 0x80 && count-- == 0) {
			b->len = i;
			return;
		}
}

void
filter_hash(struct buf *b, size_t start)
{
	char digits[SHA256_DIGEST_STRING_LENGTH];

	SHA256Data((const uint8_t *)b->data + start, b->len - start, digits);
	b->len = start;
	buf_adds(b, digits);
}

/* Letters and digits in lower case; whatever lies between them is one hyphen. */
static void
slug(struct buf *b, size_t start, struct buf *scratch)
{
	size_t to = start;
	bool gap = false;

	change_case(b, start, scratch, false);
	for (size_t i = start; i < b->len; i++) {
		char c = b->data[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80) {
			if (gap && to > start)
				b->data[to++] = '-';
			b->data[to++] = c;
			gap = false;
		} else {
			gap = true;
		}
	}
	b->len = to;
}

static const char *
format(const struct filter *f, struct buf *b, size_t start)
{
	struct datetime d;

	if (!datetime_parse(&d, b->data + start, b->len - start))
		return "is no date or time, which its format wants";
	if (d.infinity != 0)
		return "is infinite, so it has no year or day";
	b->len = start;
	datetime_format(b, &d, f->arg, f->len);
	return NULL;
}

bool
filters_apply(const struct filter *filter, size_t n, struct buf *b, size_t start, bool null,
    struct buf *scratch, const char **problem)
{
	*problem = NULL;
	for (size_t i = 0; i < n && *problem == NULL; i++) {
		const struct filter *f = &filter[i];

		if (f->kind == FILTER_DEFAULT) {
			if (null || b->len == start)
				buf_add(b, f->arg, f->len);
			null = false;
			continue;
		}
		if (null)
			continue;
		/* What is empty has nothing to point to, perhaps. */
		buf_reserve(b, 1);
		switch (f->kind) {
		case FILTER_FORMAT: *problem = format(f, b, start); break;
		case FILTER_LOWER: change_case(b, start, scratch, false); break;
		case FILTER_UPPER: change_case(b, start, scratch, true); break;
		case FILTER_TRIM: trim(b, start); break;
		case FILTER_LEFT: left(b, start, f->count); break;
		case FILTER_HASH: filter_hash(b, start); break;
		case FILTER_SLUG: slug(b, start, scratch); break;
		case FILTER_STRING:
		case FILTER_DEFAULT: break;
		}
	}
	return null;
}
