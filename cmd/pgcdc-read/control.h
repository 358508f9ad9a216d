#ifndef CONTROL_H
#define CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * --control SOCKET: a Unix socket of mode 0600 on which the same user asks for things while the
 * reader runs.  A request is a line, and so are answers, of which the last is "ok" or begins with
 * "error ":
 *
 *	snapshot TABLE...	load these tables (again): "ok N", of N tables or partitions
 *	status			"table NAME STATE DONE BLOCKS ROWS" of each that is or was loaded
 *				since the start, then "ok"
 *
 * "error later: " begins the answer where the same request may be taken later.
 */

/* When they are all taken, a new client has the place of the one that was silent for longest. */
#define CONTROL_CLIENTS 4
#define CONTROL_POLLED  (CONTROL_CLIENTS + 1)

struct control_client {
	int fd; /* -1: free */
	struct buf in, out;
	bool ended; /* it sends no more */
	bool skips; /* a line that is too long, up to its end */
	uint64_t used; /* by the count of what all of them did, when it did something */
};

struct control {
	const char *path; /* NULL: there is none */
	int listen_fd;
	struct control_client client[CONTROL_CLIENTS];
	bool serving; /* a request is being met, which may wait for the server itself */
	uint64_t uses;
};

struct reader;

/* Listen; GO_ON, or an exit status with the error logged. */
int control_open(struct reader *) __attribute__((warn_unused_result));

/* For poll: CONTROL_POLLED entries; and what came of it.  An exit status, LOST, or GO_ON. */
void control_poll(const struct reader *, struct pollfd *);
int control_serve(struct reader *, const struct pollfd *) __attribute__((warn_unused_result));

/*
 * While the reader waits for the server: answer those who ask for nothing but the status; while
 * it stands by, which may be for ever, answer all.
 */
void control_idle(struct reader *);

void control_close(struct reader *);

#endif
