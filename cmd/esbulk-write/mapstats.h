#ifndef MAPSTATS_H
#define MAPSTATS_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/*
 * What the programs before this one have counted, as their s frames say: the last of each.
 */

#define MAPSTATS_PROGRAMS 8
#define MAPSTATS_COUNTERS 100 /* of one program */

struct mapstats_counter {
	char *name;
	uint64_t value;
};

struct mapstats_program {
	char *name;
	struct mapstats_counter counter[MAPSTATS_COUNTERS];
	size_t n;
};

struct mapstats {
	struct mapstats_program *program[MAPSTATS_PROGRAMS];
	size_t n;
};

/* A decoded s frame; what is none is nobody's trouble, and what is too much is left out. */
void mapstats_take(struct mapstats *, const struct frame *);

#endif
