/* One event is one line, whatever a server or a table put into it. */

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "log.h"
#include "tap.h"

static int saved_stderr, caught[2];
static char got[16384];

static void catch (void)
{
	fflush(stderr);
	if (pipe2(caught, O_NONBLOCK) != 0)
		exit(1);
	dup2(caught[1], STDERR_FILENO);
}

/* What was logged since catch, in got. */
static char *
logged(void)
{
	ssize_t n = read(caught[0], got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	dup2(saved_stderr, STDERR_FILENO);
	close(caught[0]);
	close(caught[1]);
	return got;
}

/* The line behind its time, which is checked here. */
static char *
untimed(void)
{
	char *s = logged();
	int year, n = 0;

	sscanf(s, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ %n", &year, &n);
	return n == 25 && year >= 2020 ? s + n : s;
}

/* What the file of PGCDC_REASON has, in got. */
static char *
reason(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = f != NULL ? fread(got, 1, sizeof(got) - 1, f) : 0;

	if (f != NULL)
		fclose(f);
	got[n] = '\0';
	return got;
}

static void
test_reason(void)
{
	char path[] = "/tmp/pgcdc-reason.XXXXXX";
	char *text;

	close(mkstemp(path));
	unlink(path);
	setenv("PGCDC_REASON", path, 1);
	setenv("PGCDC_LOG", "json", 1);
	log_init("prog", 0);
	catch ();
	log_warn("not so bad");
	is(reason(path), "", "a warning is no reason");
	log_error("a longer one than the next", kv_str("a", "b"));
	log_error("it\nbroke", kv_str("table", "two \"words\""), kv_str("none", NULL), kv_int("n", 5),
	    kv_lsn("lsn", 0x100000002), kv_str("remedy", "mend\tit"));
	log_info("goes on");
	logged();
	is(reason(path), "it broke (table: two \"words\"; n: 5; lsn: 1/2; remedy: mend it)\n",
	    "PGCDC_REASON: the last error alone, in plain words");
	text = calloc(1, 100000);
	memset(text, 'x', 99999);
	catch ();
	log_error(text, kv_str("a", text), kv_str("b", text));
	logged();
	reason(path);
	ok(strlen(got) > 1000 && strlen(got) < 4096 && got[strlen(got) - 1] == '\n',
	    "a long one is cut: a line still");
	unlink(path);
	setenv("PGCDC_REASON", "/nonexistent/reason", 1);
	log_init("prog", 0);
	catch ();
	log_error("still told");
	ok(strstr(logged(), "still told") != NULL, "a file that cannot be had changes nothing else");
	unsetenv("PGCDC_REASON");
	free(text);
}

static void
test_text(void)
{
	unsetenv("PGCDC_LOG");
	log_init("prog", 0);
	catch ();
	log_error("it broke");
	is(untimed(), "error prog msg=\"it broke\"\n", "time, level, program, message");
	catch ();
	log_warn("m", kv_str("a", "word"), kv_str("b", "two words"), kv_str("c", ""),
	    kv_str("d", "x=y"), kv_str("e", "q\"b\\"), kv_str("f", NULL),
	    kv_strn("g", "abcdef", 3));
	is(untimed(),
	    "warn prog msg=\"m\" a=word b=\"two words\" c=\"\" d=\"x=y\" "
	    "e=\"q\\\"b\\\\\" g=abc\n",
	    "values are quoted where they must be, NULL is left out");
	catch ();
	log_info("m", kv_int("i", -5), kv_uint("u", UINT64_MAX),
	    kv_lsn("l", UINT64_C(0x16B374D848)), kv_real("r", 1.5),
	    kv_real("n", (double)NAN));
	is(untimed(),
	    "info prog msg=\"m\" i=-5 u=18446744073709551615 l=16/B374D848 r=1.500 "
	    "n=0.000\n",
	    "numbers and LSNs");
	catch ();
	log_error("two\nlines", kv_str("s", "a\r\n\tb\x01\x7f"));
	is(untimed(),
	    "error prog msg=\"two\\nlines\" s=\"a\\u000d\\n\\u0009b\\u0001\\u007f\"\n",
	    "control characters are escaped: an event stays a line");
	catch ();
	log_debug("hidden");
	is(logged(), "", "debugging is silent without -v");
	log_init("prog", 1);
	catch ();
	log_debug("shown");
	is(untimed(), "debug prog msg=\"shown\"\n", "and shown with it");
	ok(log_on(LOG_DEBUG), "log_on agrees");
}

static yajl_val
parse(const char *line)
{
	char why[200] = "";
	yajl_val v = yajl_tree_parse(line, why, sizeof(why));

	if (v == NULL)
		printf("# not JSON: %s\n# %.200s\n", why, line);
	return v;
}

static const char *
member(yajl_val v, const char *key)
{
	const char *path[] = { key, NULL };

	return v == NULL ? NULL : YAJL_GET_STRING(yajl_tree_get(v, path, yajl_t_string));
}

static bool
is_one_line(const char *s)
{
	const char *newline = strchr(s, '\n');

	return newline != NULL && newline[1] == '\0' && strlen(s) <= 4096;
}

static void
test_json(void)
{
	yajl_val v;

	setenv("PGCDC_LOG", "json", 1);
	log_init("prog", 0);
	catch ();
	log_warn("a \"quoted\"\nmsg", kv_str("s", "tab\there"), kv_int("i", -5),
	    kv_lsn("l", 10), kv_str("none", NULL), kv_real("inf", (double)INFINITY));
	v = parse(logged());
	ok(is_one_line(got), "a JSON event is one line");
	is(member(v, "level"), "warn", "level");
	is(member(v, "program"), "prog", "program");
	is(member(v, "msg"), "a \"quoted\"\nmsg", "the message comes back");
	is(member(v, "s"), "tab\there", "a value comes back");
	is(member(v, "l"), "0/A", "an LSN is a string");
	ok(strstr(got, "\"i\":-5,") != NULL, "a number is a number");
	ok(strstr(got, "none") == NULL && strstr(got, "inf\":0.000") != NULL,
	    "what JSON has no form for is not put");
	yajl_tree_free(v);
}

/* Values that end at every place near the line's limit, of bytes that need escapes. */
static void
test_cut(bool json)
{
	static char big[6000];
	bool lines = true, parses = true;

	setenv("PGCDC_LOG", json ? "json" : "", 1);
	log_init("prog", 0);
	for (int fill = 0; fill < 3; fill++) {
		memset(big, "x\"\x01"[fill], sizeof(big));
		for (uint32_t n = 600; n < sizeof(big); n += fill == 0 ? 1 : 7) {
			catch ();
			log_error("m", kv_strn("a", big, n), kv_str("b", "after"),
			    kv_int("c", 1), kv_strn("d", big, n));
			logged();
			lines = lines && is_one_line(got);
			if (json) {
				yajl_val v = parse(got);

				parses = parses && v != NULL;
				yajl_tree_free(v);
			}
		}
	}
	ok(lines, "an event of any length is one line of at most 4096 bytes%s",
	    json ? " (JSON)" : "");
	ok(parses, "cut, it is still JSON");
}

static void
test_cut_message(void)
{
	static char big[8192];
	yajl_val v;

	memset(big, 'm', sizeof(big) - 1);
	log_init("prog", 0);
	catch ();
	log_error(big, kv_str("a", "b"));
	v = parse(logged());
	ok(v != NULL && is_one_line(got), "a message that is too long is cut, too");
	yajl_tree_free(v);
	catch ();
	/* The middle of a character is no place to cut. */
	for (size_t i = 0; i + 1 < sizeof(big) - 1; i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	log_error("m", kv_str("a", big));
	v = parse(logged());
	ok(v != NULL, "a cut string is still UTF-8");
	yajl_tree_free(v);
	catch ();
	log_error("xm", kv_str("a", big));
	v = parse(logged());
	ok(v != NULL, "at either byte");
	yajl_tree_free(v);
	catch ();
	log_error("m", kv_str("a", "latin \xe9 here"), kv_str("word", "\xe9"),
	    kv_strn("b", "\xf0\x9f\x98", 3));
	v = parse(logged());
	ok(v != NULL, "bytes that are no UTF-8 do not break the JSON");
	yajl_tree_free(v);
}

int
main(void)
{
	saved_stderr = dup(STDERR_FILENO);
	test_reason();
	test_text();
	test_json();
	test_cut(false);
	test_cut(true);
	test_cut_message();
	return done_testing();
}
