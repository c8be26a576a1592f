// SPDX-License-Identifier: BSD-3-Clause
#include "reach.h"

#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <qlane/net.h>

#define DYNAMIC 49152 /* the bits that all dynamic ports have */

bool ql_reach_resolve(const char *host, uint16_t port, struct ql_addr *addr)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *list;
	int rc;

	if (ql_addr_parse(host, port, addr) == 0) {
		addr->port = port;
		return true;
	}
	rc = getaddrinfo(host, NULL, &hints, &list);
	if (rc != 0) {
		ql_complain("%s: %s. --connect ADDR:PORT says where it is", host, gai_strerror(rc));
		return false;
	}
	memset(addr, 0, sizeof(*addr));
	if (list->ai_family == AF_INET6) {
		memcpy(addr->ip, &((struct sockaddr_in6 *)list->ai_addr)->sin6_addr, 16);
	} else {
		addr->ip[10] = addr->ip[11] = 0xff;
		memcpy(addr->ip + 12, &((struct sockaddr_in *)list->ai_addr)->sin_addr, 4);
	}
	addr->port = port;
	freeaddrinfo(list);
	return true;
}

static unsigned int common_bits(const uint8_t a[16], const uint8_t b[16])
{
	unsigned int n = 0;

	while (n < 128 && !((a[n / 8] ^ b[n / 8]) >> (7 - n % 8) & 1))
		n++;
	return n;
}

const struct ql_addr *ql_reach_from(const struct ql_ifaddrs *ours, const struct ql_addr *to,
				    const char *host)
{
	const struct ql_addr *best = NULL;

	for (unsigned int i = 0; i < ours->n; i++) {
		const struct ql_addr *a = &ours->at[i].addr;

		if (ql_addr_is_ip4(a) == ql_addr_is_ip4(to) &&
		    (!best || common_bits(a->ip, to->ip) > common_bits(best->ip, to->ip)))
			best = a;
	}
	if (!best)
		ql_complain("%s has an %s address, and none of ours (--ip) is", host,
			    ql_addr_is_ip4(to) ? "IPv4" : "IPv6");
	return best;
}

uint16_t ql_reach_port(struct ql_lane *lane, const struct ql_addr *local,
		       const struct ql_addr *remote)
{
	uint16_t port;

	if (lane)
		return ql_lane_source_port(lane, local, remote);
	if (getrandom(&port, sizeof(port), 0) != (ssize_t)sizeof(port))
		port = 0;
	return port | DYNAMIC;
}

void ql_reach_explain(const struct ql_close_info *info, const struct ql_addr *server, char *why,
		      size_t size)
{
	char addr[QL_ADDR_STRLEN];
	const char *reason = info->reason ? info->reason : "";
	bool tls = !info->application && info->error >= QL_ERR_CRYPTO_ERROR &&
		   info->error <= QL_ERR_CRYPTO_ERROR + 0xff;
	unsigned int alert = tls ? (unsigned int)(info->error & 0xff) : 0;

	ql_addr_format(server, addr);
	switch (info->cause) {
	case QL_CLOSE_HANDSHAKE:
		snprintf(why, size, "no answer from %s: the handshake timed out", addr);
		return;
	case QL_CLOSE_IDLE:
		snprintf(why, size, "%s does not answer any more: the connection timed out", addr);
		return;
	case QL_CLOSE_RESET:
		snprintf(why, size, "%s does not know the connection any more (stateless reset)",
			 addr);
		return;
	case QL_CLOSE_VERSION:
		snprintf(why, size, "%s speaks no version of QUIC that we do", addr);
		return;
	case QL_CLOSE_PATH:
		snprintf(why, size, "%s has no address left that answers", addr);
		return;
	case QL_CLOSE_ENGINE:
		snprintf(why, size, "not finished");
		return;
	default:
		break;
	}
	if (info->cause == QL_CLOSE_LOCAL && alert >= 42 && alert <= 48 && alert != 47)
		snprintf(why, size,
			 "the certificate of %s is not trusted: %s (%s). --ca FILE names its "
			 "authority, --sni its name, --insecure trusts all",
			 addr, reason, ql_err_name(info->error));
	else if (info->application)
		snprintf(why, size, "connection closed by %s with code 0x%" PRIx64 "%s%s",
			 info->cause == QL_CLOSE_PEER ? "the server" : "us", info->error,
			 reason[0] ? ": " : "", reason);
	else
		snprintf(why, size, "connection closed by %s: %s%s%s",
			 info->cause == QL_CLOSE_PEER ? "the server" : "us",
			 ql_err_name(info->error), reason[0] ? ": " : "", reason);
}
