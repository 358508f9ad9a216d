#ifndef DOC_H
#define DOC_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "buf.h"
#include "problem.h"

/*
 * A YAML document and how to walk it: every function that meets something wrong adds a
 * problem with its place and goes on, so that all errors are found in one go.
 */
struct doc {
	yaml_document_t yaml;
	struct problems *problems;
	size_t values; /* taken so far by doc_value */
};

/*
 * Parse text, which must hold exactly one document that is not empty.  NULL when it does
 * not (problems says why; there is nothing to free then), else the root.
 */
const yaml_node_t *doc_load(struct doc *, const char *text, size_t len, struct problems *)
    __attribute__((warn_unused_result));

void doc_free(struct doc *);

/* Where a node begins. */
struct mark doc_mark(const yaml_node_t *);

/* "a list", "a mapping", "text". */
const char *doc_kind(const yaml_node_t *);

/*
 * A scalar's text, ended by a NUL, as long as the document lives; or NULL when the node
 * is no scalar, empty or has a NUL in it.  what is for the message: "an index".
 */
const char *doc_text(struct doc *, const yaml_node_t *, const char *what)
    __attribute__((warn_unused_result));

/* Node i of a list, or NULL behind its end. */
const yaml_node_t *doc_item(struct doc *, const yaml_node_t *list, size_t i);

/* Is it a list?  If not, that is a problem. */
bool doc_is_list(struct doc *, const yaml_node_t *, const char *what)
    __attribute__((warn_unused_result));

/* A key that a mapping may have, and what loads its value. */
struct doc_key {
	const char *name;
	void (*load)(struct doc *, const yaml_node_t *value, void *target);
};

/* A mapping with known keys, the last of which has no name. */
void doc_map(struct doc *, const yaml_node_t *, const char *what, const struct doc_key *,
    void *target);

/* A mapping whose keys are names of the user's. */
void doc_names(struct doc *, const yaml_node_t *, const char *what,
    void (*load)(struct doc *, const yaml_node_t *key, const yaml_node_t *value, void *target),
    void *target);

/*
 * Which of the words it is (the last one is NULL), or -1, which is a problem.
 */
int doc_word(struct doc *, const yaml_node_t *, const char *what, const char *const *words)
    __attribute__((warn_unused_result));

/*
 * A plain scalar that YAML (1.2, core schema) takes for null or a boolean, or JSON for a
 * number: as JSON.  NULL: it is a string, or no scalar.
 */
const char *doc_json_word(const yaml_node_t *);

/* Is it the plain word null? */
bool doc_is_null(const yaml_node_t *);

/* true or false, or -1, which is a problem. */
int doc_bool(struct doc *, const yaml_node_t *, const char *what)
    __attribute__((warn_unused_result));

/*
 * A value is taken from the document.  False, a problem, when there are too many: aliases
 * can make a short file very long.
 */
bool doc_value(struct doc *, const yaml_node_t *) __attribute__((warn_unused_result));

/* The node, at any depth, as JSON text, appended. */
void doc_json(struct doc *, const yaml_node_t *, const char *what, struct buf *);

#endif
