// SPDX-License-Identifier: BSD-3-Clause
#include "net/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <rte_udp.h>

#include "net/frame.h"
#include "net/news.h"
#include "net/tap.h"

RTE_LOG_REGISTER(ql_logtype_net, qlane.net, NOTICE)
#define NOTE(...) rte_log(RTE_LOG_NOTICE, ql_logtype_net, "qlane: " __VA_ARGS__)

#define DEFAULT_DESC 1024
#define POOL_CACHE   256
/* What a lane may hold besides full rings: bursts, kept frames, received data out of order. */
#define LANE_MBUFS   2048
#define LINK_WAIT_MS 2000
/* With more of them the driver writes beyond the end of a message of its own, and aborts. */
#define TAP_QUEUES 4u
/* Ethernet, two tags and the CRC that some devices leave. */
#define L2_OVERHEAD (RTE_ETHER_HDR_LEN + 4 + 4 + RTE_ETHER_CRC_LEN)

struct set_up {
	const struct ql_port_config *config;
	struct ql_port *port;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	uint16_t rx_desc, tx_desc;
	bool rss;
	char *err;
};

__attribute__((format(printf, 3, 4))) static int fail(struct set_up *s, int rc, const char *fmt,
						      ...)
{
	va_list ap;
	int n = snprintf(s->err, QL_NET_ERRLEN, "port %u: ", s->config->port_id);

	va_start(ap, fmt);
	vsnprintf(s->err + n, QL_NET_ERRLEN - (size_t)n, fmt, ap);
	va_end(ap);
	return rc;
}

static bool is_tap(const struct set_up *s)
{
	return s->info.driver_name && strcmp(s->info.driver_name, "net_tap") == 0;
}

static int find_device(struct set_up *s)
{
	uint16_t id = s->config->port_id;
	int rc;

	if (rte_eth_dev_count_avail() == 0) {
		snprintf(s->err, QL_NET_ERRLEN,
			 "no Ethernet port found: add --vdev=net_tap0 or bind a NIC, see "
			 "drivers-cfg/");
		return -ENODEV;
	}
	if (!rte_eth_dev_is_valid_port(id)) {
		char list[64] = "";
		size_t n = 0;
		uint16_t other;

		RTE_ETH_FOREACH_DEV (other) {
			if (n < sizeof(list) - 8)
				n += (size_t)snprintf(list + n, sizeof(list) - n, " %u", other);
		}
		return fail(s, -ENODEV, "there is no such port; there is:%s", list);
	}
	rc = rte_eth_dev_info_get(id, &s->info);
	if (rc < 0)
		return fail(s, rc, "the driver tells nothing about the device: %s", strerror(-rc));
	if (s->config->n_kernel_addrs > 0 && !is_tap(s))
		return fail(s, -EINVAL, "kernel addresses are for net_tap, the device is %s",
			    s->info.driver_name);
	return 0;
}

/* The device's MAC, or one of our own making where it has none (net_ring, net_null). */
static int choose_mac(struct set_up *s)
{
	struct rte_ether_addr *mac = &s->port->nif.mac;
	int rc = rte_eth_macaddr_get(s->port->id, mac);

	if (rc < 0)
		return fail(s, rc, "cannot read the MAC address: %s", strerror(-rc));
	if (rte_is_zero_ether_addr(mac))
		*mac = (struct rte_ether_addr){
			{0x02, 'q', 'l', 'n', s->port->id >> 8, s->port->id & 0xff}};
	/*
	 * The kernel's end of a TAP has the same MAC. Two hosts with one MAC cannot be bridged,
	 * and the driver passes on every frame whatever its MAC: so ours differs in a bit.
	 */
	if (is_tap(s))
		mac->addr_bytes[1] ^= 0x80;
	return 0;
}

static int choose_mtu(struct set_up *s)
{
	uint16_t mtu = s->config->mtu;

	if (mtu == 0 && (rte_eth_dev_get_mtu(s->port->id, &mtu) < 0 || mtu == 0))
		mtu = RTE_ETHER_MTU;
	/* 1,280 is IPv6's least, and what QUIC's 1,200 bytes need (RFC 9000, 14) */
	if (mtu < RTE_IPV6_MIN_MTU || mtu > s->info.max_mtu || mtu > RTE_ETHER_MAX_JUMBO_FRAME_LEN)
		return fail(s, -EINVAL, "MTU %u is not possible: the device takes %u to %u", mtu,
			    RTE_IPV6_MIN_MTU,
			    RTE_MIN(s->info.max_mtu, RTE_ETHER_MAX_JUMBO_FRAME_LEN));
	s->port->nif.mtu = mtu;
	return 0;
}

static unsigned int max_queues(const struct set_up *s)
{
	unsigned int n = RTE_MIN(s->info.max_rx_queues, s->info.max_tx_queues);

	return is_tap(s) ? RTE_MIN(n, TAP_QUEUES) : n;
}

static int configure(struct set_up *s)
{
	struct ql_port *port = s->port;
	uint64_t rx = s->info.rx_offload_capa, tx = s->info.tx_offload_capa;
	struct rte_eth_conf *conf = &s->conf;
	int rc;

	port->queues = s->config->queues ? s->config->queues : 1;
	if (port->queues > max_queues(s))
		return fail(s, -EINVAL,
			    "%u queues asked for, the device (%s) has %u: as many lcores can serve "
			    "it",
			    port->queues, s->info.driver_name, max_queues(s));
	conf->rxmode.mtu = port->nif.mtu;
	conf->rxmode.offloads = rx & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	conf->txmode.offloads = tx & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
	port->nif.tx_ip4_cksum = tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	port->nif.tx_udp_cksum = tx & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	port->tx_prepare = conf->txmode.offloads != 0;
	/* on a TAP the kernel spreads packets, and the driver's RSS would stand in its way */
	s->rss = port->queues > 1 && !is_tap(s) && ql_rss_ask(&port->rss, &s->info, conf);
	port->rx_interrupts = s->config->rx_interrupts;
	conf->intr_conf.rxq = port->rx_interrupts;
	rc = rte_eth_dev_configure(port->id, port->queues, port->queues, conf);
	if (rc == -EBUSY)
		return fail(s, rc, "in use: it is started already");
	if (rc < 0)
		return fail(s, rc, "the device (%s) refuses %u queues with MTU %u: %s",
			    s->info.driver_name, port->queues, port->nif.mtu, strerror(-rc));
	rc = rte_eth_dev_set_mtu(port->id, port->nif.mtu);
	if (rc < 0 && rc != -ENOTSUP)
		return fail(s, rc, "cannot set the MTU to %u: %s", port->nif.mtu, strerror(-rc));

	s->rx_desc = s->config->rx_desc ? s->config->rx_desc : DEFAULT_DESC;
	s->tx_desc = s->config->tx_desc ? s->config->tx_desc : DEFAULT_DESC;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &s->rx_desc, &s->tx_desc);
	if (rc < 0)
		return fail(s, rc, "cannot agree on queue lengths: %s", strerror(-rc));
	return 0;
}

/* One segment a packet: room for the whole frame, in the 1 KB steps that NICs count in. */
static int make_pool(struct set_up *s)
{
	struct ql_port *port = s->port;
	uint32_t room = RTE_ALIGN_CEIL(port->nif.mtu + L2_OVERHEAD, 1024);
	uint32_t n = s->config->mbufs;
	char name[RTE_MEMPOOL_NAMESIZE];

	room = RTE_MAX(room, s->info.min_rx_bufsize);
	room = RTE_MAX(room, 2048u) + RTE_PKTMBUF_HEADROOM;
	if (n == 0)
		n = port->queues * (s->rx_desc + s->tx_desc + LANE_MBUFS + 2 * POOL_CACHE);
	n = rte_align32pow2(n + 1) - 1; /* what a mempool uses best */
	snprintf(name, sizeof(name), "ql_port%u", port->id);
	port->pool = rte_pktmbuf_pool_create(name, n, n >= 2 * POOL_CACHE ? POOL_CACHE : 0, 0,
					     (uint16_t)room, rte_eth_dev_socket_id(port->id));
	if (!port->pool)
		return fail(s, -rte_errno,
			    "no memory for %u packet buffers, %u MB (%s): reserve more hugepages "
			    "(drivers-cfg/setup.sh), or give --no-huge a larger -m",
			    n, (unsigned int)((uint64_t)n * (room + 192) >> 20),
			    rte_strerror(rte_errno));
	return 0;
}

static int make_queues(struct set_up *s)
{
	struct rte_eth_rxconf rxconf = s->info.default_rxconf;
	struct rte_eth_txconf txconf = s->info.default_txconf;
	uint16_t id = s->port->id;
	int socket = rte_eth_dev_socket_id(id), rc;

	rxconf.offloads = s->conf.rxmode.offloads;
	txconf.offloads = s->conf.txmode.offloads;
	for (uint16_t q = 0; q < s->port->queues; q++) {
		rc = rte_eth_rx_queue_setup(id, q, s->rx_desc, (unsigned int)socket, &rxconf,
					    s->port->pool);
		if (rc < 0)
			return fail(s, rc, "receive queue %u (%u descriptors): %s", q, s->rx_desc,
				    strerror(-rc));
		rc = rte_eth_tx_queue_setup(id, q, s->tx_desc, (unsigned int)socket, &txconf);
		if (rc < 0)
			return fail(s, rc, "transmit queue %u (%u descriptors): %s", q, s->tx_desc,
				    strerror(-rc));
	}
	return 0;
}

/* Receive the groups of neighbour discovery, by a list or, where there is none, all groups. */
static void join_groups(struct set_up *s)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	const struct ql_netif *nif = &s->port->nif;
	struct rte_ether_addr macs[QL_PORT_ADDRS + 1];
	uint32_t n = 0;
	uint8_t group[16];

	for (unsigned int i = 0; i < nif->n_addrs; i++) {
		if (ql_addr_is_ip4(&nif->addrs[i].addr))
			continue;
		ql_ip_solicited_node(nif->addrs[i].addr.ip, group);
		ql_ip_group_mac(group, &macs[n]);
		for (uint32_t k = 0; k <= n; k++) { /* two addresses may share a group */
			if (k == n) {
				n++;
				break;
			}
			if (rte_is_same_ether_addr(&macs[k], &macs[n]))
				break;
		}
	}
	if (n == 0)
		return;
	ql_ip_group_mac(all_nodes, &macs[n++]);
	if (rte_eth_dev_set_mc_addr_list(s->port->id, macs, n) < 0 &&
	    rte_eth_allmulticast_enable(s->port->id) < 0)
		NOTE("port %u (%s) has no multicast filter: IPv6 needs it to pass multicast\n",
		     s->port->id, s->info.driver_name);
}

/* Not every link needs to be up now: a memif's peer, or a switch, may come later. */
static void wait_for_link(struct set_up *s)
{
	struct rte_eth_link link;

	for (unsigned int ms = 0; ms < LINK_WAIT_MS; ms += 10) {
		memset(&link, 0, sizeof(link));
		if (rte_eth_link_get_nowait(s->port->id, &link) < 0 ||
		    link.link_status == RTE_ETH_LINK_UP)
			return;
		rte_delay_us_sleep(10000);
	}
	NOTE("port %u (%s): link is down; going on without\n", s->port->id, s->info.driver_name);
}

static void steer(struct set_up *s)
{
	struct ql_port *port = s->port;

	ql_steer_start(&port->steering, &port->rules, s->config, &s->info, s->rss);
	if (port->queues == 1)
		return;
	NOTE("port %u (%s): %u queues, packets find theirs by %s%s%s%s\n", port->id,
	     s->info.driver_name, port->queues, ql_steering_name(port->steering.how),
	     port->steering.why[0] ? " (" : "", port->steering.why,
	     port->steering.why[0] ? ")" : "");
}

static int start(struct set_up *s)
{
	uint16_t id = s->port->id;
	int rc = rte_eth_dev_start(id);

	if (rc < 0)
		return fail(s, rc, "the device (%s) does not start: %s%s", s->info.driver_name,
			    strerror(-rc), rc == -EPERM || rc == -EACCES ? "; run as root" : "");
	ql_rss_settle(&s->port->rss, id, s->port->queues, &s->conf);
	steer(s);
	rte_eth_promiscuous_disable(id); /* where there is no such thing, we filter ourselves */
	join_groups(s);
	if (s->config->n_kernel_addrs > 0) {
		rc = ql_tap_setup_kernel(s->info.if_index, s->config->kernel_addrs,
					 s->config->n_kernel_addrs, s->err);
		if (rc < 0)
			return rc;
	}
	wait_for_link(s);
	return 0;
}

static int make_news(struct set_up *s)
{
	struct ql_port *port = s->port;

	if (port->queues == 1)
		return 0;
	port->news = ql_news_create(port->id, port->queues, rte_eth_dev_socket_id(port->id));
	return port->news ? 0
			  : fail(s, -ENOMEM,
				 "no memory for rings: reserve more hugepages "
				 "(drivers-cfg/setup.sh)");
}

/* The queues hold the pool's mbufs from here on: a device that fails is closed before it. */
static int run_device(struct set_up *s)
{
	int rc = make_queues(s);

	if (rc == 0)
		rc = start(s);
	if (rc < 0) {
		ql_steer_stop(&s->port->rules, s->port->id);
		rte_eth_dev_stop(s->port->id);
		rte_eth_dev_close(s->port->id);
	}
	return rc;
}

static int open_port(struct set_up *s)
{
	int rc;

	if ((rc = find_device(s)) < 0 ||
	    (rc = ql_netif_init(&s->port->nif, s->config, s->err)) < 0 ||
	    (rc = choose_mac(s)) < 0 || (rc = choose_mtu(s)) < 0 || (rc = configure(s)) < 0 ||
	    (rc = make_pool(s)) < 0 || (rc = make_news(s)) < 0)
		return rc;
	s->port->nif.flow_secret = rte_rand();
	return run_device(s);
}

struct ql_port *ql_port_open(const struct ql_port_config *config, char err[QL_NET_ERRLEN])
{
	struct set_up s = {.config = config, .err = err};
	int rc;

	err[0] = '\0';
	s.port = rte_zmalloc("ql_port", sizeof(*s.port), RTE_CACHE_LINE_SIZE);
	if (!s.port) {
		fail(&s, 0, "no memory: reserve more hugepages (drivers-cfg/setup.sh)");
		errno = ENOMEM;
		return NULL;
	}
	s.port->id = config->port_id;
	rc = open_port(&s);
	if (rc < 0) {
		ql_news_free(s.port->news);
		rte_mempool_free(s.port->pool);
		rte_free(s.port);
		errno = -rc;
		return NULL;
	}
	return s.port;
}

void ql_port_close(struct ql_port *port)
{
	if (!port)
		return;
	ql_steer_stop(&port->rules, port->id);
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	ql_news_free(port->news);
	rte_mempool_free(port->pool);
	rte_free(port);
}

void ql_port_steering(const struct ql_port *port, struct ql_port_steering *steering)
{
	*steering = port->steering;
}

int ql_port_takes_cids(const struct ql_port *port, const struct ql_cid_config *config,
		       char err[QL_NET_ERRLEN])
{
	return ql_steer_takes_cids(&port->steering, &port->rules, config, err);
}

uint16_t ql_port_id(const struct ql_port *port)
{
	return port->id;
}

struct rte_mempool *ql_port_pool(const struct ql_port *port)
{
	return port->pool;
}

uint16_t ql_port_udp_payload(const struct ql_port *port, bool ip6)
{
	return port->nif.mtu - (uint16_t)sizeof(struct rte_udp_hdr) -
	       (uint16_t)(ip6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr));
}
