// SPDX-License-Identifier: BSD-3-Clause
/*
 * Whether engines of one process cost each other anything: one server engine and its client by
 * themselves, and two such pairs in turn, whose servers share a mesh, on one lcore. Prints the cycles
 * of a packet for each, of rounds that alternate, and the median of their ratios; the exit code is 1
 * if that is above 1.05.
 *
 * Each pair works for some turns at a time, and by a clock that stands still meanwhile, as it would
 * on an lcore of its own, where neither cache nor time is shared.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "bench/side.h"
#include "sim/env.h"

#define PAIRS	2
#define TURNS	4096
#define ROUNDS	9
#define BYTES	UINT64_C(100000000) /* of a pair */
#define POOL	32767
#define ALLOWED 1.05

static double cycles_per_ns;
static uint64_t stood; /* TSC: so long the clock of the pair that works stood still */

static uint64_t now_ns(void)
{
	return (uint64_t)((double)(rte_rdtsc() - stood) / cycles_per_ns);
}

static void open_pair(struct side sides[2], unsigned int index, struct ql_mesh *mesh,
		      struct rte_mempool *pool)
{
	const struct ql_transport t = {.udp_payload_max = 1472, .initial_rtt_ns = QL_NSEC_PER_MSEC};
	const struct sim_job job = {.streams = 1, .download = BYTES, .keep_open = true};
	const struct ql_path path = {
		.local = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}, .port = 1024},
		.remote = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .port = 443}};
	struct ql_proto proto;

	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_config config = {.lcore_index = (uint16_t)index,
						  .socket_id = -1,
						  .tx_pool = pool,
						  .mesh = i == SERVER ? mesh : NULL,
						  .seed = {(uint8_t)(1 + 2 * index + i)}};

		memset(&sides[i], 0, sizeof(sides[i]));
		sides[i].engine = ql_engine_create(&config);
		if (!sides[i].engine)
			err(1, "no engine");
		sides[i].tls = i == SERVER ? sim_env_tls_server() : sim_env_tls_client();
		sim_app_init(&sides[i].app, i == CLIENT ? &job : NULL);
		sides[i].app.by_reference = sides[i].app.no_check = true;
	}
	proto = sim_app_proto(&sides[SERVER].app);
	if (ql_listen(sides[SERVER].engine, 443, sides[SERVER].tls, &t, &proto, 1) < 0 ||
	    sim_app_connect(&sides[CLIENT].app, sides[CLIENT].engine, sides[CLIENT].tls, &t, &path,
			    now_ns()) < 0)
		errx(1, "no server or no connection");
	while (sides[CLIENT].app.connected == 0) {
		side_turn(&sides[CLIENT], &sides[SERVER], now_ns());
		side_turn(&sides[SERVER], &sides[CLIENT], now_ns());
	}
}

static uint64_t packets(const struct side sides[2])
{
	struct ql_engine_stats s[2];

	for (unsigned int i = 0; i < 2; i++)
		ql_engine_stats(sides[i].engine, &s[i]);
	if (s[SERVER].crossed_out > 0)
		errx(1, "%lu packets crossed", s[SERVER].crossed_out);
	return s[SERVER].tx_packets + s[CLIENT].tx_packets;
}

/* Cycles of the thread for each packet that n pairs send. */
static double run(unsigned int n, struct rte_mempool *pool)
{
	struct ql_mesh_config config = {.engines = n, .socket_id = -1, .seed = {1}};
	struct ql_mesh *mesh = ql_mesh_create(&config);
	static struct side pairs[PAIRS][2];
	uint64_t left[PAIRS] = {0}, stands[PAIRS] = {0}, sent = 0;
	double spent;
	bool busy = true;

	if (!mesh)
		err(1, "no mesh");
	for (unsigned int i = 0; i < n; i++) {
		stood = 0;
		open_pair(pairs[i], i, mesh, pool);
		left[i] = rte_rdtsc();
		sent -= packets(pairs[i]);
	}
	spent = cpu_seconds() * 1e9;
	while (busy) {
		busy = false;
		for (unsigned int i = 0; i < n; i++) {
			const struct sim_app *app = &pairs[i][CLIENT].app;

			stood = stands[i] += rte_rdtsc() - left[i];
			for (unsigned int k = 0; k < TURNS && app->complete == 0; k++) {
				side_turn(&pairs[i][CLIENT], &pairs[i][SERVER], now_ns());
				side_turn(&pairs[i][SERVER], &pairs[i][CLIENT], now_ns());
			}
			left[i] = rte_rdtsc();
			busy |= app->complete == 0;
		}
	}
	spent = cpu_seconds() * 1e9 - spent;
	for (unsigned int i = 0; i < n; i++) {
		sent += packets(pairs[i]);
		for (unsigned int k = 0; k < 2; k++) {
			for (unsigned int d = 0; d < pairs[i][k].n_in; d++)
				rte_pktmbuf_free(pairs[i][k].in[d].mbuf);
			ql_engine_free(pairs[i][k].engine);
			ql_tls_ctx_free(pairs[i][k].tls);
			if (pairs[i][k].app.errors > 0)
				errx(1, "%s", pairs[i][k].app.error);
		}
	}
	ql_mesh_free(mesh);
	return spent * cycles_per_ns / (double)sent;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(void)
{
	struct rte_mempool *pool;
	double ratios[ROUNDS];

	sim_env_init_huge(512);
	cycles_per_ns = (double)rte_get_tsc_hz() * 1e-9;
	pool = sim_env_pool("bench", POOL, 1472);
	run(PAIRS, pool); /* pages and caches */
	for (unsigned int i = 0; i < ROUNDS; i++) {
		double alone = run(1, pool), both = run(PAIRS, pool);

		ratios[i] = both / alone;
		printf("cycles a packet, both ends: one engine %7.1f   two %7.1f   %.3f\n", alone,
		       both, ratios[i]);
	}
	qsort(ratios, ROUNDS, sizeof(ratios[0]), by_value);
	printf("median %.3f\n", ratios[ROUNDS / 2]);
	return ratios[ROUNDS / 2] > ALLOWED;
}
