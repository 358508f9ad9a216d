#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "exitcode.h"
#include "log.h"
#include "lsn.h"
#include "options.h"
#include "published.h"

enum {
	OPT_STATE = 256,
	OPT_ENDPOS,
	OPT_UNTIL_CAUGHT_UP,
	OPT_CREATE_SLOT,
	OPT_CREATE_PUBLICATION,
	OPT_ACCEPT_GAP,
	OPT_SOLE_OWNER,
	OPT_MESSAGES,
	OPT_SLOT_CHECK,
	OPT_DRAIN,
	OPT_PROTO,
	OPT_ORIGIN,
	OPT_FAILOVER,
	OPT_TOAST,
	OPT_SPOOL_MEM,
	OPT_SPOOL_DIR,
	OPT_SNAPSHOT,
	OPT_SNAPSHOT_TABLES,
	OPT_SNAPSHOT_WORKERS,
	OPT_SNAPSHOT_CHUNK_BYTES,
	OPT_SNAPSHOT_MAX_RATE,
	OPT_SNAPSHOT_MAX_LAG,
	OPT_SNAPSHOT_AGAIN,
	OPT_CONTROL,
	OPT_REQUEST,
	OPT_METRICS,
	OPT_CHECK,
	OPT_SETUP,
	OPT_DROP,
	OPT_FINDINGS,
};

static const struct option longopts[] = {
	{ "dbname", required_argument, NULL, 'd' },
	{ "slot", required_argument, NULL, 's' },
	{ "publication", required_argument, NULL, 'p' },
	{ "ack", required_argument, NULL, 'a' },
	{ "output", required_argument, NULL, 'o' },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "endpos", required_argument, NULL, OPT_ENDPOS },
	{ "until-caught-up", no_argument, NULL, OPT_UNTIL_CAUGHT_UP },
	{ "create-slot", no_argument, NULL, OPT_CREATE_SLOT },
	{ "create-publication", required_argument, NULL, OPT_CREATE_PUBLICATION },
	{ "accept-gap", no_argument, NULL, OPT_ACCEPT_GAP },
	{ "sole-owner", no_argument, NULL, OPT_SOLE_OWNER },
	{ "messages", no_argument, NULL, OPT_MESSAGES },
	{ "slot-check-interval", required_argument, NULL, OPT_SLOT_CHECK },
	{ "drain", required_argument, NULL, OPT_DRAIN },
	{ "proto", required_argument, NULL, OPT_PROTO },
	{ "origin", required_argument, NULL, OPT_ORIGIN },
	{ "failover", no_argument, NULL, OPT_FAILOVER },
	{ "toast", required_argument, NULL, OPT_TOAST },
	{ "spool-mem", required_argument, NULL, OPT_SPOOL_MEM },
	{ "spool-dir", required_argument, NULL, OPT_SPOOL_DIR },
	{ "snapshot", required_argument, NULL, OPT_SNAPSHOT },
	{ "snapshot-tables", required_argument, NULL, OPT_SNAPSHOT_TABLES },
	{ "snapshot-workers", required_argument, NULL, OPT_SNAPSHOT_WORKERS },
	{ "snapshot-chunk-bytes", required_argument, NULL, OPT_SNAPSHOT_CHUNK_BYTES },
	{ "snapshot-max-rate", required_argument, NULL, OPT_SNAPSHOT_MAX_RATE },
	{ "snapshot-max-lag", required_argument, NULL, OPT_SNAPSHOT_MAX_LAG },
	{ "snapshot-again", no_argument, NULL, OPT_SNAPSHOT_AGAIN },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "request", required_argument, NULL, OPT_REQUEST },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "setup", optional_argument, NULL, OPT_SETUP },
	{ "drop", optional_argument, NULL, OPT_DROP },
	{ "findings", no_argument, NULL, OPT_FINDINGS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: pgcdc-read -d CONNINFO -s SLOT -p PUBLICATION[,...] [-a SOCKET | -o FILE]\n"
    "\n"
    "Write the changes of a PostgreSQL database as frames to standard output.\n"
    "\n"
    "  -d, --dbname CONNINFO        how to connect (else PGCDC_CONNINFO, libpq's environment)\n"
    "  -s, --slot SLOT              the logical replication slot (plugin pgoutput)\n"
    "  -p, --publication LIST       publications, joined by commas\n"
    "  -a, --ack SOCKET             confirm what the writer acknowledges on this socket\n"
    "  -o, --output FILE            append to FILE, confirm what is safely in it\n"
    "      --state FILE             keep the position and the server's identity in FILE\n"
    "      --endpos LSN             stop before the first commit at or behind LSN\n"
    "      --until-caught-up        stop where the server's log ended at the start\n"
    "      --create-slot            make the slot where it is missing\n"
    "      --create-publication T   make the publication for tables T (a,b or *)\n"
    "      --accept-gap             go on where changes are known to be missing\n"
    "      --sole-owner             nobody else moves the slot: else stop\n"
    "      --messages               pass on pg_logical_emit_message()\n"
    "      --origin none|any        none: leave out what came from elsewhere (any)\n"
    "      --toast mark|fetch       large values that did not change: mark as absent, or\n"
    "                               fetch from the table (mark)\n"
    "      --failover               with --create-slot: synchronized to standbys (17)\n"
    "      --proto N                pgoutput's protocol, 1 to 4 (the server's newest)\n"
    "      --spool-mem BYTES        memory for transactions in progress (8388608)\n"
    "      --spool-dir DIR          files for what is beyond that (TMPDIR, /tmp)\n"
    "      --snapshot initial|never|only  load the tables first, or never; only: then end\n"
    "                               (never)\n"
    "      --snapshot-tables LIST   those tables alone: a,b.c,\"D\".e\n"
    "      --snapshot-workers N     read so many chunks at a time (2)\n"
    "      --snapshot-chunk-bytes N of so many bytes (1048576)\n"
    "      --snapshot-max-rate N    rows a second that are read at most\n"
    "      --snapshot-max-lag N     rest while the slot is so many bytes behind (268435456)\n"
    "      --snapshot-again         what the state file says is loaded, too\n"
    "      --control SOCKET         take requests on this socket: snapshot TABLE..., status\n"
    "      --request LINE           send one to the reader that listens there, and end\n"
    "      --metrics [ADDRESS:]PORT answer requests for /metrics and /status (of 127.0.0.1), or\n"
    "                               on the Unix socket of this path, with a slash in it\n"
    "      --slot-check-interval MS look that often whether a busy slot is free (3000)\n"
    "      --drain SECONDS          at the end, wait that long for the last ack (30)\n"
    "      --check                  look for what is missing, say how to mend it, and end\n"
    "      --setup[=print]          make publication and slot, or show the SQL, and end\n"
    "      --drop[=print]           the reverse\n"
    "      --findings               what these say, for programs: four fields with tabs\n"
    "  -v, --verbose                say more\n"
    "  -h, --help                   this text\n"
    "  -V, --version                the version\n";

static void usage_error(const char *msg, const char *what) __attribute__((noreturn));

static void
usage_error(const char *msg, const char *what)
{
	log_error(msg, kv_str("option", what), kv_str("help", "pgcdc-read -h"));
	exit(EXIT_PERMANENT);
}

static void range_error(const char *what, long min, long max) __attribute__((noreturn));

static void
range_error(const char *what, long min, long max)
{
	log_error("not a number in the option's range", kv_str("option", what), kv_int("min", min),
	    kv_int("max", max), kv_str("help", "pgcdc-read -h"));
	exit(EXIT_PERMANENT);
}

static long
number(const char *text, const char *what, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max)
		range_error(what, min, max);
	return n;
}

/* One of two words; is it the second? */
static bool
second(const char *text, const char *what, const char *first_word, const char *second_word)
{
	if (strcmp(text, first_word) != 0 && strcmp(text, second_word) != 0)
		usage_error("not one of the option's words", what);
	return strcmp(text, second_word) == 0;
}

/* Split at commas; an empty name is a mistake. */
static void
split_publications(struct options *o, const char *list)
{
	const char *p = list;

	/* Given twice, the later one counts. */
	while (o->n_publications > 0)
		free(o->publications[--o->n_publications]);
	for (;;) {
		size_t n = strcspn(p, ",");

		if (n == 0)
			usage_error("an empty publication name", list);
		o->publications = xrealloc(
		    o->publications, (o->n_publications + 1) * sizeof(*o->publications));
		o->publications[o->n_publications++] = xstrndup(p, n);
		if (p[n] == '\0')
			return;
		p += n + 1;
	}
}

static void
check_tables(const char *list)
{
	char **name;
	size_t names = published_split(list, &name);

	published_free_names(name, names);
	if (names == 0)
		usage_error("no table is named", "--snapshot-tables");
}

static void
check(const struct options *o)
{
	if (o->request != NULL) {
		if (o->control_path == NULL)
			usage_error("give it with --control", "--request");
		return;
	}
	if (o->slot == NULL)
		usage_error("the slot is missing", "-s SLOT");
	if (o->n_publications == 0)
		usage_error("the publication is missing", "-p PUBLICATION");
	if (o->ack_path != NULL && o->out_path != NULL)
		usage_error("a file confirms by itself: give one of", "-a, -o");
	if (o->create_publication != NULL && o->n_publications != 1)
		usage_error("only one publication can be made", "--create-publication");
	if (o->failover && !o->create_slot)
		usage_error("it is the slot's that is made: give it with --create-slot", "--failover");
	if (o->endpos != 0 && o->until_caught_up)
		usage_error("give one of", "--endpos, --until-caught-up");
	/* What is read now is not what was there then. */
	if (o->endpos != 0 && o->snapshot != SNAPSHOT_NEVER)
		usage_error("give one of", "--endpos, --snapshot");
	if ((o->snapshot_tables != NULL || o->snapshot_again) && o->snapshot == SNAPSHOT_NEVER)
		usage_error("give it with --snapshot initial or only",
		    o->snapshot_again ? "--snapshot-again" : "--snapshot-tables");
	if (o->snapshot_tables != NULL)
		check_tables(o->snapshot_tables);
}

static enum snapshot_mode
snapshot_mode(const char *text)
{
	static const char *const words[] = { [SNAPSHOT_NEVER] = "never",
		[SNAPSHOT_INITIAL] = "initial", [SNAPSHOT_ONLY] = "only" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return (enum snapshot_mode)i;
	usage_error("not one of the option's words", "--snapshot");
}

static void
take_snapshot(struct options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_SNAPSHOT: o->snapshot = snapshot_mode(arg); break;
	case OPT_SNAPSHOT_TABLES: o->snapshot_tables = arg; break;
	case OPT_SNAPSHOT_WORKERS:
		o->snapshot_workers = (size_t)number(arg, "--snapshot-workers", 1, 16);
		break;
	case OPT_SNAPSHOT_CHUNK_BYTES:
		o->snapshot_chunk =
		    (uint64_t)number(arg, "--snapshot-chunk-bytes", 1, (long)1 << 30);
		break;
	case OPT_SNAPSHOT_MAX_RATE:
		o->snapshot_max_rate =
		    (uint64_t)number(arg, "--snapshot-max-rate", 0, (long)1 << 40);
		break;
	case OPT_SNAPSHOT_MAX_LAG:
		o->snapshot_max_lag =
		    (uint64_t)number(arg, "--snapshot-max-lag", 0, (long)1 << 50);
		break;
	case OPT_SNAPSHOT_AGAIN: o->snapshot_again = true; break;
	case OPT_METRICS:
		if (!metrics_where_add(&o->metrics, arg))
			usage_error("too many of them, at most 4", "--metrics");
		break;
	case OPT_CONTROL: o->control_path = arg; break;
	case OPT_REQUEST: o->request = arg; break;
	default: usage_error("an option that is not known", NULL);
	}
}

static void
take_errand(struct options *o, enum errand errand, const char *arg)
{
	if (o->errand != ERRAND_NONE && o->errand != errand)
		usage_error("give one of", "--check, --setup, --drop");
	if (arg != NULL && strcmp(arg, "print") != 0)
		usage_error("not the option's word, which is print",
		    errand == ERRAND_SETUP ? "--setup" : "--drop");
	o->errand = errand;
	o->print |= arg != NULL;
}

static void
take_long(struct options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_STATE: o->state_path = arg; break;
	case OPT_ENDPOS:
		if (lsn_parse(arg, strlen(arg), &o->endpos) != 0 || o->endpos == 0)
			usage_error("not an LSN such as 16/B374D848", "--endpos");
		break;
	case OPT_UNTIL_CAUGHT_UP: o->until_caught_up = true; break;
	case OPT_CREATE_SLOT: o->create_slot = true; break;
	case OPT_CREATE_PUBLICATION: o->create_publication = arg; break;
	case OPT_ACCEPT_GAP: o->accept_gap = true; break;
	case OPT_SOLE_OWNER: o->sole_owner = true; break;
	case OPT_MESSAGES: o->messages = true; break;
	case OPT_SLOT_CHECK:
		o->slot_check_ms = (int)number(arg, "--slot-check-interval", 1, INT_MAX);
		break;
	case OPT_DRAIN: o->drain_ms = 1000 * (int)number(arg, "--drain", 0, 86400); break;
	case OPT_PROTO: o->proto = (int)number(arg, "--proto", 1, 4); break;
	case OPT_ORIGIN: o->no_origin = second(arg, "--origin", "any", "none"); break;
	case OPT_FAILOVER: o->failover = true; break;
	case OPT_TOAST: o->toast_fetch = second(arg, "--toast", "mark", "fetch"); break;
	case OPT_SPOOL_MEM:
		o->spool_mem = (size_t)number(arg, "--spool-mem", 0, (long)1 << 40);
		break;
	case OPT_SPOOL_DIR: o->spool_dir = arg; break;
	case OPT_CHECK: take_errand(o, ERRAND_CHECK, NULL); break;
	case OPT_SETUP: take_errand(o, ERRAND_SETUP, arg); break;
	case OPT_DROP: take_errand(o, ERRAND_DROP, arg); break;
	case OPT_FINDINGS: o->findings = true; break;
	default: take_snapshot(o, c, arg);
	}
}

static void
take(struct options *o, int c, const char *arg)
{
	switch (c) {
	case 'd': o->conninfo = arg; break;
	case 's': o->slot = arg; break;
	case 'p': split_publications(o, arg); break;
	case 'a': o->ack_path = arg; break;
	case 'o': o->out_path = arg; break;
	case 'v': o->verbose++; break;
	case 'h':
		if (fputs(usage_text, stdout) == EOF || fflush(stdout) != 0)
			exit(EXIT_TEMPORARY);
		exit(EXIT_DONE);
	case 'V':
		if (puts("pgcdc-read " PGCDC_VERSION) == EOF || fflush(stdout) != 0)
			exit(EXIT_TEMPORARY);
		exit(EXIT_DONE);
	case '?':
		usage_error("no such option, or an argument that it lacks or does not take", arg);
	default: take_long(o, c, arg);
	}
}

void
options_parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options) { .slot_check_ms = 3000, .drain_ms = 30000,
		.spool_mem = (size_t)8 * 1024 * 1024, .spool_dir = getenv("TMPDIR"),
		.snapshot_workers = 2, .snapshot_chunk = 1024 * 1024,
		.snapshot_max_lag = 256 * 1024 * 1024 };
	log_init("pgcdc-read", 0);
	o->conninfo = getenv("PGCDC_CONNINFO");
	if (o->conninfo == NULL)
		o->conninfo = "";
	opterr = 0; /* it is said as all else on the log */
	while ((c = getopt_long(argc, argv, "d:s:p:a:o:vhV", longopts, NULL)) != -1)
		take(o, c, c == '?' ? argv[optind - 1] : optarg);
	if (optind < argc)
		usage_error("an argument that is no option", argv[optind]);
	log_init("pgcdc-read", o->verbose);
	if (o->spool_dir == NULL || *o->spool_dir == '\0')
		o->spool_dir = "/tmp";
	check(o);
}
