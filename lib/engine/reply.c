// SPDX-License-Identifier: BSD-3-Clause
/*
 * Answers to packets that belong to no connection. They wait in e->replies for the next
 * ql_engine_tx(); what does not fit there is not answered, which bounds the rate. Each is
 * smaller than the datagram that caused it.
 */
#include <rte_mbuf.h>

#include "engine/impl.h"

void ql_reply_version_negotiation(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
				  const struct ql_datagram *dgram)
{
	uint64_t random = ql_rng_u64(&e->rng);
	/* A reserved version among them keeps peers from taking the list for fixed (15). */
	uint32_t versions[] = {((uint32_t)(random >> 32) & 0xf0f0f0f0u) | 0x0a0a0a0au,
			       QL_VERSION_1};
	struct rte_mbuf *m;
	uint8_t *p, *end;

	if (e->n_replies == QL_REPLIES)
		return;
	m = rte_pktmbuf_alloc(e->host.tx_pool);
	if (!m) {
		e->stats.drops[QL_DROP_NO_MEMORY]++;
		return;
	}
	p = rte_pktmbuf_mtod(m, uint8_t *);
	end = ql_pkt_put_version_negotiation(p, p + e->host.tx_room, (uint8_t)random, hdr->scid,
					     hdr->dcid, versions, 2);
	if (!end) {
		rte_pktmbuf_free(m);
		return;
	}
	m->data_len = (uint16_t)(end - p);
	m->pkt_len = m->data_len;
	e->replies[e->n_replies++] = (struct ql_datagram){.mbuf = m, .path = dgram->path};
	e->stats.version_negotiations++;
}
