// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/longstart.h"

#include "recovery/cc.h"
#include "test_recovery_util.h"

#define MS  UINT64_C(1000000)
#define MTU 1000
#define KB  UINT64_C(1000)

static struct ql_longstart l;
static struct ql_rtt rtt;
static uint64_t now;

static void open_path(uint64_t min_rtt)
{
	memset(&l, 0, sizeof(l));
	rtt = (struct ql_rtt){.min = min_rtt, .smoothed = min_rtt, .sampled = true};
	now = 10000 * MS;
}

static void open_longstart(void)
{
	open_path(600 * MS);
}

/* An ACK now of so many datagrams that were sent at this time. */
static uint64_t ack_at(uint64_t sent, uint64_t datagrams, uint64_t cwnd)
{
	const struct ql_cc_ack a = {
		.now = now,
		.bytes = datagrams * MTU,
		.growth_bytes = datagrams * MTU,
		.largest_sent = sent,
		.rtt = &rtt,
	};

	return ql_longstart_on_ack(&l, &a, cwnd, MTU);
}

/* A burst of ten datagrams comes back at so many bytes a second, two an ACK. */
static void burst(uint64_t rate)
{
	uint64_t sent = now - rtt.min;

	for (unsigned int i = 0; i < 5; i++) {
		ack_at(sent, 2, QL_CC_MAX_WINDOW);
		now += 2 * MTU * 1000 * MS / rate;
	}
}

/* The window grows to this by an ACK of one datagram that is not of a burst. */
static uint64_t grown(uint64_t cwnd)
{
	return cwnd + ack_at(now - rtt.min, 1, cwnd);
}

START_TEST(test_window)
{
	ck_assert_uint_eq(ql_longstart_window(12000, 1), 12000);
	ck_assert_uint_eq(ql_longstart_window(12000, 100 * MS), 12000);
	ck_assert_uint_eq(ql_longstart_window(12000, 150 * MS), 18000);
	ck_assert_uint_eq(ql_longstart_window(12000, 300 * MS), 36000);
	ck_assert_uint_eq(ql_longstart_window(12000, 600 * MS), 72000);
	ck_assert_uint_eq(ql_longstart_window(12000, 5000 * MS), 72000);
	ck_assert_uint_eq(ql_longstart_window(12000, UINT64_MAX), 72000);
}
END_TEST

/* 2^(RTT / 100 ms) a round trip, and no more than 2^6. */
START_TEST(test_growth)
{
	static const struct {
		uint64_t rtt_ms, times;
	} cases[] = {{200, 3}, {250, 5}, {300, 7}, {400, 15}, {600, 63}, {2000, 63}};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_path(cases[i].rtt_ms * MS);
		burst(10000 * KB);
		ck_assert_uint_eq(grown(10 * KB), 10 * KB + cases[i].times * MTU);
	}
}
END_TEST

/* Up to half of rate * RTT; from there on as any slow start. */
START_TEST(test_limit)
{
	burst(1000 * KB); /* 600 kB, half of which are 300 */
	ck_assert_uint_eq(grown(280 * KB), 300 * KB);
	ck_assert_uint_eq(grown(299500), 300500);
	ck_assert_uint_eq(grown(1000 * KB), 1001 * KB);
	/* the lower of two bursts counts, whichever came first */
	burst(2000 * KB);
	ck_assert_uint_eq(grown(280 * KB), 300 * KB);
	burst(2000 * KB);
	ck_assert_uint_eq(grown(580 * KB), 600 * KB);
	burst(500 * KB);
	ck_assert_uint_eq(grown(149 * KB), 150 * KB);
	ck_assert_uint_eq(grown(280 * KB), 281 * KB);
}
END_TEST

/* What says nothing of the path's rate. */
START_TEST(test_no_rate)
{
	ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	/* one ACK for a burst, four datagrams behind the first ACK at the same moment, or three */
	now += MS;
	ack_at(now - rtt.min, 10, 10 * KB);
	now += MS;
	ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	now += MS;
	ack_at(now - rtt.min, 2, 10 * KB);
	ack_at(now - rtt.min, 4, 10 * KB);
	now += MS;
	ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	now += MS;
	ack_at(now - rtt.min, 2, 10 * KB);
	now += MS;
	ack_at(now - rtt.min - MS, 3, 10 * KB);
	now += MS;
	ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	/* paced datagrams, each with its time */
	for (unsigned int i = 0; i < 100; i++) {
		now += MS;
		ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	}
}
END_TEST

START_TEST(test_short_path)
{
	open_path(100 * MS);
	burst(10000 * KB);
	ck_assert_uint_eq(grown(10 * KB), 11 * KB);
	open_path(101 * MS);
	burst(10000 * KB);
	ck_assert_uint_gt(grown(10 * KB), 11 * KB);
}
END_TEST

/* A queue is there. */
START_TEST(test_risen)
{
	burst(10000 * KB);
	ck_assert_uint_eq(ack_at(now - rtt.min - 17 * MS, 1, 10 * KB), MTU);
	ck_assert_uint_eq(ack_at(now - rtt.min - 15 * MS, 1, 10 * KB), 63 * MTU);
}
END_TEST

/* Times and sizes of any kind: never less than the ACK's, never beyond the limit by more. */
START_TEST(test_any)
{
	uint64_t seed = 5;

	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t cwnd = rnd(&seed) >> (28 + below(&seed, 36)), datagrams, grow;

		if (below(&seed, 100) == 0)
			open_path(1 + (rnd(&seed) >> (24 + below(&seed, 40))));
		now += rnd(&seed) >> (24 + below(&seed, 40));
		datagrams = 1 + below(&seed, 1000);
		grow = ack_at(now - below(&seed, now), datagrams, cwnd);
		CHECK(grow >= datagrams * MTU);
		CHECK(grow <= 63 * datagrams * MTU);
	}
}
END_TEST

RUN("recovery/longstart", open_longstart, NULL, test_window, test_growth, test_limit, test_no_rate,
    test_short_path, test_risen, test_any)
