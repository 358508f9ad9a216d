#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

/*
 * Tell the service manager, in the way of sd_notify(3), but without its library: one
 * datagram with a line for each of the words, of which the last is followed by NULL, to
 * the socket that NOTIFY_SOCKET names, which begins with @ where it is abstract.
 * reloading adds the two lines that announce a reload.  Without NOTIFY_SOCKET it does
 * nothing.
 *
 * It returns when the manager has taken it, or after some seconds: the manager looks up
 * whose process a word is of, and one that is gone is nobody's.  An exit status, the
 * error logged.
 */
int notify_send(char *const words[], bool reloading) __attribute__((warn_unused_result));

#endif
