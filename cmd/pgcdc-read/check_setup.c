#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "exitcode.h"
#include "state.h"

/*
 * --setup and --drop.  A publication that was made carries a comment, so that only such a one is
 * dropped.
 */
#define MARK "made by pgcdc setup"

/* While the connection is of the search path where bare names mean public's. */
static PGresult *
execute(struct check *c, const char *sql)
{
	PQclear(PQexec(c->conn, "SELECT pg_catalog.set_config('search_path', 'public', false)"));
	return PQexec(c->conn, sql);
}

/* A statement that was run, shown, or refused; which is said under this name.  Was it run, or shown? */
static bool
act(struct check *c, const char *name, const char *sql, const char *done)
{
	struct buf remedy = { 0 };
	PGresult *res;
	size_t n;
	const char *words;
	bool good;

	if (c->o->print) {
		printf("%s\n", sql);
		return true;
	}
	res = execute(c, sql);
	good = PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;
	words = PQerrorMessage(c->conn);
	n = strcspn(words, "\n");
	buf_printf(&remedy, "SQL: %s", sql);
	if (strstr(words, "wal_level") != NULL) {
		remedy.len = 0;
		buf_adds(&remedy, "SQL: ALTER SYSTEM SET wal_level = logical;\nthen restart the server");
	}
	if (good)
		finding(&c->f, FINDING_OK, name, NULL, "%s", done);
	else
		finding(&c->f, pg_judge(c->conn, res) == PG_PERMANENT ? FINDING_ERROR
		                                                      : FINDING_TEMPORARY,
		    name, buf_cstr(&remedy), "role %s, in database %s: %.*s", c->user, c->database,
		    (int)n, words);
	PQclear(res);
	buf_free(&remedy);
	return good;
}

static void
note(struct check *c, const char *name, const char *remedy, const char *text)
{
	if (c->o->print)
		printf("-- %s: %s\n", name, text);
	else
		finding(&c->f, FINDING_OK, name, remedy, "%s", text);
}

/* The comment of the publication, to be freed; NULL: there is none of that name, or no telling. */
static char *
publication_comment(struct check *c, const char *name, bool *asked)
{
	char *literal = pg_literal(c->conn, name), *comment = NULL;
	struct buf sql = { 0 };
	PGresult *res;

	buf_printf(&sql,
	    "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_publication'), '')"
	    " FROM pg_catalog.pg_publication WHERE pubname = %s", literal);
	PQfreemem(literal);
	res = check_ask(c, "publication", buf_cstr(&sql));
	*asked = res != NULL;
	if (res != NULL && PQntuples(res) > 0)
		comment = xstrdup(PQgetvalue(res, 0, 0));
	PQclear(res);
	buf_free(&sql);
	return comment;
}

static bool
make_publication(struct check *c, const char *name)
{
	struct buf sql = { 0 }, text = { 0 };
	bool asked, good = true;
	char *comment = publication_comment(c, name, &asked), *quoted;

	if (!asked)
		return false;
	if (comment != NULL) {
		buf_printf(&text, "%s is there", name);
		note(c, "publication", NULL, buf_cstr(&text));
	} else if (c->o->create_publication == NULL || c->o->n_publications > 1) {
		check_put_publication(c, &sql, name);
		buf_printf(&text, "SQL: %s\nor FOR TABLE and their names", buf_cstr(&sql));
		finding(&c->f, FINDING_ERROR, "publication", buf_cstr(&text),
		    "there is no %s, and nobody says of which tables", name);
		good = false;
	} else {
		check_put_publication(c, &sql, name);
		quoted = pg_identifier(c->conn, name);
		buf_printf(&sql, " COMMENT ON PUBLICATION %s IS '" MARK "';", quoted);
		PQfreemem(quoted);
		buf_printf(&text, "made %s for %s", name, c->o->create_publication);
		good = act(c, "publication", buf_cstr(&sql), buf_cstr(&text));
	}
	free(comment);
	buf_free(&sql);
	buf_free(&text);
	return good;
}

/* A slot that is there: is it one for us? */
static bool
is_usable(struct check *c)
{
	const char *plugin = PQgetvalue(c->slot, 0, CHECK_SLOT_PLUGIN);
	const char *database = PQgetvalue(c->slot, 0, CHECK_SLOT_DATABASE);

	return strcmp(plugin, "pgoutput") == 0 && strcmp(database, c->database) == 0 &&
	    strcmp(PQgetvalue(c->slot, 0, CHECK_SLOT_WAL), "lost") != 0;
}

static void
make_slot(struct check *c, bool published)
{
	struct buf sql = { 0 }, text = { 0 };
	struct state st = { 0 };
	bool known = c->o->state_path != NULL && state_load(&st, c->o->state_path) == 0 &&
	    st.exists && strcmp(st.slot, c->o->slot) == 0;

	state_free(&st);
	check_put_slot(c, &sql);
	if (PQntuples(c->slot) > 0 && is_usable(c)) {
		buf_printf(&text, "%s is there", c->o->slot);
		note(c, "slot", NULL, buf_cstr(&text));
	} else if (PQntuples(c->slot) > 0) {
		/* In the words of --check. */
		check_slot(c);
	} else if (known) {
		/* Another one would hide that changes are missing. */
		check_state(c);
	} else if (!published) {
		buf_printf(&text, "SQL: %s", buf_cstr(&sql));
		finding(&c->f, FINDING_ERROR, "slot", buf_cstr(&text),
		    "%s is not made before the publication", c->o->slot);
	} else {
		buf_printf(&text, "made %s", c->o->slot);
		(void)act(c, "slot", buf_cstr(&sql), buf_cstr(&text));
	}
	buf_free(&sql);
	buf_free(&text);
}

static int
end(struct check *c)
{
	PQclear(c->slot);
	PQfinish(c->conn);
	free(c->database);
	free(c->user);
	return findings_exit(&c->f);
}

int
check_setup(const struct options *o)
{
	struct check c = { .o = o, .f.fields = o->findings };
	bool published = true;

	if (check_connect(&c) && check_find_slot(&c)) {
		for (size_t i = 0; i < o->n_publications; i++)
			published &= make_publication(&c, o->publications[i]);
		make_slot(&c, published);
	}
	return end(&c);
}

/*
 * --drop
 */

/* The slot's place can be taken by another one's: only what --setup would have made goes. */
static bool
drop_slot(struct check *c)
{
	const char *plugin, *database;
	char *literal = pg_literal(c->conn, c->o->slot);
	struct buf sql = { 0 }, text = { 0 };
	bool good = true;

	buf_printf(&sql, "SELECT pg_drop_replication_slot(%s);", literal);
	PQfreemem(literal);
	plugin = PQntuples(c->slot) > 0 ? PQgetvalue(c->slot, 0, CHECK_SLOT_PLUGIN) : NULL;
	database = PQntuples(c->slot) > 0 ? PQgetvalue(c->slot, 0, CHECK_SLOT_DATABASE) : NULL;
	if (plugin == NULL || database == NULL) {
		buf_printf(&text, "%s is not there", c->o->slot);
		note(c, "slot", NULL, buf_cstr(&text));
	} else if (strcmp(plugin, "pgoutput") != 0 || strcmp(database, c->database) != 0) {
		/* The wrong one: what belongs to it stays, too. */
		finding(&c->f, FINDING_ERROR, "slot",
		    "name its database by dbname= in PGCDC_CONNINFO or -d, or another slot",
		    "%s is not dropped, and nothing else: it is of %s%s", c->o->slot,
		    *database != '\0' ? "database " : "another kind", database);
		good = false;
	} else {
		buf_printf(&text, "dropped %s", c->o->slot);
		good = act(c, "slot", buf_cstr(&sql), buf_cstr(&text));
	}
	buf_free(&sql);
	buf_free(&text);
	return good;
}

/*
 * Another slot of this database, whose stream may be of the same publication, to be freed, or NULL.
 * Nobody knows whether it is; but without it that one fails, and for good.
 */
static char *
other_slot(struct check *c, bool *asked)
{
	char *literal = pg_literal(c->conn, c->o->slot), *other = NULL;
	struct buf sql = { 0 };
	PGresult *res;

	buf_printf(&sql,
	    "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE plugin = 'pgoutput'"
	    " AND database = pg_catalog.current_database() AND slot_name <> %s ORDER BY active DESC",
	    literal);
	PQfreemem(literal);
	res = check_ask(c, "publication", buf_cstr(&sql));
	*asked = res != NULL;
	if (res != NULL && PQntuples(res) > 0)
		other = xstrdup(PQgetvalue(res, 0, 0));
	PQclear(res);
	buf_free(&sql);
	return other;
}

static void
drop_publication(struct check *c, const char *name)
{
	bool asked;
	char *other = NULL;
	char *comment = publication_comment(c, name, &asked), *quoted = pg_identifier(c->conn, name);
	struct buf sql = { 0 }, text = { 0 }, remedy = { 0 };

	buf_printf(&sql, "DROP PUBLICATION %s;", quoted);
	PQfreemem(quoted);
	if (asked && comment != NULL)
		other = other_slot(c, &asked);
	if (!asked) {
		free(comment);
		buf_free(&sql);
		return;
	}
	if (comment == NULL) {
		buf_printf(&text, "%s is not there", name);
		note(c, "publication", NULL, buf_cstr(&text));
	} else if (strcmp(comment, MARK) != 0) {
		buf_printf(&text, "%s is left, for setup did not make it", name);
		buf_printf(&remedy, "SQL: %s\nif nobody needs it any more", buf_cstr(&sql));
		note(c, "publication", buf_cstr(&remedy), buf_cstr(&text));
	} else if (other != NULL) {
		buf_printf(&text, "%s is left, for slot %s may need it", name, other);
		buf_printf(&remedy, "SQL: %s\nif no other slot's pipeline has it", buf_cstr(&sql));
		note(c, "publication", buf_cstr(&remedy), buf_cstr(&text));
	} else {
		buf_printf(&text, "dropped %s", name);
		(void)act(c, "publication", buf_cstr(&sql), buf_cstr(&text));
	}
	free(comment);
	free(other);
	buf_free(&sql);
	buf_free(&text);
	buf_free(&remedy);
}

int
check_drop(const struct options *o)
{
	struct check c = { .o = o, .f.fields = o->findings };
	long pid;

	if (check_connect(&c) && check_find_slot(&c)) {
		pid = PQntuples(c.slot) > 0 ? strtol(PQgetvalue(c.slot, 0, CHECK_SLOT_PID), NULL, 10) : 0;
		if (pid != 0)
			finding(&c.f, FINDING_TEMPORARY, "slot", "stop the pipeline that reads it, and "
			        "those that stand by",
			    "%s is active: process %ld of the server streams from it", o->slot, pid);
		else if (drop_slot(&c))
			for (size_t i = 0; i < o->n_publications; i++)
				drop_publication(&c, o->publications[i]);
	}
	return end(&c);
}
