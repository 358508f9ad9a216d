#ifndef SESSION_H
#define SESSION_H

#include "ackclient.h"
#include "delivery.h"
#include "frame.h"
#include "intake.h"
#include "mapstats.h"
#include "metrics_http.h"

/* All of the program, for those who work on the whole. */
struct writer {
	const struct options *o;
	struct frame_in in;
	struct delivery delivery;
	struct ackclient ack;
	struct intake intake;
	struct frame_commit last; /* of this run */
	uint64_t received_lsn;    /* of the last B */
	bool hello;        /* an H was read */
	bool ended;        /* an E was read, and nothing behind it */
	bool flushing;     /* E: all must be stored before reading goes on */
	bool more_input;   /* frames may be left in the buffer */
	bool eof;
	int64_t gone_at; /* the reader closed the ack socket; 0: it did not */
	/* --metrics */
	struct metrics_http *metrics; /* NULL: nobody asks */
	struct mapstats mapstats;
	uint64_t stood_at;   /* the frontier's first unit, when it was looked at last */
	int64_t stood_since; /* and that long it has been that one */
};

#endif
