// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whole connections between two engines: handshakes and transfers over links of all kinds.
 */
#include "test_engine_util.h"

#include <errno.h>

#include <rte_mbuf.h>

/* Everything there and back. */
static void check_complete(const struct sim_pair *p, unsigned int conns)
{
	const struct sim_app *c = &p->app[SIM_CLIENT], *s = &p->app[SIM_SERVER];
	unsigned int streams = conns * c->job.streams;

	ck_assert_uint_eq(c->connected, conns);
	ck_assert_uint_eq(c->closed, conns);
	ck_assert_uint_eq(s->accepted, conns);
	ck_assert_uint_eq(s->connected, conns);
	ck_assert_uint_eq(s->closed, conns);
	ck_assert_uint_eq(c->complete, streams);
	ck_assert_uint_eq(c->received, streams * c->job.download);
	/* The client closes when it has all; the server may still wait for the last ACKs. */
	ck_assert_uint_eq(s->opened, streams);
	ck_assert_uint_eq(s->ended, streams);
	ck_assert_uint_eq(s->received, streams * c->job.upload);
}

/* One connection over a link, from start to end. Returns how long it took, ns. */
static uint64_t transfer(uint64_t seed, const struct sim_job *job, const struct sim_link *link,
			 const struct ql_transport *transport, bool by_reference)
{
	struct sim_pair p;
	uint64_t start, took;

	sim_pair_open(&p, seed, NULL, transport, job);
	if (link)
		sim_pair_link(&p, link);
	p.app[SIM_SERVER].by_reference = p.app[SIM_CLIENT].by_reference = by_reference;
	start = sim_now(p.sim);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 600 * SEC);
	check_complete(&p, 1);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_LOCAL);
	took = p.app[SIM_CLIENT].closed_at - start;
	finish(&p);
	return took;
}

START_TEST(test_handshake)
{
	struct sim_job job = {.streams = 1, .download = 5, .close_code = 7, .close_reason = "done"};
	struct ql_engine_stats c, s;
	struct sim_pair p;
	uint64_t start;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	start = sim_now(p.sim);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 30 * SEC);
	check_complete(&p, 1);
	/* One round trip for each of: the handshake, the request. */
	ck_assert_uint_lt(p.app[SIM_CLIENT].connected_at - start, 22 * MS);
	ck_assert_uint_lt(p.app[SIM_CLIENT].closed_at - start, 44 * MS);
	c = sim_pair_stats(&p, SIM_CLIENT);
	s = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(c.conns_initiated, 1);
	ck_assert_uint_eq(c.conns_accepted, 0);
	ck_assert_uint_eq(s.conns_accepted, 1);
	ck_assert_uint_eq(s.conns_initiated, 0);
	ck_assert_uint_eq(c.handshakes_done, 1);
	ck_assert_uint_eq(s.handshakes_done, 1);
	ck_assert_uint_eq(c.conns_closed, 1);
	ck_assert_uint_eq(s.conns_closed, 1);
	ck_assert_uint_eq(s.rx_datagrams, c.tx_datagrams);
	ck_assert_uint_eq(c.rx_bytes, s.tx_bytes);
	for (unsigned int i = 0; i < QL_DROP_MAX; i++) {
		/* The server may well close with packets of the client's on their way. */
		if (i != QL_DROP_CLOSING && i != QL_DROP_NO_CONN)
			ck_assert_msg(c.drops[i] + s.drops[i] == 0, "dropped: %s",
				      ql_drop_name((enum ql_drop)i));
	}
	finish(&p);
}
END_TEST

/* Both ends of the transport's room: little and much in one packet, both ways of sending. */
START_TEST(test_transfer)
{
	static const struct sim_job jobs[] = {
		{.streams = 1, .download = 0, .upload = 0},
		{.streams = 1, .download = 1, .upload = 1},
		{.streams = 1, .download = 10 * MB},
		{.streams = 1, .upload = 10 * MB},
		{.streams = 1, .download = 10 * MB, .upload = 10 * MB},
		{.streams = 7, .download = 300 * KB, .upload = 200 * KB},
	};
	static const uint16_t payload[] = {1200, 1472};

	for (unsigned int i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		for (unsigned int k = 0; k < 4; k++) {
			struct ql_transport t = {.udp_payload = payload[k / 2]};

			transfer(i, &jobs[i], NULL, &t, k & 1);
		}
	}
}
END_TEST

/* A gigabit for 10 MB: slow start and little more. */
START_TEST(test_goodput)
{
	struct sim_job job = {.streams = 1, .download = 10 * MB};
	struct sim_link link = {.rate = 100 * MB, .delay = 10 * MS, .queue = 200};
	uint64_t took = transfer(1, &job, &link, NULL, true);

	/* 10 MB at 100 Mbit/s are 0.8 s. */
	ck_assert_msg(took < 1100 * MS, "%llu ms", (unsigned long long)(took / MS));
}
END_TEST

/* How long 100 MB take over 250 Mbit/s and 600 ms, ns. */
static uint64_t long_fat_with(const struct ql_transport *t)
{
	struct ql_limits limits = {.connections = 16, .memory = UINT64_C(1) << 30};
	struct sim_link link = {.rate = 250 * MB, .delay = 300 * MS};
	struct sim_job job = {.streams = 1, .download = 100 * MB};
	struct sim_pair p;
	uint64_t took;

	sim_pair_open(&p, 1, &limits, t, &job);
	sim_pair_link(&p, &link);
	p.app[SIM_CLIENT].no_check = true;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 120 * SEC);
	check_complete(&p, 1);
	took = p.app[SIM_CLIENT].closed_at - p.app[SIM_CLIENT].connected_at;
	finish(&p);
	return took;
}

/* The same when both ends may use so much memory for receiving. */
static uint64_t long_fat(uint64_t window, uint64_t cap)
{
	struct ql_transport t = {.max_data = window,
				 .max_stream_data = window,
				 .max_data_cap = cap,
				 .max_stream_data_cap = cap,
				 .send_buffer = UINT64_C(256) << 20};

	return long_fat_with(&t);
}

/*
 * A receive window that grows is nearly as good as one that was large from the start; a fixed one
 * is not. Over so long a path the first slow start outruns it for a while (recovery/longstart.h).
 */
START_TEST(test_window_grows)
{
	uint64_t unlimited = long_fat(UINT64_C(256) << 20, 1);
	uint64_t defaults = long_fat(0, 0);
	uint64_t grown = long_fat(UINT64_C(1) << 20, UINT64_C(64) << 20);
	uint64_t fixed = long_fat(UINT64_C(4) << 20, 1);

	ck_assert_msg(defaults < unlimited + unlimited / 3, "%llu ms, %llu ms without limits",
		      (unsigned long long)(defaults / MS), (unsigned long long)(unlimited / MS));
	/* From 1 MiB the sender has to wait more often, on the way up. */
	ck_assert_msg(grown < unlimited + unlimited * 2 / 3, "%llu ms, %llu ms without limits",
		      (unsigned long long)(grown / MS), (unsigned long long)(unlimited / MS));
	ck_assert_uint_gt(fixed, 2 * unlimited);
}
END_TEST

/* The same for what is kept of data that is sent by copy. */
START_TEST(test_send_buffer_grows)
{
	struct ql_transport t = {.send_buffer = UINT64_C(256) << 20};
	uint64_t unlimited = long_fat_with(&t), grown, fixed;

	t = (struct ql_transport){0};
	grown = long_fat_with(&t);
	t = (struct ql_transport){.send_buffer = UINT64_C(4) << 20, .send_buffer_cap = 1};
	fixed = long_fat_with(&t);
	ck_assert_msg(grown < unlimited + unlimited / 10, "%llu ms, %llu ms without limits",
		      (unsigned long long)(grown / MS), (unsigned long long)(unlimited / MS));
	ck_assert_uint_gt(fixed, 2 * unlimited);
}
END_TEST

/* Connections that would all grow share what the engine has for that; at the end it is back. */
START_TEST(test_window_budget)
{
	const struct ql_limits limits = {.windows = 4 << 20};
	const struct ql_transport t = {
		.max_data = 1 << 20, .max_stream_data = 1 << 20, .send_buffer = 32 << 20};
	const struct sim_link link = {.rate = 1000 * MB, .delay = 100 * MS};
	const struct sim_job job = {.streams = 1, .download = 20 * MB};
	struct ql_engine_stats s;
	uint64_t most = 0;
	struct sim_pair p;

	sim_pair_open(&p, 1, &limits, &t, &job);
	sim_pair_link(&p, &link);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	do {
		sim_run(p.sim, 10 * MS, NULL, NULL);
		s = sim_pair_stats(&p, SIM_CLIENT);
		ck_assert_uint_le(s.windows_used, limits.windows);
		most = s.windows_used > most ? s.windows_used : most;
	} while (p.app[SIM_CLIENT].closed < 4);
	ck_assert_uint_gt(most, limits.windows / 10 * 9);
	run_out(&p, 60 * SEC);
	check_complete(&p, 4);
	finish(&p);
}
END_TEST

/* Who waits for credit, and nothing else, says so again; so the connection does not end idle. */
START_TEST(test_blocked_again)
{
	const struct ql_transport t = {
		.max_data = 20 * KB, .idle_timeout_ns = 8 * SEC, .send_buffer = 1 << 20};
	const struct sim_job job = {.streams = 1, .upload = 100 * KB, .keep_open = true};
	struct sim_link_stats before, after;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, &t, &job);
	p.app[SIM_SERVER].no_credit = true;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 10 * SEC, NULL, NULL);
	before = *sim_link_stats(p.sim, SIM_CLIENT);
	sim_run(p.sim, 200 * SEC, NULL, NULL);
	after = *sim_link_stats(p.sim, SIM_CLIENT);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 0);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, 0);
	ck_assert_uint_ge(after.datagrams - before.datagrams, 99); /* every 2 s */
	ck_assert_uint_le(after.datagrams - before.datagrams, 101);
	/* Nothing is left to wait for: then it ends. */
	ck_assert_int_eq(ql_stream_reset(ql_streams_find(&conn_of(&p, SIM_CLIENT)->streams, 0), 0),
			 0);
	run_out(&p, 20 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].causes[QL_CLOSE_IDLE], 1);
	finish(&p);
}
END_TEST

/* The number of streams at a time, changed while the connection runs. */
START_TEST(test_max_streams)
{
	struct ql_transport t = {.max_streams_bidi = 4};
	struct sim_job job = {.keep_open = true};
	static const struct ql_conn_ops ops = {0}; /* these streams are none of the application's */
	struct ql_stream *stream;
	unsigned int opened = 0;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, &t, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ql_streams_set_ops(&conn_of(&p, SIM_CLIENT)->streams, &ops);
	while (ql_stream_open(conn_of(&p, SIM_CLIENT), true, &stream) == 0)
		opened++;
	ck_assert_uint_eq(opened, 4);
	ql_conn_set_max_streams(conn_of(&p, SIM_SERVER), true, 3);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_int_eq(ql_stream_open(conn_of(&p, SIM_CLIENT), true, &stream), -EAGAIN);
	ql_conn_set_max_streams(conn_of(&p, SIM_SERVER), true, 10);
	/* Before the frame is written it is lowered again: what was granted stays. */
	ql_conn_set_max_streams(conn_of(&p, SIM_SERVER), true, 2);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_int_eq(ql_stream_open(conn_of(&p, SIM_CLIENT), true, &stream), -EAGAIN);
	ql_conn_set_max_streams(conn_of(&p, SIM_SERVER), true, 10);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	while (ql_stream_open(conn_of(&p, SIM_CLIENT), true, &stream) == 0)
		opened++;
	ck_assert_uint_eq(opened, 10);
	ql_conn_set_max_streams(conn_of(&p, SIM_SERVER), false, UINT64_MAX);
	sim_run(p.sim, 500 * MS, NULL, NULL);
	for (opened = 0; opened < 100; opened++)
		ck_assert_int_eq(ql_stream_open(conn_of(&p, SIM_CLIENT), false, &stream), 0);
	sim_pair_close(&p);
}
END_TEST

static void lossy(const struct sim_job *job, const struct sim_link *link, unsigned int seeds)
{
	for (unsigned int seed = 0; seed < seeds; seed++)
		transfer(seed, job, link, NULL, seed & 1);
}

START_TEST(test_loss_1)
{
	struct sim_job job = {.streams = 2, .download = 1 * MB, .upload = 1 * MB};
	struct sim_link link = {
		.rate = 100 * MB, .delay = 5 * MS, .queue = 100, .loss = SIM_MILLION / 100};

	lossy(&job, &link, 20);
}
END_TEST

START_TEST(test_loss_5)
{
	struct sim_job job = {.streams = 3, .download = 300 * KB, .upload = 300 * KB};
	struct sim_link link = {
		.rate = 100 * MB, .delay = 5 * MS, .queue = 100, .loss = SIM_MILLION / 20};

	lossy(&job, &link, 40);
}
END_TEST

START_TEST(test_loss_20)
{
	struct sim_job job = {.streams = 2, .download = 50 * KB, .upload = 50 * KB};
	struct sim_link link = {
		.rate = 100 * MB, .delay = 5 * MS, .queue = 100, .loss = SIM_MILLION / 5};

	lossy(&job, &link, 60);
}
END_TEST

START_TEST(test_reordering)
{
	struct sim_job job = {.streams = 4, .download = 500 * KB, .upload = 500 * KB};
	struct sim_link link = {.rate = 100 * MB,
				.delay = 5 * MS,
				.reorder = SIM_MILLION / 10,
				.reorder_delay = 3 * MS};

	lossy(&job, &link, 20);
}
END_TEST

START_TEST(test_duplication)
{
	struct sim_job job = {.streams = 4, .download = 500 * KB, .upload = 500 * KB};
	struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS, .duplicate = SIM_MILLION / 4};

	lossy(&job, &link, 20);
}
END_TEST

/* A flipped bit anywhere makes a packet fail authentication, which is a loss. */
START_TEST(test_corruption)
{
	struct sim_job job = {.streams = 4, .download = 200 * KB, .upload = 200 * KB};
	struct sim_link link = {
		.rate = 100 * MB, .delay = 5 * MS, .queue = 100, .corrupt = SIM_MILLION / 20};

	lossy(&job, &link, 30);
}
END_TEST

START_TEST(test_all_at_once)
{
	struct sim_job job = {.streams = 10, .download = 50 * KB, .upload = 50 * KB};
	struct sim_link link = {.rate = 20 * MB,
				.delay = 15 * MS,
				.queue = 25,
				.loss = SIM_MILLION / 30,
				.duplicate = SIM_MILLION / 30,
				.corrupt = SIM_MILLION / 30,
				.reorder = SIM_MILLION / 30,
				.reorder_delay = 20 * MS};

	lossy(&job, &link, 60);
}
END_TEST

/* Lose the client's second datagram, with its Finished, and the first one that brings it again. */
struct finished {
	unsigned int datagrams;
	bool again;
};

static bool lose_finished(void *arg, struct ql_datagram *d, uint64_t now UNUSED)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	struct finished *f = arg;

	if (f->datagrams++ == 1)
		return false;
	if (f->again || (p[0] & (QL_PKT_LONG | 0x30)) != (QL_PKT_LONG | 0x20))
		return true;
	f->again = true;
	return false;
}

/*
 * 1-RTT packets that the server cannot open yet fill the client's window. The handshake's own data
 * must not wait for them.
 */
START_TEST(test_finished_lost)
{
	struct sim_job job = {.streams = 1, .upload = 1 * MB};
	struct finished state = {0};
	struct sim_pair p;
	uint64_t start;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = lose_finished;
	sim_link(p.sim, SIM_CLIENT)->arg = &state;
	start = sim_now(p.sim);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert(state.again);
	check_complete(&p, 1);
	ck_assert_uint_lt(p.app[SIM_SERVER].connected_at - start, 300 * MS);
	finish(&p);
}
END_TEST

/* Lose the client's second datagram only. */
static bool lose_second(void *arg, struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	unsigned int *datagrams = arg;

	return (*datagrams)++ != 1;
}

/*
 * That datagram has the Finished message and the request. The probe for the one brings the other
 * along, so that both cost one probe timeout: 20 ms and four times 10 ms.
 */
START_TEST(test_probe_brings_all)
{
	struct sim_job job = {.streams = 1, .download = 5};
	unsigned int datagrams = 0;
	struct sim_pair p;
	uint64_t start;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = lose_second;
	sim_link(p.sim, SIM_CLIENT)->arg = &datagrams;
	start = sim_now(p.sim);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	check_complete(&p, 1);
	ck_assert_uint_lt(p.app[SIM_CLIENT].closed_at - start, (20 + 60 + 20 + 5) * MS);
	finish(&p);
}
END_TEST

static bool lose_two(void *arg, struct ql_datagram *d UNUSED, uint64_t now UNUSED)
{
	unsigned int *datagrams = arg;

	return ++*datagrams > 2;
}

/*
 * The client's first datagram and the first of its two probes are lost. The second, sent with that,
 * will do: one probe timeout, which is three times the initial RTT, and two round trips.
 */
START_TEST(test_second_probe_will_do)
{
	struct sim_job job = {.streams = 1, .download = 5};
	struct ql_transport transport = {.initial_rtt_ns = 100 * MS};
	unsigned int datagrams = 0;
	struct sim_pair p;
	uint64_t start;

	sim_pair_open(&p, 1, NULL, &transport, &job);
	sim_link(p.sim, SIM_CLIENT)->filter = lose_two;
	sim_link(p.sim, SIM_CLIENT)->arg = &datagrams;
	start = sim_now(p.sim);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	check_complete(&p, 1);
	ck_assert_uint_lt(p.app[SIM_CLIENT].closed_at - start, (300 + 20 + 20 + 10) * MS);
	finish(&p);
}
END_TEST

/* Far more streams than may be open at a time. */
START_TEST(test_thousand_streams)
{
	struct sim_job job = {.streams = 1000, .download = 3000, .upload = 1000};
	struct sim_link link = sim_link_default;

	transfer(1, &job, &link, NULL, false);
	link.loss = SIM_MILLION / 50;
	transfer(2, &job, &link, NULL, true);
}
END_TEST

/* Turns of an instant, where datagrams come one by one, and of 200 us, where they come in bursts.
 */
START_TEST(test_hundreds_of_connections)
{
	static const uint64_t turns[] = {0, 200 * QL_NSEC_PER_USEC};

	for (unsigned int k = 0; k < 2; k++) {
		struct sim_job job = {.streams = 2, .download = 20 * KB, .upload = 5 * KB};
		struct sim_link link = {
			.rate = 1000 * MB, .delay = 10 * MS, .loss = SIM_MILLION / 200};
		struct sim_pair p;

		sim_pair_open(&p, 5, NULL, NULL, &job);
		sim_pair_link(&p, &link);
		sim_set_turn(p.sim, turns[k]);
		for (unsigned int i = 0; i < 400; i++) {
			ck_assert_int_eq(sim_pair_connect(&p), 0);
			if (i % 3 == 0)
				sim_run(p.sim, 1 * MS, NULL, NULL);
		}
		run_out(&p, 120 * SEC);
		check_complete(&p, 400);
		finish(&p);
	}
}
END_TEST

/* The loop of an lcore is slow, or fast: all the same. */
START_TEST(test_bursts)
{
	for (uint64_t us = 5; us < 20000; us *= 3) {
		struct sim_job job = {.streams = 4, .download = 300 * KB, .upload = 300 * KB};
		struct sim_link link = {.rate = 1000 * MB,
					.delay = 3 * MS,
					.loss = SIM_MILLION / 100,
					.reorder = SIM_MILLION / 50,
					.reorder_delay = 1 * MS};
		struct sim_pair p;

		sim_pair_open(&p, us, NULL, NULL, &job);
		sim_pair_link(&p, &link);
		sim_set_turn(p.sim, us * QL_NSEC_PER_USEC);
		for (unsigned int i = 0; i < 5; i++)
			ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 60 * SEC);
		check_complete(&p, 5);
		finish(&p);
	}
}
END_TEST

/* Windows that are smaller than what is on its way, and credit that comes in time. */
START_TEST(test_small_windows)
{
	struct sim_job job = {.streams = 5, .download = 200 * KB, .upload = 200 * KB};
	struct ql_transport t = {.max_data = 20000,
				 .max_stream_data = 7000,
				 .max_streams_bidi = 2,
				 .send_buffer = 3000};

	transfer(1, &job, NULL, &t, false);
	transfer(2, &job, NULL, &t, true);
}
END_TEST

/* The same seed gives the same run. */
START_TEST(test_repeatable)
{
	struct sim_job job = {.streams = 3, .download = 100 * KB, .upload = 100 * KB};
	struct sim_link link = {
		.rate = 20 * MB, .delay = 5 * MS, .queue = 30, .loss = SIM_MILLION / 20};
	uint64_t first = transfer(9, &job, &link, NULL, false);

	ck_assert_uint_eq(transfer(9, &job, &link, NULL, false), first);
	ck_assert_uint_ne(transfer(10, &job, &link, NULL, false), first);
}
END_TEST

/* Nothing runs that has nothing to do: not while a connection is idle, nor while it is busy. */
START_TEST(test_turns)
{
	struct sim_job job = {.streams = 1, .download = 100 * KB, .keep_open = true};
	struct sim_pair p;
	uint64_t before;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 2 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_lt(sim_stats(p.sim)->idle_turns, 100);
	before = sim_stats(p.sim)->turns;
	sim_run(p.sim, 20 * SEC, NULL, NULL);
	ck_assert_uint_lt(sim_stats(p.sim)->turns - before, 30);
	run_out(&p, 30 * SEC);
	ck_assert_int_eq(p.app[SIM_CLIENT].close.cause, QL_CLOSE_IDLE);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/pair");
	TCase *tc = new_case(s, "pair");

	tcase_add_test(tc, test_handshake);
	tcase_add_test(tc, test_transfer);
	tcase_add_test(tc, test_goodput);
	tcase_add_test(tc, test_window_grows);
	tcase_add_test(tc, test_send_buffer_grows);
	tcase_add_test(tc, test_window_budget);
	tcase_add_test(tc, test_blocked_again);
	tcase_add_test(tc, test_max_streams);
	tcase_add_test(tc, test_loss_1);
	tcase_add_test(tc, test_loss_5);
	tcase_add_test(tc, test_loss_20);
	tcase_add_test(tc, test_finished_lost);
	tcase_add_test(tc, test_probe_brings_all);
	tcase_add_test(tc, test_second_probe_will_do);
	tcase_add_test(tc, test_reordering);
	tcase_add_test(tc, test_duplication);
	tcase_add_test(tc, test_corruption);
	tcase_add_test(tc, test_all_at_once);
	tcase_add_test(tc, test_thousand_streams);
	tcase_add_test(tc, test_hundreds_of_connections);
	tcase_add_test(tc, test_bursts);
	tcase_add_test(tc, test_small_windows);
	tcase_add_test(tc, test_repeatable);
	tcase_add_test(tc, test_turns);
	return run_suite(s);
}
