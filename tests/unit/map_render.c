/* Strings are escaped for JSON exactly, wherever in them the odd bytes are. */
#include <stdio.h>
#include <string.h>

#include "frame.h"
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

/* Arrays and maps inside of each other, as deep as frames nest. */
static void
test_nested(void)
{
	static const struct value_policy policy;
	struct buf packed = { 0 }, got = { 0 }, want = { 0 };
	msgpack_unpacked u;
	size_t off = 0;
	bool good;

	for (int i = 0; i < 15; i++) {
		frame_put_map(&packed, 2);
		frame_put_cstr(&packed, "n\"");
		frame_put_nil(&packed);
		frame_put_uint(&packed, 7);
		frame_put_array(&packed, 2);
		frame_put_ext(&packed, FRAME_EXT_JSON, "{}", 2);
		buf_adds(&want, "{\"n\\\"\":null,\"7\":[{},");
	}
	frame_put_bin(&packed, "\377", 1);
	buf_adds(&want, "\"/w==\"");
	for (int i = 0; i < 15; i++)
		buf_adds(&want, "]}");
	msgpack_unpacked_init(&u);
	good = msgpack_unpack_next(&u, packed.data, packed.len, &off) == MSGPACK_UNPACK_SUCCESS &&
	    render_json(&got, &u.data, CLASS_PLAIN, &policy) == RENDER_OK &&
	    got.len == want.len && memcmp(got.data, want.data, got.len) == 0;
	ok(good, "maps and arrays, 30 deep");
	got.len = 0;
	ok(good && render_text(&got, &u.data, CLASS_PLAIN, &policy) == RENDER_OK &&
	        got.len == want.len,
	    "and as text, for ids, they are JSON, too");
	msgpack_unpacked_destroy(&u);
	buf_free(&packed);
	buf_free(&got);
	buf_free(&want);
}

int
main(void)
{
	test_every_byte_everywhere();
	test_all_escaped();
	test_nested();
	printf("1..%d\n", tests);
	return failed > 0;
}
