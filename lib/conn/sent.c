// SPDX-License-Identifier: BSD-3-Clause
/*
 * What it means that a frame we sent was acknowledged or lost (RFC 9000, section 13.3).
 */
#include "conn/conn.h"

/*
 * Once the peer has our ACK, what lies this far below it need not be acknowledged again (13.2.4).
 * The distance leaves room for packets that come late: below it they would count as duplicates.
 */
#define ACK_KEEP 128

static void on_acked(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	struct ql_conn *conn = arg;
	struct ql_mem *mem = conn->host->mem;
	struct ql_space *sp;

	switch (f->kind) {
	case QL_SENT_ACK:
		sp = ql_conn_space(conn, (enum ql_space_id)space);
		if (sp && f->offset > ACK_KEEP)
			ql_ranges_remove_below(&sp->received, mem, f->offset - ACK_KEEP);
		break;
	case QL_SENT_CRYPTO:
		if (conn->hs)
			ql_sendbuf_acked(&conn->hs->crypto_out[space], mem, f->offset, f->len,
					 false);
		break;
	case QL_SENT_DATAGRAM:
		if (conn->ops->datagram_acked && conn->state < QL_CONN_CLOSING)
			conn->ops->datagram_acked(conn, f->id);
		break;
	case QL_SENT_ACK_FREQUENCY:
		ql_ackfreq_acked(conn, f);
		break;
	case QL_SENT_RETIRE_CONNECTION_ID:
		ql_peer_cids_retire_acked(&conn->peer_cids);
		break;
	case QL_SENT_NEW_CONNECTION_ID:
	case QL_SENT_NEW_TOKEN:
	case QL_SENT_HANDSHAKE_DONE:
	case QL_SENT_PING:
		break;
	default:
		ql_streams_acked(&conn->streams, f);
	}
}

static void on_lost(void *arg, unsigned int space, const struct ql_sent_frame *f)
{
	struct ql_conn *conn = arg;
	struct ql_local_cids *l = &conn->local_cids;

	switch (f->kind) {
	case QL_SENT_ACK:
	case QL_SENT_PING:
		return;
	case QL_SENT_DATAGRAM:
		conn->stats.lost_datagrams++;
		if (conn->ops->datagram_lost && conn->state < QL_CONN_CLOSING)
			conn->ops->datagram_lost(conn, f->id);
		return;
	case QL_SENT_CRYPTO:
		if (conn->hs)
			ql_sendbuf_lost(&conn->hs->crypto_out[space], conn->host->mem, f->offset,
					f->len, false);
		break;
	case QL_SENT_NEW_CONNECTION_ID:
		for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
			if (l->e[i].used && l->e[i].seq == f->id)
				l->e[i].to_send = conn->cids_due = true;
		}
		break;
	case QL_SENT_RETIRE_CONNECTION_ID:
		ql_peer_cids_retire_lost(&conn->peer_cids, f->id);
		break;
	case QL_SENT_HANDSHAKE_DONE:
		conn->send_handshake_done = true;
		break;
	case QL_SENT_NEW_TOKEN:
		conn->send_new_token = true;
		break;
	case QL_SENT_ACK_FREQUENCY:
		ql_ackfreq_lost(conn, f);
		break;
	default:
		ql_streams_lost(&conn->streams, f);
	}
	ql_conn_wake(conn);
}

static void on_packet_lost(void *arg, unsigned int space, uint64_t pn,
			   const struct ql_sent_pkt *pkt, bool late)
{
	const struct ql_conn *conn = arg;

	QL_TRACE(conn, lost, space, pn, pkt, late);
}

const struct ql_rec_ops ql_conn_rec_ops = {
	.acked = on_acked,
	.lost = on_lost,
	.packet_lost = on_packet_lost,
};
