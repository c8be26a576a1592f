// SPDX-License-Identifier: BSD-3-Clause
/*
 * BBRv3, draft-ietf-ccwg-bbr: what it keeps for a path. The functions are ql_cc_bbr (cc.h).
 *
 * BBR models the path by the highest delivery rate and the lowest RTT it has seen lately, sends at
 * that rate with that much in flight, and probes now and then for more of the one (ProbeBW) and
 * less of the other (ProbeRTT). Losses bound what it sends until the next probe; more than 2 % of a
 * round trip end a probe.
 *
 * Names are the draft's, "long" and "short" for its longterm and shortterm. Volumes are bytes,
 * rates bytes a second, times ns; QL_BBR_NONE is its Infinity. All integers: gains are per cent.
 */
#ifndef QL_RECOVERY_BBR_H
#define QL_RECOVERY_BBR_H

#include <stdbool.h>
#include <stdint.h>

#define QL_BBR_NONE UINT64_MAX

enum ql_bbr_state {
	QL_BBR_STARTUP,
	QL_BBR_DRAIN,
	QL_BBR_DOWN, /* the four of ProbeBW */
	QL_BBR_CRUISE,
	QL_BBR_REFILL,
	QL_BBR_UP,
	QL_BBR_PROBE_RTT,
	QL_BBR_STATES, /* also: no state to undo to */
};

enum ql_bbr_ack_phase {
	QL_BBR_ACKS_INIT,
	QL_BBR_ACKS_REFILLING,
	QL_BBR_ACKS_STARTING, /* _PROBE_STARTING and so on */
	QL_BBR_ACKS_FEEDBACK,
	QL_BBR_ACKS_STOPPING,
};

struct ql_bbr {
	/* The model. */
	uint64_t max_bw[2]; /* of the previous and the running cycle of ProbeBW */
	uint64_t bw, bw_short, bw_latest;
	uint64_t inflight_long, inflight_short, inflight_latest;
	uint64_t min_rtt, min_rtt_stamp;
	uint64_t extra_acked[2]; /* of the previous rounds and the running ones */
	uint64_t extra_acked_start, extra_acked_delivered;

	/* Rounds, counted by what has been delivered. */
	uint64_t delivered, next_round_delivered, loss_round_delivered;
	uint32_t round_count, rounds_since_probe_up, drain_start_round, extra_acked_rounds;

	/* Is the pipe full? */
	uint64_t full_bw;
	uint32_t full_bw_count;

	/* Losses of this round trip. */
	uint32_t loss_ranges;
	uint64_t next_lost; /* the packet number that would continue the last range */
	uint32_t passed;    /* the largest part of what we sent that came through, in 2^-16 */

	/* ProbeBW and ProbeRTT. */
	uint64_t cycle_stamp, bw_probe_wait;
	uint64_t probe_up_acked, probe_up_acked_per_inc;
	uint64_t probe_rtt_min_delay, probe_rtt_min_stamp, probe_rtt_done_stamp;
	uint32_t probe_up_rounds;

	/* What is set by it all. */
	uint32_t send_quantum;
	uint64_t prior_cwnd;

	/* As it was before the latest loss. */
	uint64_t undo_bw_short, undo_inflight_short, undo_inflight_long;
	uint8_t undo_state;

	uint8_t state;	   /* enum ql_bbr_state */
	uint8_t ack_phase; /* enum ql_bbr_ack_phase */
	bool round_start, loss_round_start, loss_in_round, in_recovery;
	bool full_bw_now, full_bw_reached;
	bool cwnd_limited, cwnd_was_limited; /* in this round, in the one before */
	bool bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
	bool idle_restart, rtt_seen, probe_rtt_expired, probe_rtt_round_done;
};

/* "startup", "probe_up", ... */
const char *ql_bbr_state_name(const struct ql_bbr *b);

#endif /* QL_RECOVERY_BBR_H */
