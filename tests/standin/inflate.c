#include <limits.h>
#include <stdint.h>
#include <zlib.h>

#include "inflate.h"

bool
inflate_gzip(struct buf *out, struct slice packed)
{
	z_stream z = { 0 };
	int rc;

	if (packed.n > UINT_MAX || inflateInit2(&z, 15 + 16) != Z_OK)
		return false;
	z.next_in = (Bytef *)(uintptr_t)packed.p;
	z.avail_in = (uInt)packed.n;
	do {
		buf_reserve(out, 1 << 18);
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = 1 << 18;
		rc = inflate(&z, Z_NO_FLUSH);
		out->len += ((size_t)1 << 18) - z.avail_out;
	} while (rc == Z_OK);
	inflateEnd(&z);
	return rc == Z_STREAM_END;
}
