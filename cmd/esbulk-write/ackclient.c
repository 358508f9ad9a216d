#include <sys/socket.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ackclient.h"
#include "log.h"
#include "lsn.h"

#define CONNECT_US  INT64_C(10000000)
#define RETRY_US    INT64_C(50000)
#define INTERVAL_US INT64_C(10000)

int
ackclient_hello(struct ackclient *a, const char *run, uint32_t len, int64_t now)
{
	if (a->path == NULL)
		return 0;
	if (len == 0 || len >= sizeof(a->run) || memchr(run, '\n', len) != NULL) {
		log_error("H names no run, so nothing can be acknowledged");
		return -1;
	}
	if (a->give_up != 0) {
		log_error("a second run began on a stream that is acknowledged");
		return -1;
	}
	memcpy(a->run, run, len);
	a->run[len] = '\0';
	a->give_up = now + CONNECT_US;
	a->next_try = now;
	return 0;
}

static int
flush(struct ackclient *a)
{
	while (a->out_len > 0) {
		ssize_t n = send(a->fd, a->out, a->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0) {
			log_error("the reader is gone", kv_str("socket", a->path),
			    kv_str("error", strerror(errno)));
			return -1;
		}
		a->out_len -= (uint32_t)n;
		memmove(a->out, a->out + n, a->out_len);
	}
	return 0;
}

static int
try_connect(struct ackclient *a, int64_t now)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlcpy(sun.sun_path, a->path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path)) {
		log_error("the ack socket's path is too long", kv_str("socket", a->path));
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		a->fd = fd;
		a->out_len = (uint32_t)snprintf(a->out, sizeof(a->out), "pgcdc-ack 1 %s\n",
		    a->run);
		return flush(a);
	}
	if (now >= a->give_up) {
		log_error("cannot connect to the reader", kv_str("socket", a->path),
		    kv_str("error", strerror(errno)));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (fd >= 0)
		close(fd);
	a->next_try = now + RETRY_US;
	return 0;
}

int
ackclient_tick(struct ackclient *a, int64_t now)
{
	if (a->path == NULL || a->give_up == 0 || a->closed)
		return 0;
	if (a->fd < 0)
		return now >= a->next_try ? try_connect(a, now) : 0;
	return flush(a);
}

int
ackclient_send(struct ackclient *a, uint64_t seq, uint64_t lsn, int64_t now, bool at_once)
{
	char text[LSN_STRLEN];

	if (a->path == NULL || a->fd < 0 || seq == a->sent_seq)
		return 0;
	/* Behind a line that did not go whole nothing is lost: a later one says more. */
	if (a->out_len > 0 || (!at_once && now - a->last_sent < INTERVAL_US))
		return flush(a);
	a->out_len = (uint32_t)snprintf(a->out, sizeof(a->out), "ack %" PRIu64 " %s\n", seq,
	    lsn_print(lsn, text));
	a->sent_seq = seq;
	a->sent_lsn = lsn;
	a->last_sent = now;
	return flush(a);
}

int
ackclient_read(struct ackclient *a)
{
	char tmp[256];
	ssize_t n = recv(a->fd, tmp, sizeof(tmp), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	close(a->fd);
	a->fd = -1;
	a->closed = true;
	return -1;
}

bool
ackclient_done(const struct ackclient *a, uint64_t seq)
{
	return a->path == NULL || (a->sent_seq == seq && a->out_len == 0);
}

int64_t
ackclient_due(const struct ackclient *a)
{
	if (a->path == NULL || a->give_up == 0 || a->closed || a->out_len > 0)
		return INT64_MAX;
	return a->fd < 0 ? a->next_try : a->last_sent + INTERVAL_US;
}
