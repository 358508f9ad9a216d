#ifndef RENDER_H
#define RENDER_H

#include <stdint.h>

#include <msgpack.h>

#include "buf.h"
#include "mapping.h"
#include "quote.h"

/*
 * Values of frames as JSON, exactly, and as the text that ids are made of.
 */

struct relation_column;
struct shape;

/* What a column's type says that its values' form in the frame does not. */
struct value_class {
	enum {
		CLASS_PLAIN,
		CLASS_NUMERIC, /* strings are numbers: numeric, its arrays and ranges */
		CLASS_BYTES,   /* bytea and its arrays: bytes are meant */
		CLASS_TIME,    /* "infinity" is one: date, timestamp, timestamptz and theirs */
	} scalar;
	const struct shape *shape; /* of composite values, or of bounds that are such; or NULL */
};

enum render_result {
	RENDER_OK,
	RENDER_NULL,     /* render_text only: the value is null, nothing was written */
	RENDER_ABSENT,   /* the server did not send it */
	RENDER_NAN,      /* the policy says reject */
	RENDER_INFINITY, /* the policy says reject */
	RENDER_BC,       /* the policy says reject */
	RENDER_UTF8,     /* the policy says reject */
	RENDER_FAULT,    /* the renderer's why says what is wrong */
	RENDER_UNKNOWN,  /* an extension type that frames of version 1 do not have */
};

/* What rendering needs, and memory that it keeps.  Zeroed but for the policy. */
struct renderer {
	const struct value_policy *policy;
	struct buf why; /* after RENDER_FAULT, as in: column "x" <why> */
	/* Scratch. */
	struct json_scratch json;
	struct buf text, flat, object, repaired;
	struct buf names; /* struct flat_name: the members of flattened values, so far */
};

/* A member that came out of a flattened column: where its name is in the document. */
struct flat_name {
	size_t at, len; /* escaped, without quotes */
	const void *from;
};

void renderer_free(struct renderer *);

/* It points to the column's shape. */
struct value_class render_class(const struct relation_column *);

/* Append the value as JSON, on one line.  What was appended before a failure stays. */
enum render_result render_json(struct buf *, const msgpack_object *, struct value_class,
    struct renderer *) __attribute__((warn_unused_result));

/* Append JSON text, on one line, with the policies for its objects' keys. */
enum render_result render_document(struct buf *, const char *, size_t len, struct renderer *)
    __attribute__((warn_unused_result));

/*
 * Append the value as text: strings as they are, numbers as PostgreSQL prints them,
 * true and false, bytes by the policy; arrays and the rest as JSON, in which NaN, infinities
 * and the years of "bc" are the strings that they are alone.
 */
enum render_result render_text(struct buf *, const msgpack_object *, struct value_class,
    struct renderer *) __attribute__((warn_unused_result));

#endif
