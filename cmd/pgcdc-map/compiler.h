#ifndef COMPILER_H
#define COMPILER_H

#include "buf.h"
#include "log.h"
#include "plan.h"

/*
 * What plan.c and plan_document.c share while they compile one plan.
 */

struct compiler {
	struct plan *plan;
	const char *file;
	const struct rule *rule;
	const struct relation *relation;
	struct problems *problems; /* where they are collected; NULL: a stream is mapped */
	struct buf place; /* file:line:col, for logs */
};

/* file:line:col, valid until the next call. */
const char *compiler_place(struct compiler *, struct mark);

/* Leave an error; in the plan the first one stays. */
void compiler_fail(struct compiler *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Warn of what may be a slip: collected, or a line of the log with this level.  remedy: what
 * to do about it, or NULL.
 */
void compiler_warn(struct compiler *, enum log_level, struct mark, const char *remedy,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The statement that makes old rows whole. */
char *compiler_full_remedy(const struct relation *) __attribute__((warn_unused_result));

/* Compile a template. */
void compiler_text(
    struct compiler *, const struct template *, const char *what, struct plan_text *);

void compiler_free_text(struct plan_text *);

/* The document of the rule's fields; a script's params and upsert. */
void compiler_document(struct compiler *);
void compiler_given(struct compiler *, const struct given *object, struct plan_document *);

void compiler_free_document(struct plan_document *);

#endif
