#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

/* The command line, pgcdc-map(1). */
struct options {
	const char *mapping;
	const char *conninfo;     /* NULL: no database is asked */
	const char *publications; /* names with commas between them; NULL: all */
	bool check, explain, template;
	bool findings; /* problems as findings */
	enum { LIST_NOTHING, LIST_TABLES, LIST_INDEXES } list;
	const char *template_index; /* NULL: all */
	int verbose;
};

/* Take them; -1 to go on, else the exit status. */
int options_parse(int argc, char **argv, struct options *) __attribute__((warn_unused_result));

/* Is the mapping looked at, and nothing mapped? */
bool options_inspects(const struct options *);

#endif
