#ifndef HANDLER_H
#define HANDLER_H

#include "request.h"

/*
 * Takes requests from libmicrohttpd through their stages, and keeps those that
 * hang or wait: their connections are suspended, so nobody else waits for them.
 */
struct handler {
	struct standin *standin;
	struct request *first; /* all that live */
	struct request *spare; /* ended ones, kept for their buffers */
	unsigned down_ms; /* it was told to go away for so long: the server does it */
};

/* For MHD_start_daemon; cls is the handler. */
void *handler_uri(void *cls, const char *uri, struct MHD_Connection *);
enum MHD_Result
handler_access(void *cls, struct MHD_Connection *, const char *url, const char *method,
    const char *version, const char *data, size_t *data_size, void **request);
void handler_completed(
    void *cls, struct MHD_Connection *, void **request, enum MHD_RequestTerminationCode);

/*
 * Let go on what is due at now, and drop what its client has left.  Returns the
 * microseconds until it must be called again, or -1 when nothing is put aside.
 */
int64_t handler_wake(struct handler *, uint64_t now_us);

/* Let the requests that hang go on; returns how many. */
unsigned handler_release(struct handler *);
/* Close the connections of all that hang or wait, unanswered. */
void handler_drop(struct handler *);
/* How many hang now. */
unsigned handler_hanging(const struct handler *);

void handler_free(struct handler *);

/* Has the client of this request gone away?  For the order check. */
bool handler_abandoned(void *request);

uint64_t monotonic_us(void);

#endif
