// SPDX-License-Identifier: BSD-3-Clause
/*
 * Trains: what a bulk transfer sends. While nothing but one stream's data is due, datagrams differ from
 * one to the next by their packet number, their offset and their data. They are made here, from one
 * template, in a loop without the questions whose answers do not change on the way.
 *
 * A train is what ql_conn_send() would have made without it, byte for byte: whatever else has to go
 * out, or ends the likeness, is left to that.
 */
#include <string.h>

#include "conn/conn.h"
#include "conn/txbuf.h"

/* A short header and that of a STREAM frame; in multiples of what is copied at once. */
#define TEMPLATE 48

static_assert(TEMPLATE >= QL_PKT_SHORT_ROOM + 1 + 8 + 8, "room for the longest headers");
static_assert(TEMPLATE <= QL_INITIAL_MIN, "every datagram has room for them");

/* Headers, with the places of what differs. */
struct template
{
	uint8_t bytes[TEMPLATE];
	uint8_t pn_len, offset_len;
	uint8_t offset_at;
	uint8_t hdr_len; /* of the packet: the STREAM frame is behind it */
	uint8_t len;
};

/* There may be something to be said beside a stream's data. */
static bool more_than_data(const struct ql_conn *conn)
{
	const struct ql_recovery *r = &conn->rec;
	const struct ql_space *sp = &conn->app;

	return !conn->app_open || !sp->tx.ready || sp->unacked > 0 ||
	       ql_space_ack_due(sp, conn->host->now) || conn->probes > 0 ||
	       ql_conn_control_pending(conn) || conn->datagrams.count > 0 || conn->ping ||
	       conn->watched || conn->early || conn->hs || !conn->peer_validated ||
	       r->path.pmtu.next <= conn->host->now || r->path.ecn.state == QL_ECN_TESTING;
}

static void make_template(const struct ql_conn *conn, uint64_t pn, unsigned int pn_len,
			  const struct ql_stream_train *train, struct template *t)
{
	uint8_t *p = ql_pkt_put_short(t->bytes, ql_peer_cid(&conn->peer_cids), false,
				      conn->key_phase, pn_len);

	p = ql_pn_put(p, pn, pn_len);
	t->pn_len = (uint8_t)pn_len;
	t->hdr_len = (uint8_t)(p - t->bytes);
	p = ql_frame_put_stream_hdr(p, train->stream->id, train->offset, train->len, false, false);
	t->len = (uint8_t)(p - t->bytes);
	t->offset_len = (uint8_t)ql_varint_len(train->offset);
	t->offset_at = t->len - t->offset_len;
}

/* Packets of it that may go now, numbered from pn. */
static unsigned int limit(const struct ql_conn *conn, const struct ql_tx_burst *burst, uint64_t pn,
			  unsigned int pn_len, uint64_t most, size_t credit)
{
	size_t size = conn->rec.path.mtu;

	if (pn >= conn->skip_pn)
		return 0;
	most = RTE_MIN(most, conn->skip_pn - pn);
	most = RTE_MIN(most, burst->max - burst->n);
	most = RTE_MIN(most, burst->max_jobs - burst->n_jobs - (QL_SPACES - 1));
	most = RTE_MIN(most, (credit + size - 1) / size);
	if (most == 0 || ql_conn_pn_len(conn, QL_SPACE_APP, pn + most - 1) != pn_len)
		return 0;
	return (unsigned int)most;
}

/* The next one, with data at offset, which lies at data. False without memory. */
static inline bool put(struct ql_conn *conn, struct ql_tx_burst *burst, const struct template *t,
		       const struct ql_stream_train *train, uint64_t pn, uint64_t offset,
		       const uint8_t *data, uint16_t flags)
{
	struct ql_conn_host *host = conn->host;
	uint16_t size = (uint16_t)(t->len + train->len + QL_TAG_LEN);
	struct ql_sent_frame rec = {.kind = QL_SENT_STREAM,
				    .id = train->stream->id,
				    .offset = offset,
				    .len = (uint16_t)train->len};
	struct ql_datagram *out;
	struct rte_mbuf *m;
	uint8_t *p;

	if (ql_rec_begin(&conn->rec, QL_SPACE_APP, pn) < 0)
		return false;
	m = ql_txbuf_take(host);
	if (!m || ql_rec_add(&conn->rec, QL_SPACE_APP, &rec) < 0) {
		ql_rec_abort(&conn->rec, QL_SPACE_APP);
		rte_pktmbuf_free(m);
		return false;
	}
	m->data_len = size;
	m->pkt_len = size;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(p, t->bytes, TEMPLATE);
	ql_pn_put(p + t->hdr_len - t->pn_len, pn, t->pn_len);
	ql_varint_put_len(p + t->offset_at, offset, t->offset_len);
	if (conn->grease && ql_conn_host_bit(host))
		p[0] ^= QL_PKT_FIXED;
	burst->jobs[burst->n_jobs++] = (struct ql_seal_job){
		.aead = &conn->app.tx.aead,
		.hp = &conn->app.tx.hp,
		.hdr = p,
		.tail = data,
		.pn = pn,
		.hdr_len = t->hdr_len,
		.payload_len = (uint16_t)(t->len - t->hdr_len + train->len),
		.tail_len = (uint16_t)train->len,
		.pn_len = t->pn_len,
	};
	ql_rec_on_sent(&conn->rec, QL_SPACE_APP, size, flags, host->now);
	out = &burst->out[burst->n++];
	out->mbuf = m;
	out->path = conn->path;
	out->ecn = flags & QL_SENT_ECT ? QL_ECN_ECT0 : QL_ECN_NOT_ECT;
	return true;
}

unsigned int ql_train_send(struct ql_conn *conn, struct ql_tx_burst *burst, unsigned int most,
			   size_t *credit)
{
	uint64_t pn = ql_rec_next_pn(&conn->rec, QL_SPACE_APP);
	unsigned int pn_len = ql_conn_pn_len(conn, QL_SPACE_APP, pn), n = 0;
	size_t size = conn->rec.path.mtu;
	size_t hdr_len = 1u + ql_peer_cid(&conn->peer_cids)->len + pn_len;
	uint16_t flags = QL_SENT_ELICITING | QL_SENT_IN_FLIGHT;
	struct ql_stream_train train;
	struct template t;

	if (more_than_data(conn) ||
	    !ql_streams_train(&conn->streams, size - hdr_len - QL_TAG_LEN, &train))
		return 0;
	most = limit(conn, burst, pn, pn_len, RTE_MIN(most, train.packets), *credit);
	if (most == 0)
		return 0;
	make_template(conn, pn, pn_len, &train, &t);
	if (ql_rec_marks(&conn->rec, conn->host->now))
		flags |= QL_SENT_ECT;
	while (n < most && put(conn, burst, &t, &train, pn + n, train.offset + n * train.len,
			       train.data + n * train.len, flags))
		n++;
	ql_streams_train_sent(&train, n);
	*credit -= RTE_MIN(*credit, n * size);
	conn->stats.tx_packets += n;
	conn->stats.tx_bytes += n * size;
	conn->host->stats->tx_packets += n;
	return n;
}
