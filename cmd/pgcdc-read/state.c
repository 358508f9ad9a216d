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
#define MAX_SIZE ((size_t)64 * 1024 * 1024)

static int
damaged(const struct state *s, int line)
{
	log_error("the state file is damaged", kv_str("file", s->path), kv_int("line", line),
	    kv_str("remedy", "restore it, or remove it to go on where the slot is"));
	return -1;
}

/* A number that fits, and the blank behind it. */
static bool
take_number(const char **value, uint32_t *n)
{
	char *end;
	unsigned long v;

	if (**value < '0' || **value > '9')
		return false;
	v = strtoul(*value, &end, 10);
	if (v > UINT32_MAX || *end != ' ')
		return false;
	*n = (uint32_t)v;
	*value = end + 1;
	return true;
}

/* "OID filenode blocks loading print", or "OID filenode blocks loaded". */
static int
take_table(struct state *s, const char *value)
{
	struct state_table t = { 0 }, *entry;
	size_t word;

	if (!take_number(&value, &t.relid) || !take_number(&value, &t.filenode) ||
	    !take_number(&value, &t.blocks))
		return -1;
	word = strcspn(value, " ");
	t.loaded = word == 6 && strncmp(value, "loaded", word) == 0;
	if (!t.loaded && (word != 7 || strncmp(value, "loading", word) != 0))
		return -1;
	value += word;
	if (*value != '\0') {
		char *end;

		errno = 0;
		t.print = strtoll(value + 1, &end, 10);
		if (errno != 0 || end == value + 1 || *end != '\0')
			return -1;
	}
	entry = state_put(s, t.relid);
	*entry = t;
	return 0;
}

/* "OID all moved", two LSNs. */
static int
take_bound(struct state *s, char *value)
{
	char *all = strchr(value, ' '), *moved = all != NULL ? strchr(all + 1, ' ') : NULL, *end;
	unsigned long relid = strtoul(value, &end, 10);
	struct state_bound *b;

	if (moved == NULL || end != all || relid > UINT32_MAX)
		return -1;
	b = state_put_bound(s, (uint32_t)relid);
	return lsn_parse(all + 1, (size_t)(moved - all - 1), &b->all) == 0 &&
	            lsn_parse(moved + 1, strlen(moved + 1), &b->moved) == 0
	    ? 0
	    : -1;
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
	} else if (strcmp(line, "table") == 0) {
		return take_table(s, value);
	} else if (strcmp(line, "fetch") == 0) {
		return take_bound(s, value);
	} else if (strcmp(line, "acked") == 0) {
		return lsn_parse(value, strlen(value), &s->acked);
	} else if (strcmp(line, "seen") == 0) {
		return lsn_parse(value, strlen(value), &s->seen);
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
	struct buf text = { 0 };
	ssize_t n = 0;
	int fd, result;

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
	while (text.len < MAX_SIZE && (n = read(fd, buf_reserve(&text, 4096), 4096)) > 0)
		text.len += (size_t)n;
	if (n < 0)
		log_error("cannot read the state file", kv_str("file", path),
		    kv_str("error", strerror(errno)));
	close(fd);
	result = n < 0 ? -1 : parse(s, buf_cstr(&text));
	buf_free(&text);
	return result;
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

static void
print(const struct state *s, struct buf *b)
{
	char lsn[LSN_STRLEN];

	buf_printf(b, MAGIC "\nsystem %s\nslot %s\ntimeline %" PRIu64 "\nacked %s\n", s->system,
	    s->slot, s->timeline, lsn_print(s->acked, lsn));
	if (s->seen != 0)
		buf_printf(b, "seen %s\n", lsn_print(s->seen, lsn));
	for (size_t i = 0; i < s->n; i++) {
		const struct state_table *t = &s->table[i];

		buf_printf(b, "table %" PRIu32 " %" PRIu32 " %" PRIu32, t->relid, t->filenode,
		    t->blocks);
		if (t->loaded)
			buf_adds(b, " loaded\n");
		else
			buf_printf(b, " loading %" PRId64 "\n", t->print);
	}
	for (size_t i = 0; i < s->bounds; i++) {
		char moved[LSN_STRLEN];

		buf_printf(b, "fetch %" PRIu32 " %s %s\n", s->bound[i].relid,
		    lsn_print(s->bound[i].all, lsn), lsn_print(s->bound[i].moved, moved));
	}
	buf_adds(b, "end\n");
}

int
state_save(struct state *s)
{
	char tmp[PATH_MAX];
	struct buf text = { 0 };
	int fd, result;

	if (s->path == NULL)
		return 0;
	if (snprintf(tmp, sizeof(tmp), "%s.new", s->path) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return failed("cannot write the state file", s->path);
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return failed("cannot write the state file", tmp);
	print(s, &text);
	result = write_all(fd, text.data, text.len);
	buf_free(&text);
	if (result != 0 || fsync(fd) != 0) {
		failed("cannot write the state file", tmp);
		close(fd);
		return -1;
	}
	if (close(fd) != 0 || rename(tmp, s->path) != 0 || sync_directory(s->path) != 0)
		return failed("cannot replace the state file", s->path);
	s->exists = true;
	return 0;
}

/* The first entry that is not below. */
static size_t
place(const struct state *s, uint32_t relid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->table[mid].relid < relid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct state_table *
state_find(const struct state *s, uint32_t relid)
{
	size_t i = place(s, relid);

	return i < s->n && s->table[i].relid == relid ? &s->table[i] : NULL;
}

struct state_table *
state_put(struct state *s, uint32_t relid)
{
	size_t i = place(s, relid);

	if (i < s->n && s->table[i].relid == relid)
		return &s->table[i];
	s->table = xrealloc(s->table, (s->n + 1) * sizeof(*s->table));
	memmove(s->table + i + 1, s->table + i, (s->n - i) * sizeof(*s->table));
	s->n++;
	s->table[i] = (struct state_table) { .relid = relid };
	return &s->table[i];
}

void
state_remove(struct state *s, uint32_t relid)
{
	size_t i = place(s, relid);

	if (i == s->n || s->table[i].relid != relid)
		return;
	s->n--;
	memmove(s->table + i, s->table + i + 1, (s->n - i) * sizeof(*s->table));
}

struct state_bound *
state_find_bound(const struct state *s, uint32_t relid)
{
	for (size_t i = 0; i < s->bounds; i++)
		if (s->bound[i].relid == relid)
			return &s->bound[i];
	return NULL;
}

struct state_bound *
state_put_bound(struct state *s, uint32_t relid)
{
	struct state_bound *b = state_find_bound(s, relid);

	if (b != NULL)
		return b;
	s->bound = xrealloc(s->bound, (s->bounds + 1) * sizeof(*s->bound));
	s->bound[s->bounds] = (struct state_bound) { .relid = relid };
	return &s->bound[s->bounds++];
}

void
state_drop_bounds(struct state *s, uint64_t lsn)
{
	size_t n = 0;

	for (size_t i = 0; i < s->bounds; i++)
		if (s->bound[i].all > lsn || s->bound[i].moved > lsn)
			s->bound[n++] = s->bound[i];
	s->bounds = n;
}

void
state_free(struct state *s)
{
	free(s->bound);
	s->bound = NULL;
	s->bounds = 0;
	free(s->table);
	s->table = NULL;
	s->n = 0;
}
