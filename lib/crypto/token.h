// SPDX-License-Identifier: BSD-3-Clause
/*
 * Address validation tokens: what a server hands to a client, and gets back to know that packets
 * to the client's address reach it (RFC 9000, section 8.1).
 *
 *	0	the kind in the top bit; the low bits of the number of the key's period
 *	1-12	nonce, random
 *	13-	sealed with AES-128-GCM: when it expires (8 bytes, ns); in a Retry token also the
 *		client's first Destination Connection ID (its length, and 20 bytes)
 *	then	tag
 *
 * The client's address is authenticated and not contained: IP and port for Retry, the IP for
 * NEW_TOKEN, whose client comes back from another port. So are the version of QUIC (RFC 9369,
 * section 5) and the connection ID that the Retry gave the client: the token is good for no other.
 *
 * Keys change with the time (period.h); engines with the same secret and the same clock take each
 * other's tokens.
 */
#ifndef QL_CRYPTO_TOKEN_H
#define QL_CRYPTO_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/common.h>

#include "crypto/period.h"
#include "crypto/rng.h"
#include "wire/cid.h"

#define QL_TOKEN_SECRET	    QL_PERIOD_SECRET
#define QL_TOKEN_RETRY_LIFE (15 * QL_NSEC_PER_SEC)
#define QL_TOKEN_NEW_LIFE   QL_PERIOD
#define QL_TOKEN_NEW_LEN    (1 + QL_IV_LEN + 8 + QL_TAG_LEN)
#define QL_TOKEN_RETRY_LEN  (QL_TOKEN_NEW_LEN + 1 + QL_CID_MAX)
#define QL_TOKEN_SEEN	    8192 /* used ones that are remembered; power of two */

enum ql_token_kind {
	QL_TOKEN_NEW,	/* of a NEW_TOKEN frame */
	QL_TOKEN_RETRY, /* of a Retry packet */
	QL_TOKEN_OTHER, /* neither: nothing of ours */
};

struct ql_tokens {
	struct ql_period_keys keys;
	uint64_t seen[QL_TOKEN_SEEN]; /* by their nonces, a later one over an earlier one */
};

struct ql_token {
	struct ql_cid original_dcid; /* of a Retry token */
	uint64_t id;		     /* for ql_token_use() */
};

/* Takes two keys' memory from mem. 0 or -ENOMEM. */
int ql_tokens_init(struct ql_tokens *t, struct ql_mem *mem, const uint8_t secret[QL_TOKEN_SECRET]);
void ql_tokens_fini(struct ql_tokens *t);
/* Another secret for new tokens; those of the present one go on opening. 0 or -ENOMEM. */
int ql_tokens_rekey(struct ql_tokens *t, const uint8_t secret[QL_TOKEN_SECRET]);

/* Seal a token for a client that uses this version of QUIC. 0; -ENOMEM when a new period's key
 * found no memory. */
int ql_token_retry(struct ql_tokens *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		   const struct ql_addr *client, struct ql_cid_view original_dcid,
		   const struct ql_cid *retry_scid, uint8_t token[QL_TOKEN_RETRY_LEN]);
int ql_token_new(struct ql_tokens *t, struct ql_rng *rng, uint64_t now, uint32_t version,
		 const struct ql_addr *client, uint8_t token[QL_TOKEN_NEW_LEN]);

/* What a token looks like, which proves nothing. */
enum ql_token_kind ql_token_kind(const uint8_t *token, size_t len);

/*
 * Open what came from a client in an Initial packet of a version to dcid. 0; -EBADMSG for one that
 * is not ours, altered, of a key too old, or for another version, address or connection ID;
 * -ETIMEDOUT for one that has expired; -EALREADY for one that was used, as far as we remember. Time
 * tells nothing of how wrong it is.
 */
int ql_token_open(struct ql_tokens *t, uint64_t now, uint32_t version, const struct ql_addr *client,
		  struct ql_cid_view dcid, const uint8_t *token, size_t len, struct ql_token *out);

/* It has served: it will not open again (8.1.4). */
void ql_token_use(struct ql_tokens *t, const struct ql_token *token);

#endif
