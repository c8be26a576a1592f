// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>

static unsigned int common_bits(const uint8_t a[16], const uint8_t b[16])
{
	unsigned int n = 0;

	while (n < 128 && !((a[n / 8] ^ b[n / 8]) >> (7 - n % 8) & 1))
		n++;
	return n;
}

const struct ql_addr *ql_peer_nearest(const struct ql_ifaddrs *ours, const struct ql_addr *to)
{
	const struct ql_addr *best = NULL;

	for (unsigned int i = 0; i < ours->n; i++) {
		const struct ql_addr *a = &ours->at[i].addr;

		if (ql_addr_is_ip4(a) == ql_addr_is_ip4(to) &&
		    (!best || common_bits(a->ip, to->ip) > common_bits(best->ip, to->ip)))
			best = a;
	}
	return best;
}

void ql_peer_explain(const struct ql_close_info *info, const struct ql_addr *to,
		     char why[QL_PEER_TEXT])
{
	char addr[QL_ADDR_STRLEN];
	const char *reason = info->reason ? info->reason : "";
	bool tls = !info->application && info->error >= QL_ERR_CRYPTO_ERROR &&
		   info->error <= QL_ERR_CRYPTO_ERROR + 0xff;
	unsigned int alert = tls ? (unsigned int)(info->error & 0xff) : 0;

	ql_addr_format(to, addr);
	switch (info->cause) {
	case QL_CLOSE_HANDSHAKE:
		snprintf(why, QL_PEER_TEXT, "no answer from %s: the handshake timed out", addr);
		return;
	case QL_CLOSE_IDLE:
		snprintf(why, QL_PEER_TEXT, "%s does not answer any more: the connection timed out",
			 addr);
		return;
	case QL_CLOSE_RESET:
		snprintf(why, QL_PEER_TEXT,
			 "%s does not know the connection any more (stateless reset)", addr);
		return;
	case QL_CLOSE_VERSION:
		snprintf(why, QL_PEER_TEXT, "%s speaks no version of QUIC that we do", addr);
		return;
	case QL_CLOSE_PATH:
		snprintf(why, QL_PEER_TEXT, "%s has no address left that answers", addr);
		return;
	case QL_CLOSE_ENGINE:
		snprintf(why, QL_PEER_TEXT, "not finished");
		return;
	default:
		break;
	}
	if (info->cause == QL_CLOSE_LOCAL && alert >= 42 && alert <= 48 && alert != 47)
		snprintf(why, QL_PEER_TEXT,
			 "the certificate of %s is not trusted: %s (%s). --ca FILE names its "
			 "authority, --sni its name, --insecure trusts all",
			 addr, reason, ql_err_name(info->error));
	else if (info->application)
		snprintf(why, QL_PEER_TEXT, "connection closed by %s with code 0x%" PRIx64 "%s%s",
			 info->cause == QL_CLOSE_PEER ? "the server" : "us", info->error,
			 reason[0] ? ": " : "", reason);
	else
		snprintf(why, QL_PEER_TEXT, "connection closed by %s: %s%s%s",
			 info->cause == QL_CLOSE_PEER ? "the server" : "us",
			 ql_err_name(info->error), reason[0] ? ": " : "", reason);
}
