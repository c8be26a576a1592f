// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes over net_ring ports joined crosswise, with an engine of the test's own: it records what it
 * receives and sends what it is told to.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "net/port.h"
#include "test_net_rig.h"

#define ENGINE_QUEUE 4096
#define RING_SIZE    1024
#define SMALL_RING   64

struct ql_engine {
	struct ql_datagram in[ENGINE_QUEUE], out[ENGINE_QUEUE];
	unsigned int n_in, n_out, next_out;
	uint64_t deadline; /* apart from what is to be sent */
	unsigned int ticks;
	uint64_t last_now;
	volatile bool *stop;
};

void ql_engine_rx(struct ql_engine *e, struct ql_datagram *in, unsigned int n, uint64_t now)
{
	ck_assert_uint_le(n, 32);
	e->last_now = now;
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_uint_lt(e->n_in, ENGINE_QUEUE);
		e->in[e->n_in++] = in[i];
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
	e->ticks++;
	if (e->deadline <= now)
		e->deadline = QL_NEVER;
	if (e->stop)
		*e->stop = true;
}

unsigned int ql_engine_tx(struct ql_engine *e, struct ql_datagram *out, unsigned int max,
			  uint64_t now)
{
	unsigned int n = 0;

	e->last_now = now;
	while (n < max && e->next_out < e->n_out)
		out[n++] = e->out[e->next_out++];
	return n;
}

uint64_t ql_engine_deadline(const struct ql_engine *e)
{
	return e->next_out < e->n_out ? 0 : e->deadline;
}

static struct rte_ring *rings[4];
static struct ql_port *port[2];
static struct ql_lane *lane[4];
static struct ql_engine engine[4];
static unsigned int pool_size[2];
static uint64_t now;

/* Two ports, each one's transmit ring the other's receive ring; port 0 is 10.9.0.1 and fd00::1. */
static void open_ports(unsigned int ring_size)
{
	char err[QL_NET_ERRLEN], name[32];
	static unsigned int serial;
	struct ql_port_config config;
	int id;

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "wire%u", i);
		rings[i] = rte_ring_create(name, ring_size, SOCKET_ID_ANY, 0);
		ck_assert_ptr_nonnull(rings[i]);
	}
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "test%u", serial++); /* a name is never free again */
		id = rte_eth_from_rings(name, &rings[i], 1, &rings[1 - i], 1, 0);
		ck_assert_int_ge(id, 0);
		config = (struct ql_port_config){
			.port_id = (uint16_t)id, .mbufs = 2047, .n_addrs = 2, .n_gateways = 1};
		snprintf(name, sizeof(name), "10.9.0.%u/24", i + 1);
		ck_assert_int_eq(ql_ifaddr_parse(name, &config.addrs[0]), 0);
		snprintf(name, sizeof(name), "fd00::%u/64", i + 1);
		ck_assert_int_eq(ql_ifaddr_parse(name, &config.addrs[1]), 0);
		config.gateways[0] = t_addr(i == 0 ? "10.9.0.2" : "10.9.0.1");
		port[i] = ql_port_open(&config, err);
		ck_assert_msg(port[i] != NULL, "%s", err);
		pool_size[i] = rte_mempool_avail_count(ql_port_pool(port[i]));
		ck_assert_uint_ge(pool_size[i], 2047);
	}
}

/*
 * Two ports of two queues; what port 1 sends on one queue is received on the other one of port 0, so
 * that answers come to another lane than has asked. Lanes 0 and 1 are port 0's.
 */
static void open_crossed(void)
{
	struct rte_ring *to0[2], *to1[2], *swapped[2];
	char err[QL_NET_ERRLEN], name[32];
	static unsigned int serial;
	struct ql_port_config config;

	for (unsigned int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "cross%u", i);
		rings[i] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, 0);
		ck_assert_ptr_nonnull(rings[i]);
		(i < 2 ? to0 : to1)[i % 2] = rings[i];
	}
	swapped[0] = to0[1];
	swapped[1] = to0[0];
	for (unsigned int i = 0; i < 2; i++) {
		int id;

		snprintf(name, sizeof(name), "crossed%u", serial++);
		id = i == 0 ? rte_eth_from_rings(name, to0, 2, to1, 2, 0)
			    : rte_eth_from_rings(name, to1, 2, swapped, 2, 0);
		ck_assert_int_ge(id, 0);
		config = (struct ql_port_config){
			.port_id = (uint16_t)id, .queues = 2, .mbufs = 2047, .n_addrs = 2};
		snprintf(name, sizeof(name), "10.9.0.%u/24", i + 1);
		ck_assert_int_eq(ql_ifaddr_parse(name, &config.addrs[0]), 0);
		snprintf(name, sizeof(name), "fd00::%u/64", i + 1);
		ck_assert_int_eq(ql_ifaddr_parse(name, &config.addrs[1]), 0);
		port[i] = ql_port_open(&config, err);
		ck_assert_msg(port[i] != NULL, "%s", err);
		pool_size[i] = rte_mempool_avail_count(ql_port_pool(port[i]));
	}
	for (unsigned int i = 0; i < 4; i++) {
		lane[i] = ql_lane_create(&engine[i], SOCKET_ID_ANY);
		ck_assert_int_eq(ql_lane_add_port(lane[i], port[i / 2], i % 2), 0);
	}
}

static void open_lanes(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		lane[i] = ql_lane_create(&engine[i], SOCKET_ID_ANY);
		ck_assert_ptr_nonnull(lane[i]);
		ck_assert_int_eq(ql_lane_add_port(lane[i], port[i], 0), 0);
	}
}

static void setup(void)
{
	memset(engine, 0, sizeof(engine));
	for (unsigned int i = 0; i < 4; i++)
		engine[i].deadline = QL_NEVER;
	memset(lane, 0, sizeof(lane));
	memset(port, 0, sizeof(port));
	memset(rings, 0, sizeof(rings));
	now = 1000 * QL_NSEC_PER_SEC;
}

static void teardown(void)
{
	struct rte_mbuf *m;

	for (unsigned int i = 0; i < 4; i++) {
		ql_lane_free(lane[i]);
		for (unsigned int k = 0; k < engine[i].n_in; k++)
			rte_pktmbuf_free(engine[i].in[k].mbuf);
		for (unsigned int k = engine[i].next_out; k < engine[i].n_out; k++)
			rte_pktmbuf_free(engine[i].out[k].mbuf);
		while (rings[i] && rte_ring_dequeue(rings[i], (void **)&m) == 0)
			rte_pktmbuf_free(m);
	}
	for (unsigned int i = 0; i < 2 && port[i]; i++) /* every mbuf is back in its pool */
		ck_assert_uint_eq(rte_mempool_avail_count(ql_port_pool(port[i])), pool_size[i]);
	for (unsigned int i = 0; i < 2; i++) {
		ql_port_close(port[i]);
		rte_ring_free(rings[i]);
		rte_ring_free(rings[2 + i]);
	}
}

/* Let engine i send n bytes whose first two are seq. */
static void queue(unsigned int i, const char *from, const char *to, size_t n, uint8_t ecn,
		  unsigned int seq)
{
	struct ql_engine *e = &engine[i];
	struct ql_datagram *d = &e->out[e->n_out++];
	uint8_t *p;

	ck_assert_uint_le(e->n_out, ENGINE_QUEUE);
	d->mbuf = rte_pktmbuf_alloc(ql_port_pool(port[i]));
	ck_assert_ptr_nonnull(d->mbuf);
	p = (uint8_t *)rte_pktmbuf_append(d->mbuf, (uint16_t)n);
	ck_assert_ptr_nonnull(p);
	memset(p, 0, n);
	if (n >= 2) {
		p[0] = (uint8_t)(seq >> 8);
		p[1] = (uint8_t)seq;
	}
	d->path.local = t_addr(from);
	d->path.remote = t_addr(to);
	d->ecn = ecn;
}

static unsigned int seq_of(const struct ql_datagram *d)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, uint8_t *);

	return (unsigned int)p[0] << 8 | p[1];
}

static void poll_both(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++) {
		now += 1000;
		ql_lane_poll(lane[0], now);
		ql_lane_poll(lane[1], now);
	}
}

static void poll_all(unsigned int turns)
{
	for (unsigned int i = 0; i < turns; i++) {
		now += 1000;
		for (unsigned int k = 0; k < 4; k++)
			ql_lane_poll(lane[k], now);
	}
}

static struct ql_lane_stats stats(unsigned int i)
{
	struct ql_lane_stats s;

	ql_lane_stats(lane[i], &s);
	return s;
}

/* The MACs are found, and datagrams arrive whole, in order, with path and ECN, both ways. */
START_TEST(both_families)
{
	char local[2][24], remote[2][24];

	open_ports(RING_SIZE);
	open_lanes();
	for (unsigned int fam = 0; fam < 2; fam++)
		for (unsigned int i = 0; i < 2; i++) {
			snprintf(local[i], 24, fam ? "[fd00::%u]:%u" : "10.9.0.%u:%u", i + 1,
				 4433 + i);
			for (unsigned int k = 0; k < 10; k++) {
				snprintf(remote[i], 24, fam ? "[fd00::%u]:%u" : "10.9.0.%u:%u",
					 2 - i, 4434 - i);
				queue(i, local[i], remote[i], 100 + k, k % 4, fam << 8 | k);
			}
		}
	poll_both(20);
	for (unsigned int i = 0; i < 2; i++) {
		struct ql_lane_stats s = stats(i);

		ck_assert_uint_eq(engine[i].n_in, 20);
		ck_assert_uint_eq(engine[i].next_out, 20);
		for (unsigned int k = 0; k < 20; k++) {
			const struct ql_datagram *got = &engine[i].in[k];
			const struct ql_datagram *sent = &engine[1 - i].out[k];

			ck_assert_uint_eq(seq_of(got), (k / 10) << 8 | k % 10);
			ck_assert_uint_eq(got->mbuf->data_len, 100 + k % 10);
			ck_assert_uint_eq(got->ecn, k % 10 % 4);
			ck_assert(ql_addr_eq(&got->path.local, &sent->path.remote));
			ck_assert(ql_addr_eq(&got->path.remote, &sent->path.local));
		}
		for (unsigned int r = 0; r < QL_NET_DROP_MAX; r++)
			ck_assert_uint_eq(s.drops[r], 0);
		ck_assert_uint_eq(s.turns, 20);
		ck_assert_uint_gt(s.busy_turns, 0);
		ck_assert_uint_lt(s.busy_turns, 20);
	}
	/* who is asked learns the asker: one question for each family */
	ck_assert_uint_eq(stats(0).answers + stats(1).answers, 2);
	ck_assert_uint_eq(stats(0).rx_frames, stats(1).tx_frames);
	ck_assert_uint_eq(engine[0].last_now <= now, 1);
}
END_TEST

/* One lane that serves both ports: client and server on one lcore. */
START_TEST(one_lane_two_ports)
{
	open_ports(RING_SIZE);
	lane[0] = ql_lane_create(&engine[0], SOCKET_ID_ANY);
	ck_assert_int_eq(ql_lane_add_port(lane[0], port[0], 0), 0);
	ck_assert_int_eq(ql_lane_add_port(lane[0], port[1], 0), 0);
	for (unsigned int k = 0; k < 100; k++)
		queue(0, k & 1 ? "10.9.0.2:1" : "10.9.0.1:2", k & 1 ? "10.9.0.1:2" : "10.9.0.2:1",
		      1200, 0, k);
	for (unsigned int i = 0; i < 20; i++)
		ql_lane_poll(lane[0], now += 1000);
	ck_assert_uint_eq(engine[0].n_in, 100 - stats(0).drops[QL_NET_DROP_NEIGHBOUR]);
	/* each direction's first 50 waited for the MAC, 16 places long */
	ck_assert_uint_le(stats(0).drops[QL_NET_DROP_NEIGHBOUR], 100 - 2 * QL_NEIGH_PENDING);
	ql_lane_free(lane[0]);
	lane[0] = NULL;
}
END_TEST

/* Frames that a full device does not take are kept, and nothing new is asked for meanwhile. */
START_TEST(device_takes_less)
{
	unsigned int made;

	open_ports(SMALL_RING);
	open_lanes();
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, 0);
	poll_both(4);
	ck_assert_uint_eq(engine[1].n_in, 1);
	for (unsigned int k = 1; k <= 1500; k++)
		queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, k);
	for (unsigned int i = 0; i < 10; i++) /* the other end does not read */
		ql_lane_poll(lane[0], ++now);
	made = engine[0].next_out - 1;
	ck_assert_uint_gt(made, SMALL_RING);
	ck_assert_uint_le(made, SMALL_RING + QL_TXQ_HIGH + 32);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_TX_FULL], 0);
	poll_both(200);
	ck_assert_uint_eq(engine[1].n_in, 1501);
	for (unsigned int k = 0; k <= 1500; k++)
		ck_assert_uint_eq(seq_of(&engine[1].in[k]), k);
}
END_TEST

START_TEST(device_stuck)
{
	uint64_t dropped;

	open_ports(SMALL_RING);
	open_lanes();
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, 0);
	poll_both(4);
	for (unsigned int k = 1; k <= 200; k++)
		queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, k);
	for (unsigned int i = 0; i < 10; i++)
		ql_lane_poll(lane[0], ++now);
	ck_assert_uint_eq(engine[0].next_out, 201);
	ql_lane_poll(lane[0], now += QL_TXQ_STUCK_NS - 20);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_TX_FULL], 0);
	ql_lane_poll(lane[0], now += 20);
	dropped = stats(0).drops[QL_NET_DROP_TX_FULL];
	ck_assert_uint_eq(dropped, 200 - (SMALL_RING - 1));
	/* and on it goes */
	poll_both(10);
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, 999);
	poll_both(10);
	ck_assert_uint_eq(engine[1].n_in, 201 - dropped + 1);
	ck_assert_uint_eq(seq_of(&engine[1].in[engine[1].n_in - 1]), 999);
}
END_TEST

START_TEST(cannot_be_sent)
{
	open_ports(RING_SIZE);
	open_lanes();
	queue(0, "10.9.0.7:1", "10.9.0.2:2", 10, 0, 0);	      /* not our address */
	queue(0, "10.9.0.1:1", "10.9.0.1:2", 10, 0, 0);	      /* to ourselves */
	queue(0, "10.9.0.1:1", "[fd00::2]:2", 10, 0, 0);      /* two families */
	queue(0, "[fd00::1]:1", "[2001:db8::1]:2", 10, 0, 0); /* no gateway */
	queue(0, "10.9.0.1:1", "224.0.0.1:2", 10, 0, 0);
	poll_both(3);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_ROUTE], 5);
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 1473, 0, 0);
	queue(0, "[fd00::1]:1", "[fd00::2]:2", 1453, 0, 0);
	poll_both(3);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_TOO_BIG], 2);
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 1472, 0, 0);
	queue(0, "[fd00::1]:1", "[fd00::2]:2", 1452, 0, 0);
	poll_both(10);
	ck_assert_uint_eq(engine[1].n_in, 2);
	ck_assert_uint_eq(ql_port_udp_payload(port[0], false), 1472);
	ck_assert_uint_eq(ql_port_udp_payload(port[0], true), 1452);
}
END_TEST

/* A far address goes through the gateway; its answers come back that way without a question. */
START_TEST(through_a_gateway)
{
	open_ports(RING_SIZE);
	open_lanes();
	queue(0, "10.9.0.1:1", "192.0.2.1:2", 10, 0, 0);
	poll_both(5);
	/* it left, to the gateway's MAC; there it is nobody's */
	ck_assert_uint_eq(stats(1).drops[QL_NET_DROP_NOT_OURS], 1);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_NEIGHBOUR], 0);
}
END_TEST

START_TEST(nobody_answers)
{
	open_ports(RING_SIZE);
	open_lanes();
	queue(0, "10.9.0.1:1", "10.9.0.99:2", 10, 0, 0);
	for (unsigned int i = 0; i < 5; i++)
		ql_lane_poll(lane[0], now += QL_NSEC_PER_SEC);
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_NEIGHBOUR], 1);
	ck_assert_uint_eq(stats(0).tx_frames, QL_NEIGH_TRIES);
}
END_TEST

/* Foreign frames are dropped under their reason and never reach the engine. */
START_TEST(foreign_frames)
{
	struct rte_mbuf *m;
	struct tf f;

	open_ports(RING_SIZE);
	open_lanes();
	tf_udp4(&f, -1, 0, 20); /* for t_mac, which is nobody here */
	for (unsigned int i = 0; i < 40; i++) {
		m = rte_pktmbuf_alloc(ql_port_pool(port[1]));
		memcpy(rte_pktmbuf_append(m, (uint16_t)(f.n - i)), f.b, f.n - i);
		if (i == 0) /* a length that is right, and a MAC that is */
			memcpy(rte_pktmbuf_mtod(m, void *), port[0]->nif.mac.addr_bytes, 6);
		ck_assert_int_eq(rte_ring_enqueue(rings[0], m), 0);
	}
	poll_both(3);
	ck_assert_uint_eq(stats(0).rx_frames, 40);
	/* 10.9.0.2 is not port 0's address */
	ck_assert_uint_eq(stats(0).drops[QL_NET_DROP_NOT_OURS], 40);
	ck_assert_uint_eq(engine[0].n_in, 0);
}
END_TEST

/* The answer to a lane's question comes to the other lane of the port, which tells it. */
START_TEST(answers_for_another_lane)
{
	static const char *const local[2] = {"10.9.0.1:1", "[fd00::1]:1"};
	static const char *const remote[2] = {"10.9.0.2:2", "[fd00::2]:2"};

	open_crossed();
	for (unsigned int fam = 0; fam < 2; fam++) {
		engine[1].out[engine[1].n_out].mbuf = NULL;
		queue(0, local[fam], remote[fam], 10, 0, 7 + fam);
		engine[1].out[engine[1].n_out++] = engine[0].out[--engine[0].n_out];
	}
	poll_all(10);
	ck_assert_uint_eq(engine[3].n_in, 2); /* queue 1 to queue 1 */
	ck_assert_uint_eq(seq_of(&engine[3].in[0]), 7);
	ck_assert_uint_eq(seq_of(&engine[3].in[1]), 8);
	ck_assert_uint_eq(stats(0).rx_frames, 2); /* the answers */
	ck_assert_uint_eq(stats(1).rx_frames, 0);
	ck_assert_uint_eq(stats(1).drops[QL_NET_DROP_NEIGHBOUR], 0);
}
END_TEST

/* Lanes of a port never choose the same port number, and all of their own before one again. */
START_TEST(source_ports)
{
	struct ql_addr local = t_addr("10.9.0.1:0"), remote = t_addr("10.9.0.2:443");
	static uint8_t seen[65536];

	open_crossed();
	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < QL_SOURCE_PORTS; i++) {
		uint16_t p = ql_lane_source_port(lane[i % 2], &local, &remote);

		ck_assert_uint_ge(p, QL_SOURCE_PORTS);
		ck_assert_uint_eq(seen[p]++, 0);
	}
	/* as the device spreads them, where that is known */
	port[0]->rss.ip4 = true;
	port[0]->rss.reta_size = 2;
	port[0]->rss.reta[1] = 1;
	for (unsigned int i = 0; i < sizeof(port[0]->rss.key); i++)
		port[0]->rss.key[i] = (uint8_t)(i * 37 + 11);
	for (unsigned int i = 0; i < 1000; i++) {
		struct ql_path path = {.local = local, .remote = remote};

		path.local.port = ql_lane_source_port(lane[i % 2], &local, &remote);
		ck_assert_int_eq(ql_rss_queue(&port[0]->rss, &path), (int)(i % 2));
	}
	/* an address of nobody's still gives one */
	local = t_addr("10.9.0.77:0");
	ck_assert_uint_ge(ql_lane_source_port(lane[0], &local, &remote), QL_SOURCE_PORTS);
}
END_TEST

/* Rests as it was told to, and not beyond the engine's deadline. */
START_TEST(rests)
{
	uint64_t start;

	open_ports(RING_SIZE);
	open_lanes();
	ck_assert_int_eq(ql_lane_set_idle(lane[0], (enum ql_idle)9), -EINVAL);
	ck_assert_int_eq(ql_lane_set_idle(lane[0], QL_IDLE_PAUSE), 0);
	ql_lane_rest(lane[0]);
	ck_assert_int_eq(ql_lane_set_idle(lane[0], QL_IDLE_SLEEP), 0);
	now = ql_lane_now();
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, 0);
	ql_lane_poll(lane[0], now);
	ql_lane_poll(lane[0], now + QL_IDLE_BEFORE_NS - 1);
	ql_lane_rest(lane[0]); /* it may go on at once */
	ck_assert_uint_eq(stats(0).sleeps, 0);
	poll_both(10);
	now = ql_lane_now();
	ql_lane_poll(lane[0], now + QL_NSEC_PER_SEC);
	start = ql_lane_now();
	ql_lane_rest(lane[0]);
	ck_assert_uint_eq(stats(0).sleeps, 1);
	ck_assert_uint_ge(ql_lane_now() - start, QL_IDLE_NAP_NS); /* a ring cannot wake it */
	engine[0].deadline = 1;
	ql_lane_rest(lane[0]);
	ck_assert_uint_eq(stats(0).sleeps, 1);
	ck_assert_int_eq(ql_lane_set_idle(lane[0], QL_IDLE_POLL), 0);
	engine[0].deadline = QL_NEVER;
	ql_lane_rest(lane[0]);
	ck_assert_uint_eq(stats(0).sleeps, 1);
}
END_TEST

START_TEST(deadlines)
{
	open_ports(RING_SIZE);
	open_lanes();
	engine[0].deadline = now + 10;
	ck_assert(!ql_lane_poll(lane[0], now + 9));
	ck_assert_uint_eq(engine[0].ticks, 0);
	ql_lane_poll(lane[0], now + 10);
	ck_assert_uint_eq(engine[0].ticks, 1);
	ck_assert_uint_eq(engine[0].deadline, QL_NEVER);
	queue(0, "10.9.0.1:1", "10.9.0.2:2", 10, 0, 0);
	ck_assert(ql_lane_poll(lane[0], now + 11));
	ck_assert(!ql_lane_poll(lane[0], now + 12));
}
END_TEST

START_TEST(add_port_errors)
{
	open_ports(RING_SIZE);
	open_lanes();
	ck_assert_int_eq(ql_lane_add_port(lane[0], port[0], 0), -EINVAL); /* has it */
	ck_assert_int_eq(ql_lane_add_port(lane[0], port[1], 1), -EINVAL); /* no such queue */
	ck_assert_int_eq(ql_lane_add_port(lane[0], port[1], 0), 0);
	ql_lane_free(NULL);
}
END_TEST

START_TEST(run_until_stopped)
{
	volatile bool stop = false;

	open_ports(RING_SIZE);
	open_lanes();
	engine[0].stop = &stop;
	engine[0].deadline = 0;
	ql_lane_run(lane[0], &stop);
	ck_assert(stop);
	ck_assert_uint_eq(engine[0].ticks, 1);
	ck_assert_uint_eq(stats(0).turns, 1);
}
END_TEST

/* The clock goes at the speed of the system's, and never back. */
START_TEST(clock_in_ns)
{
	struct timespec a, b;
	uint64_t start, t, last;
	int64_t real, ours;

	open_ports(RING_SIZE);
	clock_gettime(CLOCK_MONOTONIC, &a);
	start = last = ql_lane_now();
	do {
		t = ql_lane_now();
		ck_assert_uint_ge(t, last);
		last = t;
	} while (t - start < 50 * QL_NSEC_PER_MSEC);
	clock_gettime(CLOCK_MONOTONIC, &b);
	real = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
	ours = (int64_t)(last - start);
	ck_assert_int_ge(real, ours * 9 / 10); /* longer if we were not scheduled meanwhile */
}
END_TEST

START_TEST(drop_names)
{
	open_ports(RING_SIZE);
	for (unsigned int i = 0; i < QL_NET_DROP_MAX; i++) {
		const char *name = ql_net_drop_name((enum ql_net_drop)i);

		ck_assert_ptr_nonnull(name);
		ck_assert_str_ne(name, "unknown");
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(name, ql_net_drop_name((enum ql_net_drop)k));
	}
	ck_assert_str_eq(ql_net_drop_name(QL_NET_DROP_MAX), "unknown");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/lane");
	TCase *tc = tcase_create("all");

	rig_eal(NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, both_families);
	tcase_add_test(tc, one_lane_two_ports);
	tcase_add_test(tc, device_takes_less);
	tcase_add_test(tc, device_stuck);
	tcase_add_test(tc, cannot_be_sent);
	tcase_add_test(tc, through_a_gateway);
	tcase_add_test(tc, nobody_answers);
	tcase_add_test(tc, foreign_frames);
	tcase_add_test(tc, answers_for_another_lane);
	tcase_add_test(tc, source_ports);
	tcase_add_test(tc, rests);
	tcase_add_test(tc, deadlines);
	tcase_add_test(tc, add_port_errors);
	tcase_add_test(tc, run_until_stopped);
	tcase_add_test(tc, clock_in_ns);
	tcase_add_test(tc, drop_names);
	suite_add_tcase(s, tc);
	return rig_run(s);
}
