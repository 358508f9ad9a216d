#ifndef NAMES_H
#define NAMES_H

#include "slice.h"

/*
 * Why an index cannot have this name, in the servers' words
 * (MetadataCreateIndexService.validateIndexOrAliasName); NULL when it can.
 * Malloc'd.
 */
char *index_name_error(struct slice name);

#endif
