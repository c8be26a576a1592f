// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "select.h"

#define ETAG	 "\"abc-64\""
#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define SIZE	 100

#define N(cases) ((int)(sizeof(cases) / sizeof((cases)[0])))

static const struct ql_selectable file = {
	.size = SIZE, .modified = MODIFIED, .now = MODIFIED + 100, .etag = ETAG};

static void check(const struct ql_select *want, unsigned int status, uint64_t first, uint64_t len)
{
	struct ql_selected got = ql_select(want, &file);

	ck_assert_uint_eq(got.status, status);
	ck_assert_uint_eq(got.first, first);
	ck_assert_uint_eq(got.len, len);
}

START_TEST(whole)
{
	check(&(struct ql_select){0}, 200, 0, SIZE);
}
END_TEST

/* RFC 9110, 14.1.2: its examples and their neighbours. */
static const struct {
	const char *range;
	unsigned int status;
	uint64_t first, len;
} range_cases[] = {
	{"bytes=0-49", 206, 0, 50},
	{"bytes=50-99", 206, 50, 50},
	{"bytes=-50", 206, 50, 50},
	{"bytes=50-", 206, 50, 50},
	{"bytes=0-0", 206, 0, 1},
	{"bytes=-1", 206, 99, 1},
	{"bytes=99-99", 206, 99, 1},
	{"bytes=0-", 206, 0, 100},
	{"BYTES= 1-2 ", 206, 1, 2},
	/* more than there is: what there is */
	{"bytes=90-200", 206, 90, 10},
	{"bytes=-200", 206, 0, 100},
	{"bytes=90-99999999999999999999999999", 206, 90, 10},
	/* nothing of it is there */
	{"bytes=100-", 416, 0, 0},
	{"bytes=100-200", 416, 0, 0},
	{"bytes=-0", 416, 0, 0},
	{"bytes=18446744073709551615-", 416, 0, 0},
	{"bytes=18446744073709551616-", 416, 0, 0},
	{"bytes=99999999999999999999999999-", 416, 0, 0},
	/* malformed, or of another kind: passed over */
	{"bytes=50-40", 200, 0, 100},
	{"bytes=", 200, 0, 100},
	{"bytes=-", 200, 0, 100},
	{"bytes=5", 200, 0, 100},
	{"bytes=a-b", 200, 0, 100},
	{"bytes=1-2x", 200, 0, 100},
	{"bytes=--1", 200, 0, 100},
	{"bytes=+1-2", 200, 0, 100},
	{"byte=1-2", 200, 0, 100},
	{"lines=1-2", 200, 0, 100},
	{"", 200, 0, 100},
	/* several */
	{"bytes=0-0,-1", 200, 0, 100},
	{"bytes=0-9, 20-29", 200, 0, 100},
};

START_TEST(ranges)
{
	check(&(struct ql_select){.range = range_cases[_i].range}, range_cases[_i].status,
	      range_cases[_i].first, range_cases[_i].len);
}
END_TEST

START_TEST(range_of_nothing)
{
	static const char *const all[] = {"bytes=0-", "bytes=-1", "bytes=0-0"};
	const struct ql_selectable empty = {
		.size = 0, .modified = MODIFIED, .now = MODIFIED, .etag = ETAG};

	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(ql_select(&(struct ql_select){.range = all[i]}, &empty).status,
				  416);
	ck_assert_uint_eq(ql_select(&(struct ql_select){0}, &empty).status, 200);
}
END_TEST

#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

/* RFC 9110, section 13: each condition, and which of them counts. */
static const struct {
	struct ql_select want;
	unsigned int status;
} condition_cases[] = {
	{{.if_none_match = ETAG}, 304},
	{{.if_none_match = "W/" ETAG}, 304},
	{{.if_none_match = "*"}, 304},
	{{.if_none_match = "\"x\", \"y,z\" ,W/\"a\", " ETAG}, 304},
	{{.if_none_match = "\"x\", \"y\""}, 200},
	{{.if_none_match = "\"\"abc"}, 200},
	{{.if_none_match = "abc-64"}, 200},
	{{.if_none_match = "\"abc-64"}, 200},
	{{.if_none_match = ""}, 200},
	{{.if_modified_since = AT}, 304},
	{{.if_modified_since = AFTER}, 304},
	{{.if_modified_since = BEFORE}, 200},
	{{.if_modified_since = "yesterday"}, 200},
	/* a tag says more than a time */
	{{.if_none_match = "\"x\"", .if_modified_since = AFTER}, 200},
	{{.if_none_match = ETAG, .if_modified_since = BEFORE}, 304},
	{{.if_match = ETAG}, 200},
	{{.if_match = "*"}, 200},
	{{.if_match = "\"x\"," ETAG}, 200},
	{{.if_match = "W/" ETAG}, 412},
	{{.if_match = "\"x\""}, 412},
	{{.if_unmodified_since = AT}, 200},
	{{.if_unmodified_since = BEFORE}, 412},
	{{.if_unmodified_since = "never"}, 200},
	{{.if_match = ETAG, .if_unmodified_since = BEFORE}, 200},
	/* both kinds */
	{{.if_match = ETAG, .if_none_match = ETAG}, 304},
	{{.if_match = "\"x\"", .if_none_match = ETAG}, 412},
	/* a part, if it is still of the same */
	{{.range = "bytes=1-2", .if_range = ETAG}, 206},
	{{.range = "bytes=1-2", .if_range = "W/" ETAG}, 200},
	{{.range = "bytes=1-2", .if_range = "\"x\""}, 200},
	{{.range = "bytes=1-2", .if_range = AT}, 206},
	{{.range = "bytes=1-2", .if_range = AFTER}, 200},
	{{.range = "bytes=1-2", .if_range = BEFORE}, 200},
	{{.range = "bytes=1-2", .if_range = "soon"}, 200},
	{{.if_range = ETAG}, 200},
	{{.range = "bytes=1-2", .if_none_match = ETAG}, 304},
	{{.range = "bytes=200-", .if_match = "\"x\""}, 412},
	{{.range = "bytes=200-", .if_range = "\"x\""}, 200},
};

START_TEST(conditions)
{
	ck_assert_uint_eq(ql_select(&condition_cases[_i].want, &file).status,
			  condition_cases[_i].status);
}
END_TEST

/* What was changed in this second may be changed again in it, and its time is not to be relied on.
 */
START_TEST(fresh_file)
{
	const struct ql_selectable now = {
		.size = SIZE, .modified = MODIFIED, .now = MODIFIED, .etag = ETAG};

	ck_assert_uint_eq(
		ql_select(&(struct ql_select){.range = "bytes=1-2", .if_range = AT}, &now).status,
		200);
}
END_TEST

/* RFC 9110, 5.6.7: its three examples are the same second. */
static const struct {
	const char *text;
	bool good;
	time_t at;
} date_cases[] = {
	{AT, true, MODIFIED},
	{"Sunday, 06-Nov-94 08:49:37 GMT", true, MODIFIED},
	{"Sun Nov  6 08:49:37 1994", true, MODIFIED},
	{"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
	{"Sun, 29 Feb 2032 23:59:60 GMT", true, 1961712000},
	{"Tue, 19 Jan 2038 03:14:08 GMT", true, 2147483648},
	{"Sun, 06 Nov 1994 08:49:37", false, 0},
	{"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
	{"Sun, 06 Nov 1994 08:49:37 CET", false, 0},
	{"Sun, 06 Now 1994 08:49:37 GMT", false, 0},
	{"Sun, 32 Nov 1994 08:49:37 GMT", false, 0},
	{"Sun, 00 Nov 1994 08:49:37 GMT", false, 0},
	{"Sun, 06 Nov 1994 24:49:37 GMT", false, 0},
	{"Sun, 06 Nov 1994 08:60:37 GMT", false, 0},
	{"Sun, 06 Nov 1994 08:49:61 GMT", false, 0},
	{"Sun, 06 Nov 1994 08:-9:37 GMT", false, 0},
	{"", false, 0},
};

START_TEST(dates)
{
	time_t t;

	ck_assert(ql_http_date_parse(date_cases[_i].text, MODIFIED, &t) == date_cases[_i].good);
	if (date_cases[_i].good)
		ck_assert_int_eq(t, date_cases[_i].at);
}
END_TEST

/* Two digits of a year: at most 50 years ahead of now. */
START_TEST(short_years)
{
	const time_t y2026 = 1790000000;
	time_t t;

	ck_assert(ql_http_date_parse("Sunday, 06-Nov-94 08:49:37 GMT", y2026, &t));
	ck_assert_int_eq(t, MODIFIED);
	ck_assert(ql_http_date_parse("Friday, 06-Nov-76 08:49:37 GMT", y2026, &t));
	ck_assert_int_gt(t, y2026);
	ck_assert(ql_http_date_parse("Saturday, 06-Nov-77 08:49:37 GMT", y2026, &t));
	ck_assert_int_lt(t, y2026);
}
END_TEST

START_TEST(date_out)
{
	char text[QL_HTTP_DATE];

	ql_http_date(MODIFIED, text);
	ck_assert_str_eq(text, AT);
	ql_http_date(0, text);
	ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}
END_TEST

/* Another time or another size: another tag. */
START_TEST(etags)
{
	const struct timespec times[] = {{1, 0}, {1, 1}, {2, 0}};
	char tag[6][QL_ETAG];

	for (unsigned int i = 0; i < 6; i++) {
		ql_etag(&times[i / 2], i % 2 ? 1 : UINT64_MAX, tag[i]);
		ck_assert(tag[i][0] == '"' && tag[i][strlen(tag[i]) - 1] == '"');
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(tag[i], tag[k]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/select");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, whole);
	tcase_add_loop_test(tc, ranges, 0, N(range_cases));
	tcase_add_test(tc, range_of_nothing);
	tcase_add_loop_test(tc, conditions, 0, N(condition_cases));
	tcase_add_test(tc, fresh_file);
	tcase_add_loop_test(tc, dates, 0, N(date_cases));
	tcase_add_test(tc, short_years);
	tcase_add_test(tc, date_out);
	tcase_add_test(tc, etags);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
