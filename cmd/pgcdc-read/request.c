#include <sys/socket.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "exitcode.h"
#include "log.h"
#include "request.h"

static int
failed(const char *what, const char *path)
{
	log_error(what, kv_str("socket", path), kv_str("error", strerror(errno)));
	return EXIT_TEMPORARY;
}

static int
send_line(int fd, const char *line)
{
	struct buf b = { 0 };
	size_t sent = 0;
	ssize_t n = 0;

	buf_adds(&b, line);
	buf_addc(&b, '\n');
	while (sent < b.len && (n = send(fd, b.data + sent, b.len - sent, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	buf_free(&b);
	return n > 0 && shutdown(fd, SHUT_WR) == 0 ? 0 : -1;
}

/* Print what comes, and judge it by its last line. */
static int
take_answer(FILE *in, const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	int code = -1;

	while (getline(&line, &cap, in) > 0) {
		code = strncmp(line, "ok", 2) == 0 ? EXIT_DONE
		    : strncmp(line, "error later: ", 13) == 0 ? EXIT_TEMPORARY
		    : strncmp(line, "error ", 6) == 0 ? EXIT_PERMANENT
						      : -1;
		if (fputs(line, code > EXIT_DONE ? stderr : stdout) == EOF) {
			code = -1;
			break;
		}
	}
	free(line);
	if (fflush(stdout) != 0)
		return EXIT_TEMPORARY;
	if (code < 0)
		log_error("the reader ended before it answered", kv_str("socket", path));
	return code < 0 ? EXIT_TEMPORARY : code;
}

int
request_send(const char *path, const char *line)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, code;
	FILE *in;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		(void)failed("the socket's path is too long", path);
		return EXIT_PERMANENT;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed("cannot make a socket", path);
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		code = failed("no reader listens for requests", path);
		close(fd);
		return code;
	}
	if (send_line(fd, line) != 0 || (in = fdopen(fd, "r")) == NULL) {
		code = failed("cannot send the request", path);
		close(fd);
		return code;
	}
	code = take_answer(in, path);
	(void)fclose(in);
	return code;
}
