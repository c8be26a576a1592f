// SPDX-License-Identifier: BSD-3-Clause
/*
 * X25519 (RFC 7748, section 5) by AVX-512 IFMA: two multiplications by one secret number at the price
 * of one, which is what a server's side of a key exchange is: its public key, and what it shares
 * with the client. Takes the same time whatever the secret is.
 *
 * wolfSSL uses it where it was built with our hook and the CPU has the instructions
 * (ql_crypto_init()); elsewhere its own.
 */
#ifndef QL_CRYPTO_X25519_H
#define QL_CRYPTO_X25519_H

#include <stdbool.h>
#include <stdint.h>

#define QL_X25519_LEN 32

/* Whether this CPU can; without that no other function here may be called. */
bool ql_x25519_usable(void);

/*
 * The public key of a secret one, and what it shares with a peer's public key: zero if that is of
 * small order (RFC 7748, section 6.1). The lowest three bits of the secret must be 0 and its highest two
 * 01, as of any X25519 key.
 */
void ql_x25519_pair(uint8_t public[QL_X25519_LEN], uint8_t shared[QL_X25519_LEN],
		    const uint8_t secret[QL_X25519_LEN], const uint8_t peer[QL_X25519_LEN]);

/* The second half of that only. */
void ql_x25519_shared(uint8_t shared[QL_X25519_LEN], const uint8_t secret[QL_X25519_LEN],
		      const uint8_t peer[QL_X25519_LEN]);

/* From here on wolfSSL uses it, in all threads, if it can. */
void ql_x25519_install(void);

#endif
