// SPDX-License-Identifier: BSD-3-Clause
/*
 * From a TLS secret to packet protection keys: RFC 9001, sections 5.1, 5.2 and 6.1, and RFC 9369,
 * section 3.3, for version 2. Version is QUIC's, and decides labels and salt.
 *
 * Nothing is allocated. Secrets and keys are the caller's to wipe with ql_wipe() when it is done.
 * The functions return 0; -EPROTONOSUPPORT for a version other than those in wire/packet.h.
 */
#ifndef QL_CRYPTO_SECRET_H
#define QL_CRYPTO_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/suite.h"

struct ql_secret {
	uint8_t suite; /* enum ql_suite */
	uint8_t len;
	uint8_t bytes[QL_HASH_MAX];
};

struct ql_key_material {
	uint8_t key[QL_KEY_MAX];
	uint8_t iv[QL_IV_LEN];
	uint8_t hp[QL_KEY_MAX];
};

/* The secrets of Initial packets, from the client's first Destination Connection ID. */
int ql_initial_secrets(uint32_t version, const uint8_t *dcid, size_t dcid_len,
		       struct ql_secret *client, struct ql_secret *server);

/* All three keys of a secret. A key update keeps the old hp. */
int ql_secret_expand(uint32_t version, const struct ql_secret *secret, struct ql_key_material *out);

/* Turn the secret into that of the next key phase. */
int ql_secret_next(uint32_t version, struct ql_secret *secret);

/* len bytes from a secret for the purpose that label names; at most 31 characters. 0 or -EIO. */
int ql_secret_derive(const uint8_t secret[32], const char *label, void *out, size_t len);

/* memset to zero that the compiler may not leave out. */
static inline void ql_wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory"); /* somebody may read it */
}

#endif
