#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

/* Scratch that has grown beyond this, in bytes of each kind, is given back. */
#define SCRATCH_KEEP ((size_t)1 << 20)

/*
 * Cleaning is a scan that notes what to change, and a copy that leaves it out: changes
 * are found when an object ends, after those in its values, and are sorted then.  Done at
 * once, in the output, they would move the same text once for each object around it.
 */

/* A member of an object that is being read. */
struct json_place {
	const char *start,
	    *end; /* in the text: from its name's quote to its value's end */
	/* Its unescaped name: in the scratch's names, or where it stands. */
	const char *name; /* NULL: in names */
	size_t name_at, name_len;
	uint64_t hash;
	bool dropped;
};

/* What to leave out. */
struct json_change {
	const char *start, *end;
	bool underscore; /* it is a name, "" */
};

struct json_cleaning {
	struct json_scratch *scratch;
	enum json_duplicates duplicates;
	enum json_empty empty;
};

/* Make room for one more. */
static void *
grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap > 0 ? *cap * 2 : 64;
	return xrealloc(array, *cap * size);
}

static void
add_change(
    struct json_scratch *scratch, const char *start, const char *end, bool underscore)
{
	scratch->change = grow(scratch->change, scratch->changes, &scratch->cap_changes,
	    sizeof(scratch->change[0]));
	scratch->change[scratch->changes++] =
	    (struct json_change){ start, end, underscore };
}

static const char *
place_name(const struct json_scratch *scratch, const struct json_place *place)
{
	return place->name != NULL ? place->name : scratch->names.data + place->name_at;
}

/* FNV-1a: it only saves comparisons, so names that share one do no harm. */
static uint64_t
hash(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h;
}

static int
reject_name(struct json_scan *s, const struct json_inside *inside, const char *what)
{
	struct json_problem *problem = s->problem;

	(void)json_scan_fail(s, inside->s - 1, what);
	json_name(s->cleaning->scratch, inside, &problem->name, &problem->name_len);
	/* A duplicate by its new name alone, maybe. */
	if (inside->len == 0 && s->cleaning->empty == JSON_EMPTY_UNDERSCORE) {
		problem->name = "_";
		problem->name_len = 1;
	}
	return -1;
}

struct json_level
json_clean_level(const struct json_scan *s)
{
	const struct json_cleaning *c = s->cleaning;

	if (c == NULL)
		return (struct json_level){ 0 };
	return (struct json_level){ c->scratch->places, c->scratch->names.len };
}

/* The name's policy, and the member's place. */
int
json_clean_name(struct json_scan *s, const struct json_inside *inside, size_t *index)
{
	const struct json_cleaning *c = s->cleaning;
	struct json_scratch *scratch;
	struct json_place *place;
	bool empty = inside->len == 0;

	*index = 0;
	if (c == NULL)
		return 0;
	if (empty && c->empty == JSON_EMPTY_REJECT)
		return reject_name(s, inside, "an empty name");
	scratch = c->scratch;
	scratch->place = grow(scratch->place, scratch->places, &scratch->cap_places,
	    sizeof(scratch->place[0]));
	*index = scratch->places++;
	place = &scratch->place[*index];
	*place = (struct json_place){ .start = inside->s - 1,
		.name = inside->s,
		.name_len = inside->len,
		.dropped = empty && c->empty == JSON_EMPTY_DROP };
	if (empty && c->empty == JSON_EMPTY_UNDERSCORE) {
		add_change(scratch, place->start, s->p, true);
		place->name = "_";
		place->name_len = 1;
	}
	if (c->duplicates == JSON_DUPLICATES_KEEP)
		return 0;
	if (inside->escaped) {
		place->name = NULL;
		place->name_at = scratch->names.len;
		json_unescape(&scratch->names, inside, true);
		place->name_len = scratch->names.len - place->name_at;
	}
	place->hash = hash(place_name(scratch, place), place->name_len);
	return 0;
}

void
json_clean_member(struct json_scan *s, size_t place)
{
	if (s->cleaning != NULL)
		s->cleaning->scratch->place[place].end = s->p;
}

/* By hash, then by name; 0 for equal names. */
static int
compare_names(const struct json_scratch *scratch, size_t a, size_t b)
{
	const struct json_place *x = &scratch->place[a], *y = &scratch->place[b];

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->name_len != y->name_len)
		return x->name_len < y->name_len ? -1 : 1;
	if (x->name_len == 0)
		return 0;
	return memcmp(place_name(scratch, x), place_name(scratch, y), x->name_len);
}

/* By where they begin; a member before its name. */
static int
compare_changes(const struct json_scratch *scratch, size_t a, size_t b)
{
	const struct json_change *x = &scratch->change[a], *y = &scratch->change[b];

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->underscore ? 1 : -1;
}

/* Room to sort n things. */
static void
reserve_order(struct json_scratch *scratch, size_t n)
{
	if (scratch->cap_order >= 2 * n)
		return;
	scratch->cap_order = 4 * n;
	scratch->order =
	    xrealloc(scratch->order, scratch->cap_order * sizeof(scratch->order[0]));
}

/*
 * Sort the order's first n, equal ones stay as they were.  A merge sort between two
 * halves of the room: qsort may allocate, and be quadratic.  Returns the half with the
 * result.
 */
static size_t *
sort(struct json_scratch *scratch, size_t n,
    int (*compare)(const struct json_scratch *, size_t, size_t))
{
	size_t *from = scratch->order, *to = from + n;

	for (size_t width = 1; width < n; width *= 2) {
		size_t *swap = from;

		for (size_t at = 0; at < n; at += 2 * width) {
			size_t a = at, a_end = n - at < width ? n : at + width;
			size_t b = a_end, b_end = n - b < width ? n : b + width;

			for (size_t i = at; i < b_end; i++) {
				if (a == a_end ||
				    (b < b_end && compare(scratch, from[b], from[a]) < 0))
					to[i] = from[b++];
				else
					to[i] = from[a++];
			}
		}
		from = to;
		to = swap;
	}
	return from;
}

/* Carry out the policy for duplicates among the members from first on. */
static int
find_duplicates(struct json_scan *s, size_t first)
{
	struct json_scratch *scratch = s->cleaning->scratch;
	size_t *order, n = 0, found = SIZE_MAX;
	struct json_scan again = *s;
	struct json_inside inside;

	reserve_order(scratch, scratch->places - first);
	for (size_t i = first; i < scratch->places; i++)
		if (!scratch->place[i].dropped)
			scratch->order[n++] = i;
	order = sort(scratch, n, compare_names);
	for (size_t i = 1; i < n; i++) {
		if (compare_names(scratch, order[i - 1], order[i]) != 0)
			continue;
		scratch->place[order[i - 1]].dropped = true;
		if (order[i] < found)
			found = order[i];
	}
	if (found == SIZE_MAX || s->cleaning->duplicates != JSON_DUPLICATES_REJECT)
		return 0;
	/* Read it again, for it is shown in another form than it is compared. */
	again.p = scratch->place[found].start;
	if (json_scan_string(&again, &inside) != 0)
		return -1;
	return reject_name(s, &inside, "a name that the object has already");
}

/* Leave out the dropped ones of the members from first on, each with one comma. */
static void
cut_dropped(struct json_scratch *scratch, size_t first)
{
	const struct json_place *member = scratch->place + first;
	size_t n = scratch->places - first;
	bool kept = false;

	for (size_t i = 0; i < n; i++) {
		if (!member[i].dropped)
			kept = true;
		else if (kept)
			add_change(scratch, member[i - 1].end, member[i].end, false);
		else
			add_change(scratch, member[i].start,
			    i + 1 < n ? member[i + 1].start : member[i].end, false);
	}
}

int
json_clean_object(struct json_scan *s, struct json_level level)
{
	const struct json_cleaning *c = s->cleaning;

	if (c == NULL || c->scratch->places == level.places)
		return 0;
	if (c->duplicates != JSON_DUPLICATES_KEEP &&
	    c->scratch->places - level.places > 1 &&
	    find_duplicates(s, level.places) != 0)
		return -1;
	cut_dropped(c->scratch, level.places);
	c->scratch->places = level.places;
	c->scratch->names.len = level.names;
	return 0;
}

static void
copy_changed(
    struct json_scratch *scratch, struct buf *out, const char *p, const char *end)
{
	size_t *order, n = scratch->changes;

	reserve_order(scratch, n);
	for (size_t i = 0; i < n; i++)
		scratch->order[i] = i;
	order = sort(scratch, n, compare_changes);
	for (size_t i = 0; i < n; i++) {
		const struct json_change *change = &scratch->change[order[i]];

		/* In something that is left out. */
		if (change->start < p)
			continue;
		json_one_line(out, p, (size_t)(change->start - p));
		if (change->underscore)
			buf_adds(out, "\"_\"");
		p = change->end;
	}
	json_one_line(out, p, (size_t)(end - p));
}

static void
scratch_trim(struct json_scratch *scratch)
{
	if (scratch->names.cap > SCRATCH_KEEP ||
	    scratch->cap_places * sizeof(scratch->place[0]) > SCRATCH_KEEP ||
	    scratch->cap_changes * sizeof(scratch->change[0]) > SCRATCH_KEEP ||
	    scratch->cap_order * sizeof(scratch->order[0]) > SCRATCH_KEEP)
		json_scratch_free(scratch);
}

int
json_clean(struct json_scratch *scratch, struct buf *out, const char *text, size_t len,
    enum json_duplicates duplicates, enum json_empty empty, struct json_problem *problem)
{
	struct json_cleaning c = { scratch, duplicates, empty };
	struct json_scan s = { .text = text,
		.p = text,
		.end = text + len,
		.cleaning = &c,
		.problem = problem };

	if (duplicates == JSON_DUPLICATES_KEEP && empty == JSON_EMPTY_KEEP) {
		json_one_line(out, text, len);
		return 0;
	}
	scratch_trim(scratch);
	scratch->places = 0;
	scratch->changes = 0;
	scratch->names.len = 0;
	if (json_scan_text(&s) != 0)
		return -1;
	if (scratch->changes > 0)
		copy_changed(scratch, out, text, s.end);
	else
		json_one_line(out, text, len);
	return 0;
}
