// SPDX-License-Identifier: BSD-3-Clause
/*
 * HMAC (RFC 2104) with wolfSSL's SHA-256 or SHA-384, for keys as long as their hash: 32 or 48 bytes. The key
 * is hashed once, whatever is made of it. wolfSSL's own can do that as well (WOLFSSL_HMAC_COPY_HASH),
 * but then pays for it with each of the many keys that it makes only one thing of.
 *
 * Nothing is allocated. The functions return 0 or -EIO.
 */
#ifndef QL_CRYPTO_HMAC_H
#define QL_CRYPTO_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

union ql_hmac_hash {
	wc_Sha256 sha256;
	wc_Sha384 sha384;
};

struct ql_hmac {
	size_t len; /* of key and hash */
	union ql_hmac_hash inner, outer;
};

/* To be ended with ql_hmac_fini(), even after an error. */
int ql_hmac_init(struct ql_hmac *m, const uint8_t *key, size_t len);
/* out: as many bytes as the key has. */
int ql_hmac(struct ql_hmac *m, const uint8_t *data, size_t len, uint8_t *out);
/* Wipes it. */
void ql_hmac_fini(struct ql_hmac *m);

#endif
