// SPDX-License-Identifier: BSD-3-Clause
#include "stream/streams_priv.h"

#include <errno.h>

static void ignore_data(struct ql_stream *s, const uint8_t *data __attribute__((unused)),
			size_t len, bool fin __attribute__((unused)))
{
	ql_stream_credit(s, len);
}

/* Until there is an application. */
static const struct ql_conn_ops no_ops = {.stream_data = ignore_data};

void ql_streams_init(struct ql_streams *ss, struct ql_mem *mem, struct ql_conn *conn,
		     bool is_server, const struct ql_streams_config *config,
		     const struct ql_streams_hooks *hooks, const struct ql_conn_ops *ops)
{
	memset(ss, 0, sizeof(*ss));
	ss->mem = mem;
	ss->conn = conn;
	ss->is_server = is_server;
	ss->config = *config;
	ss->hooks = hooks;
	ql_streams_set_ops(ss, ops);
	ql_sched_init(&ss->sched);
	if (ss->config.share > 0)
		ss->sched.share = ss->config.share;
	ql_flow_rx_init(&ss->rx, config->max_data);
	ql_stream_map_init(&ss->map);
	ql_streams_type(ss, false, false)->limit = config->max_streams_bidi;
	ql_streams_type(ss, false, true)->limit = config->max_streams_uni;
}

void ql_streams_set_ops(struct ql_streams *ss, const struct ql_conn_ops *ops)
{
	ss->ops = ops ? ops : &no_ops;
}

/* The peer's initial limit for what we send on a stream. */
static uint64_t initial_limit(const struct ql_streams *ss, uint64_t id)
{
	if (ql_stream_id_is_uni(id))
		return ss->peer_max_uni;
	return ql_streams_is_local(ss, id) ? ss->peer_max_bidi_remote : ss->peer_max_bidi_local;
}

static void raise_to(uint64_t *limit, uint64_t to)
{
	if (*limit < to)
		*limit = to;
}

void ql_streams_set_peer_limits(struct ql_streams *ss, const struct ql_tparams *tp)
{
	raise_to(&ss->peer_max_bidi_local, tp->initial_max_stream_data_bidi_local);
	raise_to(&ss->peer_max_bidi_remote, tp->initial_max_stream_data_bidi_remote);
	raise_to(&ss->peer_max_uni, tp->initial_max_stream_data_uni);
	raise_to(&ql_streams_type(ss, true, false)->limit, tp->initial_max_streams_bidi);
	raise_to(&ql_streams_type(ss, true, true)->limit, tp->initial_max_streams_uni);
	ql_flow_tx_raise(&ss->tx, tp->initial_max_data);
	for (uint32_t i = 0; i <= ss->map.mask; i++) {
		struct ql_stream *s = ql_stream_map_slot(&ss->map, i);

		if (s && ql_flow_tx_raise(&s->tx, initial_limit(ss, s->id)))
			ql_stream_schedule(s);
	}
	ql_streams_wake(ss);
}

static void drop_send(struct ql_streams *ss, struct ql_stream *s)
{
	if (s->send.head && ss->hooks->dropping)
		ss->hooks->dropping(ss->conn);
	ql_sendbuf_drop(&s->send, ss->mem);
}

/* The peer does not allow this stream any more. */
static void end_unallowed(struct ql_streams *ss, struct ql_stream *s)
{
	bool sends = !ql_stream_send_ended(s), receives = !ql_stream_recv_ended(s);

	if (sends) {
		s->send_state = QL_SEND_RESET_RECVD;
		s->want_writable = false;
		ql_stream_schedule(s);
		drop_send(ss, s);
	}
	if (receives) {
		s->recv_state = QL_RECV_RESET_READ;
		ql_stream_drop_recv(s);
	}
	if (sends && ss->ops->stream_stopped)
		ss->ops->stream_stopped(s, 0);
	if (receives && !s->stopped && ss->ops->stream_reset)
		ss->ops->stream_reset(s, 0);
	ql_stream_settle(s);
}

static void begin_anew(struct ql_streams *ss, struct ql_stream *s)
{
	s->tx = (struct ql_flow_tx){.limit = initial_limit(ss, s->id)};
	if (s->id >> 2 >= ss->types[s->id & 3].opened) {
		end_unallowed(ss, s);
		return;
	}
	ql_sendbuf_rewind(&s->send, ss->mem);
	ql_stream_ctl_remove(s, QL_CTL_BLOCKED);
	if (s->send_state == QL_SEND_DATA_SENT)
		s->send_state = QL_SEND_OPEN;
	ql_stream_schedule(s);
}

void ql_streams_begin_anew(struct ql_streams *ss, const struct ql_tparams *tp)
{
	struct ql_stream_type *bidi = ql_streams_type(ss, true, false);
	struct ql_stream_type *uni = ql_streams_type(ss, true, true);

	ss->peer_max_bidi_local = ss->peer_max_bidi_remote = ss->peer_max_uni = 0;
	bidi->limit = uni->limit = bidi->blocked = uni->blocked = 0;
	ss->tx = (struct ql_flow_tx){0};
	ss->due &= (uint8_t) ~(QL_DUE_DATA_BLOCKED | QL_DUE_STREAMS_BLOCKED_BIDI |
			       QL_DUE_STREAMS_BLOCKED_UNI);
	ql_streams_set_peer_limits(ss, tp);
	if (bidi->opened > bidi->limit)
		bidi->opened = bidi->limit;
	if (uni->opened > uni->limit)
		uni->opened = uni->limit;
	ql_streams_enter(ss);
	for (uint32_t i = 0; i <= ss->map.mask; i++) {
		struct ql_stream *s = ql_stream_map_slot(&ss->map, i);

		if (s && !s->dead && ql_streams_is_local(ss, s->id))
			begin_anew(ss, s);
	}
	ql_streams_leave(ss);
	ql_streams_reap(ss); /* those above the limit: their IDs are to be used again */
	ql_streams_wake(ss);
}

void ql_streams_wake(struct ql_streams *ss)
{
	if (ss->depth == 0 && ((ss->dead && !ss->closing) || ql_streams_pending(ss)))
		ss->hooks->wake(ss->conn);
}

/* ---- Making and finding streams ---- */

/* Field by field: a tenth of the time of clearing it all. */
static inline void init_stream(struct ql_streams *ss, struct ql_stream *s, uint64_t id)
{
	bool local = ql_streams_is_local(ss, id), uni = ql_stream_id_is_uni(id);

	s->id = id;
	s->ss = ss;
	ql_sched_node_init(&s->node);
	s->tx = (struct ql_flow_tx){0};
	ql_flow_rx_init(&s->rx, 0);
	ql_recvbuf_init(&s->recv);
	s->user = NULL;
	s->next = s->prev = NULL;
	s->reset_code = s->stop_code = 0;
	s->lent = 0;
	s->send_state = uni && !local ? QL_SEND_NONE : QL_SEND_OPEN;
	s->recv_state = uni && local ? QL_RECV_NONE : QL_RECV_OPEN;
	s->ctl = 0;
	s->level = QL_SCHED_URGENCY(QL_URGENCY_DEFAULT);
	s->incremental = s->stopped = s->want_writable = false;
	s->delivering = s->dead = s->blocked = false;
	ql_sendbuf_init(&s->send);
	if (s->send_state == QL_SEND_OPEN)
		s->tx.limit = initial_limit(ss, id);
	if (s->recv_state == QL_RECV_OPEN)
		ql_flow_rx_init(&s->rx, uni	? ss->config.max_stream_data_uni
					: local ? ss->config.max_stream_data_bidi_local
						: ss->config.max_stream_data_bidi_remote);
}

struct ql_stream *ql_streams_create(struct ql_streams *ss, uint64_t type)
{
	uint64_t id = ss->types[type].opened << 2 | type;
	struct ql_stream *s = ql_mem_alloc(ss->mem, sizeof(*s));

	if (!s)
		return NULL;
	init_stream(ss, s, id);
	if (ql_stream_map_add(&ss->map, ss->mem, s)) {
		ql_mem_free(ss->mem, s, sizeof(*s));
		return NULL;
	}
	ss->types[type].opened++;
	if (ss->hooks->state)
		ss->hooks->state(ss->conn, s, true);
	return s;
}

int ql_streams_open(struct ql_streams *ss, bool bidi, struct ql_stream **stream)
{
	uint64_t type = (bidi ? 0 : 2) + (ss->is_server ? 1 : 0);
	struct ql_stream_type *t = &ss->types[type];

	if (ss->closing)
		return -ENOTCONN;
	if (t->opened >= t->limit) {
		if (t->blocked != t->limit + 1) {
			t->blocked = t->limit + 1;
			ss->due |= bidi ? QL_DUE_STREAMS_BLOCKED_BIDI : QL_DUE_STREAMS_BLOCKED_UNI;
			ql_streams_wake(ss);
		}
		return -EAGAIN;
	}
	*stream = ql_streams_create(ss, type);
	return *stream ? 0 : -ENOMEM;
}

struct ql_stream *ql_streams_find(struct ql_streams *ss, uint64_t id)
{
	struct ql_stream *s = ss->last;

	if (s && s->id == id)
		return s;
	s = ql_stream_map_find(&ss->map, id);
	if (s)
		ss->last = s;
	return s;
}

/* ---- What a stream can send ---- */

void ql_stream_schedule(struct ql_stream *s)
{
	struct ql_streams *ss = s->ss;
	enum ql_sched_queue queue = QL_SCHED_OUT;
	bool blocked = false;

	if (s->send_state <= QL_SEND_DATA_SENT && !ss->closing) {
		if (ql_sendbuf_lost_any(&s->send))
			queue = QL_SCHED_FREE;
		else if (ql_sendbuf_unsent(&s->send) == 0)
			queue = ql_sendbuf_fin_due(&s->send) ? QL_SCHED_FREE : QL_SCHED_OUT;
		else if (ql_flow_tx_room(&s->tx) > 0)
			queue = s->incremental ? QL_SCHED_INCREMENTAL : QL_SCHED_SEQUENTIAL;
		else
			blocked = true;
	}
	if (blocked != s->blocked) {
		s->blocked = blocked;
		ss->blocked += blocked ? 1 : -1u;
	}
	if (blocked && ql_flow_tx_blocked(&s->tx))
		ql_stream_ctl_add(s, QL_CTL_BLOCKED);
	if (s->node.queue == queue && s->node.level == s->level)
		return;
	if (queue == QL_SCHED_OUT) {
		ql_sched_remove(&ss->sched, &s->node);
		return;
	}
	ql_sched_move(&ss->sched, &s->node, s->level, queue);
	if (queue != QL_SCHED_FREE && ql_flow_tx_blocked(&ss->tx))
		ss->due |= QL_DUE_DATA_BLOCKED;
}

static void ring_add(struct ql_stream **head, struct ql_stream *s)
{
	if (*head) {
		s->next = *head;
		s->prev = (*head)->prev;
		s->prev->next = s;
		s->next->prev = s;
	} else {
		s->next = s->prev = s;
		*head = s;
	}
}

static void ring_remove(struct ql_stream **head, struct ql_stream *s)
{
	if (s->next == s) {
		*head = NULL;
	} else {
		s->next->prev = s->prev;
		s->prev->next = s->next;
		if (*head == s)
			*head = s->next;
	}
}

void ql_stream_ctl_add(struct ql_stream *s, unsigned int ctl)
{
	if (s->dead || s->ss->closing)
		return;
	if (!s->ctl)
		ring_add(&s->ss->ctl, s);
	s->ctl |= (uint8_t)ctl;
}

void ql_stream_ctl_remove(struct ql_stream *s, unsigned int ctl)
{
	if (!s->ctl)
		return;
	s->ctl &= (uint8_t)~ctl;
	if (!s->ctl)
		ring_remove(&s->ss->ctl, s);
}

void ql_stream_do_reset(struct ql_stream *s, uint64_t code)
{
	s->send_state = QL_SEND_RESET_SENT;
	s->reset_code = code;
	s->want_writable = false;
	ql_stream_ctl_remove(s, QL_CTL_BLOCKED);
	ql_stream_ctl_add(s, QL_CTL_RESET);
	ql_stream_schedule(s);
	drop_send(s->ss, s);
}

void ql_streams_repeat_blocked(struct ql_streams *ss)
{
	if (ss->sched.data && ql_flow_tx_room(&ss->tx) == 0)
		ss->due |= QL_DUE_DATA_BLOCKED;
	for (uint32_t i = 0; ss->blocked > 0 && i <= ss->map.mask; i++) {
		struct ql_stream *s = ql_stream_map_slot(&ss->map, i);

		if (s && s->blocked)
			ql_stream_ctl_add(s, QL_CTL_BLOCKED);
	}
	ql_streams_wake(ss);
}

/* ---- What a stream has received ---- */

void ql_stream_consume(struct ql_stream *s, uint64_t bytes)
{
	struct ql_streams *ss = s->ss;

	s->rx.consumed += bytes;
	ss->rx.consumed += bytes;
	if (ql_flow_rx_due(&ss->rx))
		ss->due |= QL_DUE_MAX_DATA;
	if (s->recv_state == QL_RECV_OPEN && !s->stopped && ql_flow_rx_due(&s->rx))
		ql_stream_ctl_add(s, QL_CTL_MAX_DATA);
}

void ql_stream_drop_recv(struct ql_stream *s)
{
	ql_stream_ctl_remove(s, QL_CTL_MAX_DATA);
	if (!s->delivering)
		ql_recvbuf_drop(&s->recv, s->ss->mem);
}

/* ---- The end of streams ---- */

void ql_stream_settle(struct ql_stream *s)
{
	if (s->dead || !ql_stream_send_ended(s) || !ql_stream_recv_ended(s))
		return;
	ql_stream_ctl_remove(s, UINT8_MAX);
	s->dead = true;
	ring_add(&s->ss->dead, s);
}

/* What a stream holds, but not its place in the tables. */
static void release(struct ql_streams *ss, struct ql_stream *s)
{
	ql_recvbuf_drop(&s->recv, ss->mem);
	drop_send(ss, s);
	if (ss->ops->stream_closed)
		QL_FLOOR_CALL(ss->ops->stream_closed(s));
	if (ss->hooks->state)
		ss->hooks->state(ss->conn, s, false);
}

uint64_t ql_streams_next_max(struct ql_streams *ss, bool uni)
{
	const struct ql_stream_type *t = ql_streams_type(ss, false, uni);
	uint64_t next =
		t->closed + (uni ? ss->config.max_streams_uni : ss->config.max_streams_bidi);

	if (next < t->limit) /* the number was lowered */
		return t->limit;
	return next < QL_STREAMS_MAX ? next : QL_STREAMS_MAX;
}

/* The peer may open another one for each that has ended; told in batches. */
static void count_closed(struct ql_streams *ss, uint64_t id)
{
	bool uni = ql_stream_id_is_uni(id);
	struct ql_stream_type *t = &ss->types[id & 3];
	uint64_t most = uni ? ss->config.max_streams_uni : ss->config.max_streams_bidi;

	t->closed++;
	if (!ql_streams_is_local(ss, id) && ql_streams_next_max(ss, uni) - t->limit > most / 8)
		ss->due |= uni ? QL_DUE_MAX_STREAMS_UNI : QL_DUE_MAX_STREAMS_BIDI;
}

void ql_streams_set_max(struct ql_streams *ss, bool bidi, uint64_t most)
{
	const struct ql_stream_type *t = ql_streams_type(ss, false, !bidi);

	if (most > QL_STREAMS_MAX)
		most = QL_STREAMS_MAX;
	*(bidi ? &ss->config.max_streams_bidi : &ss->config.max_streams_uni) = most;
	if (ql_streams_next_max(ss, !bidi) > t->limit) {
		ss->due |= bidi ? QL_DUE_MAX_STREAMS_BIDI : QL_DUE_MAX_STREAMS_UNI;
		ql_streams_wake(ss);
	}
}

void ql_streams_reap(struct ql_streams *ss)
{
	if (ss->depth > 0)
		return;
	ss->depth++;
	while (ss->dead && !ss->closing) {
		struct ql_stream *s = ss->dead;

		release(ss, s);
		/* What the application has not given back. */
		ql_stream_consume(s, s->recv.high - s->rx.consumed);
		ring_remove(&ss->dead, s);
		ql_sched_remove(&ss->sched, &s->node);
		ql_stream_map_remove(&ss->map, ss->mem, s);
		if (ss->last == s)
			ss->last = NULL;
		count_closed(ss, s->id);
		ql_mem_free(ss->mem, s, sizeof(*s));
	}
	ss->depth--;
}

void ql_streams_close(struct ql_streams *ss)
{
	ss->closing = true;
}

void ql_streams_fini(struct ql_streams *ss)
{
	ss->closing = true;
	ss->depth++;
	for (uint32_t i = 0; i <= ss->map.mask; i++) {
		struct ql_stream *s = ql_stream_map_slot(&ss->map, i);

		if (s)
			release(ss, s);
	}
	for (uint32_t i = 0; i <= ss->map.mask; i++)
		ql_mem_free(ss->mem, ql_stream_map_slot(&ss->map, i), sizeof(struct ql_stream));
	ql_stream_map_fini(&ss->map, ss->mem);
	if (ss->config.budget)
		ss->config.budget->used -= ss->rx.window - ss->config.max_data;
}
