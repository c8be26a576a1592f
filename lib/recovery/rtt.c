// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/rtt.h"

static uint64_t clamp(uint64_t ns)
{
	if (ns > QL_RTT_MAX)
		return QL_RTT_MAX;
	return ns ? ns : 1;
}

void ql_rtt_init(struct ql_rtt *rtt, uint64_t initial)
{
	initial = clamp(initial ? initial : QL_RTT_INITIAL);
	*rtt = (struct ql_rtt){.smoothed = initial, .var = initial / 2};
}

void ql_rtt_sample(struct ql_rtt *rtt, uint64_t now, uint64_t sample, uint64_t ack_delay,
		   uint64_t max_ack_delay)
{
	uint64_t adjusted, diff;

	rtt->latest = adjusted = sample = clamp(sample);
	if (!rtt->sampled) {
		rtt->sampled = true;
		rtt->first_sample = now;
		rtt->min = rtt->smoothed = sample;
		rtt->var = sample / 2;
		return;
	}
	if (sample < rtt->min)
		rtt->min = sample;
	if (ack_delay > max_ack_delay)
		ack_delay = max_ack_delay;
	if (ack_delay <= sample - rtt->min)
		adjusted -= ack_delay;
	diff = rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;
	rtt->var = (3 * rtt->var + diff) / 4;
	rtt->smoothed = (7 * rtt->smoothed + adjusted) / 8;
}
