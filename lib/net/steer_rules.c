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
#define SAMPLE_BITS 32
#define SAMPLES	    (PAYLOAD_MAX * CHAR_BIT / SAMPLE_BITS)
#define LONG_HEADER 0x80

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
		{"mlx5_pci", QL_FLOW_FLEX},  {"mlx5_auxiliary", QL_FLOW_FLEX},
		{"net_i40e", QL_FLOW_RAW},   {"net_ice", QL_FLOW_FRAME},
		{"net_iavf", QL_FLOW_FRAME},
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
	struct rte_flow_item_raw raw_spec, raw_mask;
	struct rte_flow_item_flex flex_spec, flex_mask;
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
	r->raw_spec = (struct rte_flow_item_raw){.length = (uint16_t)(2 * n),
						 .pattern = (const uint8_t *)r->frame_spec};
	r->raw_mask = (struct rte_flow_item_raw){.length = (uint16_t)(2 * n),
						 .pattern = (const uint8_t *)r->frame_mask};
}

static void write_rule(struct rule *r, enum ql_flow_style style,
		       struct rte_flow_item_flex_handle *flex, const struct ql_cid_word *word,
		       uint16_t queue, bool ip6)
{
	unsigned int n = 0;

	memset(r, 0, sizeof(*r));
	r->bytes = bytes_of(word, queue);
	r->queue.index = queue;
	r->actions[0] = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_QUEUE, &r->queue};
	r->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
	if (style != QL_FLOW_FRAME) {
		r->items[n++].type = RTE_FLOW_ITEM_TYPE_ETH;
		r->items[n++].type = ip6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4;
		r->items[n++].type = RTE_FLOW_ITEM_TYPE_UDP;
	}
	switch (style) {
	case QL_FLOW_FLEX:
		r->flex_spec = (struct rte_flow_item_flex){flex, r->bytes.len, r->bytes.spec};
		r->flex_mask = (struct rte_flow_item_flex){flex, r->bytes.len, r->bytes.mask};
		r->items[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_FLEX,
						       .spec = &r->flex_spec,
						       .mask = &r->flex_mask};
		break;
	case QL_FLOW_FRAME:
		write_frame(r, ip6);
		r->items[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_RAW, .spec = &r->raw_spec, .mask = &r->raw_mask};
		break;
	default:
		r->raw_spec = (struct rte_flow_item_raw){
			.relative = 1, .length = r->bytes.len, .pattern = r->bytes.spec};
		r->raw_mask = (struct rte_flow_item_raw){
			.relative = 1, .length = r->bytes.len, .pattern = r->bytes.mask};
		r->items[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_RAW, .spec = &r->raw_spec, .mask = &r->raw_mask};
	}
	r->items[n].type = RTE_FLOW_ITEM_TYPE_END;
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

static int create_all(struct ql_flow_rules *rules, const struct ql_flow_api *api, uint16_t port_id,
		      enum ql_flow_style style, uint16_t queues, const struct ql_cid_word *word,
		      struct rte_flow_error *error)
{
	struct rule r;
	int rc;

	for (unsigned int i = 0; i < 2u * queues; i++) {
		write_rule(&r, style, rules->flex, word, (uint16_t)(i / 2), i % 2);
		rc = api->validate(port_id, &ingress, r.items, r.actions, error);
		if (rc < 0)
			return rc;
	}
	for (unsigned int i = 0; i < 2u * queues; i++) {
		write_rule(&r, style, rules->flex, word, (uint16_t)(i / 2), i % 2);
		rules->flows[rules->n] = api->create(port_id, &ingress, r.items, r.actions, error);
		if (!rules->flows[rules->n])
			return -(rte_errno ? rte_errno : EINVAL);
		rules->n++;
	}
	return 0;
}

int ql_flow_rules_create(struct ql_flow_rules *rules, const struct ql_flow_api *api,
			 uint16_t port_id, enum ql_flow_style style, uint16_t queues,
			 const struct ql_cid_word *word, uint16_t udp_port,
			 char why[QL_STEERING_WHY])
{
	struct rte_flow_error error = {0};
	int rc = 0;

	rules->n = 0;
	rules->flex = NULL;
	if (word->offset + 2 > PAYLOAD_MAX || 2u * queues > QL_STEER_RULES_MAX) {
		snprintf(why, QL_STEERING_WHY,
			 "the connection ID's word is at offset %u, too far behind for rules",
			 word->offset);
		return -E2BIG;
	}
	if (style == QL_FLOW_FLEX && udp_port == 0) {
		snprintf(why, QL_STEERING_WHY, "its rules need one UDP port of ours");
		return -EINVAL;
	}
	if (style == QL_FLOW_FLEX)
		rc = make_flex(rules, api, port_id, word->offset + 2, udp_port, &error);
	if (rc == 0)
		rc = create_all(rules, api, port_id, style, queues, word, &error);
	if (rc == 0)
		return 0;
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
