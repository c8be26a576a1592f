// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/cc.h"

#include "test_recovery_util.h"

static uint64_t inited;

static void fake_init(struct ql_cc *cc, uint64_t now)
{
	ck_assert_uint_eq(cc->cwnd, 12000);
	inited = now;
}

static const struct ql_cc_ops fake = {.name = "fake", .init = fake_init};

/* RFC 9002, 7.2 */
START_TEST(test_windows)
{
	ck_assert_uint_eq(ql_cc_initial_window(1200), 12000);
	ck_assert_uint_eq(ql_cc_initial_window(1472), 14720);
	ck_assert_uint_eq(ql_cc_initial_window(1500), 14720);
	ck_assert_uint_eq(ql_cc_initial_window(7360), 14720);
	ck_assert_uint_eq(ql_cc_initial_window(9000), 18000);
	ck_assert_uint_eq(ql_cc_min_window(1200), 2400);
}
END_TEST

START_TEST(test_init)
{
	struct ql_cc cc;

	memset(&cc, 0xff, sizeof(cc));
	ql_cc_init(&cc, &fake, 1200, 77);
	ck_assert_uint_eq(inited, 77);
	ck_assert_ptr_eq(cc.ops, &fake);
	ck_assert_uint_eq(cc.ssthresh, UINT64_MAX);
	ck_assert_uint_eq(cc.recovery_end, 0);
	ck_assert_uint_eq(cc.pacing_rate, 0);
	ck_assert(ql_cc_slow_start(&cc));
	cc.ssthresh = cc.cwnd;
	ck_assert(!ql_cc_slow_start(&cc));
}
END_TEST

START_TEST(test_set_mtu)
{
	struct ql_cc cc;

	ql_cc_init(&cc, &fake, 1200, 0);
	ql_cc_set_mtu(&cc, 1100);
	ck_assert_uint_eq(cc.cwnd, 11000);
	ck_assert_uint_eq(cc.mtu, 1100);
	ql_cc_set_mtu(&cc, 1400); /* no reason for more */
	ck_assert_uint_eq(cc.cwnd, 11000);
	ck_assert_uint_eq(cc.mtu, 1400);
	cc.cwnd = 13000; /* it has moved: stays */
	ql_cc_set_mtu(&cc, 1400);
	ck_assert_uint_eq(cc.cwnd, 13000);
	cc.cwnd = 2800;
	ql_cc_set_mtu(&cc, 1450);
	ck_assert_uint_eq(cc.cwnd, 2900);
	cc.cwnd = ql_cc_initial_window(1450); /* by chance, after congestion */
	cc.ssthresh = 5000;
	ql_cc_set_mtu(&cc, 1200);
	ck_assert_uint_eq(cc.cwnd, 14500);
}
END_TEST

RUN("recovery/cc", mem_open, mem_close, test_windows, test_init, test_set_mtu)
