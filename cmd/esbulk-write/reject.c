#include <string.h>

#include "exitcode.h"
#include "letter.h"
#include "log.h"
#include "reject.h"

#define SAY_US INT64_C(1000000)
#define FLUSH  ((size_t)1024 * 1024) /* bytes of letters that are not written */

/* What the log says of an action. */
struct about {
	uint32_t relid;
	enum frame_op op;
	struct frame_str index, id;
	uint64_t lsn;
	size_t bytes;
	bool resent;
};

static void
say(const struct delivery *d, enum log_level level, const struct about *a,
    const struct reject *why, const char *remedy)
{
	struct kv kvs[] = { kv_str("table", tables_name(&d->tables, a->relid)),
		kv_str("op", a->op == OP_REJECT ? NULL : frame_op_names[a->op]),
		kv_strn("index", a->index.ptr ? a->index.ptr : "", a->index.len),
		kv_strn("id", a->id.ptr ? a->id.ptr : "", a->id.len), kv_lsn("lsn", a->lsn),
		kv_int("status", why->status),
		kv_str("type", why->type[0] != '\0' ? why->type : NULL),
		kv_strn("reason", why->reason, why->reason_len), kv_uint("bytes", a->bytes),
		kv_uint("dead_letters", d->dead_letters), kv_str("remedy", remedy),
		{ .key = 0 } };

	/* Without an answer, or a file for letters, there is nothing to say of it. */
	if (why->status == 0)
		kvs[5] = kv_str("status", NULL);
	if (d->dead.path == NULL)
		kvs[9] = kv_str("dead_letters", NULL);
	log_event(level, why->what, kvs);
}

/* May one more become a dead letter?  An exit status (logged), or -1. */
static int
admit(struct delivery *d, const struct about *a, const struct reject *why)
{
	const struct options *o = d->o;
	int64_t now = now_us();

	tally_rejected(&d->tally, a->index.ptr, a->index.len);
	if (d->dead.path == NULL) {
		say(d, LOG_ERROR, a, why, why->remedy);
		return EXIT_PERMANENT;
	}
	if ((o->dead_in_row > 0 && d->dead_in_row >= o->dead_in_row) ||
	    (o->dead_total > 0 && d->dead_letters >= o->dead_total)) {
		say(d, LOG_ERROR, a, why, why->remedy);
		log_error("too many actions are rejected for them to be dead letters: is the "
			  "mapping or the index wrong?",
		    kv_str("file", d->dead.path), kv_uint("in_a_row", d->dead_in_row),
		    kv_uint("in_total", d->dead_letters),
		    kv_str("remedy", "mend it and start again, for nothing behind the last "
				     "letter was confirmed; or raise --dead-letter-limit"));
		return EXIT_PERMANENT;
	}
	/* What was left out for one that is rejected comes when what is between is stored. */
	d->dead_in_row += !a->resent;
	d->dead_letters++;
	if (now - d->dead_said_at >= SAY_US || log_on(LOG_DEBUG)) {
		d->dead_said_at = now;
		say(d, LOG_WARN, a, why, NULL);
	}
	return -1;
}

int
reject_item(struct delivery *d, struct item *item, const struct reject *why)
{
	static struct buf index, id;
	struct about a = { .relid = item->relid, .op = (enum frame_op)item->op,
		.lsn = item->lsn, .bytes = item->len, .resent = item->resent };
	int code;

	action_unescape(&index, item->text + item->index_at, item->index_len);
	action_unescape(&id, item->text + item->id_at, item->id_len);
	a.index = (struct frame_str) { buf_cstr(&index), (uint32_t)index.len };
	a.id = (struct frame_str) { buf_cstr(&id), (uint32_t)id.len };
	if ((code = admit(d, &a, why)) >= 0)
		return code;
	if (d->dead.out.len >= FLUSH && (code = dead_flush(&d->dead)) >= 0)
		return code;
	letter_of_item(&d->dead.out, d, item, why);
	delivery_let_go(d, item);
	return -1;
}

int
reject_action(struct delivery *d, const struct frame_begin *begin,
    const struct frame_action *action, const struct reject *why)
{
	struct about a = { .relid = action->relid, .op = action->op, .index = action->index,
		.id = action->id, .lsn = begin->lsn, .bytes = action->body.len };
	int code = admit(d, &a, why);

	if (code >= 0)
		return code;
	letter_of_action(&d->dead.out, d, begin, action, why);
	return -1;
}

void
reject_note(struct buf *b, const struct answer_error *e)
{
	buf_add(b, &e->status, sizeof(e->status));
	buf_add(b, e->type, strlen(e->type) + 1);
	buf_add(b, e->reason, strlen(e->reason) + 1);
}

void
reject_noted(const struct buf *b, size_t *at, struct answer_error *e)
{
	const char *p = b->data + *at;
	size_t type, reason;

	memcpy(&e->status, p, sizeof(e->status));
	p += sizeof(e->status);
	type = strlen(p) + 1;
	memcpy(e->type, p, type);
	p += type;
	reason = strlen(p) + 1;
	memcpy(e->reason, p, reason);
	*at = (size_t)(p + reason - b->data);
}
