/*
 * In libFuzzer's place: run a target over files, once each, so that what was found stays
 * found where there is no clang.
 *
 *	fuzz-NAME FILE...
 *
 * Prints the files that the code refused, and its last error.
 */
#include "support.h"

static void
read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(2);
	}
	b->len = 0;
	while ((n = fread(buf_reserve(b, 65536), 1, 65536, f)) > 0)
		b->len += n;
	if (ferror(f)) {
		perror(path);
		exit(2);
	}
	fclose(f);
}

int
main(int argc, char **argv)
{
	struct buf b = { 0 };

	for (int i = 1; i < argc; i++) {
		read_file(argv[i], &b);
		support_error = NULL;
		LLVMFuzzerTestOneInput((const uint8_t *)b.data, b.len);
		if (support_error != NULL)
			printf("%s: %s\n", argv[i], support_error);
	}
	buf_free(&b);
	return argc < 2 ? 2 : 0;
}
