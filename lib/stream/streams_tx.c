// SPDX-License-Identifier: BSD-3-Clause
#include "stream/streams_priv.h"

/* A stream is not split into frames with less data than this, in bytes, while there is more. */
#define LEAST_SPLIT 32

/* ---- Control frames ---- */

static void tune_conn(struct ql_streams *ss)
{
	struct ql_flow_budget *b = ss->config.budget;

	if (b)
		b->used +=
			ql_flow_rx_tune(&ss->rx, ss->now, ss->rtt, ss->config.max_data_cap,
					ql_flow_budget_spare(b, ss->mem->budget - ss->mem->used));
}

static void tune_stream(struct ql_stream *s)
{
	const struct ql_streams *ss = s->ss;
	uint64_t cap = ss->config.max_stream_data_cap;

	ql_flow_rx_tune(&s->rx, ss->now, ss->rtt, cap < ss->rx.window ? cap : ss->rx.window,
			ss->config.budget ? UINT64_MAX : 0);
}

/*
 * The frame for one bit of due: written and noted in *rec; limit points to what is to be raised to
 * rec->offset. NULL when it does not fit; p when it is no longer called for.
 */
static uint8_t *put_due(struct ql_streams *ss, unsigned int bit, uint8_t *p, const uint8_t *end,
			struct ql_sent_frame *rec, uint64_t **limit)
{
	bool uni = bit & (QL_DUE_MAX_STREAMS_UNI | QL_DUE_STREAMS_BLOCKED_UNI);
	struct ql_stream_type *t;

	*limit = NULL;
	switch (bit) {
	case QL_DUE_MAX_DATA:
		rec->kind = QL_SENT_MAX_DATA;
		tune_conn(ss);
		rec->offset = ql_flow_rx_next(&ss->rx);
		*limit = &ss->rx.limit;
		return ql_frame_put_max_data(p, end, rec->offset);
	case QL_DUE_MAX_STREAMS_BIDI:
	case QL_DUE_MAX_STREAMS_UNI:
		t = ql_streams_type(ss, false, uni);
		rec->kind = uni ? QL_SENT_MAX_STREAMS_UNI : QL_SENT_MAX_STREAMS_BIDI;
		rec->offset = ql_streams_next_max(ss, uni);
		*limit = &t->limit;
		return ql_frame_put_max_streams(p, end, uni, rec->offset);
	case QL_DUE_DATA_BLOCKED:
		if (ql_flow_tx_room(&ss->tx) > 0)
			return p;
		rec->kind = QL_SENT_DATA_BLOCKED;
		rec->offset = ss->tx.limit;
		return ql_frame_put_data_blocked(p, end, rec->offset);
	default:
		t = ql_streams_type(ss, true, uni);
		if (t->opened < t->limit)
			return p;
		rec->kind = uni ? QL_SENT_STREAMS_BLOCKED_UNI : QL_SENT_STREAMS_BLOCKED_BIDI;
		rec->offset = t->limit;
		return ql_frame_put_streams_blocked(p, end, uni, rec->offset);
	}
}

/* The same for one bit of a stream's ctl. */
static uint8_t *put_ctl(struct ql_stream *s, unsigned int bit, uint8_t *p, const uint8_t *end,
			struct ql_sent_frame *rec, uint64_t **limit)
{
	*limit = NULL;
	rec->id = s->id;
	switch (bit) {
	case QL_CTL_RESET:
		rec->kind = QL_SENT_RESET_STREAM;
		return ql_frame_put_reset_stream(p, end, s->id, s->reset_code, s->send.sent);
	case QL_CTL_STOP:
		rec->kind = QL_SENT_STOP_SENDING;
		return ql_frame_put_stop_sending(p, end, s->id, s->stop_code);
	case QL_CTL_MAX_DATA:
		rec->kind = QL_SENT_MAX_STREAM_DATA;
		tune_stream(s);
		rec->offset = ql_flow_rx_next(&s->rx);
		*limit = &s->rx.limit;
		return ql_frame_put_max_stream_data(p, end, s->id, rec->offset);
	default:
		if (ql_flow_tx_room(&s->tx) > 0)
			return p;
		rec->kind = QL_SENT_STREAM_DATA_BLOCKED;
		rec->offset = s->tx.limit;
		return ql_frame_put_stream_data_blocked(p, end, s->id, rec->offset);
	}
}

/* A frame up to q has been written for rec: true when it stands, and its limit holds. */
static bool commit(struct ql_sent *sent, const uint8_t *p, const uint8_t *q,
		   const struct ql_sent_frame *rec, uint64_t *limit)
{
	if (!q)
		return false;
	if (q > p && ql_sent_add(sent, rec))
		return false;
	if (limit)
		*limit = rec->offset;
	return true;
}

static inline bool control_due(const struct ql_streams *ss)
{
	return ss->due || ss->ctl;
}

/* False when the packet is full. */
static bool put_control(struct ql_streams *ss, uint8_t **p, const uint8_t *end,
			struct ql_sent *sent)
{
	unsigned int bit;
	uint64_t *limit;
	uint8_t *q;

	while (ss->due) {
		struct ql_sent_frame rec = {0};

		bit = ss->due & -(unsigned int)ss->due;
		q = put_due(ss, bit, *p, end, &rec, &limit);
		if (!commit(sent, *p, q, &rec, limit))
			return false;
		ss->due &= (uint8_t)~bit;
		*p = q;
	}
	while (ss->ctl) {
		struct ql_stream *s = ss->ctl;
		struct ql_sent_frame rec = {0};

		bit = s->ctl & -(unsigned int)s->ctl;
		q = put_ctl(s, bit, *p, end, &rec, &limit);
		if (!commit(sent, *p, q, &rec, limit))
			return false;
		ql_stream_ctl_remove(s, bit);
		*p = q;
	}
	return true;
}

/* ---- STREAM frames ---- */

/* How a STREAM frame lies in the room there is. */
struct fit {
	size_t len;    /* of data */
	size_t pad;    /* bytes of PADDING before it */
	bool with_len; /* with Length; without, it fills the room */
};

/*
 * want bytes at offset into room bytes; false when it is not worth it. One byte or three too few
 * for a Length field are filled with PADDING in front, so that the frame may end the packet.
 */
static inline __attribute__((always_inline)) bool
fit_stream(size_t room, uint64_t id, uint64_t offset, size_t want, struct fit *fit)
{
	size_t hdr = ql_frame_stream_hdr_size(id, offset, 0, false);

	if (room < hdr)
		return false;
	room -= hdr;
	*fit = (struct fit){.len = want};
	if (__builtin_expect(want > room, 1)) {
		fit->len = room;
		return room >= LEAST_SPLIT;
	}
	if (want + ql_varint_len(want) <= room)
		fit->with_len = true;
	else
		fit->pad = room - want;
	return true;
}

/*
 * The new p; p itself when nothing fits or the record cannot be made. Inlined where it is called for
 * each packet: that is 2 % of a packet's instructions.
 */
static inline __attribute__((always_inline)) uint8_t *
put_stream(struct ql_streams *ss, struct ql_stream *s, uint8_t *p, const uint8_t *end,
	   struct ql_sent *sent, struct ql_send_tail *tail, bool whole)
{
	struct ql_send_span span;
	struct ql_sent_frame rec;
	const uint8_t *data;
	uint64_t want = 0;
	struct fit fit;
	bool fin;

	if (ql_sendbuf_next(&s->send, &span)) {
		want = span.len;
		if (!span.again && want > ql_flow_tx_room(&s->tx))
			want = ql_flow_tx_room(&s->tx);
		if (!span.again && want > ql_flow_tx_room(&ss->tx))
			want = ql_flow_tx_room(&ss->tx);
		if (want > UINT16_MAX)
			want = UINT16_MAX;
	}
	if (!fit_stream((size_t)(end - p), s->id, span.offset, (size_t)want, &fit) ||
	    (whole && fit.len < span.len))
		return p;
	fin = s->send.fin && span.offset + fit.len == s->send.size;
	rec = (struct ql_sent_frame){.kind = QL_SENT_STREAM,
				     .id = s->id,
				     .offset = span.offset,
				     .len = (uint16_t)fit.len,
				     .flags = fin ? QL_SENT_FRAME_FIN : 0};
	if (ql_sent_add(sent, &rec))
		return p;
	if (fit.pad > 0)
		memset(p, QL_FRAME_PADDING, fit.pad);
	p = ql_frame_put_stream_hdr(p + fit.pad, s->id, span.offset, fit.len, fin, fit.with_len);
	if (__builtin_expect(tail && fit.len >= QL_SEND_TAIL_MIN, 1) &&
	    ql_sendbuf_at(&s->send, span.offset, fit.len, &data) == fit.len) {
		ql_send_tail_copy(tail);
		*tail = (struct ql_send_tail){.at = p, .data = data, .len = fit.len};
	} else {
		ql_sendbuf_copy_out(&s->send, span.offset, p, fit.len);
	}
	ql_sendbuf_sent(&s->send, ss->mem, span.offset, fit.len, fin);
	if (!span.again) {
		s->tx.used += fit.len;
		ss->tx.used += fit.len;
	}
	if (fin)
		s->send_state = QL_SEND_DATA_SENT;
	ql_sched_charge(&ss->sched, &s->node, fit.len);
	/* Most have more of the same kind, and stay where they are. */
	if (span.again || ql_sendbuf_unsent(&s->send) == 0 || ql_flow_tx_room(&s->tx) == 0)
		ql_stream_schedule(s);
	return p + fit.len;
}

uint8_t *ql_streams_send(struct ql_streams *ss, uint8_t *p, uint8_t *end, struct ql_sent *sent,
			 struct ql_send_tail *tail)
{
	const uint8_t *half = p + (end - p) / 2;
	struct ql_sched_node *n;
	bool first = true;
	uint8_t *q;

	if (tail)
		tail->len = 0;
	if (__builtin_expect(ss->closing || control_due(ss), 0) &&
	    (ss->closing || !put_control(ss, &p, end, sent)))
		return p;
	ql_sched_begin(&ss->sched, ql_flow_tx_room(&ss->tx) > 0);
	while ((n = ql_sched_pick(&ss->sched, ql_flow_tx_room(&ss->tx) > 0)) != NULL) {
		q = put_stream(ss, ql_stream_of(n), p, end, sent, tail, !first && p > half);
		if (q == p)
			return p;
		p = q;
		if (p == end)
			break;
		first = false;
	}
	/* That may have used up credit: say so in the same packet if there is room. */
	if (ss->sched.data && ql_flow_tx_blocked(&ss->tx))
		ss->due |= QL_DUE_DATA_BLOCKED;
	if (__builtin_expect(control_due(ss), 0))
		(void)put_control(ss, &p, end, sent);
	return p;
}

uint8_t *ql_streams_send_control(struct ql_streams *ss, uint8_t *p, const uint8_t *end,
				 struct ql_sent *sent)
{
	struct ql_sched_node *n;
	uint8_t *q;

	if (ss->closing)
		return p;
	while ((n = ql_sched_pick(&ss->sched, ql_flow_tx_room(&ss->tx) > 0)) != NULL &&
	       n->level == QL_SCHED_CONTROL) {
		q = put_stream(ss, ql_stream_of(n), p, end, sent, NULL, true);
		if (q == p)
			break;
		p = q;
	}
	return p;
}

/* ---- Trains ---- */

/* Above all offsets whose varints are as long as this one's. */
static inline uint64_t same_length_end(uint64_t offset)
{
	return UINT64_C(1) << (8 * ql_varint_len(offset) - 2);
}

bool ql_streams_train(struct ql_streams *ss, size_t room, struct ql_stream_train *train)
{
	struct ql_sched_node *n = ql_sched_sole(&ss->sched);
	size_t hdr, len, there;
	struct ql_stream *s;
	uint64_t most;

	if (!n || ss->closing || control_due(ss))
		return false;
	s = ql_stream_of(n);
	hdr = ql_frame_stream_hdr_size(s->id, s->send.sent, 0, false);
	if (s->send.sent == 0 || room < hdr + QL_SEND_TAIL_MIN)
		return false;
	len = room - hdr;
	most = ql_sendbuf_unsent(&s->send);
	if (most > ql_flow_tx_room(&s->tx))
		most = ql_flow_tx_room(&s->tx);
	if (most > ql_flow_tx_room(&ss->tx))
		most = ql_flow_tx_room(&ss->tx);
	if (most > same_length_end(s->send.sent) - s->send.sent)
		most = same_length_end(s->send.sent) - s->send.sent;
	if (most <= len)
		return false;
	there = ql_sendbuf_at(&s->send, s->send.sent, (size_t)most, &train->data);
	if (there < most) /* what lies in two pieces is no part of it; else the last byte is not */
		most = there + 1;
	train->stream = s;
	train->offset = s->send.sent;
	train->len = len;
	train->packets = (unsigned int)((most - 1) / len);
	return train->packets > 0;
}

void ql_streams_train_sent(const struct ql_stream_train *train, unsigned int packets)
{
	struct ql_stream *s = train->stream;
	uint64_t bytes = packets * (uint64_t)train->len;

	s->send.sent += bytes;
	s->tx.used += bytes;
	s->ss->tx.used += bytes;
	while (packets-- > 0)
		ql_sched_charge(&s->ss->sched, &s->node, train->len);
}

/* ---- What became of them ---- */

static void on_stream_acked(struct ql_streams *ss, struct ql_stream *s,
			    const struct ql_sent_frame *f)
{
	uint64_t acked = s->send.acked;

	if (s->send_state > QL_SEND_DATA_SENT)
		return;
	ql_sendbuf_acked(&s->send, ss->mem, f->offset, f->len, f->flags & QL_SENT_FRAME_FIN);
	if (s->send_state > QL_SEND_DATA_SENT) /* reset by a release callback */
		return;
	if (s->node.queue == QL_SCHED_FREE) /* for what was lost, or its end */
		ql_stream_schedule(s);
	if (s->send.acked > acked && ss->ops->stream_acked && !ss->closing)
		QL_FLOOR_CALL(ss->ops->stream_acked(s, s->send.acked));
	if (s->send_state > QL_SEND_DATA_SENT || ss->closing)
		return;
	if (s->want_writable && s->send.copied <= ql_streams_send_most(ss) / 4 * 3) {
		s->want_writable = false;
		if (ss->ops->stream_writable)
			QL_FLOOR_CALL(ss->ops->stream_writable(s));
	}
	if (s->send_state == QL_SEND_DATA_SENT && ql_sendbuf_done(&s->send)) {
		s->send_state = QL_SEND_DATA_RECVD;
		ql_stream_settle(s);
	}
}

void ql_streams_acked(struct ql_streams *ss, const struct ql_sent_frame *f)
{
	struct ql_stream *s;

	if (ss->closing || (f->kind != QL_SENT_STREAM && f->kind != QL_SENT_RESET_STREAM))
		return;
	s = ql_streams_find(ss, f->id);
	if (!s)
		return;
	ql_streams_enter(ss);
	if (f->kind == QL_SENT_STREAM) {
		on_stream_acked(ss, s, f);
	} else if (s->send_state == QL_SEND_RESET_SENT) {
		s->send_state = QL_SEND_RESET_RECVD;
		ql_stream_ctl_remove(s, QL_CTL_RESET);
		ql_stream_settle(s);
	}
	ql_streams_leave(ss);
}

static void stream_frame_lost(struct ql_streams *ss, struct ql_stream *s,
			      const struct ql_sent_frame *f)
{
	switch (f->kind) {
	case QL_SENT_STREAM:
		if (s->send_state > QL_SEND_DATA_SENT)
			return;
		ql_sendbuf_lost(&s->send, ss->mem, f->offset, f->len, f->flags & QL_SENT_FRAME_FIN);
		ql_stream_schedule(s);
		break;
	case QL_SENT_RESET_STREAM:
		if (s->send_state == QL_SEND_RESET_SENT)
			ql_stream_ctl_add(s, QL_CTL_RESET);
		break;
	case QL_SENT_STOP_SENDING:
		if (!ql_stream_recv_ended(s))
			ql_stream_ctl_add(s, QL_CTL_STOP);
		break;
	case QL_SENT_MAX_STREAM_DATA:
		/* A later one was sent if the limit is another by now. */
		if (s->recv_state == QL_RECV_OPEN && !s->stopped && f->offset == s->rx.limit)
			ql_stream_ctl_add(s, QL_CTL_MAX_DATA);
		break;
	case QL_SENT_STREAM_DATA_BLOCKED:
		if (s->send_state == QL_SEND_OPEN && f->offset == s->tx.limit &&
		    ql_sendbuf_unsent(&s->send) > 0)
			ql_stream_ctl_add(s, QL_CTL_BLOCKED);
		break;
	}
}

/* What of the connection is due again: for these the records' values are the limits. */
static unsigned int due_again(struct ql_streams *ss, const struct ql_sent_frame *f)
{
	switch (f->kind) {
	case QL_SENT_MAX_DATA:
		return f->offset == ss->rx.limit ? QL_DUE_MAX_DATA : 0;
	case QL_SENT_MAX_STREAMS_BIDI:
		return f->offset == ql_streams_type(ss, false, false)->limit
			       ? QL_DUE_MAX_STREAMS_BIDI
			       : 0;
	case QL_SENT_MAX_STREAMS_UNI:
		return f->offset == ql_streams_type(ss, false, true)->limit ? QL_DUE_MAX_STREAMS_UNI
									    : 0;
	case QL_SENT_DATA_BLOCKED:
		return f->offset == ss->tx.limit && ss->sched.data ? QL_DUE_DATA_BLOCKED : 0;
	case QL_SENT_STREAMS_BLOCKED_BIDI:
		return f->offset == ql_streams_type(ss, true, false)->limit
			       ? QL_DUE_STREAMS_BLOCKED_BIDI
			       : 0;
	case QL_SENT_STREAMS_BLOCKED_UNI:
		return f->offset == ql_streams_type(ss, true, true)->limit
			       ? QL_DUE_STREAMS_BLOCKED_UNI
			       : 0;
	default:
		return 0;
	}
}

void ql_streams_lost(struct ql_streams *ss, const struct ql_sent_frame *f)
{
	struct ql_stream *s;

	if (ss->closing)
		return;
	switch (f->kind) {
	case QL_SENT_STREAM:
	case QL_SENT_RESET_STREAM:
	case QL_SENT_STOP_SENDING:
	case QL_SENT_MAX_STREAM_DATA:
	case QL_SENT_STREAM_DATA_BLOCKED:
		s = ql_streams_find(ss, f->id);
		if (s && !s->dead)
			stream_frame_lost(ss, s, f);
		break;
	default:
		ss->due |= (uint8_t)due_again(ss, f);
		break;
	}
	if (ss->depth == 0)
		ql_streams_wake(ss);
}
