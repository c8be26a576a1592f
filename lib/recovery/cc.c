// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/cc.h"

#include <string.h>

void ql_cc_init(struct ql_cc *cc, const struct ql_cc_ops *ops, uint32_t mtu, uint64_t now)
{
	memset(cc, 0, sizeof(*cc));
	cc->ops = ops;
	cc->mtu = mtu;
	cc->cwnd = ql_cc_initial_window(mtu);
	cc->ssthresh = UINT64_MAX;
	ops->init(cc, now);
}

void ql_cc_set_mtu(struct ql_cc *cc, uint32_t mtu)
{
	if (mtu < cc->mtu && cc->cwnd == ql_cc_initial_window(cc->mtu) &&
	    cc->ssthresh == UINT64_MAX)
		cc->cwnd = ql_cc_initial_window(mtu);
	if (cc->cwnd < ql_cc_min_window(mtu))
		cc->cwnd = ql_cc_min_window(mtu);
	cc->mtu = mtu;
}

void ql_cc_begin(struct ql_cc *cc, const struct ql_rtt *rtt)
{
	uint64_t window;

	if (cc->begun || !rtt->sampled)
		return;
	cc->begun = true;
	window = ql_longstart_window(ql_cc_initial_window(cc->mtu), rtt->min);
	if (cc->ssthresh == UINT64_MAX && window > cc->cwnd)
		cc->cwnd = window;
}
