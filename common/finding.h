#ifndef FINDING_H
#define FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * What --check and --setup say, on standard output: a finding has a level, a name, a text, and
 * where something is to be done the remedy, lines of which each is
 *
 *	SQL: a statement, or several
 *	run: a command for the shell
 *	postgresql.conf: a line of that file; likewise pg_hba.conf, config (pgcdc's own)
 *	or words
 *
 * For people it is a line, and the remedy's lines below, indented.  For programs it is one line of
 * four fields with tabs between, in which \n, \t and \\ stand for line ends, tabs and backslashes.
 */
enum finding_level {
	FINDING_OK,
	FINDING_WARNING,
	FINDING_ERROR,     /* somebody must mend it */
	FINDING_TEMPORARY, /* an error that may pass: something is not reachable */
};

struct findings {
	bool fields; /* for programs */
	size_t warnings, errors, temporary;
};

/* remedy may be NULL. */
void finding(struct findings *, enum finding_level, const char *name, const char *remedy,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The exit status: 100 with an error that somebody must mend, 111 with others only, else 0. */
int findings_exit(const struct findings *);

/* "1.5 GiB". */
#define FINDING_SIZE 24
const char *finding_size(char text[FINDING_SIZE], uint64_t bytes);

/* Append a word as sh has it, in quotes where it must be. */
void finding_put_word(struct buf *, const char *);

/*
 * Can files be made in the directory, and is there room?  what says what for, advice what else
 * can be done than to mend the directory.
 */
void finding_directory(struct findings *, const char *name, const char *directory,
    const char *what, const char *advice);

#endif
