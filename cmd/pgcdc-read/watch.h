#ifndef WATCH_H
#define WATCH_H

#include "session.h"

/*
 * What the stream does not tell, asked of the catalog from time to time: are the publications
 * still there (18 sends nothing and says nothing when one is missing), did wal_sender_timeout
 * change, does the server take this reader for a synchronous standby?  An exit status, LOST,
 * or GO_ON.
 */
int watch_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));

#endif
