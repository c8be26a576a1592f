// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lane on net_tap, with the kernel at the other end, in a network namespace of the test's own.
 * The engine sends back what it gets. Needs /dev/net/tun; skipped (77) without it.
 */
#include "net/tap.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "net/port.h"
#include "test_net_rig.h"

#define SKIP 77

struct ql_engine {
	struct ql_datagram q[512];
	unsigned int n, next, received;
	struct ql_path path; /* of the last one */
	uint8_t ecn;
};

void ql_engine_rx(struct ql_engine *e, struct ql_datagram *in, unsigned int n, uint64_t now)
{
	(void)now;
	if (e->next == e->n)
		e->next = e->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		e->received++;
		e->path = in[i].path;
		e->ecn = in[i].ecn;
		ck_assert_uint_lt(e->n, RTE_DIM(e->q));
		e->q[e->n++] = in[i];
	}
}

unsigned int ql_engine_rx_crossed(struct ql_engine *e, uint64_t now)
{
	(void)e;
	(void)now;
	return 0;
}

void ql_engine_tick(struct ql_engine *e, uint64_t now)
{
	(void)e;
	(void)now;
}

unsigned int ql_engine_tx(struct ql_engine *e, struct ql_datagram *out, unsigned int max,
			  uint64_t now)
{
	unsigned int n = 0;

	(void)now;
	while (n < max && e->next < e->n)
		out[n++] = e->q[e->next++];
	return n;
}

uint64_t ql_engine_deadline(const struct ql_engine *e)
{
	return e->next < e->n ? 0 : QL_NEVER;
}

static struct ql_engine engine;
static struct ql_port *port;
static struct ql_lane *lane;
static uint16_t tap_id;

/* Turn until the socket has something, or give up. Returns what recv() does. */
static ssize_t await(int fd, void *buf, size_t len)
{
	uint64_t end = ql_lane_now() + 10 * QL_NSEC_PER_SEC;
	ssize_t n;

	for (uint64_t now = 0; now < end;) {
		now = ql_lane_now();
		ql_lane_poll(lane, now);
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return n;
	}
	return -1;
}

static int sock(int family, int type, int proto, const char *to, uint16_t to_port)
{
	struct ql_addr a = t_addr(to);
	struct sockaddr_in s4 = {.sin_family = AF_INET, .sin_port = htons(to_port)};
	struct sockaddr_in6 s6 = {.sin6_family = AF_INET6, .sin6_port = htons(to_port)};
	int fd = socket(family, type, proto), rc;

	ck_assert_int_ge(fd, 0);
	memcpy(&s4.sin_addr, a.ip + 12, 4);
	memcpy(&s6.sin6_addr, a.ip, 16);
	rc = family == AF_INET ? connect(fd, (struct sockaddr *)&s4, sizeof(s4))
			       : connect(fd, (struct sockaddr *)&s6, sizeof(s6));
	ck_assert_msg(rc == 0, "connect to %s: %s", to, strerror(errno));
	return fd;
}

START_TEST(echo_through_the_kernel)
{
	static const struct {
		int family;
		const char *us, *kernel;
		size_t max;
	} cases[] = {{AF_INET, "10.9.0.2", "10.9.0.1", 1472},
		     {AF_INET6, "fd00::2", "fd00::1", 1452}};
	uint8_t sent[1500], got[1500];

	for (unsigned int c = 0; c < 2; c++) {
		int fd = sock(cases[c].family, SOCK_DGRAM, 0, cases[c].us, 4433);
		struct ql_addr kernel = t_addr(cases[c].kernel), us = t_addr(cases[c].us);
		int tos = 0xb8 | QL_ECN_ECT1;
		size_t sizes[] = {1, 2, 3, 17, 18, 19, 1200, 1201, cases[c].max};

		setsockopt(fd, cases[c].family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			   cases[c].family == AF_INET ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
		for (unsigned int i = 0; i < RTE_DIM(sizes); i++) {
			for (size_t k = 0; k < sizes[i]; k++)
				sent[k] = (uint8_t)(k * 31 + i);
			ck_assert_int_eq(send(fd, sent, sizes[i], 0), (ssize_t)sizes[i]);
			ck_assert_int_eq(await(fd, got, sizeof(got)), (ssize_t)sizes[i]);
			ck_assert_mem_eq(got, sent, sizes[i]);
			ck_assert(ql_ip_eq(engine.path.remote.ip, kernel.ip));
			ck_assert(ql_ip_eq(engine.path.local.ip, us.ip));
			ck_assert_uint_eq(engine.path.local.port, 4433);
			ck_assert_uint_eq(engine.ecn, QL_ECN_ECT1);
		}
		close(fd);
	}
}
END_TEST

START_TEST(ping)
{
	struct icmphdr echo = {.type = ICMP_ECHO,
			       .un.echo = {.id = htons(7), .sequence = htons(1)}};
	struct icmp6_hdr echo6 = {.icmp6_type = ICMP6_ECHO_REQUEST};
	struct icmp6_filter filter;
	uint8_t got[256];
	uint8_t *icmp;
	int fd = sock(AF_INET, SOCK_RAW, IPPROTO_ICMP, "10.9.0.2", 0);

	echo.checksum = htons((uint16_t)~t_sum(0, (uint8_t *)&echo, sizeof(echo)));
	ck_assert_int_eq(send(fd, &echo, sizeof(echo), 0), sizeof(echo));
	ck_assert_int_eq(await(fd, got, sizeof(got)), 20 + (int)sizeof(echo));
	icmp = got + (got[0] & 0xf) * 4;
	ck_assert_uint_eq(icmp[0], ICMP_ECHOREPLY);
	ck_assert_mem_eq(icmp + 4, (uint8_t *)&echo + 4, 4);
	close(fd);

	fd = sock(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "fd00::2", 0);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
	ck_assert_int_eq(send(fd, &echo6, sizeof(echo6), 0), sizeof(echo6));
	ck_assert_int_eq(await(fd, got, sizeof(got)), sizeof(echo6));
	ck_assert_uint_eq(got[0], ICMP6_ECHO_REPLY);
	close(fd);
}
END_TEST

/* Many datagrams at once, more than one burst. */
START_TEST(bursts)
{
	int fd = sock(AF_INET, SOCK_DGRAM, 0, "10.9.0.2", 4433);
	unsigned int before = engine.received, n = 0;
	uint8_t b[1200] = {0};

	for (unsigned int i = 0; i < 100; i++) {
		b[0] = (uint8_t)i;
		ck_assert_int_eq(send(fd, b, sizeof(b), 0), sizeof(b));
	}
	while (n < 100 && await(fd, b, sizeof(b)) == sizeof(b))
		ck_assert_uint_eq(b[0], n++);
	ck_assert_uint_eq(n, 100);
	ck_assert_uint_eq(engine.received - before, 100);
	close(fd);
}
END_TEST

/* The kernel's end has another MAC than we: frames to it are not ours. */
START_TEST(own_mac)
{
	struct rte_ether_addr mac;

	ck_assert_int_eq(rte_eth_macaddr_get(tap_id, &mac), 0);
	ck_assert(!rte_is_same_ether_addr(&mac, &port->nif.mac));
	ck_assert(rte_is_valid_assigned_ether_addr(&port->nif.mac));
}
END_TEST

START_TEST(kernel_end)
{
	struct rte_eth_dev_info info;
	struct ql_ifaddr a[2];
	char err[QL_NET_ERRLEN] = "";

	ck_assert_int_eq(rte_eth_dev_info_get(tap_id, &info), 0);
	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.1/24", &a[0]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("fd00::1/64", &a[1]), 0);
	ck_assert_int_eq(ql_tap_setup_kernel(info.if_index, a, 2, err), 0); /* has them: fine */
	ck_assert_int_eq(ql_tap_setup_kernel(0, a, 2, err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err, "network namespace"));
	ck_assert_int_eq(ql_tap_setup_kernel(9999, a, 2, err), -ENODEV);
	a[0].prefix = 33;
	err[0] = '\0';
	ck_assert_int_lt(ql_tap_setup_kernel(info.if_index, a, 1, err), 0);
	ck_assert_ptr_nonnull(strstr(err, "10.9.0.1"));
}
END_TEST

static void open_lane(void)
{
	struct ql_port_config c = {
		.n_addrs = 2, .n_kernel_addrs = 2, .rx_desc = 256, .tx_desc = 256};
	char err[QL_NET_ERRLEN] = "";

	ck_assert_int_eq(rte_eth_dev_get_port_by_name("net_tap0", &tap_id), 0);
	c.port_id = tap_id;
	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.2/24", &c.addrs[0]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("fd00::2/64", &c.addrs[1]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("10.9.0.1/24", &c.kernel_addrs[0]), 0);
	ck_assert_int_eq(ql_ifaddr_parse("fd00::1/64", &c.kernel_addrs[1]), 0);
	port = ql_port_open(&c, err);
	ck_assert_msg(port != NULL, "%s", err);
	lane = ql_lane_create(&engine, SOCKET_ID_ANY);
	ck_assert_ptr_nonnull(lane);
	ck_assert_int_eq(ql_lane_add_port(lane, port, 0), 0);
}

static void close_lane(void)
{
	struct ql_lane_stats s;

	ql_lane_stats(lane, &s);
	ck_assert_uint_eq(s.drops[QL_NET_DROP_CHECKSUM], 0);
	ck_assert_uint_eq(s.drops[QL_NET_DROP_SEGMENTS], 0);
	ql_lane_free(lane);
	ql_port_close(port);
	ck_assert_uint_eq(if_nametoindex("qlt0"), 0); /* nothing is left behind */
}

int main(void)
{
	Suite *s;
	TCase *tc;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: no network namespace: %s\n", strerror(errno));
		return SKIP;
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		fprintf(stderr, "skipped: /dev/net/tun: %s\n", strerror(errno));
		return SKIP;
	}
	rig_eal("--vdev=net_tap0,iface=qlt0");
	s = suite_create("net/tap");
	tc = tcase_create("all");
	tcase_set_timeout(tc, 30);
	tcase_add_unchecked_fixture(tc, open_lane, close_lane);
	tcase_add_test(tc, echo_through_the_kernel);
	tcase_add_test(tc, ping);
	tcase_add_test(tc, bursts);
	tcase_add_test(tc, own_mac);
	tcase_add_test(tc, kernel_end);
	suite_add_tcase(s, tc);
	return rig_run(s);
}
