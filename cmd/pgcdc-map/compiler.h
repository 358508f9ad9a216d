#ifndef COMPILER_H
#define COMPILER_H

#include "buf.h"
#include "plan.h"

/*
 * What plan.c and plan_document.c share while they compile one plan.
 */

struct compiler {
	struct plan *plan;
	const char *file;
	const struct rule *rule;
	const struct relation *relation;
	struct buf place; /* file:line:col, for logs */
};

/* file:line:col, valid until the next call. */
const char *compiler_place(struct compiler *, struct mark);

/* Leave an error; the first one stays. */
void compiler_fail(struct compiler *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Compile a template. */
void compiler_text(
    struct compiler *, const struct template *, const char *what, struct plan_text *);

void compiler_free_text(struct plan_text *);

/* The document of the rule's fields; a script's params and upsert. */
void compiler_document(struct compiler *);
void compiler_given(struct compiler *, const struct given *object, struct plan_document *);

void compiler_free_document(struct plan_document *);

#endif
