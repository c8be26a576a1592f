// SPDX-License-Identifier: BSD-3-Clause
/*
 * NewReno: RFC 9002, section 7 and appendix B.
 */
#include "recovery/cc.h"

static void newreno_init(struct ql_cc *cc, uint64_t now __attribute__((unused)))
{
	cc->newreno.acked = 0;
	cc->newreno.undo_cwnd = 0;
}

static void newreno_on_ack(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	uint64_t bytes = ack->growth_bytes;

	if (ack->app_limited || cc->cwnd >= QL_CC_MAX_WINDOW)
		return;
	if (ql_cc_slow_start(cc)) {
		uint64_t room = cc->ssthresh - cc->cwnd;

		if (bytes <= room) {
			cc->cwnd += bytes;
			return;
		}
		cc->cwnd = cc->ssthresh;
		bytes -= room;
	}
	/* One datagram more for each window acknowledged. */
	cc->newreno.acked += bytes;
	while (cc->newreno.acked >= cc->cwnd) {
		cc->newreno.acked -= cc->cwnd;
		cc->cwnd += cc->mtu;
	}
}

static void congestion(struct ql_cc *cc, uint64_t largest_sent, uint64_t now)
{
	if (largest_sent < cc->recovery_end)
		return; /* the same congestion once more */
	cc->newreno.undo_cwnd = cc->cwnd;
	cc->newreno.undo_ssthresh = cc->ssthresh;
	cc->recovery_end = now + 1;
	cc->ssthresh = cc->cwnd / 2;
	cc->cwnd = cc->ssthresh;
	if (cc->cwnd < ql_cc_min_window(cc->mtu))
		cc->cwnd = ql_cc_min_window(cc->mtu);
	cc->newreno.acked = 0;
}

static void newreno_on_loss(struct ql_cc *cc, const struct ql_cc_loss *loss)
{
	congestion(cc, loss->largest_sent, loss->now);
	if (loss->persistent) {
		cc->cwnd = ql_cc_min_window(cc->mtu);
		cc->recovery_end = 0;
		cc->newreno.acked = 0;
		cc->newreno.undo_cwnd = 0;
	}
}

/* As CUBIC does it (RFC 9438, 4.9.2). */
static void newreno_on_spurious(struct ql_cc *cc, uint64_t now __attribute__((unused)))
{
	if (cc->cwnd < cc->newreno.undo_cwnd) {
		cc->cwnd = cc->newreno.undo_cwnd;
		cc->ssthresh = cc->newreno.undo_ssthresh;
		cc->recovery_end = 0;
		cc->newreno.acked = 0;
	}
	cc->newreno.undo_cwnd = 0;
}

const struct ql_cc_ops ql_cc_newreno = {
	.name = "newreno",
	.init = newreno_init,
	.on_ack = newreno_on_ack,
	.on_loss = newreno_on_loss,
	.on_ecn = congestion,
	.on_spurious = newreno_on_spurious,
};
