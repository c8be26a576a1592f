// SPDX-License-Identifier: BSD-3-Clause
/*
 * What QUIC costs without a network: a server's and a client's engine on one lcore that hand their
 * datagrams to each other by pointer, as fast as they go. Prints goodput and cycles for each
 * packet, and how many connections a second can be made.
 *
 * Time is the thread's CPU time, in seconds and in cycles of the TSC, so that neighbours on the
 * machine matter less. How it divides between the sides comes from the TSC at the edges of each
 * burst, without those turns in which the thread was interrupted. Built with -Dfloors=true it also
 * prints how each side's cycles divide over the parts of a packet's way (base/floors.h).
 *
 * The bytes are sent by reference and not checked, as a file server does it.
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "base/floors.h"
#include "bench/side.h"
#include "sim/env.h"

#define POOL 32767

/* Bytes of --requests and of their replies; the first 16 of a request say what they are. */
#define REQUEST 100
#define REPLY	1024

/* No turn takes so long by itself, ns; with handshakes in it, it may. */
#define INTERRUPTED	      (200 * QL_NSEC_PER_USEC)
#define INTERRUPTED_HANDSHAKE (20 * QL_NSEC_PER_MSEC)

struct options {
	uint64_t bytes, requests;
	unsigned int streams, conns, handshakes, udp_payload, runs;
	bool upload, copy, check, resume, json;
};

struct result {
	double seconds, wall; /* of CPU, and on the clock */
	uint64_t bytes, datagrams, packets, lost, handshakes;
	double cycles[2];
	struct ql_floors floors[2];
};

static double cycles_per_ns;
static uint64_t epoch;
static uint64_t turn_ns, turns; /* a turn takes so long, whatever it takes; 0: it is timed */

static uint64_t now_ns(void)
{
	if (turn_ns)
		return QL_NSEC_PER_SEC + turns * turn_ns;
	return (uint64_t)((double)(rte_rdtsc() - epoch) / cycles_per_ns) + QL_NSEC_PER_SEC;
}

/* ---- The loop ---- */

static uint64_t interrupted;

/* One turn: what arrived, timers, what is to be sent, which is the other side's next input. */
static void turn(struct side *me, struct side *other)
{
	uint64_t start = rte_rdtsc(), now = now_ns();
	unsigned int moved;

#if QL_WITH_FLOORS
	ql_floors_use(&me->floors);
#endif
	moved = side_turn(me, other, now);
	turns++;
#if QL_WITH_FLOORS
	ql_floors_use(NULL);
#endif
	start = rte_rdtsc() - start;
	if (moved > 0 && start < interrupted)
		me->cycles += start;
}

static void connect_one(struct side *client, const struct options *o)
{
	static uint32_t count;
	struct ql_transport t = {.udp_payload_max = (uint16_t)o->udp_payload,
				 .max_data = UINT64_C(64) << 20,
				 .max_stream_data = UINT64_C(16) << 20,
				 .initial_rtt_ns = QL_NSEC_PER_MSEC};
	struct ql_path path = {
		.local = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}},
		.remote = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .port = 443}};
	int rc;

	path.local.port = (uint16_t)(1024 + count % 60000);
	path.local.ip[13] = (uint8_t)(count++ / 60000);
	rc = sim_app_connect(&client->app, client->engine, client->tls, &t, &path, now_ns());
	if (rc < 0)
		errx(1, "cannot connect: %s", strerror(-rc));
}

static void open_sides(struct side sides[2], const struct options *o, const struct sim_job *job,
		       struct rte_mempool *pool)
{
	struct ql_transport t = {.udp_payload_max = (uint16_t)o->udp_payload,
				 .max_data = UINT64_C(64) << 20,
				 .max_stream_data = UINT64_C(16) << 20,
				 .initial_rtt_ns = QL_NSEC_PER_MSEC};
	struct ql_proto proto;

	memset(sides, 0, 2 * sizeof(*sides));
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_engine_config config = {.name = i == SERVER ? "server" : "client",
						  .lcore_index = (uint16_t)i,
						  .socket_id = -1,
						  .tx_pool = pool,
						  .seed = {(uint8_t)i}};
		struct side *s = &sides[i];

		s->name = config.name;
		s->engine = ql_engine_create(&config);
		if (!s->engine)
			err(1, "no engine");
		s->tls = i == SERVER ? sim_env_tls_server() : sim_env_tls_client();
		sim_app_init(&s->app, i == CLIENT ? job : NULL);
		s->app.by_reference = !o->copy;
		s->app.no_check = !o->check;
	}
	proto = sim_app_proto(&sides[SERVER].app);
	if (ql_listen(sides[SERVER].engine, 443, sides[SERVER].tls, &t, &proto, 1) < 0)
		errx(1, "cannot listen");
}

/* From when on to measure. */
struct mark {
	uint64_t at;
	double cpu;
};

static struct mark begin(struct side sides[2], uint64_t longest)
{
	interrupted = turn_ns ? UINT64_MAX : (uint64_t)((double)longest * cycles_per_ns);
	for (unsigned int i = 0; i < 2; i++) {
		sides[i].cycles = 0;
		sides[i].floors = (struct ql_floors){.longest = interrupted};
	}
	return (struct mark){.at = now_ns(), .cpu = cpu_seconds()};
}

static void end(const struct mark *m, const struct side sides[2], struct result *r)
{
	double all = (double)(sides[0].cycles + sides[1].cycles);

	r->seconds = cpu_seconds() - m->cpu;
	r->wall = (double)(now_ns() - m->at) * 1e-9;
	for (unsigned int i = 0; i < 2; i++) {
		r->cycles[i] = r->seconds * 1e9 * cycles_per_ns * (double)sides[i].cycles / all;
		r->floors[i] = sides[i].floors;
	}
}

static void close_sides(struct side sides[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < sides[i].n_in; k++)
			rte_pktmbuf_free(sides[i].in[k].mbuf);
		ql_engine_free(sides[i].engine);
		ql_tls_ctx_free(sides[i].tls);
		if (sides[i].app.errors)
			errx(1, "%s: %s", sides[i].name, sides[i].app.error);
	}
}

/* ---- What is measured ---- */

static void check_alive(uint64_t started, const struct side sides[2])
{
	if (now_ns() - started > 120 * QL_NSEC_PER_SEC)
		errx(1, "no end in sight: %u of %u streams complete", sides[CLIENT].app.complete,
		     sides[CLIENT].app.job.streams);
}

/* Handshakes first, then everything from the first byte to the last is counted. */
static struct result transfer(const struct options *o, struct rte_mempool *pool)
{
	uint64_t each = o->bytes / o->conns / o->streams, start;
	struct sim_job job = {.keep_open = true};
	struct ql_engine_stats before[2], after[2];
	struct side sides[2];
	struct result r = {0};
	struct mark mark;

	job.download = o->upload ? 0 : each;
	job.upload = o->upload ? each : 0;
	job.streams = o->streams;
	if (o->requests > 0) {
		job.streams = (unsigned int)(o->requests / o->conns);
		job.upload = REQUEST - 16;
		job.download = REPLY;
	}
	open_sides(sides, o, &job, pool);
	start = now_ns();
	for (unsigned int i = 0; i < o->conns; i++)
		connect_one(&sides[CLIENT], o);
	/* The first turn that moves stream data comes after the last handshake's. */
	while (sides[CLIENT].app.connected < o->conns) {
		turn(&sides[CLIENT], &sides[SERVER]);
		turn(&sides[SERVER], &sides[CLIENT]);
		check_alive(start, sides);
	}
	for (unsigned int i = 0; i < 2; i++)
		before[i] = side_stats(&sides[i]);
	r.bytes = sides[CLIENT].app.received + sides[SERVER].app.received;
	mark = begin(sides, INTERRUPTED);
	for (unsigned int n = 0; sides[CLIENT].app.complete < o->conns * job.streams; n++) {
		turn(&sides[CLIENT], &sides[SERVER]);
		turn(&sides[SERVER], &sides[CLIENT]);
		if (n % 65536 == 0)
			check_alive(start, sides);
	}
	end(&mark, sides, &r);
	r.bytes = sides[CLIENT].app.received + sides[SERVER].app.received - r.bytes;
	for (unsigned int i = 0; i < 2; i++) {
		after[i] = side_stats(&sides[i]);
		r.datagrams += after[i].tx_datagrams - before[i].tx_datagrams;
		r.packets += after[i].tx_packets - before[i].tx_packets;
		r.lost += after[i].lost_packets - before[i].lost_packets;
	}
	close_sides(sides);
	return r;
}

/* A whole connection, to have something to resume. */
static void first_session(struct side sides[2], const struct options *o)
{
	uint64_t start = now_ns();

	sides[CLIENT].app.use_session = true;
	connect_one(&sides[CLIENT], o);
	while (sides[CLIENT].app.complete == 0 || sides[CLIENT].app.sessions == 0) {
		turn(&sides[CLIENT], &sides[SERVER]);
		turn(&sides[SERVER], &sides[CLIENT]);
		check_alive(start, sides);
	}
}

/* Connections one after another, a few at a time, each with a request of one byte. */
static struct result handshakes(const struct options *o, struct rte_mempool *pool)
{
	struct sim_job job = {.streams = 1, .download = 1};
	unsigned int started = 0, first = 0, at_a_time = 8;
	struct side sides[2];
	struct result r = {0};
	struct mark mark;

	open_sides(sides, o, &job, pool);
	if (o->resume) {
		first_session(sides, o);
		started = first = 1;
	}
	mark = begin(sides, INTERRUPTED_HANDSHAKE);
	while (sides[CLIENT].app.complete < o->handshakes + first) {
		while (started < o->handshakes + first &&
		       started < sides[CLIENT].app.complete + at_a_time) {
			uint64_t c = rte_rdtsc();

			connect_one(&sides[CLIENT], o);
			sides[CLIENT].cycles += rte_rdtsc() - c;
			started++;
		}
		turn(&sides[CLIENT], &sides[SERVER]);
		turn(&sides[SERVER], &sides[CLIENT]);
		check_alive(mark.at, sides);
	}
	end(&mark, sides, &r);
	r.handshakes = o->handshakes;
	if (sides[CLIENT].app.resumed != (o->resume ? o->handshakes : 0))
		errx(1, "%u of %u handshakes resumed", sides[CLIENT].app.resumed, o->handshakes);
	close_sides(sides);
	return r;
}

/* ---- Output ---- */

/* How the cycles divide; the other floor has what lies between the turns as well. */
static void print_floors(const struct options *o, const struct result *r)
{
	double packets = (double)r->packets, mark = ql_floors_mark();
	unsigned int tx = o->upload ? CLIENT : SERVER;

	printf("cycles of a mark: %.0f, which are taken off\n%-12s %9s %9s\n", mark, "floor",
	       "sender", "receiver");
	for (enum ql_floor i = 0; i < QL_FLOORS; i++) {
		double part[2];

		for (unsigned int k = 0; k < 2; k++) {
			const struct ql_floors *f = &r->floors[k ? 1 - tx : tx];

			part[k] = ((double)f->cycles[i] - mark * (double)f->marks[i]) / packets;
		}
		printf("%-12s %9.1f %9.1f\n", ql_floor_name(i), part[0], part[1]);
	}
}

static void print_transfer(const struct options *o, const struct result *r)
{
	double packets = (double)r->packets, gbits = (double)r->bytes * 8e-9 / r->seconds;
	/* Whoever sends the bytes, and whoever gets them. */
	double tx = r->cycles[o->upload ? CLIENT : SERVER] / packets;
	double rx = r->cycles[o->upload ? SERVER : CLIENT] / packets;
	double kilobytes = (double)r->bytes / 1000;
	double cycles = r->cycles[0] + r->cycles[1];

	if (o->json)
		printf("{\"bench\": \"engine\", \"what\": \"transfer\", \"conns\": %u, "
		       "\"streams\": %u, \"udp_payload\": %u, \"direction\": \"%s\", "
		       "\"bytes\": %lu, \"cpu_s\": %.4f, \"wall_s\": %.4f, \"gbit_s\": %.3f, "
		       "\"packets\": %lu, "
		       "\"datagrams\": %lu, \"lost\": %lu, \"cycles_packet\": %.1f, "
		       "\"cycles_packet_sender\": %.1f, \"cycles_packet_receiver\": %.1f, "
		       "\"cycles_kb\": %.1f}\n",
		       o->conns, o->streams, o->udp_payload, o->upload ? "up" : "down", r->bytes,
		       r->seconds, r->wall, gbits, r->packets, r->datagrams, r->lost, tx + rx, tx,
		       rx, cycles / kilobytes);
	else
		printf("%5u conns %5u streams %5u B %-4s %9.3f Gbit/s %10lu packets %6lu lost   "
		       "cycles a packet: %7.1f  sender %7.1f  receiver %7.1f   a kB: %7.1f\n",
		       o->conns, o->streams, o->udp_payload, o->upload ? "up" : "down", gbits,
		       r->packets, r->lost, tx + rx, tx, rx, cycles / kilobytes);
}

static void print_handshakes(const struct options *o, const struct result *r)
{
	double n = (double)r->handshakes, rate = n / r->seconds;
	double us[2];

	for (unsigned int i = 0; i < 2; i++)
		us[i] = r->cycles[i] / cycles_per_ns / n / 1000;
	if (o->json)
		printf("{\"bench\": \"engine\", \"what\": \"handshakes\", \"resumed\": %s, "
		       "\"count\": %lu, "
		       "\"cpu_s\": %.4f, \"wall_s\": %.4f, \"per_second\": %.0f, \"server_us\": "
		       "%.1f, "
		       "\"client_us\": %.1f}\n",
		       o->resume ? "true" : "false", r->handshakes, r->seconds, r->wall, rate,
		       us[SERVER], us[CLIENT]);
	else
		printf("%8lu handshakes   %8.0f a second, both sides   server %6.1f us   "
		       "client %6.1f us\n",
		       r->handshakes, rate, us[SERVER], us[CLIENT]);
}

static void usage(void)
{
	puts("bench_engine [--bytes N] [--streams N] [--conns N] [--direction up|down]\n"
	     "             [--udp-payload N] [--handshakes N] [--runs N] [--copy] [--check] "
	     "[--resume] [--json]\n"
	     "             [--requests N] [--turn NS]\n"
	     "  bytes          of stream data in all [2000000000]; 0 for no transfer\n"
	     "  requests       of 100 bytes for replies of a kilobyte, as many at a time as a\n"
	     "                 connection may have, in place of streams and bytes\n"
	     "  handshakes     connections to make one after another [2000]; 0 for none\n"
	     "  runs           of which the best is printed [3]\n"
	     "  copy           give stream data by copy, not by reference\n"
	     "  check          compare what arrives\n"
	     "  resume         handshakes go on from a session of an earlier one\n"
	     "  turn           say that each turn takes so long, and use no hugepages: each run "
	     "does\n"
	     "                 the same, for tests/bench/instructions.py");
	exit(0);
}

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"bytes", required_argument, NULL, 'b'},
		{"streams", required_argument, NULL, 's'},
		{"conns", required_argument, NULL, 'c'},
		{"direction", required_argument, NULL, 'd'},
		{"udp-payload", required_argument, NULL, 'u'},
		{"handshakes", required_argument, NULL, 'n'},
		{"runs", required_argument, NULL, 'r'},
		{"copy", no_argument, NULL, 'y'},
		{"check", no_argument, NULL, 'k'},
		{"resume", no_argument, NULL, 'e'},
		{"requests", required_argument, NULL, 'q'},
		{"turn", required_argument, NULL, 't'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options o = {.bytes = 2000000000,
			    .streams = 1,
			    .conns = 1,
			    .handshakes = 2000,
			    .udp_payload = 1472,
			    .runs = 3};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (c) {
		case 'b':
			o.bytes = n;
			break;
		case 's':
			o.streams = n ? (unsigned int)n : 1;
			break;
		case 'c':
			o.conns = n ? (unsigned int)n : 1;
			break;
		case 'd':
			o.upload = strcmp(optarg, "up") == 0;
			break;
		case 'u':
			o.udp_payload = (unsigned int)n;
			break;
		case 'n':
			o.handshakes = (unsigned int)n;
			break;
		case 'r':
			o.runs = n ? (unsigned int)n : 1;
			break;
		case 'y':
			o.copy = true;
			break;
		case 'k':
			o.check = true;
			break;
		case 'e':
			o.resume = true;
			break;
		case 'q':
			o.requests = n;
			break;
		case 't':
			turn_ns = n;
			break;
		case 'j':
			o.json = true;
			break;
		case 'h':
			usage();
			break;
		default:
			exit(1);
		}
	}
	return o;
}

/* The best of several runs: neighbours on the machine only make it slower. */
static struct result best(const struct options *o, struct rte_mempool *pool,
			  struct result (*run)(const struct options *, struct rte_mempool *))
{
	struct result r = run(o, pool), again;

	for (unsigned int i = 1; i < o->runs; i++) {
		again = run(o, pool);
		if (again.cycles[0] + again.cycles[1] < r.cycles[0] + r.cycles[1])
			r = again;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct rte_mempool *pool;
	struct result r;

	if (turn_ns)
		sim_env_init();
	else
		sim_env_init_huge(256);
	cycles_per_ns = (double)rte_get_tsc_hz() * 1e-9;
	epoch = rte_rdtsc();
	pool = sim_env_pool("bench", POOL, o.udp_payload > 2048 ? o.udp_payload : 2048);
	if (o.bytes > 0) {
		r = best(&o, pool, transfer);
		print_transfer(&o, &r);
		if (QL_WITH_FLOORS && !o.json)
			print_floors(&o, &r);
	}
	if (o.handshakes > 0) {
		r = best(&o, pool, handshakes);
		print_handshakes(&o, &r);
	}
	return 0;
}
