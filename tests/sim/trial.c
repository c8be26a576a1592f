// SPDX-License-Identifier: BSD-3-Clause
#include "sim/trial.h"

#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "conn/version.h"
#include "wire/packet.h"

#define AMPLIFICATION 3
#define LARGE_MEMORY  (UINT64_C(1) << 30)
#define PROGRAM_MBUFS 8192 /* on their way through a program */

/* An address that a server has heard from. */
struct sim_peer {
	struct ql_addr addr;
	uint64_t received, sent; /* bytes, before it was validated */
	unsigned int moved;	 /* how often the server had found paths valid before */
	bool validated;
};

void sim_trial_fail(struct sim_trial *t, const char *format, ...)
{
	va_list args;

	if (t->failed)
		return;
	t->failed = true;
	va_start(args, format);
	vsnprintf(t->error, sizeof(t->error), format, args);
	va_end(args);
}

/* ---- The trace ---- */

static inline uint64_t mix(uint64_t hash, uint64_t v)
{
	hash = (hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* What was sent and came, when and where; not its bytes: tickets of TLS hold the time of day. */
void sim_trial_trace(struct sim_trial *t, enum sim_tap_what what, unsigned int node,
		     const struct ql_datagram *d, uint64_t now)
{
	uint16_t local = d->path.local.port, remote = d->path.remote.port;
	bool sent = what == SIM_TAP_SENT;
	size_t len = d->mbuf->data_len;

	t->hash = mix(t->hash, now);
	t->hash = mix(t->hash, (uint64_t)what << 48 | (uint64_t)node << 40 |
				       (uint64_t)d->ecn << 32 | (uint32_t)local << 16 | remote);
	t->hash = mix(t->hash, len);
	if (t->trace)
		fprintf(t->trace, "%llu.%09llu %s node %u, port %u to %u, %s, %zu bytes\n",
			(unsigned long long)(now / QL_NSEC_PER_SEC),
			(unsigned long long)(now % QL_NSEC_PER_SEC), sent ? "from" : "  to", node,
			sent ? local : remote, sent ? remote : local,
			*rte_pktmbuf_mtod(d->mbuf, const uint8_t *) & QL_PKT_LONG ? "long"
										  : "short",
			len);
}

/* ---- Amplification ---- */

static struct sim_peer *find_peer(struct sim_trial *t, const struct ql_addr *addr)
{
	struct sim_peer *peer;

	if (t->last_peer < t->n_peers && ql_addr_eq(&t->peers[t->last_peer].addr, addr))
		return &t->peers[t->last_peer];
	for (unsigned int i = 0; i < t->n_peers; i++) {
		if (ql_addr_eq(&t->peers[i].addr, addr)) {
			t->last_peer = i;
			return &t->peers[i];
		}
	}
	t->peers = realloc(t->peers, (t->n_peers + 1) * sizeof(*t->peers));
	if (!t->peers)
		err(1, "trial");
	t->last_peer = t->n_peers++;
	peer = &t->peers[t->last_peer];
	*peer = (struct sim_peer){.addr = *addr, .moved = t->pair.app[SIM_SERVER].moved};
	return peer;
}

/*
 * Whether a datagram may validate its sender's address: it holds a Handshake packet, or an Initial
 * one with a token. Neither is known to be genuine.
 */
static bool may_validate(const uint8_t *p, size_t len)
{
	struct ql_pkt_hdr h;

	while (len > 0 && (p[0] & QL_PKT_LONG) && ql_pkt_parse_long(p, len, &h) == 0) {
		if (h.type == QL_PKT_HANDSHAKE || (h.type == QL_PKT_INITIAL && h.token_len > 0))
			return true;
		p += h.size;
		len -= h.size;
	}
	return false;
}

/*
 * Whether a datagram to the client is a Version Negotiation packet that does not list each version
 * that the server speaks. A flipped bit in the version of a client's packet brings such a packet,
 * which nothing protects; it takes another one in its list to make it such, or one in the version
 * of a server's packet that makes this 0.
 */
static bool misleads(const struct sim_trial *t, const struct ql_datagram *d)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	uint32_t list[QL_VERSIONS_MAX];
	unsigned int n = ql_versions(&t->pair.transport[SIM_SERVER], list), found = 0;
	struct ql_pkt_hdr h;

	if (!(p[0] & QL_PKT_LONG) || ql_pkt_parse_long(p, d->mbuf->data_len, &h) < 0 ||
	    h.type != QL_PKT_VERSION_NEGOTIATION)
		return false;
	for (unsigned int i = 0; i < n; i++) {
		for (size_t k = 0; k < ql_pkt_vn_count(&h); k++) {
			if (ql_pkt_vn_version(&h, k) == list[i]) {
				found++;
				break;
			}
		}
	}
	return found < n;
}

static void tap(void *arg, enum sim_tap_what what, unsigned int node, const struct ql_datagram *d,
		uint64_t now)
{
	size_t len = d->mbuf->data_len;
	struct sim_trial *t = arg;
	struct sim_peer *peer;

	sim_trial_trace(t, what, node, d, now);
	sim_plot_look(t->plot);
	if (t->qlog)
		ql_qlog_write(t->qlog);
	node = sim_pair_side(&t->pair, node);
	if (node == SIM_CLIENT && what == SIM_TAP_ARRIVED)
		t->misleading += misleads(t, d);
	if (node != SIM_SERVER)
		return;
	peer = find_peer(t, &d->path.remote);
	/* A client's new address is not validated by a handshake. */
	peer->validated |= t->pair.app[SIM_SERVER].moved != peer->moved;
	if (peer->validated)
		return;
	if (what == SIM_TAP_ARRIVED) {
		peer->received += len;
		peer->validated = may_validate(rte_pktmbuf_mtod(d->mbuf, const uint8_t *), len);
	} else {
		peer->sent += len;
		sim_trial_check(t, peer->sent <= AMPLIFICATION * peer->received,
				"port %u: %llu bytes sent for %llu before it is validated",
				peer->addr.port, (unsigned long long)peer->sent,
				(unsigned long long)peer->received);
	}
}

/* ---- A pair ---- */

static uint64_t next_seed(struct sim_trial *t)
{
	return mix(mix(0, t->seed), t->pairs++);
}

void sim_trial_open_engines(struct sim_trial *t, struct ql_engine_config config[2],
			    const struct ql_transport *transport, const struct sim_job *job)
{
	static const char *const names[] = {[SIM_SERVER] = "server", [SIM_CLIENT] = "client"};

	for (unsigned int i = 0; i < 2; i++) {
		config[i].name = names[i];
		config[i].lcore_index = (uint16_t)i;
		config[i].socket_id = -1;
		config[i].tracer = t->qlog ? ql_qlog_tracer(t->qlog) : NULL;
	}
	sim_pair_open_with(&t->pair, next_seed(t), config, transport, job);
	sim_set_tap(t->pair.sim, tap, t);
	t->started = sim_now(t->pair.sim);
	sim_plot_begin(t->plot, &t->pair);
}

void sim_trial_open(struct sim_trial *t, const struct ql_transport *transport,
		    const struct sim_job *job)
{
	sim_trial_open_with(t, QL_RETRY_AUTO, transport, job);
}

void sim_trial_open_with(struct sim_trial *t, enum ql_retry retry,
			 const struct ql_transport *transport, const struct sim_job *job)
{
	struct ql_engine_config config[2] = {[SIM_SERVER] = {.retry = retry}};

	sim_trial_open_engines(t, config, transport, job);
}

void sim_trial_open_large(struct sim_trial *t, const struct ql_transport *transport,
			  const struct sim_job *job, unsigned int datagrams)
{
	struct ql_engine_config config[2] = {0};

	/* Twice: what has arrived waits for what was lost. */
	t->pool = sim_env_pool("large", 2 * datagrams + PROGRAM_MBUFS, transport->udp_payload);
	for (unsigned int i = 0; i < 2; i++) {
		config[i].tx_pool = t->pool;
		config[i].limits.memory = LARGE_MEMORY;
	}
	sim_trial_open_engines(t, config, transport, job);
}

void sim_trial_script(struct sim_trial *t, const struct sim_event *events, unsigned int n)
{
	t->script = sim_script_start(t->pair.sim, events, n);
}

void sim_trial_connect(struct sim_trial *t, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int rc = sim_pair_connect(&t->pair);

		sim_trial_check(t, rc == 0, "ql_connect(): %s", strerror(-rc));
	}
	t->conns += n;
}

void sim_trial_run(struct sim_trial *t, uint64_t ns)
{
	const struct sim_app *c = &t->pair.app[SIM_CLIENT], *s = &t->pair.app[SIM_SERVER];
	bool over = sim_run(t->pair.sim, ns, sim_pair_idle, &t->pair);

	sim_trial_check(t, over,
			"not over after %llu s: client connected %u, closed %u, complete %u, "
			"received %llu; server accepted %u, closed %u, received %llu",
			(unsigned long long)(ns / QL_NSEC_PER_SEC), c->connected, c->closed,
			c->complete, (unsigned long long)c->received, s->accepted, s->closed,
			(unsigned long long)s->received);
}

void sim_trial_complete(struct sim_trial *t)
{
	const struct sim_app *c = &t->pair.app[SIM_CLIENT], *s = &t->pair.app[SIM_SERVER];
	unsigned int conns = 0, streams;

	for (unsigned int i = 0; i < sim_pair_nodes(&t->pair); i++)
		conns += (unsigned int)sim_pair_stats(&t->pair, i).conns_initiated;

	/*
	 * Misled by a Version Negotiation packet, a client gives up (RFC 9000, 6.2), or begins anew
	 * and learns from the server's transport parameters that it was (RFC 9368, 4).
	 */
	conns -= c->causes[QL_CLOSE_VERSION] + c->misled;
	streams = conns * c->job.streams;
	sim_trial_check(
		t, c->connected == conns && c->causes[QL_CLOSE_LOCAL] - c->misled == conns,
		"of %u connections %u were complete and %u closed; "
		"%u by the peer, %u idle, %u in the handshake, %u by reset, %u for the version",
		conns, c->connected, c->causes[QL_CLOSE_LOCAL], c->causes[QL_CLOSE_PEER],
		c->causes[QL_CLOSE_IDLE], c->causes[QL_CLOSE_HANDSHAKE], c->causes[QL_CLOSE_RESET],
		c->causes[QL_CLOSE_VERSION]);
	sim_trial_check(t, c->complete == streams && c->received == streams * c->job.download,
			"of %u streams %u are complete, with %llu bytes", streams, c->complete,
			(unsigned long long)c->received);
	sim_trial_check(t, s->opened == streams && s->received == streams * c->job.upload,
			"of %u streams the server saw %u, and received %llu bytes", streams,
			s->opened, (unsigned long long)s->received);
}

void sim_trial_close(struct sim_trial *t)
{
	static const char *const names[] = {[SIM_SERVER] = "server", [SIM_CLIENT] = "client"};
	struct sim_pair *p = &t->pair;
	unsigned int misled;
	int missing;

	for (unsigned int i = 0; i < sim_pair_nodes(p) && !t->abandoned && !t->failed; i++) {
		struct ql_engine_stats stats = sim_pair_stats(p, i);
		unsigned int side = sim_pair_side(p, i);

		sim_trial_check(t, stats.conns == 0 && stats.handshakes == 0,
				"%s: %u connections, %u handshakes left", names[side], stats.conns,
				stats.handshakes);
		sim_trial_check(t, stats.memory_used == p->memory[side],
				"%s: %llu bytes of memory, %llu at first", names[side],
				(unsigned long long)stats.memory_used,
				(unsigned long long)p->memory[side]);
		sim_trial_check(t, stats.windows_used == 0, "%s: %llu bytes of windows not back",
				names[side], (unsigned long long)stats.windows_used);
		sim_trial_check(t, stats.drops[QL_DROP_STRAY] == 0, "%s: %llu datagrams stray",
				names[side], (unsigned long long)stats.drops[QL_DROP_STRAY]);
	}
	sim_trial_check(t, sim_stats(p->sim)->late == 0, "%llu deadlines in the past",
			(unsigned long long)sim_stats(p->sim)->late);
	misled = p->app[SIM_CLIENT].causes[QL_CLOSE_VERSION] + p->app[SIM_CLIENT].misled;
	sim_trial_check(t, misled <= t->misleading,
			"%u connections closed for their version, of %u that were misled", misled,
			t->misleading);
	t->simulated += sim_now(p->sim) - t->started;
	sim_plot_end(t->plot);
	missing = sim_free(p->sim);
	sim_trial_check(t, missing == 0, "%d mbufs missing", missing);
	for (unsigned int i = 0; i < 2; i++) {
		const struct sim_app *app = &p->app[i];

		sim_trial_check(t, app->errors == 0, "%s, broken promise: %s", names[i],
				app->error);
		sim_trial_check(t, app->faults == 0, "%s: connection closed with %s", names[i],
				ql_err_name(app->fault));
		sim_trial_check(t, app->ended == app->opened, "%s: %u streams of %u not closed",
				names[i], app->opened - app->ended, app->opened);
		sim_trial_check(t, app->live == 0, "%s: %u connections not closed", names[i],
				app->live);
		ql_tls_ctx_free(p->tls[i]);
	}
	rte_mempool_free(t->pool);
	t->pool = NULL;
	memset(p, 0, sizeof(*p));
	sim_script_free(t->script);
	free(t->peers);
	t->script = NULL;
	t->peers = NULL;
	t->n_peers = t->last_peer = t->misleading = 0;
	t->abandoned = false;
}
