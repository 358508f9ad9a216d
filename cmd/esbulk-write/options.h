#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The command line, checked.  Strings live as long as the program. */
struct options {
	char **urls; /* without a slash at the end */
	size_t n_urls;
	const char *ack_path; /* or NULL */
	char *userpwd;        /* NAME:PASSWORD, or NULL */
	const char *cacert;   /* or NULL */
	size_t lanes;
	size_t batch_docs;
	size_t batch_bytes;
	size_t queue_bytes;
	int64_t linger_us;
	long timeout_s;
	uint64_t version_epoch;
	int64_t give_up_us;      /* what somebody must mend is tried again for so long */
	const char *dead_letter; /* or NULL */
	size_t dead_in_row, dead_total; /* limits; 0: none */
	bool merge_reject; /* a merge that lacks something is an error */
	int verbose;
};

/* Parse argv; ends the program at -h, -V (0) and on a mistake (100). */
void options_parse(int argc, char **argv, struct options *);

#endif
