#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The state file: what the reader must know about where it was, beside what the slot
 * knows.  A few lines of text, "key value"; replaced atomically (written beside, fsynced,
 * renamed), and always before the position in it is confirmed to the server, so that the
 * server is never ahead of it by this reader's doing.
 */
struct state {
	const char *path; /* NULL: none is kept, and nothing below is ever set */
	bool exists;
	char system[32]; /* system identifier, decimal */
	char slot[64];
	uint64_t timeline;
	uint64_t acked;  /* everything before this LSN is stored */
};

/* Read path, if it exists.  0, or -1 with the error logged: unreadable or damaged. */
int state_load(struct state *, const char *path) __attribute__((warn_unused_result));

/* Replace the file.  0, or -1 with the error logged; the old one is whole then. */
int state_save(struct state *) __attribute__((warn_unused_result));

#endif
