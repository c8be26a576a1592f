// SPDX-License-Identifier: BSD-3-Clause
/*
 * For the tests of conn/ and engine/: two engines joined by the simulator, and what has to hold at
 * the end of each test.
 */
#ifndef TEST_ENGINE_UTIL_H
#define TEST_ENGINE_UTIL_H

#include <check.h>

#include "sim/pair.h"

#define UNUSED __attribute__((unused))
#define MS     QL_NSEC_PER_MSEC
#define SEC    QL_NSEC_PER_SEC
#define KB     UINT64_C(1000)
#define MB     UINT64_C(1000000)

/* No promise broken, all connections gone, all memory and all mbufs back. */
static UNUSED void finish(struct sim_pair *p)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_stats s = sim_pair_stats(p, i);

		ck_assert_msg(p->app[i].errors == 0, "%u broken promises: %s", p->app[i].errors,
			      p->app[i].error);
		ck_assert_uint_eq(s.conns, 0);
		ck_assert_uint_eq(s.handshakes, 0);
		ck_assert_uint_eq(s.memory_used, p->memory[i]);
	}
	ck_assert_uint_eq(sim_stats(p->sim)->late, 0);
	ck_assert_int_eq(sim_pair_close(p), 0);
}

/* Run until all connections are gone, which must happen. */
static UNUSED void run_out(struct sim_pair *p, uint64_t ns)
{
	bool idle = sim_run(p->sim, ns, sim_pair_idle, p);
	const struct sim_app *c = &p->app[SIM_CLIENT];

	ck_assert_msg(idle,
		      "not over at %llu ms: client connected %u, closed %u, complete %u of %u, "
		      "received %llu; server accepted %u, closed %u, received %llu",
		      (unsigned long long)(sim_now(p->sim) / MS), c->connected, c->closed,
		      c->complete, c->job.streams, (unsigned long long)c->received,
		      p->app[SIM_SERVER].accepted, p->app[SIM_SERVER].closed,
		      (unsigned long long)p->app[SIM_SERVER].received);
}

/* A test case; each of its tests has a process and an EAL of its own. */
static UNUSED TCase *new_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, sim_env_init, NULL);
	suite_add_tcase(s, tc);
	return tc;
}

static UNUSED int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
