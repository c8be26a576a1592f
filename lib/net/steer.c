// SPDX-License-Identifier: BSD-3-Clause
#include "net/steer.h"

#include <errno.h>
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
	rules->rotation = false;
	if (config->queues <= 1)
		return;
	if (config->hash_only) {
		snprintf(s->why, sizeof(s->why), "as configured");
	} else if (ql_cid_word_of(config->cids, &word) < 0) {
		snprintf(s->why, sizeof(s->why), "connection IDs are encrypted");
	} else if (tap && by_kernel(s, config, info, &word)) {
		s->how = QL_STEER_TAP;
		rules->word = word;
		return;
	} else if (!tap && by_rules(s, rules, config, info, &word)) {
		s->how = QL_STEER_RULES;
		rules->word = word;
		rules->rotation = ql_flow_style_of(info->driver_name) == QL_FLOW_BYTES;
		return;
	}
	/* the kernel has a hash of its own for TAPs */
	s->how = rss || tap ? QL_STEER_RSS : QL_STEER_DEVICE;
}

int ql_steer_takes_cids(const struct ql_port_steering *steering, const struct ql_flow_rules *rules,
			const struct ql_cid_config *config, char err[QL_NET_ERRLEN])
{
	const char *how = ql_steering_name(steering->how);
	struct ql_cid_word word;
	int rc;

	if (steering->how != QL_STEER_RULES && steering->how != QL_STEER_TAP)
		return 0;
	rc = ql_cid_word_of(config, &word);
	if (rc == -EINVAL) {
		snprintf(err, QL_NET_ERRLEN, "there can be no such connection IDs");
	} else if (rc < 0) {
		snprintf(err, QL_NET_ERRLEN,
			 "%s cannot match encrypted connection IDs: start again with them", how);
	} else if (word.offset != rules->word.offset) {
		rc = -EBUSY;
		snprintf(
			err, QL_NET_ERRLEN,
			"%s match connection IDs at offset %u of packets, and would have to at %u: "
			"give a server ID of as many bytes as before, or start again",
			how, rules->word.offset, word.offset);
	} else if (rules->rotation && word.first_value != rules->word.first_value) {
		rc = -EBUSY;
		snprintf(err, QL_NET_ERRLEN,
			 "%s of this NIC match the rotation of connection IDs, which is to be "
			 "another: start again with it",
			 how);
	}
	return rc;
}

void ql_steer_stop(struct ql_flow_rules *rules, uint16_t port_id)
{
	ql_flow_rules_destroy(rules, &ql_flow_api_dpdk, port_id);
}
