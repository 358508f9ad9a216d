#ifndef LANE_H
#define LANE_H

#include "delivery.h"
#include "log.h"

#define HTTP_OK        200
#define HTTP_TOO_LARGE 413

/*
 * What lane.c, ask.c and trouble.c have in common: the life of a lane's request.
 */

/* The request is one to read, or of a truncate: set it up behind form_batch.  -1: failed. */
int lane_read(struct lane *) __attribute__((warn_unused_result));
int lane_truncate(struct lane *) __attribute__((warn_unused_result));

/* Take a part of the answer to such a request; false: give the transfer up. */
bool lane_take_text(struct lane *, const char *, size_t);

/* Its status said 200; or something that is no answer came.  An exit status, or -1. */
int lane_was_read(struct lane *, int64_t now);
int lane_truncated(struct lane *, int64_t now);

/*
 * It failed; for what is special to these requests.  True: nothing else is to be done, and
 * *code is an exit status or -1.
 */
bool lane_ask_failed(struct lane *, long status, int64_t now, int *code);

/* Its answer is not needed any longer. */
void lane_ask_done(struct lane *);

/* Take secrets that the cluster repeats out of an error. */
void lane_scrub(const struct lane *, struct answer_error *);

/* The item's action is stored, or whatever it stands for: let go of it. */
void lane_store(struct delivery *, struct item *);

/* An action was rejected: put the one that was left out for it, if any, into the list. */
void lane_instead(struct items *, struct item *older);

/* The cluster took a request. */
void lane_worked(struct lane *);

/* Everything that was in flight waits again, before what came since.  How much it was. */
size_t lane_put_back(struct lane *);

/* The next try comes later, and the later the more failed in a row. */
void lane_back_off(struct lane *, int64_t now);

/* The node is away or in trouble: another one, or later. */
void lane_node_trouble(struct lane *, int64_t now);

/* Log that actions are tried again; at most one a second.  The lane's cause is why. */
void lane_say_retry(struct lane *, const char *why, long status, const char *words,
    size_t len, size_t actions, int64_t now);

/*
 * The lane cannot go on before somebody mends the cluster: say so, once a second, until it
 * has lasted too long.  An exit status (logged), or -1.
 */
int lane_loud(struct lane *, const struct item *, long status, const char *words, size_t len,
    int64_t now);

/* So many actions of a request are done for. */
void lane_cleared(struct lane *, size_t done);

/* A request was answered by another status than 200.  An exit status (logged), or -1. */
int lane_refused(struct lane *, long status, int64_t now);

/* By something that cannot be read.  An exit status (logged), or -1. */
int lane_unreadable(struct lane *, const char *problem, int64_t now);

/* Name an item's document in an error; the buffers live as long as the program. */
struct kv lane_item_name(const char *key, const struct item *, size_t at, size_t len,
    struct buf *);

#endif
