// SPDX-License-Identifier: BSD-3-Clause
/*
 * The cipher suites that packets are protected with (RFC 9001, section 5.3), their sizes in bytes
 * and their limits in packets.
 */
#ifndef QL_CRYPTO_SUITE_H
#define QL_CRYPTO_SUITE_H

#include <stdint.h>

enum ql_suite {
	QL_AES128_GCM_SHA256,
	QL_AES256_GCM_SHA384,
	QL_CHACHA20_POLY1305_SHA256,
	QL_SUITES,
};

#define QL_TAG_LEN    16
#define QL_IV_LEN     12
#define QL_SAMPLE_LEN 16 /* of header protection */
#define QL_KEY_MAX    32
#define QL_HASH_MAX   48

struct ql_suite_info {
	const char *name; /* as TLS calls it */
	uint16_t tls_id;
	uint8_t key_len; /* of the AEAD and of header protection */
	uint8_t hash_len;
	/* Packets that one key may seal, and forgeries that may fail under the keys of a
	 * connection: RFC 9001, section 6.6. */
	uint64_t confidentiality_limit;
	uint64_t integrity_limit;
};

extern const struct ql_suite_info ql_suites[QL_SUITES];

/* The suite of a TLS code point such as 0x1301, or -EINVAL. */
int ql_suite_from_tls(uint16_t tls_id);

#endif
