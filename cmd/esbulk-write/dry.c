#include <errno.h>
#include <poll.h>
#include <string.h>

#include "dry.h"
#include "exitcode.h"
#include "log.h"

void
dry_put(struct dry *d, const struct action_line *l, struct frame_str body)
{
	struct buf *b = &d->out.buf;

	buf_add(b, l->text.data, l->text.len);
	if (body.ptr == NULL)
		return;
	buf_add(b, body.ptr, body.len);
	buf_addc(b, '\n');
}

int
dry_flush(struct dry *d)
{
	while (fdout_pending(&d->out) > 0) {
		struct pollfd p = { .fd = d->out.fd, .events = POLLOUT };

		if (fdout_flush(&d->out) != 0) {
			log_error("cannot write to standard output", kv_str("error", strerror(errno)));
			return EXIT_TEMPORARY;
		}
		/* Somebody made it so that it does not block. */
		if (fdout_pending(&d->out) > 0)
			(void)poll(&p, 1, -1);
	}
	return -1;
}
