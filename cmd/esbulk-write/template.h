#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stddef.h>

#include "json.h"

/* Index templates to put before the first write. */
struct template {
	char *path; /* of the request: /_index_template/NAME */
	char *body; /* JSON */
};

struct templates {
	struct template *template;
	size_t n;
};

/*
 * Read those of --template: NAME=FILE, a file with a template's body; or FILE, lines of
 * "PUT /_index_template/NAME", each with the body on those that follow, as pgcdc-map
 * --template writes them.  -1: logged.
 */
int templates_read(struct templates *, const char *argument) __attribute__((warn_unused_result));

#endif
