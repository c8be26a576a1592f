// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>

#include "base/rate.h"

START_TEST(burst_then_steady)
{
	struct ql_rate r = {.interval = 1000, .burst = 5};
	uint64_t now = 1000000;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 20; i++)
		n += ql_rate_allow(&r, now);
	ck_assert_uint_eq(n, 5);
	ck_assert(!ql_rate_allow(&r, now + 999));
	ck_assert(ql_rate_allow(&r, now + 1000));
	ck_assert(!ql_rate_allow(&r, now + 1000));

	/* asked all the time: one an interval */
	n = 0;
	for (unsigned int i = 1; i <= 100000; i += 100)
		n += ql_rate_allow(&r, now + 1000 + i);
	ck_assert_uint_ge(n, 99);
	ck_assert_uint_le(n, 100);

	/* silence fills it, but not more than that */
	now += UINT64_C(1) << 40;
	n = 0;
	for (unsigned int i = 0; i < 20; i++)
		n += ql_rate_allow(&r, now);
	ck_assert_uint_eq(n, 5);
}
END_TEST

START_TEST(burst_of_one)
{
	struct ql_rate r = {.interval = 10, .burst = 1};

	ck_assert(ql_rate_allow(&r, 0));
	ck_assert(!ql_rate_allow(&r, 9));
	ck_assert(ql_rate_allow(&r, 10));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/rate");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, burst_then_steady);
	tcase_add_test(tc, burst_of_one);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
