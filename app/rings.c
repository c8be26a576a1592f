// SPDX-License-Identifier: BSD-3-Clause
#include "rings.h"

#include <errno.h>

#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_ring.h>

static struct rte_ring *rings[2];

int ql_rings_create(uint16_t ports[2])
{
	static const char *const names[2] = {"ql_ring_a", "ql_ring_b"};
	static const char *const devices[2] = {"ring_a", "ring_b"};

	for (int i = 0; i < 2; i++) {
		rings[i] = rte_ring_create(names[i], QL_RINGS_SIZE, (int)rte_socket_id(),
					   RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!rings[i])
			return -ENOMEM;
	}
	for (int i = 0; i < 2; i++) {
		int port = rte_eth_from_rings(devices[i], &rings[i], 1, &rings[!i], 1,
					      rte_socket_id());

		if (port < 0)
			return -ENOMEM;
		ports[i] = (uint16_t)port;
	}
	return 0;
}

void ql_rings_free(void)
{
	for (int i = 0; i < 2; i++) {
		rte_ring_free(rings[i]);
		rings[i] = NULL;
	}
}

struct ql_net_options ql_rings_neighbour(const struct ql_net_options *options)
{
	struct ql_net_options o = *options;

	for (unsigned int d = 0; d < o.devices.n; d++) {
		struct ql_device *device = &o.devices.at[d];

		for (unsigned int i = 0; i < device->ip.n; i++)
			device->ip.at[i].addr.ip[15] ^= 1;
		device->gateway.n = device->tap_ip.n = 0;
	}
	return o;
}
