// SPDX-License-Identifier: BSD-3-Clause
/* Keys of connections that rest are given back, and are there again when they are needed. */
#include "test_engine_util.h"

#include "ql_build.h"

#define PING "\x01"

static void open_pair(struct sim_pair *p, uint64_t keep_alive)
{
	struct ql_transport t = {.keep_alive_ns = keep_alive, .idle_timeout_ns = 10 * SEC};
	struct sim_job job = {.keep_open = true};

	sim_pair_open(p, 1, NULL, &t, &job);
	ck_assert_int_eq(sim_pair_connect(p), 0);
	sim_run(p->sim, 500 * MS, NULL, NULL);
}

static void close_pair(struct sim_pair *p)
{
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_eq(sim_pair_stats(p, i).drops[QL_DROP_AUTH], 0);
	ql_conn_close(conn_of(p, SIM_CLIENT), 11, "done");
	run_out(p, 40 * SEC);
	ck_assert_uint_eq(p->app[SIM_SERVER].close.error, 11);
	finish(p);
}

static void check_rests(const struct sim_pair *p, bool rests)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct ql_conn *conn = conn_of(p, i);

		ck_assert(!conn->app.rx.aead.schedule == rests);
		ck_assert(!conn->app.tx.aead.schedule == rests);
		ck_assert_ptr_null(conn->rx_next.schedule);
		ck_assert((conn->rest_at == QL_NEVER) == rests);
	}
}

/* What is kept alive rests in between, and there is less memory in use. */
START_TEST(test_kept_alive)
{
	struct sim_pair p;
	uint64_t awake[2];

	open_pair(&p, 5 * SEC);
	check_rests(&p, false);
	for (unsigned int i = 0; i < 2; i++)
		awake[i] = sim_pair_stats(&p, i).memory_used;
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	check_rests(&p, true);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_lt(sim_pair_stats(&p, i).memory_used, awake[i]);
	sim_run(p.sim, 2 * SEC, NULL, NULL); /* a PING has gone, and its answer */
	check_rests(&p, false);
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	check_rests(&p, true);
	sim_run(p.sim, 60 * SEC, NULL, NULL);
	ck_assert_uint_eq(p.app[SIM_CLIENT].closed + p.app[SIM_SERVER].closed, 0);
	close_pair(&p);
}
END_TEST

/* Who has a packet at least every now and then does not. */
START_TEST(test_busy)
{
	struct sim_pair p;

	open_pair(&p, 0);
	for (unsigned int i = 0; i < 20; i++) {
		send_frames(&p, i % 2, QL_SPACE_APP, PING, 1);
		sim_run(p.sim, 400 * MS, NULL, NULL);
		check_rests(&p, false);
	}
	close_pair(&p);
}
END_TEST

/* Keys of a later phase come back as well, and headers are protected as ever. */
START_TEST(test_key_update)
{
	struct sim_pair p;

	open_pair(&p, 0);
	for (unsigned int i = 0; i < 3; i++) {
		bool phase = conn_of(&p, SIM_CLIENT)->key_phase;

		ql_conn_update_keys(conn_of(&p, SIM_CLIENT));
		send_frames(&p, SIM_SERVER, QL_SPACE_APP, PING, 1);
		sim_run(p.sim, 200 * MS, NULL, NULL);
		send_frames(&p, SIM_CLIENT, QL_SPACE_APP, PING, 1);
		sim_run(p.sim, 4 * SEC, NULL, NULL);
		ck_assert(conn_of(&p, SIM_CLIENT)->key_phase != phase);
		ck_assert(conn_of(&p, SIM_SERVER)->key_phase != phase);
		check_rests(&p, true);
	}
	close_pair(&p);
}
END_TEST

/* The peer's update is the first that comes after a rest. */
START_TEST(test_update_after_rest)
{
	struct sim_pair p;

	open_pair(&p, 0);
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	check_rests(&p, true);
	ck_assert_int_eq(ql_rest_end(conn_of(&p, SIM_CLIENT)), 0);
	ck_assert_int_eq(ql_handshake_next_keys(conn_of(&p, SIM_CLIENT)), 0);
	ck_assert_int_eq(ql_handshake_update_keys(conn_of(&p, SIM_CLIENT), QL_PN_NONE), 0);
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, PING, 1);
	ck_assert(conn_of(&p, SIM_SERVER)->key_phase);
	close_pair(&p);
}
END_TEST

/* Without memory a packet is dropped and counted, nothing else. */
START_TEST(test_no_memory)
{
	struct sim_pair p;
	struct ql_conn *server;
	struct ql_path path;
	uint8_t buf[2048];
	uint64_t used;
	size_t n;

	open_pair(&p, 0);
	sim_run(p.sim, 3 * SEC, NULL, NULL);
	server = conn_of(&p, SIM_SERVER);
	path = path_to(&p, SIM_CLIENT);
	for (unsigned int i = 1; QL_FAIL_ALLOC && i <= 2; i++) {
		used = sim_pair_stats(&p, SIM_SERVER).memory_used;
		n = make_packet(&p, SIM_CLIENT, QL_SPACE_APP, PING, 1, 0, buf);
		ql_mem_fail_at(server->host->mem, i);
		sim_inject(p.sim, SIM_SERVER, &path, buf, n);
		ql_mem_fail_at(server->host->mem, 0);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).drops[QL_DROP_NO_MEMORY], i);
		ck_assert_uint_eq(sim_pair_stats(&p, SIM_SERVER).memory_used, used);
		ck_assert_ptr_null(server->app.rx.aead.schedule);
		ck_assert_ptr_null(server->app.tx.aead.schedule);
	}
	send_frames(&p, SIM_CLIENT, QL_SPACE_APP, PING, 1);
	ck_assert_ptr_nonnull(server->app.rx.aead.schedule);
	close_pair(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/rest");
	TCase *tc = new_case(s, "rest");

	tcase_add_test(tc, test_kept_alive);
	tcase_add_test(tc, test_busy);
	tcase_add_test(tc, test_key_update);
	tcase_add_test(tc, test_update_after_rest);
	tcase_add_test(tc, test_no_memory);
	return run_suite(s);
}
