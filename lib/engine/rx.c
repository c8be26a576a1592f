// SPDX-License-Identifier: BSD-3-Clause
/*
 * A burst of datagrams to their connections.
 *
 * Short-header packets are gathered and opened together. A datagram that starts with a long header
 * is handled on its own, after what was gathered before it, so that a connection sees its packets
 * in the order they came.
 */
#include <rte_mbuf.h>

#include "base/floors.h"
#include "engine/impl.h"

#define DATAGRAM_MIN	 21 /* bytes of the smallest packet there is (RFC 9000, 10.3) */
#define INITIAL_DCID_MIN 8  /* 7.2 */

/* Short-header packets waiting to be opened. */
struct gathered {
	unsigned int n;
	struct ql_conn *conns[QL_RX_BURST];
	const struct ql_datagram *dgrams[QL_RX_BURST];
	struct ql_open_job jobs[QL_RX_BURST];
	uint64_t seqs[QL_RX_BURST]; /* of the connection IDs they came to */
};

static inline void drop(struct ql_engine *e, enum ql_drop reason)
{
	e->stats.drops[reason]++;
}

/*
 * The len bytes at p were of no use: a stateless reset, maybe, which ends the connection with the
 * one who sent it. True if it was one.
 */
static bool recv_reset(struct ql_engine *e, const uint8_t *p, size_t len,
		       const struct ql_datagram *dgram)
{
	const uint8_t *token = p + len - QL_RESET_TOKEN_LEN;
	struct ql_reset_entry *found = NULL;

	while ((found = ql_resets_find(&e->resets, found, token)) != NULL) {
		struct ql_engine_conn *ec = container_of(found, struct ql_engine_conn, reset);

		if (ql_addr_eq(&ec->conn.path.remote, &dgram->path.remote)) {
			ql_conn_drop(&ec->conn, QL_CLOSE_RESET);
			return true;
		}
	}
	return false;
}

/* ---- Short headers ---- */

static void open_gathered(struct ql_engine *e, struct gathered *g)
{
	if (g->n == 0)
		return;
	QL_FLOOR(OPEN);
	ql_unmask_burst(g->jobs, g->n);
	for (unsigned int i = 0; i < g->n; i++)
		ql_conn_open_phase(g->conns[i], &g->jobs[i]);
	ql_open_burst(g->jobs, g->n);
	QL_FLOOR(FRAMES);
	for (unsigned int i = 0; i < g->n; i++) {
		if (__builtin_expect(g->jobs[i].result < 0, 0) &&
		    recv_reset(e, g->jobs[i].pkt, g->jobs[i].len, g->dgrams[i]))
			continue;
		g->conns[i]->rx_cid_seq = g->seqs[i];
		ql_conn_recv(g->conns[i], &g->jobs[i], g->dgrams[i]);
	}
	g->n = 0;
	QL_FLOOR(STEER);
}

/* What an ID says, if it is one that we made. */
struct read_id {
	uint8_t len; /* of the ID; 0: it does not look like ours */
	bool ours;
	struct ql_cid_told told; /* if ours */
};

/* At id is an ID of unknown length, with QL_LOCAL_CID_MAX bytes behind it that may be read. */
static inline struct read_id read_id(const struct ql_engine *e, const uint8_t *id)
{
	struct read_id r = {.len = (uint8_t)ql_local_cid_len(&e->host.cids, *id)};

	r.ours = r.len > 0 && ql_local_cid_read(&e->host.cids, id, &r.told);
	return r;
}

/* The connection whose ID that is; NULL if there is none. */
static inline struct ql_conn *find_local(struct ql_engine *e, const uint8_t *id,
					 const struct read_id *r, uint64_t *seq)
{
	struct ql_engine_conn *ec = r->ours ? ql_conntable_at(&e->table, r->told.slot) : NULL;

	return ec && ql_local_cids_find(&ec->conn.local_cids, id, r->len, seq) ? &ec->conn : NULL;
}

/* A packet with a short header that is for no connection. */
static void recv_stray(struct ql_engine *e, const uint8_t *pkt, size_t len,
		       const struct ql_datagram *dgram, const struct read_id *id)
{
	if (!(pkt[0] & QL_PKT_FIXED)) {
		drop(e, QL_DROP_HEADER);
		return;
	}
	if (recv_reset(e, pkt, len, dgram))
		return;
	drop(e, id->ours && !id->told.this_process ? QL_DROP_GENERATION : QL_DROP_NO_CONN);
	if (id->ours && ql_steer_is_mine(e, pkt + 1))
		ql_reply_reset(e, pkt, len, dgram, id->len);
}

/* Whether the packet has the ID of one that is gathered. Both have DATAGRAM_MIN bytes. */
static inline bool same_id(const uint8_t *pkt, const struct ql_open_job *job)
{
	const uint8_t *a = pkt + 1, *b = job->pkt + 1;
	size_t len = job->pn_offset - 1u;

	return memcmp(a, b, QL_LOCAL_CID_LEN) == 0 &&
	       (len == QL_LOCAL_CID_LEN || memcmp(a, b, len) == 0);
}

/* known: what the packet's ID says; NULL if it has not been read, or is the one before's. */
static void gather(struct ql_engine *e, struct gathered *g, uint8_t *pkt, size_t len,
		   const struct ql_datagram *dgram, const struct read_id *known)
{
	unsigned int i = g->n;
	struct ql_conn *conn;
	struct read_id id;
	int rc;

	if (len < DATAGRAM_MIN) {
		drop(e, QL_DROP_SHORT);
		return;
	}
	/* Packets of a connection mostly come in a row. */
	if (i > 0 && same_id(pkt, &g->jobs[i - 1])) {
		id.len = (uint8_t)(g->jobs[i - 1].pn_offset - 1u);
		conn = g->conns[i - 1];
		g->seqs[i] = g->seqs[i - 1];
	} else {
		id = known ? *known : read_id(e, pkt + 1);
		conn = find_local(e, pkt + 1, &id, &g->seqs[i]);
		if (!conn) {
			recv_stray(e, pkt, len, dgram, &id);
			return;
		}
	}
	rc = ql_conn_open_job(conn, pkt, len, id.len, &g->jobs[i]);
	if (rc < 0) {
		drop(e, (enum ql_drop)(-rc - 1));
		return;
	}
	if (i == 0)
		ql_aead_prefetch(&conn->app.rx.aead, len);
	if (i == 0 || conn != g->conns[i - 1])
		ql_conn_prefetch_rx(conn);
	conn->stats.rx_bytes += len;
	g->conns[i] = conn;
	g->dgrams[i] = dgram;
	if (++g->n == QL_RX_BURST)
		open_gathered(e, g);
}

/* ---- Long headers ---- */

/*
 * What the token in a client's first packet shows of its address. False if the packet is not to
 * start a connection: it has had its answer, or is not worth one.
 */
static bool validate_address(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
			     const struct ql_datagram *dgram, struct ql_token *token,
			     struct ql_validation *v)
{
	const struct ql_conn_host *host = &e->host;
	enum ql_token_kind kind = ql_token_kind(hdr->token, hdr->token_len);
	int rc = ql_token_open(host->tokens, host->now + host->token_clock, hdr->version,
			       &dgram->path.remote, hdr->dcid, hdr->token, hdr->token_len, token);

	*v = (struct ql_validation){.validated = rc == 0};
	if (rc == 0 && kind == QL_TOKEN_RETRY) {
		v->retried = true;
		v->original_dcid = token->original_dcid;
	} else if (kind == QL_TOKEN_RETRY) {
		drop(e, QL_DROP_TOKEN);
		if (rc != -EALREADY)
			ql_reply_refusal(e, hdr, dgram, QL_ERR_INVALID_TOKEN);
		return false;
	}
	if (rc < 0 && (e->retry == QL_RETRY_ALWAYS ||
		       (e->retry == QL_RETRY_AUTO && e->stats.handshakes > e->retry_handshakes))) {
		ql_reply_retry(e, hdr, dgram);
		return false;
	}
	return true;
}

/*
 * A client's first packet: a connection for it, or NULL. *token is what has validated the client's
 * address, if that is so.
 */
static struct ql_conn *accept_initial(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
				      const struct ql_datagram *dgram, size_t len,
				      struct ql_token *token)
{
	struct ql_validation validation;
	struct ql_engine_conn *ec;
	uint32_t slot;

	if (!e->listening || dgram->path.local.port != e->listen_port) {
		drop(e, QL_DROP_NO_LISTENER);
		return NULL;
	}
	if (len < QL_INITIAL_MIN) {
		drop(e, QL_DROP_INITIAL_SIZE);
		return NULL;
	}
	/* A client may know from earlier that the fixed bit does not matter here (RFC 9287, 3.1).
	 */
	if (hdr->dcid.len < INITIAL_DCID_MIN || (!ql_pkt_fixed(hdr) && hdr->token_len == 0)) {
		drop(e, QL_DROP_HEADER);
		return NULL;
	}
	if (!validate_address(e, hdr, dgram, token, &validation))
		return NULL;
	ec = ql_engine_conn_new(e, &slot);
	if (!ec) {
		drop(e, QL_DROP_CONN_LIMIT);
		/* Handshakes are over soon, and the client tries again by itself. */
		if (e->stats.conns >= e->limits.connections)
			ql_reply_refusal(e, hdr, dgram, QL_ERR_CONNECTION_REFUSED);
		return NULL;
	}
	ql_initial_key(&ec->initial, hdr->dcid.p, hdr->dcid.len, &dgram->path.remote);
	if (ql_conntable_add(&e->table, &ec->initial, ec) < 0) {
		drop(e, QL_DROP_CONN_LIMIT);
		ql_engine_conn_free(e, ec, slot);
		return NULL;
	}
	if (ql_conn_init_server(&ec->conn, &e->host, slot, &e->listener, hdr, &dgram->path,
				&validation) < 0) {
		drop(e, QL_DROP_NO_MEMORY);
		ql_conntable_del(&e->table, &ec->initial);
		ql_engine_conn_free(e, ec, slot);
		return NULL;
	}
	ec->in_table = true;
	return &ec->conn;
}

static struct ql_conn *find_long(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
				 const struct ql_datagram *dgram)
{
	struct ql_initial_key key;
	struct ql_engine_conn *ec;
	struct ql_conn *conn;
	uint64_t seq;

	if (hdr->dcid.len > 0 && hdr->dcid.len == ql_local_cid_len(&e->host.cids, hdr->dcid.p[0])) {
		const struct read_id id = read_id(e, hdr->dcid.p);

		conn = find_local(e, hdr->dcid.p, &id, &seq);
		if (conn) {
			conn->rx_cid_seq = seq;
			return conn;
		}
	}
	if (hdr->dcid.len > QL_CID_MAX)
		return NULL;
	ql_initial_key(&key, hdr->dcid.p, hdr->dcid.len, &dgram->path.remote);
	ec = ql_conntable_find(&e->table, &key);
	return ec ? &ec->conn : NULL;
}

/* Not a version of ours: say which are, if the datagram might start a connection (6.1). */
static void refuse_version(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
			   const struct ql_datagram *dgram, size_t len)
{
	if (e->listening && dgram->path.local.port == e->listen_port && len >= QL_INITIAL_MIN)
		ql_reply_version_negotiation(e, hdr, dgram);
	else
		drop(e, QL_DROP_VERSION);
}

/*
 * A 0-RTT packet whose keys may be there soon. key is the connection's, or of the one to be;
 * uncounted are the bytes of its datagram if no connection has counted them.
 */
static void hold(struct ql_engine *e, const struct ql_initial_key *key,
		 const struct ql_pkt_hdr *hdr, const uint8_t *pkt, const struct ql_datagram *dgram,
		 size_t uncounted)
{
	struct ql_held_packet packet = {
		.dgram = *dgram,
		.key = *key,
		.offset = (uint16_t)(pkt - rte_pktmbuf_mtod(dgram->mbuf, const uint8_t *)),
		.len = (uint16_t)hdr->size,
		.uncounted = (uint16_t)uncounted,
	};
	uint64_t *dropped = &e->stats.drops[QL_DROP_EARLY];

	if (!ql_held_add(&e->early->held, &packet, e->host.now, dropped))
		(*dropped)++;
}

/* A client's 0-RTT packet that is ahead of its Initial packet. */
static void hold_unknown(struct ql_engine *e, const struct ql_pkt_hdr *hdr, const uint8_t *pkt,
			 const struct ql_datagram *dgram)
{
	struct ql_initial_key key;

	if (!e->listening || !e->early || dgram->path.local.port != e->listen_port) {
		drop(e, QL_DROP_NO_CONN);
		return;
	}
	if (hdr->dcid.len < INITIAL_DCID_MIN || hdr->dcid.len > QL_CID_MAX) {
		drop(e, QL_DROP_HEADER);
		return;
	}
	ql_initial_key(&key, hdr->dcid.p, hdr->dcid.len, &dgram->path.remote);
	hold(e, &key, hdr, pkt, dgram, dgram->mbuf->data_len);
}

/* A connection knows by now what to make of 0-RTT packets. */
static void release_held(struct ql_engine *e, struct ql_conn *conn)
{
	struct ql_engine_conn *ec = ql_engine_conn_of(conn);
	struct ql_held_packet packet;
	struct ql_pkt_hdr hdr;

	if (!ec->in_table || ql_early_undecided(conn))
		return;
	while (ql_held_take(&e->early->held, &ec->initial, &packet)) {
		uint8_t *pkt = rte_pktmbuf_mtod_offset(packet.dgram.mbuf, uint8_t *, packet.offset);

		if (packet.uncounted)
			ql_conn_count_rx(conn, packet.uncounted);
		if (ql_pkt_parse_long(pkt, packet.len, &hdr) == 0)
			ql_conn_recv_long(conn, &hdr, pkt, &packet.dgram);
		rte_pktmbuf_free(packet.dgram.mbuf);
	}
}

/*
 * One long-header packet. *conn is the connection of the datagram's first packet and its bytes
 * are counted there, once. False if the packet was of no use.
 */
static bool recv_long(struct ql_engine *e, struct ql_conn **conn, const struct ql_pkt_hdr *hdr,
		      uint8_t *pkt, const struct ql_datagram *dgram, size_t dgram_len)
{
	struct ql_token token;
	bool fresh = false;

	if (!*conn) {
		*conn = find_long(e, hdr, dgram);
		if (!*conn && hdr->type != QL_PKT_VERSION_NEGOTIATION &&
		    !ql_version_listed(&e->listener.transport, hdr->version)) {
			refuse_version(e, hdr, dgram, dgram_len);
			return false;
		}
		if (!*conn && hdr->type == QL_PKT_INITIAL) {
			*conn = accept_initial(e, hdr, dgram, dgram_len, &token);
			if (!*conn)
				return false;
			fresh = true;
		}
		if (!*conn && hdr->type == QL_PKT_ZERO_RTT && ql_pkt_fixed(hdr)) {
			hold_unknown(e, hdr, pkt, dgram);
			return true;
		}
		if (!*conn) {
			drop(e, QL_DROP_NO_CONN);
			return false;
		}
		ql_conn_count_rx(*conn, dgram_len);
	}
	if (hdr->type == QL_PKT_VERSION_NEGOTIATION) {
		ql_conn_recv_version_negotiation(*conn, hdr);
		return true;
	}
	if (hdr->type == QL_PKT_RETRY) {
		ql_conn_recv_retry(*conn, hdr, pkt);
		return true;
	}
	/* A server ignores Initials in small datagrams (14.1). */
	if (hdr->type == QL_PKT_INITIAL && (*conn)->server && dgram_len < QL_INITIAL_MIN) {
		drop(e, QL_DROP_INITIAL_SIZE);
		return false;
	}
	if (hdr->type == QL_PKT_ZERO_RTT && ql_early_undecided(*conn) &&
	    ql_engine_conn_of(*conn)->in_table) {
		hold(e, &ql_engine_conn_of(*conn)->initial, hdr, pkt, dgram, 0);
		return true;
	}
	if (!ql_conn_recv_long(*conn, hdr, pkt, dgram)) {
		if (fresh) {
			ql_engine_reap(e, ql_engine_conn_of(*conn));
			*conn = NULL;
		}
		return false;
	}
	if (fresh) {
		e->stats.conns_accepted++;
		if ((*conn)->peer_validated) /* the first packet cannot do that, but its token */
			ql_token_use(&e->tokens, &token);
	}
	if (e->early && e->early->held.n > 0)
		release_held(e, *conn);
	return true;
}

/* A datagram that starts with a long header: one packet after another (12.2). */
static void recv_datagram(struct ql_engine *e, struct gathered *g, uint8_t *p, size_t len,
			  const struct ql_datagram *dgram)
{
	struct ql_cid_view first = {0};
	struct ql_conn *conn = NULL;
	struct ql_pkt_hdr hdr;
	size_t off = 0;

	while (off < len) {
		if (ql_pkt_parse(p + off, len - off, first.len, &hdr) < 0) {
			if (off > 0 || !recv_reset(e, p, len, dgram))
				drop(e, QL_DROP_HEADER);
			return;
		}
		if (off == 0) {
			first = hdr.dcid;
		} else if (hdr.dcid.len != first.len ||
			   memcmp(hdr.dcid.p, first.p, first.len) != 0) {
			drop(e, QL_DROP_COALESCED_CID);
			off += hdr.size;
			continue;
		}
		if (hdr.type == QL_PKT_SHORT) {
			gather(e, g, p + off, hdr.size, dgram, NULL);
			open_gathered(e, g);
			return;
		}
		if (hdr.type == QL_PKT_UNKNOWN_VERSION) {
			if (off == 0 && !recv_reset(e, p, len, dgram))
				refuse_version(e, &hdr, dgram, len);
			else
				drop(e, QL_DROP_VERSION);
			return;
		}
		QL_FLOOR(FRAMES);
		if (!recv_long(e, &conn, &hdr, p + off, dgram, len) && off == 0)
			recv_reset(e, p, len, dgram);
		QL_FLOOR(STEER);
		if (!conn)
			return;
		off += hdr.size;
	}
}

/* ---- */

/* A datagram with a short header that is not too short for one. */
static inline bool is_short(const struct rte_mbuf *m)
{
	return m->data_len >= DATAGRAM_MIN &&
	       !(*rte_pktmbuf_mtod(m, const uint8_t *) & QL_PKT_LONG);
}

/*
 * Ask for the connections of a burst's short-header packets, before the first of these is looked at.
 * known[i] is what the ID of packet i says, NULL for that of a packet that has the one before's.
 */
static void look_ahead(const struct ql_engine *e, const struct ql_datagram *in, unsigned int n,
		       struct read_id *ids, const struct read_id **known)
{
	const uint8_t *last = NULL;
	unsigned int k = 0;

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(in[i].mbuf, const uint8_t *);

		known[i] = NULL;
		if (!is_short(in[i].mbuf) ||
		    (last && memcmp(p + 1, last + 1, QL_LOCAL_CID_LEN) == 0))
			continue;
		last = p;
		ids[k] = read_id(e, p + 1);
		if (ids[k].ours && ids[k].told.slot < e->table.n_slots)
			__builtin_prefetch(&e->table.slots[ids[k].told.slot]);
		known[i] = &ids[k++];
	}
	for (unsigned int i = 0; i < k; i++) {
		const struct ql_engine_conn *ec =
			ids[i].ours ? ql_conntable_at(&e->table, ids[i].told.slot) : NULL;

		if (ec)
			ql_engine_conn_prefetch(ec);
	}
}

static void recv_burst(struct ql_engine *e, struct ql_datagram *in, unsigned int n)
{
	const struct read_id *known[QL_RX_BURST];
	struct rte_mbuf *used[QL_RX_BURST];
	struct read_id ids[QL_RX_BURST];
	struct gathered g;

	QL_FLOOR(STEER);
	look_ahead(e, in, n, ids, known);
	g.n = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *p = rte_pktmbuf_mtod(in[i].mbuf, uint8_t *);
		size_t len = in[i].mbuf->data_len;

		e->stats.rx_bytes += len;
		if (in[i].mbuf->nb_segs != 1)
			drop(e, QL_DROP_HEADER);
		else if (len < DATAGRAM_MIN)
			drop(e, QL_DROP_SHORT);
		else if (!(p[0] & QL_PKT_LONG))
			gather(e, &g, p, len, &in[i], known[i]);
		else {
			open_gathered(e, &g);
			recv_datagram(e, &g, p, len, &in[i]);
		}
	}
	open_gathered(e, &g);
	QL_FLOOR(RECEIVE);
	for (unsigned int i = 0; i < n; i++)
		used[i] = in[i].mbuf;
	rte_pktmbuf_free_bulk(used, n);
	e->stats.rx_datagrams += n;
}

void ql_engine_rx(struct ql_engine *e, struct ql_datagram *in, unsigned int n, uint64_t now)
{
	ql_engine_check_thread(e);
	e->host.now = now;
	for (unsigned int done = 0; done < n; done += QL_RX_BURST) {
		unsigned int burst = n - done < QL_RX_BURST ? n - done : QL_RX_BURST;

		if (e->mesh)
			burst = ql_steer(e, in + done, burst);
		recv_burst(e, in + done, burst);
	}
}

unsigned int ql_engine_rx_crossed(struct ql_engine *e, uint64_t now)
{
	struct ql_datagram in[QL_RX_BURST];
	unsigned int total = 0, n;

	ql_engine_check_thread(e);
	if (!e->mesh || !ql_mesh_pending(e->mesh, e->host.lcore_index))
		return 0;
	e->host.now = now;
	while (total < QL_CROSSED &&
	       (n = ql_mesh_take(e->mesh, e->host.lcore_index, in, QL_RX_BURST)) > 0) {
		total += n;
		e->stats.crossed_in += n;
		recv_burst(e, in, ql_steer_in(e, in, n));
	}
	return total;
}
