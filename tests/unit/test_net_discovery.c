// SPDX-License-Identifier: BSD-3-Clause
#include "test_net_rig.h"

#include <errno.h>

static const uint8_t zero_mac[6];
static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 0, 2}; /* solicited-node of fd00::2 */
static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x98};

static const struct ql_neigh_entry *known(const char *ip)
{
	struct ql_addr a = t_addr(ip);

	return ql_neigh_find(&rig.neigh, a.ip);
}

START_TEST(arp_request_is_answered)
{
	struct tf f, want;

	tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.1", zero_mac, "10.9.0.2");
	rig_rx(&f);
	tf_arp(&want, t_peer_mac, 2, t_mac, "10.9.0.2", t_peer_mac, "10.9.0.1");
	rig_expect(&want);
	ck_assert_uint_eq(rig.stats.answers, 1);
	/* and the asker is known from now on */
	ck_assert_ptr_nonnull(known("10.9.0.1"));
	ck_assert_mem_eq(known("10.9.0.1")->mac.addr_bytes, t_peer_mac, 6);
	ck_assert_int_eq(known("10.9.0.1")->state, QL_NEIGH_LEARNED);
}
END_TEST

START_TEST(arp_request_in_a_vlan)
{
	struct tf f;

	rig.nif.vlan = 5;
	tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.1", zero_mac, "10.9.0.2");
	memmove(f.b + 16, f.b + 12, f.n - 12);
	tf_set16(&f, 12, 0x8100);
	tf_set16(&f, 14, 0xa005);
	f.n += 4;
	rig_rx(&f);
	rig_take(&f);
	ck_assert_uint_eq(f.n, 14 + 4 + 28);
	ck_assert_mem_eq(f.b + 12, ((uint8_t[]){0x81, 0, 0, 5, 8, 6}), 6);
}
END_TEST

START_TEST(arp_for_others_is_not)
{
	static const char *const targets[] = {"10.9.0.1", "10.9.0.3", "10.9.0.255", "0.0.0.0"};
	struct tf f;

	for (unsigned int i = 0; i < RTE_DIM(targets); i++) {
		tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.7", zero_mac, targets[i]);
		rig_rx(&f);
		ck_assert_uint_eq(rig_drops(QL_NET_DROP_NOT_OURS), i + 1);
	}
	ck_assert_uint_eq(rig_sent(), 0);
	ck_assert_ptr_null(known("10.9.0.7"));
}
END_TEST

START_TEST(arp_probe_is_answered_not_learned)
{
	struct tf f, want;

	tf_arp(&f, t_all, 1, t_peer_mac, "0.0.0.0", zero_mac, "10.9.0.2");
	rig_rx(&f);
	tf_arp(&want, t_peer_mac, 2, t_mac, "10.9.0.2", t_peer_mac, "0.0.0.0");
	rig_expect(&want);
	ck_assert_ptr_null(known("0.0.0.0"));

	/* a host outside of our network may ask, and is not learned either */
	tf_arp(&f, t_all, 1, t_peer_mac, "10.8.0.1", zero_mac, "10.9.0.2");
	rig_rx(&f);
	rig_take(&f);
	ck_assert_ptr_null(known("10.8.0.1"));

	/* nor our own address from a stranger */
	tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.2", zero_mac, "10.9.0.2");
	rig_rx(&f);
	ck_assert_ptr_null(known("10.9.0.2"));
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

START_TEST(arp_malformed)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{14 + 1, 6},	 {14 + 2, 0x86}, {14 + 4, 8},
		   {14 + 5, 16}, {14 + 7, 3},	 {14 + 7, 0}};
	struct tf f;

	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.1", zero_mac, "10.9.0.2");
		f.b[bad[i].at] = bad[i].value;
		rig_rx(&f);
		ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), i + 1);
	}
	/* the sender's MAC inside is none */
	tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.1", zero_mac, "10.9.0.2");
	memset(f.b + 14 + 8, 0xff, 6);
	rig_rx(&f);
	memset(f.b + 14 + 8, 0, 6);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_SOURCE), 2);
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

START_TEST(arp_asks_and_believes_the_answer)
{
	struct ql_addr hop = t_addr("10.9.0.1");
	struct tf f, want;

	ql_neigh_send(&rig.neigh, hop.ip, rig_packet(hop.ip, "E packet", 8), rig.now);
	tf_arp(&want, t_all, 1, t_mac, "10.9.0.2", zero_mac, "10.9.0.1");
	rig_expect(&want);
	ck_assert_uint_eq(rig_sent(), 0);

	/* somebody else's answer is none to our question */
	tf_arp(&f, t_mac, 2, other_mac, "10.9.0.77", t_mac, "10.9.0.2");
	rig_rx(&f);
	ck_assert_ptr_null(known("10.9.0.77"));
	ck_assert_uint_eq(rig_sent(), 0);

	tf_arp(&f, t_mac, 2, t_peer_mac, "10.9.0.1", t_mac, "10.9.0.2");
	rig_rx(&f);
	rig_take(&f);
	tf_ether(&want, t_peer_mac, t_mac, -1, 0x0800);
	tf_put(&want, "E packet", 8);
	ck_assert_uint_eq(f.n, want.n);
	ck_assert_mem_eq(f.b, want.b, f.n);
	ck_assert_int_eq(known("10.9.0.1")->state, QL_NEIGH_ANSWERED);
}
END_TEST

/* An announcement of another MAC makes us ask, and changes nothing by itself. */
START_TEST(arp_announcement)
{
	struct ql_addr hop = t_addr("10.9.0.1");
	struct tf f, want;

	tf_arp(&f, t_all, 1, other_mac, "10.9.0.1", zero_mac, "10.9.0.1");
	rig_rx(&f);
	ck_assert_ptr_null(known("10.9.0.1")); /* of strangers we keep nothing */

	ql_neigh_send(&rig.neigh, hop.ip, rig_packet(hop.ip, "E", 1), rig.now);
	tf_arp(&f, t_mac, 2, t_peer_mac, "10.9.0.1", t_mac, "10.9.0.2");
	rig_rx(&f);
	ql_txq_clear(&rig.txq);

	for (unsigned int op = 1; op <= 2; op++) {
		rig.now += 1;
		tf_arp(&f, t_all, op, other_mac, "10.9.0.1", zero_mac, "10.9.0.1");
		rig_rx(&f);
		ck_assert_mem_eq(known("10.9.0.1")->mac.addr_bytes, t_peer_mac, 6);
		ck_assert_int_eq(known("10.9.0.1")->state, QL_NEIGH_PROBE);
	}
	tf_arp(&want, t_all, 1, t_mac, "10.9.0.2", zero_mac, "10.9.0.1");
	rig_expect(&want);
	ck_assert_uint_eq(rig_sent(), 0); /* asked once */

	tf_arp(&f, t_mac, 2, other_mac, "10.9.0.1", t_mac, "10.9.0.2");
	rig_rx(&f);
	ck_assert_mem_eq(known("10.9.0.1")->mac.addr_bytes, other_mac, 6);
	ck_assert_int_eq(known("10.9.0.1")->state, QL_NEIGH_ANSWERED);
}
END_TEST

/* A solicitation for target; option: its SLLAO, or none if NULL. */
static size_t solicitation(uint8_t msg[32], const char *target, const uint8_t *option)
{
	struct ql_addr t = t_addr(target);

	memset(msg, 0, 32);
	msg[0] = 135;
	memcpy(msg + 8, t.ip, 16);
	if (!option)
		return 24;
	msg[24] = 1;
	msg[25] = 1;
	memcpy(msg + 26, option, 6);
	return 32;
}

static size_t advertisement(uint8_t msg[32], uint8_t flags, const char *target,
			    const uint8_t *option)
{
	size_t n = solicitation(msg, target, option);

	msg[0] = 136;
	msg[4] = flags;
	if (option)
		msg[24] = 2;
	return n;
}

/* The answer to a solicitation for fd00::2, byte by byte but for the flow label. */
static void expect_advertisement(const uint8_t *to_mac, const char *to, uint8_t flags)
{
	uint8_t msg[32];
	struct tf want, got;

	advertisement(msg, flags, "fd00::2", t_mac);
	tf_icmp6(&want, to_mac, "fd00::2", to, 255, msg, 32);
	memcpy(want.b + 6, t_mac, 6);
	rig_take(&got);
	ck_assert_uint_eq(got.b[15] & 0xf0, 0);
	memcpy(want.b + 15, got.b + 15, 3);
	ck_assert_uint_eq(got.n, want.n);
	ck_assert_mem_eq(got.b, want.b, got.n);
}

START_TEST(nd_solicitation_is_answered)
{
	uint8_t msg[32];
	struct tf f;
	size_t n;

	n = solicitation(msg, "fd00::2", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, n);
	rig_rx(&f);
	expect_advertisement(t_peer_mac, "fd00::1", 0x60);
	ck_assert_mem_eq(known("fd00::1")->mac.addr_bytes, t_peer_mac, 6);

	/* unicast, from a link-local address, and without the option: to the frame's MAC */
	n = solicitation(msg, "fd00::2", NULL);
	tf_icmp6(&f, t_mac, "fe80::9", "fd00::2", 255, msg, n);
	rig_rx(&f);
	expect_advertisement(t_peer_mac, "fe80::9", 0x60);
	ck_assert_uint_eq(rig.stats.answers, 2);
}
END_TEST

START_TEST(nd_duplicate_detection_is_answered_to_all)
{
	static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t msg[32];
	struct tf f;

	solicitation(msg, "fd00::2", NULL);
	tf_icmp6(&f, group_mac, "::", "ff02::1:ff00:2", 255, msg, 24);
	rig_rx(&f);
	expect_advertisement(all_nodes, "ff02::1", 0x20);

	/* with a MAC it would be a lie (RFC 4861, 7.1.1); and to all nodes it is wrong */
	solicitation(msg, "fd00::2", t_peer_mac);
	tf_icmp6(&f, group_mac, "::", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	tf_icmp6(&f, group_mac, "::", "ff02::1", 255, msg, 24);
	rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), 0);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), 2);
}
END_TEST

START_TEST(nd_for_others_is_not)
{
	uint8_t msg[32];
	struct tf f;

	/* same solicited-node group, other address */
	solicitation(msg, "fd01::2", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NOT_OURS), 1);
	/* an IPv4 address of ours is no target */
	solicitation(msg, "::ffff:10.9.0.9", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NOT_OURS), 2);
	ck_assert_uint_eq(rig_sent(), 0);
	ck_assert_ptr_null(known("fd00::1"));
}
END_TEST

START_TEST(nd_malformed)
{
	uint8_t msg[64];
	struct tf f;
	uint64_t bad = 0;

	solicitation(msg, "fd00::2", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 254, msg, 32); /* came from afar */
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), ++bad);
	msg[1] = 1; /* code */
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), ++bad);
	msg[1] = 0;
	msg[25] = 0; /* option of length 0 */
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), ++bad);
	msg[25] = 2; /* option past the end */
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), ++bad);
	msg[25] = 1; /* an option of one byte */
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 25);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), ++bad);
	for (size_t n = 8; n < 24; n++) { /* cut */
		tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, n);
		rig_rx(&f);
	}
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_SHORT), 16);
	memset(msg + 26, 0xff, 6); /* a MAC that nobody has */
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_SOURCE), 1);
	solicitation(msg, "fd00::2", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1:ff00:2", 255, msg, 32);
	f.b[f.n - 1] ^= 1;
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_CHECKSUM), 1);
	ck_assert_uint_eq(rig_sent(), 0);
	ck_assert_ptr_null(known("fd00::1"));
}
END_TEST

START_TEST(nd_asks_and_believes_the_answer)
{
	static const uint8_t peer_group[6] = {0x33, 0x33, 0xff, 0, 0, 1};
	struct ql_addr hop = t_addr("fd00::1");
	uint8_t msg[32];
	struct tf f, want;

	ql_neigh_send(&rig.neigh, hop.ip, rig_packet(hop.ip, "6 packet", 8), rig.now);
	solicitation(msg, "fd00::1", t_mac);
	tf_icmp6(&want, peer_group, "fd00::2", "ff02::1:ff00:1", 255, msg, 32);
	memcpy(want.b + 6, t_mac, 6);
	rig_take(&f);
	memcpy(want.b + 15, f.b + 15, 3);
	ck_assert_uint_eq(f.n, want.n);
	ck_assert_mem_eq(f.b, want.b, f.n);

	/* "solicited" may not go to a group; an IPv4 target is none; "::" answers nothing */
	advertisement(msg, 0x60, "fd00::1", t_peer_mac);
	tf_icmp6(&f, group_mac, "fd00::1", "ff02::1", 255, msg, 32);
	rig_rx(&f);
	tf_icmp6(&f, group_mac, "::", "ff02::1", 255, msg, 32);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), 2);
	ck_assert_int_eq(known("fd00::1")->state, QL_NEIGH_INCOMPLETE);

	tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 255, msg, 32);
	rig_rx(&f);
	rig_take(&f);
	tf_ether(&want, t_peer_mac, t_mac, -1, 0x86dd);
	tf_put(&want, "6 packet", 8);
	ck_assert_uint_eq(f.n, want.n);
	ck_assert_mem_eq(f.b, want.b, f.n);

	/* without the override flag another MAC is not taken over */
	rig.now += 31 * QL_NSEC_PER_SEC;
	ql_neigh_send(&rig.neigh, hop.ip, rig_packet(hop.ip, "6", 1), rig.now);
	ck_assert_int_eq(known("fd00::1")->state, QL_NEIGH_PROBE);
	rig_take(&f); /* asked alone */
	ck_assert_mem_eq(f.b, t_peer_mac, 6);
	ck_assert_mem_eq(f.b + 14 + 24, hop.ip, 16);
	advertisement(msg, 0x40, "fd00::1", other_mac);
	tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_mem_eq(known("fd00::1")->mac.addr_bytes, t_peer_mac, 6);
	advertisement(msg, 0x60, "fd00::1", other_mac);
	tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 255, msg, 32);
	rig_rx(&f);
	ck_assert_mem_eq(known("fd00::1")->mac.addr_bytes, other_mac, 6);
}
END_TEST

START_TEST(cannot_ask)
{
	struct ql_addr six = t_addr("fd00::1"), four = t_addr("10.9.0.1");
	struct rte_mbuf *all[RIG_MBUFS];

	rig.nif.n_addrs = 1; /* IPv4 only */
	ck_assert_int_eq(ql_discovery_ask(&rig.neigh, six.ip, NULL), -EADDRNOTAVAIL);
	ck_assert_int_eq(rte_pktmbuf_alloc_bulk(rig.pool, all, RIG_MBUFS), 0);
	ck_assert_int_eq(ql_discovery_ask(&rig.neigh, four.ip, NULL), -ENOBUFS);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NO_MBUF), 1);
	rte_pktmbuf_free_bulk(all, RIG_MBUFS);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, arp_request_is_answered);
	tcase_add_test(tc, arp_request_in_a_vlan);
	tcase_add_test(tc, arp_for_others_is_not);
	tcase_add_test(tc, arp_probe_is_answered_not_learned);
	tcase_add_test(tc, arp_malformed);
	tcase_add_test(tc, arp_asks_and_believes_the_answer);
	tcase_add_test(tc, arp_announcement);
	tcase_add_test(tc, nd_solicitation_is_answered);
	tcase_add_test(tc, nd_duplicate_detection_is_answered_to_all);
	tcase_add_test(tc, nd_for_others_is_not);
	tcase_add_test(tc, nd_malformed);
	tcase_add_test(tc, nd_asks_and_believes_the_answer);
	tcase_add_test(tc, cannot_ask);
}

int main(void)
{
	rig_eal(NULL);
	return rig_main("net/discovery", add);
}
