/* LSNs as text: everything that pg_lsn takes, and nothing else. */

#include "lsn.h"
#include "tap.h"

static void
takes(const char *text, uint64_t want)
{
	uint64_t lsn = 42;

	ok(lsn_parse(text, strlen(text), &lsn) == 0 && lsn == want, "takes %s", text);
}

static void
refuses(const char *text, size_t len, size_t i)
{
	uint64_t lsn = 42;

	ok(lsn_parse(text, len, &lsn) == -1, "refuses bad text %zu", i);
	ok(lsn == 42, "and leaves the result alone");
}

int
main(void)
{
	static const char *const bad[] = { "", "/", "0/", "/0", "0", "0/0/0", "0//0",
		" 0/0", "0/0 ", "0/0\n", "+1/0", "-1/0", "0x1/0", "G/0", "0/G",
		"123456789/0", "0/123456789", "16-B374D848", "16/B374D848/",
		"00000000A/0" };
	uint64_t lsn = 42;
	char text[LSN_STRLEN];

	takes("0/0", 0);
	takes("16/B374D848", UINT64_C(0x16B374D848));
	takes("16/b374d848", UINT64_C(0x16B374D848));
	takes("ffffffff/FFFFFFFF", UINT64_MAX);
	takes("1/0", UINT64_C(1) << 32);
	takes("00000001/00000002", (UINT64_C(1) << 32) | 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]), i);
	refuses("0/0\0", 4, sizeof(bad) / sizeof(bad[0]));
	ok(lsn_parse("1/23", 3, &lsn) == 0 && lsn == ((UINT64_C(1) << 32) | 2),
	    "reads len bytes and no more");

	is(lsn_print(0, text), "0/0", "prints zero");
	is(lsn_print(UINT64_C(0x16B374D848), text), "16/B374D848",
	    "prints as PostgreSQL does");
	is(lsn_print((UINT64_C(1) << 32) | 0xa, text), "1/A",
	    "prints the low half unpadded");
	is(lsn_print(UINT64_MAX, text), "FFFFFFFF/FFFFFFFF", "prints the highest");
	return done_testing();
}
