#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One event is one line on standard error: time (UTC), level, program, a
 * message, then key=value pairs, quoted where they must be:
 *
 *   2026-11-23T01:02:03.456Z warn pgcdc-read msg="slot is active elsewhere" slot=s pid=17
 *
 * With PGCDC_LOG=json in the environment it is a JSON object instead.  A line is
 * written with one write(2), so lines of several programs do not mix; it is cut at 4096
 * bytes, and bytes that are no UTF-8 become U+FFFD, so that JSON stays JSON.
 *
 * Where PGCDC_REASON names a file when log_init is called, it holds the last line of level error, for the supervisor:
 *
 *   slot is active elsewhere (slot: s; pid: 17)
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum kv_type { KV_END, KV_STR, KV_STRN, KV_INT, KV_UINT, KV_LSN, KV_REAL };

struct kv {
	const char *key;
	enum kv_type type;
	uint32_t len; /* KV_STRN */
	union {
		const char *s;
		int64_t i;
		uint64_t u;
		double d;
	} v;
};

#define kv_str(k, x)     ((struct kv) { .key = (k), .type = KV_STR, .v.s = (x) })
#define kv_strn(k, x, n) \
	((struct kv) { .key = (k), .type = KV_STRN, .len = (uint32_t)(n), .v.s = (x) })
#define kv_int(k, x)  ((struct kv) { .key = (k), .type = KV_INT, .v.i = (int64_t)(x) })
#define kv_uint(k, x) ((struct kv) { .key = (k), .type = KV_UINT, .v.u = (uint64_t)(x) })
#define kv_lsn(k, x)  ((struct kv) { .key = (k), .type = KV_LSN, .v.u = (x) })
#define kv_real(k, x) ((struct kv) { .key = (k), .type = KV_REAL, .v.d = (x) })

/*
 * Name the program and take the format from PGCDC_LOG.  verbose counts -v: 0
 * shows errors, warnings and information, 1 and more also debugging.
 */
void log_init(const char *program, int verbose);

/* Is a line of this level shown? */
bool log_on(enum log_level);

/* Before each line that is written: who has written half of one of his own ends it.  NULL: none. */
void log_before(void (*)(void *), void *arg);

/* Write one event.  kvs ends with a KV_END; a NULL string is left out. */
void log_event(enum log_level, const char *msg, const struct kv *kvs);

/* Put this into the file of PGCDC_REASON, if there is one; log_event does so with errors. */
void log_reason(const char *msg, size_t n, const struct kv *kvs);

#ifdef __cppcheck__ /* which knows no __VA_OPT__ */
#define log_at(level, msg, ...) log_event(level, msg, (const struct kv[]) { __VA_ARGS__ })
#else
#define log_at(level, msg, ...)                                                     \
	log_event(                                                                  \
	    level, msg, (const struct kv[]) { __VA_ARGS__ __VA_OPT__(, ) { .key = 0 } })
#endif
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                             \
	do {                                       \
		if (log_on(LOG_DEBUG))             \
			log_at(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
