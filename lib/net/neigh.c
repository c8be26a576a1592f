// SPDX-License-Identifier: BSD-3-Clause
#include "net/neigh.h"

#include <string.h>

#include "net/discovery.h"

#define NONE UINT16_MAX

void ql_neigh_init(struct ql_neigh *t, const struct ql_netif *nif, struct ql_txq *txq,
		   struct rte_mempool *pool, const struct ql_sipkey *key)
{
	memset(t, 0, sizeof(*t));
	t->nif = nif;
	t->txq = txq;
	t->pool = pool;
	t->key = *key;
	t->ask_rate = (struct ql_rate){.interval = QL_NEIGH_ASK_NS, .burst = QL_NEIGH_ASK_BURST};
	TAILQ_INIT(&t->asking);
	t->recent = &t->sets[0][0];
	for (unsigned int i = 0; i < QL_NEIGH_PENDING_ALL; i++)
		t->pending[i].next = (uint16_t)(i + 1);
	t->pending[QL_NEIGH_PENDING_ALL - 1].next = NONE;
}

static struct ql_neigh_entry *set_of(struct ql_neigh *t, const uint8_t ip[16])
{
	return t->sets[ql_siphash(&t->key, ip, 16) % QL_NEIGH_SETS];
}

static struct ql_neigh_entry *lookup(struct ql_neigh *t, const uint8_t ip[16])
{
	struct ql_neigh_entry *e = t->recent;

	if (e->state != QL_NEIGH_FREE && ql_ip_eq(e->ip, ip))
		return e;
	e = set_of(t, ip);
	for (unsigned int i = 0; i < QL_NEIGH_WAYS; i++, e++)
		if (e->state != QL_NEIGH_FREE && ql_ip_eq(e->ip, ip))
			return t->recent = e;
	return NULL;
}

const struct ql_neigh_entry *ql_neigh_find(const struct ql_neigh *t, const uint8_t ip[16])
{
	return lookup((struct ql_neigh *)t, ip);
}

static inline void transmit(struct ql_neigh *t, const struct ql_neigh_entry *e,
			    struct rte_mbuf *packet)
{
	ql_frame_set_dst(packet, &e->mac);
	ql_txq_push(t->txq, packet);
}

/* The oldest packet that waits for e, or NULL. */
static struct rte_mbuf *take_pending(struct ql_neigh *t, struct ql_neigh_entry *e)
{
	uint16_t i = e->first;

	if (e->n_pending == 0)
		return NULL;
	e->first = t->pending[i].next;
	e->n_pending--;
	t->pending[i].next = t->free_pending;
	t->free_pending = i;
	return t->pending[i].packet;
}

/* Keep the packet until e answers; the oldest goes when there are too many (RFC 4861 7.2.2). */
static void add_pending(struct ql_neigh *t, struct ql_neigh_entry *e, struct rte_mbuf *packet)
{
	uint16_t i;

	if (e->n_pending == QL_NEIGH_PENDING || (t->free_pending == NONE && e->n_pending > 0))
		ql_net_drop(t->txq->stats, take_pending(t, e), QL_NET_DROP_NEIGHBOUR);
	i = t->free_pending;
	if (i == NONE) {
		ql_net_drop(t->txq->stats, packet, QL_NET_DROP_NEIGHBOUR);
		return;
	}
	t->free_pending = t->pending[i].next;
	t->pending[i].packet = packet;
	t->pending[i].next = NONE;
	if (e->n_pending++ == 0)
		e->first = i;
	else
		t->pending[e->last].next = i;
	e->last = i;
}

static bool is_asking(const struct ql_neigh_entry *e)
{
	return e->state == QL_NEIGH_INCOMPLETE || e->state == QL_NEIGH_PROBE;
}

/* A probe begins with its owner alone; everybody is asked when that does not help. */
static void ask(struct ql_neigh *t, struct ql_neigh_entry *e, bool everybody, uint64_t now)
{
	e->tries++;
	e->due = now + QL_NEIGH_RETRY_NS;
	TAILQ_INSERT_TAIL(&t->asking, e, asking);
	if (ql_rate_allow(&t->ask_rate, now))
		ql_discovery_ask(t, e->ip, everybody ? NULL : &e->mac);
}

static void probe(struct ql_neigh *t, struct ql_neigh_entry *e, bool everybody, uint64_t now)
{
	e->state = QL_NEIGH_PROBE;
	e->tries = 0;
	ask(t, e, everybody, now);
}

static void release(struct ql_neigh *t, struct ql_neigh_entry *e)
{
	struct rte_mbuf *m;

	if (is_asking(e))
		TAILQ_REMOVE(&t->asking, e, asking);
	while ((m = take_pending(t, e)) != NULL)
		ql_net_drop(t->txq->stats, m, QL_NET_DROP_NEIGHBOUR);
	e->state = QL_NEIGH_FREE;
}

/* Lower goes first when room is needed; 0 for what must stay. */
static unsigned int worth(const struct ql_neigh *t, const struct ql_neigh_entry *e, bool sending)
{
	if (e->state == QL_NEIGH_FREE)
		return 1;
	if (ql_netif_is_gateway(t->nif, e->ip))
		return 0;
	if (!e->answered && e->state != QL_NEIGH_INCOMPLETE)
		return 2;
	return sending ? (e->state == QL_NEIGH_INCOMPLETE ? 3 : 4) : 0;
}

/* A fresh entry; the least worth, then the longest unconfirmed of its set gives way. */
static struct ql_neigh_entry *create(struct ql_neigh *t, const uint8_t ip[16], bool sending,
				     uint64_t now)
{
	struct ql_neigh_entry *e = set_of(t, ip), *best = NULL;
	unsigned int best_worth = 0;

	for (unsigned int i = 0; i < QL_NEIGH_WAYS; i++, e++) {
		unsigned int w = worth(t, e, sending);

		if (w == 0 || (best && w > best_worth) ||
		    (best && w == best_worth && e->confirmed >= best->confirmed))
			continue;
		best = e;
		best_worth = w;
	}
	if (!best)
		return NULL;
	if (best->state != QL_NEIGH_FREE)
		release(t, best);
	memset(best, 0, sizeof(*best));
	memcpy(best->ip, ip, 16);
	best->confirmed = now;
	return t->recent = best;
}

/* The MAC is known (again): send what waited for it. */
static void settle(struct ql_neigh *t, struct ql_neigh_entry *e, const struct rte_ether_addr *mac,
		   bool answered, uint64_t now)
{
	struct rte_mbuf *m;

	if (is_asking(e))
		TAILQ_REMOVE(&t->asking, e, asking);
	e->mac = *mac;
	e->answered = answered;
	e->state = answered ? QL_NEIGH_ANSWERED : QL_NEIGH_LEARNED;
	e->tries = 0;
	e->confirmed = now;
	while ((m = take_pending(t, e)) != NULL)
		transmit(t, e, m);
}

static __attribute__((noinline)) void send_other(struct ql_neigh *t, const uint8_t hop[16],
						 struct rte_mbuf *packet, uint64_t now)
{
	struct ql_neigh_entry *e = lookup(t, hop);

	if (!e) {
		e = create(t, hop, true, now);
		if (!e) {
			ql_net_drop(t->txq->stats, packet, QL_NET_DROP_NEIGHBOUR);
			return;
		}
		e->state = QL_NEIGH_INCOMPLETE;
		ask(t, e, true, now);
	}
	if (e->state == QL_NEIGH_INCOMPLETE) {
		add_pending(t, e, packet);
		return;
	}
	if (e->state != QL_NEIGH_PROBE && now - e->confirmed > QL_NEIGH_REACHABLE_NS)
		probe(t, e, false, now);
	transmit(t, e, packet);
}

void ql_neigh_send(struct ql_neigh *t, const uint8_t hop[16], struct rte_mbuf *packet, uint64_t now)
{
	const struct ql_neigh_entry *e = t->recent;

	if ((e->state == QL_NEIGH_LEARNED || e->state == QL_NEIGH_ANSWERED) &&
	    ql_ip_eq(e->ip, hop) && now - e->confirmed <= QL_NEIGH_REACHABLE_NS)
		transmit(t, e, packet);
	else
		send_other(t, hop, packet, now);
}

static bool believable(const struct ql_neigh *t, const uint8_t ip[16],
		       const struct rte_ether_addr *mac)
{
	return rte_is_valid_assigned_ether_addr(mac) && ql_ip_is_unicast(ip) &&
	       !ql_netif_owns(t->nif, ip);
}

void ql_neigh_learn(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac,
		    uint64_t now)
{
	struct ql_neigh_entry *e = t->recent;
	const uint8_t *hop = ip;

	if ((e->state == QL_NEIGH_LEARNED || e->state == QL_NEIGH_ANSWERED) &&
	    ql_ip_eq(e->ip, ip) && rte_is_same_ether_addr(&e->mac, mac)) {
		e->confirmed = now;
		return;
	}
	if (!believable(t, ip, mac))
		return;
	if (!ql_netif_on_link(t->nif, ip) && (hop = ql_netif_next_hop(t->nif, ip)) == NULL)
		return;
	e = lookup(t, hop);
	if (!e || e->state == QL_NEIGH_INCOMPLETE) {
		if (!e && (e = create(t, hop, false, now)) == NULL)
			return;
		settle(t, e, mac, false, now);
		if (hop !=
		    ip) /* anybody can send with a far address: ask whether it is the gateway */
			probe(t, e, true, now);
	} else if (rte_is_same_ether_addr(&e->mac, mac)) {
		if (e->state == QL_NEIGH_PROBE && e->answered)
			settle(t, e, mac, true, now);
		e->confirmed = now;
	} else if (e->state != QL_NEIGH_PROBE && (hop == ip || !e->answered)) {
		probe(t, e, true, now); /* routers other than the gateway may forward to us */
	}
}

void ql_neigh_answer(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac,
		     bool override, uint64_t now)
{
	struct ql_neigh_entry *e = lookup(t, ip);
	bool same;

	if (!e || !believable(t, ip, mac))
		return;
	same = rte_is_same_ether_addr(&e->mac, mac);
	if (e->state == QL_NEIGH_INCOMPLETE || (e->state == QL_NEIGH_PROBE && (same || override)))
		settle(t, e, mac, true, now);
	else if (e->state != QL_NEIGH_PROBE && !same)
		probe(t, e, true, now);
}

uint64_t ql_neigh_deadline(const struct ql_neigh *t)
{
	const struct ql_neigh_entry *e = TAILQ_FIRST(&t->asking);

	return e ? e->due : QL_NEVER;
}

void ql_neigh_tick(struct ql_neigh *t, uint64_t now)
{
	struct ql_neigh_entry *e;

	while ((e = TAILQ_FIRST(&t->asking)) != NULL && e->due <= now) {
		if (e->tries >= QL_NEIGH_TRIES) {
			release(t, e);
			continue;
		}
		TAILQ_REMOVE(&t->asking, e, asking);
		ask(t, e, true, now);
	}
}

void ql_neigh_clear(struct ql_neigh *t)
{
	struct rte_mbuf *m;

	for (unsigned int s = 0; s < QL_NEIGH_SETS; s++)
		for (unsigned int i = 0; i < QL_NEIGH_WAYS; i++)
			while ((m = take_pending(t, &t->sets[s][i])) != NULL)
				rte_pktmbuf_free(m);
}
