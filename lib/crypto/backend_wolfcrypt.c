// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/backend.h"

#include <errno.h>
#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>

#include "crypto/secret.h"

/* ChaCha20 has no schedule: the key itself is kept. */

static size_t schedule_size(enum ql_suite suite)
{
	return suite == QL_CHACHA20_POLY1305_SHA256 ? QL_KEY_MAX : sizeof(Aes);
}

static int aead_expand(void *schedule, enum ql_suite suite, const uint8_t *key)
{
	size_t len = ql_suites[suite].key_len;

	if (suite == QL_CHACHA20_POLY1305_SHA256) {
		memcpy(schedule, key, len);
		return 0;
	}
	if (wc_AesInit(schedule, NULL, INVALID_DEVID) ||
	    wc_AesGcmSetKey(schedule, key, (word32)len))
		return -EIO;
	return 0;
}

static int hp_expand(void *schedule, enum ql_suite suite, const uint8_t *key)
{
	size_t len = ql_suites[suite].key_len;

	if (suite == QL_CHACHA20_POLY1305_SHA256) {
		memcpy(schedule, key, len);
		return 0;
	}
	if (wc_AesInit(schedule, NULL, INVALID_DEVID) ||
	    wc_AesSetKey(schedule, key, (word32)len, NULL, AES_ENCRYPTION))
		return -EIO;
	return 0;
}

static void seal(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		 size_t aad_len, uint8_t *text, size_t len)
{
	int rc;

	if (aead->suite == QL_CHACHA20_POLY1305_SHA256)
		rc = wc_ChaCha20Poly1305_Encrypt(aead->schedule, nonce, aad, (word32)aad_len, text,
						 (word32)len, text, text + len);
	else
		rc = wc_AesGcmEncrypt(aead->schedule, text, text, (word32)len, nonce, QL_IV_LEN,
				      text + len, QL_TAG_LEN, aad, (word32)aad_len);
	/* No reason is known why it should fail; if it does, nothing may leave in the clear. */
	if (rc)
		memset(text, 0, len + QL_TAG_LEN);
}

static void gather(const struct ql_seal_job *jobs, const union ql_nonce *nonces, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct ql_seal_job *job = &jobs[i];
		uint8_t *text = job->hdr + job->hdr_len;

		memcpy(text + job->payload_len - job->tail_len, job->tail, job->tail_len);
		seal(job->aead, nonces[i].bytes, job->hdr, job->hdr_len, text, job->payload_len);
	}
}

static bool open_(const struct ql_aead *aead, const uint8_t nonce[QL_IV_LEN], const uint8_t *aad,
		  size_t aad_len, uint8_t *text, size_t len)
{
	if (aead->suite == QL_CHACHA20_POLY1305_SHA256)
		return wc_ChaCha20Poly1305_Decrypt(aead->schedule, nonce, aad, (word32)aad_len,
						   text, (word32)len, text + len, text) == 0;
	return wc_AesGcmDecrypt(aead->schedule, text, text, (word32)len, nonce, QL_IV_LEN,
				text + len, QL_TAG_LEN, aad, (word32)aad_len) == 0;
}

/* RFC 9001, section 5.4.4: the sample is the block counter, little-endian, and the nonce. */
static void mask_chacha20(struct ql_sample *s)
{
	static const uint8_t zeros[5];
	ChaCha ctx;
	word32 counter = (word32)s->bytes[0] | (word32)s->bytes[1] << 8 |
			 (word32)s->bytes[2] << 16 | (word32)s->bytes[3] << 24;

	if (wc_Chacha_SetKey(&ctx, s->hp->schedule, QL_KEY_MAX) ||
	    wc_Chacha_SetIV(&ctx, s->bytes + 4, counter) ||
	    wc_Chacha_Process(&ctx, s->mask, zeros, sizeof(zeros)))
		memset(s->mask, 0, sizeof(s->mask));
	ql_wipe(&ctx, sizeof(ctx));
}

static void masks(struct ql_sample *samples, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct ql_sample *s = &samples[i];

		if (s->hp->suite == QL_CHACHA20_POLY1305_SHA256)
			mask_chacha20(s);
		else if (wc_AesEncryptDirect(s->hp->schedule, s->mask, s->bytes))
			memset(s->mask, 0, sizeof(s->mask));
	}
}

const struct ql_backend ql_backend_wolfcrypt = {
	.aead_size = schedule_size,
	.hp_size = schedule_size,
	.aead_expand = aead_expand,
	.hp_expand = hp_expand,
	.seal = seal,
	.gather = gather,
	.open = open_,
	.masks = masks,
};
