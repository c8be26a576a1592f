// SPDX-License-Identifier: BSD-3-Clause
/*
 * Transfers between our client and our server, joined by rings, both on the one lcore that runs
 * this: goodput, requests a second, and what a packet costs at both ends together; by HTTP, or by
 * the performance protocol in both directions. No kernel, no loss, no delay but the time that the
 * two take.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include <qlane/http3.h>

#include "perf.h"
#include "rings.h"
#include "stack.h"

#define PORT	    4433
#define TIMEOUT_NS  (60 * QL_NSEC_PER_SEC)
#define MAX_REPEAT  100
#define CHECK_TURNS 16

struct options {
	struct ql_net_options net;
	const char *cert, *key, *alpn;
	uint64_t bytes;
	uint32_t streams, connections, requests, repeat;
	bool json, verify, perf;
};

/* One transfer's figures. */
struct result {
	uint64_t cycles, ns, bytes;
	uint64_t packets, frames; /* QUIC's, of both directions; on the rings */
	uint64_t lost, turns, requests;
	uint64_t handshake_ns;
};

static struct bench {
	struct options o;
	uint8_t *data; /* what is sent: a response's bytes */
	uint64_t size; /* of a response */
	struct ql_stack server, client;
	struct ql_http_server *http;
	struct ql_perf_server perf;
	/* of the transfer that runs */
	unsigned int connected, closed, done, failed;
	uint64_t got;
	uint64_t handshake_ns;
	struct ql_http_conn **conns;
} bench;

struct request {
	uint64_t at;
};

static const struct ql_option table[] = {
	{"cert", "FILE", "certificate, PEM", ql_option_string, offsetof(struct options, cert)},
	{"key", "FILE", "its private key, PEM", ql_option_string, offsetof(struct options, key)},
	{"bytes", "N", "of content in all, from server to client [100M]", ql_option_u64,
	 offsetof(struct options, bytes), 1, UINT64_C(100000000000)},
	{"streams", "N", "requests at a time on a connection, of equal size [1]", ql_option_u32,
	 offsetof(struct options, streams), 1, 10000},
	{"connections", "N", "that share the bytes [1]", ql_option_u32,
	 offsetof(struct options, connections), 1, 10000},
	{"perf", NULL, "by the performance protocol, down and then up, instead of HTTP",
	 ql_option_flag, offsetof(struct options, perf)},
	{"requests", "N", "with --perf: on each connection in all [as many as --streams]",
	 ql_option_u32, offsetof(struct options, requests), 1, 100000000},
	{"repeat", "N", "transfers; the best and the median count [5]", ql_option_u32,
	 offsetof(struct options, repeat), 1, MAX_REPEAT},
	{"alpn", "NAME", "h3 or hq-interop [h3]", ql_option_alpns, offsetof(struct options, alpn)},
	{"verify", NULL, "compare every byte", ql_option_flag, offsetof(struct options, verify)},
	{"json", NULL, "one line of JSON for each transfer", ql_option_flag,
	 offsetof(struct options, json)},
	QL_NET_OPTION_ROWS(struct options, net),
	{NULL},
};

static void help(void)
{
	printf("usage: bench_loopback EAL-ARGUMENTS -- --cert FILE --key FILE [OPTIONS]\n\n"
	       "Options [default]:\n");
	ql_options_help(table);
	printf("\nbench_loopback -l 1 --no-pci --in-memory -- --cert cert.pem --key key.pem\n");
}

/* Server. */

static void on_request(struct ql_http_request *req, void *arg)
{
	const struct ql_http_body body = {.data = bench.data, .len = bench.size};

	(void)arg;
	ql_http_respond(req, 200, NULL, 0, &body);
}

static const struct ql_http_server_ops server_ops = {.request = on_request};

/* Client. */

static void on_data(struct ql_http_request *req, const uint8_t *data, size_t len)
{
	struct request *r = ql_http_user(req);

	if (bench.o.verify &&
	    (r->at + len > bench.size || memcmp(data, bench.data + r->at, len) != 0))
		bench.failed++;
	r->at += len;
	bench.got += len;
	ql_http_credit(req, len);
}

static void on_done(struct ql_http_request *req, int error)
{
	struct request *r = ql_http_user(req);

	bench.done++;
	bench.failed += error || r->at != bench.size;
	free(r);
}

static const struct ql_http_response_ops response_ops = {.data = on_data, .done = on_done};

static void on_connected(struct ql_http_conn *conn, void *arg)
{
	struct ql_conn_stats s;

	(void)arg;
	ql_conn_stats(ql_http_quic(conn), &s);
	bench.handshake_ns += s.handshake_ns;
	bench.connected++;
}

static void on_closed(struct ql_http_conn *conn, const struct ql_close_info *info, void *arg)
{
	struct ql_http_conn **place = arg;

	(void)conn;
	if (bench.connected < bench.o.connections)
		ql_complain("connection failed: %s %s", ql_err_name(info->error), info->reason);
	*place = NULL;
	bench.closed++;
}

static const struct ql_http_client_ops client_ops = {
	.connected = on_connected,
	.closed = on_closed,
};

/* Transfers. */

static void turn(void)
{
	for (int i = 0; i < CHECK_TURNS; i++) {
		ql_lane_poll(bench.client.lanes[0].lane, ql_lane_now());
		ql_lane_poll(bench.server.lanes[0].lane, ql_lane_now());
	}
}

/* Turn until *count is n; false when that takes too long or something failed. */
static bool wait_for(const unsigned int *count, unsigned int n)
{
	uint64_t end = ql_lane_now() + TIMEOUT_NS;

	while (*(const volatile unsigned int *)count < n) {
		turn();
		if (bench.failed || ql_lane_now() > end) {
			ql_complain(bench.failed ? "a transfer failed" : "a transfer hangs");
			return false;
		}
	}
	return true;
}

static bool open_connections(struct ql_tls_ctx *tls)
{
	const struct ql_net_options net = ql_rings_neighbour(&bench.o.net);
	struct ql_transport transport = ql_stack_transport(&bench.client, &net);
	struct ql_path path = {.local = net.devices.at[0].ip.at[0].addr,
			       .remote = bench.o.net.devices.at[0].ip.at[0].addr};

	path.remote.port = PORT;
	for (unsigned int i = 0; i < bench.o.connections; i++) {
		int rc;

		path.local.port = (uint16_t)(20000 + i);
		rc = ql_http_connect(bench.client.lanes[0].engine, &path, tls, "bench", &transport,
				     bench.o.alpn, &client_ops, &bench.conns[i], NULL,
				     ql_lane_now(), &bench.conns[i]);
		if (rc < 0) {
			ql_complain("connection %u: %s", i, strerror(-rc));
			return false;
		}
	}
	return wait_for(&bench.connected, bench.o.connections);
}

static bool ask(void)
{
	for (unsigned int i = 0; i < bench.o.connections * bench.o.streams; i++) {
		struct ql_http_conn *conn = bench.conns[i % bench.o.connections];
		struct request *r = calloc(1, sizeof(*r));
		int rc = r ? ql_http_get(conn, "bench", "/", &response_ops, r, NULL) : -ENOMEM;

		if (rc < 0) {
			ql_complain("request %u: %s", i, strerror(-rc));
			free(r);
			return false;
		}
	}
	return true;
}

static void count(struct result *r, int sign)
{
	const struct ql_stack *ends[2] = {&bench.server, &bench.client};

	for (int i = 0; i < 2; i++) {
		struct ql_engine_stats e;
		struct ql_lane_stats l;

		ql_engine_stats(ends[i]->lanes[0].engine, &e);
		ql_lane_stats(ends[i]->lanes[0].lane, &l);
		r->packets += sign * e.tx_packets;
		r->lost += sign * e.lost_packets;
		r->frames += sign * l.tx_frames;
		r->turns += sign * l.turns;
	}
}

static bool transfer(struct ql_tls_ctx *tls, struct result *r)
{
	uint64_t start_ns, start;
	bool good;

	memset(r, 0, sizeof(*r));
	bench.connected = bench.closed = bench.done = 0;
	bench.got = bench.handshake_ns = 0;
	good = open_connections(tls);
	count(r, -1);
	start_ns = ql_lane_now();
	start = rte_rdtsc();
	good = good && ask() && wait_for(&bench.done, bench.o.connections * bench.o.streams);
	r->cycles = rte_rdtsc() - start;
	r->ns = ql_lane_now() - start_ns;
	count(r, 1);
	r->bytes = bench.got;
	r->requests = bench.done;
	r->handshake_ns = bench.handshake_ns / bench.o.connections;
	for (unsigned int i = 0; i < bench.o.connections; i++) {
		if (bench.conns[i])
			ql_http_close(bench.conns[i]);
	}
	return good && wait_for(&bench.closed, bench.o.connections);
}

/* By the performance protocol, in one direction. */
static bool perf_transfer(struct ql_tls_ctx *tls, bool up, struct result *r)
{
	const struct ql_net_options net = ql_rings_neighbour(&bench.o.net);
	const struct ql_perf_network network = {
		.engine = bench.client.lanes[0].engine,
		.tls = tls,
		.transport = ql_stack_transport(&bench.client, &net),
		.ip = net.devices.at[0].ip,
	};
	struct ql_perf_options options = {
		.to = bench.o.net.devices.at[0].ip.at[0].addr,
		.sni = "bench",
		.upload = up ? bench.size : 0,
		.download = up ? 0 : bench.size,
		.connections = bench.o.connections,
		.streams = bench.o.requests,
		.parallel = bench.o.streams,
	};
	uint64_t end = ql_lane_now() + TIMEOUT_NS, start = rte_rdtsc();
	const struct ql_perf_figure *figure;
	const struct ql_perf_stats *stats;
	struct ql_perf *perf;
	bool good;

	memset(r, 0, sizeof(*r));
	options.to.port = PORT;
	perf = ql_perf_new(&options);
	if (!perf)
		return false;
	count(r, -1);
	good = ql_perf_start(perf, &network, ql_lane_now());
	while (good && !ql_perf_ended(perf) && ql_lane_now() < end)
		turn();
	r->cycles = rte_rdtsc() - start;
	count(r, 1);
	stats = ql_perf_stats(perf);
	figure = up ? &stats->up : &stats->down;
	r->ns = figure->ns;
	r->bytes = figure->bytes;
	r->requests = figure->streams;
	r->handshake_ns = stats->handshake_ns;
	good = good && ql_perf_ended(perf) && stats->failed == 0;
	if (!good)
		ql_complain("a transfer failed or hangs");
	while (!ql_perf_close(perf) && ql_lane_now() < end)
		turn();
	ql_perf_free(perf);
	return good;
}

static double mbit(const struct result *r)
{
	return r->bytes * 8e3 / r->ns;
}

static int by_rate(const void *a, const void *b)
{
	double x = mbit(a), y = mbit(b);

	return (x < y) - (x > y);
}

static void print_row(const char *name, const struct result *r)
{
	printf("%-12s %9.0f %9.3f %12.0f %10" PRIu64 " %10.0f %10.1f %8" PRIu64 " %10.0f\n", name,
	       mbit(r), r->ns / 1e9, r->requests * 1e9 / r->ns, r->packets,
	       (double)r->cycles / r->packets, (double)r->ns / r->packets, r->lost,
	       r->handshake_ns / 1e3);
}

static void print_json(const char *what, const struct result *r)
{
	printf("{\"bench\":\"loopback\",\"what\":\"%s\",\"bytes\":%" PRIu64
	       ",\"streams\":%u,\"connections\":%u,\"requests\":%" PRIu64
	       ",\"goodput_mbit\":%.1f,\"seconds\":%.6f,"
	       "\"packets\":%" PRIu64 ",\"frames\":%" PRIu64
	       ",\"cycles_per_packet\":%.1f,\"ns_per_packet\":%.1f,\"lost\":%" PRIu64
	       ",\"turns\":%" PRIu64 ",\"handshake_us\":%.1f}\n",
	       what, r->bytes, bench.o.streams, bench.o.connections, r->requests, mbit(r),
	       r->ns / 1e9, r->packets, r->frames, (double)r->cycles / r->packets,
	       (double)r->ns / r->packets, r->lost, r->turns, r->handshake_ns / 1e3);
}

/* One kind of transfer: direction, or -1 for HTTP's only one. */
static bool series(struct ql_tls_ctx *tls, const char *what, int up)
{
	struct result results[MAX_REPEAT];
	unsigned int n = bench.o.repeat;
	char name[16];

	for (unsigned int i = 0; i < n; i++) {
		if (!(up < 0 ? transfer(tls, &results[i]) : perf_transfer(tls, up, &results[i])))
			return false;
		if (bench.o.json)
			print_json(what, &results[i]);
	}
	if (bench.o.json)
		return true;
	qsort(results, n, sizeof(results[0]), by_rate);
	snprintf(name, sizeof(name), "%s best", what);
	print_row(name, &results[0]);
	snprintf(name, sizeof(name), "%s median", what);
	print_row(name, &results[n / 2]);
	return true;
}

static bool run(struct ql_tls_ctx *tls)
{
	const struct options *o = &bench.o;

	if (!o->json) {
		printf("%u connection(s) of %u stream(s) at a time, %" PRIu64
		       " bytes each, %u transfers, both ends on lcore %u at %.2f GHz\n\n",
		       o->connections, o->streams, bench.size, o->repeat,
		       bench.client.lanes[0].lcore, rte_get_tsc_hz() / 1e9);
		printf("%-12s %9s %9s %12s %10s %10s %10s %8s %10s\n", "", "Mbit/s", "seconds",
		       "requests/s", "packets", "cycles/pkt", "ns/pkt", "lost", "hshake us");
	}
	if (!o->perf)
		return series(tls, "http", -1);
	return series(tls, "down", false) && series(tls, "up", true);
}

static bool start(struct ql_tls_ctx **tls)
{
	const struct ql_tls_config server = {
		.server = true, .cert_file = bench.o.cert, .key_file = bench.o.key};
	const struct ql_tls_config client = {.insecure = true};
	struct ql_net_options net = ql_rings_neighbour(&bench.o.net);
	struct ql_transport transport;
	char err[QL_TLS_ERRLEN];
	uint16_t ports[2];
	const struct ql_stack_config ends[2] = {
		{.net = &bench.o.net, .ports = &ports[0], .one_lane = true},
		{.net = &net, .ports = &ports[1], .one_lane = true}};

	tls[0] = ql_tls_ctx_create(&server, err);
	if (tls[0])
		tls[1] = ql_tls_ctx_create(&client, err);
	if (!tls[0] || !tls[1]) {
		ql_complain("%s", err);
		return false;
	}
	if (ql_rings_create(ports) < 0 || !ql_stack_open(&bench.server, &ends[0]) ||
	    !ql_stack_open(&bench.client, &ends[1]))
		return false;
	transport = ql_stack_transport(&bench.server, &bench.o.net);
	transport.max_streams_bidi = bench.o.streams;
	if (bench.o.perf) {
		const struct ql_proto proto = ql_perf_proto(&bench.perf);

		return ql_listen(bench.server.lanes[0].engine, PORT, tls[0], &transport, &proto,
				 1) == 0;
	}
	bench.http = ql_http_server_create(&server_ops, NULL, NULL);
	return bench.http && ql_http_listen(bench.http, bench.server.lanes[0].engine, PORT, tls[0],
					    &transport, NULL) == 0;
}

static bool make_data(void)
{
	struct options *o = &bench.o;

	bench.size = o->bytes / ((uint64_t)(o->perf ? o->requests : o->streams) * o->connections);
	bench.data = malloc(bench.size);
	bench.conns = calloc(o->connections, sizeof(*bench.conns));
	if (!bench.data || !bench.conns || bench.size == 0) {
		ql_complain("no memory for %" PRIu64 " bytes, or fewer bytes than requests",
			    bench.size);
		return false;
	}
	for (uint64_t i = 0; i < bench.size; i++)
		bench.data[i] = (uint8_t)(i * 131 + (i >> 8) * 17 + (i >> 16));
	return true;
}

int main(int argc, char **argv)
{
	struct options *o = &bench.o;
	struct ql_tls_ctx *tls[2] = {NULL, NULL};
	bool good, eal;
	int ours;

	ql_program = "bench_loopback";
	*o = (struct options){
		.bytes = 100000000, .streams = 1, .connections = 1, .repeat = 5, .alpn = "h3"};
	ours = ql_args_begin(argc, argv, NULL, help);
	if (ours == 0)
		return EXIT_SUCCESS;
	if (ql_options_read(table, o, "bench", argc - ours, argv + ours, NULL) < 0)
		return EXIT_FAILURE;
	if (!o->cert || !o->key) {
		ql_complain("--cert FILE and --key FILE are needed; --help says more");
		return EXIT_FAILURE;
	}
	if (o->net.devices.n == 0) {
		ql_ifaddr_parse("10.9.0.2/24", &o->net.devices.at[0].ip.at[0]);
		o->net.devices.at[0].ip.n = o->net.devices.n = 1;
	}
	if (o->requests == 0)
		o->requests = o->streams;
	eal = make_data() && ql_stack_eal(ours < argc ? ours - 1 : argc, argv);
	good = eal && start(tls) && run(tls[1]);
	ql_stack_close(&bench.client);
	ql_stack_close(&bench.server);
	if (bench.http)
		ql_http_server_free(bench.http);
	for (int i = 0; i < 2; i++) {
		if (tls[i])
			ql_tls_ctx_free(tls[i]);
	}
	free(bench.data);
	free(bench.conns);
	if (eal) {
		ql_rings_free();
		rte_eal_cleanup();
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
