// SPDX-License-Identifier: BSD-3-Clause
/*
 * Early data, 0-RTT (RFC 9001, sections 4.6 and 5.6; RFC 9000, sections 7.4.1 and 17.2.3).
 *
 * A client that has a session of the right kind begins with what it remembers of the server:
 * protocol and limits. It sends until the server's EncryptedExtensions are there; from then on data
 * waits for the end of the handshake. If the server has not taken it, the streams begin anew, with
 * the limits that the server has now.
 *
 * A server takes it when TLS says so, and tells the application of the connection then, before the
 * handshake is complete. What the application answers may leave at once, within what the client's
 * address allows.
 */
#include "conn/conn.h"

#define KEYS_PTOS 3 /* for packets that are late (RFC 9001, 4.9.3) */

const struct ql_proto *ql_early_proto(const struct ql_conn *conn, const struct ql_session *s)
{
	const struct ql_endpoint *ep = &conn->hs->endpoint;
	struct ql_tparams tp;

	if (!s->early || !ep->transport.early_data ||
	    ql_tparams_decode(&tp, true, s->params, s->params_len, NULL) < 0)
		return NULL;
	return ql_handshake_proto(conn, s->alpn, s->alpn_len);
}

void ql_early_begin(struct ql_conn *conn, const struct ql_session *s, const struct ql_proto *proto)
{
	struct ql_tparams tp;

	if (ql_tparams_decode(&tp, true, s->params, s->params_len, NULL) < 0)
		return; /* ql_early_proto() has done so */
	memcpy(conn->hs->params, s->params, s->params_len);
	conn->hs->params_len = s->params_len;
	ql_streams_set_peer_limits(&conn->streams, &tp);
	conn->datagrams.tx_max = tp.max_datagram_frame_size;
	ql_rec_limit_mtu(&conn->rec, tp.max_udp_payload_size, conn->host->now);
	conn->alpn = proto->alpn;
	conn->ops = proto->ops;
	ql_streams_set_ops(&conn->streams, proto->ops);
	conn->early_data = QL_EARLY_OPEN;
	conn->app_open = true;
	conn->hs->tell_early = true;
}

void ql_early_tell(struct ql_conn *conn)
{
	conn->hs->tell_early = false;
	if (conn->ops->early && conn->app_open && conn->state == QL_CONN_HANDSHAKE)
		conn->ops->early(conn);
}

void ql_early_answered(struct ql_conn *conn, bool accepted)
{
	ql_handshake_drop_early(conn);
	conn->early_data = accepted ? QL_EARLY_ACCEPTED : QL_EARLY_REJECTED;
	if (accepted) {
		conn->host->stats->early_accepted++;
		return;
	}
	conn->host->stats->early_rejected++;
	conn->early_end_pn = (uint32_t)ql_rec_next_pn(&conn->rec, QL_SPACE_APP);
	ql_rec_requeue_space(&conn->rec, QL_SPACE_APP);
}

uint64_t ql_early_params(struct ql_conn *conn, const struct ql_tparams *tp)
{
	const struct ql_handshake *hs = conn->hs;
	struct ql_tparams before;

	if (conn->early_data == QL_EARLY_REJECTED) {
		ql_streams_begin_anew(&conn->streams, tp);
	} else if (conn->early_data == QL_EARLY_ACCEPTED &&
		   (ql_tparams_decode(&before, true, hs->params, hs->params_len, NULL) < 0 ||
		    ql_session_reduced(tp, &before))) {
		return QL_ERR_PROTOCOL_VIOLATION;
	}
	return 0;
}

/* ---- Server ---- */

bool ql_early_undecided(const struct ql_conn *conn)
{
	return conn->server && conn->state == QL_CONN_HANDSHAKE && conn->early &&
	       conn->hs->endpoint.transport.early_data && !conn->early[QL_SPACE_HANDSHAKE].tx.ready;
}

const struct ql_keys *ql_early_keys(const struct ql_conn *conn, uint32_t version)
{
	const struct ql_handshake *hs = conn->hs;

	return conn->server && hs && hs->zero_rtt.ready && version == hs->first_version
		       ? &hs->zero_rtt
		       : NULL;
}

bool ql_early_awaited(const struct ql_conn *conn)
{
	return conn->server && conn->hs && conn->hs->zero_rtt.ready;
}

void ql_early_complete(struct ql_conn *conn)
{
	struct ql_handshake *hs = conn->hs;

	if (!conn->server || conn->early_data != QL_EARLY_OPEN)
		return;
	conn->early_data = QL_EARLY_ACCEPTED;
	if (hs->zero_rtt.ready)
		hs->deadline = conn->host->now + KEYS_PTOS * ql_conn_pto(conn);
}

enum ql_early ql_conn_early(const struct ql_conn *conn)
{
	return (enum ql_early)conn->early_data;
}
