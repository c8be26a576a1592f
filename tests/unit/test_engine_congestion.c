// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whole connections with each congestion control, over links that are long, fat, lossy or shared.
 * Set QL_SIM_VERBOSE to see the figures.
 */
#include "test_engine_util.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_mempool.h>

#define FLOWS 2

/* A server whose link is the bottleneck, and clients that download without an end. */
struct bed {
	struct sim *sim;
	struct ql_tls_ctx *tls[2];
	struct sim_app server, client[FLOWS];
	unsigned int n_clients;
	struct ql_transport transport;
	struct rte_mempool *pool;
};

struct net {
	uint64_t rate; /* bits a second */
	uint64_t rtt;
	unsigned int queue; /* datagrams */
	unsigned int loss;  /* in a million */
	uint16_t udp_payload;
	unsigned int streams; /* that the server lets a client open; 0: its default */
};

/* A bottleneck with a queue of so many tenths of the bandwidth-delay product. */
static struct net long_fat(uint64_t rate, uint64_t rtt, unsigned int tenths, uint16_t udp_payload)
{
	uint64_t bdp = rate / 8 * rtt / SEC / udp_payload;

	return (struct net){.rate = rate,
			    .rtt = rtt,
			    .queue = (unsigned int)(bdp * tenths / 10),
			    .udp_payload = udp_payload};
}

static void open_bed(struct bed *b, enum ql_congestion cc, const struct net *net,
		     unsigned int n_clients)
{
	/* What the link and its queue hold, and what is on its way through the programs. */
	unsigned int mbufs = (unsigned int)(2 * (net->rate / 8 * net->rtt / SEC / net->udp_payload +
						 net->queue) +
					    8192);
	struct ql_engine_config config = {
		.socket_id = -1,
		.tx_pool = sim_env_pool("bed", mbufs, net->udp_payload),
	};
	struct ql_proto proto;
	unsigned int node;

	memset(b, 0, sizeof(*b));
	b->transport = (struct ql_transport){
		.max_data = UINT64_C(1) << 30,
		.max_stream_data = UINT64_C(1) << 28,
		.max_streams_bidi = net->streams,
		.congestion = cc,
		.udp_payload = net->udp_payload,
	};
	b->n_clients = n_clients;
	b->pool = config.tx_pool;
	b->sim = sim_new(1);
	b->tls[SIM_SERVER] = sim_env_tls_server();
	b->tls[SIM_CLIENT] = sim_env_tls_client();
	sim_app_init(&b->server, NULL);
	b->server.by_reference = b->server.no_check = true;
	proto = sim_app_proto(&b->server);
	node = sim_add(b->sim, &config);
	*sim_link(b->sim, node) = (struct sim_link){
		.rate = net->rate, .delay = net->rtt / 2, .queue = net->queue, .loss = net->loss};
	ck_assert_int_eq(ql_listen(sim_engine(b->sim, node), 443, b->tls[SIM_SERVER], &b->transport,
				   &proto, 1),
			 0);
	for (unsigned int i = 0; i < n_clients; i++) {
		node = sim_add(b->sim, &config);
		*sim_link(b->sim, node) = (struct sim_link){.delay = net->rtt / 2};
	}
}

static void start_job(struct bed *b, unsigned int i, const struct sim_job *job)
{
	struct ql_path path = sim_path(b->sim, i + 1, SIM_SERVER);

	sim_app_init(&b->client[i], job);
	b->client[i].no_check = true;
	ck_assert_int_eq(sim_app_connect(&b->client[i], sim_engine(b->sim, i + 1),
					 b->tls[SIM_CLIENT], &b->transport, &path, sim_now(b->sim)),
			 0);
}

/* One more flow begins: more streams than one, as the application gives a few MB of each. */
static void start_flow(struct bed *b, unsigned int i)
{
	struct sim_job job = {.streams = 64, .download = UINT64_C(1) << 40};

	start_job(b, i, &job);
}

/* The server's side of the latest flow. */
static struct ql_conn *server_conn(const struct bed *b)
{
	ck_assert_ptr_nonnull(b->server.conn);
	return b->server.conn;
}

static void close_bed(struct bed *b)
{
	for (unsigned int i = 0; i < b->n_clients; i++)
		ck_assert_msg(b->client[i].errors == 0, "%s", b->client[i].error);
	ck_assert_msg(b->server.errors == 0, "%s", b->server.error);
	ck_assert_uint_eq(sim_stats(b->sim)->late, 0);
	ck_assert_int_eq(sim_free(b->sim), 0);
	rte_mempool_free(b->pool);
	ql_tls_ctx_free(b->tls[SIM_SERVER]);
	ql_tls_ctx_free(b->tls[SIM_CLIENT]);
}

static void show(const struct bed *b, const char *what, double value)
{
	const struct ql_recovery *r = &server_conn(b)->rec;

	if (!getenv("QL_SIM_VERBOSE"))
		return;
	printf("%-8s %-28s %6.3f  cwnd %llu, RTT %.1f ms, sent %llu, lost %llu, spurious %llu\n",
	       r->path.cc.ops->name, what, value, (unsigned long long)r->path.cc.cwnd,
	       (double)r->path.rtt.smoothed * 1e-6, (unsigned long long)r->stats.sent,
	       (unsigned long long)r->stats.lost, (unsigned long long)r->stats.spurious);
	fflush(stdout);
}

/* The part of the link's rate that a flow's stream data has in so much time from now on. */
static double share(struct bed *b, unsigned int i, uint64_t ns)
{
	uint64_t before = b->client[i].received;

	sim_run(b->sim, ns, NULL, NULL);
	return (double)(b->client[i].received - before) * 8 * (double)SEC / (double)ns /
	       (double)sim_link(b->sim, SIM_SERVER)->rate;
}

/* One flow's part of the rate after a time to find it. */
static double fill(enum ql_congestion cc, const struct net *net, uint64_t warm, uint64_t ns,
		   const char *what)
{
	struct bed b;
	double part;

	open_bed(&b, cc, net, 1);
	start_flow(&b, 0);
	sim_run(b.sim, warm, NULL, NULL);
	part = share(&b, 0, ns);
	show(&b, what, part);
	close_bed(&b);
	return part;
}

static const enum ql_congestion all[] = {QL_CC_NEWRENO, QL_CC_CUBIC, QL_CC_BBR};

#define FOR_ALL(cc) \
	for (const enum ql_congestion *cc = all; cc < all + sizeof(all) / sizeof(all[0]); cc++)

/* ---- */

/* Which one it is; CUBIC if nobody says. */
START_TEST(test_choice)
{
	static const char *const names[] = {"cubic", "newreno", "cubic", "bbr"};
	struct net net = long_fat(100 * MB, 20 * MS, 10, 1200);

	for (unsigned int cc = QL_CC_DEFAULT; cc <= QL_CC_BBR; cc++) {
		struct bed b;

		open_bed(&b, (enum ql_congestion)cc, &net, 1);
		start_flow(&b, 0);
		sim_run(b.sim, 100 * MS, NULL, NULL);
		ck_assert_str_eq(server_conn(&b)->rec.path.cc.ops->name, names[cc]);
		ck_assert_str_eq(b.client[0].conn->rec.path.cc.ops->name, names[cc]);
		close_bed(&b);
	}
}
END_TEST

START_TEST(test_fill)
{
	struct net net = long_fat(100 * MB, 50 * MS, 10, 1200);

	FOR_ALL(cc)
	ck_assert_double_ge(fill(*cc, &net, 3 * SEC, 5 * SEC, "100 Mbit/s, 50 ms"), 0.9);
}
END_TEST

/* Buffers of a tenth of the bandwidth-delay product. */
START_TEST(test_shallow)
{
	struct net net = long_fat(100 * MB, 50 * MS, 1, 1200);

	FOR_ALL(cc)
	ck_assert_double_ge(fill(*cc, &net, 5 * SEC, 10 * SEC, "the same, queue of 5 ms"),
			    *cc == QL_CC_NEWRENO ? 0.65 : 0.75);
}
END_TEST

/* Ten times of that: qlane-sim --scenario fill. */
START_TEST(test_long_fat)
{
	struct net net = long_fat(1000 * MB, 50 * MS, 10, 1472);

	FOR_ALL(cc)
	ck_assert_double_ge(fill(*cc, &net, 3 * SEC, SEC, "1 Gbit/s, 50 ms"), 0.9);
}
END_TEST

START_TEST(test_random_loss)
{
	struct net net = long_fat(1000 * MB, 50 * MS, 10, 1472);

	net.loss = 100;
	ck_assert_double_ge(fill(QL_CC_BBR, &net, 3 * SEC, 3 * SEC, "the same, 0.01 % loss"), 0.9);
	net = long_fat(100 * MB, 50 * MS, 10, 1200);
	net.loss = 10000;
	ck_assert_double_ge(fill(QL_CC_BBR, &net, 3 * SEC, 10 * SEC, "100 Mbit/s, 1 % loss"), 0.7);
}
END_TEST

/*
 * A second flow comes later and gets its half, more or less: of 14 seeds, in this minute, the flows
 * differ by 14 % of what they have together on average. The long run: qlane-sim --scenario fairness.
 */
START_TEST(test_two_flows)
{
	struct net net = long_fat(100 * MB, 50 * MS, 10, 1200);
	uint64_t before[2];
	double got[2];
	struct bed b;

	net.loss = 5; /* without any chance, two flows fall into step, one of many ways */
	open_bed(&b, QL_CC_CUBIC, &net, 2);
	start_flow(&b, 0);
	sim_run(b.sim, 5 * SEC, NULL, NULL);
	start_flow(&b, 1);
	sim_run(b.sim, 55 * SEC, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		before[i] = b.client[i].received;
	sim_run(b.sim, 60 * SEC, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		got[i] = (double)(b.client[i].received - before[i]) * 8 / (60 * (double)net.rate);
	show(&b, "of two flows, the first", got[0]);
	show(&b, "the second", got[1]);
	ck_assert_double_ge(got[0] + got[1], 0.9);
	ck_assert_double_le(fabs(got[0] - got[1]), 0.25 * (got[0] + got[1]));
	close_bed(&b);
}
END_TEST

/* Nothing comes through for a second, and half a second of one in ten is lost. */
START_TEST(test_recovers)
{
	struct net net = long_fat(100 * MB, 50 * MS, 10, 1200);

	FOR_ALL(cc)
	{
		struct bed b;
		double part;

		open_bed(&b, *cc, &net, 1);
		start_flow(&b, 0);
		sim_run(b.sim, 5 * SEC, NULL, NULL);
		sim_link(b.sim, SIM_SERVER)->loss = SIM_MILLION;
		sim_run(b.sim, SEC, NULL, NULL);
		sim_link(b.sim, SIM_SERVER)->loss = SIM_MILLION / 10;
		sim_run(b.sim, SEC / 2, NULL, NULL);
		sim_link(b.sim, SIM_SERVER)->loss = 0;
		sim_run(b.sim, 15 * SEC, NULL, NULL);
		part = share(&b, 0, 5 * SEC);
		show(&b, "15 s after a black hole", part);
		ck_assert_double_ge(part, *cc == QL_CC_NEWRENO ? 0.55 : 0.9);
		close_bed(&b);
	}
}
END_TEST

/* Late packets are taken for lost; when they come CUBIC and BBR take the answer to that back. */
START_TEST(test_reordering)
{
	struct net net = long_fat(100 * MB, 50 * MS, 10, 1200);

	FOR_ALL(cc)
	{
		struct bed b;
		double part;

		open_bed(&b, *cc, &net, 1);
		sim_link(b.sim, SIM_SERVER)->reorder = 1000;
		sim_link(b.sim, SIM_SERVER)->reorder_delay = 10 * MS;
		start_flow(&b, 0);
		sim_run(b.sim, 5 * SEC, NULL, NULL);
		part = share(&b, 0, 10 * SEC);
		show(&b, "0.1 % are 10 ms late", part);
		if (*cc != QL_CC_NEWRENO)
			ck_assert_double_ge(part, 0.9);
		ck_assert_uint_gt(server_conn(&b)->rec.stats.spurious, 0);
		close_bed(&b);
	}
}
END_TEST

/* An application that needs little does not make the window large (RFC 9002, 7.8). */
START_TEST(test_app_limited)
{
	struct net net = long_fat(100 * MB, 50 * MS, 10, 1200);

	FOR_ALL(cc)
	{
		struct sim_job job = {.streams = 200, .download = 20 * KB, .keep_open = true};
		uint64_t cwnd;
		struct bed b;

		net.streams = 1; /* a request at a time */
		open_bed(&b, *cc, &net, 1);
		start_job(&b, 0, &job);
		sim_run(b.sim, 30 * SEC, NULL, NULL);
		ck_assert_uint_eq(b.client[0].complete, 200);
		cwnd = server_conn(&b)->rec.path.cc.cwnd;
		show(&b, "20 kB at a time", (double)cwnd);
		ck_assert_uint_le(cwnd, 100 * KB);
		close_bed(&b);
	}
}
END_TEST

static void open_env(void)
{
	sim_env_init_mib(1024);
}

int main(void)
{
	Suite *s = suite_create("engine/congestion");
	TCase *tc = tcase_create("flows");

	tcase_set_timeout(tc, 250);
	tcase_add_checked_fixture(tc, open_env, NULL);
	tcase_add_test(tc, test_choice);
	tcase_add_test(tc, test_fill);
	tcase_add_test(tc, test_shallow);
	tcase_add_test(tc, test_long_fat);
	tcase_add_test(tc, test_random_loss);
	tcase_add_test(tc, test_two_flows);
	tcase_add_test(tc, test_recovers);
	tcase_add_test(tc, test_reordering);
	tcase_add_test(tc, test_app_limited);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
