// SPDX-License-Identifier: BSD-3-Clause
#include "observe/json.h"

#include <check.h>
#include <stdlib.h>

static char buf[512];
static struct ql_json j;

static void setup(void)
{
	memset(buf, 0x55, sizeof(buf));
	j = (struct ql_json){.p = buf, .end = buf + sizeof(buf) - 1};
}

static const char *text(void)
{
	ck_assert(!j.full);
	*j.p = 0;
	return buf;
}

START_TEST(nesting)
{
	ql_json_open(&j, NULL, '{');
	ql_json_str(&j, "a", "b");
	ql_json_open(&j, "list", '[');
	ql_json_u64(&j, NULL, 0);
	ql_json_u64(&j, NULL, UINT64_MAX);
	ql_json_open(&j, NULL, '{');
	ql_json_close(&j, '}');
	ql_json_bool(&j, NULL, true);
	ql_json_close(&j, ']');
	ql_json_bool(&j, "no", false);
	ql_json_lower(&j, "e", "NO_ERROR");
	ql_json_close(&j, '}');
	ck_assert_str_eq(text(), "{\"a\":\"b\",\"list\":[0,18446744073709551615,{},true],"
				 "\"no\":false,\"e\":\"no_error\"}");
}
END_TEST

START_TEST(values)
{
	ql_json_open(&j, NULL, '[');
	ql_json_ms(&j, NULL, 0);
	ql_json_ms(&j, NULL, 1);
	ql_json_ms(&j, NULL, 12000000);
	ql_json_ms(&j, NULL, 1234567890123);
	ql_json_ms(&j, NULL, 1000100);
	ql_json_hex(&j, NULL, "\x00\xff\x3c", 3);
	ql_json_hex(&j, NULL, "", 0);
	ql_json_close(&j, ']');
	ck_assert_str_eq(text(), "[0,0.000001,12,1234567.890123,1.000100,\"00ff3c\",\"\"]");
}
END_TEST

/* What a peer says: no quote of its ends the string, no byte of its is no text. */
START_TEST(foreign_text)
{
	ql_json_text(&j, NULL, "a\"b\\c\n\0\x7f\xc3\xa4{", 11);
	ck_assert_str_eq(text(), "\"a\\\"b\\\\c?????{\"");
}
END_TEST

/* Every length of buffer: nothing behind it is written, and it is known that not all fitted. */
START_TEST(too_long)
{
	size_t whole = 0;

	for (size_t room = sizeof(buf) - 1; room < sizeof(buf); room--) {
		setup();
		j.end = buf + room;
		ql_json_open(&j, NULL, '{');
		ql_json_u64(&j, "number", 123456);
		ql_json_ms(&j, "ms", 1000001);
		ql_json_hex(&j, "hex", "\x12\x34", 2);
		ql_json_text(&j, "text", "\"quoted\"", 8);
		ql_json_lower(&j, "lower", "ABC");
		ql_json_close(&j, '}');
		if (whole == 0)
			whole = (size_t)(j.p - buf);
		ck_assert_int_eq(j.full, room < whole);
		ck_assert(j.p <= j.end);
		for (size_t i = room; i < sizeof(buf); i++)
			ck_assert_int_eq(buf[i], 0x55);
	}
	ck_assert_uint_gt(whole, 60);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observe/json");
	TCase *tc = tcase_create("json");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, nesting);
	tcase_add_test(tc, values);
	tcase_add_test(tc, foreign_text);
	tcase_add_test(tc, too_long);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
