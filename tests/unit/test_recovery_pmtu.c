// SPDX-License-Identifier: BSD-3-Clause
/* The search for a path's MTU, and its black holes (RFC 8899). */
#include "recovery/pmtu.h"

#include "test_recovery_util.h"

#define SEC QL_NSEC_PER_SEC

static uint64_t now;

/* One probe over a path that takes `mtu` bytes. Its size; 0 when none is due. */
static uint16_t probe(struct ql_pmtu *p, uint16_t mtu)
{
	uint16_t size = ql_pmtu_due(p, now);

	if (size == 0)
		return 0;
	CHECK(size > p->size && size <= p->max);
	ql_pmtu_sent(p);
	CHECK(ql_pmtu_due(p, now + SEC) == 0); /* one at a time */
	now += SEC / 100;
	if (size <= mtu)
		CHECK(ql_pmtu_acked(p, size, now) && p->size == size);
	else
		ql_pmtu_lost(p, size, now);
	return size;
}

/* Until there is none due any more. How many there were. */
static unsigned int search(struct ql_pmtu *p, uint16_t mtu)
{
	unsigned int n = 0;

	while (probe(p, mtu) > 0)
		CHECK(++n < 60);
	return n;
}

/* Whatever the path takes is found, to 16 bytes or 1.6 %, and never exceeded. */
START_TEST(finds)
{
	static const uint16_t max[] = {1200, 1201, 1232, 1452, 1472, 2000, 8972, 16383};
	unsigned int n;

	for (unsigned int i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		for (uint16_t mtu = 1200; mtu <= max[i]; mtu++) {
			uint16_t least = mtu / 64 > 16 ? mtu / 64 : 16;
			struct ql_pmtu p;

			ql_pmtu_init(&p, 1200, max[i], false, now);
			n = search(&p, mtu);
			CHECK(p.size <= mtu && p.size + least >= mtu);
			if (mtu == max[i]) /* at once, if that is so */
				CHECK(n == (mtu > 1200) && p.size == mtu && p.next == QL_NEVER);
			else if (mtu == 1472 || mtu == 1452)
				CHECK(p.size == mtu);
		}
	}
}
END_TEST

/* A size has failed only when three probes of it are lost. */
START_TEST(tries)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1200, 1500, false, now);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_eq(probe(&p, 1400), 1500);
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 1500);
	ck_assert_uint_eq(probe(&p, 1500), 1500);
	ck_assert_uint_eq(p.size, 1500);

	ql_pmtu_init(&p, 1200, 1500, false, now);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(probe(&p, 1400), 1500);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(probe(&p, 1400), 1472);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(probe(&p, 1400), 1452);
	ck_assert_uint_eq(probe(&p, 1400), 1326);
	ck_assert_uint_eq(p.size, 1326);
}
END_TEST

/* After ten minutes the path may be another. */
START_TEST(raise)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1200, 9000, false, now);
	ck_assert_uint_gt(search(&p, 1472), 3);
	ck_assert_uint_eq(p.size, 1472);
	ck_assert_uint_eq(p.next, now + QL_PMTU_RAISE);
	now += QL_PMTU_RAISE - 1;
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 0);
	now++;
	ck_assert_uint_eq(search(&p, 9000), 1);
	ck_assert_uint_eq(p.size, 9000);
	ck_assert_uint_eq(p.next, QL_NEVER);
}
END_TEST

/* What comes late, or of a search that is over. */
START_TEST(late)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1200, 9000, false, now);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(probe(&p, 1300), 9000);
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 1472);
	ql_pmtu_sent(&p);
	ql_pmtu_lost(&p, 9000, now); /* not this one */
	ck_assert_uint_eq(p.tries, 0);
	ck_assert(ql_pmtu_acked(&p, 9000, now));
	ck_assert_uint_eq(p.size, 9000);
	ck_assert_uint_eq(p.next, QL_NEVER);
	ck_assert(!ql_pmtu_acked(&p, 1472, now));
	ql_pmtu_lost(&p, 1472, now);
	ck_assert_uint_eq(p.size, 9000);
	/* one whose fate nobody will tell: again */
	ql_pmtu_init(&p, 1200, 9000, false, now);
	ql_pmtu_sent(&p);
	ql_pmtu_abandon(&p, now);
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 9000);
	/* complete, or in a pause: nothing to abandon */
	search(&p, 9000);
	ql_pmtu_abandon(&p, now);
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 0);
}
END_TEST

/* The peer's limit, before anything was tried. */
START_TEST(limit)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1400, 9000, false, now);
	ck_assert(!ql_pmtu_limit(&p, 65527, now));
	ck_assert(!ql_pmtu_limit(&p, 2000, now));
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 2000);
	ck_assert(ql_pmtu_limit(&p, 1300, now));
	ck_assert_uint_eq(p.size, 1300);
	ck_assert_uint_eq(ql_pmtu_due(&p, now), 0);
	ck_assert(!ql_pmtu_acked(&p, 2000, now));
	/* a size that is fixed follows, too, and nothing else moves it */
	ql_pmtu_init(&p, 1400, 9000, true, now);
	ck_assert_uint_eq(ql_pmtu_due(&p, QL_NEVER - 1), 0);
	ck_assert(ql_pmtu_limit(&p, 1300, now));
	ck_assert_uint_eq(p.size, 1300);
	ck_assert_uint_eq(ql_pmtu_due(&p, QL_NEVER - 1), 0);
	for (unsigned int i = 0; i < 20; i++)
		ql_pmtu_big_lost(&p, now + 1);
	ck_assert(!ql_pmtu_is_hole(&p, 10));
	ql_pmtu_abandon(&p, now);
	ck_assert_uint_eq(ql_pmtu_due(&p, QL_NEVER - 1), 0);
	/* below what is known there is nothing to look for */
	ql_pmtu_init(&p, 1400, 1300, false, now);
	ck_assert_uint_eq(p.max, 1400);
	ck_assert_uint_eq(p.next, QL_NEVER);
}
END_TEST

START_TEST(black_hole)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1200, 1472, false, now);
	search(&p, 1472);
	ck_assert(!ql_pmtu_is_hole(&p, 1));
	ck_assert(ql_pmtu_is_hole(&p, 2));
	/* six in a row, each after the last one that passed */
	ck_assert(ql_pmtu_is_big(&p, 1201));
	ck_assert(!ql_pmtu_is_big(&p, 1200));
	ql_pmtu_big_passed(&p, now);
	for (unsigned int i = 0; i < 100; i++)
		ql_pmtu_big_lost(&p, now - i);
	ck_assert(!ql_pmtu_is_hole(&p, 0));
	for (unsigned int i = 1; i <= 5; i++)
		ql_pmtu_big_lost(&p, now + i);
	ck_assert(!ql_pmtu_is_hole(&p, 0));
	ql_pmtu_big_passed(&p, now + 3); /* so it was not the size */
	for (unsigned int i = 4; i <= 8; i++)
		ql_pmtu_big_lost(&p, now + i);
	ql_pmtu_big_passed(&p, now + 2); /* an older one says nothing */
	ck_assert(!ql_pmtu_is_hole(&p, 0));
	ql_pmtu_big_lost(&p, now + 9);
	ck_assert(ql_pmtu_is_hole(&p, 0));
	ql_pmtu_on_hole(&p, now + 9);
	ck_assert_uint_eq(p.size, 1200);
	ck_assert(!ql_pmtu_is_hole(&p, 9));
	/* the first time the search goes on at once, then it takes its time */
	ck_assert_uint_eq(p.next, now + 9);
	now += 9;
	search(&p, 1472);
	ck_assert_uint_eq(p.size, 1472);
	ql_pmtu_on_hole(&p, now);
	ck_assert_uint_eq(p.next, now + QL_PMTU_AGAIN);
	for (unsigned int i = 0; i < 300; i++)
		ql_pmtu_on_hole(&p, now);
	ck_assert_uint_eq(p.next, now + QL_PMTU_RAISE);
	ck_assert_uint_eq(ql_pmtu_due(&p, p.next), 1472);
}
END_TEST

/* Packets of a size that may not change do not pass. */
START_TEST(fixed_dead)
{
	struct ql_pmtu p;

	for (unsigned int fixed = 0; fixed < 2; fixed++) {
		ql_pmtu_init(&p, 1300, 1300, fixed, now);
		for (unsigned int i = 1; i <= 6; i++)
			ql_pmtu_big_lost(&p, now + i);
		ck_assert(ql_pmtu_is_hole(&p, 0) == !fixed);
		ck_assert(!ql_pmtu_is_dead(&p, now + QL_PMTU_DEAD));
		ck_assert(ql_pmtu_is_dead(&p, now + 1 + QL_PMTU_DEAD) == fixed);
	}
}
END_TEST

/* Not even packets of the least size pass, but smaller ones do. */
START_TEST(dead)
{
	struct ql_pmtu p;

	ql_pmtu_init(&p, 1200, 1472, false, now);
	ck_assert(ql_pmtu_is_big(&p, 1200));
	ck_assert(!ql_pmtu_is_big(&p, 1199));
	ql_pmtu_big_passed(&p, now);
	for (unsigned int i = 1; i <= 6; i++) {
		ck_assert(!ql_pmtu_is_dead(&p, now + 60 * SEC));
		ql_pmtu_big_lost(&p, now + i);
	}
	ck_assert(!ql_pmtu_is_dead(&p, now + QL_PMTU_DEAD));
	ck_assert(ql_pmtu_is_dead(&p, now + 1 + QL_PMTU_DEAD));
	ck_assert(!ql_pmtu_is_hole(&p, 0));
	for (unsigned int i = 0; i < 300; i++)
		ql_pmtu_big_lost(&p, now + 10);
	ck_assert(ql_pmtu_is_dead(&p, now + 1 + QL_PMTU_DEAD));
	ql_pmtu_big_passed(&p, now + 7);
	ck_assert(!ql_pmtu_is_dead(&p, now + 60 * SEC));
}
END_TEST

static void open_all(void)
{
	mem_open();
	now = 1000 * SEC;
}

RUN("recovery/pmtu", open_all, mem_close, finds, tries, raise, late, limit, black_hole, fixed_dead,
    dead)
