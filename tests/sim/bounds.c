// SPDX-License-Identifier: BSD-3-Clause
/*
 * What congestion control reaches, beside what others publish of theirs for the same path: how
 * long a transfer takes at most, how much of a link is filled, and how flows share it.
 *
 * Times are from ql_connect() until the last byte has come to the other application. Windows of
 * flow control are open from the start, so that congestion control is what is measured.
 */
#include "sim/trial.h"

#include <stdlib.h>

#define MS  QL_NSEC_PER_MSEC
#define SEC QL_NSEC_PER_SEC
#define KB  UINT64_C(1000)
#define MB  UINT64_C(1000000)

#define PAYLOAD 1440 /* bytes of a datagram: IPv6 over Ethernet, with some room */
#define JUMBO	8952 /* over Ethernet with 9,000 */

static const char *const names[] = {
	[QL_CC_NEWRENO] = "newreno", [QL_CC_CUBIC] = "cubic", [QL_CC_BBR] = "bbr"};

static struct ql_transport transport_for(enum ql_congestion cc)
{
	return (struct ql_transport){
		.idle_timeout_ns = 120 * SEC,
		.handshake_timeout_ns = 120 * SEC,
		.max_data = UINT64_C(1) << 30,
		.max_stream_data = UINT64_C(1) << 30,
		.udp_payload = PAYLOAD,
		.congestion = cc,
	};
}

/* Full datagrams that a link and its queue hold. */
static unsigned int holds(uint64_t rate, uint64_t ns, unsigned int payload)
{
	return (unsigned int)(rate / 8 * ns / SEC / payload) + 1;
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)SEC;
}

/* ---- One transfer ---- */

struct path {
	const char *name;
	uint64_t rate, back; /* bits a second, and for ACKs; 0: the same */
	uint64_t delay;	     /* one way */
	uint64_t wait;	     /* in the queue, at most */
	unsigned int loss;   /* in a million */
	uint64_t bytes;
	unsigned int streams; /* one after the other, all of these bytes; else one */
	/* What picoquic's tests allow, by enum ql_congestion; 0: there is none. */
	uint64_t limit[4];
	bool beside;	    /* we need more for it */
	unsigned int first; /* only for those from this one on */
};

static bool arrived(void *trial)
{
	const struct sim_trial *t = trial;
	const struct sim_app *c = &t->pair.app[SIM_CLIENT];

	return t->pair.app[SIM_SERVER].received == c->job.upload * c->job.streams;
}

/* How long it takes, ns. The client sends, as a client that uploads does. */
static uint64_t send_over(struct sim_trial *t, const struct path *p, enum ql_congestion cc)
{
	unsigned int streams = p->streams ? p->streams : 1;
	struct sim_job job = {.streams = streams, .upload = p->bytes};
	struct ql_transport transport = transport_for(cc);
	struct sim_link link = {
		.rate = p->rate, .delay = p->delay, .wait = p->wait, .loss = p->loss};
	char title[96];
	uint64_t ns;

	transport.max_streams_bidi = p->streams ? 1 : 0;
	sim_trial_open_large(t, &transport, &job, holds(p->rate, 2 * p->delay + p->wait, PAYLOAD));
	snprintf(title, sizeof(title), "%s, %s", p->name, names[cc]);
	sim_plot_title(t->plot, title);
	t->pair.app[SIM_CLIENT].by_reference = true;
	t->pair.app[SIM_CLIENT].ref_window = p->bytes;
	*sim_link(t->pair.sim, SIM_CLIENT) = link;
	link.rate = p->back ? p->back : p->rate;
	link.loss = 0;
	*sim_link(t->pair.sim, SIM_SERVER) = link;
	sim_trial_connect(t, 1);
	sim_trial_check(t, sim_run(t->pair.sim, 1000 * SEC, arrived, t), "%s: not over", title);
	ns = sim_now(t->pair.sim) - t->started;
	sim_link(t->pair.sim, SIM_CLIENT)->loss = 0; /* the end must arrive, which is sent once */
	sim_trial_run(t, 100 * SEC);
	sim_trial_complete(t);
	sim_trial_close(t);
	return ns;
}

/* All congestion controls. Returns the shortest time. */
static uint64_t compare(struct sim_trial *t, const struct path *p)
{
	uint64_t best = UINT64_MAX, ns;

	for (enum ql_congestion cc = p->first ? p->first : QL_CC_NEWRENO; cc <= QL_CC_BBR; cc++) {
		bool known = p->limit[cc] > 0;

		ns = send_over(t, p, cc);
		sim_trial_figure(t, seconds(ns), "s",
				 !known	     ? SIM_ABOUT
				 : p->beside ? SIM_BESIDE
					     : SIM_AT_MOST,
				 seconds(p->limit[cc]), known ? "picoquic" : "", "%s, %s", p->name,
				 names[cc]);
		best = ns < best ? ns : best;
	}
	return best;
}

/* ---- Satellites ---- */

static void run_satellite(struct sim_trial *t)
{
	struct path path = {
		.name = "100 MB, 250/3 Mbit/s, RTT 600 ms",
		.rate = 250 * MB,
		.back = 3 * MB,
		.delay = 300 * MS,
		.wait = 600 * MS,
		.bytes = 100 * MB,
		.limit = {[QL_CC_CUBIC] = 11000 * MS, [QL_CC_BBR] = 6300 * MS},
	};
	struct path lossy = path, medium = path;
	uint64_t best = compare(t, &path);

	sim_trial_figure(t, seconds(best), "s", SIM_AT_MOST, 5.5, "picoquic", "%s, the best",
			 path.name);
	lossy.name = "the same, 1 % loss";
	lossy.loss = 10000;
	lossy.limit[QL_CC_BBR] = 8000 * MS;
	lossy.first = QL_CC_BBR; /* the others take each loss for congestion, and minutes */
	compare(t, &lossy);
	medium.name = "100 MB, 50/10 Mbit/s, RTT 600 ms";
	medium.rate = 50 * MB;
	medium.back = 10 * MB;
	medium.limit[QL_CC_CUBIC] = 0;
	medium.limit[QL_CC_BBR] = 18000 * MS;
	medium.beside = true;
	compare(t, &medium);
}

/* ---- Other paths ---- */

static void run_paths(struct sim_trial *t)
{
	static const struct path paths[] = {
		{
			.name = "4 x 1 MB, 10 Mbit/s, RTT 20 ms",
			.rate = 10 * MB,
			.delay = 10 * MS,
			.wait = 20 * MS,
			.bytes = 1 * MB,
			.streams = 4,
			.limit = {[QL_CC_CUBIC] = 3500 * MS, [QL_CC_BBR] = 3500 * MS},
		},
		{
			.name = "10 MB, 100 Mbit/s, RTT 20 ms",
			.rate = 100 * MB,
			.delay = 10 * MS,
			.wait = 26 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 1050 * MS},
		},
		{
			.name = "10 MB, 1 Gbit/s, RTT 8 ms",
			.rate = 1000 * MB,
			.delay = 4 * MS,
			.wait = 12 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 250 * MS},
		},
		{
			.name = "10 MB, 1 Mbit/s, RTT 600 ms",
			.rate = 1 * MB,
			.delay = 300 * MS,
			.wait = 606 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 81 * SEC},
			.beside = true,
		},
		{
			.name = "10 MB, 1 Mbit/s, RTT 2 s",
			.rate = 1 * MB,
			.delay = 1000 * MS,
			.wait = 2006 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 90 * SEC},
			.beside = true,
		},
		{
			.name = "10 MB, 10/0.1 Mbit/s, RTT 2 ms",
			.rate = 10 * MB,
			.back = 100 * KB,
			.delay = 1 * MS,
			.wait = 50 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 8500 * MS},
			.beside = true, /* by what the counts of ECN add to each ACK */
		},
		{
			.name = "10 MB, 40/0.4 Mbit/s, RTT 2 ms",
			.rate = 40 * MB,
			.back = 400 * KB,
			.delay = 1 * MS,
			.wait = 50 * MS,
			.bytes = 10 * MB,
			.limit = {[QL_CC_BBR] = 2350 * MS},
		},
		{
			.name = "100 MB, 10 Mbit/s, RTT 10 s",
			.rate = 10 * MB,
			.delay = 5 * SEC,
			.wait = 10 * SEC,
			.bytes = 100 * MB,
			.limit = {[QL_CC_CUBIC] = 200 * SEC, [QL_CC_BBR] = 145 * SEC},
		},
	};

	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		compare(t, &paths[i]);
}

/* ---- A link of 10 Gbit/s ---- */

#define WARM (2 * SEC)

/* Per cent of the rate that a flow's bytes have in a second, after some time to get there. */
static double filled(struct sim_trial *t, enum ql_congestion cc, unsigned int loss)
{
	struct ql_transport transport = transport_for(cc);
	struct sim_link link = {.rate = 10000 * MB, .delay = 25 * MS, .loss = loss};
	/* More than one, as the application gives a few MB of each. */
	struct sim_job job = {.streams = 64, .download = UINT64_C(1) << 40};
	unsigned int bdp = holds(link.rate, 50 * MS, JUMBO);
	uint64_t before;
	double part;

	transport.udp_payload = JUMBO;
	sim_trial_open_large(t, &transport, &job, 2 * bdp);
	sim_plot_title(t->plot, names[cc]);
	t->pair.app[SIM_SERVER].by_reference = true;
	t->pair.app[SIM_CLIENT].no_check = true;
	link.queue = bdp;
	*sim_link(t->pair.sim, SIM_SERVER) = link;
	*sim_link(t->pair.sim, SIM_CLIENT) = (struct sim_link){.delay = 25 * MS};
	sim_trial_connect(t, 1);
	sim_run(t->pair.sim, WARM, NULL, NULL);
	before = t->pair.app[SIM_CLIENT].received;
	sim_run(t->pair.sim, SEC, NULL, NULL);
	part = (double)(t->pair.app[SIM_CLIENT].received - before) * 8 / (double)link.rate;
	t->abandoned = true;
	sim_trial_close(t);
	return 100 * part;
}

static void run_fill(struct sim_trial *t)
{
	sim_trial_figure(t, filled(t, QL_CC_CUBIC, 0), "%", SIM_AT_LEAST, 90, "own",
			 "of 10 Gbit/s, RTT 50 ms, jumbo, cubic");
	sim_trial_figure(t, filled(t, QL_CC_BBR, 0), "%", SIM_AT_LEAST, 90, "own", "the same, bbr");
	sim_trial_figure(t, filled(t, QL_CC_BBR, 100), "%", SIM_AT_LEAST, 90, "own",
			 "the same, 0.01 %% loss, bbr");
}

/* ---- Two flows ---- */

#define SHARED_RATE (20 * MB)
#define SHARED_RTT  (40 * MS)
#define SHARED_FOR  (300 * SEC)

/*
 * The parts of a link, in per cent, that two flows have in five minutes, from a minute on. Which of
 * them a full queue hits is chance, so that it takes a while to even out.
 */
static void share(struct sim_trial *t, const enum ql_congestion cc[2], double part[2])
{
	struct ql_transport transport = transport_for(cc[0]);
	struct sim_link link = {.rate = SHARED_RATE, .delay = SHARED_RTT / 2};
	struct sim_job job = {.streams = 16, .upload = UINT64_C(1) << 40};
	struct sim_app other;
	struct sim_app *apps[2] = {&t->pair.app[SIM_CLIENT], &other};
	const struct ql_conn *conns[2];
	struct ql_path path;
	uint64_t before[2];
	char title[96];

	sim_trial_open_large(t, &transport, &job, 2 * holds(link.rate, SHARED_RTT, PAYLOAD));
	snprintf(title, sizeof(title), "%s and %s", names[cc[0]], names[cc[1]]);
	sim_plot_title(t->plot, title);
	link.queue = holds(link.rate, SHARED_RTT, PAYLOAD);
	*sim_link(t->pair.sim, SIM_CLIENT) = link;
	*sim_link(t->pair.sim, SIM_SERVER) = (struct sim_link){.delay = SHARED_RTT / 2};
	sim_app_init(&other, &job);
	t->pair.app[SIM_SERVER].no_check = true;
	apps[0]->by_reference = other.by_reference = true;
	sim_trial_connect(t, 1);
	conns[0] = apps[0]->conn;
	sim_run(t->pair.sim, 5 * SEC + sim_below(sim_seed(t->pair.sim), SEC), NULL, NULL);
	transport.congestion = cc[1];
	path = sim_path(t->pair.sim, SIM_CLIENT, SIM_SERVER);
	sim_trial_check(t,
			sim_app_connect(&other, sim_engine(t->pair.sim, SIM_CLIENT),
					t->pair.tls[SIM_CLIENT], &transport, &path,
					sim_now(t->pair.sim)) == 0,
			"no second connection");
	conns[1] = other.conn;
	sim_plot_flows(t->plot, SIM_CLIENT, conns[0], conns[1]);
	sim_run(t->pair.sim, 55 * SEC, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		before[i] = apps[i]->acked;
	sim_run(t->pair.sim, SHARED_FOR, NULL, NULL);
	for (unsigned int i = 0; i < 2; i++)
		part[i] = 100 * (double)(apps[i]->acked - before[i]) * 8 /
			  (seconds(SHARED_FOR) * (double)SHARED_RATE);
	t->abandoned = true;
	sim_trial_close(t);
	sim_trial_check(t, other.errors == 0, "broken promise: %s", other.error);
}

/* Jain, Chiu and Hawe 1984: 1 when all have the same, 1/n when one has all. */
static double fairness(const double part[2])
{
	double sum = part[0] + part[1];

	return sum * sum / (2 * (part[0] * part[0] + part[1] * part[1]));
}

static void run_fairness(struct sim_trial *t)
{
	static const enum ql_congestion pairs[][2] = {
		{QL_CC_CUBIC, QL_CC_CUBIC}, {QL_CC_NEWRENO, QL_CC_NEWRENO}, {QL_CC_BBR, QL_CC_BBR},
		{QL_CC_CUBIC, QL_CC_BBR},   {QL_CC_CUBIC, QL_CC_NEWRENO},
	};
	double part[2];

	for (unsigned int i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *a = names[pairs[i][0]], *b = names[pairs[i][1]];
		bool cubic = i == 0;
		double less;

		share(t, pairs[i], part);
		less = part[0] < part[1] ? part[0] : part[1];
		sim_trial_figure(t, part[0], "%", SIM_ABOUT, 0, "", "%s beside %s", a, b);
		sim_trial_figure(t, part[1], "%", SIM_ABOUT, 0, "", "the %s beside it", b);
		sim_trial_figure(t, 100 * less / (part[0] + part[1] - less), "%",
				 cubic ? SIM_AT_LEAST : SIM_ABOUT, 90, cubic ? "own" : "",
				 "the smaller part of the larger");
		sim_trial_figure(t, fairness(part), "", cubic ? SIM_AT_LEAST : SIM_ABOUT, 0.99,
				 cubic ? "own" : "", "Jain's index");
		sim_trial_figure(t, part[0] + part[1], "%", SIM_AT_LEAST, 90, "own", "together");
	}
}

const struct sim_scenario sim_bounds_scenarios[] = {
	{"satellite", "100 MB over 600 ms, with each congestion control", run_satellite, true},
	{"paths", "transfers over slow, fast, long and lopsided paths", run_paths, true},
	{"fill", "how much of 10 Gbit/s, 50 ms is filled", run_fill, true},
	{"fairness", "how two flows share a link", run_fairness, true},
	{NULL, NULL, NULL, false},
};
