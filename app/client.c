// SPDX-License-Identifier: BSD-3-Clause
/*
 * qlane-client: fetches URLs to files over HTTP/3 and HTTP/0.9, from a DPDK lcore. With --loopback
 * it serves a directory itself, at the other end of a ring. With --perf it measures instead.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "fetch.h"
#include "perf.h"
#include "rings.h"
#include "stack.h"
#include "watch.h"
#include "www.h"

#define GOODBYE_NS  (300 * QL_NSEC_PER_MSEC)
#define PROGRESS_NS (100 * QL_NSEC_PER_MSEC)
#define CHECK_TURNS 64 /* between looks at clocks and signals */

struct options {
	struct ql_net_options net;
	struct ql_ask ask;
	struct ql_ask_priority later;
	const char *ca, *alpn, *out, *sni, *connect, *urls, *upload;
	const char *loopback, *cert, *key, *session, *perf;
	uint64_t perf_up, perf_down;
	uint16_t connections, parallel;
	uint16_t requests;
	uint32_t timeout, move_mb, update_mb;
	bool use_preferred, digest, early_data, insecure, discard, quiet, json;
};

/* What one lcore does. */
struct work {
	struct ql_fetch *fetch; /* or, with --perf, */
	struct ql_perf *perf;
	struct ql_tls_ctx *tls;
	struct ql_engine_stats engine; /* at the end */
	unsigned int lcore;
	uint64_t ns; /* that it took */
};

struct client {
	struct options o;
	struct ql_addr to;
	struct ql_fetch *fetch; /* all of it, before it is shared out; then the first lcore's */
	struct ql_sessions *sessions; /* --session; NULL */
	struct ql_keylog *keylog;
	struct ql_watch watch;
	struct ql_tls_ctx *tls; /* that was made to see whether it can be; the first lcore's */
	struct ql_stack stack;
	struct work *works; /* of the first lanes; the others have none */
	unsigned int n_works;
	unsigned int busy; /* lanes that work */
	bool failed;	   /* one could not begin */
	uint64_t begin;	   /* ns */
	/* --loopback */
	struct ql_www *www;
	struct ql_tls_ctx *server_tls;
	struct ql_http_server *http;
	struct ql_perf_server perf_server;
	struct ql_stack server;
};

static volatile bool stop;

static const struct ql_option table[] = {
	QL_NET_OPTION_ROWS(struct options, net),
	{"ca", "FILE", "PEM file of the authorities to trust [the system's]", ql_option_string,
	 offsetof(struct options, ca)},
	{"insecure", NULL, "trust every certificate", ql_option_flag,
	 offsetof(struct options, insecure)},
	{"alpn", "LIST", "protocols in order of preference [h3,hq-interop]", ql_option_alpns,
	 offsetof(struct options, alpn)},
	{"out", "DIR", "folder for the files; they keep the URLs' paths [.]", ql_option_string,
	 offsetof(struct options, out)},
	{"upload", "FILE", "send this file to each URL by PUT, instead of fetching",
	 ql_option_string, offsetof(struct options, upload)},
	{"digest", NULL, "with --upload: the digest of the file behind it (RFC 9530)",
	 ql_option_flag, offsetof(struct options, digest)},
	{"discard", NULL, "throw the contents away", ql_option_flag,
	 offsetof(struct options, discard)},
	{"continue", NULL,
	 "keep what has come of a file when it is cut off, and go\non from there the next time, if "
	 "the server has it still",
	 ql_option_flag, offsetof(struct options, ask.resume)},
	{"newer", NULL,
	 "only files that the server has changed since they were\nfetched with this option",
	 ql_option_flag, offsetof(struct options, ask.newer)},
	{"range", "FIRST-LAST",
	 "only these bytes of each file, such as 0-99; 1000- for\nall behind, -500 for the last",
	 ql_option_range, offsetof(struct options, ask.range)},
	{"priority", "P",
	 "how urgent, from u=0 to u=7, with ,i for files whose parts\nare of use: asked of the "
	 "server,\nand for uploads (RFC 9218) [u=3]",
	 ql_option_priority, offsetof(struct options, ask.priority)},
	{"priority-then", "P", "and this from a response's header on (PRIORITY_UPDATE)",
	 ql_option_priority, offsetof(struct options, later)},
	{"header", "'NAME: VALUE'", "a field of each request; may be repeated", ql_option_header,
	 offsetof(struct options, ask.headers)},
	{"urls", "FILE", "read more URLs from a file, one a line", ql_option_string,
	 offsetof(struct options, urls)},
	{"sni", "NAME", "name of the server for TLS [the URL's host]", ql_option_string,
	 offsetof(struct options, sni)},
	{"connect", "ADDR:PORT", "connect there, whatever the URLs say", ql_option_string,
	 offsetof(struct options, connect)},
	{"first-version", "N",
	 "of QUIC, to begin with; another one of --versions follows\nif the server does not speak "
	 "it [1, unless --versions is 2]",
	 ql_option_version, offsetof(struct options, net.first_version)},
	{"connections", "N", "to each server [1]", ql_option_u16,
	 offsetof(struct options, connections), 1, 4096},
	{"parallel", "N", "requests at a time on a connection [100]", ql_option_u16,
	 offsetof(struct options, parallel), 1, 10000},
	{"requests", "N", "on a connection in all [no limit]", ql_option_u16,
	 offsetof(struct options, requests), 1, 65535},
	{"use-preferred", NULL, "move to the address that the server would rather have us use",
	 ql_option_flag, offsetof(struct options, use_preferred)},
	{"update-keys-every", "MB", "update the keys after so many MB [when they must be]",
	 ql_option_u32, offsetof(struct options, update_mb), 1, 1 << 20},
	{"move-every", "MB",
	 "after so many MB go on from another port, and the next of\nour addresses [never]",
	 ql_option_u32, offsetof(struct options, move_mb), 1, 1 << 20},
	{"session", "FILE",
	 "keep what the servers give for the next connection to\nthem there, and use what is "
	 "there: "
	 "faster handshakes;\nmade if it is missing, readable by its owner only",
	 ql_option_string, offsetof(struct options, session)},
	{"early-data", NULL,
	 "with a session of --session, ask before the handshake is\ncomplete (0-RTT): a round "
	 "trip "
	 "less, but others may replay\nwhat is asked for",
	 ql_option_flag, offsetof(struct options, early_data)},
	{"perf", "ADDR:PORT",
	 "measure what comes through to a server of the performance\nprotocol and back: "
	 "--requests streams [1] on each of\n--connections, --parallel at a time",
	 ql_option_string, offsetof(struct options, perf)},
	{"perf-up", "BYTES", "with --perf, to send on each stream [100M]", ql_option_u64,
	 offsetof(struct options, perf_up), 0, UINT64_C(1) << 60},
	{"perf-down", "BYTES", "with --perf, to ask for on each stream [100M]", ql_option_u64,
	 offsetof(struct options, perf_down), 0, UINT64_C(1) << 60},
	{"timeout", "S", "give up after so many seconds [never]", ql_option_u32,
	 offsetof(struct options, timeout), 1, 1 << 20},
	{"quiet", NULL, "no progress, no summary", ql_option_flag, offsetof(struct options, quiet)},
	{"json", NULL, "the summary as JSON", ql_option_flag, offsetof(struct options, json)},
	{"loopback", "DIR",
	 "serve DIR on --ip in this process, and fetch over a ring\ninstead of a device; needs "
	 "--cert and --key",
	 ql_option_string, offsetof(struct options, loopback)},
	{"cert", "FILE", "certificate for --loopback, PEM", ql_option_string,
	 offsetof(struct options, cert)},
	{"key", "FILE", "its private key, PEM", ql_option_string, offsetof(struct options, key)},
	{NULL},
};

static void help(void)
{
	printf("usage: qlane-client EAL-ARGUMENTS -- --ip ADDR/PREFIX [OPTIONS] URL...\n\n"
	       "Fetches URLs to files over HTTP/3 or HTTP/0.9 (hq-interop). Its packets go through "
	       "a DPDK port\nand do not pass the kernel. The exit code is 0 only when all arrived "
	       "with status 200.\n\nOptions [default]:\n");
	ql_options_help(table);
	printf("  --config FILE             read options from an INI file: a section [client], "
	       "and\n"
	       "                            the names above as keys\n"
	       "  --help, --version\n\n"
	       "EAL-ARGUMENTS are DPDK's: which lcore (-l), which device, how much memory.\n\n"
	       "On a TAP device, from a server on this machine:\n"
	       "  qlane-client -l 1 --no-pci --in-memory --vdev=net_tap0,iface=qlane1 -- \\\n"
	       "      --ip 10.9.1.2/24 --tap-ip 10.9.1.1/24 --ca ca.pem "
	       "https://10.9.1.1:4433/file\n"
	       "From itself, without any device:\n"
	       "  qlane-client -l 1 --no-pci --in-memory -- --loopback www --cert cert.pem \\\n"
	       "      --key key.pem --ip 10.9.0.2/24 --ca ca.pem https://10.9.0.2:4433/file\n"
	       "What comes through, to a server with --perf:\n"
	       "  qlane-client -l 1 -a 0000:3b:00.1 -- --ip 192.0.2.6/24 --insecure \\\n"
	       "      --perf 192.0.2.5:443 --perf-up 1G --perf-down 1G\n"
	       "Without hugepages add the EAL arguments: --no-huge --no-shconf -m 512\n");
}

static void on_signal(int signal)
{
	(void)signal;
	stop = true;
}

/* Before EAL. */

static bool read_urls(struct ql_fetch *fetch, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool good = true;

	if (!f) {
		ql_complain("--urls %s: %s", path, strerror(errno));
		return false;
	}
	while (good && (len = getline(&line, &size, f)) >= 0) {
		while (len > 0 && strchr(" \t\r\n", line[len - 1]))
			line[--len] = 0;
		if (len > 0 && line[0] != '#')
			good = ql_fetch_add(fetch, line);
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return good;
}

static bool make_fetch(struct client *c, char **urls, int n)
{
	const struct options *o = &c->o;
	const struct ql_fetch_options options = {
		.upload = o->upload,
		.digest = o->digest,
		.ask = o->ask,
		.later = o->later,
		.out = o->discard || o->upload ? NULL
		       : o->out		       ? o->out
					       : ".",
		.sni = o->sni,
		.to = o->connect ? &c->to : NULL,
		.connections = o->connections,
		.parallel = o->parallel,
		.requests = o->requests,
		.update_bytes = o->update_mb * UINT64_C(1000000),
		.move_bytes = o->move_mb * UINT64_C(1000000),
		.sessions = c->sessions,
	};

	if (o->connect && (ql_addr_parse(o->connect, 0, &c->to) < 0 || c->to.port == 0)) {
		ql_complain("--connect %s: expected an address with a port, such as 10.9.0.1:4433",
			    o->connect);
		return false;
	}
	c->fetch = ql_fetch_new(&options);
	if (!c->fetch)
		return false;
	for (int i = 0; i < n; i++) {
		if (!ql_fetch_add(c->fetch, urls[i]))
			return false;
	}
	return (!o->urls || read_urls(c->fetch, o->urls)) && ql_fetch_prepare(c->fetch);
}

static bool read_perf(struct client *c)
{
	const struct options *o = &c->o;

	if (ql_addr_parse(o->perf, 0, &c->to) == 0 && c->to.port != 0)
		return true;
	ql_complain("--perf %s: expected an address with a port, such as 10.9.0.1:4433", o->perf);
	return false;
}

static struct ql_perf *perf_of(const struct client *c, unsigned int connections)
{
	const struct options *o = &c->o;
	const struct ql_perf_options options = {
		.to = c->to,
		.sni = o->sni,
		.upload = o->perf_up,
		.download = o->perf_down,
		.connections = connections,
		.streams = o->requests ? o->requests : 1,
		.parallel = o->parallel,
	};

	return ql_perf_new(&options);
}

static struct ql_tls_ctx *client_tls(const struct client *c)
{
	struct ql_tls_config tls = {
		.ca_file = c->o.ca, .insecure = c->o.insecure, .suites = c->o.net.suites};
	char err[QL_TLS_ERRLEN];
	struct ql_tls_ctx *ctx;

	if (c->keylog) {
		tls.keylog = ql_keylog_write;
		tls.keylog_arg = c->keylog;
	}
	ctx = ql_tls_ctx_create(&tls, err);
	if (!ctx)
		ql_complain("%s", err);
	return ctx;
}

static bool make_tls(struct client *c)
{
	struct ql_tls_config server = {.server = true,
				       .cert_file = c->o.cert,
				       .key_file = c->o.key,
				       .suites = c->o.net.suites};
	char err[QL_TLS_ERRLEN];

	if (!ql_stack_readable("ca", c->o.ca) || !ql_stack_readable("cert", c->o.cert) ||
	    !ql_stack_readable("key", c->o.key) || !ql_stack_keylog(&c->o.net, &c->keylog) ||
	    !ql_watch_open(&c->watch, c->o.net.qlog))
		return false;
	c->tls = client_tls(c); /* and no key log of the server's end: one is enough */
	if (!c->tls)
		return false;
	if (c->o.loopback)
		c->server_tls = ql_tls_ctx_create(&server, err);
	if (c->o.loopback && !c->server_tls) {
		ql_complain("%s", err);
		return false;
	}
	if (c->o.loopback) {
		c->www = ql_www_open(c->o.loopback);
		if (!c->www) {
			ql_complain("--loopback %s: %s", c->o.loopback, strerror(errno));
			return false;
		}
	}
	return true;
}

static bool check(const struct options *o, int n_urls)
{
	if (!ql_devices_check(&o->net.devices))
		return false;
	if (o->net.first_version && o->net.versions[0] &&
	    o->net.first_version != o->net.versions[0] &&
	    o->net.first_version != o->net.versions[1]) {
		ql_complain("--first-version %u is not among --versions",
			    o->net.first_version == QL_VERSION_2 ? 2u : 1u);
		return false;
	}
	if (o->early_data && !o->session) {
		ql_complain("--early-data needs --session FILE: early data goes on from an earlier "
			    "connection");
		return false;
	}
	if (o->upload && (o->ask.resume || o->ask.newer || o->ask.range || o->ask.headers.n)) {
		ql_complain("--upload sends all of a file: --continue, --newer, --range and "
			    "--header are for fetching");
		return false;
	}
	if (o->ask.range && (o->ask.resume || o->ask.newer)) {
		ql_complain("--range fetches a part that is told: --continue and --newer would "
			    "fetch another one");
		return false;
	}
	if (o->discard && (o->ask.resume || o->ask.newer)) {
		ql_complain("--discard leaves no files for --continue or --newer");
		return false;
	}
	if (o->perf && (n_urls > 0 || o->urls || o->upload || o->session)) {
		ql_complain("--perf fetches no URLs, uploads no file, and keeps no session");
		return false;
	}
	if (o->perf && o->perf_up == 0 && o->perf_down == 0) {
		ql_complain("--perf has nothing to measure: --perf-up and --perf-down are both 0");
		return false;
	}
	if (o->loopback && (!o->cert || !o->key)) {
		ql_complain("--loopback needs --cert FILE and --key FILE");
		return false;
	}
	return true;
}

/* With EAL. */

static int listen_loopback(struct client *c, const struct ql_transport *transport)
{
	uint16_t port = c->o.perf ? c->to.port : ql_fetch_port(c->fetch);
	struct ql_proto protos[3];
	int n = ql_http_server_protos(c->http, transport, NULL, protos);

	if (n < 0)
		return n;
	protos[n++] = ql_perf_proto(&c->perf_server);
	return ql_listen(c->server.lanes[0].engine, port, c->server_tls, transport, protos,
			 (unsigned int)n);
}

static bool start_loopback(struct client *c)
{
	const struct ql_net_options there = c->o.net;
	struct ql_transport transport;
	uint16_t ports[2];
	const struct ql_stack_config server = {
		.net = &there, .ports = &ports[0], .one_lane = true, .watch = &c->watch};
	const struct ql_stack_config client = {
		.net = &c->o.net, .ports = &ports[1], .one_lane = true, .watch = &c->watch};
	int rc = ql_rings_create(ports);

	if (rc < 0) {
		ql_complain("cannot make rings: %s", strerror(-rc));
		return false;
	}
	c->o.net = ql_rings_neighbour(&there);
	if (!ql_stack_open(&c->server, &server) || !ql_stack_open(&c->stack, &client))
		return false;
	transport = ql_stack_transport(&c->server, &there);
	c->http = ql_http_server_create(&ql_www_ops, c->www, NULL);
	rc = c->http ? listen_loopback(c, &transport) : -ENOMEM;
	if (rc < 0)
		ql_complain("cannot serve: %s", strerror(-rc));
	return rc == 0;
}

/* The connections, and the URLs, to the lcores. */
static bool share_out(struct client *c)
{
	unsigned int n = c->stack.n_lanes, all = c->o.connections;
	struct ql_fetch *parts[QL_LANES];

	if (n > all)
		n = all;
	c->works = calloc(n, sizeof(*c->works));
	if (!c->works || (c->fetch && !ql_fetch_split(c->fetch, parts, n)))
		return false;
	c->n_works = n;
	for (unsigned int i = 0; i < n; i++) {
		struct work *w = &c->works[i];

		w->lcore = c->stack.lanes[i].lcore;
		w->fetch = c->fetch ? parts[i] : NULL;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct work *w = &c->works[i];

		w->perf = c->o.perf ? perf_of(c, all / n + (i < all % n)) : NULL;
		w->tls = i == 0 ? c->tls : client_tls(c);
		if (!w->tls || (c->o.perf && !w->perf))
			return false;
	}
	return true;
}

static bool start(struct client *c, int eal_argc, char **eal_argv)
{
	uint16_t ports[QL_DEVICES];
	const struct ql_stack_config config = {
		.net = &c->o.net, .ports = ports, .watch = &c->watch};

	if (c->o.loopback) {
		if (!start_loopback(c))
			return false;
	} else if (!ql_devices_find(&c->o.net.devices, eal_argc, eal_argv, ports) ||
		   !ql_stack_open(&c->stack, &config)) {
		return false;
	}
	return share_out(c);
}

/* ---- On each lcore ---- */

static bool start_work(struct client *c, unsigned int i)
{
	struct work *w = &c->works[i];
	struct ql_fetch_network network = {
		.engine = c->stack.lanes[i].engine,
		.lane = c->stack.lanes[i].lane,
		.tls = w->tls,
		.transport = ql_stack_transport(&c->stack, &c->o.net),
		.alpns = c->o.alpn,
		.ip = ql_devices_ips(&c->o.net.devices),
	};
	const struct ql_perf_network perf = {
		.engine = network.engine,
		.lane = network.lane,
		.tls = w->tls,
		.transport = network.transport,
		.ip = network.ip,
	};

	if (w->perf)
		return ql_perf_start(w->perf, &perf, ql_lane_now());
	network.transport.use_preferred = c->o.use_preferred;
	network.transport.early_data = c->o.early_data;
	return ql_fetch_start(w->fetch, &network, ql_lane_now());
}

static void turn(struct client *c, unsigned int i)
{
	ql_stack_turn(&c->stack, i);
	if (c->server.n_lanes)
		ql_stack_turn(&c->server, i);
}

static bool ended(const struct work *w)
{
	return w->perf ? ql_perf_ended(w->perf) : ql_fetch_ended(w->fetch);
}

static struct ql_fetch_stats fetch_total(const struct client *c)
{
	struct ql_fetch_stats all = {0};

	for (unsigned int i = 0; i < c->n_works; i++) {
		const struct ql_fetch_stats *s = ql_fetch_stats(c->works[i].fetch);

		all.files += s->files;
		all.done += s->done;
		all.failed += s->failed;
		all.same += s->same;
		all.bytes += s->bytes;
		all.connections += s->connections;
		all.retries += s->retries;
		all.version_2 += s->version_2;
		all.resumed += s->resumed;
		all.early += s->early;
		all.early_refused += s->early_refused;
		all.moves += s->moves;
		if (s->handshake_ns > all.handshake_ns)
			all.handshake_ns = s->handshake_ns;
	}
	return all;
}

static void add_figure(struct ql_perf_figure *sum, const struct ql_perf_figure *f)
{
	sum->bytes += f->bytes;
	sum->streams += f->streams;
	if (f->ns > sum->ns)
		sum->ns = f->ns;
}

static struct ql_perf_stats perf_total(const struct client *c)
{
	struct ql_perf_stats all = {.failed = 0};

	for (unsigned int i = 0; i < c->n_works; i++) {
		const struct ql_perf_stats *s = ql_perf_stats(c->works[i].perf);

		add_figure(&all.up, &s->up);
		add_figure(&all.down, &s->down);
		all.connected += s->connected;
		all.failed += s->failed;
		all.lost_packets += s->lost_packets;
		if (s->handshake_ns > all.handshake_ns)
			all.handshake_ns = s->handshake_ns;
	}
	return all;
}

static void progress(const struct client *c, uint64_t ns)
{
	struct ql_fetch_stats s;

	if (c->o.perf) {
		uint64_t bytes, all = 0;
		const char *direction = "";

		for (unsigned int i = 0; i < c->n_works; i++) {
			direction = ql_perf_progress(c->works[i].perf, &bytes);
			all += bytes;
		}
		fprintf(stderr, "\r%s: %.1f MB, %.1f s ", direction, all / 1e6, ns / 1e9);
		return;
	}
	s = fetch_total(c);
	fprintf(stderr, "\r%u of %u files, %.1f MB, %.0f Mbit/s ", s.done + s.failed, s.files,
		s.bytes / 1e6, ns ? s.bytes * 8e3 / ns : 0);
}

static void do_work(struct client *c, unsigned int i)
{
	struct work *w = &c->works[i];
	bool show = i == 0 && !c->o.quiet && !c->o.json && isatty(STDERR_FILENO);
	uint64_t begin = c->begin, next = begin + PROGRESS_NS, now = begin, end;
	uint64_t deadline = c->o.timeout ? begin + c->o.timeout * QL_NSEC_PER_SEC : QL_NEVER;
	const char *why = NULL;

	while (!ended(w) && !why) {
		for (int k = 0; k < CHECK_TURNS; k++)
			turn(c, i);
		now = ql_lane_now();
		if (show && now >= next) {
			progress(c, now - begin);
			next = now + PROGRESS_NS;
		}
		if (c->www)
			ql_www_tick(c->www);
		ql_watch_tick(&c->watch, i, now);
		if (stop)
			why = "not finished: interrupted";
		else if (now >= deadline)
			why = "not finished in time (--timeout)";
	}
	if (show)
		fprintf(stderr, "\r%60s\r", "");
	w->ns = now - begin;
	if (why && w->perf)
		ql_complain("%s", why);
	else if (why)
		ql_fetch_give_up(w->fetch, why);
	end = now + GOODBYE_NS;
	while (!(w->perf ? ql_perf_close(w->perf) : ql_fetch_close(w->fetch)) &&
	       ql_lane_now() < end)
		turn(c, i);
}

static void run_lane(void *arg, unsigned int i)
{
	struct client *c = arg;

	if (i < c->n_works) {
		if (start_work(c, i))
			do_work(c, i);
		else
			stop = c->failed = true;
		__atomic_sub_fetch(&c->busy, 1, __ATOMIC_RELAXED);
	}
	/* something for the others may still come here */
	while (__atomic_load_n(&c->busy, __ATOMIC_RELAXED) > 0)
		turn(c, i);
}

/* ---- The end ---- */

static uint64_t longest(const struct client *c)
{
	uint64_t ns = 0;

	for (unsigned int i = 0; i < c->n_works; i++)
		if (c->works[i].ns > ns)
			ns = c->works[i].ns;
	return ns;
}

/* ,"lanes":[{...},...] */
static void list_lanes(const struct client *c)
{
	for (unsigned int i = 0; i < c->n_works; i++) {
		const struct work *w = &c->works[i];

		printf("%s{\"lcore\":%u,\"connections\":%" PRIu64 ",\"tx_packets\":%" PRIu64
		       ",\"rx_packets\":%" PRIu64 ",\"tx_bytes\":%" PRIu64 ",\"rx_bytes\":%" PRIu64
		       ",\"lost_packets\":%" PRIu64 ",\"seconds\":%.6f}",
		       i ? "," : ",\"lanes\":[", w->lcore, w->engine.handshakes_done,
		       w->engine.tx_packets, w->engine.rx_packets, w->engine.tx_bytes,
		       w->engine.rx_bytes, w->engine.lost_packets, w->ns / 1e9);
	}
	printf("]");
}

static void report(const struct client *c)
{
	const struct ql_fetch_stats s = fetch_total(c);
	uint64_t ns = longest(c), capable = 0, failed = 0;
	double seconds = ns / 1e9, rate = ns ? s.bytes * 8e3 / ns : 0;
	char same[48] = "";

	for (unsigned int i = 0; i < c->n_works; i++) {
		capable += c->works[i].engine.ecn_capable;
		failed += c->works[i].engine.ecn_failed;
	}
	if (s.same)
		snprintf(same, sizeof(same), " (%u unchanged)", s.same);
	if (c->o.json) {
		printf("{\"files\":%u,\"done\":%u,\"failed\":%u,\"bytes\":%" PRIu64
		       ",\"seconds\":%.6f,\"goodput_mbit\":%.1f,\"connections\":%u,"
		       "\"same\":%u,\"moves\":%u,\"retries\":%u,\"resumed\":%u,\"early\":%u,"
		       "\"early_refused\":%u,\"version_2\":%u,"
		       "\"ecn_capable\":%" PRIu64 ",\"ecn_failed\":%" PRIu64 ",\"handshake_"
		       "ms\":%.3f",
		       s.files, s.done, s.failed, s.bytes, seconds, rate, s.connections, s.same,
		       s.moves, s.retries, s.resumed, s.early, s.early_refused, s.version_2,
		       capable, failed, s.handshake_ns / 1e6);
		list_lanes(c);
		printf("}\n");
	} else if (!c->o.quiet) {
		printf("%u of %u files%s, %.1f MB in %.2f s: %.0f Mbit/s of goodput; %u "
		       "connection%s, handshake %.1f ms\n",
		       s.done, s.files, same, s.bytes / 1e6, seconds, rate, s.connections,
		       s.connections == 1 ? "" : "s", s.handshake_ns / 1e6);
	}
}

static double mbit(const struct ql_perf_figure *f)
{
	return f->ns ? f->bytes * 8e3 / f->ns : 0;
}

/* False if something of it is missing. */
static bool report_perf(const struct client *c)
{
	const struct ql_perf_stats s = perf_total(c);
	const struct ql_perf_figure *figures[] = {&s.up, &s.down};
	static const char *const names[] = {"up", "down"};
	const uint64_t sizes[] = {c->o.perf_up, c->o.perf_down};
	uint64_t streams = (uint64_t)c->o.connections * (c->o.requests ? c->o.requests : 1);
	bool good = s.failed == 0;

	if (c->o.json)
		printf("{\"connections\":%u,\"failed\":%u,\"handshake_ms\":%.3f,"
		       "\"lost_packets\":%" PRIu64,
		       s.connected, s.failed, s.handshake_ns / 1e6, s.lost_packets);
	else if (!c->o.quiet)
		printf("%u connection%s, handshake %.1f ms, %" PRIu64 " packets of ours lost\n\n"
		       "%-6s %8s %10s %10s %10s\n",
		       s.connected, s.connected == 1 ? "" : "s", s.handshake_ns / 1e6,
		       s.lost_packets, "", "streams", "MB", "seconds", "Mbit/s");
	for (int i = 0; i < 2; i++) {
		const struct ql_perf_figure *f = figures[i];

		if (sizes[i] == 0)
			continue;
		good &= f->streams == streams;
		if (c->o.json)
			printf(",\"%s\":{\"streams\":%u,\"bytes\":%" PRIu64
			       ",\"seconds\":%.6f,\"goodput_mbit\":%.1f}",
			       names[i], f->streams, f->bytes, f->ns / 1e9, mbit(f));
		else if (!c->o.quiet)
			printf("%-6s %8u %10.1f %10.3f %10.0f\n", names[i], f->streams,
			       f->bytes / 1e6, f->ns / 1e9, mbit(f));
	}
	if (c->o.json) {
		list_lanes(c);
		printf("}\n");
	}
	return good;
}

static int fetch(struct client *c, int eal_argc, char **eal_argv, char **urls, int n)
{
	bool good = true, eal;

	if (c->o.session) {
		c->sessions = ql_sessions_open(c->o.session);
		good = c->sessions != NULL;
	}
	good = good && (c->o.perf ? read_perf(c) : make_fetch(c, urls, n)) && make_tls(c) &&
	       ql_stack_eal(eal_argc, eal_argv);
	eal = good;
	if (good)
		good = start(c, eal_argc, eal_argv);
	if (good) {
		c->busy = c->n_works;
		c->begin = ql_lane_now();
		ql_stack_run(&c->stack, run_lane, c);
		good = !c->failed;
	}
	for (unsigned int i = 0; i < c->n_works; i++)
		ql_engine_stats(c->stack.lanes[i].engine, &c->works[i].engine);
	/* what is still running fails here, and says so */
	ql_stack_close(&c->stack);
	ql_stack_close(&c->server);
	if (good && c->o.perf) {
		good = report_perf(c);
	} else if (good) {
		good = fetch_total(c).failed == 0;
		report(c);
		if (c->sessions && !ql_sessions_save(c->sessions))
			good = false;
	}
	good = ql_watch_close(&c->watch) && good;
	ql_sessions_free(c->sessions);
	for (unsigned int i = 0; i < c->n_works; i++) {
		if (i > 0 && c->works[i].fetch)
			ql_fetch_free(c->works[i].fetch);
		if (c->works[i].perf)
			ql_perf_free(c->works[i].perf);
		if (i > 0 && c->works[i].tls)
			ql_tls_ctx_free(c->works[i].tls);
	}
	free(c->works);
	if (c->fetch)
		ql_fetch_free(c->fetch);
	if (c->http)
		ql_http_server_free(c->http);
	if (c->tls)
		ql_tls_ctx_free(c->tls);
	if (c->server_tls)
		ql_tls_ctx_free(c->server_tls);
	if (c->www)
		ql_www_close(c->www);
	ql_keylog_close(c->keylog);
	if (eal) {
		ql_rings_free();
		rte_eal_cleanup();
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct client c = {.o = {.connections = 1,
				 .parallel = 100,
				 .perf_up = 100000000,
				 .perf_down = 100000000}};
	char **urls;
	int ours, n, rc = EXIT_FAILURE;

	ql_program = "qlane-client";
	ours = ql_args_begin(argc, argv, "EAL-ARGUMENTS -- --ip ADDR/PREFIX URL...", help);
	if (ours <= 0)
		return ours == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	urls = calloc((size_t)argc, sizeof(*urls));
	if (!urls)
		return EXIT_FAILURE;
	n = ql_options_read(table, &c.o, "client", argc - ours, argv + ours, urls);
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	if (n >= 0 && check(&c.o, n))
		rc = fetch(&c, ours - 1, argv, urls, n);
	free(urls);
	return rc;
}
