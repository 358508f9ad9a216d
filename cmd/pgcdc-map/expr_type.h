#ifndef EXPR_TYPE_H
#define EXPR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * The types that expressions tell apart, and casts between their values.
 */

enum expr_kind {
	KIND_UNKNOWN, /* a literal that its surroundings have yet to give a type */
	KIND_BOOL,
	KIND_INT2,
	KIND_INT4,
	KIND_INT8,
	KIND_OID,
	KIND_NUMERIC,
	KIND_FLOAT,
	KIND_TEXT, /* and all that is a string in frames and has no kind of its own */
	KIND_BPCHAR,
	KIND_UUID,
	KIND_CLOCK, /* time, whose text has one form and its order */
	KIND_DATE,
	KIND_TIMESTAMP,
	KIND_TIMESTAMPTZ,
	KIND_JSON,
	KIND_BYTEA,
	KIND_ARRAY,
	KIND_RANGE, /* and multirange */
	KIND_COMPOSITE,
	KIND_TIMETZ, /* whose text has not */
};

enum value_state { VALUE_SET, VALUE_NULL, VALUE_ABSENT, VALUE_FAULT };

struct expr_value {
	enum value_state state;
	union {
		bool b;
		int64_t i; /* integers; days since 1970; microseconds since 1970 UTC */
		double d;
		struct {
			const char *ptr;
			size_t len;
		} s; /* numeric's digits, all text, JSON's text, bytes */
	};
};

/* Of a type by its OID; those of extensions and users are text. */
enum expr_kind expr_kind_of(uint32_t oid);

/* As SQL calls it. */
const char *expr_kind_name(enum expr_kind);

/* By a name, in lower case, its words separated by one blank.  False: no such type. */
bool expr_kind_named(const char *name, enum expr_kind *);

static inline bool
expr_is_int(enum expr_kind k)
{
	return k >= KIND_INT2 && k <= KIND_OID;
}

static inline bool
expr_is_number(enum expr_kind k)
{
	return k >= KIND_INT2 && k <= KIND_FLOAT;
}

static inline bool
expr_is_text(enum expr_kind k)
{
	return k >= KIND_TEXT && k <= KIND_CLOCK;
}

static inline bool
expr_is_time(enum expr_kind k)
{
	return k >= KIND_DATE && k <= KIND_TIMESTAMPTZ;
}

/* Does SQL have such a cast? */
bool expr_can_cast(enum expr_kind from, enum expr_kind to);

/*
 * Cast a value that is set, where there is such a cast.  Text goes to scratch where it is
 * not the value's own.  False: the value does not allow it.
 */
bool expr_cast(struct expr_value *, enum expr_kind from, enum expr_kind to,
    struct buf *scratch) __attribute__((warn_unused_result));

#endif
