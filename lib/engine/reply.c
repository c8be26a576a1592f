// SPDX-License-Identifier: BSD-3-Clause
/*
 * Answers to packets that belong to no connection. They wait in e->replies for the next
 * ql_engine_tx(); what does not fit there is not answered, which bounds the rate. Each is
 * smaller than the datagram that caused it, and none is an answer to one of its kind.
 */
#include <rte_mbuf.h>

#include "crypto/retry.h"
#include "engine/impl.h"

/* An mbuf for an answer; NULL if there is no room for one more, or no mbuf. */
static struct rte_mbuf *begin(struct ql_engine *e)
{
	struct rte_mbuf *m;

	if (e->n_replies == QL_REPLIES)
		return NULL;
	m = rte_pktmbuf_alloc(e->host.tx_pool);
	if (!m)
		e->stats.drops[QL_DROP_NO_MEMORY]++;
	return m;
}

/* The answer ends at end; NULL if it could not be written. *sent counts it. */
static void finish(struct ql_engine *e, struct rte_mbuf *m, const uint8_t *end,
		   const struct ql_datagram *dgram, uint64_t *sent)
{
	if (!end) {
		rte_pktmbuf_free(m);
		return;
	}
	m->data_len = (uint16_t)(end - rte_pktmbuf_mtod(m, uint8_t *));
	m->pkt_len = m->data_len;
	e->replies[e->n_replies++] = (struct ql_datagram){.mbuf = m, .path = dgram->path};
	(*sent)++;
}

void ql_reply_version_negotiation(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
				  const struct ql_datagram *dgram)
{
	uint64_t random = ql_rng_u64(&e->rng);
	/* A reserved version among them keeps peers from taking the list for fixed (15). */
	uint32_t versions[1 + QL_VERSIONS_MAX] = {((uint32_t)(random >> 32) & 0xf0f0f0f0u) |
						  0x0a0a0a0au};
	unsigned int n = 1 + ql_versions(&e->listener.transport, versions + 1);
	struct rte_mbuf *m = begin(e);
	uint8_t *p;

	if (!m)
		return;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	p = ql_pkt_put_version_negotiation(p, p + e->host.tx_room, (uint8_t)random, hdr->scid,
					   hdr->dcid, versions, n);
	finish(e, m, p, dgram, &e->stats.version_negotiations);
}

/*
 * The client's packets will come to an ID of ours, so that a NIC brings them to the same lcore; it
 * names no slot that would tell anything.
 */
void ql_reply_retry(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
		    const struct ql_datagram *dgram)
{
	struct ql_conn_host *host = &e->host;
	uint8_t token[QL_TOKEN_RETRY_LEN], *p, *base;
	struct rte_mbuf *m = begin(e);
	struct ql_cid scid;

	if (!m)
		return;
	p = base = rte_pktmbuf_mtod(m, uint8_t *);
	ql_local_cid_make(&host->cids, host->rng, ql_rng_u32(host->rng) & (QL_CID_SLOTS - 1),
			  &scid);
	if (ql_token_retry(host->tokens, host->rng, host->now + host->token_clock, hdr->version,
			   &dgram->path.remote, hdr->dcid, &scid, token) < 0)
		p = NULL;
	if (p)
		p = ql_pkt_put_retry(p, p + host->tx_room, (uint8_t)ql_rng_u32(host->rng),
				     hdr->version, hdr->scid, ql_cid_view(&scid), token,
				     sizeof(token));
	if (p &&
	    ql_retry_tag(hdr->version, hdr->dcid.p, hdr->dcid.len, base, (size_t)(p - base), p) < 0)
		p = NULL;
	finish(e, m, p ? p + QL_RETRY_TAG : NULL, dgram, &e->stats.retries);
}

/* An Initial packet with a CONNECTION_CLOSE, sealed. NULL if it cannot be. */
static uint8_t *put_close(struct ql_engine *e, const struct ql_pkt_hdr *hdr, uint64_t error,
			  uint8_t *p)
{
	struct ql_seal_job job = {.hdr = p, .pn_len = QL_PN_MAX_LEN};
	uint8_t *end = p + e->host.tx_room - QL_TAG_LEN, *length, *payload;
	struct ql_secret client, server;
	struct ql_cid dcid, scid;
	struct ql_key_material k;
	struct ql_aead aead = {0};
	struct ql_hp hp = {0};
	int rc;

	if (ql_cid_set(&dcid, hdr->scid.p, hdr->scid.len) < 0 ||
	    ql_cid_set(&scid, hdr->dcid.p, hdr->dcid.len) < 0)
		return NULL;
	p = ql_pkt_put_long(p, end, QL_PKT_INITIAL, hdr->version, &dcid, &scid, NULL, 0, job.pn_len,
			    &length);
	if (!p)
		return NULL;
	payload = ql_pn_put(p, job.pn, job.pn_len);
	p = ql_frame_put_close(payload, end, false, error, 0, NULL, 0);
	rc = ql_initial_secrets(hdr->version, scid.id, scid.len, &client, &server);
	if (rc == 0)
		rc = ql_secret_expand(hdr->version, &server, &k);
	if (rc == 0)
		rc = ql_aead_init(&aead, &e->mem, server.suite, k.key, k.iv);
	if (rc == 0)
		rc = ql_hp_init(&hp, &e->mem, server.suite, k.hp);
	if (rc == 0 && p) {
		job.aead = &aead;
		job.hp = &hp;
		job.hdr_len = (uint16_t)(payload - job.hdr);
		job.payload_len = (uint16_t)(p - payload);
		ql_pkt_put_length(length, (size_t)job.pn_len + job.payload_len + QL_TAG_LEN);
		ql_seal_one(&job);
	}
	ql_aead_fini(&aead, &e->mem);
	ql_hp_fini(&hp, &e->mem);
	return rc == 0 && p ? p + QL_TAG_LEN : NULL;
}

void ql_reply_refusal(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
		      const struct ql_datagram *dgram, uint64_t error)
{
	struct rte_mbuf *m;

	if (!ql_rate_allow(&e->refusal_rate, e->host.now))
		return;
	m = begin(e);
	if (m)
		finish(e, m, put_close(e, hdr, error, rte_pktmbuf_mtod(m, uint8_t *)), dgram,
		       error == QL_ERR_INVALID_TOKEN ? &e->stats.invalid_tokens
						     : &e->stats.refusals);
}

/*
 * Smaller than all that is answered, so that two ends without state fall silent at once (10.3.3);
 * not all of one size, which would tell them from other packets.
 */
void ql_reply_reset(struct ql_engine *e, const uint8_t *pkt, size_t len,
		    const struct ql_datagram *dgram, size_t id_len)
{
	size_t size = QL_RESET_TRIGGER - 1;
	struct rte_mbuf *m;
	struct ql_cid cid;
	uint8_t *p;

	if (len < QL_RESET_TRIGGER || !ql_rate_allow(&e->reset_rate, e->host.now))
		return;
	m = begin(e);
	if (!m)
		return;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	ql_rng_bytes(&e->rng, p, size);
	size -= p[1] & 3;
	p[0] = (uint8_t)(QL_PKT_FIXED | (p[0] & (QL_PKT_FIXED - 1)));
	ql_cid_set(&cid, pkt + 1, id_len);
	ql_reset_token(&e->host.cids, &cid, p + size - QL_RESET_TOKEN_LEN);
	finish(e, m, p + size, dgram, &e->stats.resets);
}
