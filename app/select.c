// SPDX-License-Identifier: BSD-3-Clause
#include "select.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Dates ---- */

void ql_http_date(time_t t, char out[QL_HTTP_DATE])
{
	struct tm tm;

	out[0] = 0;
	if (gmtime_r(&t, &tm))
		strftime(out, QL_HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* A year of two digits is not more than 50 years ahead. */
static int full_year(int two, time_t now)
{
	struct tm tm;
	int year;

	if (!gmtime_r(&now, &tm))
		return two;
	year = (1900 + tm.tm_year) / 100 * 100 + two;
	return year > 1900 + tm.tm_year + 50 ? year - 100 : year;
}

static bool month_of(const char name[4], int *month)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (*month = 0; *month < 12; ++*month) {
		if (memcmp(name, months + 3 * *month, 3) == 0)
			return true;
	}
	return false;
}

bool ql_http_date_parse(const char *text, time_t now, time_t *t)
{
	static const char *const forms[] = {
		"%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", /* IMF-fixdate */
		"%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n",  /* RFC 850 */
	};
	struct tm tm = {0};
	char month[4];
	int end = 0;

	for (unsigned int i = 0; i < 2 && end == 0; i++)
		if (sscanf(text, forms[i], &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
			   &tm.tm_sec, &end) != 6)
			end = 0;
	if (end == 0 &&
	    sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year, &end) != 6)
		return false;
	if (end == 0 || text[end] != 0 || !month_of(month, &tm.tm_mon) || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60 || tm.tm_year < 0)
		return false;
	if (tm.tm_year < 100)
		tm.tm_year = full_year(tm.tm_year, now);
	tm.tm_year -= 1900;
	*t = timegm(&tm);
	return true;
}

/* ---- Entity tags ---- */

void ql_etag(const struct timespec *modified, uint64_t size, char out[QL_ETAG])
{
	uint64_t ns = (uint64_t)modified->tv_sec * 1000000000u + (uint64_t)modified->tv_nsec;

	snprintf(out, QL_ETAG, "\"%" PRIx64 "-%" PRIx64 "\"", ns, size);
}

/* Whether a list has the tag, or is "*". weak: tags that say that they are weak count as well. */
static bool listed(const char *list, const char *etag, bool weak)
{
	size_t len = strlen(etag);

	for (;;) {
		bool is_weak;
		const char *end;

		list += strspn(list, " \t,");
		if (list[0] == '*')
			return true;
		is_weak = strncmp(list, "W/", 2) == 0;
		list += is_weak ? 2 : 0;
		end = list[0] == '"' ? strchr(list + 1, '"') : NULL;
		if (!end)
			return false;
		end++;
		if ((size_t)(end - list) == len && memcmp(list, etag, len) == 0 &&
		    (weak || !is_weak))
			return true;
		list = end;
	}
}

/* ---- Ranges ---- */

/* Digits up to what is none; what is too large for the type becomes its maximum. */
static bool number(const char **p, uint64_t *n)
{
	const char *start = *p;

	for (*n = 0; **p >= '0' && **p <= '9'; ++*p) {
		unsigned int digit = (unsigned int)(**p - '0');

		*n = *n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *n * 10 + digit;
	}
	return *p > start;
}

/* What a Range field asks of so many bytes; the whole for what is none that we serve. */
static struct ql_selected part_of(const char *range, uint64_t size)
{
	const struct ql_selected whole = {.status = 200, .len = size}, none = {.status = 416};
	uint64_t first, last;
	const char *p = range;
	bool suffix;

	if (strncasecmp(p, "bytes=", 6) != 0)
		return whole;
	p += 6;
	p += strspn(p, " \t");
	suffix = !number(&p, &first);
	if (*p++ != '-')
		return whole;
	if (!number(&p, &last)) {
		if (suffix)
			return whole;
		last = UINT64_MAX;
	}
	p += strspn(p, " \t");
	if (*p != 0 || (!suffix && last < first))
		return whole;
	if (suffix) {
		if (last == 0 || size == 0)
			return none;
		first = last < size ? size - last : 0;
		return (struct ql_selected){.status = 206, .first = first, .len = size - first};
	}
	if (first >= size)
		return none;
	last = last < size ? last : size - 1;
	return (struct ql_selected){.status = 206, .first = first, .len = last - first + 1};
}

/* ---- All of it (13.2.2) ---- */

/* A file's time says which file it was, if it was not changed again within the same second. */
static bool range_holds(const char *if_range, const struct ql_selectable *file)
{
	time_t t;

	if (if_range[0] == '"' || strncmp(if_range, "W/", 2) == 0)
		return listed(if_range, file->etag, false);
	return ql_http_date_parse(if_range, file->now, &t) && t == file->modified &&
	       file->modified < file->now;
}

struct ql_selected ql_select(const struct ql_select *want, const struct ql_selectable *file)
{
	const struct ql_selected failed = {.status = 412}, same = {.status = 304};
	time_t t;

	if (want->if_match) {
		if (!listed(want->if_match, file->etag, false))
			return failed;
	} else if (want->if_unmodified_since &&
		   ql_http_date_parse(want->if_unmodified_since, file->now, &t) &&
		   file->modified > t) {
		return failed;
	}
	if (want->if_none_match) {
		if (listed(want->if_none_match, file->etag, true))
			return same;
	} else if (want->if_modified_since &&
		   ql_http_date_parse(want->if_modified_since, file->now, &t) &&
		   file->modified <= t) {
		return same;
	}
	if (want->range && (!want->if_range || range_holds(want->if_range, file)))
		return part_of(want->range, file->size);
	return (struct ql_selected){.status = 200, .len = file->size};
}
