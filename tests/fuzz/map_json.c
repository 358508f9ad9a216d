/*
 * JSON text and shapes: whatever the bytes are, what comes out is JSON on one line, and
 * the policies for names hold in it.  The input is a text, tried as each of them.
 */
#include "geo.h"
#include "json.h"
#include "support.h"

static struct json_scratch scratch, other;
static struct json_problem problem;

/* Where it goes, so that no compiler leaves reading it out. */
static volatile unsigned char seen;

static void
touch(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		seen ^= (unsigned char)s[i];
}

static bool
valid(const struct buf *b)
{
	return json_valid(b->data, b->len, &problem);
}

static bool
one_line(const struct buf *b)
{
	return b->len == 0 || (memchr(b->data, '\n', b->len) == NULL &&
				  memchr(b->data, '\r', b->len) == NULL);
}

/* A problem is within the text, and says something. */
static void
check_problem(size_t size)
{
	check(problem.what != NULL && problem.offset <= size);
	touch(problem.name, problem.name != NULL ? problem.name_len : 0);
}

/* Cleaned text, cleaned again, is the same. */
static void
check_clean(const struct buf *b, enum json_duplicates duplicates, enum json_empty empty)
{
	struct buf again = { 0 };

	check(json_clean(&other, &again, b->data, b->len, duplicates, empty, &problem) ==
	      0);
	check(again.len == b->len && memcmp(again.data, b->data, b->len) == 0);
	buf_free(&again);
}

static void
clean(const char *text, size_t size, bool good, enum json_duplicates duplicates,
    enum json_empty empty)
{
	struct buf b = { 0 };
	bool keep = duplicates == JSON_DUPLICATES_KEEP && empty == JSON_EMPTY_KEEP;
	bool reject = duplicates == JSON_DUPLICATES_REJECT || empty == JSON_EMPTY_REJECT;

	buf_adds(&b, "\n");
	if (json_clean(&scratch, &b, text, size, duplicates, empty, &problem) != 0) {
		check(!keep && (reject || !good));
		check(problem.name == NULL || reject);
		check(b.len == 1);
		check_problem(size);
		buf_free(&b);
		return;
	}
	b.len--;
	memmove(b.data, b.data + 1, b.len);
	check(keep || good);
	check(one_line(&b));
	/* A line break in a string is no JSON, what becomes of it may be. */
	check(valid(&b) || !good);
	if (!keep)
		check_clean(&b,
		    duplicates == JSON_DUPLICATES_KEEP ? duplicates
						       : JSON_DUPLICATES_REJECT,
		    empty == JSON_EMPTY_KEEP ? empty : JSON_EMPTY_REJECT);
	buf_free(&b);
}

static void
members(const char *text, size_t size, bool good)
{
	struct json_members all = json_members(text, size);
	struct json_member m;
	size_t n = 0;
	int r;

	while ((r = json_next(&all, &scratch, &m, &problem)) > 0) {
		check(m.value >= text && m.value + m.value_len <= text + size);
		check(json_valid(m.value, m.value_len, &problem));
		check(json_kind(m.value, m.value_len) != JSON_NONE);
		touch(m.name, m.name_len);
		check(++n <= size);
	}
	check((r == 0) == (good && json_kind(text, size) == JSON_OBJECT));
	if (r < 0)
		check_problem(size);
}

static void
shape(const char *text, size_t size,
    int (*convert)(struct buf *, const char *, size_t, struct geo_problem *))
{
	struct buf b = { 0 };
	struct geo_problem why = { "" };

	if (convert(&b, text, size, &why) == 0)
		check(valid(&b) && one_line(&b));
	else
		check(why.what[0] != '\0' &&
		      memchr(why.what, '\0', sizeof(why.what)) != NULL);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	bool good = json_valid(text, size, &problem);

	if (!good)
		check_problem(size);
	for (int d = JSON_DUPLICATES_KEEP; d <= JSON_DUPLICATES_REJECT; d++)
		for (int e = JSON_EMPTY_KEEP; e <= JSON_EMPTY_REJECT; e++)
			clean(text, size, good, (enum json_duplicates)d,
			    (enum json_empty)e);
	members(text, size, good);
	shape(text, size, geo_point);
	shape(text, size, geo_json);
	/* Each input finds them as the first one did. */
	json_scratch_free(&scratch);
	json_scratch_free(&other);
	return 0;
}
