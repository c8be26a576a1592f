// SPDX-License-Identifier: BSD-3-Clause
/*
 * What packet protection asks of a cipher library; only for the files of crypto/. Nothing here
 * allocates: schedules are blocks of *_size() bytes, aligned to 64, that the caller provides.
 */
#ifndef QL_CRYPTO_BACKEND_H
#define QL_CRYPTO_BACKEND_H

#include "base/prefetch.h"
#include "crypto/protect.h"

/* One header protection mask to be computed. */
struct ql_sample {
	const struct ql_hp *hp;
	const uint8_t *bytes; /* QL_SAMPLE_LEN */
	uint8_t mask[16];     /* the first 5 count */
};

/* RFC 9001, section 5.3: QL_IV_LEN bytes count. Whole, since that is how it is stored and loaded. */
typedef uint64_t ql_nonce_vector __attribute__((vector_size(16)));

union ql_nonce {
	ql_nonce_vector v;
	uint8_t bytes[16];
};

/* Packets that are sealed together, at most. */
#define QL_GATHER 8u

struct ql_backend {
	size_t (*aead_size)(enum ql_suite suite);
	size_t (*hp_size)(enum ql_suite suite);
	/* 0, or -EIO. */
	int (*aead_expand)(void *schedule, enum ql_suite suite, const uint8_t *key);
	int (*hp_expand)(void *schedule, enum ql_suite suite, const uint8_t *key);
	/*
	 * In place; the tag goes behind the len bytes of text, or is there. open tells whether it
	 * was right, without a difference in time for how wrong it was.
	 */
	void (*seal)(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		     size_t aad_len, uint8_t *text, size_t len);
	bool (*open)(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		     size_t aad_len, uint8_t *text, size_t len);
	/* As seal, for n jobs of one suite, QL_GATHER at most, that have a tail; asks for their buffers. */
	void (*gather)(const struct ql_seal_job *jobs, const union ql_nonce *nonces,
		       unsigned int n);
	/* All of one suite. */
	void (*masks)(struct ql_sample *samples, unsigned int n);
};

/* The buffer that a packet is sealed in. */
static inline void ql_seal_prefetch(const struct ql_seal_job *job)
{
	ql_prefetch_write_range(job->hdr, (size_t)job->hdr_len + job->payload_len + QL_TAG_LEN);
}

extern const struct ql_backend ql_backend_wolfcrypt;
extern const struct ql_backend ql_backend_ipsec_mb;

/* Once per process. 0, or -ENOTSUP when the CPU or the library cannot. */
int ql_backend_ipsec_mb_init(void);

#endif
