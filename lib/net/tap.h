// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kernel's end of a net_tap device, by rtnetlink: addresses and "up". IPv6 addresses skip
 * duplicate address detection (nodad) and are waited for, so that they work at once.
 */
#ifndef QL_NET_TAP_H
#define QL_NET_TAP_H

#include <qlane/net.h>

/*
 * Bring the interface up and add the addresses; those that it has already are fine. if_index as in
 * rte_eth_dev_info. 0, or a negative errno with one line in err that names the cure.
 */
int ql_tap_setup_kernel(unsigned int if_index, const struct ql_ifaddr *addrs, unsigned int n,
			char err[QL_NET_ERRLEN]);

#endif /* QL_NET_TAP_H */
