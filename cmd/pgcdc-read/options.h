#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics_http.h"

/* The command line, checked.  Strings live as long as the program. */
struct options {
	const char *conninfo; /* may be empty: libpq's environment says all */
	const char *slot;
	char **publications;
	size_t n_publications;
	const char *ack_path;  /* or NULL */
	const char *out_path;  /* or NULL: standard output */
	const char *state_path; /* or NULL */
	uint64_t endpos;       /* 0: none */
	bool until_caught_up;
	bool create_slot;
	const char *create_publication; /* list of tables, or NULL */
	bool accept_gap;
	bool sole_owner;
	bool messages;
	bool no_origin; /* leave out what has one */
	bool failover;
	bool toast_fetch;
	enum snapshot_mode { SNAPSHOT_NEVER, SNAPSHOT_INITIAL, SNAPSHOT_ONLY } snapshot;
	bool snapshot_again;
	const char *snapshot_tables; /* a list of names, or NULL: all that are published */
	size_t snapshot_workers;
	uint64_t snapshot_chunk;    /* bytes */
	uint64_t snapshot_max_rate; /* bytes a second; 0: no limit */
	uint64_t snapshot_max_lag;  /* bytes; 0: no limit */
	const char *control_path;   /* or NULL */
	struct metrics_where metrics;
	const char *request;        /* for the reader that listens there; or NULL */
	enum errand { ERRAND_NONE, ERRAND_CHECK, ERRAND_SETUP, ERRAND_DROP } errand;
	bool print;    /* of the latter two: only show what they would do */
	bool findings; /* in the form for programs */
	int proto; /* 0: the newest that the server has */
	size_t spool_mem; /* bytes */
	const char *spool_dir;
	int slot_check_ms;
	int drain_ms;
	int verbose;
};

/* Parse argv; ends the program at -h, -V (0) and on a mistake (100). */
void options_parse(int argc, char **argv, struct options *);

#endif
