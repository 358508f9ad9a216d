#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "exitcode.h"
#include "log.h"
#include "options.h"

enum {
	OPT_USER = 256,
	OPT_PASSWORD_FILE,
	OPT_CACERT,
	OPT_LANES,
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
};

static const struct option longopts[] = {
	{ "url", required_argument, NULL, 'u' },
	{ "ack", required_argument, NULL, 'a' },
	{ "user", required_argument, NULL, OPT_USER },
	{ "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
	{ "cacert", required_argument, NULL, OPT_CACERT },
	{ "lanes", required_argument, NULL, OPT_LANES },
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
    "  -u, --url URL            a node, as http://127.0.0.1:9200; may be given several times\n"
    "  -a, --ack SOCKET         tell the reader on this socket what is stored\n"
    "      --user NAME          log in by this name; the password is in ESBULK_PASSWORD or\n"
    "      --password-file FILE in the first line of FILE\n"
    "      --cacert FILE        certificates that sign the cluster's\n"
    "      --lanes N            requests in flight at a time (4)\n"
    "      --batch-docs N       actions in a request at most (10000)\n"
    "      --batch-bytes N      bytes in a request at most (5242880)\n"
    "      --queue-bytes N      bytes that wait or are in flight at most (16777216)\n"
    "      --linger MS          let a batch wait so long to grow (0)\n"
    "      --timeout SECONDS    a request may take so long before it is tried anew (120)\n"
    "      --version-epoch N    0 to 6; raise it when the source's LSNs start over (0)\n"
    "      --merge-missing index|reject\n"
    "                           what to do where no stored document has what a merge\n"
    "                           wants: index without it (default), or reject\n"
    "      --dead-letter FILE   append what is rejected to FILE, and go on\n"
    "      --dead-letter-limit N[:M]\n"
    "                           stop after N dead letters in a row (100), or M in all\n"
    "      --give-up SECONDS    try so long what somebody must mend (180)\n"
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

/* Keep http and https URLs; what is secret must not stand on a command line. */
static void
add_url(struct options *o, const char *url)
{
	size_t n = strlen(url);
	const char *host;

	if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else
		usage_error("a URL starts with http:// or https://", url);
	/* Not shown: it may be secret. */
	if (strchr(host, '@') != NULL)
		usage_error("no password on the command line: use --user and --password-file",
		    "-u");
	if (strpbrk(url, "?# \t\r\n") != NULL || *host == '\0' || *host == '/')
		usage_error("not the URL of a node", url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	o->urls = xrealloc(o->urls, (o->n_urls + 1) * sizeof(*o->urls));
	o->urls[o->n_urls++] = xstrndup(url, n);
}

/* The first line of a file, to be freed; ends the program when there is none. */
static char *
read_secret(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;
	size_t len = 0;

	/* A pipe may give it in parts. */
	while (fd >= 0 && len < sizeof(text) - 1 &&
	    (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		log_error("cannot read the password file", kv_str("file", path),
		    kv_str("error", strerror(errno)));
		exit(EXIT_PERMANENT);
	}
	close(fd);
	text[len] = '\0';
	if (strcspn(text, "\r\n") == sizeof(text) - 1)
		usage_error("the password file's first line is too long", path);
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] == '\0')
		usage_error("the password file is empty", path);
	return xstrdup(text);
}

static void
set_login(struct options *o, const char *user, const char *password_file)
{
	const char *env = getenv("ESBULK_PASSWORD");
	struct buf b = { 0 };
	char *password;

	if (user == NULL) {
		if (password_file != NULL)
			usage_error("a password needs a name", "--user");
		return;
	}
	if (strchr(user, ':') != NULL)
		usage_error("a name cannot hold a colon", "--user");
	if (password_file == NULL && env == NULL)
		usage_error("a name needs a password: --password-file or ESBULK_PASSWORD",
		    "--user");
	password = password_file ? read_secret(password_file) : xstrdup(env);
	buf_printf(&b, "%s:%s", user, password);
	o->userpwd = buf_cstr(&b);
	explicit_bzero(password, strlen(password));
	free(password);
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
show(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) != 0)
		exit(EXIT_TEMPORARY);
	exit(EXIT_DONE);
}

void
options_parse(int argc, char **argv, struct options *o)
{
	const char *user = NULL, *password_file = NULL;
	int c;

	*o = (struct options) { .lanes = 4, .batch_docs = 10000, .batch_bytes = 5 << 20,
		.queue_bytes = 16 << 20, .timeout_s = 120, .give_up_us = 180 * INT64_C(1000000),
		.dead_in_row = 100 };
	log_init("esbulk-write", 0);
	while ((c = getopt_long(argc, argv, "u:a:vhV", longopts, NULL)) != -1) {
		switch (c) {
		case 'u': add_url(o, optarg); break;
		case 'a': o->ack_path = optarg; break;
		case 'v': o->verbose++; break;
		case OPT_USER: user = optarg; break;
		case OPT_PASSWORD_FILE: password_file = optarg; break;
		case OPT_CACERT: o->cacert = optarg; break;
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
		case 'h': show(usage_text); break;
		case 'V': show("esbulk-write " PGCDC_VERSION "\n"); break;
		default: exit(EXIT_PERMANENT); /* getopt has said what is wrong */
		}
	}
	if (optind < argc)
		usage_error("an argument that is no option", argv[optind]);
	log_init("esbulk-write", o->verbose);
	if (o->n_urls == 0)
		usage_error("the cluster is missing", "-u URL");
	set_login(o, user, password_file);
}
