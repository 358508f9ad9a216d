/*
 * changes: how many rows pg_recvlogical's output of pgoutput's messages, on standard input,
 * has: inserts, updates and deletes, their values as text.  A message that it does not know, and an
 * end in the middle of one, are errors.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void die(const char *what)
{
	fprintf(stderr, "changes: %s\n", what);
	exit(1);
}

static int byte(void)
{
	int c = getchar_unlocked();

	if (c == EOF)
		die("an early end");
	return c;
}

static void skip(uint32_t n)
{
	while (n-- > 0)
		byte();
}

static void skip_string(void)
{
	while (byte() != '\0')
		;
}

static uint32_t number(int bytes)
{
	uint32_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | (uint32_t)byte();
	return n;
}

static void tuple(void)
{
	for (uint32_t n = number(2); n > 0; n--) {
		int kind = byte();

		if (kind == 't')
			skip(number(4));
		else if (kind != 'n' && kind != 'u')
			die("an unknown value");
	}
}

/* A row's old tuple, if it has one, and its new one, if it has one. */
static void row(int kind)
{
	int part;

	number(4);
	part = byte();
	if (part == 'K' || part == 'O') {
		tuple();
		if (kind == 'D')
			return;
		part = byte();
	}
	if (part != 'N')
		die("an unknown tuple");
	tuple();
}

static void relation(void)
{
	number(4);
	skip_string();
	skip_string();
	byte();
	for (uint32_t n = number(2); n > 0; n--) {
		byte();
		skip_string();
		skip(8);
	}
}

static void message(int kind, bool *streamed, unsigned long long *rows)
{
	/* What is inside of a stream says of which transaction it is. */
	if (*streamed && (kind == 'I' || kind == 'U' || kind == 'D' || kind == 'R'))
		number(4);
	switch (kind) {
	case 'B': skip(20); break;
	case 'C': skip(25); break;
	case 'R': relation(); break;
	case 'I':
	case 'U':
	case 'D':
		row(kind);
		++*rows;
		break;
	case 'S':
		*streamed = true;
		skip(5);
		break;
	case 'E': *streamed = false; break;
	case 'c': skip(29); break;
	default: die("an unknown message");
	}
	if (byte() != '\n')
		die("no end of a message");
}

int main(void)
{
	unsigned long long rows = 0;
	bool streamed = false;
	int kind;

	while ((kind = getchar_unlocked()) != EOF)
		message(kind, &streamed, &rows);
	if (ferror(stdin))
		die("cannot read");
	printf("%llu\n", rows);
	return 0;
}
