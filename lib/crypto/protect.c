// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/protect.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <wolfssl/ssl.h>

#include "base/pool.h"
#include "base/prefetch.h"
#include "crypto/backend.h"
#include "crypto/rng.h"
#include "crypto/secret.h"
#include "ql_build.h"
#include "wire/packet.h"

static const struct ql_backend *const backends[] = {
	[QL_CRYPTO_WOLFCRYPT] = &ql_backend_wolfcrypt,
#if QL_HAVE_IPSEC_MB
	[QL_CRYPTO_IPSEC_MB] = &ql_backend_ipsec_mb,
#endif
};

static _Atomic enum ql_crypto_backend current = QL_CRYPTO_WOLFCRYPT;
static bool have_ipsec_mb;
static int init_result;

static void init(void)
{
#if QL_HAVE_WOLFSSL_RAND /* it is Qlane's own: nobody else has memory of it */
	wolfSSL_SetAllocators(ql_pool_alloc, ql_pool_free, ql_pool_realloc);
#endif
	if (wolfSSL_Init() != WOLFSSL_SUCCESS) {
		init_result = -ENOTSUP;
		return;
	}
#if QL_HAVE_IPSEC_MB
	have_ipsec_mb = ql_backend_ipsec_mb_init() == 0;
	if (have_ipsec_mb)
		current = QL_CRYPTO_IPSEC_MB;
#endif
}

int ql_crypto_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
	return init_result;
}

int ql_crypto_set_backend(enum ql_crypto_backend backend)
{
	if (backend != QL_CRYPTO_WOLFCRYPT && !(backend == QL_CRYPTO_IPSEC_MB && have_ipsec_mb))
		return -ENOTSUP;
	current = backend;
	return 0;
}

enum ql_crypto_backend ql_crypto_backend(void)
{
	return current;
}

int ql_aead_init(struct ql_aead *aead, struct ql_mem *mem, enum ql_suite suite, const uint8_t *key,
		 const uint8_t iv[QL_IV_LEN])
{
	enum ql_crypto_backend b = current;

	*aead = (struct ql_aead){.suite = suite, .backend = b};
	aead->schedule = ql_mem_alloc(mem, backends[b]->aead_size(suite));
	if (!aead->schedule)
		return -ENOMEM;
	memcpy(aead->iv, iv, QL_IV_LEN);
	if (backends[b]->aead_expand(aead->schedule, suite, key)) {
		ql_aead_fini(aead, mem);
		return -ENOMEM;
	}
	return 0;
}

int ql_hp_init(struct ql_hp *hp, struct ql_mem *mem, enum ql_suite suite, const uint8_t *key)
{
	enum ql_crypto_backend b = current;

	*hp = (struct ql_hp){.suite = suite, .backend = b};
	hp->schedule = ql_mem_alloc(mem, backends[b]->hp_size(suite));
	if (!hp->schedule)
		return -ENOMEM;
	if (backends[b]->hp_expand(hp->schedule, suite, key)) {
		ql_hp_fini(hp, mem);
		return -ENOMEM;
	}
	return 0;
}

void ql_aead_fini(struct ql_aead *aead, struct ql_mem *mem)
{
	size_t size = backends[aead->backend]->aead_size(aead->suite);

	if (!aead->schedule)
		return;
	ql_wipe(aead->schedule, size);
	ql_mem_free(mem, aead->schedule, size);
	ql_wipe(aead, sizeof(*aead));
}

void ql_hp_fini(struct ql_hp *hp, struct ql_mem *mem)
{
	size_t size = backends[hp->backend]->hp_size(hp->suite);

	if (!hp->schedule)
		return;
	ql_wipe(hp->schedule, size);
	ql_mem_free(mem, hp->schedule, size);
	ql_wipe(hp, sizeof(*hp));
}

/* Up to so many bytes a packet takes the cipher's keys, in front, and the low powers of GHASH's, behind. */
#define SHORT_PACKET 256
#define SHORT_FRONT  256
#define SHORT_BACK   320

void ql_aead_prefetch(const struct ql_aead *aead, size_t len)
{
	const uint8_t *p = aead->schedule,
		      *end = p + backends[aead->backend]->aead_size(aead->suite);

	if (len <= SHORT_PACKET && end - p > SHORT_FRONT + SHORT_BACK) {
		ql_prefetch_lines(p, p + SHORT_FRONT);
		p = end - SHORT_BACK;
	}
	ql_prefetch_lines(p, end);
}

void ql_hp_prefetch(const struct ql_hp *hp)
{
	const uint8_t *p = hp->schedule;

	ql_prefetch_lines(p, p + backends[hp->backend]->hp_size(hp->suite));
}

void ql_aead_seal(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len)
{
	backends[aead->backend]->seal(aead, nonce, aad, aad_len, text, len);
}

bool ql_aead_open(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len)
{
	return backends[aead->backend]->open(aead, nonce, aad, aad_len, text, len);
}

/*
 * RFC 9001, section 5.3. A nonce is put together in registers and stored at once: the AEAD loads it
 * with one instruction, which would have to wait for several smaller stores to leave the CPU.
 */
static inline void make_nonce(union ql_nonce *nonce, const struct ql_aead *aead, uint64_t pn)
{
	uint64_t head, be = htobe64(pn);
	uint32_t tail;

	memcpy(&head, aead->iv, sizeof(head));
	memcpy(&tail, aead->iv + sizeof(head), sizeof(tail));
#if __BYTE_ORDER == __LITTLE_ENDIAN
	nonce->v = (ql_nonce_vector){head ^ be << 32, tail ^ be >> 32};
#else
	nonce->v = (ql_nonce_vector){head ^ be >> 32, (uint64_t)tail << 32 ^ be << 32};
#endif
}

/* Masks of a mixed lot, one call of the backend for each run of equal ciphers. */
static void make_masks(struct ql_sample *samples, unsigned int n)
{
	unsigned int end;

	for (unsigned int i = 0; i < n; i = end) {
		const struct ql_hp *hp = samples[i].hp;

		for (end = i + 1; end < n; end++)
			if (samples[end].hp->suite != hp->suite ||
			    samples[end].hp->backend != hp->backend)
				break;
		backends[hp->backend]->masks(&samples[i], end - i);
	}
}

/*
 * Hide or reveal the low bits of the first byte: RFC 9001, section 5.4.1. Returns the byte.
 */
static inline uint8_t mask_first(uint8_t *first, const uint8_t mask[5])
{
	return *first ^= mask[0] & (*first & QL_PKT_LONG ? 0x0f : 0x1f);
}

/* The same for the packet number; as many bytes follow it in any packet. */
static inline void mask_pn(uint8_t *pn, unsigned int pn_len, const uint8_t mask[5])
{
	static const uint8_t keep[][4] = {{0xff, 0, 0, 0},
					  {0xff, 0xff, 0, 0},
					  {0xff, 0xff, 0xff, 0},
					  {0xff, 0xff, 0xff, 0xff}};
	uint32_t v, m, k;

	memcpy(&v, pn, sizeof(v));
	memcpy(&m, mask + 1, sizeof(m));
	memcpy(&k, keep[pn_len - 1], sizeof(k));
	v ^= m & k;
	memcpy(pn, &v, sizeof(v));
}

#define CHUNK 32u

/* Jobs from the first on that can be sealed together: one's own suite and backend, all with a tail. */
static inline unsigned int alike(const struct ql_seal_job *jobs, unsigned int n)
{
	const struct ql_aead *aead = jobs[0].aead;
	unsigned int i = 1;

	if (!jobs[0].tail)
		return 0;
	while (i < n && i < QL_GATHER && jobs[i].tail && jobs[i].aead->suite == aead->suite &&
	       jobs[i].aead->backend == aead->backend)
		i++;
	return i;
}

/* Keys of jobs from first to before end that are others than of the job before. */
static inline void prefetch_keys(const struct ql_seal_job *jobs, unsigned int first,
				 unsigned int end)
{
	for (unsigned int i = first; i < end; i++)
		if (__builtin_expect(jobs[i].aead != jobs[i - 1].aead, 0))
			ql_aead_prefetch(jobs[i].aead, jobs[i].payload_len);
}

/* Up to CHUNK packets, all but their headers. */
static void seal_payloads(const struct ql_seal_job *jobs, unsigned int n)
{
	union ql_nonce nonces[CHUNK];

	for (unsigned int i = 0; i < n; i++)
		make_nonce(&nonces[i], jobs[i].aead, jobs[i].pn);
	for (unsigned int i = 0; i < n;) {
		const struct ql_seal_job *job = &jobs[i];
		unsigned int together = alike(job, n - i);

		if (together > 0) { /* and what comes while these are worked on */
			prefetch_keys(jobs, i > 0 ? i + together : 1,
				      n < i + together + QL_GATHER ? n : i + together + QL_GATHER);
			backends[job->aead->backend]->gather(job, &nonces[i], together);
			i += together;
			continue;
		}
		if (++i < n)
			ql_seal_prefetch(&jobs[i]);
		if (i + 1 < n)
			prefetch_keys(jobs, i + 1, i + 2);
		backends[job->aead->backend]->seal(job->aead, nonces[job - jobs].bytes, job->hdr,
						   job->hdr_len, job->hdr + job->hdr_len,
						   job->payload_len);
	}
}

void ql_seal_burst(const struct ql_seal_job *jobs, unsigned int n)
{
	struct ql_sample samples[CHUNK];

	while (n > 0) {
		unsigned int count = n < CHUNK ? n : CHUNK;

		seal_payloads(jobs, count);
		for (unsigned int i = 0; i < count; i++) {
			const struct ql_seal_job *job = &jobs[i];

			assert(job->pn_len + job->payload_len >= 4);
			samples[i].hp = job->hp;
			samples[i].bytes = job->hdr + job->hdr_len - job->pn_len + 4;
		}
		make_masks(samples, count);
		for (unsigned int i = 0; i < count; i++) {
			const struct ql_seal_job *job = &jobs[i];

			mask_first(job->hdr, samples[i].mask);
			mask_pn(job->hdr + job->hdr_len - job->pn_len, job->pn_len,
				samples[i].mask);
		}
		jobs += count;
		n -= count;
	}
}

static void unmask(struct ql_open_job *job, const uint8_t mask[5])
{
	uint8_t *pn = job->pkt + job->pn_offset;

	job->first = mask_first(job->pkt, mask);
	job->pn_len = QL_PKT_PN_LEN(job->first);
	mask_pn(pn, job->pn_len, mask);
	job->pn = ql_pn_decode(ql_pn_get(pn, job->pn_len), job->pn_len, job->expected);
	job->payload = pn + job->pn_len;
	job->payload_len = (uint16_t)(job->len - job->pn_offset - job->pn_len - QL_TAG_LEN);
	job->result = 0;
}

void ql_unmask_burst(struct ql_open_job *jobs, unsigned int n)
{
	struct ql_sample samples[CHUNK];
	struct ql_open_job *sampled[CHUNK];

	while (n > 0) {
		unsigned int count = n < CHUNK ? n : CHUNK;
		unsigned int m = 0;

		for (unsigned int i = 0; i < count; i++) {
			struct ql_open_job *job = &jobs[i];

			if (job->len < job->pn_offset + 4 + QL_SAMPLE_LEN) {
				job->result = -EBADMSG;
				continue;
			}
			samples[m].hp = job->hp;
			samples[m].bytes = job->pkt + job->pn_offset + 4;
			sampled[m++] = job;
		}
		make_masks(samples, m);
		for (unsigned int i = 0; i < m; i++)
			unmask(sampled[i], samples[i].mask);
		jobs += count;
		n -= count;
	}
}

/* Packets from where another connection's keys are asked for to where they are needed. */
#define KEYS_AHEAD 4

void ql_open_burst(struct ql_open_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct ql_open_job *job = &jobs[i];
		union ql_nonce nonce;

		if (i + 1 < n) /* its header has been read */
			ql_prefetch_write_range(jobs[i + 1].pkt + QL_CACHE_LINE, jobs[i + 1].len);
		if (i + KEYS_AHEAD < n &&
		    jobs[i + KEYS_AHEAD].aead != jobs[i + KEYS_AHEAD - 1].aead)
			ql_aead_prefetch(jobs[i + KEYS_AHEAD].aead, jobs[i + KEYS_AHEAD].len);
		if (job->result < 0)
			continue;
		make_nonce(&nonce, job->aead, job->pn);
		if (!backends[job->aead->backend]->open(job->aead, nonce.bytes, job->pkt,
							job->pn_offset + job->pn_len, job->payload,
							job->payload_len))
			job->result = -EBADMSG;
	}
}
