#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"

/*
 * JSON as it stands: members are found in a text and taken over as the bytes that they
 * are, so that no digit of a number and no escape changes.  What the clusters' parser
 * lets pass between values passes here, too: any blanks, and comments of both kinds
 * (JsonXContent sets ALLOW_COMMENTS).  Scalars are not judged: the cluster does that.
 */

/* A part of a text that belongs to somebody else; p NULL: there is none. */
struct json_text {
	const char *p;
	size_t n;
};

/* The text without the blanks and comments around it. */
struct json_text json_trim(struct json_text);

/* Is it one value, alone? */
bool json_valid(struct json_text);

/* A walk over an object's members or an array's elements. */
struct json_walk {
	const char *p, *end;
	char close; /* the bracket at its end; 0 when the text does not start with one */
	bool first;
};

struct json_walk json_open(struct json_text);

/*
 * The next member: its name as it is written, without the quotes, and its value.  In an
 * array the name is none.  1; 0 at the end, where only blanks may follow; -1: the text is
 * damaged.
 */
int json_next(struct json_walk *, struct json_text *name, struct json_text *value)
    __attribute__((warn_unused_result));

/* The last member called name (a C string) of an object; p NULL: none, or no object. */
struct json_text json_member(struct json_text object, const char *name);

/* Is what is written here, with escapes, this name?  It is UTF-8 without escapes. */
bool json_is(struct json_text written, const char *name, size_t len);

/* Append the string whose quotes are first and last of the text, without its escapes. */
void json_unescape(struct buf *, struct json_text string);

/* The string in the buffer, emptied first, without its escapes; ptr NULL: it is no string. */
struct frame_str json_string(struct buf *, struct json_text);

/* Digits alone; what is too large is the largest.  False: it is something else. */
bool json_uint(struct json_text, uint64_t *);

/*
 * Append the value as one line: where it has several, blanks with line ends or comments
 * among them become one blank.
 */
void json_put_line(struct buf *, struct json_text value);

/* Append a string with quotes and escapes. */
void json_put_string(struct buf *, const char *s, size_t n);

#endif
