// SPDX-License-Identifier: BSD-3-Clause
/*
 * BBRv3: its state machine on a bottleneck of the test's own, and single formulas against the
 * draft's, computed in floating point.
 */
#include "recovery/bbr.h"

#include <math.h>

#include "test_recovery_loss_util.h"

#define SEC    (1000 * MS)
#define FLIGHT 65536 /* packets that the pipe holds at most */

/* ---- A bottleneck ---- */

static struct {
	uint64_t rate; /* bytes a second */
	uint64_t rtt;
	uint64_t queue;	   /* bytes */
	unsigned int loss; /* in a million */
	uint64_t busy;	   /* when what has been sent is through */
	uint64_t seed;
	uint64_t at[FLIGHT]; /* when the ACK of a packet comes; QL_NEVER: lost */
	uint64_t next;	     /* packet that is acknowledged next */
	uint64_t delivered, dropped;
} pipe;

static struct ql_bbr *bbr = &rec.path.cc.bbr;
static bool idle; /* the application has nothing */
/* States in their order, and when they began. */
static uint8_t visited[4096];
static uint64_t since[4096];
static unsigned int n_visited;

static void open_pipe(void)
{
	mem_open();
	now = 1000 * MS;
	record = false;
	idle = false;
	n_visited = 0;
	memset(&pipe, 0, sizeof(pipe));
	pipe.rate = 12500000; /* 100 Mbit/s */
	pipe.rtt = 40 * MS;
	pipe.queue = 500000; /* a BDP */
	pipe.seed = 7;
	ql_rec_init(&rec, &mem, &rec_ops, &mem, &ql_cc_bbr, now, MTU, 0, true);
	rec.confirmed = true;
}

static double path_bdp(void)
{
	return (double)pipe.rate * (double)pipe.rtt * 1e-9;
}

static void note_state(void)
{
	if (n_visited > 0 && visited[n_visited - 1] == bbr->state)
		return;
	CHECK(n_visited < sizeof(visited));
	since[n_visited] = now;
	visited[n_visited++] = bbr->state;
}

static void transmit(void)
{
	uint64_t pn = ql_rec_next_pn(&rec, APP), start = pipe.busy > now ? pipe.busy : now;
	bool full = (start - now) * (pipe.rate / 1000) / MS > pipe.queue;

	CHECK(pn - pipe.next < FLIGHT);
	if (full || below(&pipe.seed, 1000000) < pipe.loss) {
		pipe.at[pn % FLIGHT] = QL_NEVER;
		pipe.dropped++;
	} else {
		pipe.busy = start + MTU * SEC / pipe.rate;
		pipe.at[pn % FLIGHT] = pipe.busy + pipe.rtt;
	}
	send_n(APP, 1);
}

/* Everything at this moment: ACKs that come, time-outs, and what may be sent. */
static void turn(void)
{
	unsigned int space;

	for (; pipe.next < ql_rec_next_pn(&rec, APP); pipe.next++) {
		uint64_t at = pipe.at[pipe.next % FLIGHT];

		if (at == QL_NEVER)
			continue;
		if (at > now)
			break;
		CHECK(ack(APP, pipe.next, pipe.next) == 0);
		pipe.delivered += MTU;
		note_state();
	}
	if (ql_rec_deadline(&rec) <= now)
		for (unsigned int n = ql_rec_on_timeout(&rec, now, &space); n > 0; n--)
			transmit();
	while (!idle && ql_rec_allowance(&rec, now) > 0)
		transmit();
	if (idle && ql_rec_allowance(&rec, now) > 0)
		ql_rec_app_limited(&rec);
}

static void run(uint64_t ns)
{
	uint64_t until = now + ns;

	for (;;) {
		uint64_t t = ql_rec_deadline(&rec), pace;

		turn();
		pace = idle ? QL_NEVER : ql_rec_pace_time(&rec, now);
		t = ql_rec_deadline(&rec) < pace ? ql_rec_deadline(&rec) : pace;
		for (uint64_t pn = pipe.next; pn < ql_rec_next_pn(&rec, APP); pn++) {
			if (pipe.at[pn % FLIGHT] != QL_NEVER) {
				t = pipe.at[pn % FLIGHT] < t ? pipe.at[pn % FLIGHT] : t;
				break;
			}
		}
		if (t > until)
			break;
		now = t > now ? t : now + 1000;
	}
	now = until;
}

/* Run until it is in this state, which must come in so much time. */
static void run_to(enum ql_bbr_state state, uint64_t ns)
{
	uint64_t until = now + ns;

	while (bbr->state != state) {
		ck_assert_msg(now < until, "still %s", ql_bbr_state_name(bbr));
		run(MS / 10);
	}
}

/* ---- The state machine ---- */

START_TEST(test_startup)
{
	uint64_t begin = now;

	ck_assert_str_eq(rec.path.cc.ops->name, "bbr");
	ck_assert_str_eq(ql_bbr_state_name(bbr), "startup");
	ck_assert_uint_eq(rec.path.cc.cwnd, 10 * MTU);
	run(41 * MS);
	/* the first RTT: the initial window at the gain of 2.77 */
	ck_assert_double_eq_tol((double)rec.path.cc.pacing_rate, 2.77 * 12000 / 0.0401, 2000);
	run_to(QL_BBR_DRAIN, SEC);
	ck_assert(bbr->full_bw_reached);
	/* doubled each round trip: log2(500000 / 12000) = 5.4, and three to see that it is full */
	ck_assert_uint_lt(now - begin, 16 * pipe.rtt);
	ck_assert_double_eq_tol((double)bbr->bw, (double)pipe.rate, 0.02 * (double)pipe.rate);
	ck_assert_double_eq_tol((double)rec.path.cc.pacing_rate, 0.5 * 0.99 * (double)bbr->bw,
				1000);
	run_to(QL_BBR_CRUISE, 5 * pipe.rtt);
	ck_assert_double_le((double)rec.path.in_flight, 1.05 * path_bdp());
	ck_assert_double_eq_tol((double)bbr->min_rtt * 1e-6, 40.1, 0.2);
}
END_TEST

/* What may follow on a state, as seen after each ACK. */
static bool may_follow(uint8_t from, uint8_t to)
{
	switch (to) {
	case QL_BBR_STARTUP:
		return from == QL_BBR_PROBE_RTT;
	case QL_BBR_DRAIN:
		return from == QL_BBR_STARTUP;
	case QL_BBR_DOWN:
		return from == QL_BBR_DRAIN || from == QL_BBR_UP;
	case QL_BBR_CRUISE:
		return from == QL_BBR_DRAIN || from == QL_BBR_DOWN || from == QL_BBR_PROBE_RTT;
	case QL_BBR_REFILL:
		return from == QL_BBR_CRUISE || from == QL_BBR_DOWN;
	case QL_BBR_UP:
		return from == QL_BBR_REFILL;
	default:
		return true;
	}
}

START_TEST(test_cycle)
{
	static const double gain[] = {2.77, 0.5, 0.9, 1, 1, 1.25, 1};
	unsigned int seen[QL_BBR_STATES] = {0};
	uint64_t last_probe_rtt = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		run(MS);
		ck_assert_uint_ge(rec.path.cc.cwnd, 4 * MTU);
		if (!bbr->full_bw_reached)
			continue;
		ck_assert_double_eq_tol((double)rec.path.cc.pacing_rate,
					gain[bbr->state] * 0.99 * (double)bbr->bw, 500);
		ck_assert_double_le((double)rec.path.cc.cwnd,
				    2.25 * (double)bbr->bw * (double)bbr->min_rtt * 1e-9 +
					    (double)bbr->extra_acked[0] +
					    (double)bbr->extra_acked[1] + 4 * MTU);
	}
	for (unsigned int i = 0; i < n_visited; i++) {
		uint64_t end = i + 1 < n_visited ? since[i + 1] : now;

		seen[visited[i]]++;
		ck_assert(i == 0 || may_follow(visited[i - 1], visited[i]));
		if (visited[i] == QL_BBR_CRUISE)
			ck_assert_uint_le(end - since[i], 3 * SEC);
		if (visited[i] == QL_BBR_REFILL && end < now)
			ck_assert_uint_le(end - since[i], 3 * pipe.rtt);
		if (visited[i] != QL_BBR_PROBE_RTT)
			continue;
		ck_assert_uint_ge(end - since[i], 200 * MS);
		ck_assert_uint_le(end - since[i], 400 * MS);
		ck_assert_uint_ge(since[i] - last_probe_rtt, 4900 * MS);
		last_probe_rtt = since[i];
	}
	ck_assert_uint_eq(seen[QL_BBR_STARTUP], 1);
	ck_assert_uint_eq(seen[QL_BBR_DRAIN], 1);
	ck_assert_uint_ge(seen[QL_BBR_UP], 4);
	ck_assert_uint_ge(seen[QL_BBR_DOWN], 4);
	ck_assert_uint_ge(seen[QL_BBR_CRUISE], 4);
	ck_assert_uint_ge(seen[QL_BBR_PROBE_RTT], 2);
	ck_assert_double_ge((double)pipe.delivered, 0.95 * 20 * (double)pipe.rate);
}
END_TEST

/* Over a path so long that Startup takes longer than the time between two ProbeRTTs. */
START_TEST(test_long_path)
{
	uint64_t start = now;
	double slow;

	pipe.rate = 2000000;
	pipe.rtt = 1500 * MS;
	pipe.queue = (uint64_t)path_bdp();
	while (bbr->bw < pipe.rate / 10 * 9)
		run(MS);
	/* Doubling once a round trip, from ten datagrams on, would take longer. */
	slow = log2(path_bdp() / (10 * MTU)) * 1.5;
	ck_assert_double_le((double)(now - start) * 1e-9, 0.75 * slow);
	run_to(QL_BBR_DRAIN, 10 * SEC);
	ck_assert_uint_ge(now - start, 5 * SEC);
	ck_assert_uint_eq(n_visited, 2);
	ck_assert_int_eq(visited[0], QL_BBR_STARTUP);
	ck_assert_double_eq_tol((double)bbr->bw, 2000000, 0.02 * 2000000);
}
END_TEST

/* In ProbeRTT half of the BDP is in flight, and the RTT seen is the path's. */
START_TEST(test_probe_rtt)
{
	run_to(QL_BBR_PROBE_RTT, 10 * SEC);
	pipe.rtt = 30 * MS; /* a change that nobody could see behind a queue */
	run(2 * 40 * MS);
	ck_assert_double_le((double)rec.path.in_flight, 0.5 * 12500000 * 0.0402 + MTU);
	ck_assert_uint_ne(rec.path.app_limited, 0); /* its samples say nothing of the path */
	run_to(QL_BBR_CRUISE, SEC);
	ck_assert_double_eq_tol((double)bbr->min_rtt * 1e-6, 30.1, 0.2);
	ck_assert_double_eq_tol((double)bbr->bw, 12500000, 0.02 * 12500000);
}
END_TEST

/* Ten times the rate is found, and a tenth is accepted. */
START_TEST(test_rate_changes)
{
	uint64_t before;

	run(5 * SEC);
	pipe.rate *= 10;
	pipe.queue *= 10;
	run(10 * SEC);
	before = pipe.delivered;
	run(5 * SEC);
	ck_assert_double_ge((double)(pipe.delivered - before), 0.9 * 5 * (double)pipe.rate);
	pipe.rate /= 10;
	pipe.queue /= 10;
	run(12 * SEC);
	ck_assert_double_eq_tol((double)bbr->bw, (double)pipe.rate, 0.03 * (double)pipe.rate);
	before = pipe.delivered;
	run(5 * SEC);
	ck_assert_double_ge((double)(pipe.delivered - before), 0.9 * 5 * (double)pipe.rate);
}
END_TEST

/* Random loss of 1 % is no congestion: the probes see less than 2 %. */
START_TEST(test_random_loss)
{
	uint64_t before;

	pipe.loss = 10000;
	run(3 * SEC);
	before = pipe.delivered;
	run(20 * SEC);
	ck_assert_double_ge((double)(pipe.delivered - before), 0.75 * 20 * (double)pipe.rate);
	pipe.loss = 1000;
	run(5 * SEC);
	before = pipe.delivered;
	run(20 * SEC);
	ck_assert_double_ge((double)(pipe.delivered - before), 0.92 * 20 * (double)pipe.rate);
}
END_TEST

/* A queue of a tenth of the BDP: losses bound what is in flight, in Startup and in each probe. */
START_TEST(test_shallow)
{
	uint64_t dropped, sent;

	pipe.queue /= 10;
	run_to(QL_BBR_DRAIN, 2 * SEC);
	ck_assert(bbr->full_bw_reached);
	run(3 * SEC);
	ck_assert_uint_ne(bbr->inflight_long, QL_BBR_NONE);
	dropped = pipe.dropped;
	sent = rec.stats.sent;
	pipe.delivered = 0;
	run(20 * SEC);
	ck_assert_double_ge((double)pipe.delivered, 0.85 * 20 * (double)pipe.rate);
	ck_assert_double_le((double)(pipe.dropped - dropped),
			    0.02 * (double)(rec.stats.sent - sent));
	ck_assert_double_le((double)bbr->inflight_long, 1.6 * path_bdp());
}
END_TEST

/* While the application is the limit the estimate neither falls nor is Startup left. */
START_TEST(test_app_limited)
{
	uint64_t bw;

	idle = true;
	for (unsigned int i = 0; i < 100; i++) {
		turn();
		transmit();
		run(10 * MS);
	}
	ck_assert_int_eq(bbr->state, QL_BBR_STARTUP);
	ck_assert(!bbr->full_bw_reached);
	idle = false;
	run(3 * SEC);
	bw = bbr->bw;
	idle = true;
	for (unsigned int i = 0; i < 200; i++) {
		turn();
		transmit();
		run(10 * MS);
	}
	ck_assert_uint_ge(bbr->bw, bw * 98 / 100);
	/* from idle: at bw, and no ProbeRTT for it */
	run(10 * SEC);
	ck_assert_uint_eq(rec.path.in_flight, 0);
	turn();
	transmit();
	ck_assert(bbr->idle_restart);
	ck_assert_double_eq_tol((double)rec.path.cc.pacing_rate, 0.99 * (double)bbr->bw, 500);
	idle = false;
	run(41 * MS);
	ck_assert(!bbr->idle_restart);
	ck_assert_int_ne(bbr->state, QL_BBR_PROBE_RTT);
}
END_TEST

/* ---- Single steps ---- */

static void lose(uint64_t largest_sent, bool persistent)
{
	struct ql_cc_loss l = {.now = now,
			       .bytes = MTU,
			       .largest_sent = largest_sent,
			       .persistent = persistent,
			       .rtt = &rec.path.rtt};

	rec.path.cc.ops->on_loss(&rec.path.cc, &l);
}

static void lose_packet(uint64_t tx_in_flight, uint64_t lost)
{
	struct ql_cc_lost l = {.now = now,
			       .pn = 1,
			       .tx_in_flight = tx_in_flight,
			       .lost = lost,
			       .total_delivered = bbr->delivered,
			       .bytes = MTU,
			       .begins = !bbr->in_recovery};

	rec.path.cc.ops->on_lost_packet(&rec.path.cc, &l);
}

/* HandleInflightTooHigh() and InflightAtLoss() */
START_TEST(test_too_high)
{
	double prev = 1000.0 * MTU - MTU, prefix, bdp;

	run(3 * SEC);
	run_to(QL_BBR_UP, 5 * SEC);
	ck_assert(bbr->bw_probe_sample);
	bbr->inflight_long = QL_BBR_NONE;
	bdp = (double)bbr->bw * (double)bbr->min_rtt * 1e-9;
	lose_packet(1000 * MTU, 20 * MTU); /* 2 %, not more */
	ck_assert_int_eq(bbr->state, QL_BBR_UP);
	ck_assert(bbr->loss_in_round);
	lose_packet(1000 * MTU, 20 * MTU + 10);
	ck_assert_int_eq(bbr->state, QL_BBR_DOWN);
	ck_assert(bbr->prev_probe_too_high && !bbr->bw_probe_sample);
	prefix = (0.02 * prev - (19.0 * MTU + 10)) / 0.98;
	ck_assert_double_eq_tol((double)bbr->inflight_long, prev + prefix, 3);
	ck_assert_uint_eq(bbr->undo_state, QL_BBR_UP);
	/* once a probe */
	lose_packet(10 * MTU, 5 * MTU);
	ck_assert_double_eq_tol((double)bbr->inflight_long, prev + prefix, 3);
	/* it was not lost after all: probe again */
	rec.path.cc.ops->on_spurious(&rec.path.cc, now);
	ck_assert_int_eq(bbr->state, QL_BBR_REFILL);
	ck_assert_uint_eq(bbr->inflight_long, QL_BBR_NONE);
	/* never below 0.7 of the BDP */
	run_to(QL_BBR_UP, SEC);
	lose_packet(10 * MTU, 5 * MTU);
	ck_assert_double_eq_tol((double)bbr->inflight_long, 0.7 * bdp, 0.03 * bdp);
}
END_TEST

/* A path that delivers less than what is sent, in Cruise: by 0.7 a round trip at most. */
START_TEST(test_short_term)
{
	uint64_t bw;

	run_to(QL_BBR_CRUISE, 3 * SEC);
	bw = bbr->bw;
	ck_assert_uint_eq(bbr->bw_short, QL_BBR_NONE);
	pipe.rate /= 2;
	pipe.queue = 10 * MTU;
	run(4 * pipe.rtt);
	ck_assert_uint_ne(bbr->bw_short, QL_BBR_NONE);
	ck_assert_uint_lt(bbr->bw, bw * 9 / 10);
	ck_assert_double_ge((double)bbr->bw, 0.49 * (double)bw);
	ck_assert_uint_eq(bbr->bw, bbr->bw_short);
	/* and at the next probe it is forgotten */
	run_to(QL_BBR_REFILL, 4 * SEC);
	ck_assert_uint_eq(bbr->bw_short, QL_BBR_NONE);
	ck_assert_uint_eq(bbr->inflight_short, QL_BBR_NONE);
}
END_TEST

START_TEST(test_undo_startup)
{
	run(300 * MS);
	ck_assert_int_eq(bbr->state, QL_BBR_STARTUP);
	lose_packet(10 * MTU, MTU);
	bbr->undo_state = QL_BBR_STARTUP;
	bbr->full_bw_reached = true;
	bbr->inflight_long = 30 * MTU;
	run_to(QL_BBR_DRAIN, 200 * MS);
	rec.path.cc.ops->on_spurious(&rec.path.cc, now);
	ck_assert_int_eq(bbr->state, QL_BBR_STARTUP);
	ck_assert(!bbr->full_bw_reached);
	ck_assert_uint_eq(bbr->inflight_long, QL_BBR_NONE);
	run_to(QL_BBR_DRAIN, SEC);
	ck_assert_double_eq_tol((double)bbr->bw, (double)pipe.rate, 0.02 * (double)pipe.rate);
}
END_TEST

/* Recovery gives the window back at its end; persistent congestion does not. */
START_TEST(test_recovery)
{
	uint64_t cwnd;

	run_to(QL_BBR_CRUISE, 3 * SEC);
	run(300 * MS); /* Startup's losses are over */
	ck_assert(!bbr->in_recovery);
	cwnd = rec.path.cc.cwnd;
	lose_packet(100 * MTU, MTU);
	lose(now, false);
	ck_assert(bbr->in_recovery);
	ck_assert_uint_eq(rec.path.cc.recovery_end, now + 1);
	ck_assert_uint_eq(bbr->prior_cwnd, cwnd);
	rec.path.cc.cwnd = 50 * MTU;
	run(100 * MS);
	ck_assert(!bbr->in_recovery);
	ck_assert_double_ge((double)rec.path.cc.cwnd, path_bdp());
	lose_packet(100 * MTU, MTU);
	lose(now, true);
	ck_assert_uint_eq(rec.path.cc.cwnd, 2 * MTU);
	run(20 * MS);
	ck_assert_uint_le(rec.path.cc.cwnd, cwnd);
	run(SEC);
	ck_assert_double_ge((double)rec.path.cc.cwnd, path_bdp());
}
END_TEST

/* A mark counts as a loss of the round trip. */
START_TEST(test_ecn)
{
	run_to(QL_BBR_CRUISE, 3 * SEC);
	lose_packet(10 * rec.path.mtu, rec.path.mtu);
	rec.path.cc.ops->on_ecn(&rec.path.cc, now, now);
	ck_assert(bbr->loss_in_round && bbr->in_recovery);
	ck_assert_uint_eq(rec.path.cc.recovery_end, now + 1);
	rec.path.cc.ops->on_ecn(&rec.path.cc, now, now + 5);
	ck_assert_uint_eq(rec.path.cc.recovery_end, now + 1);
	run(3 * pipe.rtt);
	ck_assert_uint_ne(bbr->bw_short, QL_BBR_NONE);
}
END_TEST

RUN("recovery/bbr", open_pipe, close_rec, test_startup, test_cycle, test_long_path, test_probe_rtt,
    test_rate_changes, test_random_loss, test_shallow, test_app_limited, test_too_high,
    test_short_term, test_undo_startup, test_recovery, test_ecn)
