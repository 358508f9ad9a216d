#ifndef OIDMAP_H
#define OIDMAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Things by OID: a hash table of a power of two, at most half full.  Zeroed memory is an empty
 * one.  What the pointers point to is the caller's; nothing is ever taken out.
 */
struct oidmap_entry {
	uint32_t oid;
	void *thing; /* NULL: the entry is free */
};

struct oidmap {
	struct oidmap_entry *entry; /* cap of them, in no order */
	size_t cap, used;
};

/* The thing of that OID, or NULL. */
void *oidmap_get(const struct oidmap *, uint32_t oid);

/* Put it there, in place of an earlier one, which the caller has taken out. */
void oidmap_put(struct oidmap *, uint32_t oid, void *thing);

/* Free the table, not the things. */
void oidmap_free(struct oidmap *);

#endif
