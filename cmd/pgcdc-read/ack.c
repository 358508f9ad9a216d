#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ack.h"
#include "fdio.h"
#include "log.h"
#include "lsn.h"

#define GREETING_US  ((int64_t)10 * 1000000)
#define NO_WRITER_US ((int64_t)30 * 1000000)
#define HELLO        "pgcdc-ack 1 "

static int
failed(const char *what, const char *path)
{
	log_error(what, kv_str("socket", path), kv_str("error", strerror(errno)));
	return -1;
}

/* Remove a socket that a killed reader left.  -1: somebody listens, or it is none. */
static int
remove_stale(const struct sockaddr_un *sun, bool *permanent)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : failed("cannot look at", sun->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		log_error("the ack socket's path is taken by something else",
		    kv_str("path", sun->sun_path));
		*permanent = true;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed("cannot make a socket", sun->sun_path);
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (r == 0) {
		log_error("another reader listens on the ack socket",
		    kv_str("socket", sun->sun_path));
		return -1;
	}
	if (unlink(sun->sun_path) != 0 && errno != ENOENT)
		return failed("cannot remove the old socket", sun->sun_path);
	return 0;
}

int
ack_listen(struct ack *a, const char *path, const char *run, bool *permanent)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	*a = (struct ack) { .path = path, .listen_fd = -1, .fd = -1, .since = now_us() };
	*permanent = false;
	strlcpy(a->run, run, sizeof(a->run));
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path)) {
		*permanent = true;
		errno = ENAMETOOLONG;
		return failed("the ack socket's path is too long", path);
	}
	if (remove_stale(&sun, permanent) != 0)
		return -1;
	a->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->listen_fd < 0)
		return failed("cannot make a socket", path);
	mask = umask(0177);
	r = bind(a->listen_fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (r != 0 || listen(a->listen_fd, 4) != 0) {
		*permanent = errno == EACCES || errno == ENOENT || errno == ENOTDIR ||
		    errno == EROFS;
		failed("cannot listen on the ack socket", path);
		close(a->listen_fd);
		a->listen_fd = -1;
		return -1;
	}
	return 0;
}

void
ack_accept(struct ack *a)
{
	uid_t uid;
	gid_t gid;
	int fd = accept4(a->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (getpeereid(fd, &uid, &gid) != 0 || uid != geteuid()) {
		log_warn("refused a writer of another user", kv_str("socket", a->path),
		    kv_uint("uid", uid));
		close(fd);
	} else if (a->fd >= 0) {
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
