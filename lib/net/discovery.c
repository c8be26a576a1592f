// SPDX-License-Identifier: BSD-3-Clause
#include "net/discovery.h"

#include <errno.h>
#include <string.h>

#include <rte_arp.h>

#include "wire/bytes.h"

/* Neighbour solicitation and advertisement: 8 bytes, the target, options (RFC 4861 4.3, 4.4). */
#define ND_FLAGS	4
#define ND_TARGET	8
#define ND_OPTIONS	24
#define ND_LEN		32 /* with one link-layer address option */
#define ND_HOP_LIMIT	255
#define ND_SOLICITED	0x40
#define ND_OVERRIDE	0x20
#define ND_OPT_SOURCE	1
#define ND_OPT_TARGET	2
#define ND_OPT_MAC_UNIT 1 /* length in 8 bytes */

static void ip4_of(uint8_t ip[16], const void *be32)
{
	memset(ip, 0, 10);
	ip[10] = ip[11] = 0xff;
	memcpy(ip + 12, be32, 4);
}

/* Somebody says that this is the MAC of an address: to us, and to all who may have asked. */
static void answer(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac,
		   bool override, uint64_t now)
{
	struct ql_neigh_news news = {.mac = *mac, .override = override};

	ql_neigh_answer(t, ip, mac, override, now);
	if (!t->news)
		return;
	memcpy(news.ip, ip, sizeof(news.ip));
	ql_news_tell(t->news, t->queue, &news);
}

void ql_arp_rx(struct ql_neigh *t, struct ql_datagram *d, const struct ql_frame_meta *meta,
	       uint64_t now)
{
	struct rte_arp_hdr *arp = rte_pktmbuf_mtod(d->mbuf, struct rte_arp_hdr *);
	struct ql_lane_stats *stats = t->txq->stats;
	struct rte_arp_ipv4 *body = &arp->arp_data;
	struct rte_ether_addr asker = body->arp_sha;
	uint8_t sender[16], target[16];
	uint16_t op;

	if (arp->arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) ||
	    arp->arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
	    arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != 4) {
		ql_net_drop(stats, d->mbuf, QL_NET_DROP_PROTOCOL);
		return;
	}
	op = rte_be_to_cpu_16(arp->arp_opcode);
	ip4_of(sender, (uint8_t *)body + offsetof(struct rte_arp_ipv4, arp_sip));
	ip4_of(target, (uint8_t *)body + offsetof(struct rte_arp_ipv4, arp_tip));

	if (op == RTE_ARP_OP_REPLY || (op == RTE_ARP_OP_REQUEST && ql_ip_eq(sender, target))) {
		/* an answer, or an announcement */
		answer(t, sender, &asker, !meta->group, now);
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	if (op != RTE_ARP_OP_REQUEST || !ql_netif_owns(t->nif, target)) {
		ql_net_drop(stats, d->mbuf,
			    op == RTE_ARP_OP_REQUEST ? QL_NET_DROP_NOT_OURS : QL_NET_DROP_PROTOCOL);
		return;
	}
	if (!rte_is_valid_assigned_ether_addr(&asker)) {
		ql_net_drop(stats, d->mbuf, QL_NET_DROP_SOURCE);
		return;
	}
	if (ql_netif_on_link(t->nif, sender))
		ql_neigh_learn(t, sender, &asker, now);
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	body->arp_tha = asker;
	body->arp_tip = body->arp_sip;
	body->arp_sha = t->nif->mac;
	memcpy((uint8_t *)body + offsetof(struct rte_arp_ipv4, arp_sip), target + 12, 4);
	d->mbuf->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	if (ql_frame_push_ether(d->mbuf, t->nif, &asker, RTE_ETHER_TYPE_ARP) < 0) {
		ql_net_drop(stats, d->mbuf, QL_NET_DROP_TOO_BIG);
		return;
	}
	stats->answers++;
	ql_txq_push(t->txq, d->mbuf);
}

/*
 * The link-layer address option of a type; NULL when there is none. False when the options are
 * malformed: the message is then to be dropped.
 */
static bool nd_option(const uint8_t *p, uint16_t len, uint8_t type,
		      const struct rte_ether_addr **mac)
{
	*mac = NULL;
	while (len > 0) {
		uint16_t size = len >= 2 ? p[1] * 8 : 0;

		if (size == 0 || size > len)
			return false;
		if (p[0] == type && p[1] == ND_OPT_MAC_UNIT)
			*mac = (const struct rte_ether_addr *)(p + 2);
		p += size;
		len -= size;
	}
	return true;
}

/* Make m's data a solicitation or advertisement with our MAC in it. Room is the caller's affair. */
static void nd_write(const struct ql_netif *nif, struct rte_mbuf *m, uint8_t type, uint8_t flags,
		     const uint8_t target[16])
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	m->data_len = ND_LEN;
	m->pkt_len = ND_LEN;
	memset(p, 0, ND_TARGET);
	p[0] = type;
	p[ND_FLAGS] = flags;
	memcpy(p + ND_TARGET, target, 16);
	p[ND_OPTIONS] = type == QL_ND_SOLICIT ? ND_OPT_SOURCE : ND_OPT_TARGET;
	p[ND_OPTIONS + 1] = ND_OPT_MAC_UNIT;
	memcpy(p + ND_OPTIONS + 2, nif->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
}

/* Put IP and Ethernet before a message of neighbour discovery. */
static int nd_push(const struct ql_netif *nif, struct rte_mbuf *m, const uint8_t src[16],
		   const uint8_t dst[16], const struct rte_ether_addr *mac)
{
	struct ql_path path = {0};
	int rc;

	memcpy(path.local.ip, src, 16);
	memcpy(path.remote.ip, dst, 16);
	rc = ql_frame_push_icmp(m, nif, &path, ND_HOP_LIMIT);
	return rc < 0 ? rc : ql_frame_push_ether(m, nif, mac, RTE_ETHER_TYPE_IPV6);
}

/* Answer a solicitation for our address target. The mbuf stays the caller's on failure. */
static int nd_reply(struct ql_neigh *t, struct ql_datagram *d, const uint8_t target[16], bool dad,
		    const struct rte_ether_addr *mac)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	struct rte_ether_addr to = *mac;

	if (rte_pktmbuf_data_len(d->mbuf) + rte_pktmbuf_tailroom(d->mbuf) < ND_LEN)
		return -ENOBUFS;
	if (dad)
		ql_ip_group_mac(all_nodes, &to);
	nd_write(t->nif, d->mbuf, QL_ND_ADVERTISE, (dad ? 0 : ND_SOLICITED) | ND_OVERRIDE, target);
	return nd_push(t->nif, d->mbuf, target, dad ? all_nodes : d->path.remote.ip, &to);
}

void ql_ndp_rx(struct ql_neigh *t, struct ql_datagram *d, const struct ql_frame_meta *meta,
	       uint64_t now)
{
	struct ql_lane_stats *stats = t->txq->stats;
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, uint8_t *);
	uint16_t len = rte_pktmbuf_data_len(d->mbuf);
	enum ql_net_drop reason = QL_NET_DROP_PROTOCOL;
	const struct rte_ether_addr *option;
	uint8_t target[16];
	bool dad;

	if (!ql_frame_icmp_ok(d->mbuf, &d->path)) {
		reason = QL_NET_DROP_CHECKSUM;
		goto drop;
	}
	if (len < ND_OPTIONS) {
		reason = QL_NET_DROP_SHORT;
		goto drop;
	}
	/* A hop limit of 255 shows that no router has passed it on. */
	if (meta->hop_limit != ND_HOP_LIMIT || p[1] != 0 ||
	    !nd_option(p + ND_OPTIONS, len - ND_OPTIONS,
		       p[0] == QL_ND_SOLICIT ? ND_OPT_SOURCE : ND_OPT_TARGET, &option))
		goto drop;
	memcpy(target, p + ND_TARGET, 16);
	dad = !ql_ip_is_unicast(d->path.remote.ip);

	if (p[0] == QL_ND_ADVERTISE) {
		bool solicited = p[ND_FLAGS] & ND_SOLICITED;

		if (dad || (solicited && meta->group) || ql_ip_is4(target))
			goto drop;
		answer(t, target, option ? option : &meta->src_mac, p[ND_FLAGS] & ND_OVERRIDE, now);
		rte_pktmbuf_free(d->mbuf);
		return;
	}
	if (!ql_netif_owns(t->nif, target)) {
		reason = QL_NET_DROP_NOT_OURS;
		goto drop;
	}
	if (dad && (option || d->path.local.ip[12] != 0xff)) /* only to the solicited-node group */
		goto drop;
	if (!option)
		option = &meta->src_mac;
	if (!rte_is_valid_assigned_ether_addr(option)) {
		reason = QL_NET_DROP_SOURCE;
		goto drop;
	}
	if (!dad && ql_netif_on_link(t->nif, d->path.remote.ip))
		ql_neigh_learn(t, d->path.remote.ip, option, now);
	if (nd_reply(t, d, target, dad, option) < 0) {
		reason = QL_NET_DROP_TOO_BIG;
		goto drop;
	}
	stats->answers++;
	ql_txq_push(t->txq, d->mbuf);
	return;
drop:
	ql_net_drop(stats, d->mbuf, reason);
}

static int ask4(struct ql_neigh *t, struct rte_mbuf *m, const uint8_t src[16], const uint8_t ip[16],
		const struct rte_ether_addr *mac)
{
	static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct rte_arp_hdr *arp = (void *)rte_pktmbuf_append(m, sizeof(*arp));
	uint8_t *body;

	if (!arp)
		return -ENOBUFS;
	*arp = (struct rte_arp_hdr){
		.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REQUEST),
		.arp_data.arp_sha = t->nif->mac,
	};
	body = (uint8_t *)&arp->arp_data;
	memcpy(body + offsetof(struct rte_arp_ipv4, arp_sip), src + 12, 4);
	memcpy(body + offsetof(struct rte_arp_ipv4, arp_tip), ip + 12, 4);
	return ql_frame_push_ether(m, t->nif, mac ? mac : &everybody, RTE_ETHER_TYPE_ARP);
}

static int ask6(struct ql_neigh *t, struct rte_mbuf *m, const uint8_t src[16], const uint8_t ip[16],
		const struct rte_ether_addr *mac)
{
	struct rte_ether_addr group_mac;
	uint8_t group[16];

	if (!rte_pktmbuf_append(m, ND_LEN))
		return -ENOBUFS;
	nd_write(t->nif, m, QL_ND_SOLICIT, 0, ip);
	if (mac)
		return nd_push(t->nif, m, src, ip, mac);
	ql_ip_solicited_node(ip, group);
	ql_ip_group_mac(group, &group_mac);
	return nd_push(t->nif, m, src, group, &group_mac);
}

int ql_discovery_ask(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac)
{
	const uint8_t *src = ql_netif_source(t->nif, ip);
	struct rte_mbuf *m;
	int rc;

	if (!src)
		return -EADDRNOTAVAIL;
	m = rte_pktmbuf_alloc(t->pool);
	if (!m) {
		t->txq->stats->drops[QL_NET_DROP_NO_MBUF]++;
		return -ENOBUFS;
	}
	rc = ql_ip_is4(ip) ? ask4(t, m, src, ip, mac) : ask6(t, m, src, ip, mac);
	if (rc < 0)
		rte_pktmbuf_free(m);
	else
		ql_txq_push(t->txq, m);
	return rc;
}
