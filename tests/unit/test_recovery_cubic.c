// SPDX-License-Identifier: BSD-3-Clause
/* RFC 9438, against its equations in segments, seconds and floating point. */
#include "recovery/cubic.h"

#include <math.h>

#include "recovery/cc.h"
#include "test_recovery_util.h"

#define MS   UINT64_C(1000000)
#define MTU  1200
#define C    0.4
#define BETA 0.7

static struct ql_cc cc;
static struct ql_rtt rtt;
static uint64_t now, delivered;

static void open_cc(void)
{
	mem_open();
	now = 1000 * MS;
	delivered = 0;
	ql_rtt_init(&rtt, 0);
	ql_rtt_sample(&rtt, now, 50 * MS, 0, 0);
	ql_cc_init(&cc, &ql_cc_cubic, MTU, now);
}

static void ack_at(uint64_t when, uint64_t bytes, uint64_t growth, bool app_limited)
{
	struct ql_cc_ack a = {
		.now = when,
		.bytes = bytes,
		.growth_bytes = growth,
		.app_limited = app_limited,
		.largest_sent = when - rtt.latest,
		.prior_delivered = delivered > 20 * MTU ? delivered - 20 * MTU : 0,
		.total_delivered = delivered + bytes,
		.rtt = &rtt,
	};

	now = when;
	delivered += bytes;
	cc.ops->on_ack(&cc, &a);
}

static void lose(uint64_t largest_sent, bool persistent)
{
	struct ql_cc_loss l = {
		.now = now,
		.bytes = MTU,
		.largest_sent = largest_sent,
		.persistent = persistent,
		.rtt = &rtt,
	};

	cc.ops->on_loss(&cc, &l);
}

/* ---- The curve ---- */

START_TEST(test_root)
{
	uint64_t seed = 1;

	for (uint64_t x = 0; x < 100000; x++) {
		uint64_t r = ql_cubic_root(x);

		CHECK(r * r * r <= x && (r + 1) * (r + 1) * (r + 1) > x);
	}
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t x = rnd(&seed) >> below(&seed, 64), r = ql_cubic_root(x);
		unsigned __int128 up = (unsigned __int128)(r + 1) * (r + 1) * (r + 1);

		CHECK(r * r * r <= x && up > x);
	}
	ck_assert_uint_eq(ql_cubic_root(UINT64_MAX), 2642245);
}
END_TEST

/* Figure 2, to a millisecond. */
START_TEST(test_k)
{
	static const double segments[] = {1, 10, 100, 1000, 10000, 100000, 1e6, 5e7};

	for (unsigned int i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		double w_max = segments[i], cwnd = BETA * w_max;
		double k = cbrt((w_max - cwnd) / C);

		ck_assert_double_eq_tol(
			(double)ql_cubic_k((uint64_t)(w_max * MTU), (uint64_t)(cwnd * MTU), MTU) *
				1e-9,
			k, 0.0011);
	}
	ck_assert_uint_eq(ql_cubic_k(12000, 12000, MTU), 0);
	ck_assert_uint_eq(ql_cubic_k(12000, 24000, MTU), 0);
}
END_TEST

/* Figure 1. */
START_TEST(test_window)
{
	uint64_t seed = 3;

	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t w_max = (1 + below(&seed, 1000000)) * MTU;
		double k = cbrt((double)w_max / MTU * (1 - BETA) / C),
		       t = k * 2.5 * (double)below(&seed, 1000) / 1000, want, got;

		want = C * pow(t - k, 3) + (double)w_max / MTU;
		got = (double)ql_cubic_window((uint64_t)(t * 1e9), (uint64_t)(k * 1e9), w_max,
					      MTU) /
		      MTU;
		CHECK(fabs(got - want) <= 0.001 * want + 0.01);
	}
	/* Far away it stays in bounds: the curve ends. */
	ck_assert_uint_eq(ql_cubic_window(0, UINT64_C(1000) * 1000 * MS, 1000 * MTU, MTU), 0);
	ck_assert_uint_eq(ql_cubic_window(UINT64_MAX / 2, 0, 0, MTU),
			  ql_cubic_window(UINT64_C(200) * 1000 * MS, 0, 0, MTU));
}
END_TEST

/* ---- Growth ---- */

/* The RFC's pseudo-equations, per ACK, in segments and seconds. */
struct model {
	double cwnd, w_max, prior, k, t, w_est;
};

static void model_start(struct model *m, double cwnd, double w_max, double prior)
{
	*m = (struct model){.cwnd = cwnd, .w_max = w_max, .prior = prior, .w_est = cwnd};
	if (m->w_max < cwnd)
		m->w_max = cwnd;
	m->k = cbrt((m->w_max - cwnd) / C);
}

static double model_w(const struct model *m, double t)
{
	return C * pow(t - m->k, 3) + m->w_max;
}

static void model_ack(struct model *m, double dt, double segments, double srtt)
{
	double alpha = m->w_est < m->prior ? 3 * (1 - BETA) / (1 + BETA) : 1, target;

	m->t += dt;
	m->w_est += alpha * segments / m->cwnd;
	if (model_w(m, m->t) < m->w_est) {
		m->cwnd = m->w_est > m->cwnd ? m->w_est : m->cwnd;
		return;
	}
	target = model_w(m, m->t + srtt);
	if (target < m->cwnd)
		target = m->cwnd;
	if (target > 1.5 * m->cwnd)
		target = 1.5 * m->cwnd;
	m->cwnd += (target - m->cwnd) / m->cwnd * segments;
}

/* From a loss at this window on, an ACK of two datagrams at a time, as the window lets them. */
static void follow(double segments, uint64_t srtt, double seconds)
{
	struct model m;
	uint64_t gap;

	cc.cwnd = (uint64_t)segments * MTU;
	rtt.smoothed = rtt.latest = srtt;
	lose(now, false);
	now += srtt;
	model_start(&m, segments * BETA, segments, segments);
	ck_assert_uint_eq(cc.cwnd, (uint64_t)(segments * BETA * MTU));
	ack_at(now, 2 * MTU, 2 * MTU, false);
	model_ack(&m, 0, 2, (double)srtt * 1e-9);
	for (double t = 0; t < seconds; t += (double)gap * 1e-9) {
		gap = 2 * MTU * srtt / cc.cwnd;
		ack_at(now + gap, 2 * MTU, 2 * MTU, false);
		model_ack(&m, (double)gap * 1e-9, 2, (double)srtt * 1e-9);
		CHECK(fabs((double)cc.cwnd / MTU - m.cwnd) < 0.01 * m.cwnd);
	}
	ck_assert_double_gt(m.cwnd, segments); /* concave, then convex */
}

START_TEST(test_growth_fat)
{
	follow(10000, 50 * MS, 35);
}
END_TEST

START_TEST(test_growth_long)
{
	follow(500, 200 * MS, 15);
}
END_TEST

/* Where Reno would be faster: its window, at its speed. */
START_TEST(test_growth_reno)
{
	uint64_t before;

	follow(20, 5 * MS, 2);
	before = cc.cwnd;
	/* beyond cwnd_prior: a datagram a round trip, as alpha is 1 */
	for (uint64_t acked = 0; acked < before; acked += 2 * MTU)
		ack_at(now + MS / 10, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_ge(cc.cwnd, before + MTU * 9 / 10);
	ck_assert_uint_le(cc.cwnd, before + MTU * 11 / 10);
}
END_TEST

/* 5.8: time in which the application was the limit does not count. */
START_TEST(test_app_limited)
{
	uint64_t cwnd, elapsed;

	cc.cwnd = 1000 * MTU;
	lose(now, false);
	now += 50 * MS;
	for (unsigned int i = 0; i < 100; i++)
		ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	cwnd = cc.cwnd;
	elapsed = cc.cubic.now.elapsed;
	ck_assert_uint_eq(elapsed, 99 * MS);
	for (unsigned int i = 0; i < 100; i++)
		ack_at(now + MS, 2 * MTU, 2 * MTU, true);
	ck_assert_uint_eq(cc.cwnd, cwnd);
	ck_assert_uint_eq(cc.cubic.now.elapsed, elapsed);
	ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_eq(cc.cubic.now.elapsed, elapsed + MS);
	/* nothing sent at all: a round trip at most */
	ack_at(now + 100000 * MS, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_eq(cc.cubic.now.elapsed, elapsed + 51 * MS);
	/* sent before recovery: nothing */
	cwnd = cc.cwnd;
	ack_at(now + MS, 2 * MTU, 0, false);
	ck_assert_uint_eq(cc.cwnd, cwnd);
}
END_TEST

/* ---- Slow start ---- */

START_TEST(test_slow_start)
{
	ck_assert_str_eq(cc.ops->name, "cubic");
	ck_assert_uint_eq(cc.cwnd, 10 * MTU);
	ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_eq(cc.cwnd, 12 * MTU);
	ack_at(now + MS, 2 * MTU, 2 * MTU, true);
	ck_assert_uint_eq(cc.cwnd, 12 * MTU);
	/* after a loss: to ssthresh, the rest counts behind */
	cc.ssthresh = 13 * MTU;
	ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_eq(cc.cwnd, 13 * MTU + MTU / 13);
	ck_assert(cc.cubic.now.running);
}
END_TEST

/* HyStart++ ends it without a loss: then K is 0 (4.10). */
START_TEST(test_hystart)
{
	uint64_t cwnd;

	for (unsigned int i = 0; i < 1000 && cc.ssthresh == UINT64_MAX; i++) {
		rtt.latest += MS;
		ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	}
	ck_assert_uint_eq(cc.ssthresh, cc.cwnd);
	ck_assert_uint_eq(cc.cubic.now.prior, cc.cwnd);
	ck_assert_uint_eq(cc.cubic.now.w_max, 0);
	cwnd = cc.cwnd;
	ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	ck_assert_uint_eq(cc.cubic.now.k, 0);
	ck_assert_uint_eq(cc.cubic.now.w_max, cwnd);
	ck_assert_uint_ge(cc.cwnd, cwnd);
}
END_TEST

/* ---- Congestion ---- */

START_TEST(test_decrease)
{
	cc.cwnd = 1000 * MTU;
	lose(now, false);
	ck_assert_uint_eq(cc.cwnd, 700 * MTU);
	ck_assert_uint_eq(cc.ssthresh, 700 * MTU);
	ck_assert_uint_eq(cc.cubic.now.w_max, 1000 * MTU);
	ck_assert_uint_eq(cc.cubic.now.prior, 1000 * MTU);
	ck_assert_uint_eq(cc.recovery_end, now + 1);
	lose(now, false); /* the same congestion */
	ck_assert_uint_eq(cc.cwnd, 700 * MTU);
	/* fast convergence (4.7): below the last maximum already */
	now += 50 * MS;
	lose(now, false);
	ck_assert_uint_eq(cc.cwnd, 490 * MTU);
	ck_assert_uint_eq(cc.cubic.now.w_max, 595 * MTU);
	for (unsigned int i = 0; i < 50; i++) {
		now += 50 * MS;
		lose(now, false);
	}
	ck_assert_uint_eq(cc.cwnd, 2 * MTU);
	ck_assert_uint_eq(cc.ssthresh, 2 * MTU);
}
END_TEST

/* 4.8: slow start, and from its end on K is 0. */
START_TEST(test_persistent)
{
	cc.cwnd = 1000 * MTU;
	lose(now, true);
	ck_assert_uint_eq(cc.cwnd, 2 * MTU);
	ck_assert_uint_eq(cc.ssthresh, 700 * MTU);
	ck_assert_uint_eq(cc.recovery_end, 0);
	ck_assert(ql_cc_slow_start(&cc));
	while (ql_cc_slow_start(&cc))
		ack_at(now + MS, 20 * MTU, 20 * MTU, false);
	ack_at(now + MS, 20 * MTU, 20 * MTU, false);
	ck_assert_uint_eq(cc.cubic.now.k, 0);
	ck_assert_uint_eq(cc.cubic.now.w_max, 700 * MTU);
}
END_TEST

START_TEST(test_ecn)
{
	cc.cwnd = 1000 * MTU;
	cc.ops->on_ecn(&cc, now, now);
	ck_assert_uint_eq(cc.cwnd, 700 * MTU);
	cc.ops->on_ecn(&cc, now, now + 1);
	ck_assert_uint_eq(cc.cwnd, 700 * MTU);
	cc.ops->on_spurious(&cc, now); /* whatever was late, the mark was there */
	ck_assert_uint_eq(cc.cwnd, 700 * MTU);
}
END_TEST

/* 4.9.2 */
START_TEST(test_undo)
{
	struct ql_cubic_epoch before;

	cc.cwnd = 1000 * MTU;
	lose(now, false);
	now += 50 * MS;
	for (unsigned int i = 0; i < 100; i++)
		ack_at(now + MS, 2 * MTU, 2 * MTU, false);
	before = cc.cubic.now;
	cc.cwnd = 800 * MTU;
	lose(now, false);
	ck_assert_uint_eq(cc.cwnd, 560 * MTU);
	ack_at(now + 10 * MS, 2 * MTU, 2 * MTU, false);
	cc.ops->on_spurious(&cc, now);
	ck_assert_uint_eq(cc.cwnd, 800 * MTU);
	ck_assert_uint_eq(cc.ssthresh, 700 * MTU);
	ck_assert_uint_eq(cc.recovery_end, 0);
	ck_assert_uint_eq(cc.cubic.now.w_max, before.w_max);
	ck_assert_uint_eq(cc.cubic.now.k, before.k);
	ck_assert_uint_eq(cc.cubic.now.elapsed, before.elapsed);
	ck_assert_uint_eq(cc.cubic.now.prior, before.prior);
	/* once */
	cc.cwnd = 100 * MTU;
	cc.ops->on_spurious(&cc, now);
	ck_assert_uint_eq(cc.cwnd, 100 * MTU);
	/* not when the window has outgrown it */
	lose(now, false);
	cc.cwnd = 200 * MTU;
	cc.ops->on_spurious(&cc, now);
	ck_assert_uint_eq(cc.cwnd, 200 * MTU);
}
END_TEST

/* In the first slow start: it goes on. */
START_TEST(test_undo_slow_start)
{
	cc.cwnd = 100 * MTU;
	lose(now, false);
	ck_assert(!ql_cc_slow_start(&cc));
	ck_assert_int_eq(cc.cubic.hystart.phase, QL_HYSTART_DONE);
	cc.ops->on_spurious(&cc, now);
	ck_assert(ql_cc_slow_start(&cc));
	ck_assert_int_eq(cc.cubic.hystart.phase, QL_HYSTART_SLOW);
	ck_assert_uint_eq(cc.cwnd, 100 * MTU);
	/* nothing to undo after persistent congestion */
	lose(now, true);
	cc.ops->on_spurious(&cc, now);
	ck_assert_uint_eq(cc.cwnd, 2 * MTU);
}
END_TEST

START_TEST(test_ceiling)
{
	cc.cwnd = QL_CC_MAX_WINDOW - 1;
	lose(now, false);
	now += 50 * MS;
	for (unsigned int i = 0; i < 1000; i++)
		ack_at(now + 40 * MS, UINT64_C(1) << 30, UINT64_C(1) << 30, false);
	ck_assert_uint_le(cc.cwnd, QL_CC_MAX_WINDOW + QL_CC_MAX_WINDOW / 2);
	ck_assert_uint_ge(cc.cwnd, QL_CC_MAX_WINDOW / 2);
}
END_TEST

RUN("recovery/cubic", open_cc, mem_close, test_root, test_k, test_window, test_growth_fat,
    test_growth_long, test_growth_reno, test_app_limited, test_slow_start, test_hystart,
    test_decrease, test_persistent, test_ecn, test_undo, test_undo_slow_start, test_ceiling)
