// SPDX-License-Identifier: BSD-3-Clause
/*
 * The hash against the values that Microsoft published for its verification; a device that keeps
 * its key and table in this file.
 */
#include "net/rss.h"

#include <errno.h>

#include <rte_ethdev.h>

#include "test_net_util.h"

static const uint8_t ms_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
				   0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
				   0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
				   0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static struct {
	uint8_t key[QL_RSS_KEY_MAX];
	unsigned int key_len;
	uint64_t hf;
	uint16_t reta[QL_RSS_RETA_MAX];
	bool no_conf, no_update, no_query;
	unsigned int updates;
} device;

int rte_eth_dev_rss_hash_conf_get(uint16_t port_id, struct rte_eth_rss_conf *conf)
{
	ck_assert_uint_eq(port_id, 7);
	ck_assert_uint_ge(conf->rss_key_len, device.key_len);
	memcpy(conf->rss_key, device.key, device.key_len);
	conf->rss_hf = device.hf;
	return device.no_conf ? -ENOTSUP : 0;
}

int rte_eth_dev_rss_reta_update(uint16_t port_id, struct rte_eth_rss_reta_entry64 *g, uint16_t size)
{
	ck_assert_uint_eq(port_id, 7);
	device.updates++;
	if (device.no_update)
		return -ENOTSUP;
	for (unsigned int i = 0; i < size; i++)
		if (g[i / 64].mask >> i % 64 & 1)
			device.reta[i] = g[i / 64].reta[i % 64];
	return 0;
}

int rte_eth_dev_rss_reta_query(uint16_t port_id, struct rte_eth_rss_reta_entry64 *g, uint16_t size)
{
	ck_assert_uint_eq(port_id, 7);
	for (unsigned int i = 0; i < size; i++)
		if (g[i / 64].mask >> i % 64 & 1)
			g[i / 64].reta[i % 64] = device.reta[i];
	return device.no_query ? -ENOTSUP : 0;
}

static struct ql_rss rss;
static struct rte_eth_conf conf;
static struct rte_eth_dev_info info;

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	memset(&conf, 0, sizeof(conf));
	info = (struct rte_eth_dev_info){.flow_type_rss_offloads = RTE_ETH_RSS_IP |
								   RTE_ETH_RSS_NONFRAG_IPV4_UDP |
								   RTE_ETH_RSS_NONFRAG_IPV6_UDP,
					 .hash_key_size = 40,
					 .reta_size = 128};
}

/* Ask, let the device take it, settle. */
static void set_up(uint16_t queues)
{
	ck_assert(ql_rss_ask(&rss, &info, &conf));
	device.key_len = conf.rx_adv_conf.rss_conf.rss_key_len;
	device.hf = conf.rx_adv_conf.rss_conf.rss_hf;
	if (device.key_len > 0)
		memcpy(device.key, conf.rx_adv_conf.rss_conf.rss_key, device.key_len);
	ql_rss_settle(&rss, 7, queues, &conf);
}

static struct ql_path path_of(const char *remote, const char *local)
{
	return (struct ql_path){.remote = t_addr(remote), .local = t_addr(local)};
}

START_TEST(published_values)
{
	static const struct {
		const char *from, *to;
		uint32_t hash;
	} cases[] = {
		{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178},
		{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea},
		{"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a},
		{"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f},
		{"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2},
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
		{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
		{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024",
		 0x02d1feef},
	};

	memset(&rss, 0, sizeof(rss));
	rss.ip4 = rss.ip6 = true;
	memcpy(rss.key, ms_key, sizeof(ms_key));
	rss.reta_size = 2048;
	for (unsigned int i = 0; i < 2048; i++)
		rss.reta[i] = (uint16_t)i;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct ql_path p = path_of(cases[i].from, cases[i].to);

		ck_assert_int_eq(ql_rss_queue(&rss, &p), (int)(cases[i].hash & 2047));
	}
}
END_TEST

/* Queues get equal shares of the table, and nearly so of the ports. */
START_TEST(spreads_evenly)
{
	struct ql_path p = path_of("192.0.2.1:443", "10.9.0.2:0");
	struct ql_path p6 = path_of("[2001:db8::1]:443", "[fd00::2]:0");
	unsigned int got[5] = {0}, share[5] = {0};

	set_up(5);
	ck_assert(rss.ip4 && rss.ip6);
	for (unsigned int i = 0; i < 128; i++)
		share[device.reta[i]]++;
	for (unsigned int q = 0; q < 5; q++)
		ck_assert(share[q] == 25 || share[q] == 26);
	for (unsigned int port = 32768; port < 65536; port++) {
		p.local.port = p6.local.port = (uint16_t)port;
		ck_assert_int_lt(ql_rss_queue(&rss, &p), 5);
		ck_assert_int_lt(ql_rss_queue(&rss, &p6), 5);
		got[ql_rss_queue(&rss, &p)]++;
	}
	for (unsigned int q = 0; q < 5; q++)
		ck_assert_uint_gt(got[q], 2000);
}
END_TEST

START_TEST(no_rss)
{
	info.flow_type_rss_offloads = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	ck_assert(!ql_rss_ask(&rss, &info, &conf));
	ck_assert_int_eq(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}
END_TEST

/* Where the device is not what it was asked to be, nothing is known. */
START_TEST(not_known)
{
	struct ql_path p = path_of("192.0.2.1:443", "10.9.0.2:1");
	struct ql_path p6 = path_of("[2001:db8::1]:443", "[fd00::2]:1");

	ck_assert(ql_rss_ask(&rss, &info, &conf));
	device.key_len = 40; /* another key */
	device.hf = UINT64_MAX;
	ql_rss_settle(&rss, 7, 2, &conf);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
	device.no_conf = true;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
	device.no_conf = false;
	device.no_query = true;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
	device.no_query = false;
	info.reta_size = 100;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
	info.reta_size = 128;
	info.hash_key_size = 200;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
	/* IPv6 without its ports */
	info.hash_key_size = 40;
	info.flow_type_rss_offloads = RTE_ETH_RSS_IP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
	set_up(2);
	ck_assert_int_ge(ql_rss_queue(&rss, &p), 0);
	ck_assert_int_eq(ql_rss_queue(&rss, &p6), -1);
}
END_TEST

/* A table that cannot be written may be read; one that names other queues is no table of ours. */
START_TEST(table_of_the_device)
{
	struct ql_path p = path_of("192.0.2.1:443", "10.9.0.2:1");

	device.no_update = true;
	for (unsigned int i = 0; i < 128; i++)
		device.reta[i] = 1;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), 1);
	device.reta[5] = 2;
	set_up(2);
	ck_assert_int_eq(ql_rss_queue(&rss, &p), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/rss");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, published_values);
	tcase_add_test(tc, spreads_evenly);
	tcase_add_test(tc, no_rss);
	tcase_add_test(tc, not_known);
	tcase_add_test(tc, table_of_the_device);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
