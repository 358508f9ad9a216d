/* Strings are escaped for JSON exactly, wherever in them the odd bytes are. */
#include <stdio.h>
#include <string.h>

#include "render.h"

static int tests, failed;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

/* By the letter of RFC 8259, section 7. */
static void
escape_slowly(struct buf *b, const char *s, size_t n)
{
	static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	for (size_t i = 0; i < n; i++) {
		const char *two = memchr(short_forms, s[i], sizeof(short_forms) - 1);
		unsigned char c = (unsigned char)s[i];

		while (two != NULL && (two - short_forms) % 2 != 0)
			two = memchr(two + 1, s[i],
			    sizeof(short_forms) - 1 - (size_t)(two + 1 - short_forms));
		if (two != NULL)
			buf_printf(b, "\\%c", two[1]);
		else if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_addc(b, s[i]);
	}
}

static bool
same(const char *s, size_t n)
{
	struct buf got = { 0 }, want = { 0 };
	bool good;

	render_escaped(&got, s, n);
	escape_slowly(&want, s, n);
	good = got.len == want.len && (n == 0 || memcmp(got.data, want.data, got.len) == 0);
	if (!good)
		printf("# %zu bytes: got %.*s, want %.*s\n", n, (int)got.len, got.data,
		    (int)want.len, want.data);
	buf_free(&got);
	buf_free(&want);
	return good;
}

static void
test_every_byte_everywhere(void)
{
	bool good = true;

	for (size_t n = 0; n <= 40; n++)
		for (size_t at = 0; at < n; at++)
			for (int c = 0; c < 256; c++) {
				char s[40];

				memset(s, 'x', sizeof(s));
				s[at] = (char)c;
				good &= same(s, n);
			}
	ok(good, "every byte at every place of strings up to 40 bytes");
}

static void
test_all_escaped(void)
{
	char s[5000];
	bool good = true;

	for (int c = 0; c < 256; c++) {
		memset(s, c, sizeof(s));
		good &= same(s, sizeof(s));
	}
	for (size_t i = 0; i < sizeof(s); i++)
		s[i] = (char)(i * 7 + i / 256);
	ok(good && same(s, sizeof(s)), "long strings of one byte, and of all bytes mixed");
}

int
main(void)
{
	test_every_byte_everywhere();
	test_all_escaped();
	printf("1..%d\n", tests);
	return failed > 0;
}
