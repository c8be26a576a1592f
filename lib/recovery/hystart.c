// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/hystart.h"

#include "recovery/cc.h"

#define NONE UINT64_MAX

void ql_hystart_init(struct ql_hystart *h)
{
	*h = (struct ql_hystart){.last_min = NONE, .current_min = NONE, .baseline = NONE};
}

static void start_round(struct ql_hystart *h, uint64_t delivered)
{
	h->round_end = delivered;
	h->last_min = h->current_min;
	h->current_min = NONE;
	h->samples = h->risen = 0;
	if (h->phase == QL_HYSTART_CSS && ++h->css_rounds == QL_HYSTART_CSS_ROUNDS)
		h->phase = QL_HYSTART_DONE;
}

static void take_rtt(struct ql_hystart *h, uint64_t rtt, bool is_long)
{
	uint64_t thresh;

	if (rtt < h->current_min)
		h->current_min = rtt;
	h->samples++;
	if (h->phase == QL_HYSTART_CSS) {
		if (h->samples >= QL_HYSTART_SAMPLES && h->current_min < h->baseline) {
			h->baseline = NONE;
			h->phase = QL_HYSTART_SLOW;
		}
		return;
	}
	if (h->last_min == NONE)
		return;
	thresh = h->last_min / 8;
	if (thresh < QL_HYSTART_MIN_THRESH)
		thresh = QL_HYSTART_MIN_THRESH;
	if (thresh > QL_HYSTART_MAX_THRESH)
		thresh = QL_HYSTART_MAX_THRESH;
	if (rtt < h->last_min + thresh) {
		h->risen = 0;
		return;
	}
	if (h->risen++ == 0 || rtt < h->risen_min)
		h->risen_min = rtt;
	if (h->risen >= QL_HYSTART_SAMPLES && (is_long || h->risen == h->samples)) {
		h->baseline = h->current_min = h->risen_min;
		h->phase = QL_HYSTART_CSS;
		h->css_rounds = 0;
	}
}

uint64_t ql_hystart_on_ack(struct ql_hystart *h, const struct ql_cc_ack *ack)
{
	uint64_t grow = ack->growth_bytes;

	if (h->phase == QL_HYSTART_DONE)
		return grow;
	if (h->phase == QL_HYSTART_CSS)
		grow /= QL_HYSTART_DIVISOR;
	take_rtt(h, ack->now - ack->largest_sent, ack->rtt->min > QL_LONGSTART_RTT);
	if (ack->prior_delivered >= h->round_end)
		start_round(h, ack->total_delivered);
	return grow;
}
