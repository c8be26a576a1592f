// SPDX-License-Identifier: BSD-3-Clause
/*
 * How long a handshake and a short request take when much is lost, from the server to the client
 * only or both ways, as figures over 100 connections. The rates and the limits are those that
 * quicly's tests have for the same: a round trip of 40 ms, a first guess of 66 ms for it, losses
 * spread evenly over blocks of datagrams, none of the client's first one, and hardly any time-outs.
 * A mean, a median or a 90th percentile may be 1.2 times what it is there.
 *
 * With 5 % loss and less, about one connection in ten loses anything at all: there the 90th
 * percentile is what one loss costs, or nothing, by the seed. So it may be 1.5 times as large.
 */
#include <stdlib.h>

#include "sim/trial.h"

#define RUNS	  100
#define MS	  QL_NSEC_PER_MSEC
#define SEC	  QL_NSEC_PER_SEC
#define SLACK	  1.2
#define SLACK_FEW 1.5
#define LIMIT	  700000.0 /* ms, after which a connection counts as failed */

/* `lost` of every `of` datagrams are lost; and what 100 connections took, in ms. */
struct rate {
	unsigned int lost, of;
	unsigned int failures; /* at most */
	double mean, median, p90;
};

#define RATES 7

static const struct rate down[RATES] = {
	{3, 4, 3, 13280, 3610, 17579}, /* 75 % */
	{1, 2, 0, 1496, 608, 2779},    {1, 4, 0, 228.7, 230, 408},
	{1, 10, 0, 140.2, 80, 298},    {1, 20, 0, 99.9, 80, 230},
	{1, 40, 0, 90.8, 80, 159},     {1, 64, 0, 91.1, 80, 80}, /* 1.6 % */
};

static const struct rate both[RATES] = {
	{3, 4, 17, 240012.7, 104496, 652328},
	{1, 2, 0, 3908, 1175, 7459},
	{1, 4, 0, 328.7, 237, 530},
	{1, 10, 0, 150.1, 80, 298},
	{1, 20, 0, 103.5, 80, 192},
	{1, 40, 0, 96.7, 80, 159},
	{1, 64, 0, 96.7, 80, 190},
};

/* One direction: which of the next datagrams are lost. */
struct block {
	uint64_t *random;
	const struct rate *rate;
	uint64_t bits;
	unsigned int left;
	bool first; /* of a connection: passes */
};

static bool passes(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct block *b = arg;

	(void)d;
	(void)now;
	if (b->first) {
		b->first = false;
		return true;
	}
	if (b->left == 0) {
		b->bits = 0;
		while ((unsigned int)__builtin_popcountll(b->bits) < b->rate->lost)
			b->bits |= UINT64_C(1) << sim_below(b->random, b->rate->of);
		b->left = b->rate->of;
	}
	return !(b->bits >> --b->left & 1);
}

/* One connection. How long it took, ms, or below 0 if it failed. */
static double run(struct sim_trial *t, const struct rate *rate, bool both_ways)
{
	struct ql_transport transport = {.idle_timeout_ns = 600 * SEC,
					 .handshake_timeout_ns = 600 * SEC,
					 .initial_rtt_ns = 66 * MS};
	struct sim_job job = {.streams = 1, .download = 30, .upload = 20};
	struct block blocks[2];
	struct sim_app *c;
	double ms = -1;

	sim_trial_open(t, &transport, &job);
	for (unsigned int i = 0; i < 2; i++) {
		blocks[i] = (struct block){
			.random = sim_seed(t->pair.sim), .rate = rate, .first = i == SIM_CLIENT};
		*sim_link(t->pair.sim, i) =
			(struct sim_link){.delay = 20 * MS, .filter = passes, .arg = &blocks[i]};
	}
	if (!both_ways)
		sim_link(t->pair.sim, SIM_CLIENT)->filter = NULL;
	sim_trial_connect(t, 1);
	sim_trial_run(t, 4000 * SEC);
	c = &t->pair.app[SIM_CLIENT];
	if (c->complete == 1)
		ms = (double)(c->closed_at - t->started) / (double)MS;
	sim_trial_close(t);
	return ms;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct sim_trial *t, const struct rate *r, bool both_ways)
{
	double percent = 100.0 * r->lost / r->of, sum = 0, ms[RUNS], slack_p90 = SLACK;
	const char *which = both_ways ? "both ways" : "down";
	unsigned int n = 0;

	for (unsigned int k = 0; k < RUNS; k++) {
		ms[n] = run(t, r, both_ways);
		if (ms[n] < 0 || ms[n] > LIMIT)
			continue;
		sum += ms[n++];
	}
	if (r->failures > 0 || n < RUNS)
		sim_trial_figure(t, RUNS - n, "", SIM_AT_MOST, r->failures, "quicly",
				 "%.1f %% loss %s, failures of %d", percent, which, RUNS);
	if (n == 0)
		return;
	qsort(ms, n, sizeof(ms[0]), ascending);
	if (20 * r->lost <= r->of)
		slack_p90 = SLACK_FEW;
	sim_trial_figure(t, sum / n, "ms", SIM_AT_MOST, SLACK * r->mean, "quicly",
			 "%.1f %% loss %s, mean", percent, which);
	sim_trial_figure(t, (ms[n / 2] + ms[(n - 1) / 2]) / 2, "ms", SIM_AT_MOST, SLACK * r->median,
			 "quicly", "%.1f %% loss %s, median", percent, which);
	sim_trial_figure(t, ms[(9 * n + 9) / 10 - 1], "ms", SIM_AT_MOST, slack_p90 * r->p90,
			 "quicly", "%.1f %% loss %s, 90th percentile", percent, which);
}

void sim_loss_bands(struct sim_trial *t)
{
	for (unsigned int i = 0; i < RATES; i++)
		measure(t, &down[i], false);
	for (unsigned int i = 0; i < RATES; i++)
		measure(t, &both[i], true);
}
