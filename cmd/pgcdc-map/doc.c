#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "doc.h"
#include "number.h"
#include "render.h"

/* More is no mapping file; keys are compared with each other. */
#define MAX_PAIRS 10000
#define MAX_VALUES 100000

static struct mark
mark_of(yaml_mark_t m)
{
	return (struct mark) { .line = (uint32_t)m.line + 1, .column = (uint32_t)m.column + 1 };
}

struct mark
doc_mark(const yaml_node_t *n)
{
	return mark_of(n->start_mark);
}

/* Where byte offset is: for input that is not even text, libyaml knows no line. */
static struct mark
mark_at(const char *text, size_t len, size_t offset)
{
	struct mark at = { .line = 1, .column = 1 };

	for (size_t i = 0; i < offset && i < len; i++) {
		at.column++;
		if (text[i] == '\n') {
			at.line++;
			at.column = 1;
		}
	}
	return at;
}

static void
syntax_error(const yaml_parser_t *y, const char *text, size_t len, struct problems *p)
{
	struct mark at = mark_of(y->problem_mark);
	const char *problem = y->problem != NULL ? y->problem : "cannot be parsed";
	const char *context = y->context;

	/* It does not always say that memory was what it lacked, all else it does. */
	if (y->error == YAML_MEMORY_ERROR || y->error == YAML_NO_ERROR)
		oom();
	if (y->error == YAML_READER_ERROR)
		at = mark_at(text, len, y->problem_offset);
	if (context != NULL && strcmp(context, "while scanning an alias") == 0)
		problem_error(
		    p, at, "%s %s (a pattern that starts with * must be quoted)", problem, context);
	else if (strstr(problem, "cannot start any token") != NULL)
		problem_error(p, at, "%s (a tab, or one of @ ` %% that must be quoted)", problem);
	else if (context != NULL)
		problem_error(p, at, "%s %s at line %lu", problem, context,
		    (unsigned long)y->context_mark.line + 1);
	else
		problem_error(p, at, "%s", problem);
}

const yaml_node_t *
doc_load(struct doc *d, const char *text, size_t len, struct problems *p)
{
	const struct mark start = { .line = 1, .column = 1 };
	const yaml_node_t *root = NULL, *more;
	yaml_document_t next;
	yaml_parser_t y;

	d->problems = p;
	d->values = 0;
	if (!yaml_parser_initialize(&y))
		oom();
	yaml_parser_set_input_string(&y, (const unsigned char *)text, len);
	if (!yaml_parser_load(&y, &d->yaml)) {
		syntax_error(&y, text, len, p);
		yaml_parser_delete(&y);
		return NULL;
	}
	root = yaml_document_get_root_node(&d->yaml);
	if (root == NULL) {
		problem_error(p, start, "the file is empty; it needs at least \"tables:\"");
	} else if (!yaml_parser_load(&y, &next)) {
		syntax_error(&y, text, len, p);
		root = NULL;
	} else {
		more = yaml_document_get_root_node(&next);
		if (more != NULL) {
			problem_error(p, doc_mark(more), "a second document; there may be one");
			root = NULL;
		}
		yaml_document_delete(&next);
	}
	yaml_parser_delete(&y);
	if (root == NULL)
		doc_free(d);
	return root;
}

void
doc_free(struct doc *d)
{
	yaml_document_delete(&d->yaml);
}

const char *
doc_kind(const yaml_node_t *n)
{
	switch (n->type) {
	case YAML_SEQUENCE_NODE: return "a list";
	case YAML_MAPPING_NODE: return "a mapping";
	case YAML_SCALAR_NODE:
	case YAML_NO_NODE:
	default: return n->data.scalar.length == 0 ? "nothing" : "text";
	}
}

/* Tags such as !!int or !mine would change the meaning; none is known here. */
static void
check_tag(struct doc *d, const yaml_node_t *n)
{
	static const char *const plain[] = { YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG };

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (n->tag == NULL || strcmp((const char *)n->tag, plain[i]) == 0)
			return;
	problem_error(d->problems, doc_mark(n), "tag %s: tags have no meaning here", n->tag);
}

const char *
doc_text(struct doc *d, const yaml_node_t *n, const char *what)
{
	const char *s;

	check_tag(d, n);
	if (n->type != YAML_SCALAR_NODE) {
		problem_error(d->problems, doc_mark(n), "%s is text, this is %s%s", what, doc_kind(n),
		    n->type == YAML_MAPPING_NODE &&
		            n->data.mapping.style == YAML_FLOW_MAPPING_STYLE
		        ? " (a template that starts with { must be quoted)"
		        : "");
		return NULL;
	}
	s = (const char *)n->data.scalar.value;
	if (n->data.scalar.length == 0) {
		problem_error(d->problems, doc_mark(n), "%s is empty", what);
		return NULL;
	}
	if (strlen(s) != n->data.scalar.length) {
		problem_error(d->problems, doc_mark(n), "%s has a NUL byte in it", what);
		return NULL;
	}
	return s;
}

const yaml_node_t *
doc_item(struct doc *d, const yaml_node_t *list, size_t i)
{
	const yaml_node_item_t *item = list->data.sequence.items.start + i;

	if (item >= list->data.sequence.items.top)
		return NULL;
	return yaml_document_get_node(&d->yaml, *item);
}

bool
doc_is_list(struct doc *d, const yaml_node_t *n, const char *what)
{
	check_tag(d, n);
	if (n->type == YAML_SEQUENCE_NODE)
		return true;
	problem_error(d->problems, doc_mark(n), "%s is a list, this is %s", what, doc_kind(n));
	return false;
}

/*
 * How many letters must be changed, added or dropped to make a of b; both are short.
 */
static size_t
distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b);

	if (n >= sizeof(row) / sizeof(row[0]) || strlen(a) > 2 * n)
		return SIZE_MAX;
	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < n; k++) {
			size_t best = corner + (a[i] != b[k]);

			corner = row[k + 1];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (corner + 1 < best)
				best = corner + 1;
			row[k + 1] = best;
		}
	}
	return row[n];
}

/* Append ": did you mean …?" or the whole choice. */
static void
hint(struct buf *b, const char *given, const char *const *words, size_t n)
{
	size_t best = 3;
	const char *near = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t far = distance(given, words[i]);

		if (far < best && far < strlen(words[i])) {
			best = far;
			near = words[i];
		}
	}
	if (near != NULL) {
		buf_printf(b, "; did you mean \"%s\"?", near);
		return;
	}
	buf_adds(b, "; known:");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s %s", i > 0 ? "," : "", words[i]);
}

/* Is n a mapping, with keys that are text and differ? */
static bool
check_map(struct doc *d, const yaml_node_t *n, const char *what)
{
	const yaml_node_pair_t *start, *top;

	check_tag(d, n);
	if (n->type != YAML_MAPPING_NODE) {
		problem_error(
		    d->problems, doc_mark(n), "%s is a mapping, this is %s", what, doc_kind(n));
		return false;
	}
	start = n->data.mapping.pairs.start;
	top = n->data.mapping.pairs.top;
	if (top - start > MAX_PAIRS) {
		problem_error(
		    d->problems, doc_mark(n), "%s has more than %d keys", what, MAX_PAIRS);
		return false;
	}
	return true;
}

/* Was the key of this pair seen in an earlier one? */
static bool
is_duplicate(struct doc *d, const yaml_node_t *map, const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = yaml_document_get_node(&d->yaml, pair->key);

	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
		const yaml_node_t *other = yaml_document_get_node(&d->yaml, p->key);

		if (other->type == YAML_SCALAR_NODE &&
		    other->data.scalar.length == key->data.scalar.length &&
		    memcmp(other->data.scalar.value, key->data.scalar.value,
		        key->data.scalar.length) == 0) {
			problem_error(d->problems, doc_mark(key),
			    "duplicate key \"%s\", first at line %u", key->data.scalar.value,
			    doc_mark(other).line);
			return true;
		}
	}
	return false;
}

void
doc_map(struct doc *d, const yaml_node_t *n, const char *what, const struct doc_key *keys,
    void *target)
{
	const char *names[32];
	size_t known = 0;

	if (!check_map(d, n, what))
		return;
	for (const struct doc_key *k = keys; k->name != NULL; k++)
		names[known++] = k->name;
	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&d->yaml, p->key);
		const char *name = doc_text(d, key, "a key");
		size_t i = 0;

		if (name == NULL || is_duplicate(d, n, p))
			continue;
		while (i < known && strcmp(names[i], name) != 0)
			i++;
		if (i < known) {
			keys[i].load(d, yaml_document_get_node(&d->yaml, p->value), target);
		} else {
			struct buf b = { 0 };

			buf_printf(&b, "unknown key \"%s\" in %s", name, what);
			hint(&b, name, names, known);
			problem_error(d->problems, doc_mark(key), "%s", buf_cstr(&b));
			buf_free(&b);
		}
	}
}

void
doc_names(struct doc *d, const yaml_node_t *n, const char *what,
    void (*load)(struct doc *, const yaml_node_t *key, const yaml_node_t *value, void *target),
    void *target)
{
	if (!check_map(d, n, what))
		return;
	for (const yaml_node_pair_t *p = n->data.mapping.pairs.start;
	     p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&d->yaml, p->key);

		if (doc_text(d, key, "a key") != NULL && !is_duplicate(d, n, p))
			load(d, key, yaml_document_get_node(&d->yaml, p->value), target);
	}
}

int
doc_word(struct doc *d, const yaml_node_t *n, const char *what, const char *const *words)
{
	const char *s = doc_text(d, n, what);
	struct buf b = { 0 };
	size_t i;

	if (s == NULL)
		return -1;
	for (i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], s) == 0)
			return (int)i;
	buf_printf(&b, "%s cannot be \"%s\"", what, s);
	hint(&b, s, words, i);
	problem_error(d->problems, doc_mark(n), "%s", buf_cstr(&b));
	buf_free(&b);
	return -1;
}

/*
 * Values
 */

const char *
doc_json_word(const yaml_node_t *n)
{
	static const char *const words[][2] = { { "", "null" }, { "~", "null" },
		{ "null", "null" }, { "Null", "null" }, { "NULL", "null" }, { "true", "true" },
		{ "True", "true" }, { "TRUE", "true" }, { "false", "false" }, { "False", "false" },
		{ "FALSE", "false" } };
	const char *s = (const char *)n->data.scalar.value;

	if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], s) == 0)
			return words[i][1];
	return number_is_json(s, n->data.scalar.length) ? s : NULL;
}

bool
doc_is_null(const yaml_node_t *n)
{
	const char *word = doc_json_word(n);

	return word != NULL && strcmp(word, "null") == 0;
}

int
doc_bool(struct doc *d, const yaml_node_t *n, const char *what)
{
	const char *word = doc_json_word(n);

	if (word != NULL && strcmp(word, "true") == 0)
		return 1;
	if (word != NULL && strcmp(word, "false") == 0)
		return 0;
	problem_error(d->problems, doc_mark(n), "%s is true or false", what);
	return -1;
}

bool
doc_value(struct doc *d, const yaml_node_t *n)
{
	if (++d->values == MAX_VALUES)
		problem_error(d->problems, doc_mark(n), "more than %d values", MAX_VALUES);
	return d->values < MAX_VALUES;
}

/* What is nested deeper is no query of anybody's. */
#define MAX_DEPTH 50

static void
put_json(struct doc *d, const yaml_node_t *n, const char *what, unsigned depth, struct buf *b)
{
	const char *word = doc_json_word(n);
	const yaml_node_t *item;
	bool first = true;

	check_tag(d, n);
	if (!doc_value(d, n))
		return;
	if (depth > MAX_DEPTH) {
		problem_error(
		    d->problems, doc_mark(n), "%s is nested more than %d deep", what, MAX_DEPTH);
	} else if (n->type == YAML_SEQUENCE_NODE) {
		buf_addc(b, '[');
		for (size_t i = 0; (item = doc_item(d, n, i)) != NULL; i++) {
			if (i > 0)
				buf_addc(b, ',');
			put_json(d, item, what, depth + 1, b);
		}
		buf_addc(b, ']');
	} else if (n->type == YAML_MAPPING_NODE) {
		if (!check_map(d, n, what))
			return;
		buf_addc(b, '{');
		for (const yaml_node_pair_t *p = n->data.mapping.pairs.start;
		     p < n->data.mapping.pairs.top; p++) {
			const yaml_node_t *key = yaml_document_get_node(&d->yaml, p->key);
			const char *name = doc_text(d, key, "a key");

			if (name == NULL || is_duplicate(d, n, p))
				continue;
			if (!first)
				buf_addc(b, ',');
			first = false;
			quote_string(b, name, strlen(name));
			buf_addc(b, ':');
			put_json(d, yaml_document_get_node(&d->yaml, p->value), what, depth + 1, b);
		}
		buf_addc(b, '}');
	} else if (word != NULL) {
		buf_adds(b, word);
	} else {
		quote_string(
		    b, (const char *)n->data.scalar.value, n->data.scalar.length);
	}
}

void
doc_json(struct doc *d, const yaml_node_t *n, const char *what, struct buf *b)
{
	put_json(d, n, what, 0, b);
}
