#include <sys/resource.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fdio.h"
#include "metrics.h"
#include "utf8.h"

/* With a backslash before quotes and backslashes, line ends as \n, and all of it UTF-8. */
static void
put_escaped(struct buf *out, const char *s, bool json)
{
	size_t n = strlen(s), len;

	for (size_t i = 0; i < n; i += len) {
		unsigned char c = (unsigned char)s[i];

		len = utf8_char(s + i, n - i);
		if (len == 0) {
			buf_adds(out, "\xef\xbf\xbd");
			len = 1;
		} else if (c == '\n') {
			buf_adds(out, "\\n");
		} else if (json && c < 0x20) {
			buf_printf(out, "\\u%04x", c);
		} else {
			if (c == '"' || c == '\\')
				buf_addc(out, '\\');
			buf_add(out, s + i, len);
		}
	}
}

void
metrics_put_json(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	put_escaped(out, s, true);
	buf_addc(out, '"');
}

void
metrics_family(struct metrics *m, enum metrics_type type, const char *name, const char *help)
{
	static const char *const types[] = { [METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram" };

	m->name = name;
	buf_printf(m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* All of a sample but its value; suffix is behind the family's name. */
static void
begin_suffixed(struct metrics *m, const char *suffix, const struct metrics_label *label)
{
	buf_adds(m->out, m->name);
	buf_adds(m->out, suffix);
	if (label != NULL) {
		char before = '{';

		for (; label->name != NULL; label++) {
			buf_addc(m->out, before);
			buf_adds(m->out, label->name);
			buf_adds(m->out, "=\"");
			put_escaped(m->out, label->value, false);
			buf_addc(m->out, '"');
			before = ',';
		}
		buf_addc(m->out, '}');
	}
	buf_addc(m->out, ' ');
}

static void
begin_sample(struct metrics *m, const struct metrics_label *labels)
{
	begin_suffixed(m, "", labels);
}

void
metrics_uint(struct metrics *m, const struct metrics_label *labels, uint64_t value)
{
	begin_sample(m, labels);
	buf_printf(m->out, "%llu\n", (unsigned long long)value);
}

void
metrics_real(struct metrics *m, const struct metrics_label *labels, double value)
{
	begin_sample(m, labels);
	if (isfinite(value))
		buf_printf(m->out, "%.15g\n", value);
	else
		buf_adds(m->out, isnan(value) ? "NaN\n" : value > 0 ? "+Inf\n" : "-Inf\n");
}

/* The buckets' upper ends, in microseconds, and as labels. */
static const struct {
	int64_t us;
	const char *seconds;
} buckets[METRICS_BUCKETS] = { { 1000, "0.001" }, { 2500, "0.0025" }, { 5000, "0.005" },
	{ 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" }, { 100000, "0.1" },
	{ 250000, "0.25" }, { 500000, "0.5" }, { 1000000, "1" }, { 2500000, "2.5" },
	{ 5000000, "5" }, { 10000000, "10" }, { 30000000, "30" }, { 60000000, "60" },
	{ 120000000, "120" } };

void
metrics_observe(struct metrics_histogram *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < METRICS_BUCKETS && us > buckets[i].us)
		i++;
	h->count[i]++;
	h->sum += (uint64_t)us;
}

void
metrics_histogram(struct metrics *m, const struct metrics_label *labels,
    const struct metrics_histogram *h)
{
	struct metrics_label with[6] = { { 0 } };
	uint64_t count = 0;
	size_t n = 0;

	while (labels != NULL && labels[n].name != NULL && n < 4) {
		with[n] = labels[n];
		n++;
	}
	with[n].name = "le";
	for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
		with[n].value = i < METRICS_BUCKETS ? buckets[i].seconds : "+Inf";
		count += h->count[i];
		begin_suffixed(m, "_bucket", with);
		buf_printf(m->out, "%llu\n", (unsigned long long)count);
	}
	begin_suffixed(m, "_sum", labels);
	buf_printf(m->out, "%.15g\n", (double)h->sum / 1e6);
	begin_suffixed(m, "_count", labels);
	buf_printf(m->out, "%llu\n", (unsigned long long)count);
}

void
metrics_gauge(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_family(m, METRICS_GAUGE, name, help);
	metrics_uint(m, NULL, value);
}

void
metrics_counter(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_family(m, METRICS_COUNTER, name, help);
	metrics_uint(m, NULL, value);
}

void
metrics_head(struct metrics *m, const char *prefix, const char *who, const char *const *states,
    const char *state)
{
	char name[64], help[64];

	snprintf(name, sizeof(name), "%s_build_info", prefix);
	metrics_family(m, METRICS_GAUGE, name, "The program's version.");
	metrics_uint(m, METRICS_LABELS({ "version", PGCDC_VERSION }), 1);
	snprintf(name, sizeof(name), "%s_state", prefix);
	snprintf(help, sizeof(help), "1 for the state that the %s is in.", who);
	metrics_family(m, METRICS_GAUGE, name, help);
	for (; *states != NULL; states++)
		metrics_uint(m, METRICS_LABELS({ "state", *states }), *states == state);
	m->name = NULL;
}

/* In seconds since 1970, by this clock; 0: nobody knows. */
static double
started_at(void)
{
	char text[1024];
	const char *p;
	unsigned long long ticks;
	struct timespec up;
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	/* The 22nd field; the second is a name in parentheses, which may hold anything. */
	p = strrchr(text, ')');
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL || clock_gettime(CLOCK_BOOTTIME, &up) != 0)
		return 0;
	ticks = strtoull(p, NULL, 10);
	return (double)wall_us() / 1e6 - ((double)up.tv_sec + (double)up.tv_nsec / 1e9) +
	    (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t
resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	/* The kernel's own numbers fit. */
	if (fscanf(f, "%llu %llu", &size, &resident) != 2) /* NOLINT(cert-err34-c) */
		resident = 0;
	(void)fclose(f);
	return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

void
metrics_process(struct metrics *m)
{
	static double began;
	struct rusage used;

	if (began <= 0)
		began = started_at();
	metrics_family(m, METRICS_GAUGE, "process_start_time_seconds",
	    "When the process began, in seconds since 1970.");
	metrics_real(m, NULL, began);
	metrics_gauge(m, "process_resident_memory_bytes", "Memory that the process has.",
	    resident_bytes());
	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	metrics_family(m, METRICS_COUNTER, "process_cpu_seconds_total",
	    "CPU time that the process used.");
	metrics_real(m, NULL,
	    (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
	        (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}
