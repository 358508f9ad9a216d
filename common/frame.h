#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "buf.h"
#include "fdio.h"

/*
 * The frames that the programs exchange: MessagePack arrays whose first element is a
 * one-letter string, one behind the other.  pgcdc-frame(5) describes them; this is
 * the one place in the code that knows their layout.
 */

#define FRAME_VERSION 1
/* A longer frame is a damaged length. */
#define FRAME_MAX ((size_t)2 << 30)

/* Extension types of values. */
#define FRAME_EXT_ABSENT 0 /* no data: the server did not send this column */
#define FRAME_EXT_JSON   1 /* JSON text, verbatim */

enum frame_letter {
	FRAME_HELLO = 'H',
	FRAME_RELATION = 'R',
	FRAME_BEGIN = 'B',
	FRAME_INSERT = 'I',
	FRAME_UPDATE = 'U',
	FRAME_DELETE = 'D',
	FRAME_SNAPSHOT_ROW = 'S',
	FRAME_TRUNCATE = 'T',
	FRAME_MESSAGE = 'M',
	FRAME_COMMIT = 'C',
	FRAME_ACTION = 'X',
	FRAME_END = 'E',
	FRAME_ANSWER = 'a',
	FRAME_STATS = 's',
};

/* Bytes inside a frame; ptr is NULL where the frame says nil. */
struct frame_str {
	const char *ptr;
	uint32_t len;
};

/*
 * Reading
 */

enum frame_result {
	FRAME_OK,
	FRAME_MORE, /* the rest has not arrived: fdin_fill, then again */
	FRAME_EOF,  /* the input ended behind a frame */
	FRAME_CUT,  /* the input ended inside a frame */
	FRAME_BAD,  /* no frame: error says why */
};

/* A stream of frames from a descriptor.  Zero it, set in.fd, frame_in_free at the end. */
struct frame_in {
	struct fdin in;
	uint64_t offset;   /* of the next frame in the stream, bytes */
	size_t pos;        /* scanned so far of the frame at in.off */
	uint64_t need;     /* values of it still to be scanned */
	bool scanning;
	msgpack_zone zone; /* of the values decoded last */
	bool zone_ready;
	msgpack_object *value; /* of the row that frame_next_row took last */
	size_t values;         /* so many have room there */
	const char *error;
};

/* A frame: points into the reader's buffer, valid until the next frame_next or fill. */
struct frame {
	char letter;
	const char *raw;
	size_t len;
	uint64_t offset;
	/* Set by frame_decode: the elements behind the letter. */
	const msgpack_object *field;
	uint32_t fields;
};

/* Take the next frame from what is buffered. */
enum frame_result frame_next(struct frame_in *, struct frame *)
    __attribute__((warn_unused_result));

/* How many bytes the frame that FRAME_MORE stands for misses, as far as known. */
size_t frame_missing(const struct frame_in *);

/*
 * Decode the elements.  0, or -1 with error set: nested too deep, a float cut short...
 * The objects live until the next frame_decode.
 */
int frame_decode(struct frame_in *, struct frame *) __attribute__((warn_unused_result));

/*
 * The next frame at once, if it is a row whose values are not nested, and has arrived whole:
 * what frame_next and frame_decode would make of it.  The objects live until the next one.
 * False: nothing was taken, so ask frame_next, whatever it is.
 */
bool frame_next_row(struct frame_in *, struct frame *) __attribute__((warn_unused_result));

void frame_in_free(struct frame_in *);

/* Which element behind the letter, from 0, is an LSN; -1: none of this letter's. */
int frame_lsn_field(char letter);

/*
 * The frames, decoded.  Each frame_get_* takes a frame that frame_decode has seen and
 * returns NULL, or what is wrong with it: a sentence fragment for an error message.
 */

struct frame_hello {
	uint64_t version;
	struct frame_str run, from, system, database, slot;
	uint64_t timeline;
	uint64_t server;
	const msgpack_object *publications; /* an array of strings, or NULL */
};

struct frame_column {
	struct frame_str name, type;
	uint32_t type_oid;
	int32_t typmod;
	bool in_identity;
	/*
	 * What a type that is not PostgreSQL's own is made of: an OID, or a map of fields'
	 * names to the same, or to nil; NULL: not known.  For reading.
	 */
	const msgpack_object *base;
};

struct frame_relation {
	uint32_t relid;
	struct frame_str schema, table;
	char identity; /* 'd' default, 'f' full, 'i' index, 'n' nothing */
	uint32_t columns;
	const msgpack_object *column; /* see frame_get_column */
	uint32_t key_columns;         /* 0 when there is no primary key */
	const msgpack_object *key;    /* see frame_get_key */
};

struct frame_begin {
	uint64_t lsn;    /* of the commit record */
	int64_t time;    /* microseconds since 1970 UTC */
	bool has_xid;    /* else a snapshot's chunk */
	uint32_t xid;
};

struct frame_row {
	uint32_t relid;
	/* Arrays with one value for each column; NULL where there is none. */
	const msgpack_object *new, *old;
};

struct frame_truncate {
	uint32_t relids;
	const msgpack_object *relid; /* integers */
	bool cascade, restart_identity;
};

struct frame_message {
	struct frame_str prefix, content;
	uint64_t lsn;
	bool transactional;
};

struct frame_commit {
	uint64_t lsn; /* end of the commit: what gets confirmed */
	uint64_t seq;
};

enum frame_op { OP_INDEX, OP_CREATE, OP_UPDATE, OP_DELETE, OP_REJECT, OP_COUNT };
enum frame_versioned { VERSION_FROM_UNIT, VERSION_NONE, VERSION_GIVEN };

struct frame_action {
	enum frame_op op;
	bool has_relid;
	uint32_t relid;
	struct frame_str index, id, routing, body;
	enum frame_versioned versioned;
	uint64_t version;
	const msgpack_object *more; /* a map, or NULL */
};

struct frame_end {
	uint64_t lsn;
	struct frame_str reason;
};

const char *frame_get_hello(const struct frame *, struct frame_hello *);
const char *frame_get_relation(const struct frame *, struct frame_relation *);
const char *frame_get_begin(const struct frame *, struct frame_begin *);
/* I, U, D and S. */
const char *frame_get_row(const struct frame *, struct frame_row *);
const char *frame_get_truncate(const struct frame *, struct frame_truncate *);
const char *frame_get_message(const struct frame *, struct frame_message *);
const char *frame_get_commit(const struct frame *, struct frame_commit *);
const char *frame_get_action(const struct frame *, struct frame_action *);
const char *frame_get_end(const struct frame *, struct frame_end *);

/*
 * The next frame at once, if it is an action without more that has arrived whole: what
 * frame_next, frame_decode (but for field and fields) and frame_get_action would make of it.
 * False: nothing was taken, so ask frame_next, whatever it is.
 */
bool frame_next_action(struct frame_in *, struct frame *, struct frame_action *)
    __attribute__((warn_unused_result));

/* Column i of a relation that frame_get_relation has checked. */
void frame_get_column(const struct frame_relation *, uint32_t i, struct frame_column *);
/* The column number, from 0, of part i of the primary key. */
uint32_t frame_get_key(const struct frame_relation *, uint32_t i);

/* Is this value the marker of what the server did not send? */
static inline bool
frame_is_absent(const msgpack_object *o)
{
	return o->type == MSGPACK_OBJECT_EXT && o->via.ext.type == FRAME_EXT_ABSENT;
}

extern const char *const frame_op_names[OP_COUNT];

/*
 * Writing: each appends to a buffer, in the canonical (shortest) encoding.
 */

/* For msgpack_packer_init, with a struct buf as its data. */
static inline int
frame_write(void *data, const char *p, size_t n)
{
	buf_add(data, p, n);
	return 0;
}

static inline void
frame_put_array(struct buf *b, size_t n)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_array(&pk, n);
}

static inline void
frame_put_map(struct buf *b, size_t n)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_map(&pk, n);
}

static inline void
frame_put_uint(struct buf *b, uint64_t v)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_uint64(&pk, v);
}

static inline void
frame_put_int(struct buf *b, int64_t v)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_int64(&pk, v);
}

static inline void
frame_put_float(struct buf *b, double v)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_double(&pk, v);
}

static inline void
frame_put_bool(struct buf *b, bool v)
{
	buf_addc(b, v ? '\xc3' : '\xc2');
}

static inline void
frame_put_nil(struct buf *b)
{
	buf_addc(b, '\xc0');
}

static inline void
frame_put_str(struct buf *b, const char *s, size_t n)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_str(&pk, n);
	buf_add(b, s, n);
}

static inline void
frame_put_cstr(struct buf *b, const char *s)
{
	frame_put_str(b, s, strlen(s));
}

/* nil where s.ptr is NULL. */
static inline void
frame_put_str_or_nil(struct buf *b, struct frame_str s)
{
	if (s.ptr == NULL)
		frame_put_nil(b);
	else
		frame_put_str(b, s.ptr, s.len);
}

static inline void
frame_put_bin(struct buf *b, const char *p, size_t n)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_bin(&pk, n);
	buf_add(b, p, n);
}

static inline void
frame_put_ext(struct buf *b, int8_t type, const char *p, size_t n)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_ext(&pk, n, type);
	buf_add(b, p, n);
}

static inline void
frame_put_absent(struct buf *b)
{
	frame_put_ext(b, FRAME_EXT_ABSENT, "", 0);
}

/* The head of any frame: its letter and the number of elements behind it. */
static inline void
frame_put_head(struct buf *b, char letter, size_t fields)
{
	char *p = buf_reserve(b, 3);

	p[0] = (char)(0x90 | (fields + 1));
	p[1] = '\xa1';
	p[2] = letter;
	b->len += 3;
}

void frame_put_hello(struct buf *, const struct frame_hello *, const char *const *publications,
    size_t n_publications);
void frame_put_begin(struct buf *, const struct frame_begin *);
void frame_put_commit(struct buf *, const struct frame_commit *);
void frame_put_end(struct buf *, uint64_t lsn, const char *reason);
/*
 * A relation's head; columns frame_put_column calls follow, then frame_put_key.
 */
void frame_put_relation(struct buf *, uint32_t relid, const char *schema, const char *table,
    char identity, size_t columns);
/* Without base: if that follows, it is the caller's to put. */
void frame_put_column(struct buf *, const struct frame_column *, bool base_follows);
/* Column numbers from 0; n 0 when there is no primary key. */
void frame_put_key(struct buf *, const uint32_t *column, size_t n);
void frame_put_message(struct buf *, const struct frame_message *);
/* Without more; for an action with it, more_pairs > 0 and the pairs follow. */
void frame_put_action(struct buf *, const struct frame_action *, size_t more_pairs);
/*
 * An action without more in parts, for who renders in place: this, then index, id,
 * version, routing and body, each a frame_put_* or a string between begin and end.
 */
void frame_put_action_start(struct buf *, enum frame_op, bool has_relid, uint32_t relid);

/*
 * A string whose length shows only once it is written: begin returns where it starts (and
 * sets room aside), then bytes are appended, then end puts the head before them.  guess is
 * how many bytes the head will have (1, 2, 3 or 5); a wrong one costs a move.  end returns
 * the right one.
 */
size_t frame_str_begin(struct buf *, unsigned guess);
unsigned frame_str_end(struct buf *, size_t start, unsigned guess);

#endif
