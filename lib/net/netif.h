// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a port is to the network: its MAC, VLAN, MTU and IP addresses, and where a packet goes next.
 * Addresses are 16 bytes as in struct ql_addr (IPv4 as ::ffff:a.b.c.d). Read-only once set up, so
 * all lanes of a port share one.
 */
#ifndef QL_NET_NETIF_H
#define QL_NET_NETIF_H

#include <qlane/net.h>

#include <rte_ether.h>

struct ql_netif {
	struct rte_ether_addr mac;
	uint16_t vlan;			 /* 0 for untagged */
	uint16_t mtu;			 /* bytes of an IP packet */
	bool tx_ip4_cksum, tx_udp_cksum; /* the device fills in these checksums */
	bool no_udp4_cksum;		 /* over IPv4, UDP is sent without */
	uint64_t flow_secret;		 /* for IPv6 flow labels (RFC 6437, 3) */
	unsigned int n_addrs, n_gateways;
	struct ql_ifaddr addrs[QL_PORT_ADDRS];
	struct ql_addr gateways[QL_PORT_GATEWAYS];
};

static inline bool ql_ip_eq(const uint8_t a[16], const uint8_t b[16])
{
	return __builtin_memcmp(a, b, 16) == 0;
}

static inline bool ql_ip_is4(const uint8_t ip[16])
{
	return ql_addr_is_ip4((const struct ql_addr *)ip);
}

/*
 * Can this be the address of one node elsewhere? Not so: unspecified, loopback, multicast, IPv4
 * broadcast and class E. (RFC 1122 3.2.1.3, RFC 4291 2.4)
 */
bool ql_ip_is_unicast(const uint8_t ip[16]);

/* One of our own addresses. */
bool ql_netif_owns(const struct ql_netif *nif, const uint8_t ip[16]);

/* In a network of one of our addresses (not its broadcast address), or IPv6 link-local. */
bool ql_netif_on_link(const struct ql_netif *nif, const uint8_t ip[16]);

/* A gateway of ours. */
bool ql_netif_is_gateway(const struct ql_netif *nif, const uint8_t ip[16]);

/*
 * Whose MAC a packet to dst needs: dst itself or a gateway. NULL when it cannot be sent: no
 * gateway for its family, or no unicast address, or our own.
 */
const uint8_t *ql_netif_next_hop(const struct ql_netif *nif, const uint8_t dst[16]);

/* Our address to ask for the MAC of target with; NULL when there is none of its family. */
const uint8_t *ql_netif_source(const struct ql_netif *nif, const uint8_t target[16]);

/* The solicited-node group of an IPv6 address, and a group's MAC (RFC 4291 2.7.1, RFC 2464 7). */
void ql_ip_solicited_node(const uint8_t ip[16], uint8_t group[16]);
void ql_ip_group_mac(const uint8_t group[16], struct rte_ether_addr *mac);

/*
 * Check what a person configured and copy it. Returns 0, or -EINVAL with one line in err. The MAC,
 * MTU and offloads are for the caller to fill in.
 */
int ql_netif_init(struct ql_netif *nif, const struct ql_port_config *config,
		  char err[QL_NET_ERRLEN]);

#endif /* QL_NET_NETIF_H */
