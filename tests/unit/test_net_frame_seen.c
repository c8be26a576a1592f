// SPDX-License-Identifier: BSD-3-Clause
/*
 * What ql_frame_parse() keeps of the frame before makes it faster, and changes nothing. See
 * test_net_frame.c for the rest.
 */
#include "net/frame.h"

#include "test_net_util.h"

/* What comes of a frame does not depend on what was seen before it. */
START_TEST(seen_or_not)
{
	struct ql_netif nif = t_netif(), peer = nif;
	struct ql_frame_seen seen = {0};
	struct rte_ether_addr mac = {{0}};
	struct ql_addr from = {{0}};
	uint64_t seed = 11, r;
	unsigned int taken = 0, known = 0;
	bool again = false;

	peer.addrs[0].addr = t_addr("10.9.0.1");
	peer.addrs[1].addr = t_addr("fd00::1");
	memcpy(peer.mac.addr_bytes, t_peer_mac, 6);
	for (unsigned int i = 0; i < 40000; i++) {
		bool is4 = (r = t_rand(&seed)) & 1;
		struct ql_path p = {t_addr(is4 ? "10.9.0.1:7" : "fd00::1"),
				    t_addr(is4 ? "10.9.0.2:9" : "fd00::2")};
		unsigned int changes = r >> 1 & 3, headers = is4 ? 42 : 62;
		size_t n = 1 + (r >> 8) % 64;
		enum ql_frame_kind kinds[2];
		enum ql_net_drop drops[2];
		struct ql_datagram found[2];
		uint16_t at[2], len[2];
		uint8_t frame[128];
		struct rte_mbuf *m = t_mbuf((const uint8_t[64]){0}, n);
		struct ql_frame_head head;

		ql_frame_head_init(&head, &peer, &p);
		ck_assert_int_eq(ql_frame_push_udp(m, &peer, &head, &p, r >> 3 & 3), 0);
		ql_frame_set_dst(m, &nif.mac);
		memcpy(frame, rte_pktmbuf_mtod(m, void *), n = m->data_len);
		t_mbuf_done(m);
		while (changes-- > 0) {
			r = t_rand(&seed);
			frame[r % headers] ^= (uint8_t)(1 << (r >> 32) % 8);
		}
		if (is4 && (r >> 40 & 3) != 0) { /* so that more than the sum is looked at */
			uint16_t sum;

			frame[24] = frame[25] = 0;
			sum = (uint16_t)~t_sum(0, frame + 14, 20);
			frame[24] = sum >> 8;
			frame[25] = sum & 0xff;
		}
		for (unsigned int k = 0; k < 2; k++) {
			struct ql_frame_seen fresh = {0};
			struct ql_frame_meta meta;
			struct ql_datagram d = {0};

			m = t_mbuf(frame, n);
			m->ol_flags = r >> 44 & 1 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
			kinds[k] = ql_frame_parse(m, &nif, k ? &seen : &fresh, &d, &meta);
			drops[k] = meta.drop;
			found[k] = d;
			at[k] = m->data_off;
			len[k] = m->data_len;
			t_mbuf_done(m);
			if (k == 0)
				ck_assert(!meta.seen);
			if (k == 0 || kinds[k] != QL_FRAME_UDP)
				continue;
			if (meta.seen && again) {
				ck_assert(rte_is_same_ether_addr(&meta.src_mac, &mac));
				ck_assert_mem_eq(d.path.remote.ip, from.ip, sizeof(from.ip));
				known++;
			}
			again = meta.seen;
			mac = meta.src_mac;
			from = d.path.remote;
		}
		ck_assert_int_eq(kinds[0], kinds[1]);
		if (kinds[0] == QL_FRAME_DROP) {
			ck_assert_int_eq(drops[0], drops[1]);
			continue;
		}
		ck_assert(ql_path_eq(&found[0].path, &found[1].path));
		ck_assert_uint_eq(found[0].ecn, found[1].ecn);
		ck_assert_uint_eq(at[0], at[1]);
		ck_assert_uint_eq(len[0], len[1]);
		taken += kinds[0] == QL_FRAME_UDP;
	}
	ck_assert_uint_gt(taken, 10000);
	ck_assert_uint_gt(known, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/frame_seen");
	TCase *tc = tcase_create("frame_seen");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, seen_or_not);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
