// SPDX-License-Identifier: BSD-3-Clause
/*
 * From a packet that has been opened to its frames (RFC 9000, sections 12.2 to 13.2).
 */
#include <string.h>

#include <rte_mbuf.h>

#include "conn/conn.h"
#include "crypto/retry.h"

static inline int drop(const struct ql_conn *conn, enum ql_drop reason)
{
	QL_TRACE(conn, dropped, reason);
	return -(1 + (int)reason);
}

static inline void count_drop(struct ql_conn *conn, enum ql_drop reason)
{
	conn->host->stats->drops[reason]++;
	QL_TRACE(conn, dropped, reason);
}

/* ---- Frames ---- */

/* Another path is in use, or the one in use turned out to be something else. */
static QL_SELDOM void note_ecn(struct ql_conn *conn)
{
	struct ql_engine_stats *stats = conn->host->stats;

	conn->ecn_told = conn->rec.path.ecn.state;
	stats->ecn_capable += conn->ecn_told == QL_ECN_CAPABLE;
	stats->ecn_failed += conn->ecn_told == QL_ECN_FAILED;
}

static uint64_t least_acked(const struct ql_frame_ack *ack)
{
	struct ql_ack_range range = {0};
	struct ql_ack_iter it;

	ql_ack_iter_init(&it, ack);
	while (ql_ack_iter_next(&it, &range))
		;
	return range.start;
}

static QL_SELDOM uint64_t recv_ack(struct ql_conn *conn, enum ql_space_id space,
				   const struct ql_frame_ack *ack)
{
	unsigned int exponent =
		space == QL_SPACE_APP ? conn->ack_delay_exponent : QL_TP_ACK_DELAY_EXPONENT_DEFAULT;
	uint64_t delay = ql_rec_ack_delay(ack->delay, exponent);
	struct ql_rec_stats *stats = &conn->rec.stats;
	uint64_t lost = stats->lost, ce = stats->ce;
	int rc;

	/* What was rejected has not been received (RFC 9001, 4.6.2). */
	if (__builtin_expect(conn->early_end_pn > 0, 0) && space == QL_SPACE_APP &&
	    least_acked(ack) < conn->early_end_pn)
		return QL_ERR_PROTOCOL_VIOLATION;
	rc = ql_rec_on_ack(&conn->rec, space, ack, delay, conn->host->now);
	conn->host->stats->lost_packets += stats->lost - lost;
	conn->host->stats->ce_packets += stats->ce - ce;
	if (__builtin_expect(conn->rec.path.ecn.state != conn->ecn_told, 0))
		note_ecn(conn);
	if (rc < 0)
		return QL_ERR_PROTOCOL_VIOLATION;
	ql_ackfreq_update(conn);
	QL_TRACE(conn, metrics);
	if (__builtin_expect(ql_pmtu_is_dead(&conn->rec.path.pmtu, conn->host->now), 0))
		return QL_ERR_NO_VIABLE_PATH; /* 14.2 */
	return 0;
}

static uint64_t recv_new_cid(struct ql_conn *conn, const struct ql_frame_new_cid *f)
{
	if (ql_peer_cid(&conn->peer_cids)->len == 0)
		return QL_ERR_PROTOCOL_VIOLATION;
	return ql_peer_cids_add(&conn->peer_cids, f);
}

static uint64_t recv_retire_cid(struct ql_conn *conn, uint64_t seq)
{
	if (ql_local_cids_retire(&conn->local_cids, seq, conn->rx_cid_seq) < 0)
		return QL_ERR_PROTOCOL_VIOLATION;
	ql_handshake_issue_cids(conn);
	return 0;
}

static uint64_t recv_datagram(struct ql_conn *conn, const struct ql_frame *f)
{
	if (!ql_datagrams_allowed(&conn->datagrams, f->wire_type, f->datagram.len))
		return QL_ERR_PROTOCOL_VIOLATION;
	conn->datagrams.received++;
	QL_TRACE(conn, datagram, f->datagram.len, false);
	if (conn->ops && conn->ops->datagram)
		conn->ops->datagram(conn, f->datagram.data, f->datagram.len);
	return 0;
}

/* Of use for a later connection of this version only. */
static uint64_t recv_new_token(struct ql_conn *conn, const uint8_t *token, size_t len)
{
	uint8_t named[QL_TOKEN_MAX];

	if (conn->server)
		return QL_ERR_PROTOCOL_VIOLATION;
	if (len <= QL_TOKEN_MAX - QL_TOKEN_VERSION && conn->ops && conn->ops->new_token) {
		ql_put_bytes(ql_put_be32(named, conn->version), token, len);
		conn->ops->new_token(conn, named, QL_TOKEN_VERSION + len);
	}
	return 0;
}

/* Everything but PADDING, STREAM and ACK, which recv_frames() has met already. */
static QL_SELDOM uint64_t recv_frame(struct ql_conn *conn, enum ql_space_id space,
				     const struct ql_frame *f, const struct ql_datagram *dgram)
{
	switch (f->type) {
	case QL_FRAME_CRYPTO:
		return ql_handshake_recv(conn, space, f->crypto.offset, f->crypto.data,
					 f->crypto.len);
	case QL_FRAME_RESET_STREAM:
	case QL_FRAME_STOP_SENDING:
	case QL_FRAME_MAX_DATA:
	case QL_FRAME_MAX_STREAM_DATA:
	case QL_FRAME_MAX_STREAMS:
	case QL_FRAME_DATA_BLOCKED:
	case QL_FRAME_STREAM_DATA_BLOCKED:
	case QL_FRAME_STREAMS_BLOCKED:
		return (uint64_t)ql_streams_recv(&conn->streams, f);
	case QL_FRAME_NEW_CONNECTION_ID:
		return recv_new_cid(conn, &f->new_cid);
	case QL_FRAME_RETIRE_CONNECTION_ID:
		return recv_retire_cid(conn, f->retire_cid.seq);
	case QL_FRAME_PATH_CHALLENGE:
		ql_paths_on_challenge(conn, &dgram->path, f->path_challenge.data);
		return 0;
	case QL_FRAME_PATH_RESPONSE:
		ql_paths_on_response(conn, f->path_response.data);
		return 0;
	case QL_FRAME_CONNECTION_CLOSE:
		ql_conn_on_peer_close(conn, &f->close);
		return 0;
	case QL_FRAME_HANDSHAKE_DONE:
		if (conn->server)
			return QL_ERR_PROTOCOL_VIOLATION;
		ql_handshake_confirmed(conn);
		return 0;
	case QL_FRAME_NEW_TOKEN:
		return recv_new_token(conn, f->new_token.data, f->new_token.len);
	case QL_FRAME_DATAGRAM:
		return recv_datagram(conn, f);
	case QL_FRAME_ACK_FREQUENCY:
		return ql_ackfreq_recv(conn, &f->ack_frequency);
	case QL_FRAME_IMMEDIATE_ACK:
		conn->app.ack_now = true;
		return 0;
	default: /* PING */
		return 0;
	}
}

/*
 * Handle the frames of a packet. A transport error code or 0; *bad_type is the frame at fault.
 * *any, *all: the properties (QL_FRAME_F_) that some of them have, and that all of them have.
 */
static uint64_t recv_frames(struct ql_conn *conn, enum ql_space_id space, enum ql_pkt_type type,
			    const uint8_t *p, size_t len, const struct ql_datagram *dgram,
			    unsigned int *any, unsigned int *all, uint64_t *bad_type)
{
	const uint8_t *end = p + len;
	struct ql_frame f;
	unsigned int flags;
	uint64_t err = 0;
	int rc;

	if (len == 0) /* 12.4 */
		return QL_ERR_PROTOCOL_VIOLATION;
	while (p < end) {
		if (ql_frame_is_stream(*p) && space == QL_SPACE_APP) { /* most are */
			*bad_type = *p;
			if (!ql_frame_get_stream(&p, end, &f.stream))
				return QL_ERR_FRAME_ENCODING_ERROR;
			*any |= ql_frame_flags(QL_FRAME_STREAM);
			*all &= ql_frame_flags(QL_FRAME_STREAM);
			err = (uint64_t)ql_streams_recv_data(&conn->streams, &f.stream);
			if (err)
				return err;
			if (conn->state >= QL_CONN_CLOSING)
				return 0;
			continue;
		}
		rc = ql_frame_decode(&p, end, &f);
		*bad_type = f.wire_type;
		if (rc < 0)
			return ql_frame_err(rc);
		if (!ql_frame_allowed(f.wire_type, type))
			return QL_ERR_PROTOCOL_VIOLATION;
		flags = ql_frame_flags(f.wire_type);
		*any |= flags;
		*all &= flags;
		if (f.type == QL_FRAME_ACK)
			err = recv_ack(conn, space, &f.ack);
		else if (f.type != QL_FRAME_PADDING)
			err = recv_frame(conn, space, &f, dgram);
		if (err)
			return err;
		if (conn->state >= QL_CONN_CLOSING)
			return 0;
		/* A handshake that is confirmed has dropped the space of this very packet. */
		if (space != QL_SPACE_APP && !ql_conn_space(conn, space))
			return 0;
	}
	return 0;
}

/* ---- Packets ---- */

/* No number above those that the peer must have taken for lost by the last ACK. */
static inline bool nothing_missing(const struct ql_ranges *received, const struct ql_ack_rule *rule)
{
	unsigned int n = ql_ranges_count(received);

	return rule->reorder <= 1 || n <= 1 ||
	       ql_ranges_get(received, n - 1)->start + rule->reorder <= rule->acked;
}

/* ql_ack_at_once(), and what it comes to while packets come in order. */
static inline bool ack_at_once(struct ql_conn *conn, uint64_t pn, bool in_order, bool ce)
{
	struct ql_ack_rule *rule = &conn->ack_rule;
	const struct ql_space *sp = &conn->app;

	if (__builtin_expect(!in_order || ce || !nothing_missing(&sp->received, rule) ||
				     (rule->next_seq == 0 &&
				      conn->host->now - rule->since > conn->rec.path.rtt.smoothed),
			     0))
		return ql_ack_at_once(conn, pn, in_order, ce);
	rule->packets++;
	rule->ce = false;
	return sp->unacked >= rule->every;
}

/* Note what is to be acknowledged, and when (13.2.1). */
static void note_received(struct ql_conn *conn, struct ql_space *sp, enum ql_space_id id,
			  uint64_t pn, bool eliciting, uint8_t ecn)
{
	uint64_t now = conn->host->now;
	bool in_order = pn == sp->expected;

	ql_ranges_add_drop(&sp->received, conn->host->mem, pn, pn);
	if (ecn == QL_ECN_ECT0)
		sp->ecn.ect0++;
	else if (ecn == QL_ECN_CE)
		sp->ecn.ce++;
	else if (ecn == QL_ECN_ECT1)
		sp->ecn.ect1++;
	if (__builtin_expect(pn >= sp->expected, 1)) {
		sp->expected = pn + 1;
		if (eliciting)
			sp->largest_time = now;
	}
	if (!eliciting)
		return;
	sp->unacked++;
	if (id != QL_SPACE_APP || ack_at_once(conn, pn, in_order, ecn == QL_ECN_CE))
		sp->ack_now = true;
	else if (sp->ack_deadline == QL_NEVER)
		sp->ack_deadline = now + conn->ack_delay;
}

/* What goes up with every packet that brings or ends data, or acknowledges a packet at last. */
static inline uint64_t progress(const struct ql_conn *conn)
{
	return conn->streams.progress + conn->datagrams.received + conn->rec.stats.acked +
	       conn->rec.stats.spurious;
}

/*
 * Small packets that bring no data and acknowledge none have their uses, but not by the million:
 * then they are an attack on our time (21.9). Large ones are data that was sent again in vain,
 * which happens by thousands on long fat paths and costs the sender as much as us.
 */
static QL_SELDOM void count_use(struct ql_conn *conn, bool useful)
{
	const uint64_t interval = QL_CONN_USELESS_INTERVAL;
	uint64_t now = conn->host->now, until = conn->useless_until;

	if (useful) {
		until -= QL_CONN_USELESS_OFFSET * interval;
		conn->useless_until = until > now ? until : 0;
		return;
	}
	until = (until > now ? until : now) + interval;
	conn->useless_until = until;
	if (until - now > QL_CONN_USELESS_BURST * interval)
		ql_conn_fail(conn, QL_ERR_PROTOCOL_VIOLATION, 0, "too many packets of no use");
}

/* An authenticated packet: job holds its number and payload. */
static void recv_packet(struct ql_conn *conn, enum ql_space_id id, enum ql_pkt_type type,
			const struct ql_open_job *job, const struct ql_datagram *dgram)
{
	struct ql_space *sp = ql_conn_space(conn, id);
	uint64_t err, frame_type = 0;
	bool same_path = ql_path_eq(&conn->path, &dgram->path);
	bool highest = job->pn >= sp->expected, eliciting, useful;
	unsigned int any = 0, all = QL_FRAME_F_PROBE;
	uint8_t reserved = type == QL_PKT_SHORT ? QL_PKT_RESERVED_SHORT : QL_PKT_RESERVED_LONG;
	bool large = job->payload_len >= QL_CONN_USELESS_SIZE;
	uint64_t before;

	conn->host->stats->rx_packets++;
	conn->stats.rx_packets++;
	if (__builtin_expect(job->first & reserved, 0)) {
		ql_conn_fail(conn, QL_ERR_PROTOCOL_VIOLATION, 0, "reserved bits set");
		return;
	}
	if (__builtin_expect(ql_ranges_seen(&sp->received, job->pn), 0)) {
		count_drop(conn, QL_DROP_DUPLICATE);
		return;
	}
	if (__builtin_expect(same_path, 1)) {
		conn->path_cid_seq = conn->rx_cid_seq;
	} else if (!ql_paths_accept(conn, &dgram->path)) {
		count_drop(conn, QL_DROP_PATH);
		return;
	}
	QL_TRACE(conn, received, type, job, &dgram->path);
	conn->idle_restarted = false;
	ql_conn_touch_idle(conn);
	ql_conn_wake(conn);
	before = large ? 0 : progress(conn);
	err = recv_frames(conn, id, type, job->payload, job->payload_len, dgram, &any, &all,
			  &frame_type);
	if (__builtin_expect(err != 0, 0)) {
		const struct ql_tls *tls = conn->hs ? conn->hs->tls : NULL;

		ql_conn_fail(conn, err, frame_type,
			     tls && err == ql_tls_error(tls) ? ql_tls_reason(tls)
							     : ql_err_name(err));
		return;
	}
	useful = large || progress(conn) != before;
	if (__builtin_expect(!useful || conn->useless_until != 0, 0))
		count_use(conn, useful);
	sp = ql_conn_space(conn, id);
	eliciting = any & QL_FRAME_F_ACKED;
	if (sp)
		note_received(conn, sp, id, job->pn, eliciting, dgram->ecn);
	if (__builtin_expect(!same_path || !conn->peer_validated, 0) && type == QL_PKT_SHORT)
		ql_paths_on_packet(conn, &dgram->path, dgram->mbuf->data_len,
				   highest && !(all & QL_FRAME_F_PROBE));
}

/* Too many forgeries under our keys would help to break them (RFC 9001, 6.6). */
static QL_SELDOM void count_forgery(struct ql_conn *conn)
{
	count_drop(conn, QL_DROP_AUTH);
	if (++conn->auth_failures > ql_suites[conn->app.rx.aead.suite].integrity_limit)
		ql_conn_fail(conn, QL_ERR_AEAD_LIMIT_REACHED, 0, "too many forged packets");
}

int ql_conn_open_job(struct ql_conn *conn, uint8_t *pkt, size_t len, size_t cid_len,
		     struct ql_open_job *job)
{
	if (__builtin_expect(conn->state >= QL_CONN_CLOSING, 0)) {
		ql_conn_recv_closing(conn, len);
		return drop(conn, QL_DROP_CLOSING);
	}
	/* A server has the keys before it may use them (RFC 9001, 5.7). */
	if (!conn->app.rx.ready || conn->state == QL_CONN_HANDSHAKE)
		return drop(conn, QL_DROP_NO_KEYS);
	if (__builtin_expect(!conn->app.rx.aead.schedule, 0) && ql_rest_end(conn) < 0)
		return drop(conn, QL_DROP_NO_MEMORY);
	*job = (struct ql_open_job){
		.aead = &conn->app.rx.aead,
		.hp = &conn->app.rx.hp,
		.pkt = pkt,
		.expected = conn->app.expected,
		.pn_offset = (uint16_t)(1 + cid_len),
		.len = (uint16_t)len,
	};
	return 0;
}

void ql_conn_open_phase(struct ql_conn *conn, struct ql_open_job *job)
{
	bool phase = job->first & QL_PKT_KEY_PHASE;

	if (job->result < 0 || phase == conn->key_phase)
		return;
	if (conn->rx_old.schedule && job->pn < conn->phase_first_pn) {
		job->aead = &conn->rx_old;
	} else if (conn->state == QL_CONN_CONFIRMED &&
		   (conn->rx_next.schedule || ql_handshake_next_keys(conn) == 0)) {
		job->aead = &conn->rx_next;
	}
	/* else: it will not open, which is what an early or forged bit deserves */
}

/* What is called for each packet of a transfer is one function here. */
__attribute__((flatten)) void ql_conn_recv(struct ql_conn *conn, struct ql_open_job *job,
					   const struct ql_datagram *dgram)
{
	bool phase = job->first & QL_PKT_KEY_PHASE;

	if (__builtin_expect(conn->state >= QL_CONN_CLOSING, 0)) {
		count_drop(conn, QL_DROP_CLOSING);
		return;
	}
	if (__builtin_expect(job->result < 0, 0)) {
		count_forgery(conn);
		return;
	}
	/* Several packets of a burst may bring the update: the first one makes it. */
	if (__builtin_expect(job->aead == &conn->rx_next && phase != conn->key_phase, 0) &&
	    ql_handshake_update_keys(conn, job->pn) < 0) {
		ql_conn_fail(conn, QL_ERR_INTERNAL_ERROR, 0, "out of memory");
		return;
	}
	if (__builtin_expect(phase != conn->key_phase, 0)) {
		if (job->pn > conn->phase_first_pn) { /* old keys behind new ones (6.4) */
			ql_conn_fail(conn, QL_ERR_KEY_UPDATE_ERROR, 0, "old keys used again");
			return;
		}
	} else if (__builtin_expect(job->pn < conn->phase_first_pn, 0)) {
		if (conn->phase_first_pn == QL_PN_NONE) /* the answer to our own update */
			conn->rx_old_until = conn->host->now + 3 * ql_conn_pto(conn);
		conn->phase_first_pn = job->pn;
	}
	recv_packet(conn, QL_SPACE_APP, QL_PKT_SHORT, job, dgram);
	if (ql_rec_next_pn(&conn->rec, QL_SPACE_APP) >= conn->tx_update_pn)
		ql_handshake_initiate_update(conn);
}

/* ---- Long headers ---- */

/* Which packet number space; QL_SPACES for packets without one that we can open. */
static enum ql_space_id space_of(enum ql_pkt_type type)
{
	if (type == QL_PKT_INITIAL)
		return QL_SPACE_INITIAL;
	return type == QL_PKT_HANDSHAKE ? QL_SPACE_HANDSHAKE : QL_SPACES;
}

/* What the first authenticated packets tell about the peer (7.2, 8.1, RFC 9001, 4.9.1). */
static void learn_peer(struct ql_conn *conn, const struct ql_pkt_hdr *hdr)
{
	struct ql_handshake *hs = conn->hs;

	if (!hs->peer_scid_known) {
		hs->peer_scid_known = true;
		ql_cid_set(&hs->peer_scid, hdr->scid.p, hdr->scid.len);
		conn->peer_cids.e[0].cid = hs->peer_scid;
	}
	if (conn->server && hdr->type == QL_PKT_HANDSHAKE) {
		conn->peer_validated = true;
		ql_handshake_drop_space(conn, QL_SPACE_INITIAL);
	}
}

/* Keys for a packet of this space and version, NULL if it is to be dropped. */
static struct ql_keys *long_keys(struct ql_conn *conn, enum ql_space_id id, uint32_t version)
{
	struct ql_space *sp = id < QL_SPACES ? ql_conn_space(conn, id) : NULL;
	struct ql_keys *keys = NULL;

	if (version == conn->version)
		keys = sp && sp->rx.ready ? &sp->rx : NULL;
	else if (id == QL_SPACE_INITIAL)
		keys = ql_version_initial_keys(conn, version);
	if (!keys)
		count_drop(conn, version == conn->version ? QL_DROP_NO_KEYS : QL_DROP_VERSION);
	return keys;
}

bool ql_conn_recv_long(struct ql_conn *conn, const struct ql_pkt_hdr *hdr, uint8_t *pkt,
		       const struct ql_datagram *dgram)
{
	enum ql_space_id id = space_of(hdr->type);
	struct ql_open_job job;
	const struct ql_keys *keys;

	if (conn->state >= QL_CONN_CLOSING) {
		ql_conn_recv_closing(conn, hdr->size);
		count_drop(conn, QL_DROP_CLOSING);
		return false;
	}
	if (!ql_path_eq(&conn->path, &dgram->path)) {
		count_drop(conn, QL_DROP_PATH);
		return false;
	}
	ql_handshake_settle(conn);
	if (hdr->type == QL_PKT_ZERO_RTT) {
		id = QL_SPACE_APP;
		keys = ql_early_keys(conn, hdr->version);
		if (!keys) {
			count_drop(conn, QL_DROP_EARLY);
			return false;
		}
	} else {
		keys = long_keys(conn, id, hdr->version);
	}
	if (!keys)
		return false;
	/* The peer keeps to the ID of its first packet (7.2); a server sends no token (17.2.2). */
	if ((conn->hs->peer_scid_known &&
	     !ql_cid_is(&conn->hs->peer_scid, hdr->scid.p, hdr->scid.len)) ||
	    hdr->scid.len > QL_CID_MAX || (!conn->server && hdr->token_len > 0)) {
		count_drop(conn, QL_DROP_HEADER);
		return false;
	}
	job = (struct ql_open_job){
		.aead = &keys->aead,
		.hp = &keys->hp,
		.pkt = pkt,
		.expected = ql_conn_space(conn, id)->expected,
		.pn_offset = (uint16_t)hdr->pn_offset,
		.len = (uint16_t)hdr->size,
	};
	if (ql_open_one(&job) < 0) {
		count_forgery(conn);
		return false;
	}
	if (!conn->server && hdr->version != conn->version &&
	    ql_version_learned(conn, hdr->version) < 0) {
		ql_conn_fail(conn, QL_ERR_INTERNAL_ERROR, 0, "out of memory");
		return true;
	}
	learn_peer(conn, hdr);
	recv_packet(conn, id, hdr->type, &job, dgram);
	return true;
}

void ql_conn_recv_version_negotiation(struct ql_conn *conn, const struct ql_pkt_hdr *hdr)
{
	struct ql_handshake *hs = conn->hs;
	int rc;

	/* Only the first answer to our first packet may be one (6.2), and none to a second try. */
	if (conn->server || conn->state != QL_CONN_HANDSHAKE || hs->peer_scid_known ||
	    hs->retried || hs->restarted ||
	    !ql_cid_is(&hs->original_dcid, hdr->scid.p, hdr->scid.len)) {
		count_drop(conn, QL_DROP_VERSION);
		return;
	}
	for (size_t i = 0; i < ql_pkt_vn_count(hdr); i++) {
		if (ql_pkt_vn_version(hdr, i) == conn->version) {
			count_drop(conn, QL_DROP_VERSION);
			return;
		}
	}
	QL_TRACE(conn, answered, hdr);
	rc = ql_version_restart(conn, hdr);
	if (rc < 0)
		ql_conn_drop(conn, rc == -EPROTONOSUPPORT ? QL_CLOSE_VERSION : QL_CLOSE_HANDSHAKE);
	else
		ql_conn_wake(conn);
}

void ql_conn_recv_retry(struct ql_conn *conn, const struct ql_pkt_hdr *hdr, const uint8_t *pkt)
{
	struct ql_handshake *hs = conn->hs;
	const struct ql_cid *dcid = hs ? &hs->original_dcid : NULL;
	uint8_t *token;

	/* Only the first answer to our first packet may be one, and none that changes nothing. */
	if (conn->server || conn->state != QL_CONN_HANDSHAKE || hs->peer_scid_known ||
	    hs->retried || hdr->version != conn->version || hdr->token_len > QL_TOKEN_MAX ||
	    ql_cid_is(dcid, hdr->scid.p, hdr->scid.len)) {
		count_drop(conn, QL_DROP_HEADER);
		return;
	}
	if (!ql_retry_verify(hdr->version, dcid->id, dcid->len, pkt, hdr->size)) {
		count_drop(conn, QL_DROP_AUTH);
		return;
	}
	token = ql_mem_alloc(conn->host->mem, hdr->token_len);
	if (!token) {
		count_drop(conn, QL_DROP_NO_MEMORY);
		return;
	}
	memcpy(token, hdr->token, hdr->token_len);
	ql_mem_free(conn->host->mem, hs->token, hs->token_len);
	hs->token = token;
	hs->token_len = (uint16_t)hdr->token_len;
	hs->retried = conn->stats.retried = true;
	QL_TRACE(conn, answered, hdr);
	ql_cid_set(&hs->retry_scid, hdr->scid.p, hdr->scid.len);
	conn->peer_cids.e[0].cid = hs->retry_scid;
	conn->host->stats->rx_packets++;
	conn->stats.rx_packets++;
	if (ql_handshake_initial_keys(conn) < 0) {
		ql_conn_drop(conn, QL_CLOSE_HANDSHAKE);
		return;
	}
	ql_rec_requeue_space(&conn->rec, QL_SPACE_INITIAL);
	ql_rec_requeue_space(&conn->rec, QL_SPACE_APP); /* early data (17.2.3) */
	ql_conn_wake(conn);
}

void ql_conn_count_rx(struct ql_conn *conn, size_t bytes)
{
	conn->stats.rx_bytes += bytes;
	if (conn->hs && !conn->peer_validated) {
		conn->hs->rx_bytes += bytes;
		ql_conn_wake(conn);
	}
}
