// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames for the tests of net/, written by hand and with a checksum of their own: nothing here
 * uses the code under test, except for its types.
 *
 * We are 02:00:00:00:00:01, 10.9.0.2/24 and fd00::2/64; the peer is 02:00:00:00:00:99, 10.9.0.1 and
 * fd00::1; gateways 10.9.0.254 and fd00::fe.
 */
#ifndef TEST_NET_UTIL_H
#define TEST_NET_UTIL_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "net/netif.h"

#define T_UNUSED __attribute__((unused))

static const uint8_t t_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t t_peer_mac[6] = {2, 0, 0, 0, 0, 0x99};
static const uint8_t t_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

T_UNUSED static struct ql_addr t_addr(const char *text)
{
	struct ql_addr a;

	ck_assert_int_eq(ql_addr_parse(text, 0, &a), 0);
	return a;
}

T_UNUSED static struct ql_netif t_netif(void)
{
	struct ql_port_config c = {.n_addrs = 2, .n_gateways = 2};
	struct ql_netif nif;
	char err[QL_NET_ERRLEN] = "";

	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.2/24", &c.addrs[0]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("fd00::2/64", &c.addrs[1]), 0);
	c.gateways[0] = t_addr("10.9.0.254");
	c.gateways[1] = t_addr("fd00::fe");
	ck_assert_msg(ql_netif_init(&nif, &c, err) == 0, "%s", err);
	memcpy(nif.mac.addr_bytes, t_mac, 6);
	nif.mtu = 1500;
	nif.flow_secret = 0x123456789abcdef;
	return nif;
}

#define T_HEADROOM 128

/*
 * A buffer of exactly that size, so that AddressSanitizer sees a read past the end. No EAL: an mbuf is
 * a struct.
 */
T_UNUSED static struct rte_mbuf *t_mbuf(const void *data, size_t len)
{
	struct rte_mbuf *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);

	memset(m, 0, sizeof(*m));
	m->buf_addr = malloc(T_HEADROOM + len);
	m->buf_len = (uint16_t)(T_HEADROOM + len);
	m->data_off = T_HEADROOM;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->nb_segs = 1;
	m->refcnt = 1;
	memset(m->buf_addr, 0xee, T_HEADROOM);
	memcpy((uint8_t *)m->buf_addr + T_HEADROOM, data, len);
	return m;
}

T_UNUSED static void t_mbuf_done(struct rte_mbuf *m)
{
	free(m->buf_addr);
	free(m);
}

/* A frame being written. */
struct tf {
	uint8_t b[4096];
	size_t n;
};

T_UNUSED static void tf_put(struct tf *f, const void *p, size_t n)
{
	ck_assert_uint_le(f->n + n, sizeof(f->b));
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

T_UNUSED static void tf_u8(struct tf *f, unsigned int v)
{
	f->b[f->n++] = (uint8_t)v;
}

T_UNUSED static void tf_u16(struct tf *f, unsigned int v)
{
	tf_u8(f, v >> 8);
	tf_u8(f, v & 0xff);
}

T_UNUSED static void tf_set16(struct tf *f, size_t at, unsigned int v)
{
	f->b[at] = (uint8_t)(v >> 8);
	f->b[at + 1] = (uint8_t)v;
}

/* RFC 1071, one byte at a time. Returns the sum, not its complement. */
T_UNUSED static uint16_t t_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* Sum of the pseudo header and n bytes of message of protocol proto. */
T_UNUSED static uint16_t t_l4_sum(const struct ql_addr *src, const struct ql_addr *dst,
				  unsigned int proto, const uint8_t *p, size_t n)
{
	size_t off = src->ip[10] == 0xff && src->ip[0] == 0 ? 12 : 0;
	uint8_t tail[4] = {(uint8_t)(n >> 8), (uint8_t)n, 0, (uint8_t)proto};
	uint32_t sum = t_sum(0, src->ip + off, 16 - off);

	sum = t_sum(sum, dst->ip + off, 16 - off);
	sum = t_sum(sum, tail, 4);
	return t_sum(sum, p, n);
}

T_UNUSED static void tf_ether(struct tf *f, const uint8_t *dst, const uint8_t *src, int vlan,
			      unsigned int type)
{
	f->n = 0;
	tf_put(f, dst, 6);
	tf_put(f, src, 6);
	if (vlan >= 0) {
		tf_u16(f, 0x8100);
		tf_u16(f, (unsigned int)vlan);
	}
	tf_u16(f, type);
}

/* options: IPv4 header options (a multiple of 4 bytes). */
T_UNUSED static void tf_ip4(struct tf *f, const char *src, const char *dst, unsigned int tos,
			    unsigned int frag, unsigned int proto, size_t payload,
			    const uint8_t *options, size_t n_options)
{
	struct ql_addr s = t_addr(src), d = t_addr(dst);
	size_t start = f->n;

	tf_u8(f, 0x40 | (unsigned int)(5 + n_options / 4));
	tf_u8(f, tos);
	tf_u16(f, (unsigned int)(20 + n_options + payload));
	tf_u16(f, 0x1234);
	tf_u16(f, frag);
	tf_u8(f, 61);
	tf_u8(f, proto);
	tf_u16(f, 0);
	tf_put(f, s.ip + 12, 4);
	tf_put(f, d.ip + 12, 4);
	tf_put(f, options ? options : (const uint8_t *)"", n_options);
	tf_set16(f, start + 10, (uint16_t)~t_sum(0, f->b + start, 20 + n_options));
}

T_UNUSED static void tf_ip6(struct tf *f, const char *src, const char *dst, unsigned int tc,
			    unsigned int next, size_t payload, unsigned int hops)
{
	struct ql_addr s = t_addr(src), d = t_addr(dst);

	tf_u8(f, 0x60 | tc >> 4);
	tf_u8(f, (tc & 0xf) << 4 | 0xb);
	tf_u16(f, 0xcafe);
	tf_u16(f, (unsigned int)payload);
	tf_u8(f, next);
	tf_u8(f, hops);
	tf_put(f, s.ip, 16);
	tf_put(f, d.ip, 16);
}

/* UDP with a payload of n bytes 0, 1, 2...; the right checksum. */
T_UNUSED static void tf_udp(struct tf *f, const char *src, const char *dst, unsigned int sport,
			    unsigned int dport, size_t n)
{
	struct ql_addr s = t_addr(src), d = t_addr(dst);
	size_t start = f->n;
	uint16_t sum;

	tf_u16(f, sport);
	tf_u16(f, dport);
	tf_u16(f, (unsigned int)(8 + n));
	tf_u16(f, 0);
	for (size_t i = 0; i < n; i++)
		tf_u8(f, (unsigned int)i & 0xff);
	sum = (uint16_t)~t_l4_sum(&s, &d, 17, f->b + start, 8 + n);
	tf_set16(f, start + 6, sum ? sum : 0xffff);
}

/* From the peer to us, port 4433 from 50000, n bytes of payload. */
T_UNUSED static void tf_udp4(struct tf *f, int vlan, unsigned int tos, size_t n)
{
	tf_ether(f, t_mac, t_peer_mac, vlan, 0x0800);
	tf_ip4(f, "10.9.0.1", "10.9.0.2", tos, 0x4000, 17, 8 + n, NULL, 0);
	tf_udp(f, "10.9.0.1", "10.9.0.2", 50000, 4433, n);
}

T_UNUSED static void tf_udp6(struct tf *f, int vlan, unsigned int tc, size_t n)
{
	tf_ether(f, t_mac, t_peer_mac, vlan, 0x86dd);
	tf_ip6(f, "fd00::1", "fd00::2", tc, 17, 8 + n, 64);
	tf_udp(f, "fd00::1", "fd00::2", 50000, 4433, n);
}

/* IPv6 with extension headers (bytes with their next-header fields right), then UDP. */
T_UNUSED static void tf_udp6_ext(struct tf *f, unsigned int first, const uint8_t *ext, size_t n_ext)
{
	tf_ether(f, t_mac, t_peer_mac, -1, 0x86dd);
	tf_ip6(f, "fd00::1", "fd00::2", 0, first, n_ext + 8 + 16, 64);
	tf_put(f, ext, n_ext);
	tf_udp(f, "fd00::1", "fd00::2", 50000, 4433, 16);
}

T_UNUSED static void tf_arp(struct tf *f, const uint8_t *to, unsigned int op, const uint8_t *sha,
			    const char *spa, const uint8_t *tha, const char *tpa)
{
	struct ql_addr s = t_addr(spa), t = t_addr(tpa);

	tf_ether(f, to, sha, -1, 0x0806);
	tf_u16(f, 1);
	tf_u16(f, 0x0800);
	tf_u8(f, 6);
	tf_u8(f, 4);
	tf_u16(f, op);
	tf_put(f, sha, 6);
	tf_put(f, s.ip + 12, 4);
	tf_put(f, tha, 6);
	tf_put(f, t.ip + 12, 4);
}

/* ICMPv4 message, its checksum filled in. */
T_UNUSED static void tf_icmp4(struct tf *f, const uint8_t *to, const char *src, const char *dst,
			      const uint8_t *msg, size_t n)
{
	size_t start;

	tf_ether(f, to, t_peer_mac, -1, 0x0800);
	tf_ip4(f, src, dst, 0, 0x4000, 1, n, NULL, 0);
	start = f->n;
	tf_put(f, msg, n);
	tf_set16(f, start + 2, 0);
	tf_set16(f, start + 2, (uint16_t)~t_sum(0, f->b + start, n));
}

T_UNUSED static void tf_icmp6(struct tf *f, const uint8_t *to, const char *src, const char *dst,
			      unsigned int hops, const uint8_t *msg, size_t n)
{
	struct ql_addr s = t_addr(src), d = t_addr(dst);
	size_t start;

	tf_ether(f, to, t_peer_mac, -1, 0x86dd);
	tf_ip6(f, src, dst, 0, 58, n, hops);
	start = f->n;
	tf_put(f, msg, n);
	tf_set16(f, start + 2, 0);
	tf_set16(f, start + 2, (uint16_t)~t_l4_sum(&s, &d, 58, f->b + start, n));
}

/* Repeatable noise. */
T_UNUSED static uint64_t t_rand(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#endif /* TEST_NET_UTIL_H */
