// SPDX-License-Identifier: BSD-3-Clause
/* 0-RTT packets that wait for their keys: order, bounds, time, mbufs. */
#include "unit/test_engine_util.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "engine/held.h"

static struct rte_mempool *pool;
static struct ql_held held;
static uint64_t dropped;

static void setup(void)
{
	sim_env_init();
	pool = rte_pktmbuf_pool_create("held", 255, 0, 0, 2048, -1);
	ck_assert_ptr_nonnull(pool);
	memset(&held, 0, sizeof(held));
	dropped = 0;
}

static struct ql_initial_key key_of(uint8_t who)
{
	struct ql_initial_key key;

	memset(&key, 0, sizeof(key));
	memset(&key, who, 1);
	return key;
}

/* A packet of this connection, whose offset tells it from others. */
static bool add(uint8_t who, uint16_t offset, uint64_t now)
{
	struct ql_held_packet packet = {.key = key_of(who), .offset = offset, .len = 30};
	bool kept;

	packet.dgram.mbuf = rte_pktmbuf_alloc(pool);
	ck_assert_ptr_nonnull(packet.dgram.mbuf);
	kept = ql_held_add(&held, &packet, now, &dropped);
	rte_pktmbuf_free(packet.dgram.mbuf); /* the caller's own reference */
	return kept;
}

/* The next one's offset, or -1. */
static int take(uint8_t who)
{
	struct ql_initial_key key = key_of(who);
	struct ql_held_packet packet;

	if (!ql_held_take(&held, &key, &packet))
		return -1;
	ck_assert_uint_eq(packet.len, 30);
	rte_pktmbuf_free(packet.dgram.mbuf);
	return packet.offset;
}

static void expect_held(unsigned int n)
{
	ck_assert_uint_eq(held.n, n);
	ck_assert_uint_eq(rte_mempool_in_use_count(pool), n);
}

START_TEST(order)
{
	ck_assert_int_eq(take(1), -1);
	for (uint16_t i = 0; i < 3; i++) {
		ck_assert(add(1, i, 0));
		ck_assert(add(2, 10 + i, 0));
	}
	expect_held(6);
	ck_assert_int_eq(take(3), -1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(take(2), 10 + i);
	ck_assert_int_eq(take(2), -1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(take(1), i);
	expect_held(0);
	ck_assert_uint_eq(dropped, 0);
}
END_TEST

/* One connection has its share, all together theirs. */
START_TEST(bounds)
{
	for (unsigned int i = 0; i < QL_HELD_EACH; i++)
		ck_assert(add(1, (uint16_t)i, 0));
	ck_assert(!add(1, 99, 0));
	expect_held(QL_HELD_EACH);
	for (unsigned int i = QL_HELD_EACH; i < QL_HELD_MAX; i++)
		ck_assert(add((uint8_t)(2 + i), 0, 0));
	ck_assert(!add(255, 0, 0));
	expect_held(QL_HELD_MAX);
	ck_assert_int_eq(take(1), 0);
	ck_assert(add(255, 0, 0));
	ck_assert_uint_eq(dropped, 0); /* those refused are the caller's to count */
	ql_held_free(&held);
	expect_held(0);
	ql_held_free(&held);
}
END_TEST

/* What is too old makes room, and counts. */
START_TEST(old_ones)
{
	ck_assert(add(1, 0, 5));
	ck_assert(add(1, 1, 7));
	ck_assert(add(2, 0, QL_HELD_LIFE + 4));
	expect_held(3);
	ck_assert_uint_eq(dropped, 0);
	ck_assert(add(2, 1, QL_HELD_LIFE + 5));
	ck_assert_uint_eq(dropped, 1);
	expect_held(3);
	ck_assert_int_eq(take(1), 1);
	ck_assert(add(2, 2, 3 * QL_HELD_LIFE));
	ck_assert_uint_eq(dropped, 3);
	ck_assert_int_eq(take(2), 2);
	expect_held(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine/held");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, order);
	tcase_add_test(tc, bounds);
	tcase_add_test(tc, old_ones);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
