/* Prometheus' text format: what labels hold is escaped, and numbers are exact. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "metrics.h"
#include "tap.h"

static struct buf page;
static struct metrics m = { .out = &page };

/* What was appended since the last time. */
static const char *
text(void)
{
	(void)buf_cstr(&page);
	page.len = 0;
	return page.data;
}

static void
test_samples(void)
{
	metrics_counter(&m, "a_total", "Things.", 1);
	is(text(), "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n", "a counter");
	metrics_family(&m, METRICS_GAUGE, "b", "More.");
	is(text(), "# HELP b More.\n# TYPE b gauge\n", "a family");
	metrics_uint(&m, METRICS_LABELS({ "x", "1" }, { "y", "" }), UINT64_MAX);
	is(text(), "b{x=\"1\",y=\"\"} 18446744073709551615\n", "labels, and the largest number");
	metrics_real(&m, NULL, 0.25);
	is(text(), "b 0.25\n", "a fraction");
	metrics_real(&m, NULL, 1795443401.123456);
	is(text(), "b 1795443401.12346\n", "a time");
	metrics_real(&m, NULL, NAN);
	metrics_real(&m, NULL, INFINITY);
	metrics_real(&m, NULL, -INFINITY);
	is(text(), "b NaN\nb +Inf\nb -Inf\n", "what is no number");
}

static void
test_histogram(void)
{
	static const int64_t took[] = { -5, 0, 1000, 1001, 300000, 120000001, INT64_C(500000000) };
	struct metrics_histogram h = { .sum = 0 };
	const char *p;

	for (size_t i = 0; i < sizeof(took) / sizeof(took[0]); i++)
		metrics_observe(&h, took[i]);
	metrics_family(&m, METRICS_HISTOGRAM, "h_seconds", "Times.");
	metrics_histogram(&m, METRICS_LABELS({ "of", "a" }), &h);
	p = text();
	ok(strstr(p, "# TYPE h_seconds histogram\n") != NULL, "a histogram");
	ok(strstr(p, "h_seconds_bucket{of=\"a\",le=\"0.001\"} 3\n") != NULL,
	    "a bucket has its upper end");
	ok(strstr(p, "le=\"0.0025\"} 4\n") != NULL && strstr(p, "le=\"0.25\"} 4\n") != NULL &&
	        strstr(p, "le=\"0.5\"} 5\n") != NULL && strstr(p, "le=\"120\"} 5\n") != NULL,
	    "and all that is below");
	ok(strstr(p, "le=\"+Inf\"} 7\nh_seconds_sum{of=\"a\"} 620.302002\n"
	             "h_seconds_count{of=\"a\"} 7\n") != NULL,
	    "the last has all; sum and count");
	metrics_histogram(&m, NULL, &h);
	p = text();
	ok(strstr(p, "h_seconds_bucket{le=\"+Inf\"} 7\nh_seconds_sum 620.302002\n") != NULL,
	    "without labels");
}

static void
test_escaping(void)
{
	static const struct {
		const char *value, *label, *json, *what;
	} cases[] = {
		{ "plain", "plain", "plain", "a plain name" },
		{ "a\"b", "a\\\"b", "a\\\"b", "a quote" },
		{ "a\\b", "a\\\\b", "a\\\\b", "a backslash" },
		{ "\\\"", "\\\\\\\"", "\\\\\\\"", "both" },
		{ "a\nb\n", "a\\nb\\n", "a\\nb\\n", "line ends" },
		{ "a\tb\r\x01", "a\tb\r\x01", "a\\u0009b\\u000d\\u0001", "control characters" },
		{ "{a=\"b\"} 1\n# TYPE", "{a=\\\"b\\\"} 1\\n# TYPE", "{a=\\\"b\\\"} 1\\n# TYPE",
		    "a sample in a name" },
		{ "\xc3\xa9\xf0\x9f\x90\x98", "\xc3\xa9\xf0\x9f\x90\x98",
		    "\xc3\xa9\xf0\x9f\x90\x98", "other characters" },
		{ "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd", "a\xef\xbf\xbd\xef\xbf\xbd",
		    "bytes that are no UTF-8" },
		{ "\xc3\"", "\xef\xbf\xbd\\\"", "\xef\xbf\xbd\\\"", "half a character, and a quote" },
	};
	char want[128];

	m.name = "n";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		metrics_uint(&m, METRICS_LABELS({ "l", cases[i].value }), 0);
		snprintf(want, sizeof(want), "n{l=\"%s\"} 0\n", cases[i].label);
		is(text(), want, cases[i].what);
		metrics_put_json(&page, cases[i].value);
		snprintf(want, sizeof(want), "\"%s\"", cases[i].json);
		is(text(), want, "and as JSON");
	}
}

static void
test_process(void)
{
	double begun = 0;
	unsigned long long bytes = 0;
	const char *p;

	metrics_process(&m);
	p = text();
	ok(strstr(p, "\nprocess_cpu_seconds_total ") != NULL, "CPU time");
	p = strstr(p, "\nprocess_start_time_seconds ");
	ok(p != NULL && sscanf(p, "\nprocess_start_time_seconds %lf", &begun) == 1 &&
	        fabs(begun - (double)time(NULL)) < 3600,
	    "the start is a short time ago: %f", begun);
	p = p != NULL ? strstr(p, "\nprocess_resident_memory_bytes ") : NULL;
	ok(p != NULL && sscanf(p, "\nprocess_resident_memory_bytes %llu", &bytes) == 1 &&
	        bytes > 100000 && bytes % 4096 == 0,
	    "memory: %llu", bytes);
}

int
main(void)
{
	test_samples();
	test_histogram();
	test_escaping();
	test_process();
	buf_free(&page);
	return done_testing();
}
