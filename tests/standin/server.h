#ifndef SERVER_H
#define SERVER_H

#include "standin.h"

/*
 * The sockets and the loop: libmicrohttpd driven from one thread.
 */
struct server;

/* Listen as the options say; NULL after saying why not. */
struct server *server_start(struct standin *);
/* Serve until SIGTERM or SIGINT, which must be blocked before. */
void server_run(struct server *);
void server_stop(struct server *);

#endif
