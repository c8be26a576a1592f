// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ethernet frames <-> UDP datagrams, in place in the mbuf: Ethernet, one 802.1Q tag, IPv4 (RFC
 * 791), IPv6 (RFC 8200), UDP (RFC 768), ECN (RFC 3168). Every length is checked against the mbuf.
 *
 * Receive: ql_frame_parse() takes the headers off and the padding away; what is left is the UDP
 * payload, ICMP message or ARP packet. Transmit: push the headers back on, innermost first.
 */
#ifndef QL_NET_FRAME_H
#define QL_NET_FRAME_H

#include "net/netif.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

/* Headers that the push functions may put before a UDP payload: Ethernet, VLAN, IPv6, UDP. */
#define QL_FRAME_HEADERS (14 + 4 + 40 + 8)

enum ql_frame_kind {
	QL_FRAME_DROP, /* meta->drop says why; the mbuf is still the caller's, its data undefined */
	QL_FRAME_UDP,  /* data: UDP payload */
	QL_FRAME_ARP,  /* data: the 28 bytes of ARP for IPv4 over Ethernet */
	QL_FRAME_ICMP4, /* data: ICMP message, checksum not yet verified */
	QL_FRAME_ICMP6, /* the same; the destination may be a group of neighbour discovery */
};

struct ql_frame_meta {
	struct rte_ether_addr src_mac;
	bool group; /* sent to a multicast or broadcast MAC; never so for UDP */
	bool seen; /* UDP: MAC and addresses are ql_frame_seen's, as of all since one without this */
	uint8_t hop_limit; /* IP's; 0 for ARP, anything for UDP */
	enum ql_net_drop drop;
};

/* Of the headers of a datagram, as many bytes as there are up to the end of IPv6's addresses. */
#define QL_FRAME_SEEN 56

/*
 * Headers of the last UDP datagram, without what differs between those of two hosts: most frames are
 * known by them, and need not be looked at field by field. All zeros at first.
 */
struct ql_frame_seen {
	uint64_t bytes[QL_FRAME_SEEN / 8], mask[QL_FRAME_SEEN / 8]; /* bytes & ~mask is 0 */
	struct ql_path path;					    /* ports are 0 */
	uint32_t sum;	 /* of the addresses and the protocol, for UDP's checksum */
	uint32_t ip_sum; /* of the IP header's addresses, for IPv4's */
	uint16_t ip_len; /* bytes of the IP header; 0: nothing seen yet */
};

/*
 * Take a received frame apart. For UDP and ICMP the path and ECN of d are filled in (ports are 0
 * for ICMP); d->mbuf is m for all kinds. Frames for other MACs, VLANs or IP addresses, fragments
 * and wrong checksums are drops; a checksum is computed only where the device did not vouch for it.
 */
enum ql_frame_kind ql_frame_parse(struct rte_mbuf *m, const struct ql_netif *nif,
				  struct ql_frame_seen *seen, struct ql_datagram *d,
				  struct ql_frame_meta *meta);

/*
 * The headers before UDP's from one address to another: Ethernet, the VLAN tag if any, and IP, without
 * what differs between datagrams. The destination's MAC is left to ql_frame_set_dst().
 */
struct ql_frame_head {
	uint8_t bytes[QL_FRAME_HEADERS - 8];
	uint16_t ether_len, ip_len;
	uint32_t ip_sum; /* of the IP header, for IPv4's checksum */
	uint32_t sum;	 /* of the addresses and the protocol, for UDP's */
};

/* The ports of the path do not matter. */
void ql_frame_head_init(struct ql_frame_head *head, const struct ql_netif *nif,
			const struct ql_path *path);

/*
 * Put all headers before a payload, with the checksums or the flags that make the device fill them in.
 * The head is of the path's addresses. 0; -EMSGSIZE when it is larger than the MTU; -ENOBUFS when the
 * headroom is too small or the payload in several segments.
 */
int ql_frame_push_udp(struct rte_mbuf *m, const struct ql_netif *nif,
		      const struct ql_frame_head *head, const struct ql_path *path, uint8_t ecn);

/* Of a frame that is complete but for that. */
static inline void ql_frame_set_dst(struct rte_mbuf *m, const struct rte_ether_addr *dst)
{
	rte_ether_addr_copy(dst, &rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr);
}

/* Put an IP header before an ICMP message, and the right checksum into the message. */
int ql_frame_push_icmp(struct rte_mbuf *m, const struct ql_netif *nif, const struct ql_path *path,
		       uint8_t hop_limit);

/* Put the Ethernet header, and the VLAN tag if any, before an IP or ARP packet. 0 or -ENOBUFS. */
int ql_frame_push_ether(struct rte_mbuf *m, const struct ql_netif *nif,
			const struct rte_ether_addr *dst, uint16_t ethertype);

/*
 * True when the checksum of an ICMP message of the path is right (RFC 792, RFC 4443 2.3); path as
 * ql_frame_parse() left it.
 */
bool ql_frame_icmp_ok(const struct rte_mbuf *m, const struct ql_path *path);

#endif /* QL_NET_FRAME_H */
