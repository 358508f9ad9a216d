#ifndef RULE_H
#define RULE_H

#include "doc.h"
#include "mapping.h"

/*
 * Loading a rule: rule.c has its keys, fields.c what documents consist of.  For mapping.c.
 */

/* Load the node into the rule, which need not be zeroed.  Problems go to the document's. */
void rule_load(struct doc *, const yaml_node_t *, struct rule *);

void rule_free(struct rule *);

/* "fields:" of a rule. */
void fields_load(struct doc *, const yaml_node_t *, void *rule);

/* A list of columns' names. */
void fields_load_list(
    struct doc *, const yaml_node_t *, const char *what, struct column_names *);

/* The entry of that column, or NULL. */
const struct column_name *fields_find(const struct column_names *, const char *column);
bool fields_has_column(const struct column_names *, const char *column);

/* A template; what is for the message: "an index". */
void fields_load_template(
    struct doc *, const yaml_node_t *, const char *what, struct template *);

/* A value with templates in it, at any depth; or, where object is asked for, a mapping. */
void fields_load_given(struct doc *, const yaml_node_t *, const char *what, bool object,
    struct given *);

void fields_free_names(struct column_names *);
void fields_free_given(struct given *);

#endif
