#ifndef METRICS_PLACE_H
#define METRICS_PLACE_H

#include <sys/types.h>

#include <stdbool.h>

/*
 * Where somebody who wants metrics may ask: a port, PORT (of 127.0.0.1), ADDRESS:PORT, HOST:PORT
 * or [IPV6]:PORT, where port 0 is any that is free; or, with a slash in it, the path of a Unix
 * socket, which gets mode 0600.  One that nobody listens on any more is replaced.
 */
struct metrics_place {
	int fd;           /* it listens, without blocking */
	const char *path; /* of a socket, the caller's; NULL: it is a port */
	dev_t dev;
	ino_t ino;
};

/* Listen there; the log says where that is.  -1: logged, *permanent says its kind. */
int metrics_place_open(struct metrics_place *, const char *where, bool *permanent)
    __attribute__((warn_unused_result));

/* Take the socket's path away, if it is still its own.  The descriptor stays as it is. */
void metrics_place_close(struct metrics_place *);

#endif
