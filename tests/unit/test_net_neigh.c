// SPDX-License-Identifier: BSD-3-Clause
#include "test_net_rig.h"

#include <stdio.h>

static const struct rte_ether_addr mac_a = {{2, 0, 0, 0, 0, 0xa}}, mac_b = {{2, 0, 0, 0, 0, 0xb}};

static const struct ql_neigh_entry *known(const uint8_t ip[16])
{
	return ql_neigh_find(&rig.neigh, ip);
}

static void send_to(const struct ql_addr *hop, uint8_t tag)
{
	ql_neigh_send(&rig.neigh, hop->ip, rig_packet(hop->ip, &tag, 1), rig.now);
}

/* The next frame sent is the packet with this tag, to this MAC. */
static void expect_packet(const struct rte_ether_addr *mac, uint8_t tag)
{
	struct tf f;

	rig_take(&f);
	ck_assert_uint_eq(f.n, 15);
	ck_assert_mem_eq(f.b, mac->addr_bytes, 6);
	ck_assert_uint_eq(f.b[14], tag);
}

/* The next frame sent is an ARP request, to everybody or to this MAC. */
static void expect_request(const struct rte_ether_addr *mac)
{
	struct tf f;

	rig_take(&f);
	ck_assert_uint_eq(f.n, 42);
	ck_assert_mem_eq(f.b, mac ? mac->addr_bytes : t_all, 6);
	ck_assert_uint_eq(f.b[13], 6);
	ck_assert_uint_eq(f.b[21], 1);
}

static struct ql_addr host(unsigned int i)
{
	char text[64];

	snprintf(text, sizeof(text), "fd00::1:%x:%x", i >> 16, i & 0xffff);
	return t_addr(text);
}

START_TEST(packets_wait_in_order)
{
	struct ql_addr hop = t_addr("10.9.0.1");

	for (uint8_t i = 0; i < 5; i++)
		send_to(&hop, i);
	expect_request(NULL);
	ck_assert_uint_eq(rig_sent(), 0);
	ql_neigh_answer(&rig.neigh, hop.ip, &mac_a, true, rig.now);
	for (uint8_t i = 0; i < 5; i++)
		expect_packet(&mac_a, i);
	send_to(&hop, 77);
	expect_packet(&mac_a, 77);
	ck_assert_uint_eq(rig_sent(), 0);
}
END_TEST

/* Too many waiting: the oldest go (RFC 4861, 7.2.2). */
START_TEST(pending_is_bounded)
{
	struct ql_addr hop = t_addr("10.9.0.1");

	for (uint8_t i = 0; i < QL_NEIGH_PENDING + 3; i++)
		send_to(&hop, i);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), 3);
	expect_request(NULL);
	ql_neigh_answer(&rig.neigh, hop.ip, &mac_a, true, rig.now);
	for (uint8_t i = 3; i < QL_NEIGH_PENDING + 3; i++)
		expect_packet(&mac_a, i);
}
END_TEST

START_TEST(pending_of_all_is_bounded)
{
	struct ql_addr hop;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 40; i++)
		for (unsigned int k = 0; k < QL_NEIGH_PENDING; k++, n++) {
			hop = host(i);
			send_to(&hop, (uint8_t)k);
		}
	/* mbufs out: what waits and the questions */
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), n - QL_NEIGH_PENDING_ALL);
	ck_assert_uint_eq(rte_mempool_in_use_count(rig.pool), QL_NEIGH_PENDING_ALL + rig_sent());
	/* and all of it is of use again afterwards */
	ql_neigh_tick(&rig.neigh, rig.now += QL_NSEC_PER_SEC);
	ql_neigh_tick(&rig.neigh, rig.now += QL_NSEC_PER_SEC);
	ql_neigh_tick(&rig.neigh, rig.now += QL_NSEC_PER_SEC);
	ck_assert_uint_eq(ql_neigh_deadline(&rig.neigh), QL_NEVER);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), n);
	ql_txq_clear(&rig.txq);
	for (unsigned int i = 100; i < 100 + QL_NEIGH_PENDING_ALL; i++) {
		hop = host(i);
		send_to(&hop, 1);
	}
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), n);
}
END_TEST

START_TEST(silence_is_given_up_on)
{
	struct ql_addr hop = t_addr("10.9.0.1");

	ck_assert_uint_eq(ql_neigh_deadline(&rig.neigh), QL_NEVER);
	send_to(&hop, 1);
	expect_request(NULL);
	for (unsigned int i = 1; i < QL_NEIGH_TRIES; i++) {
		uint64_t due = ql_neigh_deadline(&rig.neigh);

		ck_assert_uint_eq(due, rig.now + QL_NEIGH_RETRY_NS);
		ql_neigh_tick(&rig.neigh, due - 1);
		ck_assert_uint_eq(rig_sent(), 0);
		rig.now = due;
		ql_neigh_tick(&rig.neigh, rig.now);
		expect_request(NULL);
	}
	ck_assert_ptr_nonnull(known(hop.ip));
	ql_neigh_tick(&rig.neigh, rig.now + QL_NEIGH_RETRY_NS);
	ck_assert_ptr_null(known(hop.ip));
	ck_assert_uint_eq(rig_sent(), 0);
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), 1);
	ck_assert_uint_eq(ql_neigh_deadline(&rig.neigh), QL_NEVER);
}
END_TEST

START_TEST(stale_is_confirmed_while_in_use)
{
	struct ql_addr hop = t_addr("10.9.0.1");

	send_to(&hop, 1);
	ql_neigh_answer(&rig.neigh, hop.ip, &mac_a, true, rig.now);
	ql_txq_clear(&rig.txq);
	rig.now += QL_NEIGH_REACHABLE_NS;
	send_to(&hop, 2);
	expect_packet(&mac_a, 2);
	rig.now += 1;
	send_to(&hop, 3);
	expect_request(&mac_a); /* its owner first */
	expect_packet(&mac_a, 3);
	send_to(&hop, 4);
	expect_packet(&mac_a, 4);
	ql_neigh_tick(&rig.neigh, rig.now += QL_NEIGH_RETRY_NS);
	expect_request(NULL);
	ql_neigh_answer(&rig.neigh, hop.ip, &mac_a, false, rig.now);
	ck_assert_int_eq(known(hop.ip)->state, QL_NEIGH_ANSWERED);
	ck_assert_uint_eq(ql_neigh_deadline(&rig.neigh), QL_NEVER);

	/* and without an answer it is gone */
	rig.now += QL_NEIGH_REACHABLE_NS + 1;
	send_to(&hop, 5);
	for (unsigned int i = 0; i < QL_NEIGH_TRIES; i++)
		ql_neigh_tick(&rig.neigh, rig.now += QL_NEIGH_RETRY_NS);
	ck_assert_ptr_null(known(hop.ip));
}
END_TEST

/* Who talks to us is answered without a question, and goes on being so. */
START_TEST(learned_from_frames)
{
	struct ql_addr peer = t_addr("10.9.0.1");

	for (unsigned int i = 0; i < 10; i++) {
		ql_neigh_learn(&rig.neigh, peer.ip, &mac_a, rig.now);
		send_to(&peer, (uint8_t)i);
		expect_packet(&mac_a, (uint8_t)i);
		ck_assert_uint_eq(rig_sent(), 0);
		rig.now += QL_NEIGH_REACHABLE_NS;
	}
	ck_assert_int_eq(known(peer.ip)->state, QL_NEIGH_LEARNED);
}
END_TEST

START_TEST(frame_ends_the_wait)
{
	struct ql_addr peer = t_addr("10.9.0.1");

	send_to(&peer, 1);
	expect_request(NULL);
	ql_neigh_learn(&rig.neigh, peer.ip, &mac_a, rig.now);
	expect_packet(&mac_a, 1);
	ck_assert_uint_eq(ql_neigh_deadline(&rig.neigh), QL_NEVER);
}
END_TEST

/* A frame with another MAC changes nothing until the neighbour itself answers. */
START_TEST(spoofed_frames)
{
	struct ql_addr peer = t_addr("10.9.0.1");

	send_to(&peer, 1);
	ql_neigh_answer(&rig.neigh, peer.ip, &mac_a, true, rig.now);
	ql_txq_clear(&rig.txq);
	for (unsigned int i = 0; i < 100; i++)
		ql_neigh_learn(&rig.neigh, peer.ip, &mac_b, rig.now);
	expect_request(NULL);
	ck_assert_uint_eq(rig_sent(), 0);
	send_to(&peer, 2);
	expect_packet(&mac_a, 2);
	ql_neigh_learn(&rig.neigh, peer.ip, &mac_a, rig.now); /* the real one goes on talking */
	ck_assert_int_eq(known(peer.ip)->state, QL_NEIGH_ANSWERED);
}
END_TEST

START_TEST(unbelievable)
{
	static const struct rte_ether_addr zero, group = {{3, 0, 0, 0, 0, 1}};
	struct ql_addr peer = t_addr("10.9.0.1"), ours = t_addr("10.9.0.2"), mc = t_addr("ff02::1"),
		       bc = t_addr("10.9.0.255");

	ql_neigh_learn(&rig.neigh, peer.ip, &zero, rig.now);
	ql_neigh_learn(&rig.neigh, peer.ip, &group, rig.now);
	ql_neigh_learn(&rig.neigh, ours.ip, &mac_a, rig.now);
	ql_neigh_learn(&rig.neigh, mc.ip, &mac_a, rig.now);
	ql_neigh_learn(&rig.neigh, bc.ip, &mac_a, rig.now);
	ck_assert_ptr_null(known(peer.ip));
	ck_assert_ptr_null(known(ours.ip));
	ck_assert_ptr_null(known(mc.ip));
	ck_assert_ptr_null(known(bc.ip));

	send_to(&peer, 1);
	ql_neigh_answer(&rig.neigh, peer.ip, &zero, true, rig.now);
	ql_neigh_answer(&rig.neigh, peer.ip, &group, true, rig.now);
	ck_assert_int_eq(known(peer.ip)->state, QL_NEIGH_INCOMPLETE);
}
END_TEST

/* A far source shows the gateway's MAC, which is used, but asked for as well. */
START_TEST(gateway)
{
	struct ql_addr far = t_addr("192.0.2.1"), gw = t_addr("10.9.0.254");

	ql_neigh_learn(&rig.neigh, far.ip, &mac_a, rig.now);
	ck_assert_ptr_null(known(far.ip));
	ck_assert_ptr_nonnull(known(gw.ip));
	expect_request(NULL);
	send_to(&gw, 1);
	expect_packet(&mac_a, 1);
	/* as long as nobody answered, more of such frames change nothing */
	ql_neigh_learn(&rig.neigh, far.ip, &mac_a, rig.now);
	ck_assert_int_eq(known(gw.ip)->state, QL_NEIGH_PROBE);
	ql_neigh_answer(&rig.neigh, gw.ip, &mac_b, true, rig.now);
	send_to(&gw, 2);
	expect_packet(&mac_b, 2);
	/* now that it is known, other routers may forward to us */
	for (unsigned int i = 0; i < 100; i++)
		ql_neigh_learn(&rig.neigh, far.ip, &mac_a, rig.now);
	ck_assert_int_eq(known(gw.ip)->state, QL_NEIGH_ANSWERED);
	ck_assert_uint_eq(rig_sent(), 0);

	/* nothing is learned where there is no way back */
	rig.nif.n_gateways = 0;
	ql_neigh_learn(&rig.neigh, far.ip, &mac_a, rig.now);
	ck_assert_ptr_null(known(far.ip));
}
END_TEST

/* A flood of invented neighbours: bounded, and those who answered stay. */
START_TEST(flood)
{
	struct ql_addr gw = t_addr("fd00::fe"), a, friends[32];
	unsigned int n = 0, kept = 0;

	send_to(&gw, 1);
	ql_neigh_answer(&rig.neigh, gw.ip, &mac_a, true, rig.now);
	for (unsigned int i = 0; i < RTE_DIM(friends); i++) {
		friends[i] = host(1000000 + i);
		send_to(&friends[i], 1);
		ql_neigh_answer(&rig.neigh, friends[i].ip, &mac_b, true, rig.now);
	}
	ql_txq_clear(&rig.txq);
	for (unsigned int i = 0; i < 100000; i++) {
		a = host(i);
		ql_neigh_learn(&rig.neigh, a.ip, &mac_b, rig.now++);
	}
	ck_assert_uint_eq(rig_sent(), 0);
	for (unsigned int s = 0; s < QL_NEIGH_SETS; s++)
		for (unsigned int i = 0; i < QL_NEIGH_WAYS; i++)
			n += rig.neigh.sets[s][i].state != QL_NEIGH_FREE;
	ck_assert_uint_eq(n, QL_NEIGH_ENTRIES);
	for (unsigned int i = 0; i < RTE_DIM(friends); i++)
		kept += known(friends[i].ip) != NULL;
	ck_assert_uint_eq(kept, RTE_DIM(friends));
	ck_assert_ptr_nonnull(known(gw.ip));

	/* the last one to talk is there, so that it gets its answer */
	ck_assert_ptr_nonnull(known(a.ip));

	/* sending to many evicts all but the gateway */
	for (unsigned int i = 2000000; i < 2020000; i++) {
		a = host(i);
		send_to(&a, 1);
		ck_assert_ptr_nonnull(known(a.ip));
		ql_neigh_answer(&rig.neigh, a.ip, &mac_b, true, rig.now++);
		ql_txq_clear(&rig.txq);
	}
	ck_assert_ptr_nonnull(known(gw.ip));
	ck_assert_uint_eq(rig_drops(QL_NET_DROP_NEIGHBOUR), 0);
}
END_TEST

/* Scanning a network through us makes no storm of questions. */
START_TEST(questions_are_limited)
{
	for (unsigned int i = 0; i < 1000; i++) {
		struct ql_addr a = host(i);

		send_to(&a, 1);
	}
	ck_assert_uint_eq(rig_sent(), QL_NEIGH_ASK_BURST);
	ql_txq_clear(&rig.txq);
	rig.now += 10 * QL_NEIGH_ASK_NS;
	for (unsigned int i = 5000; i < 5020; i++) {
		struct ql_addr a = host(i);

		send_to(&a, 1);
	}
	ck_assert_uint_eq(rig_sent(), 10);
}
END_TEST

/* A set full of gateways is not possible (there are two), but a full set must not overflow. */
START_TEST(no_room)
{
	struct ql_addr a;
	unsigned int i;

	/* nothing free, all answered: learning finds no room in any set, and that is all */
	for (i = 0; i < 20000; i++) {
		a = host(i);
		send_to(&a, 1);
		ql_neigh_answer(&rig.neigh, a.ip, &mac_a, true, rig.now);
		ql_txq_clear(&rig.txq);
	}
	for (; i < 21000; i++) {
		a = host(i);
		ql_neigh_learn(&rig.neigh, a.ip, &mac_b, rig.now);
		ck_assert_ptr_null(known(a.ip));
	}
}
END_TEST

/* Random calls: the pool ends full (teardown), lists stay consistent, time only goes on. */
START_TEST(random_calls)
{
	uint64_t seed = 3;

	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t r = t_rand(&seed);
		struct ql_addr a = r & 0x100 ? host(r >> 32 & 0xfff) : host(r >> 32 & 7);
		const struct rte_ether_addr *mac = r & 0x200 ? &mac_a : &mac_b;
		const struct ql_neigh_entry *e;
		uint64_t last = 0;

		switch (r % 5) {
		case 0:
		case 1:
			ql_neigh_send(&rig.neigh, a.ip, rig_packet(a.ip, "x", 1), rig.now);
			break;
		case 2:
			ql_neigh_learn(&rig.neigh, a.ip, mac, rig.now);
			break;
		case 3:
			ql_neigh_answer(&rig.neigh, a.ip, mac, r & 0x400, rig.now);
			break;
		case 4:
			rig.now +=
				(r >> 12) % (r & 0x800 ? QL_NSEC_PER_MSEC : 10 * QL_NSEC_PER_SEC);
			ql_neigh_tick(&rig.neigh, rig.now);
			ck_assert_uint_gt(ql_neigh_deadline(&rig.neigh), rig.now);
		}
		ql_txq_clear(&rig.txq);
		if (i % 64 == 0)
			TAILQ_FOREACH (e, &rig.neigh.asking, asking) {
				ck_assert_uint_ge(e->due, last);
				ck_assert(e->state == QL_NEIGH_INCOMPLETE ||
					  e->state == QL_NEIGH_PROBE);
				last = e->due;
			}
	}
}
END_TEST

static void add(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, packets_wait_in_order);
	tcase_add_test(tc, pending_is_bounded);
	tcase_add_test(tc, pending_of_all_is_bounded);
	tcase_add_test(tc, silence_is_given_up_on);
	tcase_add_test(tc, stale_is_confirmed_while_in_use);
	tcase_add_test(tc, learned_from_frames);
	tcase_add_test(tc, frame_ends_the_wait);
	tcase_add_test(tc, spoofed_frames);
	tcase_add_test(tc, unbelievable);
	tcase_add_test(tc, gateway);
	tcase_add_test(tc, flood);
	tcase_add_test(tc, questions_are_limited);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, random_calls);
}

int main(void)
{
	rig_eal(NULL);
	return rig_main("net/neigh", add);
}
