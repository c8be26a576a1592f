// SPDX-License-Identifier: BSD-3-Clause
/* A port from the inside; qlane/net.h is the outside. Shared by lanes, read-only after its start.
 */
#ifndef QL_NET_PORT_H
#define QL_NET_PORT_H

#include "net/netif.h"

struct rte_mempool;

struct ql_port {
	struct ql_netif nif;
	uint16_t id, queues;
	bool tx_prepare; /* transmit offloads are in use */
	struct rte_mempool *pool;
};

#endif /* QL_NET_PORT_H */
