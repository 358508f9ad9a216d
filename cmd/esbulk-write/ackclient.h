#ifndef ACKCLIENT_H
#define ACKCLIENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The writer's end of the ack socket.  pgcdc-frame(5) describes the lines.
 */

struct ackclient {
	const char *path; /* NULL: nobody is told anything, all below is unused */
	int fd;           /* -1: not connected */
	bool closed;      /* the reader went; it is not looked for again */
	char run[64];
	int64_t give_up;  /* when connecting has failed for good, 0: nobody wants to yet */
	int64_t next_try;
	int64_t last_sent;
	uint64_t sent_seq, sent_lsn;
	char out[256]; /* what did not go yet */
	uint32_t out_len;
};

/* A run begins: connect, as soon as ackclient_tick can.  -1: its name is no name. */
int ackclient_hello(struct ackclient *, const char *run, uint32_t len, int64_t now)
    __attribute__((warn_unused_result));

/* Connect and write what is due.  -1: the reader is gone, or not there for 10 s; logged. */
int ackclient_tick(struct ackclient *, int64_t now) __attribute__((warn_unused_result));

/* Everything up to seq is stored: say so now, or at the next tick that may. */
int ackclient_send(struct ackclient *, uint64_t seq, uint64_t lsn, int64_t now, bool at_once)
    __attribute__((warn_unused_result));

/* The socket is readable: 0, or -1 when the reader closed it. */
int ackclient_read(struct ackclient *) __attribute__((warn_unused_result));

/* Has everything up to seq been said? */
bool ackclient_done(const struct ackclient *, uint64_t seq);

/*
 * When ackclient_tick must be called next; INT64_MAX: never, or, where out_len is above 0,
 * when the socket takes more.
 */
int64_t ackclient_due(const struct ackclient *);

#endif
