#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog.h"
#include "check.h"
#include "exitcode.h"
#include "explain.h"
#include "finding.h"
#include "index_template.h"
#include "inspect.h"
#include "listing.h"
#include "log.h"

/* A longer file is no mapping file. */
#define MAPPING_MAX ((size_t)1024 * 1024)

static int
read_file(const char *name, struct buf *b)
{
	FILE *f = fopen(name, "re");
	size_t n;

	if (f == NULL) {
		if (errno == ENOMEM)
			oom();
		log_error("cannot open the mapping file", kv_str("file", name),
		    kv_str("error", strerror(errno)));
		return -1;
	}
	while ((n = fread(buf_reserve(b, 16384), 1, 16384, f)) > 0 && b->len <= MAPPING_MAX)
		b->len += n;
	if (ferror(f) || b->len > MAPPING_MAX) {
		log_error("cannot read the mapping file", kv_str("file", name),
		    kv_str("error", ferror(f) ? strerror(errno) : "longer than 1 MiB"));
		fclose(f);
		return -1;
	}
	fclose(f);
	return 0;
}

/*
 * Problems
 */

static void
report_one(const struct options *o, const struct problem *one, bool plain)
{
	static const char *const words[] = { [PROBLEM_ERROR] = "",
		[PROBLEM_WARNING] = "warning: ", [PROBLEM_NOTE] = "note: " };
	static const enum log_level levels[] = { [PROBLEM_ERROR] = LOG_ERROR,
		[PROBLEM_WARNING] = LOG_WARN, [PROBLEM_NOTE] = LOG_INFO };
	struct buf line = { 0 };

	buf_adds(&line, o->mapping);
	if (one->at.line > 0)
		buf_printf(&line, ":%u:%u", one->at.line, one->at.column);
	buf_printf(&line, ": %s", plain ? words[one->level] : "");
	for (const char *s = one->what; *s != '\0'; s++)
		problem_put_char(&line, (unsigned char)*s);
	if (plain)
		fprintf(stderr, "%s\n", buf_cstr(&line));
	else
		log_at(levels[one->level], buf_cstr(&line));
	buf_free(&line);
}

/*
 * The same for programs.  What is behind a text's last semicolon is what to do; a statement in
 * that, without gaps, can be run as it is.
 */
static void
report_finding(const struct options *o, const struct problem *one, struct findings *f)
{
	static const enum finding_level levels[] = { [PROBLEM_ERROR] = FINDING_ERROR,
		[PROBLEM_WARNING] = FINDING_WARNING, [PROBLEM_NOTE] = FINDING_OK };
	struct buf text = { 0 }, remedy = { 0 };
	const char *last = one->what, *advice = NULL, *alter;
	size_t n = strlen(one->what);

	while ((last = strstr(last, "; ")) != NULL)
		advice = last += 2;
	if (advice != NULL) {
		n = (size_t)(advice - one->what) - 2;
		alter = strstr(advice, "ALTER ");
		if (alter != NULL && strstr(alter, "…") == NULL) {
			size_t words = (size_t)(alter - advice);

			if (words >= 5 && strncmp(alter - 5, ", or ", 5) == 0)
				words -= 5;
			buf_printf(&remedy, "SQL: %s;%s%.*s", alter, words > 0 ? "\nor " : "",
			    (int)words, advice);
		} else {
			buf_adds(&remedy, advice);
		}
	}
	buf_adds(&text, o->mapping);
	if (one->at.line > 0)
		buf_printf(&text, ":%u:%u", one->at.line, one->at.column);
	buf_printf(&text, ": %.*s", (int)n, one->what);
	finding(f, levels[one->level], "mapping", buf_cstr(&remedy), "%s", buf_cstr(&text));
	buf_free(&text);
	buf_free(&remedy);
}

static void
report_findings(const struct options *o, const struct problems *p)
{
	struct findings f = { .fields = true };

	for (size_t i = 0; i < p->n; i++)
		report_finding(o, &p->list[i], &f);
	if (f.errors + f.warnings == 0)
		finding(&f, FINDING_OK, "mapping", NULL, "%s%s", o->mapping,
		    o->conninfo != NULL ? ": fits the published tables" : "");
}

/*
 * Everything that is wrong, one line each.  Who inspects gets them as compilers write them,
 * so that editors find the place; in a pipeline they are log lines like all others.
 */
static void
report(const struct options *o, const struct problems *p)
{
	const char *format = getenv("PGCDC_LOG");
	bool plain =
	    options_inspects(o) && (format == NULL || strcmp(format, "json") != 0);
	size_t errors = 0;

	if (o->findings) {
		report_findings(o, p);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		errors += p->list[i].level == PROBLEM_ERROR;
		report_one(o, &p->list[i], plain);
	}
	if (p->errors > errors)
		log_error("there are more errors", kv_uint("errors", p->errors));
	if (p->dropped > 0)
		log_warn("there are more warnings", kv_uint("more", p->dropped));
}

/* Load the file; its problems are added.  0: it is good for use. */
static int
load(const struct options *o, struct mapping *m, struct problems *p)
{
	struct buf text = { 0 };

	*m = (struct mapping) { 0 };
	if (read_file(o->mapping, &text) != 0) {
		buf_free(&text);
		return -1;
	}
	mapping_load(m, o->mapping, text.data, text.len, p);
	buf_free(&text);
	return p->errors == 0 ? 0 : -1;
}

int
inspect_load(const struct options *o, struct mapping *m)
{
	struct problems problems = { 0 };
	int rc = load(o, m, &problems);

	report(o, &problems);
	if (rc != 0)
		mapping_free(m);
	problems_free(&problems);
	return rc;
}

/*
 * --check, --explain, --template
 */

/* What no file can tell, and each table can: said where no table is asked. */
static void
check_old(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++)
		if (m->rule[i].old.n > 0)
			problem_warning(p, m->rule[i].old.list[0].at,
			    "\"old\" needs REPLICA IDENTITY FULL on \"%s\": with another one, old "
			    "values outside the identity are null",
			    m->rule[i].table);
	problems_sort(p);
}

/* Is that one index for all rows, whose documents are called after the primary key? */
static bool
is_keyed(const struct rule *rule)
{
	return rule->id.parts == 0 && !rule->no_id && rule->index.parts == 1 &&
	    rule->index.part[0].kind == TEMPLATE_TEXT && rule->on[CHANGE_INSERT] == DO_INDEX;
}

/* The keys of one table are no other's; partial updates and scripts may mean one document. */
static void
check_shared(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++) {
		const struct rule *rule = &m->rule[i], *first = m->rule;

		if (!is_keyed(rule))
			continue;
		while (first < rule && (!is_keyed(first) || strcmp(first->table, rule->table) == 0 ||
		    strcmp(first->index.part[0].text, rule->index.part[0].text) != 0))
			first++;
		if (first < rule)
			problem_warning(p, rule->index.at,
			    "index \"%s\" is that of \"%s\" at line %u, too: rows of both with one "
			    "primary key are one document; such as id: \"{table}-{…}\"",
			    rule->index.part[0].text, first->table, first->at.line);
		else if (rule->is_pattern)
			problem_warning(p, rule->index.at,
			    "index \"%s\" is that of all tables like \"%s\": rows of several with one "
			    "primary key are one document; such as index: \"{table}\"",
			    rule->index.part[0].text, rule->table);
	}
	problems_sort(p);
}

static int
print(struct buf *b)
{
	if (fwrite(b->data, 1, b->len, stdout) == b->len && fclose(stdout) == 0)
		return EXIT_DONE;
	log_error("cannot write to standard output", kv_str("error", strerror(errno)));
	return EXIT_TEMPORARY;
}

static bool
put_templates(const struct options *o, const struct index_templates *ts, struct buf *b)
{
	if (index_templates_put(ts, o->template_index, b))
		return true;
	log_error("no rule writes to that index", kv_str("index", o->template_index));
	return false;
}

/* With the mapping and, where there is a connection, the tables.  The exit status. */
static int
inspect_tables(const struct options *o, const struct mapping *m, struct catalog *c,
    struct problems *p)
{
	struct index_templates templates = { 0 };
	struct problems own = { 0 };
	struct buf b = { 0 };
	int rc = EXIT_DONE;

	if (c != NULL && p->errors == 0) {
		index_templates_make(&templates, c, o->template ? &own : p);
		problems_sort(p);
	}
	if (o->check || p->errors > 0)
		report(o, p);
	if (!o->findings)
		report(o, &own);
	if (p->errors > 0)
		rc = EXIT_PERMANENT;
	else if (o->list == LIST_INDEXES && templates.n > 0)
		index_templates_list(&templates, &b);
	else if (o->list == LIST_INDEXES)
		listing_indexes(m, &b);
	else if (o->explain)
		explain(&b, m, c);
	else if (o->template && !put_templates(o, &templates, &b))
		rc = EXIT_PERMANENT;
	if (rc == EXIT_DONE && (o->explain || o->template || o->list == LIST_INDEXES))
		rc = print(&b);
	buf_free(&b);
	problems_free(&own);
	index_templates_free(&templates);
	return rc;
}

static int
inspect_database(const struct options *o, const struct mapping *m, struct problems *p)
{
	struct catalog c;
	enum catalog_status status = catalog_read(&c, o->conninfo, o->publications);
	int rc;

	if (status == CATALOG_OK)
		status = check_tables(m, &c, p);
	if (status == CATALOG_OK)
		rc = inspect_tables(o, m, &c, p);
	else
		rc = status == CATALOG_TEMPORARY ? EXIT_TEMPORARY : EXIT_PERMANENT;
	catalog_free(&c);
	return rc;
}

static int
inspect_listing(const struct options *o, const struct mapping *m)
{
	struct buf b = { 0 };
	enum catalog_status status = listing_tables(m, o->conninfo, &b);
	int rc = status == CATALOG_TEMPORARY ? EXIT_TEMPORARY : EXIT_PERMANENT;

	if (status == CATALOG_OK)
		rc = print(&b);
	buf_free(&b);
	return rc;
}

int
inspect(const struct options *o)
{
	struct problems problems = { .notes = o->verbose > 0 };
	struct mapping m;
	int rc = EXIT_PERMANENT;

	if (load(o, &m, &problems) != 0) {
		report(o, &problems);
	} else if (o->list == LIST_TABLES) {
		rc = inspect_listing(o, &m);
	} else if (o->conninfo != NULL) {
		rc = inspect_database(o, &m, &problems);
	} else {
		check_old(&m, &problems);
		check_shared(&m, &problems);
		rc = inspect_tables(o, &m, NULL, &problems);
	}
	if (rc == EXIT_DONE)
		log_debug("the mapping file is good", kv_uint("rules", m.rules));
	mapping_free(&m);
	problems_free(&problems);
	return rc;
}
