// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <wolfssl/internal.h>

#include "crypto/clock.h"

#define LATER 4000000000123 /* ms; some year 2096 */

static int64_t system_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What was attached before comes back, so that one attaching may be within another. */
START_TEST(nested)
{
	ck_assert_int_eq(ql_clock_attach(LATER), 0);
	ck_assert_int_eq(ql_clock_attach(5), LATER);
	ck_assert_int_eq(ql_clock_attach(LATER), 5);
	ck_assert_int_eq(ql_clock_attach(0), LATER);
	ck_assert_int_eq(ql_clock_attach(0), 0);
}
END_TEST

START_TEST(seen_by_tls)
{
	int64_t before, now;

	if (!ql_clock_attachable())
		return;
	ql_clock_attach(LATER);
	ck_assert_int_eq((int64_t)TimeNowInMilliseconds(), LATER);
	ck_assert_uint_eq(LowResTimer(), (word32)(LATER / 1000));
	ql_clock_attach(0);
	before = system_time();
	now = (int64_t)TimeNowInMilliseconds();
	ck_assert_int_le(before, now);
	ck_assert_int_le(now, system_time());
}
END_TEST

static void *other_thread(void *arg)
{
	*(int64_t *)arg = ql_clock_attach(5);
	return NULL;
}

START_TEST(each_thread_has_its_own)
{
	int64_t there = -1;
	pthread_t thread;

	ql_clock_attach(LATER);
	ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, &there), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(there, 0);
	ck_assert_int_eq(ql_clock_attach(0), LATER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/clock");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_test(tc, nested);
	tcase_add_test(tc, seen_by_tls);
	tcase_add_test(tc, each_thread_has_its_own);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
