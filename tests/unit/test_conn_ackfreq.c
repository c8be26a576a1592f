// SPDX-License-Identifier: BSD-3-Clause
/*
 * When packets are acknowledged, and what peers ask for: draft-ietf-quic-ack-frequency.
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#include <qlane/error.h>

/* ---- The examples of the draft ---- */

struct step {
	uint64_t pn;
	bool ack;
};

static const struct step threshold_3[] = {
	{0, false}, {1, false}, {3, false}, {4, false}, {5, true},
	{8, false}, {9, true},	{10, true}, {0, false},
};
static const struct step threshold_5[] = {
	{0, false}, {1, false}, {3, false}, {5, false}, {6, false},
	{7, true},  {8, false}, {9, true},  {0, false},
};

static void play(const struct step *step, uint64_t threshold)
{
	struct ql_ranges received;
	uint64_t acked = 0;

	ql_ranges_init(&received, QL_CONN_ACK_RANGES);
	for (unsigned int i = 0; i == 0 || step[i].pn > 0; i++) {
		ck_assert_int_eq(ql_ranges_add(&received, NULL, step[i].pn, step[i].pn), 0);
		ck_assert_msg(ql_ack_reordered(&received, step[i].pn, acked, threshold) ==
				      step[i].ack,
			      "threshold %u, packet %u", (unsigned int)threshold,
			      (unsigned int)step[i].pn);
		if (step[i].ack)
			acked = step[i].pn + 1;
	}
}

START_TEST(test_examples)
{
	play(threshold_3, 3);
	play(threshold_5, 5);
}
END_TEST

/* What the sender has taken for lost by now, and only that, is worth an ACK when it comes. */
START_TEST(test_late)
{
	struct ql_ranges received;

	ql_ranges_init(&received, QL_CONN_ACK_RANGES);
	ck_assert_int_eq(ql_ranges_add(&received, NULL, 0, 20), 0);
	ck_assert(ql_ack_reordered(&received, 15, 21, 5)); /* 20 - 15 >= 5 */
	ck_assert(!ql_ack_reordered(&received, 16, 21, 5));
	ck_assert(!ql_ack_reordered(&received, 0, 0, 5)); /* no ACK yet */
}
END_TEST

/* ---- Receiver ---- */

static void open_pair(struct sim_pair *p)
{
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(p->app[SIM_SERVER].connected, 1);
}

static void close_pair(struct sim_pair *p)
{
	sim_run(p->sim, 200 * MS, NULL, NULL);
	if (p->app[SIM_CLIENT].conn)
		ql_conn_close(p->app[SIM_CLIENT].conn, 0, "");
	run_out(p, 40 * SEC);
	finish(p);
}

static void ask(struct sim_pair *p, uint64_t seq, uint64_t threshold, uint64_t delay,
		uint64_t reorder)
{
	const struct ql_frame_ack_frequency f = {seq, threshold, delay, reorder};
	uint8_t buf[64], *end = ql_frame_put_ack_frequency(buf, buf + sizeof(buf), &f);

	send_frames(p, SIM_CLIENT, QL_SPACE_APP, buf, (size_t)(end - buf));
}

/* Datagrams that the server would send now. */
static unsigned int answers(struct sim_pair *p)
{
	struct ql_datagram out[8];
	unsigned int n = sim_take(p->sim, SIM_SERVER, out, 8);

	for (unsigned int i = 0; i < n; i++)
		rte_pktmbuf_free(out[i].mbuf);
	return n;
}

/* So many packets, an ACK_FREQUENCY and PINGs, one at a time; which of them is answered? */
START_TEST(test_obeys)
{
	struct sim_pair p;

	open_pair(&p);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	answers(&p);
	ask(&p, 7, 4, 20000, 3);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_delay, 20 * MS);
	for (unsigned int i = 1; i < 12; i++) {
		ck_assert_msg((answers(&p) > 0) == (i % 5 == 0), "packet %u", i);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	}
	/* IMMEDIATE_ACK */
	ck_assert_uint_eq(answers(&p), 0);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x1f", 1);
	ck_assert_uint_eq(answers(&p), 1);
	/* Obsolete ones, and the same again. */
	ask(&p, 6, 0, 1000, 1);
	ask(&p, 7, 0, 1000, 1);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_rule.every, 5);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_delay, 20 * MS);
	/* Each one. */
	ask(&p, 8, 0, 1000, 1);
	ck_assert_uint_eq(answers(&p), 1);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	ck_assert_uint_eq(answers(&p), 1);
	/* By time, when there are too few. */
	ask(&p, 9, 100, 30000, 0);
	sim_run(p.sim, 25 * MS, NULL, NULL);
	ck_assert_uint_gt(conn_of(&p, SIM_SERVER)->app.unacked, 0);
	sim_run(p.sim, 6 * MS, NULL, NULL);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->app.unacked, 0);
	close_pair(&p);
}
END_TEST

/* Gaps are answered by the threshold; 0: not because of them. */
START_TEST(test_gaps)
{
	static const struct {
		uint64_t reorder;
		unsigned int at; /* the packet behind the gap that is answered; 0: none */
	} cases[] = {{1, 1}, {3, 3}, {5, 5}, {0, 0}};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t lost[2048];
		struct sim_pair p;

		open_pair(&p);
		answers(&p);
		ask(&p, 0, 100, 20000, cases[i].reorder);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x1f", 1);
		ck_assert_uint_eq(answers(&p), 1);
		make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, lost);
		for (unsigned int k = 1; k < 8; k++) {
			send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
			/* with 1, only what is itself out of order */
			ck_assert_msg((answers(&p) > 0) == (k == cases[i].at),
				      "threshold %u, packet %u", (unsigned int)cases[i].reorder, k);
		}
		close_pair(&p);
	}
}
END_TEST

/* Where ACKs are rare, the first of several marks is worth one; else each. */
START_TEST(test_marks)
{
	static const bool ce[] = {true, true, false, true, true};
	struct ql_conn *conn;
	struct sim_pair p;

	open_pair(&p);
	conn = conn_of(&p, SIM_SERVER);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert(ql_ack_at_once(conn, 100 + i, true, ce[i]) == ce[i]);
	ask(&p, 0, 1, 20000, 0);
	answers(&p);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert(ql_ack_at_once(conn, 100 + i, true, ce[i]) == ce[i]);
	ask(&p, 1, 100, 20000, 0);
	ck_assert(!ql_ack_at_once(conn, 100, true, false));
	for (unsigned int i = 0; i < 5; i++)
		ck_assert(ql_ack_at_once(conn, 101 + i, true, ce[i]) == (i == 0 || i == 3));
	close_pair(&p);
}
END_TEST

/* Who wants no ACK of gaps still learns of all of them: there is room for so many only. */
START_TEST(test_many_gaps)
{
	struct sim_pair p;
	uint8_t lost[2048];
	unsigned int gaps = 0;

	open_pair(&p);
	answers(&p);
	ask(&p, 0, 1000, 20000, 0);
	do {
		ck_assert_uint_eq(answers(&p), 0);
		make_packet(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1, 0, lost);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	} while (!conn_of(&p, SIM_SERVER)->app.ack_now && ++gaps < QL_CONN_ACK_RANGES);
	ck_assert_uint_lt(gaps, QL_CONN_ACK_RANGES - 2);
	ck_assert_uint_eq(answers(&p), 1);
	close_pair(&p);
}
END_TEST

/* An ACK that waits already need not wait for longer than is wanted now. */
START_TEST(test_sooner)
{
	struct sim_pair p;

	open_pair(&p);
	answers(&p);
	ask(&p, 0, 100, 80000, 1);
	sim_run(p.sim, 10 * MS, NULL, NULL);
	ck_assert_uint_gt(conn_of(&p, SIM_SERVER)->app.unacked, 0);
	ask(&p, 1, 100, 1000, 1);
	sim_run(p.sim, 2 * MS, NULL, NULL);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->app.unacked, 0);
	close_pair(&p);
}
END_TEST

/* What cannot be a max_ack_delay. */
START_TEST(test_offences)
{
	static const uint64_t delays[] = {0, QL_ACK_MIN_DELAY / 1000 - 1, QL_ACK_DELAY_US_MAX,
					  QL_VARINT_MAX};

	for (unsigned int i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		struct sim_pair p;

		open_pair(&p);
		ask(&p, 0, 1, delays[i], 1);
		sim_run(p.sim, 100 * MS, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_SERVER].close.error, QL_ERR_PROTOCOL_VIOLATION);
		ck_assert_uint_eq(p.app[SIM_SERVER].close.frame_type, QL_FRAME_ACK_FREQUENCY);
		run_out(&p, 40 * SEC);
		finish(&p);
	}
}
END_TEST

/* ---- Sender ---- */

/* A window that grows is worth fewer ACKs, in no more time. */
START_TEST(test_asks)
{
	struct sim_link link = {.rate = 200 * MB, .delay = 20 * MS, .queue = 800};
	struct sim_job job = {.streams = 1, .download = 20 * MB, .keep_open = true};
	const struct ql_conn *server;
	uint64_t data, acks;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_pair_link(&p, &link);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 120 * MS, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	ck_assert_uint_eq(server->ack_ask.min_delay, QL_ACK_MIN_DELAY);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	for (unsigned int i = 0; i < 20 && server->ack_ask.in_flight; i++)
		sim_run(p.sim, 5 * MS, NULL, NULL);
	ck_assert_uint_ge(server->ack_ask.every, 8);
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->ack_rule.every, server->ack_ask.every);
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->ack_rule.reorder, 3);
	/* A PTO counts with what has been asked for and is obeyed. */
	ck_assert(!server->ack_ask.in_flight);
	ck_assert_uint_ge(server->rec.max_ack_delay, server->ack_ask.delay);
	ck_assert_uint_le(server->rec.max_ack_delay, server->ack_ask.delay + 1000);
	data = sim_link_stats(p.sim, SIM_SERVER)->datagrams;
	acks = sim_link_stats(p.sim, SIM_CLIENT)->datagrams;
	sim_run(p.sim, 200 * MS, NULL, NULL);
	data = sim_link_stats(p.sim, SIM_SERVER)->datagrams - data;
	acks = sim_link_stats(p.sim, SIM_CLIENT)->datagrams - acks;
	ck_assert_uint_gt(data, 3000);
	ck_assert_uint_le(acks, data / 6);
	close_pair(&p);
}
END_TEST

/* As soon as recovery/ has learned of reordering the peer hears of it, whatever the window. */
START_TEST(test_asks_reordering)
{
	struct sim_pair p;
	struct ql_conn *client;

	open_pair(&p);
	client = conn_of(&p, SIM_CLIENT);
	ck_assert_uint_eq(client->ack_ask.next_seq, 0);
	client->rec.path.packet_threshold = 17;
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, "\x01", 1);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_rule.next_seq, 1);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_rule.reorder, 17);
	ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->ack_rule.every, QL_ACK_EVERY);
	close_pair(&p);
}
END_TEST

/* Over long paths, what ACKs of a burst say is needed until the path is full. */
START_TEST(test_long_path)
{
	struct sim_link link = {.rate = 50 * MB, .delay = 200 * MS, .queue = 1000};
	struct sim_job job = {.streams = 1, .download = 20 * MB, .keep_open = true};
	const struct ql_conn *server;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_pair_link(&p, &link);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 1200 * MS, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	while (ql_cc_starting(&server->rec.path.cc)) {
		ck_assert_uint_eq(server->ack_ask.next_seq, 0);
		sim_run(p.sim, 1 * MS, NULL, NULL);
	}
	ck_assert_uint_gt(server->rec.path.cc.cwnd, 500000);
	sim_run(p.sim, 1 * SEC, NULL, NULL);
	ck_assert_uint_gt(server->ack_ask.next_seq, 0);
	while (p.app[SIM_CLIENT].complete == 0)
		sim_run(p.sim, 100 * MS, NULL, NULL);
	close_pair(&p);
}
END_TEST

/* A probe asks for an answer at once, of a peer that would wait; also one of the path's MTU. */
START_TEST(test_probes)
{
	for (unsigned int mtu = 0; mtu < 2; mtu++) {
		struct ql_conn *client;
		struct sim_pair p;

		open_pair(&p);
		client = conn_of(&p, SIM_CLIENT);
		ask(&p, 0, 100, 500000, 0);
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->app.unacked, 0);
		if (mtu) {
			client->filled = true;
		} else {
			client->probes = 1;
			client->probe_space = QL_SPACE_APP;
		}
		ql_conn_wake(client);
		sim_run(p.sim, 50 * MS, NULL, NULL);
		ck_assert_uint_ge(client->rec.stats.mtu_probes, mtu);
		ck_assert_uint_eq(client->rec.space[QL_SPACE_APP].in_flight, 0);
		close_pair(&p);
	}
}
END_TEST

/* A peer that does not know the frame gets none. */
START_TEST(test_unknown)
{
	struct sim_job job = {.streams = 1, .download = 5 * MB, .keep_open = true};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	while (!p.app[SIM_SERVER].conn)
		sim_run(p.sim, 1 * MS, NULL, NULL);
	conn_of(&p, SIM_SERVER)->ack_ask.min_delay = QL_NEVER;
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(conn_of(&p, SIM_CLIENT)->ack_rule.next_seq, 0);
	close_pair(&p);
}
END_TEST

/* What is lost is asked again, with a number of its own; late answers to the old one count not. */
START_TEST(test_lost)
{
	struct sim_pair p;
	struct ql_conn *conn;
	struct ql_sent_frame f = {.kind = QL_SENT_ACK_FREQUENCY, .id = 4, .offset = 7000};

	open_pair(&p);
	conn = conn_of(&p, SIM_CLIENT);
	conn->ack_ask.next_seq = 5;
	conn->ack_ask.in_flight = true;
	ql_conn_rec_ops.lost(conn, QL_SPACE_APP, &f);
	ck_assert(conn->ack_ask.due && !conn->ack_ask.in_flight);
	sim_run(p.sim, 5 * MS, NULL, NULL);
	ck_assert(!conn->ack_ask.due && conn->ack_ask.in_flight);
	ck_assert_uint_eq(conn->ack_ask.next_seq, 6);
	ql_conn_rec_ops.acked(conn, QL_SPACE_APP, &f);
	ck_assert(conn->ack_ask.in_flight);
	ck_assert_uint_ne(conn->rec.max_ack_delay, 7 * MS);
	sim_run(p.sim, 100 * MS, NULL, NULL);
	ck_assert(!conn->ack_ask.in_flight);
	ck_assert_uint_ge(conn_of(&p, SIM_SERVER)->ack_rule.next_seq, 6);
	close_pair(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/ackfreq");
	TCase *tc = new_case(s, "ackfreq");

	tcase_add_test(tc, test_examples);
	tcase_add_test(tc, test_late);
	tcase_add_test(tc, test_obeys);
	tcase_add_test(tc, test_gaps);
	tcase_add_test(tc, test_marks);
	tcase_add_test(tc, test_many_gaps);
	tcase_add_test(tc, test_sooner);
	tcase_add_test(tc, test_offences);
	tcase_add_test(tc, test_asks);
	tcase_add_test(tc, test_asks_reordering);
	tcase_add_test(tc, test_long_path);
	tcase_add_test(tc, test_probes);
	tcase_add_test(tc, test_unknown);
	tcase_add_test(tc, test_lost);
	return run_suite(s);
}
