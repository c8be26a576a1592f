// SPDX-License-Identifier: BSD-3-Clause
/*
 * Links that take datagrams of so many bytes, another number each way, and that change it in the
 * middle: each side must find what its way takes, twice.
 */
#include "sim/trial.h"

#define MS    QL_NSEC_PER_MSEC
#define SEC   QL_NSEC_PER_SEC
#define MB    UINT64_C(1000000)
#define JUMBO 9000

#define BYTES  (10 * MB) /* each way */
#define WINDOW (100 * 1024)

/* Small numbers, those of Ethernets, and large ones. */
static unsigned int draw_mtu(uint64_t *state)
{
	static const unsigned int known[] = {1200, 1232, 1452, 1472, 8952, JUMBO};

	switch (sim_below(state, 3)) {
	case 0:
		return known[sim_below(state, sizeof(known) / sizeof(known[0]))];
	case 1:
		return 1200 + (unsigned int)sim_below(state, 300);
	default:
		return 1200 + (unsigned int)sim_below(state, JUMBO - 1200 + 1);
	}
}

/* What is transferred so far, of both sides. */
static bool halfway(void *arg)
{
	const struct sim_app *c = &((struct sim_pair *)arg)->app[SIM_CLIENT];
	const struct sim_app *s = &((struct sim_pair *)arg)->app[SIM_SERVER];

	return c->received >= c->job.download / 2 && s->received >= c->job.upload / 2;
}

static bool complete(void *arg)
{
	const struct sim_app *c = &((struct sim_pair *)arg)->app[SIM_CLIENT];
	const struct sim_app *s = &((struct sim_pair *)arg)->app[SIM_SERVER];

	return c->received == c->job.download && s->received == c->job.upload;
}

/* exact: nothing else has kept the search from its end. */
static void check_sizes(struct sim_trial *t, bool exact, const bool skip[2])
{
	static const char *const names[] = {[SIM_SERVER] = "server", [SIM_CLIENT] = "client"};

	for (unsigned int i = 0; i < 2; i++) {
		unsigned int mtu = sim_link(t->pair.sim, i)->mtu;
		unsigned int slack = mtu / 64 > 16 ? mtu / 64 : 16;
		struct ql_conn_stats s;

		if (skip[i])
			continue;
		if (!t->pair.app[i].conn) {
			sim_trial_fail(t, "%s: the connection has ended", names[i]);
			return;
		}
		ql_conn_stats(t->pair.app[i].conn, &s);
		sim_trial_check(t, s.udp_payload <= mtu && (!exact || s.udp_payload + slack >= mtu),
				"%s: datagrams of %u bytes, the path takes %u", names[i],
				s.udp_payload, mtu);
	}
}

void sim_pmtu(struct sim_trial *t)
{
	static struct rte_mempool *pool;
	struct ql_engine_config config[2] = {0};
	struct sim_event changes[2];
	bool skip[2] = {false, false};
	uint64_t state = t->seed;
	struct ql_transport transport = {.udp_payload_max = JUMBO,
					 .max_data = WINDOW,
					 .max_stream_data = WINDOW,
					 .max_data_cap = 1,
					 .max_stream_data_cap = 1,
					 .send_buffer = 1 << 20,
					 .congestion = (enum ql_congestion)sim_below(&state, 4)};
	struct sim_link link = {.rate = (20 + sim_below(&state, 100)) * MB,
				.delay = (1 + sim_below(&state, 10)) * MS,
				.loss = sim_below(&state, 3) ? 0 : SIM_MILLION / 500};
	/* Half of it is enough for all the probes of a search, one in a round trip. */
	struct sim_job job = {.streams = 1, .download = BYTES, .upload = BYTES, .keep_open = true};

	if (!pool)
		pool = sim_env_pool("jumbo", 8191, JUMBO);
	config[SIM_SERVER].tx_pool = config[SIM_CLIENT].tx_pool = pool;
	sim_trial_open_engines(t, config, &transport, &job);
	sim_pair_link(&t->pair, &link);
	for (unsigned int i = 0; i < 2; i++) {
		sim_link(t->pair.sim, i)->mtu = draw_mtu(&state);
		changes[i] = (struct sim_event){
			.node = i, .kind = SIM_EVENT_MTU, .value = draw_mtu(&state)};
	}
	t->pair.app[SIM_SERVER].no_check = t->pair.app[SIM_CLIENT].no_check = true;
	sim_trial_connect(t, 1);
	sim_trial_check(t, sim_run(t->pair.sim, 60 * SEC, halfway, &t->pair), "no half in 60 s");
	check_sizes(t, link.loss == 0, skip);
	/* A side that has hardly anything left to send will not notice. */
	for (unsigned int i = 0; i < 2; i++)
		skip[i] = t->pair.app[!i].received > BYTES / 4 * 3;
	sim_trial_script(t, changes, 2);
	sim_trial_check(t, sim_run(t->pair.sim, 60 * SEC, complete, &t->pair), "no end in 60 s");
	check_sizes(t, false, skip);
	if (t->pair.app[SIM_CLIENT].conn)
		ql_conn_close(t->pair.app[SIM_CLIENT].conn, 0, NULL);
	sim_trial_run(t, 60 * SEC);
	sim_trial_complete(t);
	sim_trial_close(t);
}
