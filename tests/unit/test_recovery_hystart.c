// SPDX-License-Identifier: BSD-3-Clause
/* RFC 9406. */
#include "recovery/hystart.h"

#include "recovery/cc.h"
#include "test_recovery_util.h"

#define MS  UINT64_C(1000000)
#define MTU 1200

static struct ql_hystart h;
static struct ql_rtt path;
static uint64_t now, delivered, round_end;

static void open_hystart(void)
{
	path = (struct ql_rtt){.min = MS};
	ql_hystart_init(&h);
	now = 1000 * MS;
	delivered = round_end = 0;
}

/* One ACK of a datagram with this RTT; it ends the round if it says so. Returns the growth. */
static uint64_t ack(uint64_t rtt, bool ends_round)
{
	struct ql_cc_ack a = {
		.now = now + MS,
		.bytes = MTU,
		.growth_bytes = MTU,
		.largest_sent = now + MS - rtt,
		.prior_delivered = ends_round ? round_end : round_end - 1,
		.total_delivered = delivered + MTU,
		.rtt = &path,
	};
	uint64_t grow;

	now += MS;
	delivered += MTU;
	if (round_end == 0)
		a.prior_delivered = 0; /* the first ACK ends the round in which nothing was known */
	grow = ql_hystart_on_ack(&h, &a);
	if (h.round_end == delivered)
		round_end = delivered;
	return grow;
}

/* So many ACKs of one round, the last of which ends it. */
static void one_round(uint64_t rtt, unsigned int acks)
{
	for (unsigned int i = 1; i <= acks; i++)
		ack(rtt, i == acks);
}

/* Into conservative slow start: a round at one RTT, and eight samples at a higher one. */
static void enter_css(uint64_t before, uint64_t after)
{
	ack(before, true);
	one_round(before, 10);
	for (unsigned int i = 0; i < 8; i++)
		ack(after, false);
}

START_TEST(test_steady)
{
	ack(50 * MS, true);
	for (unsigned int i = 0; i < 20; i++) {
		for (unsigned int k = 1; k <= 10; k++)
			ck_assert_uint_eq(ack(50 * MS, k == 10), MTU);
		ck_assert_uint_eq(h.last_min, 50 * MS);
		ck_assert_uint_eq(h.samples, 0);
	}
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
}
END_TEST

/* RttThresh = clamp(4 ms, lastRoundMinRTT / 8, 16 ms), computed by itself. */
START_TEST(test_threshold)
{
	static const double rtt_ms[] = {1, 10, 31.9, 32.1, 50, 100, 127, 129, 500};

	for (unsigned int i = 0; i < sizeof(rtt_ms) / sizeof(rtt_ms[0]); i++) {
		double thresh = rtt_ms[i] / 8;
		uint64_t rtt = (uint64_t)(rtt_ms[i] * 1e6), t;

		thresh = thresh < 4 ? 4 : thresh > 16 ? 16 : thresh;
		t = (uint64_t)(thresh * 1e6);
		open_hystart();
		enter_css(rtt, rtt + t - 10);
		ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
		open_hystart();
		enter_css(rtt, rtt + t + 10);
		ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
		ck_assert_uint_eq(h.baseline, rtt + t + 10);
	}
}
END_TEST

/* Fewer than eight samples decide nothing; one low one among them keeps the minimum. */
START_TEST(test_samples)
{
	ack(50 * MS, true);
	one_round(50 * MS, 10);
	for (unsigned int i = 0; i < 7; i++)
		ack(80 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
	ack(50 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
	for (unsigned int i = 0; i < 20; i++)
		ack(80 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
}
END_TEST

/* A quarter of the growth for five rounds, the one in which it began included; then the end. */
START_TEST(test_css)
{
	enter_css(50 * MS, 60 * MS);
	ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
	for (unsigned int round = 1; round <= QL_HYSTART_CSS_ROUNDS; round++) {
		ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
		for (unsigned int k = 1; k <= 10; k++)
			ck_assert_uint_eq(ack(60 * MS, k == 10), MTU / 4);
	}
	ck_assert_int_eq(h.phase, QL_HYSTART_DONE);
}
END_TEST

/* The RTT falls again: it was no sign of a queue, and slow start goes on, watching. */
START_TEST(test_resume)
{
	enter_css(50 * MS, 60 * MS);
	one_round(60 * MS, 10);
	for (unsigned int i = 0; i < 7; i++)
		ack(59 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
	ack(59 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
	ck_assert_uint_eq(ack(59 * MS, true), MTU);
	for (unsigned int i = 0; i < 8; i++)
		ack(70 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
	ck_assert_uint_eq(h.css_rounds, 0);
}
END_TEST

/* Over a long path eight samples in a row are enough, though the round has a lower one. */
START_TEST(test_long_path)
{
	path.min = 100 * MS + 1;
	ack(110 * MS, true);
	one_round(110 * MS, 10);
	for (unsigned int i = 0; i < 7; i++)
		ack(130 * MS, false);
	ack(110 * MS, false);
	for (unsigned int i = 0; i < 7; i++)
		ack(130 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
	ack(130 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_CSS);
	ck_assert_uint_eq(h.baseline, 130 * MS);
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_uint_eq(ack(130 * MS, i == 9), MTU / 4);
	ack(110 * MS, false);
	one_round(130 * MS, 7);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
	/* samples of a round before do not count */
	open_hystart();
	path.min = 100 * MS + 1;
	ack(110 * MS, true);
	one_round(110 * MS, 10);
	ack(110 * MS, false);
	one_round(130 * MS, 7);
	ack(110 * MS, false);
	ack(130 * MS, false);
	ck_assert_int_eq(h.phase, QL_HYSTART_SLOW);
}
END_TEST

START_TEST(test_stop)
{
	ack(50 * MS, true);
	ql_hystart_stop(&h);
	ck_assert_int_eq(h.phase, QL_HYSTART_DONE);
	enter_css(50 * MS, 90 * MS);
	ck_assert_int_eq(h.phase, QL_HYSTART_DONE);
}
END_TEST

RUN("recovery/hystart", open_hystart, NULL, test_steady, test_threshold, test_samples, test_css,
    test_resume, test_long_path, test_stop)
