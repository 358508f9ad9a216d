#ifndef CONVERT_H
#define CONVERT_H

#include "plan.h"
#include "render.h"

/*
 * Values in another form than their type's: types, split, join and flatten of a rule.
 */

/* Append the value as JSON in the form that the name's conversion says; flatten is none. */
enum render_result convert_json(struct buf *, const msgpack_object *, struct value_class,
    const struct column_name *, struct renderer *) __attribute__((warn_unused_result));

/*
 * Append the members of an object as members of the document, ,"prefix name":value each; a
 * value that is no object becomes the field itself, and null is nothing.
 */
enum render_result convert_flatten(struct buf *, const msgpack_object *,
    const struct plan_document *, const struct plan_field *, struct renderer *)
    __attribute__((warn_unused_result));

/*
 * Do members of several flattened columns in the document b have one name?  They are those
 * that renderer->names has, which is to be emptied before a document.
 */
enum render_result convert_check_flat(const struct buf *b, struct renderer *)
    __attribute__((warn_unused_result));

#endif
