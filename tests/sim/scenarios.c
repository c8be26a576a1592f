// SPDX-License-Identifier: BSD-3-Clause
/*
 * The list of scenarios, and those that are a page at most.
 */
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define KB  UINT64_C(1000)
#define MB  UINT64_C(1000000)

/* From the start to the last connection's end, as the client sees it. */
static uint64_t took(const struct sim_trial *t)
{
	return t->pair.app[SIM_CLIENT].closed_at - t->started;
}

static void within(struct sim_trial *t, uint64_t limit)
{
	sim_trial_check(t, took(t) <= limit, "took %llu ms, not at most %llu",
			(unsigned long long)(took(t) / MS), (unsigned long long)(limit / MS));
}

/* All of it: some connections over a link, with what happens to it, to the last byte. */
static void transfer(struct sim_trial *t, const struct sim_link *link, const struct sim_job *job,
		     unsigned int conns, const struct sim_event *events, unsigned int n_events,
		     uint64_t limit)
{
	sim_trial_open(t, NULL, job);
	sim_pair_link(&t->pair, link);
	t->pair.app[SIM_SERVER].by_reference = t->seed & 1;
	t->pair.app[SIM_CLIENT].by_reference = t->seed & 2;
	sim_trial_script(t, events, n_events);
	sim_trial_connect(t, conns);
	sim_trial_run(t, 600 * SEC);
	sim_trial_complete(t);
	within(t, limit);
	sim_trial_close(t);
}

static void run_handshake(struct sim_trial *t)
{
	uint64_t state = t->seed;
	struct sim_link link = {.delay = (1 + sim_below(&state, 200)) * MS};
	struct sim_job job = {.streams = 1, .download = 1 + sim_below(&state, 1000)};

	/* A round trip for the handshake, one for the request. */
	transfer(t, &link, &job, 1, NULL, 0, 4 * link.delay + 5 * MS);
}

static void run_idle(struct sim_trial *t)
{
	struct sim_job job = {.streams = 1, .download = 10 * KB, .keep_open = true};
	uint64_t state = t->seed, lasted;
	struct ql_transport transport = {.idle_timeout_ns = (5 + sim_below(&state, 60)) * SEC};
	const struct sim_app *app = t->pair.app;

	sim_trial_open(t, &transport, &job);
	sim_trial_connect(t, 1);
	sim_trial_run(t, 100 * SEC);
	for (unsigned int i = 0; i < 2; i++) {
		lasted = app[i].closed_at - t->started;
		sim_trial_check(t, app[i].causes[QL_CLOSE_IDLE] == 1, "no end by the time-out");
		sim_trial_check(t,
				lasted >= transport.idle_timeout_ns &&
					lasted < transport.idle_timeout_ns + 1 * SEC,
				"idle after %llu ms, not %llu", (unsigned long long)(lasted / MS),
				(unsigned long long)(transport.idle_timeout_ns / MS));
	}
	sim_trial_check(t, sim_stats(t->pair.sim)->turns < 300, "%llu turns",
			(unsigned long long)sim_stats(t->pair.sim)->turns);
	sim_trial_close(t);
}

static void run_bursts(struct sim_trial *t)
{
	struct sim_link link = {.rate = 50 * MB,
				.delay = 10 * MS,
				.queue = 100,
				.burst_begin = SIM_MILLION / 200,
				.burst_length = 20 * MS,
				.burst_loss = SIM_MILLION * 9 / 10};
	struct sim_job job = {.streams = 4, .download = 500 * KB, .upload = 100 * KB};

	transfer(t, &link, &job, 1, NULL, 0, 60 * SEC);
}

static void run_reordering(struct sim_trial *t)
{
	struct sim_link link = {.rate = 50 * MB,
				.delay = 10 * MS,
				.queue = 200,
				.duplicate = SIM_MILLION / 20,
				.reorder = SIM_MILLION / 10,
				.reorder_delay = 7 * MS};
	struct sim_job job = {.streams = 4, .download = 500 * KB, .upload = 500 * KB};

	transfer(t, &link, &job, 1, NULL, 0, 60 * SEC);
}

/* The link becomes a tenth as fast, then ten times as long. */
static void run_changes(struct sim_trial *t)
{
	struct sim_link link = {.rate = 50 * MB, .delay = 10 * MS, .queue = 100};
	struct sim_job job = {.streams = 2, .download = 5 * MB};
	const struct sim_event events[] = {
		{.at = 500 * MS,
		 .lasts = 3 * SEC,
		 .node = SIM_SERVER,
		 .kind = SIM_EVENT_RATE,
		 .value = 5 * MB},
		{.at = 2 * SEC,
		 .lasts = 3 * SEC,
		 .node = SIM_SERVER,
		 .kind = SIM_EVENT_DELAY,
		 .value = 100 * MS},
		{.at = 4 * SEC,
		 .lasts = 1 * SEC,
		 .node = SIM_SERVER,
		 .kind = SIM_EVENT_MTU,
		 .value = 1000},
	};

	transfer(t, &link, &job, 1, events, 3, 30 * SEC);
}

static const struct sim_scenario scenarios[] = {
	{"handshake", "a handshake and a request over links of 1 to 200 ms", run_handshake, false},
	{"chaos", "links, events, connections, streams and endings, all drawn from the seed",
	 sim_chaos, false},
	{"lossbands", "100 connections for each of 75 to 1.6 % loss, and how long they take",
	 sim_loss_bands, true},
	{"idle", "a connection is left alone", run_idle, false},
	{"bursts", "losses in bursts", run_bursts, false},
	{"reordering", "10 % of datagrams come late, 5 % twice", run_reordering, false},
	{"pmtu", "what each way takes of datagrams, up to 9,000 bytes, and that changes", sim_pmtu,
	 false},
	{"changes", "rate, delay and MTU change during a transfer", run_changes, false},
	{"versions",
	 "lists of QUIC versions meet, on bad links and with Retry; and downgrade attacks",
	 sim_versions, false},
	{"early", "early data, taken and refused, on bad links and with Retry; and replays of it",
	 sim_early, false},
	{"lanes",
	 "1 to 64 engines in a process, and who brings packets to which; a NAT that rebinds",
	 sim_lanes, false},
	{"ecn", "queues that mark, and links that do wrong to marks", sim_ecn, false},
	{"acks", "how rare ACKs are, where the sender may ask for it and where not", sim_acks,
	 true},
	{NULL, NULL, NULL, false},
};

const struct sim_scenario *sim_scenario(unsigned int i)
{
	static const struct sim_scenario *const tables[] = {
		scenarios,
		sim_interop_scenarios,
		sim_bounds_scenarios,
	};

	for (unsigned int k = 0; k < sizeof(tables) / sizeof(tables[0]); k++) {
		for (const struct sim_scenario *s = tables[k]; s->name; s++) {
			if (i-- == 0)
				return s;
		}
	}
	return NULL;
}
