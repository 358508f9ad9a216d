/*
 * Finding and decoding frames.  The input: a byte that the sizes of the pieces are made of,
 * then a stream of frames.  It is read twice, whole and in pieces, which must give the same;
 * and what is read as an action at once must be what is found and decoded.
 */
#include "support.h"

/* What frame_next said: the frame, or why there is none. */
struct step {
	enum frame_result result;
	char letter;
	size_t len;
	uint64_t offset;
	const char *error;
};

static struct step *steps;
static size_t n_steps, cap_steps;

static struct step
next(struct frame_in *in, struct frame *f)
{
	struct support_action action = support_try_action(in);
	struct step s = { .result = frame_next(in, f) };

	support_check_action(&action, in, s.result, f);
	if (s.result == FRAME_OK) {
		s.letter = f->letter;
		s.len = f->len;
		s.offset = f->offset;
		check(f->raw + f->len <= in->in.buf.data + in->in.off);
	} else if (s.result == FRAME_BAD) {
		check(in->error != NULL);
		s.error = in->error;
	}
	return s;
}

static void
remember(struct step s)
{
	if (n_steps == cap_steps) {
		cap_steps = cap_steps ? cap_steps * 2 : 64;
		steps = xrealloc(steps, cap_steps * sizeof(*steps));
	}
	steps[n_steps++] = s;
}

/*
 * As fdin_fill does, but into memory of exactly that size, so that a step beyond it shows;
 * what was consumed is gone.
 */
static void
feed(struct frame_in *in, const uint8_t *data, size_t n)
{
	size_t left = in->in.buf.len - in->in.off;
	char *p = xmalloc(left + n);

	if (left > 0)
		memcpy(p, in->in.buf.data + in->in.off, left);
	if (n > 0)
		memcpy(p + left, data, n);
	free(in->in.buf.data);
	in->in.buf = (struct buf) { .data = p, .len = left + n, .cap = left + n };
	in->in.off = 0;
	in->in.eof = n == 0;
}

static void
read_whole(const uint8_t *data, size_t size)
{
	struct frame_in in = { 0 };
	struct frame f;
	struct step s;

	n_steps = 0;
	feed(&in, data, size);
	in.in.eof = true;
	do {
		s = next(&in, &f);
		remember(s);
		if (s.result == FRAME_OK)
			(void)support_touch(&in, &f);
	} while (s.result == FRAME_OK);
	check(s.result != FRAME_MORE);
	frame_in_free(&in);
}

/* One to some bytes; now and then many. */
static size_t
piece(uint32_t *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return 1 + (*seed >> 16) % ((*seed >> 28) == 0 ? 2000 : 40);
}

static void
read_pieces(const uint8_t *data, size_t size, uint32_t seed)
{
	struct frame_in in = { 0 };
	struct frame f;
	struct step s = { .result = FRAME_MORE };
	size_t missing = 0;

	for (size_t at = 0, i = 0; i < n_steps;) {
		size_t n = piece(&seed);

		if (n > size - at)
			n = size - at;
		feed(&in, data + at, n);
		at += n;
		while ((s = next(&in, &f)).result != FRAME_MORE) {
			check(i < n_steps && s.result == steps[i].result);
			check(s.letter == steps[i].letter && s.len == steps[i].len);
			check(s.offset == steps[i].offset && s.error == steps[i].error);
			/* It is no frame before what it missed has come. */
			check(s.result != FRAME_OK || n >= missing);
			missing = 0;
			i++;
			if (s.result != FRAME_OK)
				break;
		}
		if (s.result != FRAME_MORE)
			break;
		check(!in.in.eof);
		missing = frame_missing(&in);
	}
	check(s.result != FRAME_MORE);
	frame_in_free(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	read_whole(data + 1, size - 1);
	read_pieces(data + 1, size - 1, data[0]);
	return 0;
}
