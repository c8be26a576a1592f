// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which engine of a mesh a datagram is for, by its first packet, and its way there.
 */
#include <rte_mbuf.h>

#include "engine/impl.h"

#define SHORT_MIN     (1 + QL_CID_MAX) /* bytes: fewer are no packet (9000, 10.3) */
#define LONG_DCID_LEN 5 /* in a packet with a long header, of all versions (RFC 8999, 5.1) */

/* An index that no engine has is of a time when there were more: somebody is the heir. */
static inline unsigned int engine_of(const struct ql_engine *e, const uint8_t *id)
{
	unsigned int index = ql_local_cid_lcore(&e->host.cids, id);
	const struct ql_mesh *m = e->mesh;

	return index < m->n ? index : index % m->n;
}

bool ql_steer_is_mine(const struct ql_engine *e, const uint8_t *id)
{
	if (e->mesh)
		return engine_of(e, id) == e->host.lcore_index;
	return ql_local_cid_lcore(&e->host.cids, id) == e->host.lcore_index;
}

/* By a short header, of at least SHORT_MIN bytes. What is none of our IDs may be a reset for us. */
static unsigned int owner_short(const struct ql_engine *e, const uint8_t *p)
{
	return ql_local_cid_len(&e->host.cids, p[1]) > 0 ? engine_of(e, p + 1)
							 : e->host.lcore_index;
}

static unsigned int owner_long(const struct ql_engine *e, const uint8_t *p, size_t len)
{
	const uint8_t *dcid = p + LONG_DCID_LEN + 1;
	const struct ql_mesh *m = e->mesh;
	size_t dcid_len = p[LONG_DCID_LEN];
	struct ql_cid_told told;

	if (dcid_len == 0 || dcid_len > len - (LONG_DCID_LEN + 1))
		return e->host.lcore_index;
	/* Clients' IDs may look like ours. */
	if (dcid_len == ql_local_cid_len(&e->host.cids, dcid[0]) &&
	    ql_local_cid_read(&e->host.cids, dcid, &told))
		return engine_of(e, dcid);
	if (!m->spread)
		return e->host.lcore_index;
	return (unsigned int)((uint32_t)ql_siphash(&m->spread_key, dcid, dcid_len) *
				      (uint64_t)m->n >>
			      32);
}

static unsigned int owner(const struct ql_engine *e, const struct ql_datagram *d)
{
	const uint8_t *p = rte_pktmbuf_mtod(d->mbuf, const uint8_t *);
	size_t len = d->mbuf->data_len;

	if (len < SHORT_MIN)
		return e->host.lcore_index;
	return p[0] & QL_PKT_LONG ? owner_long(e, p, len) : owner_short(e, p);
}

static void drop(struct ql_engine *e, const struct ql_datagram *d, enum ql_drop reason)
{
	e->stats.rx_datagrams++;
	e->stats.rx_bytes += d->mbuf->data_len;
	e->stats.drops[reason]++;
	rte_pktmbuf_free(d->mbuf);
}

/* Hand over what goes[] to others: all of one destination at a time, in the order they came. */
static void hand_over(struct ql_engine *e, const struct ql_datagram *in, const uint16_t *to,
		      unsigned int n)
{
	bool done[QL_RX_BURST] = {false};

	for (unsigned int first = 0; first < n; first++) {
		struct ql_datagram out[QL_RX_BURST];
		unsigned int n_out = 0, sent;

		if (done[first])
			continue;
		for (unsigned int i = first; i < n; i++) {
			if (to[i] == to[first]) {
				out[n_out++] = in[i];
				done[i] = true;
			}
		}
		sent = ql_mesh_put(e->mesh, e->host.lcore_index, to[first], out, n_out);
		e->stats.crossed_out += sent;
		for (; sent < n_out; sent++)
			drop(e, &out[sent], QL_DROP_CROSSING);
	}
}

unsigned int ql_steer(struct ql_engine *e, struct ql_datagram *in, unsigned int n)
{
	struct ql_datagram away[QL_RX_BURST];
	uint16_t to[QL_RX_BURST];
	unsigned int stay = 0, n_away = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int index = owner(e, &in[i]);

		if (index == e->host.lcore_index) {
			if (stay != i)
				in[stay] = in[i];
			stay++;
		} else {
			to[n_away] = (uint16_t)index;
			away[n_away++] = in[i];
		}
	}
	if (n_away > 0)
		hand_over(e, away, to, n_away);
	return stay;
}

unsigned int ql_steer_in(struct ql_engine *e, struct ql_datagram *in, unsigned int n)
{
	unsigned int stay = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (owner(e, &in[i]) == e->host.lcore_index)
			in[stay++] = in[i];
		else
			drop(e, &in[i], QL_DROP_STRAY);
	}
	return stay;
}
