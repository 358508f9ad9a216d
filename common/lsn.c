#include <stdio.h>

#include "hex.h"
#include "lsn.h"

int
lsn_parse(const char *text, size_t len, uint64_t *lsn)
{
	uint64_t half[2] = { 0, 0 };
	size_t digits = 0;
	int h = 0;

	for (size_t i = 0; i < len; i++) {
		int d;

		if (text[i] == '/' && h == 0 && digits > 0) {
			h = 1;
			digits = 0;
			continue;
		}
		d = hex_digit(text[i]);
		if (d < 0 || ++digits > 8)
			return -1;
		half[h] = half[h] << 4 | (uint64_t)d;
	}
	if (h != 1 || digits == 0)
		return -1;
	*lsn = half[0] << 32 | half[1];
	return 0;
}

char *
lsn_print(uint64_t lsn, char out[static LSN_STRLEN])
{
	snprintf(out, LSN_STRLEN, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
	return out;
}
