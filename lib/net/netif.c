// SPDX-License-Identifier: BSD-3-Clause
#include "net/netif.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bytes.h"

static bool same_family(const uint8_t a[16], const uint8_t b[16])
{
	return ql_ip_is4(a) == ql_ip_is4(b);
}

static bool same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || ((a[bytes] ^ b[bytes]) & (0xff00 >> rest) & 0xff) == 0;
}

/* Prefix in bits of the 16 bytes. */
static unsigned int full_prefix(const struct ql_ifaddr *a)
{
	return ql_addr_is_ip4(&a->addr) ? 96u + a->prefix : a->prefix;
}

static bool is_link_local6(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/* All host bits set, in an IPv4 network that has a broadcast address (RFC 3021: /31 has none). */
static bool is_broadcast_of(const struct ql_ifaddr *a, const uint8_t ip[16])
{
	uint32_t host;

	if (!ql_addr_is_ip4(&a->addr) || a->prefix > 30)
		return false;
	host = UINT32_MAX >> a->prefix;
	return (ql_get_be32(ip + 12) & host) == host;
}

bool ql_ip_is_unicast(const uint8_t ip[16])
{
	static const uint8_t loopback6[16] = {[15] = 1}, zero[16];

	if (ql_ip_is4(ip))
		return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
	return ip[0] != 0xff && !ql_ip_eq(ip, loopback6) && !ql_ip_eq(ip, zero);
}

bool ql_netif_owns(const struct ql_netif *nif, const uint8_t ip[16])
{
	for (unsigned int i = 0; i < nif->n_addrs; i++)
		if (ql_ip_eq(nif->addrs[i].addr.ip, ip))
			return true;
	return false;
}

bool ql_netif_on_link(const struct ql_netif *nif, const uint8_t ip[16])
{
	for (unsigned int i = 0; i < nif->n_addrs; i++) {
		const struct ql_ifaddr *a = &nif->addrs[i];

		if (same_family(a->addr.ip, ip) && same_prefix(a->addr.ip, ip, full_prefix(a)))
			return !is_broadcast_of(a, ip);
	}
	return is_link_local6(ip);
}

bool ql_netif_is_gateway(const struct ql_netif *nif, const uint8_t ip[16])
{
	for (unsigned int i = 0; i < nif->n_gateways; i++)
		if (ql_ip_eq(nif->gateways[i].ip, ip))
			return true;
	return false;
}

const uint8_t *ql_netif_next_hop(const struct ql_netif *nif, const uint8_t dst[16])
{
	bool in_network = false;

	if (!ql_ip_is_unicast(dst) || ql_netif_owns(nif, dst))
		return NULL;
	for (unsigned int i = 0; i < nif->n_addrs; i++) {
		const struct ql_ifaddr *a = &nif->addrs[i];

		if (same_family(a->addr.ip, dst) && same_prefix(a->addr.ip, dst, full_prefix(a))) {
			if (is_broadcast_of(a, dst))
				return NULL;
			in_network = true;
		}
	}
	if (in_network || is_link_local6(dst))
		return dst;
	for (unsigned int i = 0; i < nif->n_gateways; i++)
		if (same_family(nif->gateways[i].ip, dst))
			return nif->gateways[i].ip;
	return NULL;
}

const uint8_t *ql_netif_source(const struct ql_netif *nif, const uint8_t target[16])
{
	const uint8_t *other = NULL;

	for (unsigned int i = 0; i < nif->n_addrs; i++) {
		const struct ql_ifaddr *a = &nif->addrs[i];

		if (!same_family(a->addr.ip, target))
			continue;
		if (same_prefix(a->addr.ip, target, full_prefix(a)))
			return a->addr.ip;
		if (!other)
			other = a->addr.ip;
	}
	return other;
}

void ql_ip_solicited_node(const uint8_t ip[16], uint8_t group[16])
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + 13, ip + 13, 3);
}

void ql_ip_group_mac(const uint8_t group[16], struct rte_ether_addr *mac)
{
	mac->addr_bytes[0] = mac->addr_bytes[1] = 0x33;
	memcpy(mac->addr_bytes + 2, group + 12, 4);
}

int ql_ifaddr_parse(const char *text, struct ql_ifaddr *ifaddr)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[QL_ADDR_STRLEN];
	struct ql_ifaddr a = {0};
	unsigned int max;

	/* "1.2.3.4:5" and "[::1]:5" are addresses with a port, which an interface has not */
	if (len >= sizeof(host) || memchr(text, '[', len))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (strchr(host, '.') && strchr(host, ':') == strrchr(host, ':') && strchr(host, ':'))
		return -EINVAL;
	if (ql_addr_parse(host, 0, &a.addr) < 0 || a.addr.port != 0)
		return -EINVAL;
	max = ql_addr_is_ip4(&a.addr) ? 32 : 128;
	a.prefix = (uint8_t)max;
	if (slash) {
		const char *digits = slash + 1;
		unsigned int n = 0;

		if (*digits == '\0' || strlen(digits) > 3)
			return -EINVAL;
		for (; *digits; digits++) {
			if (*digits < '0' || *digits > '9')
				return -EINVAL;
			n = n * 10 + (unsigned int)(*digits - '0');
		}
		if (n > max)
			return -EINVAL;
		a.prefix = (uint8_t)n;
	}
	*ifaddr = a;
	return 0;
}

int ql_netif_init(struct ql_netif *nif, const struct ql_port_config *config,
		  char err[QL_NET_ERRLEN])
{
	char text[QL_ADDR_STRLEN];

	*nif = (struct ql_netif){.vlan = config->vlan, .no_udp4_cksum = config->no_checksum};
	if (config->n_addrs == 0 || config->n_addrs > QL_PORT_ADDRS ||
	    config->n_gateways > QL_PORT_GATEWAYS || config->n_kernel_addrs > QL_PORT_ADDRS) {
		snprintf(err, QL_NET_ERRLEN,
			 "port %u: give it 1 to %u addresses (such as 10.9.0.2/24) and at most "
			 "one gateway of each family",
			 config->port_id, QL_PORT_ADDRS);
		return -EINVAL;
	}
	if (config->vlan > 4094) {
		snprintf(err, QL_NET_ERRLEN, "port %u: VLAN %u is none of 1 to 4094",
			 config->port_id, config->vlan);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->n_addrs; i++) {
		const struct ql_ifaddr *a = &config->addrs[i];

		ql_addr_format(&a->addr, text);
		if (!ql_ip_is_unicast(a->addr.ip) || is_broadcast_of(a, a->addr.ip)) {
			snprintf(err, QL_NET_ERRLEN,
				 "port %u: %s cannot be the address of a port: take a unicast "
				 "address",
				 config->port_id, text);
			return -EINVAL;
		}
		if (a->prefix > (ql_addr_is_ip4(&a->addr) ? 32 : 128)) {
			snprintf(err, QL_NET_ERRLEN, "port %u: prefix /%u of %s is too long",
				 config->port_id, a->prefix, text);
			return -EINVAL;
		}
		nif->addrs[nif->n_addrs] = *a;
		nif->addrs[nif->n_addrs++].addr.port = 0;
	}
	for (unsigned int i = 0; i < config->n_gateways; i++) {
		const uint8_t *ip = config->gateways[i].ip;

		ql_addr_format(&config->gateways[i], text);
		if (!ql_ip_is_unicast(ip) || ql_netif_owns(nif, ip) || !ql_netif_on_link(nif, ip)) {
			snprintf(err, QL_NET_ERRLEN,
				 "port %u: gateway %s is in no network of the port's addresses: "
				 "check the gateway and the prefix lengths",
				 config->port_id, text);
			return -EINVAL;
		}
		if (nif->n_gateways == 1 && same_family(nif->gateways[0].ip, ip)) {
			snprintf(err, QL_NET_ERRLEN,
				 "port %u: %s is a second gateway of its family", config->port_id,
				 text);
			return -EINVAL;
		}
		nif->gateways[nif->n_gateways] = config->gateways[i];
		nif->gateways[nif->n_gateways++].port = 0;
	}
	for (unsigned int i = 0; i < config->n_kernel_addrs; i++) {
		const struct ql_ifaddr *a = &config->kernel_addrs[i];

		if (!ql_ip_is_unicast(a->addr.ip) || ql_netif_owns(nif, a->addr.ip)) {
			snprintf(err, QL_NET_ERRLEN,
				 "port %u: the kernel's end cannot have %s: take another unicast "
				 "address of the same network",
				 config->port_id, ql_addr_format(&a->addr, text));
			return -EINVAL;
		}
	}
	return 0;
}
