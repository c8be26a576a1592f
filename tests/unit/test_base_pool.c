// SPDX-License-Identifier: BSD-3-Clause
#include "base/pool.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "base/mem.h"

#define BLOCKS 2000
#define MOST   10000 /* bytes */

static uint32_t random32(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

static void fill(uint8_t *p, size_t n, uint8_t with)
{
	memset(p, with, n);
}

static void expect(const uint8_t *p, size_t n, uint8_t with)
{
	size_t other = 0;

	for (size_t i = 0; i < n; i++)
		other += p[i] != with;
	ck_assert_uint_eq(other, 0);
}

/* Blocks of all sizes, given back in any order: none overlaps another, and at the end nothing is kept. */
START_TEST(any_order)
{
	static struct {
		uint8_t *p;
		size_t n;
		uint8_t with;
	} b[BLOCKS];
	size_t kept = 0;

	for (unsigned int round = 0; round < 20 * BLOCKS; round++) {
		unsigned int i = random32() % BLOCKS;

		if (b[i].p) {
			size_t n = random32() % MOST;

			expect(b[i].p, b[i].n, b[i].with);
			if (random32() % 4 == 0) {
				b[i].p = ql_pool_realloc(b[i].p, n);
				ck_assert_ptr_nonnull(b[i].p);
				expect(b[i].p, n < b[i].n ? n : b[i].n, b[i].with);
				b[i].n = n;
				fill(b[i].p, n, b[i].with);
				continue;
			}
			ql_pool_free(b[i].p);
			b[i].p = NULL;
			if (ql_pool_kept() > kept)
				kept = ql_pool_kept();
			ck_assert_uint_le(kept, QL_POOL_KEPT);
		} else {
			b[i].n = random32() % MOST;
			b[i].with = (uint8_t)round;
			b[i].p = ql_pool_alloc(b[i].n);
			ck_assert_ptr_nonnull(b[i].p);
			ck_assert_uint_eq((uintptr_t)b[i].p % 16, 0);
			fill(b[i].p, b[i].n, b[i].with);
		}
	}
	ck_assert(QL_MEM_OWN_BLOCKS ? kept == 0 : kept > 0);
	for (unsigned int i = 0; i < BLOCKS; i++)
		ql_pool_free(b[i].p);
	ck_assert_uint_eq(ql_pool_kept(), 0);
}
END_TEST

/* What came back is what is taken next. */
START_TEST(kept)
{
	void *stays = ql_pool_alloc(1), *a, *b;

	a = ql_pool_alloc(100);
	ql_pool_free(a);
	if (!QL_MEM_OWN_BLOCKS) {
		ck_assert_uint_eq(ql_pool_kept(), 128);
		b = ql_pool_alloc(112);
		ck_assert_ptr_eq(a, b);
		ck_assert_uint_eq(ql_pool_kept(), 0);
		ql_pool_free(b);
		a = ql_pool_alloc(QL_POOL_MAX + 1); /* larger than all classes */
		ql_pool_free(a);
		ck_assert_uint_eq(ql_pool_kept(), 128);
	}
	ql_pool_free(stays);
	ck_assert_uint_eq(ql_pool_kept(), 0);
	ql_pool_free(NULL);
}
END_TEST

/* More comes back than is kept. */
START_TEST(bounded)
{
	enum { N = 2 * QL_POOL_KEPT / 1024 };
	void *stays = ql_pool_alloc(1);
	static void *all[N];

	for (unsigned int i = 0; i < N; i++)
		all[i] = ql_pool_alloc(1000);
	for (unsigned int i = 0; i < N; i++)
		ql_pool_free(all[i]);
	ck_assert_uint_eq(ql_pool_kept(), QL_MEM_OWN_BLOCKS ? 0 : QL_POOL_KEPT);
	ql_pool_free(stays);
	ck_assert_uint_eq(ql_pool_kept(), 0);
}
END_TEST

static void *give_back(void *block)
{
	ql_pool_free(block);
	return (void *)(uintptr_t)ql_pool_kept();
}

START_TEST(other_thread)
{
	void *mine = ql_pool_alloc(50), *left;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, give_back, ql_pool_alloc(50)), 0);
	ck_assert_int_eq(pthread_join(thread, &left), 0);
	ck_assert_ptr_null(left);
	ql_pool_free(mine);
}
END_TEST

/* No size is too large to be refused. */
START_TEST(too_large)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 64, SIZE_MAX / 2 + 1};
	uint8_t *p;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		volatile size_t size = sizes[i];

		ck_assert_ptr_null(ql_pool_alloc(size));
	}
	p = ql_pool_alloc(10);
	fill(p, 10, 7);
	ck_assert_ptr_null(ql_pool_realloc(p, sizes[0]));
	expect(p, 10, 7);
	p = ql_pool_realloc(p, 10000);
	expect(p, 10, 7);
	p = ql_pool_realloc(p, 20000);
	expect(p, 10, 7);
	ql_pool_free(p);
	ql_pool_free(ql_pool_realloc(NULL, 3));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/pool");
	TCase *tc = tcase_create("pool");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, any_order);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, other_thread);
	tcase_add_test(tc, too_large);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
