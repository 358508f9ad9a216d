#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "exitcode.h"
#include "log.h"
#include "notify.h"

#define TAKEN_MS 5000

static int
connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	/* A manager that reads no more must not hold up who has to see to the stages. */
	struct timeval limit = { .tv_sec = TAKEN_MS / 1000 };
	size_t n = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || n < 2 || n > sizeof(to.sun_path) - 1) {
		errno = EINVAL;
		return -1;
	}
	memcpy(to.sun_path, path, n);
	/* An abstract name ends where the address does, a path at its 0. */
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	else
		n++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	n += offsetof(struct sockaddr_un, sun_path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(fd, (struct sockaddr *)&to, (socklen_t)n) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * BARRIER=1 with a descriptor, which the manager closes once it has seen to all that came
 * before (sd_notify(3)); one that does not know it closes it, too.
 */
static void
await_taken(int fd)
{
	static char text[] = "BARRIER=1";
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct pollfd p = { .events = 0 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
	p.fd = sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -1 : ends[0];
	close(ends[1]);
	if (p.fd >= 0)
		(void)poll(&p, 1, TAKEN_MS);
	close(ends[0]);
}

int
notify_send(char *const words[], bool reloading)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct buf text = { 0 };
	struct timespec now;
	int fd, code = EXIT_DONE;

	if (path == NULL || *path == '\0')
		return EXIT_DONE;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (reloading)
		buf_printf(&text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
		    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	for (; *words != NULL; words++)
		buf_printf(&text, "%s\n", *words);
	fd = connect_to(path);
	if (fd < 0 || send(fd, text.data, text.len, MSG_NOSIGNAL) < 0) {
		log_warn("cannot tell the service manager", kv_str("socket", path),
		    kv_str("error", strerror(errno)));
		code = EXIT_TEMPORARY;
	} else {
		await_taken(fd);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	return code;
}
