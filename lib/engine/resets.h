// SPDX-License-Identifier: BSD-3-Clause
/*
 * Stateless resets that come to us (RFC 9000, section 10.3.1): a datagram that is of no use
 * otherwise ends a connection if its last bytes are the token of a connection ID that this
 * connection sends to. It need not carry an ID of ours, so connections are found by the token: a
 * table keyed with SipHash, and a comparison in constant time.
 */
#ifndef QL_ENGINE_RESETS_H
#define QL_ENGINE_RESETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <qlane/common.h>

#include "base/siphash.h"
#include "wire/cid.h"

struct ql_engine_conn;

LIST_HEAD(ql_reset_bucket, ql_reset_entry);

/* A part of each connection: the token of the peer's connection ID in use. All zero: none. */
struct ql_reset_entry {
	LIST_ENTRY(ql_reset_entry) link;
	uint64_t seq; /* of the ID */
	bool known;   /* it has a token, which is in the table */
	uint8_t token[QL_RESET_TOKEN_LEN];
};

struct ql_resets {
	struct ql_reset_bucket *buckets;
	uint32_t mask;
	struct ql_sipkey key;
};

/* For so many connections. Set-up only: takes memory from DPDK's heap. 0 or -ENOMEM. */
int ql_resets_init(struct ql_resets *r, uint32_t n, int socket_id, const struct ql_sipkey *key);
void ql_resets_fini(struct ql_resets *r);

/* Another ID is in use, number seq; token is NULL if it has none. */
void ql_resets_set(struct ql_resets *r, struct ql_reset_entry *entry, uint64_t seq,
		   const uint8_t *token);
void ql_resets_remove(struct ql_reset_entry *entry);

/*
 * The next entry with this token behind the one that was found before (NULL at first). NULL at the
 * end.
 */
struct ql_reset_entry *ql_resets_find(const struct ql_resets *r,
				      const struct ql_reset_entry *before,
				      const uint8_t token[QL_RESET_TOKEN_LEN]);

#endif
