// SPDX-License-Identifier: BSD-3-Clause
#include "net/steer.h"

#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

const char *ql_steering_name(enum ql_steering how)
{
	static const char *const names[] = {
		[QL_STEER_ONE_QUEUE] = "one queue", [QL_STEER_RULES] = "NIC rules",
		[QL_STEER_TAP] = "TAP program",	    [QL_STEER_RSS] = "RSS",
		[QL_STEER_DEVICE] = "the device",
	};

	return how <= QL_STEER_DEVICE ? names[how] : "unknown";
}

static bool by_rules(struct ql_port_steering *s, struct ql_flow_rules *rules,
		     const struct ql_port_config *config, const struct rte_eth_dev_info *info,
		     const struct ql_cid_word *word)
{
	const struct ql_flow_plan plan = {.style = ql_flow_style_of(info->driver_name),
					  .word = *word,
					  .queues = config->queues,
					  .udp_port = config->udp_port,
					  .vlan = config->vlan};

	if (plan.style == QL_FLOW_NONE) {
		snprintf(s->why, sizeof(s->why), "%s cannot match connection IDs",
			 info->driver_name);
		return false;
	}
	return ql_flow_rules_create(rules, &ql_flow_api_dpdk, config->port_id, &plan, s->why) == 0;
}

static bool by_kernel(struct ql_port_steering *s, const struct ql_port_config *config,
		      const struct rte_eth_dev_info *info, const struct ql_cid_word *word)
{
	if (ql_steer_tap(info->if_index, config->queues, word, s->why) < 0)
		return false;
	snprintf(s->why, sizeof(s->why), "the kernel matches connection IDs");
	return true;
}

void ql_steer_start(struct ql_port_steering *s, struct ql_flow_rules *rules,
		    const struct ql_port_config *config, const struct rte_eth_dev_info *info,
		    bool rss)
{
	bool tap = strcmp(info->driver_name, "net_tap") == 0;
	struct ql_cid_word word;

	*s = (struct ql_port_steering){.how = QL_STEER_ONE_QUEUE};
	rules->n = 0;
	rules->flex = NULL;
	if (config->queues <= 1)
		return;
	if (config->hash_only) {
		snprintf(s->why, sizeof(s->why), "as configured");
	} else if (ql_cid_word_of(config->cids, &word) < 0) {
		snprintf(s->why, sizeof(s->why), "connection IDs are encrypted");
	} else if (tap && by_kernel(s, config, info, &word)) {
		s->how = QL_STEER_TAP;
		return;
	} else if (!tap && by_rules(s, rules, config, info, &word)) {
		s->how = QL_STEER_RULES;
		return;
	}
	/* the kernel has a hash of its own for TAPs */
	s->how = rss || tap ? QL_STEER_RSS : QL_STEER_DEVICE;
}

void ql_steer_stop(struct ql_flow_rules *rules, uint16_t port_id)
{
	ql_flow_rules_destroy(rules, &ql_flow_api_dpdk, port_id);
}
