// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connection IDs of one connection, in both directions (RFC 9000, section 5.1).
 *
 * Our own IDs have QL_LOCAL_CID_LEN bytes:
 *
 *	0	rotation bits 111 (no load balancer's configuration) and the length, as
 *		draft-ietf-quic-load-balancers asks
 *	1-2	the word that a NIC can match at UDP payload offset 2: lcore index in the low
 *		QL_CID_LCORE_BITS, random above
 *	3-5	the connection's slot in its engine, masked
 *	6-11	random
 *
 * The mask is SipHash of the word and the random bytes under the engine's key, so that two IDs
 * of one connection show nothing in common. The engine finds the connection by the slot and then
 * asks ql_local_cids_find() whether it is really one of its IDs: a guess has to hit 60 random bits.
 */
#ifndef QL_CONN_CID_H
#define QL_CONN_CID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"
#include "crypto/rng.h"
#include "wire/cid.h"

#define QL_LOCAL_CID_LEN  12
#define QL_CID_LCORE_BITS 8
#define QL_CID_SLOTS	  (1u << 24)

#define QL_CID_AT_WORD	   1
#define QL_CID_FIRST_OCTET (0xe0 | (QL_LOCAL_CID_LEN - 1))

struct ql_cid_key {
	struct ql_sipkey mask;
	struct ql_sipkey reset[2]; /* stateless reset tokens, 10.3 */
};

void ql_cid_key_init(struct ql_cid_key *key, struct ql_rng *rng);

/* A fresh ID for the connection in a slot. */
void ql_local_cid_make(const struct ql_cid_key *key, struct ql_rng *rng, uint16_t lcore,
		       uint32_t slot, struct ql_cid *cid);

/* The slot that the QL_LOCAL_CID_LEN bytes at id name; anything if they are not of our making. */
uint32_t ql_local_cid_slot(const struct ql_cid_key *key, const uint8_t *id);

/* Whether the QL_LOCAL_CID_LEN bytes at id have the form of an ID of ours. */
static inline bool ql_local_cid_form(const uint8_t *id)
{
	return id[0] == QL_CID_FIRST_OCTET;
}

/* The low bits of the index of the lcore that such an ID names. */
static inline uint16_t ql_local_cid_lcore(const uint8_t *id)
{
	return ql_get_be16(id + QL_CID_AT_WORD) & ((1u << QL_CID_LCORE_BITS) - 1);
}

void ql_reset_token(const struct ql_cid_key *key, const struct ql_cid *cid,
		    uint8_t token[QL_RESET_TOKEN_LEN]);

/* ---- Those that the peer may use to reach us ---- */

#define QL_LOCAL_CIDS 4 /* at a time; the peer's active_connection_id_limit may ask for fewer */

struct ql_local_cid {
	struct ql_cid cid;
	bool used;    /* issued, not retired */
	bool to_send; /* NEW_CONNECTION_ID has to go out (again) */
	uint64_t seq;
};

struct ql_local_cids {
	struct ql_local_cid e[QL_LOCAL_CIDS];
	uint64_t next_seq;
};

/* True if the QL_LOCAL_CID_LEN bytes at id are one of ours; *seq is its sequence number. */
bool ql_local_cids_find(const struct ql_local_cids *l, const uint8_t *id, uint64_t *seq);

/*
 * RETIRE_CONNECTION_ID for seq came in a packet sent to used_seq.
 * 0; -EPROTO for one never issued, or for the one that the packet was sent to (19.16).
 */
int ql_local_cids_retire(struct ql_local_cids *l, uint64_t seq, uint64_t used_seq);

/* ---- Those by which we reach the peer ---- */

#define QL_PEER_CIDS 4 /* our active_connection_id_limit */
#define QL_PEER_CIDS_RETIRE \
	16 /* RETIRE_CONNECTION_IDs not acknowledged; more closes the connection */

struct ql_peer_cid {
	struct ql_cid cid;
	bool used;
	bool has_token;
	uint8_t token[QL_RESET_TOKEN_LEN];
	uint64_t seq;
};

struct ql_peer_cids {
	struct ql_peer_cid e[QL_PEER_CIDS];
	uint8_t current;    /* index of the one in use */
	uint8_t n_retire;   /* to be sent */
	uint8_t n_retiring; /* sent, and not acknowledged (5.1.2) */
	uint64_t retire_prior_to;
	uint64_t retire[QL_PEER_CIDS_RETIRE];
};

/*
 * Take a NEW_CONNECTION_ID frame (19.15). 0, or a transport error code for the close:
 * PROTOCOL_VIOLATION for a sequence number or ID seen with another partner,
 * CONNECTION_ID_LIMIT_ERROR for too many.
 */
struct ql_frame_new_cid;
uint64_t ql_peer_cids_add(struct ql_peer_cids *p, const struct ql_frame_new_cid *f);

/* Queue RETIRE_CONNECTION_ID. False when there are too many already. */
bool ql_peer_cids_retire(struct ql_peer_cids *p, uint64_t seq);

/* The last one of the queue has been sent, and then: acknowledged, or lost and queued again. */
void ql_peer_cids_retire_sent(struct ql_peer_cids *p);
void ql_peer_cids_retire_acked(struct ql_peer_cids *p);
void ql_peer_cids_retire_lost(struct ql_peer_cids *p, uint64_t seq);

static inline const struct ql_cid *ql_peer_cid(const struct ql_peer_cids *p)
{
	return &p->e[p->current].cid;
}

#endif
