// SPDX-License-Identifier: BSD-3-Clause
#include "sim/sim.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define BURST	   32
#define POOL_MBUFS 32767
#define POOL_ROOM  2048
#define SERVE_PORT 443
#define FIRST_PORT 10000
#define TICK_NS	   (UINT64_C(1) << 13) /* of the engines' timers */

const struct sim_link sim_link_default = {
	.rate = UINT64_C(1000000000),
	.delay = 10 * QL_NSEC_PER_MSEC,
};

struct node {
	struct ql_engine *engine;
	struct rte_mempool *pool;
	unsigned int pool_level; /* mbufs in it before the engine was there */
	struct ql_addr addr;
	struct ql_addr more[SIM_ADDRS];
	unsigned int n_more;
	struct sim_link link;
	struct sim_link_stats stats;
	uint64_t burst_end;  /* of losses */
	unsigned int run;    /* the last ones that were lost or corrupted */
	uint64_t busy_until; /* when the link has sent all that waits */
	/* Ring of the times at which those that wait have been sent, to know how many wait. */
	uint64_t *waiting;
	unsigned int n_waiting, first_waiting, max_waiting;
	uint16_t next_port;
	/* of a machine of several, whose first one this is */
	sim_pick_fn pick;
	void *pick_arg;
	struct ql_datagram in[BURST];
	unsigned int n_in;
};

/* A datagram on its way. */
struct delivery {
	uint64_t at;
	uint64_t seq; /* what was sent first comes first */
	unsigned int node;
	struct ql_datagram d;
};

struct alarm {
	uint64_t at;
	void (*fn)(void *arg);
	void *arg;
};

struct sim {
	uint64_t now;
	uint64_t random;
	struct node nodes[SIM_NODES];
	unsigned int n_nodes;
	bool joined;	       /* some of them */
	struct delivery *heap; /* the next one first */
	size_t n_heap, max_heap;
	uint64_t seq;
	struct alarm *alarms; /* in order of time */
	size_t n_alarms, first_alarm;
	sim_tap_fn tap;
	void *tap_arg;
	uint64_t turn; /* ns at least from one turn to the next */
	struct sim_stats stats;
};

static void *grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		err(1, "simulation");
	return p;
}

/* ---- What is on its way ---- */

static inline bool before(const struct delivery *a, const struct delivery *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct sim *s, const struct delivery *v)
{
	size_t i = s->n_heap++;

	if (i == s->max_heap) {
		s->max_heap = s->max_heap ? 2 * s->max_heap : 256;
		s->heap = grow(s->heap, s->max_heap * sizeof(*s->heap));
	}
	while (i > 0 && before(v, &s->heap[(i - 1) / 2])) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = *v;
}

static struct delivery pop(struct sim *s)
{
	struct delivery top = s->heap[0], v = s->heap[--s->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_heap) {
		if (child + 1 < s->n_heap && before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (before(&v, &s->heap[child]))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = v;
	return top;
}

/* ---- The link ---- */

static bool chance(struct sim *s, unsigned int in_a_million)
{
	return in_a_million > 0 && sim_below(&s->random, SIM_MILLION) < in_a_million;
}

/* Lost by chance, one by one or in a burst. */
static bool is_lost(struct sim *s, struct node *n)
{
	const struct sim_link *l = &n->link;

	if (l->run > 0 && n->run >= l->run)
		return false;
	if (s->now >= n->burst_end && chance(s, l->burst_begin))
		n->burst_end = s->now + sim_below(&s->random, 2 * l->burst_length + 1);
	return chance(s, l->loss) || (s->now < n->burst_end && chance(s, l->burst_loss));
}

/* When the link has sent len bytes that come to it now; QL_NEVER: its queue is full. */
static uint64_t departure(struct sim *s, struct node *n, size_t len)
{
	const struct sim_link *l = &n->link;
	uint64_t start = n->busy_until > s->now ? n->busy_until : s->now;

	if (l->rate == 0)
		return s->now;
	while (n->n_waiting > 0 && n->waiting[n->first_waiting] <= s->now) {
		n->first_waiting = (n->first_waiting + 1) % n->max_waiting;
		n->n_waiting--;
	}
	/* One is being sent, the others wait. */
	if (l->queue > 0 && n->n_waiting > l->queue)
		return QL_NEVER;
	if (l->wait > 0 && start - s->now > l->wait)
		return QL_NEVER;
	n->busy_until = start + len * 8 * QL_NSEC_PER_SEC / l->rate;
	if (l->queue > 0) {
		if (n->max_waiting <= l->queue + 1) {
			unsigned int max = l->queue + 2;
			uint64_t *ring = grow(NULL, max * sizeof(*ring));

			for (unsigned int i = 0; i < n->n_waiting; i++)
				ring[i] = n->waiting[(n->first_waiting + i) % n->max_waiting];
			free(n->waiting);
			n->waiting = ring;
			n->first_waiting = 0;
			n->max_waiting = max;
		}
		n->waiting[(n->first_waiting + n->n_waiting++) % n->max_waiting] = n->busy_until;
	}
	return n->busy_until;
}

/* What a faulty link makes of a datagram's mark. False: it loses the datagram. */
static bool spoil_ecn(struct ql_datagram *d, enum sim_ecn fault)
{
	if (d->ecn == QL_ECN_NOT_ECT) {
		if (fault == SIM_ECN_INVENT)
			d->ecn = QL_ECN_ECT0;
		return true;
	}
	if (fault == SIM_ECN_BLEACH)
		d->ecn = QL_ECN_NOT_ECT;
	else if (fault == SIM_ECN_ECT1 && d->ecn == QL_ECN_ECT0)
		d->ecn = QL_ECN_ECT1;
	else if (fault == SIM_ECN_ALL_CE)
		d->ecn = QL_ECN_CE;
	return fault != SIM_ECN_DROP;
}

/* Congestion, or the chance of it, where the sender understands the mark. */
static bool marks(struct sim *s, const struct node *n, const struct ql_datagram *d)
{
	const struct sim_link *l = &n->link;

	if (d->ecn != QL_ECN_ECT0 && d->ecn != QL_ECN_ECT1)
		return false;
	return (l->mark_above > 0 && n->n_waiting > l->mark_above + 1) || chance(s, l->mark);
}

static struct node *node_of(struct sim *s, const struct ql_addr *addr)
{
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];

		if (memcmp(n->addr.ip, addr->ip, sizeof(addr->ip)) == 0)
			return n;
		for (unsigned int k = 0; k < n->n_more; k++) {
			if (memcmp(n->more[k].ip, addr->ip, sizeof(addr->ip)) == 0)
				return n;
		}
	}
	return NULL;
}

/* On its way, after so many ns. */
static void deliver(struct sim *s, struct node *from, const struct ql_datagram *d, uint64_t at)
{
	struct node *to = node_of(s, &d->path.remote);
	struct delivery v = {.at = at, .seq = s->seq++, .d = *d};

	if (!to) {
		from->stats.unroutable++;
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	v.node = (unsigned int)(to - s->nodes);
	v.d.path.local = d->path.remote;
	v.d.path.remote = d->path.local;
	if (to->pick)
		v.node += to->pick(to->pick_arg, &v.d);
	push(s, &v);
}

static void transmit(struct sim *s, struct node *n, struct ql_datagram *d)
{
	const struct sim_link *l = &n->link;
	size_t len = d->mbuf->data_len;
	uint64_t at;

	n->stats.datagrams++;
	n->stats.bytes += len;
	n->stats.ect += d->ecn != QL_ECN_NOT_ECT;
	if (len > n->stats.largest)
		n->stats.largest = len;
	if (s->tap)
		s->tap(s->tap_arg, SIM_TAP_SENT, (unsigned int)(n - s->nodes), d, s->now);
	if (l->down || (l->mtu > 0 && len > l->mtu) || !spoil_ecn(d, l->ecn)) {
		n->stats.vanished++;
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	if (l->filter && !l->filter(l->arg, d, s->now)) {
		n->stats.filtered++;
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	at = departure(s, n, len);
	if (at == QL_NEVER) {
		n->stats.overflowed++;
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	if (is_lost(s, n)) {
		n->stats.lost++;
		n->run++;
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	at += l->delay;
	if (marks(s, n, d)) {
		n->stats.marked++;
		d->ecn = QL_ECN_CE;
	}
	if (chance(s, l->duplicate)) {
		struct ql_datagram copy = *d;

		copy.mbuf = rte_pktmbuf_copy(d->mbuf, n->pool, 0, UINT32_MAX);
		if (copy.mbuf) {
			n->stats.duplicated++;
			deliver(s, n, &copy, at);
		}
	}
	if (chance(s, l->corrupt) && (l->run == 0 || n->run < l->run)) {
		uint64_t bit = sim_below(&s->random, 8 * len);

		n->stats.corrupted++;
		n->run++;
		rte_pktmbuf_mtod(d->mbuf, uint8_t *)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	} else {
		n->run = 0;
	}
	if (chance(s, l->reorder)) {
		n->stats.reordered++;
		at += l->reorder_delay;
	}
	deliver(s, n, d, at);
}

/* ---- The loop ---- */

static void receive(struct sim *s, struct node *n)
{
	unsigned int n_in = n->n_in;

	n->n_in = 0;
	if (n_in > 0)
		ql_engine_rx(n->engine, n->in, n_in, s->now);
}

/* One turn of an engine's loop, received being what came in it already. */
static void turn(struct sim *s, struct node *n, bool received)
{
	struct ql_datagram out[BURST];
	unsigned int n_out;
	bool sent = false;

	receive(s, n);
	ql_engine_tick(n->engine, s->now);
	do {
		n_out = ql_engine_tx(n->engine, out, BURST, s->now);
		for (unsigned int i = 0; i < n_out; i++)
			transmit(s, n, &out[i]);
		sent |= n_out > 0;
	} while (n_out == BURST);
	s->stats.turns++;
	s->stats.idle_turns += !received && !sent;
	s->stats.late += ql_engine_deadline(n->engine) <= s->now;
}

/* What has come to engines of which it is not: all of it, before anybody's turn. */
static void cross(struct sim *s, bool *received)
{
	for (unsigned int i = 0; i < s->n_nodes; i++)
		receive(s, &s->nodes[i]);
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		while (ql_engine_rx_crossed(s->nodes[i].engine, s->now) > 0)
			received[i] = true;
	}
}

/* What has arrived, then a turn of every engine that has something to do. */
static void turns(struct sim *s)
{
	bool received[SIM_NODES] = {0};

	while (s->first_alarm < s->n_alarms && s->alarms[s->first_alarm].at <= s->now) {
		const struct alarm a = s->alarms[s->first_alarm++];

		a.fn(a.arg);
	}
	while (s->n_heap > 0 && s->heap[0].at <= s->now) {
		struct delivery v = pop(s);
		struct node *n = &s->nodes[v.node];

		received[v.node] = true;
		if (s->tap)
			s->tap(s->tap_arg, SIM_TAP_ARRIVED, v.node, &v.d, s->now);
		n->in[n->n_in++] = v.d;
		if (n->n_in == BURST)
			receive(s, n);
	}
	if (s->joined)
		cross(s, received);
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];

		if (received[i] || ql_engine_deadline(n->engine) <= s->now)
			turn(s, n, received[i]);
	}
}

/* When something happens next. */
static uint64_t next(const struct sim *s)
{
	uint64_t t = s->n_heap > 0 ? s->heap[0].at : QL_NEVER;

	if (s->first_alarm < s->n_alarms && s->alarms[s->first_alarm].at < t)
		t = s->alarms[s->first_alarm].at;
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		uint64_t deadline = ql_engine_deadline(s->nodes[i].engine);

		if (deadline < t)
			t = deadline;
	}
	return t;
}

bool sim_run(struct sim *s, uint64_t ns, bool (*done)(void *arg), void *arg)
{
	uint64_t until = s->now + ns, t;

	turns(s); /* what the test has asked for since */
	for (;;) {
		if (done && done(arg))
			return true;
		t = next(s);
		if (t > until)
			break;
		/* Something stuck in the past must not stop the clock. */
		if (t <= s->now)
			t = s->now + TICK_NS;
		if (t < s->now + s->turn)
			t = s->now + s->turn;
		s->now = t;
		turns(s);
	}
	if (until > s->now)
		s->now = until;
	return false;
}

void sim_inject(struct sim *s, unsigned int node, const struct ql_path *path, const void *data,
		size_t len)
{
	struct node *n = &s->nodes[node];
	struct ql_datagram d = {.mbuf = rte_pktmbuf_alloc(n->pool), .path = *path};

	if (!d.mbuf || len > rte_pktmbuf_tailroom(d.mbuf))
		errx(1, "no mbuf for a datagram of %zu bytes", len);
	memcpy(rte_pktmbuf_mtod(d.mbuf, void *), data, len);
	d.mbuf->data_len = (uint16_t)len;
	d.mbuf->pkt_len = (uint32_t)len;
	if (s->tap)
		s->tap(s->tap_arg, SIM_TAP_ARRIVED, node, &d, s->now);
	ql_engine_rx(n->engine, &d, 1, s->now);
}

unsigned int sim_take(struct sim *s, unsigned int node, struct ql_datagram *out, unsigned int max)
{
	return ql_engine_tx(s->nodes[node].engine, out, max, s->now);
}

/* ---- Life ---- */

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s)
		err(1, "simulation");
	s->random = seed;
	s->now = QL_NSEC_PER_SEC;
	return s;
}

int sim_free(struct sim *s)
{
	int missing = 0;

	for (size_t i = 0; i < s->n_heap; i++)
		rte_pktmbuf_free(s->heap[i].d.mbuf);
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		ql_engine_free(s->nodes[i].engine);
		free(s->nodes[i].waiting);
	}
	/* The first node that uses a pool saw it full. */
	for (unsigned int i = 0; i < s->n_nodes; i++) {
		struct node *n = &s->nodes[i];
		bool seen = false;

		for (unsigned int k = 0; k < i; k++)
			seen |= s->nodes[k].pool == n->pool;
		if (!seen)
			missing += (int)n->pool_level - (int)rte_mempool_avail_count(n->pool);
	}
	free(s->heap);
	free(s->alarms);
	free(s);
	return missing;
}

static void start(struct sim *s, struct node *n, const struct ql_engine_config *config)
{
	static struct rte_mempool *pool;
	struct ql_engine_config c = config ? *config : (struct ql_engine_config){.socket_id = -1};
	static const uint8_t no_seed[sizeof(c.seed)];

	if (!pool)
		pool = sim_env_pool("sim", POOL_MBUFS, POOL_ROOM);
	if (!c.tx_pool)
		c.tx_pool = pool;
	if (memcmp(c.seed, no_seed, sizeof(c.seed)) == 0) {
		for (unsigned int k = 0; k < sizeof(c.seed); k++)
			c.seed[k] = (uint8_t)sim_random(&s->random);
	}
	if (!n->pool) {
		n->pool = c.tx_pool;
		n->pool_level = rte_mempool_avail_count(n->pool);
	}
	n->engine = ql_engine_create(&c);
	if (!n->engine)
		err(1, "no engine");
}

unsigned int sim_add(struct sim *s, const struct ql_engine_config *config)
{
	unsigned int i = s->n_nodes;
	struct node *n = &s->nodes[i];

	if (i == SIM_NODES)
		errx(1, "more than %u nodes", SIM_NODES);
	start(s, n, config);
	n->addr = (struct ql_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, (uint8_t)(i + 1)}};
	n->link = sim_link_default;
	n->next_port = FIRST_PORT;
	s->n_nodes++;
	return i;
}

void sim_join(struct sim *s, unsigned int first, unsigned int n, sim_pick_fn pick, void *arg)
{
	struct node *node = &s->nodes[first];

	if (n == 0 || first + n > s->n_nodes)
		errx(1, "%u nodes from %u on are not there", n, first);
	node->pick = pick;
	node->pick_arg = arg;
	s->joined = true;
}

void sim_restart(struct sim *s, unsigned int node, const struct ql_engine_config *config)
{
	struct node *n = &s->nodes[node];

	ql_engine_free(n->engine);
	start(s, n, config);
}

uint64_t sim_now(const struct sim *s)
{
	return s->now;
}

uint64_t *sim_seed(struct sim *s)
{
	return &s->random;
}

struct ql_engine *sim_engine(struct sim *s, unsigned int node)
{
	return s->nodes[node].engine;
}

struct sim_link *sim_link(struct sim *s, unsigned int node)
{
	return &s->nodes[node].link;
}

const struct sim_link_stats *sim_link_stats(const struct sim *s, unsigned int node)
{
	return &s->nodes[node].stats;
}

uint64_t sim_link_waiting(const struct sim *s, unsigned int node)
{
	const struct node *n = &s->nodes[node];

	if (n->busy_until <= s->now)
		return 0;
	return (uint64_t)((unsigned __int128)(n->busy_until - s->now) * n->link.rate /
			  (8 * QL_NSEC_PER_SEC));
}

const struct sim_stats *sim_stats(const struct sim *s)
{
	return &s->stats;
}

void sim_at(struct sim *s, uint64_t at, void (*fn)(void *arg), void *arg)
{
	size_t i = s->n_alarms++;

	s->alarms = grow(s->alarms, s->n_alarms * sizeof(*s->alarms));
	for (; i > s->first_alarm && s->alarms[i - 1].at > at; i--)
		s->alarms[i] = s->alarms[i - 1];
	s->alarms[i] = (struct alarm){.at = at, .fn = fn, .arg = arg};
}

void sim_set_tap(struct sim *s, sim_tap_fn tap, void *arg)
{
	s->tap = tap;
	s->tap_arg = arg;
}

void sim_set_turn(struct sim *s, uint64_t ns)
{
	s->turn = ns;
}

void sim_add_addr(struct sim *s, unsigned int node, const struct ql_addr *addr)
{
	struct node *n = &s->nodes[node];

	if (n->n_more == SIM_ADDRS)
		errx(1, "more than %u addresses", SIM_ADDRS);
	n->more[n->n_more++] = *addr;
}

struct ql_path sim_path(struct sim *s, unsigned int from, unsigned int to)
{
	struct ql_path path = {.local = s->nodes[from].addr, .remote = s->nodes[to].addr};

	path.local.port = s->nodes[from].next_port++;
	path.remote.port = SERVE_PORT;
	return path;
}
