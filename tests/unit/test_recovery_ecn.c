// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/ecn.h"

#include "test_recovery_util.h"

#define PTO 100

static struct ql_ecn_path path;
static struct ql_ecn_space space;
static struct ql_ecn_counts peer; /* what it has counted */
static uint64_t now;

static void open_path(void)
{
	now = 1000;
	memset(&space, 0, sizeof(space));
	memset(&peer, 0, sizeof(peer));
	ql_ecn_init(&path, true);
}

static void nothing(void)
{
}

/* Send n packets in flight, marked if they are to be. Returns how many are. */
static unsigned int send_packets(unsigned int n)
{
	unsigned int marked = 0;

	for (; n > 0; n--) {
		if (!ql_ecn_marks(&path, now))
			continue;
		marked++;
		space.outstanding++;
		if (path.state == QL_ECN_TESTING)
			ql_ecn_on_test_sent(&path, now, PTO);
	}
	return marked;
}

/* So many more have come to the peer with ECT(0) and CE; its ACK is for newly marked packets. */
static uint64_t acked(unsigned int ect0, unsigned int ce, uint32_t newly)
{
	struct ql_frame_ack ack = {.has_ecn = true};

	peer.ect0 += ect0;
	peer.ce += ce;
	ack.ecn = peer;
	return ql_ecn_on_ack(&path, &space, &ack, newly, false, now);
}

static void become_capable(void)
{
	ck_assert_uint_eq(send_packets(20), 10);
	ck_assert_uint_eq(acked(10, 0, 10), 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
}

/* ---- The way of a good path (A.4) ---- */

START_TEST(test_capable)
{
	ck_assert_uint_eq(path.state, QL_ECN_TESTING);
	ck_assert_uint_eq(send_packets(9), 9);
	ck_assert_uint_eq(acked(2, 0, 2), 0);
	ck_assert_uint_eq(path.state, QL_ECN_TESTING); /* the test goes on all the same */
	ck_assert_uint_eq(send_packets(5), 1);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	ck_assert_uint_eq(acked(3, 0, 3), 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	ck_assert_uint_eq(send_packets(50), 50);
	/* More than are acknowledged: other ACKs were lost. */
	ck_assert_uint_eq(acked(30, 0, 10), 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
}
END_TEST

/* The test ends by time, too, and begins with the first packet. */
START_TEST(test_time)
{
	now += 50 * PTO;
	ck_assert_uint_eq(send_packets(1), 1);
	now += QL_ECN_TEST_PTOS * PTO - 1;
	ck_assert_uint_eq(send_packets(1), 1);
	now++;
	ck_assert_uint_eq(send_packets(1), 0);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	/* No marked packet is acknowledged: nothing is known. */
	ck_assert_uint_eq(acked(0, 0, 0), 0);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	ck_assert_uint_eq(acked(1, 0, 1), 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
}
END_TEST

START_TEST(test_not_wanted)
{
	ql_ecn_init(&path, false);
	ck_assert_uint_eq(send_packets(20), 0);
	ck_assert_uint_eq(acked(0, 0, 0), 0);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

/* ---- Congestion Experienced ---- */

START_TEST(test_ce)
{
	ck_assert_uint_eq(send_packets(10), 10);
	ck_assert_uint_eq(acked(4, 1, 5), 1); /* trusted while UNKNOWN, too */
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	send_packets(50);
	ck_assert_uint_eq(acked(1, 7, 5), 7);
	ck_assert_uint_eq(acked(0, 20, 20), 20); /* all of them: congestion */
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	ck_assert_uint_eq(acked(1, 0, 1), 0);
}
END_TEST

/* While a path is new, nothing but CE is a fault of the path. */
START_TEST(test_all_ce)
{
	send_packets(10);
	acked(0, 6, 6);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	for (unsigned int i = 0; i < 3; i++)
		ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(acked(0, 1, 1), 0);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

/* ---- Failure (13.4.2.1) ---- */

/* What the counts of an ACK become, in a row for each fault, behind 20 of 50 packets. */
static const struct {
	const char *name;
	bool none;		/* no counts at all */
	int64_t ect0, ect1, ce; /* how they change */
	unsigned int newly;
	bool fine;
} faults[] = {
	{"counts as they should be", .ect0 = 5, .newly = 5, .fine = true},
	{"no counts for marked packets", .none = true, .newly = 1},
	{"no counts, nothing marked", .none = true, .newly = 0, .fine = true},
	{"bleached", .newly = 1},
	{"some bleached", .ect0 = 3, .ce = 1, .newly = 5},
	{"ECT(0) goes down", .ect0 = -1, .newly = 0},
	{"ECT(0) goes down, CE up", .ect0 = -1, .ce = 10, .newly = 5},
	{"CE goes down", .ect0 = 10, .ce = -1, .newly = 5},
	{"ECT(1) that was never sent", .ect0 = 5, .ect1 = 1, .newly = 5},
	{"remarked", .ect1 = 5, .newly = 5},
	{"all there are", .ect0 = 30, .newly = 5, .fine = true},
	{"more ECT(0) than were sent", .ect0 = 31, .newly = 5},
	{"more than were sent", .ect0 = 10, .ce = 21, .newly = 5},
};

static void try_fault(unsigned int i)
{
	struct ql_frame_ack ack = {.has_ecn = !faults[i].none};

	peer.ect0 += (uint64_t)faults[i].ect0;
	peer.ect1 += (uint64_t)faults[i].ect1;
	peer.ce += (uint64_t)faults[i].ce;
	if (ack.has_ecn)
		ack.ecn = peer;
	ql_ecn_on_ack(&path, &space, &ack, faults[i].newly, false, now);
}

START_TEST(test_fails)
{
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const char *name = faults[i].name;

		open_path();
		become_capable();
		CHECK(send_packets(40) == 40);
		CHECK(acked(8, 2, 10) == 2);
		try_fault(i);
		ck_assert_msg((path.state == QL_ECN_FAILED) == !faults[i].fine, "%s", name);
		ck_assert_msg(send_packets(10) == (faults[i].fine ? 10 : 0), "%s: marks", name);
		if (faults[i].fine)
			continue;
		/* CE is not believed any more. */
		ck_assert_msg(acked(0, 3, 0) == 0, "%s: CE", name);
		ck_assert_msg(path.state == QL_ECN_FAILED, "%s: later", name);
	}
}
END_TEST

/* The same while a path is tested. */
START_TEST(test_fails_early)
{
	ck_assert_uint_eq(send_packets(3), 3);
	ck_assert_uint_eq(acked(0, 0, 2), 0);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

/* What went over other paths is no proof against this one, but is not forgotten. */
START_TEST(test_elsewhere)
{
	struct ql_frame_ack ack = {0};

	become_capable();
	send_packets(10);
	ql_ecn_init(&path, true);
	ck_assert_uint_eq(send_packets(5), 5);
	ck_assert_uint_eq(ql_ecn_on_ack(&path, &space, &ack, 3, true, now), 0);
	ack = (struct ql_frame_ack){.has_ecn = true, .ecn = {.ect0 = 11, .ect1 = 4, .ce = 2}};
	ck_assert_uint_eq(ql_ecn_on_ack(&path, &space, &ack, 5, true, now), 0);
	ck_assert_uint_eq(path.state, QL_ECN_TESTING);
	peer = ack.ecn;
	send_packets(5);
	ck_assert_uint_eq(acked(10, 0, 10), 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
}
END_TEST

/* A failed path leaves no counts behind that a new one would have to answer for. */
START_TEST(test_after_failure)
{
	become_capable();
	acked(1000, 50, 0);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
	acked(1000, 50, 0);
	ql_ecn_init(&path, true);
	become_capable();
}
END_TEST

/* ---- Lost packets ---- */

START_TEST(test_all_lost)
{
	send_packets(10);
	for (unsigned int i = 0; i < 9; i++)
		ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

START_TEST(test_lost_before_end)
{
	send_packets(2);
	ql_ecn_on_lost(&path, now);
	ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_TESTING); /* one more may come through */
	now += QL_ECN_TEST_PTOS * PTO;
	ck_assert_uint_eq(send_packets(1), 0);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

/* Marked packets that are lost in a row: is it the marks? */
START_TEST(test_again)
{
	become_capable();
	send_packets(60);
	for (unsigned int i = 0; i < 9; i++)
		ql_ecn_on_lost(&path, now);
	acked(1, 0, 1);
	for (unsigned int i = 0; i < 9; i++)
		ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	acked(0, 0, 0);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	ql_ecn_on_lost(&path, now);
	acked(1, 0, 1); /* only a burst */
	for (unsigned int i = 0; i < 10; i++)
		ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_CAPABLE);
	now += 10;
	acked(0, 0, 0);
	ck_assert_uint_eq(path.state, QL_ECN_TESTING);
	/* The old ones do not belong to the new test. */
	for (unsigned int i = 0; i < 20; i++)
		ql_ecn_on_lost(&path, now - 1);
	ck_assert_uint_eq(send_packets(20), 10);
	ck_assert_uint_eq(path.state, QL_ECN_UNKNOWN);
	for (unsigned int i = 0; i < 10; i++)
		ql_ecn_on_lost(&path, now);
	ck_assert_uint_eq(path.state, QL_ECN_FAILED);
}
END_TEST

RUN("recovery/ecn", open_path, nothing, test_capable, test_time, test_not_wanted, test_ce,
    test_all_ce, test_fails, test_fails_early, test_elsewhere, test_after_failure, test_all_lost,
    test_lost_before_end, test_again)
