// SPDX-License-Identifier: BSD-3-Clause
/*
 * The messages by which MACs are found: ARP (RFC 826) and the neighbour part of neighbour
 * discovery (RFC 4861 section 7; the checks of 7.1). Requests for our own addresses are answered,
 * all else only feeds the table.
 */
#ifndef QL_NET_DISCOVERY_H
#define QL_NET_DISCOVERY_H

#include "net/neigh.h"

/* ICMPv6 types. */
#define QL_ND_SOLICIT	135
#define QL_ND_ADVERTISE 136

/* Handle a QL_FRAME_ARP. Takes the mbuf of d. */
void ql_arp_rx(struct ql_neigh *t, struct ql_datagram *d, const struct ql_frame_meta *meta,
	       uint64_t now);

/* Handle a QL_FRAME_ICMP6 of type QL_ND_SOLICIT or QL_ND_ADVERTISE. Takes the mbuf of d. */
void ql_ndp_rx(struct ql_neigh *t, struct ql_datagram *d, const struct ql_frame_meta *meta,
	       uint64_t now);

/*
 * Ask for the MAC of ip: everybody, or the owner of mac where that is not NULL. 0; -ENOBUFS without
 * an mbuf; -EADDRNOTAVAIL when we have no address of the family to ask with.
 */
int ql_discovery_ask(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac);

#endif /* QL_NET_DISCOVERY_H */
