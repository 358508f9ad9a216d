#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "queue.h"
#include "sigv4.h"

/*
 * The body of a bulk request as libcurl takes it: the items' texts one behind the other,
 * read from where they are.  With gzip they are packed beforehand, so that the length is
 * known, the body can be signed, and sending it again costs nothing.
 */
struct body {
	const struct items *items;
	const struct item *cursor; /* what comes next */
	size_t at;                 /* in the cursor's text, or in packed */
	struct packer *packer;     /* or NULL: as it is */
	struct buf packed;         /* reused */
};

void body_init(struct body *, bool gzip);

/* Make it of the items, which stay as they are until it was sent.  Returns its length. */
size_t body_begin(struct body *, const struct items *);

/* Hash what is sent. */
void body_hash(const struct body *, char hex[SHA256_HEX]);

/* CURLOPT_READFUNCTION and CURLOPT_SEEKFUNCTION. */
size_t body_read(char *to, size_t size, size_t n, void *body);
int body_seek(void *body, curl_off_t offset, int origin);

/* It was sent: give memory back.  Some is kept for the next one. */
void body_end(struct body *);

#endif
