// SPDX-License-Identifier: BSD-3-Clause
#define ALLOW_EXPERIMENTAL_API /* FLEX items */
#include "net/steer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_ether.h>

#define PAYLOAD_MAX 16 /* bytes that a rule looks at: i40e has no more */
#define UDP_HEADERS (14 + 40 + 8)
#define IP4_HEADERS (14 + 20 + 8)
#define SAMPLE_BITS 32
#define SAMPLES	    (PAYLOAD_MAX * CHAR_BIT / SAMPLE_BITS)
#define LONG_HEADER 0x80

#define VERSION_AT	 1 /* in a long header; so many bytes to */
#define VERSION_END	 5
#define WORD_VALUES	 256 /* of a word's random bits */
#define WORD_QUEUES_MAX	 7   /* ixgbe drops what exceeds its 2,048 rules without a word */
#define BYTES_QUEUES_MAX 4   /* igb has 8 filters */
#define BYTES_RUNS_MAX	 4
#define RUN_MAX		 3

const struct ql_flow_api ql_flow_api_dpdk = {
	.validate = rte_flow_validate,
	.create = rte_flow_create,
	.destroy = rte_flow_destroy,
	.flex_create = rte_flow_flex_item_create,
	.flex_release = rte_flow_flex_item_release,
};

enum ql_flow_style ql_flow_style_of(const char *driver)
{
	static const struct {
		const char *driver;
		enum ql_flow_style style;
	} known[] = {
		{"mlx5_pci", QL_FLOW_FLEX},	  {"mlx5_auxiliary", QL_FLOW_FLEX},
		{"net_i40e", QL_FLOW_RAW},	  {"net_enic", QL_FLOW_RAW},
		{"net_ice", QL_FLOW_FRAME},	  {"net_iavf", QL_FLOW_FRAME},
		{"net_ixgbe", QL_FLOW_WORD},	  {"net_txgbe", QL_FLOW_WORD},
		{"net_e1000_igb", QL_FLOW_BYTES},
	};

	for (size_t i = 0; driver && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(driver, known[i].driver) == 0)
			return known[i].style;
	return QL_FLOW_NONE;
}

/* The first bytes of UDP payload that a rule looks at. */
struct bytes {
	uint16_t len;
	uint8_t spec[PAYLOAD_MAX], mask[PAYLOAD_MAX];
};

static void put16(uint8_t *p, unsigned int v)
{
	p[0] |= (uint8_t)(v >> 8);
	p[1] |= (uint8_t)v;
}

static struct bytes bytes_of(const struct ql_cid_word *word, uint16_t queue)
{
	struct bytes b = {.len = word->offset + 2};

	b.mask[0] = LONG_HEADER; /* and not set */
	b.mask[1] = word->first_mask;
	b.spec[1] = word->first_value & word->first_mask;
	put16(b.mask + word->offset, word->mask);
	put16(b.spec + word->offset, queue & word->mask);
	return b;
}

/* All that a rule is made of; one at a time. */
struct rule {
	struct rte_flow_item items[6];
	struct rte_flow_action_queue queue;
	struct rte_flow_action actions[2];
	struct bytes bytes;
	struct rte_flow_item_raw raw_spec[BYTES_RUNS_MAX], raw_mask[BYTES_RUNS_MAX];
	uint8_t runs[BYTES_RUNS_MAX][RUN_MAX];
	struct rte_flow_item_flex flex_spec, flex_mask;
	struct rte_flow_item_ipv4 ip4;
	struct rte_flow_item_udp udp_spec, udp_mask;
	char frame_spec[2 * (UDP_HEADERS + PAYLOAD_MAX) + 1];
	char frame_mask[2 * (UDP_HEADERS + PAYLOAD_MAX) + 1];
};

static const struct rte_flow_attr ingress = {.ingress = 1};

/* RAW as these drivers want it: a frame that shows the headers, and what of it counts. */
static void write_frame(struct rule *r, bool ip6)
{
	uint8_t spec[UDP_HEADERS + PAYLOAD_MAX] = {0}, mask[UDP_HEADERS + PAYLOAD_MAX] = {0};
	unsigned int ip = RTE_ETHER_HDR_LEN, udp = ip + (ip6 ? 40 : 20), n = udp + 8;

	put16(spec + 12, ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	spec[ip] = ip6 ? 0x60 : 0x45;
	spec[ip + (ip6 ? 6 : 9)] = IPPROTO_UDP;
	put16(spec + ip + (ip6 ? 4 : 2), 8u + r->bytes.len + (ip6 ? 0 : 20));
	put16(spec + udp + 4, 8u + r->bytes.len);
	memcpy(spec + n, r->bytes.spec, r->bytes.len);
	memcpy(mask + n, r->bytes.mask, r->bytes.len);
	n += r->bytes.len;
	for (unsigned int i = 0; i < n; i++) {
		snprintf(r->frame_spec + 2 * i, 3, "%02X", spec[i]);
		snprintf(r->frame_mask + 2 * i, 3, "%02X", mask[i]);
	}
	r->raw_spec[0] = (struct rte_flow_item_raw){.length = (uint16_t)(2 * n),
						    .pattern = (const uint8_t *)r->frame_spec};
	r->raw_mask[0] = (struct rte_flow_item_raw){.length = (uint16_t)(2 * n),
						    .pattern = (const uint8_t *)r->frame_mask};
}

static void add(struct rule *r, unsigned int *n, enum rte_flow_item_type type, const void *spec,
		const void *mask)
{
	r->items[(*n)++] = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

/*
 * What a long header has at these bytes, if its version is one that is spoken, or none: nothing else
 * in this rule tells it from a short one.
 */
static bool may_be_long(const struct ql_cid_word *word, unsigned int value)
{
	static const uint32_t versions[] = {0, QL_VERSION_1, QL_VERSION_2};
	const uint8_t at[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
		bool same = true;

		for (unsigned int i = word->offset; i < word->offset + 2u; i++)
			if (i >= VERSION_AT && i < VERSION_END)
				same &= at[i - word->offset] ==
					(uint8_t)(versions[v] >> CHAR_BIT * (VERSION_END - 1 - i));
		if (same)
			return true;
	}
	return false;
}

/* The driver wants masks that are given, if only to say that nothing counts. */
static void write_word(struct rule *r, const struct ql_flow_plan *p, unsigned int value)
{
	static const uint8_t all[2] = {0xff, 0xff};
	unsigned int n = 0;

	put16(r->runs[0], value);
	r->udp_spec.hdr.dst_port = rte_cpu_to_be_16(p->udp_port);
	r->udp_mask.hdr.dst_port = p->udp_port ? 0xffff : 0;
	r->raw_spec[0] = (struct rte_flow_item_raw){
		.offset = IP4_HEADERS + p->word.offset, .length = 2, .pattern = r->runs[0]};
	r->raw_mask[0] = (struct rte_flow_item_raw){.relative = 1,
						    .search = 1,
						    .offset = -1,
						    .limit = UINT16_MAX,
						    .length = UINT16_MAX,
						    .pattern = all};
	add(r, &n, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	add(r, &n, RTE_FLOW_ITEM_TYPE_IPV4, &r->ip4, &r->ip4);
	add(r, &n, RTE_FLOW_ITEM_TYPE_UDP, &r->udp_spec, &r->udp_mask);
	add(r, &n, RTE_FLOW_ITEM_TYPE_RAW, &r->raw_spec[0], &r->raw_mask[0]);
}

static void add_run(struct rule *r, unsigned int *n, unsigned int offset, const uint8_t *bytes,
		    unsigned int len)
{
	static const uint8_t all[RUN_MAX] = {0xff, 0xff, 0xff};

	memcpy(r->runs[*n], bytes, len);
	r->raw_spec[*n] = (struct rte_flow_item_raw){
		.offset = (int32_t)offset, .length = (uint16_t)len, .pattern = r->runs[*n]};
	r->raw_mask[*n] = (struct rte_flow_item_raw){
		.relative = 1, .offset = -1, .length = UINT16_MAX, .pattern = all};
	add(r, n, RTE_FLOW_ITEM_TYPE_RAW, &r->raw_spec[*n], &r->raw_mask[*n]);
}

/* The whole first octet: no version of QUIC begins like it. */
static void write_bytes(struct rule *r, const struct ql_flow_plan *p, uint16_t queue, bool ip6)
{
	static const uint8_t ip4_start[3] = {0x08, 0x00, 0x45}, ip6_start[2] = {0x86, 0xdd};
	const uint8_t proto = IPPROTO_UDP, index = (uint8_t)queue;
	unsigned int n = 0;

	add_run(r, &n, 12, ip6 ? ip6_start : ip4_start, ip6 ? 2 : 3);
	add_run(r, &n, ip6 ? 14 + 6 : 14 + 9, &proto, 1);
	add_run(r, &n, (ip6 ? UDP_HEADERS : IP4_HEADERS) + 1, &p->word.first_value, 1);
	add_run(r, &n, (ip6 ? UDP_HEADERS : IP4_HEADERS) + p->word.offset + 1u, &index, 1);
}

/* Rules for one queue: random bits, or versions of IP. */
static unsigned int rules_each(const struct ql_flow_plan *p)
{
	return p->style == QL_FLOW_WORD ? WORD_VALUES : 2;
}

/* One of a queue's rules. False: it is to be left out. */
static bool write_rule(struct rule *r, const struct ql_flow_plan *p,
		       struct rte_flow_item_flex_handle *flex, uint16_t queue, unsigned int which)
{
	unsigned int n = 0;
	bool ip6 = which == 1;

	memset(r, 0, sizeof(*r));
	r->queue.index = queue;
	r->actions[0] = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_QUEUE, &r->queue};
	r->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
	if (p->style == QL_FLOW_WORD) {
		write_word(r, p, which << CHAR_BIT | queue);
		return !may_be_long(&p->word, which << CHAR_BIT | queue);
	}
	if (p->style == QL_FLOW_BYTES) {
		write_bytes(r, p, queue, ip6);
		return true;
	}
	r->bytes = bytes_of(&p->word, queue);
	if (p->style == QL_FLOW_FRAME) {
		write_frame(r, ip6);
		add(r, &n, RTE_FLOW_ITEM_TYPE_RAW, &r->raw_spec[0], &r->raw_mask[0]);
		return true;
	}
	add(r, &n, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	add(r, &n, ip6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4, NULL, NULL);
	add(r, &n, RTE_FLOW_ITEM_TYPE_UDP, NULL, NULL);
	if (p->style == QL_FLOW_FLEX) {
		r->flex_spec = (struct rte_flow_item_flex){flex, r->bytes.len, r->bytes.spec};
		r->flex_mask = (struct rte_flow_item_flex){flex, r->bytes.len, r->bytes.mask};
		add(r, &n, RTE_FLOW_ITEM_TYPE_FLEX, &r->flex_spec, &r->flex_mask);
		return true;
	}
	r->raw_spec[0] = (struct rte_flow_item_raw){
		.relative = 1, .length = r->bytes.len, .pattern = r->bytes.spec};
	r->raw_mask[0] = (struct rte_flow_item_raw){
		.relative = 1, .length = r->bytes.len, .pattern = r->bytes.mask};
	add(r, &n, RTE_FLOW_ITEM_TYPE_RAW, &r->raw_spec[0], &r->raw_mask[0]);
	return true;
}

/* The first bytes behind the UDP header as a protocol of their own, for packets to one port. */
static int make_flex(struct ql_flow_rules *rules, const struct ql_flow_api *api, uint16_t port_id,
		     uint16_t len, uint16_t udp_port, struct rte_flow_error *error)
{
	struct rte_flow_item_flex_field samples[SAMPLES] = {0};
	const struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16(udp_port)};
	const struct rte_flow_item_udp udp_mask = {.hdr.dst_port = 0xffff};
	struct rte_flow_item_flex_link input = {
		.item = {.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask}};
	struct rte_flow_item_flex_conf conf = {
		.tunnel = FLEX_TUNNEL_MODE_SINGLE,
		.sample_data = samples,
		.input_link = &input,
		.nb_inputs = 1,
	};
	unsigned int n = (len * CHAR_BIT + SAMPLE_BITS - 1) / SAMPLE_BITS;

	for (unsigned int i = 0; i < n; i++)
		samples[i] =
			(struct rte_flow_item_flex_field){.field_mode = FIELD_MODE_FIXED,
							  .field_size = SAMPLE_BITS,
							  .field_base = (int32_t)(i * SAMPLE_BITS)};
	conf.nb_samples = n;
	conf.next_header = (struct rte_flow_item_flex_field){
		.field_mode = FIELD_MODE_FIXED, .field_base = (int32_t)(n * SAMPLE_BITS)};
	rules->flex = api->flex_create(port_id, &conf, error);
	return rules->flex ? 0 : -(rte_errno ? rte_errno : EINVAL);
}

static int validate(const struct ql_flow_rules *rules, const struct ql_flow_api *api,
		    uint16_t port_id, const struct ql_flow_plan *plan, struct rte_flow_error *error)
{
	unsigned int each = rules_each(plan);
	struct rule r;

	for (unsigned int i = 0; i < plan->queues * each; i++) {
		int rc = 0;

		if (write_rule(&r, plan, rules->flex, (uint16_t)(i / each), i % each))
			rc = api->validate(port_id, &ingress, r.items, r.actions, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int create(struct ql_flow_rules *rules, const struct ql_flow_api *api, uint16_t port_id,
		  const struct ql_flow_plan *plan, struct rte_flow_error *error)
{
	unsigned int each = rules_each(plan);
	struct rule r;

	for (unsigned int i = 0; i < plan->queues * each; i++) {
		if (!write_rule(&r, plan, rules->flex, (uint16_t)(i / each), i % each))
			continue;
		rules->flows[rules->n] = api->create(port_id, &ingress, r.items, r.actions, error);
		if (!rules->flows[rules->n])
			return -(rte_errno ? rte_errno : EINVAL);
		rules->n++;
	}
	return 0;
}

/* What drivers do not find fault with, and devices do not do all the same. 0, or as the rules. */
static int look_at(const struct ql_flow_plan *p, char why[QL_STEERING_WHY])
{
	bool in_frame = p->style == QL_FLOW_WORD || p->style == QL_FLOW_BYTES;
	unsigned int most = p->style == QL_FLOW_WORD	? WORD_QUEUES_MAX
			    : p->style == QL_FLOW_BYTES ? BYTES_QUEUES_MAX
							: QL_ENGINES_MAX;

	if (p->word.offset + 2 > PAYLOAD_MAX) {
		snprintf(why, QL_STEERING_WHY,
			 "the connection ID's word is at offset %u, too far behind for rules",
			 p->word.offset);
		return -E2BIG;
	}
	if (p->style == QL_FLOW_WORD &&
	    (p->word.offset % 2 != 0 || p->word.offset >= VERSION_END)) {
		snprintf(why, QL_STEERING_WHY,
			 "the connection ID's word is at offset %u; its rules take 2 or 4, for a "
			 "server ID of no or 2 bytes",
			 p->word.offset);
		return -EINVAL;
	}
	if (p->queues > most) {
		snprintf(why, QL_STEERING_WHY, "it has room for rules of %u queues", most);
		return -ENOSPC;
	}
	if (p->style == QL_FLOW_FLEX && p->udp_port == 0) {
		snprintf(why, QL_STEERING_WHY, "its rules need one UDP port of ours");
		return -EINVAL;
	}
	if (in_frame && p->vlan != 0) {
		snprintf(why, QL_STEERING_WHY, "its rules do not look behind a VLAN tag");
		return -EINVAL;
	}
	return 0;
}

int ql_flow_rules_create(struct ql_flow_rules *rules, const struct ql_flow_api *api,
			 uint16_t port_id, const struct ql_flow_plan *plan,
			 char why[QL_STEERING_WHY])
{
	struct rte_flow_error error = {0};
	int rc;

	rules->n = 0;
	rules->flex = NULL;
	rc = look_at(plan, why);
	if (rc < 0)
		return rc;
	if (plan->style == QL_FLOW_FLEX)
		rc = make_flex(rules, api, port_id, plan->word.offset + 2, plan->udp_port, &error);
	if (rc == 0)
		rc = validate(rules, api, port_id, plan, &error);
	if (rc == 0)
		rc = create(rules, api, port_id, plan, &error);
	if (rc == 0) {
		snprintf(why, QL_STEERING_WHY, "%u rules for connection IDs%s", rules->n,
			 plan->style == QL_FLOW_WORD ? ", in IPv4; IPv6 by RSS" : "");
		return 0;
	}
	snprintf(why, QL_STEERING_WHY, "no rules for connection IDs: %s",
		 error.message ? error.message : strerror(-rc));
	ql_flow_rules_destroy(rules, api, port_id);
	return rc;
}

void ql_flow_rules_destroy(struct ql_flow_rules *rules, const struct ql_flow_api *api,
			   uint16_t port_id)
{
	struct rte_flow_error error;

	while (rules->n > 0)
		api->destroy(port_id, rules->flows[--rules->n], &error);
	if (rules->flex)
		api->flex_release(port_id, rules->flex, &error);
	rules->flex = NULL;
}
