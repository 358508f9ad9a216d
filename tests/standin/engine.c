#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "log.h"

/* How many items ahead memory is asked for: slot, record, and the id's bytes. */
enum { AHEAD_SLOT = 24, AHEAD_DOC = 12, AHEAD_BLOCK = 6, ID_LENGTH = 20 };

/* Version numbers as the engine has them for what is not there (Versions.java). */
#define NOT_FOUND INT64_C(-1)

static void __attribute__((format(printf, 5, 6))) fail(struct outcome *o, int status,
    const char *type, enum error_place place, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	o->status = status;
	o->result = NULL;
	o->type = type;
	o->place = place;
	o->cause_type = NULL;
	o->reason.len = o->cause_reason.len = 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_adds(&o->reason, text);
}

static void
succeed(struct outcome *o, int status, const char *result, int64_t version, int64_t seq_no)
{
	o->status = status;
	o->result = result;
	o->version = version;
	o->seq_no = seq_no;
}

void
line_file_flush(struct line_file *f)
{
	size_t done = 0;

	while (f->fd >= 0 && done < f->text.len) {
		ssize_t n = write(f->fd, f->text.data + done, f->text.len - done);

		if (n < 0) {
			log_error("cannot write a log");
			_exit(1);
		}
		done += (size_t)n;
	}
	f->text.len = 0;
}

/* An id as the log has it: blanks, percent and control characters as %XX. */
static void
add_word(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '%' || s.p[i] == 0x7f)
			buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
		else
			buf_addc(out, s.p[i]);
	if (s.n == 0)
		buf_addc(out, '-');
}

static void
log_item(struct standin *si, const struct bulk_item *item, const struct outcome *o)
{
	struct buf *out = &si->log.text;

	buf_printf(out, "%" PRIu64 " %s ", ++si->log_seq, bulk_op_names[item->op]);
	add_word(out, item->index_name);
	buf_addc(out, ' ');
	add_word(out, item->id);
	buf_printf(out, " %" PRId64 " %d\n", o->result != NULL ? o->version : item->version,
	    o->status);
}

static void
stamp_item(struct standin *si, const struct bulk_item *item)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	add_word(&si->stamp.text, item->id);
	buf_printf(&si->stamp.text, " %lld\n",
	    (long long)t.tv_sec * 1000000 + (long long)(t.tv_nsec / 1000));
}

/* Where the document stands: its version, or that of its delete, or NOT_FOUND. */
static int64_t
current_version(struct standin *si, struct doc *d, bool *gone)
{
	store_forget_old(&si->store, d);
	*gone = d->state != DOC_LIVE;
	return d->state == DOC_NONE ? NOT_FOUND : d->version;
}

/*
 * The engine's decision whether a write may happen (InternalEngine,
 * planIndexingAsPrimary and planDeletionAsPrimary; VersionType).
 */
static bool
conflicts(struct standin *si, const struct bulk_item *item, struct outcome *o)
{
	struct doc *d = item->doc;
	bool gone;
	int64_t current = current_version(si, d, &gone);
	int id_len = (int)item->id.n;
	const char *id = item->id.p;

	if (item->if_seq_no != SEQ_NO_UNSET) {
		if (!gone && d->seq_no == item->if_seq_no && item->if_primary_term == 1)
			return false;
		fail(o, 409, "version_conflict_engine_exception", PLACE_SHARD,
		    "[%.*s]: version conflict, required seqNo [%" PRId64
		    "], primary term [%" PRId64 "]. %s",
		    id_len, id, item->if_seq_no, item->if_primary_term,
		    gone ? "but no document was found" : "current document has seqNo ");
		if (!gone)
			buf_printf(
			    &o->reason, "[%" PRId64 "] and primary term [1]", d->seq_no);
		return true;
	}
	if (item->op == OP_CREATE) {
		if (gone)
			return false;
		fail(o, 409, "version_conflict_engine_exception", PLACE_SHARD,
		    "[%.*s]: version conflict, document already exists (current version [%" PRId64
		    "])",
		    id_len, id, current);
		return true;
	}
	if (item->version_type == VERSION_INTERNAL || current == NOT_FOUND)
		return false;
	if (item->version_type == VERSION_EXTERNAL_GTE ? current <= item->version
						       : current < item->version)
		return false;
	fail(o, 409, "version_conflict_engine_exception", PLACE_SHARD,
	    "[%.*s]: version conflict, current version [%" PRId64
	    "] is higher %s the one provided "
	    "[%" PRId64 "]",
	    id_len, id, current,
	    item->version_type == VERSION_EXTERNAL_GTE ? "than" : "or equal to",
	    item->version);
	return true;
}

/* The version that a write gives the document; wraps as Java's long does. */
static int64_t
next_version(struct standin *si, const struct bulk_item *item)
{
	bool gone;
	int64_t current;

	if (item->version_type != VERSION_INTERNAL)
		return item->version;
	current = current_version(si, item->doc, &gone);
	return item->doc->state == DOC_NONE ? 1 : (int64_t)((uint64_t)current + 1);
}

/* Does the mapper take the document? */
static bool
parses(struct slice source, struct outcome *o)
{
	struct json_cursor c;
	struct json_error e;

	if (source.n == 0) {
		fail(o, 400, "mapper_parsing_exception", PLACE_NONE,
		    "failed to parse, document is empty");
		return false;
	}
	json_cursor_init(&c, source);
	json_blanks(&c);
	if (c.p == c.end || *c.p != '{') {
		fail(o, 400, "mapper_parsing_exception", PLACE_NONE, "failed to parse");
		o->cause_type = "not_x_content_exception";
		buf_adds(&o->cause_reason,
		    "Compressor detection can only be called on some xcontent bytes or compressed "
		    "xcontent bytes");
		return false;
	}
	if (json_document(source, &e))
		return true;
	fail(o, 400, "mapper_parsing_exception", PLACE_NONE, "failed to parse");
	o->cause_type = failure_json_type(e.kind);
	failure_json_reason(&o->cause_reason, &e);
	return false;
}

static void
write_doc(struct standin *si, const struct bulk_item *item, struct slice routing,
    struct slice source, struct outcome *o)
{
	struct doc *d = item->doc;
	int64_t version = next_version(si, item);
	bool was_live = d->state == DOC_LIVE;

	store_put(&si->store, d, routing, source);
	d->version = version;
	d->seq_no = d->index->next_seq++;
	succeed(
	    o, was_live ? 200 : 201, was_live ? "updated" : "created", version, d->seq_no);
}

static void
run_index(struct standin *si, const struct bulk_item *item, struct outcome *o)
{
	if (!parses(item->source, o))
		return;
	if (item->doc == NULL)
		succeed(o, 201, "created", item->version < 0 ? 1 : item->version,
		    item->index->next_seq++);
	else if (!conflicts(si, item, o))
		write_doc(si, item, item->routing, item->source, o);
}

static void
run_delete(struct standin *si, const struct bulk_item *item, struct outcome *o)
{
	struct doc *d = item->doc;
	int64_t version;
	bool was_live;

	if (d == NULL) {
		succeed(o, 200, "deleted", item->version < 0 ? 1 : item->version,
		    item->index->next_seq++);
		return;
	}
	if (conflicts(si, item, o))
		return;
	version = next_version(si, item);
	was_live = d->state == DOC_LIVE;
	store_delete(&si->store, d);
	d->version = version;
	d->seq_no = d->index->next_seq++;
	succeed(o, was_live ? 200 : 404, was_live ? "deleted" : "not_found", version,
	    d->seq_no);
}

/* UpdateHelper.prepare: a get, then an index or nothing. */
static void
run_update(struct standin *si, const struct bulk_item *item, struct outcome *o)
{
	static struct buf merged;
	struct doc *d = item->doc;
	struct slice source, upsert = item->doc_as_upsert ? item->source : item->upsert;
	bool changed = true;

	if (d == NULL) {
		succeed(o, 200, "updated", 1, item->index->next_seq++);
		return;
	}
	store_forget_old(&si->store, d);
	if (d->state != DOC_LIVE) {
		if (upsert.p != NULL)
			write_doc(si, item, item->routing, upsert, o);
		else
			fail(o, 404, "document_missing_exception", PLACE_SHARD,
			    "[%.*s]: document missing", (int)item->id.n, item->id.p);
		return;
	}
	if (item->has_script) {
		fail(o, 400, "illegal_argument_exception", PLACE_NONE,
		    "failed to execute script");
		o->cause_type = "illegal_argument_exception";
		buf_adds(&o->cause_reason, "this server runs no scripts");
		return;
	}
	source = item->source;
	if (si->store.keep == KEEP_ALL) {
		merged.len = 0;
		changed = json_merge(&merged, doc_source(d), item->source);
		source = (struct slice) { merged.data, merged.len };
	}
	if (item->detect_noop && !changed) {
		succeed(o, 200, "noop", d->version, d->seq_no);
		return;
	}
	if (d->has_routing) {
		/* The routing stays; it stands in the block that store_put may leave. */
		char routing[600];
		struct slice r = doc_routing(d);

		r.n = r.n < sizeof(routing) ? r.n : sizeof(routing);
		memcpy(routing, r.p, r.n);
		write_doc(si, item, (struct slice) { routing, r.n }, source, o);
	} else
		write_doc(si, item, (struct slice) { NULL, 0 }, source, o);
}

static void
run_fault(
    const struct fault *f, const struct bulk_item *item, struct outcome *o, bool opensearch)
{
	const char *reason = f->reason;
	const char *type = f->type;
	enum error_place place = PLACE_NONE;
	char text[400];

	switch (f->status) {
	case 429:
		type = opensearch ? "rejected_execution_exception"
				  : "es_rejected_execution_exception";
		snprintf(text, sizeof(text), "rejected execution of primary operation");
		break;
	case 503:
		type = "unavailable_shards_exception";
		snprintf(text, sizeof(text),
		    "[%.*s][0] primary shard is not active Timeout: [1m]",
		    (int)item->index_name.n, item->index_name.p);
		break;
	case 403:
		type = "cluster_block_exception";
		snprintf(text, sizeof(text),
		    "index [%.*s] blocked by: [FORBIDDEN/8/index write (api)];",
		    (int)item->index_name.n, item->index_name.p);
		break;
	case 404:
		type = "index_not_found_exception";
		place = PLACE_MISSING;
		snprintf(text, sizeof(text), "no such index [%.*s]",
		    (int)item->index_name.n, item->index_name.p);
		break;
	case 400:
		type = "mapper_parsing_exception";
		snprintf(text, sizeof(text),
		    "failed to parse field [f] of type [long] in document with id '%.*s'. Preview of "
		    "field's value: 'injected'",
		    (int)item->id.n, item->id.p);
		break;
	default:
		type = "illegal_state_exception";
		snprintf(text, sizeof(text), "injected fault");
	}
	fail(o, f->status, f->type != NULL ? f->type : type, place, "%s",
	    reason != NULL ? reason : text);
}

static void
run_item(struct standin *si, const struct bulk_item *item, struct outcome *o)
{
	const char *name = item->index_name.p;
	int n = (int)item->index_name.n;
	const char *wrong = item->index != NULL ? item->index->name_error : NULL;

	if (item->require_alias)
		fail(o, 404, "index_not_found_exception", PLACE_INDEX,
		    "no such index [%.*s] and [require_alias] request flag is [true] and [%.*s] is "
		    "not an alias",
		    n, name, n, name);
	else if (wrong != NULL)
		fail(o, 400, "invalid_index_name_exception", PLACE_INDEX,
		    "Invalid index name [%.*s], %s", n, name, wrong);
	else if (!item->index->exists)
		fail(o, 404, "index_not_found_exception", PLACE_MISSING,
		    "no such index [%.*s]", n, name);
	else if (item->id.n == 0)
		fail(o, 400, "illegal_argument_exception", PLACE_NONE,
		    "if _id is specified it must not be empty");
	else if (item->op == OP_UPDATE)
		run_update(si, item, o);
	else if (item->op == OP_DELETE)
		run_delete(si, item, o);
	else
		run_index(si, item, o);
}

static void
count(struct stats *s, const struct outcome *o)
{
	if (o->result == NULL) {
		if (o->status == 409)
			s->conflicts++;
		else
			s->errors++;
		return;
	}
	switch (*o->result) {
	case 'c': s->created++; break;
	case 'u': s->updated++; break;
	case 'd': s->deleted++; break;
	default:
		if (o->status == 404)
			s->not_found++;
		else
			s->noop++;
	}
}

/* TransportBulkAction: what the items write to is made before any of them runs. */
static void
create_indexes(struct bulk *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bulk_item *item = &b->items[i];

		if (item->index->exists || item->index->name_error != NULL ||
		    item->require_alias)
			continue;
		if (item->op != OP_DELETE || item->version_type != VERSION_INTERNAL)
			item->index->exists = true;
	}
}

void
engine_run(struct standin *si, struct bulk *b, size_t n, struct answer *a)
{
	struct outcome *o = &si->outcome;
	bool opensearch = strcmp(si->options.distribution, "opensearch") == 0;
	const struct fault *f;

	if (si->options.auto_create)
		create_indexes(b, n);
	if (n > si->stats.items_max)
		si->stats.items_max = n;
	for (size_t i = 0; i < n; i++) {
		struct bulk_item *item = &b->items[i];

		if (i + AHEAD_BLOCK < n && b->items[i + AHEAD_BLOCK].doc != NULL)
			__builtin_prefetch(b->items[i + AHEAD_BLOCK].doc->block, 1);
		si->stats.items[item->op]++;
		f = si->faults.on_items ? fault_item(&si->faults, item) : NULL;
		if (f != NULL) {
			run_fault(f, item, o, opensearch);
			si->stats.injected++;
		} else {
			run_item(si, item, o);
			count(&si->stats, o);
			if (si->log.fd >= 0)
				log_item(si, item, o);
			if (si->stamp.fd >= 0 && o->result != NULL && item->op <= OP_CREATE)
				stamp_item(si, item);
		}
		answer_item(a, item, o);
	}
	line_file_flush(&si->log);
	line_file_flush(&si->stamp);
}

/* Ids as the servers make them: 20 characters, no two alike. */
static void
make_ids(struct standin *si, struct bulk *b, struct buf *ids)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t salt = si->options.seed * 0x9e3779b97f4a7c15U, n;
	size_t missing = 0;
	char *to;

	for (size_t i = 0; i < b->n; i++)
		missing += b->items[i].id.p == NULL;
	ids->len = 0;
	to = buf_reserve(ids, missing * ID_LENGTH + 1);
	for (size_t i = 0; missing > 0 && i < b->n; i++) {
		if (b->items[i].id.p != NULL)
			continue;
		b->items[i].id = (struct slice) { to, ID_LENGTH };
		n = si->auto_id++;
		for (int k = 0; k < ID_LENGTH; k++, n = k == 9 ? salt : n >> 6)
			*to++ = set[n & 63];
	}
}

void
engine_touch(struct standin *si, struct bulk *b, struct buf *ids, uint32_t serial)
{
	struct store *s = &si->store;
	struct bulk_item *item;

	make_ids(si, b, ids);
	for (size_t i = 0; i < b->n; i++) {
		item = &b->items[i];
		item->index = store_index(s, item->index_name, true);
		if (s->keep == KEEP_NOTHING)
			continue;
		item->hash = store_hash(s, item->index, item->id, item->routing);
	}
	if (s->keep == KEEP_NOTHING)
		return;
	for (size_t i = 0; i < b->n; i++) {
		if (i + AHEAD_SLOT < b->n)
			store_prefetch(s, b->items[i + AHEAD_SLOT].hash);
		if (i + AHEAD_DOC < b->n)
			store_prefetch_doc(s, b->items[i + AHEAD_DOC].hash);
		item = &b->items[i];
		item->doc = store_doc(s, item->index, item->hash, item->id, true);
		if (order_touch(&si->order, item->doc, serial))
			si->stats.order_violations++;
	}
}
