#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * JSON text (RFC 8259), looked at and cleaned as it stands: no tree is built, numbers and
 * strings keep their form.  Texts need no NUL.  They are taken for UTF-8, but whatever
 * the bytes are, none beyond the text's are read.
 */

/* More arrays and objects within one another are an error; search servers draw the line
 * at the same place. */
#define JSON_DEPTH 1000

/* What is wrong with a text. */
struct json_problem {
	const char *what; /* static */
	size_t offset;    /* where: bytes from its start */
	/* The member's unescaped name, where a policy rejects it; else NULL.  It lives in
	 * the text or in the scratch, until that is used again. */
	const char *name;
	size_t name_len;
};

/*
 * Memory that calls use one after the other.  Zeroed, it is an empty one;
 * json_scratch_free makes it so again.
 */
struct json_scratch {
	struct buf names;         /* unescaped names */
	struct json_place *place; /* the members of the objects around, outermost first */
	size_t places, cap_places;
	struct json_change *change; /* what to leave out */
	size_t changes, cap_changes;
	size_t *order; /* for sorting */
	size_t cap_order;
};

void json_scratch_free(struct json_scratch *);

/* Is it one JSON value, with blanks around it at most?  If not, the problem says why. */
bool json_valid(const char *text, size_t len, struct json_problem *)
    __attribute__((warn_unused_result));

/*
 * Append JSON text on one line: line breaks, which can stand between its tokens only, become
 * blanks.  They do in what is no JSON, too: the text is not looked at otherwise.
 */
void json_one_line(struct buf *, const char *text, size_t len);

/* Members of one object that have the same name; names are compared unescaped. */
enum json_duplicates {
	JSON_DUPLICATES_KEEP,
	JSON_DUPLICATES_LAST, /* the last one stays, where it stands; as in jsonb */
	JSON_DUPLICATES_REJECT,
};

/* Members whose name is "".  This is done first: what is dropped is no duplicate, and
 * what is renamed is one of a member "_", with which then is done what duplicates says.
 */
enum json_empty {
	JSON_EMPTY_KEEP,
	JSON_EMPTY_DROP,
	JSON_EMPTY_UNDERSCORE, /* the name becomes "_" */
	JSON_EMPTY_REJECT,
};

/*
 * Append JSON text on one line with the policies carried out in objects at any depth,
 * also in values that are dropped then.  Where both are KEEP this is json_one_line; else
 * the text must be valid.  Returns 0; or -1, the problem says why and nothing was
 * appended.  Takes n log n of time at worst, whatever the names are.
 */
int json_clean(struct json_scratch *, struct buf *out, const char *text, size_t len,
    enum json_duplicates, enum json_empty, struct json_problem *)
    __attribute__((warn_unused_result));

enum json_kind {
	JSON_NONE, /* no value begins like this */
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

/* What valid JSON text is, by how it begins. */
enum json_kind json_kind(const char *text, size_t len);

/*
 * The members of the object that a text is:
 *
 *	struct json_members all = json_members(text, len);
 *	struct json_member member;
 *
 *	while ((r = json_next(&all, &scratch, &member, &problem)) > 0)
 *		...
 *
 * json_next returns 1 for a member, 0 behind the last, -1 with a problem for what is no
 *valid object.  As the text is looked at on the way, members before the flaw come first.
 */
struct json_members {
	const char *text, *at, *end;
};

struct json_member {
	/* Unescaped, in the text or in the scratch, until that is used again.  A lone
	 * half of a surrogate pair becomes U+FFFD, a \u0000 a NUL. */
	const char *name;
	size_t name_len;
	/* In the text; no blanks around it, but line breaks may be in it. */
	const char *value;
	size_t value_len;
};

struct json_members json_members(const char *text, size_t len);
int json_next(struct json_members *, struct json_scratch *, struct json_member *,
    struct json_problem *) __attribute__((warn_unused_result));

#endif
