#include <errno.h>
#include <poll.h>

#include "stream.h"

#define ENOUGH ((size_t)256 * 1024)

/* Wait for input, or these events of the output, which are returned. */
static short
wait_for(struct stream *s, int in, short out_events)
{
	struct pollfd p[3] = {
		{ .fd = s->o.fd, .events = out_events },
		{ .fd = in, .events = POLLIN },
		{ .fd = s->wake, .events = POLLIN },
	};

	while (poll(p, 3, -1) < 0) {
		if (errno != EINTR) {
			s->error = errno;
			return 0;
		}
	}
	if (p[2].revents != 0)
		s->error = EINTR;
	return p[0].revents;
}

void
stream_flush(struct stream *s)
{
	while (s->error == 0 && fdout_pending(&s->o) > 0) {
		if (fdout_flush(&s->o) != 0)
			s->error = errno;
		else if (fdout_pending(&s->o) > 0)
			/* An error on it shows as such at the write that follows. */
			(void)wait_for(s, -1, POLLOUT);
	}
	if (s->error != 0)
		s->o.off = s->o.buf.len = 0;
}

void
stream_room(struct stream *s)
{
	if (fdout_pending(&s->o) >= ENOUGH)
		stream_flush(s);
}

void
stream_wait(struct stream *s, int in)
{
	short revents = wait_for(s, in, 0);

	/* The other end was closed: said now, not when there is something to write. */
	if (s->error == 0 && (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		s->error = EPIPE;
}
