// SPDX-License-Identifier: BSD-3-Clause
/* Probes of a path's MTU among other packets, and what black holes look like (RFC 9000, 14.4). */
#include "test_recovery_loss_util.h"

#define PROBE (QL_SENT_IN_FLIGHT | QL_SENT_MTU_PROBE)

/* A server with 20 ms of RTT that may look for datagrams of 1,472 bytes. */
static void open_search(void)
{
	open_rec();
	sample(20 * MS);
	ql_rec_search_mtu(&rec, 1472, false, now);
}

/* Send the probe that is due. Its number. */
static uint64_t send_probe(void)
{
	uint64_t pn = ql_rec_next_pn(&rec, APP);
	uint16_t size;

	CHECK(ql_rec_mtu_due(&rec, now, &size) == QL_REC_MTU_SEND);
	CHECK(ql_rec_begin(&rec, APP, pn) == 0);
	ql_rec_on_sent(&rec, APP, size, PROBE, now);
	CHECK(ql_rec_mtu_due(&rec, now, &size) == QL_REC_MTU_NONE);
	return pn;
}

START_TEST(test_probe_acked)
{
	uint64_t pn, cwnd = rec.path.cc.cwnd;

	rec.path.cc.ssthresh = cwnd; /* so that it does not grow */
	pn = send_probe();
	ck_assert_uint_eq(rec.path.in_flight, 1472);
	ck_assert_uint_eq(rec.space[APP].eliciting, 0);
	now += 20 * MS;
	ck_assert_int_eq(ack(APP, pn, pn), 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.path.mtu, 1472);
	ck_assert_uint_eq(rec.path.cc.mtu, 1472);
	ck_assert_uint_eq(rec.path.pacer.mtu, 1472);
	ck_assert_uint_lt(rec.path.cc.cwnd, cwnd + MTU);
	ck_assert_uint_eq(rec.mtu_probe_deadline, QL_NEVER);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	ck_assert_uint_eq(rec.stats.mtu_probes, 1);
}
END_TEST

/* Its loss changes no window, and the next one is due at once. */
START_TEST(test_probe_lost)
{
	uint64_t cwnd, pn;
	uint16_t size;

	for (unsigned int i = 0; i < 3; i++) {
		pn = send_probe();
		send_n(APP, 3);
		now += 20 * MS;
		cwnd = rec.path.cc.cwnd;
		ck_assert_int_eq(ack(APP, pn + 1, pn + 3), 0);
		ck_assert_uint_eq(rec.stats.lost, i + 1);
		ck_assert_uint_ge(rec.path.cc.cwnd, cwnd);
		ck_assert_uint_eq(rec.path.cc.ssthresh, UINT64_MAX);
		ck_assert_uint_eq(rec.path.in_flight, 0);
		ck_assert_uint_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
		ck_assert_uint_eq(size, i < 2 ? 1472 : 1452);
	}
	ck_assert_uint_eq(rec.path.mtu, MTU);
	/* After all it was only late. */
	ck_assert_int_eq(ack(APP, pn, pn + 3), 0);
	ck_assert_uint_eq(rec.path.mtu, 1472);
}
END_TEST

/* Alone on its way and lost: no PTO for it, it is just given up. */
START_TEST(test_probe_alone)
{
	uint64_t pto = ql_rtt_pto(&rec.path.rtt, rec.max_ack_delay);
	unsigned int space;
	uint16_t size;

	send_probe();
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + 3 * pto);
	now += 3 * pto;
	ck_assert_uint_eq(ql_rec_on_timeout(&rec, now, &space), 0);
	ck_assert_uint_eq(rec.stats.ptos, 0);
	ck_assert_uint_eq(rec.pto_count, 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	ck_assert_uint_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
	/* beside data: that has its PTO as ever, and has nothing of the probe's to repeat */
	send_n(APP, 1);
	send_probe();
	ck_assert_uint_eq(ql_rec_deadline(&rec), now + pto);
	now += pto;
	ck_assert_uint_eq(ql_rec_on_timeout(&rec, now, &space), 2);
	ck_assert(ql_rec_probe_frames(&rec, APP));
	heard("l2");
	ck_assert(!ql_rec_probe_frames(&rec, APP));
}
END_TEST

/* While nothing is acknowledged there is none, and one that was sent says nothing. */
START_TEST(test_probe_silence)
{
	unsigned int space;
	uint16_t size;

	send_n(APP, 1);
	send_probe();
	for (unsigned int i = 1; rec.mtu_probe_deadline != QL_NEVER; i++) {
		now = ql_rec_deadline(&rec);
		ql_rec_on_timeout(&rec, now, &space);
		ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_NONE);
		ck_assert_uint_lt(i, 9);
	}
	ck_assert_uint_eq(rec.path.in_flight, MTU);
	ck_assert_uint_eq(rec.path.pmtu.tries, 0);
	ck_assert_int_eq(ack(APP, 1, 1), 0);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
	ck_assert_uint_eq(size, 1472);
}
END_TEST

/* A probe waits for room in the window, which must be worth it. */
START_TEST(test_probe_window)
{
	uint64_t cwnd = rec.path.cc.cwnd;
	uint16_t size;

	ql_rec_search_mtu(&rec, 9000, false, now);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_NONE);
	rec.path.cc.cwnd = 18000;
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
	ck_assert_uint_eq(size, 9000);
	send_n(APP, 7);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
	send_n(APP, 1);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_WAIT);
	rec.path.cc.cwnd = cwnd;
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_NONE);
}
END_TEST

/* On the way to larger datagrams. */
static void grow(void)
{
	uint64_t pn = send_probe();

	now += 20 * MS;
	CHECK(ack(APP, pn, pn) == 0);
	CHECK(rec.path.mtu == 1472);
}

/* Large ones are lost, small ones in between are not. */
START_TEST(test_hole_by_loss)
{
	uint64_t pn;
	uint16_t size;

	grow();
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(rec.path.mtu, 1472);
		pn = ql_rec_next_pn(&rec, APP);
		send_as(APP, pn, 1472, QL_SENT_ELICITING);
		send_as(APP, pn + 1, 1472, QL_SENT_ELICITING);
		for (unsigned int k = 2; k < 5; k++)
			send_as(APP, pn + k, 100, QL_SENT_ELICITING);
		now += 30 * MS;
		ck_assert_int_eq(ack(APP, pn + 2, pn + 4), 0);
	}
	ck_assert_uint_eq(rec.path.mtu, MTU);
	ck_assert_uint_eq(rec.path.cc.mtu, MTU);
	ck_assert_uint_eq(rec.stats.black_holes, 1);
	ck_assert_uint_eq(ql_pmtu_due(&rec.path.pmtu, now), 1472);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size),
			 rec.path.cc.cwnd < 2944 ? QL_REC_MTU_NONE : QL_REC_MTU_SEND);
}
END_TEST

/* Losses as they happen where a queue is full: others of the same size pass. */
START_TEST(test_no_hole)
{
	uint64_t pn;

	grow();
	for (unsigned int i = 0; i < 10; i++) {
		pn = ql_rec_next_pn(&rec, APP);
		for (unsigned int k = 0; k < 20; k++)
			send_as(APP, pn + k, 1472, QL_SENT_ELICITING);
		now += 30 * MS;
		ck_assert_int_eq(ack(APP, pn + 15, pn + 19), 0);
	}
	ck_assert_uint_gt(rec.stats.lost, 100);
	ck_assert_uint_eq(rec.path.mtu, 1472);
	ck_assert_uint_eq(rec.stats.black_holes, 0);
}
END_TEST

/* Nothing passes at all. */
START_TEST(test_hole_by_pto)
{
	unsigned int space;

	grow();
	send_as(APP, ql_rec_next_pn(&rec, APP), 1472, QL_SENT_ELICITING);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(rec.path.mtu, 1472);
		now = ql_rec_deadline(&rec);
		ck_assert_uint_eq(ql_rec_on_timeout(&rec, now, &space), 2);
	}
	ck_assert_uint_eq(rec.path.mtu, MTU);
	ck_assert_uint_eq(rec.stats.black_holes, 1);
}
END_TEST

/* Another path starts anew, and the old one has what it had, but for a probe under way. */
START_TEST(test_paths)
{
	uint64_t pn;
	uint16_t size;

	grow();
	ql_rec_use_path(&rec, 1, 0, now);
	ck_assert_uint_eq(rec.path.mtu, QL_PMTU_BASE);
	ck_assert_uint_eq(rec.path.cc.mtu, QL_PMTU_BASE);
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_SEND);
	ck_assert_uint_eq(size, 1472);
	pn = send_probe();
	ql_rec_use_path(&rec, 0, 0, now);
	ck_assert_uint_eq(rec.path.mtu, 1472);
	/* the other path's probe arrives, which is of no use here */
	ck_assert_int_eq(ql_rec_mtu_due(&rec, now, &size), QL_REC_MTU_NONE);
	now += 20 * MS;
	ck_assert_int_eq(ack(APP, pn, pn), 0);
	ck_assert_uint_eq(rec.mtu_probe_deadline, QL_NEVER);
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ql_rec_use_path(&rec, 1, 0, now);
	ck_assert_uint_eq(rec.path.mtu, QL_PMTU_BASE);
	/* or is given up while another path is in use */
	send_probe();
	ql_rec_use_path(&rec, 0, 0, now);
	now = ql_rec_deadline(&rec);
	ck_assert_uint_ne(now, QL_NEVER);
	ck_assert_uint_eq(ql_rec_on_timeout(&rec, now, &(unsigned int){0}), 0);
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
}
END_TEST

/*
 * For long only small packets pass: a verdict on the path, but not in the handshake, whose large
 * datagrams may be of small packets.
 */
START_TEST(test_dead)
{
	for (unsigned int space = 0; space < QL_REC_SPACES; space++) {
		ql_rec_fini(&rec);
		start(true);
		sample(20 * MS);
		for (unsigned int i = 0; i < 2 * QL_PMTU_HOLE_LOST; i++) {
			uint64_t pn = ql_rec_next_pn(&rec, space);

			send_as(space, pn, MTU, QL_SENT_ELICITING);
			for (unsigned int k = 1; k < 4; k++)
				send_as(space, pn + k, 100, QL_SENT_ELICITING);
			now += QL_PMTU_DEAD / 8;
			ck_assert_int_eq(ack(space, pn + 1, pn + 3), 0);
		}
		ck_assert_uint_ge(rec.stats.lost, 2 * QL_PMTU_HOLE_LOST);
		ck_assert_int_eq(ql_pmtu_is_dead(&rec.path.pmtu, now), space == APP);
	}
}
END_TEST

RUN("recovery/loss_mtu", open_search, close_rec, test_probe_acked, test_probe_lost,
    test_probe_alone, test_probe_silence, test_probe_window, test_hole_by_loss, test_no_hole,
    test_hole_by_pto, test_paths, test_dead)
