// SPDX-License-Identifier: BSD-3-Clause
/*
 * Congestion control of one path: the window, and the interface between loss detection and the
 * algorithms (RFC 9002, section 7).
 *
 * An algorithm is a table of functions over a struct ql_cc, called once per event, not per packet.
 * It sets cwnd, and pacing_rate if it has an opinion; what is in flight is counted by its caller.
 * Sizes are bytes of UDP payload, times ns.
 */
#ifndef QL_RECOVERY_CC_H
#define QL_RECOVERY_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "recovery/bbr.h"
#include "recovery/cubic.h"
#include "recovery/longstart.h"
#include "recovery/rtt.h"

#define QL_CC_MAX_WINDOW (UINT64_C(1) << 36) /* bytes; no window grows beyond */

struct ql_cc;

/* One ACK frame's newly acknowledged packets. Packets not in flight do not count. */
struct ql_cc_ack {
	uint64_t now;
	uint64_t bytes;		  /* newly acknowledged */
	uint64_t growth_bytes;	  /* those sent after the recovery period began: may grow cwnd */
	uint64_t prior_in_flight; /* before this ACK */
	uint64_t in_flight;	  /* after it, and after the losses it showed */
	uint64_t largest_sent;	  /* when the largest of them was sent */
	bool app_limited;	  /* the window was not the limit (7.8): no growth */
	const struct ql_rtt *rtt; /* updated already */
	/* Delivery rate sample (draft-cheng-iccrg-delivery-rate-estimation); 0 interval: none. */
	uint64_t delivered; /* bytes in interval */
	uint64_t interval;
	uint64_t send_interval;	  /* in which they were sent: at most interval */
	uint64_t total_delivered; /* bytes of the path's life */
	uint64_t prior_delivered; /* total_delivered when the sampled packet was sent */
	uint64_t tx_in_flight;	  /* in flight when it was sent, itself included */
	uint64_t lost;		  /* bytes given up since it was sent */
	bool rate_app_limited;	  /* the sample is */
};

/* One packet in flight that is given up; or those that came with Congestion Experienced, as one. */
struct ql_cc_lost {
	uint64_t now;
	uint64_t pn;
	uint64_t tx_in_flight;	  /* in flight when it was sent, itself included */
	uint64_t lost;		  /* bytes given up since it was sent, itself included */
	uint64_t total_delivered; /* bytes of the path's life */
	uint32_t bytes;
	bool begins;	       /* a recovery period */
	bool rate_app_limited; /* it was sent while the application had nothing more */
};

/* Packets in flight that one pass of loss detection gave up. */
struct ql_cc_loss {
	uint64_t now;
	uint64_t bytes;
	uint64_t in_flight;    /* after it */
	uint64_t largest_sent; /* when the last of them was sent */
	bool persistent;       /* persistent congestion (7.6) */
	const struct ql_rtt *rtt;
};

struct ql_cc_ops {
	const char *name;
	void (*init)(struct ql_cc *cc, uint64_t now);
	void (*on_ack)(struct ql_cc *cc, const struct ql_cc_ack *ack);
	void (*on_loss)(struct ql_cc *cc, const struct ql_cc_loss *loss);
	/* Congestion Experienced was newly reported, of packets sent until then (7.1). */
	void (*on_ecn)(struct ql_cc *cc, uint64_t largest_sent, uint64_t now);
	/* Optional. Each of the packets that on_loss() or on_ecn() then tells of together. */
	void (*on_lost_packet)(struct ql_cc *cc, const struct ql_cc_lost *lost);
	/* Optional. A packet of so many bytes went out; in_flight includes it. app_limited: rate
	 * samples of it are. */
	void (*on_sent)(struct ql_cc *cc, uint64_t now, uint32_t bytes, uint64_t in_flight,
			bool app_limited);
	/* Optional. Every packet lost in the latest recovery period has been acknowledged after
	 * all: there was no loss to recover from. */
	void (*on_spurious)(struct ql_cc *cc, uint64_t now);
};

struct ql_cc {
	const struct ql_cc_ops *ops;
	uint64_t cwnd;
	uint64_t ssthresh;     /* UINT64_MAX until the first congestion */
	uint64_t recovery_end; /* packets sent before belong to the recovery period; 0: none */
	uint64_t pacing_rate;  /* bytes a second; 0: from cwnd and RTT */
	uint32_t mtu;	       /* the path's maximum datagram size */
	bool begun;	       /* the first RTT sample has set the window (longstart.h) */
	bool holds_back;       /* cwnd is kept below what the path takes: samples are app-limited */
	union {
		struct {
			uint64_t acked; /* in congestion avoidance, since the last growth */
			uint64_t undo_cwnd, undo_ssthresh; /* undo_cwnd 0: nothing to undo */
		} newreno;
		struct ql_cubic cubic;
		struct ql_bbr bbr;
	};
	struct ql_longstart longstart;
};

extern const struct ql_cc_ops ql_cc_newreno;
extern const struct ql_cc_ops ql_cc_cubic;
extern const struct ql_cc_ops ql_cc_bbr;

/* 7.2 */
static inline uint64_t ql_cc_initial_window(uint32_t mtu)
{
	uint64_t most = 2 * (uint64_t)mtu > 14720 ? 2 * (uint64_t)mtu : 14720;

	return 10 * (uint64_t)mtu < most ? 10 * (uint64_t)mtu : most;
}

static inline uint64_t ql_cc_min_window(uint32_t mtu)
{
	return 2 * (uint64_t)mtu;
}

void ql_cc_init(struct ql_cc *cc, const struct ql_cc_ops *ops, uint32_t mtu, uint64_t now);

static inline bool ql_cc_slow_start(const struct ql_cc *cc)
{
	return cc->cwnd < cc->ssthresh;
}

/* Still looking for what the path takes, for the first time. */
static inline bool ql_cc_starting(const struct ql_cc *cc)
{
	return cc->ops == &ql_cc_bbr ? cc->bbr.state == QL_BBR_STARTUP : cc->ssthresh == UINT64_MAX;
}

/*
 * Before the first ACK that grows the window of an algorithm that uses longstart.h: the window to
 * start with, now that there is an RTT.
 */
void ql_cc_begin(struct ql_cc *cc, const struct ql_rtt *rtt);

/*
 * The maximum datagram size has changed. A window that has not left its initial value follows when
 * it is smaller now (7.2); larger datagrams are no reason for a larger window (RFC 8899, 3), but
 * none stays below the minimum.
 */
void ql_cc_set_mtu(struct ql_cc *cc, uint32_t mtu);

#endif /* QL_RECOVERY_CC_H */
