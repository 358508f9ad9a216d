#include <sys/stat.h>

#include <bsd/string.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "log.h"
#include "lsn.h"
#include "state.h"

#define MAGIC "pgcdc-state 1"
#define MAX_SIZE 65536

static int
damaged(const struct state *s, int line)
{
	log_error("the state file is damaged", kv_str("file", s->path), kv_int("line", line),
	    kv_str("remedy", "restore it, or remove it to go on where the slot is"));
	return -1;
}

/* One "key value" line; unknown keys are of a later version and matter to it only. */
static int
take_line(struct state *s, char *line)
{
	char *value = strchr(line, ' '), *end;

	if (value == NULL)
		return -1;
	*value++ = '\0';
	if (strcmp(line, "system") == 0) {
		if (strlcpy(s->system, value, sizeof(s->system)) >= sizeof(s->system))
			return -1;
	} else if (strcmp(line, "slot") == 0) {
		if (strlcpy(s->slot, value, sizeof(s->slot)) >= sizeof(s->slot))
			return -1;
	} else if (strcmp(line, "timeline") == 0) {
		errno = 0;
		s->timeline = strtoull(value, &end, 10);
		if (errno != 0 || *end != '\0' || end == value)
			return -1;
	} else if (strcmp(line, "acked") == 0) {
		return lsn_parse(value, strlen(value), &s->acked);
	}
	return 0;
}

static int
parse(struct state *s, char *text)
{
	char *line;
	int n = 0;
	bool ended = false;

	while ((line = strsep(&text, "\n")) != NULL && !ended) {
		n++;
		if (n == 1) {
			if (strcmp(line, MAGIC) != 0)
				return damaged(s, n);
		} else if (strcmp(line, "end") == 0) {
			ended = true;
		} else if (take_line(s, line) != 0) {
			return damaged(s, n);
		}
	}
	if (!ended || s->system[0] == '\0' || s->slot[0] == '\0' || s->acked == 0)
		return damaged(s, n);
	s->exists = true;
	return 0;
}

int
state_load(struct state *s, const char *path)
{
	char text[MAX_SIZE + 1];
	ssize_t n = 0;
	size_t len = 0;
	int fd;

	*s = (struct state) { .path = path };
	if (path == NULL)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		log_error("cannot open the state file", kv_str("file", path),
		    kv_str("error", strerror(errno)));
		return -1;
	}
	while (len < MAX_SIZE && (n = read(fd, text + len, MAX_SIZE - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		log_error("cannot read the state file", kv_str("file", path),
		    kv_str("error", strerror(errno)));
	close(fd);
	if (n < 0)
		return -1;
	text[len] = '\0';
	return parse(s, text);
}

static int
failed(const char *what, const char *path)
{
	log_error(what, kv_str("file", path), kv_str("error", strerror(errno)));
	return -1;
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int
sync_directory(const char *path)
{
	char dir[PATH_MAX];
	int fd, r;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

int
state_save(struct state *s)
{
	char tmp[PATH_MAX], text[512], lsn[LSN_STRLEN];
	int fd, n;

	if (s->path == NULL)
		return 0;
	n = snprintf(text, sizeof(text),
	    MAGIC "\nsystem %s\nslot %s\ntimeline %" PRIu64 "\nacked %s\nend\n", s->system,
	    s->slot, s->timeline, lsn_print(s->acked, lsn));
	if (snprintf(tmp, sizeof(tmp), "%s.new", s->path) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return failed("cannot write the state file", s->path);
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return failed("cannot write the state file", tmp);
	if (write_all(fd, text, (size_t)n) != 0 || fsync(fd) != 0) {
		failed("cannot write the state file", tmp);
		close(fd);
		return -1;
	}
	if (close(fd) != 0 || rename(tmp, s->path) != 0 || sync_directory(s->path) != 0)
		return failed("cannot replace the state file", s->path);
	s->exists = true;
	return 0;
}
