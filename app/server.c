// SPDX-License-Identifier: BSD-3-Clause
/* qlane-server: a directory over HTTP/3 and HTTP/0.9, from DPDK lcores. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_pause.h>

#include <qlane/http3.h>

#include "echo.h"
#include "keys.h"
#include "perf.h"
#include "renew.h"
#include "stack.h"
#include "watch.h"
#include "www.h"

#define MAX_JSON   8
#define GOODBYE_NS (500 * QL_NSEC_PER_MSEC) /* for the peers to be told at the end */
#define TICK_NS	   (2 * QL_NSEC_PER_MSEC)
#define DRAIN	   5 /* s */

struct json_files {
	const char *at[MAX_JSON];
	unsigned int n;
};

struct options {
	struct ql_net_options net;
	const char *root, *cert, *key, *alpn, *ticket_key, *reset_key, *generation, *upload;
	uint16_t port;
	uint32_t max_conns, drain;
	uint64_t upload_max;
	bool early_data, perf;
	struct ql_endpoints preferred;
	struct json_files json;
	bool echo;
};

/* What one lcore has; nothing of it is shared, no cache line either. */
struct lane {
	struct ql_www *www;
	struct ql_echo *echo; /* --echo; NULL */
	struct ql_tls_ctx *tls;
	struct ql_http_server *http;
	struct ql_perf_server perf;
	uint64_t next_tick;    /* ns */
	unsigned int renewals; /* steps of server.renewal that it has taken */
	bool draining;
} __rte_cache_aligned;

struct server {
	struct options o;
	struct ql_keylog *keylog;
	struct ql_watch watch;
	struct ql_tls_ctx *tls; /* that was made to see whether it can be; the first lane's */
	struct ql_stack stack;
	struct lane *lanes;
	/* Lanes that serve; that could not; that still have connections at the end. */
	unsigned int ready, failed, draining;
	struct ql_renewal renewal;
	int argc; /* our arguments, to be read again */
	char **argv;
};

static volatile sig_atomic_t stop; /* signals that say so */
static volatile sig_atomic_t reread;

static const char *add_json(const struct ql_option *option, void *to, const char *value)
{
	struct json_files *files = to;

	(void)option;
	if (files->n == MAX_JSON)
		return "at most 8 of them";
	files->at[files->n++] = value;
	return NULL;
}

static const char *set_retry(const struct ql_option *option, void *to, const char *value)
{
	static const char *const names[] = {
		[QL_RETRY_AUTO] = "auto", [QL_RETRY_NEVER] = "never", [QL_RETRY_ALWAYS] = "always"};

	(void)option;
	for (int i = 0; i < 3; i++) {
		if (strcmp(value, names[i]) == 0) {
			*(enum ql_retry *)to = (enum ql_retry)i;
			return NULL;
		}
	}
	return "never, auto or always";
}

static const struct ql_option table[] = {
	{"root", "DIR", "directory to serve", ql_option_string, offsetof(struct options, root)},
	{"cert", "FILE", "certificate with its chain, PEM", ql_option_string,
	 offsetof(struct options, cert)},
	{"key", "FILE", "its private key, PEM", ql_option_string, offsetof(struct options, key)},
	{"port", "N", "UDP port [4433]", ql_option_u16, offsetof(struct options, port), 1, 65535},
	{"alpn", "LIST", "protocols in order of preference [h3,hq-interop]", ql_option_alpns,
	 offsetof(struct options, alpn)},
	QL_NET_OPTION_ROWS(struct options, net),
	{"max-conns", "N", "connections of an lcore at a time [16384]", ql_option_u32,
	 offsetof(struct options, max_conns), 1, 1 << 24},
	{"retry", "WHEN",
	 "make clients prove their address first: never, always,\nor auto: while many handshakes "
	 "are "
	 "under way [auto]",
	 set_retry, offsetof(struct options, net.retry)},
	{"preferred", "ADDR:PORT",
	 "address of ours that clients are told to move to; of each\nfamily at most one",
	 ql_option_endpoints, offsetof(struct options, preferred)},
	{"ticket-key", "FILE",
	 "32 secret bytes for session tickets and address tokens,\nthe same for servers that are "
	 "to "
	 "take each other's, and\nafter a restart their own [new ones at each start]",
	 ql_option_string, offsetof(struct options, ticket_key)},
	{"reset-key", "FILE",
	 "32 secret bytes, by which the server can tell clients\nafter a restart, also after a "
	 "crash, "
	 "that their connections\nare gone; for this server alone [they find out by time-out]",
	 ql_option_string, offsetof(struct options, reset_key)},
	{"generation", "FILE",
	 "keeps there, from one start to the next, which of two\ngenerations of connection IDs is "
	 "due, "
	 "so that packets for\nconnections of the last process are known; with --reset-key",
	 ql_option_string, offsetof(struct options, generation)},
	{"cid", "R:ID[:KEY]",
	 "connection IDs for a load balancer of\ndraft-ietf-quic-load-balancers: config rotation, "
	 "this\nserver's ID and, if they are encrypted, the key, in\nhexadecimal digits; may be "
	 "repeated, the first is for new\nIDs; read again on SIGHUP, from files [for none]",
	 ql_option_cid, offsetof(struct options, net.cids)},
	{"upload", "DIR", "take files by PUT, below this directory [PUT is refused]",
	 ql_option_string, offsetof(struct options, upload)},
	{"upload-max", "BYTES", "of such a file [no limit]", ql_option_u64,
	 offsetof(struct options, upload_max), 1, UINT64_MAX},
	{"drain", "SECONDS",
	 "at the end, the time that running requests have left [5];\na second signal cuts it short",
	 ql_option_u32, offsetof(struct options, drain), 0, 86400},
	{"early-data", NULL,
	 "take early data (0-RTT) with our session tickets: a round\ntrip less, but GET and HEAD "
	 "may "
	 "then be replayed by others;\ndocs/security.md says how far",
	 ql_option_flag, offsetof(struct options, early_data)},
	{"perf", NULL,
	 "speak the performance protocol, too (ALPN perf): anybody\nmay then make us send and take "
	 "as much as the network bears",
	 ql_option_flag, offsetof(struct options, perf)},
	{"echo", NULL,
	 "also speak the protocol \"echo\", for qlane-ping: datagrams\n(RFC 9221) are sent back",
	 ql_option_flag, offsetof(struct options, echo)},
	{"json-stats", "FILE",
	 "write the counters there at the end, a line of JSON for\neach lcore; may be repeated",
	 add_json, offsetof(struct options, json)},
	{NULL},
};

static void help(void)
{
	printf("usage: qlane-server EAL-ARGUMENTS -- --root DIR --cert FILE --key FILE "
	       "--ip ADDR/PREFIX [OPTIONS]\n\n"
	       "Serves the files of a directory over HTTP/3 and HTTP/0.9 (hq-interop). Its packets "
	       "come from a\nDPDK port and do not pass the kernel. It ends on SIGINT and "
	       "SIGTERM,\nand answers what has been asked before. On SIGHUP it reads the key files "
	       "again,\nand --cid.\n\nOptions [default]:\n");
	ql_options_help(table);
	printf("  --config FILE             read options from an INI file: a section [server], "
	       "and\n"
	       "                            the names above as keys\n"
	       "  --help, --version\n\n"
	       "EAL-ARGUMENTS are DPDK's: which lcores (-l), which devices, how much memory. Each "
	       "lcore serves\na queue of every device by itself.\n\n"
	       "On a TAP device, reachable from this machine as 10.9.0.2:\n"
	       "  qlane-server -l 0 --no-pci --in-memory --vdev=net_tap0,iface=qlane0 -- \\\n"
	       "      --ip 10.9.0.2/24 --tap-ip 10.9.0.1/24 --root www --cert cert.pem "
	       "--key key.pem\n"
	       "On a NIC that was bound to vfio-pci:\n"
	       "  qlane-server -l 2-5 -a 0000:3b:00.0 -- --ip 192.0.2.5/24 --gateway 192.0.2.1 \\\n"
	       "      --port 443 --root www --cert cert.pem --key key.pem\n"
	       "Without hugepages add the EAL arguments: --no-huge --no-shconf -m 512\n");
}

static void on_signal(int signal)
{
	(void)signal;
	stop++;
}

static void on_hangup(int signal)
{
	(void)signal;
	reread = 1;
}

/* What can be known to be wrong before anything is started. */
static bool check(const struct options *o)
{
	const char *missing = !o->root	 ? "--root DIR, the directory to serve"
			      : !o->cert ? "--cert FILE, the certificate"
			      : !o->key	 ? "--key FILE, the certificate's private key"
					 : NULL;

	if (missing)
		ql_complain("%s, is missing; --help has examples", missing);
	return !missing && ql_devices_check(&o->net.devices);
}

static struct ql_tls_ctx *make_tls(struct server *s)
{
	struct ql_tls_config tls = {.server = true,
				    .cert_file = s->o.cert,
				    .key_file = s->o.key,
				    .suites = s->o.net.suites};
	char err[QL_TLS_ERRLEN];
	struct ql_tls_ctx *ctx;

	if (s->keylog) {
		tls.keylog = ql_keylog_write;
		tls.keylog_arg = s->keylog;
	}
	ctx = ql_tls_ctx_create(&tls, err);
	if (!ctx)
		ql_complain("%s", err);
	return ctx;
}

static struct ql_www *open_www(const struct options *o)
{
	struct ql_www *www = ql_www_open(o->root);
	int rc;

	if (!www) {
		ql_complain("--root %s: %s", o->root, strerror(errno));
		return NULL;
	}
	rc = o->upload ? ql_www_upload(www, o->upload, o->upload_max) : 0;
	if (rc == 0)
		return www;
	ql_complain("--upload %s: %s", o->upload, strerror(-rc));
	ql_www_close(www);
	return NULL;
}

/* Everything that may be missing is looked for before EAL starts, which takes its time. */
static bool prepare(struct server *s)
{
	struct ql_www *www;

	if (!ql_stack_readable("cert", s->o.cert) || !ql_stack_readable("key", s->o.key))
		return false;
	if (!ql_key_read("ticket-key", s->o.ticket_key, s->o.net.ticket_key) ||
	    !ql_key_read("reset-key", s->o.reset_key, s->o.net.reset_key))
		return false;
	if (s->o.generation &&
	    !ql_generation_next("generation", s->o.generation, &s->o.net.generation))
		return false;
	www = open_www(&s->o);
	if (!www)
		return false;
	ql_www_close(www);
	if (!ql_stack_keylog(&s->o.net, &s->keylog) || !ql_watch_open(&s->watch, s->o.net.qlog))
		return false;
	s->tls = make_tls(s);
	return s->tls != NULL;
}

static bool start(struct server *s, int eal_argc, char **eal_argv)
{
	uint16_t ports[QL_DEVICES];
	const struct ql_stack_config config = {
		.net = &s->o.net,
		.ports = ports,
		.udp_port = s->o.port,
		.max_conns = s->o.max_conns,
		.watch = &s->watch,
	};

	if (!ql_devices_find(&s->o.net.devices, eal_argc, eal_argv, ports) ||
	    !ql_stack_open(&s->stack, &config))
		return false;
	s->lanes = aligned_alloc(_Alignof(struct lane), s->stack.n_lanes * sizeof(*s->lanes));
	if (s->lanes)
		memset(s->lanes, 0, s->stack.n_lanes * sizeof(*s->lanes));
	for (unsigned int i = 0; s->lanes && i < s->stack.n_lanes; i++) {
		s->lanes[i].tls = i == 0 ? s->tls : make_tls(s);
		if (!s->lanes[i].tls)
			return false;
	}
	return s->lanes != NULL;
}

/* ---- On each lcore ---- */

static int listen_all(struct server *s, struct lane *l, struct ql_engine *engine)
{
	struct ql_transport transport = ql_stack_transport(&s->stack, &s->o.net);
	struct ql_proto protos[4];
	int n;

	transport.preferred_ip4 = s->o.preferred.ip4;
	transport.preferred_ip6 = s->o.preferred.ip6;
	transport.early_data = s->o.early_data;
	if (l->echo)
		transport.max_datagram_frame_size = UINT16_MAX;
	n = ql_http_server_protos(l->http, &transport, s->o.alpn, protos);
	if (n < 0)
		return n;
	if (s->o.perf)
		protos[n++] = ql_perf_proto(&l->perf);
	if (l->echo)
		protos[n++] = ql_echo_proto(l->echo);
	return ql_listen(engine, s->o.port, l->tls, &transport, protos, (unsigned int)n);
}

static bool start_lane(struct server *s, unsigned int i)
{
	struct lane *l = &s->lanes[i];
	int rc = -ENOMEM;

	l->www = open_www(&s->o);
	if (!l->www)
		return false;
	l->http = ql_http_server_create(&ql_www_ops, l->www, NULL);
	l->echo = s->o.echo ? ql_echo_create() : NULL;
	if (l->http && (l->echo || !s->o.echo))
		rc = listen_all(s, l, s->stack.lanes[i].engine);
	if (rc < 0)
		ql_complain("cannot serve: %s", strerror(-rc));
	return rc == 0;
}

static unsigned int conns(const struct lane *l)
{
	return ql_http_server_conns(l->http) + l->perf.n_conns +
	       (l->echo ? ql_echo_conns(l->echo) : 0);
}

/* SIGHUP: the key files, and the configurations. When something is wrong with them, that is told, and
 * nothing changes. */
static void reread_files(struct server *s)
{
	struct ql_engine_keys keys = {.token_key = {0}};
	struct options again = {.net = {.memory = 0}};

	if (ql_options_read(table, &again, "server", s->argc, s->argv, NULL) < 0 ||
	    !ql_stack_takes_cids(&s->stack, &again.net.cids) ||
	    !ql_key_read("ticket-key", s->o.ticket_key, keys.ticket_key) ||
	    !ql_key_read("reset-key", s->o.reset_key, keys.reset_key))
		return;
	memcpy(keys.token_key, keys.ticket_key, sizeof(keys.token_key));
	ql_renewal_begin(&s->renewal, &keys, &again.net.cids);
	explicit_bzero(&keys, sizeof(keys));
	explicit_bzero(&again, sizeof(again));
	printf("qlane-server: the keys were read again\n");
	fflush(stdout);
}

/* What need not be done every turn. */
static void tick(struct server *s, unsigned int i, uint64_t now)
{
	struct lane *l = &s->lanes[i];

	ql_www_tick(l->www);
	ql_watch_tick(&s->watch, i, now);
	if (i == 0 && reread && !ql_renewal_busy(&s->renewal, &s->stack)) {
		reread = 0;
		reread_files(s);
	}
	ql_renewal_turn(&s->renewal, &s->stack, i, &l->renewals);
	if (l->draining)
		ql_http_server_drain(l->http);
}

static uint64_t turn(struct server *s, unsigned int i)
{
	uint64_t now = ql_stack_turn(&s->stack, i);
	struct lane *l = &s->lanes[i];

	if (now >= l->next_tick) {
		l->next_tick = now + TICK_NS;
		tick(s, i, now);
	}
	return now;
}

/* Until the connections have ended, or `stop` is more than that, for so long at most. */
static void wait_for_end(struct server *s, unsigned int i, uint64_t ns, int signals)
{
	struct lane *l = &s->lanes[i];
	uint64_t end = ql_lane_now() + ns;

	while (conns(l) > 0 && stop <= signals && turn(s, i) < end)
		;
}

static void end_lane(struct server *s, unsigned int i)
{
	struct lane *l = &s->lanes[i];

	ql_listen_stop(s->stack.lanes[i].engine);
	ql_http_server_drain(l->http);
	l->draining = true;
	if (l->echo)
		ql_echo_close(l->echo);
	wait_for_end(s, i, s->o.drain * QL_NSEC_PER_SEC, 1);
	ql_http_server_close(l->http);
	ql_perf_server_close(&l->perf);
	wait_for_end(s, i, GOODBYE_NS, INT_MAX);
	/* packets for the others may still come here */
	__atomic_sub_fetch(&s->draining, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&s->draining, __ATOMIC_RELAXED) > 0)
		turn(s, i);
}

static void announce(const struct server *s)
{
	printf("qlane-server: ready on ");
	ql_stack_addresses(stdout, &s->o.net, s->o.port);
	printf(" (");
	ql_stack_describe(stdout, &s->stack);
	printf(")\n");
	fflush(stdout);
}

static void run_lane(void *arg, unsigned int i)
{
	struct server *s = arg;
	bool good = start_lane(s, i);

	__atomic_add_fetch(good ? &s->ready : &s->failed, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&s->ready, __ATOMIC_RELAXED) +
		       __atomic_load_n(&s->failed, __ATOMIC_RELAXED) <
	       s->stack.n_lanes)
		rte_pause();
	if (__atomic_load_n(&s->failed, __ATOMIC_RELAXED) > 0)
		return;
	if (i == 0)
		announce(s);
	while (!stop)
		turn(s, i);
	end_lane(s, i);
}

/* ---- The end ---- */

static void report_perf(const struct server *s)
{
	struct ql_perf_server all = {.n_conns = 0};

	for (unsigned int i = 0; i < s->stack.n_lanes; i++) {
		all.streams += s->lanes[i].perf.streams;
		all.received += s->lanes[i].perf.received;
		all.sent += s->lanes[i].perf.sent;
	}
	printf("qlane-server: %llu streams of the performance protocol, %.1f MB taken, "
	       "%.1f MB given\n",
	       (unsigned long long)all.streams, all.received / 1e6, all.sent / 1e6);
}

static void report_echo(const struct server *s)
{
	struct ql_echo_stats all = {0};

	for (unsigned int i = 0; i < s->stack.n_lanes; i++) {
		const struct ql_echo_stats *one = ql_echo_stats(s->lanes[i].echo);

		all.conns += one->conns;
		all.returned += one->returned;
		all.dropped += one->dropped;
	}
	printf("qlane-server: %llu connections for echo: %llu datagrams went back, %llu dropped\n",
	       (unsigned long long)all.conns, (unsigned long long)all.returned,
	       (unsigned long long)all.dropped);
}

static void report_www(const struct server *s)
{
	struct ql_www_stats all = {0};

	for (unsigned int i = 0; i < s->stack.n_lanes; i++) {
		const struct ql_www_stats *one = ql_www_stats(s->lanes[i].www);

		all.requests += one->requests;
		all.ok += one->ok;
		all.not_modified += one->not_modified;
		all.not_found += one->not_found;
		all.refused += one->refused;
		all.uploads += one->uploads;
		all.bytes += one->bytes;
		all.aborted += one->aborted;
	}
	printf("qlane-server: %llu requests: %llu answered with 200 or 206 (%.1f MB), %llu with "
	       "304, %llu with 404, %llu otherwise; %llu files taken; %llu not finished\n",
	       (unsigned long long)all.requests, (unsigned long long)all.ok, all.bytes / 1e6,
	       (unsigned long long)all.not_modified, (unsigned long long)all.not_found,
	       (unsigned long long)all.refused, (unsigned long long)all.uploads,
	       (unsigned long long)all.aborted);
}

static bool report(const struct server *s)
{
	bool good = true;

	report_www(s);
	if (s->o.perf)
		report_perf(s);
	if (s->o.echo)
		report_echo(s);
	ql_stack_report(&s->stack, stdout, false);
	for (unsigned int i = 0; i < s->o.json.n; i++) {
		FILE *f = fopen(s->o.json.at[i], "w");

		if (!f || ql_stack_report(&s->stack, f, true) < 0) {
			ql_complain("--json-stats %s: %s", s->o.json.at[i], strerror(errno));
			good = false;
		}
		if (f)
			fclose(f);
	}
	return good;
}

/* False if something of it failed. */
static bool finish(struct server *s)
{
	unsigned int n = s->lanes ? s->stack.n_lanes : 0;
	bool good;

	ql_stack_close(&s->stack);
	good = ql_watch_close(&s->watch);
	for (unsigned int i = 0; i < n; i++) {
		struct lane *l = &s->lanes[i];

		if (l->http)
			ql_http_server_free(l->http);
		if (l->echo)
			ql_echo_free(l->echo);
		if (l->tls && i > 0)
			ql_tls_ctx_free(l->tls);
		if (l->www)
			ql_www_close(l->www);
	}
	free(s->lanes);
	if (s->tls)
		ql_tls_ctx_free(s->tls);
	ql_keylog_close(s->keylog);
	return good;
}

static int serve(struct server *s, int eal_argc, char **eal_argv)
{
	bool good = prepare(s) && ql_stack_eal(eal_argc, eal_argv);
	bool eal = good;

	if (good)
		good = start(s, eal_argc, eal_argv);
	if (good) {
		s->draining = s->stack.n_lanes;
		ql_stack_run(&s->stack, run_lane, s);
		good = s->failed == 0 && report(s);
	}
	good = finish(s) && good;
	if (eal)
		rte_eal_cleanup();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct server s = {.o = {.port = 4433, .drain = DRAIN}};
	int ours;

	ql_program = "qlane-server";
	ours = ql_args_begin(argc, argv,
			     "EAL-ARGUMENTS -- --root DIR --cert FILE --key FILE --ip ADDR/PREFIX",
			     help);
	if (ours <= 0)
		return ours == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	if (ql_options_read(table, &s.o, "server", argc - ours, argv + ours, NULL) < 0 ||
	    !check(&s.o))
		return EXIT_FAILURE;
	s.renewal.n_cids = s.o.net.cids.n;
	s.argc = argc - ours;
	s.argv = argv + ours;
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
	signal(SIGPIPE, SIG_IGN);
	return serve(&s, ours - 1, argv);
}
