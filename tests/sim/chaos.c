// SPDX-License-Identifier: BSD-3-Clause
/*
 * Everything drawn from the seed. What has to hold in any case is in trial.h; where nothing drawn
 * is worse than what a connection has to survive, all streams of all connections must be complete.
 */
#include <stdlib.h>

#include "sim/trial.h"

#define MS	  QL_NSEC_PER_MSEC
#define SEC	  QL_NSEC_PER_SEC
#define MAX_BYTES UINT64_C(3000000) /* of all streams of a trial */
#define LEAST_MTU 1472		    /* of links, and the most to begin with */

/* How a trial's connections end. */
enum ending {
	WHEN_DONE, /* the client closes */
	IDLE,	   /* nobody does */
	CLIENT,	   /* closes at some time */
	SERVER,	   /* the same */
	REFUSED,   /* by the server's application */
	FREED,	   /* one of the engines goes away with all its connections */
	ENDINGS,
};

struct chaos {
	uint64_t random;
	struct sim_trial *t;
	enum ending ending;
	struct ql_transport transport[2];
	struct sim_job job;
	unsigned int conns;
	struct sim_link link[2];
	struct sim_event events[SIM_EVENTS];
	unsigned int n_events;
	uint64_t gap; /* ns between two connections' starts, at most */
	bool survivable;
	/* Of each side: engines, and whether a datagram may come to any of them. */
	unsigned int engines[2];
	bool spread[2];
	struct ql_mesh *mesh[2];
};

static uint64_t below(struct chaos *c, uint64_t n)
{
	return sim_below(&c->random, n);
}

static bool once_in(struct chaos *c, unsigned int n)
{
	return below(c, n) == 0;
}

static uint64_t between(struct chaos *c, uint64_t least, uint64_t most)
{
	return least + below(c, most - least + 1);
}

/* The same, small numbers as likely as large ones. */
static uint64_t magnitude(struct chaos *c, uint64_t least, uint64_t most)
{
	uint64_t limit = least;

	while (limit < most && !once_in(c, 8))
		limit *= 2;
	return between(c, least, limit < most ? limit : most);
}

/* A chance in a million of at most `most`, and often none. */
static unsigned int maybe(struct chaos *c, unsigned int most)
{
	return once_in(c, 3) ? (unsigned int)below(c, most) : 0;
}

static void draw_transport(struct chaos *c, struct ql_transport *t)
{
	t->idle_timeout_ns = between(c, 5, 40) * SEC;
	t->max_data = magnitude(c, 5000, 16 << 20);
	t->max_stream_data = magnitude(c, 2000, 4 << 20);
	t->max_data_cap = magnitude(c, 5000, 64 << 20);
	t->max_stream_data_cap = magnitude(c, 2000, 64 << 20);
	t->max_streams_bidi = magnitude(c, 1, 200);
	t->send_buffer = magnitude(c, 1000, 256 << 10);
	t->initial_rtt_ns = between(c, 20, 333) * MS;
	t->ack_delay_ns = between(c, 1, 25) * MS;
	t->udp_payload = (uint16_t)between(c, 1200, LEAST_MTU);
	t->udp_payload_max = (uint16_t)between(c, 1200, 2048);
	t->fixed_udp_payload = once_in(c, 8);
	t->congestion = (enum ql_congestion)below(c, QL_CC_BBR + 1);
	t->no_ecn = once_in(c, 8);
	t->early_data = !once_in(c, 3);
}

static void draw_link(struct chaos *c, struct sim_link *l)
{
	l->rate = once_in(c, 4) ? 0 : magnitude(c, 1000000, 1000000000);
	l->delay = magnitude(c, 100, 300000) * QL_NSEC_PER_USEC;
	l->queue = once_in(c, 2) ? (unsigned int)between(c, 10, 300) : 0;
	l->mtu = once_in(c, 3) ? (unsigned int)between(c, LEAST_MTU, 2048) : 0;
	l->loss = maybe(c, SIM_MILLION / 15);
	l->duplicate = maybe(c, SIM_MILLION / 10);
	l->corrupt = maybe(c, SIM_MILLION / 30);
	l->reorder = maybe(c, SIM_MILLION / 10);
	l->reorder_delay = between(c, 1, 50) * MS;
	l->mark = maybe(c, SIM_MILLION / 10);
	l->mark_above = once_in(c, 3) ? (unsigned int)between(c, 1, 100) : 0;
	l->ecn = once_in(c, 3) ? (enum sim_ecn)below(c, SIM_ECN_FAULTS) : SIM_ECN_RIGHT;
	l->burst_begin = maybe(c, SIM_MILLION / 200);
	l->burst_length = magnitude(c, 1, 200) * MS;
	l->burst_loss = (unsigned int)below(c, SIM_MILLION);
}

static void draw_event(struct chaos *c, struct sim_event *e)
{
	*e = (struct sim_event){
		.at = between(c, 0, 3000) * MS,
		.lasts = between(c, 20, 2000) * MS,
		.node = (unsigned int)below(c, 2),
		.kind = (enum sim_event_kind)below(c, SIM_EVENT_KINDS),
	};
	switch (e->kind) {
	case SIM_EVENT_RATE:
		e->value = magnitude(c, 200000, 100000000);
		break;
	case SIM_EVENT_DELAY:
		e->value = magnitude(c, 100, 500000) * QL_NSEC_PER_USEC;
		break;
	case SIM_EVENT_DOWN:
		e->value = 1;
		break;
	case SIM_EVENT_MTU:
		e->value = between(c, 200, 1400);
		break;
	case SIM_EVENT_ECN:
		e->value = below(c, SIM_ECN_FAULTS);
		break;
	case SIM_EVENT_BURST:
		e->value = below(c, SIM_MILLION / 50);
		break;
	default:
		e->value = below(c, SIM_MILLION / 2);
	}
}

static void draw(struct chaos *c)
{
	uint64_t share;

	c->conns = (unsigned int)magnitude(c, 1, once_in(c, 10) ? 40 : 6);
	c->job.streams = (unsigned int)magnitude(c, 1, once_in(c, 10) ? 200 : 12);
	share = MAX_BYTES / 2 / c->conns / c->job.streams;
	c->job.download = once_in(c, 8) ? 0 : magnitude(c, 1, share);
	c->job.upload = once_in(c, 2) ? 0 : magnitude(c, 1, share);
	c->job.close_code = below(c, 1000);
	c->job.close_reason = once_in(c, 2) ? "enough" : NULL;
	c->gap = below(c, 100) * MS;
	c->ending = once_in(c, 2) ? (enum ending)below(c, ENDINGS) : WHEN_DONE;
	c->job.keep_open = c->ending == IDLE;
	c->survivable = c->ending == WHEN_DONE;
	for (unsigned int i = 0; i < 2; i++) {
		draw_transport(c, &c->transport[i]);
		draw_link(c, &c->link[i]);
	}
	c->n_events = once_in(c, 2) ? (unsigned int)below(c, 7) : 0;
	for (unsigned int i = 0; i < c->n_events; i++)
		draw_event(c, &c->events[i]);
	/* Events may add up to more than a time-out. */
	c->survivable &= c->n_events == 0;
}

/* From random numbers of their own, so that all else is what it would be with one engine a side. */
static void draw_engines(struct chaos *c)
{
	uint64_t random = c->t->seed * UINT64_C(104729);

	for (unsigned int i = 0; i < 2; i++) {
		c->engines[i] = 1;
		if (sim_below(&random, i == SIM_SERVER ? 3 : 6) == 0)
			c->engines[i] = 2 + (unsigned int)sim_below(&random, 7);
		c->spread[i] = sim_below(&random, 2);
	}
}

static void open_engines(struct chaos *c)
{
	struct ql_engine_config config[2] = {0};
	struct sim_pair *p = &c->t->pair;

	for (unsigned int i = 0; i < 2; i++) {
		if (c->engines[i] > 1)
			c->mesh[i] = sim_pair_mesh(c->engines[i], c->spread[i]);
		config[i].mesh = c->mesh[i];
	}
	sim_trial_open_engines(c->t, config, &c->transport[SIM_SERVER], &c->job);
	for (unsigned int i = 0; i < 2; i++) {
		if (c->mesh[i])
			sim_pair_widen(p, i, &config[i], c->engines[i], c->spread[i]);
	}
	for (unsigned int i = 0; i < sim_pair_nodes(p); i++)
		*sim_link(p->sim, i) = c->link[sim_pair_side(p, i)];
}

/* ---- Endings ---- */

static void close_one(void *arg)
{
	struct chaos *c = arg;
	unsigned int side = c->ending == CLIENT ? SIM_CLIENT : SIM_SERVER;
	struct ql_conn *conn = c->t->pair.app[side].conn;

	if (conn)
		ql_conn_close(conn, 99, "chaos");
}

static void begin_ending(struct chaos *c)
{
	struct sim_app *app = c->t->pair.app;

	if (c->ending == REFUSED)
		app[SIM_SERVER].refuse = 17;
	for (unsigned int i = 0; i < 3 && (c->ending == CLIENT || c->ending == SERVER); i++)
		sim_at(c->t->pair.sim, sim_now(c->t->pair.sim) + below(c, 1000) * MS, close_one, c);
	if (!once_in(c, 5))
		return;
	c->survivable = false;
	for (unsigned int i = 0; i < 2; i++) {
		app[i].random = &c->random;
		app[i].reset_chance = maybe(c, SIM_MILLION / 10);
		app[i].stop_chance = maybe(c, SIM_MILLION / 10);
	}
}

/* ---- */

void sim_chaos(struct sim_trial *t)
{
	struct chaos c = {.random = t->seed, .t = t};

	draw(&c);
	draw_engines(&c);
	open_engines(&c);
	t->pair.transport[SIM_CLIENT] = c.transport[SIM_CLIENT];
	t->abandoned = c.ending == FREED;
	for (unsigned int i = 0; i < 2; i++)
		t->pair.app[i].by_reference = once_in(&c, 2);
	if (once_in(&c, 3))
		sim_set_turn(t->pair.sim, magnitude(&c, 1, 2000) * QL_NSEC_PER_USEC);
	begin_ending(&c);
	sim_trial_script(t, c.events, c.n_events);
	t->pair.app[SIM_CLIENT].use_session = !once_in(&c, 3);
	for (unsigned int i = 0; i < c.conns; i++) {
		sim_trial_connect(t, 1);
		sim_run(t->pair.sim, below(&c, c.gap + 1), NULL, NULL);
	}
	if (c.ending == FREED)
		sim_run(t->pair.sim, magnitude(&c, 1, 2000) * MS, NULL, NULL);
	else
		sim_trial_run(t, 3600 * SEC);
	if (c.survivable)
		sim_trial_complete(t);
	sim_trial_close(t);
	for (unsigned int i = 0; i < 2; i++)
		ql_mesh_free(c.mesh[i]);
}
