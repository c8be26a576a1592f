// SPDX-License-Identifier: BSD-3-Clause
#include "stream/map.h"

#include "test_stream_util.h"

#define IDS 3000

/* Random adds and removes, against an array. */
START_TEST(model)
{
	static struct ql_stream all[IDS];
	static bool in[IDS];
	struct ql_stream_map m;
	struct ql_mem mem;
	uint64_t seed = (uint64_t)_i;
	uint32_t count = 0, seen = 0;

	memset(in, 0, sizeof(in));
	mem_open(&mem, 1 << 20);
	ql_stream_map_init(&m);
	for (unsigned int i = 0; i < IDS; i++)
		all[i].id = _i & 1 ? i * 4 + 1 : rnd(&seed) >> 2;
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int most = step < 10000 ? IDS : 1 + (20000 - step) / 10;
		unsigned int i = (unsigned int)below(&seed, most);

		if (step >= 10000 && below(&seed, 3))
			i = (unsigned int)below(&seed, IDS);
		if (in[i]) {
			ck_assert_ptr_eq(ql_stream_map_find(&m, all[i].id), &all[i]);
			if (step >= 10000 || below(&seed, 3) == 0) {
				ql_stream_map_remove(&m, &mem, &all[i]);
				in[i] = false;
				count--;
			}
		} else {
			ck_assert_ptr_null(ql_stream_map_find(&m, all[i].id));
			if (step < 10000 || below(&seed, 4) == 0) {
				ck_assert_int_eq(ql_stream_map_add(&m, &mem, &all[i]), 0);
				in[i] = true;
				count++;
			}
		}
		ck_assert_uint_eq(m.count, count);
	}
	for (uint32_t i = 0; i <= m.mask; i++)
		seen += ql_stream_map_slot(&m, i) != NULL;
	ck_assert_uint_eq(seen, count);
	for (unsigned int i = 0; i < IDS; i++) {
		ck_assert_ptr_eq(ql_stream_map_find(&m, all[i].id), in[i] ? &all[i] : NULL);
		if (in[i])
			ql_stream_map_remove(&m, &mem, &all[i]);
	}
	ck_assert_uint_eq(m.count, 0);
	ck_assert_ptr_null(m.block); /* given back by itself */
	ql_stream_map_fini(&m, &mem);
	mem_close(&mem);
}
END_TEST

/* 100,000 fit, their probes stay short; beyond that there is an error. */
START_TEST(many)
{
	struct ql_stream *all = calloc(QL_STREAM_MAP_MAX + 1, sizeof(*all));
	struct ql_stream_map m;
	struct ql_mem mem;
	uint32_t run = 0, longest = 0;

	ck_assert_uint_ge(QL_STREAM_MAP_MAX, 100000);
	ck_assert_ptr_nonnull(all);
	mem_open(&mem, 8 << 20);
	ql_stream_map_init(&m);
	for (uint64_t i = 0; i < QL_STREAM_MAP_MAX; i++) {
		all[i].id = i * 4;
		ck_assert_int_eq(ql_stream_map_add(&m, &mem, &all[i]), 0);
	}
	all[QL_STREAM_MAP_MAX].id = 3;
	ck_assert_int_eq(ql_stream_map_add(&m, &mem, &all[QL_STREAM_MAP_MAX]), -ENOMEM);
	ck_assert_ptr_null(ql_stream_map_find(&m, 3));
	for (uint64_t i = 0; i < QL_STREAM_MAP_MAX; i++)
		ck_assert_ptr_eq(ql_stream_map_find(&m, i * 4), &all[i]);
	for (uint32_t i = 0; i <= m.mask; i++) {
		run = ql_stream_map_slot(&m, i) ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	ck_assert_uint_lt(longest, 64);
	ql_stream_map_fini(&m, &mem);
	mem_close(&mem);
	free(all);
}
END_TEST

START_TEST(no_memory)
{
	struct ql_stream all[16];
	struct ql_stream_map m;
	struct ql_mem mem;
	unsigned int n = 0;

	mem_open(&mem, 64 << 10);
	ql_stream_map_init(&m);
	for (; n < 16; n++) {
		all[n].id = n;
		ql_mem_fail_at(&mem, 1);
		if (ql_stream_map_add(&m, &mem, &all[n]))
			break;
	}
	ck_assert_uint_eq(n, 6);
	ck_assert_uint_eq(m.count, n);
	for (unsigned int i = 0; i < n; i++)
		ck_assert_ptr_eq(ql_stream_map_find(&m, i), &all[i]);
	ql_mem_fail_at(&mem, 0);
	ck_assert_int_eq(ql_stream_map_add(&m, &mem, &all[n]), 0);
	/* To shrink needs none. */
	while (m.count > 0) {
		ql_mem_fail_at(&mem, 1);
		ql_stream_map_remove(&m, &mem, &all[m.count - 1]);
	}
	ql_stream_map_fini(&m, &mem);
	mem_close(&mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream/map");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, model, 1, 9);
	tcase_add_test(tc, many);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
