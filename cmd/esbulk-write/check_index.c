#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* What the cluster has for all indices. */
struct survey {
	struct buf templates, legacy; /* answers, or empty */
	bool no_auto;                 /* indices are not made by writing to them */
};

static bool
is_true(struct json_text object, const char *name)
{
	return strcmp(probe_string(json_member(object, name)), "true") == 0;
}

/* The settings of one index; is anything in the way of writes? */
static bool
check_settings(struct probe *p, const char *index, struct json_text settings)
{
	static const char *const blocks[] = { "index.blocks.read_only_allow_delete",
		"index.blocks.read_only", "index.blocks.write" };
	struct buf remedy = { 0 }, path = { 0 }, body = { 0 };
	bool good = true;

	buf_addc(&path, '/');
	probe_put_name(&path, index);
	buf_adds(&path, "/_settings");
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (!is_true(settings, blocks[i]))
			continue;
		good = false;
		remedy.len = body.len = 0;
		buf_printf(&body, "{\"%s\":null}", blocks[i]);
		buf_adds(&remedy, "run: ");
		probe_put_curl(p, &remedy, "PUT", buf_cstr(&path), buf_cstr(&body));
		if (i == 0)
			buf_adds(&remedy, "\nafter making room on the node's disk");
		finding(&p->f, FINDING_ERROR, "index", buf_cstr(&remedy), "%s takes no writes: %s%s",
		    index, blocks[i], i == 0 ? ", for the disk was full" : "");
	}
	if (is_true(settings, "index.verified_before_close")) {
		good = false;
		remedy.len = 0;
		path.len -= strlen("/_settings");
		buf_adds(&path, "/_open");
		buf_adds(&remedy, "run: ");
		probe_put_curl(p, &remedy, "POST", buf_cstr(&path), NULL);
		finding(&p->f, FINDING_ERROR, "index", buf_cstr(&remedy), "%s is closed", index);
	}
	buf_free(&remedy);
	buf_free(&path);
	buf_free(&body);
	return good;
}

/* An alias of several indices: which of them takes writes? */
static void
check_alias(struct probe *p, const char *name, const char *last)
{
	struct buf path = { 0 }, body = { 0 }, remedy = { 0 };
	struct json_text index, value;
	struct json_walk w;
	bool any = false;

	buf_adds(&path, "/_alias/");
	probe_put_name(&path, name);
	if (probe_ask(p, p->node, "GET", buf_cstr(&path), NULL) == 200) {
		w = json_open(probe_json(p));
		while (w.close == '}' && json_next(&w, &index, &value) == 1)
			any |= is_true(json_member(json_member(value, "aliases"), name),
			    "is_write_index");
		buf_adds(&body, "{\"actions\":[{\"add\":{\"index\":");
		json_put_string(&body, last, strlen(last));
		buf_adds(&body, ",\"alias\":");
		json_put_string(&body, name, strlen(name));
		buf_adds(&body, ",\"is_write_index\":true}}]}");
		buf_adds(&remedy, "run: ");
		probe_put_curl(p, &remedy, "POST", "/_aliases", buf_cstr(&body));
		buf_adds(&remedy, "\nor another of its indices");
		if (!any)
			finding(&p->f, FINDING_ERROR, "index", buf_cstr(&remedy),
			    "alias %s is of several indices, and none of them is that for writes", name);
		else
			finding(&p->f, FINDING_OK, "index", NULL, "%s is an alias", name);
	}
	buf_free(&path);
	buf_free(&body);
	buf_free(&remedy);
}

static bool
is_stream(struct probe *p, const char *name)
{
	struct buf path = { 0 };
	long status;

	buf_adds(&path, "/_data_stream/");
	probe_put_name(&path, name);
	status = probe_ask(p, p->node, "GET", buf_cstr(&path), NULL);
	buf_free(&path);
	return status == 200;
}

/* Those that are there: how many are they?  -1: the login may not know, or there is no answer. */
static int
check_present(struct probe *p, const char *name)
{
	bool pattern = strchr(name, '*') != NULL, good = true;
	struct buf path = { 0 }, answer = { 0 };
	struct json_text index, value;
	struct json_walk w;
	char *last = NULL;
	int n = 0;

	buf_addc(&path, '/');
	probe_put_name(&path, name);
	buf_adds(&path, "/_settings?flat_settings=true&expand_wildcards=open,closed");
	(void)probe_ask(p, p->node, "GET", buf_cstr(&path), NULL);
	buf_free(&path);
	if (p->status != 200)
		return p->status == 404 ? 0 : -1;
	/* More is asked meanwhile. */
	buf_add(&answer, p->answer.data, p->answer.len);
	w = json_open(json_trim((struct json_text) { buf_cstr(&answer), answer.len }));
	while (w.close == '}' && json_next(&w, &index, &value) == 1) {
		n++;
		free(last);
		last = xstrndup(index.p, index.n);
		good &= check_settings(p, last, json_member(value, "settings"));
	}
	buf_free(&answer);
	if (n > 0 && good && pattern)
		finding(&p->f, FINDING_OK, "index", NULL, "%s: %d %s there", name, n,
		    n == 1 ? "is" : "are");
	else if (n > 0 && good && strcmp(last, name) == 0)
		finding(&p->f, FINDING_OK, "index", NULL, "%s is there", name);
	else if (n > 0 && good && is_stream(p, name))
		finding(&p->f, FINDING_OK, "index", NULL, "%s is a data stream", name);
	else if (n > 1 && good)
		check_alias(p, name, last);
	else if (n > 0 && good)
		finding(&p->f, FINDING_OK, "index", NULL, "%s is an alias", name);
	free(last);
	return n;
}

/*
 * Templates
 */

static bool
takes(struct json_text patterns, const char *name)
{
	struct json_text none, pattern;
	struct json_walk w = json_open(patterns);

	while (w.close == ']' && json_next(&w, &none, &pattern) == 1)
		if (fnmatch(probe_string(pattern), name, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

/* The name of a template for it, in the buffer. */
static bool
find_template(const struct survey *s, const char *index, struct buf *name)
{
	struct json_text all = { s->templates.data, s->templates.len }, one, none;
	struct json_walk w = json_open(json_member(all, "index_templates"));

	name->len = 0;
	while (s->templates.len > 0 && w.close == ']' && json_next(&w, &none, &one) == 1)
		if (takes(json_member(json_member(one, "index_template"), "index_patterns"), index)) {
			buf_adds(name, probe_string(json_member(one, "name")));
			return true;
		}
	w = json_open((struct json_text) { s->legacy.data, s->legacy.len });
	while (s->legacy.len > 0 && w.close == '}' && json_next(&w, &none, &one) == 1)
		if (takes(json_member(one, "index_patterns"), index)) {
			buf_add(name, none.p, none.n);
			return true;
		}
	return false;
}

static void
check_absent(struct probe *p, const struct survey *s, const char *name)
{
	bool pattern = strchr(name, '*') != NULL;
	struct buf found = { 0 }, path = { 0 }, remedy = { 0 };
	bool has = find_template(s, name, &found);

	buf_addc(&path, '/');
	probe_put_name(&path, name);
	if (s->no_auto && !pattern) {
		buf_adds(&remedy, "run: ");
		probe_put_curl(p, &remedy, "PUT", buf_cstr(&path), NULL);
		finding(&p->f, FINDING_ERROR, "index", buf_cstr(&remedy),
		    "%s is not there, and action.auto_create_index is false", name);
	} else if (has) {
		finding(&p->f, FINDING_OK, "index", NULL, "%s is made of template %s when it is needed",
		    name, buf_cstr(&found));
	} else {
		finding(&p->f, FINDING_WARNING, "template",
		    "put the templates that pgcdc-map --template makes: pgcdc setup, or --template",
		    "%s is not there, and no template for it: the cluster will guess the fields' types",
		    name);
	}
	buf_free(&found);
	buf_free(&path);
	buf_free(&remedy);
}

/* What is there for all indices. */
static void
look(struct probe *p, struct survey *s)
{
	struct json_text settings;
	static const char *const kinds[] = { "transient", "persistent", "defaults" };

	*s = (struct survey) { 0 };
	if (probe_ask(p, p->node, "GET", "/_index_template", NULL) == 200 && probe_json(p).n > 0)
		buf_add(&s->templates, p->answer.data, p->answer.len);
	if (probe_ask(p, p->node, "GET", "/_template", NULL) == 200 && probe_json(p).n > 0)
		buf_add(&s->legacy, p->answer.data, p->answer.len);
	(void)buf_cstr(&s->templates);
	(void)buf_cstr(&s->legacy);
	if (probe_ask(p, p->node, "GET",
	        "/_cluster/settings?include_defaults=true&flat_settings=true", NULL) != 200)
		return;
	for (size_t i = 0; i < 3; i++) {
		settings = json_member(json_member(probe_json(p), kinds[i]), "action.auto_create_index");
		if (settings.p == NULL)
			continue;
		s->no_auto = strcmp(probe_string(settings), "false") == 0;
		break;
	}
}

void
check_indices(struct probe *p)
{
	struct survey s;

	look(p, &s);
	for (size_t i = 0; i < p->o->n_indices && p->rc == CURLE_OK; i++) {
		const char *name = p->o->indices[i];

		if (strcmp(name, "*") == 0) {
			finding(&p->f, FINDING_OK, "index", NULL,
			    "names that are made of columns alone are not looked for");
			continue;
		}
		switch (check_present(p, name)) {
		case -1:
			if (probe_passes(p))
				probe_failed(p, p->node, "index");
			else if (p->rc == CURLE_OK)
				finding(&p->f, FINDING_OK, "index", NULL, "%s: not for this login to know",
				    name);
			break;
		case 0: check_absent(p, &s, name); break;
		default: break;
		}
	}
	buf_free(&s.templates);
	buf_free(&s.legacy);
}
