// SPDX-License-Identifier: BSD-3-Clause
#include "test_recovery_util.h"

START_TEST(test_class_sizes)
{
	static const size_t cases[][2] = {
		{0, 16},
		{1, 16},
		{16, 16},
		{17, 24},
		{24, 24},
		{25, 32},
		{32, 32},
		{33, 48},
		{48, 48},
		{49, 64},
		{64, 64},
		{65, 96},
		{96, 96},
		{97, 128},
		{1024, 1024},
		{1025, 1536},
		{1537, 2048},
		{786432, 786432},
		{786433, QL_MEM_MAX},
		{QL_MEM_MAX, QL_MEM_MAX},
		{QL_MEM_MAX + 1, 0},
		{SIZE_MAX, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(ql_mem_class_size(cases[i][0]), cases[i][1]);
	for (size_t size = 1; size <= 100000; size++) {
		size_t c = ql_mem_class_size(size);

		CHECK(c >= size);
		CHECK(size <= 16 || c <= size + size / 2);
		CHECK(ql_mem_class_size(c) == c);
	}
}
END_TEST

/* Every size: aligned, writable in full, and nobody else's. */
START_TEST(test_blocks_apart)
{
	enum { N = 700 };
	uint8_t *block[N];

	for (size_t i = 0; i < N; i++) {
		block[i] = ql_mem_alloc(&mem, i);
		ck_assert_ptr_nonnull(block[i]);
		ck_assert_uint_eq((uintptr_t)block[i] % (i < 64 ? 16 : 64), 0);
		memset(block[i], (int)(i & 0xff), i);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(block[i][j] == (i & 0xff));
	for (size_t i = 0; i < N; i++)
		ql_mem_free(&mem, block[i], i);
}
END_TEST

START_TEST(test_accounts)
{
	void *a = ql_mem_alloc(&mem, 100), *b = ql_mem_alloc(&mem, 17);

	ck_assert_uint_eq(mem.used, 128 + 24);
	ck_assert_uint_eq(mem.peak, 128 + 24);
	ql_mem_free(&mem, a, 100);
	ck_assert_uint_eq(mem.used, 24);
	ck_assert_uint_eq(mem.peak, 128 + 24);
	ql_mem_free(&mem, b, 17);
	ql_mem_free(&mem, NULL, 17);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_ptr_null(ql_mem_alloc(&mem, QL_MEM_MAX + 1));
	ck_assert_ptr_null(ql_mem_alloc(&mem, SIZE_MAX));
	ck_assert_uint_eq(mem.used, 0);
	a = ql_mem_alloc(&mem, QL_MEM_MAX);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(mem.used, QL_MEM_MAX);
	ql_mem_free(&mem, a, QL_MEM_MAX);
}
END_TEST

START_TEST(test_last_in_first_out)
{
	void *a = ql_mem_alloc(&mem, 200), *b = ql_mem_alloc(&mem, 256);

	ql_mem_free(&mem, a, 200);
	ql_mem_free(&mem, b, 256);
	if (!QL_MEM_OWN_BLOCKS) {
		ck_assert_ptr_eq(ql_mem_alloc(&mem, 250), b);
		ck_assert_ptr_eq(ql_mem_alloc(&mem, 193), a);
		ql_mem_free(&mem, a, 193);
		ql_mem_free(&mem, b, 250);
	}
}
END_TEST

START_TEST(test_zalloc)
{
	uint8_t *a = ql_mem_alloc(&mem, 300);

	memset(a, 0xff, 300);
	ql_mem_free(&mem, a, 300);
	a = ql_mem_zalloc(&mem, 300);
	for (size_t i = 0; i < 300; i++)
		ck_assert_uint_eq(a[i], 0);
	ql_mem_free(&mem, a, 300);
	ck_assert_ptr_null(ql_mem_zalloc(&mem, QL_MEM_MAX + 1));
}
END_TEST

/* The region ends, and what comes back can be had again, but no more. */
START_TEST(test_exhaustion)
{
	static const size_t sizes[] = {16, 24, 64, 96, 1000, 4096, 12000, 20000};
	const size_t size = 1000000 - 5; /* an end that is no multiple of anything */
	uint8_t *region = aligned_alloc(64, 1000000);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t bytes = ql_mem_class_size(sizes[i]), n = 0, again = 0;
		void *list = NULL, *p;
		struct ql_mem m;

		ql_mem_init(&m, region, size);
		while ((p = ql_mem_alloc(&m, sizes[i])) != NULL) {
			memset(p, 0xee, sizes[i]);
			if (!QL_MEM_OWN_BLOCKS) {
				ck_assert((uint8_t *)p >= region);
				ck_assert((uint8_t *)p + sizes[i] <= region + size);
			}
			*(void **)p = list;
			list = p;
			n++;
		}
		ck_assert_uint_le(n * bytes, size);
		/* What is lost: alignment (24 in 32, 96 in 128), a quarter of slabs, the last ones.
		 */
		ck_assert_uint_ge(n * (bytes + 32) / 3 * 4 + 3 * QL_MEM_SLAB, size);
		ck_assert_uint_eq(m.used, n * bytes);
		while (list) {
			void *next = *(void **)list;

			ql_mem_free(&m, list, sizes[i]);
			list = next;
		}
		ck_assert_uint_eq(m.used, 0);
		while ((p = ql_mem_alloc(&m, sizes[i])) != NULL) {
			*(void **)p = list;
			list = p;
			again++;
		}
		ck_assert_uint_eq(again, n);
		ck_assert_uint_eq(m.peak, n * bytes);
		while (list) {
			void *next = *(void **)list;

			ql_mem_free(&m, list, sizes[i]);
			list = next;
		}
	}
	free(region);
}
END_TEST

/*
 * A crowd of objects of one size takes all there is and leaves: then there is as much for objects
 * of any other size as there was at first.
 */
START_TEST(test_crowds)
{
	static const size_t sizes[] = {24, 300, 64, 4096, 100000, 16, 1500, 8192, 200, 30000};
	enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), REGION = 4 << 20 };
	uint8_t *region = aligned_alloc(64, REGION);
	size_t first[SIZES] = {0};
	struct ql_mem m;

	ql_mem_init(&m, region, REGION);
	for (unsigned int round = 0; round < 3 * SIZES; round++) {
		unsigned int i = round * 7 % SIZES;
		void *list = NULL, *p;
		size_t n = 0;

		while ((p = ql_mem_alloc(&m, sizes[i])) != NULL) {
			*(void **)p = list;
			list = p;
			n++;
		}
		CHECK(n > 0);
		if (round < SIZES)
			first[i] = n;
		ck_assert_uint_eq(n, first[i]);
		while (list) {
			p = list;
			list = *(void **)p;
			ql_mem_free(&m, p, sizes[i]);
		}
		ck_assert_uint_eq(m.used, 0);
	}
	free(region);
}
END_TEST

START_TEST(test_no_region)
{
	struct ql_mem m;

	ql_mem_init(&m, mem_region, 0);
	ck_assert_ptr_null(ql_mem_alloc(&m, 1));
	ck_assert_uint_eq(m.used, 0);
}
END_TEST

START_TEST(test_fail_at)
{
	void *a, *b;

	ql_mem_fail_at(&mem, 2);
	a = ql_mem_alloc(&mem, 10);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(ql_mem_alloc(&mem, 10));
	ck_assert_uint_eq(mem.used, 16);
	b = ql_mem_alloc(&mem, 10);
	ck_assert_ptr_nonnull(b);
	ql_mem_free(&mem, a, 10);
	ql_mem_free(&mem, b, 10);
	ql_mem_fail_at(&mem, 1);
	ql_mem_fail_at(&mem, 0);
	a = ql_mem_alloc(&mem, 10);
	ck_assert_ptr_nonnull(a);
	ql_mem_free(&mem, a, 10);
}
END_TEST

/* Blocks that are out, by class, of all kinds there are: several a slab, one, and several slabs for one. */
START_TEST(test_count)
{
	static const size_t sizes[] = {1, 24, 1000, 1024, 4096, 8192, 12000, 70000};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	void *p[N][3];
	size_t all = 0;

	if (QL_MEM_OWN_BLOCKS)
		return;
	for (unsigned int i = 0; i < N; i++)
		for (unsigned int k = 0; k < 3; k++)
			p[i][k] = ql_mem_alloc(&mem, sizes[i]);
	for (unsigned int i = 0; i < N; i++)
		ql_mem_free(&mem, p[i][1], sizes[i]);
	for (unsigned int c = 0; c < QL_MEM_CLASSES; c++) {
		size_t block, n = ql_mem_count(&mem, c, &block), want = 0;

		for (unsigned int i = 0; i < N; i++)
			want += ql_mem_class_size(sizes[i]) == block ? 2 : 0;
		ck_assert_uint_eq(n, want);
		all += n * block;
	}
	ck_assert_uint_eq(all, mem.used);
	for (unsigned int i = 0; i < N; i++) {
		ql_mem_free(&mem, p[i][0], sizes[i]);
		ql_mem_free(&mem, p[i][2], sizes[i]);
	}
}
END_TEST

/* Random sizes in and out: no two blocks ever share a byte. */
START_TEST(test_random)
{
	enum { N = 512 };
	struct {
		uint8_t *p;
		size_t size;
		uint8_t mark;
	} block[N] = {0};
	uint64_t seed = 1;

	for (unsigned int step = 0; step < 100000; step++) {
		size_t i = below(&seed, N);

		if (block[i].p) {
			for (size_t j = 0; j < block[i].size; j += 7)
				CHECK(block[i].p[j] == block[i].mark);
			CHECK(block[i].p[block[i].size - 1] == block[i].mark);
			ql_mem_free(&mem, block[i].p, block[i].size);
			block[i].p = NULL;
		} else {
			block[i].size = 1 + below(&seed, (size_t)1 << below(&seed, 12));
			block[i].mark = (uint8_t)step;
			block[i].p = ql_mem_alloc(&mem, block[i].size);
			ck_assert_ptr_nonnull(block[i].p);
			memset(block[i].p, block[i].mark, block[i].size);
		}
	}
	for (size_t i = 0; i < N; i++)
		ql_mem_free(&mem, block[i].p, block[i].size);
}
END_TEST

RUN("base/mem", mem_open, mem_close, test_class_sizes, test_blocks_apart, test_accounts,
    test_last_in_first_out, test_zalloc, test_exhaustion, test_crowds, test_no_region, test_fail_at,
    test_count, test_random)
