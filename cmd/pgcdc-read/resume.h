#ifndef RESUME_H
#define RESUME_H

#include "setup.h"

/*
 * Where does streaming go on?  What the state file knows, and what this process has taken
 * (server->emitted), must agree with the server and its slot: the same system, a timeline that
 * has all that, a log that reaches so far.  Sets server->start; PG_PERMANENT is said on the log
 * with the remedy.  The connection does not stream yet.
 */
enum pg_status resume_check(const struct setup *) __attribute__((warn_unused_result));

#endif
