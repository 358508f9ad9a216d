#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "buf.h"
#include "libpq.h"
#include "log.h"

/* Its name since PostgreSQL 8.2; another would be another interface. */
#define LIBPQ_SONAME "libpq.so.5"

struct libpq pq;

static bool
failed(void)
{
	/* The one reason that passes.  Of some of its calls dlopen's words do not tell it. */
	if (errno == ENOMEM)
		oom();
	log_error("cannot load libpq, with which PostgreSQL's catalog is read: install it",
	    kv_str("library", LIBPQ_SONAME), kv_str("error", dlerror()));
	return false;
}

bool
libpq_load(void)
{
	static bool loaded;
	void *library, *function;

	if (loaded)
		return true;
	errno = 0;
	library = dlopen(LIBPQ_SONAME, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return failed();
	/* POSIX has the two kinds of pointers alike, ISO C knows no conversion. */
#define LIBPQ_FIND(name)                            \
	function = dlsym(library, "PQ" #name);      \
	if (function == NULL)                       \
		return failed();                    \
	memcpy(&pq.name, &function, sizeof(function));
	LIBPQ_FUNCTIONS(LIBPQ_FIND)
#undef LIBPQ_FIND
	loaded = true;
	return true;
}
