#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "blocks.h"
#include "buf.h"
#include "names.h"
#include "store.h"

/* 4096 records are 256 KiB. */
enum { CHUNK = 4096, FIRST_SLOTS = 1 << 12 };

_Static_assert(sizeof(struct doc) == 64, "a document's record is one cache line");

static uint32_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static uint64_t
mix(uint64_t h, struct slice s)
{
	const uint64_t k = 0x9fb21c651e98df25U;
	uint64_t w = 0;

	h ^= s.n * k;
	for (; s.n >= 8; s.p += 8, s.n -= 8) {
		memcpy(&w, s.p, 8);
		h = (h ^ w) * k;
		h ^= h >> 32;
	}
	w = 0;
	if (s.n > 0)
		memcpy(&w, s.p, s.n);
	h = (h ^ w) * k;
	h ^= h >> 29;
	h *= k;
	return h ^ h >> 32;
}

void
store_init(struct store *s, enum store_keep keep, unsigned shards, uint32_t gc_deletes_ms)
{
	*s = (struct store) {
		.keep = keep, .shards = shards, .gc_deletes_ms = gc_deletes_ms
	};
	s->slots = huge_zeroed(FIRST_SLOTS * sizeof(*s->slots));
	s->mask = FIRST_SLOTS - 1;
	s->blocks = blocks_new();
}

void
store_free(struct store *s)
{
	for (uint32_t i = 0; i < s->n_indexes; i++) {
		free((char *)(uintptr_t)s->indexes[i]->name.p);
		free(s->indexes[i]->name_error);
		free(s->indexes[i]);
	}
	free(s->indexes);
	for (uint64_t i = 0; i * CHUNK < s->n_docs; i++)
		free(s->chunks[i]);
	free(s->chunks);
	free(s->slots);
	blocks_free(s->blocks);
}

void
store_clear(struct store *s)
{
	struct store old = *s;

	store_free(s);
	store_init(s, old.keep, old.shards, old.gc_deletes_ms);
}

static void
make_uuid(char *uuid)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	static uint64_t state;

	if (state == 0)
		state = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);
	for (int i = 0; i < 22; i++) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		uuid[i] = set[state >> 58];
	}
	uuid[22] = '\0';
}

struct index *
store_index(struct store *s, struct slice name, bool make)
{
	struct index *x = s->last_index;

	if (x != NULL && slice_equal(x->name, name))
		return x;
	/* Tests have a handful, and runs of one: no table for them. */
	for (uint32_t i = 0; i < s->n_indexes; i++)
		if (slice_equal(s->indexes[i]->name, name))
			return s->last_index = s->indexes[i];
	if (!make)
		return NULL;
	x = xcalloc(1, sizeof(*x));
	x->name = (struct slice) { xstrndup(name.p, name.n), name.n };
	x->number = s->n_indexes;
	x->name_error = index_name_error(name);
	make_uuid(x->uuid);
	s->indexes = xrealloc(s->indexes, (s->n_indexes + 1) * sizeof(*s->indexes));
	s->indexes[s->n_indexes++] = x;
	return s->last_index = x;
}

uint64_t
store_hash(
    const struct store *s, const struct index *x, struct slice id, struct slice routing)
{
	uint64_t seed = x->number;

	if (s->shards > 1)
		seed |= (mix(0, routing.p != NULL ? routing : id) % s->shards) << 32;
	return mix(seed * 0xd6e8feb86659fd93U + 1, id);
}

static void
grow(struct store *s)
{
	uint64_t n = (s->mask + 1) * 2;
	struct slot *slots = huge_zeroed(n * sizeof(*slots));

	for (uint64_t i = 0; i <= s->mask; i++) {
		uint64_t at = s->slots[i].hash & (n - 1);

		if (s->slots[i].doc == NULL)
			continue;
		while (slots[at].doc != NULL)
			at = (at + 1) & (n - 1);
		slots[at] = s->slots[i];
	}
	free(s->slots);
	s->slots = slots;
	s->mask = n - 1;
}

static struct doc *
new_doc(struct store *s, struct index *x, struct slice id)
{
	struct doc *d;
	uint64_t chunk = s->n_docs / CHUNK;

	if (s->n_docs % CHUNK == 0) {
		s->chunks = xrealloc(s->chunks, (chunk + 1) * sizeof(*s->chunks));
		s->chunks[chunk] = aligned_alloc(64, CHUNK * sizeof(struct doc));
		if (s->chunks[chunk] == NULL)
			oom();
	}
	d = &s->chunks[chunk][s->n_docs++ % CHUNK];
	*d = (struct doc) { .index = x, .id_len = (uint32_t)id.n };
	/* Room for a small source, so that the first write need not move it. */
	d->block =
	    blocks_get(s->blocks, id.n + (s->keep == KEEP_ALL ? 64 : 0), &d->size_class);
	memcpy(d->block, id.p, id.n);
	return d;
}

struct doc *
store_doc(struct store *s, struct index *x, uint64_t hash, struct slice id, bool make)
{
	uint64_t at = hash & s->mask;
	struct doc *d;

	/*
	 * The hash tells shard and index apart as well; that two documents share all
	 * 64 bits, the index and the id is left out of account only for the shard.
	 */
	for (; (d = s->slots[at].doc) != NULL; at = (at + 1) & s->mask)
		if (s->slots[at].hash == hash && d->index == x &&
		    slice_equal(doc_id(d), id))
			return d;
	if (!make)
		return NULL;
	if (s->used * 2 > s->mask) {
		grow(s);
		for (at = hash & s->mask; s->slots[at].doc != NULL; at = (at + 1) & s->mask)
			;
	}
	s->used++;
	s->slots[at] = (struct slot) { hash, new_doc(s, x, id) };
	return s->slots[at].doc;
}

struct doc *
store_nth(const struct store *s, uint64_t n)
{
	return &s->chunks[n / CHUNK][n % CHUNK];
}

void
store_put(struct store *s, struct doc *d, struct slice routing, struct slice source)
{
	size_t need;

	if (d->state != DOC_LIVE) {
		d->state = DOC_LIVE;
		d->index->live++;
	}
	d->has_routing = routing.p != NULL;
	if (s->keep != KEEP_ALL)
		source.n = 0;
	need = d->id_len + routing.n + source.n;
	if (need > UINT32_MAX)
		oom();
	if (need > blocks_size(d->size_class)) {
		uint16_t class;
		char *block = blocks_get(s->blocks, need, &class);

		memcpy(block, d->block, d->id_len);
		blocks_put(s->blocks, d->block, d->size_class);
		d->block = block;
		d->size_class = class;
	}
	d->routing_len = (uint32_t)routing.n;
	d->source_len = (uint32_t)source.n;
	if (routing.n > 0)
		memcpy(d->block + d->id_len, routing.p, routing.n);
	if (source.n > 0)
		memcpy(d->block + d->id_len + routing.n, source.p, source.n);
}

void
store_delete(struct store *s, struct doc *d)
{
	(void)s;
	if (d->state == DOC_LIVE)
		d->index->live--;
	d->state = DOC_DELETED;
	d->deleted_ms = now_ms();
	d->source_len = 0;
}

void
store_forget_old(struct store *s, struct doc *d)
{
	if (d->state == DOC_DELETED && now_ms() - d->deleted_ms >= s->gc_deletes_ms)
		d->state = DOC_NONE;
}

void
store_drop_index(struct store *s, struct index *x)
{
	for (uint64_t i = 0; i < s->n_docs; i++) {
		struct doc *d = store_nth(s, i);

		if (d->index == x)
			d->state = DOC_NONE;
	}
	x->exists = false;
	x->live = 0;
	x->next_seq = 0;
	make_uuid(x->uuid);
}
