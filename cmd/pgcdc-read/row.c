#include <stdlib.h>

#include "frame.h"
#include "row.h"

/* Read a TupleData into t, which keeps pointing into the message. */
static void
read_tuple(struct tuple *t, struct wire *w)
{
	size_t n = wire_u16(w);

	if (n > t->cap) {
		t->column = xrealloc(t->column, n * sizeof(*t->column));
		t->cap = n;
	}
	t->columns = n;
	for (size_t i = 0; i < n && !w->bad; i++) {
		struct tuple_column *c = &t->column[i];

		c->kind = (char)wire_u8(w);
		switch (c->kind) {
		case 't':
			c->len = wire_u32(w);
			c->text = wire_bytes(w, c->len);
			break;
		case 'n':
		case 'u': break;
		default: w->bad = true; /* 'b' is not asked for */
		}
	}
}

/* Only the identity's columns are in a key tuple; the others look like nulls. */
static void
mark_absent(struct tuple *t, const struct relation *r)
{
	for (size_t i = 0; i < t->columns; i++)
		if (!r->column[i].in_identity)
			t->column[i].kind = 'a';
}

/*
 * A partition's key comes as a whole row where its root has REPLICA IDENTITY FULL: a null can be
 * a value that was not sent.
 */
static void
mark_unsure(struct tuple *t)
{
	for (size_t i = 0; i < t->columns; i++)
		if (t->column[i].kind == 'n')
			t->column[i].kind = 'a';
}

/*
 * What the old row knows of columns whose TOAST did not change: all of them when it is full;
 * of a key, its own.  A value that is stored apart is no null.
 */
static void
complete_from_old(struct row *row)
{
	for (size_t i = 0; i < row->new.columns; i++)
		if (row->new.column[i].kind == 'u' && row->old.column[i].kind == 't')
			row->new.column[i] = row->old.column[i];
}

/*
 * Insert: relid 'N' tuple.  Update: relid, 'K' or 'O' with the old tuple or neither, 'N'
 * tuple.  Delete: relid, 'K' or 'O' tuple.
 */
const char *
row_read(struct row *row, struct relations *rs, char letter, struct wire *w)
{
	uint32_t relid = wire_u32(w);
	char part = (char)wire_u8(w);
	struct relation *r = relations_find(rs, relid);

	row->letter = letter;
	row->relation = r;
	row->old_part = 0;
	if (w->bad || r == NULL)
		return "a row of an unknown table";
	if (part == 'K' || part == 'O') {
		row->old_part = part;
		read_tuple(&row->old, w);
		if (w->bad || letter == 'I' || row->old.columns != r->columns)
			return "an old tuple";
		if (part == 'K')
			mark_absent(&row->old, r);
		else if (r->mixed)
			mark_unsure(&row->old);
		part = letter == 'U' ? (char)wire_u8(w) : 0;
	}
	if (letter == 'D')
		return row->old_part != 0 ? NULL : "Delete";
	if (part != 'N')
		return "a new tuple";
	read_tuple(&row->new, w);
	if (w->bad || row->new.columns != r->columns)
		return "a new tuple";
	if (row->old_part != 0)
		complete_from_old(row);
	return NULL;
}

bool
row_lacks(const struct row *row)
{
	if (row->letter != 'D')
		for (size_t i = 0; i < row->new.columns; i++)
			if (row->new.column[i].kind != 't' && row->new.column[i].kind != 'n')
				return true;
	return false;
}

static void
put_tuple(struct buf *out, const struct relation *r, const struct tuple *t)
{
	frame_put_array(out, t->columns);
	for (size_t i = 0; i < t->columns; i++) {
		const struct tuple_column *c = &t->column[i];

		switch (c->kind) {
		case 't': value_put(out, r->column[i].type, c->text, c->len); break;
		case 'n': frame_put_nil(out); break;
		default: frame_put_absent(out); break;
		}
	}
}

void
row_put(struct buf *out, const struct row *row)
{
	const struct relation *r = row->relation;

	frame_put_head(out, row->letter, row->letter == 'U' ? 3 : 2);
	frame_put_uint(out, r->relid);
	if (row->letter != 'D')
		put_tuple(out, r, &row->new);
	if (row->old_part != 0)
		put_tuple(out, r, &row->old);
	else if (row->letter == 'U')
		frame_put_nil(out);
}

void
row_free(struct row *row)
{
	free(row->new.column);
	free(row->old.column);
	*row = (struct row) { 0 };
}
