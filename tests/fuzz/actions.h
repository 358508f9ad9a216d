#ifndef ACTIONS_H
#define ACTIONS_H

#include "mapper.h"
#include "support.h"

/*
 * What the mapper's targets share: a stream of frames goes through a mapper, and what
 * comes out is looked at.
 */

/* What the values that went in allow to be said of the actions. */
struct actions_promise {
	bool json;   /* JSON values were valid, or are checked: so are the bodies */
	bool utf8;   /* text is, and so it stays */
	bool unique; /* no object has two members of one name: nor have the bodies */
};

/*
 * Take a frame, and check that each action is whole and such as the writer takes it, that
 * the counters count them, and that other frames are passed on.  What mapper_frame returned.
 */
int actions_take(struct mapper *, struct frame_in *, struct frame *,
    const struct actions_promise *);

/* Is all JSON in the frame, which was decoded, valid?  Is all text UTF-8? */
bool actions_json_is_valid(const struct frame *);
bool actions_text_is_utf8(const struct frame *);

/* A reader of these bytes, which must be copied: a step beyond them shows then. */
void actions_feed(struct frame_in *, const uint8_t *, size_t);

/* ilike, lower and upper need a locale of UTF-8. */
void actions_locale(void);

#endif
