// SPDX-License-Identifier: BSD-3-Clause
/*
 * qlane-ping: how long datagrams over QUIC (RFC 9221) take to a server and back, and how many of
 * them do not come, from a DPDK lcore.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "probe.h"
#include "reach.h"
#include "stack.h"
#include "url.h"
#include "watch.h"

#define GOODBYE_NS  (300 * QL_NSEC_PER_MSEC)
#define CHECK_TURNS 64 /* between looks at signals */

struct options {
	struct ql_net_options net;
	const char *ca, *sni, *connect;
	uint32_t count, interval_ms, wait_ms;
	uint16_t size;
	bool insecure, json;
};

struct ping {
	struct options o;
	struct ql_url url;
	struct ql_path path;
	struct ql_probe *probe;
	struct ql_keylog *keylog;
	struct ql_watch watch;
	struct ql_tls_ctx *tls;
	struct ql_stack stack;
	bool done; /* for the other lcores */
};

static volatile bool stop;

static const struct ql_option table[] = {
	QL_NET_OPTION_ROWS(struct options, net),
	{"ca", "FILE", "PEM file of the authorities to trust [the system's]", ql_option_string,
	 offsetof(struct options, ca)},
	{"insecure", NULL, "trust every certificate", ql_option_flag,
	 offsetof(struct options, insecure)},
	{"sni", "NAME", "name of the server for TLS [HOST]", ql_option_string,
	 offsetof(struct options, sni)},
	{"connect", "ADDR:PORT", "connect there, whatever HOST says", ql_option_string,
	 offsetof(struct options, connect)},
	{"first-version", "N", "of QUIC, to begin with [1, unless --versions is 2]",
	 ql_option_version, offsetof(struct options, net.first_version)},
	{"count", "N", "datagrams to send [10]", ql_option_u32, offsetof(struct options, count), 1,
	 QL_PROBE_MAX},
	{"interval", "MS", "between two of them; 0: as fast as they can be sent [100]",
	 ql_option_u32, offsetof(struct options, interval_ms), 0, 3600000},
	{"size", "BYTES", "of data in each [64]", ql_option_u16, offsetof(struct options, size),
	 QL_PROBE_MIN_SIZE, UINT16_MAX},
	{"wait", "MS", "for answers, after the last one was sent [1000]", ql_option_u32,
	 offsetof(struct options, wait_ms), 1, 3600000},
	{"json", NULL, "what came out as JSON", ql_option_flag, offsetof(struct options, json)},
	{NULL},
};

static void help(void)
{
	printf("usage: qlane-ping EAL-ARGUMENTS -- --ip ADDR/PREFIX [OPTIONS] HOST[:PORT]\n\n"
	       "Sends datagrams (RFC 9221) over QUIC to a server that sends them back, such as "
	       "qlane-server --echo,\nby the protocol \"echo\". Tells how long they took, how many "
	       "did not come, and which way those were\nlost. The exit code is 0 only when one "
	       "came back.\n\nOptions [default]:\n");
	ql_options_help(table);
	printf("  --config FILE             read options from an INI file: a section [ping], "
	       "and\n"
	       "                            the names above as keys\n"
	       "  --help, --version\n\n"
	       "EAL-ARGUMENTS are DPDK's: which lcore (-l), which device, how much memory.\n\n"
	       "On a TAP device, to a server on this machine:\n"
	       "  qlane-ping -l 1 --no-pci --in-memory --vdev=net_tap0,iface=qlane1 -- \\\n"
	       "      --ip 10.9.1.2/24 --tap-ip 10.9.1.1/24 --ca ca.pem 10.9.1.1:4433\n"
	       "Without hugepages add the EAL arguments: --no-huge --no-shconf -m 512\n");
}

static void on_signal(int signal)
{
	(void)signal;
	stop = true;
}

/* Before EAL: the server's address, TLS, logs. */
static bool prepare(struct ping *p, const char *target)
{
	const struct options *o = &p->o;
	const struct ql_tls_config config = {
		.ca_file = o->ca, .insecure = o->insecure, .suites = o->net.suites};
	struct ql_tls_config tls = config;
	char text[300], err[QL_TLS_ERRLEN];
	const char *wrong;

	if (!ql_devices_check(&o->net.devices))
		return false;
	snprintf(text, sizeof(text), "https://%s", target);
	wrong = strlen(target) > 280 ? "it is too long" : ql_url_parse(text, &p->url);
	if (!wrong && strcmp(p->url.path, "/") != 0)
		wrong = "expected a host, and a port after ':' if it is not 443";
	if (wrong) {
		ql_complain("'%s': %s", target, wrong);
		return false;
	}
	if (!o->connect) {
		if (!ql_reach_resolve(p->url.host, p->url.port, &p->path.remote))
			return false;
	} else if (ql_addr_parse(o->connect, 0, &p->path.remote) < 0 || !p->path.remote.port) {
		ql_complain("--connect %s: expected an address with a port, such as 10.9.0.1:4433",
			    o->connect);
		return false;
	}
	if (!ql_stack_readable("ca", o->ca) || !ql_stack_keylog(&o->net, &p->keylog) ||
	    !ql_watch_open(&p->watch, o->net.qlog))
		return false;
	if (p->keylog) {
		tls.keylog = ql_keylog_write;
		tls.keylog_arg = p->keylog;
	}
	p->tls = ql_tls_ctx_create(&tls, err);
	if (!p->tls)
		ql_complain("%s", err);
	return p->tls != NULL;
}

static bool start(struct ping *p, int eal_argc, char **eal_argv)
{
	uint16_t ports[QL_DEVICES];
	const struct ql_stack_config config = {
		.net = &p->o.net, .ports = ports, .watch = &p->watch};

	return ql_devices_find(&p->o.net.devices, eal_argc, eal_argv, ports) &&
	       ql_stack_open(&p->stack, &config);
}

static bool start_probe(struct ping *p)
{
	const struct options *o = &p->o;
	const struct ql_probe_options options = {
		.count = o->count,
		.size = o->size,
		.interval_ns = o->interval_ms * QL_NSEC_PER_MSEC,
		.wait_ns = o->wait_ms * QL_NSEC_PER_MSEC,
	};
	const struct ql_ifaddrs ip = ql_devices_ips(&o->net.devices);
	const struct ql_addr *from = ql_reach_from(&ip, &p->path.remote, p->url.host);
	struct ql_transport transport = ql_stack_transport(&p->stack, &o->net);

	if (!from)
		return false;
	p->path.local = *from;
	p->path.local.port = ql_reach_port(p->stack.lanes[0].lane, &p->path.local, &p->path.remote);
	p->probe = ql_probe_start(&options, p->stack.lanes[0].engine, &p->path, p->tls,
				  o->sni ? o->sni : p->url.host, &transport, ql_lane_now());
	return p->probe != NULL;
}

static void probe(struct ping *p)
{
	uint64_t now, end;

	while (!stop) {
		for (int i = 0; i < CHECK_TURNS; i++) {
			now = ql_stack_turn(&p->stack, 0);
			if (ql_probe_turn(p->probe, now))
				stop = true;
		}
		ql_watch_tick(&p->watch, 0, ql_lane_now());
	}
	end = ql_lane_now() + GOODBYE_NS;
	while (!ql_probe_close(p->probe) && ql_stack_turn(&p->stack, 0) < end)
		;
}

/* The first lcore has the connection, the others' queues may get something of it. */
static void run_lane(void *arg, unsigned int lane)
{
	struct ping *p = arg;

	if (lane > 0) {
		while (!__atomic_load_n(&p->done, __ATOMIC_RELAXED))
			ql_stack_turn(&p->stack, lane);
		return;
	}
	if (start_probe(p))
		probe(p);
	__atomic_store_n(&p->done, true, __ATOMIC_RELAXED);
}

/* Whether there was an answer. */
static bool report(const struct ping *p)
{
	const struct ql_probe_result r = ql_probe_result(p->probe);
	const char *failure = ql_probe_failure(p->probe);
	uint32_t lost = r.lost_there + r.lost_back;
	char addr[QL_ADDR_STRLEN];

	if (failure)
		ql_complain("%s", failure);
	if (p->o.json)
		printf("{\"sent\":%" PRIu32 ",\"received\":%" PRIu32 ",\"lost_there\":%" PRIu32
		       ",\"lost_back\":%" PRIu32 ",\"duplicates\":%" PRIu32 ",\"damaged\":%" PRIu32
		       ",\"size\":%u,\"ms\":{\"min\":%.3f,\"mean\":%.3f,\"median\":%.3f,"
		       "\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"jitter\":%.3f},"
		       "\"quic_rtt_ms\":%.3f,\"handshake_ms\":%.3f}\n",
		       r.sent, r.received, r.lost_there, r.lost_back, r.duplicates, r.damaged,
		       p->o.size, r.min / 1e6, r.mean / 1e6, r.median / 1e6, r.p90 / 1e6,
		       r.p99 / 1e6, r.max / 1e6, r.jitter / 1e6, r.rtt_ns / 1e6,
		       r.handshake_ns / 1e6);
	else if (r.sent > 0)
		printf("%s: %" PRIu32 " datagrams of %u bytes sent, %" PRIu32
		       " came back, %.2f %% lost (%" PRIu32 " there, %" PRIu32 " back)\n",
		       ql_addr_format(&p->path.remote, addr), r.sent, p->o.size, r.received,
		       100.0 * lost / r.sent, r.lost_there, r.lost_back);
	if (!p->o.json && (r.duplicates || r.damaged))
		printf("%" PRIu32 " came twice, %" PRIu32 " damaged\n", r.duplicates, r.damaged);
	if (!p->o.json && r.received > 0)
		printf("round trip in ms: min %.3f, mean %.3f, median %.3f, 90 %% %.3f, 99 %% "
		       "%.3f, max %.3f; jitter %.3f; handshake %.3f\n",
		       r.min / 1e6, r.mean / 1e6, r.median / 1e6, r.p90 / 1e6, r.p99 / 1e6,
		       r.max / 1e6, r.jitter / 1e6, r.handshake_ns / 1e6);
	return !failure && r.received > 0;
}

static int ping(struct ping *p, int eal_argc, char **eal_argv, const char *target)
{
	bool good = prepare(p, target) && ql_stack_eal(eal_argc, eal_argv), eal = good;

	if (good)
		good = start(p, eal_argc, eal_argv);
	if (good)
		ql_stack_run(&p->stack, run_lane, p);
	ql_stack_close(&p->stack);
	good = good && p->probe && report(p);
	good = ql_watch_close(&p->watch) && good;
	if (p->probe)
		ql_probe_free(p->probe);
	if (p->tls)
		ql_tls_ctx_free(p->tls);
	ql_keylog_close(p->keylog);
	if (eal)
		rte_eal_cleanup();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct ping p = {.o = {.count = 10, .interval_ms = 100, .size = 64, .wait_ms = 1000}};
	char **targets;
	int ours, n, rc = EXIT_FAILURE;

	ql_program = "qlane-ping";
	ours = ql_args_begin(argc, argv, "EAL-ARGUMENTS -- --ip ADDR/PREFIX HOST[:PORT]", help);
	if (ours <= 0)
		return ours == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	targets = calloc((size_t)argc, sizeof(*targets));
	if (!targets)
		return EXIT_FAILURE;
	n = ql_options_read(table, &p.o, "ping", argc - ours, argv + ours, targets);
	if (n >= 0 && n != 1)
		ql_complain("expected one HOST[:PORT]; --help has examples");
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	if (n == 1)
		rc = ping(&p, ours - 1, argv, targets[0]);
	free(targets);
	return rc;
}
