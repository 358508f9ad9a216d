#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <stdlib.h>

#include "exitcode.h"
#include "log.h"
#include "published.h"
#include "session.h"
#include "usock.h"

#define MAX_LINE ((size_t)1024 * 1024)
#define MAX_OUT  ((size_t)64 * 1024) /* while so much of answers is not taken, nothing is asked */

int
control_open(struct reader *r)
{
	struct control *c = &r->control;
	bool permanent;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		c->client[i].fd = -1;
	c->path = r->o->control_path;
	c->listen_fd = -1;
	if (c->path == NULL)
		return GO_ON;
	c->listen_fd = usock_listen(c->path, "control", &permanent);
	if (c->listen_fd >= 0)
		return GO_ON;
	return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

static void
drop(struct control_client *k)
{
	close(k->fd);
	buf_free(&k->in);
	buf_free(&k->out);
	*k = (struct control_client) { .fd = -1 };
}

static int
snapshot(struct reader *r, struct control_client *k, const char *list)
{
	char **name, *trouble;
	size_t names = published_split(list, &name), n;
	int code = GO_ON;

	if (names == 0)
		buf_adds(&k->out, "error snapshot needs the names of tables\n");
	else if (snapshot_ask(r, name, names, &n, &trouble, &code))
		buf_printf(&k->out, "ok %zu\n", n);
	else
		buf_printf(&k->out, "error %s%s\n",
		    code != GO_ON || r->ended != NULL || !session_streams(r) ? "later: " : "", trouble);
	if (names > 0)
		free(trouble);
	published_free_names(name, names);
	return code;
}

/* A name may hold anything: a line end would end the answer. */
static void
put_name(struct buf *b, const char *name)
{
	for (; *name != '\0'; name++)
		buf_addc(b, *name == '\n' || *name == '\r' ? ' ' : *name);
}

static void
status(const struct reader *r, struct control_client *k)
{
	static const char *const states[] = { [TABLE_BARRED] = "waiting",
		[TABLE_UNKNOWN] = "waiting", [TABLE_READING] = "loading", [TABLE_READ] = "storing",
		[TABLE_LOADED] = "loaded", [TABLE_FAILED] = "failed" };
	const struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < s->tables; i++) {
		const struct table *t = s->table[i];

		if (t->name == NULL)
			continue;
		buf_adds(&k->out, "table ");
		put_name(&k->out, t->name);
		buf_printf(&k->out, " %s %u %u %llu\n", states[t->state],
		    t->measured ? emit_done(s, t) : 0, t->blocks, (unsigned long long)t->rows);
	}
	buf_adds(&k->out, "ok\n");
}

static int
take_line(struct reader *r, struct control_client *k, char *line)
{
	size_t n = strlen(line);

	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	if (strncmp(line, "snapshot", 8) == 0 && (line[8] == ' ' || line[8] == '\0'))
		return snapshot(r, k, line + 8);
	if (strcmp(line, "status") == 0)
		status(r, k);
	else
		buf_adds(&k->out, "error unknown request: snapshot TABLE..., status\n");
	return GO_ON;
}

/* Lines that came whole, while answers are taken. */
static int
take_lines(struct reader *r, struct control_client *k)
{
	int code = GO_ON;
	char *end;

	while (code == GO_ON && k->in.len > 0 && k->out.len < MAX_OUT &&
	    (end = memchr(k->in.data, '\n', k->in.len)) != NULL) {
		size_t used = (size_t)(end - k->in.data) + 1;

		*end = '\0';
		code = take_line(r, k, k->in.data);
		k->in.len -= used;
		memmove(k->in.data, k->in.data + used, k->in.len);
	}
	return code;
}

/* false: the client is gone. */
static bool
put_answers(struct control_client *k)
{
	size_t sent = 0;
	ssize_t n = 0;

	while (sent < k->out.len &&
	    (n = write(k->fd, k->out.data + sent, k->out.len - sent)) > 0)
		sent += (size_t)n;
	if (sent > 0) {
		k->out.len -= sent;
		memmove(k->out.data, k->out.data + sent, k->out.len);
	}
	if (k->out.len == 0)
		buf_trim(&k->out, MAX_OUT);
	return k->out.len == 0 || n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* A line that is too long is not kept, but read to its end, so that the client can read why. */
static void
skip_long(struct control_client *k)
{
	const char *end = k->in.len > 0 ? memchr(k->in.data, '\n', k->in.len) : NULL;
	size_t used = end != NULL ? (size_t)(end - k->in.data) + 1 : k->in.len;

	if (!k->skips && (end != NULL || k->in.len <= MAX_LINE))
		return;
	k->skips = end == NULL && !k->ended;
	k->in.len -= used;
	if (used > 0)
		memmove(k->in.data, k->in.data + used, k->in.len);
	buf_trim(&k->in, MAX_OUT);
	if (!k->skips)
		buf_printf(&k->out, "error a request has more than %zu bytes\n", MAX_LINE);
}

/* Read and answer, as far as it goes.  The client is dropped when there is nothing more. */
static int
serve_client(struct reader *r, struct control_client *k)
{
	char bytes[4096];
	ssize_t n = 0;
	int code = GO_ON;
	bool there;
	size_t before;

	k->used = ++r->control.uses;
	if (!k->ended && k->out.len < MAX_OUT) {
		n = read(k->fd, bytes, sizeof(bytes));
		if (n > 0)
			buf_add(&k->in, bytes, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			k->ended = true;
	}
	/* What was written may make room for more of what was asked. */
	do {
		skip_long(k);
		before = k->in.len;
		code = take_lines(r, k);
		there = put_answers(k);
	} while (there && code == GO_ON && k->in.len < before);
	if (!there || (k->ended && k->out.len == 0))
		drop(k);
	return code;
}

/* Is what came, and was not read, nothing but that? */
static bool
asks_for_status(const struct control_client *k)
{
	static const char line[] = "status\n";
	char bytes[64 * (sizeof(line) - 1)];
	ssize_t n = k->in.len == 0 ? recv(k->fd, bytes, sizeof(bytes), MSG_PEEK) : -1;
	size_t at = 0;

	while (n > 0 && at < (size_t)n && (size_t)n - at >= sizeof(line) - 1 &&
	    memcmp(bytes + at, line, sizeof(line) - 1) == 0)
		at += sizeof(line) - 1;
	return n >= 0 && at == (size_t)n;
}

void
control_poll(const struct reader *r, struct pollfd *p)
{
	const struct control *c = &r->control;

	p[0] = (struct pollfd) { .fd = c->path != NULL ? c->listen_fd : -1, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *k = &c->client[i];

		p[i + 1] = (struct pollfd) { .fd = c->path != NULL ? k->fd : -1,
			.events = (short)((k->ended || k->out.len >= MAX_OUT ? 0 : POLLIN) |
			    (k->out.len > 0 ? POLLOUT : 0)) };
	}
}

static void
take_client(struct control *c)
{
	struct control_client *k = &c->client[0];
	int fd = usock_accept(c->listen_fd, c->path);

	if (fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS && k->fd >= 0; i++)
		if (c->client[i].fd < 0 || c->client[i].used < k->used)
			k = &c->client[i];
	if (k->fd >= 0)
		drop(k);
	*k = (struct control_client) { .fd = fd, .used = ++c->uses };
}

static int
serve(struct reader *r, const struct pollfd *p, bool idle)
{
	struct control *c = &r->control;
	int code = GO_ON;

	c->serving = true;
	for (size_t i = 0; i < CONTROL_CLIENTS && code == GO_ON; i++)
		if (p[i + 1].fd >= 0 && p[i + 1].fd == c->client[i].fd && p[i + 1].revents != 0 &&
		    (!idle || r->server.standby || asks_for_status(&c->client[i])))
			code = serve_client(r, &c->client[i]);
	if (p[0].revents != 0)
		take_client(c);
	c->serving = false;
	return code;
}

int
control_serve(struct reader *r, const struct pollfd *p)
{
	return r->control.path != NULL ? serve(r, p, false) : GO_ON;
}

void
control_idle(struct reader *r)
{
	struct pollfd p[CONTROL_POLLED];

	if (r->control.path == NULL || r->control.serving)
		return;
	control_poll(r, p);
	if (poll(p, CONTROL_POLLED, 0) > 0)
		(void)!serve(r, p, true);
}

void
control_close(struct reader *r)
{
	struct control *c = &r->control;

	if (c->path == NULL || c->listen_fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].fd >= 0)
			drop(&c->client[i]);
	close(c->listen_fd);
	unlink(c->path);
	c->listen_fd = -1;
}
