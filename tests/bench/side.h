/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For benches of engines without ports: a server's engine or a client's, with its application, and a
 * turn of it, in which what it sends becomes the other's next input.
 */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include <time.h>

#include "base/floors.h"
#include "sim/app.h"

#define BURST 64

enum { SERVER, CLIENT };

struct side {
	const char *name;
	struct ql_engine *engine;
	struct sim_app app;
	struct ql_tls_ctx *tls;
	struct ql_datagram in[BURST];
	unsigned int n_in;
	uint64_t cycles; /* in turns that were not interrupted */
	struct ql_floors floors;
};

/* What arrived, what crossed over, timers, what is to be sent. Returns the datagrams that moved. */
static inline unsigned int side_turn(struct side *me, struct side *other, uint64_t now)
{
	unsigned int n_in = me->n_in, n;

	ql_engine_rx(me->engine, me->in, n_in, now);
	me->n_in = 0;
	ql_engine_rx_crossed(me->engine, now);
	ql_engine_tick(me->engine, now);
	n = ql_engine_tx(me->engine, other->in, BURST, now);
	for (unsigned int i = 0; i < n; i++) {
		struct ql_path *path = &other->in[i].path;
		struct ql_addr swap = path->local;

		path->local = path->remote;
		path->remote = swap;
	}
	other->n_in = n;
	return n_in + n;
}

static inline struct ql_engine_stats side_stats(const struct side *side)
{
	struct ql_engine_stats s;

	ql_engine_stats(side->engine, &s);
	return s;
}

/* Of this thread. */
static inline double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif
