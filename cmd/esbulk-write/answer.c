#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "answer.h"
#include "buf.h"
#include "yajl_memory.h"

/*
 * So many braces are in an element, at most, of those of which the ends are looked for.  The
 * parser begins a string anew with each piece of it, so it must not get many.
 */
#define MAX_BRACES 8

/* No answer is longer than this, with room for an error's reason in every item. */
#define ANSWER_BASE ((size_t)1 << 20)
#define ANSWER_ITEM ((size_t)16 * 1024)

/*
 * Depths inside {"items":[{"index":{"status":201,"error":{"type":…,"reason":…,
 * "caused_by":{…}}}}]}
 */
enum depth { ROOT = 1, ITEMS, ELEMENT, RESULT, ERROR, CAUSE };

enum key { KEY_OTHER, KEY_ITEMS, KEY_STATUS, KEY_ERROR, KEY_TYPE, KEY_REASON, KEY_CAUSED_BY };

struct answer {
	yajl_handle yajl;
	int depth;
	bool in[CAUSE + 1]; /* is the value open at this depth one of the path above? */
	enum key key;
	bool items_seen;
	struct item *next; /* the one that the next element answers */
	unsigned results;  /* in this element */
	bool failed;       /* it has an error, of whatever form */
	bool between;      /* the last byte closed an element */
	unsigned misses;   /* braces since the last element's end at which none ended */
	size_t size, limit; /* of the answer, bytes */
	struct answer_error error;
	answer_item_fn *fn;
	void *arg;
	const char *problem;
};

static void
append(char *to, size_t size, const unsigned char *s, size_t n)
{
	size_t have = strlen(to);

	if (n > size - 1 - have)
		n = size - 1 - have;
	memcpy(to + have, s, n);
	to[have + n] = '\0';
}

/* Is the container that opens now part of the path? */
static bool
on_path(const struct answer *a, int depth, bool array)
{
	switch (depth) {
	case ROOT: return !array;
	case ITEMS: return a->in[ROOT] && array && a->key == KEY_ITEMS;
	case ELEMENT: return a->in[ITEMS] && !array;
	case RESULT: return a->in[ELEMENT] && !array;
	case ERROR: return a->in[RESULT] && !array && a->key == KEY_ERROR;
	case CAUSE: return a->in[ERROR] && !array && a->key == KEY_CAUSED_BY;
	default: return false;
	}
}

static int
open_value(struct answer *a, bool array)
{
	a->depth++;
	if (a->depth > CAUSE)
		return 1;
	a->in[a->depth] = on_path(a, a->depth, array);
	if (a->depth == ROOT && !a->in[ROOT])
		return 0;
	if (a->depth == ITEMS && a->in[ITEMS]) {
		if (a->items_seen) {
			a->problem = "it has two lists of items";
			return 0;
		}
		a->items_seen = true;
	}
	if (a->depth == ERROR)
		a->failed |= a->in[RESULT] && a->key == KEY_ERROR;
	if (a->depth == ELEMENT && a->in[ELEMENT]) {
		a->results = 0;
		a->failed = false;
		a->error.status = 0;
		a->error.type[0] = a->error.reason[0] = '\0';
	}
	a->key = KEY_OTHER;
	return 1;
}

static int
close_value(struct answer *a)
{
	if (a->depth == ELEMENT && a->in[ELEMENT]) {
		if (a->next == NULL || a->error.status == 0) {
			a->problem = a->next == NULL ? "it answers more actions than were sent"
			                             : "it has an item without a status";
			return 0;
		}
		if (a->failed && a->error.type[0] == '\0')
			append(a->error.type, sizeof(a->error.type), (const unsigned char *)"unknown", 7);
		a->fn(a->arg, a->next, &a->error);
		a->next = a->next->next;
		a->between = true;
		a->misses = 0;
	}
	a->depth--;
	return 1;
}

static int
on_start_map(void *ctx)
{
	return open_value(ctx, false);
}

static int
on_start_array(void *ctx)
{
	return open_value(ctx, true);
}

static int
on_end(void *ctx)
{
	return close_value(ctx);
}

static int
on_key(void *ctx, const unsigned char *s, size_t n)
{
	static const struct frame_str names[] = { { "", 0 }, { "items", 5 }, { "status", 6 },
		{ "error", 5 }, { "type", 4 }, { "reason", 6 }, { "caused_by", 9 } };
	struct answer *a = ctx;

	a->key = KEY_OTHER;
	if (a->depth == ELEMENT && a->in[ELEMENT] && a->next != NULL) {
		const char *op = frame_op_names[a->next->op];

		/* {"index":{...}}: one result, and of what was sent. */
		if (a->results++ > 0 || strlen(op) != n || memcmp(op, s, n) != 0) {
			a->problem = "it answers another action than was sent";
			return 0;
		}
	}
	for (int i = KEY_ITEMS; i <= KEY_CAUSED_BY; i++)
		if (names[i].len == n && memcmp(names[i].ptr, s, n) == 0)
			a->key = (enum key)i;
	return 1;
}

static int
on_integer(void *ctx, long long v)
{
	struct answer *a = ctx;

	if (a->depth == RESULT && a->in[RESULT] && a->key == KEY_STATUS)
		a->error.status = v >= 100 && v <= 999 ? (int)v : 0;
	return 1;
}

static int
on_string(void *ctx, const unsigned char *s, size_t n)
{
	struct answer *a = ctx;
	struct answer_error *e = &a->error;

	if (a->depth == ERROR && a->in[ERROR] && a->key == KEY_TYPE) {
		append(e->type, sizeof(e->type), s, n);
	} else if (a->depth == ERROR && a->in[ERROR] && a->key == KEY_REASON) {
		append(e->reason, sizeof(e->reason), s, n);
	} else if (a->depth == CAUSE && a->in[CAUSE] && a->key == KEY_REASON) {
		append(e->reason, sizeof(e->reason), (const unsigned char *)"; ", 2);
		append(e->reason, sizeof(e->reason), s, n);
	} else if (a->depth == RESULT && a->in[RESULT] && a->key == KEY_ERROR) {
		/* A proxy's word, not the cluster's form: some error all the same. */
		a->failed = true;
		append(e->reason, sizeof(e->reason), s, n);
	}
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_integer = on_integer,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

struct answer *
answer_new(const struct items *items, answer_item_fn *fn, void *arg)
{
	struct answer *a = xcalloc(1, sizeof(*a));

	a->yajl = yajl_alloc(&callbacks, &yajl_memory, a);
	if (a->yajl == NULL)
		oom();
	a->next = items->first;
	a->limit = ANSWER_BASE + items->count * ANSWER_ITEM;
	a->fn = fn;
	a->arg = arg;
	return a;
}

static int
parse(struct answer *a, const char *p, size_t n)
{
	if (yajl_parse(a->yajl, (const unsigned char *)p, n) == yajl_status_ok)
		return 0;
	if (a->problem == NULL)
		a->problem = "it is no JSON object";
	return -1;
}

/*
 * Nearly all elements are the same but for a digit.  Where one ended and such a one follows,
 * with its comma, the parser need not see it: behind it, it stands where it stood.  Returns
 * how many bytes were taken; 0: what follows is for the parser, whatever it is.
 */
static size_t
take_plain(struct answer *a, const char *p, size_t n)
{
#define FORM(op) { ",{\"" op "\":{\"status\":", sizeof(",{\"" op "\":{\"status\":") - 1 }
	static const struct frame_str forms[OP_COUNT] = { [OP_INDEX] = FORM("index"),
		[OP_CREATE] = FORM("create"), [OP_UPDATE] = FORM("update"),
		[OP_DELETE] = FORM("delete") };
#undef FORM
	const struct frame_str *form;
	const char *digit;

	if (a->next == NULL)
		return 0;
	form = &forms[a->next->op];
	if (form->len == 0 || n < form->len + 5 || memcmp(p, form->ptr, form->len) != 0)
		return 0;
	digit = p + form->len;
	if (digit[0] < '1' || digit[0] > '9' || digit[1] < '0' || digit[1] > '9' ||
	    digit[2] < '0' || digit[2] > '9' || digit[3] != '}' || digit[4] != '}')
		return 0;
	a->error.status = (digit[0] - '0') * 100 + (digit[1] - '0') * 10 + (digit[2] - '0');
	a->error.type[0] = a->error.reason[0] = '\0';
	a->fn(a->arg, a->next, &a->error);
	a->next = a->next->next;
	if (a->next != NULL)
		__builtin_prefetch(a->next->next, 1);
	return form->len + 5;
}

int
answer_feed(struct answer *a, const char *p, size_t n)
{
	a->size += n;
	if (a->problem != NULL)
		return -1;
	if (a->size > a->limit) {
		a->problem = "it is far too long";
		return -1;
	}
	while (n > 0) {
		size_t take = a->between ? take_plain(a, p, n) : 0;

		if (take == 0) {
			/* An element may end there. */
			const char *brace = a->misses < MAX_BRACES ? memchr(p, '}', n) : NULL;

			take = brace != NULL ? (size_t)(brace - p) + 1 : n;
			a->between = false;
			if (parse(a, p, take) != 0)
				return -1;
			if (brace == NULL)
				a->between = false;
			else if (!a->between)
				a->misses++;
		}
		p += take;
		n -= take;
	}
	return 0;
}

int
answer_end(struct answer *a)
{
	if (a->problem != NULL)
		return -1;
	if (yajl_complete_parse(a->yajl) != yajl_status_ok || a->depth != 0)
		a->problem = "it is cut short";
	else if (!a->items_seen)
		a->problem = "it has no items";
	else if (a->next != NULL)
		a->problem = "it answers fewer actions than were sent";
	return a->problem != NULL ? -1 : 0;
}

bool
answer_endless(const struct answer *a)
{
	return a->size > a->limit;
}

const char *
answer_problem(const struct answer *a)
{
	return a->problem ? a->problem : "";
}

void
answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	yajl_free(a->yajl);
	free(a);
}
