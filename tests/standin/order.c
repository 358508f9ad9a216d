#include "order.h"

static struct order_span *
span(struct order *o, uint32_t serial)
{
	return &o->spans[serial % ORDER_SPANS];
}

uint32_t
order_begin(struct order *o, void *request)
{
	struct order_span *s;

	/* One that hangs for long keeps its place. */
	do
		s = span(o, ++o->last_serial);
	while (o->last_serial == 0 || (s->serial != 0 && s->end == 0));
	*s = (struct order_span) { o->last_serial, ++o->clock, 0, request };
	return o->last_serial;
}

void
order_end(struct order *o, uint32_t serial, bool left)
{
	struct order_span *s = span(o, serial);

	s->end = left ? s->start : ++o->clock;
}

bool
order_touch(struct order *o, struct doc *d, uint32_t serial)
{
	const struct order_span *other = span(o, d->touched_by);
	bool violated = false;

	if (d->touched_by == serial)
		return false;
	if (d->touched_by != 0 && other->serial == d->touched_by) {
		if (other->end == 0)
			violated = !o->abandoned(other->request);
		else
			violated = other->end > span(o, serial)->start;
		violated = violated && !o->abandoned(span(o, serial)->request);
		/* One that still runs is what later ones are held against. */
		if (other->end == 0 && violated)
			return true;
	}
	d->touched_by = serial;
	return violated;
}
