// SPDX-License-Identifier: BSD-3-Clause
/*
 * How many packets an ACK is for where the sender may ask for it (draft-ietf-quic-ack-frequency),
 * beside a receiver that does not know of that and goes by the pace of packets alone; and that
 * no time is lost by it. The second half of a transfer counts: where a queue overflows for the
 * first time, most ACKs are about gaps.
 */
#include "conn/conn.h"
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define MB  UINT64_C(1000000)

struct path {
	const char *name;
	uint64_t bytes; /* that the client sends */
	struct sim_link link;
	double least; /* packets an ACK, when asked */
	double most;  /* time, in per cent of that when not */
};

struct result {
	double packets; /* an ACK */
	double seconds;
};

/* As if the server had not sent min_ack_delay. */
static void forget(struct sim_app *app, struct ql_conn *conn)
{
	(void)app;
	conn->ack_ask.min_delay = QL_NEVER;
}

static bool half_way(void *trial)
{
	const struct sim_trial *t = trial;

	return t->pair.app[SIM_SERVER].received >= t->pair.app[SIM_CLIENT].job.upload / 2;
}

static struct result upload(struct sim_trial *t, const struct path *p, bool asked)
{
	struct sim_job job = {.streams = 1, .upload = p->bytes};
	const struct sim_app *client = &t->pair.app[SIM_CLIENT];
	const struct sim_link_stats *data, *acks;
	struct result r;
	double n_acks;

	sim_trial_open(t, NULL, &job);
	*sim_link(t->pair.sim, SIM_CLIENT) = p->link;
	sim_link(t->pair.sim, SIM_SERVER)->delay = p->link.delay;
	if (!asked)
		t->pair.app[SIM_CLIENT].on_connected = forget;
	data = sim_link_stats(t->pair.sim, SIM_CLIENT);
	acks = sim_link_stats(t->pair.sim, SIM_SERVER);
	sim_trial_connect(t, 1);
	sim_run(t->pair.sim, 600 * SEC, half_way, t);
	r.packets = (double)data->datagrams;
	n_acks = (double)acks->datagrams;
	sim_trial_run(t, 600 * SEC);
	sim_trial_complete(t);
	r.packets = ((double)data->datagrams - r.packets) / ((double)acks->datagrams - n_acks);
	r.seconds = (double)(client->closed_at - t->started) / (double)SEC;
	sim_trial_close(t);
	return r;
}

void sim_acks(struct sim_trial *t)
{
	static const struct path paths[] = {
		{
			.name = "100 Mbit/s, RTT 40 ms",
			.bytes = 40 * MB,
			.link = {.rate = 100 * MB, .delay = 20 * MS, .queue = 400},
			.least = 25,
			.most = 105,
		},
		{
			.name = "1 Gbit/s, RTT 20 ms",
			.bytes = 100 * MB,
			.link = {.rate = 1000 * MB, .delay = 10 * MS, .queue = 2000},
			.least = 40,
			.most = 105,
		},
		{
			.name = "100 Mbit/s, RTT 40 ms, 2 % late",
			.bytes = 40 * MB,
			.link = {.rate = 100 * MB,
				 .delay = 20 * MS,
				 .queue = 400,
				 .reorder = SIM_MILLION / 50,
				 .reorder_delay = 2 * MS},
			.least = 25,
			.most = 105,
		},
	};

	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct path *p = &paths[i];
		struct result unasked = upload(t, p, false), asked = upload(t, p, true);

		sim_trial_figure(t, unasked.packets, "", SIM_ABOUT, 0, "", "%s, packets an ACK",
				 p->name);
		sim_trial_figure(t, asked.packets, "", SIM_AT_LEAST, p->least, "own",
				 "as many as are asked for");
		sim_trial_figure(t, 100 * asked.seconds / unasked.seconds, "%", SIM_AT_MOST,
				 p->most, "own", "the time it takes then");
	}
}
