#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

/*
 * Watches that two requests on one document never overlap in time: a client
 * that keeps its promise of order has had the answer to the first before it
 * sends the second.  A request lasts from its headers until its answer is sent
 * or its connection is lost.  What its client has left may overlap: the client, or
 * its successor, learns nothing of it any more.
 */
struct order_span {
	uint32_t serial;
	uint64_t start; /* in events, not time */
	uint64_t end;   /* 0: not ended */
	void *request;
};

enum { ORDER_SPANS = 1 << 14 };

struct order {
	uint64_t clock;
	uint32_t last_serial;
	/* Has the client of this request gone away, so that it may try again? */
	bool (*abandoned)(void *request);
	struct order_span spans[ORDER_SPANS]; /* the latest, by serial */
};

uint32_t order_begin(struct order *, void *request);
/* left: by its client, which may have sent again before that is noticed here. */
void order_end(struct order *, uint32_t serial, bool left);

/* The request names the document; returns whether another one overlaps. */
bool order_touch(struct order *, struct doc *, uint32_t serial)
    __attribute__((warn_unused_result));

#endif
