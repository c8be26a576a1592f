// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/backend.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <string.h>
#include <wmmintrin.h>

#include "crypto/chacha.h"
#include "crypto/secret.h"

/*
 * The direct calls are used: unlike jobs they keep no state in the manager, so that one manager
 * serves all threads, and for GCM they are the fastest.
 *
 * ChaCha20 has no schedule: the key itself is kept.
 */
static IMB_MGR *mgr;

int ql_backend_ipsec_mb_init(void)
{
	const uint64_t need = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;

	if (mgr)
		return 0;
	mgr = alloc_mb_mgr(0);
	if (!mgr)
		return -ENOTSUP;
	if ((mgr->features & need) == need)
		init_mb_mgr_auto(mgr, NULL);
	if (imb_get_errno(mgr) || !mgr->gcm128_enc || (mgr->features & need) != need) {
		free_mb_mgr(mgr);
		mgr = NULL;
		return -ENOTSUP;
	}
	return 0;
}

/* Round keys, the first one included. */
#define AES128_KEYS 11
#define AES256_KEYS 15

static size_t aead_size(enum ql_suite suite)
{
	return suite == QL_CHACHA20_POLY1305_SHA256 ? QL_KEY_MAX : sizeof(struct gcm_key_data);
}

static size_t hp_size(enum ql_suite suite)
{
	switch (suite) {
	case QL_AES128_GCM_SHA256:
		return AES128_KEYS * 16;
	case QL_AES256_GCM_SHA384:
		return AES256_KEYS * 16;
	default:
		return QL_KEY_MAX;
	}
}

static int aead_expand(void *schedule, enum ql_suite suite, const uint8_t *key)
{
	if (suite == QL_AES128_GCM_SHA256)
		IMB_AES128_GCM_PRE(mgr, key, schedule);
	else if (suite == QL_AES256_GCM_SHA384)
		IMB_AES256_GCM_PRE(mgr, key, schedule);
	else
		memcpy(schedule, key, QL_KEY_MAX);
	return 0;
}

static int hp_expand(void *schedule, enum ql_suite suite, const uint8_t *key)
{
	uint8_t decrypt[AES256_KEYS * 16] __attribute__((aligned(16)));

	if (suite == QL_AES128_GCM_SHA256)
		IMB_AES_KEYEXP_128(mgr, key, schedule, decrypt);
	else if (suite == QL_AES256_GCM_SHA384)
		IMB_AES_KEYEXP_256(mgr, key, schedule, decrypt);
	else
		memcpy(schedule, key, QL_KEY_MAX);
	ql_wipe(decrypt, sizeof(decrypt));
	return 0;
}

static void seal(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		 size_t aad_len, uint8_t *text, size_t len)
{
	struct gcm_context_data gcm;
	struct chacha20_poly1305_context_data chacha;
	uint8_t *tag = text + len;

	switch ((enum ql_suite)aead->suite) {
	case QL_AES128_GCM_SHA256:
		IMB_AES128_GCM_ENC(mgr, aead->schedule, &gcm, text, text, len, nonce, aad, aad_len,
				   tag, QL_TAG_LEN);
		break;
	case QL_AES256_GCM_SHA384:
		IMB_AES256_GCM_ENC(mgr, aead->schedule, &gcm, text, text, len, nonce, aad, aad_len,
				   tag, QL_TAG_LEN);
		break;
	default:
		IMB_CHACHA20_POLY1305_INIT(mgr, aead->schedule, &chacha, nonce, aad, aad_len);
		IMB_CHACHA20_POLY1305_ENC_UPDATE(mgr, aead->schedule, &chacha, text, text, len);
		IMB_CHACHA20_POLY1305_ENC_FINALIZE(mgr, &chacha, tag, QL_TAG_LEN);
	}
}

/* GCM of a text in pieces. */
struct pieces {
	aes_gcm_init_t init;
	aes_gcm_enc_dec_update_t update;
	aes_gcm_enc_dec_finalize_t finalize;
};

/*
 * Texts in two pieces, of which the first is short: to read the second where it is costs less than to
 * copy it. The short piece and the tag are chains of instructions that wait for each other, so all
 * packets take each step together, and the CPU has others to go on with.
 */
static void gather_gcm(const struct pieces *gcm, const struct ql_seal_job *jobs,
		       const union ql_nonce *nonces, unsigned int n)
{
	struct gcm_context_data state[QL_GATHER];

	ql_seal_prefetch(&jobs[0]);
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_seal_job *job = &jobs[i];
		uint8_t *text = job->hdr + job->hdr_len;

		gcm->init(job->aead->schedule, &state[i], nonces[i].bytes, job->hdr, job->hdr_len);
		gcm->update(job->aead->schedule, &state[i], text, text,
			    job->payload_len - job->tail_len);
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_seal_job *job = &jobs[i];

		if (i + 1 < n)
			ql_seal_prefetch(&jobs[i + 1]);
		gcm->update(job->aead->schedule, &state[i],
			    job->hdr + job->hdr_len + job->payload_len - job->tail_len, job->tail,
			    job->tail_len);
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_seal_job *job = &jobs[i];

		gcm->finalize(job->aead->schedule, &state[i],
			      job->hdr + job->hdr_len + job->payload_len, QL_TAG_LEN);
	}
}

static void gather(const struct ql_seal_job *jobs, const union ql_nonce *nonces, unsigned int n)
{
	const struct pieces aes128 = {mgr->gcm128_init, mgr->gcm128_enc_update,
				      mgr->gcm128_enc_finalize};
	const struct pieces aes256 = {mgr->gcm256_init, mgr->gcm256_enc_update,
				      mgr->gcm256_enc_finalize};

	switch ((enum ql_suite)jobs[0].aead->suite) {
	case QL_AES128_GCM_SHA256:
		gather_gcm(&aes128, jobs, nonces, n);
		break;
	case QL_AES256_GCM_SHA384:
		gather_gcm(&aes256, jobs, nonces, n);
		break;
	default:
		for (unsigned int i = 0; i < n; i++) {
			const struct ql_seal_job *job = &jobs[i];
			uint8_t *text = job->hdr + job->hdr_len;

			memcpy(text + job->payload_len - job->tail_len, job->tail, job->tail_len);
			seal(job->aead, nonces[i].bytes, job->hdr, job->hdr_len, text,
			     job->payload_len);
		}
	}
}

/* Compares without a branch or a look-up that depends on the bytes. */
static bool tags_equal(const uint8_t a[QL_TAG_LEN], const uint8_t b[QL_TAG_LEN])
{
	uint64_t x[2], y[2];
	uint64_t diff;

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	diff = (x[0] ^ y[0]) | (x[1] ^ y[1]);
	return diff == 0;
}

static bool open_(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len)
{
	struct gcm_context_data gcm;
	struct chacha20_poly1305_context_data chacha;
	uint8_t tag[QL_TAG_LEN];

	switch ((enum ql_suite)aead->suite) {
	case QL_AES128_GCM_SHA256:
		IMB_AES128_GCM_DEC(mgr, aead->schedule, &gcm, text, text, len, nonce, aad, aad_len,
				   tag, sizeof(tag));
		break;
	case QL_AES256_GCM_SHA384:
		IMB_AES256_GCM_DEC(mgr, aead->schedule, &gcm, text, text, len, nonce, aad, aad_len,
				   tag, sizeof(tag));
		break;
	default:
		IMB_CHACHA20_POLY1305_INIT(mgr, aead->schedule, &chacha, nonce, aad, aad_len);
		IMB_CHACHA20_POLY1305_DEC_UPDATE(mgr, aead->schedule, &chacha, text, text, len);
		IMB_CHACHA20_POLY1305_DEC_FINALIZE(mgr, &chacha, tag, sizeof(tag));
	}
	return tags_equal(tag, text + len);
}

/*
 * One block for each sample, each under its own key. The CPU overlaps the blocks, since none waits
 * for another: no need to interleave them here.
 */
__attribute__((target("aes,sse2"), always_inline)) static inline void
masks_aes(struct ql_sample *samples, unsigned int n, unsigned int keys)
{
	for (unsigned int i = 0; i < n; i++) {
		const __m128i *key = samples[i].hp->schedule;
		__m128i block = _mm_loadu_si128((const __m128i *)samples[i].bytes);

		block = _mm_xor_si128(block, key[0]);
		for (unsigned int r = 1; r < keys - 1; r++)
			block = _mm_aesenc_si128(block, key[r]);
		block = _mm_aesenclast_si128(block, key[keys - 1]);
		_mm_storeu_si128((__m128i *)samples[i].mask, block);
	}
}

__attribute__((target("aes,sse2"))) static void masks_aes128(struct ql_sample *samples,
							     unsigned int n)
{
	masks_aes(samples, n, AES128_KEYS);
}

__attribute__((target("aes,sse2"))) static void masks_aes256(struct ql_sample *samples,
							     unsigned int n)
{
	masks_aes(samples, n, AES256_KEYS);
}

/* RFC 9001, section 5.4.4: the sample is the block counter, little-endian, and the nonce. */
static void masks_chacha20(struct ql_sample *samples, unsigned int n)
{
	for (unsigned int i = 0; i < n; i += QL_CHACHA_LANES) {
		ql_u32x4 x[16] = {0};
		unsigned int lanes = n - i < QL_CHACHA_LANES ? n - i : QL_CHACHA_LANES;

		for (unsigned int lane = 0; lane < lanes; lane++) {
			uint32_t w[8];

			memcpy(w, samples[i + lane].hp->schedule, 32);
			for (int k = 0; k < 8; k++)
				x[4 + k][lane] = w[k];
			memcpy(w, samples[i + lane].bytes, QL_SAMPLE_LEN);
			for (int k = 0; k < 4; k++)
				x[12 + k][lane] = w[k];
		}
		ql_chacha20_x4(x);
		for (unsigned int lane = 0; lane < lanes; lane++)
			for (int k = 0; k < 2; k++)
				memcpy(samples[i + lane].mask + 4 * k, &(uint32_t){x[k][lane]}, 4);
	}
}

static void masks(struct ql_sample *samples, unsigned int n)
{
	switch ((enum ql_suite)samples[0].hp->suite) {
	case QL_AES128_GCM_SHA256:
		masks_aes128(samples, n);
		break;
	case QL_AES256_GCM_SHA384:
		masks_aes256(samples, n);
		break;
	default:
		masks_chacha20(samples, n);
	}
}

const struct ql_backend ql_backend_ipsec_mb = {
	.aead_size = aead_size,
	.hp_size = hp_size,
	.aead_expand = aead_expand,
	.hp_expand = hp_expand,
	.seal = seal,
	.gather = gather,
	.open = open_,
	.masks = masks,
};
