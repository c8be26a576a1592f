// SPDX-License-Identifier: BSD-3-Clause
/*
 * Processes of several engines: whatever brings packets to queues, each finds the engine that has
 * its connection, also when the client comes from another port.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "sim/trial.h"
#include "wire/bytes.h"
#include "wire/packet.h"

#define MS	   QL_NSEC_PER_MSEC
#define SEC	   QL_NSEC_PER_SEC
#define KB	   UINT64_C(1000)
#define MEMORY	   (UINT64_C(64) << 20)
#define CONNS	   64	 /* of an engine at most */
#define PORTS	   10000 /* of clients: from here on */
#define PORTS_STEP 1000	 /* what a NAT adds at each rebinding */
#define TAKE_UP	   (10 * SEC)

/* Who brings a packet to a queue. */
enum how {
	RANDOM, /* nobody */
	HASH,	/* addresses and ports, as RSS does */
	AWARE,	/* the word in short headers, and those */
	HOWS,
};

/* One with several engines. */
struct process {
	struct lanes *all;
	unsigned int first, n; /* nodes */
	struct ql_mesh *mesh;
	enum how how;
	bool has_word;
	struct ql_cid_word word;
	struct ql_tls_ctx *tls;
	struct sim_app app;
	uint64_t arrived; /* datagrams */
	/* By the client's port: the node that speaks for a connection. */
	uint8_t speaker[PORTS_STEP];
	bool known[PORTS_STEP];
	unsigned int strangers; /* datagrams that came from another one */
};

/* Of the server's configuration. */
struct change {
	const struct ql_cid_config *config;
	unsigned int done; /* steps of engines */
	uint64_t random;   /* of its own */
	uint64_t used_at;  /* by all from here on; 0: not yet */
	unsigned int late; /* packets to IDs of the one before, when clients have had time enough */
	unsigned int fresh;
};

struct lanes {
	struct sim_trial *t;
	struct sim *sim;
	struct process server, client;
	unsigned int conns, rebinds;
	struct change change;
	/* The NAT: what it adds to clients' ports. */
	uint16_t shift;
};

static unsigned int by_flow(const struct ql_addr *local, const struct ql_addr *remote,
			    unsigned int n)
{
	uint32_t flow = (uint32_t)remote->port << 16 | local->port;

	return (flow * UINT32_C(2654435761) >> 8) % n;
}

static unsigned int pick(void *arg, const struct ql_datagram *d)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	const struct process *me = arg;
	const struct ql_cid_word *w = &me->word;

	if (me->how == RANDOM)
		return (unsigned int)sim_below(sim_seed(me->all->sim), me->n);
	if (me->how == AWARE && me->has_word && !(p[0] & QL_PKT_LONG) &&
	    d->mbuf->data_len > w->offset + 1u && ((p[1] ^ w->first_value) & w->first_mask) == 0)
		return ql_get_be16(p + w->offset) & w->mask;
	return by_flow(&d->path.local, &d->path.remote, me->n);
}

/* ---- What is watched ---- */

/* NATs keep some clients from hearing of new IDs for a while; each says something twice a second. */
static void watch_ids(struct change *c, const struct ql_datagram *d, uint64_t now)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);

	if (c->used_at == 0 || p[0] & QL_PKT_LONG)
		return;
	if (p[1] >> 5 == c->config->rotation)
		c->fresh++;
	else if (now > c->used_at + TAKE_UP)
		c->late++;
}

static void tap(void *arg, enum sim_tap_what what, unsigned int node, const struct ql_datagram *d,
		uint64_t now)
{
	struct lanes *l = arg;
	bool server = node < l->client.first;
	struct process *p = server ? &l->server : &l->client;
	unsigned int port = server ? d->path.remote.port : d->path.local.port, flow;

	sim_trial_trace(l->t, what, node, d, now);
	if (what == SIM_TAP_ARRIVED) {
		p->arrived++;
		if (server)
			watch_ids(&l->change, d, now);
		return;
	}
	flow = (port - PORTS) % PORTS_STEP;
	if (!p->known[flow])
		p->speaker[flow] = (uint8_t)node;
	p->known[flow] = true;
	p->strangers += p->speaker[flow] != node;
}

static bool nat_out(void *arg, struct ql_datagram *d, uint64_t now)
{
	const struct lanes *l = arg;

	(void)now;
	d->path.local.port = (uint16_t)(d->path.local.port + l->shift);
	return true;
}

static bool nat_in(void *arg, struct ql_datagram *d, uint64_t now)
{
	const struct lanes *l = arg;

	(void)now;
	if ((d->path.remote.port - PORTS) / PORTS_STEP != l->shift / PORTS_STEP)
		return false; /* it has forgotten that port */
	d->path.remote.port = (uint16_t)(d->path.remote.port - l->shift);
	return true;
}

static void rebind(void *arg)
{
	struct lanes *l = arg;

	l->shift = (uint16_t)(l->shift + PORTS_STEP);
	if (--l->rebinds > 0)
		sim_at(l->sim, sim_now(l->sim) + 300 * MS, rebind, l);
}

/* ---- Processes ---- */

/* Connection IDs with no load balancer, and for one that sees, or needs a key. */
static const struct ql_cid_config *draw_config(uint64_t *random)
{
	static const struct ql_cid_config configs[] = {
		{.rotation = 1, .server_id_len = 3, .server_id = {1, 2, 3}},
		{.rotation = 2, .server_id_len = 2, .encrypted = true, .key = {7}},
		{.rotation = 3, .server_id_len = 8, .encrypted = true, .key = {8}},
	};
	uint64_t i = sim_below(random, 6);

	return i < sizeof(configs) / sizeof(configs[0]) ? &configs[i] : NULL;
}

static void start(struct lanes *l, struct process *p, const char *name, unsigned int n,
		  enum how how, uint64_t *random)
{
	struct ql_mesh_config mesh = {
		.engines = n, .ring_size = 256, .socket_id = -1, .spread = how == RANDOM};
	struct ql_engine_config config = {
		.name = name,
		.socket_id = -1,
		.limits = {.connections = CONNS, .handshakes = CONNS, .memory = MEMORY},
		.tracer = l->t->qlog ? ql_qlog_tracer(l->t->qlog) : NULL,
	};

	p->all = l;
	p->n = n;
	p->how = how;
	for (unsigned int i = 0; i < sizeof(mesh.seed); i++)
		mesh.seed[i] = (uint8_t)sim_random(random);
	p->mesh = ql_mesh_create(&mesh);
	if (!p->mesh) {
		sim_trial_fail(l->t, "no mesh of %u engines", n);
		return;
	}
	config.mesh = p->mesh;
	config.cids = draw_config(random);
	config.n_cids = config.cids != NULL;
	p->has_word = ql_cid_word_of(config.cids, &p->word) == 0;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int node;

		config.lcore_index = (uint16_t)i;
		node = sim_add(l->sim, &config);
		if (i == 0)
			p->first = node;
	}
	sim_join(l->sim, p->first, n, pick, p);
}

static struct ql_engine_stats stats_of(const struct lanes *l, unsigned int node)
{
	struct ql_engine_stats s;

	ql_engine_stats(sim_engine(l->sim, node), &s);
	return s;
}

static bool idle(void *arg)
{
	const struct lanes *l = arg;

	for (unsigned int i = 0; i < l->server.n + l->client.n; i++) {
		if (stats_of(l, i).conns > 0)
			return false;
	}
	return true;
}

static bool connected(void *arg)
{
	const struct lanes *l = arg;

	return l->client.app.connected >= l->conns && l->server.app.connected >= l->conns;
}

/* Each datagram is handled by one engine, crosses once at most, and not if it need not. */
static void check(struct lanes *l, const struct process *p, const char *name)
{
	uint64_t out = 0, in = 0, handled = 0, stray = 0, full = 0;

	for (unsigned int i = 0; i < p->n; i++) {
		struct ql_engine_stats s = stats_of(l, p->first + i);

		out += s.crossed_out;
		in += s.crossed_in;
		handled += s.rx_datagrams;
		stray += s.drops[QL_DROP_STRAY];
		full += s.drops[QL_DROP_CROSSING];
	}
	sim_trial_check(l->t, out == in && handled == p->arrived && stray == 0 && full == 0,
			"%s: %llu came, %llu handled, %llu crossed out, %llu in, %llu stray, "
			"%llu found a full ring",
			name, (unsigned long long)p->arrived, (unsigned long long)handled,
			(unsigned long long)out, (unsigned long long)in, (unsigned long long)stray,
			(unsigned long long)full);
	sim_trial_check(l->t, out <= p->arrived, "%s: some crossed twice", name);
	sim_trial_check(l->t, p->strangers == 0,
			"%s: %u datagrams of engines that do not have the connection", name,
			p->strangers);
	if (p->n == 1 || (p->how == AWARE && p->has_word))
		sim_trial_check(l->t, out == 0, "%s: %llu of %llu crossed", name,
				(unsigned long long)out, (unsigned long long)p->arrived);
	if (p->n > 1 && p->how == RANDOM)
		sim_trial_check(l->t, out > p->arrived / 4, "%s: only %llu of %llu crossed", name,
				(unsigned long long)out, (unsigned long long)p->arrived);
	sim_trial_check(l->t, p->app.errors == 0, "%s, broken promise: %s", name, p->app.error);
	sim_trial_check(l->t, p->app.faults == 0, "%s: connection closed with %s", name,
			ql_err_name(p->app.fault));
}

/* ---- */

/* Each engine takes ports whose answers come to it, for as long as no NAT changes them. */
static void connect_all(struct lanes *l)
{
	/* Else a client that only waits would never show where it is now. */
	const struct ql_transport transport = {.keep_alive_ns = 500 * MS};
	struct process *c = &l->client;

	for (unsigned int i = 0; i < l->conns; i++) {
		struct ql_path path;
		int rc;

		do {
			path = sim_path(l->sim, c->first, l->server.first);
		} while (by_flow(&path.local, &path.remote, c->n) != i % c->n);
		rc = sim_app_connect(&c->app, sim_engine(l->sim, c->first + i % c->n), c->tls,
				     &transport, &path, sim_now(l->sim));

		sim_trial_check(l->t, rc == 0, "ql_connect(): %s", strerror(-rc));
	}
}

static void listen_all(struct lanes *l)
{
	struct ql_proto proto = sim_app_proto(&l->server.app);

	for (unsigned int i = 0; i < l->server.n; i++) {
		int rc = ql_listen(sim_engine(l->sim, l->server.first + i), 443, l->server.tls,
				   NULL, &proto, 1);

		sim_trial_check(l->t, rc == 0, "ql_listen(): %s", strerror(-rc));
	}
}

/* The servers' keys change while connections are there. */
static void change_keys(struct lanes *l, uint64_t *random)
{
	struct ql_engine_keys keys = {.token_key = {1}, .ticket_key = {2}, .reset_key = {3}};

	keys.reset_key[1] = (uint8_t)sim_random(random);
	for (unsigned int i = 0; i < l->server.n; i++) {
		int rc = ql_engine_set_keys(sim_engine(l->sim, l->server.first + i), &keys);

		sim_trial_check(l->t, rc == 0, "ql_engine_set_keys(): %s", strerror(-rc));
	}
}

/* ---- Configurations of connection IDs that change ---- */

/* The next step at the next engine; all engines take one before any takes the next. */
static void configure(void *arg)
{
	struct lanes *l = arg;
	struct change *c = &l->change;
	enum ql_cids_step step = QL_CIDS_CHECK + c->done / l->server.n;
	unsigned int node = l->server.first + c->done % l->server.n;
	int rc = ql_engine_set_cids(sim_engine(l->sim, node), c->config, c->config != NULL, step);

	sim_trial_check(l->t, rc == 0, "ql_engine_set_cids(), step %d: %s", step, strerror(-rc));
	if (++c->done < 3 * l->server.n) {
		sim_at(l->sim, sim_now(l->sim) + sim_below(&c->random, 40 * MS / l->server.n + 1),
		       configure, l);
		return;
	}
	c->used_at = sim_now(l->sim);
}

/*
 * To another one in the middle of the transfers; where a NIC matches the word, to one that has it in the
 * same place, which there is not for every one.
 */
static void change_cids(struct lanes *l)
{
	static const struct ql_cid_config configs[] = {
		{.rotation = 4, .server_id_len = 3, .server_id = {3, 2, 1}},
		{.rotation = 5, .server_id_len = 2, .encrypted = true, .key = {9}},
		{.rotation = 6, .server_id_len = 8, .server_id = {1, 2}},
	};
	struct change *c = &l->change;
	const struct process *p = &l->server;
	struct ql_cid_word word;

	c->config = &configs[sim_below(&c->random, 3)];
	if (p->how == AWARE && p->has_word) {
		c->config = &configs[0];
		if (ql_cid_word_of(c->config, &word) < 0 || word.offset != p->word.offset)
			return;
	}
	sim_at(l->sim, sim_now(l->sim) + sim_below(&c->random, 500 * MS), configure, l);
}

static void play(struct lanes *l, uint64_t *random)
{
	struct sim_link link = {.rate = UINT64_C(4000000),
				.delay = (1 + sim_below(random, 30)) * MS,
				.loss = (unsigned int)sim_below(random, SIM_MILLION / 30),
				.duplicate = SIM_MILLION / 50,
				.reorder = (unsigned int)sim_below(random, SIM_MILLION / 20),
				.reorder_delay = 5 * MS,
				.filter = nat_in,
				.arg = l};
	const struct sim_app *c = &l->client.app, *s = &l->server.app;
	unsigned int streams;

	for (unsigned int i = 0; i < l->server.n + l->client.n; i++) {
		link.filter = i < l->client.first ? nat_in : nat_out;
		*sim_link(l->sim, i) = link;
	}
	listen_all(l);
	connect_all(l);
	sim_trial_check(l->t, sim_run(l->sim, 30 * SEC, connected, l), "%u of %u connected",
			l->client.app.connected, l->conns);
	sim_run(l->sim, 400 * MS, NULL, NULL); /* until handshakes are confirmed */
	if (sim_below(random, 2))
		change_keys(l, random);
	change_cids(l);
	l->rebinds = 1 + (unsigned int)sim_below(random, 10);
	rebind(l);
	sim_trial_check(l->t, sim_run(l->sim, 600 * SEC, idle, l), "not over after 600 s");
	streams = l->conns * c->job.streams;
	sim_trial_check(l->t,
			c->connected == l->conns && c->causes[QL_CLOSE_LOCAL] == l->conns &&
				c->complete == streams &&
				c->received == streams * c->job.download &&
				s->received == streams * c->job.upload,
			"of %u connections %u complete, %u closed; of %u streams %u; %llu bytes "
			"received, %llu by the server",
			l->conns, c->connected, c->causes[QL_CLOSE_LOCAL], streams, c->complete,
			(unsigned long long)c->received, (unsigned long long)s->received);
	sim_trial_check(l->t, s->moved > 0, "nobody was seen to move");
	sim_trial_check(l->t, l->change.late <= l->change.fresh / 100,
			"%u packets to IDs of a configuration that was replaced, %u of the new one",
			l->change.late, l->change.fresh);
	check(l, &l->server, "server");
	check(l, &l->client, "client");
}

void sim_lanes(struct sim_trial *t)
{
	static const unsigned int engines[] = {1, 2, 3, 8, 64};
	const unsigned int sizes = sizeof(engines) / sizeof(engines[0]);
	struct lanes l = {.t = t};
	uint64_t random = t->seed * 7919;
	struct sim_job job = {.streams = 1 + (unsigned int)sim_below(&random, 3)};
	uint64_t started;
	int missing;

	job.download = 400 * KB + sim_below(&random, 500 * KB);
	job.upload = sim_below(&random, 200 * KB);
	l.change.random = t->seed * 104729;
	l.conns = 2 + (unsigned int)sim_below(&random, 6);
	l.sim = sim_new(random);
	started = sim_now(l.sim);
	sim_set_tap(l.sim, tap, &l);
	l.server.tls = sim_env_tls_server();
	l.client.tls = sim_env_tls_client();
	sim_app_init(&l.server.app, NULL);
	sim_app_init(&l.client.app, &job);
	/* Fifteen seeds in a row play all numbers of engines with all ways. */
	start(&l, &l.server, "server", engines[t->seed % sizes], (enum how)(t->seed / sizes % HOWS),
	      &random);
	start(&l, &l.client, "client", engines[sim_below(&random, 4)],
	      (enum how)sim_below(&random, HOWS), &random);
	if (!t->failed)
		play(&l, &random);
	sim_trial_check(t, sim_stats(l.sim)->late == 0, "%llu deadlines in the past",
			(unsigned long long)sim_stats(l.sim)->late);
	t->pairs++;
	t->conns += l.conns;
	t->simulated += sim_now(l.sim) - started;
	missing = sim_free(l.sim);
	sim_trial_check(t, missing == 0, "%d mbufs missing", missing);
	ql_mesh_free(l.server.mesh);
	ql_mesh_free(l.client.mesh);
	ql_tls_ctx_free(l.server.tls);
	ql_tls_ctx_free(l.client.tls);
}
