#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "options.h"

static const char usage_text[] =
    "usage: pgcdc-map -m FILE [-v]\n"
    "       pgcdc-map -m FILE [-d CONNINFO [-p PUBLICATION[,...]]] [-v]\n"
    "                 [--check] [--explain] [--template[=INDEX]]\n"
    "\n"
    "Turn row frames on standard input into action frames on standard output.\n"
    "\n"
    "  -m, --mapping FILE      the mapping file, pgcdc-map(5)\n"
    "      --check             check the mapping file and exit; with -d, against the\n"
    "                          published tables\n"
    "      --explain           show what becomes of which table, and exit\n"
    "      --template[=INDEX]  print index templates for the fields that the tables make,\n"
    "                          and exit (needs -d)\n"
    "      --list tables       print the tables that rules take, as SQL has them, and exit\n"
    "                          (needs -d)\n"
    "      --list indexes      print the indexes that rules write to, or patterns, and exit\n"
    "      --findings          with --check: problems for programs, on standard output\n"
    "  -d, --dbname CONNINFO   the database whose catalog is read, as libpq has it\n"
    "                          (without it, and needed, PGCDC_CONNINFO)\n"
    "  -p, --publication LIST  of its publications these, not all\n"
    "  -v, --verbose           log more\n"
    "  -h, --help              show this and exit\n"
    "  -V, --version           show the version and exit\n";

static int
usage_error(const char *msg)
{
	fprintf(stderr, "pgcdc-map: %s\n%s", msg, usage_text);
	return EXIT_PERMANENT;
}

static int
say(const char *text)
{
	if (fputs(text, stdout) == EOF || fclose(stdout) == EOF)
		return EXIT_TEMPORARY;
	return EXIT_DONE;
}

bool
options_inspects(const struct options *o)
{
	return o->check || o->explain || o->template || o->list != LIST_NOTHING;
}

/* Do they go together? */
static int
check_options(const struct options *o)
{
	const char *p = o->publications;

	if (o->mapping == NULL)
		return usage_error("-m FILE is needed: which rows become which documents");
	if (o->conninfo != NULL && !options_inspects(o))
		return usage_error("-d is for --check, --explain and --template: "
				   "a stream describes its tables itself");
	if (o->template && o->conninfo == NULL)
		return usage_error("--template needs -d CONNINFO: the tables' columns");
	if (p != NULL && o->conninfo == NULL)
		return usage_error("-p needs -d CONNINFO: the database of the publications");
	if (p != NULL && (*p == '\0' || *p == ',' || p[strlen(p) - 1] == ',' ||
	                     strstr(p, ",,") != NULL))
		return usage_error("an empty publication name in -p");
	if (o->template && (o->check || o->explain))
		return usage_error("--template goes with neither --check nor --explain");
	if (o->list != LIST_NOTHING && (o->check || o->explain || o->template))
		return usage_error("--list goes with no other such option");
	if (o->list == LIST_TABLES && o->conninfo == NULL)
		return usage_error("--list tables needs -d CONNINFO: the database of the tables");
	if (o->findings && !o->check)
		return usage_error("--findings is for --check");
	return -1;
}

int
options_parse(int argc, char **argv, struct options *o)
{
	enum { OPT_CHECK = 256, OPT_EXPLAIN, OPT_TEMPLATE, OPT_LIST, OPT_FINDINGS };
	static const struct option longopts[] = { { "mapping", required_argument, NULL, 'm' },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "explain", no_argument, NULL, OPT_EXPLAIN },
		{ "template", optional_argument, NULL, OPT_TEMPLATE },
		{ "list", required_argument, NULL, OPT_LIST },
		{ "findings", no_argument, NULL, OPT_FINDINGS },
		{ "dbname", required_argument, NULL, 'd' },
		{ "publication", required_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "+m:d:p:vhV", longopts, NULL)) != -1) {
		switch (c) {
		case 'm': o->mapping = optarg; break;
		case 'd': o->conninfo = optarg; break;
		case 'p': o->publications = optarg; break;
		case OPT_CHECK: o->check = true; break;
		case OPT_EXPLAIN: o->explain = true; break;
		case OPT_TEMPLATE:
			o->template = true;
			o->template_index = optarg;
			break;
		case OPT_LIST:
			if (strcmp(optarg, "tables") != 0 && strcmp(optarg, "indexes") != 0)
				return usage_error("--list is for tables or indexes");
			o->list = *optarg == 't' ? LIST_TABLES : LIST_INDEXES;
			break;
		case OPT_FINDINGS: o->findings = true; break;
		case 'v': o->verbose++; break;
		case 'h': return say(usage_text);
		case 'V': return say("pgcdc-map " PGCDC_VERSION "\n");
		default: fputs(usage_text, stderr); return EXIT_PERMANENT;
		}
	}
	if (optind < argc)
		return usage_error("there are no arguments but options");
	/* The supervisor's, whose secret must not be on a command line. */
	if (o->conninfo == NULL && (o->publications != NULL || o->template || o->list == LIST_TABLES))
		o->conninfo = getenv("PGCDC_CONNINFO");
	return check_options(o);
}
