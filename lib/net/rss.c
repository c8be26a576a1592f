// SPDX-License-Identifier: BSD-3-Clause
#include "net/rss.h"

#include <string.h>
#include <sys/random.h>

#include <rte_ethdev.h>
#include <rte_thash.h>

#define KEY_LEN 40 /* where a device does not say */
#define RSS_IP4 RTE_ETH_RSS_NONFRAG_IPV4_UDP
#define RSS_IP6 (RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX)
/* Bytes that addresses, ports and 32 bits take. */
#define IP4_KEY (4 + 4 + 4 + 4)
#define IP6_KEY (16 + 16 + 4 + 4)
#define GROUPS	(QL_RSS_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE)

bool ql_rss_ask(struct ql_rss *rss, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	struct rte_eth_rss_conf *ask = &conf->rx_adv_conf.rss_conf;

	memset(rss, 0, sizeof(*rss));
	ask->rss_hf = info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RSS_IP4 | RSS_IP6);
	if (ask->rss_hf == 0)
		return false;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	rss->key_len = info->hash_key_size ? info->hash_key_size : KEY_LEN;
	if (rss->key_len > QL_RSS_KEY_MAX ||
	    getrandom(rss->key, rss->key_len, 0) != (ssize_t)rss->key_len) {
		rss->key_len = 0;
		return true;
	}
	ask->rss_key = rss->key;
	ask->rss_key_len = rss->key_len;
	rss->reta_size = info->reta_size;
	return true;
}

/* The table as the device has it; false if it does not tell. */
static bool read_table(struct ql_rss *rss, uint16_t port_id, uint16_t queues)
{
	struct rte_eth_rss_reta_entry64 groups[GROUPS] = {0};

	for (unsigned int g = 0; g < GROUPS; g++)
		groups[g].mask = UINT64_MAX;
	if (rte_eth_dev_rss_reta_query(port_id, groups, rss->reta_size) < 0)
		return false;
	for (unsigned int i = 0; i < rss->reta_size; i++) {
		rss->reta[i] =
			groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
		if (rss->reta[i] >= queues)
			return false;
	}
	return true;
}

static bool write_table(const struct ql_rss *rss, uint16_t port_id, uint16_t queues)
{
	struct rte_eth_rss_reta_entry64 groups[GROUPS] = {0};

	for (unsigned int i = 0; i < rss->reta_size; i++) {
		groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1)
							    << i % RTE_ETH_RETA_GROUP_SIZE;
		groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			(uint16_t)(i % queues);
	}
	return rte_eth_dev_rss_reta_update(port_id, groups, rss->reta_size) == 0;
}

void ql_rss_settle(struct ql_rss *rss, uint16_t port_id, uint16_t queues,
		   const struct rte_eth_conf *conf)
{
	uint8_t key[QL_RSS_KEY_MAX] = {0};
	struct rte_eth_rss_conf now = {.rss_key = key, .rss_key_len = QL_RSS_KEY_MAX};
	uint64_t hf = conf->rx_adv_conf.rss_conf.rss_hf;
	uint16_t size = rss->reta_size;

	if (rss->key_len == 0 || size == 0 || size > QL_RSS_RETA_MAX || (size & (size - 1)) != 0)
		return;
	if (rte_eth_dev_rss_hash_conf_get(port_id, &now) < 0 ||
	    memcmp(key, rss->key, rss->key_len) != 0)
		return;
	hf &= now.rss_hf;
	/* a device that takes no table of ours may tell its own */
	write_table(rss, port_id, queues);
	if (!read_table(rss, port_id, queues))
		return;
	rss->ip4 = (hf & RSS_IP4) && rss->key_len >= IP4_KEY;
	rss->ip6 = (hf & RSS_IP6) && rss->key_len >= IP6_KEY;
}

int ql_rss_queue(const struct ql_rss *rss, const struct ql_path *path)
{
	const struct ql_addr *from = &path->remote, *to = &path->local;
	unsigned int words = ql_addr_is_ip4(to) ? 1 : 4, n = 0;
	uint32_t tuple[9], be;

	if (!(words == 1 ? rss->ip4 : rss->ip6))
		return -1;
	for (unsigned int i = 0; i < 2 * words; i++, n++) {
		memcpy(&be, (i < words ? from : to)->ip + 16 - 4 * words + 4 * (i % words), 4);
		tuple[n] = rte_be_to_cpu_32(be);
	}
	tuple[n++] = (uint32_t)from->port << 16 | to->port;
	return rss->reta[rte_softrss(tuple, n, rss->key) & (rss->reta_size - 1u)];
}
