// SPDX-License-Identifier: BSD-3-Clause
/* The rules, byte by byte, as a device of this file is given them; and that it has all or none. */
#include "net/steer.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>

#include "test_net_util.h"

static const struct ql_cid_word word = {
	.offset = 2, .mask = 0x00ff, .first_mask = 0xff, .first_value = 0xeb};

static struct {
	unsigned int validated, created, destroyed, flex_made, flex_released;
	unsigned int refuse_at, fail_at; /* the n-th, from 1 on; 0: never */
	unsigned int queue[64];
	uint8_t spec[64][192], mask[64][192];
	unsigned int len[64];
	enum rte_flow_item_type types[64][6];
	struct rte_flow_item_flex_field samples[4], next;
	unsigned int n_samples, udp_port;
} device;

static int flow; /* what flows point to */
static struct ql_flow_rules rules;
static char why[QL_STEERING_WHY];

static void note(const struct rte_flow_item *items, unsigned int i)
{
	unsigned int n = 0;

	for (; items[n].type != RTE_FLOW_ITEM_TYPE_END; n++) {
		const struct rte_flow_item_raw *rs = items[n].spec, *rm = items[n].mask;
		const struct rte_flow_item_flex *fs = items[n].spec, *fm = items[n].mask;

		ck_assert_uint_lt(n, 5);
		device.types[i][n] = items[n].type;
		if (items[n].type == RTE_FLOW_ITEM_TYPE_RAW) {
			ck_assert_uint_eq(rs->relative, n > 0); /* behind UDP, or all there is */
			ck_assert_uint_eq(rs->search, 0);
			ck_assert_int_eq(rs->offset, 0);
			ck_assert_uint_eq(rs->length, rm->length);
			ck_assert_uint_le(rs->length, sizeof(device.spec[0]));
			device.len[i] = rs->length;
			memcpy(device.spec[i], rs->pattern, rs->length);
			memcpy(device.mask[i], rm->pattern, rm->length);
		} else if (items[n].type == RTE_FLOW_ITEM_TYPE_FLEX) {
			ck_assert_ptr_eq(fs->handle, &device);
			ck_assert_uint_eq(fs->length, fm->length);
			device.len[i] = fs->length;
			memcpy(device.spec[i], fs->pattern, fs->length);
			memcpy(device.mask[i], fm->pattern, fm->length);
		}
	}
	device.types[i][n] = RTE_FLOW_ITEM_TYPE_END;
}

static int validate(uint16_t port_id, const struct rte_flow_attr *attr,
		    const struct rte_flow_item items[], const struct rte_flow_action actions[],
		    struct rte_flow_error *error)
{
	ck_assert_uint_eq(port_id, 3);
	ck_assert(attr->ingress && !attr->egress && !attr->transfer);
	ck_assert_int_eq(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	ck_assert_int_eq(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	ck_assert_uint_eq(device.created, 0); /* first all are looked at */
	note(items, device.validated);
	device.queue[device.validated] =
		((const struct rte_flow_action_queue *)actions[0].conf)->index;
	if (++device.validated == device.refuse_at) {
		error->message = "no such item";
		return -ENOTSUP;
	}
	return 0;
}

static struct rte_flow *create(uint16_t port_id, const struct rte_flow_attr *attr,
			       const struct rte_flow_item items[],
			       const struct rte_flow_action actions[], struct rte_flow_error *error)
{
	(void)attr;
	(void)items;
	(void)actions;
	ck_assert_uint_eq(port_id, 3);
	if (device.created + 1 == device.fail_at) {
		error->message = NULL;
		rte_errno = ENOSPC;
		return NULL;
	}
	device.created++;
	return (struct rte_flow *)&flow;
}

static int destroy(uint16_t port_id, struct rte_flow *f, struct rte_flow_error *error)
{
	(void)error;
	ck_assert_uint_eq(port_id, 3);
	ck_assert_ptr_eq(f, &flow);
	device.destroyed++;
	return 0;
}

static struct rte_flow_item_flex_handle *flex_create(uint16_t port_id,
						     const struct rte_flow_item_flex_conf *conf,
						     struct rte_flow_error *error)
{
	const struct rte_flow_item_udp *udp = conf->input_link[0].item.spec;

	(void)error;
	ck_assert_uint_eq(port_id, 3);
	ck_assert_uint_eq(conf->nb_inputs, 1);
	ck_assert_int_eq(conf->input_link[0].item.type, RTE_FLOW_ITEM_TYPE_UDP);
	device.udp_port = rte_be_to_cpu_16(udp->hdr.dst_port);
	device.n_samples = conf->nb_samples;
	memcpy(device.samples, conf->sample_data, conf->nb_samples * sizeof(device.samples[0]));
	device.next = conf->next_header;
	device.flex_made++;
	return (struct rte_flow_item_flex_handle *)&device;
}

static int flex_release(uint16_t port_id, const struct rte_flow_item_flex_handle *handle,
			struct rte_flow_error *error)
{
	(void)error;
	ck_assert_uint_eq(port_id, 3);
	ck_assert_ptr_eq(handle, &device);
	ck_assert_uint_eq(device.destroyed, device.created); /* they use it */
	device.flex_released++;
	return 0;
}

static const struct ql_flow_api api = {validate, create, destroy, flex_create, flex_release};

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	memset(&rules, 0, sizeof(rules));
	why[0] = 0;
}

static int make_with(enum ql_flow_style style, uint16_t queues, const struct ql_cid_word *w,
		     uint16_t udp_port)
{
	const struct ql_flow_plan plan = {
		.style = style, .word = *w, .queues = queues, .udp_port = udp_port};

	return ql_flow_rules_create(&rules, &api, 3, &plan, why);
}

static int make(enum ql_flow_style style, uint16_t queues)
{
	return make_with(style, queues, &word, 4433);
}

START_TEST(drivers)
{
	ck_assert_int_eq(ql_flow_style_of("mlx5_pci"), QL_FLOW_FLEX);
	ck_assert_int_eq(ql_flow_style_of("net_i40e"), QL_FLOW_RAW);
	ck_assert_int_eq(ql_flow_style_of("net_ice"), QL_FLOW_FRAME);
	ck_assert_int_eq(ql_flow_style_of("net_iavf"), QL_FLOW_FRAME);
	ck_assert_int_eq(ql_flow_style_of("net_enic"), QL_FLOW_RAW);
	ck_assert_int_eq(ql_flow_style_of("net_ixgbe"), QL_FLOW_WORD);
	ck_assert_int_eq(ql_flow_style_of("net_txgbe"), QL_FLOW_WORD);
	ck_assert_int_eq(ql_flow_style_of("net_e1000_igb"), QL_FLOW_BYTES);
	/* it crashes, or matches something else */
	ck_assert_int_eq(ql_flow_style_of("net_tap"), QL_FLOW_NONE);
	ck_assert_int_eq(ql_flow_style_of("net_ixgbe_vf"), QL_FLOW_NONE);
	ck_assert_int_eq(ql_flow_style_of(NULL), QL_FLOW_NONE);
}
END_TEST

/* A rule for each queue and version of IP. */
START_TEST(raw_behind_udp)
{
	ck_assert_int_eq(make(QL_FLOW_RAW, 3), 0);
	ck_assert_uint_eq(rules.n, 6);
	ck_assert_uint_eq(device.validated, 6);
	ck_assert_uint_eq(device.created, 6);
	for (unsigned int i = 0; i < 6; i++) {
		const uint8_t spec[4] = {0, 0xeb, 0, (uint8_t)(i / 2)};
		const uint8_t mask[4] = {0x80, 0xff, 0, 0xff};

		ck_assert_uint_eq(device.queue[i], i / 2);
		ck_assert_uint_eq(device.len[i], 4);
		ck_assert_mem_eq(device.spec[i], spec, 4);
		ck_assert_mem_eq(device.mask[i], mask, 4);
		ck_assert_int_eq(device.types[i][0], RTE_FLOW_ITEM_TYPE_ETH);
		ck_assert_int_eq(device.types[i][1],
				 i % 2 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4);
		ck_assert_int_eq(device.types[i][2], RTE_FLOW_ITEM_TYPE_UDP);
		ck_assert_int_eq(device.types[i][3], RTE_FLOW_ITEM_TYPE_RAW);
	}
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_uint_eq(device.destroyed, 6);
	ql_flow_rules_destroy(&rules, &api, 3); /* nothing is left */
	ck_assert_uint_eq(device.destroyed, 6);
}
END_TEST

/* The digits, read back, are a frame that our own parser would take for UDP. */
START_TEST(frame_in_digits)
{
	ck_assert_int_eq(make(QL_FLOW_FRAME, 2), 0);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int ip = i % 2 ? 40 : 20, n = 14 + ip + 8 + 4, v;
		uint8_t spec[80], mask[80];

		ck_assert_int_eq(device.types[i][0], RTE_FLOW_ITEM_TYPE_RAW);
		ck_assert_int_eq(device.types[i][1], RTE_FLOW_ITEM_TYPE_END);
		ck_assert_uint_eq(device.len[i], 2 * n);
		for (unsigned int k = 0; k < n; k++) {
			ck_assert_int_eq(sscanf((char *)device.spec[i] + 2 * k, "%2x", &v), 1);
			spec[k] = (uint8_t)v;
			ck_assert_int_eq(sscanf((char *)device.mask[i] + 2 * k, "%2x", &v), 1);
			mask[k] = (uint8_t)v;
		}
		ck_assert_uint_eq(spec[12] << 8 | spec[13], i % 2 ? 0x86dd : 0x0800);
		ck_assert_uint_eq(spec[14] >> 4, i % 2 ? 6 : 4);
		ck_assert_uint_eq(spec[14 + (i % 2 ? 6 : 9)], 17);
		for (unsigned int k = 0; k < n - 4; k++) /* no header counts */
			ck_assert_uint_eq(mask[k], 0);
		ck_assert_uint_eq(mask[n - 4], 0x80);
		ck_assert_uint_eq(mask[n - 3], 0xff);
		ck_assert_uint_eq(mask[n - 2], 0);
		ck_assert_uint_eq(mask[n - 1], 0xff);
		ck_assert_uint_eq(spec[n - 3], 0xeb);
		ck_assert_uint_eq(spec[n - 1], i / 2);
	}
	ql_flow_rules_destroy(&rules, &api, 3);
}
END_TEST

START_TEST(flex_item)
{
	ck_assert_int_eq(make(QL_FLOW_FLEX, 2), 0);
	ck_assert_uint_eq(device.udp_port, 4433);
	ck_assert_uint_eq(device.n_samples, 1);
	ck_assert_int_eq(device.samples[0].field_mode, FIELD_MODE_FIXED);
	ck_assert_uint_eq(device.samples[0].field_size, 32);
	ck_assert_int_eq(device.samples[0].field_base, 0);
	ck_assert_int_eq(device.next.field_base, 32);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_int_eq(device.types[i][3], RTE_FLOW_ITEM_TYPE_FLEX);
		ck_assert_uint_eq(device.len[i], 4);
		ck_assert_uint_eq(device.spec[i][3], i / 2);
	}
	ql_flow_rules_destroy(&rules, &api, 3);
	ck_assert_uint_eq(device.flex_released, 1);
	ck_assert_int_lt(make_with(QL_FLOW_FLEX, 2, &word, 0), 0);
	ck_assert_ptr_nonnull(strstr(why, "UDP port"));
}
END_TEST

/* One that is refused, at whatever place: nothing is left, and the reason is told. */
START_TEST(all_or_none)
{
	for (unsigned int style = QL_FLOW_FLEX; style <= QL_FLOW_FRAME; style++) {
		for (unsigned int at = 1; at <= 8; at++) {
			setup();
			device.refuse_at = at;
			ck_assert_int_eq(make((enum ql_flow_style)style, 4), -ENOTSUP);
			ck_assert_uint_eq(device.created, 0);
			ck_assert_uint_eq(rules.n, 0);
			ck_assert_ptr_nonnull(strstr(why, "no such item"));
			ck_assert_uint_eq(device.flex_released, device.flex_made);
			setup();
			device.fail_at = at;
			ck_assert_int_eq(make((enum ql_flow_style)style, 4), -ENOSPC);
			ck_assert_uint_eq(device.created, at - 1);
			ck_assert_uint_eq(device.destroyed, at - 1);
			ck_assert_uint_eq(rules.n, 0);
			ck_assert_ptr_nonnull(strstr(why, "No space left"));
			ck_assert_uint_eq(device.flex_released, device.flex_made);
		}
	}
}
END_TEST

/* Where a load balancer's server ID is in front of the word, at an odd offset; and too far behind. */
START_TEST(word_elsewhere)
{
	struct ql_cid_word far = word;

	far.offset = 7;
	ck_assert_int_eq(make_with(QL_FLOW_RAW, 2, &far, 0), 0);
	ck_assert_uint_eq(device.len[3], 9);
	ck_assert_uint_eq(device.spec[3][8], 1);
	ck_assert_uint_eq(device.mask[3][7], 0);
	ck_assert_uint_eq(device.mask[3][8], 0xff);
	ql_flow_rules_destroy(&rules, &api, 3);
	setup();
	ck_assert_int_eq(make_with(QL_FLOW_FLEX, 2, &far, 443), 0);
	ck_assert_uint_eq(device.n_samples, 3);
	ck_assert_int_eq(device.samples[2].field_base, 64);
	ck_assert_int_eq(device.next.field_base, 96);
	ql_flow_rules_destroy(&rules, &api, 3);
	far.offset = 15;
	ck_assert_int_lt(make_with(QL_FLOW_RAW, 2, &far, 0), 0);
	ck_assert_ptr_nonnull(strstr(why, "offset 15"));
}
END_TEST

/* Configurations for which rules, or the kernel's program, are still right. */
START_TEST(other_configs)
{
	static const struct ql_cid_config two = {.rotation = 1, .server_id_len = 2},
					  same = {.rotation = 2, .server_id_len = 2},
					  three = {.rotation = 1, .server_id_len = 3},
					  hidden = {.rotation = 1,
						    .server_id_len = 2,
						    .encrypted = true},
					  wrong = {.rotation = 7, .server_id_len = 2};
	struct ql_port_steering s = {.how = QL_STEER_RULES};
	char err[QL_NET_ERRLEN];

	ck_assert_int_eq(ql_cid_word_of(&two, &rules.word), 0);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &two, err), 0);
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &same, err), 0);
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &three, err), -EBUSY);
		ck_assert_ptr_nonnull(strstr(err, "offset 4 of packets, and would have to at 5"));
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, NULL, err), -EBUSY);
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &hidden, err), -ENOTSUP);
		ck_assert_ptr_nonnull(strstr(err, "encrypted"));
		ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &wrong, err), -EINVAL);
		s.how = QL_STEER_TAP;
	}
	rules.rotation = true; /* igb */
	ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &two, err), 0);
	ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &same, err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err, "rotation"));
	s.how = QL_STEER_RSS; /* looks at none of it */
	ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &three, err), 0);
	ck_assert_int_eq(ql_steer_takes_cids(&s, &rules, &hidden, err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/steer_rules");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, drivers);
	tcase_add_test(tc, raw_behind_udp);
	tcase_add_test(tc, frame_in_digits);
	tcase_add_test(tc, flex_item);
	tcase_add_test(tc, all_or_none);
	tcase_add_test(tc, word_elsewhere);
	tcase_add_test(tc, other_configs);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
