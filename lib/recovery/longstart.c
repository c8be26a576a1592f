// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/longstart.h"

#include <stdbool.h>

#include <qlane/common.h>

#include "recovery/cc.h"

#define ONE   256u		      /* of the ratio of RTTs */
#define RISEN (16 * QL_NSEC_PER_MSEC) /* an RTT so far above the lowest: there is a queue */

/* How many times 100 ms the RTT is, in ONEs: 1 to QL_LONGSTART_MOST. */
static uint64_t ratio(uint64_t min_rtt)
{
	if (min_rtt >= QL_LONGSTART_MOST * QL_LONGSTART_RTT)
		return QL_LONGSTART_MOST * ONE;
	return min_rtt > QL_LONGSTART_RTT ? min_rtt * ONE / QL_LONGSTART_RTT : ONE;
}

/* 2^ratio - 1 in ONEs; straight lines between the powers. */
static uint64_t growth(uint64_t min_rtt)
{
	uint64_t r = ratio(min_rtt);

	return ((ONE + r % ONE) << r / ONE) - ONE;
}

uint64_t ql_longstart_window(uint64_t window, uint64_t min_rtt)
{
	return window * ratio(min_rtt) / ONE;
}

/* What went out in one turn of the sender's loop has one time. */
static void measure(struct ql_longstart *l, const struct ql_cc_ack *ack, uint32_t mtu)
{
	uint64_t enough = QL_LONGSTART_BURST * (uint64_t)mtu;
	bool had_enough = l->bytes >= enough;

	if (ack->largest_sent != l->sent) {
		l->sent = ack->largest_sent;
		l->first = ack->now;
		l->bytes = 0;
		return;
	}
	if (ack->now == l->first)
		return;
	l->bytes += ack->bytes;
	if (l->bytes < enough)
		return;
	if (!had_enough)
		l->rate[1] = l->rate[0];
	l->rate[0] = l->bytes * QL_NSEC_PER_SEC / (ack->now - l->first);
}

/* Half of what the path holds, as far as known. */
static uint64_t limit(const struct ql_longstart *l, uint64_t min_rtt)
{
	uint64_t rate = l->rate[1] > 0 && l->rate[1] < l->rate[0] ? l->rate[1] : l->rate[0];

	return (uint64_t)((unsigned __int128)rate * min_rtt / (2 * QL_NSEC_PER_SEC));
}

uint64_t ql_longstart_on_ack(struct ql_longstart *l, const struct ql_cc_ack *ack, uint64_t cwnd,
			     uint32_t mtu)
{
	uint64_t grow = ack->growth_bytes, min_rtt = ack->rtt->min, most;

	if (min_rtt <= QL_LONGSTART_RTT)
		return grow;
	measure(l, ack, mtu);
	most = limit(l, min_rtt);
	if (cwnd + grow >= most || ack->now - ack->largest_sent > min_rtt + RISEN)
		return grow;
	grow = grow * growth(min_rtt) / ONE;
	return cwnd + grow < most ? grow : most - cwnd;
}
