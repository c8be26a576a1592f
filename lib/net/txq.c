// SPDX-License-Identifier: BSD-3-Clause
#include "net/txq.h"

#include <rte_ethdev.h>
#include <string.h>

void ql_txq_init(struct ql_txq *q, uint16_t port_id, uint16_t queue_id, bool prepare,
		 struct ql_lane_stats *stats)
{
	memset(q, 0, sizeof(*q));
	q->port_id = port_id;
	q->queue_id = queue_id;
	q->prepare = prepare;
	q->stuck_since = QL_NEVER;
	q->stats = stats;
}

void ql_net_drop(struct ql_lane_stats *stats, struct rte_mbuf *m, enum ql_net_drop reason)
{
	stats->drops[reason]++;
	rte_pktmbuf_free(m);
}

bool ql_txq_make_room(struct ql_txq *q)
{
	if (q->n == QL_TXQ_SIZE)
		return false;
	memmove(q->frames, q->frames + q->head, q->n * sizeof(q->frames[0]));
	q->head = 0;
	return true;
}

/* How many frames at the head the device may be given; a frame that it refuses is dropped. */
static uint16_t prepared(struct ql_txq *q)
{
	uint16_t ok;

	while (q->n > 0) {
		ok = rte_eth_tx_prepare(q->port_id, q->queue_id, q->frames + q->head, q->n);
		if (ok > 0)
			return ok;
		ql_net_drop(q->stats, q->frames[q->head], QL_NET_DROP_TOO_BIG);
		q->head++;
		q->n--;
	}
	return 0;
}

void ql_txq_flush(struct ql_txq *q, uint64_t now)
{
	uint16_t ready, sent;

	while (q->n > 0) {
		ready = q->prepare ? prepared(q) : q->n;
		sent = ready > 0 ? rte_eth_tx_burst(q->port_id, q->queue_id, q->frames + q->head,
						    ready)
				 : 0;
		q->head += sent;
		q->n -= sent;
		q->stats->tx_frames += sent;
		if (sent > 0)
			q->stuck_since = QL_NEVER;
		if (sent < ready)
			break;
	}
	if (q->n == 0) {
		q->head = 0;
		q->stuck_since = QL_NEVER;
	} else if (q->stuck_since == QL_NEVER) {
		q->stuck_since = now;
	} else if (now - q->stuck_since >= QL_TXQ_STUCK_NS) {
		q->stats->drops[QL_NET_DROP_TX_FULL] += q->n;
		ql_txq_clear(q);
	}
}

void ql_txq_clear(struct ql_txq *q)
{
	rte_pktmbuf_free_bulk(q->frames + q->head, q->n);
	q->head = 0;
	q->n = 0;
	q->stuck_since = QL_NEVER;
}
