#ifndef VERSION_H
#define VERSION_H

#include <stddef.h>
#include <stdint.h>

/*
 * External versions: epoch * 2^60 + commit LSN * 16 + k, where k counts the earlier actions
 * on the document in the unit, to 639 at most.  Commit records start at least 40 bytes
 * apart, so k never reaches the next commit's version; two actions of one transaction on
 * one document keep their order even when an abandoned request arrives late, and a unit
 * that comes again knows what it made itself from what stood there before.
 *
 * Actions behind the 640th on one document have the last place all.  They keep their order
 * in the document's lane, but neither of the two above is known of them.
 */

#define VERSION_COMMIT_APART 40 /* bytes of the log, at least: a record's header and its time */
#define VERSION_LAST_PLACE   639
#define VERSION_LAST_EPOCH   6 /* versions are below 2^63 */

/*
 * Counters by document hash; two documents that share one only count faster.  So many that
 * a unit needs some twenty million rows before the last place is reached by that alone.
 */
#define VERSION_PLACES 32768

struct version_places {
	uint32_t unit; /* of which the counters below are */
	uint16_t highest; /* of the unit's counters */
	uint16_t floor;   /* what all of them are at least */
	uint32_t place[VERSION_PLACES]; /* small, for they are anywhere in the cache: see version.c */
};

/* Which counter is the document's. */
static inline size_t
version_place_of(uint64_t document)
{
	return (document >> 32) % VERSION_PLACES;
}

/* A unit begins (also again): all counters are 0. */
void version_begin(struct version_places *);

/* The document's next action comes soon: have its counter in the cache by then. */
static inline void
version_expect(const struct version_places *v, uint64_t document)
{
	__builtin_prefetch(&v->place[version_place_of(document)], 1);
}

/* k of the next action on the document. */
uint64_t version_place(struct version_places *, uint64_t document);

/*
 * k of a truncate, an action on all documents: the highest that the next action could have.
 * What follows in the unit, on any document, goes on from there.
 */
uint64_t version_truncate(struct version_places *);

/*
 * The version of a unit's action by its commit's LSN and its k.  epoch is
 * VERSION_LAST_EPOCH at most.  -1: it would be another epoch's.
 */
int version_of_unit(uint64_t epoch, uint64_t lsn, uint64_t place, uint64_t *version)
    __attribute__((warn_unused_result));

#endif
