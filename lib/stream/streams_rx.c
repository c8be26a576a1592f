// SPDX-License-Identifier: BSD-3-Clause
#include "stream/streams_priv.h"

/* Which of the stream's two directions a frame is about, as seen from us. */
enum side {
	RECEIVING,
	SENDING,
};

/*
 * The stream that a frame names, created if the peer may open it: with it all lower ones of its
 * type (RFC 9000, 3.2). NULL without an error for one that is closed and gone, or when the
 * application has closed the connection.
 */
static int find_or_create(struct ql_streams *ss, uint64_t id, enum side side,
			  struct ql_stream **stream)
{
	bool local = ql_streams_is_local(ss, id);
	const struct ql_stream_type *t = &ss->types[id & 3];
	struct ql_stream *s;

	*stream = NULL;
	if (ql_stream_id_is_uni(id) && local == (side == RECEIVING))
		return QL_ERR_STREAM_STATE_ERROR;
	if (id >> 2 < t->opened) {
		*stream = ql_streams_find(ss, id);
		return 0;
	}
	if (local)
		return QL_ERR_STREAM_STATE_ERROR;
	if (id >> 2 >= t->limit)
		return QL_ERR_STREAM_LIMIT_ERROR;
	do {
		s = ql_streams_create(ss, id & 3);
		if (!s)
			return QL_ERR_INTERNAL_ERROR;
		if (ss->ops->stream_opened)
			QL_FLOOR_CALL(ss->ops->stream_opened(s));
		if (ss->closing)
			return 0;
	} while (s->id != id);
	ss->last = s;
	*stream = s;
	return 0;
}

/*
 * The stream's data reaches up to end, or ends there. Checks both levels of flow control and the
 * final size, and counts what is new.
 */
static inline __attribute__((always_inline)) int extend(struct ql_stream *s, uint64_t end,
							bool final)
{
	struct ql_streams *ss = s->ss;
	uint64_t fresh = end > s->recv.high ? end - s->recv.high : 0;

	if (end > s->recv.final_size)
		return QL_ERR_FINAL_SIZE_ERROR;
	if (fresh > 0 && (end > s->rx.limit || fresh > ss->rx.limit - ss->rx_used))
		return QL_ERR_FLOW_CONTROL_ERROR;
	if (ql_recvbuf_extent(&s->recv, end, final))
		return QL_ERR_FINAL_SIZE_ERROR;
	ss->rx_used += fresh;
	ss->progress += fresh > 0;
	if (final && s->recv_state == QL_RECV_OPEN) {
		s->recv_state = QL_RECV_SIZE_KNOWN;
		ql_stream_ctl_remove(s, QL_CTL_MAX_DATA);
		ss->progress++;
	}
	return 0;
}

static void recv_ended(struct ql_stream *s, enum ql_recv_state state)
{
	s->recv_state = (uint8_t)state;
	ql_stream_ctl_remove(s, QL_CTL_STOP);
	ql_stream_drop_recv(s);
	ql_stream_settle(s);
}

/* Hand on what is in order, from the frame and from what is held. */
static void deliver(struct ql_stream *s, const struct ql_frame_stream *f)
{
	struct ql_streams *ss = s->ss;
	const uint8_t *p = f->data;
	bool fin;
	size_t n;

	do {
		n = ql_recvbuf_next(&s->recv, f->offset, f->data, f->len, &p);
		fin = s->recv.offset + n == s->recv.final_size;
		if (n == 0 && !fin)
			return;
		ss->progress++;
		s->lent = (uint32_t)n;
		s->delivering = true;
		QL_FLOOR_CALL(ss->ops->stream_data(s, p, n, fin));
		s->delivering = false;
		s->lent = 0;
		ql_recvbuf_consume(&s->recv, ss->mem, n);
		if (s->stopped) { /* by the callback */
			ql_stream_drop_recv(s);
			return;
		}
	} while (!fin && s->recv.chunks > 0 && !ss->closing);
	if (fin)
		recv_ended(s, QL_RECV_DATA_READ);
}

static int on_stream(struct ql_streams *ss, const struct ql_frame_stream *f)
{
	uint64_t high, end = f->offset + f->len;
	struct ql_stream *s = ss->last;
	int err;

	/* Frames of a stream mostly come in a row. */
	if (!s || s->id != f->id || s->recv_state == QL_RECV_NONE) {
		err = find_or_create(ss, f->id, RECEIVING, &s);
		if (err || !s)
			return err;
	}
	high = s->recv.high;
	err = extend(s, end, f->fin);
	if (err || ql_stream_recv_ended(s))
		return err;
	if (s->stopped) {
		ql_stream_consume(s, s->recv.high - high);
		if (s->recv_state == QL_RECV_SIZE_KNOWN)
			recv_ended(s, QL_RECV_DATA_READ);
		return 0;
	}
	if (f->offset > s->recv.offset &&
	    ql_recvbuf_add(&s->recv, ss->mem, f->offset, f->data, f->len, f->fin))
		return QL_ERR_INTERNAL_ERROR;
	deliver(s, f);
	return 0;
}

static int on_reset(struct ql_streams *ss, uint64_t id, uint64_t code, uint64_t final_size)
{
	struct ql_stream *s;
	int err = find_or_create(ss, id, RECEIVING, &s);
	uint64_t had;

	if (err || !s)
		return err;
	had = s->stopped ? s->recv.high : s->recv.offset;
	err = extend(s, final_size, true);
	if (err || ql_stream_recv_ended(s))
		return err;
	ql_stream_consume(s, final_size - had);
	recv_ended(s, QL_RECV_RESET_READ);
	if (ss->ops->stream_reset)
		ss->ops->stream_reset(s, code);
	return 0;
}

static int on_stop_sending(struct ql_streams *ss, uint64_t id, uint64_t code)
{
	struct ql_stream *s;
	int err = find_or_create(ss, id, SENDING, &s);

	if (err || !s || s->send_state > QL_SEND_DATA_SENT)
		return err;
	ql_stream_do_reset(s, code);
	if (ss->ops->stream_stopped && !ss->closing)
		ss->ops->stream_stopped(s, code);
	return 0;
}

static int on_max_stream_data(struct ql_streams *ss, uint64_t id, uint64_t limit)
{
	struct ql_stream *s;
	int err = find_or_create(ss, id, SENDING, &s);

	if (!err && s && ql_flow_tx_raise(&s->tx, limit))
		ql_stream_schedule(s);
	return err;
}

static void on_max_streams(struct ql_streams *ss, bool uni, uint64_t limit)
{
	struct ql_stream_type *t = ql_streams_type(ss, true, uni);

	if (limit <= t->limit)
		return;
	t->limit = limit;
	if (ss->ops->streams_available)
		ss->ops->streams_available(ss->conn, !uni);
}

/* The peer waits at our limit, and there is credit that was kept back until it is worth a frame. */
static bool blocked(const struct ql_flow_rx *rx, uint64_t limit)
{
	return limit == rx->limit && ql_flow_rx_next(rx) > rx->limit;
}

static int on_stream_data_blocked(struct ql_streams *ss, uint64_t id, uint64_t limit)
{
	struct ql_stream *s;
	int err = find_or_create(ss, id, RECEIVING, &s);

	if (!err && s && s->recv_state == QL_RECV_OPEN && !s->stopped && blocked(&s->rx, limit))
		ql_stream_ctl_add(s, QL_CTL_MAX_DATA);
	return err;
}

/* The same for streams: those that have ended are told of in batches. */
static void on_streams_blocked(struct ql_streams *ss, bool uni, uint64_t limit)
{
	const struct ql_stream_type *t = ql_streams_type(ss, false, uni);

	if (limit == t->limit && ql_streams_next_max(ss, uni) > limit)
		ss->due |= uni ? QL_DUE_MAX_STREAMS_UNI : QL_DUE_MAX_STREAMS_BIDI;
}

/* Everything but STREAM. */
static int handle(struct ql_streams *ss, const struct ql_frame *f)
{
	switch (f->type) {
	case QL_FRAME_RESET_STREAM:
		return on_reset(ss, f->reset_stream.id, f->reset_stream.code,
				f->reset_stream.final_size);
	case QL_FRAME_STOP_SENDING:
		return on_stop_sending(ss, f->stop_sending.id, f->stop_sending.code);
	case QL_FRAME_MAX_DATA:
		ql_flow_tx_raise(&ss->tx, f->max_data.limit);
		return 0;
	case QL_FRAME_MAX_STREAM_DATA:
		return on_max_stream_data(ss, f->max_stream_data.id, f->max_stream_data.limit);
	case QL_FRAME_MAX_STREAMS:
		on_max_streams(ss, f->max_streams.uni, f->max_streams.limit);
		return 0;
	case QL_FRAME_DATA_BLOCKED:
		if (blocked(&ss->rx, f->data_blocked.limit))
			ss->due |= QL_DUE_MAX_DATA;
		return 0;
	case QL_FRAME_STREAM_DATA_BLOCKED:
		return on_stream_data_blocked(ss, f->stream_data_blocked.id,
					      f->stream_data_blocked.limit);
	default:
		on_streams_blocked(ss, f->streams_blocked.uni, f->streams_blocked.limit);
		return 0;
	}
}

int ql_streams_recv(struct ql_streams *ss, const struct ql_frame *f)
{
	int err;

	if (ss->closing)
		return 0;
	ql_streams_enter(ss);
	err = handle(ss, f);
	ql_streams_leave(ss);
	return err;
}

int ql_streams_recv_data(struct ql_streams *ss, const struct ql_frame_stream *f)
{
	int err;

	if (ss->closing)
		return 0;
	ql_streams_enter(ss);
	err = on_stream(ss, f);
	ql_streams_leave(ss);
	return err;
}
