// SPDX-License-Identifier: BSD-3-Clause
/* qlane-server: a directory over HTTP/3 and HTTP/0.9, from a DPDK lcore. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include <qlane/http3.h>

#include "echo.h"
#include "perf.h"
#include "stack.h"
#include "watch.h"
#include "www.h"

#define MAX_JSON   8
#define GOODBYE_NS (500 * QL_NSEC_PER_MSEC) /* for the peers to be told at the end */
#define TICK_TURNS 4096
#define DRAIN	   5 /* s */

struct json_files {
	const char *at[MAX_JSON];
	unsigned int n;
};

struct options {
	struct ql_net_options net;
	const char *root, *cert, *key, *alpn, *ticket_key, *upload;
	uint16_t port;
	uint32_t max_conns, drain;
	uint64_t upload_max;
	bool early_data, perf;
	struct ql_endpoints preferred;
	struct json_files json;
	bool echo;
};

struct server {
	struct options o;
	struct ql_www *www;
	struct ql_echo *echo; /* --echo; NULL */
	struct ql_keylog *keylog;
	struct ql_watch watch;
	struct ql_tls_ctx *tls;
	struct ql_http_server *http;
	struct ql_perf_server perf;
	struct ql_stack stack;
	unsigned int turns;
};

static volatile sig_atomic_t stop; /* signals that say so */

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
	{"max-conns", "N", "connections at a time [16384]", ql_option_u32,
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
	{"json-stats", "FILE", "write the counters there at the end; may be repeated", add_json,
	 offsetof(struct options, json)},
	{NULL},
};

static void help(void)
{
	printf("usage: qlane-server EAL-ARGUMENTS -- --root DIR --cert FILE --key FILE "
	       "--ip ADDR/PREFIX [OPTIONS]\n\n"
	       "Serves the files of a directory over HTTP/3 and HTTP/0.9 (hq-interop). Its packets "
	       "come from a\nDPDK port and do not pass the kernel. It ends on SIGINT and "
	       "SIGTERM,\nand answers what has been asked before.\n\nOptions [default]:\n");
	ql_options_help(table);
	printf("  --config FILE             read options from an INI file: a section [server], "
	       "and\n"
	       "                            the names above as keys\n"
	       "  --help, --version\n\n"
	       "EAL-ARGUMENTS are DPDK's: which lcore (-l), which device, how much memory.\n\n"
	       "On a TAP device, reachable from this machine as 10.9.0.2:\n"
	       "  qlane-server -l 0 --no-pci --in-memory --vdev=net_tap0,iface=qlane0 -- \\\n"
	       "      --ip 10.9.0.2/24 --tap-ip 10.9.0.1/24 --root www --cert cert.pem "
	       "--key key.pem\n"
	       "On a NIC that was bound to vfio-pci:\n"
	       "  qlane-server -l 2 -a 0000:3b:00.0 -- --ip 192.0.2.5/24 --gateway 192.0.2.1 \\\n"
	       "      --port 443 --root www --cert cert.pem --key key.pem\n"
	       "Without hugepages add the EAL arguments: --no-huge --no-shconf -m 512\n");
}

static void on_signal(int signal)
{
	(void)signal;
	stop++;
}

/* What can be known to be wrong before anything is started. */
static bool check(const struct options *o)
{
	const char *missing = !o->root	     ? "--root DIR, the directory to serve"
			      : !o->cert     ? "--cert FILE, the certificate"
			      : !o->key	     ? "--key FILE, the certificate's private key"
			      : !o->net.ip.n ? "--ip ADDR/PREFIX, an address to serve on"
					     : NULL;

	if (missing)
		ql_complain("%s, is missing; --help has examples", missing);
	return !missing;
}

static bool read_ticket_key(const char *path, uint8_t key[32])
{
	uint8_t bytes[33];
	FILE *f = fopen(path, "rbe");
	size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

	if (!f)
		ql_complain("--ticket-key %s: %s", path, strerror(errno));
	else if (n != 32)
		ql_complain("--ticket-key %s: it has %s than 32 bytes; make one: head -c 32 "
			    "/dev/urandom >%s",
			    path, n < 32 ? "less" : "more", path);
	if (f)
		fclose(f);
	if (n == 32)
		memcpy(key, bytes, 32);
	explicit_bzero(bytes, sizeof(bytes));
	return n == 32;
}

static bool prepare(struct server *s)
{
	struct ql_tls_config tls = {.server = true,
				    .cert_file = s->o.cert,
				    .key_file = s->o.key,
				    .suites = s->o.net.suites};
	char err[QL_TLS_ERRLEN];
	int rc;

	if (!ql_stack_readable("cert", s->o.cert) || !ql_stack_readable("key", s->o.key))
		return false;
	if (s->o.ticket_key && !read_ticket_key(s->o.ticket_key, s->o.net.ticket_key))
		return false;
	s->www = ql_www_open(s->o.root);
	if (!s->www) {
		ql_complain("--root %s: %s", s->o.root, strerror(errno));
		return false;
	}
	rc = s->o.upload ? ql_www_upload(s->www, s->o.upload, s->o.upload_max) : 0;
	if (rc < 0) {
		ql_complain("--upload %s: %s", s->o.upload, strerror(-rc));
		return false;
	}
	if (!ql_stack_keylog(&s->o.net, &s->keylog) || !ql_watch_open(&s->watch, s->o.net.qlog))
		return false;
	if (s->keylog) {
		tls.keylog = ql_keylog_write;
		tls.keylog_arg = s->keylog;
	}
	s->tls = ql_tls_ctx_create(&tls, err);
	if (!s->tls)
		ql_complain("%s", err);
	return s->tls != NULL;
}

static int listen_all(struct server *s, const struct ql_transport *transport)
{
	struct ql_proto protos[4];
	int n = ql_http_server_protos(s->http, transport, s->o.alpn, protos);

	if (n < 0)
		return n;
	if (s->o.perf)
		protos[n++] = ql_perf_proto(&s->perf);
	if (s->echo)
		protos[n++] = ql_echo_proto(s->echo);
	return ql_listen(s->stack.engine, s->o.port, s->tls, transport, protos, (unsigned int)n);
}

static bool start(struct server *s, int eal_argc, char **eal_argv)
{
	int port = ql_stack_port(eal_argc, eal_argv), rc;
	struct ql_transport transport;

	if (port < 0 || !ql_stack_open(&s->stack, &s->o.net, (uint16_t)port, s->o.max_conns,
				       ql_watch_tracer(&s->watch)))
		return false;
	s->http = ql_http_server_create(&ql_www_ops, s->www, NULL);
	transport = ql_stack_transport(&s->stack, &s->o.net);
	transport.preferred_ip4 = s->o.preferred.ip4;
	transport.preferred_ip6 = s->o.preferred.ip6;
	transport.early_data = s->o.early_data;
	s->echo = s->o.echo ? ql_echo_create() : NULL;
	if (s->echo)
		transport.max_datagram_frame_size = UINT16_MAX;
	rc = s->http && (s->echo || !s->o.echo) ? listen_all(s, &transport) : -ENOMEM;
	if (rc < 0)
		ql_complain("cannot serve: %s", strerror(-rc));
	return rc == 0;
}

static unsigned int conns(const struct server *s)
{
	return ql_http_server_conns(s->http) + s->perf.n_conns +
	       (s->echo ? ql_echo_conns(s->echo) : 0);
}

static void turn(struct server *s)
{
	ql_lane_poll(s->stack.lane, ql_lane_now());
	if (++s->turns % TICK_TURNS == 0) {
		ql_www_tick(s->www);
		ql_watch_tick(&s->watch, ql_lane_now());
	}
}

/* Until the connections have ended, or `stop` is more than that, for so long at most. */
static void wait_for_end(struct server *s, uint64_t ns, int signals)
{
	uint64_t end = ql_lane_now() + ns;

	while (conns(s) > 0 && stop <= signals && ql_lane_now() < end) {
		turn(s);
		if (s->turns % TICK_TURNS == 0)
			ql_http_server_drain(s->http);
	}
}

static void run(struct server *s)
{
	while (!stop)
		turn(s);
	ql_listen_stop(s->stack.engine);
	ql_http_server_drain(s->http);
	if (s->echo)
		ql_echo_close(s->echo);
	wait_for_end(s, s->o.drain * QL_NSEC_PER_SEC, 1);
	ql_http_server_close(s->http);
	ql_perf_server_close(&s->perf);
	wait_for_end(s, GOODBYE_NS, INT_MAX);
}

static bool report(const struct server *s)
{
	const struct ql_observed what = {"lane0", s->stack.engine, s->stack.lane};
	const struct ql_www_stats *www = ql_www_stats(s->www);
	bool good = true;

	printf("qlane-server: %llu requests: %llu answered with 200 or 206 (%.1f MB), %llu with "
	       "304, %llu with 404, %llu otherwise; %llu files taken; %llu not finished\n",
	       (unsigned long long)www->requests, (unsigned long long)www->ok, www->bytes / 1e6,
	       (unsigned long long)www->not_modified, (unsigned long long)www->not_found,
	       (unsigned long long)www->refused, (unsigned long long)www->uploads,
	       (unsigned long long)www->aborted);
	if (s->o.perf)
		printf("qlane-server: %llu streams of the performance protocol, %.1f MB taken, "
		       "%.1f MB given\n",
		       (unsigned long long)s->perf.streams, s->perf.received / 1e6,
		       s->perf.sent / 1e6);
	if (s->echo)
		printf("qlane-server: %llu connections for echo: %llu datagrams went back, %llu "
		       "dropped\n",
		       (unsigned long long)ql_echo_stats(s->echo)->conns,
		       (unsigned long long)ql_echo_stats(s->echo)->returned,
		       (unsigned long long)ql_echo_stats(s->echo)->dropped);
	ql_report_text(stdout, &what);
	for (unsigned int i = 0; i < s->o.json.n; i++) {
		FILE *f = fopen(s->o.json.at[i], "w");

		if (!f || ql_report_json(f, &what) < 0) {
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
	bool good;

	ql_stack_close(&s->stack);
	good = ql_watch_close(&s->watch);
	if (s->http)
		ql_http_server_free(s->http);
	if (s->echo)
		ql_echo_free(s->echo);
	if (s->tls)
		ql_tls_ctx_free(s->tls);
	if (s->www)
		ql_www_close(s->www);
	ql_keylog_close(s->keylog);
	return good;
}

static int serve(struct server *s, int eal_argc, char **eal_argv)
{
	char device[RTE_ETH_NAME_MAX_LEN] = "";
	bool good = prepare(s) && ql_stack_eal(eal_argc, eal_argv);
	bool eal = good;

	if (good)
		good = start(s, eal_argc, eal_argv);
	if (good) {
		rte_eth_dev_get_name_by_port((uint16_t)ql_stack_port(0, NULL), device);
		printf("qlane-server: ready on ");
		ql_stack_addresses(stdout, &s->o.net, s->o.port);
		printf(" (lcore %u, port %d %s)\n", s->stack.lcore, ql_stack_port(0, NULL), device);
		fflush(stdout);
		run(s);
		good = report(s);
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
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	signal(SIGPIPE, SIG_IGN);
	return serve(&s, ours - 1, argv);
}
