// SPDX-License-Identifier: BSD-3-Clause
/* More than one path (RFC 9000, 9.4). */
#include "test_recovery_loss_util.h"

/* Packets of the old path are acknowledged and lost as any, and the new path does not notice. */
START_TEST(test_new_path)
{
	sample(20 * MS);
	send_n(APP, 8); /* 1 to 8 */
	ck_assert_uint_eq(rec.path.in_flight, 8 * MTU);
	ql_rec_use_path(&rec, 1, 0, now);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert(!rec.path.rtt.sampled);
	ck_assert_uint_eq(rec.path.rtt.smoothed, QL_RTT_INITIAL);
	ck_assert_uint_eq(rec.path.cc.cwnd, ql_cc_initial_window(MTU));
	ck_assert_uint_eq(rec.path.mtu, MTU);
	now += 20 * MS;
	/* acknowledged: no RTT, no window */
	ck_assert_int_eq(ack(APP, 1, 2), 0);
	heard("a1 a2");
	ck_assert(!rec.path.rtt.sampled);
	ck_assert_uint_eq(rec.path.cc.cwnd, ql_cc_initial_window(MTU));
	ck_assert_uint_eq(rec.space[APP].in_flight, 6 * MTU);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	/* lost, by packets of the new path: no congestion there */
	send_n(APP, 2); /* 9, 10 */
	now += 50 * MS;
	ck_assert_int_eq(ack(APP, 10, 10), 0);
	heard("a10 l3 l4 l5 l6 l7 l8");
	ck_assert_uint_eq(rec.path.rtt.latest, 50 * MS);
	ck_assert_uint_eq(rec.path.in_flight, MTU);
	ck_assert_uint_eq(rec.space[APP].in_flight, MTU);
	ck_assert_uint_eq(rec.space[APP].eliciting, 1);
	ck_assert_uint_eq(rec.path.cc.ssthresh, UINT64_MAX);
	/* late after all */
	ck_assert_int_eq(ack(APP, 3, 10), 0);
	heard("a3 a4 a5 a6 a7 a8 a9");
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.space[APP].eliciting, 0);
}
END_TEST

/* Back on the old one: what it was, less what has left it meanwhile. */
START_TEST(test_return)
{
	uint64_t cwnd;

	sample(20 * MS);
	send_n(APP, 4); /* 1 to 4 */
	cwnd = rec.path.cc.cwnd = 50 * MTU;
	ql_rec_use_path(&rec, 1, 0, now);
	send_n(APP, 1); /* 5 */
	now += 20 * MS;
	ck_assert_int_eq(ack(APP, 2, 2), 0);
	ql_rec_use_path(&rec, 0, 0, now);
	ck_assert_uint_eq(rec.path.in_flight, 3 * MTU);
	ck_assert_uint_eq(rec.path.cc.cwnd, cwnd);
	ck_assert_uint_eq(rec.path.rtt.latest, 20 * MS);
	ck_assert_uint_eq(rec.space[APP].in_flight, 4 * MTU);
	/* A packet of the other path: no sample. */
	now += 100 * MS;
	ck_assert_int_eq(ack(APP, 5, 5), 0);
	ck_assert_uint_eq(rec.path.rtt.latest, 20 * MS);
	ql_rec_drop_path(&rec, 1);
	ck_assert_int_eq(ack(APP, 1, 5), 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

/* Only so many are kept, and an ID may come back for another path. */
START_TEST(test_many)
{
	send_n(APP, 3); /* of path 0 */
	for (unsigned int id = 1; id < 1000; id++) {
		ql_rec_use_path(&rec, (uint8_t)id, 0, now);
		ck_assert_uint_eq(rec.path.in_flight, 0);
		send_n(APP, 1);
		now += 1 * MS;
	}
	ql_rec_use_path(&rec, 0, 0, now); /* the IDs have gone round: not that path 0 */
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_int_eq(ack(APP, 0, 1001), 0);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ck_assert_uint_eq(rec.space[APP].eliciting, 0);
	for (unsigned int id = 0; id < 256; id++)
		ql_rec_drop_path(&rec, (uint8_t)id);
	ck_assert_uint_eq(mem.used, 0);
	/* And those that are still kept go with the rest. */
	ql_rec_use_path(&rec, 77, 0, now);
	ck_assert_uint_gt(mem.used, 0);
	ql_rec_fini(&rec);
	ck_assert_uint_eq(mem.used, 0);
	start(true);
}
END_TEST

/* Without memory a path is not kept, and starts anew. */
START_TEST(test_no_memory)
{
	static uint8_t region[64] __attribute__((aligned(64)));
	static struct ql_mem none;

	ql_mem_init(&none, region, sizeof(region));
	rec.path.cc.cwnd = 50 * MTU;
	rec.space[APP].sent.mem = &none;
	ql_rec_use_path(&rec, 1, 0, now);
	ck_assert_uint_eq(rec.path.id, 1);
	ql_rec_use_path(&rec, 0, 0, now);
	ck_assert_uint_eq(rec.path.cc.cwnd, ql_cc_initial_window(MTU));
	rec.space[APP].sent.mem = &mem;
}
END_TEST

/* A probe on a path that is not in use. */
START_TEST(test_aside)
{
	sample(20 * MS); /* 0 */
	CHECK(ql_rec_begin(&rec, APP, 1) == 0);
	ql_rec_on_sent_aside(&rec, APP, MTU, now);
	ck_assert_uint_eq(rec.space[APP].in_flight, 0);
	ck_assert_uint_eq(ql_rec_deadline(&rec), QL_NEVER);
	send_n(APP, 1); /* 2 */
	CHECK(ql_rec_begin(&rec, APP, 3) == 0);
	ql_rec_on_sent_aside(&rec, APP, MTU, now);
	now += 90 * MS;
	/* The largest is the probe's: no sample, although another one is there. */
	ck_assert_int_eq(ack(APP, 1, 3), 0);
	heard("a2");
	ck_assert_uint_eq(rec.path.rtt.latest, 20 * MS);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

RUN("recovery/path", open_rec, close_rec, test_new_path, test_return, test_many, test_no_memory,
    test_aside)
