// SPDX-License-Identifier: BSD-3-Clause
/*
 * Complete frames on their way to one transmit queue of one device. What the device does not take
 * is kept and offered again, in order, before anything new; a device that takes nothing for
 * QL_TXQ_STUCK_NS loses all of it, counted. Owns the frames that are in it.
 */
#ifndef QL_NET_TXQ_H
#define QL_NET_TXQ_H

#include <qlane/net.h>

#include <rte_mbuf.h>

#define QL_TXQ_SIZE	512 /* frames */
#define QL_TXQ_HIGH	256 /* no new datagrams are made while more than this wait */
#define QL_TXQ_STUCK_NS (10 * QL_NSEC_PER_MSEC)

struct ql_txq {
	uint16_t port_id, queue_id;
	bool prepare;		     /* offloads are in use: rte_eth_tx_prepare() first */
	uint16_t head, n;	     /* frames[head .. head + n) */
	uint64_t stuck_since;	     /* ns; QL_NEVER while the device takes frames */
	struct ql_lane_stats *stats; /* tx_frames and drops are counted here */
	struct rte_mbuf *frames[QL_TXQ_SIZE];
};

void ql_txq_init(struct ql_txq *q, uint16_t port_id, uint16_t queue_id, bool prepare,
		 struct ql_lane_stats *stats);

/* Make a place behind the last frame; false when there are as many as there may be. */
bool ql_txq_make_room(struct ql_txq *q);

/* Offer everything to the device. */
void ql_txq_flush(struct ql_txq *q, uint64_t now);

/* Drop everything, not counted. */
void ql_txq_clear(struct ql_txq *q);

/* Free a frame and count it. */
void ql_net_drop(struct ql_lane_stats *stats, struct rte_mbuf *m, enum ql_net_drop reason);

/* Append a frame, or drop it when the queue is full. */
static inline void ql_txq_push(struct ql_txq *q, struct rte_mbuf *frame)
{
	if (__builtin_expect(q->head + q->n == QL_TXQ_SIZE, 0) && !ql_txq_make_room(q))
		ql_net_drop(q->stats, frame, QL_NET_DROP_TX_FULL);
	else
		q->frames[q->head + q->n++] = frame;
}

#endif /* QL_NET_TXQ_H */
