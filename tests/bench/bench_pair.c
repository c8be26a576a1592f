// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a server and its client cost, with all that is below them as in use: one line of JSON for
 * tests/bench/run.sh. Bulk in both directions, requests, idle connections; see --help.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "bench/load.h"

#define AT_A_TIME 64 /* handshakes */
#define HEADERS	  28 /* bytes of IPv4 and UDP */

struct options {
	enum pair_link link;
	uint32_t conns, streams, memory, seconds, timeout;
	uint16_t udp_payload;
	uint64_t request, reply, count, rate, keep_alive, turn;
	bool http, check, hold, small_pages, checksums;
};

static const char *option_link(const struct ql_option *option, void *to, const char *value)
{
	(void)option;
	for (enum pair_link l = PAIR_RING; l <= PAIR_TAP; l++) {
		if (strcmp(value, pair_link_name(l)) == 0) {
			*(enum pair_link *)to = l;
			return NULL;
		}
	}
	return "ring, lcores, memif or tap";
}

#define FIELD(name) offsetof(struct options, name)

static const struct ql_option table[] = {
	{"link", "NAME",
	 "ring (one lcore), lcores (a ring, two lcores), memif (two\nprocesses) or tap (one lcore, "
	 "needs a network namespace) [ring]",
	 option_link, FIELD(link)},
	{"conns", "N", "connections [1]", ql_option_u32, FIELD(conns), 1, 4000000},
	{"streams", "N", "requests at a time on each [1]", ql_option_u32, FIELD(streams), 1,
	 100000},
	{"request", "BYTES", "of a request, 8 at least [8]", ql_option_u64, FIELD(request), 8,
	 UINT64_C(1) << 40},
	{"reply", "BYTES", "of a reply [100M]", ql_option_u64, FIELD(reply), 0, UINT64_C(1) << 40},
	{"count", "N", "requests in all [conns x streams]", ql_option_u64, FIELD(count), 1,
	 UINT64_C(1) << 32},
	{"rate", "N", "requests a second [as fast as it goes]", ql_option_u64, FIELD(rate), 1,
	 UINT64_C(1) << 32},
	{"http", NULL, "over HTTP/3, not the performance protocol", ql_option_flag, FIELD(http)},
	{"hold", NULL, "leave all requests unfinished, and then look at the memory", ql_option_flag,
	 FIELD(hold)},
	{"idle", "SECONDS", "no requests: keep the connections for so long", ql_option_u32,
	 FIELD(seconds), 1, 3600},
	{"keep-alive", "SECONDS", "a PING of each connection so often [none]", ql_option_u64,
	 FIELD(keep_alive), 1, 3600},
	{"udp-payload", "BYTES", "of a full datagram [1472]", ql_option_u16, FIELD(udp_payload),
	 1200, 9200},
	{"memory", "MB", "of each engine [256]", ql_option_u32, FIELD(memory), 16, 1 << 20},
	{"small-pages", NULL, "no hugepages, so that memory is the kernel's count", ql_option_flag,
	 FIELD(small_pages)},
	{"checksums", NULL, "made in software; else UDP goes without, as where NICs\nmake them",
	 ql_option_flag, FIELD(checksums)},
	{"check", NULL, "compare what comes", ql_option_flag, FIELD(check)},
	{"turn", "NS",
	 "say that each turn takes so long, and use no hugepages: each\nrun does the same, for "
	 "tests/bench/instructions.py; on a ring",
	 ql_option_u64, FIELD(turn), 1, 1000000},
	{"timeout", "SECONDS", "give up after so long [120]", ql_option_u32, FIELD(timeout), 1,
	 36000},
	{NULL},
};

static void help(void)
{
	printf("usage: bench_pair [OPTIONS]\n\nOptions [default]:\n");
	ql_options_help(table);
}

static struct options o = {.conns = 1,
			   .streams = 1,
			   .request = 8,
			   .reply = 100000000,
			   .udp_payload = 1472,
			   .memory = 256,
			   .timeout = 120};

static struct pair pair;
static struct load load;

static void check_time(uint64_t now, const char *what, uint64_t have, uint64_t all)
{
	static uint64_t began;

	if (began == 0)
		began = now;
	if (now - began > o.timeout * QL_NSEC_PER_SEC)
		errx(1, "no end in sight: %" PRIu64 " of %" PRIu64 " %s", have, all, what);
}

static void connect_all(void)
{
	uint32_t begun = 0;

	while (load.connected < o.conns) {
		/* the first one by itself: addresses are resolved for it */
		uint32_t most = load.connected > 0 ? AT_A_TIME : 1;

		while (begun < o.conns && begun - load.connected < most)
			load_connect(&load, &pair, begun++);
		check_time(pair_turn(&pair), "connections", load.connected, o.conns);
	}
}

static void wait(uint64_t ns)
{
	uint64_t end = pair_now() + ns;

	while (pair_turn(&pair) < end)
		;
}

/* Requests until so many are done. */
static void ask_until(uint64_t done)
{
	for (unsigned int n = 0; load.done < done; n++) {
		uint64_t now = pair_turn(&pair);

		if (o.rate > 0)
			load_tick(&load, now);
		if (n % 1024 == 0)
			check_time(now, "requests", load.done, done);
	}
}

/* ---- Output ---- */

static void print_side(enum pair_side side, unsigned int from, unsigned int to)
{
	const struct pair_figures *a = &pair.at[from][side], *b = &pair.at[to][side];
	uint64_t drops = 0;

	for (unsigned int i = 0; i < QL_DROP_MAX; i++)
		drops += b->engine.drops[i] - a->engine.drops[i];
	for (unsigned int i = 0; i < QL_NET_DROP_MAX; i++)
		drops += b->lane.drops[i] - a->lane.drops[i];
	printf(", \"%s\": {\"cycles\": %.0f, \"turns\": %" PRIu64 ", \"interrupted\": %" PRIu64
	       ", \"rx_packets\": %" PRIu64 ", \"tx_packets\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"drops\": %" PRIu64 ", \"pools\": %" PRIu64 ", \"resident\": %" PRIu64,
	       side == PAIR_SERVER ? "server" : "client", pair_cycles(&pair, from, to, side),
	       b->turns - a->turns, b->interrupted - a->interrupted,
	       b->engine.rx_packets - a->engine.rx_packets,
	       b->engine.tx_packets - a->engine.tx_packets,
	       b->engine.lost_packets - a->engine.lost_packets, drops, b->engine.memory_used,
	       b->resident);
#if QL_WITH_FLOORS
	for (enum ql_floor i = 0; i < QL_FLOORS; i++)
		printf("%s\"%s\": [%" PRIu64 ", %" PRIu64 "]", i ? ", " : ", \"floors\": {",
		       ql_floor_name(i), b->floors.cycles[i] - a->floors.cycles[i],
		       b->floors.marks[i] - a->floors.marks[i]);
	printf("}");
#endif
	printf("}");
}

/* first: the first request that counts. */
static void print(unsigned int from, unsigned int to, uint64_t first)
{
	uint64_t n = load.done - first;

	printf("{\"bench\": \"pair\", \"link\": \"%s\", \"protocol\": \"%s\", \"conns\": %u, "
	       "\"streams\": %u, \"udp_payload\": %u, \"request\": %" PRIu64 ", \"reply\": %" PRIu64
	       ", \"requests\": %" PRIu64
	       ", \"wall_s\": %.6f, \"cpu_s\": %.6f, \"tsc_hz\": %" PRIu64
	       ", \"handshakes_s\": %.3f, \"hugepages\": %s, \"base\": %" PRIu64,
	       pair_link_name(o.link), o.http ? "h3" : "perf", o.conns, o.streams, o.udp_payload,
	       o.request, o.reply, n, (double)(pair.time[to] - pair.time[from]) * 1e-9,
	       (double)(pair.cpu[to] - pair.cpu[from]) * 1e-9, rte_get_tsc_hz(),
	       (double)(pair.time[from] - pair.time[0]) * 1e-9,
	       rte_eal_has_hugepages() ? "true" : "false", pair.resident);
	if (n > 0)
		printf(", \"latency_us\": {\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f}",
		       (double)load_latency(&load, first, 0.5) * 1e-3,
		       (double)load_latency(&load, first, 0.99) * 1e-3,
		       (double)load_latency(&load, first, 0.999) * 1e-3);
	if (QL_WITH_FLOORS)
		printf(", \"mark\": %.1f", ql_floors_mark());
	print_side(PAIR_SERVER, from, to);
	print_side(PAIR_CLIENT, from, to);
	printf("}\n");
}

/* ---- What is measured ---- */

/* Handshakes and a tenth of the requests come first, if there are many. */
static void requests(void)
{
	uint64_t all = o.count, first = all / 10, sent = all * (o.request - 8);

	if (all < 4 * (uint64_t)o.conns * o.streams)
		first = 0;
	load_begin(&load, pair_now());
	ask_until(first);
	pair_mark(&pair);
	ask_until(all);
	pair_mark(&pair);
	load.running = false;
	load.over = true;
	if (!o.http && pair.at[2][PAIR_SERVER].received != sent)
		errx(1, "the server has %" PRIu64 " bytes of requests, not %" PRIu64,
		     pair.at[2][PAIR_SERVER].received, sent);
	print(1, 2, first);
}

/* Connections that have nothing to do, and streams that wait. */
static void idle(void)
{
	wait(QL_NSEC_PER_SEC);
	pair_mark(&pair);
	if (o.hold) {
		load_begin(&load, pair_now());
		while (load.started < o.count)
			check_time(pair_turn(&pair), "streams", load.started, o.count);
	}
	wait((o.seconds ? o.seconds : 1) * QL_NSEC_PER_SEC);
	pair_mark(&pair);
	load.running = false;
	load.over = true;
	if (pair.at[2][PAIR_SERVER].engine.conns != o.conns)
		errx(1, "the server has %u connections, not %u",
		     pair.at[2][PAIR_SERVER].engine.conns, o.conns);
	print(1, 2, 0);
}

int main(int argc, char **argv)
{
	struct pair_config config = {.longest = QL_NSEC_PER_MSEC};
	struct load_config lc;

	ql_program = "bench_pair";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			help();
			return EXIT_SUCCESS;
		}
	}
	if (ql_options_read(table, &o, "bench", argc - 1, argv + 1, NULL) < 0)
		return EXIT_FAILURE;
	if (o.http && o.hold) {
		ql_complain("--hold is for the performance protocol, not for --http");
		return EXIT_FAILURE;
	}
	if (o.turn && o.link != PAIR_RING) {
		ql_complain("--turn is for --link ring: other links have a clock of their own");
		return EXIT_FAILURE;
	}
	if (o.count == 0)
		o.count = (uint64_t)o.conns * o.streams;
	lc = (struct load_config){.conns = o.conns,
				  .streams = o.streams,
				  .request = o.request,
				  .reply = o.reply,
				  .count = o.count,
				  .rate = (double)o.rate,
				  .http = o.http,
				  .check = o.check,
				  .hold = o.hold};
	config.link = o.link;
	config.mtu = o.udp_payload + HEADERS;
	config.conns = o.conns;
	config.memory = o.memory;
	config.small_pages = o.small_pages || o.turn;
	config.turn = o.turn;
	config.checksums = o.checksums;
	config.longest *= 1 + o.udp_payload / 1500;
	load_init(&load, &lc, o.udp_payload);
	if (o.keep_alive > 0) { /* and a connection without it ends */
		load.transport.keep_alive_ns = o.keep_alive * QL_NSEC_PER_SEC;
		load.transport.idle_timeout_ns = 3 * load.transport.keep_alive_ns;
	}
	pair_open(&pair, &config, load_serve, &load);
	pair_mark(&pair);
	connect_all();
	if (o.hold || o.seconds)
		idle();
	else
		requests();
	pair_close(&pair);
	load_free(&load);
	return EXIT_SUCCESS;
}
