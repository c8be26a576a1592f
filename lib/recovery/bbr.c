// SPDX-License-Identifier: BSD-3-Clause
/*
 * The functions keep the draft's names and order, from the model to the state machine to what is
 * set by them, so that they can be read side by side.
 */
#include "recovery/bbr.h"

#include <qlane/common.h>

#include "recovery/cc.h"

#define STARTUP_GAIN	  277 /* per cent */
#define MARGIN		  99  /* per cent of bw that is sent at a gain of 1 */
#define BETA		  70
#define HEADROOM	  15
#define LOSS_THRESH	  2	/* per cent */
#define STARTUP_LOSSES	  6	/* ranges of packets in a round trip (BBRStartupFullLossCnt) */
#define EXTRA_ROUNDS	  5	/* half of ExtraAckedFilterLen */
#define WHOLE		  65536 /* of what was sent */
#define MIN_PIPE(cc)	  (4 * (uint64_t)(cc)->mtu)
#define MAX_QUANTUM	  65536
#define PROBE_RTT_ROUNDS  10 /* round trips between two ProbeRTTs, at least */
#define PROBE_RTT_EVERY	  (5 * QL_NSEC_PER_SEC)
#define PROBE_RTT_LASTING (200 * QL_NSEC_PER_MSEC)

/* Per cent. */
static const struct {
	uint16_t pacing, cwnd;
	const char *name;
} gains[QL_BBR_STATES] = {
	[QL_BBR_STARTUP] = {STARTUP_GAIN, 200, "startup"},
	[QL_BBR_DRAIN] = {50, 200, "drain"},
	[QL_BBR_DOWN] = {90, 200, "probe_down"},
	[QL_BBR_CRUISE] = {100, 200, "probe_cruise"},
	[QL_BBR_REFILL] = {100, 200, "probe_refill"},
	[QL_BBR_UP] = {125, 225, "probe_up"},
	[QL_BBR_PROBE_RTT] = {100, 50, "probe_rtt"},
};

/* RS: what an ACK or a lost packet says. */
struct sample {
	uint64_t now;
	uint64_t rate; /* 0: none */
	uint64_t delivered, prior_delivered;
	uint64_t interval, send_interval;
	uint64_t newly_acked;
	uint64_t rtt;
	uint64_t in_flight, tx_in_flight;
	uint64_t lost;
	bool app_limited;
};

const char *ql_bbr_state_name(const struct ql_bbr *b)
{
	return gains[b->state].name;
}

/* ---- Small things ---- */

static inline uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* a * b / c where the product may not fit. */
static inline uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b / c;

	return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

static inline uint64_t percent(uint64_t v, unsigned int per_cent)
{
	return v == QL_BBR_NONE ? v : v * per_cent / 100;
}

static inline bool in_probe_bw(const struct ql_bbr *b)
{
	return b->state >= QL_BBR_DOWN && b->state <= QL_BBR_UP;
}

static inline bool is_probing(const struct ql_bbr *b)
{
	return b->state == QL_BBR_STARTUP || b->state == QL_BBR_REFILL || b->state == QL_BBR_UP;
}

static inline uint64_t max_bw(const struct ql_bbr *b)
{
	return max(b->max_bw[0], b->max_bw[1]);
}

static inline bool is_cwnd_limited(const struct ql_bbr *b)
{
	return b->cwnd_limited || b->cwnd_was_limited;
}

static void start_round(struct ql_bbr *b)
{
	b->next_round_delivered = b->delivered;
}

static void reset_full_bw(struct ql_bbr *b)
{
	b->full_bw = 0;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

static void reset_short_term(struct ql_bbr *b)
{
	b->bw_short = b->inflight_short = QL_BBR_NONE;
}

static void reset_congestion_signals(struct ql_bbr *b)
{
	b->loss_in_round = false;
	b->bw_latest = b->inflight_latest = 0;
	b->passed = 0;
}

/* ---- How much in flight ---- */

static uint64_t bdp(const struct ql_cc *cc, uint64_t bw, unsigned int gain)
{
	const struct ql_bbr *b = &cc->bbr;

	if (b->min_rtt == QL_BBR_NONE)
		return ql_cc_initial_window(cc->mtu);
	return percent(scale(bw, b->min_rtt, QL_NSEC_PER_SEC), gain);
}

static uint64_t quantized(const struct ql_cc *cc, uint64_t inflight)
{
	const struct ql_bbr *b = &cc->bbr;

	inflight = max(inflight, max(b->send_quantum, MIN_PIPE(cc)));
	return b->state == QL_BBR_UP ? inflight + 2 * (uint64_t)cc->mtu : inflight;
}

/* Our estimated BDP, unless congestion cut cwnd. */
static uint64_t target_inflight(const struct ql_cc *cc)
{
	return min(bdp(cc, cc->bbr.bw, 100), cc->cwnd);
}

static uint64_t inflight_with_headroom(const struct ql_cc *cc)
{
	const struct ql_bbr *b = &cc->bbr;
	uint64_t headroom;

	if (b->inflight_long == QL_BBR_NONE)
		return QL_BBR_NONE;
	headroom = max(cc->mtu, percent(b->inflight_long, HEADROOM));
	return max(b->inflight_long > headroom ? b->inflight_long - headroom : 0, MIN_PIPE(cc));
}

static uint64_t probe_rtt_cwnd(const struct ql_cc *cc)
{
	return max(bdp(cc, cc->bbr.bw, gains[QL_BBR_PROBE_RTT].cwnd), MIN_PIPE(cc));
}

/* "Last known good" window: what recovery and ProbeRTT make of it does not count. */
static void save_cwnd(struct ql_cc *cc)
{
	struct ql_bbr *b = &cc->bbr;

	if (!b->in_recovery && b->state != QL_BBR_PROBE_RTT)
		b->prior_cwnd = cc->cwnd;
	else
		b->prior_cwnd = max(b->prior_cwnd, cc->cwnd);
}

static void restore_cwnd(struct ql_cc *cc)
{
	cc->cwnd = max(cc->cwnd, cc->bbr.prior_cwnd);
}

/* ---- Entering the states ---- */

static void enter_drain(struct ql_bbr *b)
{
	b->state = QL_BBR_DRAIN;
	b->drain_start_round = b->round_count;
}

/* 0 or 1 rounds, and 2 to 3 s. There is no entropy here; when and what was delivered will do. */
static void pick_probe_wait(struct ql_bbr *b, uint64_t now)
{
	uint64_t r = (now ^ b->delivered << 20) * UINT64_C(0x9e3779b97f4a7c15);

	r = (r ^ r >> 32) * UINT64_C(0xd6e8feb86659fd93);
	b->rounds_since_probe_up = (uint32_t)(r >> 63);
	b->bw_probe_wait = 2 * QL_NSEC_PER_SEC + (r >> 16) % QL_NSEC_PER_SEC;
}

static void start_down(struct ql_bbr *b, uint64_t now)
{
	reset_congestion_signals(b);
	b->probe_up_acked_per_inc = QL_BBR_NONE;
	pick_probe_wait(b, now);
	b->cycle_stamp = now;
	b->ack_phase = QL_BBR_ACKS_STOPPING;
	start_round(b);
	b->state = QL_BBR_DOWN;
}

static void start_refill(struct ql_bbr *b)
{
	reset_short_term(b);
	b->probe_up_rounds = 0;
	b->probe_up_acked = 0;
	b->prev_probe_precautionary = false;
	b->ack_phase = QL_BBR_ACKS_REFILLING;
	start_round(b);
	b->state = QL_BBR_REFILL;
}

static void raise_inflight_long_slope(struct ql_cc *cc)
{
	struct ql_bbr *b = &cc->bbr;

	b->probe_up_acked_per_inc = max(cc->cwnd >> b->probe_up_rounds, cc->mtu);
	if (b->probe_up_rounds < 30)
		b->probe_up_rounds++;
}

static void start_up(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	b->ack_phase = QL_BBR_ACKS_STARTING;
	start_round(b);
	reset_full_bw(b);
	b->full_bw = rs->rate;
	b->state = QL_BBR_UP;
	raise_inflight_long_slope(cc);
}

static void exit_probe_rtt(struct ql_bbr *b, uint64_t now)
{
	reset_short_term(b);
	if (b->full_bw_reached) {
		start_down(b, now);
		b->state = QL_BBR_CRUISE; /* what is in flight is below the BDP already */
	} else {
		b->state = QL_BBR_STARTUP;
	}
}

/* ---- The model ---- */

/*
 * Which part of what was sent came through, at the rate at which it was sent. 0 if there is no
 * sample, or a queue on which the window waits: then that rate is only what comes out of it.
 */
static uint64_t passed(const struct ql_bbr *b, const struct sample *rs)
{
	if (rs->rate == 0 || (is_cwnd_limited(b) && rs->rtt > b->min_rtt + b->min_rtt / 4))
		return 0;
	return scale(WHOLE * rs->send_interval / rs->interval, rs->delivered,
		     rs->delivered + rs->lost);
}

static void update_latest_signals(struct ql_bbr *b, const struct sample *rs)
{
	b->loss_round_start = false;
	b->bw_latest = max(b->bw_latest, rs->rate);
	b->inflight_latest = max(b->inflight_latest, rs->delivered);
	if (b->loss_in_round)
		b->passed = (uint32_t)max(b->passed, passed(b, rs));
	if (rs->prior_delivered >= b->loss_round_delivered) {
		b->loss_round_delivered = b->delivered;
		b->loss_round_start = true;
	}
}

static void advance_latest_signals(struct ql_bbr *b, const struct sample *rs)
{
	if (b->loss_round_start) {
		b->bw_latest = rs->rate;
		b->inflight_latest = rs->delivered;
		b->passed = 0;
	}
}

static void update_round(struct ql_bbr *b, const struct sample *rs)
{
	b->round_start = rs->prior_delivered >= b->next_round_delivered;
	if (!b->round_start)
		return;
	start_round(b);
	b->round_count++;
	b->rounds_since_probe_up++;
	b->cwnd_was_limited = b->cwnd_limited;
	b->cwnd_limited = false;
}

static void update_max_bw(struct ql_bbr *b, const struct sample *rs)
{
	update_round(b, rs);
	if (rs->rate > 0 && (rs->rate >= max_bw(b) || !rs->app_limited))
		b->max_bw[1] = max(b->max_bw[1], rs->rate);
}

/* A cycle without a sample does not count. */
static void advance_max_bw_filter(struct ql_bbr *b)
{
	if (b->max_bw[1] == 0)
		return;
	b->max_bw[0] = b->max_bw[1];
	b->max_bw[1] = 0;
}

/*
 * Once a round trip, when it had losses and we were not asking for them.
 *
 * Beyond the draft: the bounds need not fall below the part of what we sent that came through.
 * Otherwise one random loss in a round trip would make a limit of our own margin, of a gain below 1
 * and of ProbeRTT, and the next one of what is left then.
 */
static void adapt_lower_bounds(struct ql_cc *cc)
{
	struct ql_bbr *b = &cc->bbr;
	uint64_t part = max(b->passed, BETA * WHOLE / 100);

	if (is_probing(b) || !b->loss_in_round)
		return;
	if (b->bw_short == QL_BBR_NONE)
		b->bw_short = max_bw(b);
	if (b->inflight_short == QL_BBR_NONE)
		b->inflight_short = cc->cwnd;
	b->bw_short = max(b->bw_latest, scale(b->bw_short, part, WHOLE));
	b->inflight_short = max(b->inflight_latest, scale(b->inflight_short, part, WHOLE));
}

static void update_congestion_signals(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	update_max_bw(b, rs);
	if (!b->loss_round_start)
		return;
	adapt_lower_bounds(cc);
	b->loss_in_round = false;
}

/* How much more than bw promises is acknowledged at a time; the most of the last rounds. */
static void update_ack_aggregation(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;
	uint64_t expected = scale(b->bw, rs->now - b->extra_acked_start, QL_NSEC_PER_SEC);

	if (b->extra_acked_delivered <= expected) {
		b->extra_acked_delivered = 0;
		b->extra_acked_start = rs->now;
		expected = 0;
	}
	b->extra_acked_delivered += rs->newly_acked;
	if (b->round_start && ++b->extra_acked_rounds >= (b->full_bw_reached ? EXTRA_ROUNDS : 1)) {
		b->extra_acked_rounds = 0;
		b->extra_acked[0] = b->extra_acked[1];
		b->extra_acked[1] = 0;
	}
	b->extra_acked[1] =
		max(b->extra_acked[1], min(b->extra_acked_delivered - expected, cc->cwnd));
}

static void check_full_bw(struct ql_bbr *b, const struct sample *rs)
{
	if (b->full_bw_now || !b->round_start || rs->app_limited)
		return;
	if (rs->rate >= b->full_bw + b->full_bw / 4) {
		reset_full_bw(b);
		b->full_bw = rs->rate;
		return;
	}
	b->full_bw_count++;
	b->full_bw_now = b->full_bw_count >= 3;
	b->full_bw_reached |= b->full_bw_now;
}

/* ---- Losses ---- */

static bool inflight_too_high(const struct sample *rs)
{
	return rs->lost > percent(rs->tx_in_flight, LOSS_THRESH);
}

static void check_startup_high_loss(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->state != QL_BBR_STARTUP || !b->loss_round_start)
		return;
	if (b->in_recovery && b->loss_ranges >= STARTUP_LOSSES && inflight_too_high(rs)) {
		b->undo_state = QL_BBR_STARTUP;
		b->full_bw_reached = true;
		b->inflight_long = max(bdp(cc, max_bw(b), 100), b->inflight_latest);
	}
	b->loss_ranges = 0;
}

static void enter_recovery(struct ql_cc *cc)
{
	struct ql_bbr *b = &cc->bbr;

	save_cwnd(cc);
	b->in_recovery = true;
	b->undo_state = QL_BBR_STATES;
	b->undo_bw_short = b->bw_short;
	b->undo_inflight_short = b->inflight_short;
	b->undo_inflight_long = b->inflight_long;
}

static void note_loss(struct ql_bbr *b)
{
	if (!b->loss_in_round)
		b->loss_round_delivered = b->delivered;
	b->loss_in_round = true;
}

static void handle_inflight_too_high(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	b->prev_probe_too_high = true;
	b->bw_probe_sample = false; /* once a probe */
	if (!rs->app_limited)
		b->inflight_long = max(rs->tx_in_flight, percent(target_inflight(cc), BETA));
	if (b->state == QL_BBR_UP) {
		b->undo_state = QL_BBR_UP;
		start_down(b, rs->now);
	}
}

/* At which volume in flight, within this packet, losses went beyond the threshold. */
static uint64_t inflight_at_loss(const struct sample *rs, uint32_t size)
{
	uint64_t inflight_prev = rs->tx_in_flight - min(size, rs->tx_in_flight);
	uint64_t lost_prev = rs->lost - min(size, rs->lost);
	uint64_t allowed = percent(inflight_prev, LOSS_THRESH);

	if (allowed <= lost_prev)
		return inflight_prev;
	return inflight_prev + (allowed - lost_prev) * 100 / (100 - LOSS_THRESH);
}

static void bbr_on_lost_packet(struct ql_cc *cc, const struct ql_cc_lost *lost)
{
	struct ql_bbr *b = &cc->bbr;
	struct sample rs = {
		.now = lost->now,
		.tx_in_flight = lost->tx_in_flight,
		.lost = lost->lost,
		.app_limited = lost->rate_app_limited,
	};

	b->delivered = lost->total_delivered;
	if (lost->pn != b->next_lost)
		b->loss_ranges++;
	b->next_lost = lost->pn + 1;
	if (lost->begins)
		enter_recovery(cc);
	note_loss(b);
	if (!b->bw_probe_sample || !inflight_too_high(&rs))
		return;
	rs.tx_in_flight = inflight_at_loss(&rs, lost->bytes);
	handle_inflight_too_high(cc, &rs);
}

static void bbr_on_loss(struct ql_cc *cc, const struct ql_cc_loss *loss)
{
	struct ql_bbr *b = &cc->bbr;

	if (loss->largest_sent >= cc->recovery_end)
		cc->recovery_end = loss->now + 1;
	if (loss->persistent) {
		cc->cwnd = ql_cc_min_window(cc->mtu);
		b->prior_cwnd = 0; /* what was good then says nothing of the path now */
	}
}

/* Marks are congestion as losses are: bbr_on_lost_packet() has been told of them as such. */
static void bbr_on_ecn(struct ql_cc *cc, uint64_t largest_sent, uint64_t now)
{
	if (largest_sent >= cc->recovery_end)
		cc->recovery_end = now + 1;
}

static void bbr_on_spurious(struct ql_cc *cc, uint64_t now __attribute__((unused)))
{
	struct ql_bbr *b = &cc->bbr;

	restore_cwnd(cc);
	b->in_recovery = false;
	cc->recovery_end = 0;
	b->loss_in_round = false;
	reset_full_bw(b);
	b->bw_short = max(b->bw_short, b->undo_bw_short);
	b->inflight_short = max(b->inflight_short, b->undo_inflight_short);
	b->inflight_long = max(b->inflight_long, b->undo_inflight_long);
	if (b->undo_state == QL_BBR_STARTUP && b->state != QL_BBR_STARTUP) {
		b->full_bw_reached = false;
		if (b->state != QL_BBR_PROBE_RTT)
			b->state = QL_BBR_STARTUP;
	} else if (b->undo_state == QL_BBR_UP && b->state != QL_BBR_UP) {
		if (b->state != QL_BBR_PROBE_RTT)
			start_refill(b);
	}
	b->undo_state = QL_BBR_STATES;
}

/* ---- The cycle of ProbeBW ---- */

static bool is_time_to_probe(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;
	uint64_t reno_rounds = min(target_inflight(cc) / cc->mtu, 63);

	if (rs->now <= b->cycle_stamp + b->bw_probe_wait && b->rounds_since_probe_up < reno_rounds)
		return false;
	start_refill(b);
	return true;
}

static bool is_time_to_cruise(const struct ql_cc *cc, const struct sample *rs)
{
	return rs->in_flight <= inflight_with_headroom(cc) &&
	       rs->in_flight <= quantized(cc, bdp(cc, max_bw(&cc->bbr), 100));
}

static bool is_time_to_go_down(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->prev_probe_too_high && rs->in_flight >= b->inflight_long) {
		b->prev_probe_precautionary = true;
		return true;
	}
	if (is_cwnd_limited(b) && cc->cwnd >= b->inflight_long) {
		reset_full_bw(b); /* it is inflight_long that limits bw */
		b->full_bw = rs->rate;
		return false;
	}
	return b->full_bw_now;
}

static void probe_inflight_long_upward(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (!is_cwnd_limited(b) || cc->cwnd < b->inflight_long)
		return;
	b->probe_up_acked += rs->newly_acked;
	if (b->probe_up_acked >= b->probe_up_acked_per_inc) {
		b->inflight_long += b->probe_up_acked / b->probe_up_acked_per_inc * cc->mtu;
		b->probe_up_acked %= b->probe_up_acked_per_inc;
	}
	if (b->round_start)
		raise_inflight_long_slope(cc);
}

/* True: the state has changed already. */
static bool adapt_long_term_model(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->ack_phase == QL_BBR_ACKS_STARTING && b->round_start)
		b->ack_phase = QL_BBR_ACKS_FEEDBACK;
	if (b->ack_phase == QL_BBR_ACKS_STOPPING && b->round_start) {
		b->bw_probe_sample = false;
		b->ack_phase = QL_BBR_ACKS_INIT;
		if (in_probe_bw(b) && !rs->app_limited)
			advance_max_bw_filter(b);
		if (in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
			start_refill(b);
			return true;
		}
	}
	if (inflight_too_high(rs) || b->inflight_long == QL_BBR_NONE)
		return false;
	b->inflight_long = max(b->inflight_long, rs->tx_in_flight);
	if (b->state == QL_BBR_UP)
		probe_inflight_long_upward(cc, rs);
	return false;
}

static void update_probe_bw(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (!b->full_bw_reached || adapt_long_term_model(cc, rs))
		return;
	switch (b->state) {
	case QL_BBR_DOWN:
		if (!is_time_to_probe(cc, rs) && is_time_to_cruise(cc, rs))
			b->state = QL_BBR_CRUISE;
		break;
	case QL_BBR_CRUISE:
		is_time_to_probe(cc, rs);
		break;
	case QL_BBR_REFILL:
		if (b->round_start) {
			b->bw_probe_sample = true;
			start_up(cc, rs);
		}
		break;
	case QL_BBR_UP:
		if (is_time_to_go_down(cc, rs)) {
			b->prev_probe_too_high = false;
			start_down(b, rs->now);
		}
		break;
	default:
		break;
	}
}

/* ---- The lowest RTT, and ProbeRTT ---- */

/* Beyond the draft: over very long paths ProbeRTT would follow ProbeRTT. */
static uint64_t probe_rtt_interval(const struct ql_bbr *b)
{
	if (b->min_rtt == QL_BBR_NONE)
		return PROBE_RTT_EVERY;
	return max(PROBE_RTT_EVERY, PROBE_RTT_ROUNDS * b->min_rtt);
}

static void update_min_rtt(struct ql_bbr *b, const struct sample *rs)
{
	uint64_t interval = probe_rtt_interval(b);

	b->probe_rtt_expired = rs->now > b->probe_rtt_min_stamp + interval;
	if (rs->rtt < b->probe_rtt_min_delay || b->probe_rtt_expired) {
		b->probe_rtt_min_delay = rs->rtt;
		b->probe_rtt_min_stamp = rs->now;
	}
	if (b->probe_rtt_min_delay < b->min_rtt || rs->now > b->min_rtt_stamp + 2 * interval) {
		b->min_rtt = b->probe_rtt_min_delay;
		b->min_rtt_stamp = b->probe_rtt_min_stamp;
	}
}

static void check_probe_rtt_done(struct ql_cc *cc, uint64_t now)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = now; /* the next one is due from here on */
	restore_cwnd(cc);
	exit_probe_rtt(b, now);
}

static void handle_probe_rtt(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->probe_rtt_done_stamp == 0 && rs->in_flight <= probe_rtt_cwnd(cc)) {
		b->probe_rtt_done_stamp = rs->now + PROBE_RTT_LASTING;
		b->probe_rtt_round_done = false;
		start_round(b);
	} else if (b->probe_rtt_done_stamp != 0) {
		b->probe_rtt_round_done |= b->round_start;
		if (b->probe_rtt_round_done)
			check_probe_rtt_done(cc, rs->now);
	}
}

static void check_probe_rtt(struct ql_cc *cc, const struct sample *rs)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->state != QL_BBR_PROBE_RTT && b->state != QL_BBR_STARTUP && b->probe_rtt_expired &&
	    !b->idle_restart) {
		save_cwnd(cc);
		b->state = QL_BBR_PROBE_RTT;
		b->probe_rtt_done_stamp = 0;
		b->ack_phase = QL_BBR_ACKS_STOPPING;
		start_round(b);
	}
	if (b->state == QL_BBR_PROBE_RTT)
		handle_probe_rtt(cc, rs);
	if (rs->delivered > 0)
		b->idle_restart = false;
}

/* ---- What is set ---- */

static void set_pacing_rate(struct ql_cc *cc, unsigned int gain)
{
	const struct ql_bbr *b = &cc->bbr;
	uint64_t rate = b->bw / 100 * gain * MARGIN / 100;

	if (rate > 0 && (b->full_bw_reached || rate > cc->pacing_rate))
		cc->pacing_rate = rate;
}

/* No estimate yet, but an RTT: the first window, at Startup's gain. */
static void init_pacing_rate(struct ql_cc *cc, const struct ql_rtt *rtt)
{
	struct ql_bbr *b = &cc->bbr;

	if (b->rtt_seen || !rtt->sampled)
		return;
	b->rtt_seen = true;
	ql_cc_begin(cc, rtt);
	cc->pacing_rate = scale(max(cc->cwnd, ql_cc_initial_window(cc->mtu)), QL_NSEC_PER_SEC,
				rtt->smoothed) *
			  STARTUP_GAIN / 100;
}

/* Beyond the draft: what Startup does faster over long paths (longstart.h). */
static void start_faster(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	uint64_t most;

	if (cc->bbr.state != QL_BBR_STARTUP || ack->app_limited)
		return;
	most = ql_longstart_on_ack(&cc->longstart, ack, cc->cwnd, cc->mtu);
	if (most <= ack->growth_bytes)
		return;
	cc->cwnd += most - ack->growth_bytes; /* set_cwnd() has added these */
	cc->pacing_rate = max(cc->pacing_rate, scale(cc->cwnd, 2 * QL_NSEC_PER_SEC, ack->rtt->min));
}

static void set_send_quantum(struct ql_cc *cc)
{
	cc->bbr.send_quantum =
		(uint32_t)max(min(cc->pacing_rate / 1000, MAX_QUANTUM), 2 * (uint64_t)cc->mtu);
}

static void bound_cwnd_for_model(struct ql_cc *cc)
{
	const struct ql_bbr *b = &cc->bbr;
	uint64_t cap = QL_BBR_NONE;

	if (b->state == QL_BBR_PROBE_RTT || b->state == QL_BBR_CRUISE)
		cap = inflight_with_headroom(cc);
	else if (in_probe_bw(b))
		cap = b->inflight_long;
	cap = max(min(cap, b->inflight_short), MIN_PIPE(cc));
	cc->cwnd = min(cc->cwnd, cap);
}

static void set_cwnd(struct ql_cc *cc, const struct sample *rs)
{
	const struct ql_bbr *b = &cc->bbr;
	uint64_t most = bdp(cc, b->bw, gains[b->state].cwnd);

	most = quantized(cc, most + max(b->extra_acked[0], b->extra_acked[1]));
	most = min(most, QL_CC_MAX_WINDOW);
	if (b->full_bw_reached)
		cc->cwnd = min(cc->cwnd + rs->newly_acked, most);
	else if (cc->cwnd < most || b->delivered < ql_cc_initial_window(cc->mtu))
		cc->cwnd += rs->newly_acked;
	cc->cwnd = max(cc->cwnd, MIN_PIPE(cc));
	if (b->state == QL_BBR_PROBE_RTT)
		cc->cwnd = min(cc->cwnd, probe_rtt_cwnd(cc));
	bound_cwnd_for_model(cc);
}

/* ---- Events ---- */

static void bbr_on_ack(struct ql_cc *cc, const struct ql_cc_ack *ack)
{
	struct ql_bbr *b = &cc->bbr;
	struct sample rs = {
		.now = ack->now,
		.delivered = ack->delivered,
		.prior_delivered = ack->prior_delivered,
		.interval = ack->interval,
		.send_interval = ack->send_interval,
		.newly_acked = ack->bytes,
		.rtt = ack->now - ack->largest_sent,
		.in_flight = ack->in_flight,
		.tx_in_flight = ack->tx_in_flight,
		.lost = ack->lost,
		.app_limited = ack->rate_app_limited,
	};

	/* Faster than the shortest round trip there was: no sample that could be relied on. */
	if (ack->interval > 0 && ack->interval >= ack->rtt->min)
		rs.rate = scale(ack->delivered, QL_NSEC_PER_SEC, ack->interval);
	b->delivered = ack->total_delivered;
	init_pacing_rate(cc, ack->rtt);

	update_latest_signals(b, &rs);
	update_congestion_signals(cc, &rs);
	update_ack_aggregation(cc, &rs);
	check_full_bw(b, &rs);
	check_startup_high_loss(cc, &rs);
	if (b->state == QL_BBR_STARTUP && b->full_bw_reached)
		enter_drain(b);
	if (b->state == QL_BBR_DRAIN && (rs.in_flight <= quantized(cc, bdp(cc, b->bw, 100)) ||
					 b->round_count > b->drain_start_round + 3))
		start_down(b, rs.now);
	update_probe_bw(cc, &rs);
	update_min_rtt(b, &rs);
	check_probe_rtt(cc, &rs);
	advance_latest_signals(b, &rs);
	b->bw = min(max_bw(b), b->bw_short);

	if (b->in_recovery && ack->largest_sent >= cc->recovery_end) {
		b->in_recovery = false;
		restore_cwnd(cc);
	}
	set_pacing_rate(cc, gains[b->state].pacing);
	set_send_quantum(cc);
	set_cwnd(cc, &rs);
	start_faster(cc, ack);
	cc->holds_back = b->state == QL_BBR_PROBE_RTT;
}

static void bbr_on_sent(struct ql_cc *cc, uint64_t now, uint32_t bytes, uint64_t in_flight,
			bool app_limited)
{
	struct ql_bbr *b = &cc->bbr;

	if (in_flight + cc->mtu > cc->cwnd)
		b->cwnd_limited = true;
	if (in_flight > bytes || !app_limited)
		return;
	b->idle_restart = true;
	b->extra_acked_start = now;
	b->extra_acked_delivered = 0; /* the draft forgets it, and each idle time would add to it */
	if (in_probe_bw(b))
		set_pacing_rate(cc, 100);
	else if (b->state == QL_BBR_PROBE_RTT)
		check_probe_rtt_done(cc, now);
}

static void bbr_init(struct ql_cc *cc, uint64_t now)
{
	struct ql_bbr *b = &cc->bbr;

	*b = (struct ql_bbr){
		.inflight_long = QL_BBR_NONE,
		.min_rtt = QL_BBR_NONE,
		.min_rtt_stamp = now,
		.probe_rtt_min_delay = QL_BBR_NONE,
		.probe_rtt_min_stamp = now,
		.extra_acked_start = now,
		.probe_up_acked_per_inc = QL_BBR_NONE,
		.undo_state = QL_BBR_STATES,
	};
	reset_short_term(b);
	set_send_quantum(cc);
}

const struct ql_cc_ops ql_cc_bbr = {
	.name = "bbr",
	.init = bbr_init,
	.on_ack = bbr_on_ack,
	.on_loss = bbr_on_loss,
	.on_ecn = bbr_on_ecn,
	.on_lost_packet = bbr_on_lost_packet,
	.on_sent = bbr_on_sent,
	.on_spurious = bbr_on_spurious,
};
