#include <stdio.h>
#include <string.h>

#include "exitcode.h"
#include "log.h"
#include "probe.h"
#include "setup.h"

#define COMPOSABLE "/_index_template/"

/* What a template of ours says of itself; sum tells one that is as it would be made. */
static void
put_meta(struct buf *b, const char *owner, const char sum[SHA256_HEX])
{
	buf_adds(b, "\"_meta\":{\"pgcdc\":{\"owner\":");
	json_put_string(b, owner, strlen(owner));
	buf_printf(b, ",\"sha256\":\"%s\"}}", sum);
}

/* The body with that.  It is an object, as template.c saw to. */
static void
put_body(struct buf *b, const struct template *t, const char *owner, const char sum[SHA256_HEX])
{
	struct json_text rest = json_trim((struct json_text) { t->body + 1, strlen(t->body) - 1 });

	buf_addc(b, '{');
	put_meta(b, owner, sum);
	if (rest.n > 0 && *rest.p != '}')
		buf_addc(b, ',');
	json_put_line(b, rest);
}

/* Who made the template that the last answer shows, and of what? */
static struct json_text
mark_of(struct json_text one)
{
	return json_member(json_member(json_member(one, "index_template"), "_meta"), "pgcdc");
}

static struct json_text
first_template(struct probe *p)
{
	struct json_walk w = json_open(json_member(probe_json(p), "index_templates"));
	struct json_text none, one = { 0 };

	if (w.close != ']' || json_next(&w, &none, &one) != 1)
		return (struct json_text) { 0 };
	return one;
}

/* Put it, or show how.  again: in place of an older one. */
static void
put(struct probe *p, const struct template *t, const char *body, bool again)
{
	const char *name = strrchr(t->path, '/') + 1;
	struct buf line = { 0 };

	probe_put_curl(p, &line, "PUT", t->path, body);
	if (p->o->print) {
		printf("%s\n", buf_cstr(&line));
	} else if (probe_ask(p, p->node, "PUT", t->path, body) == 200 || p->status == 201) {
		finding(&p->f, FINDING_OK, "template", NULL, "%s %s", name,
		    again ? "was put again, for the mapping or the tables have changed" : "was put");
	} else {
		probe_failed(p, p->node, "template");
		buf_free(&line);
		return;
	}
	buf_free(&line);
}

static void
say_left(struct probe *p, const char *name, const char *why)
{
	if (p->o->print)
		printf("# template: %s %s\n", name, why);
	else
		finding(&p->f, FINDING_OK, "template", NULL, "%s %s", name, why);
}

/* Only the newer kind of templates has a place for a mark. */
static void
set_up(struct probe *p, const struct template *t)
{
	const char *name = strrchr(t->path, '/') + 1, *owner = p->o->owner;
	struct json_text mark;
	char sum[SHA256_HEX];
	struct buf body = { 0 };
	bool marked = strncmp(t->path, COMPOSABLE, strlen(COMPOSABLE)) == 0;

	connection_hash(t->body, strlen(t->body), sum);
	if (marked)
		put_body(&body, t, owner, sum);
	else
		buf_adds(&body, t->body);
	if (probe_ask(p, p->node, "GET", t->path, NULL) == 404) {
		put(p, t, buf_cstr(&body), false);
	} else if (p->status != 200) {
		probe_failed(p, p->node, "template");
	} else {
		mark = mark_of(first_template(p));
		if (!marked || strcmp(probe_string(json_member(mark, "owner")), owner) != 0)
			say_left(p, name, "is there, and was not put by this setup: it is left as it is");
		else if (strcmp(probe_string(json_member(mark, "sha256")), sum) == 0)
			say_left(p, name, "is there");
		else
			put(p, t, buf_cstr(&body), true);
	}
	buf_free(&body);
}

static int
run(const struct options *o, void (*work)(struct probe *))
{
	struct probe p;

	if (probe_init(&p, o) != 0) {
		log_error("libcurl cannot be set up");
		return EXIT_TEMPORARY;
	}
	if (probe_any(&p))
		work(&p);
	probe_free(&p);
	return findings_exit(&p.f);
}

static void
set_up_all(struct probe *p)
{
	for (size_t i = 0; i < p->o->templates.n; i++)
		set_up(p, &p->o->templates.template[i]);
}

int
setup_run(const struct options *o)
{
	return run(o, set_up_all);
}

/*
 * --drop
 */

static void
drop(struct probe *p, const char *name)
{
	struct buf path = { 0 }, line = { 0 };

	buf_adds(&path, COMPOSABLE);
	probe_put_name(&path, name);
	probe_put_curl(p, &line, "DELETE", buf_cstr(&path), NULL);
	if (p->o->print)
		printf("%s\n", buf_cstr(&line));
	else if (probe_ask(p, p->node, "DELETE", buf_cstr(&path), NULL) == 200 || p->status == 404)
		finding(&p->f, FINDING_OK, "template", NULL, "dropped %s", name);
	else
		probe_failed(p, p->node, "template");
	buf_free(&path);
	buf_free(&line);
}

static void
drop_all(struct probe *p)
{
	struct json_text none, one;
	struct json_walk w;
	struct buf answer = { 0 };
	size_t n = 0;

	/* 404: there are none at all; 400, 405: the server does not know them. */
	if (probe_ask(p, p->node, "GET", "/_index_template", NULL) != 200) {
		if (p->status == 0 || p->status == 401 || p->status == 403 || p->status >= 500)
			probe_failed(p, p->node, "template");
		return;
	}
	buf_add(&answer, p->answer.data, p->answer.len);
	w = json_open(
	    json_member(json_trim((struct json_text) { buf_cstr(&answer), answer.len }), "index_templates"));
	while (w.close == ']' && json_next(&w, &none, &one) == 1) {
		if (strcmp(probe_string(json_member(mark_of(one), "owner")), p->o->owner) != 0)
			continue;
		drop(p, probe_string(json_member(one, "name")));
		n++;
	}
	if (n == 0)
		say_left(p, "none", "is there that setup put");
	buf_free(&answer);
}

int
drop_run(const struct options *o)
{
	return run(o, drop_all);
}
