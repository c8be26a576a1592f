// SPDX-License-Identifier: BSD-3-Clause
/* lib/recovery/loss.c: the window, pacing, persistent congestion, delivery rate samples. */
#include "test_recovery_loss_util.h"

/* A congestion control that only listens. */
static struct ql_cc_ack last_ack;
static struct ql_cc_loss last_loss;
static struct ql_cc_lost lost_packets[64];
static unsigned int n_lost_packets;
static unsigned int acks, losses, sents, spurious, marks;
static uint64_t marked_until;

static void spy_init(struct ql_cc *cc, uint64_t when)
{
	CHECK(when == now);
	cc->cwnd = 100 * MTU;
	acks = losses = sents = spurious = marks = n_lost_packets = 0;
}

static void spy_ack(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	CHECK(ack->rtt == &rec.path.rtt && cc == &rec.path.cc);
	last_ack = *ack;
	acks++;
}

static void spy_loss(struct ql_cc *cc, const struct ql_cc_loss *loss)
{
	CHECK(loss->rtt == &rec.path.rtt && cc == &rec.path.cc);
	last_loss = *loss;
	losses++;
}

static void spy_lost_packet(struct ql_cc *cc, const struct ql_cc_lost *lost)
{
	CHECK(cc == &rec.path.cc && lost->now == now && n_lost_packets < 64);
	lost_packets[n_lost_packets++] = *lost;
}

static void spy_sent(struct ql_cc *cc, uint64_t when, uint32_t bytes, uint64_t in_flight,
		     bool app_limited)
{
	CHECK(cc == &rec.path.cc && when == now && bytes > 0);
	CHECK(in_flight == rec.path.in_flight && app_limited == (rec.path.app_limited != 0));
	sents++;
}

static void spy_spurious(struct ql_cc *cc, uint64_t when)
{
	CHECK(cc == &rec.path.cc && when == now);
	spurious++;
}

static void spy_ecn(struct ql_cc *cc, uint64_t largest_sent, uint64_t when)
{
	CHECK(cc == &rec.path.cc && when == now);
	marked_until = largest_sent;
	marks++;
	if (largest_sent >= cc->recovery_end)
		cc->recovery_end = when + 1;
}

static const struct ql_cc_ops spy = {
	.name = "spy",
	.init = spy_init,
	.on_ack = spy_ack,
	.on_loss = spy_loss,
	.on_ecn = spy_ecn,
	.on_lost_packet = spy_lost_packet,
	.on_sent = spy_sent,
	.on_spurious = spy_spurious,
};

static void start_spy(void)
{
	start(true);
	ql_rec_init(&rec, &mem, &rec_ops, &mem, &spy, now, MTU, 0, true);
	rec.confirmed = true;
}

START_TEST(test_ack_event)
{
	start_spy();
	sample(50 * MS);
	ck_assert_uint_eq(acks, 1);
	ck_assert_uint_eq(sents, 1);
	rec.path.cc.recovery_end = now + 5;
	send_n(APP, 2);
	now += 10;
	send_as(APP, 3, 700, QL_SENT_ELICITING);
	send_as(APP, 4, 40, 0);
	send_as(APP, 5, 500, QL_SENT_IN_FLIGHT);
	ck_assert_uint_eq(sents, 5); /* not for what is not in flight */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 1, 4), 0);
	ck_assert_uint_eq(acks, 2);
	ck_assert_uint_eq(last_ack.now, now);
	ck_assert_uint_eq(last_ack.bytes, 3100);
	ck_assert_uint_eq(last_ack.growth_bytes, 700);
	ck_assert_uint_eq(last_ack.prior_in_flight, 3600);
	ck_assert_uint_eq(last_ack.in_flight, 500);
	ck_assert_uint_eq(last_ack.largest_sent, now - 50 * MS);
	ck_assert(!last_ack.app_limited);
	ck_assert_int_eq(ack(APP, 1, 5), 0);
	ck_assert_uint_eq(last_ack.bytes, 500);
	ck_assert_uint_eq(losses, 0);
	/* Nothing in flight acknowledged: no event. */
	send_n(APP, 1);
	send_as(APP, 7, 40, 0);
	ck_assert_int_eq(ack(APP, 7, 7), 0);
	ck_assert_uint_eq(acks, 3);
}
END_TEST

START_TEST(test_loss_event)
{
	start_spy();
	sample(50 * MS);
	send_as(APP, 1, 500, QL_SENT_ELICITING);
	now += 7;
	send_as(APP, 2, 600, QL_SENT_IN_FLIGHT);
	now += 7;
	send_as(APP, 3, 1400, QL_SENT_ELICITING | QL_SENT_MTU_PROBE);
	send_n(APP, 3);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 6, 6), 0);
	ck_assert_uint_eq(rec.stats.lost, 3);
	ck_assert_uint_eq(losses, 1);
	ck_assert_uint_eq(last_loss.bytes, 1100);
	ck_assert_uint_eq(last_loss.in_flight, 2400);
	ck_assert_uint_eq(last_loss.largest_sent, now - 50 * MS - 7);
	ck_assert_uint_eq(last_loss.now, now);
	ck_assert(!last_loss.persistent);
	ck_assert_uint_eq(spurious, 0);
	ck_assert_int_eq(ack(APP, 6, 6, 1, 2), 0);
	ck_assert_uint_eq(spurious, 1);
}
END_TEST

/* What is told of each lost packet, and of what was lost while an acknowledged one was under way.
 */
START_TEST(test_lost_packets)
{
	start_spy();
	sample(50 * MS);
	send_n(APP, 4); /* 1 to 4 */
	now += MS;
	ql_rec_app_limited(&rec);
	send_n(APP, 2); /* 5, 6 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 4, 5), 0); /* 1 and 2 are lost */
	ck_assert_uint_eq(n_lost_packets, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(lost_packets[i].pn, i + 1);
		ck_assert_uint_eq(lost_packets[i].bytes, MTU);
		ck_assert_uint_eq(lost_packets[i].tx_in_flight, (i + 1) * MTU);
		ck_assert_uint_eq(lost_packets[i].lost, (i + 1) * MTU);
		ck_assert_uint_eq(lost_packets[i].total_delivered, 3 * MTU);
		ck_assert(lost_packets[i].begins == (i == 0));
		ck_assert(!lost_packets[i].rate_app_limited);
	}
	ck_assert_uint_eq(last_ack.tx_in_flight, 5 * MTU);
	ck_assert_uint_eq(last_ack.lost, 2 * MTU);
	ck_assert_uint_eq(last_ack.send_interval, MS);
	ck_assert_uint_eq(last_ack.interval, 51 * MS);
	ck_assert_int_eq(ack(APP, 6, 6), 0);
	ck_assert_uint_eq(n_lost_packets, 3);
	ck_assert_uint_eq(last_ack.lost, 3 * MTU);
	/* sent after those losses: they are not its own */
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 7, 7), 0);
	ck_assert_uint_eq(last_ack.lost, 0);
}
END_TEST

/* As if nothing had been learned of reordering. */
static void unlearn(void)
{
	rec.path.packet_threshold = QL_REC_PACKET_THRESHOLD;
	rec.path.time_eighths = 1;
}

/* Only when all of a recovery period were late was there no loss. */
START_TEST(test_spurious_period)
{
	start_spy();
	sample(50 * MS);
	send_n(APP, 8); /* 1 to 8 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 5, 5), 0); /* 1 and 2 */
	rec.path.cc.recovery_end = now + 1;
	now += MS;
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	unlearn();
	ck_assert_uint_eq(spurious, 0);
	ck_assert_int_eq(ack(APP, 7, 7), 0); /* 3 and 4 of the same period */
	ck_assert(!lost_packets[n_lost_packets - 1].begins);
	ck_assert_int_eq(ack(APP, 1, 3), 0);
	ck_assert_uint_eq(spurious, 0);
	ck_assert_int_eq(ack(APP, 1, 4), 0);
	ck_assert_uint_eq(spurious, 1);
	unlearn();
	/* A new period, while packets of the old one are still out. */
	send_n(APP, 10); /* 9 to 18 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 12, 12), 0); /* 6, 8 and 9 */
	ck_assert(lost_packets[n_lost_packets - 1].begins);
	ck_assert(!lost_packets[n_lost_packets - 2].begins);
	rec.path.cc.recovery_end = now + 1;
	ck_assert_int_eq(ack(APP, 6, 8), 0);
	ck_assert_uint_eq(spurious, 1);
	ck_assert_int_eq(ack(APP, 9, 9), 0);
	ck_assert_uint_eq(spurious, 2);
}
END_TEST

/* ---- ECN (RFC 9000, 13.4.2; RFC 9002, 7.1) ---- */

static void send_marked(unsigned int n)
{
	while (n-- > 0)
		send_as(APP, ql_rec_next_pn(&rec, APP), MTU,
			QL_SENT_ELICITING | (ql_rec_marks(&rec, now) ? QL_SENT_ECT : 0));
}

static void ack_counts(uint64_t first, uint64_t last, uint64_t ect0, uint64_t ce)
{
	struct ql_frame_ack ack = {.largest = last,
				   .first_range = last - first,
				   .has_ecn = true,
				   .ecn = {.ect0 = ect0, .ce = ce}};

	ck_assert_int_eq(ql_rec_on_ack(&rec, APP, &ack, 0, now), 0);
}

/* A path that has shown that it carries marks: packets 0 to 10 are sent, all are acknowledged. */
static void start_marked(void)
{
	start_spy();
	send_marked(11);
	now += 50 * MS;
	ack_counts(0, 10, 10, 0);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_CAPABLE);
	ck_assert_uint_eq(marks, 0);
}

START_TEST(test_ce)
{
	start_marked();
	send_marked(10); /* 11 to 20 */
	now += 50 * MS;
	send_marked(1); /* 21 */
	ack_counts(11, 16, 14, 2);
	ck_assert_uint_eq(marks, 1);
	ck_assert_uint_eq(marked_until, now - 50 * MS);
	ck_assert_uint_eq(rec.stats.ce, 2);
	/* They count as lost, as large as the others, but nothing is sent again. */
	ck_assert_uint_eq(n_lost_packets, 1);
	ck_assert_uint_eq(lost_packets[0].bytes, 2 * MTU);
	ck_assert_uint_eq(lost_packets[0].lost, 2 * MTU);
	ck_assert_uint_eq(lost_packets[0].tx_in_flight, 6 * MTU);
	ck_assert(lost_packets[0].begins);
	ck_assert_uint_eq(last_ack.lost, 2 * MTU);
	ck_assert_uint_eq(losses, 0);
	ck_assert_uint_eq(n_lost, 0);
	ck_assert_uint_eq(last_ack.growth_bytes, 0); /* all were sent before that */
	/* No more of them: no more events. */
	ack_counts(11, 20, 18, 2);
	ck_assert_uint_eq(marks, 1);
	ack_counts(11, 21, 18, 3);
	ck_assert_uint_eq(marks, 2);
	ck_assert_uint_eq(marked_until, now);
}
END_TEST

/* A real one: the window is halved, once a round trip, and what was sent before lets none grow. */
START_TEST(test_ce_window)
{
	uint64_t cwnd;

	start(true);
	send_marked(10);
	now += 50 * MS;
	ack_counts(0, 9, 10, 0);
	cwnd = rec.path.cc.cwnd;
	send_marked(11); /* 10 to 20; only the validation's end has been waited for */
	now += 50 * MS;
	ack_counts(10, 13, 12, 2);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd / 2);
	ack_counts(10, 15, 13, 3);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd / 2);
	now += MS;
	send_marked(1);
	now += 50 * MS;
	ack_counts(10, 21, 18, 4);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd / 4);
}
END_TEST

/* ACKs that were overtaken, and so do not raise the largest number, say nothing of ECN. */
START_TEST(test_ecn_reordered)
{
	start_marked();
	send_marked(10);
	now += 50 * MS;
	ack_counts(16, 20, 15, 5);
	ck_assert_uint_eq(marks, 1);
	ack_counts(11, 15, 11, 0);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_CAPABLE);
	ck_assert_int_eq(ack(APP, 11, 20), 0);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_CAPABLE);
	ck_assert(ql_rec_marks(&rec, now));
	/* One that does. */
	send_marked(1);
	ck_assert_int_eq(ack(APP, 11, 21), 0);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_FAILED);
	ck_assert(!ql_rec_marks(&rec, now));
}
END_TEST

/* Congestion that was reported, and losses of the same period that were none: no undoing. */
START_TEST(test_ce_not_spurious)
{
	for (unsigned int first = 0; first < 2; first++) {
		start_marked();
		send_marked(9); /* 11 to 19 */
		now += 50 * MS;
		if (first) {
			ack_counts(11, 11, 10, 1);
			ck_assert_uint_eq(marks, 1);
		}
		ack_counts(16, 16, 10, 2); /* 12 and 13 are lost */
		ck_assert(n_lost_packets >= 2);
		ck_assert_uint_eq(marks, first + 1);
		ack_counts(11, 17, 15, 2);
		ck_assert_uint_ge(rec.stats.spurious, 2);
		ck_assert_uint_eq(spurious, 0);
		/* The next period is another one. */
		unlearn();
		now += MS;
		send_marked(6); /* 20 to 25 */
		now += 50 * MS;
		ack_counts(25, 25, 16, 2);
		rec.path.cc.recovery_end = now + 1;
		ack_counts(11, 25, 23, 2);
		ck_assert_uint_eq(spurious, 1);
		ql_rec_fini(&rec);
	}
	start_spy();
}
END_TEST

/* While nothing comes back, the marks might be why. */
START_TEST(test_ecn_silence)
{
	unsigned int space;

	start_marked();
	send_marked(1);
	now = ql_rec_deadline(&rec);
	ck_assert_uint_gt(ql_rec_on_timeout(&rec, now, &space), 0);
	ck_assert(!ql_rec_marks(&rec, now));
	ack_counts(11, 11, 11, 0);
	ck_assert(ql_rec_marks(&rec, now));
}
END_TEST

/* A new path is validated anew; the old one's state waits with it. */
START_TEST(test_ecn_paths)
{
	start_marked();
	ql_rec_use_path(&rec, 1, 0, now);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_TESTING);
	send_marked(2); /* 11, 12 */
	now += 50 * MS;
	ack_counts(11, 12, 10, 0); /* bleached */
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_FAILED);
	ql_rec_use_path(&rec, 0, 0, now);
	ck_assert_uint_eq(rec.path.ecn.state, QL_ECN_CAPABLE);
	ql_rec_no_ecn(&rec);
	ql_rec_use_path(&rec, 2, 0, now);
	ck_assert(!ql_rec_marks(&rec, now));
}
END_TEST

/* An algorithm that keeps less in flight than the path takes makes its samples app-limited. */
START_TEST(test_holds_back)
{
	start_spy();
	sample(50 * MS);
	rec.path.cc.holds_back = true;
	send_n(APP, 2);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	ck_assert(!last_ack.rate_app_limited);
	ck_assert_uint_eq(rec.path.app_limited, 3 * MTU);
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 3, 3), 0);
	ck_assert(last_ack.rate_app_limited);
}
END_TEST

/* A lost probe for a larger datagram is not congestion (RFC 9000, 14.4). */
START_TEST(test_mtu_probe)
{
	start_spy();
	sample(50 * MS);
	send_as(APP, 1, 1400, QL_SENT_ELICITING | QL_SENT_MTU_PROBE);
	send_n(APP, 3);
	now += 50 * MS;
	told_len = 0;
	ck_assert_int_eq(ack(APP, 2, 4), 0);
	heard("a2 a3 a4 l1");
	ck_assert_uint_eq(losses, 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
}
END_TEST

START_TEST(test_delivery_rate)
{
	start_spy();
	sample(50 * MS);
	ck_assert_uint_eq(last_ack.delivered, MTU);
	ck_assert_uint_eq(last_ack.interval, 50 * MS);
	now += 1000 * MS;
	/* Ten packets, one each ms; acknowledged 40 ms later, in halves 7 ms apart. */
	for (unsigned int i = 0; i < 10; i++, now += MS)
		send_n(APP, 1);
	now += 30 * MS;
	ck_assert_int_eq(ack(APP, 1, 5), 0);
	ck_assert_uint_eq(last_ack.delivered, 5 * MTU);
	ck_assert_uint_eq(last_ack.interval, 40 * MS);
	ck_assert_uint_eq(last_ack.prior_delivered, MTU);
	ck_assert_uint_eq(last_ack.total_delivered, 6 * MTU);
	now += 7 * MS;
	ck_assert_int_eq(ack(APP, 1, 10), 0);
	ck_assert_uint_eq(last_ack.delivered, 10 * MTU);
	ck_assert_uint_eq(last_ack.interval, 47 * MS);
	ck_assert(!last_ack.rate_app_limited);
	ql_rec_app_limited(&rec);
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 1, 11), 0);
	ck_assert(last_ack.rate_app_limited);
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 1, 12), 0);
	ck_assert(!last_ack.rate_app_limited);
}
END_TEST

/* ---- The window ---- */

START_TEST(test_window)
{
	/* Before an RTT is known the initial window may go out at once, */
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 10 * MTU);
	ck_assert_uint_eq(ql_rec_pace_time(&rec, now), now);
	send_n(APP, 9);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), MTU);
	send_as(APP, 9, 100, QL_SENT_ELICITING);
	/* and what is left is less than a datagram. */
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 0);
	ck_assert_uint_eq(ql_rec_pace_time(&rec, now), QL_NEVER);
	send_n(APP, 4); /* probes go beyond */
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 0);
	now += 100 * MS;
	ck_assert_int_eq(ack(APP, 0, 8), 0);
	ck_assert_uint_eq(rec.path.cc.cwnd, 19 * MTU);
	ck_assert_uint_eq(rec.path.in_flight, 4 * MTU + 100);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 9 * MTU);
}
END_TEST

START_TEST(test_pacing)
{
	uint64_t t;

	sample(120 * MS);
	ck_assert_uint_eq(rec.path.cc.cwnd, 11 * MTU);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 9 * MTU);
	send_n(APP, 9);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 0);
	/* slow start: 22 datagrams in 120 ms; slack gives some bytes */
	t = ql_rec_pace_time(&rec, now);
	ck_assert_uint_gt(t, now + 120 * MS / 22 - 100000);
	ck_assert_uint_le(t, now + 120 * MS / 22 + 1000);
	ck_assert_uint_eq(ql_rec_allowance(&rec, t), MTU);
	ck_assert_uint_eq(ql_rec_pace_time(&rec, t), t);
	now = t;
	send_n(APP, 1);
	/* congestion avoidance: 1.25 windows in an RTT */
	rec.path.cc.ssthresh = rec.path.cc.cwnd;
	now += 60 * MS;
	rec.path.rtt.latest = rec.path.rtt.smoothed = 120 * MS;
	send_as(HANDS, 0, 40, QL_SENT_IN_FLIGHT);
	ck_assert_int_eq(ack(HANDS, 0, 0), 0);
	ql_rec_allowance(&rec, now);
	while (ql_rec_allowance(&rec, now) > 0)
		send_n(APP, 1);
	ck_assert_uint_eq(ql_rec_pace_time(&rec, now), QL_NEVER);
	rec.path.in_flight = 0;
	t = ql_rec_pace_time(&rec, now + 120 * MS) - now;
	ck_assert_uint_eq(t, 120 * MS);
	rec.path.in_flight = 14 * MTU;
	/* An algorithm with a rate of its own: 1 MB/s, a datagram each 1.2 ms. */
	rec.path.cc.pacing_rate = 1000000;
	send_as(HANDS, 1, 40, QL_SENT_IN_FLIGHT);
	ck_assert_int_eq(ack(HANDS, 1, 1), 0);
	rec.path.in_flight = 0;
	rec.path.pacer.tokens = 0;
	t = ql_rec_pace_time(&rec, now);
	ck_assert_uint_ge(t, now + 1200000);
	ck_assert_uint_le(t, now + 1200100);
	rec.path.in_flight = 14 * MTU;
}
END_TEST

START_TEST(test_set_mtu)
{
	ql_rec_fini(&rec);
	ql_rec_init(&rec, &mem, &rec_ops, &mem, &ql_cc_newreno, now, 1400, 0, true);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 14000);
	ql_rec_limit_mtu(&rec, 1300, now);
	ck_assert_uint_eq(rec.path.mtu, 1300);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 13000);
	ck_assert_uint_eq(rec.path.cc.mtu, 1300);
	ck_assert_uint_eq(rec.path.pacer.mtu, 1300);
	ql_rec_limit_mtu(&rec, 65527, now);
	ck_assert_uint_eq(rec.path.mtu, 1300);
}
END_TEST

/* On entering recovery one packet may go though the window has no room (7.3.2). */
START_TEST(test_recovery_packet)
{
	sample(100 * MS);
	send_n(APP, 11);
	now += 100 * MS;
	ck_assert_int_eq(ack(APP, 4, 4), 0); /* 1 is lost */
	ck_assert_uint_eq(rec.stats.lost, 1);
	ck_assert_uint_eq(rec.path.cc.cwnd, 11 * MTU / 2);
	ck_assert_uint_eq(rec.path.in_flight, 9 * MTU);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), MTU);
	send_n(APP, 1);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 0);
	now += 1;
	ck_assert_int_eq(ack(APP, 4, 6), 0); /* 2 and 3: the same congestion */
	ck_assert_uint_eq(rec.stats.lost, 3);
	ck_assert_uint_eq(rec.path.cc.cwnd, 11 * MTU / 2);
	ck_assert_uint_eq(ql_rec_allowance(&rec, now), 0);
	/* An ACK of what was sent before recovery does not let the window grow. */
	ck_assert_int_eq(ack(APP, 4, 11), 0);
	ck_assert_uint_eq(rec.path.cc.cwnd, 11 * MTU / 2);
}
END_TEST

/* 7.8 */
START_TEST(test_app_limited)
{
	uint64_t cwnd;

	sample(100 * MS);
	cwnd = rec.path.cc.cwnd;
	/* Little in flight, and nothing more to send: no growth. */
	for (unsigned int i = 0; i < 5; i++) {
		ql_rec_app_limited(&rec);
		send_n(APP, 2);
		now += 100 * MS;
		ck_assert_int_eq(
			ack(APP, ql_rec_next_pn(&rec, APP) - 2, ql_rec_next_pn(&rec, APP) - 1), 0);
		ck_assert_uint_eq(rec.path.cc.cwnd, cwnd);
	}
	/* The mark is there, but the window was well used: growth. */
	ql_rec_app_limited(&rec);
	send_n(APP, 8);
	now += 100 * MS;
	ck_assert_int_eq(ack(APP, 11, 18), 0);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd + 8 * MTU);
	/* Without a mark it was pacing that held it back: growth. */
	cwnd = rec.path.cc.cwnd;
	send_n(APP, 1);
	now += 100 * MS;
	ck_assert_int_eq(ack(APP, 19, 19), 0);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd + MTU);
	/* In congestion avoidance half a window is not enough, */
	cwnd = rec.path.cc.ssthresh = rec.path.cc.cwnd;
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t pn = ql_rec_next_pn(&rec, APP);

		ql_rec_app_limited(&rec);
		send_n(APP, 14);
		now += 100 * MS;
		ck_assert_int_eq(ack(APP, pn, pn + 13), 0);
	}
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd);
	/* all but three datagrams is. */
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t pn = ql_rec_next_pn(&rec, APP);

		ql_rec_app_limited(&rec);
		send_n(APP, 17);
		now += 100 * MS;
		ck_assert_int_eq(ack(APP, pn, pn + 16), 0);
	}
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd + MTU);
}
END_TEST

/* ---- Persistent congestion, 7.6 ---- */

/* The example of 7.6.3: smoothed_rtt + max(4*rttvar, kGranularity) + max_ack_delay is 2 s. */
static void persistent_example(void)
{
	sample(1000 * MS);
	rec.max_ack_delay = 0;
	rec.path.rtt.smoothed = rec.path.rtt.latest = rec.path.rtt.min = 1000 * MS;
	rec.path.rtt.var = 250 * MS;
}

/* What filled the window was not limited by the application, though it had nothing to send before,
 * and however much the window grows by it. */
START_TEST(test_filled)
{
	start_spy();
	sample(50 * MS);
	rec.path.cc.cwnd = 20 * MTU;
	send_n(APP, 1); /* 1 */
	ql_rec_app_limited(&rec);
	now += MS;
	send_n(APP, 19); /* 2 to 20 */
	now += 49 * MS;
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	ck_assert(!last_ack.app_limited);
	rec.path.cc.cwnd = 1000 * MTU;
	now += MS;
	ck_assert_int_eq(ack(APP, 1, 20), 0);
	ck_assert(!last_ack.app_limited);
	/* not so what comes behind */
	ql_rec_app_limited(&rec);
	send_n(APP, 10);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 21, 30), 0);
	ck_assert(last_ack.app_limited);
}
END_TEST

START_TEST(test_persistent_example)
{
	uint64_t t0;
	unsigned int space;

	persistent_example();
	now += 1000 * MS;
	t0 = now;
	send_n(APP, 1); /* 1 at 0 */
	now = t0 + 1000 * MS;
	send_n(APP, 1); /* 2 at 1 */
	now = t0 + 1200 * MS;
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	rec.path.rtt.smoothed = 1000 * MS;
	rec.path.rtt.var = 250 * MS;
	for (unsigned int t = 2; t <= 7; t++) { /* 3 to 8 at 2 to 7 */
		now = t0 + t * 1000 * MS;
		send_n(APP, 1);
	}
	now = t0 + 8000 * MS; /* a probe */
	ql_rec_on_timeout(&rec, now, &space);
	send_n(APP, 1);
	now = t0 + 12000 * MS; /* another */
	ql_rec_on_timeout(&rec, now, &space);
	send_n(APP, 1);
	now = t0 + 12200 * MS;
	told_len = 0;
	ck_assert_uint_eq(rec.stats.persistent, 0);
	/* The sample of 200 ms that now comes leads to 1 s and 250 ms. */
	rec.path.rtt.smoothed = 1114285714;
	rec.path.rtt.var = 28571429;
	ck_assert_int_eq(ack(APP, 10, 10), 0);
	/* 2 at 1 s to 9 at 8 s are lost: 7 s, more than 6. */
	heard("a10 l2 l3 l4 l5 l6 l7 l8 l9");
	ck_assert_uint_eq(rec.stats.persistent, 1);
	ck_assert_uint_eq(rec.path.cc.cwnd, 2 * MTU + MTU); /* and one acknowledged, slow start */
	ck_assert_uint_eq(rec.path.rtt.min, rec.path.rtt.latest); /* 5.2 */
}
END_TEST

START_TEST(test_persistent_contiguous)
{
	static const struct {
		uint64_t more;
		bool between;
		uint64_t want;
	} cases[] = {{1, false, 1}, {0, false, 0}, {1, true, 0}};

	for (size_t i = 0; i < 3; i++) {
		struct ql_rtt rtt = {.smoothed = 1000 * MS,
				     .latest = 1000 * MS,
				     .min = 1000 * MS,
				     .var = 250 * MS,
				     .sampled = true,
				     .first_sample = now};
		uint64_t pn, t0;

		ql_rec_fini(&rec);
		start(true);
		rec.max_ack_delay = 0;
		rec.path.rtt = rtt;
		rec.path.rtt.first_sample = now;
		now += 1;
		pn = ql_rec_next_pn(&rec, APP);
		t0 = now;
		send_n(APP, 2);
		send_as(APP, pn + 2, 40, QL_SENT_IN_FLIGHT); /* so that there is no sample */
		now = t0 + 6000 * MS + cases[i].more;
		send_n(APP, 1);
		send_as(APP, pn + 4, 40, QL_SENT_IN_FLIGHT);
		send_as(APP, pn + 5, 40, QL_SENT_IN_FLIGHT);
		send_as(APP, pn + 6, 40, QL_SENT_IN_FLIGHT);
		if (cases[i].between)
			ck_assert_int_eq(ack(APP, pn + 6, pn + 6, pn + 2, pn + 2), 0);
		else
			ck_assert_int_eq(ack(APP, pn + 6, pn + 6), 0);
		ck_assert_uint_eq(rec.stats.lost, cases[i].between ? 3 : 4);
		ck_assert_uint_eq(rec.stats.persistent, cases[i].want);
	}
}
END_TEST

RUN("recovery/loss_cc", open_rec, close_rec, test_ack_event, test_loss_event, test_lost_packets,
    test_spurious_period, test_ce, test_ce_window, test_ecn_reordered, test_ce_not_spurious,
    test_ecn_silence, test_ecn_paths, test_holds_back, test_mtu_probe, test_delivery_rate,
    test_window, test_pacing, test_set_mtu, test_recovery_packet, test_app_limited, test_filled,
    test_persistent_example, test_persistent_contiguous)
