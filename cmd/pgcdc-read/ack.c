#include <bsd/string.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ack.h"
#include "fdio.h"
#include "log.h"
#include "lsn.h"
#include "usock.h"

#define GREETING_US  ((int64_t)10 * 1000000)
#define NO_WRITER_US ((int64_t)30 * 1000000)
#define HELLO        "pgcdc-ack 1 "

int
ack_listen(struct ack *a, const char *path, const char *run, bool *permanent)
{
	*a = (struct ack) { .path = path, .listen_fd = -1, .fd = -1, .since = now_us() };
	strlcpy(a->run, run, sizeof(a->run));
	a->listen_fd = usock_listen(path, "acks", permanent);
	return a->listen_fd < 0 ? -1 : 0;
}

void
ack_accept(struct ack *a)
{
	int fd = usock_accept(a->listen_fd, a->path);

	if (fd < 0)
		return;
	if (a->fd >= 0) {
		log_warn("refused a second writer", kv_str("socket", a->path));
		close(fd);
	} else {
		a->fd = fd;
		a->greeted = false;
		a->len = 0;
		a->since = now_us();
	}
}

static enum ack_event
drop(struct ack *a, const char *why)
{
	if (why != NULL)
		log_warn(why, kv_str("socket", a->path));
	close(a->fd);
	a->fd = -1;
	a->since = now_us();
	return a->greeted ? ACK_GONE : ACK_NOTHING;
}

/* "ack SEQ LSN", decimal and %X/%X. */
static int
parse_ack(const char *line, uint64_t *seq, uint64_t *lsn)
{
	char *end;

	if (strncmp(line, "ack ", 4) != 0 || line[4] < '0' || line[4] > '9')
		return -1;
	errno = 0;
	*seq = strtoull(line + 4, &end, 10);
	if (errno != 0 || *end != ' ')
		return -1;
	return lsn_parse(end + 1, strlen(end + 1), lsn);
}

static enum ack_event
take_line(struct ack *a, const char *line, uint64_t *seq, uint64_t *lsn)
{
	if (!a->greeted) {
		if (strncmp(line, HELLO, strlen(HELLO)) != 0)
			return drop(a, "refused a peer that does not speak pgcdc-ack 1");
		if (strcmp(line + strlen(HELLO), a->run) != 0)
			return drop(a, "refused a writer of another run");
		a->greeted = true;
		log_debug("the writer is connected", kv_str("socket", a->path));
		return ACK_NOTHING;
	}
	if (parse_ack(line, seq, lsn) != 0)
		return drop(a, "the writer broke the ack protocol");
	return ACK_MOVED;
}

enum ack_event
ack_next(struct ack *a, uint64_t *seq, uint64_t *lsn)
{
	while (a->fd >= 0) {
		char line[sizeof(a->line)], *nl = memchr(a->line, '\n', a->len);
		enum ack_event e;
		ssize_t n;

		if (nl != NULL) {
			uint32_t used = (uint32_t)(nl - a->line) + 1;

			memcpy(line, a->line, used - 1);
			line[used - 1] = '\0';
			a->len -= used;
			memmove(a->line, a->line + used, a->len);
			e = take_line(a, line, seq, lsn);
			if (e != ACK_NOTHING)
				return e;
			continue;
		}
		if (a->len == sizeof(a->line))
			return drop(a, "a peer sent a line that is too long");
		n = read(a->fd, a->line + a->len, sizeof(a->line) - a->len);
		if (n > 0)
			a->len += (uint32_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return ACK_NOTHING;
		else
			return drop(a, NULL);
	}
	return ACK_NOTHING;
}

void
ack_tick(struct ack *a, int64_t now)
{
	if (a->fd >= 0 && !a->greeted && now - a->since > GREETING_US)
		drop(a, "dropped a peer that said nothing");
	if (a->fd < 0 && !a->waiting_said && now - a->since > NO_WRITER_US) {
		log_warn("no writer has connected, so nothing is confirmed",
		    kv_str("socket", a->path), kv_str("remedy", "esbulk-write -a SOCKET"));
		a->waiting_said = true;
	}
}

void
ack_close(struct ack *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->listen_fd >= 0) {
		close(a->listen_fd);
		unlink(a->path);
	}
	a->fd = a->listen_fd = -1;
}
