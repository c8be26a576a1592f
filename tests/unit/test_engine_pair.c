// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whole connections between two engines: handshakes and transfers over links of all kinds.
 */
#include "test_engine_util.h"

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
	ck_assert_uint_eq(s->complete, streams);
	ck_assert_uint_eq(c->received, streams * c->job.download);
	ck_assert_uint_eq(s->received, streams * c->job.upload);
}

START_TEST(test_handshake)
{
	struct sim_job job = {.streams = 1, .download = 5, .close_code = 7, .close_reason = "done"};
	struct ql_engine_stats st;
	struct sim_pair p;

	sim_pair_open(&p, 1, NULL, NULL, &job);
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 30 * SEC);
	check_complete(&p, 1);
	st = sim_pair_stats(&p, SIM_SERVER);
	ck_assert_uint_eq(st.conns_accepted, 1);
	ck_assert_uint_eq(st.handshakes_done, 1);
	ck_assert_uint_eq(st.conns_closed, 1);
	finish(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/pair");
	TCase *tc = tcase_create("pair");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_handshake);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
