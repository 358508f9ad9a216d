#ifndef VERSION_H
#define VERSION_H

#include <stdint.h>

/*
 * External versions: epoch * 2^56 + commit LSN + k, where k counts the earlier actions
 * on the document in the unit, to 39 at most.  Commit records start at least 40 bytes
 * apart, so k never reaches the next commit's LSN; two actions of one transaction on one
 * document keep their order even when an abandoned request arrives late.
 */

#define VERSION_LAST_PLACE 39

/* Counters by document hash; two documents that share one only count faster. */
struct version_places {
	uint32_t unit; /* of which the counters below are */
	uint8_t highest; /* of the unit's counters */
	uint8_t floor;   /* what all of them are at least */
	struct {
		uint32_t unit;
		uint8_t next;
	} place[8192];
};

/* A unit begins (also again): all counters are 0. */
void version_begin(struct version_places *);

/* k of the next action on the document. */
uint64_t version_place(struct version_places *, uint64_t document);

/*
 * k of a truncate, an action on all documents: the highest that the next action could have.
 * What follows in the unit, on any document, goes on from there.
 */
uint64_t version_truncate(struct version_places *);

/*
 * The version of a unit's action by its commit's LSN and its k.  epoch is 126 at most.  -1:
 * it would be another epoch's.
 */
int version_of_unit(uint64_t epoch, uint64_t lsn, uint64_t place, uint64_t *version)
    __attribute__((warn_unused_result));

#endif
