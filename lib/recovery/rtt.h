// SPDX-License-Identifier: BSD-3-Clause
/*
 * Round-trip time of a path: RFC 9002, section 5. All times in ns.
 */
#ifndef QL_RECOVERY_RTT_H
#define QL_RECOVERY_RTT_H

#include <stdbool.h>
#include <stdint.h>

#define QL_RTT_INITIAL	   UINT64_C(333000000) /* kInitialRtt, 6.2.2 */
#define QL_RTT_GRANULARITY UINT64_C(1000000)   /* kGranularity, 6.1.2 */
#define QL_RTT_MAX	   (UINT64_C(1) << 40) /* samples are cut to this: 18 minutes */

struct ql_rtt {
	uint64_t latest; /* 0 before the first sample */
	uint64_t min;
	uint64_t smoothed;
	uint64_t var;
	uint64_t first_sample; /* when the first one came; meaningful with sampled */
	bool sampled;
};

/* initial: assumed until the first sample; 0 for QL_RTT_INITIAL. */
void ql_rtt_init(struct ql_rtt *rtt, uint64_t initial);

/*
 * A packet sent sample ns before now was newly acknowledged (5.1). ack_delay is the peer's, 0 where
 * it is to be ignored; max_ack_delay limits it, UINT64_MAX before the handshake is confirmed (5.3).
 */
void ql_rtt_sample(struct ql_rtt *rtt, uint64_t now, uint64_t sample, uint64_t ack_delay,
		   uint64_t max_ack_delay);

/* Persistent congestion: what min was is not true any more (5.2). */
static inline void ql_rtt_reset_min(struct ql_rtt *rtt)
{
	rtt->min = rtt->latest;
}

/* Probe timeout (6.2.1) without backoff. max_ack_delay is 0 for Initial and Handshake. */
static inline uint64_t ql_rtt_pto(const struct ql_rtt *rtt, uint64_t max_ack_delay)
{
	uint64_t var = 4 * rtt->var;

	return rtt->smoothed + (var > QL_RTT_GRANULARITY ? var : QL_RTT_GRANULARITY) +
	       max_ack_delay;
}

/* Time threshold of loss detection (6.1.2): the RTT and so many eighths of it, usually one. */
static inline uint64_t ql_rtt_loss_delay(const struct ql_rtt *rtt, unsigned int eighths)
{
	uint64_t t = rtt->latest > rtt->smoothed ? rtt->latest : rtt->smoothed;

	t += t * eighths / 8;
	return t > QL_RTT_GRANULARITY ? t : QL_RTT_GRANULARITY;
}

#endif /* QL_RECOVERY_RTT_H */
