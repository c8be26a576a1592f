// SPDX-License-Identifier: BSD-3-Clause
/*
 * ECN of a path: whether packets are marked ECT(0), and whether the marks arrive as they were sent
 * (RFC 9000, 13.4.2 and A.4).
 *
 * A path starts TESTING: its first QL_ECN_TEST_PACKETS packets in flight, or those of three PTOs,
 * are marked. Then nothing is (UNKNOWN) until an ACK shows a mark that came through: CAPABLE.
 * Counts that cannot be, or marks of which none arrives, make it FAILED at any time, for good. A
 * capable path on which as many marked packets as make a test are lost in a row, while others
 * arrive, is tested once more.
 *
 * The counts of an ACK frame are those of a packet number space, of all paths: struct ql_ecn_space
 * holds what the last ACK reported, against which the next one is held. Owned by struct ql_recovery
 * (loss.h), who calls it. Times ns, counts packets.
 */
#ifndef QL_RECOVERY_ECN_H
#define QL_RECOVERY_ECN_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/frame.h"

#define QL_ECN_TEST_PACKETS 10
#define QL_ECN_TEST_PTOS    3

enum ql_ecn_state {
	QL_ECN_CAPABLE,
	QL_ECN_TESTING,
	QL_ECN_UNKNOWN,
	QL_ECN_FAILED, /* or not wanted */
};

struct ql_ecn_path {
	uint64_t since; /* packets sent before do not belong to the test */
	uint64_t until; /* end of the test; 0: it has not begun */
	uint8_t state;	/* enum ql_ecn_state */
	bool seen;	/* an ECT(0) has arrived, since the test began */
	/* Marked packets: of the test; of these, CAPABLE: in a row, lost; and acknowledged. */
	uint8_t sent, lost;
	uint8_t acked;
};

struct ql_ecn_space {
	struct ql_ecn_counts counts; /* that the peer has reported */
	uint64_t outstanding;	     /* marked packets that these do not contain */
};

/* A new path; wanted: it may be marked at all. */
void ql_ecn_init(struct ql_ecn_path *e, bool wanted);

void ql_ecn_end_test(struct ql_ecn_path *e);

/* Whether the next packet is to be marked. */
static inline bool ql_ecn_marks(struct ql_ecn_path *e, uint64_t now)
{
	if (__builtin_expect(e->state == QL_ECN_CAPABLE, 1))
		return true;
	if (e->state == QL_ECN_TESTING && e->until > 0 && now >= e->until)
		ql_ecn_end_test(e);
	return e->state == QL_ECN_TESTING;
}

/* A marked packet has gone out that is in flight, while TESTING. pto: without backoff. */
void ql_ecn_on_test_sent(struct ql_ecn_path *e, uint64_t now, uint64_t pto);

/* A marked packet of this path, sent then, is taken for lost. */
void ql_ecn_on_lost(struct ql_ecn_path *e, uint64_t sent);

/*
 * An ACK frame has raised the largest acknowledged number of its space: hold its counts against
 * what was sent (13.4.2.1). newly: marked packets that it newly acknowledges. elsewhere: some of
 * them went over other paths, so that the counts say nothing of this one.
 * Returns the packets that have newly arrived with Congestion Experienced, to be reacted to; 0 when
 * the counts cannot be trusted.
 */
uint64_t ql_ecn_on_ack(struct ql_ecn_path *e, struct ql_ecn_space *sp,
		       const struct ql_frame_ack *ack, uint32_t newly, bool elsewhere,
		       uint64_t now);

#endif /* QL_RECOVERY_ECN_H */
