// SPDX-License-Identifier: BSD-3-Clause
/*
 * The size of datagrams follows what the path takes (RFC 9000, 14.2 to 14.4; RFC 8899).
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

#define JUMBO 9000

/* A transfer takes many round trips, in each of which there may be a probe. */
#define SHORT_STEPS                                                                  \
	.udp_payload_max = JUMBO, .max_data = 256 * KB, .max_stream_data = 256 * KB, \
	.max_data_cap = 1, .max_stream_data_cap = 1

/* A pair whose mbufs hold so much, and a connection that sends one stream each way. */
static void open_pair(struct sim_pair *p, uint64_t seed, const struct ql_transport *t,
		      const struct sim_job *job, const struct sim_link *link)
{
	static struct rte_mempool *pool;
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.socket_id = -1},
		[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
	};

	if (!pool)
		pool = sim_env_pool("jumbo", 8191, JUMBO);
	config[SIM_SERVER].tx_pool = config[SIM_CLIENT].tx_pool = pool;
	sim_pair_open_with(p, seed, config, t, job);
	sim_pair_link(p, link);
	ck_assert_int_eq(sim_pair_connect(p), 0);
}

static struct ql_conn_stats stats_of(const struct sim_pair *p, unsigned int side)
{
	struct ql_conn_stats s;

	ql_conn_stats(conn_of(p, side), &s);
	return s;
}

/* All streams are complete; the connections stay. */
static bool over(void *arg)
{
	const struct sim_pair *p = arg;
	const struct sim_app *app = p->app;

	return app[SIM_CLIENT].complete == app[SIM_CLIENT].job.streams &&
	       app[SIM_SERVER].received == app[SIM_CLIENT].job.upload * app[SIM_CLIENT].job.streams;
}

static void close_pair(struct sim_pair *p)
{
	if (p->app[SIM_CLIENT].conn)
		ql_conn_close(p->app[SIM_CLIENT].conn, 0, NULL);
	run_out(p, 60 * SEC);
	finish(p);
}

/* Not more than the path takes, and not much less. */
static void check_size(uint32_t size, unsigned int mtu)
{
	ck_assert_uint_le(size, mtu);
	ck_assert_uint_ge(size + (mtu / 64 > 16 ? mtu / 64 : 16), mtu);
}

/* Who sends data finds what the path takes. Nothing but probes is lost, and nobody slows down. */
START_TEST(test_search)
{
	static const unsigned int mtus[] = {1200, 1250, 1400, 1452, 1472, 2000, 4000, 8972, 9000};
	const struct ql_transport t = {SHORT_STEPS};
	const struct sim_job job = {.streams = 1, .download = 20 * MB, .keep_open = true};
	struct sim_link link = {.rate = 200 * MB, .delay = 2 * MS};

	for (unsigned int i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct ql_conn_stats s;
		struct sim_pair p;

		link.mtu = mtus[i];
		open_pair(&p, i, &t, &job, &link);
		p.app[SIM_CLIENT].no_check = true;
		ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
		sim_run(p.sim, 1 * SEC, NULL, NULL);
		s = stats_of(&p, SIM_SERVER);
		check_size(s.udp_payload, mtus[i]);
		ck_assert_uint_eq(s.lost_packets, sim_link_stats(p.sim, SIM_SERVER)->vanished);
		ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->rec.path.cc.recovery_end, 0);
		ck_assert_uint_eq(s.black_holes, 0);
		if (mtus[i] < JUMBO)
			ck_assert_uint_gt(s.lost_packets, 0);
		/* The client has nothing to fill them with. */
		ck_assert_uint_eq(stats_of(&p, SIM_CLIENT).udp_payload, QL_PMTU_BASE);
		ck_assert_uint_le(sim_link_stats(p.sim, SIM_CLIENT)->largest, QL_PMTU_BASE);
		close_pair(&p);
	}
}
END_TEST

/* Each end finds its own way's, and what it looks for is limited by each end's wish. */
START_TEST(test_both_ways)
{
	const struct ql_transport t = {.udp_payload_max = 4000};
	const struct sim_job job = {
		.streams = 1, .download = 5 * MB, .upload = 5 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS};
	struct sim_pair p;

	open_pair(&p, 1, &t, &job, &link);
	sim_link(p.sim, SIM_CLIENT)->mtu = 1400;
	ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
	ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, 4000);
	ck_assert_uint_eq(sim_link_stats(p.sim, SIM_SERVER)->largest, 4000);
	check_size(stats_of(&p, SIM_CLIENT).udp_payload, 1400);
	close_pair(&p);
}
END_TEST

/* Not beyond what the peer takes, nor where that is not wanted. */
START_TEST(test_limits)
{
	const struct sim_job job = {.streams = 1, .download = 5 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS};

	for (unsigned int i = 0; i < 3; i++) {
		const struct ql_transport t = {.udp_payload_max = i == 2 ? 1200 : 4000,
					       .fixed_udp_payload = i == 1};
		struct ql_engine_config config[2] = {
			[SIM_SERVER] = {.socket_id = -1},
			[SIM_CLIENT] = {.socket_id = -1, .lcore_index = 1},
		};
		unsigned int most = i == 0 ? 1400 : 1200;
		struct sim_pair p;

		if (i == 0)
			config[SIM_CLIENT].tx_pool = sim_env_pool("small", 8191, 1400);
		sim_pair_open_with(&p, 1, config, &t, &job);
		sim_pair_link(&p, &link);
		ck_assert_int_eq(sim_pair_connect(&p), 0);
		ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
		ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, most);
		ck_assert_uint_eq(sim_link_stats(p.sim, SIM_SERVER)->largest, most);
		ck_assert_uint_eq(conn_of(&p, SIM_SERVER)->rec.stats.mtu_probes, i == 0);
		ck_assert_uint_eq(stats_of(&p, SIM_SERVER).lost_packets, 0);
		close_pair(&p);
	}
}
END_TEST

/* What another link takes on the way from now on. */
static void change_mtu(struct sim_pair *p, unsigned int mtu)
{
	sim_link(p->sim, SIM_SERVER)->mtu = sim_link(p->sim, SIM_CLIENT)->mtu = mtu;
}

/* The path takes less, in the middle of a transfer: it goes on, and finds the new size. */
START_TEST(test_drop)
{
	static const unsigned int mtus[] = {1200, 1300, 1472, 4000};
	const struct ql_transport t = {SHORT_STEPS};
	const struct sim_job job = {.streams = 2, .download = 20 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 200 * MB, .delay = 5 * MS};

	for (unsigned int i = 0; i < 4 * sizeof(mtus) / sizeof(mtus[0]); i++) {
		unsigned int mtu = mtus[i / 4];
		struct ql_conn_stats s;
		struct sim_pair p;
		uint64_t start, got;

		open_pair(&p, i, &t, &job, &link);
		p.app[SIM_CLIENT].no_check = true;
		sim_run(p.sim, 500 * MS + i * 7 * MS, NULL, NULL);
		ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, JUMBO);
		start = sim_now(p.sim);
		got = p.app[SIM_CLIENT].received;
		change_mtu(&p, mtu);
		while (p.app[SIM_CLIENT].received < got + 2 * MB)
			ck_assert(!sim_run(p.sim, 1 * MS, NULL, NULL) &&
				  sim_now(p.sim) - start < 3 * SEC);
		ck_assert(sim_run(p.sim, 30 * SEC, over, &p));
		s = stats_of(&p, SIM_SERVER);
		ck_assert_uint_eq(s.black_holes, 1);
		check_size(s.udp_payload, mtu);
		close_pair(&p);
	}
}
END_TEST

static void drop_data(struct ql_stream *s, const uint8_t *data UNUSED, size_t len, bool fin UNUSED)
{
	ql_stream_credit(s, len);
}

/* Ten minutes later it takes more. */
START_TEST(test_raise)
{
	const struct ql_transport t = {SHORT_STEPS, .keep_alive_ns = 10 * SEC};
	const struct sim_job job = {.streams = 1, .download = 20 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 200 * MB, .delay = 5 * MS, .mtu = 1472};
	static const struct ql_conn_ops ops = {.stream_data = drop_data};
	struct ql_stream *s;
	struct sim_pair p;

	open_pair(&p, 1, &t, &job, &link);
	p.app[SIM_CLIENT].no_check = true;
	ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
	ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, 1472);
	sim_run(p.sim, 1 * SEC, NULL, NULL); /* until the last ACK */
	for (unsigned int i = 0; i < 2; i++) /* the next streams are none of the application's */
		ql_streams_set_ops(&conn_of(&p, i)->streams, &ops);
	change_mtu(&p, JUMBO);
	for (unsigned int i = 0; i < 2; i++) {
		static uint8_t data[100000];

		ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, 1472);
		sim_run(p.sim, i * 600 * SEC, NULL, NULL);
		ck_assert_int_eq(ql_stream_open(conn_of(&p, SIM_SERVER), true, &s), 0);
		ck_assert_int_eq(ql_stream_send_ref(s, data, sizeof(data), 0, NULL, NULL), 0);
		sim_run(p.sim, 1 * SEC, NULL, NULL);
	}
	ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, JUMBO);
	sim_pair_close(&p);
}
END_TEST

/* Nothing passes for a while, which looks the same at first. */
START_TEST(test_outage)
{
	const struct ql_transport t = {.udp_payload_max = JUMBO};
	const struct sim_job job = {.streams = 2, .download = 20 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS};
	struct sim_pair p;

	open_pair(&p, 1, &t, &job, &link);
	p.app[SIM_CLIENT].no_check = true;
	sim_run(p.sim, 500 * MS, NULL, NULL);
	sim_link(p.sim, SIM_SERVER)->down = true;
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, QL_PMTU_BASE);
	sim_link(p.sim, SIM_SERVER)->down = false;
	ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
	ck_assert_uint_eq(stats_of(&p, SIM_SERVER).udp_payload, JUMBO);
	close_pair(&p);
}
END_TEST

/* A path that takes less than 1,200 bytes is of no use (14.2); for a moment, that does not matter.
 */
START_TEST(test_too_small)
{
	const struct sim_job job = {.streams = 1, .download = 100 * MB};
	const struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS};

	for (unsigned int i = 0; i < 2; i++) {
		struct sim_link_stats before, after;
		struct sim_pair p;

		open_pair(&p, i, NULL, &job, &link);
		p.app[SIM_CLIENT].no_check = true;
		sim_run(p.sim, 500 * MS, NULL, NULL);
		change_mtu(&p, 1000);
		if (i == 0) {
			sim_run(p.sim, 3 * SEC, NULL, NULL);
			change_mtu(&p, 0);
			run_out(&p, 60 * SEC);
			ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
			finish(&p);
			continue;
		}
		sim_run(p.sim, 28 * SEC, NULL, NULL);
		ck_assert_uint_eq(p.app[SIM_SERVER].causes[QL_CLOSE_LOCAL], 1);
		ck_assert_uint_eq(p.app[SIM_SERVER].close.error, QL_ERR_NO_VIABLE_PATH);
		ck_assert_uint_eq(p.app[SIM_CLIENT].causes[QL_CLOSE_PEER], 1);
		ck_assert_uint_eq(p.app[SIM_CLIENT].close.error, QL_ERR_NO_VIABLE_PATH);
		before = *sim_link_stats(p.sim, SIM_SERVER);
		run_out(&p, 60 * SEC);
		after = *sim_link_stats(p.sim, SIM_SERVER);
		ck_assert_uint_eq(after.datagrams, before.datagrams);
		finish(&p);
	}
}
END_TEST

/* A new path begins at the base, and is searched anew. */
START_TEST(test_migration)
{
	const struct ql_transport t = {.udp_payload_max = JUMBO};
	const struct sim_job job = {.streams = 1, .upload = 50 * MB, .keep_open = true};
	const struct sim_link link = {.rate = 100 * MB, .delay = 5 * MS};
	struct ql_addr to;
	struct sim_pair p;

	open_pair(&p, 1, &t, &job, &link);
	p.app[SIM_SERVER].no_check = true;
	sim_run(p.sim, 500 * MS, NULL, NULL);
	ck_assert_uint_eq(stats_of(&p, SIM_CLIENT).udp_payload, JUMBO);
	to = ql_conn_path(conn_of(&p, SIM_CLIENT))->local;
	to.ip[15] += 100;
	to.port++;
	sim_add_addr(p.sim, SIM_CLIENT, &to);
	change_mtu(&p, 1400);
	ck_assert_int_eq(ql_conn_migrate(conn_of(&p, SIM_CLIENT), &to), 0);
	while (p.app[SIM_CLIENT].moved == 0)
		ck_assert(!sim_run(p.sim, 1 * MS, NULL, NULL) && sim_now(p.sim) < 5 * SEC);
	ck_assert_uint_eq(stats_of(&p, SIM_CLIENT).udp_payload, QL_PMTU_BASE);
	ck_assert(sim_run(p.sim, 20 * SEC, over, &p));
	ck_assert_uint_eq(stats_of(&p, SIM_CLIENT).black_holes, 0);
	check_size(stats_of(&p, SIM_CLIENT).udp_payload, 1400);
	close_pair(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/pmtu");
	TCase *tc = new_case(s, "pmtu");

	tcase_add_test(tc, test_search);
	tcase_add_test(tc, test_both_ways);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_drop);
	tcase_add_test(tc, test_raise);
	tcase_add_test(tc, test_outage);
	tcase_add_test(tc, test_too_small);
	tcase_add_test(tc, test_migration);
	return run_suite(s);
}
