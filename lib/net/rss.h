// SPDX-License-Identifier: BSD-3-Clause
/*
 * How a device spreads what it receives over its queues: a Toeplitz hash of addresses and ports
 * under a key of ours, whose low bits select an entry of a table (RETA) that names the queue. As
 * long as both are known, the queue of a datagram can be told before it is sent for.
 */
#ifndef QL_NET_RSS_H
#define QL_NET_RSS_H

#include <qlane/common.h>

#define QL_RSS_KEY_MAX	64
#define QL_RSS_RETA_MAX 2048

struct ql_rss {
	bool ip4, ip6;	    /* UDP of these is hashed with its ports, and all below is known */
	uint8_t key_len;    /* bytes; 0: the device takes no key */
	uint16_t reta_size; /* a power of two, or 0 */
	uint8_t key[QL_RSS_KEY_MAX] __attribute__((aligned(4)));
	uint16_t reta[QL_RSS_RETA_MAX];
};

struct rte_eth_dev_info;
struct rte_eth_conf;

/*
 * Before rte_eth_dev_configure(): ask for the spreading of IP and UDP under a random key. False when
 * the device has none.
 */
bool ql_rss_ask(struct ql_rss *rss, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);

/* When the device is started: spread the table evenly over the queues, and see what came of it. */
void ql_rss_settle(struct ql_rss *rss, uint16_t port_id, uint16_t queues,
		   const struct rte_eth_conf *conf);

/* The queue of a datagram that is received on this path; -1 if that is not known. */
int ql_rss_queue(const struct ql_rss *rss, const struct ql_path *path);

#endif /* QL_NET_RSS_H */
