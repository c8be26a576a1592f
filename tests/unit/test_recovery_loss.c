// SPDX-License-Identifier: BSD-3-Clause
/* RFC 9002, sections 5 to 7, case by case. */
#include "test_recovery_loss_util.h"

static unsigned int timeout(unsigned int *space)
{
	*space = 99;
	return ql_rec_on_timeout(&rec, now, space);
}

/* ---- Acknowledgments ---- */

START_TEST(test_acked)
{
	send_n(APP, 5);
	ck_assert_uint_eq(rec.path.in_flight, 6000);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 4, 4, 0, 2), 0);
	heard("a4 a0 a1 a2");
	ck_assert_uint_eq(rec.path.in_flight, 1200);
	ck_assert_uint_eq(rec.space[APP].eliciting, 1);
	ck_assert_uint_eq(ql_rec_largest_acked(&rec, APP), 4);
	/* Once more: nothing. */
	ck_assert_int_eq(ack(APP, 4, 4, 0, 2), 0);
	heard("");
	ck_assert_int_eq(ack(APP, 0, 1), 0); /* an old one, late */
	ck_assert_uint_eq(ql_rec_largest_acked(&rec, APP), 4);
	ck_assert_int_eq(ack(APP, 0, 4), 0);
	heard("a3");
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(rec.stats.acked, 5);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
}
END_TEST

static void send_data(uint64_t id, uint64_t offset, uint16_t len, bool fin)
{
	struct ql_sent_frame f = {.id = id,
				  .offset = offset,
				  .len = len,
				  .kind = QL_SENT_STREAM,
				  .flags = fin ? QL_SENT_FRAME_FIN : 0};

	ck_assert_int_eq(ql_rec_begin(&rec, APP, ql_rec_next_pn(&rec, APP)), 0);
	ck_assert_int_eq(ql_rec_add(&rec, APP, &f), 0);
	ql_rec_on_sent(&rec, APP, MTU, QL_SENT_ELICITING, now);
}

/* What continues each other is told of as one, as far as a record can say it; nothing else is. */
START_TEST(test_acked_runs)
{
	send_data(4, 0, 1000, false);
	send_data(4, 1000, 500, false);
	send_data(4, 1500, 0, true);
	ck_assert_int_eq(ack(APP, 0, 2), 0);
	heard("a4");
	ck_assert_uint_eq(last_acked.offset, 0);
	ck_assert_uint_eq(last_acked.len, 1500);
	ck_assert_uint_eq(last_acked.flags, QL_SENT_FRAME_FIN);

	send_data(8, 0, 1000, false);
	send_data(8, 1001, 1000, false);  /* behind a gap */
	send_data(12, 2001, 1000, false); /* of another stream */
	send_data(8, 2001, 1000, true);
	send_data(8, 3001, 0, false); /* behind the end */
	ck_assert_int_eq(ack(APP, 3, 7), 0);
	heard("a8 a8 a12 a8 a8");

	send_data(16, 0, 65000, false);
	send_data(16, 65000, 535, false);
	send_data(16, 65535, 1, false);
	ck_assert_int_eq(ack(APP, 8, 10), 0);
	heard("a16 a16");
	ck_assert_uint_eq(last_acked.offset, 65535);
	ck_assert_uint_eq(last_acked.len, 1);
}
END_TEST

START_TEST(test_never_sent)
{
	ck_assert_int_eq(ack(APP, 0, 0), -EPROTO);
	send_n(APP, 3);
	ck_assert_int_eq(ack(APP, 3, 3), -EPROTO);
	ck_assert_int_eq(ack(APP, 0, 3), -EPROTO);
	ck_assert_int_eq(ack(APP, 0, QL_PN_MAX), -EPROTO);
	ck_assert_int_eq(ack(INITIAL, 0, 0), -EPROTO);
	heard("");
	ck_assert_uint_eq(ql_rec_largest_acked(&rec, APP), QL_PN_NONE);
}
END_TEST

START_TEST(test_skipped)
{
	send_n(APP, 2);
	send_as(APP, 3, MTU, QL_SENT_ELICITING); /* 2 is left out */
	send_n(APP, 1);
	ck_assert_int_eq(ack(APP, 4, 4, 0, 2), -EPROTO);
	ql_rec_fini(&rec);
	start(true);
	send_n(APP, 2);
	send_as(APP, 3, MTU, QL_SENT_ELICITING);
	send_n(APP, 1);
	ck_assert_int_eq(ack(APP, 3, 4, 0, 1), 0);
	ck_assert_uint_eq(mem.used, 0);
	/* There is no record any more, but it is not forgotten. */
	send_n(APP, 10);
	ck_assert_int_eq(ack(APP, 14, 14, 0, 3), -EPROTO);
	ck_assert_int_eq(ack(APP, 14, 14, 2, 2), -EPROTO);
	ck_assert_int_eq(ack(APP, 14, 14, 3, 4, 0, 1), 0);
	ql_rec_fini(&rec);
}
END_TEST

/* Two numbers left out, the older one still has its record. */
START_TEST(test_skipped_earlier)
{
	send_as(APP, 0, MTU, QL_SENT_ELICITING);
	send_as(APP, 2, MTU, QL_SENT_ELICITING);
	send_as(APP, 4, MTU, QL_SENT_ELICITING);
	ck_assert_int_eq(ack(APP, 4, 4, 0, 2), -EPROTO);
}
END_TEST

START_TEST(test_wide_range)
{
	struct ql_rec_space *sp = &rec.space[APP];

	/* As if 2^61 packets had been sent. */
	sp->sent.base = sp->sent.next = sp->sent.open = UINT64_C(1) << 61;
	send_n(APP, 3);
	ck_assert_int_eq(ack(APP, 0, (UINT64_C(1) << 61) + 1), 0);
	heard("a2305843009213693952 a2305843009213693953");
	ck_assert_uint_eq(sp->sent.base, (UINT64_C(1) << 61) + 2);
	ck_assert_int_eq(ack(APP, (UINT64_C(1) << 61) + 2, (UINT64_C(1) << 61) + 2, 5, 1u << 31),
			 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* ---- RTT, section 5 ---- */

START_TEST(test_rtt)
{
	struct ql_rtt *rtt = &rec.path.rtt;

	send_n(APP, 3);
	now += 40 * MS;
	ck_assert_int_eq(ack(APP, 0, 1), 0);
	ck_assert_uint_eq(rtt->latest, 40 * MS);
	now += 20 * MS;
	ck_assert_int_eq(ack(APP, 0, 1), 0); /* nothing new */
	ck_assert_uint_eq(rtt->latest, 40 * MS);
	ck_assert_int_eq(ack(APP, 0, 2), 0);
	ck_assert_uint_eq(rtt->latest, 60 * MS);
	ck_assert_uint_eq(rtt->min, 40 * MS);

	/* The largest must be new, too (5.1). */
	send_n(APP, 2);
	now += 1 * MS;
	ck_assert_int_eq(ack(APP, 4, 4), 0);
	now += 1 * MS;
	ck_assert_int_eq(ack(APP, 3, 4), 0);
	ck_assert_uint_eq(rtt->latest, 1 * MS);
}
END_TEST

/* The largest is not ack-eliciting: a sample if another one is. */
START_TEST(test_rtt_eliciting)
{
	send_as(APP, 0, MTU, QL_SENT_ELICITING);
	send_as(APP, 1, 40, QL_SENT_IN_FLIGHT);
	send_as(APP, 2, 40, QL_SENT_IN_FLIGHT);
	now += 10 * MS;
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	ck_assert(!rec.path.rtt.sampled);
	now += 10 * MS;
	ck_assert_int_eq(ack(APP, 0, 2), 0);
	ck_assert_uint_eq(rec.path.rtt.latest, 20 * MS);
}
END_TEST

START_TEST(test_rtt_delay)
{
	static const uint64_t third[] = {2, 2};
	struct ql_rtt *rtt = &rec.path.rtt;

	/* Space, confirmed, what smoothed becomes with 100 ms before, 200 ms now, 80 ms delay. */
	static const struct {
		unsigned int space;
		bool confirmed;
		uint64_t adjusted;
	} cases[] = {
		{INITIAL, false, 200}, {HANDS, false, 120}, {APP, false, 120}, {APP, true, 175}};

	for (size_t i = 0; i < 4; i++) {
		start(true);
		rec.confirmed = cases[i].confirmed;
		send_n(cases[i].space, 2);
		now += 100 * MS;
		ck_assert_int_eq(ack(cases[i].space, 0, 1), 0);
		send_n(cases[i].space, 1);
		now += 200 * MS;
		ck_assert_int_eq(ack_ranges(cases[i].space, third, 1, 80 * MS), 0);
		ck_assert_uint_eq(rtt->smoothed, (7 * 100 + cases[i].adjusted) * MS / 8);
	}
}
END_TEST

START_TEST(test_ack_delay_field)
{
	ck_assert_uint_eq(ql_rec_ack_delay(0, 3), 0);
	ck_assert_uint_eq(ql_rec_ack_delay(1, 3), 8000);
	ck_assert_uint_eq(ql_rec_ack_delay(1000, 0), MS);
	ck_assert_uint_le(ql_rec_ack_delay(QL_VARINT_MAX, 20), QL_RTT_MAX);
	ck_assert_uint_ge(ql_rec_ack_delay(QL_VARINT_MAX, 0), QL_RTT_MAX - 1000);
}
END_TEST

/* ---- Losses, 6.1 ---- */

START_TEST(test_packet_threshold)
{
	send_n(APP, 6);
	now += 10 * MS;
	ck_assert_int_eq(ack(APP, 2, 2), 0); /* 0 and 1 are only late */
	heard("a2");
	ck_assert_int_eq(ack(APP, 2, 3), 0);
	heard("a3 l0");
	ck_assert_int_eq(ack(APP, 2, 4), 0);
	heard("a4 l1");
	ck_assert_uint_eq(rec.path.in_flight, 1200);
	ck_assert_uint_eq(rec.stats.lost, 2);
	ck_assert_int_eq(ack(APP, 2, 5), 0);
	heard("a5");
}
END_TEST

/* A number we left out ourselves does not count as one that overtook. */
START_TEST(test_packet_threshold_skip)
{
	send_n(APP, 1);
	send_as(APP, 2, MTU, QL_SENT_ELICITING);
	send_n(APP, 2);
	now += 10 * MS;
	ck_assert_int_eq(ack(APP, 3, 3), 0);
	heard("a3");
	ck_assert_int_eq(ack(APP, 3, 4), 0);
	heard("a4 l0");
}
END_TEST

START_TEST(test_time_threshold)
{
	unsigned int space;
	uint64_t sent;

	sample(80 * MS);
	sent = now;
	send_n(APP, 2);
	now += 80 * MS;
	ck_assert_int_eq(ack(APP, 2, 2), 0);
	heard("a2");
	ck_assert_uint_eq(ql_rec_deadline(&rec), sent + 90 * MS);
	now = sent + 90 * MS - 1;
	ck_assert_uint_eq(timeout(&space), 0);
	heard("");
	now++;
	ck_assert_uint_eq(timeout(&space), 0);
	heard("l1");
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.pto_count, 0);
	ck_assert_uint_eq(rec.stats.ptos, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	/* An ACK finds it just as well. */
	send_n(APP, 2);
	now += 40 * MS;
	send_n(APP, 1);
	now += 40 * MS;
	ck_assert_int_eq(ack(APP, 4, 4), 0);
	now += 40 * MS;
	ck_assert_int_eq(ack(APP, 4, 5), 0);
	heard("a4 a5 l3");
}
END_TEST

START_TEST(test_time_threshold_granularity)
{
	uint64_t sent;

	sample(1000);
	sent = now;
	send_n(APP, 2);
	now += 1000;
	ck_assert_int_eq(ack(APP, 2, 2), 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), sent + MS);
}
END_TEST

/* The timer of one space, and then that of the other. */
START_TEST(test_time_threshold_spaces)
{
	unsigned int space;
	uint64_t sent;

	sample(80 * MS);
	sent = now;
	send_n(HANDS, 2);
	now += 5 * MS;
	send_n(INITIAL, 2);
	now += 75 * MS;
	ck_assert_int_eq(ack(HANDS, 1, 1), 0);
	now += 5 * MS;
	ck_assert_int_eq(ack(INITIAL, 1, 1), 0);
	heard("ah1 ai1");
	ck_assert_uint_eq(ql_rec_deadline(&rec), sent + 90 * MS);
	now = sent + 90 * MS;
	ck_assert_uint_eq(timeout(&space), 0);
	heard("lh0");
	ck_assert_uint_eq(ql_rec_deadline(&rec), sent + 95 * MS);
	now = sent + 100 * MS;
	ck_assert_uint_eq(timeout(&space), 0);
	heard("li0");
}
END_TEST

/* What was given up comes after all. */
START_TEST(test_spurious)
{
	sample(50 * MS);
	send_n(APP, 8);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 5, 5), 0);
	heard("a5 l1 l2");
	ck_assert_uint_eq(rec.path.in_flight, 5 * MTU);
	ck_assert_int_eq(ack(APP, 1, 5), 0);
	heard("a1 a2 a3 a4");
	ck_assert_uint_eq(rec.path.in_flight, 3 * MTU);
	ck_assert_uint_eq(rec.stats.spurious, 2);
	ck_assert_int_eq(ack(APP, 1, 8), 0);
	heard("a6 a7 a8");
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* ---- Reordering that is learned (6.1) ---- */

/* Where packets are seen to come late, the next ones are not taken for lost so soon. */
START_TEST(test_learned_packets)
{
	sample(50 * MS);
	send_n(APP, 10); /* 1 to 10 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 6, 6), 0); /* 1 to 3 */
	ck_assert_uint_eq(rec.stats.lost, 3);
	ck_assert_int_eq(ack(APP, 1, 10), 0);
	ck_assert_uint_eq(rec.stats.spurious, 3);
	ck_assert_uint_eq(rec.path.packet_threshold, 6); /* when 6 was here, 1 was not */
	ck_assert_uint_eq(rec.path.time_eighths, 1);
	send_n(APP, 12); /* 11 to 22 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 16, 16), 0);
	ck_assert_uint_eq(rec.stats.lost, 3);
	ck_assert_int_eq(ack(APP, 17, 17), 0);
	ck_assert_uint_eq(rec.stats.lost, 4);
	/* Not without a bound: the time threshold is there for the rest. */
	ck_assert_int_eq(ack(APP, 12, 22), 0);
	send_n(APP, 400);
	ck_assert_int_eq(ack(APP, 422, 422), 0);
	ck_assert_int_eq(ack(APP, 11, 422), 0);
	ck_assert_uint_eq(rec.path.packet_threshold, QL_REC_PACKET_THRESHOLD_MAX);
}
END_TEST

START_TEST(test_learned_time)
{
	unsigned int space;
	uint64_t sent;

	sample(100 * MS);
	for (unsigned int i = 0; i < 2; i++) {
		sent = now;
		send_n(APP, 2);
		now += 100 * MS;
		ck_assert_int_eq(ack(APP, 2 + 2 * i, 2 + 2 * i), 0);
		ck_assert_uint_eq(ql_rec_deadline(&rec),
				  sent + (i == 0 ? 112 * MS + MS / 2 : 150 * MS));
		now = ql_rec_deadline(&rec);
		ck_assert_uint_eq(ql_rec_on_timeout(&rec, now, &space), 0);
		ck_assert_uint_eq(rec.stats.lost, i + 1);
		now = sent + (i == 0 ? 140 : 1000) * MS;
		ck_assert_int_eq(ack(APP, 1, 2 + 2 * i), 0);
		ck_assert_uint_eq(rec.path.time_eighths, i == 0 ? 4 : QL_REC_TIME_EIGHTHS_MAX);
	}
}
END_TEST

/* Losses that are none but losses, for long enough: all is as at first. */
START_TEST(test_unlearned)
{
	uint64_t pn;

	sample(50 * MS);
	send_n(APP, 10);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 6, 6), 0);
	ck_assert_int_eq(ack(APP, 1, 10), 0);
	for (unsigned int i = 0; i < QL_REC_REORDER_PERSIST; i++) {
		ck_assert_uint_eq(rec.path.packet_threshold, 6);
		now += MS;
		pn = ql_rec_next_pn(&rec, APP);
		send_n(APP, 11);
		now += 50 * MS;
		ck_assert_int_eq(ack(APP, pn + 1, pn + 10), 0);
	}
	ck_assert_uint_eq(rec.path.packet_threshold, QL_REC_PACKET_THRESHOLD);
	ck_assert_uint_eq(rec.path.time_eighths, 1);
	ck_assert_uint_eq(rec.stats.lost, 3 + QL_REC_REORDER_PERSIST);
}
END_TEST

/* A lost packet's record goes after 3 PTO, or when nothing is under way any more. */
START_TEST(test_lost_record)
{
	sample(50 * MS);
	send_n(APP, 4);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 2, 4), 0);
	heard("a2 a3 a4 l1");
	ck_assert_ptr_nonnull(ql_sent_get(&rec.space[APP].sent, 1));
	send_n(APP, 2);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 5, 5), 0);
	ck_assert_ptr_nonnull(ql_sent_get(&rec.space[APP].sent, 1));
	now += 3 * ql_rtt_pto(&rec.path.rtt, rec.max_ack_delay);
	send_n(APP, 2);
	ck_assert_int_eq(ack(APP, 7, 7), 0);
	ck_assert_ptr_null(ql_sent_get(&rec.space[APP].sent, 1));
	told_len = 0;
	ck_assert_int_eq(ack(APP, 1, 5), 0); /* too late, no offence */
	heard("");
	ck_assert_int_eq(ack(APP, 6, 8), 0);
	ck_assert_uint_eq(mem.used, 0);

	told_len = 0;
	send_n(APP, 4);
	ck_assert_int_eq(ack(APP, 12, 12), 0);
	heard("a12 l9");
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 10, 13), 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* ---- PTO, 6.2 ---- */

START_TEST(test_pto)
{
	unsigned int space;
	uint64_t sent;

	sample(100 * MS); /* var 50 ms: PTO 300 ms + max_ack_delay */
	rec.max_ack_delay = 30 * MS;
	send_n(APP, 1);
	now += 10 * MS;
	sent = now;
	send_n(APP, 1);
	send_as(APP, 3, 40, 0); /* ACK-only does not move the timer */
	ck_assert_uint_eq(ql_rec_deadline(&rec), sent + 330 * MS);
	now += 330 * MS - 1;
	ck_assert_uint_eq(timeout(&space), 0);
	now++;
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(space, APP);
	ck_assert_uint_eq(rec.pto_count, 1);
	heard(""); /* nothing is lost */
	ck_assert_uint_eq(rec.path.in_flight, 2400);
	/* Doubled, from here even if nothing can be sent. */
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 660 * MS);
	now += 5 * MS;
	send_n(APP, 1);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 660 * MS);
	now += 700 * MS;
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 1320 * MS);
	ck_assert_uint_eq(rec.stats.ptos, 2);
	/* Any newly acknowledged packet ends the backoff. */
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	ck_assert_uint_eq(rec.pto_count, 0);
}
END_TEST

START_TEST(test_pto_backoff_ends)
{
	unsigned int space;

	send_n(APP, 1);
	for (unsigned int i = 0; i < 300; i++) {
		uint64_t t = ql_rec_deadline(&rec);

		CHECK(t > now);
		now = t;
		CHECK(timeout(&space) == 2);
	}
	ck_assert_uint_eq(rec.pto_count, UINT8_MAX);
}
END_TEST

/* The earliest of the spaces; application data only when the handshake is confirmed. */
START_TEST(test_pto_spaces)
{
	unsigned int space;
	uint64_t t0 = now;

	rec.confirmed = false;
	send_n(APP, 1);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	now += 10 * MS;
	send_n(HANDS, 1);
	now += 10 * MS;
	send_n(INITIAL, 1);
	ck_assert_uint_eq(ql_rec_deadline(&rec), t0 + 10 * MS + 999 * MS);
	now = t0 + 1009 * MS;
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(space, HANDS);
	ql_rec_discard_space(&rec, HANDS);
	ql_rec_discard_space(&rec, INITIAL);
	ck_assert_uint_eq(rec.path.in_flight, MTU);
	rec.confirmed = true;
	rec.last_pto = 0;
	ck_assert_uint_eq(ql_rec_deadline(&rec), t0 + 999 * MS + 25 * MS);
	ck_assert_uint_eq(timeout(&space), 0);
	now = t0 + 1024 * MS;
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(space, APP);
}
END_TEST

/* A server that may not send has no timer (6.2.2.1), but for losses. */
START_TEST(test_blocked)
{
	unsigned int space;

	send_n(HANDS, 1);
	rec.blocked = true;
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	now += 2000 * MS;
	ck_assert_uint_eq(timeout(&space), 0);
	rec.blocked = false;
	ck_assert_uint_lt(ql_rec_deadline(&rec), now);
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(space, HANDS);
	ck_assert_uint_gt(ql_rec_deadline(&rec), now);
	send_n(HANDS, 2);
	now += 20 * MS;
	rec.blocked = true;
	ck_assert_int_eq(ack(HANDS, 2, 2), 0);
	heard("ah2 lh0");
	ck_assert_uint_gt(ql_rec_deadline(&rec), now);
	ck_assert_uint_eq(ql_rec_deadline(&rec), rec.space[HANDS].loss_time);
}
END_TEST

/* A client probes with nothing in flight until the server must have validated it. */
START_TEST(test_client_deadlock)
{
	unsigned int space;
	uint64_t t;

	start(false);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 999 * MS);
	send_n(INITIAL, 1);
	now += 100 * MS;
	ck_assert_int_eq(ack(INITIAL, 0, 0), 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 300 * MS);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 300 * MS);
	now += 300 * MS;
	ck_assert_uint_eq(timeout(&space), 1);
	ck_assert_uint_eq(space, INITIAL);
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 600 * MS);
	/* An ACK of Initial does not end the backoff of a client (6.2.1). */
	send_n(INITIAL, 1);
	now += 100 * MS;
	ck_assert_int_eq(ack(INITIAL, 1, 1), 0);
	ck_assert_uint_eq(rec.pto_count, 1);
	rec.handshake_keys = true;
	now = ql_rec_deadline(&rec);
	ck_assert_uint_eq(timeout(&space), 1);
	ck_assert_uint_eq(space, HANDS);
	/* 1-RTT data in flight is no reason not to. */
	send_n(APP, 1);
	t = ql_rec_deadline(&rec);
	ck_assert_uint_ne(t, QL_NEVER);
	now = t;
	ck_assert_uint_eq(timeout(&space), 1);
	ck_assert_uint_eq(space, HANDS);
	send_n(HANDS, 1);
	ql_rec_discard_space(&rec, INITIAL);
	ck_assert_uint_eq(rec.pto_count, 0);
	ck_assert_int_eq(ack(HANDS, 0, 0), 0);
	ck_assert(rec.validated);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	rec.confirmed = true;
	ck_assert_uint_ne(ql_rec_deadline(&rec), QL_NEVER);
}
END_TEST

START_TEST(test_client_confirmed)
{
	start(false);
	rec.confirmed = true;
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	send_n(APP, 2);
	rec.pto_count = 3;
	ck_assert_int_eq(ack(APP, 0, 0), 0);
	ck_assert_uint_eq(rec.pto_count, 0);
}
END_TEST

START_TEST(test_probe_frames)
{
	ck_assert(!ql_rec_probe_frames(&rec, APP));
	send_n(APP, 3);
	send_as(APP, 3, 40, 0);
	send_as(APP, 4, 40, QL_SENT_IN_FLIGHT);
	ck_assert(ql_rec_probe_frames(&rec, APP));
	heard("l0");
	ck_assert(ql_rec_probe_frames(&rec, APP));
	heard("l1");
	send_n(APP, 2);
	ck_assert(ql_rec_probe_frames(&rec, APP));
	heard("l2");
	ck_assert(ql_rec_probe_frames(&rec, APP));
	heard("l5");
	ck_assert_uint_eq(rec.stats.lost, 0);
	ck_assert_uint_eq(rec.path.in_flight, 5 * MTU + 40);
	/* Lost later, its frames are not asked for a second time; acknowledged, they are told. */
	now += 10 * MS;
	ck_assert_int_eq(ack(APP, 5, 6, 1, 1), 0);
	heard("a5 a6 a1");
	ck_assert_uint_eq(rec.stats.lost, 2); /* 0 and 2 */
	ck_assert(!ql_rec_probe_frames(&rec, APP));
}
END_TEST

/* ---- Spaces ---- */

START_TEST(test_discard)
{
	unsigned int space;

	send_n(INITIAL, 3);
	send_n(HANDS, 2);
	now += 20 * MS;
	ck_assert_int_eq(ack(INITIAL, 1, 1), 0);
	ck_assert_uint_ne(rec.space[INITIAL].loss_time, QL_NEVER);
	told_len = 0;
	ck_assert_uint_eq(rec.path.in_flight, 4 * MTU);
	rec.pto_count = 2;
	ql_rec_discard_space(&rec, INITIAL);
	ck_assert_uint_eq(rec.path.in_flight, 2 * MTU);
	ck_assert_uint_eq(rec.pto_count, 0);
	ck_assert_uint_eq(rec.space[INITIAL].loss_time, QL_NEVER);
	heard("");
	ck_assert_int_eq(ack(INITIAL, 0, 2), 0); /* one that was on its way */
	ck_assert_int_eq(ack(INITIAL, 0, 3), -EPROTO);
	heard("");
	ql_rec_discard_space(&rec, INITIAL);
	ck_assert_uint_eq(rec.path.in_flight, 2 * MTU);
	now += 10000 * MS;
	ck_assert_uint_eq(timeout(&space), 2);
	ck_assert_uint_eq(space, HANDS);
	ql_rec_discard_space(&rec, HANDS);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
}
END_TEST

/* Retry: everything again, no congestion. */
START_TEST(test_requeue)
{
	uint64_t cwnd = rec.path.cc.cwnd;

	send_n(INITIAL, 3);
	send_as(INITIAL, 3, 40, 0);
	ck_assert(ql_rec_probe_frames(&rec, INITIAL));
	heard("l"
	      "i0");
	ql_rec_requeue_space(&rec, INITIAL);
	heard("li1 li2");
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd);
	ck_assert_uint_eq(rec.stats.lost, 0);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(ql_rec_next_pn(&rec, INITIAL), 4);
	send_n(INITIAL, 1);
	ck_assert_int_eq(ack(INITIAL, 4, 4), 0);
	heard("ai4");
}
END_TEST

START_TEST(test_ack_only)
{
	for (unsigned int i = 0; i < 1000; i++)
		send_as(APP, i, 40, 0);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	ck_assert_int_eq(ack(APP, 0, 999), 0);
	heard("");
	/* Behind data it is told when acknowledged, never lost, and never a reason for a timer. */
	send_n(APP, 1);
	send_as(APP, 1001, 40, 0);
	send_as(APP, 1002, 40, 0);
	send_n(APP, 1);
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 1003, 1003, 1000, 1001), 0);
	heard("a1003 a1000 a1001");
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(rec.stats.lost, 0);
}
END_TEST

RUN("recovery/loss", open_rec, close_rec, test_acked, test_acked_runs, test_never_sent,
    test_skipped, test_skipped_earlier, test_wide_range, test_rtt, test_rtt_eliciting,
    test_rtt_delay, test_ack_delay_field, test_packet_threshold, test_packet_threshold_skip,
    test_time_threshold, test_time_threshold_granularity, test_time_threshold_spaces, test_spurious,
    test_learned_packets, test_learned_time, test_unlearned, test_lost_record, test_pto,
    test_pto_backoff_ends, test_pto_spaces, test_blocked, test_client_deadlock,
    test_client_confirmed, test_probe_frames, test_discard, test_requeue, test_ack_only)
