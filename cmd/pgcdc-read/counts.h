#ifndef COUNTS_H
#define COUNTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * How many rows of each table were written.  Tables go by their names, for those are what somebody
 * who reads the figures knows: one that was made anew goes on where the other was.
 */

#define COUNTS_TABLES 1000 /* so many have counts of their own; then they share one */

enum count_of { COUNT_INSERT, COUNT_UPDATE, COUNT_DELETE, COUNT_TRUNCATE, COUNT_SNAPSHOT, COUNT_OF };

struct count {
	char *schema, *table; /* "" and "other": of all that are beyond */
	uint64_t rows[COUNT_OF];
};

/* Zeroed memory has none. */
struct counts {
	struct count **list;
	size_t n, cap;
};

/* That of the table; it stays where it is until counts_free. */
struct count *counts_of(struct counts *, const char *schema, const char *table);

void counts_free(struct counts *);

/* By a frame's letter. */
static inline enum count_of
counts_letter(char letter)
{
	return letter == 'I' ? COUNT_INSERT : letter == 'U' ? COUNT_UPDATE : COUNT_DELETE;
}

/* One more; count may be NULL. */
static inline void
counts_add(struct count *count, enum count_of of)
{
	if (count != NULL)
		count->rows[of]++;
}

#endif
