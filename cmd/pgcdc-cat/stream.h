#ifndef STREAM_H
#define STREAM_H

#include "fdio.h"

/*
 * The output of a filter: it collects what is put into o.buf and waits where it must.
 * The first error sticks, and what is put afterwards is dropped, so that a caller may
 * look once a frame.
 */
struct stream {
	struct fdout o;
	int wake;  /* readable when waiting must end, with EINTR as the error; -1: none */
	int error; /* errno of the write that failed, or 0 */
};

/* Write out what a waiting reader should see, all of it. */
void stream_flush(struct stream *);

/* Write where much is collected, so that a large frame is never held as text. */
void stream_room(struct stream *);

/*
 * Wait until in can be read, or the output's reader is gone (which sets error), or wake
 * is readable.
 */
void stream_wait(struct stream *, int in);

#endif
