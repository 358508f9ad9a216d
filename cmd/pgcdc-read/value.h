#ifndef VALUE_H
#define VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * PostgreSQL's text form of a value, as a frame's value.  The forms are those of a
 * session with the settings of pg_connect.
 */

enum value_kind {
	VALUE_TEXT, /* str as it is; bin where it is not UTF-8 */
	VALUE_BOOL,
	VALUE_INT, /* int2, int4, int8, oid */
	VALUE_FLOAT,
	VALUE_TIMESTAMP,   /* ISO 8601: a T between date and time */
	VALUE_TIMESTAMPTZ, /* and a Z behind it */
	VALUE_JSON,        /* json, jsonb */
	VALUE_BYTEA,
};

/* How values of a type of PostgreSQL itself are shown; VALUE_TEXT for all others. */
enum value_kind value_kind(uint32_t type_oid);

/* The name of a type of PostgreSQL itself ("int4", "text[]"), or NULL. */
const char *value_type_name(uint32_t type_oid);

/* Append the value.  Text that is not of the kind's form is passed on as text. */
void value_put(struct buf *, enum value_kind, const char *text, size_t len);

#endif
