#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

/*
 * Where a node is: http://HOST[:PORT][/PREFIX], the same with https, or unix:/PATH of a
 * socket on which it speaks HTTP.
 */
struct target {
	char *url;        /* as it was given, without a slash at the end: for messages */
	char *base;       /* what requests' paths are put behind */
	char *host;       /* the Host header of requests to it */
	char *unix_path;  /* or NULL */
	bool tls;
};

/* NULL, or what is wrong; *show says whether the text may be shown, for it may hold a secret. */
const char *target_parse(struct target *, const char *text, bool *show)
    __attribute__((warn_unused_result));

#endif
