#ifndef LSN_H
#define LSN_H

#include <stddef.h>
#include <stdint.h>

/*
 * A log sequence number: a byte position in PostgreSQL's write-ahead log, 0
 * where there is none.  Text is two hexadecimal halves, "16/B374D848", as
 * pg_lsn has it (src/backend/utils/adt/pg_lsn.c).
 */

#define LSN_STRLEN 18 /* "FFFFFFFF/FFFFFFFF" and the NUL */

/* Parse exactly len bytes of text; 0, or -1 when they are no LSN. */
int lsn_parse(const char *text, size_t len, uint64_t *lsn)
    __attribute__((warn_unused_result));

/* Print into out and return it. */
char *lsn_print(uint64_t lsn, char out[static LSN_STRLEN]);

#endif
