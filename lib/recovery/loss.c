// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/loss.h"

#include <errno.h>

#define MAX_BACKOFF    16 /* doublings of the PTO */
#define MTU_PROBE_PTOS 3  /* after which an MTU probe is lost, if nothing tells earlier */

void ql_rec_init(struct ql_recovery *r, struct ql_mem *mem, const struct ql_rec_ops *ops, void *arg,
		 const struct ql_cc_ops *cc, uint64_t now, uint32_t mtu, uint64_t initial_rtt,
		 bool is_server)
{
	memset(r, 0, sizeof(*r));
	r->ops = ops;
	r->arg = arg;
	r->server = is_server;
	r->validated = is_server; /* clients validate the server's address implicitly (A.8) */
	r->max_ack_delay = 25 * QL_NSEC_PER_MSEC;
	r->armed = r->last_pto = now;
	for (unsigned int i = 0; i < QL_REC_SPACES; i++) {
		ql_sent_init(&r->space[i].sent, mem, 0);
		r->space[i].largest_acked = QL_PN_NONE;
		r->space[i].loss_time = QL_NEVER;
	}
	r->mtu_probe_deadline = QL_NEVER;
	ql_pmtu_init(&r->path.pmtu, (uint16_t)mtu, (uint16_t)mtu, true, now);
	ql_path_rec_init(&r->path, cc, initial_rtt, true, now);
}

void ql_rec_no_ecn(struct ql_recovery *r)
{
	r->no_ecn = true;
	ql_ecn_init(&r->path.ecn, false);
}

void ql_rec_fini(struct ql_recovery *r)
{
	for (unsigned int i = 0; i < QL_REC_SPACES; i++)
		ql_sent_clear(&r->space[i].sent);
	for (unsigned int i = 0; i < QL_REC_PARKED; i++)
		ql_mem_free(r->space[0].sent.mem, r->parked[i], sizeof(*r->parked[i]));
}

/* ---- Sending ---- */

/* N of RFC 9002, 7.7: 2 in slow start, 1.25 after. */
static void set_pace(struct ql_path_rec *path, uint64_t now)
{
	if (path->cc.pacing_rate)
		ql_pacer_set_rate(&path->pacer, now, path->cc.pacing_rate, QL_NSEC_PER_SEC, 1, 1);
	else if (ql_cc_slow_start(&path->cc))
		ql_pacer_set_rate(&path->pacer, now, path->cc.cwnd, path->rtt.smoothed, 2, 1);
	else
		ql_pacer_set_rate(&path->pacer, now, path->cc.cwnd, path->rtt.smoothed, 5, 4);
}

void ql_rec_on_sent(struct ql_recovery *r, unsigned int space, uint16_t size, uint16_t flags,
		    uint64_t now)
{
	struct ql_rec_space *sp = &r->space[space];
	struct ql_path_rec *path = &r->path;
	struct ql_sent_pkt *pkt;

	r->stats.sent++;
	if (flags & QL_SENT_ECT)
		sp->ecn.outstanding++;
	if (path->app_limited)
		flags |= QL_SENT_APP_LIMITED;
	pkt = ql_sent_commit(&sp->sent, now, size, flags);
	if (!pkt)
		return; /* nothing in it is in flight */
	if (path->in_flight == 0)
		path->first_sent = path->delivered_time = now;
	sp->in_flight += size;
	path->in_flight += size;
	pkt->delivered = path->delivered;
	pkt->delivered_time = path->delivered_time;
	pkt->first_sent = path->first_sent;
	pkt->lost = path->lost;
	pkt->in_flight = path->in_flight;
	r->armed = now;
	if (flags & QL_SENT_ELICITING) {
		sp->last_eliciting = now;
		sp->eliciting++;
	} else if (flags & QL_SENT_MTU_PROBE) {
		r->stats.mtu_probes++;
		r->mtu_probe = sp->sent.next - 1;
		r->mtu_probe_deadline =
			now + MTU_PROBE_PTOS * ql_rtt_pto(&path->rtt, r->max_ack_delay);
		ql_pmtu_sent(&path->pmtu);
	}
	path->extra = false;
	if (path->in_flight + path->mtu > path->cc.cwnd)
		path->filled = now;
	if (__builtin_expect(path->ecn.state == QL_ECN_TESTING, 0) && flags & QL_SENT_ECT)
		ql_ecn_on_test_sent(&path->ecn, now, ql_rtt_pto(&path->rtt, r->max_ack_delay));
	if (path->rtt.sampled)
		ql_pacer_sent(&path->pacer, size);
	if (!path->cc.ops->on_sent)
		return;
	path->cc.ops->on_sent(&path->cc, now, size, path->in_flight, flags & QL_SENT_APP_LIMITED);
	if (path->in_flight == size)
		set_pace(path, now); /* after an idle time it may be another */
}

/* Bytes that the congestion window lets go, 0 when not even a full datagram. */
static uint64_t window(const struct ql_path_rec *path)
{
	uint64_t room = path->cc.cwnd > path->in_flight ? path->cc.cwnd - path->in_flight : 0;

	if (room >= path->mtu)
		return room;
	return path->extra ? path->mtu : 0;
}

size_t ql_rec_allowance(struct ql_recovery *r, uint64_t now)
{
	struct ql_path_rec *path = &r->path;
	uint64_t room = window(path);

	/* The initial window may go out at once (7.7), there is nothing yet to pace it by. */
	if (room && path->rtt.sampled) {
		uint64_t tokens = ql_pacer_allow(&path->pacer, now);

		room = tokens < room ? tokens : room;
	}
	return room - room % path->mtu;
}

uint64_t ql_rec_pace_time(const struct ql_recovery *r, uint64_t now)
{
	const struct ql_path_rec *path = &r->path;

	if (!window(path))
		return QL_NEVER;
	return path->rtt.sampled ? ql_pacer_next(&path->pacer, now, path->mtu) : now;
}

void ql_rec_app_limited(struct ql_recovery *r)
{
	struct ql_path_rec *path = &r->path;

	path->app_limited = path->delivered + path->in_flight;
	if (!path->app_limited)
		path->app_limited = 1;
}

/* ---- The path's MTU ---- */

/* The maximum datagram size of the path has changed. */
static void set_mtu(struct ql_recovery *r)
{
	struct ql_path_rec *path = &r->path;

	path->mtu = path->pmtu.size;
	ql_cc_set_mtu(&path->cc, path->mtu);
	ql_pacer_set_mtu(&path->pacer, path->mtu);
}

void ql_rec_search_mtu(struct ql_recovery *r, uint16_t max, bool fixed, uint64_t now)
{
	ql_pmtu_init(&r->path.pmtu, r->path.pmtu.size, max, fixed, now);
}

void ql_rec_limit_mtu(struct ql_recovery *r, uint64_t most, uint64_t now)
{
	if (ql_pmtu_limit(&r->path.pmtu, most, now))
		set_mtu(r);
}

enum ql_rec_mtu ql_rec_mtu_due(struct ql_recovery *r, uint64_t now, uint16_t *size)
{
	const struct ql_path_rec *path = &r->path;

	*size = ql_pmtu_due(&path->pmtu, now);
	/* Where nothing arrives, nothing is learnt; nor is a probe worth most of the window. */
	if (*size == 0 || r->pto_count > 0 || path->cc.cwnd < 2 * (uint64_t)*size)
		return QL_REC_MTU_NONE;
	return path->in_flight + *size <= path->cc.cwnd ? QL_REC_MTU_SEND : QL_REC_MTU_WAIT;
}

static void mtu_probe_lost(struct ql_recovery *r, uint64_t pn, const struct ql_sent_pkt *pkt,
			   uint64_t now)
{
	if (pn == r->mtu_probe)
		r->mtu_probe_deadline = QL_NEVER;
	if (pkt->path == r->path.id)
		ql_pmtu_lost(&r->path.pmtu, pkt->size, now);
}

static void black_hole(struct ql_recovery *r, uint64_t now)
{
	r->stats.black_holes++;
	ql_pmtu_on_hole(&r->path.pmtu, now);
	set_mtu(r);
}

/* ---- Losses ---- */

static void tell_lost(struct ql_recovery *r, unsigned int space, const struct ql_sent_pkt *pkt)
{
	struct ql_sent_iter it;

	if (pkt->flags & QL_SENT_REQUEUED)
		return; /* told already, for a probe */
	for (const struct ql_sent_frame *f = ql_sent_frames(&it, pkt); f;
	     f = ql_sent_frames_next(&it))
		r->ops->lost(r->arg, space, f);
}

static void leave_flight(struct ql_recovery *r, struct ql_rec_space *sp, uint64_t bytes,
			 uint32_t eliciting)
{
	struct ql_path_rec *path = &r->path;

	sp->in_flight -= bytes;
	sp->eliciting -= eliciting;
	/* Packets of a path that had this id before are not in its sum. */
	path->in_flight -= bytes < path->in_flight ? bytes : path->in_flight;
}

/* A packet of another path than the one in use. */
static void leave_other(struct ql_recovery *r, struct ql_rec_space *sp,
			const struct ql_sent_pkt *pkt)
{
	sp->in_flight -= pkt->size;
	for (unsigned int i = 0; i < QL_REC_PARKED; i++) {
		struct ql_path_rec *path = r->parked[i];

		if (path && path->id == pkt->path)
			path->in_flight -=
				pkt->size < path->in_flight ? pkt->size : path->in_flight;
	}
}

/* Move sent.open to the next packet in flight. */
static uint64_t next_open(struct ql_rec_space *sp)
{
	struct ql_sent *s = &sp->sent;

	while (s->open < s->next) {
		const struct ql_sent_pkt *pkt = ql_sent_at(s, s->open);

		if (pkt->flags & QL_SENT_ACKED) {
			sp->run = false;
			s->open = ql_sent_unacked(s, s->open);
		} else if (pkt->flags & QL_SENT_DONE || !(pkt->flags & QL_SENT_IN_FLIGHT)) {
			s->open++;
		} else {
			break;
		}
	}
	return s->open;
}

/* Whether this lost packet and an earlier one, with none acknowledged between, are too far apart.
 */
static bool is_persistent(struct ql_recovery *r, struct ql_rec_space *sp,
			  const struct ql_sent_pkt *pkt)
{
	const struct ql_rtt *rtt = &r->path.rtt;

	if (!(pkt->flags & QL_SENT_ELICITING) || !rtt->sampled || pkt->time <= rtt->first_sample)
		return false;
	if (!sp->run) {
		sp->run = true;
		sp->run_start = pkt->time;
		return false;
	}
	return pkt->time - sp->run_start > QL_REC_PERSISTENT * ql_rtt_pto(rtt, r->max_ack_delay);
}

static bool is_lost(const struct ql_rec_space *sp, uint64_t pn, const struct ql_sent_pkt *pkt,
		    unsigned int threshold, uint64_t delay, uint64_t now)
{
	uint64_t ahead = sp->largest_acked - pn;

	/* A number that we left out ourselves is no sign of reordering. */
	if (pn < sp->sent.last_skip && sp->sent.last_skip < sp->largest_acked)
		ahead--;
	return ahead >= threshold || now - pkt->time >= delay;
}

/* Count a lost packet, also to know when none of them turns out to be lost. */
static void note_lost(struct ql_path_rec *path, uint64_t pn, const struct ql_sent_pkt *pkt,
		      struct ql_cc_loss *loss)
{
	uint64_t end = path->cc.recovery_end;
	bool begins = pkt->time >= end && (loss->bytes == 0 || loss->largest_sent < end);

	if (begins) {
		path->episode_sent = pkt->time;
		path->episode_lost = 0;
		path->episode_marked = false;
		if (++path->calm >= QL_REC_REORDER_PERSIST) {
			path->packet_threshold = QL_REC_PACKET_THRESHOLD;
			path->time_eighths = 1;
			path->calm = 0;
		}
	}
	path->episode_lost += pkt->size;
	path->lost += pkt->size;
	loss->bytes += pkt->size;
	loss->largest_sent = pkt->time;
	if (path->cc.ops->on_lost_packet) {
		const struct ql_cc_lost lost = {
			.now = loss->now,
			.pn = pn,
			.tx_in_flight = pkt->in_flight,
			.lost = path->lost - pkt->lost,
			.total_delivered = path->delivered,
			.bytes = pkt->size,
			.begins = begins,
			.rate_app_limited = pkt->flags & QL_SENT_APP_LIMITED,
		};

		path->cc.ops->on_lost_packet(&path->cc, &lost);
	}
}

/* A.10. The packets are in the order of their times, so the first not lost ends the search. */
static bool detect_lost(struct ql_recovery *r, unsigned int space, uint64_t now)
{
	struct ql_rec_space *sp = &r->space[space];
	struct ql_path_rec *path = &r->path;
	uint64_t delay = ql_rtt_loss_delay(&path->rtt, path->time_eighths);
	unsigned int threshold = path->packet_threshold;
	uint64_t end = path->cc.recovery_end, pn;
	struct ql_cc_loss loss = {.now = now, .rtt = &path->rtt};
	bool any = false;

	sp->loss_time = QL_NEVER;
	if (sp->largest_acked == QL_PN_NONE)
		return false;
	while ((pn = next_open(sp)) < sp->sent.next && pn < sp->largest_acked) {
		struct ql_sent_pkt *pkt = ql_sent_at(&sp->sent, pn);

		if (!is_lost(sp, pn, pkt, threshold, delay, now)) {
			sp->loss_time = pkt->time + delay;
			break;
		}
		any = true;
		r->stats.lost++;
		if (r->ops->packet_lost)
			r->ops->packet_lost(r->arg, space, pn, pkt, now - pkt->time >= delay);
		if (__builtin_expect(pkt->flags & QL_SENT_MTU_PROBE, 0))
			mtu_probe_lost(r, pn, pkt, now);
		if (pkt->path != path->id) {
			leave_other(r, sp, pkt);
			sp->eliciting -= pkt->flags & QL_SENT_ELICITING ? 1 : 0;
			pkt->flags |= QL_SENT_LOST;
			tell_lost(r, space, pkt);
			continue;
		}
		leave_flight(r, sp, pkt->size, pkt->flags & QL_SENT_ELICITING ? 1 : 0);
		if (pkt->flags & QL_SENT_ECT)
			ql_ecn_on_lost(&path->ecn, pkt->time);
		if (!(pkt->flags & QL_SENT_MTU_PROBE)) {
			note_lost(path, pn, pkt, &loss);
			/* Before that datagrams are large whose packets are not. */
			if (space == QL_REC_APP && ql_pmtu_is_big(&path->pmtu, pkt->size))
				ql_pmtu_big_lost(&path->pmtu, pkt->time);
			if (is_persistent(r, sp, pkt))
				loss.persistent = true;
		}
		pkt->flags |= QL_SENT_LOST;
		tell_lost(r, space, pkt);
	}
	if (!loss.bytes)
		return any;
	loss.in_flight = path->in_flight;
	if (loss.persistent) {
		r->stats.persistent++;
		sp->run = false;
		ql_rtt_reset_min(&path->rtt);
	}
	path->cc.ops->on_loss(&path->cc, &loss);
	if (path->cc.recovery_end > end)
		path->extra = true;
	if (ql_pmtu_is_hole(&path->pmtu, 0))
		black_hole(r, now);
	return true;
}

/* The latest MTU probe has been under way for too long. */
static void give_up_mtu_probe(struct ql_recovery *r, uint64_t now)
{
	struct ql_rec_space *sp = &r->space[QL_REC_APP];
	struct ql_sent_pkt *pkt = ql_sent_get(&sp->sent, r->mtu_probe);

	r->mtu_probe_deadline = QL_NEVER;
	if (!pkt || pkt->flags & QL_SENT_DONE)
		return;
	r->stats.lost++;
	if (r->ops->packet_lost)
		r->ops->packet_lost(r->arg, QL_REC_APP, r->mtu_probe, pkt, true);
	if (r->pto_count > 0) /* nothing else arrives, either */
		ql_pmtu_abandon(&r->path.pmtu, now);
	else
		mtu_probe_lost(r, r->mtu_probe, pkt, now);
	if (pkt->path == r->path.id)
		leave_flight(r, sp, pkt->size, 0);
	else
		leave_other(r, sp, pkt);
	pkt->flags |= QL_SENT_LOST;
}

/* ---- Acknowledgments ---- */

/* What one ACK frame newly acknowledges. */
struct newly {
	uint64_t now, prior_largest; /* acknowledged before it */
	uint64_t packets;	     /* that were not lost */
	uint64_t bytes;		     /* of them, in flight */
	uint64_t growth;	     /* of those, sent after recovery began */
	uint32_t eliciting;
	uint32_t marked;	   /* sent with an ECT codepoint, */
	bool marked_elsewhere;	   /* some of them on another path */
	uint64_t late, late_bytes; /* packets that had been declared lost */
	uint64_t undone;	   /* bytes of them that the latest recovery period counts */
	uint64_t big;		   /* when the newest that counts as large was sent */
	uint16_t mtu_probe;	   /* size of one among them, or 0 */
	uint64_t newest_time;
	uint64_t newest_pn;
	const struct ql_sent_pkt *newest; /* highest in flight */
	struct ql_sent_frame run;	  /* of a stream, not told of yet */
	bool running;
};

static void end_run(struct ql_recovery *r, unsigned int space, struct newly *n)
{
	if (n->running)
		r->ops->acked(r->arg, space, &n->run);
	n->running = false;
}

/* A transfer's frames continue each other: told of as one, they cost what one does. */
static inline void tell_acked(struct ql_recovery *r, unsigned int space,
			      const struct ql_sent_frame *f, struct newly *n)
{
	struct ql_sent_frame *run = &n->run;

	if (n->running && f->kind == QL_SENT_STREAM && f->id == run->id &&
	    f->offset == run->offset + run->len && run->flags == 0 &&
	    f->len <= UINT16_MAX - run->len) {
		run->len = (uint16_t)(run->len + f->len);
		run->flags = f->flags;
		return;
	}
	end_run(r, space, n);
	if (f->kind == QL_SENT_STREAM) {
		*run = *f;
		n->running = true;
	} else {
		r->ops->acked(r->arg, space, f);
	}
}

/*
 * A packet of the path in use was taken for lost, and is here: be so patient with others that it
 * would not have been (6.1).
 */
static void learn_reordering(struct ql_path_rec *path, uint64_t pn, const struct ql_sent_pkt *pkt,
			     const struct newly *n)
{
	uint64_t ahead = n->prior_largest - pn + 1;
	uint64_t eighths = 8 * (n->now - pkt->time) / ql_rtt_loss_delay(&path->rtt, 0);

	path->calm = 0;
	if (ahead > QL_REC_PACKET_THRESHOLD_MAX)
		ahead = QL_REC_PACKET_THRESHOLD_MAX;
	if (ahead > path->packet_threshold)
		path->packet_threshold = (uint16_t)ahead;
	/* Beyond the first eight; one more makes up for the rounding. */
	eighths = eighths < 8 ? 1 : eighths - 7;
	if (eighths > QL_REC_TIME_EIGHTHS_MAX)
		eighths = QL_REC_TIME_EIGHTHS_MAX;
	if (eighths > path->time_eighths)
		path->time_eighths = (uint8_t)eighths;
}

static void take_acked(struct ql_recovery *r, unsigned int space, uint64_t pn,
		       struct ql_sent_pkt *pkt, uint64_t skip, struct newly *n)
{
	unsigned int flags = pkt->flags;
	struct ql_sent_iter it;

	if (flags & QL_SENT_ECT) {
		n->marked++;
		n->marked_elsewhere |= pkt->path != r->path.id;
	}
	if (__builtin_expect(flags & QL_SENT_MTU_PROBE, 0)) {
		if (pn == r->mtu_probe)
			r->mtu_probe_deadline = QL_NEVER;
		if (pkt->path == r->path.id && pkt->size > n->mtu_probe)
			n->mtu_probe = pkt->size;
	}
	if (ql_pmtu_is_big(&r->path.pmtu, pkt->size) && pkt->time > n->big &&
	    pkt->path == r->path.id)
		n->big = pkt->time;
	if (__builtin_expect(flags & QL_SENT_LOST, 0)) {
		n->late++;
		if (pkt->path == r->path.id) {
			n->late_bytes += pkt->size;
			if (!(flags & QL_SENT_MTU_PROBE)) {
				learn_reordering(&r->path, pn, pkt, n);
				if (pkt->time >= r->path.episode_sent)
					n->undone += pkt->size;
			}
		}
	} else {
		n->packets++;
		if (flags & QL_SENT_IN_FLIGHT && __builtin_expect(pkt->path != r->path.id, 0)) {
			leave_other(r, &r->space[space], pkt);
		} else if (flags & QL_SENT_IN_FLIGHT) {
			n->bytes += pkt->size;
			if (pkt->time >= r->path.cc.recovery_end)
				n->growth += pkt->size;
			if (!n->newest || pn > n->newest_pn) {
				n->newest = pkt;
				n->newest_pn = pn;
				n->newest_time = pkt->time;
			}
		}
		if (flags & QL_SENT_ELICITING)
			n->eliciting++;
	}
	for (const struct ql_sent_frame *f = ql_sent_frames(&it, pkt); f;
	     f = ql_sent_frames_next(&it))
		tell_acked(r, space, f, n);
	pkt->flags = (uint16_t)(flags | QL_SENT_ACKED);
	pkt->skip = skip;
}

/* One range of an ACK frame, whose end has been sent. */
static int take_range(struct ql_recovery *r, unsigned int space, uint64_t start, uint64_t end,
		      struct newly *n)
{
	struct ql_sent *s = &r->space[space].sent;
	struct ql_sent_pkt *pkt;
	uint64_t pn;

	if (start <= s->last_skip && s->last_skip <= end)
		return -EPROTO;
	if (start < s->base)
		start = s->base;
	for (pn = start; pn <= end; pn++) {
		pkt = ql_sent_at(s, pn);
		if (pkt->flags & QL_SENT_ACKED) {
			pn = ql_sent_unacked(s, pn) - 1;
			continue;
		}
		if (pkt->flags & QL_SENT_SKIPPED)
			return -EPROTO;
		take_acked(r, space, pn, pkt, end + 1, n);
	}
	/* Peers repeat their ranges: next time, this one is one step. */
	pkt = start <= end ? ql_sent_at(s, start) : NULL;
	if (pkt && pkt->skip <= end)
		pkt->skip = end + 1;
	return 0;
}

/* 7.8: what limited the sender was not the window, of which so much was in use. What went out
 * before the window was full the last time went out to fill it. */
static bool underused(const struct ql_path_rec *path, uint64_t used, const struct newly *n)
{
	if (!(n->newest->flags & QL_SENT_APP_LIMITED) || n->newest_time <= path->filled)
		return false;
	if (ql_cc_slow_start(&path->cc) && 2 * used >= path->cc.cwnd)
		return false;
	return used + 3 * path->mtu < path->cc.cwnd;
}

static void sample_rate(struct ql_path_rec *path, const struct newly *n, uint64_t now,
			struct ql_cc_ack *ack)
{
	uint64_t send = n->newest_time - n->newest->first_sent;
	uint64_t recv = now - n->newest->delivered_time;

	path->delivered += n->bytes + n->late_bytes;
	path->delivered_time = now;
	path->first_sent = n->newest_time;
	if (path->delivered > path->app_limited)
		path->app_limited = 0;
	ack->tx_in_flight = n->newest->in_flight;
	ack->interval = send > recv ? send : recv;
	ack->send_interval = send;
	ack->delivered = path->delivered - n->newest->delivered;
	ack->total_delivered = path->delivered;
	ack->prior_delivered = n->newest->delivered;
	ack->rate_app_limited = n->newest->flags & QL_SENT_APP_LIMITED;
}

/* Packets that had been declared lost are here. */
static void take_late(struct ql_path_rec *path, uint64_t bytes, uint64_t now)
{
	if (bytes == 0 || path->episode_lost == 0)
		return;
	path->episode_lost -= bytes < path->episode_lost ? bytes : path->episode_lost;
	if (path->episode_lost == 0 && !path->episode_marked && path->cc.ops->on_spurious)
		path->cc.ops->on_spurious(&path->cc, now);
}

/*
 * So many packets have newly arrived with Congestion Experienced, the largest acknowledged of which
 * was sent then (7.1, B.7). To what counts losses they are losses, of the packets' average size.
 */
static void note_marked(struct ql_recovery *r, uint64_t packets, uint64_t largest_sent,
			struct newly *n, uint64_t now)
{
	struct ql_path_rec *path = &r->path;
	bool begins = largest_sent >= path->cc.recovery_end;

	r->stats.ce += packets;
	n->growth = 0; /* all that is acknowledged was sent before this recovery period */
	if (begins) {
		path->episode_sent = largest_sent;
		path->episode_lost = 0;
	}
	path->episode_marked = true;
	if (path->cc.ops->on_lost_packet && n->newest) {
		uint64_t bytes = packets * n->newest->size;
		struct ql_cc_lost lost = {
			.now = now,
			.pn = n->newest_pn,
			.tx_in_flight = n->newest->in_flight,
			.total_delivered = path->delivered,
			.begins = begins,
			.rate_app_limited = n->newest->flags & QL_SENT_APP_LIMITED,
		};

		lost.bytes = (uint32_t)(bytes < n->bytes ? bytes : n->bytes);
		path->lost += lost.bytes;
		lost.lost = path->lost - n->newest->lost;
		path->cc.ops->on_lost_packet(&path->cc, &lost);
	}
	path->cc.ops->on_ecn(&path->cc, largest_sent, now);
}

int ql_rec_on_ack(struct ql_recovery *r, unsigned int space, const struct ql_frame_ack *ack,
		  uint64_t delay, uint64_t now)
{
	struct ql_rec_space *sp = &r->space[space];
	struct ql_path_rec *path = &r->path;
	struct ql_sent *s = &sp->sent;
	struct newly n = {.now = now, .prior_largest = sp->largest_acked};
	struct ql_ack_iter it;
	struct ql_ack_range range;
	uint64_t low, prior = path->in_flight, keep;
	struct ql_cc_ack cc = {.now = now, .prior_in_flight = prior, .rtt = &path->rtt};
	const struct ql_sent_pkt *largest;
	bool sample, lost, raised;
	uint64_t sent_at = 0, ce;

	if (ack->largest >= s->next)
		return -EPROTO;
	if (sp->discarded)
		return 0;
	largest = ql_sent_get(s, ack->largest);
	sample = largest && !(largest->flags & QL_SENT_DONE) && largest->path == path->id;
	raised = sp->largest_acked == QL_PN_NONE || ack->largest > sp->largest_acked;
	if (sample || (raised && largest))
		sent_at = largest->time;
	if (raised)
		sp->largest_acked = ack->largest;

	low = s->base < s->last_skip ? s->base : s->last_skip;
	for (ql_ack_iter_init(&it, ack); ql_ack_iter_next(&it, &range) && range.end >= low;)
		if (take_range(r, space, range.start, range.end, &n))
			return -EPROTO;
	end_run(r, space, &n);
	if (n.packets + n.late == 0)
		return 0;

	ql_pmtu_big_passed(&path->pmtu, n.big);
	if (n.mtu_probe > 0 && ql_pmtu_acked(&path->pmtu, n.mtu_probe, now))
		set_mtu(r);
	r->stats.acked += n.packets;
	r->stats.spurious += n.late;
	leave_flight(r, sp, n.bytes, n.eliciting);
	r->armed = now;
	if (space == 1)
		r->validated = true;
	if (sample && n.eliciting)
		ql_rtt_sample(&path->rtt, now, now - sent_at, space == 0 ? 0 : delay,
			      r->confirmed ? r->max_ack_delay : UINT64_MAX);
	if (n.late) {
		sp->run = false;
		take_late(path, n.undone, now);
	}
	if (n.newest) {
		cc.app_limited = underused(path, prior, &n);
		sample_rate(path, &n, now, &cc);
	}
	if (raised) {
		ce = ql_ecn_on_ack(&path->ecn, &sp->ecn, ack, n.marked, n.marked_elsewhere, now);
		if (__builtin_expect(ce > 0, 0) && largest)
			note_marked(r, ce, sent_at, &n, now);
	}
	lost = detect_lost(r, space, now);
	if (n.newest) {
		cc.bytes = n.bytes;
		cc.growth_bytes = n.growth;
		cc.in_flight = path->in_flight;
		cc.largest_sent = n.newest_time;
		cc.lost = path->lost - n.newest->lost;
		path->cc.ops->on_ack(&path->cc, &cc);
		if (path->cc.holds_back)
			ql_rec_app_limited(r);
	}
	if (r->validated || r->confirmed)
		r->pto_count = 0;
	set_pace(path, now);

	/* Records of lost packets wait for late ACKs, while there is something under way. */
	keep = 3 * ql_rtt_pto(&path->rtt, r->max_ack_delay);
	if (sp->in_flight || lost)
		ql_sent_trim(s, now > keep ? now - keep : 0);
	else
		ql_sent_clear(s);
	return 0;
}

/* ---- Time ---- */

/* When the next PTO is due and for which space; QL_NEVER. A.8, GetPtoTimeAndSpace. */
static uint64_t pto_time(const struct ql_recovery *r, unsigned int *space)
{
	unsigned int backoff = r->pto_count < MAX_BACKOFF ? r->pto_count : MAX_BACKOFF;
	uint64_t best = QL_NEVER;

	for (unsigned int i = r->first; i < QL_REC_SPACES; i++) {
		const struct ql_rec_space *sp = &r->space[i];
		uint64_t from = sp->last_eliciting > r->last_pto ? sp->last_eliciting : r->last_pto;
		uint64_t t;

		if (!sp->eliciting || (i == QL_REC_APP && !r->confirmed))
			continue;
		t = from +
		    (ql_rtt_pto(&r->path.rtt, i == QL_REC_APP ? r->max_ack_delay : 0) << backoff);
		if (t < best) {
			best = t;
			*space = i;
		}
	}
	if (best == QL_NEVER && !r->validated && !r->confirmed) {
		/* A client must not let a server starve behind its amplification limit (6.2.2.1).
		 */
		best = r->armed + (ql_rtt_pto(&r->path.rtt, 0) << backoff);
		*space = r->handshake_keys ? 1 : 0;
	}
	return best;
}

uint64_t ql_rec_deadline(const struct ql_recovery *r)
{
	uint64_t t = QL_NEVER;
	unsigned int space;

	for (unsigned int i = r->first; i < QL_REC_SPACES; i++)
		if (r->space[i].loss_time < t)
			t = r->space[i].loss_time;
	if (t == QL_NEVER && !r->blocked)
		t = pto_time(r, &space);
	return t < r->mtu_probe_deadline ? t : r->mtu_probe_deadline;
}

unsigned int ql_rec_on_timeout(struct ql_recovery *r, uint64_t now, unsigned int *space)
{
	bool threshold = false;

	if (r->mtu_probe_deadline <= now)
		give_up_mtu_probe(r, now);
	for (unsigned int i = 0; i < QL_REC_SPACES; i++) {
		if (r->space[i].loss_time > now)
			continue;
		threshold = true;
		if (detect_lost(r, i, now))
			set_pace(&r->path, now);
	}
	if (threshold || ql_rec_deadline(r) > now)
		return 0;
	pto_time(r, space);
	r->last_pto = r->armed = now;
	r->stats.ptos++;
	if (r->pto_count < UINT8_MAX)
		r->pto_count++;
	if (ql_pmtu_is_hole(&r->path.pmtu, r->pto_count))
		black_hole(r, now);
	return r->space[*space].eliciting ? 2 : 1;
}

bool ql_rec_probe_frames(struct ql_recovery *r, unsigned int space)
{
	struct ql_rec_space *sp = &r->space[space];

	for (uint64_t pn = next_open(sp); pn < sp->sent.next; pn++) {
		struct ql_sent_pkt *pkt = ql_sent_at(&sp->sent, pn);

		if (pkt->flags & (QL_SENT_DONE | QL_SENT_REQUEUED) ||
		    !(pkt->flags & QL_SENT_ELICITING))
			continue;
		tell_lost(r, space, pkt);
		pkt->flags |= QL_SENT_REQUEUED;
		return true;
	}
	return false;
}

/* ---- The life of a space ---- */

static void forget(struct ql_recovery *r, struct ql_rec_space *sp)
{
	leave_flight(r, sp, sp->in_flight, sp->eliciting);
	ql_sent_clear(&sp->sent);
	sp->loss_time = QL_NEVER;
	sp->run = false;
	r->pto_count = 0;
}

void ql_rec_discard_space(struct ql_recovery *r, unsigned int space)
{
	forget(r, &r->space[space]);
	r->space[space].discarded = true;
	while (r->first < QL_REC_APP && r->space[r->first].discarded)
		r->first++;
}

void ql_rec_requeue_space(struct ql_recovery *r, unsigned int space)
{
	struct ql_rec_space *sp = &r->space[space];

	for (uint64_t pn = next_open(sp); pn < sp->sent.next; pn++) {
		const struct ql_sent_pkt *pkt = ql_sent_at(&sp->sent, pn);

		if (pkt->flags & QL_SENT_IN_FLIGHT && !(pkt->flags & QL_SENT_DONE))
			tell_lost(r, space, pkt);
	}
	forget(r, sp);
}
