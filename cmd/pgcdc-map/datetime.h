#ifndef DATETIME_H
#define DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Dates and times as frames hold them and as people write them.  The calendar is the
 * Gregorian one, also before it was there, as PostgreSQL has it.
 */

struct datetime {
	int64_t year; /* astronomical: 1 BC is 0 */
	int month, day;
	int hour, minute, second, micros; /* as written: 24, 60 and 1000000 can be */
	int infinity; /* -1 or 1: one of the infinities, and nothing else counts */
	bool has_time;
	bool has_zone;
	int zone_s; /* seconds east of UTC */
};

/*
 * Take YYYY-MM-DD, years of four to seven digits, then perhaps a T or a blank and
 * HH:MM[:SS[.ffffff]], perhaps a zone (Z, +HH, +HHMM, +HH:MM, +HH:MM:SS), perhaps " BC"; or
 * "infinity" or "-infinity".  24:00:00 and a sixtieth second are the next day's and the
 * next minute's first (but the day stays as written), and fractions are rounded to
 * microseconds, as PostgreSQL does it.
 * False: the text is anything else, the day is not in the calendar, or PostgreSQL has no
 * such date (before 4714-11-24 BC, past the year 5874897).
 */
bool datetime_parse(struct datetime *, const char *, size_t)
    __attribute__((warn_unused_result));

/* Days since 1970-01-01, whatever the time; the infinities are INT64_MIN and INT64_MAX. */
int64_t datetime_days(const struct datetime *);
void datetime_of_days(struct datetime *, int64_t);

/*
 * Microseconds since 1970 UTC; without a zone the time is UTC.  The infinities are INT64_MIN
 * and INT64_MAX, and what does not fit (past the year 294246) is next to them.
 */
int64_t datetime_micros(const struct datetime *);
void datetime_of_micros(struct datetime *, int64_t);

/*
 * A format for datetime_format: what is wrong with it as a sentence fragment, or NULL.
 *
 *	%Y	year: four digits at least; -0043 is 44 BC, +10000 follows 9999
 *	%y %m %d %j	its last two digits, month, day, day of the year
 *	%G %V %u	year and week of ISO 8601, day of the week from Monday, 1
 *	%H %M %S %f	hour, minute, second, microseconds, in six digits
 *	%%	a %
 */
const char *datetime_format_problem(const char *format, size_t len);

/*
 * Append it in a format that has no problem, with the fields as they are: the zone moves
 * nothing.  Infinities are "infinity" and "-infinity" in every format.
 */
void datetime_format(struct buf *, const struct datetime *, const char *format, size_t len);

/*
 * Append a frame's date, timestamp or timestamptz as ISO 8601 (and the search servers)
 * have it: 0044-03-15 BC becomes -0043-03-15, 10000-01-01 gets a +.  All else is unchanged.
 */
void datetime_iso(struct buf *, const char *, size_t);

#endif
