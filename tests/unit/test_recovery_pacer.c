// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/pacer.h"

#include "test_recovery_util.h"

#define SEC UINT64_C(1000000000)

static struct ql_pacer p;

/* bits a second */
static void rate(uint64_t now, uint64_t bps)
{
	ql_pacer_set_rate(&p, now, bps / 8, SEC, 1, 1);
}

START_TEST(test_full_at_first)
{
	ql_pacer_init(&p, 1200, 0, 5000);
	rate(5000, 8000000);
	ck_assert_uint_eq(ql_pacer_allow(&p, 5000), 9 * 1200);
	ck_assert_uint_eq(ql_pacer_next(&p, 5000, 1200), 5000);
	ck_assert_uint_eq(ql_pacer_next(&p, 7000, 9 * 1200), 7000);
}
END_TEST

/* 1 MB/s: a byte each us. */
START_TEST(test_refill)
{
	ql_pacer_init(&p, 1200, 0, 0);
	rate(0, 8000000);
	ql_pacer_sent(&p, 9 * 1200);
	ck_assert_uint_eq(ql_pacer_allow(&p, 0), 0);
	ck_assert_uint_eq(ql_pacer_allow(&p, 1000000), 999); /* 2^-40 is not exact: one less */
	ck_assert_uint_eq(ql_pacer_allow(&p, 1001000), 1000);
	ck_assert_uint_eq(ql_pacer_allow(&p, 500), 1000); /* time does not run backwards */
	ck_assert_uint_eq(ql_pacer_allow(&p, SEC), 9 * 1200);
	ck_assert_uint_eq(ql_pacer_allow(&p, UINT64_MAX), 9 * 1200);
}
END_TEST

START_TEST(test_next)
{
	uint64_t t;

	ql_pacer_init(&p, 1200, 0, 0);
	rate(0, 8000000);
	ql_pacer_sent(&p, 9 * 1200);
	t = ql_pacer_next(&p, 0, 1200);
	ck_assert_uint_ge(t, 1200000);
	ck_assert_uint_le(t, 1200100);
	/* It is exactly the moment. */
	ck_assert_uint_lt(ql_pacer_allow(&p, t - 1), 1200);
	ck_assert_uint_ge(ql_pacer_allow(&p, t), 1200);
	ck_assert_uint_eq(ql_pacer_next(&p, t, 1200), t);
	ck_assert_uint_eq(ql_pacer_next(&p, 3 * SEC, 10800), 3 * SEC);
}
END_TEST

/* What goes out beyond the allowance is owed, up to one bucket. */
START_TEST(test_debt)
{
	ql_pacer_init(&p, 1200, 0, 0);
	rate(0, 8000000);
	ql_pacer_sent(&p, 10 * 1200);
	ck_assert_uint_eq(ql_pacer_allow(&p, 0), 0);
	ck_assert_uint_ge(ql_pacer_next(&p, 0, 1200), 2400000);
	ck_assert_uint_le(ql_pacer_next(&p, 0, 1200), 2400100);
	for (unsigned int i = 0; i < 100000; i++)
		ql_pacer_sent(&p, 65527);
	ck_assert_uint_ge(ql_pacer_next(&p, 0, 1200), 12000000);
	ck_assert_uint_le(ql_pacer_next(&p, 0, 1200), 12001000);
}
END_TEST

START_TEST(test_gain)
{
	uint64_t r;

	ql_pacer_init(&p, 1200, 0, 0);
	ql_pacer_set_rate(&p, 0, 12000, 100000000, 1, 1);
	r = p.rate;
	ql_pacer_set_rate(&p, 0, 12000, 100000000, 2, 1);
	ck_assert_uint_ge(p.rate, 2 * r);
	ck_assert_uint_le(p.rate, 2 * r + 2);
	ql_pacer_set_rate(&p, 0, 12000, 100000000, 5, 4);
	ck_assert_uint_ge(p.rate, r * 5 / 4);
	ck_assert_uint_le(p.rate, r * 5 / 4 + 2);
}
END_TEST

/* What was gathered at the old rate stays. */
START_TEST(test_rate_changes)
{
	ql_pacer_init(&p, 1000, 0, 0);
	rate(0, 8000000);
	ql_pacer_sent(&p, 9000);
	rate(1001000, 80000000);
	ck_assert_uint_eq(ql_pacer_allow(&p, 1001000), 1000);
	ck_assert_uint_eq(ql_pacer_allow(&p, 1102000), 2010);
}
END_TEST

START_TEST(test_mtu_changes)
{
	ql_pacer_init(&p, 1400, 0, 0);
	rate(0, 8000000);
	ql_pacer_set_mtu(&p, 1200);
	ck_assert_uint_eq(ql_pacer_allow(&p, 0), 9 * 1200);
	ql_pacer_set_mtu(&p, 1500);
	ck_assert_uint_eq(ql_pacer_allow(&p, 0), 9 * 1200);
	ck_assert_uint_eq(ql_pacer_allow(&p, SEC), 9 * 1500);
}
END_TEST

/* Slack is tokens of that much time on top; at low rates it is nothing. */
START_TEST(test_slack)
{
	ql_pacer_init(&p, 1200, 50000, 0);
	rate(0, UINT64_C(8000000000)); /* 1 byte a ns */
	ck_assert_uint_ge(ql_pacer_allow(&p, SEC), 9 * 1200 + 49999);
	ck_assert_uint_le(ql_pacer_allow(&p, SEC), 9 * 1200 + 50000);
	rate(SEC, 1000000);
	ck_assert_uint_eq(ql_pacer_allow(&p, 2 * SEC), 9 * 1200 + 6);
	rate(2 * SEC, UINT64_MAX);
	ck_assert_uint_eq(ql_pacer_allow(&p, 3 * SEC), QL_PACER_MAX);
	ql_pacer_init(&p, 65527, UINT64_MAX, 0);
	rate(0, UINT64_MAX);
	ck_assert_uint_eq(ql_pacer_allow(&p, 1), QL_PACER_MAX);
}
END_TEST

START_TEST(test_extremes)
{
	uint64_t seed = 3;

	ql_pacer_init(&p, 1200, 0, 0);
	ql_pacer_set_rate(&p, 0, 0, 1, 1, 1); /* never 0 */
	ck_assert_uint_eq(p.rate, 1);
	ql_pacer_sent(&p, 9 * 1200);
	ck_assert_uint_gt(ql_pacer_next(&p, 0, 1200), SEC * 3600 * 24);
	ql_pacer_set_rate(&p, 0, UINT64_C(1) << 40, 1, 2, 1);
	ck_assert_uint_eq(p.rate, UINT64_MAX);
	ql_pacer_init(&p, 1200, 0, UINT64_MAX - 10);
	rate(UINT64_MAX - 10, 8000);
	ql_pacer_sent(&p, 9 * 1200);
	ck_assert_uint_eq(ql_pacer_next(&p, UINT64_MAX - 5, 1200), UINT64_MAX);

	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t now = rnd(&seed) >> below(&seed, 64),
			 bytes = rnd(&seed) >> (3 + below(&seed, 61));
		uint64_t per = 1 + (rnd(&seed) >> (3 + below(&seed, 61)));

		if (below(&seed, 100) == 0)
			ql_pacer_init(&p, 1200 + (uint32_t)below(&seed, 64000),
				      rnd(&seed) >> below(&seed, 64), 0);
		ql_pacer_set_rate(&p, now, bytes, per, 5, 4);
		CHECK(p.rate > 0);
		CHECK(ql_pacer_allow(&p, now) <= QL_PACER_MAX);
		ql_pacer_sent(&p, (uint32_t)below(&seed, 65528));
		CHECK(ql_pacer_next(&p, now, p.mtu) >= now);
		CHECK(p.tokens >= -p.full && p.tokens <= p.full);
	}
}
END_TEST

/*
 * Who sends full datagrams as soon as he may sends at least rate * t + 8 and less than rate * t +
 * 10 of them, whether he polls, at random times, or waits for ql_pacer_next().
 */
static void bounds(uint64_t bps, uint32_t mtu, bool polls, uint64_t seed)
{
	uint64_t start = rnd(&seed) >> 20, now = start, sent = 0, steps = 0;
	/* in datagrams' time */
	uint64_t gap = (uint64_t)((unsigned __int128)mtu * 8 * SEC / bps) + 1;

	ql_pacer_init(&p, mtu, 0, start);
	rate(start, bps);
	while (steps++ < 20000) {
		uint64_t next;
		unsigned __int128 low;

		while (ql_pacer_allow(&p, now) >= mtu) {
			ql_pacer_sent(&p, mtu);
			sent += mtu;
		}
		low = (unsigned __int128)(bps / 8) * (now - start) / SEC;
		/* The rate is cut to a multiple of 2^-40 bytes a ns: at 10 kbit/s a millionth. */
		CHECK(sent + low / 1000000 + 1 >= low + 8 * (uint64_t)mtu);
		CHECK(sent < low + 10 * (uint64_t)mtu);
		next = ql_pacer_next(&p, now, mtu);
		CHECK(next > now);
		now = polls ? now + 1 + below(&seed, gap) : next;
	}
}

START_TEST(test_bounds)
{
	static const uint64_t bps[] = {10000,
				       56000,
				       1000000,
				       12345678,
				       1000000000,
				       UINT64_C(10000000000),
				       UINT64_C(100000000000),
				       UINT64_C(400000000000)};
	static const uint32_t mtu[] = {1200, 1472, 8972, 65527};

	for (size_t i = 0; i < sizeof(bps) / sizeof(bps[0]); i++)
		for (size_t j = 0; j < sizeof(mtu) / sizeof(mtu[0]); j++)
			for (unsigned int polls = 0; polls < 2; polls++)
				bounds(bps[i], mtu[j], polls, i * 100 + j);
}
END_TEST

RUN("recovery/pacer", mem_open, mem_close, test_full_at_first, test_refill, test_next, test_debt,
    test_gain, test_rate_changes, test_mtu_changes, test_slack, test_extremes, test_bounds)
