// SPDX-License-Identifier: BSD-3-Clause
/* A port from the inside; qlane/net.h is the outside. Shared by lanes, read-only after its start.
 */
#ifndef QL_NET_PORT_H
#define QL_NET_PORT_H

#include "net/netif.h"
#include "net/rss.h"
#include "net/steer.h"

struct ql_news;
struct rte_mempool;

struct ql_port {
	struct ql_netif nif;
	uint16_t id, queues;
	bool tx_prepare; /* transmit offloads are in use */
	bool rx_interrupts;
	struct rte_mempool *pool;
	struct ql_news *news; /* NULL with one queue */
	struct ql_rss rss;
	struct ql_port_steering steering;
	struct ql_flow_rules rules;
};

#endif /* QL_NET_PORT_H */
