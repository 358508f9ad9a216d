#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "connection.h"
#include "exitcode.h"
#include "log.h"
#include "options.h"

enum {
	OPT_USER = 256,
	OPT_PASSWORD_FILE,
	OPT_API_KEY_FILE,
	OPT_BEARER_FILE,
	OPT_AWS_SIGV4,
	OPT_AWS_CREDENTIALS_FILE,
	OPT_CACERT,
	OPT_CERT,
	OPT_KEY,
	OPT_KEY_PASSWORD_FILE,
	OPT_CA_FINGERPRINT,
	OPT_INSECURE,
	OPT_GZIP,
	OPT_TYPE,
	OPT_TEMPLATE,
	OPT_SNIFF,
	OPT_CONNECT_TIMEOUT,
	OPT_IDLE_TIMEOUT,
	OPT_LANES,
	OPT_FIXED,
	OPT_DRY_RUN,
	OPT_BATCH_DOCS,
	OPT_BATCH_BYTES,
	OPT_QUEUE_BYTES,
	OPT_LINGER,
	OPT_TIMEOUT,
	OPT_VERSION_EPOCH,
	OPT_MERGE_MISSING,
	OPT_DEAD_LETTER,
	OPT_DEAD_LETTER_LIMIT,
	OPT_GIVE_UP,
	OPT_CHECK,
	OPT_SETUP,
	OPT_DROP,
	OPT_PRINT,
	OPT_FINDINGS,
	OPT_METRICS,
};

static const struct option longopts[] = {
	{ "url", required_argument, NULL, 'u' },
	{ "ack", required_argument, NULL, 'a' },
	{ "user", required_argument, NULL, OPT_USER },
	{ "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
	{ "api-key-file", required_argument, NULL, OPT_API_KEY_FILE },
	{ "bearer-file", required_argument, NULL, OPT_BEARER_FILE },
	{ "aws-sigv4", required_argument, NULL, OPT_AWS_SIGV4 },
	{ "aws-credentials-file", required_argument, NULL, OPT_AWS_CREDENTIALS_FILE },
	{ "cacert", required_argument, NULL, OPT_CACERT },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "key-password-file", required_argument, NULL, OPT_KEY_PASSWORD_FILE },
	{ "ca-fingerprint", required_argument, NULL, OPT_CA_FINGERPRINT },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "gzip", no_argument, NULL, OPT_GZIP },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "template", required_argument, NULL, OPT_TEMPLATE },
	{ "sniff", optional_argument, NULL, OPT_SNIFF },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT },
	{ "idle-timeout", required_argument, NULL, OPT_IDLE_TIMEOUT },
	{ "lanes", required_argument, NULL, OPT_LANES },
	{ "fixed", no_argument, NULL, OPT_FIXED },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "batch-docs", required_argument, NULL, OPT_BATCH_DOCS },
	{ "batch-bytes", required_argument, NULL, OPT_BATCH_BYTES },
	{ "queue-bytes", required_argument, NULL, OPT_QUEUE_BYTES },
	{ "linger", required_argument, NULL, OPT_LINGER },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "version-epoch", required_argument, NULL, OPT_VERSION_EPOCH },
	{ "merge-missing", required_argument, NULL, OPT_MERGE_MISSING },
	{ "dead-letter", required_argument, NULL, OPT_DEAD_LETTER },
	{ "dead-letter-limit", required_argument, NULL, OPT_DEAD_LETTER_LIMIT },
	{ "give-up", required_argument, NULL, OPT_GIVE_UP },
	{ "check", optional_argument, NULL, OPT_CHECK },
	{ "setup", required_argument, NULL, OPT_SETUP },
	{ "drop", required_argument, NULL, OPT_DROP },
	{ "print", no_argument, NULL, OPT_PRINT },
	{ "findings", no_argument, NULL, OPT_FINDINGS },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: esbulk-write -u URL [-u URL ...] [-a SOCKET] [options] <actions\n"
    "\n"
    "Deliver the actions on standard input to Elasticsearch or OpenSearch.\n"
    "\n"
    "  -u, --url URL            a node: http://HOST:9200, https://..., or unix:/SOCKET; may be\n"
    "                           given several times\n"
    "  -a, --ack SOCKET         tell the reader on this socket what is stored\n"
    "      --sniff[=SECONDS]    ask the cluster for its nodes, now and so often (300)\n"
    "\n"
    "      --user NAME          log in by this name; the password is in ESBULK_PASSWORD or\n"
    "      --password-file FILE in the first line of FILE\n"
    "      --api-key-file FILE  log in by an API key (or ESBULK_API_KEY)\n"
    "      --bearer-file FILE   log in by a token (or ESBULK_BEARER_TOKEN)\n"
    "      --aws-sigv4 REGION:SERVICE\n"
    "                           sign requests for AWS; the service is es or aoss\n"
    "      --aws-credentials-file FILE\n"
    "                           by the keys in FILE, not those in AWS_ACCESS_KEY_ID ...\n"
    "      --cacert FILE        certificates that sign the cluster's\n"
    "      --ca-fingerprint HEX SHA-256 of the certificate that signs the cluster's\n"
    "      --cert FILE          client certificate, and its\n"
    "      --key FILE           key, whose password is in ESBULK_KEY_PASSWORD or\n"
    "      --key-password-file FILE\n"
    "      --insecure           don't check certificates\n"
    "\n"
    "      --lanes N            requests in flight at a time, at most (4)\n"
    "      --batch-docs N       actions in a request at most (10000)\n"
    "      --batch-bytes N      bytes in a request at most (5242880)\n"
    "      --fixed              whatever the cluster says to that\n"
    "      --queue-bytes N      bytes that wait or are in flight at most (12582912)\n"
    "      --linger MS          let a batch wait so long to grow (0)\n"
    "      --timeout SECONDS    a request may take so long before it is tried anew (120)\n"
    "      --connect-timeout SECONDS  (10)\n"
    "      --idle-timeout SECONDS     nothing comes or goes for so long (90)\n"
    "      --gzip               pack requests\n"
    "      --type NAME          mapping type, which Elasticsearch 6 needs: _doc\n"
    "      --template [NAME=]FILE\n"
    "                           put index templates before the first write\n"
    "      --version-epoch N    0 to 6; raise it when the source's LSNs start over (0)\n"
    "      --merge-missing index|reject\n"
    "                           what to do where no stored document has what a merge\n"
    "                           wants: index without it (default), or reject\n"
    "      --dead-letter FILE   append what is rejected to FILE, and go on\n"
    "      --dead-letter-limit N[:M]\n"
    "                           stop after N dead letters in a row (100), or M in all\n"
    "      --dry-run            send nothing; show it\n"
    "      --give-up SECONDS    try so long what somebody must mend (180)\n"
    "      --check[=INDEX,...]  look for what is in the way, say how to mend it, and end\n"
    "      --setup OWNER        put the templates, as OWNER's, and end\n"
    "      --drop OWNER         remove OWNER's templates, and end\n"
    "      --print              of these two: show the requests instead\n"
    "      --findings           what these say, for programs: four fields with tabs\n"
    "      --metrics [ADDRESS:]PORT\n"
    "                           answer requests for /metrics and /status (of 127.0.0.1), or\n"
    "                           on the Unix socket of this path, with a slash in it\n"
    "  -v, --verbose            say more\n"
    "  -h, --help               this text\n"
    "  -V, --version            the version\n";

static void usage_error(const char *msg, const char *what) __attribute__((noreturn));

static void
usage_error(const char *msg, const char *what)
{
	log_error(msg, kv_str("option", what), kv_str("help", "esbulk-write -h"));
	exit(EXIT_PERMANENT);
}

static uint64_t
number(const char *text, const char *what, uint64_t min, uint64_t max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || n < min || n > max)
		usage_error("not a number in the option's range", what);
	return n;
}

static void
add_url(struct options *o, const char *url)
{
	struct target t;
	bool show;
	const char *why = target_parse(&t, url, &show);

	if (why != NULL)
		usage_error(why, show ? url : "-u");
	o->targets = xrealloc(o->targets, (o->n_targets + 1) * sizeof(*o->targets));
	o->targets[o->n_targets++] = t;
}

/* One login is all that a request can have. */
static void
set_kind(struct login *l, enum login_kind kind, const char *option)
{
	if (l->kind != LOGIN_NONE && l->kind != kind)
		usage_error("only one of --user, --api-key-file, --bearer-file and --aws-sigv4 "
		            "can be given",
		    option);
	l->kind = kind;
}

static void
set_aws(struct login *l, const char *text)
{
	const char *colon = strchr(text, ':');
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	set_kind(l, LOGIN_AWS, "--aws-sigv4");
	if (colon == NULL || colon == text || strspn(text, plain) != (size_t)(colon - text) ||
	    colon[1] == '\0' || colon[1 + strspn(colon + 1, plain)] != '\0')
		usage_error("--aws-sigv4 is REGION:SERVICE, as eu-central-1:es", text);
	l->region = xstrndup(text, (size_t)(colon - text));
	l->service = colon + 1;
}

static bool
in_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0';
}

static void
set_login(struct options *o, const char *password_file, const char *aws_file)
{
	struct login *l = &o->login;

	if (password_file != NULL && l->kind != LOGIN_BASIC)
		usage_error("a password needs a name", "--user");
	if (aws_file != NULL && l->kind != LOGIN_AWS)
		usage_error("AWS credentials need --aws-sigv4", "--aws-credentials-file");
	if (l->kind == LOGIN_NONE && in_environment("ESBULK_API_KEY"))
		set_kind(l, LOGIN_API_KEY, "ESBULK_API_KEY");
	if (l->kind != LOGIN_BASIC && l->kind != LOGIN_AWS && l->file == NULL &&
	    in_environment("ESBULK_BEARER_TOKEN"))
		set_kind(l, LOGIN_BEARER, "ESBULK_BEARER_TOKEN");
	if (password_file != NULL || aws_file != NULL)
		l->file = password_file != NULL ? password_file : aws_file;
	if (l->kind == LOGIN_BASIC && strchr(l->user, ':') != NULL)
		usage_error("a name cannot hold a colon", "--user");
	if (l->kind == LOGIN_BASIC && l->file == NULL && !in_environment("ESBULK_PASSWORD"))
		usage_error("a name needs a password: --password-file or ESBULK_PASSWORD",
		    "--user");
	if (login_load(l) != 0)
		exit(EXIT_PERMANENT);
}

static void
set_tls(struct options *o, const char *key_password_file)
{
	bool tls = false;

	for (size_t i = 0; i < o->n_targets; i++)
		tls |= o->targets[i].tls;
	/* Whoever wants more safety than TLS gives by itself must not get none. */
	for (size_t i = 0; i < o->n_targets; i++)
		if ((o->pin.set || o->cert != NULL) && !o->targets[i].tls)
			usage_error("--ca-fingerprint and --cert are for URLs of https://",
			    o->targets[i].url);
	if (o->insecure && (o->pin.set || o->cacert != NULL))
		usage_error("--insecure checks nothing: leave it, or --cacert and "
		            "--ca-fingerprint, out",
		    "--insecure");
	if (o->pin.set && o->cacert != NULL)
		usage_error("give --cacert or --ca-fingerprint", "--ca-fingerprint");
	if (o->key != NULL && o->cert == NULL)
		usage_error("a key needs its certificate", "--cert");
	if (key_password_file != NULL && o->cert == NULL)
		usage_error("a key's password needs the certificate", "--cert");
	if (key_password_file != NULL) {
		o->key_password = secret_line(key_password_file, "key's password");
		if (o->key_password == NULL)
			exit(EXIT_PERMANENT);
	} else if (o->cert != NULL) {
		/* Without one libcurl's TLS library would ask on a terminal. */
		o->key_password = in_environment("ESBULK_KEY_PASSWORD")
		    ? xstrdup(getenv("ESBULK_KEY_PASSWORD"))
		    : xstrdup("");
	}
	if (tls && connection_check(o) != 0)
		exit(EXIT_PERMANENT);
}

static void
set_pin(struct options *o, const char *hex)
{
	if (pin_parse(&o->pin, hex) != 0)
		usage_error("a fingerprint is 64 hexadecimal digits, with or without colons", hex);
}

static const char *
type_name(const char *name)
{
	if (*name == '\0' || strpbrk(name, "\"\\") != NULL)
		usage_error("not the name of a mapping type", name);
	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			usage_error("not the name of a mapping type", "--type");
	return name;
}

/* N or N:M. */
static void
set_dead_limits(struct options *o, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
	char *row = xstrndup(text, n);

	o->dead_in_row = number(row, "--dead-letter-limit", 0, UINT32_MAX);
	o->dead_total =
	    colon != NULL ? number(colon + 1, "--dead-letter-limit", 0, UINT32_MAX) : 0;
	free(row);
}

static bool
merge_rejects(const char *word)
{
	if (strcmp(word, "index") != 0 && strcmp(word, "reject") != 0)
		usage_error("--merge-missing is index or reject", word);
	return *word == 'r';
}

static void
set_errand(struct options *o, enum errand errand, const char *owner)
{
	if (o->errand != ERRAND_NONE && o->errand != errand)
		usage_error("give one of --check, --setup and --drop", NULL);
	o->errand = errand;
	if (owner != NULL && *owner == '\0')
		usage_error("whose templates?", errand == ERRAND_SETUP ? "--setup" : "--drop");
	o->owner = owner;
}

/* Names of indices hold no commas. */
static void
set_check(struct options *o, const char *list)
{
	set_errand(o, ERRAND_CHECK, NULL);
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");

		if (n > 0) {
			o->indices = xrealloc(o->indices, (o->n_indices + 1) * sizeof(*o->indices));
			o->indices[o->n_indices++] = xstrndup(list, n);
		}
		list += n + (list[n] == ',');
	}
}

static void
show(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) != 0)
		exit(EXIT_TEMPORARY);
	exit(EXIT_DONE);
}

/* Files that are read when all options are known. */
struct files {
	const char *password, *aws, *key_password;
};

/* Options about how the cluster is reached. */
static void
take_connection(struct options *o, struct files *f, int c)
{
	struct login *l = &o->login;

	switch (c) {
	case OPT_USER:
		set_kind(l, LOGIN_BASIC, "--user");
		l->user = optarg;
		break;
	case OPT_PASSWORD_FILE: f->password = optarg; break;
	case OPT_API_KEY_FILE:
		set_kind(l, LOGIN_API_KEY, "--api-key-file");
		l->file = optarg;
		break;
	case OPT_BEARER_FILE:
		set_kind(l, LOGIN_BEARER, "--bearer-file");
		l->file = optarg;
		break;
	case OPT_AWS_SIGV4: set_aws(l, optarg); break;
	case OPT_AWS_CREDENTIALS_FILE: f->aws = optarg; break;
	case OPT_CACERT: o->cacert = optarg; break;
	case OPT_CERT: o->cert = optarg; break;
	case OPT_KEY: o->key = optarg; break;
	case OPT_KEY_PASSWORD_FILE: f->key_password = optarg; break;
	case OPT_CA_FINGERPRINT: set_pin(o, optarg); break;
	case OPT_INSECURE: o->insecure = true; break;
	case OPT_TEMPLATE:
		if (templates_read(&o->templates, optarg) != 0)
			exit(EXIT_PERMANENT);
		break;
	case OPT_SNIFF:
		o->sniff_us = INT64_C(300000000);
		if (optarg != NULL)
			o->sniff_us = 1000000 * (int64_t)number(optarg, "--sniff", 1, 86400);
		break;
	case OPT_CONNECT_TIMEOUT:
		o->connect_timeout_s = (long)number(optarg, "--connect-timeout", 1, 86400);
		break;
	case OPT_IDLE_TIMEOUT:
		o->idle_timeout_s = (long)number(optarg, "--idle-timeout", 1, 86400);
		break;
	}
}

/*
 * getopt takes an option that is cut short for the whole one: --password SECRET would be
 * --password-file, and the secret be shown as a file's name that is not there.
 */
static void
refuse_short(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *name = argv[i] + 2;
		size_t n, at = 0;
		char *shown;

		if (strncmp(argv[i], "--", 2) != 0)
			continue;
		n = strcspn(name, "=");
		while (longopts[at].name != NULL &&
		    (strncmp(longopts[at].name, name, n) != 0 || longopts[at].name[n] != '\0'))
			at++;
		if (longopts[at].name == NULL) {
			shown = xstrndup(argv[i], n + 2);
			usage_error("no such option", shown);
		}
		/* What follows is its argument. */
		i += longopts[at].has_arg == required_argument && name[n] == '\0';
	}
}

void
options_parse(int argc, char **argv, struct options *o)
{
	struct files f = { 0 };
	int c;

	*o = (struct options) { .lanes = 4, .batch_docs = 10000, .batch_bytes = 5 << 20,
		.queue_bytes = 12 << 20, .timeout_s = 120, .connect_timeout_s = 10,
		.idle_timeout_s = 90, .give_up_us = 180 * INT64_C(1000000),
		.dead_in_row = 100 };
	log_init("esbulk-write", 0);
	refuse_short(argc, argv);
	opterr = 0; /* it is said as all else on the log */
	while ((c = getopt_long(argc, argv, "u:a:vhV", longopts, NULL)) != -1) {
		switch (c) {
		case 'u': add_url(o, optarg); break;
		case 'a': o->ack_path = optarg; break;
		case 'v': o->verbose++; break;
		case OPT_FIXED: o->fixed = true; break;
		case OPT_DRY_RUN: o->dry_run = true; break;
		case OPT_LANES: o->lanes = number(optarg, "--lanes", 1, 64); break;
		case OPT_BATCH_DOCS:
			o->batch_docs = number(optarg, "--batch-docs", 1, 1000000);
			break;
		case OPT_BATCH_BYTES:
			o->batch_bytes = number(optarg, "--batch-bytes", 1024, 1 << 30);
			break;
		case OPT_QUEUE_BYTES:
			o->queue_bytes = number(optarg, "--queue-bytes", 1 << 20, (uint64_t)1 << 34);
			break;
		case OPT_LINGER:
			o->linger_us = 1000 * (int64_t)number(optarg, "--linger", 0, 60000);
			break;
		case OPT_TIMEOUT:
			o->timeout_s = (long)number(optarg, "--timeout", 1, 86400);
			break;
		case OPT_VERSION_EPOCH:
			o->version_epoch = number(optarg, "--version-epoch", 0, 6);
			break;
		case OPT_MERGE_MISSING: o->merge_reject = merge_rejects(optarg); break;
		case OPT_DEAD_LETTER: o->dead_letter = optarg; break;
		case OPT_DEAD_LETTER_LIMIT: set_dead_limits(o, optarg); break;
		case OPT_GIVE_UP:
			o->give_up_us = 1000000 * (int64_t)number(optarg, "--give-up", 0, 86400);
			break;
		case OPT_CHECK: set_check(o, optarg); break;
		case OPT_SETUP: set_errand(o, ERRAND_SETUP, optarg); break;
		case OPT_DROP: set_errand(o, ERRAND_DROP, optarg); break;
		case OPT_PRINT: o->print = true; break;
		case OPT_FINDINGS: o->findings = true; break;
		case OPT_METRICS:
			if (!metrics_where_add(&o->metrics, optarg))
				usage_error("too many of them, at most 4", "--metrics");
			break;
		case OPT_TYPE: o->type = type_name(optarg); break;
		case OPT_GZIP: o->gzip = true; break;
		case 'h': show(usage_text); break;
		case 'V': show("esbulk-write " PGCDC_VERSION "\n"); break;
		case '?':
			usage_error("no such option, or an argument that it lacks or does not take",
			    argv[optind - 1]);
		default: take_connection(o, &f, c);
		}
	}
	if (optind < argc)
		usage_error("an argument that is no option", argv[optind]);
	log_init("esbulk-write", o->verbose);
	if (o->dry_run) {
		if (o->ack_path != NULL || o->dead_letter != NULL)
			usage_error("--dry-run neither acknowledges nor keeps anything: leave -a and "
			            "--dead-letter out",
			    "--dry-run");
		o->templates.n = 0;
		o->sniff_us = 0;
		return;
	}
	if (o->n_targets == 0)
		usage_error("the cluster is missing", "-u URL");
	set_login(o, f.password, f.aws);
	set_tls(o, f.key_password);
}
