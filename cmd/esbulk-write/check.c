#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "exitcode.h"
#include "log.h"

/*
 * Nodes
 */

/* "8.15.3"; what is too large to be one is no version. */
static bool
take_number(const char *s, struct check_version *v)
{
	char *end;
	unsigned long major, minor;

	if (*s < '0' || *s > '9')
		return false;
	major = strtoul(s, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return false;
	minor = strtoul(end + 1, NULL, 10);
	v->major = (unsigned)major;
	v->minor = (unsigned)minor;
	return major <= UINT_MAX && minor <= UINT_MAX;
}

static struct check_version
version_of(struct json_text answer)
{
	struct json_text version = json_member(answer, "version");
	struct check_version v = { 0 };
	const char *number = probe_string(json_member(version, "number"));

	v.known = take_number(number, &v);
	v.opensearch = strcmp(probe_string(json_member(version, "distribution")), "opensearch") == 0;
	return v;
}

/* The mapping type, which there was up to 7. */
static void
check_type(struct probe *p, const struct check_version *v)
{
	bool old = !v->opensearch && v->major < 7, late = v->opensearch ? v->major > 1 : v->major > 7;

	if (old && p->o->type == NULL)
		finding(&p->f, FINDING_ERROR, "type", "config: PGCDC_WRITE_OPTIONS=--type _doc",
		    "Elasticsearch 6 wants a mapping type with each action");
	else if (late && p->o->type != NULL)
		finding(&p->f, FINDING_ERROR, "type", "leave --type out",
		    "this version knows no mapping types");
}

static void
check_version(struct probe *p, const struct node *node, struct json_text answer)
{
	struct check_version v = version_of(answer);
	const char *number = probe_string(json_member(json_member(answer, "version"), "number"));
	const char *what = v.opensearch ? "OpenSearch" : "Elasticsearch";
	bool old = v.opensearch ? v.major == 1 && v.minor < 3
	                        : v.major < 6 || (v.major == 6 && v.minor < 8);
	bool young = v.opensearch ? v.major > 3 : v.major > 9;

	if (!v.known)
		finding(&p->f, FINDING_ERROR, "node", "mend the URL", "%s: what answers there is neither "
		        "Elasticsearch nor OpenSearch", node->url);
	else if (old)
		finding(&p->f, FINDING_ERROR, "node",
		    v.opensearch ? "upgrade it to 1.3 or later" : "upgrade it to 6.8 or later",
		    "%s: %s %s is too old", node->url, what, number);
	else if (young)
		finding(&p->f, FINDING_WARNING, "node", "look for a newer pgcdc",
		    "%s: %s %s is newer than what this was tried with", node->url, what, number);
	else
		finding(&p->f, FINDING_OK, "node", NULL, "%s: %s %s", node->url, what, number);
	if (v.known)
		check_type(p, &v);
}

/* All URLs are to lead to one cluster. */
static void
check_same(struct probe *p, const struct node *node, struct json_text answer, char **cluster)
{
	const char *uuid = probe_string(json_member(answer, "cluster_uuid"));

	if (*uuid == '\0' || strcmp(uuid, "_na_") == 0)
		return;
	if (*cluster == NULL)
		*cluster = xstrdup(uuid);
	else if (strcmp(*cluster, uuid) != 0)
		finding(&p->f, FINDING_ERROR, "node", "leave the URLs of the other cluster out",
		    "%s is of another cluster than the first", node->url);
}

/* One of several is no loss: the others are asked, and it when it is back. */
static void
report_missing(struct probe *p, struct node *node, const char *problem)
{
	finding(&p->f, p->node == NULL ? FINDING_TEMPORARY : FINDING_WARNING, "node",
	    p->node == NULL ? "start the node, or mend its URL"
	                    : "start the node, or leave its URL out",
	    "%s: %s", node->url, problem);
}

static void
report_failed(struct probe *p, struct node *node)
{
	if (p->rc == CURLE_OK || p->node == NULL || connection_hopeless(&p->connection, p->rc))
		probe_failed(p, node, "node");
	else
		report_missing(p, node, connection_problem(&p->connection, p->rc));
}

/*
 * It did not say what it is: the login may not know, or something before it, or its makers, leave
 * that out.  Does it behave like a node all the same?  The last answer is that to GET / again.
 */
static bool
is_silent(struct probe *p, struct node *node)
{
	bool node_like;

	if (p->status != 403 && p->status != 404 && p->status != 405)
		return false;
	(void)probe_ask(p, node, "GET", "/_cluster/health", NULL);
	node_like = p->status == 403 ||
	    (p->status == 200 && json_member(probe_json(p), "status").p != NULL);
	(void)probe_ask(p, node, "GET", "/", NULL);
	return node_like;
}

static void
check_nodes(struct probe *p)
{
	/* What takes its time is asked once. */
	char *cluster = NULL, **hangs = xcalloc(p->nodes.n, sizeof(*hangs));
	bool found = false;

	for (size_t i = 0; !found && i < p->nodes.n; i++) {
		found = probe_ask(p, p->nodes.node[i], "GET", "/", NULL) == 200 ||
		    is_silent(p, p->nodes.node[i]);
		if (found)
			p->node = p->nodes.node[i];
		else if (p->rc == CURLE_OPERATION_TIMEDOUT)
			hangs[i] = xstrdup(connection_problem(&p->connection, p->rc));
	}

	for (size_t i = 0; i < p->nodes.n; i++) {
		struct node *node = p->nodes.node[i];
		long status = hangs[i] == NULL ? probe_ask(p, node, "GET", "/", NULL) : 0;
		struct json_text answer = probe_json(p);

		if (hangs[i] != NULL) {
			report_missing(p, node, hangs[i]);
		} else if (status == 200) {
			check_version(p, node, answer);
			check_same(p, node, answer, &cluster);
		} else if (is_silent(p, node)) {
			finding(&p->f, FINDING_OK, "node", NULL,
			    "%s answers, and does not tell its version (status %ld)", node->url, status);
		} else {
			report_failed(p, node);
		}
		free(hangs[i]);
	}
	free(hangs);
	free(cluster);
}

/*
 * The cluster
 */

static void
check_health(struct probe *p)
{
	struct buf remedy = { 0 };
	const char *health;

	if (probe_ask(p, p->node, "GET", "/_cluster/health", NULL) != 200) {
		/* Such as one that knows of no cluster manager. */
		if (probe_passes(p))
			probe_failed(p, p->node, "health");
		else if (p->rc == CURLE_OK)
			finding(&p->f, FINDING_OK, "health", NULL, "not for this login to know");
		return;
	}
	health = probe_string(json_member(probe_json(p), "status"));
	buf_adds(&remedy, "run: ");
	probe_put_curl(p, &remedy, "POST", "/_cluster/reroute?retry_failed=true", NULL);
	buf_adds(&remedy, "\nwhere that does not help, this says why: ");
	probe_put_curl(p, &remedy, "GET", "/_cluster/allocation/explain?pretty", NULL);
	if (strcmp(health, "red") == 0)
		finding(&p->f, FINDING_ERROR, "health", buf_cstr(&remedy),
		    "red: primary shards are missing, and writes to them wait");
	else
		finding(&p->f, FINDING_OK, "health", NULL, "%s", health);
	buf_free(&remedy);
}

/* What stops all writes: cluster-wide blocks, transient and persistent ones. */
static void
check_cluster_blocks(struct probe *p)
{
	static const char *const kinds[] = { "persistent", "transient" };
	static const char *const blocks[] = { "cluster.blocks.read_only",
		"cluster.blocks.read_only_allow_delete" };
	struct buf remedy = { 0 }, body = { 0 };
	struct json_text all, set;

	if (probe_ask(p, p->node, "GET", "/_cluster/settings?flat_settings=true", NULL) != 200)
		return;
	all = probe_json(p);
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < 2; i++) {
			set = json_member(json_member(all, kinds[k]), blocks[i]);
			if (strcmp(probe_string(set), "true") != 0)
				continue;
			body.len = remedy.len = 0;
			buf_printf(&body, "{\"%s\":{\"%s\":null}}", kinds[k], blocks[i]);
			buf_adds(&remedy, "run: ");
			probe_put_curl(p, &remedy, "PUT", "/_cluster/settings", buf_cstr(&body));
			finding(&p->f, FINDING_ERROR, "cluster block", buf_cstr(&remedy),
			    "the whole cluster takes no writes: %s", blocks[i]);
		}
	buf_free(&body);
	buf_free(&remedy);
}

/*
 * Rights: Elasticsearch tells them, OpenSearch has no such question.
 */

static void
put_names(const struct probe *p, struct buf *b)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < p->o->n_indices; i++) {
		buf_adds(b, i > 0 ? "," : "");
		json_put_string(b, p->o->indices[i], strlen(p->o->indices[i]));
	}
	buf_addc(b, ']');
}

/* By somebody else: this login is what lacks rights. */
static void
put_role(const struct probe *p, const char *role, struct buf *b)
{
	struct probe admin = *p;

	admin.login = (struct login) { .kind = LOGIN_NONE };
	buf_adds(b, "run: ");
	probe_put_curl(&admin, b, "PUT", "/_security/role/pgcdc", role);
	buf_adds(b, " -u \"$ES_ADMIN\"\nwith NAME:PASSWORD of an administrator as ES_ADMIN; and give the "
	            "login that role");
}

static void
check_rights(struct probe *p)
{
	struct buf body = { 0 }, remedy = { 0 };
	struct json_text all;

	if (p->o->n_indices == 0 || p->login.kind == LOGIN_NONE)
		return;
	buf_adds(&body, "{\"index\":[{\"names\":");
	put_names(p, &body);
	buf_adds(&body, ",\"privileges\":[\"read\",\"index\",\"create\",\"delete\",\"create_index\"]}]}");
	if (probe_ask(p, p->node, "POST", "/_security/user/_has_privileges", buf_cstr(&body)) != 200) {
		if (p->rc == CURLE_OK)
			finding(&p->f, FINDING_OK, "rights", NULL,
			    "the cluster does not tell which rights the login has");
	} else {
		all = json_member(probe_json(p), "has_all_requested");
		body.len = 0;
		buf_adds(&body, "{\"indices\":[{\"names\":");
		put_names(p, &body);
		buf_adds(&body, ",\"privileges\":[\"read\",\"write\",\"create_index\",\"view_index_metadata\"]}]}");
		put_role(p, buf_cstr(&body), &remedy);
		if (strcmp(probe_string(all), "true") == 0)
			finding(&p->f, FINDING_OK, "rights", NULL, "the login may write to the indices");
		else
			finding(&p->f, FINDING_ERROR, "rights", buf_cstr(&remedy),
			    "the login may not read, write and make all of the indices");
	}
	buf_free(&body);
	buf_free(&remedy);
}

/*
 * Dead letters
 */

static void
check_dead(struct probe *p)
{
	const char *path = p->o->dead_letter;
	struct buf remedy = { 0 };
	struct stat st;
	char *copy;

	if (path == NULL) {
		finding(&p->f, FINDING_OK, "dead letters", NULL,
		    "no file is named for them: the first action that is refused stops the pipeline");
		return;
	}
	copy = xstrdup(path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		finding(&p->f, FINDING_ERROR, "dead letters", "name another file",
		    "%s is no regular file", path);
	} else if (access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0) {
		buf_adds(&remedy, "run: chmod u+rw ");
		finding_put_word(&remedy, path);
		finding(&p->f, FINDING_ERROR, "dead letters", buf_cstr(&remedy),
		    "%s cannot be written", path);
	} else {
		finding_directory(&p->f, "dead letters", dirname(copy), "their file",
		    "name another file: PGCDC_DEAD_LETTER, or --dead-letter");
	}
	buf_free(&remedy);
	free(copy);
}

int
check_run(const struct options *o)
{
	struct probe p;

	if (probe_init(&p, o) != 0) {
		log_error("libcurl cannot be set up");
		return EXIT_TEMPORARY;
	}
	check_nodes(&p);
	if (p.node != NULL) {
		p.rc = CURLE_OK;
		p.give_up = true;
		check_health(&p);
		check_cluster_blocks(&p);
		check_rights(&p);
		check_indices(&p);
		if (p.rc != CURLE_OK)
			probe_failed(&p, p.node, "node");
	}
	check_dead(&p);
	probe_free(&p);
	return findings_exit(&p.f);
}
