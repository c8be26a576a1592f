// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bringing packets to the queue of the engine that their connection ID names: what the device, or
 * the kernel behind it, can do of that is tried when a port starts, and stays as it is. Queue i is
 * that of the engine with index i.
 */
#ifndef QL_NET_STEER_H
#define QL_NET_STEER_H

#include <qlane/net.h>
#include <qlane/steer.h>

#include <rte_flow.h>

struct rte_eth_dev_info;

#define QL_STEER_RULES_MAX 2048

struct ql_flow_rules {
	unsigned int n;
	struct ql_cid_word word;		/* that they match, or the kernel's program */
	bool rotation;				/* and all of the first octet */
	struct rte_flow_item_flex_handle *flex; /* NULL: none */
	struct rte_flow *flows[QL_STEER_RULES_MAX];
};

/* steer.c: choose a way. rss: the device has that. */
void ql_steer_start(struct ql_port_steering *steering, struct ql_flow_rules *rules,
		    const struct ql_port_config *config, const struct rte_eth_dev_info *info,
		    bool rss);
/* Whether what was chosen then is right for IDs of a configuration, too. As ql_port_takes_cids(). */
int ql_steer_takes_cids(const struct ql_port_steering *steering, const struct ql_flow_rules *rules,
			const struct ql_cid_config *config, char err[QL_NET_ERRLEN]);
/* Before the device stops. */
void ql_steer_stop(struct ql_flow_rules *rules, uint16_t port_id);

/* ---- steer_rules.c: rules of rte_flow ---- */

/* DPDK's functions, or a test's. */
struct ql_flow_api {
	int (*validate)(uint16_t port_id, const struct rte_flow_attr *attr,
			const struct rte_flow_item pattern[],
			const struct rte_flow_action actions[], struct rte_flow_error *error);
	struct rte_flow *(*create)(uint16_t port_id, const struct rte_flow_attr *attr,
				   const struct rte_flow_item pattern[],
				   const struct rte_flow_action actions[],
				   struct rte_flow_error *error);
	int (*destroy)(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error);
	struct rte_flow_item_flex_handle *(*flex_create)(uint16_t port_id,
							 const struct rte_flow_item_flex_conf *conf,
							 struct rte_flow_error *error);
	int (*flex_release)(uint16_t port_id, const struct rte_flow_item_flex_handle *handle,
			    struct rte_flow_error *error);
};
extern const struct ql_flow_api ql_flow_api_dpdk;

/* How a driver matches bytes behind the UDP header. */
enum ql_flow_style {
	QL_FLOW_NONE,  /* not at all, or it is not known to: its rte_flow is not called */
	QL_FLOW_FLEX,  /* FLEX item, for the packets to one UDP port (mlx5) */
	QL_FLOW_RAW,   /* RAW item behind UDP (i40e, enic) */
	QL_FLOW_FRAME, /* a RAW item alone, which is a frame in hexadecimal digits (ice, iavf) */
	/*
	 * A RAW item behind UDP, which is one aligned word at a place in the frame, and all of its 16
	 * bits (ixgbe, txgbe). IPv4 alone. Of those that name a queue each has a rule, for whatever
	 * random bits, but for words that packets with long headers may have there.
	 */
	QL_FLOW_WORD,
	QL_FLOW_BYTES, /* RAW items alone, whole bytes at places in the frame (igb) */
};
enum ql_flow_style ql_flow_style_of(const char *driver);

/* What rules are wanted. */
struct ql_flow_plan {
	enum ql_flow_style style;
	struct ql_cid_word word;
	uint16_t queues;
	uint16_t udp_port; /* of ours; 0: any */
	uint16_t vlan;	   /* tag of all frames; 0: none */
};

/*
 * A rule, or as many as it takes, for each queue and IP version: short header, and the word names the
 * queue's engine. All or none: 0, or a negative errno with the reason in why.
 */
int ql_flow_rules_create(struct ql_flow_rules *rules, const struct ql_flow_api *api,
			 uint16_t port_id, const struct ql_flow_plan *plan,
			 char why[QL_STEERING_WHY]);
void ql_flow_rules_destroy(struct ql_flow_rules *rules, const struct ql_flow_api *api,
			   uint16_t port_id);

/* ---- steer_tap.c: the kernel's TAP driver ---- */

/*
 * A BPF program that gives the queue of a packet: the one that its connection ID names, or for other
 * UDP one by addresses and ports; all else is for queue 0. A descriptor, or a negative errno.
 */
int ql_steer_tap_program(uint16_t queues, const struct ql_cid_word *word);

/* Have the kernel use it for an interface. 0, or a negative errno with the reason in why. */
int ql_steer_tap(unsigned int if_index, uint16_t queues, const struct ql_cid_word *word,
		 char why[QL_STEERING_WHY]);

#endif /* QL_NET_STEER_H */
