// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the tests of lib/base and lib/recovery share: a ql_mem that must be empty at the end,
 * pseudo-random numbers that are the same in every run, and the runner.
 */
#ifndef TEST_RECOVERY_UTIL_H
#define TEST_RECOVERY_UTIL_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MEM_BYTES (64u << 20)

static struct ql_mem mem;
static void *mem_region;

static inline void mem_open(void)
{
	mem_region = aligned_alloc(64, MEM_BYTES);
	ck_assert_ptr_nonnull(mem_region);
	ql_mem_init(&mem, mem_region, MEM_BYTES);
}

/* Every block has come back. */
static inline void mem_close(void)
{
	ck_assert_uint_eq(mem.used, 0);
	free(mem_region);
}

/* ck_assert() writes to a pipe each time; this is for what is checked millions of times. */
#define CHECK(expr)                                \
	do {                                       \
		if (!(expr))                       \
			ck_abort_msg("%s", #expr); \
	} while (0)

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static inline uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t below(uint64_t *state, uint64_t n)
{
	return rnd(state) % n;
}

static inline int run_cases(const char *name, const TTest *const *tests, size_t n,
			    void (*open)(void), void (*close)(void))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, open, close);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN(name, open, close, ...)                                                           \
	int main(void)                                                                        \
	{                                                                                     \
		const TTest *const tests[] = {__VA_ARGS__};                                   \
		return run_cases(name, tests, sizeof(tests) / sizeof(tests[0]), open, close); \
	}

#endif /* TEST_RECOVERY_UTIL_H */
