#ifndef SIG_H
#define SIG_H

/*
 * TERM and INT as a descriptor to poll.  SIGPIPE and SIGXFSZ are ignored, so that a peer
 * that is gone, or a file at its limit, is an error of the write.  A second TERM or INT ends the
 * program at once with 111, whatever it is doing.
 */

/* Install the handlers; returns a descriptor that is readable after the first signal. */
int sig_init(void);

/* How many came so far: 0 or 1. */
int sig_terms(void);

#endif
