// SPDX-License-Identifier: BSD-3-Clause
#include "net/frame.h"

#include <errno.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "net/cksum.h"
#include "wire/bytes.h"

#define ETHERTYPE_VLAN 0x8100
#define VID_MASK       0x0fff
#define HOP_LIMIT      64

#define PROTO_HOPOPTS  0
#define PROTO_ICMP     1
#define PROTO_UDP      17
#define PROTO_FRAGMENT 44
#define PROTO_ICMP6    58
#define PROTO_DSTOPTS  60

/* Hop-by-hop and destination options; nobody needs more, and each costs us time. */
#define MAX_EXTENSIONS 4

static enum ql_frame_kind drop(struct ql_frame_meta *meta, enum ql_net_drop reason)
{
	meta->drop = reason;
	return QL_FRAME_DROP;
}

/* Leave [offset, offset + len) of the data. */
static void narrow(struct rte_mbuf *m, uint16_t offset, uint16_t len)
{
	m->data_off += offset;
	m->data_len = len;
	m->pkt_len = len;
}

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Sum of the pseudo header (RFC 768, RFC 8200 8.1) without the length, folded. */
static uint32_t pseudo_sum(const struct ql_path *path, uint8_t proto)
{
	bool is4 = ql_addr_is_ip4(&path->local);
	size_t off = is4 ? 12 : 0, n = is4 ? 4 : 16;

	return fold((uint32_t)rte_raw_cksum(path->local.ip + off, n) +
		    rte_raw_cksum(path->remote.ip + off, n) + rte_cpu_to_be_16(proto));
}

/* Sum of a message and its pseudo header, whose is pseudo: 0xffff when the checksum in it is right. */
static __attribute__((noinline)) uint32_t message_sum(uint32_t pseudo, const void *data,
						      uint16_t len)
{
	return fold(pseudo + rte_cpu_to_be_16(len) + ql_raw_cksum(data, len));
}

/*
 * GOOD: the device has verified it. NONE: it is not in the packet, but the data never left memory
 * (virtio). BAD is looked at again: some devices call a zero UDP checksum bad.
 */
static bool vouched_ip(const struct rte_mbuf *m)
{
	uint64_t f = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	return f == RTE_MBUF_F_RX_IP_CKSUM_GOOD || f == RTE_MBUF_F_RX_IP_CKSUM_NONE;
}

static bool vouched_l4(const struct rte_mbuf *m)
{
	uint64_t f = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	return f == RTE_MBUF_F_RX_L4_CKSUM_GOOD || f == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

static inline enum ql_frame_kind parse_udp(struct rte_mbuf *m, uint16_t offset, uint16_t len,
					   uint32_t pseudo, struct ql_datagram *d,
					   struct ql_frame_meta *meta)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, offset);
	uint16_t udp_len;

	if (len < sizeof(*udp))
		return drop(meta, QL_NET_DROP_SHORT);
	udp_len = rte_be_to_cpu_16(udp->dgram_len);
	if (udp_len < sizeof(*udp) || udp_len > len)
		return drop(meta, QL_NET_DROP_SHORT);
	if (udp->dgram_cksum == 0) { /* none: only IPv4 may do without (RFC 8200 8.1) */
		if (!ql_addr_is_ip4(&d->path.local))
			return drop(meta, QL_NET_DROP_CHECKSUM);
	} else if (!vouched_l4(m) && message_sum(pseudo, udp, udp_len) != 0xffff) {
		return drop(meta, QL_NET_DROP_CHECKSUM);
	}
	d->path.remote.port = rte_be_to_cpu_16(udp->src_port);
	d->path.local.port = rte_be_to_cpu_16(udp->dst_port);
	narrow(m, offset + (uint16_t)sizeof(*udp), udp_len - (uint16_t)sizeof(*udp));
	return QL_FRAME_UDP;
}

/* What IPv4 and IPv6 have in common once the addresses are in the path. */
static enum ql_frame_kind parse_payload(struct rte_mbuf *m, const struct ql_netif *nif,
					uint8_t proto, uint16_t offset, uint16_t len,
					struct ql_datagram *d, struct ql_frame_meta *meta)
{
	bool is4 = ql_addr_is_ip4(&d->path.local);
	bool owned = ql_netif_owns(nif, d->path.local.ip);

	if (proto == PROTO_UDP) {
		if (!owned || meta->group)
			return drop(meta, QL_NET_DROP_NOT_OURS);
		return parse_udp(m, offset, len, pseudo_sum(&d->path, PROTO_UDP), d, meta);
	}
	if (proto != (is4 ? PROTO_ICMP : PROTO_ICMP6))
		return drop(meta, owned ? QL_NET_DROP_PROTOCOL : QL_NET_DROP_NOT_OURS);
	if (len < sizeof(struct rte_icmp_hdr))
		return drop(meta, QL_NET_DROP_SHORT);
	narrow(m, offset, len);
	return is4 ? QL_FRAME_ICMP4 : QL_FRAME_ICMP6;
}

/* An address that a packet can come from. Ours would make us talk to ourselves. */
static bool source_ok(const struct ql_netif *nif, const uint8_t ip[16])
{
	return ql_ip_is_unicast(ip) && !ql_netif_owns(nif, ip);
}

static void set_ip4(struct ql_addr *addr, rte_be32_t ip)
{
	memset(addr, 0, sizeof(*addr));
	addr->ip[10] = addr->ip[11] = 0xff;
	memcpy(addr->ip + 12, &ip, sizeof(ip));
}

static void set_ip6(struct ql_addr *addr, const uint8_t ip[16])
{
	memcpy(addr->ip, ip, 16);
	addr->port = 0;
}

static enum ql_frame_kind parse_ip4(struct rte_mbuf *m, const struct ql_netif *nif,
				    struct ql_datagram *d, struct ql_frame_meta *meta)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	uint16_t len = rte_pktmbuf_data_len(m), hdr, total;

	if (len < sizeof(*ip) || (ip->version_ihl >> 4) != 4)
		return drop(meta, QL_NET_DROP_SHORT);
	hdr = (ip->version_ihl & 0x0f) * 4;
	total = rte_be_to_cpu_16(ip->total_length);
	if (hdr < sizeof(*ip) || total < hdr || total > len)
		return drop(meta, QL_NET_DROP_SHORT);
	if (!vouched_ip(m) && rte_raw_cksum(ip, hdr) != 0xffff)
		return drop(meta, QL_NET_DROP_CHECKSUM);
	set_ip4(&d->path.local, ip->dst_addr);
	set_ip4(&d->path.remote, ip->src_addr);
	if (!ql_netif_owns(nif, d->path.local.ip))
		return drop(meta, QL_NET_DROP_NOT_OURS);
	if (!source_ok(nif, d->path.remote.ip))
		return drop(meta, QL_NET_DROP_SOURCE);
	if ((ip->fragment_offset &
	     rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return drop(meta, QL_NET_DROP_FRAGMENT);
	d->ecn = ip->type_of_service & 0x3;
	meta->hop_limit = ip->time_to_live;
	return parse_payload(m, nif, ip->next_proto_id, hdr, total - hdr, d, meta);
}

/* False when an option that we do not know asks for the packet to be dropped (RFC 8200 4.2). */
static bool options_ok(const uint8_t *p, uint16_t len)
{
	uint16_t at = 0;

	while (at < len) {
		if (p[at] == 0) { /* Pad1 */
			at++;
			continue;
		}
		if (p[at] >> 6 != 0 || len - at < 2 || p[at + 1] > len - at - 2)
			return false;
		at += 2 + p[at + 1];
	}
	return true;
}

/* A group that neighbour discovery is sent to: all nodes, or solicited-node of ours. */
static bool is_our_group(const struct ql_netif *nif, const uint8_t ip[16])
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	uint8_t group[16];

	if (ql_ip_eq(ip, all_nodes))
		return true;
	for (unsigned int i = 0; i < nif->n_addrs; i++) {
		if (ql_addr_is_ip4(&nif->addrs[i].addr))
			continue;
		ql_ip_solicited_node(nif->addrs[i].addr.ip, group);
		if (ql_ip_eq(ip, group))
			return true;
	}
	return false;
}

static enum ql_frame_kind parse_ip6(struct rte_mbuf *m, const struct ql_netif *nif,
				    struct ql_datagram *d, struct ql_frame_meta *meta)
{
	static const uint8_t unspecified[16];
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *);
	uint16_t len = rte_pktmbuf_data_len(m), at = sizeof(*ip);
	uint32_t vtc, end;
	uint8_t proto;

	if (len < sizeof(*ip))
		return drop(meta, QL_NET_DROP_SHORT);
	vtc = rte_be_to_cpu_32(ip->vtc_flow);
	end = at + (uint32_t)rte_be_to_cpu_16(ip->payload_len);
	if (vtc >> 28 != 6 || end > len)
		return drop(meta, QL_NET_DROP_SHORT);
	set_ip6(&d->path.local, (const uint8_t *)ip + offsetof(struct rte_ipv6_hdr, dst_addr));
	set_ip6(&d->path.remote, (const uint8_t *)ip + offsetof(struct rte_ipv6_hdr, src_addr));
	/* Mapped addresses are IPv4 to us; on the wire nobody has them (RFC 4291 2.5.5.2). */
	if (ql_addr_is_ip4(&d->path.local) ||
	    (!ql_netif_owns(nif, d->path.local.ip) && !is_our_group(nif, d->path.local.ip)))
		return drop(meta, QL_NET_DROP_NOT_OURS);
	/* Duplicate address detection asks without an address. */
	if (ql_addr_is_ip4(&d->path.remote) ||
	    (!source_ok(nif, d->path.remote.ip) &&
	     !(ql_ip_eq(d->path.remote.ip, unspecified) && d->path.local.ip[0] == 0xff)))
		return drop(meta, QL_NET_DROP_SOURCE);
	d->ecn = (vtc >> 20) & 0x3;
	meta->hop_limit = ip->hop_limits;

	proto = ip->proto;
	for (unsigned int n = 0; proto == PROTO_HOPOPTS || proto == PROTO_DSTOPTS; n++) {
		const uint8_t *ext = rte_pktmbuf_mtod_offset(m, uint8_t *, at);
		uint16_t ext_len;

		if (n == MAX_EXTENSIONS || (proto == PROTO_HOPOPTS && n > 0))
			return drop(meta, QL_NET_DROP_PROTOCOL);
		if (end - at < 8)
			return drop(meta, QL_NET_DROP_SHORT);
		ext_len = (ext[1] + 1) * 8;
		if (ext_len > end - at)
			return drop(meta, QL_NET_DROP_SHORT);
		if (!options_ok(ext + 2, ext_len - 2))
			return drop(meta, QL_NET_DROP_PROTOCOL);
		proto = ext[0];
		at += ext_len;
	}
	if (proto == PROTO_FRAGMENT)
		return drop(meta, QL_NET_DROP_FRAGMENT);
	return parse_payload(m, nif, proto, at, (uint16_t)(end - at), d, meta);
}

static enum ql_frame_kind parse(struct rte_mbuf *m, const struct ql_netif *nif,
				struct ql_datagram *d, struct ql_frame_meta *meta)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	uint16_t len = rte_pktmbuf_data_len(m), at = sizeof(*eth), tci = 0, type;

	if (len < at)
		return drop(meta, QL_NET_DROP_SHORT);
	type = rte_be_to_cpu_16(eth->ether_type);
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		tci = m->vlan_tci;
	} else if (type == ETHERTYPE_VLAN) {
		const uint8_t *tag = (const uint8_t *)(eth + 1);

		if (len < at + 4)
			return drop(meta, QL_NET_DROP_SHORT);
		tci = ql_get_be16(tag);
		type = ql_get_be16(tag + 2);
		at += 4;
	}
	if ((tci & VID_MASK) != nif->vlan) /* tag 0 is a priority only */
		return drop(meta, QL_NET_DROP_ETHERTYPE);
	meta->group = rte_is_multicast_ether_addr(&eth->dst_addr);
	if (!meta->group && !rte_is_same_ether_addr(&eth->dst_addr, &nif->mac))
		return drop(meta, QL_NET_DROP_NOT_OURS);
	if (rte_is_multicast_ether_addr(&eth->src_addr))
		return drop(meta, QL_NET_DROP_SOURCE);
	rte_ether_addr_copy(&eth->src_addr, &meta->src_mac);
	narrow(m, at, len - at);

	switch (type) {
	case RTE_ETHER_TYPE_IPV4:
		return parse_ip4(m, nif, d, meta);
	case RTE_ETHER_TYPE_IPV6:
		return parse_ip6(m, nif, d, meta);
	case RTE_ETHER_TYPE_ARP:
		if (len - at < (int)sizeof(struct rte_arp_hdr))
			return drop(meta, QL_NET_DROP_SHORT);
		narrow(m, 0, sizeof(struct rte_arp_hdr));
		meta->hop_limit = 0;
		return QL_FRAME_ARP;
	default:
		return drop(meta, QL_NET_DROP_ETHERTYPE);
	}
}

/* ---- Headers as before ---- */

#define IP4_ADDRESSES 12 /* bytes before them */

/* Remember the len bytes at p of a datagram that was taken, unless a tag or options are in them. */
static void remember(struct ql_frame_seen *seen, const uint8_t *p, size_t len,
		     const struct ql_datagram *d)
{
	bool is4 = ql_addr_is_ip4(&d->path.local);
	size_t at = sizeof(struct rte_ether_hdr);
	size_t ip_len = is4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
	uint8_t mask[QL_FRAME_SEEN] = {0};

	if (len != at + ip_len + sizeof(struct rte_udp_hdr))
		return;
	seen->ip_len = (uint16_t)ip_len;
	memset(mask, 0xff, at + ip_len);
	if (is4) {
		struct rte_ipv4_hdr *ip = (void *)(mask + at);

		ip->type_of_service = 0;
		ip->total_length = ip->packet_id = ip->hdr_checksum = 0;
		ip->time_to_live = 0;
	} else {
		struct rte_ipv6_hdr *ip = (void *)(mask + at);

		ip->vtc_flow = rte_cpu_to_be_32(UINT32_C(0xf) << 28);
		ip->payload_len = 0;
		ip->hop_limits = 0;
	}
	memcpy(seen->bytes, p, QL_FRAME_SEEN);
	memcpy(seen->mask, mask, sizeof(mask));
	for (unsigned int i = 0; i < QL_FRAME_SEEN / 8; i++)
		seen->bytes[i] &= seen->mask[i];
	seen->path = d->path;
	seen->path.local.port = seen->path.remote.port = 0;
	seen->sum = pseudo_sum(&seen->path, PROTO_UDP);
	seen->ip_sum = is4 ? rte_raw_cksum(p + at + IP4_ADDRESSES, 8) : 0;
}

/* The checksum of an IPv4 header without options, whose addresses add up to sum, is right. */
static inline bool ip4_sum_ok(const struct rte_ipv4_hdr *ip, uint32_t sum)
{
	uint32_t w[IP4_ADDRESSES / 4];
	uint64_t all = sum;

	memcpy(w, ip, sizeof(w));
	for (unsigned int i = 0; i < IP4_ADDRESSES / 4; i++)
		all += w[i];
	all = (all & 0xffffffff) + (all >> 32);
	return fold((uint32_t)(all & 0xffff) + (uint32_t)(all >> 16)) == 0xffff;
}

static inline bool is_seen(const struct ql_frame_seen *seen, const uint8_t *p)
{
	uint64_t diff = 0, w;

	for (unsigned int i = 0; i < QL_FRAME_SEEN / 8; i++) {
		memcpy(&w, p + 8 * i, sizeof(w));
		diff |= (w & seen->mask[i]) ^ seen->bytes[i];
	}
	return diff == 0;
}

/* A frame that is_seen(): what may differ. */
static inline enum ql_frame_kind parse_seen(struct rte_mbuf *m, const struct ql_frame_seen *seen,
					    struct ql_datagram *d, struct ql_frame_meta *meta)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	uint16_t at = sizeof(*eth), len = rte_pktmbuf_data_len(m) - at, total;

	if (seen->ip_len == sizeof(struct rte_ipv4_hdr)) {
		const struct rte_ipv4_hdr *ip = (const void *)(eth + 1);

		total = rte_be_to_cpu_16(ip->total_length);
		if (total < sizeof(*ip) || total > len)
			return drop(meta, QL_NET_DROP_SHORT);
		if (!vouched_ip(m) && !ip4_sum_ok(ip, seen->ip_sum))
			return drop(meta, QL_NET_DROP_CHECKSUM);
		total -= sizeof(*ip);
		d->ecn = ip->type_of_service & 0x3;
	} else {
		const struct rte_ipv6_hdr *ip = (const void *)(eth + 1);

		total = rte_be_to_cpu_16(ip->payload_len);
		if (total + sizeof(*ip) > len)
			return drop(meta, QL_NET_DROP_SHORT);
		d->ecn = (rte_be_to_cpu_32(ip->vtc_flow) >> 20) & 0x3;
	}
	rte_ether_addr_copy(&eth->src_addr, &meta->src_mac);
	meta->group = false;
	meta->seen = true;
	d->path = seen->path;
	return parse_udp(m, at + seen->ip_len, total, seen->sum, d, meta);
}

/* Any other frame. Apart, so that the common way has few registers to save. */
static __attribute__((noinline)) enum ql_frame_kind
parse_other(struct rte_mbuf *m, const struct ql_netif *nif, struct ql_frame_seen *seen,
	    struct ql_datagram *d, struct ql_frame_meta *meta)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	bool whole = rte_pktmbuf_data_len(m) >= QL_FRAME_SEEN &&
		     !(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
	enum ql_frame_kind kind = parse(m, nif, d, meta);

	if (whole && kind == QL_FRAME_UDP)
		remember(seen, p, (size_t)(rte_pktmbuf_mtod(m, uint8_t *) - p), d);
	return kind;
}

enum ql_frame_kind ql_frame_parse(struct rte_mbuf *m, const struct ql_netif *nif,
				  struct ql_frame_seen *seen, struct ql_datagram *d,
				  struct ql_frame_meta *meta)
{
	d->mbuf = m;
	meta->seen = false;
	if (m->nb_segs != 1)
		return drop(meta, QL_NET_DROP_SEGMENTS);
	if (seen->ip_len == 0 || rte_pktmbuf_data_len(m) < QL_FRAME_SEEN ||
	    m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED ||
	    !is_seen(seen, rte_pktmbuf_mtod(m, uint8_t *)))
		return parse_other(m, nif, seen, d, meta);
	return parse_seen(m, seen, d, meta);
}

/* ---- Transmit ---- */

/* 20 bits that tell flows apart and nobody else can compute. */
static uint32_t flow_label(const struct ql_path *path, uint64_t secret)
{
	uint64_t w[4];
	__uint128_t mix;

	memcpy(w, path->remote.ip, 16);
	memcpy(w + 2, path->local.ip, 16);
	w[0] ^= secret ^ ((uint64_t)path->remote.port << 16 | path->local.port);
	mix = (__uint128_t)(w[0] ^ w[2]) * (w[1] ^ (w[3] << 32 | w[3] >> 32) ^ ~secret);
	return (uint32_t)((uint64_t)(mix >> 64) ^ (uint64_t)mix) & 0xfffff;
}

/* The headers of a packet whose bytes that differ between packets are 0. */
static uint16_t make_ip(uint8_t *p, const struct ql_path *path, uint8_t proto, uint8_t hop_limit)
{
	if (ql_addr_is_ip4(&path->local)) {
		struct rte_ipv4_hdr *ip = (void *)p;

		*ip = (struct rte_ipv4_hdr){
			.version_ihl = 0x45,
			.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
			.time_to_live = hop_limit,
			.next_proto_id = proto,
		};
		memcpy(&ip->src_addr, path->local.ip + 12, 4);
		memcpy(&ip->dst_addr, path->remote.ip + 12, 4);
		return sizeof(*ip);
	} else {
		struct rte_ipv6_hdr *ip = (void *)p;

		*ip = (struct rte_ipv6_hdr){
			.vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28),
			.proto = proto,
			.hop_limits = hop_limit,
		};
		memcpy(p + offsetof(struct rte_ipv6_hdr, src_addr), path->local.ip, 16);
		memcpy(p + offsetof(struct rte_ipv6_hdr, dst_addr), path->remote.ip, 16);
		return sizeof(*ip);
	}
}

/* Fill in what make_ip() left; ip_sum is the sum of what it made, len that of the packet. */
static inline void finish_ip(struct rte_mbuf *m, void *header, uint16_t len,
			     const struct ql_netif *nif, const struct ql_path *path, bool is4,
			     uint32_t ip_sum, uint8_t ecn)
{
	if (is4) {
		struct rte_ipv4_hdr *ip = header;

		ip->type_of_service = ecn & 0x3;
		ip->total_length = rte_cpu_to_be_16(len);
		if (nif->tx_ip4_cksum)
			m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
		else
			ip->hdr_checksum = (rte_be16_t)~fold(ip_sum + rte_cpu_to_be_16(ecn & 0x3) +
							     ip->total_length);
	} else {
		struct rte_ipv6_hdr *ip = header;

		ip->vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)(ecn & 0x3) << 20 |
						flow_label(path, nif->flow_secret));
		ip->payload_len = rte_cpu_to_be_16(len - (uint16_t)sizeof(*ip));
	}
}

static inline uint16_t ether_len(const struct ql_netif *nif)
{
	return sizeof(struct rte_ether_hdr) + (nif->vlan ? 4 : 0);
}

/*
 * A received mbuf that is sent again keeps nothing of what the device said about it. Where the headers
 * are matters to a device that computes checksums; else the mbuf's second cache line is left alone.
 */
static inline void set_offloads(struct rte_mbuf *m, const struct ql_netif *nif, uint16_t ip_len)
{
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	if (nif->tx_ip4_cksum || nif->tx_udp_cksum)
		m->tx_offload = rte_mbuf_tx_offload(ether_len(nif), ip_len, 0, 0, 0, 0, 0);
}

/* Everything of the Ethernet header but the destination; returns its end. */
static uint8_t *make_ether(uint8_t *p, const struct ql_netif *nif, uint16_t ethertype)
{
	p += RTE_ETHER_ADDR_LEN;
	memcpy(p, nif->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
	p += RTE_ETHER_ADDR_LEN;
	if (nif->vlan)
		p = ql_put_be16(ql_put_be16(p, ETHERTYPE_VLAN), nif->vlan);
	return ql_put_be16(p, ethertype);
}

void ql_frame_head_init(struct ql_frame_head *head, const struct ql_netif *nif,
			const struct ql_path *path)
{
	bool is4 = ql_addr_is_ip4(&path->local);
	uint8_t *ip;

	*head = (struct ql_frame_head){.ether_len = ether_len(nif),
				       .sum = pseudo_sum(path, PROTO_UDP)};
	ip = make_ether(head->bytes, nif, is4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	head->ip_len = make_ip(ip, path, PROTO_UDP, HOP_LIMIT);
	head->ip_sum = rte_raw_cksum(ip, head->ip_len);
}

static inline void push_udp(struct rte_udp_hdr *udp, struct rte_mbuf *m, const struct ql_netif *nif,
			    const struct ql_frame_head *head, const struct ql_path *path, bool is4,
			    uint16_t len)
{
	udp->src_port = rte_cpu_to_be_16(path->local.port);
	udp->dst_port = rte_cpu_to_be_16(path->remote.port);
	udp->dgram_len = rte_cpu_to_be_16(len);
	udp->dgram_cksum = 0;
	if (nif->tx_udp_cksum) {
		udp->dgram_cksum = (rte_be16_t)fold(head->sum + udp->dgram_len);
		m->ol_flags |=
			RTE_MBUF_F_TX_UDP_CKSUM | (is4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
	} else if (!(is4 && nif->no_udp4_cksum)) {
		udp->dgram_cksum = (rte_be16_t)~message_sum(head->sum, udp, len);
		if (udp->dgram_cksum == 0) /* 0 would mean: none */
			udp->dgram_cksum = 0xffff;
	}
}

/* Lengths that the compiler knows are copied by a few moves: what is too much is UDP's, and written next. */
#define HEAD_IP4 (sizeof(struct rte_ether_hdr) + 4 + sizeof(struct rte_ipv4_hdr))
#define HEAD_IP6 (sizeof(struct rte_ether_hdr) + 4 + sizeof(struct rte_ipv6_hdr))

int ql_frame_push_udp(struct rte_mbuf *m, const struct ql_netif *nif,
		      const struct ql_frame_head *head, const struct ql_path *path, uint8_t ecn)
{
	uint16_t udp_len = rte_pktmbuf_data_len(m) + (uint16_t)sizeof(struct rte_udp_hdr);
	uint16_t ip_len = head->ip_len, len = udp_len + ip_len + head->ether_len;
	bool is4 = ip_len == sizeof(struct rte_ipv4_hdr);
	uint8_t *p;

	if (m->nb_segs != 1 || m->data_off < QL_FRAME_HEADERS)
		return -ENOBUFS;
	if (udp_len + ip_len > nif->mtu)
		return -EMSGSIZE;
	set_offloads(m, nif, ip_len);
	m->data_off = (uint16_t)(m->data_off - (len - m->data_len));
	m->data_len = len;
	m->pkt_len = len;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	if (is4)
		memcpy(p, head->bytes, HEAD_IP4);
	else
		memcpy(p, head->bytes, HEAD_IP6);
	p += head->ether_len;
	push_udp((void *)(p + ip_len), m, nif, head, path, is4, udp_len);
	finish_ip(m, p, udp_len + ip_len, nif, path, is4, head->ip_sum, ecn);
	return 0;
}

int ql_frame_push_icmp(struct rte_mbuf *m, const struct ql_netif *nif, const struct ql_path *path,
		       uint8_t hop_limit)
{
	bool is4 = ql_addr_is_ip4(&path->local);
	struct rte_icmp_hdr *icmp = rte_pktmbuf_mtod(m, struct rte_icmp_hdr *);
	uint16_t len = rte_pktmbuf_data_len(m), ip_len;
	uint8_t ip[sizeof(struct rte_ipv6_hdr)];
	void *p;

	if (m->nb_segs != 1 || len < sizeof(*icmp))
		return -ENOBUFS;
	if (len + (is4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)) > nif->mtu)
		return -EMSGSIZE;
	icmp->icmp_cksum = 0;
	if (is4)
		icmp->icmp_cksum = (rte_be16_t)~rte_raw_cksum(icmp, len);
	else
		icmp->icmp_cksum =
			(rte_be16_t)~message_sum(pseudo_sum(path, PROTO_ICMP6), icmp, len);
	ip_len = make_ip(ip, path, is4 ? PROTO_ICMP : PROTO_ICMP6, hop_limit);
	p = rte_pktmbuf_prepend(m, ip_len);
	if (!p)
		return -ENOBUFS;
	memcpy(p, ip, ip_len);
	set_offloads(m, nif, ip_len);
	finish_ip(m, p, len + ip_len, nif, path, is4, rte_raw_cksum(ip, ip_len), QL_ECN_NOT_ECT);
	return 0;
}

int ql_frame_push_ether(struct rte_mbuf *m, const struct ql_netif *nif,
			const struct rte_ether_addr *dst, uint16_t ethertype)
{
	uint8_t *p = (uint8_t *)rte_pktmbuf_prepend(m, ether_len(nif));

	if (!p)
		return -ENOBUFS;
	make_ether(p, nif, ethertype);
	ql_frame_set_dst(m, dst);
	return 0;
}

bool ql_frame_icmp_ok(const struct rte_mbuf *m, const struct ql_path *path)
{
	const void *icmp = rte_pktmbuf_mtod(m, void *);
	uint16_t len = rte_pktmbuf_data_len(m);

	if (ql_addr_is_ip4(&path->local))
		return rte_raw_cksum(icmp, len) == 0xffff;
	return message_sum(pseudo_sum(path, PROTO_ICMP6), icmp, len) == 0xffff;
}
