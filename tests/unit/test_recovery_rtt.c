// SPDX-License-Identifier: BSD-3-Clause
/* RFC 9002, section 5, in numbers worked out by hand. */
#include "recovery/rtt.h"

#include "test_recovery_util.h"

#define MS UINT64_C(1000000)

static struct ql_rtt rtt;

static void is(uint64_t latest, uint64_t min, uint64_t smoothed, uint64_t var)
{
	ck_assert_uint_eq(rtt.latest, latest);
	ck_assert_uint_eq(rtt.min, min);
	ck_assert_uint_eq(rtt.smoothed, smoothed);
	ck_assert_uint_eq(rtt.var, var);
}

START_TEST(test_initial)
{
	ql_rtt_init(&rtt, 0);
	is(0, 0, 333 * MS, 333 * MS / 2);
	ck_assert(!rtt.sampled);
	ck_assert_uint_eq(ql_rtt_pto(&rtt, 0), 999 * MS);
	ql_rtt_init(&rtt, 100 * MS);
	is(0, 0, 100 * MS, 50 * MS);
	ql_rtt_init(&rtt, UINT64_MAX);
	ck_assert_uint_eq(rtt.smoothed, QL_RTT_MAX);
}
END_TEST

/* The first sample is taken as it is, whatever the delay says (5.3). */
START_TEST(test_first)
{
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 77, 80 * MS, 20 * MS, UINT64_MAX);
	is(80 * MS, 80 * MS, 80 * MS, 40 * MS);
	ck_assert(rtt.sampled);
	ck_assert_uint_eq(rtt.first_sample, 77);
	ql_rtt_sample(&rtt, 78, 80 * MS, 0, 0);
	ck_assert_uint_eq(rtt.first_sample, 77);
}
END_TEST

START_TEST(test_smoothing)
{
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 80 * MS, 0, 0);
	/* adjusted 120: var = (3 * 40 + 40) / 4, smoothed = (7 * 80 + 120) / 8 */
	ql_rtt_sample(&rtt, 0, 120 * MS, 0, 0);
	is(120 * MS, 80 * MS, 85 * MS, 40 * MS);
	/* adjusted 45: var = (120 + 40) / 4, smoothed = (595 + 45) / 8 */
	ql_rtt_sample(&rtt, 0, 45 * MS, 0, 0);
	is(45 * MS, 45 * MS, 80 * MS, 40 * MS);
}
END_TEST

START_TEST(test_ack_delay)
{
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 80 * MS, 0, 0);
	/* taken off: 120 - 24 = 96 */
	ql_rtt_sample(&rtt, 0, 120 * MS, 24 * MS, UINT64_MAX);
	is(120 * MS, 80 * MS, 82 * MS, 34 * MS);

	/* limited: 120 - 8 = 112 */
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 80 * MS, 0, 0);
	ql_rtt_sample(&rtt, 0, 120 * MS, 24 * MS, 8 * MS);
	is(120 * MS, 80 * MS, 84 * MS, 38 * MS);

	/* exactly down to min is plausible, */
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 80 * MS, 0, 0);
	ql_rtt_sample(&rtt, 0, 120 * MS, 40 * MS, UINT64_MAX);
	is(120 * MS, 80 * MS, 80 * MS, 30 * MS);

	/* one more is not: not used at all */
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 80 * MS, 0, 0);
	ql_rtt_sample(&rtt, 0, 120 * MS, 40 * MS + 1, UINT64_MAX);
	is(120 * MS, 80 * MS, 85 * MS, 40 * MS);

	/* min takes no notice of the delay (5.2) */
	ql_rtt_sample(&rtt, 0, 60 * MS, 30 * MS, UINT64_MAX);
	ck_assert_uint_eq(rtt.min, 60 * MS);
	ql_rtt_sample(&rtt, 0, 60 * MS, UINT64_MAX, UINT64_MAX);
	ck_assert_uint_eq(rtt.latest, 60 * MS);
}
END_TEST

START_TEST(test_persistent)
{
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, 0, 50 * MS, 0, 0);
	ql_rtt_sample(&rtt, 0, 90 * MS, 0, 0);
	ck_assert_uint_eq(rtt.min, 50 * MS);
	ql_rtt_reset_min(&rtt);
	ck_assert_uint_eq(rtt.min, 90 * MS);
}
END_TEST

START_TEST(test_timeouts)
{
	rtt = (struct ql_rtt){.smoothed = 100 * MS, .latest = 80 * MS, .var = 10 * MS};
	ck_assert_uint_eq(ql_rtt_pto(&rtt, 0), 140 * MS);
	ck_assert_uint_eq(ql_rtt_pto(&rtt, 25 * MS), 165 * MS);
	rtt.var = MS / 4 - 1;
	ck_assert_uint_eq(ql_rtt_pto(&rtt, 0), 101 * MS); /* granularity */
	ck_assert_uint_eq(ql_rtt_loss_delay(&rtt, 1), 112 * MS + MS / 2);
	rtt.latest = 160 * MS;
	ck_assert_uint_eq(ql_rtt_loss_delay(&rtt, 1), 180 * MS);
	rtt.latest = rtt.smoothed = 1000;
	ck_assert_uint_eq(ql_rtt_loss_delay(&rtt, 1), MS);
}
END_TEST

/* Whatever comes in, nothing overflows: PTOs with backoff stay far below 2^63. */
START_TEST(test_extremes)
{
	uint64_t seed = 5;

	ql_rtt_init(&rtt, 0);
	for (unsigned int i = 0; i < 10000; i++) {
		uint64_t sample = rnd(&seed) >> below(&seed, 64);

		ql_rtt_sample(&rtt, 0, sample, rnd(&seed) >> below(&seed, 64),
			      rnd(&seed) >> below(&seed, 64));
		CHECK(rtt.latest >= 1);
		CHECK(rtt.latest <= QL_RTT_MAX);
		CHECK(rtt.min <= rtt.latest);
		CHECK(rtt.smoothed <= QL_RTT_MAX);
		CHECK(rtt.var <= QL_RTT_MAX);
		CHECK(ql_rtt_pto(&rtt, 0) < UINT64_C(1) << 44);
	}
	ql_rtt_sample(&rtt, 0, 0, 0, 0);
	ck_assert_uint_eq(rtt.latest, 1);
	ck_assert_uint_ge(rtt.smoothed, 1);
}
END_TEST

RUN("recovery/rtt", mem_open, mem_close, test_initial, test_first, test_smoothing, test_ack_delay,
    test_persistent, test_timeouts, test_extremes)
