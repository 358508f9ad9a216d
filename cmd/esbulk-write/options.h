#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics_http.h"
#include "secret.h"
#include "target.h"
#include "template.h"
#include "tls.h"

/* The command line, checked.  Strings live as long as the program. */
struct options {
	struct target *targets; /* the nodes */
	size_t n_targets;
	const char *ack_path; /* or NULL */
	struct login login;
	const char *cacert, *cert, *key; /* or NULL */
	char *key_password;              /* or NULL */
	struct pin pin;
	bool insecure;
	bool gzip;
	const char *type; /* of mapping, for Elasticsearch 6; or NULL */
	struct templates templates;
	int64_t sniff_us; /* how often the nodes are asked for; 0: never */
	size_t lanes;
	bool fixed; /* neither lanes nor bytes follow the cluster */
	size_t batch_docs;
	size_t batch_bytes;
	size_t queue_bytes;
	int64_t linger_us;
	long timeout_s, connect_timeout_s, idle_timeout_s;
	uint64_t version_epoch;
	int64_t give_up_us;      /* what somebody must mend is tried again for so long */
	const char *dead_letter; /* or NULL */
	size_t dead_in_row, dead_total; /* limits; 0: none */
	bool dry_run; /* nothing is sent */
	enum errand { ERRAND_NONE, ERRAND_CHECK, ERRAND_SETUP, ERRAND_DROP } errand;
	char **indices; /* of --check, names or patterns */
	size_t n_indices;
	const char *owner; /* of --setup and --drop */
	bool print;        /* these only show what they would do */
	bool findings;     /* in the form for programs */
	struct metrics_where metrics;
	bool merge_reject; /* a merge that lacks something is an error */
	int verbose;
};

/* Parse argv; ends the program at -h, -V (0) and on a mistake (100). */
void options_parse(int argc, char **argv, struct options *);

#endif
