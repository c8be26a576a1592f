// SPDX-License-Identifier: BSD-3-Clause
#include "net/icmp.h"

#include <rte_icmp.h>

#define ECHO_REQUEST4 8
#define ECHO_REPLY4   0
#define ECHO_REQUEST6 128
#define ECHO_REPLY6   129
#define HOP_LIMIT     64

void ql_icmp_rx(const struct ql_netif *nif, struct ql_txq *txq, struct ql_rate *rate,
		enum ql_frame_kind kind, struct ql_datagram *d, const struct ql_frame_meta *meta,
		uint64_t now)
{
	struct rte_icmp_hdr *icmp = rte_pktmbuf_mtod(d->mbuf, struct rte_icmp_hdr *);
	bool is4 = kind == QL_FRAME_ICMP4;
	enum ql_net_drop reason = QL_NET_DROP_PROTOCOL;

	if (meta->group || !ql_netif_owns(nif, d->path.local.ip)) {
		reason = QL_NET_DROP_NOT_OURS;
		goto drop;
	}
	if (icmp->icmp_type != (is4 ? ECHO_REQUEST4 : ECHO_REQUEST6) || icmp->icmp_code != 0)
		goto drop;
	if (!ql_rate_allow(rate, now)) {
		reason = QL_NET_DROP_RATE;
		goto drop;
	}
	if (!ql_frame_icmp_ok(d->mbuf, &d->path)) {
		reason = QL_NET_DROP_CHECKSUM;
		goto drop;
	}
	icmp->icmp_type = is4 ? ECHO_REPLY4 : ECHO_REPLY6;
	if (ql_frame_push_icmp(d->mbuf, nif, &d->path, HOP_LIMIT) < 0 ||
	    ql_frame_push_ether(d->mbuf, nif, &meta->src_mac,
				is4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6) < 0) {
		reason = QL_NET_DROP_TOO_BIG;
		goto drop;
	}
	txq->stats->answers++;
	ql_txq_push(txq, d->mbuf);
	return;
drop:
	ql_net_drop(txq->stats, d->mbuf, reason);
}
