/*
 * The reader's ack socket.  The input: a byte that sizes are made of, then what a peer sends.  It
 * is read twice, in pieces and with as much at once as the socket has, which must give the same;
 * and whatever is said, nothing is taken for stored that was not emitted, nor taken back.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ack.h"
#include "buf.h"
#include "support.h"
#include "units.h"

#define RUN     "0123456789abcdef0123456789abcdef"
#define EMITTED 9

/* What came of it. */
struct told {
	uint64_t moves, stored, stored_lsn;
	bool refused, gone, greeted;
};

static uint64_t
lsn_of(uint64_t seq)
{
	return (UINT64_C(0x16) << 32) + seq * 64;
}

static struct units
emitted(void)
{
	struct units u = { .stored_lsn = 1 };

	for (uint64_t seq = 1; seq <= EMITTED; seq++)
		units_add(&u, seq, lsn_of(seq), 0);
	return u;
}

/* Take what has come. */
static void
take(struct ack *a, struct units *u, struct told *t)
{
	uint64_t seq = 0, lsn = 0, before = u->stored;
	enum ack_event e = ACK_NOTHING;

	while (!t->refused && !t->gone && (e = ack_next(a, &seq, &lsn)) == ACK_MOVED) {
		check(a->greeted && a->fd >= 0);
		if (units_stored(u, seq, lsn) == 0) {
			check(seq >= before && seq <= EMITTED && u->stored == seq);
			check(seq == 0 || lsn == lsn_of(seq));
			before = seq;
			t->moves++;
		} else {
			check(u->stored == before);
			t->refused = true;
		}
	}
	t->gone = t->gone || e == ACK_GONE;
	check(e != ACK_GONE || (a->fd < 0 && a->greeted));
}

/* seed: of the sizes of the pieces; 0: all at once. */
static struct told
run(const uint8_t *data, size_t size, uint32_t seed)
{
	struct ack a = { .path = "fuzz", .run = RUN, .listen_fd = -1 };
	struct units u = emitted();
	struct told t = { 0 };
	int fd[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	a.fd = fd[0];
	for (size_t at = 0, n; at < size && a.fd >= 0 && !t.refused; at += n) {
		n = size - at;
		if (seed != 0) {
			seed = seed * 1103515245U + 12345U;
			n = 1 + (seed >> 16) % 60;
		}
		if (n > size - at)
			n = size - at;
		/* Who was dropped cannot be written to. */
		check(send(fd[1], data + at, n, MSG_NOSIGNAL) == (ssize_t)n);
		take(&a, &u, &t);
	}
	t.greeted = a.greeted;
	t.stored = u.stored;
	t.stored_lsn = u.stored_lsn;
	if (a.fd >= 0)
		close(a.fd);
	close(fd[1]);
	free(u.lsn);
	free(u.time);
	return t;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told whole, pieces;

	if (size == 0)
		return 0;
	whole = run(data + 1, size - 1, 0);
	pieces = run(data + 1, size - 1, data[0] + 1U);
	check(whole.moves == pieces.moves && whole.stored == pieces.stored);
	check(whole.stored_lsn == pieces.stored_lsn && whole.greeted == pieces.greeted);
	check(whole.refused == pieces.refused && whole.gone == pieces.gone);
	return 0;
}
