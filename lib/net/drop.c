// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/net.h>

const char *ql_net_drop_name(enum ql_net_drop reason)
{
	static const char *const names[QL_NET_DROP_MAX] = {
		[QL_NET_DROP_SHORT] = "short",	       [QL_NET_DROP_ETHERTYPE] = "ethertype",
		[QL_NET_DROP_NOT_OURS] = "not_ours",   [QL_NET_DROP_SOURCE] = "source",
		[QL_NET_DROP_CHECKSUM] = "checksum",   [QL_NET_DROP_FRAGMENT] = "fragment",
		[QL_NET_DROP_PROTOCOL] = "protocol",   [QL_NET_DROP_SEGMENTS] = "segments",
		[QL_NET_DROP_NEIGHBOUR] = "neighbour", [QL_NET_DROP_ROUTE] = "route",
		[QL_NET_DROP_TOO_BIG] = "too_big",     [QL_NET_DROP_RATE] = "rate",
		[QL_NET_DROP_TX_FULL] = "tx_full",     [QL_NET_DROP_NO_MBUF] = "no_mbuf",
	};

	return (unsigned int)reason < QL_NET_DROP_MAX ? names[reason] : "unknown";
}
