// SPDX-License-Identifier: BSD-3-Clause
/* Two DPDK ports that are joined: what one sends, the other receives. No kernel, no loss. */
#ifndef QL_APP_RINGS_H
#define QL_APP_RINGS_H

#include <stdint.h>

#include "stack.h"

/* Packets on the way in each direction; the rest waits in the sender. */
#define QL_RINGS_SIZE 1024

/* 0 and the two port numbers, or a negative errno. After EAL. */
int ql_rings_create(uint16_t ports[2]);
void ql_rings_free(void);

/* The options of a port whose addresses are the neighbours of those of another one. */
struct ql_net_options ql_rings_neighbour(const struct ql_net_options *options);

#endif /* QL_APP_RINGS_H */
