#ifndef EXITCODE_H
#define EXITCODE_H

/*
 * What an exit status says to a supervisor, the same in all programs.
 */
enum {
	EXIT_DONE = 0,        /* E was read or sent, everything before it is stored */
	EXIT_PERMANENT = 100, /* a restart cannot help: usage, configuration, rights */
	EXIT_TEMPORARY = 111, /* a restart can help: a peer is gone, a full disk */
};

#endif
