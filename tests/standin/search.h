#ifndef SEARCH_H
#define SEARCH_H

#include "request.h"

/*
 * Searches, without a word of scores: all documents of some indexes, or those with a
 * member of one value, in the order of their coming, page by page.
 */

/* Is the index named by an expression such as "a,b*"?  "" and _all name all. */
bool search_named(const char *expression, const struct index *);

/* The request's index expression; NULL after an answer that one is not there. */
const char *search_expression(struct request *);

/* What the query says about sources: NULL none, "" all, else patterns. */
const char *search_source(const struct request *);

/* /{index}/_search, and /_search/scroll: the next page, or (DELETE) no more. */
void search_request(struct request *);
void search_on(struct request *);

/* documents.c: the index if it is there, and the answer that it is not. */
struct index *documents_existing(struct request *, struct slice name);
void documents_missing(struct request *, struct slice index, const char *kind);

#endif
