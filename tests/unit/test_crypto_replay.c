// SPDX-License-Identifier: BSD-3-Clause
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/replay.h"
#include "crypto/rng.h"

#define W QL_REPLAY_WINDOW

static struct ql_replay *r;
static struct ql_rng rng;

static void setup(void)
{
	static const uint8_t seed[QL_RNG_SEED];

	r = calloc(1, sizeof(*r));
	ck_assert_ptr_nonnull(r);
	ql_rng_init(&rng, seed);
}

static void teardown(void)
{
	free(r);
}

static void make_id(uint8_t id[QL_REPLAY_ID])
{
	ql_rng_bytes(&rng, id, QL_REPLAY_ID);
}

/* Whatever its place in a window: remembered for a window at least, and for two at most. */
START_TEST(once)
{
	uint64_t start = 7 * W + (uint64_t)_i * W / 10;
	uint8_t id[QL_REPLAY_ID], other[QL_REPLAY_ID];

	make_id(id);
	make_id(other);
	ql_replay_begin(r, start);
	ck_assert(ql_replay_fresh(r, start, start, id));
	ck_assert(ql_replay_fresh(r, start, start, id)); /* asking is not using */
	ql_replay_note(r, start, id);
	for (uint64_t t = start; t <= start + W; t += W / 37) {
		ck_assert(!ql_replay_fresh(r, t, start, id));
		ck_assert(ql_replay_fresh(r, t, start, other));
	}
	ck_assert(ql_replay_fresh(r, start + 2 * W, start, id));
}
END_TEST

START_TEST(silence)
{
	uint8_t id[QL_REPLAY_ID];

	make_id(id);
	ql_replay_begin(r, 0);
	ql_replay_note(r, 5 * W, id);
	ck_assert(!ql_replay_fresh(r, 5 * W, 1, id));
	/* three windows later, by which both filters are old; the number's parity is the same */
	ck_assert(ql_replay_fresh(r, 8 * W, 1, id));
	ql_replay_note(r, 9 * W, id);
	ck_assert(ql_replay_fresh(r, 11 * W, 1, id));
}
END_TEST

/* What is older than the register may have been used before it. */
START_TEST(beginning)
{
	uint8_t id[QL_REPLAY_ID];

	make_id(id);
	ql_replay_begin(r, 100 * W);
	ql_replay_begin(r, 200 * W); /* the first time counts */
	ck_assert(!ql_replay_fresh(r, 100 * W + 1, 100 * W - 1, id));
	ck_assert(!ql_replay_fresh(r, 101 * W - 1, 100 * W - 1, id));
	ck_assert(ql_replay_fresh(r, 101 * W, 100 * W - 1, id));
	ck_assert(ql_replay_fresh(r, 100 * W, 100 * W, id));
	memset(r, 0, sizeof(*r));
	/* and it begins by itself */
	ck_assert(!ql_replay_fresh(r, 50, 49, id));
	ck_assert(ql_replay_fresh(r, 50, 50, id));
}
END_TEST

/* A hundred thousand in a window: all are known, and few others seem to be. */
START_TEST(many)
{
	const unsigned int n = QL_REPLAY_BITS / 10;
	uint8_t(*ids)[QL_REPLAY_ID] = malloc((size_t)n * QL_REPLAY_ID), id[QL_REPLAY_ID];
	unsigned int wrong = 0;

	ck_assert_ptr_nonnull(ids);
	ql_replay_begin(r, W);
	for (unsigned int i = 0; i < n; i++) {
		make_id(ids[i]);
		ql_replay_note(r, W + i, ids[i]);
	}
	for (unsigned int i = 0; i < n; i++) {
		ck_assert(!ql_replay_fresh(r, 2 * W, 2 * W, ids[i]));
		make_id(id);
		wrong += !ql_replay_fresh(r, 2 * W, 2 * W, id);
	}
	ck_assert_uint_lt(wrong, n / 40);
	ck_assert_uint_gt(wrong, 0);
	free(ids);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto/replay");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, once, 0, 10);
	tcase_add_test(tc, silence);
	tcase_add_test(tc, beginning);
	tcase_add_test(tc, many);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
