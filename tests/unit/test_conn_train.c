// SPDX-License-Identifier: BSD-3-Clause
/*
 * Trains are what the loop makes that they take the place of. A connection that is watched has none: so
 * whole transfers are compared with and without somebody who watches.
 */
#include "test_engine_util.h"

#include <rte_mbuf.h>

/* Somebody who takes every connection, and looks away. */
static int anybody;

static void *start(struct ql_tracer *tracer UNUSED, const struct ql_conn *conn UNUSED)
{
	return &anybody;
}
static void state(void *trace UNUSED, const struct ql_conn *conn UNUSED)
{
}
static void params(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		   const struct ql_tparams *tp UNUSED, bool local UNUSED)
{
}
static void key(void *trace UNUSED, const struct ql_conn *conn UNUSED, enum ql_level level UNUSED,
		bool write UNUSED, enum ql_trace_key what UNUSED, bool by_peer UNUSED)
{
}
static void sent(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		 const struct ql_seal_job *job UNUSED, unsigned int flags UNUSED,
		 const struct ql_path *path UNUSED)
{
}
static void received(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		     enum ql_pkt_type type UNUSED, const struct ql_open_job *job UNUSED,
		     const struct ql_path *path UNUSED)
{
}
static void answered(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		     const struct ql_pkt_hdr *hdr UNUSED)
{
}
static void dropped(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		    enum ql_drop reason UNUSED)
{
}
static void lost(void *trace UNUSED, const struct ql_conn *conn UNUSED, unsigned int space UNUSED,
		 uint64_t pn UNUSED, const struct ql_sent_pkt *pkt UNUSED, bool late UNUSED)
{
}
static void path(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		 const struct ql_conn_path *path_ UNUSED, enum ql_trace_path what UNUSED)
{
}
static void stream(void *trace UNUSED, const struct ql_conn *conn UNUSED,
		   const struct ql_stream *s UNUSED, bool open UNUSED)
{
}
static void datagram(void *trace UNUSED, const struct ql_conn *conn UNUSED, size_t len UNUSED,
		     bool from_app UNUSED)
{
}

static struct ql_tracer watcher = {
	.start = start,
	.end = state,
	.state = state,
	.params = params,
	.key = key,
	.sent = sent,
	.received = received,
	.answered = answered,
	.dropped = dropped,
	.lost = lost,
	.metrics = state,
	.path = path,
	.stream = stream,
	.datagram = datagram,
};

/* Everything that both sides have sent, in order. */
struct record {
	uint64_t hash;
	uint64_t datagrams;
	uint64_t trains; /* times at which one could begin */
	const struct sim_pair *pair;
};

static void add(struct record *r, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		r->hash = (r->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static bool look(void *arg, struct ql_datagram *d, uint64_t now)
{
	struct record *r = arg;

	r->datagrams++;
	add(r, &now, sizeof(now));
	add(r, &d->ecn, sizeof(d->ecn));
	add(r, d->path.remote.ip, sizeof(d->path.remote.ip));
	add(r, rte_pktmbuf_mtod(d->mbuf, void *), d->mbuf->data_len);
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_conn *conn = r->pair->app[i].conn;
		struct ql_stream_train t;

		r->trains += conn && ql_streams_train(&conn->streams, 1000, &t);
	}
	return true;
}

/* One run by a seed: as much or as little, as many streams, over whatever link it says. */
static void transfer(uint64_t seed, bool watched, struct record *r)
{
	uint64_t x = seed;
	struct ql_engine_config config[2] = {
		[SIM_SERVER] = {.name = "server", .socket_id = -1},
		[SIM_CLIENT] = {.name = "client", .lcore_index = 1, .socket_id = -1},
	};
	struct sim_job job = {
		.streams = 1 + (unsigned int)sim_below(&x, 3),
		.download = sim_below(&x, 3000 * KB),
		.upload = sim_below(&x, 1000 * KB),
	};
	struct sim_link link = {
		.rate = sim_below(&x, 2) ? 0 : 50 * SIM_MILLION,
		.delay = sim_below(&x, 20 * MS),
		.queue = 200,
		.loss = sim_below(&x, 2) ? 0 : (unsigned int)sim_below(&x, SIM_MILLION / 50),
		.mark = sim_below(&x, 3) ? 0 : SIM_MILLION / 100,
	};
	struct sim_pair p;

	*r = (struct record){.hash = UINT64_C(0xcbf29ce484222325), .pair = &p};
	config[SIM_SERVER].tracer = config[SIM_CLIENT].tracer = watched ? &watcher : NULL;
	sim_pair_open_with(&p, seed, config, NULL, &job);
	p.app[SIM_SERVER].by_reference = sim_below(&x, 2);
	p.app[SIM_CLIENT].by_reference = sim_below(&x, 2);
	sim_set_turn(p.sim, sim_below(&x, 2) * MS / 2);
	sim_pair_link(&p, &link);
	for (unsigned int i = 0; i < 2; i++) {
		sim_link(p.sim, i)->filter = look;
		sim_link(p.sim, i)->arg = r;
	}
	ck_assert_int_eq(sim_pair_connect(&p), 0);
	run_out(&p, 300 * SEC);
	ck_assert_uint_eq(p.app[SIM_CLIENT].complete, job.streams);
	finish(&p);
}

START_TEST(same_without)
{
	struct record with, without;

	transfer((uint64_t)_i, false, &with);
	transfer((uint64_t)_i, true, &without);
	ck_assert_uint_eq(with.datagrams, without.datagrams);
	ck_assert_uint_eq(with.hash, without.hash);
}
END_TEST

/* There are trains to be had in most of these transfers. */
START_TEST(there_are_some)
{
	unsigned int some = 0;

	for (uint64_t seed = 0; seed < 6; seed++) {
		struct record r;

		transfer(seed, false, &r);
		some += r.trains > r.datagrams / 4;
	}
	ck_assert_uint_ge(some, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn/train");
	TCase *tc;

	tc = new_case(s, "as the loop");
	tcase_add_loop_test(tc, same_without, 0, 16);
	tcase_add_test(tc, there_are_some);
	return run_suite(s);
}
