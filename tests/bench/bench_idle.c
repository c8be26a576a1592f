// SPDX-License-Identifier: BSD-3-Clause
/*
 * What connections cost that do nothing: a server's and a client's engine in one process make as
 * many as asked for, each with a request of one byte, and then keep them alive for a while by PINGs.
 * Prints the bytes of each, from which pool of the engine they are and which tables belong to it,
 * and the time a PING and its acknowledgement take. The exit code is 1 if a connection is lost.
 *
 * Time is simulated. Handshakes are resumed ones but for the first, unless --full says otherwise.
 */
#include <err.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_mbuf.h>

#include "engine/impl.h"
#include "bench/side.h"
#include "sim/env.h"

#define POOL	   8191
#define AT_A_TIME  64
#define TURN	   (5 * QL_NSEC_PER_USEC)
#define STEP	   QL_NSEC_PER_MSEC
#define KEEP_ALIVE (20 * QL_NSEC_PER_SEC)
#define IDLE	   (60 * QL_NSEC_PER_SEC)

struct options {
	unsigned int conns, seconds;
	bool full, json;
};

static uint64_t now = QL_NSEC_PER_SEC;

/* Bytes of the heap that are in use: TLS, and what this program and its application note. */
static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Until nobody has anything more to say at this time. */
static void settle(struct side sides[2])
{
	while (side_turn(&sides[CLIENT], &sides[SERVER], now) +
		       side_turn(&sides[SERVER], &sides[CLIENT], now) >
	       0)
		now += TURN;
}

static void open_sides(struct side sides[2], const struct options *o)
{
	struct ql_transport t = {.idle_timeout_ns = IDLE};
	struct sim_job job = {.streams = 1, .download = 1, .keep_open = true};
	struct rte_mempool *pool = sim_env_pool("bench", POOL, 2048);
	struct ql_proto proto;

	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_config config = {
			.name = i == SERVER ? "server" : "client",
			.limits = {.connections = o->conns + AT_A_TIME,
				   .handshakes = 4 * AT_A_TIME,
				   .memory = (UINT64_C(64) << 20) + UINT64_C(8192) * o->conns},
			.lcore_index = (uint16_t)i,
			.socket_id = -1,
			.tx_pool = pool,
			.seed = {(uint8_t)i}};
		struct side *s = &sides[i];

		s->name = config.name;
		s->engine = ql_engine_create(&config);
		if (!s->engine)
			err(1, "no engine for %u connections", o->conns);
		s->tls = i == SERVER ? sim_env_tls_server() : sim_env_tls_client();
		sim_app_init(&s->app, i == CLIENT ? &job : NULL);
		s->app.use_session = !o->full;
	}
	proto = sim_app_proto(&sides[SERVER].app);
	if (ql_listen(sides[SERVER].engine, 443, sides[SERVER].tls, &t, &proto, 1) < 0)
		errx(1, "cannot listen");
}

static void connect_one(struct side *client, unsigned int i)
{
	struct ql_transport t = {.idle_timeout_ns = IDLE,
				 .keep_alive_ns = KEEP_ALIVE,
				 .initial_rtt_ns = QL_NSEC_PER_MSEC};
	struct ql_path path = {
		.local = {.ip = {[10] = 0xff, [11] = 0xff, 10, (uint8_t)(i / 50000), 0, 2},
			  .port = (uint16_t)(1024 + i % 50000)},
		.remote = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .port = 443}};
	int rc = sim_app_connect(&client->app, client->engine, client->tls, &t, &path, now);

	if (rc < 0)
		errx(1, "cannot connect for the %u. time: %s", i + 1, strerror(-rc));
}

static void connect_all(struct side sides[2], unsigned int conns)
{
	const struct sim_app *app = &sides[CLIENT].app;
	unsigned int started = 0;

	while (app->complete < conns && app->closed == 0) {
		/* the first one alone: the others resume its session */
		while (started < conns && started < app->complete + (app->complete ? AT_A_TIME : 1))
			connect_one(&sides[CLIENT], started++);
		if (side_turn(&sides[CLIENT], &sides[SERVER], now) +
			    side_turn(&sides[SERVER], &sides[CLIENT], now) ==
		    0)
			now += STEP;
		now += TURN;
	}
	if (app->closed > 0)
		errx(1, "a connection was closed (cause %d, error 0x%lx %s) when %u were made",
		     app->close.cause, (unsigned long)app->close.error, app->reason, app->complete);
}

static void live(struct side sides[2], uint64_t ns)
{
	for (uint64_t end = now + ns; now < end; now += STEP)
		settle(sides);
}

/* Of one connection: what the engine's pools hold, and its share of the tables. */
static double print_pools(const struct side *s, const struct options *o)
{
	const struct ql_engine *e = s->engine;
	double conns = e->stats.conns, all = (double)e->mem.used / conns;
	double tables = (sizeof(*e->table.slots) + sizeof(*e->table.free)) *
				(double)e->table.n_slots / conns +
			(double)sizeof(*e->timers) * e->limits.connections / conns +
			(double)sizeof(*e->resets.buckets) * (e->resets.mask + 1.) / conns;

	if (!o->json)
		printf("%s: of each connection\n", s->name);
	for (unsigned int c = 0; c < QL_MEM_CLASSES && !o->json; c++) {
		size_t block, n = ql_mem_count(&e->mem, c, &block);

		if ((double)n >= conns / 100)
			printf("  %8.2f blocks of %5zu  %8.0f bytes\n", (double)n / conns, block,
			       (double)n * (double)block / conns);
	}
	if (!o->json)
		printf("  %30s %8.0f bytes\n  %30s %8.0f bytes\n", "all blocks", all, "tables",
		       tables);
	return all + tables;
}

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"conns", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
		{"full", no_argument, NULL, 'f'},	 {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	 {0},
	};
	struct options o = {.conns = 10000, .seconds = 60};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.conns = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 's':
			o.seconds = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o.full = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'h':
			puts("bench_idle [--conns N] [--seconds N] [--full] [--json]\n"
			     "  conns    connections [10000]\n"
			     "  seconds  simulated, to keep them alive [60]\n"
			     "  full     no handshake resumes a session");
			exit(0);
		default:
			exit(1);
		}
	}
	if (o.conns == 0 || o.conns > 5000000 || o.seconds == 0)
		errx(1, "conns is from 1 to 5000000, seconds at least 1; see --help");
	return o;
}

int main(int argc, char **argv)
{
	static struct side sides[2];
	struct options o = parse(argc, argv);
	double begun, made, bytes[2];
	uint64_t packets;
	size_t at_first;
	unsigned int lost;

	sim_env_init();
	open_sides(sides, &o);
	at_first = heap();
	begun = cpu_seconds();
	connect_all(sides, o.conns);
	made = cpu_seconds() - begun;
	live(sides, 5 * QL_NSEC_PER_SEC); /* tickets, ACKs, and what waits for them to go */
	for (unsigned int i = 0; i < 2; i++)
		bytes[i] = print_pools(&sides[i], &o);

	packets = side_stats(&sides[CLIENT]).rx_packets + side_stats(&sides[SERVER]).rx_packets;
	begun = cpu_seconds();
	live(sides, o.seconds * QL_NSEC_PER_SEC);
	begun = cpu_seconds() - begun;
	packets = side_stats(&sides[CLIENT]).rx_packets + side_stats(&sides[SERVER]).rx_packets -
		  packets;
	lost = 2 * o.conns - side_stats(&sides[CLIENT]).conns - side_stats(&sides[SERVER]).conns;
	if (o.json)
		printf("{\"bench\": \"idle\", \"conns\": %u, \"resumed\": %s, \"server_bytes\": "
		       "%.0f, "
		       "\"client_bytes\": %.0f, \"heap_bytes\": %.0f, \"connect_cpu_s\": %.1f, "
		       "\"kept_s\": %u, \"packets\": %lu, \"packet_ns\": %.0f, \"lost\": %u}\n",
		       o.conns, o.full ? "false" : "true", bytes[SERVER], bytes[CLIENT],
		       ((double)heap() - (double)at_first) / o.conns, made, o.seconds, packets,
		       begun * 1e9 / (double)(packets ? packets : 1), lost);
	else
		printf("%u connections: %.1f us of CPU to make one, %.0f bytes of each on the "
		       "heap\n"
		       "%u s kept alive: %lu packets, %.0f ns each; %u ends lost\n",
		       o.conns, made * 1e6 / o.conns, ((double)heap() - (double)at_first) / o.conns,
		       o.seconds, packets, begun * 1e9 / (double)(packets ? packets : 1), lost);
	return lost > 0;
}
