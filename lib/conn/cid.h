// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connection IDs of one connection, in both directions (RFC 9000, section 5.1).
 *
 * Our own IDs follow draft-ietf-quic-load-balancers: the first octet has the number of a load
 * balancer's configuration in its top three bits, and in the others the length of what follows. With
 * a configuration the server ID comes next, and maybe random bytes; then what is for us:
 *
 *	0-1	the word that a NIC can match (qlane/steer.h): the engine's index in the low
 *		QL_CID_LCORE_BITS, random above
 *	2-5	random
 *	6-8	the connection's slot in its engine and the generation of the process, masked
 *	9-10	check
 *
 * With a configuration that has a key everything behind the first octet is encrypted
 * (crypto/cidcipher.h). Without any configuration an ID has QL_LOCAL_CID_LEN bytes.
 *
 * Mask and check are SipHash of the first octet, the word and the random bytes, under a key that all
 * engines have that may see each other's IDs. So two IDs of one connection show nothing in common;
 * the owner finds the connection by the slot; a guess is found out without touching a connection,
 * but for one in 65,536, and has to be equal to one of the connection's IDs then; and the IDs of an
 * earlier process, or of another engine, can be told from those that clients make up.
 */
#ifndef QL_CONN_CID_H
#define QL_CONN_CID_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/steer.h>

#include "base/siphash.h"
#include "crypto/cidcipher.h"
#include "crypto/rng.h"
#include "wire/cid.h"

#define QL_LOCAL_CID_LEN  12
#define QL_CID_LCORE_BITS 8
#define QL_CID_SLOTS	  (1u << 23)
#define QL_CID_OURS	  11 /* bytes behind the first octet, the server ID and what fills up */
#define QL_CID_SECRET	  32
#define QL_CID_ROTATIONS  8
#define QL_CID_NO_CONFIG  7 /* rotation bits of IDs without a configuration */

/* What the IDs with the same rotation bits look like. */
struct ql_cid_shape {
	uint8_t first; /* octet */
	uint8_t len;   /* bytes of an ID; 0: there are none */
	uint8_t ours;  /* where our part begins */
	uint8_t server_id_len;
	uint8_t server_id[QL_CID_SERVER_ID_MAX];
	struct ql_cidcipher cipher;
};

/* What masks, checks and reset tokens come from. */
struct ql_cid_key {
	struct ql_sipkey mask;
	struct ql_sipkey reset[2]; /* stateless reset tokens, 10.3 */
};

/* How an engine makes and reads its IDs. */
struct ql_cid_scheme {
	struct ql_cid_shape shapes[QL_CID_ROTATIONS];
	struct ql_cid_config known[QL_CID_NO_CONFIG]; /* what the shapes are of */
	uint32_t epoch;				      /* changes of what follows */
	uint8_t rotation;			      /* of new IDs */
	uint8_t lcore;				      /* the engine's index */
	uint8_t generation;			      /* of the process: 0 or 1 */
	bool has_old;
	struct ql_cid_key key, old; /* old: of IDs that were made before the key was changed */
};

/* What an ID of ours says. */
struct ql_cid_told {
	uint32_t slot;
	bool this_process; /* else an earlier one */
	bool old_key;
};

/*
 * A scheme without a load balancer's configuration. ids is the secret of masks and checks, resets
 * that of reset tokens. 0, or -EIO when the cipher library cannot.
 */
int ql_cid_scheme_init(struct ql_cid_scheme *s, uint16_t lcore, unsigned int generation,
		       const uint8_t ids[QL_CID_SECRET], const uint8_t resets[QL_CID_SECRET]);
void ql_cid_scheme_fini(struct ql_cid_scheme *s, struct ql_mem *mem);

/*
 * Configurations: which rotation bits would get another meaning by them, 1 << rotation each; -EINVAL
 * for one that cannot be, two with the same rotation, or too many.
 */
int ql_cid_scheme_changes(const struct ql_cid_scheme *s, const struct ql_cid_config *configs,
			  unsigned int n);
/* Read IDs of them from now on. 0; -ENOMEM, -EIO: some may be known. */
int ql_cid_scheme_know(struct ql_cid_scheme *s, struct ql_mem *mem,
		       const struct ql_cid_config *configs, unsigned int n);
/* New IDs are of the first of them, which is known; n is 0: without a configuration. */
void ql_cid_scheme_use(struct ql_cid_scheme *s, const struct ql_cid_config *configs,
		       unsigned int n);
/* All three, at the start. The caller calls ql_cid_scheme_fini() in any case. */
int ql_cid_scheme_configure(struct ql_cid_scheme *s, struct ql_mem *mem,
			    const struct ql_cid_config *configs, unsigned int n);

/* New IDs come from other secrets; those of the present ones stay good, and no older ones. 0, -EIO. */
int ql_cid_scheme_rekey(struct ql_cid_scheme *s, const uint8_t ids[QL_CID_SECRET],
			const uint8_t resets[QL_CID_SECRET]);

/* A fresh ID for the connection in a slot. */
void ql_local_cid_make(const struct ql_cid_scheme *s, struct ql_rng *rng, uint32_t slot,
		       struct ql_cid *cid);

/* The length of an ID of ours by its first octet; 0: it is none. */
static inline uint8_t ql_local_cid_len(const struct ql_cid_scheme *s, uint8_t first)
{
	const struct ql_cid_shape *shape = &s->shapes[first >> 5];

	return shape->first == first ? shape->len : 0;
}

/*
 * The rest is for what ql_local_cid_len() has taken for an ID of ours, with all its bytes.
 *
 * The index of the engine that it names, which nothing proves.
 */
uint8_t ql_local_cid_lcore(const struct ql_cid_scheme *s, const uint8_t *id);
/* False if we did not make it: the check fails. */
bool ql_local_cid_read(const struct ql_cid_scheme *s, const uint8_t *id, struct ql_cid_told *told);
/* Its reset token. */
void ql_reset_token(const struct ql_cid_scheme *s, const struct ql_cid *cid,
		    uint8_t token[QL_RESET_TOKEN_LEN]);

/* ---- Those that the peer may use to reach us ---- */

#define QL_LOCAL_CIDS 4 /* at a time; the peer's active_connection_id_limit may ask for fewer */
#define QL_LOCAL_CIDS_PLACES \
	(QL_LOCAL_CIDS + 1) /* and the one that asks for the retirement of these */

struct ql_local_cid {
	struct ql_cid cid;
	bool used;    /* issued, not retired */
	bool to_send; /* NEW_CONNECTION_ID has to go out (again) */
	bool old;     /* its retirement is asked for */
	uint64_t seq;
};

struct ql_local_cids {
	struct ql_local_cid e[QL_LOCAL_CIDS_PLACES];
	uint64_t next_seq;
};

/* Whether one of them was made with the old key. */
bool ql_local_cids_old(const struct ql_local_cids *l, const struct ql_cid_scheme *s);
/* Their rotation bits, 1 << rotation each. */
unsigned int ql_local_cids_rotations(const struct ql_local_cids *l);

/* A place for another one; NULL when the peer has as many as it wants, or we. */
struct ql_local_cid *ql_local_cids_place(struct ql_local_cids *l, uint64_t limit);

/*
 * The scheme makes other IDs since: all that the peer has are to be retired, which those say that are
 * issued next. False: the peer has not yet retired those of the last time (5.1.2).
 */
bool ql_local_cids_renew(struct ql_local_cids *l);
/* What NEW_CONNECTION_ID says of the sequence numbers that are to be retired. */
uint64_t ql_local_cids_retire_prior_to(const struct ql_local_cids *l);

/* True if the len bytes at id are one of them; *seq is its sequence number. */
bool ql_local_cids_find(const struct ql_local_cids *l, const uint8_t *id, size_t len,
			uint64_t *seq);

/*
 * RETIRE_CONNECTION_ID for seq came in a packet sent to used_seq.
 * 0; -EPROTO for one never issued, or for the one that the packet was sent to (19.16).
 */
int ql_local_cids_retire(struct ql_local_cids *l, uint64_t seq, uint64_t used_seq);

/* ---- Those by which we reach the peer ---- */

#define QL_PEER_CIDS 4 /* our active_connection_id_limit */
#define QL_PEER_CIDS_RETIRE \
	12 /* RETIRE_CONNECTION_IDs not acknowledged; more closes the connection */

struct ql_peer_cid {
	struct ql_cid cid;
	bool used;
	bool has_token;
	uint8_t token[QL_RESET_TOKEN_LEN];
	uint64_t seq;
};

struct ql_peer_cids {
	uint8_t current;    /* index of the one in use */
	uint8_t n_retire;   /* to be sent */
	uint8_t n_retiring; /* sent, and not acknowledged (5.1.2) */
	struct ql_peer_cid e[QL_PEER_CIDS];
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
