// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/net.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_random.h>

#include "base/floors.h"
#include "base/prefetch.h"
#include "net/discovery.h"
#include "net/frame.h"
#include "net/icmp.h"
#include "net/idle.h"
#include "net/neigh.h"
#include "net/port.h"
#include "net/txq.h"

#define LANE_PORTS 8
#define RX_BURST   32
#define TX_BURST   32
#define BURSTS	   4	/* a turn, so that neither way waits long for the other */
#define PREFETCH   4	/* frames ahead */
#define SHORT_NS   5000 /* not worth to be slept */

/* One queue pair of a port, and what it takes to use it. */
struct lane_port {
	const struct ql_port *port;
	uint16_t queue;
	struct ql_rate icmp_rate;
	struct ql_frame_seen seen;
	struct ql_txq txq;
	struct ql_neigh neigh;
};

/* Where datagrams from one address to another go; kept for the next one. */
struct route {
	uint8_t local[16], remote[16];
	struct lane_port *port; /* NULL: cannot be sent */
	const uint8_t *hop;
	struct ql_frame_head head;
};

struct ql_lane {
	struct ql_engine *engine;
	int socket_id;
	unsigned int n_ports;
	struct lane_port *ports[LANE_PORTS];
	struct route route;
	uint16_t next_source;
	enum ql_idle idle;
	int epfd;	  /* of QL_IDLE_SLEEP, else -1 */
	bool wakes;	  /* all queues tell it what arrives */
	uint64_t now;	  /* of the last turn */
	uint64_t at_work; /* the last one that had something to do */
	struct ql_lane_stats stats;
};

struct ql_lane *ql_lane_create(struct ql_engine *engine, int socket_id)
{
	struct ql_lane *lane =
		rte_zmalloc_socket("ql_lane", sizeof(*lane), RTE_CACHE_LINE_SIZE, socket_id);

	if (!lane) {
		errno = ENOMEM;
		return NULL;
	}
	lane->engine = engine;
	lane->socket_id = socket_id;
	lane->epfd = -1;
	lane->next_source = (uint16_t)rte_rand();
	return lane;
}

int ql_lane_add_port(struct ql_lane *lane, struct ql_port *port, uint16_t queue)
{
	struct lane_port *lp;
	struct ql_sipkey key;

	if (queue >= port->queues)
		return -EINVAL;
	for (unsigned int i = 0; i < lane->n_ports; i++)
		if (lane->ports[i]->port == port)
			return -EINVAL;
	if (lane->n_ports == LANE_PORTS)
		return -ENOSPC;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	lp = rte_zmalloc_socket("ql_lane_port", sizeof(*lp), RTE_CACHE_LINE_SIZE, lane->socket_id);
	if (!lp)
		return -ENOMEM;
	lp->port = port;
	lp->queue = queue;
	lp->icmp_rate = (struct ql_rate){.interval = QL_ICMP_INTERVAL_NS, .burst = QL_ICMP_BURST};
	ql_txq_init(&lp->txq, port->id, queue, port->tx_prepare, &lane->stats);
	ql_neigh_init(&lp->neigh, &port->nif, &lp->txq, port->pool, &key);
	lp->neigh.news = port->news;
	lp->neigh.queue = queue;
	lane->ports[lane->n_ports++] = lp;
	lane->route.port = NULL;
	return 0;
}

void ql_lane_free(struct ql_lane *lane)
{
	if (!lane)
		return;
	ql_lane_set_idle(lane, QL_IDLE_POLL);
	for (unsigned int i = 0; i < lane->n_ports; i++) {
		ql_neigh_clear(&lane->ports[i]->neigh);
		ql_txq_clear(&lane->ports[i]->txq);
		rte_free(lane->ports[i]);
	}
	rte_free(lane);
}

/* Handle what is not UDP: all of it is answered, learned from or dropped here. */
static void aside(struct ql_lane *lane, struct lane_port *lp, enum ql_frame_kind kind,
		  struct ql_datagram *d, const struct ql_frame_meta *meta, uint64_t now)
{
	uint8_t type;

	switch (kind) {
	case QL_FRAME_ARP:
		ql_arp_rx(&lp->neigh, d, meta, now);
		return;
	case QL_FRAME_ICMP6:
		type = *rte_pktmbuf_mtod(d->mbuf, uint8_t *);
		if (type == QL_ND_SOLICIT || type == QL_ND_ADVERTISE) {
			ql_ndp_rx(&lp->neigh, d, meta, now);
			return;
		}
		/* fall through */
	case QL_FRAME_ICMP4:
		ql_icmp_rx(&lp->port->nif, &lp->txq, &lp->icmp_rate, kind, d, meta, now);
		return;
	default:
		ql_net_drop(&lane->stats, d->mbuf, meta->drop);
	}
}

/* What is read of a frame before it is opened: its headers, and QUIC's with what unmasks it. */
static inline void prefetch_headers(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	ql_prefetch_write(p);
	ql_prefetch_write(p + QL_CACHE_LINE);
}

static unsigned int receive_burst(struct ql_lane *lane, struct lane_port *lp, uint64_t now)
{
	struct rte_mbuf *frames[RX_BURST];
	struct ql_datagram in[RX_BURST];
	struct ql_frame_meta meta;
	unsigned int n, k = 0;
	bool learned = false; /* from one that was seen before */

	QL_FLOOR(RECEIVE);
	n = rte_eth_rx_burst(lp->port->id, lp->queue, frames, RX_BURST);
	lane->stats.rx_frames += n;
	for (unsigned int i = 0; i < n; i++)
		ql_prefetch_write(frames[i]);
	for (unsigned int i = 0; i < n && i < PREFETCH; i++)
		prefetch_headers(frames[i]);
	for (unsigned int i = 0; i < n; i++) {
		enum ql_frame_kind kind;

		if (i + PREFETCH < n)
			prefetch_headers(frames[i + PREFETCH]);
		kind = ql_frame_parse(frames[i], &lp->port->nif, &lp->seen, &in[k], &meta);
		if (kind != QL_FRAME_UDP) {
			aside(lane, lp, kind, &in[k], &meta, now);
			continue;
		}
		if (!meta.seen || !learned)
			ql_neigh_learn(&lp->neigh, in[k].path.remote.ip, &meta.src_mac, now);
		learned = meta.seen;
		k++;
	}
	if (k > 0)
		ql_engine_rx(lane->engine, in, k, now);
	return n;
}

static unsigned int receive(struct ql_lane *lane, struct lane_port *lp, uint64_t now)
{
	unsigned int n = RX_BURST, total = 0;

	for (unsigned int b = 0; b < BURSTS && n == RX_BURST; b++) {
		n = receive_burst(lane, lp, now);
		total += n;
	}
	return total;
}

/* The port that has the path's local address, and the next hop there. */
static void find_route(struct ql_lane *lane, const struct ql_path *path)
{
	struct route *r = &lane->route;

	if (r->port && ql_ip_eq(r->local, path->local.ip) && ql_ip_eq(r->remote, path->remote.ip))
		return;
	memcpy(r->local, path->local.ip, sizeof(r->local));
	memcpy(r->remote, path->remote.ip, sizeof(r->remote));
	r->port = NULL;
	for (unsigned int i = 0; i < lane->n_ports; i++) {
		const struct ql_netif *nif = &lane->ports[i]->port->nif;

		if (!ql_netif_owns(nif, path->local.ip) ||
		    ql_addr_is_ip4(&path->local) != ql_addr_is_ip4(&path->remote))
			continue;
		r->hop = ql_netif_next_hop(nif, r->remote); /* ours lasts */
		if (r->hop) {
			r->port = lane->ports[i];
			ql_frame_head_init(&r->head, nif, path);
			return;
		}
	}
}

static void send_one(struct ql_lane *lane, struct ql_datagram *d, uint64_t now)
{
	const struct route *r = &lane->route;
	struct lane_port *lp;

	find_route(lane, &d->path);
	lp = r->port;
	if (!lp)
		ql_net_drop(&lane->stats, d->mbuf, QL_NET_DROP_ROUTE);
	else if (ql_frame_push_udp(d->mbuf, &lp->port->nif, &r->head, &d->path, d->ecn) < 0)
		ql_net_drop(&lane->stats, d->mbuf, QL_NET_DROP_TOO_BIG);
	else
		ql_neigh_send(&lp->neigh, r->hop, d->mbuf, now);
}

/* True when every port has room for new frames. */
static bool flush(struct ql_lane *lane, uint64_t now)
{
	bool room = true;

	for (unsigned int i = 0; i < lane->n_ports; i++) {
		ql_txq_flush(&lane->ports[i]->txq, now);
		room = room && lane->ports[i]->txq.n <= QL_TXQ_HIGH;
	}
	return room;
}

static unsigned int transmit(struct ql_lane *lane, uint64_t now)
{
	struct ql_datagram out[TX_BURST];
	unsigned int n = TX_BURST, total = 0;

	for (unsigned int b = 0; b < BURSTS && n == TX_BURST && flush(lane, now); b++) {
		n = ql_engine_tx(lane->engine, out, TX_BURST, now);
		QL_FLOOR(TRANSMIT);
		for (unsigned int i = 0; i < n; i++) {
			if (i + PREFETCH < n)
				ql_prefetch_write(out[i + PREFETCH].mbuf);
			send_one(lane, &out[i], now);
		}
		total += n;
	}
	return total;
}

/* What other lanes of the port have heard from neighbours, and deadlines. */
static void mind_neighbours(struct lane_port *lp, uint64_t now)
{
	struct ql_neigh_news news;

	while (lp->neigh.news && ql_news_take(lp->neigh.news, lp->queue, &news))
		ql_neigh_answer(&lp->neigh, news.ip, &news.mac, news.override, now);
	if (ql_neigh_deadline(&lp->neigh) <= now)
		ql_neigh_tick(&lp->neigh, now);
}

bool ql_lane_poll(struct ql_lane *lane, uint64_t now)
{
	unsigned int work = 0;

	for (unsigned int i = 0; i < lane->n_ports; i++) {
		work += receive(lane, lane->ports[i], now);
		mind_neighbours(lane->ports[i], now);
	}
	work += ql_engine_rx_crossed(lane->engine, now);
	QL_FLOOR(OTHER);
	if (ql_engine_deadline(lane->engine) <= now) {
		ql_engine_tick(lane->engine, now);
		work += transmit(lane, now);
	}
	QL_FLOOR(TRANSMIT);
	flush(lane, now);
	QL_FLOOR(OTHER);
	lane->now = now;
	lane->stats.turns++;
	if (work == 0)
		return false;
	lane->at_work = now;
	lane->stats.busy_turns++;
	return true;
}

/* ns = cycles * scale / 2^32; off by about a second in 50 years. */
static uint64_t tsc_scale(void)
{
	static uint64_t scale; /* every thread computes the same */
	uint64_t s = __atomic_load_n(&scale, __ATOMIC_RELAXED);

	if (__builtin_expect(s == 0, 0)) {
		s = (uint64_t)(((__uint128_t)QL_NSEC_PER_SEC << 32) / rte_get_tsc_hz());
		__atomic_store_n(&scale, s, __ATOMIC_RELAXED);
	}
	return s;
}

uint64_t ql_lane_now(void)
{
	return (uint64_t)(((__uint128_t)rte_rdtsc() * tsc_scale()) >> 32);
}

int ql_lane_set_idle(struct ql_lane *lane, enum ql_idle idle)
{
	if (idle != QL_IDLE_POLL && idle != QL_IDLE_PAUSE && idle != QL_IDLE_SLEEP)
		return -EINVAL;
	for (unsigned int i = 0; lane->epfd >= 0 && i < lane->n_ports; i++)
		if (lane->ports[i]->port->rx_interrupts)
			ql_idle_unwatch(lane->epfd, lane->ports[i]->port->id,
					lane->ports[i]->queue);
	if (lane->epfd >= 0)
		close(lane->epfd);
	lane->epfd = -1;
	lane->idle = idle;
	if (idle != QL_IDLE_SLEEP)
		return 0;
	lane->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (lane->epfd < 0)
		return -errno;
	lane->wakes = true;
	for (unsigned int i = 0; i < lane->n_ports; i++)
		if (!lane->ports[i]->port->rx_interrupts ||
		    !ql_idle_watch(lane->epfd, lane->ports[i]->port->id, lane->ports[i]->queue))
			lane->wakes = false;
	return 0;
}

static void arm(const struct ql_lane *lane, bool on)
{
	for (unsigned int i = 0; lane->wakes && i < lane->n_ports; i++)
		ql_idle_arm(lane->ports[i]->port->id, lane->ports[i]->queue, on);
}

/* Nothing to do before: how long, in ns. */
static uint64_t time_left(const struct ql_lane *lane, uint64_t most)
{
	uint64_t now = ql_lane_now(), until = ql_engine_deadline(lane->engine), due;

	for (unsigned int i = 0; i < lane->n_ports; i++) {
		due = ql_neigh_deadline(&lane->ports[i]->neigh);
		until = due < until ? due : until;
		if (lane->ports[i]->txq.n > 0)
			return 0;
	}
	return until <= now ? 0 : until - now < most ? until - now : most;
}

void ql_lane_rest(struct ql_lane *lane)
{
	uint64_t ns;

	if (lane->idle == QL_IDLE_POLL ||
	    (lane->idle == QL_IDLE_SLEEP && lane->now - lane->at_work < QL_IDLE_BEFORE_NS)) {
		rte_pause();
		return;
	}
	if (lane->idle == QL_IDLE_PAUSE) {
		ql_idle_pause(time_left(lane, QL_IDLE_PAUSE_NS));
		return;
	}
	ns = time_left(lane, lane->wakes ? QL_IDLE_SLEEP_NS : QL_IDLE_NAP_NS);
	if (ns < SHORT_NS) {
		rte_pause();
		return;
	}
	lane->stats.sleeps++;
	arm(lane, true);
	ql_idle_sleep(lane->epfd, ns);
	arm(lane, false);
}

void ql_lane_run(struct ql_lane *lane, const volatile bool *stop)
{
	while (!*stop)
		if (!ql_lane_poll(lane, ql_lane_now()))
			ql_lane_rest(lane);
}

uint16_t ql_lane_source_port(struct ql_lane *lane, const struct ql_addr *local,
			     const struct ql_addr *remote)
{
	struct ql_path path = {.local = *local, .remote = *remote};
	const struct lane_port *lp = NULL;

	for (unsigned int i = 0; i < lane->n_ports && !lp; i++)
		if (ql_netif_owns(&lane->ports[i]->port->nif, local->ip))
			lp = lane->ports[i];
	for (unsigned int tries = 0; tries < QL_SOURCE_PORTS; tries++) {
		int queue;

		path.local.port = lane->next_source++ | QL_SOURCE_PORTS;
		if (!lp)
			break;
		queue = ql_rss_queue(&lp->port->rss, &path);
		if (queue < 0)
			queue = path.local.port % lp->port->queues;
		if (queue == lp->queue)
			break;
	}
	return path.local.port;
}

void ql_lane_stats(const struct ql_lane *lane, struct ql_lane_stats *stats)
{
	*stats = lane->stats;
}
