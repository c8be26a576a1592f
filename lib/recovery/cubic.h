// SPDX-License-Identifier: BSD-3-Clause
/*
 * CUBIC, RFC 9438, with HyStart++ in its first slow start: what it keeps for a path. The
 * functions are ql_cc_cubic (cc.h).
 *
 * Windows are bytes, times ns; where the RFC computes with segments and seconds, the sources do it
 * with integers. The time of an epoch runs only while ACKs let the window grow, so it stands
 * still while the application is what limits the sender (5.8).
 */
#ifndef QL_RECOVERY_CUBIC_H
#define QL_RECOVERY_CUBIC_H

#include "recovery/hystart.h"

/* What a congestion event changes, and what a spurious one gives back (4.9.2). */
struct ql_cubic_epoch {
	uint64_t w_max;	  /* 0: none yet */
	uint64_t prior;	  /* cwnd when ssthresh was last set */
	uint64_t k;	  /* ns from the epoch's start until w_max is reached */
	uint64_t elapsed; /* ns since the epoch began */
	uint64_t last;	  /* when elapsed was right */
	uint64_t w_est;	  /* window that Reno would have (4.3) */
	bool running;	  /* congestion avoidance has begun */
};

struct ql_cubic {
	struct ql_hystart hystart;
	struct ql_cubic_epoch now;
	/* Fractions of a byte by which cwnd and w_est have yet to grow. */
	uint64_t rest, est_rest;
	struct ql_cubic_epoch undo;
	uint64_t undo_cwnd, undo_ssthresh; /* undo_cwnd 0: nothing to undo */
};

/* The cube root, rounded down. */
uint64_t ql_cubic_root(uint64_t x);

/* K of Figure 2: ns that it takes from a window to w_max. */
uint64_t ql_cubic_k(uint64_t w_max, uint64_t cwnd, uint32_t mtu);

/* W_cubic(t) of Figure 1; t and k in ns. */
uint64_t ql_cubic_window(uint64_t t, uint64_t k, uint64_t w_max, uint32_t mtu);

#endif /* QL_RECOVERY_CUBIC_H */
