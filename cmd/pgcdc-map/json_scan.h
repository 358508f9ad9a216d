#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"

/*
 * The parts of JSON's grammar, for json.c and json_clean.c.  Unless it is said, functions
 * return 0 and are behind the part then, or -1 with the scan's problem.
 */
struct json_scan {
	const char *text, *p, *end;
	unsigned depth;                 /* of arrays and objects */
	struct json_cleaning *cleaning; /* NULL: the text is only looked at */
	struct json_problem *problem;
};

/* The inside of a string in the text. */
struct json_inside {
	const char *s;
	size_t len;
	bool escaped; /* has backslashes */
};

int json_scan_fail(struct json_scan *, const char *at, const char *what);
void json_scan_blanks(struct json_scan *);

/* At its quote. */
int json_scan_string(struct json_scan *, struct json_inside *);

/* A member's name, if there is one. */
int json_scan_name(struct json_scan *, struct json_inside *);

/* With the blanks around it. */
int json_scan_colon(struct json_scan *);

/* Any value; what is in it is cleaned, too. */
int json_scan_value(struct json_scan *);

/* Behind a part of an array or object: 1 behind a comma, 0 behind what closes it, or -1.
 */
int json_scan_comma(struct json_scan *, char close);

/* The text's end, or a whole text. */
int json_scan_end(struct json_scan *);
int json_scan_text(struct json_scan *);

/*
 * Append what the inside of a valid string stands for.  The lone half of a surrogate pair
 * is no character: it becomes U+FFFD or, where names must stay different, three bytes
 * that no character has.
 */
void json_unescape(struct buf *, const struct json_inside *, bool different);

/* A name for people: where it stands, or unescaped in the scratch's names. */
void json_name(
    struct json_scratch *, const struct json_inside *, const char **name, size_t *len);

/*
 * Cleaning, of which scanning says what it has read: that an object begins, a member's
 * name, that member's value, the whole object.  Nothing happens where there is no
 * cleaning.
 */
struct json_level {
	size_t places, names; /* what the scratch held */
};

struct json_level json_clean_level(const struct json_scan *);
int json_clean_name(struct json_scan *, const struct json_inside *, size_t *place);
void json_clean_member(struct json_scan *, size_t place);
int json_clean_object(struct json_scan *, struct json_level);

#endif
