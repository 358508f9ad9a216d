#ifndef BLOCKS_H
#define BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Memory for the documents' bytes: blocks of graded sizes cut from large pieces
 * and kept on free lists, so that a write costs no malloc.  Never returns NULL.
 */
struct blocks;

struct blocks *blocks_new(void);
void blocks_free(struct blocks *);

/* A block for at least n bytes and its size class. */
char *blocks_get(struct blocks *, size_t n, uint16_t *size_class);
/* What a block of this class holds. */
size_t blocks_size(uint16_t size_class);
void blocks_put(struct blocks *, char *block, uint16_t size_class);

/* n zeroed bytes on 2 MiB pages where the system has them; ended by free(). */
void *huge_zeroed(size_t n);

#endif
