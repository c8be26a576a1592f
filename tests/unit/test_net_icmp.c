// SPDX-License-Identifier: BSD-3-Clause
#include "test_net_rig.h"

static const uint8_t echo4[16] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g', 0, 1, 2, 3};
static const uint8_t echo6[16] = {128, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g', 0, 1, 2, 3};

START_TEST(echo4_is_answered)
{
	uint8_t msg[16];
	struct tf f, want;

	/* every length, odd ones too, and options that the answer does not repeat */
	for (size_t n = 8; n <= 16; n++) {
		size_t at;

		tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
		tf_ip4(&f, "10.9.0.1", "10.9.0.2", 3, 0, 1, n, (const uint8_t[]){1, 1, 1, 0}, 4);
		at = f.n;
		tf_put(&f, echo4, n);
		tf_set16(&f, at + 2, (uint16_t)~t_sum(0, f.b + at, n));
		rig_rx(&f);

		memcpy(msg, echo4, sizeof(msg));
		msg[0] = 0;
		tf_icmp4(&want, t_peer_mac, "10.9.0.2", "10.9.0.1", msg, n);
		memcpy(want.b + 6, t_mac, 6);
		tf_set16(&want, 14 + 4, 0);
		want.b[14 + 8] = 64;
		tf_set16(&want, 14 + 10, 0);
		tf_set16(&want, 14 + 10, (uint16_t)~t_sum(0, want.b + 14, 20));
		rig_expect(&want);
	}
	ck_assert_uint_eq(rig.stats.answers, 9);
	ck_assert_uint_eq(rig_all_drops(), 0);
}
END_TEST

START_TEST(echo6_is_answered)
{
	uint8_t msg[16];
	struct tf f, want, got;

	tf_icmp6(&f, t_mac, "fd01::1", "fd00::2", 50, echo6, 15);
	rig_rx(&f);
	memcpy(msg, echo6, sizeof(msg));
	msg[0] = 129;
	tf_icmp6(&want, t_peer_mac, "fd00::2", "fd01::1", 64, msg, 15);
	memcpy(want.b + 6, t_mac, 6);
	rig_take(&got);
	memcpy(want.b + 15, got.b + 15, 3);
	ck_assert_uint_eq(got.n, want.n);
	ck_assert_mem_eq(got.b, want.b, got.n);
}
END_TEST

START_TEST(only_for_our_own_addresses)
{
	struct tf f;

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.3", echo4, 16);
	rig_rx(&f);
	tf_icmp4(&f, t_all, "10.9.0.1", "10.9.0.255", echo4, 16);
	rig_rx(&f);
	tf_icmp4(&f, t_all, "10.9.0.1", "10.9.0.2", echo4, 16); /* ours, but in a broadcast */
	rig_rx(&f);
	tf_icmp6(&f, t_mac, "fd00::1", "fd00::3", 64, echo6, 16);
	rig_rx(&f);
	tf_icmp6(&f, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, "fd00::1", "ff02::1", 64, echo6,
		 16);
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NOT_OURS), 5);
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

START_TEST(nothing_else_is_answered)
{
	uint8_t msg[16];
	struct tf f;
	uint64_t n = 0;

	for (unsigned int type = 0; type < 256; type++) {
		for (unsigned int code = 0; code < 2; code++) {
			memcpy(msg, echo4, sizeof(msg));
			msg[0] = (uint8_t)type;
			msg[1] = (uint8_t)code;
			if (type != 8 || code != 0) {
				tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", msg, 16);
				rig_rx(&f);
				n++;
			}
			if ((type != 128 || code != 0) && type != 135 && type != 136) {
				tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 64, msg, 16);
				rig_rx(&f);
				n++;
			}
		}
	}
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_PROTOCOL), n);
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

START_TEST(wrong_checksum)
{
	struct tf f;

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", echo4, 16);
	f.b[f.n - 1] ^= 0x80;
	rig_rx(&f);
	tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 64, echo6, 16);
	f.b[f.n - 1] ^= 0x80;
	rig_rx(&f);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_CHECKSUM), 2);
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

START_TEST(rate)
{
	struct tf f;
	unsigned int i;

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", echo4, 16);
	for (i = 0; i < 2 * QL_ICMP_BURST; i++)
		rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), QL_ICMP_BURST);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_RATE), QL_ICMP_BURST);
	ql_txq_clear(&rig.txq);

	rig.now += 10 * QL_ICMP_INTERVAL_NS;
	for (i = 0; i < 20; i++)
		rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), 10);
	ql_txq_clear(&rig.txq);

	rig.now += QL_NSEC_PER_SEC; /* a long silence allows no more than a burst */
	for (i = 0; i < 2 * QL_ICMP_BURST; i++)
		rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), QL_ICMP_BURST);
}
END_TEST

/* A reply is as long as the request; where that does not fit it is dropped. */
START_TEST(larger_than_mtu)
{
	uint8_t msg[1481] = {8};
	struct tf f;

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", msg, 1480);
	rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), 1);
	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", msg, 1481);
	rig_rx(&f);
	ck_assert_uint_eq(rig_sent(), 1);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_TOO_BIG), 1);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_test(tc, echo4_is_answered);
	tcase_add_test(tc, echo6_is_answered);
	tcase_add_test(tc, only_for_our_own_addresses);
	tcase_add_test(tc, nothing_else_is_answered);
	tcase_add_test(tc, wrong_checksum);
	tcase_add_test(tc, rate);
	tcase_add_test(tc, larger_than_mtu);
}

int main(void)
{
	rig_eal(NULL);
	return rig_main("net/icmp", add);
}
