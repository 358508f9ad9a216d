#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/*
 * The documents: indexes by name, documents by (index, shard, id), each with the
 * version and sequence number that the engine gave it.  It never forgets a
 * document's record, only what it holds, so pointers stay good.
 */

enum store_keep {
	KEEP_ALL,      /* versions and sources */
	KEEP_VERSIONS, /* sources are dropped */
	KEEP_NOTHING,  /* no documents at all: every write is a first one */
};

struct index {
	struct slice name;
	char *name_error; /* why it cannot be, or NULL; see names.h */
	char uuid[23];
	bool exists;      /* false: only mentioned, or deleted */
	uint32_t number;  /* from 0 */
	int64_t next_seq; /* the next _seq_no */
	int64_t live;     /* documents in it */
};

enum doc_state { DOC_NONE, DOC_LIVE, DOC_DELETED };

/* One cache line.  block holds the id, the routing and the source, in that order. */
struct doc {
	_Alignas(64) int64_t version;
	int64_t seq_no;
	char *block;
	struct index *index;
	uint32_t id_len;
	uint32_t routing_len;
	uint32_t source_len;
	uint32_t deleted_ms; /* when it was deleted, ms since the store was made */
	uint32_t touched_by; /* the last request that named it, see order.h; 0: none */
	uint16_t size_class; /* of block */
	uint8_t state;       /* enum doc_state */
	bool has_routing;
};

struct slot {
	uint64_t hash;
	struct doc *doc;
};

struct store {
	enum store_keep keep;
	unsigned shards;
	uint32_t gc_deletes_ms; /* a delete's version is forgotten after this */
	struct index **indexes;
	uint32_t n_indexes;
	struct index *last_index; /* what store_index found last */
	struct slot *slots;       /* a power of two of them, at most half in use */
	uint64_t mask;
	uint64_t used;
	struct doc **chunks; /* the documents, in the order of their coming */
	uint64_t n_docs;
	struct blocks *blocks;
};

void store_init(struct store *, enum store_keep, unsigned shards, uint32_t gc_deletes_ms);
void store_free(struct store *);
/* Forget everything; all pointers into the store go bad. */
void store_clear(struct store *);

/* The index, made (exists false) when it is not known; or NULL with make false. */
struct index *store_index(struct store *, struct slice name, bool make);

/*
 * Where a document would stand.  routing counts only with more than one shard:
 * the shard is a part of the identity, so one id under two routings can be two
 * documents, as on a real cluster.
 */
uint64_t store_hash(
    const struct store *, const struct index *, struct slice id, struct slice routing);

static inline void
store_prefetch(const struct store *s, uint64_t hash)
{
	__builtin_prefetch(&s->slots[hash & s->mask]);
}

/* The record behind the slot, on its way into the cache too. */
static inline void
store_prefetch_doc(const struct store *s, uint64_t hash)
{
	const struct doc *d = s->slots[hash & s->mask].doc;

	if (d != NULL)
		__builtin_prefetch(d);
}

/* The document's record, made (DOC_NONE) when it is not known; or NULL with make false. */
struct doc *
store_doc(struct store *, struct index *, uint64_t hash, struct slice id, bool make);

/* The document number n of n_docs, in the order of their coming. */
struct doc *store_nth(const struct store *, uint64_t n);

/* Store a new source and routing; the caller sets version and seq_no. */
void store_put(struct store *, struct doc *, struct slice routing, struct slice source);
/* Delete it, or note the delete of what is not there. */
void store_delete(struct store *, struct doc *);
/* Turn a delete that is older than gc_deletes into nothing known. */
void store_forget_old(struct store *, struct doc *);
/* Delete a whole index and what is known of its documents. */
void store_drop_index(struct store *, struct index *);

static inline struct slice
doc_id(const struct doc *d)
{
	return (struct slice) { d->block, d->id_len };
}

static inline struct slice
doc_routing(const struct doc *d)
{
	return (
	    struct slice) { d->has_routing ? d->block + d->id_len : NULL, d->routing_len };
}

static inline struct slice
doc_source(const struct doc *d)
{
	return (struct slice) { d->block + d->id_len + d->routing_len, d->source_len };
}

#endif
