// SPDX-License-Identifier: BSD-3-Clause
/*
 * The encryption of connection IDs that a load balancer can read: AES-128 over server ID and nonce
 * (draft-ietf-quic-load-balancers, sections 4.3.1 and 4.3.2). One block where both have 16 bytes
 * together, a Feistel network of four passes for other lengths.
 */
#ifndef QL_CRYPTO_CIDCIPHER_H
#define QL_CRYPTO_CIDCIPHER_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define QL_CIDCIPHER_KEY 16
#define QL_CIDCIPHER_MIN 5 /* bytes of server ID and nonce */
#define QL_CIDCIPHER_MAX 19

/* All zero: none. */
struct ql_cidcipher {
	void *enc, *dec; /* schedules */
};

/* Takes memory for the schedules from mem. 0; -ENOMEM; -EIO when the cipher library cannot. */
int ql_cidcipher_init(struct ql_cidcipher *c, struct ql_mem *mem,
		      const uint8_t key[QL_CIDCIPHER_KEY]);
void ql_cidcipher_fini(struct ql_cidcipher *c, struct ql_mem *mem);

/* The len bytes at p, QL_CIDCIPHER_MIN to _MAX, in place: what follows an ID's first octet. */
void ql_cidcipher_encrypt(const struct ql_cidcipher *c, uint8_t *p, size_t len);
void ql_cidcipher_decrypt(const struct ql_cidcipher *c, uint8_t *p, size_t len);

#endif
