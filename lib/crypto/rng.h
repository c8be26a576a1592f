// SPDX-License-Identifier: BSD-3-Clause
/*
 * The random bytes of one engine: a ChaCha20 generator with fast key erasure. Each refill yields
 * the next key first, and bytes are wiped as they are handed out, so that a later look into memory
 * does not tell what was given out before. The same seed gives the same bytes for the same calls.
 *
 * One thread at a time. A copy continues with the same bytes as the original: never copy one.
 */
#ifndef QL_CRYPTO_RNG_H
#define QL_CRYPTO_RNG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define QL_RNG_SEED 32

struct ql_rng {
	uint32_t key[8];
	uint32_t pos;	  /* of the next unused byte in buf */
	uint8_t buf[224]; /* 4 ChaCha20 blocks less the next key */
};

void ql_rng_init(struct ql_rng *rng, const uint8_t seed[QL_RNG_SEED]);

void ql_rng_bytes(struct ql_rng *rng, void *out, size_t len);

/* Not for callers: fills buf. */
void ql_rng_refill(struct ql_rng *rng);

static inline uint64_t ql_rng_u64(struct ql_rng *rng)
{
	uint64_t v;

	if (rng->pos > sizeof(rng->buf) - sizeof(v))
		ql_rng_refill(rng);
	memcpy(&v, rng->buf + rng->pos, sizeof(v));
	memset(rng->buf + rng->pos, 0, sizeof(v));
	rng->pos += sizeof(v);
	return v;
}

static inline uint32_t ql_rng_u32(struct ql_rng *rng)
{
	uint32_t v;

	if (rng->pos > sizeof(rng->buf) - sizeof(v))
		ql_rng_refill(rng);
	memcpy(&v, rng->buf + rng->pos, sizeof(v));
	memset(rng->buf + rng->pos, 0, sizeof(v));
	rng->pos += sizeof(v);
	return v;
}

/*
 * From here on wolfSSL on this thread takes its random bytes from rng, or from getrandom(2) when
 * that is NULL. Returns what was attached before. Without effect where wolfSSL was built without
 * our hook. crypto/tls.h does this by itself for its own calls.
 */
struct ql_rng *ql_rng_attach(struct ql_rng *rng);

#endif
