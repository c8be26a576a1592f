// SPDX-License-Identifier: BSD-3-Clause
#include "conn/cid.h"

#include <string.h>

#include <qlane/error.h>

#include "wire/frame.h"

/* Where things are in an ID of ours. */
enum {
	AT_SLOT = 3,
	AT_NONCE = 6,
};

void ql_cid_key_init(struct ql_cid_key *key, struct ql_rng *rng)
{
	ql_rng_bytes(rng, key, sizeof(*key));
}

static uint32_t slot_mask(const struct ql_cid_key *key, const uint8_t *id)
{
	uint8_t seen[8];

	memcpy(seen, id + QL_CID_AT_WORD, 2);
	memcpy(seen + 2, id + AT_NONCE, 6);
	return (uint32_t)ql_siphash(&key->mask, seen, sizeof(seen)) & (QL_CID_SLOTS - 1);
}

void ql_local_cid_make(const struct ql_cid_key *key, struct ql_rng *rng, uint16_t lcore,
		       uint32_t slot, struct ql_cid *cid)
{
	uint16_t word;

	memset(cid, 0, sizeof(*cid));
	cid->len = QL_LOCAL_CID_LEN;
	ql_rng_bytes(rng, cid->id, QL_LOCAL_CID_LEN);
	cid->id[0] = QL_CID_FIRST_OCTET;
	word = ql_get_be16(cid->id + QL_CID_AT_WORD);
	word = (uint16_t)((word & ~((1u << QL_CID_LCORE_BITS) - 1)) |
			  (lcore & ((1u << QL_CID_LCORE_BITS) - 1)));
	ql_put_be16(cid->id + QL_CID_AT_WORD, word);
	slot ^= slot_mask(key, cid->id);
	cid->id[AT_SLOT] = (uint8_t)(slot >> 16);
	cid->id[AT_SLOT + 1] = (uint8_t)(slot >> 8);
	cid->id[AT_SLOT + 2] = (uint8_t)slot;
}

uint32_t ql_local_cid_slot(const struct ql_cid_key *key, const uint8_t *id)
{
	uint32_t slot =
		(uint32_t)id[AT_SLOT] << 16 | (uint32_t)id[AT_SLOT + 1] << 8 | id[AT_SLOT + 2];

	return slot ^ slot_mask(key, id);
}

void ql_reset_token(const struct ql_cid_key *key, const struct ql_cid *cid,
		    uint8_t token[QL_RESET_TOKEN_LEN])
{
	ql_put_be64(token, ql_siphash(&key->reset[0], cid->id, cid->len));
	ql_put_be64(token + 8, ql_siphash(&key->reset[1], cid->id, cid->len));
}

bool ql_local_cids_find(const struct ql_local_cids *l, const uint8_t *id, uint64_t *seq)
{
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		if (l->e[i].used && ql_cid_is(&l->e[i].cid, id, QL_LOCAL_CID_LEN)) {
			*seq = l->e[i].seq;
			return true;
		}
	}
	return false;
}

int ql_local_cids_retire(struct ql_local_cids *l, uint64_t seq, uint64_t used_seq)
{
	if (seq >= l->next_seq || seq == used_seq)
		return -EPROTO;
	for (unsigned int i = 0; i < QL_LOCAL_CIDS; i++) {
		if (l->e[i].used && l->e[i].seq == seq)
			l->e[i].used = false;
	}
	return 0;
}

bool ql_peer_cids_retire(struct ql_peer_cids *p, uint64_t seq)
{
	for (unsigned int i = 0; i < p->n_retire; i++) {
		if (p->retire[i] == seq)
			return true;
	}
	if (p->n_retire + p->n_retiring >= QL_PEER_CIDS_RETIRE)
		return false;
	p->retire[p->n_retire++] = seq;
	return true;
}

void ql_peer_cids_retire_sent(struct ql_peer_cids *p)
{
	p->n_retire--;
	p->n_retiring++;
}

void ql_peer_cids_retire_acked(struct ql_peer_cids *p)
{
	if (p->n_retiring > 0)
		p->n_retiring--;
}

void ql_peer_cids_retire_lost(struct ql_peer_cids *p, uint64_t seq)
{
	ql_peer_cids_retire_acked(p);
	ql_peer_cids_retire(p, seq); /* there is room for it */
}

/* Raise retire_prior_to. False when more IDs are to be retired than the queue holds. */
static bool retire_below(struct ql_peer_cids *p, uint64_t prior_to)
{
	p->retire_prior_to = prior_to;
	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		struct ql_peer_cid *e = &p->e[i];

		if (!e->used || e->seq >= prior_to)
			continue;
		e->used = false;
		if (!ql_peer_cids_retire(p, e->seq))
			return false;
	}
	return true;
}

uint64_t ql_peer_cids_add(struct ql_peer_cids *p, const struct ql_frame_new_cid *f)
{
	struct ql_peer_cid *empty = NULL;

	for (unsigned int i = 0; i < QL_PEER_CIDS; i++) {
		struct ql_peer_cid *e = &p->e[i];
		bool same;

		if (!e->used)
			continue;
		same = ql_cid_eq(&e->cid, &f->cid);
		if (same != (e->seq == f->seq))
			return QL_ERR_PROTOCOL_VIOLATION;
		if (same) /* sent again */
			return e->has_token && memcmp(e->token, f->reset_token,
						      QL_RESET_TOKEN_LEN) != 0
				       ? QL_ERR_PROTOCOL_VIOLATION
				       : 0;
	}
	if (f->seq < p->retire_prior_to) /* retired before it came (19.15) */
		return ql_peer_cids_retire(p, f->seq) ? 0 : QL_ERR_CONNECTION_ID_LIMIT_ERROR;

	/* The new one may take a place that its own retire_prior_to makes free. */
	if (f->retire_prior_to > p->retire_prior_to && !retire_below(p, f->retire_prior_to))
		return QL_ERR_CONNECTION_ID_LIMIT_ERROR;
	for (unsigned int i = 0; i < QL_PEER_CIDS && !empty; i++) {
		if (!p->e[i].used)
			empty = &p->e[i];
	}
	if (!empty)
		return QL_ERR_CONNECTION_ID_LIMIT_ERROR;
	*empty =
		(struct ql_peer_cid){.cid = f->cid, .used = true, .has_token = true, .seq = f->seq};
	memcpy(empty->token, f->reset_token, QL_RESET_TOKEN_LEN);
	if (!p->e[p->current].used)
		p->current = (uint8_t)(empty - p->e);
	return 0;
}
