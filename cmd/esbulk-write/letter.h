#ifndef LETTER_H
#define LETTER_H

#include "delivery.h"
#include "reject.h"

#define LETTER_RUN "dead letter" /* H says so */

/*
 * A record of the dead letters: H, the R of the table, B, X as it must be sent to have
 * the same effect, a with what was answered, C, E.
 */

void letter_of_item(struct buf *, const struct delivery *, const struct item *,
    const struct reject *);

/* X as it came; where it leaves the version to the writer, it must have been made. */
void letter_of_action(struct buf *, const struct delivery *, const struct frame_begin *,
    const struct frame_action *, const struct reject *);

#endif
