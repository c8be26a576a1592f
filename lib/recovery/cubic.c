// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/cubic.h"

#include "recovery/cc.h"

/* C = 0.4 segments/s^3, beta = 0.7, alpha = 3 * (1 - beta) / (1 + beta) = 9/17 */
#define BETA(w)	      ((w)*7 / 10)
#define CONVERGENT(w) ((w)*17 / 20) /* (1 + beta) / 2 of it (4.7) */
#define ALPHA_NUM     9
#define ALPHA_DEN     17

#define USEC 1000u		 /* ns */
#define M    UINT64_C(1000000)	 /* us in a second */
#define FAR  UINT64_C(200000000) /* us: where the curve is cut off, on either side of K */
#define MOST (UINT64_C(1) << 28) /* bytes one ACK is taken for, so that products fit */

/* ---- The curve ---- */

uint64_t ql_cubic_root(uint64_t x)
{
	uint64_t root = 0;

	/* A digit of the binary root for each three of x. */
	for (int bit = 63; bit >= 0; bit -= 3) {
		uint64_t step;

		root <<= 1;
		step = 3 * root * (root + 1) + 1;
		if (x >> bit >= step) {
			x -= step << bit;
			root++;
		}
	}
	return root;
}

uint64_t ql_cubic_k(uint64_t w_max, uint64_t cwnd, uint32_t mtu)
{
	uint64_t segments;

	if (cwnd >= w_max)
		return 0;
	/* cubic milliseconds; windows are below 2^36, so a thousandth of 2^36 * 10^9 / 0.4 fits */
	segments = (w_max - cwnd) * 25000 / mtu; /* / C, in 10^-4 */
	return ql_cubic_root(segments * 100000) * USEC * 1000;
}

uint64_t ql_cubic_window(uint64_t t, uint64_t k, uint64_t w_max, uint32_t mtu)
{
	uint64_t d = (t > k ? t - k : k - t) / USEC, rise;

	if (d > FAR)
		d = FAR;
	rise = d * d / M * d / M * 4 * mtu / (10 * M);
	if (t >= k)
		return w_max + rise;
	return w_max > rise ? w_max - rise : 0;
}

/* ---- Growth ---- */

static void start_epoch(struct ql_cc *cc, uint64_t now)
{
	struct ql_cubic *c = &cc->cubic;

	if (c->now.w_max < cc->cwnd)
		c->now.w_max = cc->cwnd; /* no loss yet, or a time-out (4.8, 4.10): K is 0 */
	c->now.k = ql_cubic_k(c->now.w_max, cc->cwnd, cc->mtu);
	c->now.elapsed = 0;
	c->now.last = now;
	c->now.w_est = cc->cwnd;
	c->now.running = true;
	c->rest = c->est_rest = 0;
}

/* Between two ACKs that let the window grow lies an RTT at most, unless nothing was sent. */
static void pass_time(struct ql_cubic_epoch *e, const struct ql_cc_ack *ack)
{
	uint64_t gap = ack->now - e->last;

	e->last = ack->now;
	e->elapsed += gap < ack->rtt->smoothed ? gap : ack->rtt->smoothed;
}

/* Figure 4 */
static void grow_estimate(struct ql_cc *cc, uint64_t bytes)
{
	struct ql_cubic *c = &cc->cubic;
	unsigned int alpha = c->now.w_est < c->now.prior ? ALPHA_NUM : ALPHA_DEN;
	uint64_t whole = ALPHA_DEN * cc->cwnd;

	c->est_rest += alpha * bytes * cc->mtu;
	if (c->est_rest >= whole) {
		c->now.w_est += c->est_rest / whole;
		c->est_rest %= whole;
	}
}

static void avoid(struct ql_cc *cc, const struct ql_cc_ack *ack, uint64_t bytes)
{
	struct ql_cubic *c = &cc->cubic;
	uint64_t target;

	if (bytes == 0)
		return;
	if (bytes > MOST)
		bytes = MOST;
	if (!c->now.running)
		start_epoch(cc, ack->now);
	pass_time(&c->now, ack);
	grow_estimate(cc, bytes);
	if (ql_cubic_window(c->now.elapsed, c->now.k, c->now.w_max, cc->mtu) < c->now.w_est) {
		if (c->now.w_est > cc->cwnd)
			cc->cwnd = c->now.w_est;
		return;
	}
	target = ql_cubic_window(c->now.elapsed + ack->rtt->smoothed, c->now.k, c->now.w_max,
				 cc->mtu);
	if (target <= cc->cwnd)
		return;
	if (target > cc->cwnd + cc->cwnd / 2)
		target = cc->cwnd + cc->cwnd / 2;
	c->rest += (target - cc->cwnd) * bytes;
	if (c->rest >= cc->cwnd) {
		uint64_t more = c->rest / cc->cwnd;

		c->rest %= cc->cwnd;
		cc->cwnd += more;
	}
}

/* Bytes of the ACK that slow start leaves over. */
static uint64_t slow_start(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	struct ql_cubic *c = &cc->cubic;
	uint64_t bytes = ack->growth_bytes, room;

	if (cc->ssthresh == UINT64_MAX) {
		uint64_t most = ql_longstart_on_ack(&cc->longstart, ack, cc->cwnd, cc->mtu);
		uint64_t grow = ql_hystart_on_ack(&c->hystart, ack);

		cc->cwnd += c->hystart.phase == QL_HYSTART_SLOW ? most : grow;
		if (c->hystart.phase == QL_HYSTART_DONE)
			cc->ssthresh = c->now.prior = cc->cwnd;
		return 0;
	}
	room = cc->ssthresh - cc->cwnd;
	if (bytes <= room) {
		cc->cwnd += bytes;
		return 0;
	}
	cc->cwnd = cc->ssthresh;
	return bytes - room;
}

static void cubic_on_ack(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	uint64_t bytes = ack->growth_bytes;

	ql_cc_begin(cc, ack->rtt);
	if (ack->app_limited || cc->cwnd >= QL_CC_MAX_WINDOW) {
		cc->cubic.now.last = ack->now;
		return;
	}
	if (ql_cc_slow_start(cc))
		bytes = slow_start(cc, ack);
	avoid(cc, ack, bytes);
}

/* ---- Congestion ---- */

/* 4.6, 4.7. False: the same congestion once more. */
static bool congestion(struct ql_cc *cc, uint64_t largest_sent, uint64_t now)
{
	struct ql_cubic *c = &cc->cubic;

	if (largest_sent < cc->recovery_end)
		return false;
	c->undo = c->now;
	c->undo_cwnd = cc->cwnd;
	c->undo_ssthresh = cc->ssthresh;

	cc->recovery_end = now + 1;
	c->now.w_max = cc->cwnd < c->now.w_max ? CONVERGENT(cc->cwnd) : cc->cwnd;
	c->now.prior = cc->cwnd;
	c->now.running = false;
	cc->ssthresh = BETA(cc->cwnd);
	if (cc->ssthresh < ql_cc_min_window(cc->mtu))
		cc->ssthresh = ql_cc_min_window(cc->mtu);
	cc->cwnd = cc->ssthresh;
	ql_hystart_stop(&c->hystart);
	return true;
}

static void cubic_on_loss(struct ql_cc *cc, const struct ql_cc_loss *loss)
{
	congestion(cc, loss->largest_sent, loss->now);
	if (loss->persistent) { /* 4.8 */
		cc->cwnd = ql_cc_min_window(cc->mtu);
		cc->recovery_end = 0;
		cc->cubic.now.w_max = 0;
		cc->cubic.now.running = false;
		cc->cubic.undo_cwnd = 0;
	}
}

/* A mark is never spurious. */
static void cubic_on_ecn(struct ql_cc *cc, uint64_t largest_sent, uint64_t now)
{
	congestion(cc, largest_sent, now);
	cc->cubic.undo_cwnd = 0;
}

static void cubic_on_spurious(struct ql_cc *cc, uint64_t now)
{
	struct ql_cubic *c = &cc->cubic;

	if (c->undo_cwnd == 0)
		return;
	if (cc->cwnd < c->now.prior) {
		cc->cwnd = c->undo_cwnd;
		cc->ssthresh = c->undo_ssthresh;
		cc->recovery_end = 0;
		c->now = c->undo;
		c->now.last = now;
		c->rest = c->est_rest = 0;
		if (cc->ssthresh == UINT64_MAX)
			ql_hystart_init(&c->hystart);
	}
	c->undo_cwnd = 0;
}

static void cubic_init(struct ql_cc *cc, uint64_t now __attribute__((unused)))
{
	ql_hystart_init(&cc->cubic.hystart);
}

const struct ql_cc_ops ql_cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_ecn = cubic_on_ecn,
	.on_spurious = cubic_on_spurious,
};
