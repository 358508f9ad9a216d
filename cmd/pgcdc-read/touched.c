#include <bsd/stdlib.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "touched.h"

#define MAX_KEYS ((size_t)48 * 1024)
#define CAP      ((size_t)64 * 1024) /* 1.5 MiB; a power of two */

/*
 * SipHash-2-4 with 128 bits of output
 */

struct sip {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet */
	uint64_t len;
};

static inline uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_word(struct sip *s, uint64_t m)
{
	s->v[3] ^= m;
	sip_rounds(s->v, 2);
	s->v[0] ^= m;
}

static void
sip_start(struct sip *s, const uint64_t secret[2])
{
	*s = (struct sip) { .v = { secret[0] ^ UINT64_C(0x736f6d6570736575),
		secret[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
		secret[0] ^ UINT64_C(0x6c7967656e657261),
		secret[1] ^ UINT64_C(0x7465646279746573) } };
}

static void
sip_add(struct sip *s, const void *data, size_t n)
{
	const unsigned char *p = data, *end = p + n;

	while (p < end) {
		uint64_t m;

		if (s->len % 8 == 0 && end - p >= 8) {
			memcpy(&m, p, 8);
			sip_word(s, m);
			p += 8;
			s->len += 8;
			continue;
		}
		s->tail |= (uint64_t)*p++ << (8 * (s->len % 8));
		if (++s->len % 8 == 0) {
			sip_word(s, s->tail);
			s->tail = 0;
		}
	}
}

static void
sip_end(struct sip *s, uint64_t out[2])
{
	sip_word(s, s->len << 56 | s->tail);
	s->v[2] ^= 0xee;
	sip_rounds(s->v, 4);
	out[0] = s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
	s->v[1] ^= 0xdd;
	sip_rounds(s->v, 4);
	out[1] = s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

/*
 * Keys
 */

/* By which columns is a row known? */
enum by { BY_IDENTITY, BY_PRIMARY_KEY, BY_ALL };

static enum by
known_by(const struct relation *r)
{
	if ((r->identity == 'd' || r->identity == 'i') && relation_identity(r) > 0)
		return BY_IDENTITY;
	return r->keys > 0 && !r->mixed ? BY_PRIMARY_KEY : BY_ALL;
}

static bool
add_column(struct sip *s, const struct tuple_column *c)
{
	if (c->kind == 'n') {
		sip_add(s, "n", 1);
		return true;
	}
	if (c->kind != 't')
		return false;
	sip_add(s, "t", 1);
	sip_add(s, &c->len, sizeof(c->len));
	sip_add(s, c->text, c->len);
	return true;
}

bool
touched_key(const struct touched *t, const struct relation *r, const struct tuple *tuple,
    struct touched_key *key)
{
	enum by by = known_by(r);
	struct sip s;

	sip_start(&s, t->secret);
	sip_add(&s, &r->relid, sizeof(r->relid));
	if (by == BY_PRIMARY_KEY) {
		for (size_t i = 0; i < r->keys; i++)
			if (!add_column(&s, &tuple->column[r->key[i]]))
				return false;
	} else {
		for (size_t i = 0; i < r->columns; i++)
			if ((by == BY_ALL || r->column[i].in_identity) &&
			    !add_column(&s, &tuple->column[i]))
				return false;
	}
	sip_end(&s, key->hash);
	return true;
}

bool
touched_alike(const struct relation *a, const struct relation *b)
{
	enum by by = known_by(a);
	size_t i = 0, k = 0;

	if (by != known_by(b))
		return false;
	if (by == BY_PRIMARY_KEY) {
		for (; i < a->keys && i < b->keys; i++)
			if (strcmp(a->column[a->key[i]].name, b->column[b->key[i]].name) != 0)
				return false;
		return a->keys == b->keys;
	}
	for (;; i++, k++) {
		while (i < a->columns && by == BY_IDENTITY && !a->column[i].in_identity)
			i++;
		while (k < b->columns && by == BY_IDENTITY && !b->column[k].in_identity)
			k++;
		if (i == a->columns || k == b->columns)
			return i == a->columns && k == b->columns;
		if (strcmp(a->column[i].name, b->column[k].name) != 0)
			return false;
	}
}

/*
 * The table of them
 */

void
touched_init(struct touched *t)
{
	arc4random_buf(t->secret, sizeof(t->secret));
}

static struct touched_entry *
find(const struct touched *t, const struct touched_key *key)
{
	size_t i = (size_t)key->hash[0] & (CAP - 1);

	while (t->entry[i].at != 0 && memcmp(&t->entry[i].key, key, sizeof(*key)) != 0)
		i = (i + 1) & (CAP - 1);
	return &t->entry[i];
}

bool
touched_add(struct touched *t, const struct touched_key *key)
{
	struct touched_entry *e;

	t->now++;
	if (t->entry == NULL)
		t->entry = xcalloc(CAP, sizeof(*t->entry));
	e = find(t, key);
	if (e->at == 0) {
		if (t->n == MAX_KEYS)
			return false;
		t->n++;
		e->key = *key;
	}
	e->at = t->now;
	return true;
}

uint64_t
touched_at(const struct touched *t, const struct touched_key *key)
{
	return t->n > 0 ? find(t, key)->at : 0;
}

void
touched_forget(struct touched *t, uint64_t at)
{
	size_t start = 0;

	if (t->n == 0)
		return;
	if (at >= t->now) {
		touched_free(t);
		return;
	}
	/*
	 * In place: from a free entry on, each finds its own or a free one between where it belongs
	 * and where it was, for those before it have done so.
	 */
	while (t->entry[start].at != 0)
		start++;
	t->n = 0;
	for (size_t i = 1; i < CAP; i++) {
		struct touched_entry *e = &t->entry[(start + i) & (CAP - 1)], was = *e;

		e->at = 0;
		if (was.at > at) {
			*find(t, &was.key) = was;
			t->n++;
		}
	}
}

void
touched_free(struct touched *t)
{
	free(t->entry);
	t->entry = NULL;
	t->n = 0;
}
