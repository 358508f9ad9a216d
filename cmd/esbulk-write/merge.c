#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "merge.h"

#define MORE_KEPT ((size_t)64 * 1024)

/* A document as _mget answers it. */
struct found {
	bool told; /* whether it is found */
	bool found;
	bool numbered; /* has a version */
	uint64_t version;
	struct json_text id; /* as it is written, without the quotes */
	struct json_text source, error;
};

/* A member that an action wants. */
struct want {
	const char *name;
	uint32_t len;
	bool has; /* the body has it already */
	struct json_text written, value; /* the best so far; p NULL: none */
};

void
merge_ask(struct buf *b, const struct items *items)
{
	bool first = true;

	buf_adds(b, "{\"docs\":[");
	for (const struct item *i = items->first; i != NULL; i = i->next) {
		const struct merge *m = merge_of(i);

		if (i->state != ITEM_MERGE)
			continue;
		if (!first)
			buf_addc(b, ',');
		first = false;
		buf_add(b, m->data, m->wanted);
	}
	buf_adds(b, "]}");
}

/* The next document of the answer.  -1: there is none. */
static int
next_found(struct json_walk *w, struct found *f)
{
	struct json_text name, value, doc;
	struct json_walk members;
	int more;

	*f = (struct found) { 0 };
	if (json_next(w, &name, &doc) != 1 || (members = json_open(doc)).close != '}')
		return -1;
	while ((more = json_next(&members, &name, &value)) == 1) {
		if (json_is(name, "found", 5)) {
			f->found = *value.p == 't';
			f->told = f->found || *value.p == 'f';
		} else if (json_is(name, "_version", 8)) {
			f->numbered = json_uint(value, &f->version);
		} else if (json_is(name, "_id", 3) && value.n >= 2 && *value.p == '"') {
			f->id = (struct json_text) { value.p + 1, value.n - 2 };
		} else if (json_is(name, "_source", 7)) {
			f->source = value;
		} else if (json_is(name, "error", 5)) {
			f->error = value;
		}
	}
	/* Without a source (an index may keep none) nothing can be taken over. */
	if (f->source.p == NULL || *f->source.p != '{')
		f->source = (struct json_text) { "{}", 2 };
	return more;
}

/* Is it about the document that was asked for, and does it say what is asked? */
static bool
is_about(const struct found *f, const struct item *i)
{
	static struct buf id;

	if (f->error.p != NULL)
		return true;
	action_unescape(&id, i->text + i->id_at, i->id_len);
	return f->told && (!f->found || f->numbered) && f->id.p != NULL &&
	    json_is(f->id, id.data, id.len);
}

static void
copy_string(char *to, size_t size, struct json_text object, const char *name)
{
	struct buf b = { 0 };

	(void)json_string(&b, json_member(object, name));
	if (b.len >= size)
		b.len = size - 1;
	if (b.len > 0)
		memcpy(to, b.data, b.len);
	to[b.len] = '\0';
	buf_free(&b);
}

/*
 * No such index is no such document.  A fault of the request stays one; where routing is
 * missing, Elasticsearch 7 and OpenSearch 1 trip over their own types.
 */
static enum merge_result
judge(const struct found *f, struct answer_error *e)
{
	static const struct {
		const char *type;
		enum merge_result result;
	} known[] = { { "illegal_argument_exception", MERGE_REJECT },
		{ "routing_missing_exception", MERGE_REJECT },
		{ "null_pointer_exception", MERGE_REJECT },
		{ "index_closed_exception", MERGE_LOUD },
		{ "security_exception", MERGE_LOUD } };

	if (f->error.p == NULL)
		return MERGE_GOOD;
	e->status = 0;
	copy_string(e->type, sizeof(e->type), f->error, "type");
	copy_string(e->reason, sizeof(e->reason), f->error, "reason");
	if (strcmp(e->type, "index_not_found_exception") == 0)
		return MERGE_GOOD;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(e->type, known[i].type) == 0)
			return known[i].result;
	return MERGE_RETRY;
}

enum merge_result
merge_check(const struct items *items, struct json_text answer, struct merge_problem *problem)
{
	struct json_text docs = json_member(answer, "docs"), name, value;
	enum merge_result result = MERGE_GOOD;
	struct json_walk w;

	if (!json_valid(answer) || docs.p == NULL || (w = json_open(docs)).close != ']')
		return MERGE_UNREADABLE;
	for (struct item *i = items->first; i != NULL; i = i->next) {
		int n = i->state != ITEM_MERGE ? 0 : merge_of(i)->old != NULL ? 2 : 1;

		while (n-- > 0) {
			struct answer_error e;
			struct found f;
			enum merge_result r;

			if (next_found(&w, &f) != 0 ||
			    !is_about(&f, n == 1 ? merge_of(i)->old : i))
				return MERGE_UNREADABLE;
			if ((r = judge(&f, &e)) <= result)
				continue;
			result = r;
			problem->item = i;
			problem->error = e;
		}
	}
	return json_next(&w, &name, &value) == 0 ? result : MERGE_UNREADABLE;
}

/* What the action wants, without what its body has; to be freed. */
static struct want *
wants(const struct merge *m, struct json_text body)
{
	struct want *want = xcalloc(m->names + 1, sizeof(*want));
	const char *p = m->data + m->wanted;
	struct json_text name, value;
	struct json_walk w;

	for (uint32_t i = 0; i < m->names; i++) {
		memcpy(&want[i].len, p, sizeof(want[i].len));
		want[i].name = p + sizeof(want[i].len);
		p = want[i].name + want[i].len;
	}
	w = json_open(body);
	while (json_next(&w, &name, &value) == 1)
		for (uint32_t i = 0; i < m->names; i++)
			if (json_is(name, want[i].name, want[i].len))
				want[i].has = true;
	return want;
}

/* Take what the document has.  One that comes after another counts more. */
static void
look_in(struct want *want, size_t n, const struct found *f)
{
	struct json_text name, value;
	struct json_walk w = json_open(f->source);

	while (json_next(&w, &name, &value) == 1)
		for (size_t i = 0; i < n; i++)
			if (!want[i].has && json_is(name, want[i].name, want[i].len)) {
				want[i].written = name;
				want[i].value = value;
			}
}

/* Behind the last name. */
static const char *
name_end(const struct merge *m)
{
	const char *p = m->data + m->wanted;
	uint32_t len;

	for (uint32_t i = 0; i < m->names; i++) {
		memcpy(&len, p, sizeof(len));
		p += sizeof(len) + len;
	}
	return p;
}

/*
 * An action line and its body with what was found put before the body's last bracket, to
 * be the text of a new item.
 */
static struct item *
grow(const struct item *item, const struct want *want, struct json_text body,
    struct queue *q, struct chunk **chunk)
{
	static struct buf more; /* what is put in: large only for a moment */
	const struct merge *m = merge_of(item);
	struct json_text name, value;
	struct json_walk w = json_open(body);
	bool first = json_next(&w, &name, &value) != 1;
	size_t line, len, asked;
	struct item *new;

	more.len = 0;
	for (uint32_t i = 0; i < m->names; i++) {
		if (want[i].value.p == NULL)
			continue;
		buf_adds(&more, first ? "\"" : ",\"");
		first = false;
		buf_add(&more, want[i].written.p, want[i].written.n);
		buf_adds(&more, "\":");
		json_put_line(&more, want[i].value);
	}
	line = (size_t)(body.p - item->text);
	len = line + body.n + more.len + 1;
	/* What was asked for stays, for dead letters. */
	asked = (size_t)(name_end(m) - m->data);
	new = queue_add(q, chunk, merge_room(len, sizeof(*m) + asked));
	/* All but the list's link and the memory's owner. */
	memcpy((char *)new + offsetof(struct item, unit),
	    (const char *)item + offsetof(struct item, unit),
	    offsetof(struct item, text) - offsetof(struct item, unit));
	memcpy(new->text, item->text, line + body.n - 1);
	memcpy(new->text + line + body.n - 1, more.data, more.len);
	memcpy(new->text + len - 2, "}\n", 2);
	new->len = (uint32_t)len;
	*merge_of(new) = (struct merge) { .old = m->old, .version = m->version,
		.old_version = m->old_version, .names = m->names, .wanted = m->wanted };
	memcpy(merge_of(new)->data, m->data, asked);
	if (more.cap > MORE_KEPT)
		buf_free(&more);
	return new;
}

/* One action.  Returns it, or what takes its place. */
static struct item *
merge_one(struct item *item, struct json_walk *docs, struct queue *q, struct chunk **chunk,
    size_t *missing, bool *document)
{
	const struct merge *m = merge_of(item);
	const char *body_at = (const char *)memchr(item->text, '\n', item->len) + 1;
	struct json_text body = { body_at, (size_t)(item->text + item->len - 1 - body_at) };
	struct found f, old = { 0 };
	struct want *want;
	size_t got = 0;

	*missing = 0;
	*document = false;
	/* merge_check has seen that they are there. */
	if (m->old != NULL)
		(void)!next_found(docs, &old);
	(void)!next_found(docs, &f);
	item->state = ITEM_MERGED;
	/* Something newer is stored: whatever is sent, it will stay. */
	if (item->versioned && f.found && f.numbered && f.version > m->version)
		return item;
	/* Not JSON: the cluster's words on it are better than ours. */
	if (!json_valid(body))
		return item;
	body = json_trim(body);
	want = wants(m, body);
	/*
	 * The old document may be gone because the action was stored before, and its delete,
	 * but not acknowledged: then it is the new one that has them.  Or one with the old
	 * id may have come since.
	 */
	if (m->old == NULL || !item->versioned || f.version == m->version) {
		*document |= f.found;
		if (f.found)
			look_in(want, m->names, &f);
	}
	if (old.found && (!item->versioned || old.version <= m->old_version)) {
		*document = true;
		look_in(want, m->names, &old);
		/*
		 * At the last place one that has the old id since looks no newer.  What this
		 * action left itself is better then.  Under one id, of two routings, they may
		 * be one, or what an earlier move left behind.
		 */
		if (item->versioned && f.found && f.version == m->version &&
		    m->old->document != item->document)
			look_in(want, m->names, &f);
	}
	for (uint32_t i = 0; i < m->names; i++) {
		got += want[i].value.p != NULL;
		*missing += !want[i].has && want[i].value.p == NULL;
	}
	if (got > 0) {
		struct item *new = grow(item, want, body, q, chunk);

		new->state = ITEM_MERGED;
		queue_done(q, item);
		item = new;
	}
	free(want);
	return item;
}

int
merge_apply(struct items *items, struct json_text answer, struct queue *q,
    struct chunk **chunk, merge_missing_fn *fn, void *arg)
{
	struct json_walk docs = json_open(json_member(answer, "docs"));
	struct items done;
	struct item *item;
	int code = -1;

	items_init(&done);
	while ((item = items_take(items)) != NULL) {
		size_t missing;
		bool document;

		if (item->state == ITEM_MERGE && code == -1) {
			item = merge_one(item, &docs, q, chunk, &missing, &document);
			if (missing > 0)
				code = fn(arg, item, document, missing);
			if (code == MERGE_GONE) {
				code = -1;
				continue;
			}
		}
		items_append(&done, item);
	}
	items_prepend(items, &done);
	return code;
}
