// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/floors.h"

#define LONG UINT64_C(200000)

/* At least so many cycles. */
static void spend(uint64_t cycles)
{
	uint64_t start = rte_rdtsc();

	while (rte_rdtsc() - start < cycles)
		;
}

static uint64_t all(const struct ql_floors *f)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < QL_FLOORS; i++)
		sum += f->cycles[i];
	return sum;
}

START_TEST(time_belongs_to_its_floor)
{
	struct ql_floors f = {.longest = UINT64_MAX};
	uint64_t before, took = rte_rdtsc();

	ql_floors_use(&f);
	ck_assert_int_eq(ql_floors_go(QL_FLOOR_OPEN), QL_FLOOR_OTHER);
	spend(LONG);
	ck_assert_int_eq(ql_floors_go(QL_FLOOR_FRAMES), QL_FLOOR_OPEN);
	before = f.cycles[QL_FLOOR_FRAMES];
	ck_assert_int_eq(ql_floors_go(QL_FLOOR_APPLICATION), QL_FLOOR_FRAMES);
	spend(3 * LONG);
	ck_assert_int_eq(ql_floors_go(QL_FLOOR_FRAMES), QL_FLOOR_APPLICATION);
	ql_floors_use(NULL);
	took = rte_rdtsc() - took;

	ck_assert_uint_ge(f.cycles[QL_FLOOR_OPEN], LONG);
	ck_assert_uint_ge(f.cycles[QL_FLOOR_APPLICATION], 3 * LONG);
	ck_assert_uint_ge(f.cycles[QL_FLOOR_FRAMES], before);
	ck_assert_uint_eq(f.cycles[QL_FLOOR_SEAL], 0);
	ck_assert_uint_le(all(&f), took);
	ck_assert_uint_eq(f.marks[QL_FLOOR_FRAMES], 2);
	ck_assert_uint_eq(f.marks[QL_FLOOR_OPEN], 1);
	ck_assert_uint_eq(f.interrupted, 0);
}
END_TEST

START_TEST(no_account_no_time)
{
	struct ql_floors f = {.longest = UINT64_MAX}, was;

	ql_floors_use(&f);
	ql_floors_use(NULL);
	was = f;
	ql_floors_go(QL_FLOOR_SEAL);
	spend(LONG);
	ck_assert_int_eq(ql_floors_go(QL_FLOOR_OTHER), QL_FLOOR_SEAL);
	ck_assert_mem_eq(&was, &f, sizeof(f));
}
END_TEST

/* Each account has only what happened in its turn. */
START_TEST(accounts_in_turn)
{
	struct ql_floors f[2] = {{.longest = UINT64_MAX}, {.longest = UINT64_MAX}};

	ql_floors_use(&f[0]);
	ql_floors_go(QL_FLOOR_SEAL);
	ql_floors_use(&f[1]);
	spend(LONG);
	ql_floors_go(QL_FLOOR_SEAL);
	ql_floors_use(NULL);
	ck_assert_uint_ge(f[1].cycles[QL_FLOOR_OTHER], LONG);
	ck_assert_uint_eq(f[0].marks[QL_FLOOR_SEAL], 1);
	ck_assert_uint_eq(f[1].marks[QL_FLOOR_SEAL], 1);
}
END_TEST

START_TEST(interruptions_are_left_out)
{
	struct ql_floors f = {.longest = LONG};

	ql_floors_use(&f);
	ql_floors_go(QL_FLOOR_OPEN);
	spend(2 * LONG);
	ql_floors_use(NULL);
	ck_assert_uint_eq(f.cycles[QL_FLOOR_OPEN], 0);
	ck_assert_uint_ge(f.interrupted, 1);
	ck_assert_uint_eq(f.marks[QL_FLOOR_OPEN], 1);
}
END_TEST

START_TEST(a_mark_takes_some_time)
{
	double mark = ql_floors_mark();

	ck_assert(mark > 0 && mark < (double)LONG);
	ck_assert_ptr_null(ql_floors_clock.account);
}
END_TEST

START_TEST(each_has_a_name)
{
	for (enum ql_floor i = 0; i < QL_FLOORS; i++)
		for (enum ql_floor k = 0; k < i; k++)
			ck_assert_str_ne(ql_floor_name(i), ql_floor_name(k));
}
END_TEST

/* What the library has of it by default. */
START_TEST(marks_are_nothing_when_off)
{
	struct ql_floors f = {.longest = UINT64_MAX};

	ql_floors_use(&f);
	QL_FLOOR(STEER);
	QL_FLOOR(OPEN);
	ql_floors_use(NULL);
	ck_assert_uint_eq(f.marks[QL_FLOOR_STEER], QL_WITH_FLOORS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/floors");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, time_belongs_to_its_floor);
	tcase_add_test(tc, no_account_no_time);
	tcase_add_test(tc, accounts_in_turn);
	tcase_add_test(tc, interruptions_are_left_out);
	tcase_add_test(tc, a_mark_takes_some_time);
	tcase_add_test(tc, each_has_a_name);
	tcase_add_test(tc, marks_are_nothing_when_off);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
