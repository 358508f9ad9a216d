/*
 * expr -- what conditions are on rows.
 *
 *	expr FRAMES <EXPRESSIONS
 *
 * For each expression, a line, it prints a letter for each row that FRAMES inserts, in
 * their order: t, f, n(ull), a(bsent), ! for a fault; or ? and the problem.
 */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expr.h"
#include "frame.h"

#define ROWS_MAX 100

static struct relations relations;
static const struct relation *relation;
static const msgpack_object *rows[ROWS_MAX];
static size_t n_rows;

static void
die(const char *why)
{
	fprintf(stderr, "expr: %s\n", why);
	exit(1);
}

/* A row outlives its frame: it is decoded again, into memory that is never freed. */
static void
keep_row(const struct frame *f)
{
	msgpack_unpacked *u = xcalloc(1, sizeof(*u));
	char *raw = xmalloc(f->len);
	size_t off = 0;

	memcpy(raw, f->raw, f->len);
	msgpack_unpacked_init(u);
	if (n_rows == ROWS_MAX || msgpack_unpack_next(u, raw, f->len, &off) != MSGPACK_UNPACK_SUCCESS)
		die("too many rows, or none");
	rows[n_rows++] = u->data.via.array.ptr[2].via.array.ptr;
}

static void
read_frames(const char *path)
{
	struct frame_in in = { .in.fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct frame_relation r;
	struct frame f;
	enum frame_result result;

	if (in.in.fd < 0)
		die("cannot open the frames");
	while ((result = frame_next(&in, &f)) == FRAME_OK || result == FRAME_MORE) {
		if (result == FRAME_MORE) {
			if (fdin_fill(&in.in, frame_missing(&in)) < 0)
				die("cannot read the frames");
			continue;
		}
		if (frame_decode(&in, &f) != 0)
			die("cannot decode a frame");
		if (f.letter == FRAME_RELATION && frame_get_relation(&f, &r) == NULL)
			relation = relations_put(&relations, &r);
		else if (f.letter == FRAME_INSERT)
			keep_row(&f);
	}
	if (result != FRAME_EOF || relation == NULL)
		die("these are no frames of a table");
	close(in.in.fd);
	frame_in_free(&in);
}

static void
test(const char *text, size_t len)
{
	struct expr_problem problem;
	struct expr *e = expr_parse(text, len, &problem);
	struct expr_plan *plan = e == NULL ? NULL : expr_bind(e, relation, &problem);

	if (plan == NULL) {
		printf("? %zu: %s\n", problem.offset, problem.message);
	} else {
		for (size_t i = 0; i < n_rows; i++) {
			const struct expr_row row = { .row = rows[i], .inserted = true };

			putchar("ftna!"[expr_test(plan, &row)]);
		}
		putchar('\n');
	}
	expr_free(e);
	expr_plan_free(plan);
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (argc != 2)
		die("usage: expr FRAMES <EXPRESSIONS");
	setlocale(LC_CTYPE, "C.UTF-8");
	read_frames(argv[1]);
	while ((n = getline(&line, &cap, stdin)) > 0)
		test(line, (size_t)(line[n - 1] == '\n' ? n - 1 : n));
	free(line);
	relations_clear(&relations);
	return ferror(stdin) || fclose(stdout) != 0;
}
