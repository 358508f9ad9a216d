/*
 * The port for metrics: clients that never read, or say nothing, cost no time, and not much memory,
 * and make room.  Its time is this test's own.
 */
#include <bsd/stdlib.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "fdio.h"
#include "metrics_http.h"
#include "tap.h"

#define LARGE ((size_t)16 * 1024 * 1024) /* more than sockets take */
#define MANY  100

static struct metrics_http *http;
static uint16_t port;
static int64_t now = 1000000000;
static size_t size = 10; /* of the page */
static int made;

static unsigned
make(void *arg, struct buf *out)
{
	(void)arg;
	made++;
	memset(buf_reserve(out, size), 'x', size);
	out->len += size;
	return 200;
}

static int
connect_to(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void
ask(int fd)
{
	static const char text[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

	if (write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		printf("# write: %s\n", strerror(errno));
}

/* As long as there is something to do now; in how many turns. */
static int
run(void)
{
	struct pollfd p = { .fd = metrics_http_fd(http), .events = POLLIN };
	int turns = 0;

	/* What was sent over loopback may need a moment. */
	while (turns < 100000 && (metrics_http_due(http, now) <= now || poll(&p, 1, 50) > 0)) {
		metrics_http_run(http, now);
		turns++;
	}
	return turns;
}

/* Is the connection's end there?  What came before is read. */
static bool
ended(int fd)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static bool
answered(int fd)
{
	char bytes[12];

	return recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes) &&
	    memcmp(bytes, "HTTP/1.1 200", sizeof(bytes)) == 0;
}

static void
test_silent(void)
{
	int fd[MANY], open = 0, last;

	for (int i = 0; i < MANY; i++) {
		fd[i] = connect_to();
		now++;
		if (i % 10 == 9)
			(void)run();
	}
	for (int i = 0; i < MANY; i++)
		open += !ended(fd[i]);
	ok(open > 0 && open <= 32, "of a hundred silent clients few stay: %d", open);
	ok(!ended(fd[MANY - 1]) && ended(fd[0]), "the last ones");
	last = connect_to();
	ask(last);
	ok(run() < 1000, "nobody is waited for");
	ok(answered(last) && ended(last), "who asks is answered");
	ok(metrics_http_due(http, now) > now + 9000000 &&
	        metrics_http_due(http, now) <= now + 10000000,
	    "and there is nothing to do for long");
	now += 10001000;
	(void)run();
	open = 0;
	for (int i = 0; i < MANY; i++) {
		open += !ended(fd[i]);
		close(fd[i]);
	}
	ok(open == 0, "behind it all are let go");
	close(last);
	(void)run();
}

static void
test_deaf(void)
{
	int fd[8];

	size = LARGE;
	made = 0;
	now += 1000000;
	fd[0] = connect_to();
	ask(fd[0]);
	ok(run() < 1000, "a client that never reads a large page keeps nobody busy");
	ok(made == 1 && answered(fd[0]), "it has its beginning");
	for (int i = 1; i < 8; i++) {
		now += 200000;
		fd[i] = connect_to();
		ask(fd[i]);
		(void)run();
	}
	ok(made == 4, "when many hold on to pages, few are made: %d", made);
	now += 10000000;
	(void)run();
	for (int i = 0; i < 8; i++) {
		ok(ended(fd[i]), "it is given up");
		close(fd[i]);
	}
	(void)run();
	ok(metrics_http_due(http, now) == INT64_MAX, "nothing is left");
}

static void
test_fresh(void)
{
	int fd[3];

	size = 10;
	made = 0;
	for (int i = 0; i < 3; i++) {
		now += i == 1 ? 99999 : 1000000;
		fd[i] = connect_to();
		ask(fd[i]);
		(void)run();
		ok(answered(fd[i]), "an answer");
		close(fd[i]);
	}
	ok(made == 2, "a page is made not more often than every tenth of a second");
}

int
main(void)
{
	static const struct metrics_page page = { "/x", "text/plain", make };
	struct metrics_where where = { .n = 1 };
	char text[16];
	bool permanent;

	where.where[0] = text;

	for (int i = 0; i < 100 && http == NULL; i++) {
		port = (uint16_t)(15000 + arc4random_uniform(17000));
		snprintf(text, sizeof(text), "%u", port);
		http = metrics_http_open(&where, &page, 1, NULL, &permanent);
	}
	if (!ok(http != NULL, "it listens"))
		return done_testing();
	test_silent();
	test_deaf();
	test_fresh();
	metrics_http_close(http);
	metrics_http_close(NULL);
	return done_testing();
}
