#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "usock.h"

#define BACKLOG 64

static int
failed(const char *doing, const char *what, const char *path)
{
	log_error(doing, kv_str("for", what), kv_str("socket", path),
	    kv_str("error", strerror(errno)));
	return -1;
}

/* Remove a socket that a killed program left.  -1: somebody listens, or it is none. */
static int
remove_stale(const struct sockaddr_un *sun, const char *what, bool *permanent)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : failed("cannot look at a path", what, sun->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		log_error("a socket's path is taken by something else", kv_str("for", what),
		    kv_str("path", sun->sun_path));
		*permanent = true;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed("cannot make a socket", what, sun->sun_path);
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (r == 0) {
		log_error("another program listens on the socket", kv_str("for", what),
		    kv_str("socket", sun->sun_path));
		return -1;
	}
	if (unlink(sun->sun_path) != 0 && errno != ENOENT)
		return failed("cannot remove the old socket", what, sun->sun_path);
	return 0;
}

int
usock_listen(const char *path, const char *what, bool *permanent)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	*permanent = false;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path)) {
		*permanent = true;
		errno = ENAMETOOLONG;
		return failed("a socket's path is too long", what, path);
	}
	if (remove_stale(&sun, what, permanent) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed("cannot make a socket", what, path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (r != 0 || listen(fd, BACKLOG) != 0) {
		*permanent = errno == EACCES || errno == ENOENT || errno == ENOTDIR ||
		    errno == EROFS;
		failed("cannot listen on a socket", what, path);
		close(fd);
		return -1;
	}
	return fd;
}

int
usock_accept(int listen_fd, const char *path)
{
	uid_t uid;
	gid_t gid;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	if (getpeereid(fd, &uid, &gid) != 0 || uid != geteuid()) {
		log_warn("refused a peer of another user", kv_str("socket", path),
		    kv_uint("uid", uid));
		close(fd);
		return -1;
	}
	return fd;
}
