#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "lsn.h"
#include "state.h"

/* The file is put aside, not removed: what is in it may be wanted. */
static void
put_aside(const struct check *c, struct buf *b)
{
	struct buf old = { 0 };

	buf_printf(&old, "%s.old", c->o->state_path);
	buf_adds(b, "run: mv ");
	finding_put_word(b, c->o->state_path);
	buf_addc(b, ' ');
	finding_put_word(b, buf_cstr(&old));
	buf_free(&old);
}

static void
stale(struct check *c, bool other_log, const char *what, const char *detail)
{
	struct buf remedy = { 0 };

	put_aside(c, &remedy);
	buf_adds(&remedy, "\nthen load the tables anew: PGCDC_SNAPSHOT=initial, or --snapshot initial");
	if (other_log)
		buf_adds(&remedy, ", with a higher --version-epoch of esbulk-write");
	finding(&c->f, FINDING_ERROR, "state", buf_cstr(&remedy), "%s: %s%s", c->o->state_path,
	    what, detail);
	buf_free(&remedy);
}

static uint64_t
lsn_of(const PGresult *res, int column)
{
	const char *text = PQgetvalue(res, 0, column);
	uint64_t lsn;

	return lsn_parse(text, strlen(text), &lsn) == 0 ? lsn : 0;
}

/* Is what the file says true of this server and slot? */
static void
compare(struct check *c, const struct state *st)
{
	uint64_t furthest = st->seen > st->acked ? st->seen : st->acked, confirmed, end;
	char lsn[LSN_STRLEN], system[32];
	PGresult *res = check_ask(
	    c, "state", "SELECT system_identifier FROM pg_catalog.pg_control_system()");

	if (res == NULL)
		return;
	snprintf(system, sizeof(system), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	if (strcmp(system, st->system) != 0) {
		stale(c, true, "it is of another server, whose system identifier is ", st->system);
		return;
	}
	if (strcmp(c->o->slot, st->slot) != 0) {
		stale(c, false, "it is of another slot, ", st->slot);
		return;
	}
	if (PQntuples(c->slot) == 0) {
		stale(c, false, "the slot is gone that it tells of, so changes are missing", "");
		return;
	}
	confirmed = lsn_of(c->slot, CHECK_SLOT_FLUSH);
	end = lsn_of(c->slot, CHECK_SLOT_LOG_END);
	/* A reader may have written it since that was asked for. */
	if (furthest > end && !c->ours)
		stale(c, true, "the server's log ends before what was taken from it, at ",
		    lsn_print(end, lsn));
	else if (confirmed > st->acked && !c->ours)
		finding(&c->f, FINDING_WARNING, "state",
		    "if another reader did that, nothing; else load the tables anew: --snapshot "
		    "initial --snapshot-again",
		    "%s: the slot is ahead of it, at %s: another reader moved it, or it was made anew "
		    "and changes are missing",
		    c->o->state_path, lsn_print(confirmed, lsn));
	else
		finding(&c->f, FINDING_OK, "state", NULL, "%s: everything before %s is stored",
		    c->o->state_path, lsn_print(st->acked, lsn));
}

void
check_state(struct check *c)
{
	char *copy, *directory;
	struct state st;
	struct buf remedy = { 0 };

	if (c->o->state_path == NULL) {
		finding(&c->f, FINDING_WARNING, "state", "name one: --state FILE",
		    "there is no state file: a server that was replaced is not noticed");
		return;
	}
	copy = xstrdup(c->o->state_path);
	directory = dirname(copy);
	finding_directory(&c->f, "state", directory, "the state file",
	    "name another: PGCDC_STATE, or --state");
	if (access(c->o->state_path, F_OK) != 0 && errno == ENOENT) {
		finding(&c->f, FINDING_OK, "state", NULL, "%s is not there yet", c->o->state_path);
	} else if (state_load(&st, c->o->state_path) != 0) {
		put_aside(c, &remedy);
		buf_adds(&remedy, "\nthen load the tables anew: PGCDC_SNAPSHOT=initial, or --snapshot "
		                  "initial");
		finding(&c->f, FINDING_ERROR, "state", buf_cstr(&remedy),
		    "%s cannot be read, or is damaged", c->o->state_path);
	} else {
		if (c->slot != NULL)
			compare(c, &st);
		state_free(&st);
	}
	buf_free(&remedy);
	free(copy);
}
