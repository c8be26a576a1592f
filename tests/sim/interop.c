// SPDX-License-Identifier: BSD-3-Clause
/*
 * The cases of the QUIC interop runner that are about time, with its links, its sizes and its
 * limits: 15 ms one way, 10 Mbit/s and a queue of 25 packets unless it says otherwise, and 60 s.
 * Where this is much more than what is needed, a limit of our own takes its place.
 */
#include "sim/trial.h"

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)

#define RUNNER "interop runner"

static const struct sim_link runner_link = {.rate = 10000000, .delay = 15 * MS, .queue = 25};

static double seconds(uint64_t ns)
{
	return (double)ns / (double)SEC;
}

/* From the start to the last connection's end, as the client sees it. */
static double took(const struct sim_trial *t)
{
	return seconds(t->pair.app[SIM_CLIENT].closed_at - t->started);
}

static void begin(struct sim_trial *t, const struct sim_link *link,
		  const struct ql_transport *transport, const struct sim_job *job)
{
	sim_trial_open(t, transport, job);
	sim_plot_title(t->plot, t->scenario);
	sim_pair_link(&t->pair, link);
	t->pair.app[SIM_SERVER].by_reference = t->seed & 1;
}

/* All connections to their end, which has to come in so many seconds. */
static void end(struct sim_trial *t, double limit, const char *whose, const char *what)
{
	sim_trial_run(t, 600 * SEC);
	sim_trial_complete(t);
	sim_trial_figure(t, took(t), "s", SIM_AT_MOST, limit, whose, "%s", what);
	sim_trial_close(t);
}

static void transfer(struct sim_trial *t, const struct sim_link *link, const struct sim_job *job,
		     double limit, const char *whose, const char *what)
{
	begin(t, link, NULL, job);
	sim_trial_connect(t, 1);
	end(t, limit, whose, what);
}

static void run_transfer(struct sim_trial *t)
{
	/* 10 MiB in three files: 8.4 s without headers */
	struct sim_job job = {.streams = 3, .download = 10 * MIB / 3};

	transfer(t, &runner_link, &job, 10, "own", "10 MiB in 3 files");
}

static void run_longrtt(struct sim_trial *t)
{
	struct sim_link link = runner_link;
	struct sim_job job = {.streams = 1, .download = 1 * KIB};

	link.delay = 750 * MS;
	/* a round trip for the handshake, one for the request */
	transfer(t, &link, &job, 3.1, "own", "1 KiB, RTT 1.5 s");
}

static void run_multiplexing(struct sim_trial *t)
{
	struct sim_job job = {.streams = 1999, .download = 32};

	transfer(t, &runner_link, &job, 5, "own", "1,999 files of 32 bytes");
}

/* Nothing passes for 2 s after each 5 s. */
static void run_blackhole(struct sim_trial *t)
{
	struct sim_job job = {.streams = 1, .download = 10 * MIB};
	struct sim_event events[8];

	for (unsigned int i = 0; i < 8; i++)
		events[i] = (struct sim_event){.at = (5 + i / 2 * 7) * SEC,
					       .lasts = 2 * SEC,
					       .node = i % 2,
					       .kind = SIM_EVENT_DOWN,
					       .value = 1};
	begin(t, &runner_link, NULL, &job);
	sim_trial_script(t, events, 8);
	sim_trial_connect(t, 1);
	/* 8.4 s, two holes, and what they cost: probes back off meanwhile, and the window is closed
	 */
	end(t, 17, "own", "10 MiB, 2 s of each 7 s are dead");
}

static bool second_to_seventh(void *arg, struct ql_datagram *d, uint64_t now)
{
	unsigned int *n = arg;

	(void)d;
	(void)now;
	++*n;
	return *n < 2 || *n > 7;
}

/* The server may not send more, and must not wait for the client forever, nor the client for it. */
static void run_amplification(struct sim_trial *t)
{
	struct sim_job job = {.streams = 1, .download = 5 * KIB};
	const struct sim_event events[] = {
		{.at = 1, .lasts = 5 * SEC, .node = SIM_CLIENT, .kind = SIM_EVENT_DOWN, .value = 1},
	};
	struct sim_link link = runner_link;
	unsigned int n = 0;
	uint64_t bytes;

	begin(t, &link, NULL, &job);
	sim_link(t->pair.sim, SIM_CLIENT)->filter = second_to_seventh;
	sim_link(t->pair.sim, SIM_CLIENT)->arg = &n;
	sim_trial_connect(t, 1);
	end(t, 60, RUNNER, "5 KiB, the client's 2nd to 7th are lost");

	link.loss = SIM_MILLION / 20;
	begin(t, &link, NULL, &job);
	sim_link(t->pair.sim, SIM_CLIENT)->loss = 0;
	sim_trial_script(t, events, 1);
	sim_trial_connect(t, 1);
	sim_run(t->pair.sim, 5 * SEC, NULL, NULL);
	bytes = sim_link_stats(t->pair.sim, SIM_SERVER)->bytes;
	sim_trial_check(t, bytes > 1200, "the server has not tried again, %llu bytes in 5 s",
			(unsigned long long)bytes);
	end(t, 60, RUNNER, "all that it sends from 0 to 5 s is");
}

/* 50 connections, started one by one, while much is lost or altered. */
static void connections(struct sim_trial *t, const struct sim_link *link, const char *what)
{
	struct ql_transport transport = {.handshake_timeout_ns = 120 * SEC,
					 .idle_timeout_ns = 120 * SEC};
	struct sim_job job = {.streams = 1, .download = 1 * KIB};

	begin(t, link, &transport, &job);
	for (unsigned int i = 0; i < 50; i++) {
		sim_trial_connect(t, 1);
		sim_run(t->pair.sim, 500 * MS, NULL, NULL);
	}
	end(t, 60, "own", what);
}

static void run_handshake_loss(struct sim_trial *t)
{
	struct sim_link link = runner_link;

	link.loss = SIM_MILLION * 3 / 10;
	link.run = 3;
	connections(t, &link, "50 connections in 25 s, 30 % loss");
}

static void run_handshake_corruption(struct sim_trial *t)
{
	struct sim_link link = runner_link;

	link.corrupt = SIM_MILLION * 3 / 10;
	link.run = 3;
	connections(t, &link, "50 connections in 25 s, 30 % corrupt");
}

static void run_transfer_loss(struct sim_trial *t)
{
	struct sim_link link = runner_link;
	struct sim_job job = {.streams = 1, .download = 2 * MIB};

	link.loss = SIM_MILLION / 50;
	link.run = 3;
	transfer(t, &link, &job, 60, RUNNER, "2 MiB, 2 % loss");
}

static void run_transfer_corruption(struct sim_trial *t)
{
	struct sim_link link = runner_link;
	struct sim_job job = {.streams = 1, .download = 2 * MIB};

	link.corrupt = SIM_MILLION / 50;
	link.run = 3;
	transfer(t, &link, &job, 60, RUNNER, "2 MiB, 2 % corrupt");
}

/* ---- A NAT that forgets ---- */

struct nat {
	struct sim_trial *t;
	struct ql_addr inside, outside;
	bool address; /* the IP address changes, too */
	unsigned int rebinds;
};

static bool nat_out(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct nat *nat = arg;

	(void)now;
	if (nat->inside.port == 0)
		nat->inside = nat->outside = d->path.local;
	d->path.local = nat->outside;
	return true;
}

static bool nat_in(void *arg, struct ql_datagram *d, uint64_t now)
{
	const struct nat *nat = arg;

	(void)now;
	if (!ql_addr_eq(&d->path.remote, &nat->outside))
		return false;
	d->path.remote = nat->inside;
	return true;
}

static void rebind(void *arg)
{
	struct nat *nat = arg;

	nat->rebinds++;
	nat->outside.port++;
	if (nat->address)
		nat->outside.ip[15]++;
	sim_at(nat->t->pair.sim, sim_now(nat->t->pair.sim) + 5 * SEC, rebind, nat);
}

static void through_nat(struct sim_trial *t, bool address, const char *what)
{
	struct sim_job job = {.streams = 1, .download = 10 * MIB};
	struct nat nat = {.t = t, .address = address};
	unsigned int moved;

	begin(t, &runner_link, NULL, &job);
	sim_link(t->pair.sim, SIM_CLIENT)->filter = nat_out;
	sim_link(t->pair.sim, SIM_SERVER)->filter = nat_in;
	sim_link(t->pair.sim, SIM_CLIENT)->arg = sim_link(t->pair.sim, SIM_SERVER)->arg = &nat;
	sim_at(t->pair.sim, sim_now(t->pair.sim) + 1 * SEC, rebind, &nat);
	sim_trial_connect(t, 1);
	sim_trial_run(t, 600 * SEC);
	moved = t->pair.app[SIM_SERVER].moved;
	sim_trial_check(t, nat.rebinds >= 2 && moved >= 2, "%u rebindings, %u paths validated",
			nat.rebinds, moved);
	end(t, 15, "own", what);
}

static void run_rebind_port(struct sim_trial *t)
{
	through_nat(t, false, "10 MiB, another port after 1 and 6 s");
}

static void run_rebind_addr(struct sim_trial *t)
{
	through_nat(t, true, "10 MiB, another address after 1 and 6 s");
}

/* ---- Measurements ---- */

/* kbit/s of so many bytes that took so many seconds. */
static double kbits(uint64_t bytes, double s)
{
	return (double)bytes * 8 / 1000 / s;
}

static void run_goodput(struct sim_trial *t)
{
	static const char *const names[] = {"", "newreno", "cubic", "bbr"};
	struct sim_job job = {.streams = 1, .download = 10 * MIB};

	for (enum ql_congestion cc = QL_CC_NEWRENO; cc <= QL_CC_BBR; cc++) {
		struct ql_transport transport = {.congestion = cc};

		begin(t, &runner_link, &transport, &job);
		sim_plot_title(t->plot, names[cc]);
		sim_trial_connect(t, 1);
		sim_trial_run(t, 600 * SEC);
		sim_trial_complete(t);
		sim_trial_figure(t, kbits(job.download, took(t)), "kbit/s", SIM_AT_LEAST, 8000,
				 "own", "10 MiB, %s", names[cc]);
		sim_trial_close(t);
	}
}

static bool client_done(void *trial)
{
	const struct sim_trial *t = trial;

	return t->pair.app[SIM_CLIENT].closed == 1;
}

/* The server sends to somebody else, by CUBIC, from before the beginning and beyond the end. */
static void run_cross_traffic(struct sim_trial *t)
{
	struct sim_job job = {.streams = 1, .download = 25 * MIB};
	struct sim_job endless = {.streams = 1, .download = UINT64_C(1) << 40};
	struct sim_app other;
	struct ql_path path;
	uint64_t start, before;
	double s;

	begin(t, &runner_link, NULL, &job);
	t->pair.app[SIM_SERVER].by_reference = true;
	sim_app_init(&other, &endless);
	path = sim_path(t->pair.sim, SIM_CLIENT, SIM_SERVER);
	sim_trial_check(t,
			sim_app_connect(&other, sim_engine(t->pair.sim, SIM_CLIENT),
					t->pair.tls[SIM_CLIENT], &t->pair.transport[SIM_CLIENT],
					&path, sim_now(t->pair.sim)) == 0,
			"no other connection");
	sim_run(t->pair.sim, 5 * SEC, NULL, NULL);
	start = sim_now(t->pair.sim);
	before = other.received;
	sim_trial_connect(t, 1);
	sim_trial_check(t, sim_run(t->pair.sim, 180 * SEC, client_done, t), "not over after 180 s");
	sim_trial_check(t, t->pair.app[SIM_CLIENT].complete == 1, "not complete");
	s = seconds(sim_now(t->pair.sim) - start);
	sim_trial_figure(t, s, "s", SIM_AT_MOST, 180, RUNNER, "25 MiB beside a CUBIC flow");
	sim_trial_figure(t, kbits(job.download, s), "kbit/s", SIM_AT_LEAST, 3500, "own",
			 "goodput of it");
	sim_trial_figure(t, kbits(other.received - before, s), "kbit/s", SIM_ABOUT, 0, "",
			 "goodput of the flow beside it");
	t->abandoned = true;
	sim_trial_close(t);
	sim_trial_check(t, other.errors == 0, "broken promise: %s", other.error);
}

const struct sim_scenario sim_interop_scenarios[] = {
	{"transfer", "10 MiB in three streams", run_transfer, true},
	{"blackhole", "the link is dead for 2 s of each 7 s", run_blackhole, true},
	{"longrtt", "a round trip takes 1.5 s", run_longrtt, true},
	{"multiplexing", "1,999 files of 32 bytes", run_multiplexing, true},
	{"amplification", "the client's datagrams but for the first are lost", run_amplification,
	 true},
	{"handshakeloss", "50 connections with 30 % loss", run_handshake_loss, true},
	{"transferloss", "2 MiB with 2 % loss", run_transfer_loss, true},
	{"handshakecorruption", "50 connections while 30 % of datagrams have a flipped bit",
	 run_handshake_corruption, true},
	{"transfercorruption", "2 MiB with 2 % corruption", run_transfer_corruption, true},
	{"rebindport", "a NAT gives the client another port every 5 s", run_rebind_port, true},
	{"rebindaddr", "and another address", run_rebind_addr, true},
	{"goodput", "10 MiB with each congestion control", run_goodput, true},
	{"crosstraffic", "25 MiB beside a CUBIC flow", run_cross_traffic, true},
	{NULL, NULL, NULL, false},
};
