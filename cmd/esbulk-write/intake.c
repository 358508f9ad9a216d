#include <string.h>

#include "intake.h"
#include "log.h"
#include "reject.h"

static const char too_high[] =
    "the unit's LSN is too high to make a version: 2^56 or more";

/* Does a version go with the action, and which?  -1: none can be made. */
static int
make_version(struct intake *in, const struct frame_action *a, uint64_t document,
    bool *versioned, uint64_t *version)
{
	uint64_t k = VERSION_LAST_PLACE;

	*versioned = (a->op == OP_INDEX || a->op == OP_DELETE) && a->versioned != VERSION_NONE;
	*version = a->version;
	if (!*versioned || a->versioned == VERSION_GIVEN)
		return 0;
	if (in->begin.has_xid)
		k = version_place(&in->places, document);
	return version_of_unit(in->version_epoch, in->begin.lsn, k, version);
}

/* Is it a change of just now, not of a snapshot and none that comes again? */
static bool
is_live(const struct intake *in)
{
	return in->begin.has_xid && in->begin.time >= in->live_since;
}

/* An item of the line, the body, and more bytes behind them, not yet in its lane. */
static struct item *
make_item(struct intake *in, struct lane *lane, const struct action_line *l,
    const struct frame_action *a, size_t more)
{
	size_t line = l->text.len, len = line + (a->body.ptr ? (size_t)a->body.len + 1 : 0);
	struct item *item = delivery_item(in->delivery, lane,
	    more > 0 ? merge_room(len, more) : len);

	memcpy(item->text, l->text.data, line);
	if (a->body.ptr != NULL) {
		memcpy(item->text + line, a->body.ptr, a->body.len);
		item->text[len - 1] = '\n';
	}
	item->len = (uint32_t)len;
	item->lsn = in->begin.lsn;
	return item;
}

/* Make the delete of the document that merge_from names; NULL: there is no version. */
static struct item *
make_gone(struct intake *in, const struct frame_action *a, uint64_t document,
    uint64_t version, uint64_t *old_version)
{
	const msgpack_object *from = in->line.merge_from->via.array.ptr;
	struct frame_action gone = { .op = OP_DELETE, .relid = a->relid,
		.index = action_str(&from[0]), .id = action_str(&from[1]),
		.routing = action_str(&from[2]), .versioned = a->versioned,
		.version = a->version };
	uint64_t old = action_document(gone.index, gone.id);
	bool versioned = a->versioned != VERSION_NONE;
	struct lane *lane = delivery_lane(in->delivery, old);
	struct item *item;

	/*
	 * Of one id under another routing, on one shard perhaps, only the version tells the
	 * new document from the old: the delete must not reach the new one.  Behind the last
	 * place that leaves an old one on another shard; better than none at all.  It is
	 * read there all the same.
	 */
	if (old == document)
		*old_version = version;
	else if (in->line.merge_from->via.array.size == 4 && versioned)
		*old_version = from[3].via.u64;
	else if (make_version(in, &gone, old, &versioned, old_version) != 0)
		return NULL;
	version = old != document ? *old_version : version > 0 ? version - 1 : 0;
	action_build(&in->gone, &gone, versioned, version);
	item = make_item(in, lane, &in->gone, &gone, sizeof(struct gate));
	delivery_fill(in->delivery, item, &in->gone, &gone, old, versioned, version);
	item->state = ITEM_GATED;
	merge_gate(item)->document = document;
	return item;
}

/* What stands behind a merge: documents to be read, then names. */
static void
make_more(struct intake *in, const struct frame_action *a, struct merge *m)
{
	const msgpack_object *names = in->line.merge, *from = in->line.merge_from;
	struct buf *b = &in->more;

	b->len = 0;
	if (from != NULL) {
		from = from->via.array.ptr;
		action_put_document(
		    b, action_str(&from[0]), action_str(&from[1]), action_str(&from[2]));
		buf_addc(b, ',');
	}
	action_put_document(b, a->index, a->id, a->routing);
	m->wanted = (uint32_t)b->len;
	m->names = names != NULL ? names->via.array.size : 0;
	for (uint32_t i = 0; i < m->names; i++) {
		struct frame_str s = action_str(&names->via.array.ptr[i]);

		buf_add(b, &s.len, sizeof(s.len));
		buf_add(b, s.ptr, s.len);
	}
}

static const char *
take_merge(struct intake *in, const struct frame_action *a, struct lane *lane,
    uint64_t document, bool versioned, uint64_t version)
{
	struct merge m = { .version = version };
	struct item *item;

	if (in->line.merge_from != NULL &&
	    (m.old = make_gone(in, a, document, version, &m.old_version)) == NULL)
		return too_high;
	make_more(in, a, &m);
	item = make_item(in, lane, &in->line, a, sizeof(m) + in->more.len);
	delivery_fill(in->delivery, item, &in->line, a, document, versioned, version);
	item->live = versioned && is_live(in);
	item->state = ITEM_MERGE;
	*merge_of(item) = m;
	memcpy(merge_of(item)->data, in->more.data, in->more.len);
	/* Before its delete: in one lane that would else wait for itself. */
	delivery_add(in->delivery, lane, item);
	if (m.old != NULL)
		delivery_add(
		    in->delivery, delivery_lane(in->delivery, m.old->document), m.old);
	in->actions++;
	return NULL;
}

static const char *
take_truncate(struct intake *in, const struct frame_action *a)
{
	struct delivery *d = in->delivery;
	struct action_line *l = &in->line;
	bool versioned = a->versioned != VERSION_NONE;
	uint64_t version = a->version, k = VERSION_LAST_PLACE;
	struct item *item;

	if (in->begin.has_xid)
		k = version_truncate(&in->places);
	if (a->versioned == VERSION_FROM_UNIT &&
	    version_of_unit(in->version_epoch, in->begin.lsn, k, &version) != 0)
		return too_high;
	/* Never sent: messages find the pattern in it. */
	l->text.len = 0;
	buf_add(&l->text, l->pattern.ptr, l->pattern.len);
	l->index_at = l->id_at = l->id_len = 0;
	l->index_len = (uint16_t)l->pattern.len;
	item = make_item(in, &d->lane[0], l, a, 0);
	delivery_fill(d, item, l, a, 0, versioned, version);
	item->state = ITEM_TRUNCATE;
	item->tally = 0; /* it has a pattern in place of an index */
	delivery_add(d, &d->lane[0], item);
	truncate_begin(&d->truncate, item, l->pattern, l->query, versioned, version);
	in->actions++;
	return NULL;
}

const char *
intake_check(struct intake *in, const struct frame_action *a)
{
	struct tally *t = &in->delivery->tally;
	const char *why;

	in->document = action_document(a->index, a->id);
	/* In a snapshot's unit nothing is counted. */
	if (in->begin.has_xid)
		version_expect(&in->places, in->document);
	why = action_check(a, &in->line);
	/* Where its index is counted is looked for when it is another than before. */
	if (t->on && in->line.known.tally == 0 && why == NULL && a->index.ptr != NULL)
		in->line.known.tally = tally_find(t, a->index.ptr, a->index.len)->place;
	return why;
}

int
intake_reject(struct intake *in, struct frame_action *a, const char *what, const char *type,
    const char *reason, size_t len)
{
	struct reject why = { .what = what, .type = type, .reason = reason, .reason_len = len };
	bool versioned;
	uint64_t version;

	/* As it would have been sent, for a replay is another unit. */
	if (make_version(in, a, action_document(a->index, a->id), &versioned, &version) == 0 &&
	    versioned) {
		a->versioned = VERSION_GIVEN;
		a->version = version;
	}
	return reject_action(in->delivery, &in->begin, a, &why);
}

const char *
intake_action(struct intake *in, const struct frame_action *a)
{
	struct delivery *d = in->delivery;
	struct action_line *l = &in->line;
	uint64_t document, version;
	struct frame_action typed;
	struct lane *lane;
	struct item *item;
	bool versioned;

	if (l->truncate && in->dry.on) {
		log_info("a truncate would delete documents", kv_lsn("lsn", in->begin.lsn),
		    kv_strn("index", l->pattern.ptr, l->pattern.len),
		    kv_strn("query", l->query.ptr, l->query.len));
		return NULL;
	}
	if (l->truncate)
		return take_truncate(in, a);
	/* Elasticsearch 6 makes ids on index alone, which without one is the same. */
	if (l->type != NULL && a->op == OP_CREATE && a->id.ptr == NULL) {
		typed = *a;
		typed.op = OP_INDEX;
		typed.versioned = VERSION_NONE;
		a = &typed;
	}
	/* What has no id goes to the lanes in turn. */
	document = a->id.ptr != NULL ? in->document : in->actions << 48;
	if (make_version(in, a, document, &versioned, &version) != 0)
		return too_high;
	action_build(l, a, versioned, version);
	if (in->dry.on) {
		dry_put(&in->dry, l, a->body);
		in->actions++;
		return NULL;
	}
	lane = delivery_lane(d, document);
	if (l->merge_from != NULL || (l->merge != NULL && l->merge->via.array.size > 0))
		return take_merge(in, a, lane, document, versioned, version);
	item = make_item(in, lane, l, a, 0);
	delivery_fill(d, item, l, a, document, versioned, version);
	item->live = versioned && is_live(in);
	delivery_add(d, lane, item);
	in->actions++;
	return NULL;
}
