#ifndef USOCK_H
#define USOCK_H

#include <stdbool.h>

/*
 * Unix sockets that a program listens on, mode 0600.  A socket that nobody listens on any more
 * is replaced.  what names it in messages, such as "ack socket".  The descriptor, or -1 with the
 * error logged; *permanent says its kind.
 */
int usock_listen(const char *path, const char *what, bool *permanent)
    __attribute__((warn_unused_result));

/* Take a peer of the same user; -1: there is none, or it is another's, which is logged. */
int usock_accept(int listen_fd, const char *path) __attribute__((warn_unused_result));

#endif
