#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "visible.h"

void
visible_parse(struct visible *v, const char *text)
{
	char *p;

	v->xmin = strtoull(text, &p, 10);
	v->xmax = strtoull(*p ? p + 1 : p, &p, 10);
	v->running = p;
}

bool
visible_over(const struct visible *v, uint32_t xid)
{
	const uint64_t epoch = UINT64_C(1) << 32, half = epoch >> 1;
	uint64_t wide = (v->xmax & ~(epoch - 1)) | xid;
	const char *p = v->running;

	/* xids wrap around: it is the one of its name that is nearest. */
	if (wide > v->xmax && wide - v->xmax > half)
		wide -= epoch;
	else if (v->xmax > wide && v->xmax - wide > half)
		wide += epoch;
	if (wide >= v->xmax)
		return false;
	if (wide < v->xmin)
		return true;
	while (*p == ':' || *p == ',') {
		char *end;

		if (strtoull(p + 1, &end, 10) == wide)
			return false;
		p = end;
	}
	return true;
}

void
visible_add(struct visible_list *l, uint32_t xid)
{
	if (l->n > 0 && l->xid[l->n - 1] == xid)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->xid = xrealloc(l->xid, l->cap * sizeof(*l->xid));
	}
	l->xid[l->n++] = xid;
}

uint64_t
visible_end(const struct visible_list *l)
{
	return l->dropped + l->n;
}

/* How many of the list are below that place. */
static size_t
below(const struct visible_list *l, uint64_t end)
{
	if (end <= l->dropped)
		return 0;
	return end - l->dropped < l->n ? (size_t)(end - l->dropped) : l->n;
}

bool
visible_all(const struct visible_list *l, uint64_t end, const struct visible *v, uint32_t *xid)
{
	for (size_t i = 0; i < below(l, end); i++)
		if (!visible_over(v, l->xid[i])) {
			*xid = l->xid[i];
			return false;
		}
	return true;
}

void
visible_drop(struct visible_list *l, uint64_t end, const struct visible *v)
{
	size_t n = 0, all = below(l, end);

	while (n < all && visible_over(v, l->xid[n]))
		n++;
	if (n == 0)
		return;
	memmove(l->xid, l->xid + n, (l->n - n) * sizeof(*l->xid));
	l->n -= n;
	l->dropped += n;
}

void
visible_compact(struct visible_list *l, const struct visible *v)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!visible_over(v, l->xid[i]))
			l->xid[n++] = l->xid[i];
	l->dropped += l->n - n;
	l->n = n;
}

void
visible_free(struct visible_list *l)
{
	free(l->xid);
	*l = (struct visible_list) { 0 };
}
