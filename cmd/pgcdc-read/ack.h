#ifndef ACK_H
#define ACK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The reader's end of the ack socket: it listens, takes one writer of its own user and
 * run, and believes only what can be true.  pgcdc-frame(5) describes the lines.
 */

struct ack {
	const char *path;
	int listen_fd; /* -1: none */
	int fd;        /* the writer's, -1: none yet */
	char run[40];
	bool greeted;  /* the writer has named the run */
	int64_t since; /* when fd was accepted, or listening began (now_us) */
	bool waiting_said;
	char line[128];
	uint32_t len;
};

enum ack_event {
	ACK_NOTHING,
	ACK_MOVED, /* seq and lsn are what the writer says is stored */
	ACK_GONE,  /* the greeted writer closed the connection, or broke the protocol */
};

/*
 * Listen at path, mode 0600, for a writer of this run.  A socket that nobody listens on
 * any more is replaced.  0, or -1 with the error logged; *permanent says its kind.
 */
int ack_listen(struct ack *, const char *path, const char *run, bool *permanent)
    __attribute__((warn_unused_result));

/* Accept a writer, when the listening descriptor is readable. */
void ack_accept(struct ack *);

/*
 * Take the next complete line that arrived: call until ACK_NOTHING.  An unacceptable
 * peer that has not greeted is dropped with a warning and another may come.
 */
enum ack_event ack_next(struct ack *, uint64_t *seq, uint64_t *lsn);

/* Drop a peer that says nothing, and warn once when no writer comes. */
void ack_tick(struct ack *, int64_t now);

/* Close both descriptors and remove the socket. */
void ack_close(struct ack *);

#endif
