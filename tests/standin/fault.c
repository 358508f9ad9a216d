#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"

static const char *const kind_names[] = { "status", "item", "hang", "delay", "cut",
	"garble", "short", "drip", "request", NULL };
static const char *const when_names[] = { "headers", "body", "before", "half", "after",
	"answer", NULL };
static const char *const garble_names[] = { "truncated", "garbage", "html", "empty",
	"partial", "no-found", "other-id", NULL };

static int
lookup(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
fault_kind(const char *name)
{
	return lookup(kind_names, name);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
percent_decode(char *s, bool plus)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
			*to++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
			s += 2;
		} else {
			*to++ = plus && *s == '+' ? ' ' : *s;
		}
	}
	*to = '\0';
}

static void
fault_free(struct fault *f)
{
	free(f->path);
	free(f->index);
	free(f->id);
	free(f->op);
	free(f->type);
	free(f->reason);
	free(f->body);
	free(f->retry_after);
	free(f);
}

static bool
set_text(char **field, const char *value)
{
	free(*field);
	*field = xstrdup(value);
	return true;
}

static bool
set_long(long *field, const char *value)
{
	char *end;

	*field = strtol(value, &end, 10);
	return *end == '\0' && end != value;
}

static bool
set_one_of(int *field, const char *const *names, const char *value)
{
	*field = lookup(names, value);
	return *field >= 0;
}

/* Texts by name; true when it was one. */
static bool
set_named_text(struct fault *f, const char *name, const char *value)
{
	const struct {
		const char *name;
		char **field;
	} texts[] = { { "path", &f->path }, { "index", &f->index }, { "id", &f->id },
		{ "op", &f->op }, { "type", &f->type }, { "reason", &f->reason },
		{ "body", &f->body }, { "retry_after", &f->retry_after } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, name) == 0)
			return set_text(texts[i].field, value);
	return false;
}

/* Returns NULL or what is wrong. */
static const char *
set(struct fault *f, int *kind, int *when, const char *name, const char *value)
{
	long number;
	int garble;
	char *end;

	if (set_named_text(f, name, value))
		return NULL;
	if (strcmp(name, "kind") == 0)
		return set_one_of(kind, kind_names, value) ? NULL : "unknown kind";
	if (strcmp(name, "when") == 0)
		return set_one_of(when, when_names, value) ? NULL : "unknown when";
	if (strcmp(name, "how") == 0) {
		if (!set_one_of(&garble, garble_names, value))
			return "unknown how";
		f->garble = (enum fault_garble)garble;
		return NULL;
	}
	if (strcmp(name, "p") == 0) {
		f->p = strtod(value, &end);
		return *end == '\0' && f->p >= 0 && f->p <= 1 ? NULL
							      : "p is a number from 0 to 1";
	}
	if (strcmp(name, "count") == 0)
		return set_long(&f->count, value) ? NULL : "count is a number";
	if (strcmp(name, "skip") == 0)
		return set_long(&f->skip, value) ? NULL : "skip is a number";
	if (strcmp(name, "ms") == 0)
		return set_long(&f->ms, value) ? NULL : "ms is a number";
	if (strcmp(name, "item_us") == 0)
		return set_long(&f->item_us, value) ? NULL : "item_us is a number";
	if (strcmp(name, "bytes") == 0)
		return set_long(&f->bytes, value) && f->bytes > 0 ? NULL
								  : "bytes is above 0";
	if (strcmp(name, "reset") == 0) {
		f->reset = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
		return NULL;
	}
	if (strcmp(name, "status") == 0) {
		if (!set_long(&number, value) || number < 200 || number > 599)
			return "status is from 200 to 599";
		f->status = (int)number;
		return NULL;
	}
	return "unknown field";
}

/* Does this kind know this when? */
static bool
when_fits(enum fault_kind kind, enum fault_when when)
{
	switch (kind) {
	case FAULT_STATUS:
	case FAULT_REQUEST: return when >= WHEN_BEFORE && when <= WHEN_AFTER;
	case FAULT_HANG:
		return when == WHEN_HEADERS || when == WHEN_BEFORE || when == WHEN_AFTER;
	case FAULT_DELAY: return when == WHEN_BEFORE || when == WHEN_AFTER;
	case FAULT_CUT: return when != WHEN_HALF;
	default: return when == WHEN_BEFORE;
	}
}

static const char *
finish(struct faults *all, struct fault *f, int kind, int when)
{
	struct fault **at = &all->list;

	if (kind < 0)
		return "no kind";
	f->kind = (enum fault_kind)kind;
	f->when = when < 0 ? (f->kind == FAULT_CUT ? WHEN_AFTER : WHEN_BEFORE)
			   : (enum fault_when)when;
	if (!when_fits(f->kind, f->when))
		return "this kind does not know this when";
	if (f->status == 0)
		f->status = f->kind == FAULT_ITEM ? 429 : 503;
	if (f->ms < 0)
		f->ms = f->item_us > 0 ? 0 : 10;
	if (f->path == NULL)
		f->path = xstrdup("*/_bulk");
	all->on_items |= f->kind == FAULT_ITEM;
	all->on_bulks |= f->kind == FAULT_REQUEST;
	f->number = ++all->last_number;
	while (*at != NULL)
		at = &(*at)->next;
	*at = f;
	return NULL;
}

static struct fault *
new_fault(void)
{
	struct fault *f = xcalloc(1, sizeof(*f));

	f->p = 1;
	f->count = -1;
	f->bytes = 64;
	f->ms = -1;
	return f;
}

const char *
fault_add_json(struct faults *all, struct slice object)
{
	struct fault *f = new_fault();
	struct json_walk w = json_members(object);
	struct slice name, value;
	struct buf n = { 0 }, v = { 0 };
	const char *wrong = NULL;
	int kind = -1, when = -1;

	while (wrong == NULL && json_member(&w, &name, &value)) {
		n.len = v.len = 0;
		json_unescape(&n, name);
		if (*value.p == '"')
			json_unescape(&v, (struct slice) { value.p + 1, value.n - 2 });
		else
			buf_add(&v, value.p, value.n);
		wrong = set(f, &kind, &when, buf_cstr(&n), buf_cstr(&v));
	}
	if (wrong == NULL)
		wrong = finish(all, f, kind, when);
	buf_free(&n);
	buf_free(&v);
	if (wrong != NULL)
		fault_free(f);
	return wrong;
}

const char *
fault_add_query(struct faults *all, const char *query)
{
	struct fault *f = new_fault();
	char *copy = xstrdup(query), *rest = copy, *pair, *value;
	const char *wrong = NULL;
	int kind = -1, when = -1;

	while (wrong == NULL && (pair = strsep(&rest, "&")) != NULL) {
		if (*pair == '\0')
			continue;
		value = strchr(pair, '=');
		if (value != NULL)
			*value++ = '\0';
		percent_decode(pair, true);
		if (value != NULL)
			percent_decode(value, true);
		wrong = set(f, &kind, &when, pair, value != NULL ? value : "");
	}
	if (wrong == NULL)
		wrong = finish(all, f, kind, when);
	free(copy);
	if (wrong != NULL)
		fault_free(f);
	return wrong;
}

/* Remove those of a kind (-1: any) and a number (0: any); returns how many. */
static unsigned
take_away(struct faults *all, int kind, unsigned number)
{
	struct fault **at = &all->list, *f;
	unsigned n = 0;

	all->on_items = all->on_bulks = false;
	while ((f = *at) != NULL) {
		if ((kind < 0 || (int)f->kind == kind) && (number == 0 || f->number == number)) {
			*at = f->next;
			fault_free(f);
			n++;
			continue;
		}
		all->on_items |= f->kind == FAULT_ITEM;
		all->on_bulks |= f->kind == FAULT_REQUEST;
		at = &f->next;
	}
	return n;
}

void
fault_clear(struct faults *all, int kind)
{
	(void)take_away(all, kind, 0);
}

bool
fault_remove(struct faults *all, unsigned number)
{
	return number != 0 && take_away(all, -1, number) > 0;
}

void
fault_list(const struct faults *all, struct buf *out)
{
	buf_addc(out, '[');
	for (const struct fault *f = all->list; f != NULL; f = f->next)
		buf_printf(out,
		    "%s{\"number\":%u,\"kind\":\"%s\",\"when\":\"%s\",\"status\":%d,\"p\":%g,"
		    "\"count\":%ld,\"skip\":%ld,\"hits\":%lu}",
		    f == all->list ? "" : ",", f->number, kind_names[f->kind],
		    when_names[f->when], f->status, f->p, f->count, f->skip, f->hits);
	buf_addc(out, ']');
}

/* From 0 to below 1; xorshift64*. */
static double
chance(struct faults *all)
{
	all->random ^= all->random >> 12;
	all->random ^= all->random << 25;
	all->random ^= all->random >> 27;
	return (double)((all->random * 0x2545f4914f6cdd1dU) >> 11) * 0x1p-53;
}

/* It is this one's turn by what it concerns: does it happen? */
static bool
happens(struct faults *all, struct fault *f)
{
	if (f->count == 0 || (f->p < 1 && chance(all) >= f->p))
		return false;
	if (f->skip > 0) {
		f->skip--;
		return false;
	}
	if (f->count > 0)
		f->count--;
	f->hits++;
	all->hits++;
	return true;
}

static void
plan_fault(struct plan *p, const struct fault *f)
{
	switch (f->kind) {
	case FAULT_STATUS:
	case FAULT_REQUEST:
		p->status = f->status;
		p->status_when = f->when;
		p->body.len = 0;
		if (f->body != NULL)
			buf_adds(&p->body, f->body);
		else
			failure_typical(&p->body, f->status);
		snprintf(p->retry_after, sizeof(p->retry_after), "%s",
		    f->retry_after != NULL ? f->retry_after : "");
		break;
	case FAULT_HANG:
		p->hang = true;
		p->hang_when = f->when;
		break;
	case FAULT_DELAY:
		p->delay = true;
		p->delay_when = f->when;
		p->delay_us = (uint64_t)f->ms * 1000;
		p->item_us = (uint64_t)f->item_us;
		break;
	case FAULT_CUT:
		p->cut = true;
		p->cut_when = f->when;
		p->reset = f->reset;
		break;
	case FAULT_GARBLE:
		p->garbled = true;
		p->garble = f->garble;
		break;
	case FAULT_SHORT: p->shorten = true; break;
	case FAULT_DRIP:
		p->drip_bytes = (size_t)f->bytes;
		p->drip_us = (uint64_t)f->ms * 1000;
		break;
	case FAULT_ITEM: break;
	}
}

void
fault_plan(struct faults *all, const char *path, struct plan *p)
{
	unsigned planned = 0;

	/* The first one of each kind that happens is it. */
	for (struct fault *f = all->list; f != NULL; f = f->next) {
		if (f->kind == FAULT_ITEM || f->kind == FAULT_REQUEST || (planned & (1U << f->kind)) ||
		    fnmatch(f->path, path, 0) != 0 || !happens(all, f))
			continue;
		planned |= 1U << f->kind;
		plan_fault(p, f);
	}
}

/* Does a C string's glob match text that has no end mark? */
static bool
glob(const char *pattern, struct slice text)
{
	char copy[600];

	snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
	return fnmatch(pattern, copy, 0) == 0;
}

static bool
concerns(const struct fault *f, const struct bulk_item *item)
{
	if (f->op != NULL && strcmp(f->op, bulk_op_names[item->op]) != 0)
		return false;
	if (f->id != NULL &&
	    (item->id.n < strlen(f->id) || memcmp(item->id.p, f->id, strlen(f->id)) != 0))
		return false;
	return f->index == NULL || glob(f->index, item->index_name);
}

const struct fault *
fault_item(struct faults *all, const struct bulk_item *item)
{
	for (struct fault *f = all->list; f != NULL; f = f->next)
		if (f->kind == FAULT_ITEM && concerns(f, item) && happens(all, f))
			return f;
	return NULL;
}

void
fault_bulk(struct faults *all, const struct bulk *b, struct plan *p)
{
	for (struct fault *f = all->list; all->on_bulks && f != NULL; f = f->next)
		for (size_t i = 0; p->status == 0 && f->kind == FAULT_REQUEST && i < b->n; i++)
			if (concerns(f, &b->items[i]) && happens(all, f))
				plan_fault(p, f);
}
