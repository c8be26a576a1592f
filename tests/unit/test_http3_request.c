// SPDX-License-Identifier: BSD-3-Clause
/* Received fields; the rest of lib/http3/request.c is in test_http3_h3.c and test_http3_hq.c. */
#include "test_http3_util.h"

#include "http3/http.h"

START_TEST(fields)
{
	struct ql_http_fields f = {0};

	ck_assert_ptr_null(ql_http_fields_get(&f, "a"));
	ck_assert_int_eq(ql_http_fields_add(&f, 1000, "a", 1, "1", 1), 0);
	ck_assert_int_eq(ql_http_fields_add(&f, 1000, "bee", 3, "", 0), 0);
	ck_assert_int_eq(ql_http_fields_add(&f, 1000, "a", 1, "2", 1), 0);
	ck_assert_str_eq(ql_http_fields_get(&f, "a"), "1");
	ck_assert_str_eq(ql_http_fields_get(&f, "bee"), "");
	/* a value is not a name */
	ck_assert_ptr_null(ql_http_fields_get(&f, "2"));
	ck_assert_ptr_null(ql_http_fields_get(&f, "be"));
	ck_assert_uint_eq(f.counted, 34 + 35 + 34);
	ql_http_fields_clear(&f);
	ck_assert_ptr_null(f.buf);
	ck_assert_ptr_null(ql_http_fields_get(&f, "a"));
}
END_TEST

START_TEST(fields_limit)
{
	struct ql_http_fields f = {0};
	static char value[5000];

	memset(value, 'v', sizeof(value));
	/* exactly the limit, and one more */
	ck_assert_int_eq(ql_http_fields_add(&f, 5000, "n", 1, value, 5000 - 33), 0);
	ck_assert_uint_eq(f.counted, 5000);
	ck_assert_int_eq(ql_http_fields_add(&f, 5000, "", 0, "", 0), -EMSGSIZE);
	ck_assert_uint_eq(f.counted, 5032);
	ck_assert_uint_eq(strlen(ql_http_fields_get(&f, "n")), 5000 - 33);
	ql_http_fields_clear(&f);
	ck_assert_int_eq(ql_http_fields_add(&f, 5000, "n", 1, value, 5000 - 32), -EMSGSIZE);
	ck_assert_ptr_null(f.buf);
}
END_TEST

START_TEST(fields_grow)
{
	struct ql_http_fields f = {0};
	char name[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(
			ql_http_fields_add(&f, SIZE_MAX, name, strlen(name), name, strlen(name)),
			0);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_str_eq(ql_http_fields_get(&f, name), name);
	}
	ck_assert_int_eq(ql_http_fields_grow(&f, 100000), 0);
	ck_assert_uint_ge(f.cap - f.len, 100000);
	ql_http_fields_clear(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/request");
	TCase *t = tcase_create("request");
	SRunner *r;
	int failed;

	tcase_add_test(t, fields);
	tcase_add_test(t, fields_limit);
	tcase_add_test(t, fields_grow);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
