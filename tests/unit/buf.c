/* Buffers, UTF-8, and descriptors read and written piece by piece. */

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "fdio.h"
#include "tap.h"
#include "utf8.h"

static void
test_buf(void)
{
	struct buf b = { 0 };
	size_t n = 0;
	bool same = true;

	buf_add(&b, NULL, 0);
	ok(b.data == NULL && b.len == 0, "adding nothing allocates nothing");
	while (n < 100000) {
		buf_addc(&b, (char)n++);
		buf_adds(&b, "ab");
		n += 2;
	}
	for (size_t i = 0; i < n; i += 3)
		same = same && b.data[i] == (char)i && b.data[i + 1] == 'a' &&
		       b.data[i + 2] == 'b';
	ok(same && b.len == n, "what was added is there after many growths");
	ok(b.cap <= 2 * n, "no more than twice what is held");

	buf_trim(&b, 10);
	ok(b.cap > n, "trim leaves what is in use");
	b.len = 3;
	buf_trim(&b, 16);
	ok(b.cap == 16 && memcmp(b.data, "\0ab", 3) == 0, "trim gives back the rest");

	b.len = 0;
	buf_printf(&b, "%s-%d", "a string longer than sixteen bytes", 7);
	is(buf_cstr(&b), "a string longer than sixteen bytes-7", "printf makes room");
	ok(b.len == strlen(b.data), "the NUL is not counted");

	buf_free(&b);
	ok(b.data == NULL && b.len == 0 && b.cap == 0, "freed, it is an empty one");
	buf_reserve(&b, (size_t)65 << 20);
	ok(b.cap >= (size_t)65 << 20 && b.cap < (size_t)80 << 20,
	    "a huge one has little slack");
	buf_free(&b);
}

/* In a child, for it ends the program. */
static void
test_oom(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct buf b = { 0 };

		close(STDERR_FILENO);
		buf_reserve(&b, SIZE_MAX / 2);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 111,
	    "out of memory is exit 111");
}

static void
test_utf8(void)
{
	static const struct {
		const char *s;
		bool valid;
	} t[] = {
		{ "", true },
		{ "plain ASCII text of some length", true },
		{ "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", true },
		{ "twelve bytes\xc2\x80", true },
		{ "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf", true },
		{ "\xe0\xa0\x80\xf0\x90\x80\x80", true },
		{ "\x80", false },
		{ "12345678\xff", false },
		{ "\xc0\x80", false }, /* overlong */
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xed\xa0\x80", false }, /* a surrogate */
		{ "\xed\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xc3", false }, /* cut */
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xc3(", false },
		{ "\xe2(\x80", false },
		{ "\xe2\x80(", false },
		{ "\xf0\x9f\x98(", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		/* On the heap without a NUL, so that a sanitizer sees one byte too many.
		 */
		size_t n = strlen(t[i].s);
		char *s = malloc(n ? n : 1);

		memcpy(s, t[i].s, n);
		ok(utf8_valid(s, n) == t[i].valid, "UTF-8 case %zu is %s", i,
		    t[i].valid ? "valid" : "invalid");
		free(s);
	}
	ok(utf8_valid("a\0b", 3), "NUL is a character");
}

static void
test_input(void)
{
	struct fdin in = { 0 };
	int p[2];

	if (pipe(p) != 0)
		exit(1);
	in.fd = p[0];
	ok(fd_prepare(p[0]), "a pipe is made non-blocking");
	ok(fdin_fill(&in, 0) == -1 && errno == EAGAIN && !in.eof,
	    "an empty pipe does not block");
	ok(write(p[1], "abc", 3) == 3 && fdin_fill(&in, 0) == 3, "what is there is read");
	in.off = 1;
	ok(write(p[1], "def", 3) == 3 && fdin_fill(&in, 0) == 3,
	    "more is read behind it");
	ok(in.buf.len - in.off == 5 && memcmp(in.buf.data + in.off, "bcdef", 5) == 0,
	    "what was not consumed stays");
	ok(fdin_fill(&in, SIZE_MAX) == -1 && in.buf.cap < 1 << 20,
	    "memory does not follow what is said to be missing");
	close(p[1]);
	ok(fdin_fill(&in, 0) == 0 && in.eof, "the end is an end");
	buf_free(&in.buf);
	close(p[0]);
}

static void
test_output(void)
{
	struct fdout out = { 0 };
	struct buf got = { 0 };
	size_t total = (size_t)3 << 20;
	bool same = true;
	ssize_t n;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0)
		exit(1);
	out.fd = s[0];
	ok(fd_prepare(s[0]), "a socket is made non-blocking");
	for (size_t i = 0; i < total; i++)
		buf_addc(&out.buf, (char)(i * 7));
	ok(fdout_flush(&out) == 0 && fdout_pending(&out) > 0 &&
		fdout_pending(&out) < total,
	    "a full socket takes a part and does not block");
	while (got.len < total) {
		n = read(s[1], buf_reserve(&got, 65536), 65536);
		if (n <= 0)
			break;
		got.len += (size_t)n;
		if (fdout_flush(&out) != 0)
			break;
	}
	for (size_t i = 0; i < got.len; i++)
		same = same && got.data[i] == (char)(i * 7);
	ok(same && got.len == total && fdout_pending(&out) == 0,
	    "the rest follows, in order");
	ok(out.buf.cap <= 1 << 20, "a buffer grown large is given back");
	close(s[1]);
	buf_addc(&out.buf, 'x');
	ok(fdout_flush(&out) == -1 && errno == EPIPE, "a peer that is gone is EPIPE");
	buf_free(&out.buf);
	buf_free(&got);
	close(s[0]);
}

static void
test_prepare(void)
{
	FILE *f = tmpfile();
	int p[2], status;
	pid_t pid;

	ok(f != NULL && !fd_prepare(fileno(f)) &&
		(fcntl(fileno(f), F_GETFL) & O_NONBLOCK) == 0,
	    "a file is left alone");
	if (f != NULL)
		fclose(f);
	ok(!fd_prepare(-1), "no descriptor is no pipe");

	if (pipe(p) != 0)
		exit(1);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], STDOUT_FILENO);
		exit(fd_prepare(STDOUT_FILENO) &&
			     (fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) != 0
			 ? 0
			 : 1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	    "a child prepares standard output");
	ok((fcntl(p[1], F_GETFL) & O_NONBLOCK) == 0,
	    "a pipe that others write, too, blocks again afterwards");
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_buf();
	test_oom();
	test_utf8();
	test_input();
	test_output();
	test_prepare();
	ok(now_us() > 0 && wall_us() > INT64_C(1500000000000000),
	    "clocks are in microseconds");
	return done_testing();
}
