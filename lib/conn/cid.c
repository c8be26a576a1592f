// SPDX-License-Identifier: BSD-3-Clause
#include "conn/cid.h"

#include <string.h>

#include <qlane/error.h>

#include "crypto/secret.h"
#include "wire/frame.h"

/* Where things are in our part of an ID. */
enum {
	AT_WORD = 0,
	AT_RANDOM = 2,
	AT_SLOT = 6,
	AT_CHECK = 9,
};

#define BLOCK	    16	 /* of the cipher, which one pass encrypts */
#define LENGTH_BITS 0x1f /* of the first octet */

/* ---- Shapes ---- */

static uint8_t first_octet(unsigned int rotation, unsigned int len)
{
	return (uint8_t)(rotation << 5 | (len - 1));
}

static int make_shape(struct ql_cid_shape *shape, const struct ql_cid_config *c)
{
	if (c->rotation >= QL_CID_NO_CONFIG || c->server_id_len == 0 ||
	    c->server_id_len > QL_CID_SERVER_ID_MAX)
		return -EINVAL;
	memset(shape, 0, sizeof(*shape));
	shape->server_id_len = c->server_id_len;
	memcpy(shape->server_id, c->server_id, c->server_id_len);
	shape->ours = (uint8_t)(1 + c->server_id_len);
	if (c->encrypted && shape->ours + QL_CID_OURS < 1 + BLOCK)
		shape->ours = 1 + BLOCK - QL_CID_OURS;
	shape->len = (uint8_t)(shape->ours + QL_CID_OURS);
	shape->first = first_octet(c->rotation, shape->len);
	return 0;
}

int ql_cid_word_of(const struct ql_cid_config *config, struct ql_cid_word *word)
{
	struct ql_cid_shape shape = {.first = first_octet(QL_CID_NO_CONFIG, QL_LOCAL_CID_LEN),
				     .ours = 1};
	int rc = config ? make_shape(&shape, config) : 0;

	if (rc < 0)
		return rc;
	if (config && config->encrypted)
		return -ENOTSUP;
	*word = (struct ql_cid_word){.offset = (uint16_t)(1 + shape.ours + AT_WORD),
				     .mask = (1u << QL_CID_LCORE_BITS) - 1,
				     .first_mask = LENGTH_BITS,
				     .first_value = shape.first};
	return 0;
}

/* ---- Schemes ---- */

static int make_key(struct ql_cid_key *key, const uint8_t ids[QL_CID_SECRET],
		    const uint8_t resets[QL_CID_SECRET])
{
	_Static_assert(sizeof(key->reset) == QL_CID_SECRET, "two keys");
	memcpy(key->reset, resets, sizeof(key->reset));
	return ql_secret_derive(ids, "qlane cid", &key->mask, sizeof(key->mask));
}

int ql_cid_scheme_init(struct ql_cid_scheme *s, uint16_t lcore, unsigned int generation,
		       const uint8_t ids[QL_CID_SECRET], const uint8_t resets[QL_CID_SECRET])
{
	memset(s, 0, sizeof(*s));
	s->lcore = (uint8_t)lcore;
	s->generation = generation & 1;
	s->rotation = QL_CID_NO_CONFIG;
	s->shapes[QL_CID_NO_CONFIG] = (struct ql_cid_shape){
		.first = first_octet(QL_CID_NO_CONFIG, QL_LOCAL_CID_LEN),
		.len = QL_LOCAL_CID_LEN,
		.ours = 1,
	};
	return make_key(&s->key, ids, resets);
}

static bool same_config(const struct ql_cid_config *a, const struct ql_cid_config *b)
{
	return a->server_id_len == b->server_id_len &&
	       memcmp(a->server_id, b->server_id, a->server_id_len) == 0 &&
	       a->encrypted == b->encrypted &&
	       (!a->encrypted || memcmp(a->key, b->key, sizeof(a->key)) == 0);
}

static bool is_known(const struct ql_cid_scheme *s, const struct ql_cid_config *c)
{
	return s->shapes[c->rotation].len > 0 && same_config(&s->known[c->rotation], c);
}

int ql_cid_scheme_changes(const struct ql_cid_scheme *s, const struct ql_cid_config *configs,
			  unsigned int n)
{
	unsigned int seen = 0, changed = 0;

	if (n > QL_CID_CONFIGS)
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_cid_config *c = &configs[i];
		struct ql_cid_shape shape;

		if (make_shape(&shape, c) < 0 || seen & 1u << c->rotation)
			return -EINVAL;
		seen |= 1u << c->rotation;
		if (s->shapes[c->rotation].len > 0 && !is_known(s, c))
			changed |= 1u << c->rotation;
	}
	return (int)changed;
}

int ql_cid_scheme_know(struct ql_cid_scheme *s, struct ql_mem *mem,
		       const struct ql_cid_config *configs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_cid_config *c = &configs[i];
		struct ql_cid_shape shape;
		int rc;

		if (is_known(s, c))
			continue;
		rc = make_shape(&shape, c);
		if (rc == 0 && c->encrypted)
			rc = ql_cidcipher_init(&shape.cipher, mem, c->key);
		if (rc < 0)
			return rc;
		ql_cidcipher_fini(&s->shapes[c->rotation].cipher, mem);
		s->shapes[c->rotation] = shape;
		s->known[c->rotation] = *c;
	}
	return 0;
}

void ql_cid_scheme_use(struct ql_cid_scheme *s, const struct ql_cid_config *configs, unsigned int n)
{
	uint8_t rotation = n > 0 ? configs[0].rotation : QL_CID_NO_CONFIG;

	s->epoch += s->rotation != rotation;
	s->rotation = rotation;
}

int ql_cid_scheme_configure(struct ql_cid_scheme *s, struct ql_mem *mem,
			    const struct ql_cid_config *configs, unsigned int n)
{
	int rc = ql_cid_scheme_changes(s, configs, n);

	if (rc >= 0)
		rc = ql_cid_scheme_know(s, mem, configs, n);
	if (rc == 0)
		ql_cid_scheme_use(s, configs, n);
	return rc;
}

void ql_cid_scheme_fini(struct ql_cid_scheme *s, struct ql_mem *mem)
{
	for (unsigned int i = 0; i < QL_CID_ROTATIONS; i++)
		ql_cidcipher_fini(&s->shapes[i].cipher, mem);
	ql_wipe(s, sizeof(*s));
}

int ql_cid_scheme_rekey(struct ql_cid_scheme *s, const uint8_t ids[QL_CID_SECRET],
			const uint8_t resets[QL_CID_SECRET])
{
	struct ql_cid_key key;
	int rc = make_key(&key, ids, resets);

	if (rc == 0) {
		s->old = s->key;
		s->has_old = true;
		s->key = key;
		s->epoch++;
	}
	ql_wipe(&key, sizeof(key));
	return rc;
}

/* ---- IDs ---- */

/* Mask in the low 24 bits, check in the 16 above. p is our part. */
static inline uint64_t hash(const struct ql_cid_key *key, uint8_t first, const uint8_t *p)
{
	uint8_t seen[1 + AT_SLOT];

	seen[0] = first;
	memcpy(seen + 1, p, AT_SLOT);
	return ql_siphash(&key->mask, seen, sizeof(seen));
}

static inline uint32_t get_slot(const uint8_t *p)
{
	return (uint32_t)p[AT_SLOT] << 16 | (uint32_t)p[AT_SLOT + 1] << 8 | p[AT_SLOT + 2];
}

static inline uint16_t check_of(uint64_t h)
{
	return (uint16_t)(h >> 24);
}

/* Our part of the ID; in the clear in copy if it is encrypted. */
static inline const uint8_t *ours(const struct ql_cid_shape *shape, const uint8_t *id,
				  uint8_t copy[QL_CID_MAX])
{
	if (__builtin_expect(!shape->cipher.dec, 1))
		return id + shape->ours;
	memcpy(copy, id, shape->len);
	ql_cidcipher_decrypt(&shape->cipher, copy + 1, shape->len - 1u);
	return copy + shape->ours;
}

void ql_local_cid_make(const struct ql_cid_scheme *s, struct ql_rng *rng, uint32_t slot,
		       struct ql_cid *cid)
{
	const struct ql_cid_shape *shape = &s->shapes[s->rotation];
	uint64_t h;
	uint8_t *p;

	memset(cid, 0, sizeof(*cid));
	p = cid->id + shape->ours;
	cid->len = shape->len;
	ql_rng_bytes(rng, cid->id, shape->len);
	cid->id[0] = shape->first;
	memcpy(cid->id + 1, shape->server_id, shape->server_id_len);
	p[AT_WORD + 1] = s->lcore;
	h = hash(&s->key, shape->first, p);
	slot = (slot << 1 | s->generation) ^ (uint32_t)h;
	p[AT_SLOT] = (uint8_t)(slot >> 16);
	p[AT_SLOT + 1] = (uint8_t)(slot >> 8);
	p[AT_SLOT + 2] = (uint8_t)slot;
	ql_put_be16(p + AT_CHECK, check_of(h));
	if (shape->cipher.enc)
		ql_cidcipher_encrypt(&shape->cipher, cid->id + 1, cid->len - 1u);
}

uint8_t ql_local_cid_lcore(const struct ql_cid_scheme *s, const uint8_t *id)
{
	uint8_t copy[QL_CID_MAX];

	return ours(&s->shapes[id[0] >> 5], id, copy)[AT_WORD + 1];
}

bool ql_local_cid_read(const struct ql_cid_scheme *s, const uint8_t *id, struct ql_cid_told *told)
{
	uint8_t copy[QL_CID_MAX];
	const uint8_t *p = ours(&s->shapes[id[0] >> 5], id, copy);
	uint64_t h = hash(&s->key, id[0], p);
	uint32_t slot;

	told->old_key = false;
	if (ql_get_be16(p + AT_CHECK) != check_of(h)) {
		if (!s->has_old)
			return false;
		h = hash(&s->old, id[0], p);
		if (ql_get_be16(p + AT_CHECK) != check_of(h))
			return false;
		told->old_key = true;
	}
	slot = (get_slot(p) ^ (uint32_t)h) & (2 * QL_CID_SLOTS - 1);
	told->slot = slot >> 1;
	told->this_process = (slot & 1) == s->generation;
	return true;
}

void ql_reset_token(const struct ql_cid_scheme *s, const struct ql_cid *cid,
		    uint8_t token[QL_RESET_TOKEN_LEN])
{
	struct ql_cid_told told;
	bool old = s->has_old && ql_local_cid_read(s, cid->id, &told) && told.old_key;
	const struct ql_cid_key *key = old ? &s->old : &s->key;

	ql_put_be64(token, ql_siphash(&key->reset[0], cid->id, cid->len));
	ql_put_be64(token + 8, ql_siphash(&key->reset[1], cid->id, cid->len));
}

/* ---- Those of a connection ---- */

bool ql_local_cids_old(const struct ql_local_cids *l, const struct ql_cid_scheme *s)
{
	struct ql_cid_told told;

	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
		if (l->e[i].used && ql_local_cid_read(s, l->e[i].cid.id, &told) && told.old_key)
			return true;
	}
	return false;
}

unsigned int ql_local_cids_rotations(const struct ql_local_cids *l)
{
	unsigned int rotations = 0;

	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
		if (l->e[i].used)
			rotations |= 1u << (l->e[i].cid.id[0] >> 5);
	}
	return rotations;
}

struct ql_local_cid *ql_local_cids_place(struct ql_local_cids *l, uint64_t limit)
{
	struct ql_local_cid *empty = NULL;
	unsigned int active = 0;

	for (unsigned int i = QL_LOCAL_CIDS_PLACES; i-- > 0;) {
		if (!l->e[i].used)
			empty = &l->e[i];
		else
			active += !l->e[i].old;
	}
	return active < limit && active < QL_LOCAL_CIDS ? empty : NULL;
}

uint64_t ql_local_cids_retire_prior_to(const struct ql_local_cids *l)
{
	uint64_t seq = 0;

	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
		if (l->e[i].used && l->e[i].old && l->e[i].seq >= seq)
			seq = l->e[i].seq + 1;
	}
	return seq;
}

bool ql_local_cids_renew(struct ql_local_cids *l)
{
	if (ql_local_cids_retire_prior_to(l) > 0)
		return false;
	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++)
		l->e[i].old = true;
	return true;
}

bool ql_local_cids_find(const struct ql_local_cids *l, const uint8_t *id, size_t len, uint64_t *seq)
{
	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
		if (l->e[i].used && ql_cid_is(&l->e[i].cid, id, len)) {
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
	for (unsigned int i = 0; i < QL_LOCAL_CIDS_PLACES; i++) {
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
