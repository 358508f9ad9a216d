#ifndef MERGE_H
#define MERGE_H

#include "answer.h"
#include "buf.h"
#include "json.h"
#include "queue.h"

/*
 * Actions that take members over from a stored document (merge), which may be one of
 * another id that is deleted afterwards (merge_from).
 *
 * A merge waits (ITEM_MERGE) until what came before on its document is stored.  Then the
 * document is read, and the action goes as any other (ITEM_MERGED).  A merge_from is two
 * items: the index action, and in the lane of the old document its delete, which holds up
 * what comes later on that document.  The delete is ITEM_GATED until it is its turn, when
 * all before it is stored; that lets the action read (ITEM_CLEAR); and when the action is
 * stored the delete becomes ITEM_PLAIN and goes.  The oldest of all actions never waits for
 * another, so they cannot wait for each other in a circle.
 */

/* What stands behind the text of an item that merges, aligned. */
struct merge {
	struct item *old;     /* merge_from: the delete; or NULL */
	uint64_t version;     /* of the action, where it is versioned */
	uint64_t old_version; /* a newer document of the old id is not read */
	uint32_t names;
	uint32_t wanted; /* bytes of the documents as _mget wants them: the old one first */
	char data[];     /* these, then each name with its length (uint32_t) before it */
};

/* And behind that of the delete. */
struct gate {
	uint64_t document; /* of the index action */
};

/* Where text and what stands behind it, of more bytes, end. */
static inline size_t
merge_room(size_t text, size_t more)
{
	const size_t head = offsetof(struct item, text), align = _Alignof(struct merge);

	return (head + text + align - 1) / align * align - head + more;
}

static inline struct merge *
merge_of(const struct item *item)
{
	return (struct merge *)(void *)(uintptr_t)(item->text + merge_room(item->len, 0));
}

static inline struct gate *
merge_gate(const struct item *item)
{
	return (struct gate *)(void *)merge_of(item);
}

/* Append the body of the _mget for those items that wait for one. */
void merge_ask(struct buf *, const struct items *);

enum merge_result {
	MERGE_GOOD,
	MERGE_UNREADABLE, /* this is no answer to merge_ask */
	MERGE_RETRY,      /* a document could not be read now; see item and error */
	MERGE_LOUD,       /* not before somebody mends the cluster; the same */
	MERGE_REJECT,     /* nor ever; the same, and item too */
};

struct merge_problem {
	struct item *item;
	struct answer_error error; /* status is 0 */
};

/* Look at the answer before anything is done with it. */
enum merge_result merge_check(const struct items *, struct json_text answer,
    struct merge_problem *) __attribute__((warn_unused_result));

/*
 * Called where members that were asked for are nowhere; missing says how many.  It returns
 * -1, or MERGE_GONE when it took the item over, or what merge_apply is to return.
 */
#define MERGE_GONE (-2)
typedef int merge_missing_fn(void *arg, struct item *, bool document, size_t missing);

/*
 * Give the items what they wait for: those that grow move into new memory of the queue.
 * The answer must be a good one.  -1, or what fn returned when that is not -1.
 */
int merge_apply(struct items *, struct json_text answer, struct queue *, struct chunk **,
    merge_missing_fn *fn, void *arg);

#endif
