#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * Secrets come from files or the environment, never from the command line, where everybody
 * on the machine could read them.  A file is read again when the cluster denies a login,
 * so a secret can be changed while the program runs.
 */

enum login_kind {
	LOGIN_NONE,
	LOGIN_BASIC,   /* RFC 7617 */
	LOGIN_API_KEY, /* Elasticsearch's: "Authorization: ApiKey ..." */
	LOGIN_BEARER,  /* RFC 6750 */
	LOGIN_AWS,     /* every request is signed, see sigv4.h */
};

/* Keys of AWS; token is NULL where there is none. */
struct aws_keys {
	char *id, *secret, *token;
};

struct login {
	enum login_kind kind;
	const char *user;             /* of LOGIN_BASIC */
	const char *file;             /* NULL: the environment */
	const char *region, *service; /* of LOGIN_AWS */
	char *secret;                 /* as it was read; not of LOGIN_AWS */
	char *authorization;          /* the header's whole line; not of LOGIN_AWS */
	struct aws_keys keys;         /* of LOGIN_AWS */
	unsigned generation;          /* changes when the secret does */
};

/* Read the secret of a login whose kind, user and file are set.  -1: logged. */
int login_load(struct login *) __attribute__((warn_unused_result));

/*
 * The cluster denied it: read the file again.  True when there is another secret now; a
 * file that cannot be read is logged, and the old secret stays.
 */
bool login_reload(struct login *);

/* What to do about a login that is denied. */
const char *login_remedy(const struct login *);

/* Overwrite the secret wherever a text from elsewhere repeats it. */
void login_scrub(const struct login *, char *text, size_t len);

/*
 * The first line of a file, to be freed; NULL: logged, what names the file's purpose.
 */
char *secret_line(const char *path, const char *what) __attribute__((warn_unused_result));

#endif
