// SPDX-License-Identifier: BSD-3-Clause
/*
 * Echo replies (RFC 792, RFC 4443 4.2) for our own addresses, limited in rate. They go straight
 * back to the MAC that asked. All other ICMP is dropped.
 */
#ifndef QL_NET_ICMP_H
#define QL_NET_ICMP_H

#include "net/frame.h"
#include "base/rate.h"
#include "net/txq.h"

#define QL_ICMP_INTERVAL_NS QL_NSEC_PER_MSEC
#define QL_ICMP_BURST	    100

/*
 * Handle a QL_FRAME_ICMP4 or QL_FRAME_ICMP6 that is not neighbour discovery. Takes the mbuf of d.
 */
void ql_icmp_rx(const struct ql_netif *nif, struct ql_txq *txq, struct ql_rate *rate,
		enum ql_frame_kind kind, struct ql_datagram *d, const struct ql_frame_meta *meta,
		uint64_t now);

#endif /* QL_NET_ICMP_H */
