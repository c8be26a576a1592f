// SPDX-License-Identifier: BSD-3-Clause
/* The queue over a net_ring device of 63 places. test_net_lane.c has the rest. */
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "test_net_rig.h"

#define PLACES 63

static struct rte_ring *ring;
static uint16_t id;

static void open_device(void)
{
	struct rte_eth_conf conf = {0};
	int rc;

	ring = rte_ring_create("wire", PLACES + 1, SOCKET_ID_ANY, 0);
	ck_assert_ptr_nonnull(ring);
	rc = rte_eth_from_rings("txq", &ring, 1, &ring, 1, 0);
	ck_assert_int_ge(rc, 0);
	id = (uint16_t)rc;
	ck_assert_int_eq(rte_eth_dev_configure(id, 1, 1, &conf), 0);
	ck_assert_int_eq(rte_eth_rx_queue_setup(id, 0, 64, 0, NULL, rig.pool), 0);
	ck_assert_int_eq(rte_eth_tx_queue_setup(id, 0, 64, 0, NULL), 0);
	ck_assert_int_eq(rte_eth_dev_start(id), 0);
}

static void push(uint16_t tag)
{
	ql_txq_push(&rig.txq, rig_mbuf(&tag, sizeof(tag)));
}

static void expect_on_wire(uint16_t tag)
{
	struct rte_mbuf *m;

	ck_assert_int_eq(rte_ring_dequeue(ring, (void **)&m), 0);
	ck_assert_mem_eq(rte_pktmbuf_mtod(m, void *), &tag, sizeof(tag));
	rte_pktmbuf_free(m);
}

START_TEST(kept_in_order)
{
	uint16_t in = 0, out = 0;

	ql_txq_init(&rig.txq, id, 0, true, &rig.stats);
	/* go round often enough for the frames to be moved to the front again and again */
	for (unsigned int round = 0; round < 100; round++) {
		while (rig.txq.n < QL_TXQ_SIZE)
			push(in++);
		ql_txq_flush(&rig.txq, rig.now++);
		for (unsigned int i = 0; i < PLACES; i++)
			expect_on_wire(out++);
	}
	while (out < in) {
		ql_txq_flush(&rig.txq, rig.now++);
		for (unsigned int i = 0; i < PLACES && out < in; i++)
			expect_on_wire(out++);
	}
	ck_assert_uint_eq(rig.stats.tx_frames, in);
	ck_assert_uint_eq(rig_all_drops(), 0);
	ck_assert_uint_eq(rig.txq.n, 0);
}
END_TEST

START_TEST(overflow)
{
	for (unsigned int i = 0; i < QL_TXQ_SIZE + 5; i++)
		push((uint16_t)i);
	ck_assert_uint_eq(rig.txq.n, QL_TXQ_SIZE);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_TX_FULL), 5);
}
END_TEST

START_TEST(stuck)
{
	ql_txq_init(&rig.txq, id, 0, false, &rig.stats);
	for (uint16_t i = 0; i < PLACES + 10; i++)
		push(i);
	ql_txq_flush(&rig.txq, rig.now);
	ck_assert_uint_eq(rig.txq.n, 10);
	/* one place free now and then starts the patience anew */
	ql_txq_flush(&rig.txq, rig.now += QL_TXQ_STUCK_NS - 1);
	expect_on_wire(0);
	ql_txq_flush(&rig.txq, rig.now += QL_TXQ_STUCK_NS);
	ck_assert_uint_eq(rig.txq.n, 9);
	ql_txq_flush(&rig.txq, rig.now += QL_TXQ_STUCK_NS - 1);
	ck_assert_uint_eq(rig.txq.n, 9);
	ql_txq_flush(&rig.txq, rig.now += 1);
	ck_assert_uint_eq(rig.txq.n, 0);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_TX_FULL), 9);
	for (uint16_t i = 1; i < PLACES + 1; i++)
		expect_on_wire(i);
}
END_TEST

static void add(TCase *tc)
{
	tcase_add_unchecked_fixture(tc, open_device, NULL);
	tcase_add_test(tc, kept_in_order);
	tcase_add_test(tc, overflow);
	tcase_add_test(tc, stuck);
}

int main(void)
{
	rig_eal(NULL);
	return rig_main("net/txq", add);
}
