// SPDX-License-Identifier: BSD-3-Clause
/*
 * Life of an engine: what it refuses, what it holds, and that it gives everything back, whichever
 * allocation fails.
 */
#include "test_engine_util.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_mbuf.h>

/* ---- Refusals ---- */

START_TEST(test_create)
{
	struct rte_mempool *small = sim_env_pool("small", 15, 1199),
			   *pool = sim_env_pool("enough", 15, 1200);
	struct ql_engine_config config = {.socket_id = -1};
	struct ql_engine_stats s;
	struct ql_engine *e;

	ck_assert_ptr_null(ql_engine_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	config.tx_pool = small;
	ck_assert_ptr_null(ql_engine_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	config.tx_pool = pool;
	config.limits.connections = QL_CID_SLOTS + 1;
	ck_assert_ptr_null(ql_engine_create(&config));
	ck_assert_int_eq(errno, EINVAL);
	config.limits.connections = 0;
	for (unsigned int i = 0; i < 3; i++) {
		e = ql_engine_create(&config);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(ql_engine_deadline(e), QL_NEVER);
		ql_engine_stats(e, &s);
		ck_assert_uint_eq(s.conns, 0);
		ck_assert_uint_le(s.memory_used, 4096); /* keys */
		ql_engine_free(e);
	}
	ql_engine_free(NULL);
}
END_TEST

/* The same checks for ql_listen() and ql_connect(). */
START_TEST(test_endpoint)
{
	static const struct ql_conn_ops no_data = {0};
	static const struct ql_transport transports[] = {
		{.congestion = (enum ql_congestion)(QL_CC_BBR + 1)},
		{.udp_payload = 1199},
		{.udp_payload = 16384},
		{.udp_payload_max = 1199},
		{.udp_payload_max = 16384},
		{.max_streams_bidi = (UINT64_C(1) << 60) + 1},
		{.max_streams_uni = (UINT64_C(1) << 60) + 1},
		{.max_data = UINT64_C(1) << 62},
		{.max_stream_data = UINT64_C(1) << 62},
		{.max_data_cap = UINT64_C(1) << 62},
		{.max_stream_data_cap = UINT64_C(1) << 62},
	};
	struct ql_proto good, protos[9], bad[5];
	struct sim_job job = {0};
	struct ql_conn *conn = NULL;
	char name[257];
	struct ql_engine *e;
	struct ql_path path;
	struct sim_pair p;

	memset(name, 'x', 256);
	name[256] = '\0';
	sim_pair_open(&p, 1, NULL, NULL, &job);
	e = sim_engine(p.sim, SIM_CLIENT);
	path = sim_path(p.sim, SIM_CLIENT, SIM_SERVER);
	good = sim_app_proto(&p.app[SIM_CLIENT]);
	for (unsigned int i = 0; i < 9; i++)
		protos[i] = good;
	for (unsigned int i = 0; i < 5; i++)
		bad[i] = good;
	bad[0].alpn = NULL;
	bad[1].alpn = "";
	bad[2].alpn = name;
	bad[3].ops = NULL;
	bad[4].ops = &no_data;

	ck_assert_int_eq(ql_listen(e, 443, NULL, NULL, &good, 1), -EINVAL);
	ck_assert_int_eq(ql_listen(e, 443, p.tls[0], NULL, &good, 0), -EINVAL);
	ck_assert_int_eq(ql_listen(e, 443, p.tls[0], NULL, protos, 9), -EINVAL);
	ck_assert_int_eq(ql_connect(e, &path, NULL, SIM_NAME, NULL, &good, 1, NULL, SEC, &conn),
			 -EINVAL);
	ck_assert_int_eq(
		ql_connect(e, &path, p.tls[1], SIM_NAME, NULL, protos, 9, NULL, SEC, &conn),
		-EINVAL);
	/* no name to check the certificate by */
	ck_assert_int_eq(ql_connect(e, &path, p.tls[1], NULL, NULL, &good, 1, NULL, SEC, &conn),
			 -EINVAL);
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(ql_listen(e, 443, p.tls[0], NULL, &bad[i], 1), -EINVAL);
		ck_assert_int_eq(ql_connect(e, &path, p.tls[1], SIM_NAME, NULL, &bad[i], 1, NULL,
					    SEC, &conn),
				 -EINVAL);
	}
	for (unsigned int i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		ck_assert_int_eq(ql_listen(e, 443, p.tls[0], &transports[i], &good, 1), -EINVAL);
		ck_assert_int_eq(ql_connect(e, &path, p.tls[1], SIM_NAME, &transports[i], &good, 1,
					    NULL, SEC, &conn),
				 -EINVAL);
	}
	ck_assert_ptr_null(conn);
	ck_assert_int_eq(ql_listen(e, 443, p.tls[0], NULL, protos, 8), 0);
	ck_assert_int_eq(ql_listen(e, 443, p.tls[0], NULL, &good, 1), -EEXIST);
	ck_assert_int_eq(ql_listen(e, 444, p.tls[0], NULL, &good, 1), -EEXIST);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).conns_initiated, 0);
	finish(&p);
}
END_TEST

START_TEST(test_connect_limits)
{
	struct ql_limits limits = {.connections = 3};
	struct sim_job job = {.streams = 1};
	struct sim_pair p;

	sim_pair_open(&p, 1, &limits, NULL, &job);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(sim_pair_connect(&p), 0);
	ck_assert_int_eq(sim_pair_connect(&p), -ENOSPC);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 3);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	finish(&p);

	/* Memory for none: and for a server, whose client hears nothing. */
	limits.memory = (QL_MEM_OWN_BLOCKS ? 4 : 48) << 10; /* enough for the keys of the engine */
	sim_pair_open(&p, 1, &limits, NULL, &job);
	ck_assert(sim_pair_connect(&p) < 0);
	ck_assert_uint_eq(sim_pair_stats(&p, SIM_CLIENT).conns, 0);
	finish(&p);
}
END_TEST

START_TEST(test_drop_names)
{
	for (unsigned int i = 0; i < QL_DROP_MAX; i++) {
		ck_assert_ptr_nonnull(ql_drop_name((enum ql_drop)i));
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(ql_drop_name((enum ql_drop)i),
					 ql_drop_name((enum ql_drop)k));
	}
	ck_assert_str_eq(ql_drop_name(QL_DROP_MAX), "unknown");
	ck_assert_str_eq(ql_drop_name((enum ql_drop)(-1)), "unknown");
	ck_assert_str_eq(ql_drop_name(QL_DROP_NO_CONN), "no_conn");
}
END_TEST

/* Stopped listening: those that are there go on, others are not accepted. */
START_TEST(test_listen_stop)
{
	struct sim_job job = {.streams = 1, .download = 1 * MB};
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	sim_run(p.sim, 50 * MS, NULL, NULL);
	ql_listen_stop(sim_engine(p.sim, SIM_SERVER));
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 40 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 1);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 2);
	ck_assert_uint_eq(p.app[SIM_SERVER].accepted, 1);
	ck_assert_uint_gt(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_NO_LISTENER], 0);
	finish(&p);
}
END_TEST

/* ---- Memory ---- */

/* Many come and go: what is used at the end is what was used at the start, and the peak bounded. */
START_TEST(test_churn)
{
	struct sim_job job = {.streams = 3, .download = 20 * KB, .upload = 2 * KB};
	struct ql_engine *e;
	struct sim_pair p;
	size_t peak;

	sim_pair_open(&p, 3, NULL, NULL, &job);
	sim_link(p.sim, SIM_CLIENT)->loss = sim_link(p.sim, SIM_SERVER)->loss = SIM_MILLION / 100;
	e = sim_engine(p.sim, SIM_SERVER);
	for (unsigned int round = 0; round < 12; round++) {
		for (unsigned int i = 0; i < 10; i++)
			ck_assert_int_eq(sim_pair_connect(&p), 0);
		run_out(&p, 60 * SEC);
		for (unsigned int i = 0; i < 2; i++)
			ck_assert_uint_eq(sim_pair_stats(&p, i).memory_used, p.memory[i]);
		if (round == 3)
			peak = e->mem.peak;
		else if (round > 3)
			ck_assert_uint_le(e->mem.peak, 2 * peak);
	}
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, 120);
	finish(&p);
}
END_TEST

/*
 * The n-th allocation of one engine fails, for every n there is in a handshake and a transfer: the
 * connection recovers or ends, and nothing is kept.
 */
static void fail_nth(unsigned int side, bool by_reference)
{
	struct sim_job job = {.streams = 3, .download = 40 * KB, .upload = 40 * KB};
	unsigned int complete = 0, n;

	for (n = 1;; n++) {
		struct ql_transport t = {.idle_timeout_ns = 5 * SEC};
		struct sim_pair p;
		int rc;

		sim_pair_open(&p, n, NULL, &t, &job);
		/* Holes in the receive buffers, so that these are used, too. */
		sim_link(p.sim, 0)->loss = sim_link(p.sim, 1)->loss = SIM_MILLION / 50;
		p.app[0].by_reference = p.app[1].by_reference = by_reference;
		ql_mem_fail_at(&sim_engine(p.sim, side)->mem, n);
		rc = sim_pair_connect(&p);
		ck_assert(rc == 0 || rc == -ENOMEM || rc == -ENOSPC);
		run_out(&p, 60 * SEC);
		ck_assert_uint_eq(p.app[SIM_CLIENT].closed, rc == 0);
		complete += p.app[SIM_CLIENT].complete == 3;
		if (sim_engine(p.sim, side)->mem.fail_at > 0) {
			/* There were not so many. */
			ck_assert_uint_eq(p.app[SIM_CLIENT].complete, 3);
			finish(&p);
			break;
		}
		finish(&p);
	}
	ck_assert_uint_gt(n, 30);
	ck_assert_uint_gt(complete, 0);
}

START_TEST(test_failing_server)
{
	fail_nth(SIM_SERVER, false);
	fail_nth(SIM_SERVER, true);
}
END_TEST

START_TEST(test_failing_client)
{
	fail_nth(SIM_CLIENT, false);
	fail_nth(SIM_CLIENT, true);
}
END_TEST

/* Little memory for many connections: most fail, on either side, and everything comes back. */
START_TEST(test_little_memory)
{
	struct ql_limits limits = {.connections = 1000, .memory = 600 * KB};
	struct sim_job job = {.streams = 5, .download = 50 * KB, .upload = 50 * KB};
	struct ql_transport t = {.idle_timeout_ns = 5 * SEC};
	struct sim_pair p;
	unsigned int started = 0;

	sim_pair_open(&p, 1, &limits, &t, &job);
	for (unsigned int i = 0; i < 100; i++)
		started += sim_pair_connect(&p) == 0;
	ck_assert_uint_gt(started, 3);
	ck_assert_uint_lt(started, 100);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed, started);
	ck_assert_uint_eq(p.app[SIM_SERVER].closed, p.app[SIM_SERVER].accepted);

	/* The crowd has left nothing behind: the next one is served. */
	p.app[SIM_CLIENT].complete = 0;
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 60 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, job.streams);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/engine");
	TCase *tc = new_case(s, "engine");

	tcase_add_test(tc, test_create);
	tcase_add_test(tc, test_endpoint);
	tcase_add_test(tc, test_connect_limits);
	tcase_add_test(tc, test_drop_names);
	tcase_add_test(tc, test_listen_stop);
	tcase_add_test(tc, test_churn);
	tcase_add_test(tc, test_failing_server);
	tcase_add_test(tc, test_failing_client);
	tcase_add_test(tc, test_little_memory);
	return run_suite(s);
}
