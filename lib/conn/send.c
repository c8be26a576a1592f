// SPDX-License-Identifier: BSD-3-Clause
/*
 * From what is pending to packets ready for sealing (RFC 9000, sections 12.2, 13 and 14).
 *
 * A datagram holds at most one packet of each space, in the order Initial, Handshake, 1-RTT.
 * Packets are only noted as sent when the datagram is finished, because its padding goes into the
 * last one.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "conn/conn.h"
#include "conn/txbuf.h"

#define BARE_PROBE_PTOS 3

#define BLOCKED_AGAIN (10 * QL_NSEC_PER_SEC) /* where there is no idle time-out to go by */

struct packet {
	struct ql_seal_job *job;
	uint8_t *length; /* the Length field of a long header, or NULL */
	enum ql_space_id id;
	uint16_t flags; /* QL_SENT_ */
};

/* The datagram that is being assembled. */
struct assembly {
	struct rte_mbuf *m;
	uint8_t *base, *p, *end;
	struct packet packets[QL_SPACES];
	unsigned int n;
	struct ql_send_tail tail;  /* of the packet that is being built */
	struct ql_conn_path *path; /* other than the one in use; NULL */
	bool pad;		   /* to QL_INITIAL_MIN */
	bool in_flight;
};

static inline bool burst_full(const struct ql_tx_burst *burst)
{
	return burst->n == burst->max || burst->max_jobs - burst->n_jobs < QL_SPACES;
}

/* ---- What there is to send ---- */

/*
 * The keys to send with in a space, NULL without. 1-RTT's space has those of early data while a
 * client has nothing better.
 */
static inline const struct ql_keys *tx_keys(struct ql_conn *conn, enum ql_space_id id)
{
	const struct ql_space *sp = ql_conn_space(conn, id);

	if (!sp)
		return NULL;
	if (__builtin_expect(sp->tx.ready, 1))
		return &sp->tx;
	if (id == QL_SPACE_APP && !conn->server && conn->hs && conn->hs->zero_rtt.ready)
		return &conn->hs->zero_rtt;
	return NULL;
}

static inline bool crypto_pending(const struct ql_conn *conn, enum ql_space_id id)
{
	struct ql_send_span span;

	return __builtin_expect(conn->hs != NULL, 0) &&
	       ql_sendbuf_next(&conn->hs->crypto_out[id], &span);
}

/* 1-RTT packets other than acknowledgements wait until the handshake is complete. */
static inline bool app_pending(const struct ql_conn *conn)
{
	return conn->app_open && (ql_streams_pending(&conn->streams) || conn->datagrams.count > 0 ||
				  conn->ping || ql_conn_control_pending(conn));
}

/*
 * Whether congestion control lets data of this space go, data being its word. 1-RTT packets may
 * fill the window and are not acknowledged before the peer's handshake is complete, nor is there a
 * probe timeout for them (RFC 9002, 6.2.1): handshake data must not wait for them. It goes as a
 * probe would when nothing of its own space is under way.
 */
static inline bool window_open(const struct ql_conn *conn, enum ql_space_id id, bool data)
{
	return data || (id != QL_SPACE_APP && conn->rec.space[id].eliciting == 0);
}

/* Something of this space has to go into a packet now. data: the window is open. */
static bool space_due(struct ql_conn *conn, enum ql_space_id id, bool data)
{
	const struct ql_space *sp = ql_conn_space(conn, id);

	if (!tx_keys(conn, id))
		return false;
	if (ql_space_ack_due(sp, conn->host->now) || (conn->probes > 0 && conn->probe_space == id))
		return true;
	return window_open(conn, id, data) &&
	       (crypto_pending(conn, id) || (id == QL_SPACE_APP && app_pending(conn)));
}

static bool any_early_due(struct ql_conn *conn, bool data)
{
	return space_due(conn, QL_SPACE_INITIAL, data) || space_due(conn, QL_SPACE_HANDSHAKE, data);
}

/* ---- Frames ---- */

static QL_SELDOM uint8_t *put_ack(struct ql_conn *conn, enum ql_space_id id, uint8_t *p,
				  const uint8_t *end)
{
	struct ql_space *sp = ql_conn_space(conn, id);
	struct ql_ack_range r[QL_CONN_ACK_RANGES];
	unsigned int n = ql_ranges_count(&sp->received);
	bool ecn = (sp->ecn.ect0 | sp->ecn.ect1 | sp->ecn.ce) != 0;
	struct ql_sent_frame rec = {.kind = QL_SENT_ACK};
	uint64_t delay;
	uint8_t *q;

	if (n == 0)
		return p;
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_range *range = ql_ranges_get(&sp->received, n - 1 - i);

		r[i] = (struct ql_ack_range){.start = range->start, .end = range->end};
	}
	rec.offset = r[0].end;
	delay = (conn->host->now - sp->largest_time) / QL_NSEC_PER_USEC >>
		QL_TP_ACK_DELAY_EXPONENT_DEFAULT;
	q = ql_frame_put_ack(p, end, r, n, delay, ecn ? &sp->ecn : NULL);
	if (!q)
		return p;
	ql_rec_add(&conn->rec, id, &rec); /* without the record it is just not forgotten */
	sp->ack_now = false;
	sp->unacked = 0;
	sp->ack_deadline = QL_NEVER;
	if (id == QL_SPACE_APP)
		conn->ack_rule.acked = r[0].end + 1;
	return q;
}

static QL_SELDOM uint8_t *put_crypto(struct ql_conn *conn, enum ql_space_id id, uint8_t *p,
				     const uint8_t *end)
{
	struct ql_sendbuf *out = &conn->hs->crypto_out[id];
	struct ql_send_span span;
	size_t len;

	while (ql_sendbuf_next(out, &span)) {
		struct ql_sent_frame rec = {.kind = QL_SENT_CRYPTO, .offset = span.offset};

		if (!ql_frame_crypto_fit((size_t)(end - p), span.offset, span.len, &len) ||
		    len == 0)
			break;
		rec.len = (uint16_t)len;
		if (ql_rec_add(&conn->rec, id, &rec) < 0)
			break;
		p = ql_frame_put_crypto_hdr(p, span.offset, len);
		ql_sendbuf_copy_out(out, span.offset, p, len);
		p += len;
		ql_sendbuf_sent(out, conn->host->mem, span.offset, len, false);
	}
	return p;
}

static QL_SELDOM uint8_t *put_cids(struct ql_conn *conn, uint8_t *p, const uint8_t *end)
{
	struct ql_local_cids *l = &conn->local_cids;
	struct ql_peer_cids *peer = &conn->peer_cids;
	uint8_t token[QL_RESET_TOKEN_LEN];
	uint8_t *q;

	for (unsigned int i = 0; conn->cids_due && i < QL_LOCAL_CIDS_PLACES; i++) {
		struct ql_local_cid *e = &l->e[i];
		struct ql_sent_frame rec = {.kind = QL_SENT_NEW_CONNECTION_ID, .id = e->seq};

		if (!e->used || !e->to_send)
			continue;
		ql_reset_token(&conn->host->cids, &e->cid, token);
		q = ql_frame_put_new_cid(p, end, e->seq,
					 e->old ? 0 : ql_local_cids_retire_prior_to(l), &e->cid,
					 token);
		if (!q || ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) < 0)
			return p;
		e->to_send = false;
		p = q;
	}
	conn->cids_due = false;
	while (peer->n_retire > 0) {
		struct ql_sent_frame rec = {.kind = QL_SENT_RETIRE_CONNECTION_ID,
					    .id = peer->retire[peer->n_retire - 1]};

		q = ql_frame_put_retire_cid(p, end, rec.id);
		if (!q || ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) < 0)
			return p;
		ql_peer_cids_retire_sent(peer);
		p = q;
	}
	return p;
}

/* For the client's next connection (8.1.3). Without memory for it, it gets none. */
static QL_SELDOM uint8_t *put_new_token(struct ql_conn *conn, uint8_t *p, const uint8_t *end)
{
	struct ql_conn_host *host = conn->host;
	struct ql_sent_frame rec = {.kind = QL_SENT_NEW_TOKEN};
	uint8_t token[QL_TOKEN_NEW_LEN], *q;

	if (ql_token_new(host->tokens, host->rng, host->now + host->token_clock, conn->version,
			 &conn->path.remote, token) < 0) {
		conn->send_new_token = false;
		return p;
	}
	q = ql_frame_put_new_token(p, end, token, sizeof(token));
	if (!q || ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) < 0)
		return p;
	conn->send_new_token = false;
	return q;
}

/* Everything that 1-RTT packets carry before stream data. */
static QL_SELDOM uint8_t *put_app_control(struct ql_conn *conn, uint8_t *p, const uint8_t *end)
{
	bool probe = conn->probes > 0 && conn->probe_space == QL_SPACE_APP;
	uint8_t *q;

	/* A probe's answer need not wait for as many packets, or as long, as others do. */
	if (probe && ql_ack_ask_known(&conn->ack_ask)) {
		q = ql_frame_put_immediate_ack(p, end);
		p = q ? q : p;
	}
	if (conn->send_handshake_done) {
		struct ql_sent_frame rec = {.kind = QL_SENT_HANDSHAKE_DONE};

		q = ql_frame_put_handshake_done(p, end);
		if (q && ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) == 0) {
			conn->send_handshake_done = false;
			p = q;
		}
	}
	if (conn->send_new_token) {
		/*
		 * Some clients keep what they resume by as soon as they have all of it, and want to
		 * know their application's settings by then.
		 */
		p = ql_streams_send_control(&conn->streams, p, end,
					    &conn->rec.space[QL_SPACE_APP].sent);
		p = put_new_token(conn, p, end);
	}
	if (conn->ack_ask.due)
		p = ql_ackfreq_put(conn, p, end);
	return put_cids(conn, p, end);
}

/* Stream data, and datagrams: they take turns at being first in a packet. */
static uint8_t *put_app_data(struct ql_conn *conn, uint8_t *p, uint8_t *end,
			     struct ql_send_tail *tail)
{
	struct ql_datagrams *d = &conn->datagrams;
	struct ql_sent *sent = &conn->rec.space[QL_SPACE_APP].sent;
	bool streams_first = d->count == 0 || d->streams_next;
	uint8_t *start;

	if (__builtin_expect(streams_first, 1))
		p = ql_streams_send(&conn->streams, p, end, sent, tail);
	if (__builtin_expect(d->count == 0, 1))
		return p;
	start = p;
	p = ql_datagrams_put(d, conn->host->mem, p, end, sent, conn->host->now,
			     ql_conn_packet_room(conn));
	d->streams_next = !streams_first && p > start;
	return streams_first ? p : ql_streams_send(&conn->streams, p, end, sent, tail);
}

/* ---- Packets and datagrams ---- */

static uint8_t *put_header(struct ql_conn *conn, struct assembly *a, enum ql_space_id id,
			   unsigned int pn_len, uint8_t **length)
{
	const struct ql_cid *dcid = ql_peer_cid(&conn->peer_cids);
	const uint8_t *token = id == QL_SPACE_INITIAL ? conn->hs->token : NULL;

	*length = NULL;
	if ((size_t)(a->end - a->p) < QL_PKT_SHORT_ROOM + QL_TAG_LEN + 4)
		return NULL;
	if (__builtin_expect(id == QL_SPACE_APP && conn->app.tx.ready, 1))
		return ql_pkt_put_short(a->p, dcid, false, conn->key_phase, pn_len);
	return ql_pkt_put_long(a->p, a->end - QL_TAG_LEN - 4,
			       id == QL_SPACE_INITIAL	  ? QL_PKT_INITIAL
			       : id == QL_SPACE_HANDSHAKE ? QL_PKT_HANDSHAKE
							  : QL_PKT_ZERO_RTT,
			       id == QL_SPACE_APP ? conn->hs->first_version : conn->version, dcid,
			       &conn->local_cids.e[0].cid, token, token ? conn->hs->token_len : 0,
			       pn_len, length);
}

/* The packet's frames end at p; it joins the burst. */
static void add_packet(struct ql_conn *conn, struct assembly *a, struct ql_tx_burst *burst,
		       enum ql_space_id id, uint64_t pn, unsigned int pn_len, uint8_t *length,
		       uint8_t *payload, uint8_t *p, uint16_t flags)
{
	const struct ql_keys *keys = tx_keys(conn, id);
	struct ql_seal_job *job = &burst->jobs[burst->n_jobs++];
	struct ql_send_tail *tail = &a->tail;

	if (tail->len > 0 && __builtin_expect(tail->at + tail->len != p || conn->watched, 0))
		ql_send_tail_copy(tail);
	if (pn_len + (size_t)(p - payload) < 4) { /* a sample must be there (RFC 9001, 5.4.2) */
		size_t pad = 4 - pn_len - (size_t)(p - payload);

		memset(p, QL_FRAME_PADDING, pad);
		p += pad;
		flags |= QL_SENT_IN_FLIGHT;
	}
	if (conn->grease && ql_conn_host_bit(conn->host))
		a->p[0] ^= QL_PKT_FIXED;
	*job = (struct ql_seal_job){
		.aead = &keys->aead,
		.hp = &keys->hp,
		.hdr = a->p,
		.tail = tail->len > 0 ? tail->data : NULL,
		.pn = pn,
		.hdr_len = (uint16_t)(payload - a->p),
		.payload_len = (uint16_t)(p - payload),
		.tail_len = (uint16_t)tail->len,
		.pn_len = (uint8_t)pn_len,
	};
	a->packets[a->n++] =
		(struct packet){.job = job, .length = length, .id = id, .flags = flags};
	a->in_flight |= (flags & (QL_SENT_ELICITING | QL_SENT_IN_FLIGHT)) != 0;
	a->p = p + QL_TAG_LEN;
	tail->len = 0;
}

/*
 * After some timeouts the last probe is a PING alone, at the smallest size of datagrams: if nothing
 * but that is answered, it is known what is wrong with the path (14.2).
 */
static inline bool is_bare(const struct ql_conn *conn)
{
	return conn->probes == 1 && conn->probe_space == QL_SPACE_APP &&
	       conn->rec.pto_count >= BARE_PROBE_PTOS && conn->rec.path.mtu == QL_PMTU_BASE;
}

/*
 * The next packet's number. Now and then one is left out: whoever acknowledges it has not seen what
 * it acknowledges (21.4).
 */
static uint64_t next_pn(struct ql_conn *conn, enum ql_space_id id)
{
	uint64_t pn = ql_rec_next_pn(&conn->rec, id);

	if (__builtin_expect(id != QL_SPACE_APP || pn < conn->skip_pn, 1))
		return pn;
	conn->skip_pn =
		pn + QL_CONN_SKIP_LEAST + (ql_rng_u32(conn->host->rng) & (QL_CONN_SKIP_RANGE - 1));
	return pn + (pn > 0); /* none before there was anything to acknowledge */
}

/*
 * The second of two probes has what the first one had, when there is no more: if the first is lost, a
 * PING alone tells a peer nothing that does not know the connection yet, and some close it.
 */
static QL_SELDOM bool repeat_crypto(struct ql_conn *conn, enum ql_space_id id)
{
	return conn->hs && ql_rec_probe_frames(&conn->rec, id);
}

static void build_packet(struct ql_conn *conn, struct assembly *a, struct ql_tx_burst *burst,
			 enum ql_space_id id, bool data)
{
	struct ql_space *sp = ql_conn_space(conn, id);
	uint64_t pn = next_pn(conn, id);
	unsigned int pn_len = ql_conn_pn_len(conn, id, pn);
	bool probe = conn->probes > 0 && conn->probe_space == id;
	bool bare = probe && is_bare(conn);
	uint8_t *p, *payload, *acked, *end = a->end - QL_TAG_LEN, *length;
	uint16_t flags = 0;

	if (ql_rec_begin(&conn->rec, id, pn) < 0)
		return;
	p = put_header(conn, a, id, pn_len, &length);
	if (!p) {
		ql_rec_abort(&conn->rec, id);
		return;
	}
	payload = p = ql_pn_put(p, pn, pn_len);

	if (sp->unacked > 0 || sp->ack_now)
		p = put_ack(conn, id, p, end);
	acked = p;
	if (__builtin_expect(!bare && (probe || window_open(conn, id, data)), 1)) {
		if (__builtin_expect(conn->hs != NULL, 0))
			p = put_crypto(conn, id, p, end);
		if (probe && p == acked && id != QL_SPACE_APP && repeat_crypto(conn, id))
			p = put_crypto(conn, id, p, end);
		if (p > acked)
			flags |= QL_SENT_HAS_CRYPTO;
		if (id == QL_SPACE_APP && conn->app_open) {
			if (probe || ql_conn_control_pending(conn))
				p = put_app_control(conn, p, end);
			p = put_app_data(conn, p, end, &a->tail);
			if (conn->ping && p == acked)
				p = ql_frame_put_ping(p, end);
			conn->ping = false;
		}
	}
	if (probe) {
		if (p == acked)
			p = ql_frame_put_ping(p, end);
		conn->probes--;
	}
	if (p == payload) {
		ql_rec_abort(&conn->rec, id);
		return;
	}
	if (p > acked)
		flags |= QL_SENT_ELICITING | QL_SENT_IN_FLIGHT;
	if (id == QL_SPACE_INITIAL && (!conn->server || p > acked))
		a->pad = true; /* 14.1 */
	add_packet(conn, a, burst, id, pn, pn_len, length, payload, p, flags);
}

static QL_SELDOM void pad_packet(struct ql_seal_job *job, size_t pad)
{
	uint8_t *end = job->hdr + job->hdr_len + job->payload_len;

	if (job->tail)
		memcpy(end - job->tail_len, job->tail, job->tail_len);
	job->tail = NULL;
	memset(end, QL_FRAME_PADDING, pad);
	job->payload_len = (uint16_t)(job->payload_len + pad);
}

/* Pad, note the packets as sent, and hand the datagram over. Returns its size. */
static size_t finish(struct ql_conn *conn, struct assembly *a, struct ql_tx_burst *burst)
{
	struct packet *last = &a->packets[a->n - 1];
	size_t size = (size_t)(a->p - a->base);
	bool marked = !a->path && ql_rec_marks(&conn->rec, conn->host->now), eliciting = false;
	uint16_t ect = marked ? QL_SENT_ECT : 0;
	struct ql_datagram *out;
	unsigned int i = 0;

	if (a->pad && size < QL_INITIAL_MIN && (size_t)(a->end - a->base) >= QL_INITIAL_MIN) {
		size_t pad = QL_INITIAL_MIN - size;

		pad_packet(last->job, pad);
		last->flags |= QL_SENT_IN_FLIGHT;
		size += pad;
	}
	do {
		struct packet *k = &a->packets[i];
		uint16_t bytes = (uint16_t)(k->job->hdr_len + k->job->payload_len + QL_TAG_LEN);

		if (k->length)
			ql_pkt_put_length(k->length, (size_t)k->job->pn_len + k->job->payload_len +
							     QL_TAG_LEN);
		if (__builtin_expect(a->path != NULL, 0))
			ql_rec_on_sent_aside(&conn->rec, k->id, bytes, conn->host->now);
		else
			ql_rec_on_sent(&conn->rec, k->id, bytes, k->flags | ect, conn->host->now);
		QL_TRACE(conn, sent, k->job, k->flags, a->path ? &a->path->addr : &conn->path);
		eliciting |= (k->flags & QL_SENT_ELICITING) != 0;
		if (k->id == QL_SPACE_HANDSHAKE && !conn->server && !conn->initial_done) {
			/* Its keys go later, but the backoff of its probes is over. */
			conn->initial_done = true;
			ql_rec_discard_space(&conn->rec, QL_SPACE_INITIAL);
		}
	} while (__builtin_expect(++i < a->n, 0));
	if (eliciting && !conn->idle_restarted) {
		conn->idle_restarted = true;
		ql_conn_touch_idle(conn);
	}
	a->m->data_len = (uint16_t)size;
	a->m->pkt_len = (uint32_t)size;
	out = &burst->out[burst->n++];
	out->mbuf = a->m;
	out->path = *(a->path ? &a->path->addr : &conn->path);
	out->ecn = marked ? QL_ECN_ECT0 : QL_ECN_NOT_ECT;
	conn->stats.tx_packets += a->n;
	conn->stats.tx_bytes += size;
	conn->host->stats->tx_packets += a->n;
	if (a->path || !conn->peer_validated)
		ql_path_count_tx(conn, a->path, size);
	return size;
}

/* What may be sent to an address that is not validated (8.1). */
static size_t anti_amplification(struct ql_conn *conn)
{
	const struct ql_handshake *hs = conn->hs;
	uint64_t left;

	if (conn->peer_validated)
		return conn->rec.path.mtu;
	if (conn->paths) {
		size_t room = ql_path_room(conn, conn->paths->active);

		return room < QL_INITIAL_MIN ? 0 : room; /* PATH_CHALLENGE does with less */
	}
	if (!hs)
		return conn->rec.path.mtu;
	left = 3 * hs->rx_bytes > hs->tx_bytes ? 3 * hs->rx_bytes - hs->tx_bytes : 0;
	/* Three full datagrams, rather than two larger ones and a rest that is too small. */
	return left < QL_INITIAL_MIN ? 0 : QL_INITIAL_MIN;
}

struct rte_mbuf *ql_txbuf_take_more(struct ql_conn_host *host)
{
	if (rte_mempool_get_bulk(host->tx_pool, (void **)host->spare, QL_CONN_SPARE) < 0)
		return rte_pktmbuf_alloc(host->tx_pool); /* the last ones */
	host->n_spare = QL_CONN_SPARE - 1;
	return host->spare[QL_CONN_SPARE - 1];
}

static bool start(struct ql_conn *conn, struct assembly *a, size_t room)
{
	a->n = 0;
	a->path = NULL;
	a->tail.len = 0;
	a->pad = a->in_flight = false;
	a->m = NULL;
	if (__builtin_expect(conn->app.tx.aead.schedule != NULL, 1) || !conn->app.tx.ready ||
	    ql_rest_end(conn) == 0)
		a->m = ql_txbuf_take(conn->host);
	if (!a->m) {
		conn->host->stats->drops[QL_DROP_NO_MEMORY]++;
		return false;
	}
	a->base = a->p = rte_pktmbuf_mtod(a->m, uint8_t *);
	a->end = a->base + room;
	return true;
}

/* Packets of the handshake, ahead of the datagram's 1-RTT packet. Whether the window lets that go. */
static QL_SELDOM bool build_early(struct ql_conn *conn, struct assembly *a,
				  struct ql_tx_burst *burst, bool data)
{
	unsigned int probes = conn->probes;

	for (enum ql_space_id id = QL_SPACE_INITIAL; id < QL_SPACE_APP; id++) {
		if (space_due(conn, id, data))
			build_packet(conn, a, burst, id, data);
		/* What goes along with a probe need not wait, either. */
		data |= conn->probes < probes;
	}
	return data;
}

/*
 * Bytes of a datagram that went into the burst, 0 if there is none. What is called for each datagram
 * of a transfer becomes one function here: that saves a tenth of a packet's instructions.
 */
static __attribute__((flatten)) size_t
send_datagram(struct ql_conn *conn, struct ql_tx_burst *burst, bool data, bool *in_flight)
{
	bool app = space_due(conn, QL_SPACE_APP, data);
	size_t room = anti_amplification(conn);
	struct assembly a;

	if (!app && !(conn->early && any_early_due(conn, data)))
		return 0;
	conn->rec.blocked = room == 0;
	if (room == 0 || !start(conn, &a, room))
		return 0;
	if (__builtin_expect(conn->early != NULL, 0)) {
		data = build_early(conn, &a, burst, data);
		app = space_due(conn, QL_SPACE_APP, data);
	}
	if (__builtin_expect(app, 1))
		build_packet(conn, &a, burst, QL_SPACE_APP, data);
	if (__builtin_expect(a.n == 0, 0)) {
		rte_pktmbuf_free(a.m);
		return 0;
	}
	*in_flight = a.in_flight;
	return finish(conn, &a, burst);
}

/* ---- PATH_CHALLENGE and PATH_RESPONSE, in datagrams of their own (8.2) ---- */

static void send_path(struct ql_conn *conn, struct ql_tx_burst *burst, struct ql_conn_path *path,
		      size_t room)
{
	bool active = path == conn->paths->active, full = room >= QL_INITIAL_MIN;
	uint64_t pn = ql_rec_next_pn(&conn->rec, QL_SPACE_APP);
	uint8_t *p, *payload, *end;
	struct assembly a;

	if (!start(conn, &a, room))
		return;
	if (ql_rec_begin(&conn->rec, QL_SPACE_APP, pn) < 0) {
		rte_pktmbuf_free(a.m);
		return;
	}
	if (!active)
		a.path = path;
	end = a.end - QL_TAG_LEN;
	p = ql_pkt_put_short(a.p, ql_path_cid(conn, path), false, conn->key_phase, QL_PN_MAX_LEN);
	payload = ql_pn_put(p, pn, QL_PN_MAX_LEN);
	p = ql_path_put(conn, path, payload, end, full);
	/* In use: more than a probe, so that nobody thinks that we have left (9.3.3). */
	if (active && p < end)
		p = ql_frame_put_ping(p, end);
	if (full && (size_t)(p - a.base) < QL_INITIAL_MIN - QL_TAG_LEN) {
		uint8_t *padded = a.base + QL_INITIAL_MIN - QL_TAG_LEN;

		memset(p, QL_FRAME_PADDING, (size_t)(padded - p));
		p = padded;
	}
	add_packet(conn, &a, burst, QL_SPACE_APP, pn, QL_PN_MAX_LEN, NULL, payload, p,
		   QL_SENT_ELICITING | QL_SENT_IN_FLIGHT);
	finish(conn, &a, burst);
}

static void send_paths(struct ql_conn *conn, struct ql_tx_burst *burst, bool window)
{
	struct ql_conn_path *path;
	unsigned int i = 0;
	size_t room;

	while (!burst_full(burst) && (path = ql_paths_next_due(conn, &i, window, &room)) != NULL)
		send_path(conn, burst, path, room);
	conn->path_due = ql_paths_waiting(conn);
}

/* ---- Probes of the path's MTU: PING or IMMEDIATE_ACK, and PADDING (14.4) ---- */

static void send_mtu_probe(struct ql_conn *conn, struct ql_tx_burst *burst, uint16_t size)
{
	uint64_t pn = ql_rec_next_pn(&conn->rec, QL_SPACE_APP);
	uint8_t *p, *payload, *end;
	struct assembly a;

	if (!start(conn, &a, size))
		return;
	if (ql_rec_begin(&conn->rec, QL_SPACE_APP, pn) < 0) {
		rte_pktmbuf_free(a.m);
		return;
	}
	end = a.end - QL_TAG_LEN;
	p = ql_pkt_put_short(a.p, ql_peer_cid(&conn->peer_cids), false, conn->key_phase,
			     QL_PN_MAX_LEN);
	payload = ql_pn_put(p, pn, QL_PN_MAX_LEN);
	p = ql_ack_ask_known(&conn->ack_ask) ? ql_frame_put_immediate_ack(payload, end)
					     : ql_frame_put_ping(payload, end);
	memset(p, QL_FRAME_PADDING, (size_t)(end - p));
	add_packet(conn, &a, burst, QL_SPACE_APP, pn, QL_PN_MAX_LEN, NULL, payload, end,
		   QL_SENT_IN_FLIGHT | QL_SENT_MTU_PROBE);
	finish(conn, &a, burst);
}

/*
 * If a probe is due, send it, or see that the window makes room for it: then credit is 0, and there
 * is nothing to wait for but the next ACK. Only who fills datagrams gains by larger ones.
 */
static void probe_mtu(struct ql_conn *conn, struct ql_tx_burst *burst, size_t *credit, bool *held)
{
	uint16_t size;

	if (!conn->filled || conn->state != QL_CONN_CONFIRMED || !conn->peer_validated ||
	    *credit == 0)
		return;
	switch (ql_rec_mtu_due(&conn->rec, conn->host->now, &size)) {
	case QL_REC_MTU_SEND:
		send_mtu_probe(conn, burst, size);
		*credit = *credit > size ? *credit - size : 0;
		break;
	case QL_REC_MTU_WAIT:
		*credit = 0;
		*held = true;
		break;
	case QL_REC_MTU_NONE:
		break;
	}
}

/* ---- The end (10.2) ---- */

static void build_close(struct ql_conn *conn, struct assembly *a, struct ql_tx_burst *burst,
			enum ql_space_id id)
{
	struct ql_space *sp = ql_conn_space(conn, id);
	const struct ql_close_info *c = &conn->close;
	bool app = c->application && c->cause == QL_CLOSE_LOCAL;
	uint64_t code = c->cause == QL_CLOSE_LOCAL ? c->error : QL_ERR_NO_ERROR;
	uint64_t pn = ql_rec_next_pn(&conn->rec, id);
	const char *reason = c->cause == QL_CLOSE_LOCAL ? conn->reason : "";
	uint8_t *p, *payload, *length, *end = a->end - QL_TAG_LEN;

	if (!sp || !sp->tx.ready || ql_rec_begin(&conn->rec, id, pn) < 0)
		return;
	if (app && id != QL_SPACE_APP) { /* 10.2.3 */
		app = false;
		code = QL_ERR_APPLICATION_ERROR;
		reason = "";
	}
	p = put_header(conn, a, id, QL_PN_MAX_LEN, &length);
	if (p) {
		payload = ql_pn_put(p, pn, QL_PN_MAX_LEN);
		p = ql_frame_put_close(payload, end, app, code, c->frame_type,
				       (const uint8_t *)reason, strlen(reason));
	}
	if (!p) {
		ql_rec_abort(&conn->rec, id);
		return;
	}
	a->pad |= id == QL_SPACE_INITIAL;
	add_packet(conn, a, burst, id, pn, QL_PN_MAX_LEN, length, payload, p, 0);
}

static void send_closing(struct ql_conn *conn, struct ql_tx_burst *burst)
{
	size_t room = anti_amplification(conn);
	struct assembly a;

	ql_conn_tell_closed(conn);
	if (conn->close_until == QL_NEVER) /* three PTOs from now (10.2) */
		conn->close_until = conn->host->now + 3 * ql_conn_pto(conn);
	if (conn->close_pending && room > 0 && start(conn, &a, room)) {
		for (enum ql_space_id id = QL_SPACE_INITIAL; id < QL_SPACES; id++)
			build_close(conn, &a, burst, id);
		if (a.n > 0)
			conn->close_size = (uint32_t)finish(conn, &a, burst);
		else
			rte_pktmbuf_free(a.m);
	}
	conn->close_pending = false;
	if (conn->host->now >= conn->close_until)
		conn->state = QL_CONN_GONE;
}

/* ---- */

/* No more packets under these keys (RFC 9001, 6.6), or no more numbers (12.3). */
static void used_up(struct ql_conn *conn)
{
	if (conn->tx_end_pn == QL_CONN_PN_END)
		ql_conn_drop(conn, QL_CLOSE_LOCAL);
	else
		ql_conn_fail(conn, QL_ERR_AEAD_LIMIT_REACHED, 0, "no new keys in time");
}

/* Waiting for credit and for nothing else: the peer will hear of it again (4.1). */
static inline void watch_blocked(struct ql_conn *conn)
{
	uint64_t wait, least;

	if (__builtin_expect(!ql_streams_blocked(&conn->streams), 1) ||
	    conn->rec.space[QL_SPACE_APP].eliciting > 0) {
		conn->blocked_at = QL_NEVER;
	} else if (conn->blocked_at == QL_NEVER) {
		wait = conn->idle_timeout > 0 ? conn->idle_timeout / 4 : BLOCKED_AGAIN;
		least = 3 * ql_conn_pto(conn);
		conn->blocked_at = conn->host->now + (wait > least ? wait : least);
	}
}

bool ql_conn_send(struct ql_conn *conn, struct ql_tx_burst *burst)
{
	uint64_t now = conn->host->now;
	bool in_flight, held = false;
	size_t credit, size;

	conn->pace_deadline = QL_NEVER;
	if (conn->state < QL_CONN_CLOSING) {
		if (ql_rec_next_pn(&conn->rec, QL_SPACE_APP) >= conn->tx_end_pn)
			used_up(conn);
		ql_streams_reap(&conn->streams);
		ql_streams_gather(&conn->streams);
		if (__builtin_expect(conn->cid_epoch != conn->host->cids.epoch, 0))
			ql_handshake_renew_cids(conn);
		ql_streams_set_pace(&conn->streams, now, conn->rec.path.rtt.smoothed,
				    conn->rec.path.cc.cwnd);
		if (__builtin_expect(conn->hs != NULL, 0)) {
			if (conn->hs->tell_early)
				ql_early_tell(conn);
			ql_handshake_fini(conn, false);
		}
	}
	if (burst_full(burst))
		return true;
	if (conn->state >= QL_CONN_CLOSING) {
		send_closing(conn, burst);
		return false;
	}
	credit = ql_rec_allowance(&conn->rec, now);
	if (__builtin_expect(conn->path_due, 0))
		send_paths(conn, burst, credit > 0);
	for (unsigned int n = 0; n < QL_CONN_BURST; n++) {
		if (burst_full(burst))
			return true;
		if (__builtin_expect(conn->rec.path.pmtu.next <= now, 0)) {
			probe_mtu(conn, burst, &credit, &held);
			if (burst_full(burst))
				return true;
		}
		size = send_datagram(conn, burst, credit > 0, &in_flight);
		if (size == 0) {
			if (credit > 0)
				ql_rec_app_limited(&conn->rec);
			else if (!held && (conn->path_due || space_due(conn, QL_SPACE_APP, true) ||
					   (conn->early && any_early_due(conn, true))))
				conn->pace_deadline = ql_rec_pace_time(&conn->rec, now);
			watch_blocked(conn);
			return false;
		}
		if (in_flight) {
			credit = credit > size ? credit - size : 0;
			conn->filled = size >= conn->rec.path.mtu;
			if (conn->filled && credit > 0)
				n += ql_train_send(conn, burst, QL_CONN_BURST - 1 - n, &credit);
		}
	}
	return true;
}
