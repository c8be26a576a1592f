// SPDX-License-Identifier: BSD-3-Clause
/*
 * The first slow start over long paths, for the algorithms that want it.
 *
 * By doubling once a round trip, a path of 250 Mbit/s and 600 ms is not full before 7 s. Over round
 * trips above 100 ms the window therefore starts and grows as that of a connection would whose
 * round trip takes 100 ms: with RTT / 100 ms initial windows, and by 2^(RTT / 100 ms) a round trip,
 * RTT / 100 ms being at most 6 (after TCP Hybla, Caini and Firrincieli 2004). All of it is paced.
 *
 * What doubling can do no harm with, this could: a full path shows only a round trip later. So
 * the window grows in this way only up to half of what the path takes by the spacing of ACKs for
 * packets that went out together; the lower of the last two such bursts counts. What is left is
 * ordinary slow start, and so is all of it where a burst comes back as one ACK, or the RTT rises.
 *
 * Sizes are bytes, times ns, rates bytes a second. All integers.
 */
#ifndef QL_RECOVERY_LONGSTART_H
#define QL_RECOVERY_LONGSTART_H

#include <stdint.h>

struct ql_cc_ack;

#define QL_LONGSTART_RTT   UINT64_C(100000000) /* ns: paths below are not long */
#define QL_LONGSTART_MOST  6		       /* times that RTT; beyond counts as that */
#define QL_LONGSTART_BURST 4		       /* datagrams behind the first, for a rate */

struct ql_longstart {
	uint64_t sent;	  /* the running burst: when it went out */
	uint64_t first;	  /* when its first ACK came */
	uint64_t bytes;	  /* acknowledged later than that */
	uint64_t rate[2]; /* that bursts showed, the latest first; 0: none */
};

/*
 * The window to start with, when the first RTT sample is there: window is the initial one. At most
 * QL_LONGSTART_MOST times as large.
 */
uint64_t ql_longstart_window(uint64_t window, uint64_t min_rtt);

/*
 * An ACK in slow start. Returns by how much the window may grow: what the ACK acknowledges, or
 * more.
 */
uint64_t ql_longstart_on_ack(struct ql_longstart *l, const struct ql_cc_ack *ack, uint64_t cwnd,
			     uint32_t mtu);

#endif /* QL_RECOVERY_LONGSTART_H */
