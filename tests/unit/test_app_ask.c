// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"

#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE	 "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct ql_have nothing, file = {.whole = true, .modified = MODIFIED},
				     part = {.part = 1000, .part_modified = MODIFIED};

static const char *value_of(const struct ql_asked *asked, const char *name)
{
	for (size_t i = 0; i < asked->n; i++) {
		if (strcmp(asked->fields[i].name, name) == 0)
			return asked->fields[i].value;
	}
	return "";
}

START_TEST(fields)
{
	struct ql_ask ask = {0};
	struct ql_asked asked;

	ql_ask(&ask, &part, &asked);
	ck_assert_uint_eq(asked.n, 0);

	ask.resume = ask.newer = true;
	ql_ask(&ask, &nothing, &asked);
	ck_assert_uint_eq(asked.n, 0);
	ql_ask(&ask, &part, &asked);
	ck_assert_uint_eq(asked.n, 2);
	ck_assert_str_eq(value_of(&asked, "range"), "bytes=1000-");
	ck_assert_str_eq(value_of(&asked, "if-range"), DATE);
	ql_ask(&ask, &file, &asked);
	ck_assert_uint_eq(asked.n, 1);
	ck_assert_str_eq(value_of(&asked, "if-modified-since"), DATE);

	ask = (struct ql_ask){.range = "5-9"};
	ck_assert_ptr_null(ql_option_header(NULL, &ask.headers, "Accept:  text/html"));
	ck_assert_ptr_null(ql_option_header(NULL, &ask.headers, "x:"));
	ql_ask(&ask, &nothing, &asked);
	ck_assert_uint_eq(asked.n, 3);
	ck_assert_str_eq(value_of(&asked, "range"), "bytes=5-9");
	ck_assert_str_eq(value_of(&asked, "accept"), "text/html");
	ck_assert_str_eq(value_of(&asked, "x"), "");
}
END_TEST

START_TEST(answers)
{
	static const struct {
		bool range, resume, newer;
		const struct ql_have *have;
		unsigned int status;
		const char *content_range;
		enum ql_answer answer;
	} cases[] = {
		{0, 0, 0, &nothing, 200, NULL, QL_ANSWER_ALL},
		{0, 1, 1, &part, 200, NULL, QL_ANSWER_ALL},
		{0, 0, 0, &nothing, 404, NULL, QL_ANSWER_NO},
		{0, 0, 0, &nothing, 206, "bytes 0-9/10", QL_ANSWER_NO},
		{0, 0, 0, &file, 304, NULL, QL_ANSWER_NO},
		{1, 0, 0, &nothing, 206, "bytes 0-9/10", QL_ANSWER_ALL},
		{1, 0, 0, &nothing, 200, NULL, QL_ANSWER_NO},
		{1, 0, 0, &nothing, 416, "bytes */10", QL_ANSWER_NO},
		{0, 1, 0, &part, 206, "bytes 1000-1999/2000", QL_ANSWER_REST},
		{0, 1, 0, &part, 206, "bytes 1000-1999/*", QL_ANSWER_REST},
		{0, 1, 0, &part, 206, "bytes 999-1999/2000", QL_ANSWER_NO},
		{0, 1, 0, &part, 206, "bytes */2000", QL_ANSWER_NO},
		{0, 1, 0, &part, 206, "1000-1999", QL_ANSWER_NO},
		{0, 1, 0, &part, 206, "bytes 1000-1999", QL_ANSWER_NO},
		{0, 1, 0, &part, 206, NULL, QL_ANSWER_NO},
		{0, 1, 0, &nothing, 206, "bytes 0-9/10", QL_ANSWER_NO},
		{0, 1, 0, &part, 416, "bytes */1000", QL_ANSWER_DONE},
		{0, 1, 0, &part, 416, "bytes */1001", QL_ANSWER_NO},
		{0, 1, 0, &part, 416, NULL, QL_ANSWER_NO},
		{0, 0, 1, &file, 304, NULL, QL_ANSWER_SAME},
		{0, 0, 1, &nothing, 304, NULL, QL_ANSWER_NO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ql_ask ask = {.range = cases[i].range ? "0-9" : NULL,
					   .resume = cases[i].resume,
					   .newer = cases[i].newer};

		ck_assert_msg(ql_ask_answer(&ask, cases[i].have, cases[i].status,
					    cases[i].content_range) == cases[i].answer,
			      "case %zu", i);
	}
}
END_TEST

START_TEST(priorities)
{
	static const struct {
		const char *text;
		int urgency; /* -1: refused */
		bool incremental;
	} cases[] = {
		{"u=0", 0, false}, {"u=7,i", 7, true}, {"u=4, i", 4, true},  {"i", 3, true},
		{"", -1, false},   {"u=8", -1, false}, {"u=1i", -1, false},  {"u=1,", -1, false},
		{"u=", -1, false}, {"ii", -1, false},  {"u=1,x", -1, false}, {"5", -1, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ql_ask_priority got = {0};
		const char *error = ql_option_priority(NULL, &got, cases[i].text);

		ck_assert_msg(!error == (cases[i].urgency >= 0), "'%s'", cases[i].text);
		ck_assert_int_eq(got.given, cases[i].urgency >= 0);
		if (got.given) {
			ck_assert_int_eq(got.p.urgency, cases[i].urgency);
			ck_assert_int_eq(got.p.incremental, cases[i].incremental);
		}
	}
}
END_TEST

START_TEST(ranges)
{
	static const char *const good[] = {"0-99", "1000-", "-500", "5-5"},
				 *const bad[] = {"",  "-",    "5",    "9-5",
						 "a", "0-9,", "0--9", "99999999999999999999-"};
	const char *got;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_ptr_null(ql_option_range(NULL, &got, good[i]));
		ck_assert_str_eq(got, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_ptr_nonnull(ql_option_range(NULL, &got, bad[i]));
}
END_TEST

START_TEST(headers)
{
	struct ql_ask_headers h = {0};

	ck_assert_ptr_nonnull(ql_option_header(NULL, &h, "no colon"));
	ck_assert_ptr_nonnull(ql_option_header(NULL, &h, ": no name"));
	ck_assert_ptr_nonnull(ql_option_header(NULL, &h, "x: y\r\nz: 1"));
	for (unsigned int i = 0; i < QL_ASK_HEADERS; i++)
		ck_assert_ptr_null(ql_option_header(NULL, &h, "If-None-Match: \"a\""));
	ck_assert_str_eq(h.at[0].name, "if-none-match");
	ck_assert_str_eq(h.at[0].value, "\"a\"");
	ck_assert_ptr_nonnull(ql_option_header(NULL, &h, "one: more"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("app/ask");
	TCase *t = tcase_create("ask");
	SRunner *r;
	int failed;

	tcase_add_test(t, fields);
	tcase_add_test(t, answers);
	tcase_add_test(t, priorities);
	tcase_add_test(t, ranges);
	tcase_add_test(t, headers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
