// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/ranges.h"

#include "test_recovery_util.h"

/* The set, as text: "1-3 5 7-9". */
static void is(const struct ql_ranges *rs, const char *want)
{
	static char got[4096];
	size_t n = 0;

	got[0] = '\0';
	for (unsigned int i = 0; i < ql_ranges_count(rs); i++) {
		const struct ql_range *r = ql_ranges_get(rs, i);

		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%llu", i ? " " : "",
				      (unsigned long long)r->start);
		if (r->end != r->start)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "-%llu",
					      (unsigned long long)r->end);
	}
	ck_assert_str_eq(got, want);
}

static struct ql_ranges rs;

static void open_set(void)
{
	mem_open();
	ql_ranges_init(&rs, 8);
}

static void close_set(void)
{
	ql_ranges_fini(&rs, &mem);
	is(&rs, "");
	mem_close();
}

static void add(uint64_t start, uint64_t end)
{
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, start, end), 0);
}

static void take(uint64_t start, uint64_t end)
{
	ck_assert_int_eq(ql_ranges_remove(&rs, &mem, start, end), 0);
}

START_TEST(test_empty)
{
	is(&rs, "");
	ck_assert_ptr_null(ql_ranges_first(&rs));
	ck_assert_ptr_null(ql_ranges_last(&rs));
	ck_assert(!ql_ranges_contains(&rs, 0));
	ck_assert(!ql_ranges_seen(&rs, 0));
	ck_assert_uint_eq(ql_ranges_find(&rs, 0), 0);
	take(0, UINT64_MAX);
	ql_ranges_remove_below(&rs, &mem, 0);
	ck_assert(!ql_ranges_seen(&rs, 0));
	is(&rs, "");
	ck_assert_uint_eq(mem.peak, 0);
}
END_TEST

START_TEST(test_merge)
{
	add(10, 10);
	is(&rs, "10");
	add(11, 11);
	is(&rs, "10-11");
	add(12, 20);
	is(&rs, "10-20");
	add(9, 9);
	is(&rs, "9-20");
	add(22, 22);
	is(&rs, "9-20 22");
	add(21, 21);
	is(&rs, "9-22");
	add(30, 31);
	add(40, 41);
	is(&rs, "9-22 30-31 40-41");
	add(15, 35);
	is(&rs, "9-35 40-41");
	add(36, 39);
	is(&rs, "9-41");
	add(9, 41);
	add(12, 13);
	is(&rs, "9-41");
	add(0, 100);
	is(&rs, "0-100");
	ck_assert_uint_eq(mem.peak, 0);
}
END_TEST

START_TEST(test_edges)
{
	add(0, 0);
	add(UINT64_MAX, UINT64_MAX);
	is(&rs, "0 18446744073709551615");
	add(0, 1);
	add(UINT64_MAX - 1, UINT64_MAX);
	is(&rs, "0-1 18446744073709551614-18446744073709551615");
	add(UINT64_MAX, UINT64_MAX);
	add(0, 0);
	is(&rs, "0-1 18446744073709551614-18446744073709551615");
	ck_assert(ql_ranges_contains(&rs, UINT64_MAX));
	add(2, UINT64_MAX - 2);
	is(&rs, "0-18446744073709551615");
	add(0, 0); /* does not extend what ends at the last number */
	is(&rs, "0-18446744073709551615");
	take(5, 5);
	is(&rs, "0-4 6-18446744073709551615");
	take(0, 0);
	take(UINT64_MAX, UINT64_MAX);
	is(&rs, "1-4 6-18446744073709551614");
	take(0, UINT64_MAX);
	is(&rs, "");
	ql_ranges_add_drop(&rs, &mem, UINT64_MAX, UINT64_MAX);
	ql_ranges_remove_below(&rs, &mem, UINT64_MAX);
	is(&rs, "18446744073709551615");
	ck_assert(ql_ranges_seen(&rs, 0));
}
END_TEST

START_TEST(test_lookup)
{
	add(10, 12);
	add(20, 20);
	add(30, 39);
	ck_assert_uint_eq(ql_ranges_first(&rs)->start, 10);
	ck_assert_uint_eq(ql_ranges_last(&rs)->end, 39);
	for (uint64_t x = 0; x < 50; x++) {
		bool in = (x >= 10 && x <= 12) || x == 20 || (x >= 30 && x <= 39);

		ck_assert(ql_ranges_contains(&rs, x) == in);
		ck_assert_uint_eq(ql_ranges_find(&rs, x), x <= 12   ? 0
							  : x <= 20 ? 1
							  : x <= 39 ? 2
								    : 3);
	}
}
END_TEST

START_TEST(test_remove)
{
	add(10, 19);
	add(30, 39);
	add(50, 59);
	take(0, 9);
	take(20, 29);
	take(60, 99);
	is(&rs, "10-19 30-39 50-59");
	take(10, 10);
	take(19, 19);
	is(&rs, "11-18 30-39 50-59");
	take(18, 30);
	is(&rs, "11-17 31-39 50-59");
	take(33, 34);
	is(&rs, "11-17 31-32 35-39 50-59");
	take(17, 50);
	is(&rs, "11-16 51-59");
	take(11, 16);
	is(&rs, "51-59");
	ql_ranges_remove_below(&rs, &mem, 51);
	is(&rs, "51-59");
	ql_ranges_remove_below(&rs, &mem, 55);
	is(&rs, "55-59");
	ck_assert(ql_ranges_seen(&rs, 54));
	ql_ranges_remove_below(&rs, &mem, 3); /* the floor does not sink */
	ck_assert(ql_ranges_seen(&rs, 54));
	ql_ranges_remove_below(&rs, &mem, 60);
	is(&rs, "");
	ck_assert(ql_ranges_seen(&rs, 59));
	ck_assert(!ql_ranges_seen(&rs, 60));
	add(1, 2); /* only add_drop minds the floor */
	is(&rs, "1-2");
}
END_TEST

START_TEST(test_full)
{
	for (uint64_t i = 0; i < 8; i++)
		add(10 * i + 10, 10 * i + 11);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 5, 5), -ENOSPC);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 15, 15), -ENOSPC);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 99, 99), -ENOSPC);
	is(&rs, "10-11 20-21 30-31 40-41 50-51 60-61 70-71 80-81");
	add(12, 12); /* but what merges fits */
	add(9, 9);
	add(82, 85);
	add(13, 30);
	is(&rs, "9-31 40-41 50-51 60-61 70-71 80-85");
	add(0, 0);
	add(100, 100);
	ck_assert_int_eq(ql_ranges_remove(&rs, &mem, 10, 10), -ENOSPC);
	is(&rs, "0 9-31 40-41 50-51 60-61 70-71 80-85 100");
	take(31, 31);
	is(&rs, "0 9-30 40-41 50-51 60-61 70-71 80-85 100");
}
END_TEST

START_TEST(test_drop_lowest)
{
	for (uint64_t i = 0; i < 8; i++)
		ql_ranges_add_drop(&rs, &mem, 10 * i + 10, 10 * i + 11);
	ck_assert(!ql_ranges_seen(&rs, 9));
	ql_ranges_add_drop(&rs, &mem, 5, 6); /* lower than all: forgotten at once */
	is(&rs, "10-11 20-21 30-31 40-41 50-51 60-61 70-71 80-81");
	ck_assert(ql_ranges_seen(&rs, 5));
	ck_assert(ql_ranges_seen(&rs, 6));
	ck_assert(!ql_ranges_seen(&rs, 7));
	ql_ranges_add_drop(&rs, &mem, 35, 35);
	is(&rs, "20-21 30-31 35 40-41 50-51 60-61 70-71 80-81");
	ck_assert(ql_ranges_seen(&rs, 11));
	ck_assert(!ql_ranges_seen(&rs, 12));
	ql_ranges_add_drop(&rs, &mem, 90, 90);
	is(&rs, "30-31 35 40-41 50-51 60-61 70-71 80-81 90");
	ql_ranges_add_drop(&rs, &mem, 91, 91);
	is(&rs, "30-31 35 40-41 50-51 60-61 70-71 80-81 90-91");
	ck_assert(ql_ranges_seen(&rs, 21));
	ck_assert(!ql_ranges_seen(&rs, 22));
	ql_ranges_add_drop(&rs, &mem, 10, 21); /* below the floor */
	is(&rs, "30-31 35 40-41 50-51 60-61 70-71 80-81 90-91");
	ql_ranges_add_drop(&rs, &mem, 10, 30); /* cut at the floor */
	is(&rs, "22-31 35 40-41 50-51 60-61 70-71 80-81 90-91");
	ql_ranges_add_drop(&rs, &mem, 38, 40);
	is(&rs, "22-31 35 38-41 50-51 60-61 70-71 80-81 90-91");
}
END_TEST

/* An empty set below whose floor a number touches its first range. */
START_TEST(test_floor_against_extend)
{
	add(10, 19);
	ql_ranges_remove_below(&rs, &mem, 30);
	add(10, 19);
	ql_ranges_add_drop(&rs, &mem, 20, 25);
	is(&rs, "10-19");
	ql_ranges_add_drop(&rs, &mem, 20, 35);
	is(&rs, "10-19 30-35");
}
END_TEST

START_TEST(test_max_one)
{
	ql_ranges_init(&rs, 1);
	add(5, 6);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 8, 8), -ENOSPC);
	ql_ranges_add_drop(&rs, &mem, 3, 3);
	is(&rs, "5-6");
	ql_ranges_add_drop(&rs, &mem, 8, 8);
	is(&rs, "8");
	ck_assert(ql_ranges_seen(&rs, 6));
	ck_assert(!ql_ranges_seen(&rs, 7));
	ck_assert_uint_eq(mem.peak, 0);
}
END_TEST

/* The most ranges there can be fit one block of the ql_mem. */
START_TEST(test_max_most)
{
	ql_ranges_init(&rs, UINT16_MAX);
	for (uint64_t i = 0; i < UINT16_MAX; i++)
		CHECK(ql_ranges_add(&rs, &mem, 2 * i, 2 * i) == 0);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 1000000, 1000000), -ENOSPC);
	ck_assert_uint_eq(ql_ranges_count(&rs), UINT16_MAX);
	ck_assert(ql_ranges_contains(&rs, 65534));
	ck_assert(!ql_ranges_contains(&rs, 65533));
}
END_TEST

START_TEST(test_memory)
{
	struct ql_ranges moved;

	for (uint64_t i = 0; i < 3; i++)
		add(10 * i, 10 * i);
	ck_assert_uint_eq(mem.peak, 0);
	add(30, 30);
	ck_assert_uint_eq(mem.used, 128);
	memcpy(&moved, &rs, sizeof(rs));
	memset(&rs, 0xff, sizeof(rs));
	memcpy(&rs, &moved, sizeof(rs));
	is(&rs, "0 10 20 30");
	take(0, 0);
	ck_assert_uint_eq(mem.used, 128);
	take(10, 10);
	ck_assert_uint_eq(mem.used, 0);
	is(&rs, "20 30");
	add(10, 10);
	add(40, 40);
	add(10, 35); /* merging comes home as well */
	ck_assert_uint_eq(mem.used, 0);
	is(&rs, "10-35 40");
	add(50, 50);
	add(60, 60);
	ck_assert_uint_ne(mem.used, 0);
	ql_ranges_remove_below(&rs, &mem, 45);
	ck_assert_uint_eq(mem.used, 0);
	is(&rs, "50 60");
}
END_TEST

START_TEST(test_no_memory)
{
	for (uint64_t i = 1; i < 4; i++)
		add(10 * i, 10 * i + 5);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_ranges_add(&rs, &mem, 100, 100), -ENOMEM);
	is(&rs, "10-15 20-25 30-35");
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_ranges_remove(&rs, &mem, 22, 22), -ENOMEM);
	is(&rs, "10-15 20-25 30-35");
	ql_mem_fail_at(&mem, 1);
	ql_ranges_add_drop(&rs, &mem, 100, 100);
	is(&rs, "20-25 30-35 100");
	ck_assert(ql_ranges_seen(&rs, 15));
	ck_assert(!ql_ranges_seen(&rs, 16));
	ql_mem_fail_at(&mem, 1);
	ql_ranges_add_drop(&rs, &mem, 17, 17);
	is(&rs, "20-25 30-35 100");
	ck_assert(ql_ranges_seen(&rs, 17));
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* Against an array of booleans. */
#define SPAN 200

static void check_model(const bool *in, uint64_t floor)
{
	unsigned int runs = 0;
	uint64_t last = 0;

	for (uint64_t x = 0; x < SPAN; x++) {
		CHECK(ql_ranges_contains(&rs, x) == in[x]);
		CHECK(ql_ranges_seen(&rs, x) == (in[x] || x < floor));
		runs += in[x] && (x == 0 || !in[x - 1]);
	}
	CHECK(ql_ranges_count(&rs) == runs);
	for (unsigned int i = 0; i < ql_ranges_count(&rs); i++) {
		const struct ql_range *r = ql_ranges_get(&rs, i);

		CHECK(r->start <= r->end);
		CHECK(i == 0 || r->start > last + 1);
		last = r->end;
	}
}

static unsigned int model_runs(const bool *in)
{
	unsigned int runs = 0;

	for (uint64_t x = 0; x < SPAN; x++)
		runs += in[x] && (x == 0 || !in[x - 1]);
	return runs;
}

static void property(uint64_t seed, uint16_t max, bool failing)
{
	bool in[SPAN] = {0}, next[SPAN];
	uint64_t floor = 0;

	ql_ranges_fini(&rs, &mem);
	ql_ranges_init(&rs, max);
	for (unsigned int step = 0; step < 3000; step++) {
		uint64_t start = below(&seed, SPAN), end = start + below(&seed, 8), x;
		unsigned int what = (unsigned int)below(&seed, 40);
		int rc;

		if (end >= SPAN)
			end = SPAN - 1;
		if (failing && below(&seed, 4) == 0)
			ql_mem_fail_at(&mem, 1);
		memcpy(next, in, sizeof(in));
		if (what == 0) {
			ql_ranges_remove_below(&rs, &mem, start);
			memset(in, 0, start);
			floor = start > floor ? start : floor;
		} else if (what < 16) {
			for (x = start; x <= end; x++)
				next[x] = false;
			rc = ql_ranges_remove(&rs, &mem, start, end);
			if (rc == 0)
				memcpy(in, next, sizeof(in));
			else
				CHECK(failing ? rc == -ENOMEM || rc == -ENOSPC
					      : rc == -ENOSPC && model_runs(next) > max);
			CHECK(rc || model_runs(next) <= max);
		} else if (what < 28) {
			for (x = start; x <= end; x++)
				next[x] = true;
			rc = ql_ranges_add(&rs, &mem, start, end);
			if (rc == 0)
				memcpy(in, next, sizeof(in));
			else
				CHECK(failing ? rc == -ENOMEM || rc == -ENOSPC
					      : rc == -ENOSPC && model_runs(next) > max);
			CHECK(rc || model_runs(next) <= max);
		} else {
			unsigned int room = max;

			for (x = start; x <= end; x++)
				next[x] = next[x] || x >= floor;
			ql_ranges_add_drop(&rs, &mem, start, end);
			if (failing && model_runs(next) > ql_ranges_count(&rs))
				room = ql_ranges_count(&rs);
			for (x = 0; model_runs(next) > room; x++) {
				floor = next[x] && floor <= x ? x + 1 : floor;
				next[x] = false;
			}
			memcpy(in, next, sizeof(in));
		}
		ql_mem_fail_at(&mem, 0);
		CHECK(rs.floor == floor);
		check_model(in, floor);
	}
}

START_TEST(test_property)
{
	static const uint16_t max[] = {1, 2, 3, 4, 5, 8, 13, 60};

	for (uint64_t seed = 1; seed <= 3; seed++)
		for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++)
			property(seed, max[i], false);
}
END_TEST

START_TEST(test_property_failing)
{
	for (uint64_t seed = 1; seed <= 10; seed++)
		property(seed, 40, true);
}
END_TEST

RUN("recovery/ranges", open_set, close_set, test_empty, test_merge, test_edges, test_lookup,
    test_remove, test_full, test_drop_lowest, test_floor_against_extend, test_max_one,
    test_max_most, test_memory, test_no_memory, test_property, test_property_failing)
