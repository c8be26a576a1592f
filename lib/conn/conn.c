// SPDX-License-Identifier: BSD-3-Clause
#include "conn/conn.h"

#include <string.h>

#define SCID_SEQ 0 /* our first ID's sequence number, and its place */

static void wake(struct ql_conn *conn)
{
	ql_conn_wake(conn);
}

static void stream_state(struct ql_conn *conn, const struct ql_stream *stream, bool open)
{
	QL_TRACE(conn, stream, stream, open);
}

static void stream_dropping(struct ql_conn *conn)
{
	if (conn->host->burst)
		ql_tx_burst_seal(conn->host->burst);
}

static const struct ql_streams_hooks streams_hooks = {
	.wake = wake,
	.state = stream_state,
	.dropping = stream_dropping,
};

static const struct ql_cc_ops *const congestion_controls[] = {
	[QL_CC_DEFAULT] = &ql_cc_cubic,
	[QL_CC_NEWRENO] = &ql_cc_newreno,
	[QL_CC_CUBIC] = &ql_cc_cubic,
	[QL_CC_BBR] = &ql_cc_bbr,
};

/* ---- Life ---- */

static void init_space(struct ql_space *sp)
{
	ql_ranges_init(&sp->received, QL_CONN_ACK_RANGES);
	sp->ack_deadline = QL_NEVER;
}

/* What both roles have in common. conn->hs and conn->early are there, and zero. */
static void init(struct ql_conn *conn, const struct ql_endpoint *endpoint,
		 const struct ql_path *path)
{
	const struct ql_transport *t = &endpoint->transport;
	struct ql_conn_host *host = conn->host;
	struct ql_handshake *hs = conn->hs;
	struct ql_streams_config streams = {
		.max_data = t->max_data,
		.max_stream_data_bidi_local = t->max_stream_data,
		.max_stream_data_bidi_remote = t->max_stream_data,
		.max_stream_data_uni = t->max_stream_data,
		.max_streams_bidi = t->max_streams_bidi,
		.max_streams_uni = t->max_streams_uni,
		.max_data_cap = t->max_data_cap,
		.max_stream_data_cap = t->max_stream_data_cap,
		.send_buffer = t->send_buffer,
		.send_buffer_cap = t->send_buffer_cap,
		.share = t->priority_share,
		.budget = &host->windows,
	};

	conn->path = *path;
	conn->server = endpoint->server;
	conn->alpn = "";
	conn->close.reason = conn->reason;
	conn->ack_delay = t->ack_delay_ns;
	ql_ackfreq_init(&conn->ack_rule, &conn->ack_ask);
	conn->ack_delay_exponent = QL_TP_ACK_DELAY_EXPONENT_DEFAULT;
	conn->peer_cid_limit = QL_TP_ACTIVE_CID_LIMIT_DEFAULT;
	conn->idle_timeout = t->idle_timeout_ns;
	conn->pace_deadline = conn->path_deadline = conn->keep_alive_at = QL_NEVER;
	conn->blocked_at = conn->rest_at = QL_NEVER;
	conn->tx_update_pn = conn->tx_end_pn = QL_CONN_PN_END;

	init_space(&conn->early[QL_SPACE_INITIAL]);
	init_space(&conn->early[QL_SPACE_HANDSHAKE]);
	init_space(&conn->app);
	ql_recvbuf_init(&conn->late.in);
	for (unsigned int i = 0; i < QL_SPACES; i++)
		ql_sendbuf_init(&hs->crypto_out[i]);
	for (unsigned int i = 0; i < QL_SPACE_APP; i++)
		ql_recvbuf_init(&hs->crypto_in[i]);
	hs->endpoint = *endpoint;
	hs->started = host->now;
	hs->deadline = host->now + t->handshake_timeout_ns;

	ql_rec_init(&conn->rec, host->mem, &ql_conn_rec_ops, conn,
		    congestion_controls[t->congestion], host->now,
		    t->udp_payload < host->tx_room ? t->udp_payload : host->tx_room,
		    t->initial_rtt_ns, conn->server);
	if (t->no_ecn)
		ql_rec_no_ecn(&conn->rec);
	conn->ecn_told = conn->rec.path.ecn.state;
	ql_rec_search_mtu(&conn->rec,
			  t->udp_payload_max < host->tx_room ? t->udp_payload_max : host->tx_room,
			  t->fixed_udp_payload, host->now);
	ql_streams_init(&conn->streams, host->mem, conn, conn->server, &streams, &streams_hooks,
			NULL);
	ql_datagrams_init(&conn->datagrams, t->max_datagram_frame_size, t->datagram_queue_bytes,
			  t->datagram_queue_count);

	ql_local_cid_make(&host->cids, host->rng, conn->slot, &conn->local_cids.e[SCID_SEQ].cid);
	conn->local_cids.e[SCID_SEQ].used = true;
	conn->local_cids.next_seq = SCID_SEQ + 1;
	conn->cid_epoch = host->cids.epoch;
	conn->peer_cids.e[0].used = true;
	ql_conn_touch_idle(conn);
	host->stats->conns++;
	host->stats->handshakes++;
}

static int alloc(struct ql_conn *conn, struct ql_conn_host *host, uint32_t slot)
{
	memset(conn, 0, sizeof(*conn));
	conn->host = host;
	conn->slot = slot;
	conn->hs = ql_mem_zalloc(host->mem, sizeof(*conn->hs));
	conn->early = ql_mem_zalloc(host->mem, 2 * sizeof(*conn->early));
	if (conn->hs && conn->early)
		return 0;
	ql_mem_free(host->mem, conn->hs, sizeof(*conn->hs));
	ql_mem_free(host->mem, conn->early, 2 * sizeof(*conn->early));
	return -ENOMEM;
}

/* Initial keys and TLS. */
static int begin(struct ql_conn *conn, const char *sni)
{
	struct ql_tracer *tracer = conn->host->tracer;
	int rc;

	if (tracer)
		conn->trace = tracer->start(tracer, conn);
	conn->watched = conn->trace != NULL;
	rc = ql_handshake_initial_keys(conn);
	if (rc == 0)
		rc = ql_handshake_start(conn, sni);
	if (rc < 0)
		ql_conn_fini(conn);
	else
		ql_conn_wake(conn);
	return rc;
}

int ql_conn_init_server(struct ql_conn *conn, struct ql_conn_host *host, uint32_t slot,
			const struct ql_endpoint *endpoint, const struct ql_pkt_hdr *initial,
			const struct ql_path *path, const struct ql_validation *validation)
{
	struct ql_handshake *hs;
	int rc = alloc(conn, host, slot);

	if (rc < 0)
		return rc;
	init(conn, endpoint, path);
	hs = conn->hs;
	hs->first_version = conn->version = initial->version;
	if (ql_cid_set(&hs->original_dcid, initial->dcid.p, initial->dcid.len) < 0 ||
	    ql_cid_set(&hs->peer_scid, initial->scid.p, initial->scid.len) < 0) {
		ql_conn_fini(conn);
		return -EINVAL;
	}
	if (validation->retried) {
		hs->retried = true;
		hs->retry_scid = hs->original_dcid;
		hs->original_dcid = validation->original_dcid;
	}
	conn->stats.retried = validation->retried;
	conn->peer_validated = validation->validated;
	hs->peer_scid_known = true;
	conn->peer_cids.e[0].cid = hs->peer_scid;
	return begin(conn, NULL);
}

int ql_conn_init_client(struct ql_conn *conn, struct ql_conn_host *host, uint32_t slot,
			const struct ql_endpoint *endpoint, const char *sni,
			const struct ql_path *path, void *user)
{
	struct ql_cid *dcid;
	int rc = alloc(conn, host, slot);

	if (rc < 0)
		return rc;
	init(conn, endpoint, path);
	conn->hs->first_version = conn->version = ql_version_first(&endpoint->transport);
	dcid = &conn->hs->original_dcid;
	memset(dcid, 0, sizeof(*dcid));
	dcid->len = QL_LOCAL_CID_LEN;
	ql_rng_bytes(host->rng, dcid->id, dcid->len);
	conn->peer_cids.e[0].cid = *dcid;
	conn->peer_validated = true; /* the limit is the server's */
	conn->user = user;
	rc = begin(conn, sni);
	if (rc == 0 && sni) { /* to begin once more, maybe */
		conn->hs->sni = ql_mem_alloc(host->mem, strlen(sni) + 1);
		if (!conn->hs->sni) {
			ql_conn_fini(conn);
			return -ENOMEM;
		}
		strcpy(conn->hs->sni, sni);
	}
	if (rc == 0)
		conn->announced = true;
	return rc;
}

int ql_conn_set_token(struct ql_conn *conn, const uint8_t *token, size_t len)
{
	struct ql_handshake *hs = conn->hs;

	if (conn->server || len <= QL_TOKEN_VERSION || len > QL_TOKEN_MAX)
		return -EINVAL;
	if (!hs || hs->token || conn->stats.tx_packets > 0 || conn->state != QL_CONN_HANDSHAKE)
		return -EISCONN;
	if (ql_get_be32(token) != conn->version)
		return -EPROTONOSUPPORT;
	token += QL_TOKEN_VERSION;
	len -= QL_TOKEN_VERSION;
	hs->token = ql_mem_alloc(conn->host->mem, len);
	if (!hs->token)
		return -ENOMEM;
	memcpy(hs->token, token, len);
	hs->token_len = (uint16_t)len;
	return 0;
}

void ql_conn_fini(struct ql_conn *conn)
{
	struct ql_mem *mem = conn->host->mem;

	if (conn->state < QL_CONN_CLOSING) {
		conn->close.cause = QL_CLOSE_ENGINE;
		if (conn->state == QL_CONN_HANDSHAKE)
			conn->host->stats->handshakes--;
		conn->state = QL_CONN_GONE;
		ql_streams_close(&conn->streams);
	}
	ql_conn_tell_closed(conn);
	ql_datagrams_fini(&conn->datagrams, mem);
	ql_handshake_fini(conn, true);
	ql_aead_fini(&conn->app.rx.aead, mem);
	ql_aead_fini(&conn->app.tx.aead, mem);
	ql_hp_fini(&conn->app.rx.hp, mem);
	ql_hp_fini(&conn->app.tx.hp, mem);
	ql_aead_fini(&conn->rx_old, mem);
	ql_aead_fini(&conn->rx_next, mem);
	ql_ranges_fini(&conn->app.received, mem);
	ql_recvbuf_drop(&conn->late.in, mem);
	ql_rec_fini(&conn->rec);
	ql_paths_fini(conn);
	ql_wipe(&conn->rx_secret, sizeof(conn->rx_secret));
	ql_wipe(&conn->tx_secret, sizeof(conn->tx_secret));
	if (conn->on_ready) {
		TAILQ_REMOVE(&conn->host->ready, conn, ready_link);
		conn->on_ready = false;
	}
	conn->host->stats->conns--;
	QL_TRACE(conn, end);
	conn->watched = false;
}

/* ---- Time ---- */

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t ql_conn_deadline(const struct ql_conn *conn)
{
	uint64_t t;

	if (conn->state >= QL_CONN_CLOSING)
		return conn->close_until;
	t = earlier(conn->idle_deadline, ql_rec_deadline(&conn->rec));
	t = earlier(t, conn->app.ack_deadline);
	t = earlier(t, conn->pace_deadline);
	t = earlier(t, conn->path_deadline);
	t = earlier(t, conn->keep_alive_at);
	t = earlier(t, conn->blocked_at);
	t = earlier(t, conn->rest_at);
	if (conn->early) {
		t = earlier(t, conn->early[QL_SPACE_INITIAL].ack_deadline);
		t = earlier(t, conn->early[QL_SPACE_HANDSHAKE].ack_deadline);
	}
	if (conn->hs)
		t = earlier(t, conn->hs->deadline);
	if (conn->rx_old.schedule)
		t = earlier(t, conn->rx_old_until);
	return t;
}

void ql_conn_on_deadline(struct ql_conn *conn)
{
	uint64_t now = conn->host->now, lost;
	unsigned int space;

	ql_conn_wake(conn);
	if (conn->state >= QL_CONN_CLOSING)
		return;
	if (now >= conn->idle_deadline) {
		ql_conn_drop(conn, QL_CLOSE_IDLE);
		return;
	}
	if (conn->hs && now >= conn->hs->deadline) {
		if (conn->state == QL_CONN_HANDSHAKE) {
			ql_conn_drop(conn, QL_CLOSE_HANDSHAKE);
			return;
		}
		ql_handshake_expire(conn);
	}
	if (conn->rx_old.schedule && now >= conn->rx_old_until)
		ql_aead_fini(&conn->rx_old, conn->host->mem);
	if (now >= conn->path_deadline)
		ql_paths_on_deadline(conn);
	if (now >= conn->keep_alive_at) {
		conn->keep_alive_at = now + conn->keep_alive;
		conn->ping = true;
	}
	if (now >= conn->rest_at)
		ql_rest_on_deadline(conn);
	if (now >= conn->blocked_at) {
		conn->blocked_at = QL_NEVER;
		ql_streams_repeat_blocked(&conn->streams);
	}
	ql_handshake_settle(conn);
	if (ql_rec_deadline(&conn->rec) > now)
		return;
	lost = conn->rec.stats.lost;
	conn->probes = (uint8_t)ql_rec_on_timeout(&conn->rec, now, &space);
	conn->host->stats->lost_packets += conn->rec.stats.lost - lost;
	conn->probe_space = (uint8_t)space;
	QL_TRACE(conn, metrics);
	/* Each brings along what the other spaces have under way (RFC 9002, 6.2.4). */
	for (unsigned int i = 0; i < conn->probes; i++) {
		for (unsigned int k = 0; k < QL_SPACES; k++)
			ql_rec_probe_frames(&conn->rec, k);
	}
}

/* ---- The public accessors ---- */

int ql_stream_open(struct ql_conn *conn, bool bidi, struct ql_stream **stream)
{
	if (!conn->app_open || conn->state >= QL_CONN_CLOSING)
		return -ENOTCONN;
	return ql_streams_open(&conn->streams, bidi, stream);
}

void ql_conn_set_max_streams(struct ql_conn *conn, bool bidi, uint64_t most)
{
	if (conn->state < QL_CONN_CLOSING)
		ql_streams_set_max(&conn->streams, bidi, most);
}

int ql_datagram_send(struct ql_conn *conn, const void *data, size_t len, uint64_t expiry_ns,
		     uint64_t id)
{
	int rc;

	if (!conn->app_open || conn->state >= QL_CONN_CLOSING)
		return -ENOTCONN;
	rc = ql_datagrams_add(&conn->datagrams, conn->host->mem, data, len, expiry_ns, id,
			      conn->host->now, ql_conn_packet_room(conn));
	if (rc == 0) {
		QL_TRACE(conn, datagram, len, true);
		ql_conn_wake(conn);
	}
	return rc;
}

size_t ql_datagram_max(const struct ql_conn *conn)
{
	if (!conn->app_open)
		return 0;
	return ql_datagrams_fit(&conn->datagrams, ql_conn_packet_room(conn));
}

void ql_conn_update_keys(struct ql_conn *conn)
{
	conn->tx_update_pn = 0;
}

const char *ql_conn_alpn(const struct ql_conn *conn)
{
	return conn->alpn;
}

uint32_t ql_conn_version(const struct ql_conn *conn)
{
	return conn->version;
}

const struct ql_path *ql_conn_path(const struct ql_conn *conn)
{
	return &conn->path;
}

void ql_conn_stats(const struct ql_conn *conn, struct ql_conn_stats *stats)
{
	const struct ql_path_rec *path = &conn->rec.path;

	*stats = conn->stats;
	stats->lost_packets = conn->rec.stats.lost;
	stats->ce_packets = conn->rec.stats.ce;
	stats->rx_datagrams = conn->datagrams.received;
	stats->tx_datagrams = conn->datagrams.sent;
	stats->dropped_datagrams = conn->datagrams.dropped;
	stats->rtt_ns = path->rtt.smoothed;
	stats->rtt_min_ns = path->rtt.min;
	stats->cwnd = path->cc.cwnd;
	stats->udp_payload = path->mtu;
	stats->black_holes = conn->rec.stats.black_holes;
	stats->in_flight = path->in_flight;
	stats->handshake_ns = conn->handshake_ns;
}

uint64_t ql_conn_now(const struct ql_conn *conn)
{
	return conn->host->now;
}

bool ql_conn_is_server(const struct ql_conn *conn)
{
	return conn->server;
}

void *ql_conn_user(const struct ql_conn *conn)
{
	return conn->user;
}

void ql_conn_set_user(struct ql_conn *conn, void *user)
{
	conn->user = user;
}
