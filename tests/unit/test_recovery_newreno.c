// SPDX-License-Identifier: BSD-3-Clause
/* RFC 9002, section 7 and appendix B. */
#include "recovery/cc.h"

#include "test_recovery_util.h"

static struct ql_cc cc;
static struct ql_rtt rtt;

static void open_cc(void)
{
	mem_open();
	ql_rtt_init(&rtt, 0);
	ql_cc_init(&cc, &ql_cc_newreno, 1200, 1000);
}

static void ack(uint64_t bytes, uint64_t growth, bool app_limited)
{
	struct ql_cc_ack a = {
		.now = 5000,
		.bytes = bytes,
		.growth_bytes = growth,
		.app_limited = app_limited,
		.rtt = &rtt,
	};

	cc.ops->on_ack(&cc, &a);
}

static void lose(uint64_t largest_sent, uint64_t now, bool persistent)
{
	struct ql_cc_loss l = {
		.now = now,
		.bytes = 1200,
		.largest_sent = largest_sent,
		.persistent = persistent,
		.rtt = &rtt,
	};

	cc.ops->on_loss(&cc, &l);
}

START_TEST(test_name)
{
	ck_assert_str_eq(cc.ops->name, "newreno");
	ck_assert_uint_eq(cc.cwnd, 12000);
}
END_TEST

START_TEST(test_slow_start)
{
	ack(1200, 1200, false);
	ck_assert_uint_eq(cc.cwnd, 13200);
	ack(50000, 50000, false);
	ck_assert_uint_eq(cc.cwnd, 63200);
	ack(1200, 1200, true); /* 7.8 */
	ck_assert_uint_eq(cc.cwnd, 63200);
	ack(1200, 0, false); /* sent before recovery began */
	ck_assert_uint_eq(cc.cwnd, 63200);
}
END_TEST

START_TEST(test_congestion_avoidance)
{
	cc.ssthresh = cc.cwnd;
	/* One datagram for each window acknowledged, however it is cut up. */
	for (unsigned int i = 0; i < 9; i++)
		ack(1200, 1200, false);
	ck_assert_uint_eq(cc.cwnd, 12000);
	ack(1200, 1200, false);
	ck_assert_uint_eq(cc.cwnd, 13200);
	ack(13199, 13199, false);
	ck_assert_uint_eq(cc.cwnd, 13200);
	ack(1, 1, false);
	ck_assert_uint_eq(cc.cwnd, 14400);
	ack(14400 + 15600, 14400 + 15600, false);
	ck_assert_uint_eq(cc.cwnd, 16800);
	ack(100000, 100000, true);
	ck_assert_uint_eq(cc.cwnd, 16800);
}
END_TEST

/* The bytes that lead out of slow start count there, the rest behind. */
START_TEST(test_crossing)
{
	cc.ssthresh = 15000;
	ack(6000, 6000, false);
	ck_assert_uint_eq(cc.cwnd, 15000);
	ack(12000 - 1, 12000 - 1, false);
	ck_assert_uint_eq(cc.cwnd, 15000);
	ack(1, 1, false);
	ck_assert_uint_eq(cc.cwnd, 16200);
}
END_TEST

START_TEST(test_loss)
{
	cc.cwnd = 100000;
	lose(1500, 2000, false);
	ck_assert_uint_eq(cc.ssthresh, 50000);
	ck_assert_uint_eq(cc.cwnd, 50000);
	ck_assert_uint_eq(cc.recovery_end, 2001);
	/* Sent before recovery began, or just then: the same congestion (7.3.2). */
	lose(1999, 2500, false);
	lose(2000, 2500, false);
	ck_assert_uint_eq(cc.cwnd, 50000);
	ck_assert_uint_eq(cc.recovery_end, 2001);
	lose(2001, 3000, false);
	ck_assert_uint_eq(cc.cwnd, 25000);
	ck_assert_uint_eq(cc.ssthresh, 25000);
	ck_assert_uint_eq(cc.recovery_end, 3001);
}
END_TEST

/* At time 0 too, the first loss counts. */
START_TEST(test_loss_at_zero)
{
	lose(0, 0, false);
	ck_assert_uint_eq(cc.cwnd, 6000);
	lose(0, 1, false);
	ck_assert_uint_eq(cc.cwnd, 6000);
}
END_TEST

START_TEST(test_minimum)
{
	for (uint64_t t = 1; t < 20; t++)
		lose(10 * t, 10 * t + 1, false);
	ck_assert_uint_eq(cc.cwnd, 2400);
	ck_assert_uint_eq(cc.ssthresh, 1200);
	ck_assert(!ql_cc_slow_start(&cc));
}
END_TEST

/* What was gathered towards the next growth is gone with the congestion. */
START_TEST(test_loss_resets_growth)
{
	cc.ssthresh = cc.cwnd;
	ack(11999, 11999, false);
	lose(1500, 2000, false);
	ack(5999, 5999, false);
	ck_assert_uint_eq(cc.cwnd, 6000);
	ack(1, 1, false);
	ck_assert_uint_eq(cc.cwnd, 7200);
}
END_TEST

/* 7.6.2: the minimum window, and slow start from there. */
START_TEST(test_persistent)
{
	cc.cwnd = 100000;
	lose(1500, 2000, true);
	ck_assert_uint_eq(cc.cwnd, 2400);
	ck_assert_uint_eq(cc.ssthresh, 50000);
	ck_assert_uint_eq(cc.recovery_end, 0);
	ck_assert(ql_cc_slow_start(&cc));
	ack(1200, 1200, false);
	ck_assert_uint_eq(cc.cwnd, 3600);
}
END_TEST

START_TEST(test_ecn)
{
	cc.cwnd = 100000;
	cc.ops->on_ecn(&cc, 1500, 2000);
	ck_assert_uint_eq(cc.cwnd, 50000);
	cc.ops->on_ecn(&cc, 1600, 2100);
	lose(1700, 2200, false);
	ck_assert_uint_eq(cc.cwnd, 50000);
}
END_TEST

START_TEST(test_ceiling)
{
	for (unsigned int i = 0; i < 1000; i++)
		ack(UINT64_C(1) << 30, UINT64_C(1) << 30, false);
	ck_assert_uint_ge(cc.cwnd, QL_CC_MAX_WINDOW);
	ck_assert_uint_le(cc.cwnd, QL_CC_MAX_WINDOW + (UINT64_C(1) << 30));
}
END_TEST

/* There was nothing to recover from: the window is what it was. */
START_TEST(test_spurious)
{
	uint64_t cwnd = cc.cwnd;
	struct ql_cc_loss loss = {.now = 2000, .bytes = 1200, .largest_sent = 1500};

	cc.ops->on_loss(&cc, &loss);
	ck_assert_uint_lt(cc.cwnd, cwnd);
	cc.ops->on_spurious(&cc, 2100);
	ck_assert_uint_eq(cc.cwnd, cwnd);
	ck_assert_uint_eq(cc.ssthresh, UINT64_MAX);
	ck_assert_uint_eq(cc.recovery_end, 0);
	/* Once; and not behind persistent congestion. */
	cc.ops->on_spurious(&cc, 2200);
	ck_assert_uint_eq(cc.cwnd, cwnd);
	loss.now = 3000;
	loss.largest_sent = 2500;
	loss.persistent = true;
	cc.ops->on_loss(&cc, &loss);
	cc.ops->on_spurious(&cc, 3100);
	ck_assert_uint_eq(cc.cwnd, ql_cc_min_window(cc.mtu));
}
END_TEST

RUN("recovery/newreno", open_cc, mem_close, test_name, test_slow_start, test_congestion_avoidance,
    test_crossing, test_loss, test_loss_at_zero, test_minimum, test_loss_resets_growth,
    test_persistent, test_ecn, test_spurious, test_ceiling)
