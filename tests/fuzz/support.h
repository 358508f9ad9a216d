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

#endif
