#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "blocks.h"
#include "buf.h"

/* Classes 2k and 2k+1 hold 32 and 48 shifted left by k; the pieces are cut on. */
enum { CLASSES = 60, CUT_CLASSES = 26, PIECE = 4 << 20, HUGE = 2 << 20 };

struct blocks {
	char *free_list[CLASSES]; /* linked through their first bytes */
	char **pieces;
	size_t n_pieces;
	size_t left; /* bytes not yet cut from the last piece */
};

void *
huge_zeroed(size_t n)
{
	void *p;

	if (n < HUGE)
		return xcalloc(1, n);
	n = (n + HUGE - 1) & ~(size_t)(HUGE - 1);
	if (posix_memalign(&p, HUGE, n) != 0)
		oom();
	/* A large table is hit at random: small pages would cost a TLB miss a hit. */
	madvise(p, n, MADV_HUGEPAGE);
	memset(p, 0, n);
	return p;
}

struct blocks *
blocks_new(void)
{
	return xcalloc(1, sizeof(struct blocks));
}

void
blocks_free(struct blocks *b)
{
	for (size_t i = 0; i < b->n_pieces; i++)
		free(b->pieces[i]);
	free(b->pieces);
	free(b);
}

size_t
blocks_size(uint16_t size_class)
{
	return (size_t)(size_class & 1 ? 48 : 32) << (size_class >> 1);
}

static void
add_piece(struct blocks *b, size_t n)
{
	b->pieces = xrealloc(b->pieces, (b->n_pieces + 1) * sizeof(*b->pieces));
	b->pieces[b->n_pieces++] = huge_zeroed(n);
}

char *
blocks_get(struct blocks *b, size_t n, uint16_t *size_class)
{
	uint16_t grade = 0;
	size_t size;
	char *p;

	if (n > 32)
		grade = (uint16_t)((58 - __builtin_clzll(n - 1)) * 2 + 2);
	if (grade > 0 && blocks_size((uint16_t)(grade - 1)) >= n)
		grade--;
	if (grade >= CLASSES)
		oom();
	*size_class = grade;
	size = blocks_size(grade);
	p = b->free_list[grade];
	if (p != NULL) {
		memcpy(&b->free_list[grade], p, sizeof(b->free_list[grade]));
		return p;
	}
	if (grade >= CUT_CLASSES) {
		/* A piece of its own, put before the one that is being cut. */
		add_piece(b, size);
		p = b->pieces[b->n_pieces - 1];
		if (b->n_pieces > 1) {
			b->pieces[b->n_pieces - 1] = b->pieces[b->n_pieces - 2];
			b->pieces[b->n_pieces - 2] = p;
		}
		return p;
	}
	if (b->left < size) {
		add_piece(b, PIECE);
		b->left = PIECE;
	}
	b->left -= size;
	return b->pieces[b->n_pieces - 1] + b->left;
}

void
blocks_put(struct blocks *b, char *block, uint16_t size_class)
{
	memcpy(block, &b->free_list[size_class], sizeof(b->free_list[size_class]));
	b->free_list[size_class] = block;
}
