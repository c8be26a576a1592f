// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "test_net_util.h"

static struct ql_ifaddr ifaddr(const char *text)
{
	struct ql_ifaddr a;

	ck_assert_msg(ql_ifaddr_parse(text, &a) == 0, "%s", text);
	return a;
}

START_TEST(parse)
{
	static const char *const bad[] = {"",
					  "/24",
					  "10.9.0.2/33",
					  "10.9.0.2/",
					  "10.9.0.2/-1",
					  "10.9.0.2/2x",
					  "fd00::2/129",
					  "10.9.0.2:80",
					  "[fd00::2]/64",
					  "10.9.0.2:80/24",
					  "10.9.0",
					  "host/24",
					  "10.9.0.2/0024",
					  "10.9.0.2/24/8"};
	char text[QL_ADDR_STRLEN];
	struct ql_ifaddr a = ifaddr("10.9.0.2/24");

	ck_assert_str_eq(ql_addr_format(&a.addr, text), "10.9.0.2:0");
	ck_assert_uint_eq(a.prefix, 24);
	ck_assert_uint_eq(ifaddr("10.9.0.2").prefix, 32);
	ck_assert_uint_eq(ifaddr("0.0.0.0/0").prefix, 0);
	a = ifaddr("fd00::2/64");
	ck_assert_str_eq(ql_addr_format(&a.addr, text), "[fd00::2]:0");
	ck_assert_uint_eq(a.prefix, 64);
	ck_assert_uint_eq(ifaddr("fd00::2").prefix, 128);
	ck_assert_uint_eq(ifaddr("fd00::1.2.3.4/96").prefix, 96);
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		ck_assert_msg(ql_ifaddr_parse(bad[i], &a) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(next_hop)
{
	static const struct {
		const char *to, *hop;
	} cases[] = {
		{"10.9.0.1", "10.9.0.1"},
		{"10.9.0.254", "10.9.0.254"},
		{"10.9.1.1", "10.9.0.254"},
		{"192.0.2.1", "10.9.0.254"},
		{"10.9.0.2", NULL},
		{"10.9.0.255", NULL},
		{"255.255.255.255", NULL},
		{"224.0.0.1", NULL},
		{"0.0.0.0", NULL},
		{"127.0.0.1", NULL},
		{"fd00::1", "fd00::1"},
		{"fd00:0:0:1::1", "fd00::fe"},
		{"fe80::1", "fe80::1"},
		{"2001:db8::1", "fd00::fe"},
		{"fd00::2", NULL},
		{"ff02::1", NULL},
		{"::", NULL},
		{"::1", NULL},
	};
	struct ql_netif nif = t_netif();

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		struct ql_addr to = t_addr(cases[i].to), want;
		const uint8_t *hop = ql_netif_next_hop(&nif, to.ip);

		if (!cases[i].hop) {
			ck_assert_msg(hop == NULL, "%s", cases[i].to);
			continue;
		}
		want = t_addr(cases[i].hop);
		ck_assert_msg(hop && ql_ip_eq(hop, want.ip), "%s", cases[i].to);
	}
	nif.n_gateways = 0;
	ck_assert_ptr_null(ql_netif_next_hop(&nif, t_addr("192.0.2.1").ip));
	ck_assert_ptr_null(ql_netif_next_hop(&nif, t_addr("2001:db8::1").ip));
}
END_TEST

START_TEST(odd_prefixes)
{
	struct ql_netif nif = {.n_addrs = 3};

	nif.addrs[0] = ifaddr("10.9.0.129/25");
	nif.addrs[1] = ifaddr("10.8.0.0/31"); /* no broadcast address there (RFC 3021) */
	nif.addrs[2] = ifaddr("fd00::ff:1/115");
	ck_assert(ql_netif_on_link(&nif, t_addr("10.9.0.130").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("10.9.0.127").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("10.9.0.255").ip));
	ck_assert(ql_netif_on_link(&nif, t_addr("10.8.0.1").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("10.8.0.2").ip));
	ck_assert(ql_netif_on_link(&nif, t_addr("fd00::ff:1fff").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("fd00::ff:2000").ip));
	ck_assert(ql_netif_on_link(&nif, t_addr("fe80::1").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("fec0::1").ip));
	/* a /0 of IPv6 does not reach IPv4 */
	nif.addrs[0] = ifaddr("fd00::1/0");
	nif.n_addrs = 1;
	ck_assert(ql_netif_on_link(&nif, t_addr("2001:db8::1").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("10.9.0.1").ip));
	nif.addrs[0] = ifaddr("10.9.0.2/0");
	ck_assert(ql_netif_on_link(&nif, t_addr("192.0.2.1").ip));
	ck_assert(!ql_netif_on_link(&nif, t_addr("2001:db8::1").ip));
}
END_TEST

START_TEST(source)
{
	struct ql_netif nif = {.n_addrs = 3};

	nif.addrs[0] = ifaddr("10.9.0.2/24");
	nif.addrs[1] = ifaddr("10.8.0.2/24");
	nif.addrs[2] = ifaddr("fd00::2/64");
	ck_assert_ptr_eq(ql_netif_source(&nif, t_addr("10.8.0.1").ip), nif.addrs[1].addr.ip);
	ck_assert_ptr_eq(ql_netif_source(&nif, t_addr("10.7.0.1").ip), nif.addrs[0].addr.ip);
	ck_assert_ptr_eq(ql_netif_source(&nif, t_addr("fe80::1").ip), nif.addrs[2].addr.ip);
	nif.n_addrs = 2;
	ck_assert_ptr_null(ql_netif_source(&nif, t_addr("fd00::1").ip));
}
END_TEST

START_TEST(groups)
{
	struct rte_ether_addr mac;
	uint8_t group[16];

	ql_ip_solicited_node(t_addr("2001:db8::12ab:cdef").ip, group);
	ck_assert(ql_ip_eq(group, t_addr("ff02::1:ffab:cdef").ip));
	ql_ip_group_mac(group, &mac);
	ck_assert_mem_eq(mac.addr_bytes, ((uint8_t[]){0x33, 0x33, 0xff, 0xab, 0xcd, 0xef}), 6);
}
END_TEST

/* Everything that a person can get wrong has its line. */
START_TEST(configuration)
{
	struct ql_port_config good = {.port_id = 3,
				      .n_addrs = 2,
				      .n_gateways = 2,
				      .n_kernel_addrs = 1},
			      c;
	char err[QL_NET_ERRLEN];
	struct ql_netif nif;

	good.addrs[0] = ifaddr("10.9.0.2/24");
	good.addrs[1] = ifaddr("fd00::2/64");
	good.gateways[0] = t_addr("10.9.0.1");
	good.gateways[1] = t_addr("fe80::1");
	good.kernel_addrs[0] = ifaddr("10.9.0.1/24");
	good.vlan = 4094;
	ck_assert_int_eq(ql_netif_init(&nif, &good, err), 0);
	ck_assert_uint_eq(nif.n_addrs, 2);
	ck_assert_uint_eq(nif.vlan, 4094);
	ck_assert(ql_netif_is_gateway(&nif, good.gateways[1].ip));
	ck_assert(!ql_netif_is_gateway(&nif, good.addrs[0].addr.ip));

#define ck_refused(word)                                                                         \
	do {                                                                                     \
		ck_assert_int_eq(ql_netif_init(&nif, &c, err), -EINVAL);                         \
		ck_assert_msg(strstr(err, word) && strncmp(err, "port 3: ", 8) == 0, "%s", err); \
	} while (0)
	c = good;
	c.n_addrs = 0;
	ck_refused("1 to 16 addresses");
	c.n_addrs = QL_PORT_ADDRS + 1;
	ck_refused("1 to 16 addresses");
	c = good;
	c.n_gateways = QL_PORT_GATEWAYS + 1;
	ck_refused("gateway");
	c = good;
	c.vlan = 4095;
	ck_refused("VLAN 4095");
	c = good;
	c.addrs[1] = ifaddr("ff02::1/64");
	ck_refused("ff02::1");
	c = good;
	c.addrs[0] = ifaddr("10.9.0.255/24");
	ck_refused("10.9.0.255");
	c = good;
	c.addrs[0].prefix = 33;
	ck_refused("/33");
	c = good;
	c.gateways[0] = t_addr("10.8.0.1");
	ck_refused("10.8.0.1");
	c.gateways[0] = t_addr("10.9.0.2");
	ck_refused("10.9.0.2");
	c.gateways[0] = t_addr("fd00::1");
	ck_refused("second gateway");
	c = good;
	c.kernel_addrs[0] = ifaddr("10.9.0.2/24");
	ck_refused("kernel's end");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/netif");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, parse);
	tcase_add_test(tc, next_hop);
	tcase_add_test(tc, odd_prefixes);
	tcase_add_test(tc, source);
	tcase_add_test(tc, groups);
	tcase_add_test(tc, configuration);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
