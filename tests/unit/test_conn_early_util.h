// SPDX-License-Identifier: BSD-3-Clause
/* For the tests of early data: a pair whose client has been there before. */
#ifndef TEST_CONN_EARLY_UTIL_H
#define TEST_CONN_EARLY_UTIL_H

#include "unit/test_engine_util.h"

/* What the job leaves open ends a second later, when the ticket has come. */
static UNUSED void one(struct sim_pair *p)
{
	struct sim_app *c = &p->app[SIM_CLIENT];
	unsigned int complete = c->complete;

	ck_assert_int_eq(sim_pair_connect(p), 0);
	if (c->job.keep_open) {
		sim_run(p->sim, SEC, NULL, NULL);
		ql_conn_close(conn_of(p, SIM_CLIENT), 0, NULL);
	}
	run_out(p, 60 * SEC);
	ck_assert_uint_eq(c->complete, complete + c->job.streams);
}

/*
 * A pair whose client has been connected once, and has a session for early data. transport is for
 * both ends, with early_data; NULL for nothing but that.
 */
static UNUSED void open_known(struct sim_pair *p, uint64_t seed,
			      const struct ql_transport *transport, const struct sim_job *job)
{
	static const struct ql_transport early = {.early_data = true};

	sim_pair_open(p, seed, NULL, transport ? transport : &early, job);
	p->app[SIM_CLIENT].use_session = true;
	one(p);
	ck_assert_uint_eq(p->app[SIM_CLIENT].early, 0);
	/* a register that has just begun does not trust older tickets */
	sim_run(p->sim, 1 * SEC, NULL, NULL);
}

/* Both ends agree on how often early data was taken, and refused. */
static UNUSED void expect_early(const struct sim_pair *p, unsigned int taken, unsigned int refused)
{
	const struct sim_app *c = &p->app[SIM_CLIENT], *s = &p->app[SIM_SERVER];
	struct ql_engine_stats client = sim_pair_stats(p, SIM_CLIENT);

	ck_assert_uint_eq(c->early, taken + refused);
	ck_assert_uint_eq(c->early_taken, taken);
	ck_assert_uint_eq(c->early_refused, refused);
	ck_assert_uint_eq(s->early, taken);
	ck_assert_uint_eq(s->early_taken, taken);
	ck_assert_uint_eq(client.early_accepted, taken);
	ck_assert_uint_eq(client.early_rejected, refused);
	ck_assert_uint_eq(sim_pair_stats(p, SIM_SERVER).early_accepted, taken);
}

/* The end of a connection that was left open, and of the pair. */
static UNUSED void close_known(struct sim_pair *p)
{
	ql_conn_close(conn_of(p, SIM_CLIENT), 0, NULL);
	run_out(p, 40 * SEC);
	finish(p);
}

#endif
