// SPDX-License-Identifier: BSD-3-Clause
/*
 * TLS, its CRYPTO streams and its keys (RFC 9001, section 4), and transport parameters.
 */
#include <string.h>

#include "conn/conn.h"

/* How long a client waits for a ticket once the handshake is confirmed, with TLS's memory. */
#define TICKET_PTOS 3

#define PROMISE_MAX (8 * (6 + QL_CONN_PROTOS)) /* bytes */

static enum ql_space_id space_of(enum ql_level level)
{
	switch (level) {
	case QL_LEVEL_INITIAL:
		return QL_SPACE_INITIAL;
	case QL_LEVEL_HANDSHAKE:
		return QL_SPACE_HANDSHAKE;
	default:
		return QL_SPACE_APP;
	}
}

/* ---- Keys ---- */

void ql_handshake_free_keys(struct ql_conn *conn, struct ql_keys *keys)
{
	ql_aead_fini(&keys->aead, conn->host->mem);
	ql_hp_fini(&keys->hp, conn->host->mem);
	keys->ready = false;
}

static int install_keys(struct ql_conn *conn, uint32_t version, struct ql_keys *keys,
			const struct ql_secret *secret)
{
	struct ql_key_material k;
	struct ql_mem *mem = conn->host->mem;
	int rc;

	rc = ql_secret_expand(version, secret, &k);
	if (rc == 0)
		rc = ql_aead_init(&keys->aead, mem, secret->suite, k.key, k.iv);
	if (rc == 0)
		rc = ql_hp_init(&keys->hp, mem, secret->suite, k.hp);
	ql_wipe(&k, sizeof(k));
	if (rc < 0)
		ql_handshake_free_keys(conn, keys);
	else
		keys->ready = true;
	return rc;
}

/* Of both directions. */
static void trace_keys(const struct ql_conn *conn, enum ql_level level, enum ql_trace_key what,
		       bool by_peer)
{
	QL_TRACE(conn, key, level, false, what, by_peer);
	QL_TRACE(conn, key, level, true, what, by_peer);
}

/* The secrets of Initial packets follow from the ID that the client's go to (RFC 9001, 5.2). */
static int initial_secrets(const struct ql_conn *conn, uint32_t version, struct ql_secret *rx,
			   struct ql_secret *tx)
{
	const struct ql_handshake *hs = conn->hs;
	const struct ql_cid *dcid = hs->retried ? &hs->retry_scid : &hs->original_dcid;

	return ql_initial_secrets(version, dcid->id, dcid->len, conn->server ? rx : tx,
				  conn->server ? tx : rx);
}

int ql_handshake_initial_keys(struct ql_conn *conn)
{
	struct ql_space *sp = &conn->early[QL_SPACE_INITIAL];
	struct ql_secret rx, tx;
	int rc = initial_secrets(conn, conn->version, &rx, &tx);

	ql_handshake_free_keys(conn, &sp->rx);
	ql_handshake_free_keys(conn, &sp->tx);
	if (rc == 0)
		rc = install_keys(conn, conn->version, &sp->rx, &rx);
	if (rc == 0)
		rc = install_keys(conn, conn->version, &sp->tx, &tx);
	ql_wipe(&rx, sizeof(rx));
	ql_wipe(&tx, sizeof(tx));
	if (rc == 0)
		trace_keys(conn, QL_LEVEL_INITIAL, QL_TRACE_KEY_NEW, false);
	return rc;
}

int ql_handshake_try_keys(struct ql_conn *conn, uint32_t version, struct ql_keys *keys)
{
	struct ql_secret rx, tx;
	int rc = initial_secrets(conn, version, &rx, &tx);

	ql_handshake_free_keys(conn, keys);
	if (rc == 0)
		rc = install_keys(conn, version, keys, &rx);
	ql_wipe(&rx, sizeof(rx));
	ql_wipe(&tx, sizeof(tx));
	return rc;
}

int ql_handshake_aead(struct ql_conn *conn, const struct ql_secret *secret, struct ql_aead *aead)
{
	struct ql_key_material k;
	int rc = ql_secret_expand(conn->version, secret, &k);

	if (rc == 0)
		rc = ql_aead_init(aead, conn->host->mem, secret->suite, k.key, k.iv);
	ql_wipe(&k, sizeof(k));
	return rc;
}

static int next_aead(struct ql_conn *conn, struct ql_secret *secret, struct ql_aead *aead)
{
	int rc = ql_secret_next(conn->version, secret);

	return rc == 0 ? ql_handshake_aead(conn, secret, aead) : rc;
}

int ql_handshake_next_keys(struct ql_conn *conn)
{
	struct ql_secret next = conn->rx_secret;
	int rc = next_aead(conn, &next, &conn->rx_next);

	ql_wipe(&next, sizeof(next));
	return rc;
}

/* The keys to send with are new: they last so long. */
static void start_phase(struct ql_conn *conn)
{
	uint64_t limit = ql_suites[conn->tx_secret.suite].confidentiality_limit;
	uint64_t first = ql_rec_next_pn(&conn->rec, QL_SPACE_APP);

	conn->tx_phase_pn = first;
	conn->tx_update_pn = first + limit / 2;
	conn->tx_end_pn = first + limit - QL_CONN_PN_SPARE;
	if (conn->tx_end_pn > QL_CONN_PN_END)
		conn->tx_end_pn = QL_CONN_PN_END;
}

int ql_handshake_update_keys(struct ql_conn *conn, uint64_t pn)
{
	struct ql_mem *mem = conn->host->mem;
	struct ql_secret tx_secret = conn->tx_secret;
	struct ql_aead tx;
	int rc;

	rc = next_aead(conn, &tx_secret, &tx);
	if (rc < 0)
		return rc;
	conn->tx_secret = tx_secret;
	ql_aead_fini(&conn->app.tx.aead, mem);
	conn->app.tx.aead = tx;
	ql_secret_next(conn->version, &conn->rx_secret);
	ql_aead_fini(&conn->rx_old, mem);
	conn->rx_old = conn->app.rx.aead;
	conn->app.rx.aead = conn->rx_next;
	conn->rx_next.schedule = NULL;
	conn->key_phase = !conn->key_phase;
	conn->phase_first_pn = pn;
	/* Needed until the peer has answered an update of ours, and a while longer (6.1, 6.5). */
	conn->rx_old_until = pn == QL_PN_NONE ? QL_NEVER : conn->host->now + 3 * ql_conn_pto(conn);
	start_phase(conn);
	trace_keys(conn, QL_LEVEL_APP, QL_TRACE_KEY_UPDATED, pn != QL_PN_NONE);
	return 0;
}

void ql_handshake_initiate_update(struct ql_conn *conn)
{
	uint64_t acked = ql_rec_largest_acked(&conn->rec, QL_SPACE_APP);

	/* rx_old is there while the last update is not over, in either direction. */
	if (conn->state != QL_CONN_CONFIRMED || conn->rx_old.schedule || acked == QL_PN_NONE ||
	    acked < conn->tx_phase_pn)
		return;
	/* Without memory it is tried again with the next packet. */
	if (conn->rx_next.schedule || ql_handshake_next_keys(conn) == 0)
		ql_handshake_update_keys(conn, QL_PN_NONE);
}

void ql_handshake_drop_early(struct ql_conn *conn)
{
	if (!conn->hs->zero_rtt.ready)
		return;
	QL_TRACE(conn, key, QL_LEVEL_EARLY, !conn->server, QL_TRACE_KEY_GONE, false);
	ql_handshake_free_keys(conn, &conn->hs->zero_rtt);
}

static void drop_keys(struct ql_conn *conn, struct ql_space *sp)
{
	ql_handshake_free_keys(conn, &sp->rx);
	ql_handshake_free_keys(conn, &sp->tx);
	ql_ranges_fini(&sp->received, conn->host->mem);
}

void ql_handshake_drop_space(struct ql_conn *conn, enum ql_space_id id)
{
	struct ql_space *sp = ql_conn_space(conn, id);

	if (!sp || !sp->tx.ready)
		return;
	drop_keys(conn, sp);
	trace_keys(conn, id == QL_SPACE_INITIAL ? QL_LEVEL_INITIAL : QL_LEVEL_HANDSHAKE,
		   QL_TRACE_KEY_GONE, false);
	ql_rec_discard_space(&conn->rec, id);
	ql_recvbuf_drop(&conn->hs->crypto_in[id], conn->host->mem);
	ql_sendbuf_drop(&conn->hs->crypto_out[id], conn->host->mem);
	sp->ack_now = false;
	sp->unacked = 0;
	sp->ack_deadline = QL_NEVER;
	sp->ping = false;
	if (id == QL_SPACE_INITIAL) {
		ql_handshake_free_keys(conn, &conn->hs->other_rx);
		return;
	}
	ql_mem_free(conn->host->mem, conn->early, 2 * sizeof(*conn->early));
	conn->early = NULL;
}

/* ---- Transport parameters (7.4) ---- */

/* The server's other addresses, with an ID to use there, our second one (9.6.1). */
static void write_preferred(struct ql_conn *conn, struct ql_tparams *tp)
{
	const struct ql_transport *t = &conn->hs->endpoint.transport;
	struct ql_local_cid *e = &conn->local_cids.e[1];
	struct ql_tp_preferred_address *a = &tp->preferred_address;

	ql_local_cid_make(&conn->host->cids, conn->host->rng, conn->slot, &e->cid);
	e->seq = conn->local_cids.next_seq++;
	e->used = true;
	ql_tp_set(tp, QL_TP_PREFERRED_ADDRESS);
	memcpy(a->ipv4, t->preferred_ip4.ip + 12, sizeof(a->ipv4));
	a->ipv4_port = t->preferred_ip4.port;
	memcpy(a->ipv6, t->preferred_ip6.ip, sizeof(a->ipv6));
	a->ipv6_port = t->preferred_ip6.port;
	a->cid = e->cid;
	ql_reset_token(&conn->host->cids, &e->cid, a->reset_token);
}

/* The client notes the address of its own family, if it is to go there. */
static uint64_t take_preferred(struct ql_conn *conn, const struct ql_tp_preferred_address *a)
{
	struct ql_addr *to = &conn->hs->preferred;
	struct ql_frame_new_cid f = {.seq = 1, .cid = a->cid, .reset_token = a->reset_token};

	if (conn->hs->endpoint.transport.use_preferred) {
		if (!ql_addr_is_ip4(&conn->path.local)) {
			memcpy(to->ip, a->ipv6, sizeof(a->ipv6));
			to->port = a->ipv6_port;
		} else {
			to->ip[10] = to->ip[11] = 0xff;
			memcpy(to->ip + 12, a->ipv4, sizeof(a->ipv4));
			to->port = a->ipv4_port;
		}
		/* A stranger must not send us to what runs on our own machine (21.5.6). */
		if (ql_addr_is_loopback(to) && !ql_addr_is_loopback(&conn->path.remote))
			to->port = 0;
	}
	return ql_peer_cids_add(&conn->peer_cids, &f);
}

static size_t write_params(struct ql_conn *conn, uint8_t *buf, size_t len)
{
	const struct ql_transport *t = &conn->hs->endpoint.transport;
	struct ql_tparams tp;
	uint8_t *end;

	ql_tparams_init(&tp);
	tp.max_idle_timeout = t->idle_timeout_ns / QL_NSEC_PER_MSEC;
	tp.max_udp_payload_size = conn->host->tx_room;
	tp.initial_max_data = t->max_data;
	tp.initial_max_stream_data_bidi_local = t->max_stream_data;
	tp.initial_max_stream_data_bidi_remote = t->max_stream_data;
	tp.initial_max_stream_data_uni = t->max_stream_data;
	tp.initial_max_streams_bidi = t->max_streams_bidi;
	tp.initial_max_streams_uni = t->max_streams_uni;
	tp.max_datagram_frame_size = t->max_datagram_frame_size;
	tp.max_ack_delay = t->ack_delay_ns / QL_NSEC_PER_MSEC + 1; /* alarms may be late */
	tp.min_ack_delay = QL_ACK_MIN_DELAY / QL_NSEC_PER_USEC;
	tp.active_connection_id_limit = QL_PEER_CIDS;
	ql_tp_set(&tp, QL_TP_GREASE_QUIC_BIT);
	ql_version_write(conn, &tp);
	ql_tp_set(&tp, QL_TP_INITIAL_SCID);
	tp.initial_scid = conn->local_cids.e[0].cid;
	if (conn->server) {
		ql_tp_set(&tp, QL_TP_ORIGINAL_DCID);
		tp.original_dcid = conn->hs->original_dcid;
		if (conn->hs->retried)
			ql_tp_set(&tp, QL_TP_RETRY_SCID);
		tp.retry_scid = conn->hs->retry_scid;
		ql_tp_set(&tp, QL_TP_STATELESS_RESET_TOKEN);
		ql_reset_token(&conn->host->cids, &tp.initial_scid, tp.stateless_reset_token);
		if (t->preferred_ip4.port || t->preferred_ip6.port)
			write_preferred(conn, &tp);
	}
	QL_TRACE(conn, params, &tp, true);
	end = ql_tparams_encode(&tp, conn->server, NULL, buf, buf + len);
	return end ? (size_t)(end - buf) : 0;
}

/* The IDs must be those of the handshake's packets (7.3). */
static bool cids_agree(const struct ql_conn *conn, const struct ql_tparams *tp)
{
	const struct ql_handshake *hs = conn->hs;

	if (!ql_tp_has(tp, QL_TP_INITIAL_SCID) || !ql_cid_eq(&tp->initial_scid, &hs->peer_scid))
		return false;
	if (conn->server)
		return true;
	return ql_tp_has(tp, QL_TP_ORIGINAL_DCID) &&
	       ql_cid_eq(&tp->original_dcid, &hs->original_dcid) &&
	       ql_tp_has(tp, QL_TP_RETRY_SCID) == hs->retried &&
	       (!hs->retried || ql_cid_eq(&tp->retry_scid, &hs->retry_scid));
}

static uint64_t on_peer_params(void *arg, const uint8_t *params, size_t len)
{
	struct ql_conn *conn = arg;
	uint64_t own_idle = conn->hs->endpoint.transport.idle_timeout_ns, peer_idle, err;
	uint8_t own[QL_TPARAMS_MAX_SIZE];
	struct ql_tparams tp;

	if (ql_tparams_decode(&tp, !conn->server, params, len, NULL) < 0 || !cids_agree(conn, &tp))
		return QL_ERR_TRANSPORT_PARAMETER_ERROR;
	if (ql_tp_has(&tp, QL_TP_PREFERRED_ADDRESS) && conn->hs->peer_scid.len == 0)
		return QL_ERR_TRANSPORT_PARAMETER_ERROR;
	err = ql_version_on_params(conn, &tp);
	if (err)
		return err;
	/* A server's name the version that the client's have led to. */
	if (conn->server &&
	    ql_tls_set_params(conn->hs->tls, own, write_params(conn, own, sizeof(own))) < 0)
		return QL_ERR_INTERNAL_ERROR;

	QL_TRACE(conn, params, &tp, false);
	err = ql_early_params(conn, &tp);
	if (err)
		return err;
	ql_streams_set_peer_limits(&conn->streams, &tp);
	conn->datagrams.tx_max = tp.max_datagram_frame_size;
	conn->ack_delay_exponent = (uint8_t)tp.ack_delay_exponent;
	conn->rec.max_ack_delay = tp.max_ack_delay * QL_NSEC_PER_MSEC;
	if (ql_tp_has(&tp, QL_TP_MIN_ACK_DELAY))
		ql_ackfreq_begin(conn, tp.min_ack_delay * QL_NSEC_PER_USEC);
	conn->peer_cid_limit = tp.active_connection_id_limit;
	ql_rec_limit_mtu(&conn->rec, tp.max_udp_payload_size, conn->host->now);
	peer_idle = tp.max_idle_timeout > UINT64_MAX / QL_NSEC_PER_MSEC / 2
			    ? 0
			    : tp.max_idle_timeout * QL_NSEC_PER_MSEC;
	if (peer_idle > 0 && (own_idle == 0 || peer_idle < own_idle))
		conn->idle_timeout = peer_idle;
	if (ql_tp_has(&tp, QL_TP_STATELESS_RESET_TOKEN)) {
		struct ql_peer_cid *first = &conn->peer_cids.e[0];

		first->has_token = true;
		memcpy(first->token, tp.stateless_reset_token, QL_RESET_TOKEN_LEN);
	}
	conn->grease = ql_tp_has(&tp, QL_TP_GREASE_QUIC_BIT);
	conn->no_migration = ql_tp_has(&tp, QL_TP_DISABLE_ACTIVE_MIGRATION);
	if (!conn->server)
		conn->hs->params_len = (uint16_t)ql_session_params(&tp, conn->hs->params);
	if (ql_tp_has(&tp, QL_TP_PREFERRED_ADDRESS) &&
	    take_preferred(conn, &tp.preferred_address) != 0)
		return QL_ERR_TRANSPORT_PARAMETER_ERROR;
	return 0;
}

/* ---- TLS's output ---- */

static void on_secret(void *arg, enum ql_level level, bool write, const struct ql_secret *secret)
{
	struct ql_conn *conn = arg;
	struct ql_space *sp;

	if (level == QL_LEVEL_EARLY) { /* without memory for it there is none */
		if (install_keys(conn, conn->hs->first_version, &conn->hs->zero_rtt, secret) < 0)
			return;
		QL_TRACE(conn, key, level, write, QL_TRACE_KEY_NEW, false);
		if (conn->server)
			conn->early_data = QL_EARLY_OPEN;
		return;
	}
	sp = ql_conn_space(conn, space_of(level));
	if (!sp)
		return;
	if (level == QL_LEVEL_APP)
		*(write ? &conn->tx_secret : &conn->rx_secret) = *secret;
	if (install_keys(conn, conn->version, write ? &sp->tx : &sp->rx, secret) < 0) {
		ql_conn_fail(conn, QL_ERR_INTERNAL_ERROR, QL_FRAME_CRYPTO, "out of memory");
		return;
	}
	QL_TRACE(conn, key, level, write, QL_TRACE_KEY_NEW, false);
	if (level == QL_LEVEL_HANDSHAKE && write)
		conn->rec.handshake_keys = true;
	else if (level == QL_LEVEL_APP && write)
		start_phase(conn);
}

static int on_send(void *arg, enum ql_level level, const uint8_t *data, size_t len)
{
	struct ql_conn *conn = arg;
	struct ql_sendbuf *out = &conn->hs->crypto_out[space_of(level)];

	if (ql_sendbuf_copy_in(out, conn->host->mem, data, len) < len)
		return -ENOMEM;
	ql_conn_wake(conn);
	return 0;
}

/* A ticket: put together what the next connection needs. */
static void on_session(void *arg, const uint8_t *data, size_t len, bool early)
{
	struct ql_conn *conn = arg;
	struct ql_handshake *hs = conn->hs;
	struct ql_session s = {
		.version = conn->version,
		.early = early,
		.verified = ql_tls_ctx_verifies(hs->endpoint.tls),
		.alpn = conn->alpn,
		.alpn_len = (uint8_t)strlen(conn->alpn),
		.name = hs->name,
		.name_len = (uint8_t)strlen(hs->name),
		.params = hs->params,
		.params_len = hs->params_len,
		.tls = data,
		.tls_len = (uint16_t)len,
	};
	uint8_t out[QL_SESSION_MAX];

	hs->wants_session = false;
	len = ql_session_encode(&s, out);
	if (len > 0 && conn->ops->new_session && conn->state < QL_CONN_CLOSING)
		conn->ops->new_session(conn, out, len);
	ql_wipe(out, sizeof(out));
}

static void on_early(void *arg, bool accepted)
{
	ql_early_answered(arg, accepted);
}

static const struct ql_tls_sink tls_sink = {
	.secret = on_secret,
	.early = on_early,
	.send = on_send,
	.peer_params = on_peer_params,
	.session = on_session,
};

/* Whether a session is for this server, as far as can be seen. */
static bool session_fits(const struct ql_conn *conn, const char *name, struct ql_session *s)
{
	const struct ql_endpoint *ep = &conn->hs->endpoint;
	const struct ql_transport *t = &ep->transport;
	size_t len = name ? strlen(name) : 0;

	return t->session && ql_session_decode(s, t->session, t->session_len) == 0 &&
	       s->version == conn->version && s->name_len == len &&
	       (len == 0 || strncasecmp(s->name, name, len) == 0) &&
	       (s->verified || !ql_tls_ctx_verifies(ep->tls));
}

const struct ql_proto *ql_handshake_proto(const struct ql_conn *conn, const char *alpn, size_t len)
{
	const struct ql_endpoint *ep = &conn->hs->endpoint;

	for (unsigned int i = 0; i < ep->n_protos; i++) {
		const char *name = ep->protos[i].alpn;

		if (strlen(name) == len && memcmp(name, alpn, len) == 0)
			return &ep->protos[i];
	}
	return NULL;
}

/* What a server's clients may rely on: limits, and the protocols' own promises. Its length. */
static size_t put_promise(const struct ql_conn *conn, uint8_t out[PROMISE_MAX])
{
	const struct ql_endpoint *ep = &conn->hs->endpoint;
	const struct ql_transport *t = &ep->transport;
	uint8_t *p = out;

	p = ql_put_be64(p, t->max_data);
	p = ql_put_be64(p, t->max_stream_data);
	p = ql_put_be64(p, t->max_streams_bidi);
	p = ql_put_be64(p, t->max_streams_uni);
	p = ql_put_be64(p, t->max_datagram_frame_size);
	p = ql_put_be64(p, QL_PEER_CIDS);
	for (unsigned int i = 0; i < ep->n_protos; i++)
		p = ql_put_be64(p, ep->protos[i].promise);
	return (size_t)(p - out);
}

int ql_handshake_start(struct ql_conn *conn, const char *sni)
{
	uint8_t params[QL_TPARAMS_MAX_SIZE];
	const struct ql_endpoint *ep = &conn->hs->endpoint;
	struct ql_tls_args args = {
		.sink = &tls_sink,
		.arg = conn,
		.rng = conn->host->rng,
		.protos = ep->protos,
		.n_protos = ep->n_protos,
		.sni = sni,
		.params = params,
		.now = &conn->host->now,
		.clock = conn->host->token_clock,
		.tickets = conn->host->tickets,
		.version = &conn->version,
	};
	const struct ql_proto *early = NULL, *only = NULL; /* begun with, already */
	uint8_t promise[PROMISE_MAX];
	struct ql_session session;
	int rc;

	if (!conn->server)
		args.params_len = write_params(conn, params, sizeof(params));
	if (!conn->server && sni && strlen(sni) < sizeof(conn->hs->name))
		strcpy(conn->hs->name, sni);
	if (!conn->server && session_fits(conn, sni, &session)) {
		args.session = session.tls;
		args.session_len = session.tls_len;
		early = ql_early_proto(conn, &session);
	}
	if (!conn->server)
		only = early ? early : ql_handshake_proto(conn, conn->alpn, strlen(conn->alpn));
	if (conn->server) {
		args.early = ep->transport.early_data;
		args.promise = promise;
		args.promise_len = put_promise(conn, promise);
	} else if (only) {
		args.early = early != NULL;
		args.protos = only;
		args.n_protos = 1;
	}
	rc = ql_tls_start(&conn->hs->tls, ep->tls, &args);
	if (rc == 0 && conn->hs->zero_rtt.ready)
		ql_early_begin(conn, &session, early);
	conn->hs->endpoint.transport.session = NULL; /* the caller's */
	return rc;
}

/* ---- Progress ---- */

/* As many IDs as the peer wants to keep, and we. */
void ql_handshake_issue_cids(struct ql_conn *conn)
{
	struct ql_local_cids *l = &conn->local_cids;
	struct ql_local_cid *e;

	while ((e = ql_local_cids_place(l, conn->peer_cid_limit)) != NULL) {
		ql_local_cid_make(&conn->host->cids, conn->host->rng, conn->slot, &e->cid);
		e->seq = l->next_seq++;
		e->used = true;
		e->to_send = conn->cids_due = true;
		e->old = false;
	}
}

void ql_handshake_renew_cids(struct ql_conn *conn)
{
	if (conn->state < QL_CONN_COMPLETE || !ql_local_cids_renew(&conn->local_cids))
		return;
	conn->cid_epoch = conn->host->cids.epoch;
	ql_handshake_issue_cids(conn);
}

/* Often enough for the smaller of both ends' idle time-outs (10.1.2). */
static void set_keep_alive(struct ql_conn *conn)
{
	uint64_t t = conn->hs->endpoint.transport.keep_alive_ns;

	if (conn->idle_timeout > 0 && t > conn->idle_timeout / 2)
		t = conn->idle_timeout / 2;
	conn->keep_alive = t;
	ql_conn_touch_idle(conn);
}

/* The protocol is known: its application, and who that is told to. False after a failure. */
static bool adopt(struct ql_conn *conn)
{
	const char *alpn = ql_tls_alpn(conn->hs->tls);
	const struct ql_proto *proto = ql_handshake_proto(conn, alpn, strlen(alpn));

	if (!proto) { /* TLS has checked that, so this does not happen */
		ql_conn_fail(conn, QL_ERR_CRYPTO(120), QL_FRAME_CRYPTO, "no common protocol");
		return false;
	}
	conn->alpn = proto->alpn;
	conn->ops = proto->ops;
	ql_streams_set_ops(&conn->streams, proto->ops);
	if (conn->server)
		conn->user = proto->arg;
	return true;
}

/* Tell a server's application, once. False if it does not want the connection. */
static bool announce(struct ql_conn *conn)
{
	uint64_t refuse;

	if (!conn->server || conn->announced)
		return true;
	conn->announced = true;
	refuse = conn->ops->accepted ? conn->ops->accepted(conn, conn->user) : 0;
	if (refuse) {
		conn->announced = false;
		ql_conn_close(conn, refuse, "refused");
	}
	return !refuse;
}

/* A server has taken early data: the application is needed before the handshake is complete. */
static void open_early(struct ql_conn *conn)
{
	if (conn->announced || conn->state >= QL_CONN_CLOSING || !adopt(conn))
		return;
	conn->app_open = true;
	conn->host->stats->early_accepted++;
	announce(conn);
}

static void complete(struct ql_conn *conn)
{
	struct ql_handshake *hs = conn->hs;

	if (!conn->announced || !conn->server) {
		if (!adopt(conn))
			return;
	}
	conn->state = QL_CONN_COMPLETE;
	conn->app_open = true;
	conn->host->stats->handshakes--;
	conn->host->stats->handshakes_done++;
	conn->handshake_ns = conn->host->now - hs->started;
	hs->deadline = QL_NEVER;
	conn->stats.resumed = ql_tls_resumed(hs->tls);
	conn->host->stats->resumptions += conn->stats.resumed;
	hs->wants_session = !conn->server && conn->ops->new_session;
	QL_TRACE(conn, state);
	ql_early_complete(conn);
	set_keep_alive(conn);
	ql_handshake_issue_cids(conn);
	if (conn->server) {
		conn->send_handshake_done = true;
		conn->send_new_token = true;
		ql_handshake_confirmed(conn);
		if (!announce(conn))
			return;
	}
	if (conn->ops->connected && conn->state < QL_CONN_CLOSING)
		conn->ops->connected(conn);
}

static void free_tls(struct ql_conn *conn)
{
	conn->late.messages = ql_tls_messages(conn->hs->tls);
	ql_tls_free(conn->hs->tls);
	conn->hs->tls = NULL;
}

void ql_handshake_expire(struct ql_conn *conn)
{
	conn->hs->deadline = QL_NEVER;
	if (conn->hs->tls)
		free_tls(conn);
	ql_handshake_drop_early(conn);
}

void ql_handshake_confirmed(struct ql_conn *conn)
{
	if (conn->state != QL_CONN_COMPLETE)
		return;
	conn->state = QL_CONN_CONFIRMED;
	QL_TRACE(conn, state);
	ql_handshake_drop_space(conn, QL_SPACE_INITIAL);
	ql_handshake_drop_space(conn, QL_SPACE_HANDSHAKE);
	conn->rec.confirmed = true;
	ql_rest_watch(conn);
	if (conn->hs->wants_session) /* its ticket may come a little later */
		conn->hs->deadline = conn->host->now + TICKET_PTOS * ql_conn_pto(conn);
	else
		free_tls(conn);
	if (conn->hs->preferred.port) { /* if it cannot be, we stay (9.6.1) */
		struct ql_path path = {.local = conn->path.local, .remote = conn->hs->preferred};

		ql_paths_move(conn, &path, false);
	}
}

void ql_handshake_settle(struct ql_conn *conn)
{
	if (conn->early && conn->initial_done)
		ql_handshake_drop_space(conn, QL_SPACE_INITIAL);
}

uint64_t ql_handshake_recv(struct ql_conn *conn, enum ql_space_id space, uint64_t offset,
			   const uint8_t *data, size_t len)
{
	static const enum ql_level levels[] = {QL_LEVEL_INITIAL, QL_LEVEL_HANDSHAKE, QL_LEVEL_APP};
	struct ql_recvbuf *in =
		space == QL_SPACE_APP ? &conn->late.in : &conn->hs->crypto_in[space];
	struct ql_mem *mem = conn->host->mem;
	const uint8_t *run;
	uint64_t err;
	size_t n;

	if (space == QL_SPACE_INITIAL) /* the server's come in its version only (RFC 9369, 4.1) */
		conn->hs->version_settled = true;
	if (offset + len > in->offset + QL_CONN_CRYPTO_BUFFER)
		return QL_ERR_CRYPTO_BUFFER_EXCEEDED;
	if (ql_recvbuf_add(in, mem, offset, data, len, false) < 0)
		return QL_ERR_INTERNAL_ERROR;
	while ((n = ql_recvbuf_next(in, offset, data, len, &run)) > 0) {
		struct ql_tls *tls = conn->hs ? conn->hs->tls : NULL;

		if (tls) {
			if (ql_tls_recv(tls, levels[space], run, n) < 0)
				return ql_tls_error(tls);
			if (conn->server && conn->early_data == QL_EARLY_OPEN)
				open_early(conn);
			if (conn->state == QL_CONN_HANDSHAKE && ql_tls_complete(tls))
				complete(conn);
			else if (conn->state == QL_CONN_CONFIRMED && !conn->hs->wants_session)
				ql_handshake_expire(conn);
		} else {
			err = ql_tls_ignore(&conn->late.messages, conn->server, run, n);
			if (err)
				return err;
		}
		/* complete() may have dropped this very space */
		if (space != QL_SPACE_APP && !conn->early)
			return 0;
		ql_recvbuf_consume(in, mem, n);
	}
	return 0;
}

void ql_handshake_fini(struct ql_conn *conn, bool force)
{
	struct ql_handshake *hs = conn->hs;
	struct ql_mem *mem = conn->host->mem;
	const struct ql_sendbuf *late;

	if (!hs)
		return;
	late = &hs->crypto_out[QL_SPACE_APP];
	if (!force && (conn->early || hs->tls || hs->zero_rtt.ready || late->acked < late->size))
		return;
	if (conn->early) {
		drop_keys(conn, &conn->early[QL_SPACE_INITIAL]);
		drop_keys(conn, &conn->early[QL_SPACE_HANDSHAKE]);
		ql_mem_free(mem, conn->early, 2 * sizeof(*conn->early));
		conn->early = NULL;
	}
	for (unsigned int i = 0; i < QL_SPACES; i++)
		ql_sendbuf_drop(&hs->crypto_out[i], mem);
	for (unsigned int i = 0; i < QL_SPACE_APP; i++)
		ql_recvbuf_drop(&hs->crypto_in[i], mem);
	ql_handshake_drop_early(conn);
	ql_tls_free(hs->tls);
	ql_handshake_free_keys(conn, &hs->other_rx);
	ql_mem_free(mem, hs->token, hs->token_len);
	if (hs->sni)
		ql_mem_free(mem, hs->sni, strlen(hs->sni) + 1);
	ql_mem_free(mem, hs, sizeof(*hs));
	conn->hs = NULL;
}
