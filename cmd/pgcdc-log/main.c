/*
 * pgcdc-log: what the supervisor's shell cannot do itself: log lines of a mapper's
 * standard error, and a service manager's datagrams.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exitcode.h"
#include "log.h"
#include "notify.h"
#include "wrap.h"

static const char usage_text[] =
    "usage: pgcdc-log --wrap NAME\n"
    "       pgcdc-log --notify [--reloading] [KEY=VALUE ...]\n"
    "       pgcdc-log -h | -V\n";

static _Noreturn void
misuse(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_PERMANENT);
}

static int
say(const char *text)
{
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_TEMPORARY
							      : EXIT_DONE;
}

int
main(int argc, char **argv)
{
	enum { WRAP = 256, NOTIFY, RELOADING };
	static const struct option options[] = { { "wrap", required_argument, NULL,
						     WRAP },
		{ "notify", no_argument, NULL, NOTIFY },
		{ "reloading", no_argument, NULL, RELOADING },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ 0 } };
	const char *name = NULL;
	bool notify = false, reloading = false;
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1)
		switch (c) {
		case WRAP: name = optarg; break;
		case NOTIFY: notify = true; break;
		case RELOADING: reloading = true; break;
		case 'h': return say(usage_text);
		case 'V': return say("pgcdc-log " PGCDC_VERSION "\n");
		default: misuse();
		}
	if (notify == (name != NULL) || (name != NULL && (reloading || optind < argc)))
		misuse();
	log_init(name != NULL ? name : "pgcdc", 0);
	return name != NULL ? wrap() : notify_send(argv + optind, reloading);
}
