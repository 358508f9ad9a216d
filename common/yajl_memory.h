#ifndef YAJL_MEMORY_H
#define YAJL_MEMORY_H

#include <stdlib.h>
#include <yajl/yajl_common.h>

#include "buf.h"

/*
 * For yajl_alloc: memory that ends the program where there is none (see oom).  yajl itself uses
 * what its malloc gives without a look.
 */

static void *
yajl_memory_new(void *ctx, size_t n)
{
	(void)ctx;
	return xmalloc(n);
}

static void *
yajl_memory_resize(void *ctx, void *p, size_t n)
{
	(void)ctx;
	return xrealloc(p, n);
}

static void
yajl_memory_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static yajl_alloc_funcs yajl_memory = { .malloc = yajl_memory_new,
	.realloc = yajl_memory_resize,
	.free = yajl_memory_free };

#endif
