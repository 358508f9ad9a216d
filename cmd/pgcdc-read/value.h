#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * PostgreSQL's text form of a value, as a frame's value; pgcdc-frame(5) has the table.  The
 * forms are those of a session with the settings of pg_connect.
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
	/* Those made of others, which literal.c takes apart. */
	VALUE_VECTOR, /* int2vector, oidvector: integers with blanks between */
	VALUE_ARRAY,
	VALUE_COMPOSITE,
	VALUE_RANGE,
	VALUE_MULTIRANGE,
	VALUE_HSTORE,
	VALUE_DOMAIN, /* as its base */
};

/*
 * How many arrays and maps can be inside each other in a value: frames nest 32 deep, and
 * have two around it.  What lies deeper is text.
 */
#define VALUE_DEPTH 30

struct type;

/*
 * Append the value.  Text that is not of the type's form is passed on as text, whole; inside
 * of another value that goes for the element that it is.
 */
void value_put(struct buf *, const struct type *, const char *text, size_t len);

/*
 * For literal.c
 */

/* value_put inside of depth arrays and maps. */
void value_put_inside(struct buf *, const struct type *, const char *text, size_t len,
    unsigned depth);

/* A str, or a bin where it is not UTF-8. */
void value_put_text(struct buf *, const char *text, size_t len);

/* Appends nothing, and returns false, where the text is no integer of 64 bits. */
bool value_put_int(struct buf *, const char *text, size_t len);

/*
 * A name as a frame has it: UTF-8.  In a database without an encoding it may be none; then
 * each byte that does not belong is \xHH.  The result is name, or in b until that changes.
 */
const char *value_name(struct buf *b, const char *name);

#endif
