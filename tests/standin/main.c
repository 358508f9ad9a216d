/*
 * standin -- a search cluster's stand-in for tests: bulk requests and what belongs
 * to them, answered as OpenSearch does it, and misbehaviour on demand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

static const char help[] =
    "usage: standin [options]\n"
    "\n"
    "A stand-in for an OpenSearch or Elasticsearch node: keeps documents with\n"
    "external versions, answers bulk requests as the real one, and misbehaves when\n"
    "told to.  Listens on 127.0.0.1; SIGTERM ends it with status 0.\n"
    "\n"
    "  -p, --port N             TCP port; 0 (default): a free one\n"
    "      --port-file FILE     write the port there once it can be connected to\n"
    "      --unix PATH          listen on this socket; on TCP too only with --port\n"
    "      --store WHAT         all (default), versions (no sources), nothing\n"
    "      --no-store           the same as --store nothing: check, count, forget\n"
    "      --count              the same, but check no more than the shape of lines, as\n"
    "                           long as requests are usual ones and there are no faults\n"
    "      --shards N           the routing (or id) is a part of a document's identity,\n"
    "                           as on an index of N shards (default 1: it is not)\n"
    "      --gc-deletes-ms N    how long a delete's version is known (default 60000)\n"
    "      --no-auto-create     writing to a missing index is an error\n"
    "      --max-bytes N        larger bodies are answered 413 (default 100 MiB)\n"
    "      --auth USER:PASS     401 without this basic authentication\n"
    "      --authorization TEXT 401 unless the Authorization header is this\n"
    "      --distribution NAME  opensearch (default) or elasticsearch\n"
    "      --number VERSION     the version it claims to be (default 2.19.6)\n"
    "      --fault SPEC         a fault from the start, see below; may be repeated\n"
    "      --seed N             for the faults with a chance (default 1)\n"
    "      --log FILE           append a line for each executed item:\n"
    "                           seq op index id version status\n"
    "      --stamp FILE         append a line for each stored index or create:\n"
    "                           id and microseconds since 1970\n"
    "      --help               this text\n"
    "\n"
    "Answered: / _bulk {index}/_bulk {index}/_doc/{id} {index}/_source/{id} _mget\n"
    "_search (all documents; only size, _source and version are heeded) _count\n"
    "_refresh _cluster/health {index}.  Bodies may be gzip.\n"
    "\n"
    "Control:\n"
    "  GET    /_standin/stats           counters, and CPU seconds used\n"
    "  GET    /_standin/docs[?index=GLOB]  the documents, one JSON line each\n"
    "  POST   /_standin/fault           add a fault: a JSON object, or in the query\n"
    "  GET    /_standin/fault           the faults and how often each happened\n"
    "  DELETE /_standin/fault[?kind=KIND|number=N]  remove them all, or some\n"
    "  POST   /_standin/down?ms=N       go away with all connections for so long, and\n"
    "                                   keep the documents, as a node that is restarted\n"
    "  POST   /_standin/release         end the hang faults, let go what hangs\n"
    "                                   (?keep: the faults stay)\n"
    "  POST   /_standin/forget          forget the versions of deletes now\n"
    "  POST   /_standin/reset[?only=docs|stats|faults]  start afresh\n"
    "\n"
    "A fault is a list of fields, as a query (--fault 'kind=hang&count=1') or as\n"
    "JSON.  kind is one of:\n"
    "  status  answer the request with `status` (503), `body`, `retry_after`;\n"
    "          when=before (default: nothing was executed), half or after\n"
    "  item    fail single items with `status` (429), `type`, `reason`; which ones\n"
    "          is narrowed by `id` (a prefix), `index` (a glob), `op`\n"
    "  hang    no answer until released; when=headers (the body is not read), before\n"
    "          (default: read, not executed) or after\n"
    "  delay   `ms` (10) for the request and `item_us` for each item; when=before\n"
    "          (default) or after\n"
    "  cut     close the connection; when=headers, body (in its middle), before,\n"
    "          after (default: executed, not answered) or answer (in its middle);\n"
    "          reset=true closes by RST\n"
    "  garble  status 200 and how=truncated (default), garbage, html or empty; or\n"
    "          partial: of searches, one shard of two is away with every second hit,\n"
    "          no-found, other-id: of _mget, no word on it, or another's _id\n"
    "  short   leave the last item out of the answer\n"
    "  request answer as status does, the request that has an item of this `index`, `op`\n"
    "          and `id` (prefix)\n"
    "  drip    send the answer `bytes` (64) at a time, `ms` (10) apart\n"
    "For all: `p` the chance (1), `count` how often (no end), `skip` let so many\n"
    "pass first, `path` a glob on the URL's path (default */_bulk).  The first fault\n"
    "of a kind that happens counts; several kinds go together.\n"
    "\n"
    "order_violations in the stats counts the items on a document that another\n"
    "request, not yet answered when this one came, was about too.\n"
    "\n"
    "Exit: 0 ended by a signal, 1 cannot run, 2 usage.\n";

static void __attribute__((noreturn)) usage(const char *what)
{
	fprintf(stderr, "standin: %s\nTry standin --help\n", what);
	exit(2);
}

static unsigned long long
number(const char *name, const char *text, unsigned long long max)
{
	char *end, what[100];
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n > max) {
		snprintf(
		    what, sizeof(what), "--%s: not a number from 0 to %llu", name, max);
		usage(what);
	}
	return n;
}

static void
open_lines(struct line_file *f, const char *path)
{
	f->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (f->fd < 0) {
		fprintf(stderr, "standin: cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* The Authorization header of HTTP basic authentication (RFC 7617). */
static char *
basic(const char *user_pass)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf out = { 0 };
	size_t n = strlen(user_pass);

	buf_adds(&out, "Basic ");
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)(unsigned char)user_pass[i] << 16;

		if (i + 1 < n)
			v |= (unsigned)(unsigned char)user_pass[i + 1] << 8;
		if (i + 2 < n)
			v |= (unsigned char)user_pass[i + 2];
		buf_addc(&out, set[v >> 18]);
		buf_addc(&out, set[v >> 12 & 63]);
		buf_addc(&out, i + 1 < n ? set[v >> 6 & 63] : '=');
		buf_addc(&out, i + 2 < n ? set[v & 63] : '=');
	}
	return buf_cstr(&out);
}

static enum store_keep
keep_of(const char *name)
{
	static const char *const names[] = { "all", "versions", "nothing" };

	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum store_keep)i;
	usage("--store: all, versions or nothing");
}

enum option_code {
	OPTION_PORT = 'p',
	OPTION_HELP = 'h',
	OPTION_PORT_FILE = 256,
	OPTION_UNIX,
	OPTION_STORE,
	OPTION_NO_STORE,
	OPTION_COUNT,
	OPTION_SHARDS,
	OPTION_GC_DELETES,
	OPTION_NO_AUTO_CREATE,
	OPTION_MAX_BYTES,
	OPTION_AUTH,
	OPTION_AUTHORIZATION,
	OPTION_DISTRIBUTION,
	OPTION_NUMBER,
	OPTION_FAULT,
	OPTION_SEED,
	OPTION_LOG,
	OPTION_STAMP,
};

static const struct option options[] = { { "port", 1, NULL, OPTION_PORT },
	{ "port-file", 1, NULL, OPTION_PORT_FILE }, { "unix", 1, NULL, OPTION_UNIX },
	{ "store", 1, NULL, OPTION_STORE }, { "no-store", 0, NULL, OPTION_NO_STORE },
	{ "count", 0, NULL, OPTION_COUNT }, { "shards", 1, NULL, OPTION_SHARDS },
	{ "gc-deletes-ms", 1, NULL, OPTION_GC_DELETES },
	{ "no-auto-create", 0, NULL, OPTION_NO_AUTO_CREATE },
	{ "max-bytes", 1, NULL, OPTION_MAX_BYTES }, { "auth", 1, NULL, OPTION_AUTH },
	{ "authorization", 1, NULL, OPTION_AUTHORIZATION },
	{ "distribution", 1, NULL, OPTION_DISTRIBUTION },
	{ "number", 1, NULL, OPTION_NUMBER }, { "fault", 1, NULL, OPTION_FAULT },
	{ "seed", 1, NULL, OPTION_SEED }, { "log", 1, NULL, OPTION_LOG },
	{ "stamp", 1, NULL, OPTION_STAMP }, { "help", 0, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 } };

static void
take_fault(struct standin *si, const char *spec)
{
	const char *wrong = fault_add_query(&si->faults, spec);

	if (wrong == NULL)
		return;
	fprintf(stderr, "standin: --fault %s: %s\n", spec, wrong);
	exit(2);
}

static void
take(struct standin *si, int option, const char *name, const char *value)
{
	struct options *o = &si->options;

	switch (option) {
	case OPTION_PORT: o->port = (int)number(name, value, 65535); break;
	case OPTION_PORT_FILE: o->port_file = value; break;
	case OPTION_UNIX: o->unix_path = value; break;
	case OPTION_STORE: o->keep = keep_of(value); break;
	case OPTION_NO_STORE: o->keep = KEEP_NOTHING; break;
	case OPTION_COUNT:
		o->keep = KEEP_NOTHING;
		o->count = true;
		break;
	case OPTION_SHARDS: o->shards = (unsigned)number(name, value, 1024); break;
	case OPTION_GC_DELETES:
		o->gc_deletes_ms = (uint32_t)number(name, value, UINT32_MAX);
		break;
	case OPTION_NO_AUTO_CREATE: o->auto_create = false; break;
	case OPTION_MAX_BYTES: o->max_bytes = number(name, value, LONG_MAX); break;
	case OPTION_AUTH:
		free(o->authorization);
		o->authorization = basic(value);
		break;
	case OPTION_AUTHORIZATION:
		free(o->authorization);
		o->authorization = xstrdup(value);
		break;
	case OPTION_DISTRIBUTION:
		if (strcmp(value, "opensearch") != 0 && strcmp(value, "elasticsearch") != 0)
			usage("--distribution: opensearch or elasticsearch");
		o->distribution = value;
		break;
	case OPTION_NUMBER: o->number = value; break;
	case OPTION_FAULT: take_fault(si, value); break;
	case OPTION_SEED: o->seed = number(name, value, ULLONG_MAX); break;
	case OPTION_LOG: open_lines(&si->log, value); break;
	case OPTION_STAMP: open_lines(&si->stamp, value); break;
	case OPTION_HELP: exit(fputs(help, stdout) == EOF || fclose(stdout) != 0);
	default: usage("bad option");
	}
}

static void
end(struct standin *si)
{
	store_free(&si->store);
	fault_clear(&si->faults, -1);
	buf_free(&si->filter.text);
	buf_free(&si->log.text);
	buf_free(&si->stamp.text);
	buf_free(&si->outcome.reason);
	buf_free(&si->outcome.cause_reason);
	free(si->options.authorization);
	json_release();
	if (si->log.fd >= 0)
		close(si->log.fd);
	if (si->stamp.fd >= 0)
		close(si->stamp.fd);
	free(si);
}

int
main(int argc, char **argv)
{
	struct standin *si = xcalloc(1, sizeof(*si));
	struct options *o = &si->options;
	struct server *server;
	sigset_t ends;
	int option, at = -1;

	*o = (struct options) { .port = -1,
		.number = "2.19.6",
		.distribution = "opensearch",
		.max_bytes = 100 << 20,
		.keep = KEEP_ALL,
		.shards = 1,
		.gc_deletes_ms = 60000,
		.seed = 1,
		.auto_create = true };
	si->log.fd = si->stamp.fd = -1;
	while ((option = getopt_long(argc, argv, "p:h", options, &at)) != -1)
		take(si, option, at >= 0 ? options[at].name : "port", optarg);
	if (optind < argc)
		usage("no operands are taken");
	if (o->port < 0 && o->unix_path == NULL)
		o->port = 0;
	if (si->log.fd >= 0 || si->stamp.fd >= 0 || !o->auto_create)
		o->count = false;
	if (o->shards == 0)
		o->shards = 1;
	si->faults.random = (o->seed + 1) * 0x9e3779b97f4a7c15U;
	store_init(&si->store, o->keep, o->shards, o->gc_deletes_ms);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	server = server_start(si);
	if (server == NULL)
		return 1;
	server_run(server);
	server_stop(server);
	end(si);
	return 0;
}
