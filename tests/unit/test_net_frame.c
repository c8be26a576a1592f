// SPDX-License-Identifier: BSD-3-Clause
#include "net/frame.h"

#include <errno.h>

#include "test_net_util.h"

static struct ql_netif nif;
static struct ql_frame_seen seen;
static struct ql_datagram d;
static struct ql_frame_meta meta;

static void setup(void)
{
	nif = t_netif();
	memset(&seen, 0, sizeof(seen));
}

static int push_udp(struct rte_mbuf *m, const struct ql_netif *from, const struct ql_path *path,
		    uint8_t ecn)
{
	struct ql_frame_head head;

	ql_frame_head_init(&head, from, path);
	return ql_frame_push_udp(m, from, &head, path, ecn);
}

/* Parse and throw away. Returns the kind. */
static enum ql_frame_kind parse(const void *data, size_t len, uint64_t ol_flags)
{
	struct rte_mbuf *m = t_mbuf(data, len);
	enum ql_frame_kind kind;

	m->ol_flags = ol_flags;
	memset(&d, 0x55, sizeof(d));
	memset(&meta, 0x55, sizeof(meta));
	kind = ql_frame_parse(m, &nif, &seen, &d, &meta);
	ck_assert_ptr_eq(d.mbuf, m);
	if (kind != QL_FRAME_DROP) { /* what is left lies within what came */
		ck_assert_uint_ge(m->data_off, T_HEADROOM);
		ck_assert_uint_le(m->data_off + m->data_len, T_HEADROOM + len);
		ck_assert_uint_eq(m->pkt_len, m->data_len);
	} else {
		ck_assert_uint_lt(meta.drop, QL_NET_DROP_MAX);
	}
	t_mbuf_done(m);
	return kind;
}

#define ck_drop(f, flags, reason)                                                        \
	do {                                                                             \
		ck_assert_int_eq(parse((f).b, (f).n, flags), QL_FRAME_DROP);             \
		ck_assert_str_eq(ql_net_drop_name(meta.drop), ql_net_drop_name(reason)); \
	} while (0)

static void check_udp(const struct tf *f, const char *local, const char *remote, uint8_t ecn,
		      size_t n)
{
	struct rte_mbuf *m = t_mbuf(f->b, f->n);
	struct ql_addr l, r;

	ck_assert_int_eq(ql_addr_parse(local, 0, &l), 0);
	ck_assert_int_eq(ql_addr_parse(remote, 0, &r), 0);
	memset(&d, 0x55, sizeof(d));
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_UDP);
	ck_assert_mem_eq(&d.path.local, &l, sizeof(l));
	ck_assert_mem_eq(&d.path.remote, &r, sizeof(r));
	ck_assert_uint_eq(d.ecn, ecn);
	ck_assert_uint_eq(m->data_len, n);
	ck_assert_uint_eq(m->pkt_len, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(rte_pktmbuf_mtod(m, uint8_t *)[i], i & 0xff);
	ck_assert_mem_eq(meta.src_mac.addr_bytes, t_peer_mac, 6);
	ck_assert(!meta.group);
	t_mbuf_done(m);
}

START_TEST(udp4)
{
	struct tf f;

	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		tf_udp4(&f, -1, 0xb8 | ecn, 1200);
		check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", ecn, 1200);
	}
	tf_udp4(&f, -1, 0, 0);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 0);
	tf_udp4(&f, -1, 0, 1201);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 1201);
}
END_TEST

START_TEST(udp6)
{
	struct tf f;

	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		tf_udp6(&f, -1, 0x28 | ecn, 1200);
		check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", ecn, 1200);
	}
	tf_udp6(&f, -1, 0, 0);
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 0);
}
END_TEST

START_TEST(ethernet_padding_is_trimmed)
{
	struct tf f;
	uint8_t pad[60] = {[0 ... 59] = 0xaa};

	tf_udp4(&f, -1, 0, 3);
	tf_put(&f, pad, 60 - f.n);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 3);
	tf_udp6(&f, -1, 0, 3);
	tf_put(&f, pad, 30);
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 3);
}
END_TEST

/* Bytes between the end of UDP and the end of IP belong to nobody (or to RFC 9868). */
START_TEST(udp_shorter_than_ip)
{
	struct tf f;

	tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
	tf_ip4(&f, "10.9.0.1", "10.9.0.2", 0, 0, 17, 8 + 10 + 7, NULL, 0);
	tf_udp(&f, "10.9.0.1", "10.9.0.2", 50000, 4433, 10);
	tf_put(&f, "surplus", 7);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 10);
}
END_TEST

START_TEST(udp_length_lies)
{
	static const uint16_t lengths[] = {0, 7, 19, 0xffff};
	struct tf f;

	for (unsigned int i = 0; i < RTE_DIM(lengths); i++) {
		tf_udp4(&f, -1, 0, 10);
		tf_set16(&f, 14 + 20 + 4, lengths[i]);
		ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_GOOD, QL_NET_DROP_SHORT);
		tf_udp6(&f, -1, 0, 10);
		tf_set16(&f, 14 + 40 + 4, lengths[i]);
		ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_GOOD, QL_NET_DROP_SHORT);
	}
}
END_TEST

START_TEST(vlan)
{
	struct tf f;
	struct rte_mbuf *m;

	/* we are untagged: tag 0 carries a priority only */
	tf_udp4(&f, 0xe000, 0, 20);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 20);
	tf_udp4(&f, 0xe000 | 7, 0, 20);
	ck_drop(f, 0, QL_NET_DROP_ETHERTYPE);

	nif.vlan = 7;
	tf_udp4(&f, 0x6007, 0, 20);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 20);
	tf_udp6(&f, 7, 0, 20);
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 20);
	tf_udp4(&f, 8, 0, 20);
	ck_drop(f, 0, QL_NET_DROP_ETHERTYPE);
	tf_udp4(&f, -1, 0, 20);
	ck_drop(f, 0, QL_NET_DROP_ETHERTYPE);

	/* the device took the tag off */
	m = t_mbuf(f.b, f.n);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x2007;
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_UDP);
	t_mbuf_done(m);

	/* a second tag is none of ours */
	tf_ether(&f, t_mac, t_peer_mac, 7, 0x8100);
	tf_u16(&f, 7);
	tf_u16(&f, 0x0800);
	ck_drop(f, 0, QL_NET_DROP_ETHERTYPE);
}
END_TEST

/* Nothing that is cut off anywhere is taken, and nothing is read past the end. */
START_TEST(truncated)
{
	static const uint8_t ext[16] = {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0};
	static const uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 0};
	static const uint64_t flags[] = {0,
					 RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD};
	struct tf frames[7];

	tf_udp4(&frames[0], -1, 0, 40);
	tf_udp6(&frames[1], -1, 0, 40);
	tf_udp4(&frames[2], 0, 0, 40);
	tf_udp6(&frames[3], 0, 0, 40);
	tf_udp6_ext(&frames[4], 0, ext, sizeof(ext));
	tf_ether(&frames[5], t_mac, t_peer_mac, -1, 0x0800);
	tf_ip4(&frames[5], "10.9.0.1", "10.9.0.2", 0, 0, 17, 48, options, 8);
	tf_udp(&frames[5], "10.9.0.1", "10.9.0.2", 50000, 4433, 40);
	tf_arp(&frames[6], t_all, 1, t_peer_mac, "10.9.0.1", t_all, "10.9.0.2");

	for (unsigned int i = 0; i < RTE_DIM(frames); i++) {
		ck_assert_int_ne(parse(frames[i].b, frames[i].n, 0), QL_FRAME_DROP);
		for (size_t n = 0; n < frames[i].n; n++)
			for (unsigned int k = 0; k < RTE_DIM(flags); k++) {
				ck_assert_int_eq(parse(frames[i].b, n, flags[k]), QL_FRAME_DROP);
				ck_assert_int_eq(meta.drop, QL_NET_DROP_SHORT);
			}
	}
}
END_TEST

/*
 * Frames changed at random, with checksums believed so that the changes get far: never a read past
 * the end, and never anything for somebody else.
 */
START_TEST(mutated)
{
	static const uint8_t ext[16] = {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0};
	uint64_t seed = 1;
	struct tf base[4], f;
	unsigned int taken = 0, dropped = 0;

	tf_udp4(&base[0], -1, 0, 60);
	tf_udp6(&base[1], 0, 0, 60);
	tf_udp6_ext(&base[2], 0, ext, sizeof(ext));
	tf_arp(&base[3], t_all, 1, t_peer_mac, "10.9.0.1", t_all, "10.9.0.2");
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t r = t_rand(&seed);

		f = base[r % 4];
		for (unsigned int k = 0; k <= (r >> 8) % 4; k++) {
			uint64_t where = t_rand(&seed);

			f.b[12 + where % (f.n - 12)] = (uint8_t)(where >> 32);
		}
		if (r >> 16 & 1)
			f.n -= t_rand(&seed) % f.n;
		if (parse(f.b, f.n,
			  r >> 17 & 1 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD
				      : 0) == QL_FRAME_UDP) {
			ck_assert(ql_netif_owns(&nif, d.path.local.ip));
			ck_assert(!ql_netif_owns(&nif, d.path.remote.ip));
			ck_assert(ql_ip_is_unicast(d.path.remote.ip));
			ck_assert_uint_le(d.ecn, 3);
			taken++;
		} else {
			dropped++;
		}
	}
	ck_assert_uint_gt(taken, 1000);
	ck_assert_uint_gt(dropped, 1000);
}
END_TEST

/* Every single flipped bit of the IP header, UDP header and payload is noticed. */
START_TEST(checksum_notices_every_bit)
{
	struct tf f, good;

	tf_udp4(&good, -1, 0, 33);
	for (size_t bit = 14 * 8; bit < good.n * 8; bit++) {
		f = good;
		f.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(parse(f.b, f.n, 0), QL_FRAME_DROP);
	}
	tf_udp6(&good, -1, 0, 33);
	for (size_t bit = (14 + 4) * 8; bit < good.n * 8; bit++) {
		if (bit / 8 == 14 + 7) /* hop limit is in no checksum */
			continue;
		f = good;
		f.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(parse(f.b, f.n, 0), QL_FRAME_DROP);
	}
}
END_TEST

START_TEST(checksum_flags)
{
	static const uint64_t ip_good = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	struct tf f;

	tf_udp4(&f, -1, 0, 33);
	f.b[f.n - 1] ^= 1;
	ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN | ip_good, QL_NET_DROP_CHECKSUM);
	ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_BAD | ip_good, QL_NET_DROP_CHECKSUM);
	ck_assert_int_eq(parse(f.b, f.n, RTE_MBUF_F_RX_L4_CKSUM_GOOD), QL_FRAME_UDP);
	ck_assert_int_eq(parse(f.b, f.n, RTE_MBUF_F_RX_L4_CKSUM_NONE), QL_FRAME_UDP);

	/* a device that is wrong about a right checksum costs us only time */
	tf_udp4(&f, -1, 0, 33);
	ck_assert_int_eq(parse(f.b, f.n, RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD),
			 QL_FRAME_UDP);

	f.b[14 + 8] ^= 1; /* TTL: the IPv4 header's checksum is wrong */
	ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_GOOD, QL_NET_DROP_CHECKSUM);
	ck_drop(f, RTE_MBUF_F_RX_IP_CKSUM_BAD, QL_NET_DROP_CHECKSUM);
	ck_assert_int_eq(parse(f.b, f.n, ip_good), QL_FRAME_UDP);
	ck_assert_int_eq(parse(f.b, f.n, RTE_MBUF_F_RX_IP_CKSUM_NONE), QL_FRAME_UDP);
}
END_TEST

START_TEST(checksum_zero)
{
	struct tf f;

	tf_udp4(&f, -1, 0, 33);
	tf_set16(&f, 14 + 20 + 6, 0);
	check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 0, 33);
	tf_udp6(&f, -1, 0, 33);
	tf_set16(&f, 14 + 40 + 6, 0);
	ck_drop(f, 0, QL_NET_DROP_CHECKSUM);
	ck_drop(f, RTE_MBUF_F_RX_L4_CKSUM_GOOD, QL_NET_DROP_CHECKSUM);
}
END_TEST

START_TEST(ip4_options)
{
	static const uint8_t options[40] = {[0 ... 38] = 1};
	struct tf f;

	for (size_t n = 4; n <= 40; n += 4) {
		tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
		tf_ip4(&f, "10.9.0.1", "10.9.0.2", 2, 0, 17, 8 + 9, options, n);
		tf_udp(&f, "10.9.0.1", "10.9.0.2", 50000, 4433, 9);
		check_udp(&f, "10.9.0.2:4433", "10.9.0.1:50000", 2, 9);
	}
	tf_udp4(&f, -1, 0, 9);
	f.b[14] = 0x44; /* header of 16 bytes */
	ck_drop(f, 0, QL_NET_DROP_SHORT);
	f.b[14] = 0x55;
	ck_drop(f, 0, QL_NET_DROP_SHORT);
}
END_TEST

START_TEST(ip4_fragments)
{
	static const uint16_t frags[] = {0x2000, 0x0001, 0x1fff, 0x3000, 0x6000};
	struct tf f;

	for (unsigned int i = 0; i < RTE_DIM(frags); i++) {
		tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
		tf_ip4(&f, "10.9.0.1", "10.9.0.2", 0, frags[i], 17, 8 + 9, NULL, 0);
		tf_udp(&f, "10.9.0.1", "10.9.0.2", 50000, 4433, 9);
		ck_drop(f, 0, QL_NET_DROP_FRAGMENT);
	}
	f.b[14 + 6] = 0x80; /* the reserved bit alone is no fragment */
	f.b[14 + 7] = 0;
	ck_assert_int_eq(parse(f.b, f.n, RTE_MBUF_F_RX_IP_CKSUM_GOOD), QL_FRAME_UDP);
}
END_TEST

START_TEST(ip6_extensions)
{
	static const uint8_t hop[] = {17, 0, 5, 2, 0, 0, 1, 0}; /* router alert, PadN */
	static const uint8_t dst[] = {17, 1, 0, 0, 1, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t both[] = {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t fragment[] = {17, 0, 0, 1, 0, 0, 0, 9};
	static const uint8_t hidden[] = {44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 9};
	static const uint8_t twice[] = {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0};
	static const uint8_t routing[] = {17, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t jumbo[] = {17, 0, 0xc2, 4, 0, 1, 0, 0};
	static const uint8_t unknown_skip[] = {17, 0, 0x1e, 4, 9, 9, 9, 9};
	static const uint8_t unknown_drop[] = {17, 0, 0x5e, 4, 9, 9, 9, 9};
	static const uint8_t long_option[] = {17, 0, 1, 5, 0, 0, 0, 0};
	static const uint8_t cut_option[] = {17, 0, 1, 3, 0, 0, 0, 1};
	static const uint8_t too_long[] = {17, 6, 1, 4, 0, 0, 0, 0};
	static const uint8_t last_byte[] = {59, 0, 1, 4, 0, 0, 0, 0};
	struct tf f;

	tf_udp6_ext(&f, 0, hop, sizeof(hop));
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 16);
	tf_udp6_ext(&f, 60, dst, sizeof(dst));
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 16);
	tf_udp6_ext(&f, 0, both, sizeof(both));
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 16);
	tf_udp6_ext(&f, 60, unknown_skip, 8);
	check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 16);

	tf_udp6_ext(&f, 44, fragment, 8);
	ck_drop(f, 0, QL_NET_DROP_FRAGMENT);
	tf_udp6_ext(&f, 0, hidden, 16);
	ck_drop(f, 0, QL_NET_DROP_FRAGMENT);
	tf_udp6_ext(&f, 0, twice, 16);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 43, routing, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 0, jumbo, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 60, unknown_drop, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 60, long_option, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 60, cut_option, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp6_ext(&f, 60, too_long, 8);
	ck_drop(f, 0, QL_NET_DROP_SHORT);
	tf_udp6_ext(&f, 60, last_byte, 8);
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
}
END_TEST

START_TEST(ip6_extension_bomb)
{
	uint8_t ext[1024];
	struct tf f;

	for (unsigned int n = 1; n <= 128; n++) {
		memset(ext, 0, sizeof(ext));
		for (unsigned int i = 0; i < n; i++) {
			ext[i * 8] = i + 1 < n ? 60 : 17;
			ext[i * 8 + 2] = 1;
			ext[i * 8 + 3] = 4;
		}
		tf_udp6_ext(&f, 60, ext, n * 8);
		if (n <= 4)
			check_udp(&f, "[fd00::2]:4433", "[fd00::1]:50000", 0, 16);
		else
			ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	}
}
END_TEST

START_TEST(not_for_us)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t group_src[6] = {3, 0, 0, 0, 0, 2};
	static const uint8_t mc[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct tf f;

	tf_udp4(&f, -1, 0, 9);
	memcpy(f.b, other, 6);
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	memcpy(f.b, t_all, 6); /* unicast IP in a broadcast frame: RFC 1122 3.3.6 */
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	tf_udp6(&f, -1, 0, 9);
	memcpy(f.b, mc, 6);
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	memcpy(f.b, t_mac, 6);
	memcpy(f.b + 6, group_src, 6);
	ck_drop(f, 0, QL_NET_DROP_SOURCE);

	tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
	tf_ip4(&f, "10.9.0.1", "10.9.0.3", 0, 0, 17, 17, NULL, 0);
	tf_udp(&f, "10.9.0.1", "10.9.0.3", 50000, 4433, 9);
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	tf_ether(&f, t_mac, t_peer_mac, -1, 0x86dd);
	tf_ip6(&f, "fd00::1", "ff02::1", 0, 17, 17, 64);
	tf_udp(&f, "fd00::1", "ff02::1", 50000, 4433, 9);
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	/* our own IPv4 address, mapped, in an IPv6 packet */
	tf_ether(&f, t_mac, t_peer_mac, -1, 0x86dd);
	tf_ip6(&f, "fd00::1", "::ffff:10.9.0.2", 0, 17, 17, 64);
	tf_udp(&f, "fd00::1", "::ffff:10.9.0.2", 50000, 4433, 9);
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
}
END_TEST

START_TEST(impossible_sources)
{
	static const char *const sources4[] = {"0.0.0.0",   "127.0.0.1",       "224.0.0.1",
					       "240.0.0.1", "255.255.255.255", "10.9.0.2"};
	static const char *const sources6[] = {"::", "::1", "ff02::1", "fd00::2",
					       "::ffff:10.9.0.1"};
	struct tf f;

	for (unsigned int i = 0; i < RTE_DIM(sources4); i++) {
		tf_ether(&f, t_mac, t_peer_mac, -1, 0x0800);
		tf_ip4(&f, sources4[i], "10.9.0.2", 0, 0, 17, 17, NULL, 0);
		tf_udp(&f, sources4[i], "10.9.0.2", 50000, 4433, 9);
		ck_drop(f, 0, QL_NET_DROP_SOURCE);
	}
	for (unsigned int i = 0; i < RTE_DIM(sources6); i++) {
		tf_ether(&f, t_mac, t_peer_mac, -1, 0x86dd);
		tf_ip6(&f, sources6[i], "fd00::2", 0, 17, 17, 64);
		tf_udp(&f, sources6[i], "fd00::2", 50000, 4433, 9);
		ck_drop(f, 0, QL_NET_DROP_SOURCE);
	}
}
END_TEST

START_TEST(other_protocols)
{
	struct tf f;

	tf_udp4(&f, -1, 0, 9);
	tf_set16(&f, 12, 0x88cc); /* LLDP */
	ck_drop(f, 0, QL_NET_DROP_ETHERTYPE);
	tf_udp4(&f, -1, 0, 9);
	f.b[14 + 9] = 6; /* TCP */
	ck_drop(f, RTE_MBUF_F_RX_IP_CKSUM_GOOD, QL_NET_DROP_PROTOCOL);
	f.b[14 + 9] = 58; /* ICMPv6 in IPv4 */
	ck_drop(f, RTE_MBUF_F_RX_IP_CKSUM_GOOD, QL_NET_DROP_PROTOCOL);
	tf_udp6(&f, -1, 0, 9);
	f.b[14 + 6] = 1;
	ck_drop(f, 0, QL_NET_DROP_PROTOCOL);
	tf_udp4(&f, -1, 0, 9);
	f.b[14] = 0x65; /* IPv6 under IPv4's type */
	ck_drop(f, RTE_MBUF_F_RX_IP_CKSUM_GOOD, QL_NET_DROP_SHORT);
}
END_TEST

START_TEST(icmp_and_arp)
{
	static const uint8_t echo[9] = {8, 0, 0, 0, 1, 2, 3, 4, 5};
	struct tf f;
	struct rte_mbuf *m;

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", echo, sizeof(echo));
	tf_put(&f, "padding", 7);
	m = t_mbuf(f.b, f.n);
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_ICMP4);
	ck_assert_uint_eq(m->data_len, sizeof(echo));
	ck_assert_uint_eq(meta.hop_limit, 61);
	ck_assert_uint_eq(d.path.local.port, 0);
	ck_assert(ql_frame_icmp_ok(m, &d.path));
	rte_pktmbuf_mtod(m, uint8_t *)[8] ^= 4;
	ck_assert(!ql_frame_icmp_ok(m, &d.path));
	t_mbuf_done(m);

	tf_icmp6(&f, t_mac, "fd00::1", "fd00::2", 77, echo, sizeof(echo));
	m = t_mbuf(f.b, f.n);
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_ICMP6);
	ck_assert_uint_eq(meta.hop_limit, 77);
	ck_assert(ql_frame_icmp_ok(m, &d.path));
	d.path.remote.ip[15] ^= 8;
	ck_assert(!ql_frame_icmp_ok(m, &d.path));
	t_mbuf_done(m);

	tf_icmp4(&f, t_mac, "10.9.0.1", "10.9.0.2", echo, 7);
	ck_drop(f, 0, QL_NET_DROP_SHORT);

	/* groups: solicited-node of ours and all nodes only */
	tf_icmp6(&f, (const uint8_t[]){0x33, 0x33, 0xff, 0, 0, 2}, "fd00::1", "ff02::1:ff00:2", 255,
		 echo, sizeof(echo));
	ck_assert_int_eq(parse(f.b, f.n, 0), QL_FRAME_ICMP6);
	ck_assert(meta.group);
	tf_icmp6(&f, (const uint8_t[]){0x33, 0x33, 0xff, 0, 0, 3}, "fd00::1", "ff02::1:ff00:3", 255,
		 echo, sizeof(echo));
	ck_drop(f, 0, QL_NET_DROP_NOT_OURS);
	tf_icmp6(&f, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, "::", "ff02::1", 255, echo,
		 sizeof(echo));
	ck_assert_int_eq(parse(f.b, f.n, 0), QL_FRAME_ICMP6);

	/* of the sources that nobody has, a group may hear "::" only */
	tf_icmp6(&f, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, "fd00::2", "ff02::1", 255, echo,
		 sizeof(echo));
	ck_drop(f, 0, QL_NET_DROP_SOURCE);

	tf_arp(&f, t_all, 1, t_peer_mac, "10.9.0.1", t_all, "10.9.0.2");
	tf_put(&f, "eighteen pad bytes", 18);
	m = t_mbuf(f.b, f.n);
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_ARP);
	ck_assert_uint_eq(m->data_len, 28);
	ck_assert(meta.group);
	t_mbuf_done(m);
}
END_TEST

START_TEST(segments)
{
	struct tf f;
	struct rte_mbuf *m;

	tf_udp4(&f, -1, 0, 9);
	m = t_mbuf(f.b, f.n);
	m->nb_segs = 2;
	ck_assert_int_eq(ql_frame_parse(m, &nif, &seen, &d, &meta), QL_FRAME_DROP);
	ck_assert_int_eq(meta.drop, QL_NET_DROP_SEGMENTS);
	t_mbuf_done(m);
}
END_TEST

/* Push headers onto n bytes and give the frame back. */
static struct rte_mbuf *build(const struct ql_path *path, uint8_t ecn, size_t n)
{
	static const struct rte_ether_addr peer = {{2, 0, 0, 0, 0, 0x99}};
	uint8_t payload[2048];
	struct rte_mbuf *m;

	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)i;
	m = t_mbuf(payload, n);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD; /* of an earlier life */
	ck_assert_int_eq(push_udp(m, &nif, path, ecn), 0);
	ql_frame_set_dst(m, &peer);
	return m;
}

/* What we send, byte by byte but for identification and flow label. */
START_TEST(built_bytes)
{
	struct ql_path p4 = {t_addr("10.9.0.2:4433"), t_addr("10.9.0.1:50000")};
	struct ql_path p6 = {t_addr("[fd00::2]:4433"), t_addr("[fd00::1]:50000")};
	struct rte_mbuf *m;
	struct tf f;
	uint8_t *b;

	m = build(&p4, QL_ECN_ECT0, 33);
	tf_ether(&f, t_peer_mac, t_mac, -1, 0x0800);
	tf_ip4(&f, "10.9.0.2", "10.9.0.1", QL_ECN_ECT0, 0x4000, 17, 8 + 33, NULL, 0);
	tf_udp(&f, "10.9.0.2", "10.9.0.1", 4433, 50000, 33);
	tf_set16(&f, 14 + 4, 0); /* identification: 0 is as good as any with DF (RFC 6864) */
	f.b[14 + 8] = 64;
	tf_set16(&f, 14 + 10, 0);
	tf_set16(&f, 14 + 10, (uint16_t)~t_sum(0, f.b + 14, 20));
	ck_assert_uint_eq(m->data_len, f.n);
	ck_assert_uint_eq(m->pkt_len, f.n);
	ck_assert_mem_eq(rte_pktmbuf_mtod(m, uint8_t *), f.b, f.n);
	ck_assert_uint_eq(m->ol_flags, 0);
	t_mbuf_done(m);

	nif.vlan = 7;
	m = build(&p6, QL_ECN_ECT1, 33);
	tf_ether(&f, t_peer_mac, t_mac, 7, 0x86dd);
	tf_ip6(&f, "fd00::2", "fd00::1", QL_ECN_ECT1, 17, 8 + 33, 64);
	tf_udp(&f, "fd00::2", "fd00::1", 4433, 50000, 33);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_eq(m->data_len, f.n);
	ck_assert_uint_eq(b[18 + 1] & 0xf0, f.b[18 + 1] & 0xf0); /* ECN, above the flow label */
	memcpy(f.b + 18 + 1, b + 18 + 1, 3);
	ck_assert_mem_eq(b, f.b, f.n);
	t_mbuf_done(m);
}
END_TEST

START_TEST(flow_label_is_of_the_flow)
{
	struct ql_path p = {t_addr("[fd00::2]:4433"), t_addr("[fd00::1]:50000")};
	uint32_t labels[64], same = 0;
	struct rte_mbuf *m;

	for (unsigned int i = 0; i < 64; i++) {
		for (unsigned int k = 0; k < 2; k++) {
			uint32_t label;
			uint8_t *b;

			p.remote.port = (uint16_t)(50000 + i);
			m = build(&p, 0, 10 + k);
			b = rte_pktmbuf_mtod(m, uint8_t *) + 14;
			label = (b[1] & 0xfu) << 16 | (uint32_t)b[2] << 8 | b[3];
			if (k == 0)
				labels[i] = label;
			ck_assert_uint_eq(label, labels[i]);
			t_mbuf_done(m);
		}
		for (unsigned int j = 0; j < i; j++)
			same += labels[i] == labels[j];
	}
	ck_assert_uint_le(same, 2);
}
END_TEST

/* The device is told what to do, and finds the pseudo header's sum where it adds to it. */
START_TEST(built_for_offload)
{
	struct ql_path p4 = {t_addr("10.9.0.2:4433"), t_addr("10.9.0.1:50000")};
	struct ql_path p6 = {t_addr("[fd00::2]:4433"), t_addr("[fd00::1]:50000")};
	struct rte_mbuf *m;
	uint8_t *b;

	nif.tx_ip4_cksum = nif.tx_udp_cksum = true;
	m = build(&p4, 0, 100);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_eq(m->ol_flags,
			  RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM);
	ck_assert_uint_eq(m->l2_len, 14);
	ck_assert_uint_eq(m->l3_len, 20);
	ck_assert_uint_eq(b[14 + 10] << 8 | b[14 + 11], 0);
	/* sum of everything incl. the pseudo header, as the device computes it */
	uint16_t sum = (uint16_t)~t_sum(0, b + 34, 108);
	b[34 + 6] = 0;
	b[34 + 7] = 0;
	ck_assert_uint_eq(sum, (uint16_t)~t_l4_sum(&p4.local, &p4.remote, 17, b + 34, 108));
	t_mbuf_done(m);

	m = build(&p6, 0, 100);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_eq(m->ol_flags, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM);
	ck_assert_uint_eq(m->l3_len, 40);
	sum = (uint16_t)~t_sum(0, b + 54, 108);
	b[54 + 6] = 0;
	b[54 + 7] = 0;
	ck_assert_uint_eq(sum, (uint16_t)~t_l4_sum(&p6.local, &p6.remote, 17, b + 54, 108));
	t_mbuf_done(m);
}
END_TEST

/* A checksum that comes out as 0 is sent as 0xffff. */
START_TEST(checksum_that_is_zero)
{
	struct ql_path p = {t_addr("10.9.0.2:4433"), t_addr("10.9.0.1:50000")};
	uint8_t payload[2] = {0, 0};
	struct rte_mbuf *m;
	uint8_t udp[10] = {4433 >> 8, 4433 & 0xff, 50000 >> 8, 50000 & 0xff, 0, 10};
	uint16_t rest = (uint16_t)~t_l4_sum(&p.local, &p.remote, 17, udp, 10);
	uint8_t *b;

	payload[0] = rest >> 8; /* makes the sum 0xffff */
	payload[1] = rest & 0xff;
	m = t_mbuf(payload, 2);
	ck_assert_int_eq(push_udp(m, &nif, &p, 0), 0);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_eq(b[14 + 20 + 6] << 8 | b[14 + 20 + 7], 0xffff);
	t_mbuf_done(m);
}
END_TEST

START_TEST(round_trip)
{
	static const uint16_t vlans[] = {0, 1, 4094};
	uint64_t seed = 7;

	for (unsigned int i = 0; i < 3000; i++) {
		uint64_t r = t_rand(&seed);
		bool is4 = r & 1;
		struct ql_path p = {t_addr(is4 ? "10.9.0.1" : "fd00::1"),
				    t_addr(is4 ? "10.9.0.2" : "fd00::2")};
		struct ql_netif us = nif, peer = nif;
		uint8_t ecn = r >> 1 & 3;
		size_t n = (r >> 8) % (is4 ? 1473 : 1453);
		struct rte_mbuf *m;

		us.vlan = peer.vlan = vlans[(r >> 4) % 3];
		peer.addrs[0].addr = t_addr("10.9.0.1");
		peer.addrs[1].addr = t_addr("fd00::1");
		memcpy(peer.mac.addr_bytes, t_peer_mac, 6);
		p.local.port = (uint16_t)(r >> 24);
		p.remote.port = (uint16_t)(r >> 40);
		m = t_mbuf((const uint8_t[1500]){0}, n);
		for (size_t k = 0; k < n; k++)
			rte_pktmbuf_mtod(m, uint8_t *)[k] = (uint8_t)(k * 7 + i);
		ck_assert_int_eq(push_udp(m, &peer, &p, ecn), 0);
		ql_frame_set_dst(m, &us.mac);
		ck_assert_int_eq(ql_frame_parse(m, &us, &seen, &d, &meta), QL_FRAME_UDP);
		ck_assert(ql_addr_eq(&d.path.local, &p.remote));
		ck_assert(ql_addr_eq(&d.path.remote, &p.local));
		ck_assert_uint_eq(d.ecn, ecn);
		ck_assert_uint_eq(m->data_len, n);
		for (size_t k = 0; k < n; k++)
			ck_assert_uint_eq(rte_pktmbuf_mtod(m, uint8_t *)[k], (uint8_t)(k * 7 + i));
		t_mbuf_done(m);
	}
}
END_TEST

/* Over a link that is memory: without a checksum where UDP may go without one. */
START_TEST(no_checksum)
{
	struct ql_path p4 = {t_addr("10.9.0.2:1"), t_addr("10.9.0.1:2")};
	struct ql_path p6 = {t_addr("[fd00::2]:1"), t_addr("[fd00::1]:2")};
	struct rte_mbuf *m;
	uint8_t *b;

	nif.no_udp4_cksum = true;
	m = t_mbuf((const uint8_t[30]){1}, 30);
	ck_assert_int_eq(push_udp(m, &nif, &p4, 0), 0);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_eq(b[14 + 26] << 8 | b[14 + 27], 0);
	ck_assert_uint_eq((uint16_t)~t_sum(0, b + 14, 20), 0);
	t_mbuf_done(m);
	m = t_mbuf((const uint8_t[30]){1}, 30);
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), 0);
	b = rte_pktmbuf_mtod(m, uint8_t *);
	ck_assert_uint_ne(b[14 + 46] << 8 | b[14 + 47], 0);
	t_mbuf_done(m);
}
END_TEST

START_TEST(too_big)
{
	struct ql_path p4 = {t_addr("10.9.0.2:1"), t_addr("10.9.0.1:2")};
	struct ql_path p6 = {t_addr("[fd00::2]:1"), t_addr("[fd00::1]:2")};
	uint8_t zero[1500] = {0};
	struct rte_mbuf *m;

	m = t_mbuf(zero, 1472);
	ck_assert_int_eq(push_udp(m, &nif, &p4, 0), 0);
	t_mbuf_done(m);
	m = t_mbuf(zero, 1473);
	ck_assert_int_eq(push_udp(m, &nif, &p4, 0), -EMSGSIZE);
	ck_assert_uint_eq(m->data_len, 1473);
	t_mbuf_done(m);
	m = t_mbuf(zero, 1452);
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), 0);
	t_mbuf_done(m);
	m = t_mbuf(zero, 1453);
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), -EMSGSIZE);
	t_mbuf_done(m);
	m = t_mbuf(zero, 1500);
	ck_assert_int_eq(ql_frame_push_icmp(m, &nif, &p4, 64), -EMSGSIZE);
	m->data_len = 7;
	ck_assert_int_eq(ql_frame_push_icmp(m, &nif, &p4, 64), -ENOBUFS);
	t_mbuf_done(m);

	m = t_mbuf(zero, 100); /* no headroom */
	m->data_off = QL_FRAME_HEADERS - 1;
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), -ENOBUFS);
	m->data_off = QL_FRAME_HEADERS;
	m->nb_segs = 2;
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), -ENOBUFS);
	m->nb_segs = 1;
	nif.vlan = 9;
	ck_assert_int_eq(push_udp(m, &nif, &p6, 0), 0);
	ck_assert_uint_eq(m->data_off, 0);
	ck_assert_int_eq(ql_frame_push_ether(m, &nif, &nif.mac, 0x86dd), -ENOBUFS);
	t_mbuf_done(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/frame");
	TCase *tc = tcase_create("frame");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, udp4);
	tcase_add_test(tc, udp6);
	tcase_add_test(tc, ethernet_padding_is_trimmed);
	tcase_add_test(tc, udp_shorter_than_ip);
	tcase_add_test(tc, udp_length_lies);
	tcase_add_test(tc, vlan);
	tcase_add_test(tc, truncated);
	tcase_add_test(tc, mutated);
	tcase_add_test(tc, checksum_notices_every_bit);
	tcase_add_test(tc, checksum_flags);
	tcase_add_test(tc, checksum_zero);
	tcase_add_test(tc, ip4_options);
	tcase_add_test(tc, ip4_fragments);
	tcase_add_test(tc, ip6_extensions);
	tcase_add_test(tc, ip6_extension_bomb);
	tcase_add_test(tc, not_for_us);
	tcase_add_test(tc, impossible_sources);
	tcase_add_test(tc, other_protocols);
	tcase_add_test(tc, icmp_and_arp);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, built_bytes);
	tcase_add_test(tc, flow_label_is_of_the_flow);
	tcase_add_test(tc, built_for_offload);
	tcase_add_test(tc, checksum_that_is_zero);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, no_checksum);
	tcase_add_test(tc, too_big);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
