#ifndef SUPPORT_H
#define SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame.h"

/*
 * What the fuzz targets share.  A target is linked with -Wl,--wrap=log_event: what the code
 * says on its log goes to support.c, and nowhere else.
 */

/* libFuzzer's interface, by which replay.c feeds files, too. */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The last error that was logged; NULL: none. */
extern const char *support_error;

/* A broken promise: say which, and end as a crash does. */
#define check(promise)                                                                       \
	do {                                                                                 \
		if (!(promise)) {                                                            \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
			abort();                                                             \
		}                                                                            \
	} while (0)

/*
 * Decode a frame and touch all that frame_get_* returns for its letter.  Returns what is
 * wrong with it, or NULL.
 */
const char *support_touch(struct frame_in *, struct frame *);

/*
 * What frame_next_action makes of what is to be read, which it leaves as it is; and then
 * whether that is what the frame is that frame_next found there, result, if any.
 */
struct support_action {
	bool taken;
	struct frame f;
	struct frame_action a;
	size_t off; /* of the input, behind it */
};

struct support_action support_try_action(const struct frame_in *);
void support_check_action(const struct support_action *, struct frame_in *,
    enum frame_result result, const struct frame *);

#endif
