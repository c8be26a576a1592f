// SPDX-License-Identifier: BSD-3-Clause
#include "stream/sched.h"

#include "test_stream_util.h"

#define NODES 200

static struct ql_sched_node nodes[NODES];
static struct ql_sched s;

static void setup(void)
{
	ql_sched_init(&s);
	for (unsigned int i = 0; i < NODES; i++)
		ql_sched_node_init(&nodes[i]);
}

static long picked(bool credit)
{
	struct ql_sched_node *n = ql_sched_pick(&s, credit);

	return n ? n - nodes : -1;
}

START_TEST(strict_levels)
{
	ck_assert_int_eq(picked(true), -1);
	for (unsigned int u = 0; u < 8; u++)
		ql_sched_add(&s, &nodes[u], QL_SCHED_URGENCY(7 - u),
			     u & 1 ? QL_SCHED_INCREMENTAL : QL_SCHED_SEQUENTIAL);
	ql_sched_add(&s, &nodes[8], QL_SCHED_CONTROL, QL_SCHED_SEQUENTIAL);
	for (int i = 8; i >= 0; i--) {
		for (int again = 0; again < 5; again++) {
			ck_assert_int_eq(picked(true), i);
			ql_sched_charge(&s, &nodes[i], 1200);
		}
		ql_sched_remove(&s, &nodes[i]);
	}
	ck_assert_int_eq(picked(true), -1);
	ck_assert(!ql_sched_any(&s, true));
}
END_TEST

/* Without credit only what needs none; with it, that goes first in its level, but only there. */
START_TEST(credit)
{
	ql_sched_add(&s, &nodes[0], 3, QL_SCHED_SEQUENTIAL);
	ck_assert(!ql_sched_any(&s, false));
	ck_assert(ql_sched_any(&s, true));
	ck_assert_int_eq(picked(false), -1);
	ql_sched_add(&s, &nodes[1], 3, QL_SCHED_FREE);
	ql_sched_add(&s, &nodes[2], 3, QL_SCHED_FREE);
	ql_sched_add(&s, &nodes[3], 5, QL_SCHED_FREE);
	ck_assert(ql_sched_any(&s, false));
	ck_assert_int_eq(picked(false), 1);
	ck_assert_int_eq(picked(true), 1);
	ql_sched_charge(&s, &nodes[1], 100000);
	ck_assert_int_eq(picked(true), 1);
	ql_sched_remove(&s, &nodes[1]);
	ck_assert_int_eq(picked(true), 2);
	ql_sched_remove(&s, &nodes[2]);
	ck_assert_int_eq(picked(true), 0);
	ck_assert_int_eq(picked(false), 3);
	ql_sched_remove(&s, &nodes[3]);
	ck_assert_int_eq(picked(false), -1);
	ck_assert_int_eq(picked(true), 0);
}
END_TEST

/* A sequential stream keeps its turn until it is removed; then the next in order of activation. */
START_TEST(sequential)
{
	for (unsigned int i = 0; i < 10; i++)
		ql_sched_add(&s, &nodes[9 - i], 4, QL_SCHED_SEQUENTIAL);
	for (int i = 9; i >= 0; i--) {
		for (int again = 0; again < 10; again++) {
			ck_assert_int_eq(picked(true), i);
			ql_sched_charge(&s, &nodes[i], 65535);
		}
		ql_sched_remove(&s, &nodes[i]);
	}
	ck_assert(!ql_sched_any(&s, true));
}
END_TEST

/* Incremental streams get the same number of bytes, whatever the sizes of their packets. */
/* What is sent again in between does not cost a sequential stream its turn; nor give it one. */
START_TEST(again)
{
	for (unsigned int i = 0; i < 4; i++)
		ql_sched_add(&s, &nodes[i], 4, QL_SCHED_SEQUENTIAL);
	ql_sched_move(&s, &nodes[0], 4, QL_SCHED_FREE);
	ql_sched_move(&s, &nodes[2], 4, QL_SCHED_FREE);
	ck_assert_int_eq(picked(true), 0);
	ql_sched_move(&s, &nodes[0], 4, QL_SCHED_SEQUENTIAL);
	ck_assert_int_eq(picked(true), 2);
	ql_sched_move(&s, &nodes[2], 4, QL_SCHED_SEQUENTIAL);
	ck_assert_int_eq(picked(true), 0); /* 0, 1, 3, 2 */
	/* another level: behind those that are there */
	ql_sched_add(&s, &nodes[4], 5, QL_SCHED_SEQUENTIAL);
	ql_sched_move(&s, &nodes[0], 4, QL_SCHED_FREE);
	ql_sched_move(&s, &nodes[0], 5, QL_SCHED_FREE);
	ql_sched_move(&s, &nodes[0], 5, QL_SCHED_SEQUENTIAL);
	ck_assert_int_eq(picked(true), 1);
	/* nor is it remembered of one that was out */
	ql_sched_move(&s, &nodes[1], 4, QL_SCHED_FREE);
	ql_sched_remove(&s, &nodes[1]);
	ql_sched_move(&s, &nodes[1], 4, QL_SCHED_SEQUENTIAL);
	for (unsigned int i = 0; i < 5; i++) {
		static const int order[] = {3, 2, 1, 4, 0};

		ck_assert_int_eq(picked(true), order[i]);
		ql_sched_remove(&s, &nodes[order[i]]);
	}
	ck_assert_int_eq(picked(true), -1);
}
END_TEST

START_TEST(fair)
{
	uint64_t bytes[8] = {0}, least = UINT64_MAX, most = 0;

	for (unsigned int i = 0; i < 8; i++)
		ql_sched_add(&s, &nodes[i], 4, QL_SCHED_INCREMENTAL);
	for (unsigned int step = 0; step < 20000; step++) {
		long i = picked(true);
		size_t n = 200 + 170 * (size_t)i;

		bytes[i] += n;
		ql_sched_charge(&s, &nodes[i], n);
	}
	for (unsigned int i = 0; i < 8; i++) {
		least = bytes[i] < least ? bytes[i] : least;
		most = bytes[i] > most ? bytes[i] : most;
	}
	ck_assert_uint_le(most - least, QL_SCHED_QUANTUM + 1400);
}
END_TEST

/* Larger than a quantum: one packet each. */
START_TEST(jumbo)
{
	for (unsigned int i = 0; i < 3; i++)
		ql_sched_add(&s, &nodes[i], 4, QL_SCHED_INCREMENTAL);
	for (long i = 0; i < 30; i++) {
		ck_assert_int_eq(picked(true), i % 3);
		ql_sched_charge(&s, &nodes[i % 3], 9000);
	}
}
END_TEST

/* Both classes in one level share it half and half. */
START_TEST(classes)
{
	uint64_t bytes[2] = {0};

	for (unsigned int i = 0; i < 20; i++)
		ql_sched_add(&s, &nodes[i], 4, i < 10 ? QL_SCHED_SEQUENTIAL : QL_SCHED_INCREMENTAL);
	for (unsigned int step = 0; step < 1000; step++) {
		long i = picked(true);

		bytes[i >= 10] += 1200;
		ql_sched_charge(&s, &nodes[i], 1200);
		ck_assert(i == 0 || i >= 10);
	}
	ck_assert_uint_le(bytes[0], bytes[1] + 3600);
	ck_assert_uint_le(bytes[1], bytes[0] + 3600);
}
END_TEST

/* Which node the next packet goes to; it takes one piece of data. */
static long packet(bool with)
{
	long i;

	ql_sched_begin(&s, with);
	i = picked(with);
	if (i >= 0)
		ql_sched_charge(&s, &nodes[i], 1200);
	return i;
}

/* One packet in so many for the less urgent, in turn; the rest for the most urgent. */
START_TEST(share)
{
	unsigned int got[4] = {0};

	s.share = (uint16_t)_i;
	for (unsigned int i = 0; i < 4; i++)
		ql_sched_add(&s, &nodes[i], 2 * i, QL_SCHED_SEQUENTIAL);
	for (unsigned int round = 0; round < 9; round++) {
		for (int k = 1; k < _i; k++)
			ck_assert_int_eq(packet(true), 0);
		ck_assert_int_eq(packet(true), 1 + round % 3);
	}
	/* one level fewer: the turn goes on with those that are left */
	ql_sched_remove(&s, &nodes[1]);
	for (unsigned int k = 0; k < 4 * (unsigned int)_i; k++)
		got[packet(true)]++;
	ck_assert_uint_eq(got[0], 4 * ((unsigned int)_i - 1));
	ck_assert_uint_eq(got[2], 2);
	ck_assert_uint_eq(got[3], 2);
}
END_TEST

/* A share that cannot be used is not lost: what is left of the packet is the first level's. */
START_TEST(share_left)
{
	s.share = 4;
	ql_sched_add(&s, &nodes[0], 1, QL_SCHED_SEQUENTIAL);
	ql_sched_add(&s, &nodes[1], 5, QL_SCHED_INCREMENTAL);
	for (int k = 0; k < 3; k++)
		ck_assert_int_eq(packet(true), 0);
	ck_assert_int_eq(packet(true), 1);
	ck_assert_int_eq(picked(true), 1); /* the same packet */
	ql_sched_remove(&s, &nodes[1]);
	ck_assert_int_eq(picked(true), 0);
	/* alone, a level neither counts packets nor misses any */
	for (int k = 0; k < 10; k++)
		ck_assert_int_eq(packet(true), 0);
	/* without credit, levels that need it do not compete */
	ql_sched_add(&s, &nodes[2], 2, QL_SCHED_FREE);
	ql_sched_add(&s, &nodes[1], 5, QL_SCHED_INCREMENTAL);
	for (int k = 0; k < 10; k++)
		ck_assert_int_eq(packet(false), 2);
	/* and without a share the levels are strict */
	s.share = 0;
	for (int k = 0; k < 200; k++)
		ck_assert_int_eq(packet(true), 0);
}
END_TEST

#define MANY 10000

static struct ql_sched_node many[MANY];

/*
 * Nothing starves: 1 to 10,000 streams of all levels and classes, coming and going, with packets of
 * 1,200 bytes. A level that has something all the while waits for as many packets as the contract
 * says at most, and an incremental stream for as many bytes of its level.
 */
START_TEST(bounds)
{
	static uint64_t seen[MANY]; /* its level's bytes when it was last served, or came */
	uint64_t seed = (uint64_t)_i, bytes[QL_SCHED_LEVELS] = {0}, waits[QL_SCHED_LEVELS] = {0};
	unsigned int n = 1 + (unsigned int)below(&seed, _i % 4 ? 300 : MANY);
	uint64_t most = 2 * (uint64_t)n * (QL_SCHED_QUANTUM + 1200);

	for (unsigned int i = 0; i < n; i++)
		ql_sched_node_init(&many[i]);
	for (unsigned int step = 0; step < 100000; step++) {
		struct ql_sched_node *p = &many[below(&seed, n)];
		size_t room = 1200;

		if (below(&seed, 4) == 0 && ql_sched_in(p)) {
			ql_sched_remove(&s, p);
		} else if (!ql_sched_in(p)) {
			ql_sched_add(&s, p, (unsigned int)below(&seed, QL_SCHED_LEVELS),
				     below(&seed, 2) ? QL_SCHED_SEQUENTIAL : QL_SCHED_INCREMENTAL);
			seen[p - many] = bytes[p->level];
		}
		for (unsigned int l = 0; l < QL_SCHED_LEVELS; l++)
			waits[l] = s.data >> l & 1 ? waits[l] + 1 : 0;
		ql_sched_begin(&s, true);
		while (room > 0 && (p = ql_sched_pick(&s, true)) != NULL) {
			size_t len = 1 + below(&seed, room);

			bytes[p->level] += len;
			waits[p->level] = 0;
			if (p->queue == QL_SCHED_INCREMENTAL) {
				MUST(bytes[p->level] - seen[p - many] <= most);
				seen[p - many] = bytes[p->level];
			}
			ql_sched_charge(&s, p, len);
			room -= len;
		}
		for (unsigned int l = 0; l < QL_SCHED_LEVELS; l++)
			MUST(waits[l] <= QL_SCHED_SHARE * (QL_SCHED_LEVELS - 1));
	}
}
END_TEST

/*
 * The contract over random changes: the level is the most urgent there is, the free queue goes
 * first and in order, a sequential pick is the oldest of its level, and an incremental stream waits
 * for no more than a quantum and a packet of every other one in its level.
 */
START_TEST(contract)
{
	static uint64_t since[NODES], waited[NODES];
	uint64_t seed = (uint64_t)_i, clock = 0;
	unsigned int n = 2 + (unsigned int)below(&seed, NODES - 2), in = 0;

	memset(waited, 0, sizeof(waited));
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = (unsigned int)below(&seed, n);
		size_t len = 1 + below(&seed, 1452);
		bool with = below(&seed, 8) > 0;
		long p;

		if (below(&seed, 4) == 0) {
			if (ql_sched_in(&nodes[i])) {
				ql_sched_remove(&s, &nodes[i]);
				in--;
			} else {
				ql_sched_add(&s, &nodes[i], (unsigned int)below(&seed, 9),
					     (enum ql_sched_queue)below(&seed, QL_SCHED_QUEUES));
				since[i] = ++clock;
				waited[i] = 0;
				in++;
			}
		}
		p = picked(with);
		MUST(ql_sched_any(&s, with) == (p >= 0));
		if (p < 0) {
			for (i = 0; i < n; i++)
				MUST(!ql_sched_in(&nodes[i]) ||
				     (!with && nodes[i].queue != QL_SCHED_FREE));
			continue;
		}
		for (i = 0; i < n; i++) {
			struct ql_sched_node *o = &nodes[i];

			if (i == p || !ql_sched_in(o) || !(with || o->queue == QL_SCHED_FREE) ||
			    o->level > nodes[p].level)
				continue;
			if (o->level < nodes[p].level)
				ck_abort_msg("less urgent before more urgent");
			if (o->queue == QL_SCHED_FREE &&
			    (nodes[p].queue != QL_SCHED_FREE || since[i] < since[p]))
				ck_abort_msg("free before those that need credit, in order");
			if (o->queue != nodes[p].queue)
				continue;
			if (o->queue == QL_SCHED_SEQUENTIAL && since[i] < since[p])
				ck_abort_msg("sequential: in order");
			waited[i] += len;
			if (o->queue == QL_SCHED_INCREMENTAL &&
			    waited[i] > (uint64_t)n * (QL_SCHED_QUANTUM + 1452))
				ck_abort_msg("incremental: waited too long");
		}
		waited[p] = 0;
		ql_sched_charge(&s, &nodes[p], len);
	}
	for (unsigned int i = 0; i < n; i++)
		ql_sched_remove(&s, &nodes[i]);
	ck_assert(!ql_sched_any(&s, true));
	for (unsigned int l = 0; l < QL_SCHED_LEVELS; l++)
		for (unsigned int q = 0; q < QL_SCHED_QUEUES; q++)
			ck_assert_ptr_null(s.head[l][q]);
}
END_TEST

/* ql_sched_sole() is who is picked, packet after packet, and there is one whenever only one is in. */
START_TEST(sole)
{
	uint64_t seed = 5;
	unsigned int found = 0;

	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int n = (unsigned int)below(&seed, 4);
		bool free_ones = below(&seed, 4) == 0;
		const struct ql_sched_node *one;

		setup();
		for (unsigned int i = 0; i < n; i++)
			ql_sched_add(&s, &nodes[i], 3 + (unsigned int)below(&seed, 2),
				     free_ones && below(&seed, 2)
					     ? QL_SCHED_FREE
					     : QL_SCHED_SEQUENTIAL + (unsigned int)below(&seed, 2));
		one = ql_sched_sole(&s);
		MUST(one || n != 1 || s.free);
		MUST(!one || !s.free);
		found += one && n > 1;
		for (unsigned int packet = 0; one && packet < 100; packet++) {
			ql_sched_begin(&s, true);
			MUST(ql_sched_pick(&s, true) == one);
			ql_sched_charge(&s, (struct ql_sched_node *)one, 1 + below(&seed, 1452));
		}
	}
	ck_assert_uint_gt(found, 500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream/sched");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, strict_levels);
	tcase_add_test(tc, credit);
	tcase_add_test(tc, sole);
	tcase_add_test(tc, sequential);
	tcase_add_test(tc, again);
	tcase_add_test(tc, fair);
	tcase_add_test(tc, jumbo);
	tcase_add_test(tc, classes);
	tcase_add_loop_test(tc, share, 2, 6);
	tcase_add_test(tc, share_left);
	tcase_add_loop_test(tc, contract, 1, 21);
	tcase_add_loop_test(tc, bounds, 1, 21);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
