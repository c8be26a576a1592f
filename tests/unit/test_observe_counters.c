// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "test_observe_util.h"

static struct {
	char key[64];
	uint64_t value;
} seen[128];
static unsigned int n_seen;

static void note(void *arg, const char *group, const char *name, uint64_t value)
{
	ck_assert_ptr_eq(arg, seen);
	ck_assert_uint_lt(n_seen, 128);
	snprintf(seen[n_seen].key, sizeof(seen[0].key), "%s.%s", group, name);
	seen[n_seen++].value = value;
}

static uint64_t value_of(const char *key)
{
	for (unsigned int i = 0; i < n_seen; i++)
		if (strcmp(seen[i].key, key) == 0)
			return seen[i].value;
	ck_abort_msg("no %s", key);
}

/* Every field of both structs comes out once, under a name of its own. */
START_TEST(all_of_them)
{
	unsigned int fields = 29 + QL_DROP_MAX + 6 + QL_NET_DROP_MAX;

	t_fill();
	ql_counters_walk(&t_observed, note, seen);
	ck_assert_uint_eq(n_seen, fields);
	for (unsigned int i = 0; i < n_seen; i++)
		for (unsigned int k = 0; k < i; k++) {
			ck_assert_str_ne(seen[i].key, seen[k].key);
			ck_assert_uint_ne(seen[i].value, seen[k].value);
		}
	/* a counter added to a struct and forgotten in the walk shows here */
	ck_assert_uint_eq(sizeof(struct ql_engine_stats), (29 + QL_DROP_MAX - 1) * 8);
	ck_assert_uint_eq(sizeof(struct ql_lane_stats), (6 + QL_NET_DROP_MAX) * 8);

	ck_assert_uint_eq(value_of("engine.rx_datagrams"), t_engine_stats.rx_datagrams);
	ck_assert_uint_eq(value_of("engine.tx_bytes"), t_engine_stats.tx_bytes);
	ck_assert_uint_eq(value_of("engine.conns"), t_engine_stats.conns);
	ck_assert_uint_eq(value_of("engine.memory_used"), t_engine_stats.memory_used);
	ck_assert_uint_eq(value_of("engine_drops.why3"), t_engine_stats.drops[3]);
	ck_assert_uint_eq(value_of("lane.turns"), t_lane_stats.turns);
	ck_assert_uint_eq(value_of("lane_drops.checksum"),
			  t_lane_stats.drops[QL_NET_DROP_CHECKSUM]);
}
END_TEST

START_TEST(only_what_is_there)
{
	struct ql_observed what = {.name = "x"};

	ql_counters_walk(&what, note, seen);
	ck_assert_uint_eq(n_seen, 0);
	what.lane = t_observed.lane;
	ql_counters_walk(&what, note, seen);
	ck_assert_uint_eq(n_seen, 6 + QL_NET_DROP_MAX);
}
END_TEST

START_TEST(names)
{
	char longest[QL_OBSERVED_NAME + 1] = "";

	memset(longest, 'a', QL_OBSERVED_NAME - 1);
	ck_assert(ql_observed_name_ok(longest));
	longest[QL_OBSERVED_NAME - 1] = 'a';
	ck_assert(!ql_observed_name_ok(longest));
	ck_assert(ql_observed_name_ok("lane0"));
	ck_assert(!ql_observed_name_ok(""));
	ck_assert(!ql_observed_name_ok(NULL));
	ck_assert(!ql_observed_name_ok("a b"));
	ck_assert(!ql_observed_name_ok("a\"b"));
	ck_assert(!ql_observed_name_ok("a\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observe/counters");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, all_of_them);
	tcase_add_test(tc, only_what_is_there);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
