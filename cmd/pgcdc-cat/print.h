#ifndef PRINT_H
#define PRINT_H

#include "frame.h"
#include "stream.h"

/*
 * Frames as JSON lines, in the form that pgcdc-frame(5) describes: what JSON, or a JSON
 * tool that keeps numbers as floats, would not bring back is tagged.
 */
struct printer {
	struct stream *out;
	/* Scratch: the keys of one map. */
	struct frame_str *keys;
	size_t keys_cap;
};

/* Print one line.  0, or -1 when the frame is not whole; errors of out stay there. */
int
print_frame(struct printer *, const struct frame *) __attribute__((warn_unused_result));

void print_free(struct printer *);

#endif
