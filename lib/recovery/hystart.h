// SPDX-License-Identifier: BSD-3-Clause
/*
 * HyStart++, RFC 9406: leaving the first slow start when the RTT rises, before packets are lost.
 *
 * Rounds are counted by what has been delivered. While the RTT of a round is clearly above that of
 * the round before, the window grows at a quarter of the speed (conservative slow start); after
 * five such rounds slow start is over, or it goes on if the RTT falls again. The sender is paced,
 * so one ACK may grow the window by all that it acknowledges (L is infinite).
 *
 * Beyond the RFC: the lowest RTT of a round is its earliest one when a queue begins to grow, so the
 * rise is seen a round later. Over long paths (longstart.h) that is too late for a queue of one
 * round trip's data; there, eight samples in a row are enough.
 *
 * Sizes are bytes, times ns. All integers.
 */
#ifndef QL_RECOVERY_HYSTART_H
#define QL_RECOVERY_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

struct ql_cc_ack;

/* 4.3 */
#define QL_HYSTART_MIN_THRESH UINT64_C(4000000)	 /* ns */
#define QL_HYSTART_MAX_THRESH UINT64_C(16000000) /* ns */
#define QL_HYSTART_SAMPLES    8			 /* RTT samples a round */
#define QL_HYSTART_DIVISOR    4			 /* of growth in conservative slow start */
#define QL_HYSTART_CSS_ROUNDS 5

enum ql_hystart_phase {
	QL_HYSTART_SLOW,
	QL_HYSTART_CSS,	 /* conservative slow start */
	QL_HYSTART_DONE, /* congestion avoidance is next, or has come by a loss */
};

struct ql_hystart {
	uint64_t round_end;		/* bytes delivered when the running round began */
	uint64_t last_min, current_min; /* RTT of a round; UINT64_MAX: none */
	uint64_t risen_min;		/* the lowest of the last samples that are above, */
	uint64_t baseline;		/* RTT at the start of conservative slow start */
	uint32_t samples;		/* in this round */
	uint32_t risen;			/* and how many they are, without one below among them */
	uint8_t phase;			/* enum ql_hystart_phase */
	uint8_t css_rounds;
};

void ql_hystart_init(struct ql_hystart *h);

/*
 * An ACK in slow start. Returns by how much the window grows; when the phase is QL_HYSTART_DONE
 * afterwards, slow start ends with that window.
 */
uint64_t ql_hystart_on_ack(struct ql_hystart *h, const struct ql_cc_ack *ack);

/* A loss or an ECN mark: over for good. */
static inline void ql_hystart_stop(struct ql_hystart *h)
{
	h->phase = QL_HYSTART_DONE;
}

#endif /* QL_RECOVERY_HYSTART_H */
