// SPDX-License-Identifier: BSD-3-Clause
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for every table whose keys a peer may
 * choose, so that nobody without the key can make entries collide.
 */
#ifndef QL_BASE_SIPHASH_H
#define QL_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct ql_sipkey {
	uint64_t k0, k1;
};

uint64_t ql_siphash(const struct ql_sipkey *key, const void *data, size_t len);

#endif /* QL_BASE_SIPHASH_H */
