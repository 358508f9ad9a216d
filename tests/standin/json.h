#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "slice.h"

/*
 * JSON as the servers see it: strict RFC 8259, UTF-8 checked, and a name that
 * comes twice in one object is an error.  Values stay raw text: nothing is
 * converted, so no digit of a number is ever lost here.
 */

enum json_error_kind {
	JSON_OK,
	JSON_EOF,          /* the text ends inside a value */
	JSON_SYNTAX,       /* anything else that is no JSON */
	JSON_UTF8,         /* not UTF-8 */
	JSON_DUPLICATE,    /* a name twice in one object */
	JSON_EMPTY_NAME,   /* a field called "": legal JSON, no legal field */
	JSON_OBJECT_DEPTH, /* more than 20 objects in one another (mapping.depth.limit) */
	JSON_ARRAY_DEPTH,  /* more than 20 arrays in one another */
	JSON_TRAILING,     /* a second value behind the first */
};

/* What is wrong and where: column counts bytes from 1; text is for people. */
struct json_error {
	enum json_error_kind kind;
	size_t column;
	char text[160];
};

/*
 * Where a walk through a text stands.  All scanners below move p over what they
 * read, and on an error leave it there and return false with *error filled in.
 * Zero error before the first use.
 */
struct json_cursor {
	const char *start;
	const char *p;
	const char *end;
	struct json_error error;
};

void json_cursor_init(struct json_cursor *, struct slice text);

static inline void
json_blanks(struct json_cursor *c)
{
	while (c->p < c->end &&
	       (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
		c->p++;
}

/*
 * A string whose opening quote p stands on: *raw is what stands between the
 * quotes, *escaped whether a backslash is in it.
 */
bool json_string(struct json_cursor *, struct slice *raw, bool *escaped)
    __attribute__((warn_unused_result));

/* A number, true, false or null; *raw is its text. */
bool
json_scalar(struct json_cursor *, struct slice *raw) __attribute__((warn_unused_result));

/* The value that stands at p, as Jackson calls its first token; NULL where none does. */
const char *json_token(const struct json_cursor *);

/* Any value, checked; *raw is its text. */
bool
json_value(struct json_cursor *, struct slice *raw) __attribute__((warn_unused_result));

/* Note an error at p; returns false. */
bool json_fail(struct json_cursor *, enum json_error_kind, const char *text);

/* The error for what stands at p where something else was wanted; returns false. */
bool json_unexpected(struct json_cursor *, const char *wanted);

/*
 * Is the text one object, as a document must be?  The limits on depth and the
 * names that must not be empty are the mapper's, so they are judged here alone.
 */
bool
json_document(struct slice text, struct json_error *) __attribute__((warn_unused_result));

/* Give back the memory that checking keeps between documents. */
void json_release(void);

/*
 * Walk over the members of an object whose text was checked before.  Start with
 * json_members; json_member returns false at the end.
 */
struct json_walk {
	const char *p;
	const char *end;
};
struct json_walk json_members(struct slice object);
bool json_member(struct json_walk *, struct slice *raw_name, struct slice *value);
/* The same for the elements of an array. */
struct json_walk json_elements(struct slice array);
bool json_element(struct json_walk *, struct slice *value);

/* The member called name of a checked object: its raw value, or p NULL. */
struct slice json_find(struct slice object, const char *name);

/* Append what a raw string (without its quotes) says. */
void json_unescape(struct buf *, struct slice raw);

/* Append text as a JSON string, with quotes. */
void json_quote(struct buf *, struct slice text);

/*
 * Append the object `old` with the members of `change` put over it, objects
 * inside objects merged, as a partial update does it; returns whether that
 * changed anything.  Both were checked before.
 */
bool json_merge(struct buf *, struct slice old, struct slice change);

#endif
